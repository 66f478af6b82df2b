//! What a person is in an organization (contract: dashboard.md, roles).

use std::fmt;
use std::str::FromStr;

/// A person's role in one organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Created the organization; one each; can't be removed or demoted by admins.
    Owner,
    /// Full use of the dashboard.
    Admin,
    /// Own headshots only.
    Member,
}

impl Role {
    /// The name in the database and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// Whether the role opens the dashboard, keys included.
    pub const fn is_admin(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Owner, Self::Admin, Self::Member]
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| format!("unknown role \"{text}\""))
    }
}
