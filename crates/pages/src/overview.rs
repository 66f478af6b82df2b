//! Admin > Overview.

use crate::{
    AuditRow, Shell, Template,
    common::grouped,
    ui::{Bar, Chart, Empty, Icon, Stat},
};

/// What identifies the organization.
#[derive(Debug, Clone)]
pub struct OrganizationFacts {
    /// `org_...`
    pub uid: String,
    /// Display name.
    pub name: String,
    /// Website, shown as text; may be empty.
    pub website: String,
    /// Plan in words.
    pub plan: String,
    /// Request limit in words, *300 requests a minute*.
    pub rate_limit: String,
}

/// Requests of one hour.
#[derive(Debug, Clone)]
pub struct Hour {
    /// Start of the hour, `14:00`.
    pub label: String,
    /// All requests.
    pub total: u32,
    /// Those refused.
    pub refused: u32,
}

/// Requests of the last 24 hours.
#[derive(Debug, Clone)]
pub struct Requests {
    /// All requests.
    pub total: i64,
    /// Those refused.
    pub refused: i64,
    /// Oldest first.
    pub by_hour: Vec<Hour>,
}

/// A step of setting up.
#[derive(Debug, Clone)]
pub struct ChecklistItem {
    /// What to do.
    pub label: String,
    /// Why, one sentence.
    pub detail: String,
    /// Where.
    pub href: String,
    /// Whether it is done.
    pub done: bool,
}

/// `/app/admin/overview`.
#[derive(Debug, Clone, Template)]
#[template(path = "overview.html")]
pub struct Overview {
    /// The frame.
    pub shell: Shell,
    /// The organization.
    pub organization: OrganizationFacts,
    /// Credit balance, a number or *Unlimited*.
    pub credits: String,
    /// Keys that exist.
    pub keys_in_use: i64,
    /// Requests of the last 24 hours.
    pub requests_24h: Requests,
    /// Names of the teams.
    pub teams: Vec<String>,
    /// Number of members.
    pub members: i64,
    /// Latest audit entries, newest first.
    pub audit: Vec<AuditRow>,
    /// Steps of setting up; hidden when all are done.
    pub checklist: Vec<ChecklistItem>,
}

impl Overview {
    fn steps_done(&self) -> usize {
        self.checklist.iter().filter(|item| item.done).count()
    }

    fn chart(&self) -> Chart {
        let bars = self.requests_24h.by_hour.iter();
        Chart::new(
            "requests",
            "Requests by hour, last 24 hours, UTC",
            bars.map(|hour| Bar {
                label: hour.label.clone(),
                total: hour.total,
                marked: hour.refused,
            })
            .collect(),
        )
    }

    fn refused_detail(&self) -> String {
        match self.requests_24h.refused {
            0 => "none refused".to_owned(),
            refused => format!("{} refused", grouped(refused)),
        }
    }
}
