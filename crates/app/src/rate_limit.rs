//! Request limits: fixed windows of one minute (contract: rate-limits.md).
//!
//! A limit is exact within one process: [`Budget::take`] is one atomic step. The limit is an
//! argument, so that several processes can be lent shares of one exact budget later.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};

use headshot_domain::Timestamp;
use parking_lot::Mutex;

const MINUTE_MS: i64 = 60_000;

/// What `X-RateLimit-Limit` says where a plan has no limit.
pub const NO_LIMIT_SHOWN: u32 = 1_000_000_000;

/// The requests of one minute.
#[derive(Debug, Default)]
pub struct Budget {
    /// The minute in the high half, the requests taken in it in the low half.
    packed: AtomicU64,
}

/// The limiter's answer to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Whether the request may go on.
    pub allowed: bool,
    /// Requests allowed in a minute.
    pub limit: u32,
    /// Requests left in this minute.
    pub remaining: u32,
    /// When the next minute begins.
    pub reset: Timestamp,
}

impl Budget {
    /// Takes one request out of `limit` a minute; `None` is no limit. A refused request takes
    /// nothing.
    pub fn take(&self, now: Timestamp, limit: Option<u32>) -> Quota {
        let (minute, reset) = window(now);
        let Some(limit) = limit else {
            let (limit, remaining) = (NO_LIMIT_SHOWN, NO_LIMIT_SHOWN);
            return Quota {
                allowed: true,
                limit,
                remaining,
                reset,
            };
        };
        let mut taken = 0;
        let update = self
            .packed
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |packed| {
                let minute = not_past(minute, packed);
                taken = taken_in(packed, minute);
                (taken < limit).then(|| pack(minute, taken + 1))
            });
        let allowed = update.is_ok();
        let remaining = limit.saturating_sub(taken + u32::from(allowed));
        Quota {
            allowed,
            limit,
            remaining,
            reset,
        }
    }

    /// What [`Budget::take`] would say, without taking anything.
    pub fn look(&self, now: Timestamp, limit: u32) -> Quota {
        let (minute, reset) = window(now);
        let taken = taken_in(self.packed.load(Ordering::Acquire), minute);
        Quota {
            allowed: taken < limit,
            limit,
            remaining: limit.saturating_sub(taken),
            reset,
        }
    }

    /// Whether something was taken in the running minute.
    pub fn is_running(&self, now: Timestamp) -> bool {
        taken_in(self.packed.load(Ordering::Acquire), window(now).0) > 0
    }
}

/// The minute's number, and when the next one begins.
fn window(now: Timestamp) -> (u32, Timestamp) {
    let minute = now.unix_ms().div_euclid(MINUTE_MS);
    let reset = Timestamp::from_unix_ms((minute + 1).saturating_mul(MINUTE_MS));
    (u32::try_from(minute).unwrap_or(u32::MAX), reset)
}

/// A straggler of the last minute counts in the running one: it must not wipe its count. A clock
/// that went back further starts anew.
fn not_past(minute: u32, packed: u64) -> u32 {
    let running = (packed >> 32) as u32;
    if running == minute.saturating_add(1) {
        running
    } else {
        minute
    }
}

fn pack(minute: u32, taken: u32) -> u64 {
    u64::from(minute) << 32 | u64::from(taken)
}

fn taken_in(packed: u64, minute: u32) -> u32 {
    if packed >> 32 == u64::from(minute) {
        (packed & 0xffff_ffff) as u32
    } else {
        0
    }
}

/// Budgets of callers that no key identifies, by address (IPv6: by /64). Bounded.
#[derive(Debug, Default)]
pub struct AddressLimiter {
    budgets: Mutex<Budgets>,
    /// Shared by all addresses beyond [`AddressLimiter::ADDRESSES_MAX`] in one minute.
    overflow: Budget,
}

#[derive(Debug, Default)]
struct Budgets {
    of: HashMap<IpAddr, Budget>,
    /// The minute in which budgets of past minutes were last dropped: once in each is enough.
    swept: u32,
}

impl AddressLimiter {
    /// Requests a minute from one address: the default tier's.
    pub const LIMIT: u32 = 300;
    /// The most addresses that are told apart at one time.
    pub const ADDRESSES_MAX: usize = 100_000;

