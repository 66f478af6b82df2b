//! Plans and their request limits (contract: rate-limits.md).

use std::fmt;
use std::str::FromStr;

/// An organization's rate tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plan {
    /// 300 requests a minute: the default.
    Standard,
    /// 300 requests a minute.
    Professional,
    /// 1,000 requests a minute.
    Enterprise,
    /// No request limit: for the operator's own use and for load tests.
    Unlimited,
}

impl Plan {
    /// All plans.
    pub const ALL: [Self; 4] = [
        Self::Standard,
        Self::Professional,
        Self::Enterprise,
        Self::Unlimited,
    ];

    /// Requests a minute for the whole organization; `None` is no limit.
    pub const fn requests_per_minute(self) -> Option<u32> {
        match self {
            Self::Standard | Self::Professional => Some(300),
            Self::Enterprise => Some(1_000),
            Self::Unlimited => None,
        }
    }

    /// The name on the command line and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Professional => "professional",
            Self::Enterprise => "enterprise",
            Self::Unlimited => "unlimited",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|plan| plan.name() == text)
            .ok_or_else(|| {
                format!(
                    "unknown plan \"{text}\": use standard, professional, enterprise or unlimited"
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_the_published_ones() {
        let limits = Plan::ALL.map(Plan::requests_per_minute);
        assert_eq!(limits, [Some(300), Some(300), Some(1_000), None]);
    }

    #[test]
    fn names_round_trip() {
        for plan in Plan::ALL {
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
        assert!("gold".parse::<Plan>().is_err());
    }
}
