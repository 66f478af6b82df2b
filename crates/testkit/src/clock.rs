//! A clock that only the test moves.

use std::sync::Arc;
use std::time::Duration;

use headshot_domain::{Clock, Timestamp};
use tokio::sync::watch;

/// Both clocks of a machine, standing still until told otherwise.
#[derive(Debug)]
pub struct ManualClock {
    monotonic: watch::Sender<Duration>,
    time_of_day: watch::Sender<Timestamp>,
}

impl ManualClock {
    /// 15 January 2024, 10:30 UTC; the monotonic clock at 1,000 seconds.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            monotonic: watch::Sender::new(Duration::from_secs(1_000)),
            time_of_day: watch::Sender::new(Timestamp::from_unix_ms(1_705_314_600_000)),
        })
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        self.monotonic.send_modify(|at| *at += by);
        self.time_of_day.send_modify(|at| *at = at.plus(by));
    }

    /// Sets the time of day alone, as an operator or NTP does.
    pub fn jump_to(&self, now: Timestamp) {
        self.time_of_day.send_replace(now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.time_of_day.borrow()
    }

    fn monotonic(&self) -> Duration {
        *self.monotonic.borrow()
    }
}
