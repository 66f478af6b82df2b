//! What a key may do (contract: authentication.md, scopes).

use std::fmt;
use std::str::FromStr;

/// One of the five published scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Organization details and credits.
    Organization,
    /// Create, list and revoke invitations.
    Invites,
    /// Teams and their members.
    Teams,
    /// AI models: one person's headshot sessions.
    Models,
    /// Generated headshots.
    Photos,
}

impl Scope {
    /// All five, in the published order.
    pub const ALL: [Self; 5] = [
        Self::Organization,
        Self::Invites,
        Self::Teams,
        Self::Models,
        Self::Photos,
    ];

    /// The wire name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Invites => "invites",
            Self::Teams => "teams",
            Self::Models => "models",
            Self::Photos => "photos",
        }
    }

    const fn bit(self, access: Access) -> u16 {
        1 << (self as u16 * 2 + access as u16)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether an operation only looks or also changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Only looks.
    Read,
    /// Changes something; includes [`Access::Read`].
    Write,
}

/// A set of scopes, each for reading or for reading and writing.
///
/// The text form is a comma-separated list; `teams:read` only reads, while `teams:write` and the
/// plain `teams` do both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ScopeSet(u16);

impl ScopeSet {
    /// No scope at all.
    pub const EMPTY: Self = Self(0);
    /// All five scopes, reading and writing: what *Generate API Key* gives.
    pub const FULL: Self = Self(0b11_1111_1111);

    /// This set with `scope` added; `Write` adds `Read` too.
    #[must_use]
    pub const fn with(self, scope: Scope, access: Access) -> Self {
        let write = match access {
            Access::Read => 0,
            Access::Write => scope.bit(Access::Write),
        };
        Self(self.0 | scope.bit(Access::Read) | write)
    }

    /// Whether a key with this set may do an operation of `scope` that needs `access`.
    pub const fn allows(self, scope: Scope, access: Access) -> bool {
        self.0 & scope.bit(access) != 0
    }

    /// The strongest access to `scope`, if any.
    pub const fn access(self, scope: Scope) -> Option<Access> {
        if self.allows(scope, Access::Write) {
            Some(Access::Write)
        } else if self.allows(scope, Access::Read) {
            Some(Access::Read)
        } else {
            None
        }
    }

    /// Whether the set holds nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names, `teams:read` where only reading is allowed.
    pub fn names(self) -> Vec<String> {
        Scope::ALL
            .into_iter()
            .filter_map(|scope| match self.access(scope)? {
                Access::Write => Some(scope.name().to_owned()),
                Access::Read => Some(format!("{scope}:read")),
            })
            .collect()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(","))
    }
}

/// A scope's name that isn't one of the five.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown scope \"{0}\": use organization, invites, teams, models, photos, each optionally with :read or :write"
)]
pub struct UnknownScope(pub String);

impl FromStr for ScopeSet {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let mut set = Self::EMPTY;
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (name, access) = match part.split_once(':') {
                None | Some((_, "write")) => {
                    (part.split(':').next().unwrap_or(part), Access::Write)
                }
                Some((name, "read")) => (name, Access::Read),
                Some(_) => return Err(UnknownScope(part.to_owned())),
            };
            let scope = Scope::ALL
                .into_iter()
                .find(|scope| scope.name().eq_ignore_ascii_case(name))
                .ok_or_else(|| UnknownScope(part.to_owned()))?;
            set = set.with(scope, access);
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn write_includes_read_and_the_plain_name_means_both() {
        for text in ["teams", "teams:write", " Teams "] {
            let set: ScopeSet = text.parse().unwrap();
            assert_eq!(set.access(Scope::Teams), Some(Access::Write), "{text}");
        }
        let set: ScopeSet = "teams:read".parse().unwrap();
        assert!(set.allows(Scope::Teams, Access::Read));
        assert!(!set.allows(Scope::Teams, Access::Write));
        assert!(!set.allows(Scope::Photos, Access::Read));
    }

    #[test]
    fn full_is_all_five() {
        assert_eq!(
            "organization,invites,teams,models,photos".parse(),
            Ok(ScopeSet::FULL)
        );
        assert_eq!(
            ScopeSet::FULL.to_string(),
            "organization,invites,teams,models,photos"
        );
    }

    #[test]
    fn unknown_names_are_refused_by_name() {
        assert_eq!(
            "teams,keys".parse::<ScopeSet>(),
            Err(UnknownScope("keys".into()))
        );
        assert!("teams:delete".parse::<ScopeSet>().is_err());
    }

    proptest! {
        #[test]
        fn text_round_trips(bits in 0u16..(1 << 10)) {
            let mut set = ScopeSet::EMPTY;
            for (index, scope) in Scope::ALL.into_iter().enumerate() {
                if bits >> (index * 2) & 1 == 1 { set = set.with(scope, Access::Read); }
                if bits >> (index * 2 + 1) & 1 == 1 { set = set.with(scope, Access::Write); }
            }
            prop_assert_eq!(set.to_string().parse(), Ok(set));
        }
    }
}
