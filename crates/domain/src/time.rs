//! Points in time, and the clock as a parameter.

use std::fmt;
use std::time::Duration;

/// A point in time: milliseconds since 1970-01-01 UTC. Prints as the contract's ISO 8601
/// (`2024-01-15T10:30:00.000Z`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From Unix milliseconds.
    pub const fn from_unix_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Unix milliseconds.
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// This point and `duration` later; stops at the end of time instead of wrapping.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(milliseconds(duration)))
    }

    /// This point and `duration` earlier; stops at the beginning of time instead of wrapping.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(milliseconds(duration)))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Parses ISO 8601 with an offset or `Z`; `None` for anything else.
    pub fn parse_iso(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(|at| Self(at.as_millisecond()))
    }

    /// Year, month and day in UTC, as in `2024-01-15`.
    pub fn date(self) -> String {
        self.to_string()[..10].to_owned()
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => f.write_str("9999-12-31T23:59:59.999Z"),
        }
    }
}

/// What time it is.
pub trait Clock: Send + Sync {
    /// The time of day. It can jump: never measure a duration with it.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary moment, never running backwards. For leases and durations.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Moment,
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    pub fn new() -> Self {
        Self {
            started: Moment::now(),
        }
    }
}

/// A moment of the clock that counts the time for which the machine slept as well: what was to end
/// meanwhile has ended when it wakes.
#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Copy)]
struct Moment(Duration);

#[cfg(target_os = "linux")]
impl Moment {
    fn now() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // It counts from the machine's start, so neither part is negative.
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
        Self(Duration::new(seconds, nanoseconds))
    }

    fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

#[cfg(not(target_os = "linux"))]
use std::time::Instant as Moment;

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_the_contract_s_form() {
        let at = Timestamp::from_unix_ms(1_705_314_600_000);
        assert_eq!(at.to_string(), "2024-01-15T10:30:00.000Z");
        assert_eq!(at.date(), "2024-01-15");
        assert_eq!(
            Timestamp::from_unix_ms(1_705_314_600_007).to_string(),
            "2024-01-15T10:30:00.007Z"
        );
    }

    #[test]
    fn the_ends_of_time_do_not_wrap_or_panic() {
        let end = Timestamp::from_unix_ms(i64::MAX);
        assert_eq!(end.plus(Duration::MAX), end);
        assert!(end.to_string().ends_with('Z'));
        assert_eq!(Timestamp::from_unix_ms(i64::MIN).since(end), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn iso_round_trips(ms in 0i64..253_402_300_799_999) {
            let at = Timestamp::from_unix_ms(ms);
            prop_assert_eq!(Timestamp::parse_iso(&at.to_string()), Some(at));
        }
    }
}
