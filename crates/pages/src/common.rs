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
    /// `/app/admin/api`
    Api,
    /// `/app/admin/api/logs`
    Logs,
    /// `/app/admin/audit`
    Audit,
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
