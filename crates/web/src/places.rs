//! Places for work that holds much memory: so many in all, and so many for each who asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one kind of work. Nobody holds more than a share of them, however often they ask.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    each: usize,
    /// Of those who hold a place or wait for one.
    shares: Shares,
}

type Shares = Arc<Mutex<HashMap<String, Arc<Semaphore>>>>;

/// A place, until it is dropped. Given back in this order.
#[derive(Debug)]
pub(crate) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_share: OwnedSemaphorePermit,
    _asking: Asking,
}

/// One who holds a place or waits for one.
#[derive(Debug)]
struct Asking {
    who: String,
    share: Arc<Semaphore>,
    shares: Shares,
}

impl Places {
    pub(crate) fn new(all: usize, each: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            each,
            shares: Shares::default(),
        }
    }

    /// Waits for a place, at most so long.
    pub(crate) async fn take(&self, who: &str, patience: Duration) -> Option<Place> {
        let asking = self.asking(who);
        let both = async {
            // The own share first: who has used it up stands in nobody's way.
            let of_share = Arc::clone(&asking.share).acquire_owned().await.ok()?;
            let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some((of_share, of_all))
        };
        let (of_share, of_all) = tokio::time::timeout(patience, both).await.ok()??;
        Some(Place {
            _of_all: of_all,
            _of_share: of_share,
            _asking: asking,
        })
    }

    fn asking(&self, who: &str) -> Asking {
        let mut shares = self.shares.lock();
        let share = shares.entry(who.to_owned());
        let share = share.or_insert_with(|| Arc::new(Semaphore::new(self.each)));
        let share = Arc::clone(share);
        Asking {
            who: who.to_owned(),
            share,
            shares: Arc::clone(&self.shares),
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut shares = self.shares.lock();
        // The map's and this one: nobody else asks under this name. New ones need the lock.
        if Arc::strong_count(&self.share) <= 2 {
            shares.remove(&self.who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[tokio::test]
    async fn nobody_holds_more_than_a_share() {
        let places = Places::new(8, 2);
        let first = places.take("a", NOW).await;
        let second = places.take("a", NOW).await;
        assert!(first.is_some() && second.is_some());
        assert!(places.take("a", NOW).await.is_none(), "the third");
        assert!(places.take("b", NOW).await.is_some(), "others are free to");
        drop(first);
        assert!(places.take("a", NOW).await.is_some(), "one was given back");
    }

    #[tokio::test]
    async fn there_are_eight_and_no_ninth() {
        let places = Places::new(8, 2);
        let mut held = Vec::new();
        for who in ["a", "b", "c", "d"] {
            held.extend(places.take(who, NOW).await);
            held.extend(places.take(who, NOW).await);
        }
        assert_eq!(held.len(), 8);
        assert!(places.take("e", NOW).await.is_none());
        held.pop();
        assert!(places.take("e", NOW).await.is_some());
        drop(held);
        assert!(places.shares.lock().is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn who_waits_for_the_own_share_holds_up_nobody() {
        let places = Places::new(3, 2);
        let patience = Duration::from_millis(1);
        let held = (places.take("a", NOW).await, places.take("a", NOW).await);
        let greedy = places.take("a", patience);
        let modest = async {
            let taken = places.take("b", NOW).await;
            (taken.is_some(), places.shares.lock().len())
        };
        let (greedy, modest) = tokio::join!(greedy, modest);
        assert!(greedy.is_none(), "it waited in vain");
        assert_eq!(modest, (true, 2));
        drop(held);
        assert!(places.shares.lock().is_empty());
    }

    #[tokio::test]
    async fn who_waits_is_served_when_a_place_is_given_back() {
        let places = Places::new(1, 1);
        let held = places.take("a", NOW).await;
        let (waited, ()) = tokio::join!(places.take("b", Duration::from_mins(1)), async {
            tokio::task::yield_now().await;
            drop(held);
        });
        assert!(waited.is_some());
    }
}