    /// Takes one request of `address`.
    pub fn take(&self, address: IpAddr, now: Timestamp) -> Quota {
        let address = subject(address);
        let mut budgets = self.budgets.lock();
        if budgets.of.len() >= Self::ADDRESSES_MAX && !budgets.of.contains_key(&address) {
            let (minute, _) = window(now);
            if budgets.swept != minute {
                budgets.swept = minute;
                budgets.of.retain(|_, budget| budget.is_running(now));
            }
            if budgets.of.len() >= Self::ADDRESSES_MAX {
                return self.overflow.take(now, Some(Self::LIMIT));
            }
        }
        budgets
            .of
            .entry(address)
            .or_default()
            .take(now, Some(Self::LIMIT))
    }

    /// What [`AddressLimiter::take`] would say, without taking anything.
    pub fn look(&self, address: IpAddr, now: Timestamp) -> Quota {
        let budgets = self.budgets.lock();
        let fresh = Budget::default();
        budgets
            .of
            .get(&subject(address))
            .unwrap_or(&fresh)
            .look(now, Self::LIMIT)
    }
}

/// The whole address for IPv4; its /64 for IPv6, where one host has that many addresses.
pub(crate) fn subject(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_705_314_600_000 + ms)
    }

    #[test]
    fn the_limit_is_exact_at_n_and_n_plus_1() {
        let budget = Budget::default();
        for taken in 1..=300 {
            let quota = budget.take(at(0), Some(300));
            assert!(quota.allowed);
            assert_eq!(quota.remaining, 300 - taken);
        }
        let refused = budget.take(at(59_999), Some(300));
        assert!(!refused.allowed);
        assert_eq!(refused.remaining, 0);
        assert_eq!(refused.reset.to_string(), "2024-01-15T10:31:00.000Z");
        assert!(
            budget.take(at(60_000), Some(300)).allowed,
            "the next minute starts anew"
        );
    }

    #[test]
    fn a_straggler_of_the_last_minute_wipes_nothing() {
        let budget = Budget::default();
        for _ in 0..300 {
            assert!(budget.take(at(60_000), Some(300)).allowed);
        }
        assert!(!budget.take(at(59_999), Some(300)).allowed);
        assert!(!budget.take(at(60_000), Some(300)).allowed);
        assert!(
            budget.take(at(-60_000), Some(300)).allowed,
            "a clock set back starts anew"
        );
    }

    #[test]
    fn refused_requests_do_not_count() {
        let budget = Budget::default();
        assert!(budget.take(at(0), Some(1)).allowed);
        for _ in 0..10 {
            assert!(!budget.take(at(1), Some(1)).allowed);
        }
        assert!(
            budget.take(at(2), Some(2)).allowed,
            "a raised limit counts only what was allowed"
        );
    }

    #[test]
    fn many_threads_get_exactly_the_limit() {
        let budget = Budget::default();
        let allowed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if budget.take(at(0), Some(1_000)).allowed {
                            allowed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner(), 1_000);
    }

    #[test]
    fn no_limit_shows_a_large_one() {
        let quota = Budget::default().take(at(0), None);
        assert!(quota.allowed);
        assert_eq!(quota.remaining, NO_LIMIT_SHOWN);
    }

    #[test]
    fn addresses_are_told_apart_and_a_64_is_one() {
        let limiter = AddressLimiter::default();
        let take = |text: &str| limiter.take(text.parse().unwrap(), at(0)).remaining;
        assert_eq!(take("10.0.0.1"), 299);
        assert_eq!(take("10.0.0.2"), 299);
        assert_eq!(take("::ffff:10.0.0.1"), 298);
        assert_eq!(take("2001:db8::1"), 299);
        assert_eq!(take("2001:db8::2"), 298);
        assert_eq!(take("2001:db8:0:1::1"), 299);
    }

    #[test]
    fn addresses_beyond_the_bound_share_one_budget() {
        let limiter = AddressLimiter::default();
        let address = |n: usize| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
        for n in 0..AddressLimiter::ADDRESSES_MAX {
            assert_eq!(limiter.take(address(n), at(0)).remaining, 299);
        }
        assert_eq!(
            limiter
                .take(address(AddressLimiter::ADDRESSES_MAX), at(0))
                .remaining,
            299
        );
        assert_eq!(
            limiter
                .take(address(AddressLimiter::ADDRESSES_MAX + 1), at(0))
                .remaining,
            298
        );
        assert_eq!(
            limiter
                .take(address(AddressLimiter::ADDRESSES_MAX), at(60_000))
                .remaining,
            299
        );
    }
}
