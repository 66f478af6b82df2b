//! How many connections each address holds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use headshot_app::rate_limit;
use headshot_domain::TrustedProxies;
use parking_lot::Mutex;
use tokio::time::Instant;

/// The most connections of one address (IPv6: /64) at one time: one client can't take all places.
const CONNECTIONS_MAX: usize = 256;

/// An address that is refused again and again is told once in this time.
const TELL_EVERY: Duration = Duration::from_mins(1);

/// The connections of all addresses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peers {
    proxies: TrustedProxies,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Holds what is above zero only, so no more than there are connections.
    held: HashMap<IpAddr, usize>,
    told_at: Option<Instant>,
}

/// One connection of an address, until it is dropped. A proxy's is not counted.
#[derive(Debug)]
pub(crate) struct Share(Option<(IpAddr, Arc<Mutex<Counts>>)>);

impl Peers {
    pub(crate) fn new(proxies: TrustedProxies) -> Self {
        Self {
            proxies,
            ..Self::default()
        }
    }

    /// Takes one connection of `address`, unless it holds as many as it may.
    pub(crate) fn take(&self, address: IpAddr) -> Option<Share> {
        if self.proxies.0.contains(address) {
            return Some(Share(None));
        }
        let address = rate_limit::subject(address);
        let mut counts = self.counts.lock();
        let held = counts.held.entry(address).or_insert(0);
        if *held < CONNECTIONS_MAX {
            *held += 1;
            return Some(Share(Some((address, Arc::clone(&self.counts)))));
        }
        if counts.told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            counts.told_at = Some(Instant::now());
            drop(counts);
            tracing::warn!(
                "{address} holds {CONNECTIONS_MAX} connections: more are closed (if it is your \
                 proxy, name it in HEADSHOT_TRUSTED_PROXIES)"
            );
        }
        None
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some((address, counts)) = self.0.take() else {
            return;
        };
        let mut counts = counts.lock();
        if let Some(held) = counts.held.get_mut(&address) {
            *held -= 1;
            if *held == 0 {
                counts.held.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn take_all(peers: &Peers, text: &str) -> Vec<Share> {
        let all = (0..CONNECTIONS_MAX).map(|_| peers.take(address(text)));
        all.map(Option::unwrap).collect()
    }

    #[test]
    fn an_address_has_so_many_connections_and_not_one_more() {
        let peers = Peers::new(TrustedProxies::default());
        let mut held = take_all(&peers, "192.0.2.1");
        assert!(peers.take(address("192.0.2.1")).is_none());
        assert!(peers.take(address("::ffff:192.0.2.1")).is_none());
        let other = peers.take(address("192.0.2.2"));
        assert!(other.is_some(), "others are not held up");
        held.pop();
        held.extend(peers.take(address("192.0.2.1")));
        assert_eq!(held.len(), CONNECTIONS_MAX);
        assert!(peers.take(address("192.0.2.1")).is_none());
        drop((held, other));
        assert!(peers.counts.lock().held.is_empty(), "nothing is kept");
    }

    #[test]
    fn neighbours_in_ipv6_count_as_one() {
        let peers = Peers::new(TrustedProxies::default());
        let _held = take_all(&peers, "2001:db8::1");
        assert!(peers.take(address("2001:db8::2")).is_none());
        assert!(peers.take(address("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn a_trusted_proxy_brings_everybody() {
        let peers = Peers::new(TrustedProxies("10.0.0.0/8".parse().unwrap()));
        let _held = take_all(&peers, "10.0.0.1");
        assert!(peers.take(address("10.0.0.1")).is_some());
    }
}
