//! Admin > Settings.

use crate::{
    Shell, Template, When,
    ui::{Badge, Button, Field, Icon},
};

mod organization;
mod studio;

pub use organization::{OrganizationSettings, ShorterTime};
pub use studio::{BrandImage, BrandLogo, LookOption, StudioSettings, UploadLimits};

/// The pages of the settings: the last part of the path, and the word.
pub(crate) const TABS: [(&str, &str); 4] = [
    ("organization", "Organization"),
    ("studio", "Studio"),
    ("security", "Security"),
    ("api", "API"),
];

/// A place where the person is signed in.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Identifier used in paths; not the session token.
    pub id: String,
    /// Whether it is this browser.
    pub current: bool,
    /// Browser and system, *Firefox on macOS*.
    pub device: String,
    /// Address it was last seen from.
    pub address: String,
    /// When it began.
    pub created: When,
    /// When it was last seen.
    pub last_seen: When,
}

/// A person's sessions and password.
///
/// Posts `csrf` to `{base}/sessions/{id}/end` and `{base}/sessions/end-others`; `csrf`,
/// `current_password`, `new_password` to `{base}/password`.
#[derive(Debug, Clone)]
pub struct Security {
    /// The path below which the forms are sent.
    pub base: &'static str,
    /// Sessions of the person, this browser first.
    pub sessions: Vec<SessionRow>,
    /// What is wrong with the current password as typed.
    pub current_password_error: Option<String>,
    /// What is wrong with the new password as typed.
    pub new_password_error: Option<String>,
}

/// `/app/admin/settings/security`, with forms below `/app/admin/settings`.
#[derive(Debug, Clone, Template)]
#[template(path = "settings.html")]
pub struct Settings {
    /// The frame.
    pub shell: Shell,
    /// Sessions and password.
    pub security: Security,
}

impl Security {
    pub(crate) fn others(&self) -> usize {
        self.sessions
            .iter()
            .filter(|session| !session.current)
            .count()
    }

    pub(crate) fn end_others_label(&self) -> String {
        format!("Sign out {} other sessions", self.others())
    }
}
