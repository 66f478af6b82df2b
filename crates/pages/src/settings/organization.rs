use crate::common::counted;
use crate::{
    Shell, Template,
    ui::{Button, Field, Icon},
};

/// What a shorter time takes away, to be confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShorterTime {
    /// The time that was asked for, in days, at least 1.
    pub days: i64,
    /// The time that is in force; 0 is for ever.
    pub before: i64,
    /// Shoots that are older than the new time already.
    pub due: i64,
}

/// `/app/admin/settings/organization`.
///
/// Posts `csrf`, `days` and, once the question is answered, `confirmed` with the same number to
/// `/app/admin/settings/organization/retention`; `csrf` and, when it is on, `low_credits` to
/// `/app/admin/settings/organization/mails`.
#[derive(Debug, Clone, Template)]
#[template(path = "settings_organization.html")]
pub struct OrganizationSettings {
    /// The frame.
    pub shell: Shell,
    /// After how many days finished shoots are deleted, as typed or as it is in force.
    pub days: String,
    /// What is wrong with it.
    pub days_error: Option<String>,
    /// The most days.
    pub days_max: i64,
    /// To be confirmed before the time gets shorter.
    pub question: Option<ShorterTime>,
    /// After how many days the operator deletes finished shoots, whatever is set here.
    pub server_days: Option<u64>,
    /// After how many days the operator deletes uploaded photos, whatever is set here.
    pub upload_days: Option<u64>,
    /// Whether owners and admins are mailed when few credits are left.
    pub low_credit_mail: bool,
    /// Below how many credits.
    pub low_credits: String,
    /// Whether this server sends mail.
    pub is_sent: bool,
}

impl OrganizationSettings {
    fn days_field(&self) -> Field {
        Field::number(
            "days",
            "Delete finished shoots after so many days",
            (0, self.days_max),
        )
        .value(&self.days)
        .hint("0 is never: shoots are kept until somebody deletes them.")
        .error(&self.days_error)
        .focus(self.days_error.is_some())
    }

    fn server_time(&self) -> Option<String> {
        self.server_days.map(days_in_words)
    }

    fn upload_time(&self) -> Option<String> {
        self.upload_days.map(days_in_words)
    }
}

fn days_in_words(days: u64) -> String {
    counted(i64::try_from(days).unwrap_or(i64::MAX), "day", "days")
}

impl ShorterTime {
    fn days_in_words(self) -> String {
        counted(self.days, "day", "days")
    }

    fn consequence(self) -> String {
        let now = match self.due {
            0 => "No shoot is that old now.".to_owned(),
            due => format!(
                "{} that old: {} within the hour.",
                counted(due, "shoot is", "shoots are"),
                if due == 1 { "it goes" } else { "they go" }
            ),
        };
        let before = match self.before {
            0 => "Until now shoots are kept for ever.".to_owned(),
            days => format!(
                "Until now they are kept for {}.",
                counted(days, "day", "days")
            ),
        };
        format!(
            "{now} {before} A deleted shoot takes its headshots, its uploaded photos and every link \
             to them along, and can't be brought back."
        )
    }
}
