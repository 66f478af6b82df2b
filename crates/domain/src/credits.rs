//! Credits: one is one person's shoot (contract: data-lifecycle.md).

use std::fmt;
use std::str::FromStr;

/// An amount of credits, exact to a hundredth (the Lite package charges 0.25). May be negative in
/// a ledger entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Credits(i64);

impl Credits {
    /// No credit.
    pub const ZERO: Self = Self(0);
    /// The largest amount that one grant may add: a slip of the finger stays visible.
    pub const GRANT_MAX: Self = Self::whole(1_000_000);

    /// Whole credits.
    pub const fn whole(amount: i64) -> Self {
        Self(amount.saturating_mul(100))
    }

    /// Hundredths of a credit.
    pub const fn from_hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }

    /// Hundredths of a credit.
    pub const fn hundredths(self) -> i64 {
        self.0
    }

    /// The whole number, where there is no fraction.
    pub const fn as_whole(self) -> Option<i64> {
        if self.0 % 100 == 0 {
            Some(self.0 / 100)
        } else {
            None
        }
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(whole) = self.as_whole() {
            return write!(f, "{whole}");
        }
        let sign = if self.0 < 0 { "-" } else { "" };
        let text = format!("{sign}{}.{:02}", self.0.abs() / 100, self.0.abs() % 100);
        f.write_str(text.trim_end_matches('0'))
    }
}

impl FromStr for Credits {
    type Err = String;

    /// Reads `12`, `-3` or `0.25`: at most two decimals.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("\"{text}\" is not an amount of credits: use a number such as 100 or 0.25");
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || fraction.len() > 2 {
            return Err(wrong());
        }
        let whole: i64 = whole.parse().map_err(|_wrong| wrong())?;
        let fraction: i64 = format!("{fraction:0<2}")
            .parse()
            .map_err(|_wrong| wrong())?;
        let amount = whole
            .checked_mul(100)
            .and_then(|all| all.checked_add(fraction))
            .ok_or_else(wrong)?;
        Ok(Self(if negative { -amount } else { amount }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_whole_numbers_without_a_fraction() {
        assert_eq!(Credits::whole(100).to_string(), "100");
        assert_eq!(Credits::from_hundredths(25).to_string(), "0.25");
        assert_eq!(Credits::from_hundredths(-50).to_string(), "-0.5");
    }

    #[test]
    fn refuses_what_is_not_an_amount() {
        for text in [
            "",
            "-",
            "1.",
            ".5",
            "1.234",
            "+1",
            "1e3",
            "９",
            "99999999999999999999",
        ] {
            assert!(text.parse::<Credits>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(hundredths in -10_000_000i64..10_000_000) {
            let credits = Credits::from_hundredths(hundredths);
            prop_assert_eq!(credits.to_string().parse(), Ok(credits));
        }
    }
}
