//! What several pages share: moments, the shell around admin pages, notices.

use crate::ui::Tone;

/// A moment, as a machine and as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// RFC 3339 text in UTC, for `<time datetime>`.
    pub iso: String,
    /// The same moment in words, with its time zone where it matters.
    pub human: String,
}

impl When {
    /// Pairs the two texts.
    pub fn new(iso: impl Into<String>, human: impl Into<String>) -> Self {
        Self {
            iso: iso.into(),
            human: human.into(),
        }
    }
}

/// A count as people read it, `1,204`.
pub fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if count < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun, `1 address` or `1,204 addresses`.
pub(crate) fn counted(count: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// One entry of a select box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What the person reads.
    pub label: String,
}

impl Choice {
    /// Pairs value and label.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            label: label.into(),
        }
    }
}

/// The entry of the rail that the page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NavItem {
    /// `/app/admin/overview`
    Overview,
    /// `/app/admin/invites`
    Invites,
    /// `/app/admin/outbox`
    Outbox,
    /// `/app/admin/api`
    Api,
    /// `/app/admin/api/logs`
    Logs,
    /// `/app/admin/webhooks`
    Webhooks,
    /// `/app/admin/audit`
    Audit,
    /// `/app/admin/jobs`
    Jobs,
    /// `/app/admin/settings/...`
    Settings,
}

/// An organization that the signed-in person can switch to.
#[derive(Debug, Clone)]
pub struct OrgChoice {
    /// Public identifier, `org_...`.
    pub uid: String,
    /// Display name.
    pub name: String,
    /// Whether the page shows this one.
    pub current: bool,
}

/// A message about what the last action did, shown above the page's content.
#[derive(Debug, Clone)]
pub struct Notice {
    /// What kind of news it is; decides colour, icon and spoken word.
    pub tone: Tone,
    /// One sentence.
    pub text: String,
}

impl Notice {
    /// Something was done.
    pub fn good(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Good,
            text: text.into(),
        }
    }

    /// Something was refused or failed.
    pub fn bad(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Bad,
            text: text.into(),
        }
    }

    /// Something to know.
    pub fn info(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Info,
            text: text.into(),
        }
    }
}

/// The frame around every admin page: rail, organization switch, account, title.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Page title: the `<h1>` and the first part of `<title>`.
    pub title: String,
    /// Which entry of the rail is current.
    pub active: NavItem,
    /// Name of the organization that is shown.
    pub org_name: String,
    /// All organizations of the person; the switch appears from two on.
    pub orgs: Vec<OrgChoice>,
    /// Name of the signed-in person.
    pub user_name: String,
    /// Address of the signed-in person.
    pub user_email: String,
    /// Role in words, *Owner* or *Admin*.
    pub role_label: String,
    /// Anti-forgery token for every form of the page, sent as `csrf`.
    pub csrf: String,
    /// What the last action did, if anything.
    pub notice: Option<Notice>,
}

impl Shell {
    pub(crate) fn is(&self, item: NavItem) -> bool {
        self.active == item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        let texts = [0, 7, 999, 1000, 1_204_000, -1500, i64::MIN].map(grouped);
        let expected = [
            "0",
            "7",
            "999",
            "1,000",
            "1,204,000",
            "-1,500",
            "-9,223,372,036,854,775,808",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(counted(1, "address", "addresses"), "1 address");
        assert_eq!(counted(0, "address", "addresses"), "0 addresses");
    }
}
