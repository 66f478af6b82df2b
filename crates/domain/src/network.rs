//! Networks: where a key may be used from, and whose `X-Forwarded-For` is believed.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// A list of networks. An empty one means *anywhere* for a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks(Vec<IpNet>);

/// Text that isn't a network in CIDR notation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetworks {
    /// One entry can't be read.
    #[error("\"{0}\" is not an address or a network such as 10.0.0.0/8 or 2001:db8::/32")]
    NotANetwork(String),
    /// The address has bits set outside the network's prefix.
    #[error("\"{given}\" has bits beyond its prefix: did you mean {meant}?")]
    HostBits {
        /// What was given.
        given: String,
        /// The network that holds it.
        meant: IpNet,
    },
    /// Separators and nothing between them: no list is empty by mistake, since an empty one may mean
    /// anywhere.
    #[error("\"{0}\" names no network")]
    NamesNone(String),
    /// More entries than [`Networks::LENGTH_MAX`].
    #[error("at most {} networks are allowed", Networks::LENGTH_MAX)]
    TooMany,
}

impl Networks {
    /// The most networks that one list may hold.
    pub const LENGTH_MAX: usize = 64;

    /// Whether the list holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `address` lies in one of the networks. An IPv4 address that arrives in its IPv6
    /// form (`::ffff:10.0.0.1`) counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for Networks {
    type Err = InvalidNetworks;

    /// Reads networks or single addresses, separated by commas, spaces or line breaks.
    fn from_str(text: &str) -> Result<Self, InvalidNetworks> {
        let entries = text
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|part| !part.is_empty());
        let networks = entries.map(parse_network).collect::<Result<Vec<_>, _>>()?;
        if networks.is_empty() && !text.trim().is_empty() {
            return Err(InvalidNetworks::NamesNone(text.trim().to_owned()));
        }
        if networks.len() > Self::LENGTH_MAX {
            Err(InvalidNetworks::TooMany)
        } else {
            Ok(Self(networks))
        }
    }
}

fn parse_network(text: &str) -> Result<IpNet, InvalidNetworks> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let wrong = || InvalidNetworks::NotANetwork(text.to_owned());
    let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
    // `010` is 8 to some readers and 10 to others; the one for addresses refuses it by itself.
    let address: IpAddr = address.parse().map_err(|_wrong| wrong())?;
    let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || prefix.len() > 1 && prefix.starts_with('0') {
        return Err(wrong());
    }
    let prefix: u8 = prefix.parse().map_err(|_wrong| wrong())?;
    // Callers count as IPv4 where they are, and so do networks of them.
    let (address, prefix) = match (address.to_canonical(), prefix.checked_sub(96)) {
        (IpAddr::V4(v4), Some(prefix)) if address.is_ipv6() => (IpAddr::V4(v4), prefix),
        _ => (address, prefix),
    };
    let network = IpNet::new(address, prefix).map_err(|_wrong| wrong())?;
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(InvalidNetworks::HostBits {
            given: text.to_owned(),
            meant: network.trunc(),
        })
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, network) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{network}")?;
        }
        Ok(())
    }
}

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(pub Networks);

impl TrustedProxies {
    /// The address of the caller: `peer` itself unless it is a trusted proxy; else the right-most
    /// hop of `forwarded` that isn't one. `forwarded` holds the header's values in the order in
    /// which they arrived; a hop that can't be read ends the search, since nothing left of it can
    /// be believed.
    pub fn client_address<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> IpAddr {
        let mut client = peer.to_canonical();
        let hops = forwarded
            .rev()
            .flat_map(|value| value.rsplit(|byte| *byte == b','));
        let mut hops = hops.map(|hop| std::str::from_utf8(hop).unwrap_or_default());
        while self.0.contains(client) {
            match hops.next().and_then(|hop| parse_hop(hop.trim())) {
                Some(hop) => client = hop,
                None => break,
            }
        }
        client
    }
}

/// Reads `10.0.0.1`, `10.0.0.1:1234`, `2001:db8::1` or `[2001:db8::1]:1234`.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    hop.parse::<IpAddr>()
        .ok()
        .or_else(|| {
            hop.parse::<std::net::SocketAddr>()
                .ok()
                .map(|socket| socket.ip())
        })
        .or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ipv4_in_its_ipv6_form_is_ipv4() {
        let networks: Networks = "::ffff:10.0.0.0/104 ::ffff:192.0.2.7".parse().unwrap();
        assert_eq!(networks.to_string(), "10.0.0.0/8,192.0.2.7/32");
        assert!(networks.contains(address("10.9.9.9")));
        assert!(networks.contains(address("::ffff:10.9.9.9")));
        // Wider ones are IPv6 with everything in it.
        let wide: Networks = "::/0".parse().unwrap();
        assert!(wide.contains(address("2001:db8::1")));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "010.0.0.0/8",
            "10.0.0.0/08",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/33",
            "/8",
        ] {
            let wrong = text.parse::<Networks>().unwrap_err();
            assert_eq!(wrong, InvalidNetworks::NotANetwork(text.to_owned()));
        }
        assert!(
            "10.0.0.0/0".parse::<Networks>().is_err(),
            "bits beyond the prefix"
        );
        assert!("0.0.0.0/0".parse::<Networks>().is_ok());
        for text in [",", " , \n"] {
            let wrong = text.parse::<Networks>().unwrap_err();
            assert!(matches!(wrong, InvalidNetworks::NamesNone(_)));
        }
        assert!(" \n".parse::<Networks>().unwrap().is_empty());
    }

    #[test]
    fn a_list_takes_commas_spaces_and_lines() {
        let networks: Networks = "10.0.0.0/8, 192.168.1.7\n2001:db8::/32".parse().unwrap();
        assert_eq!(
            networks.to_string(),
            "10.0.0.0/8,192.168.1.7/32,2001:db8::/32"
        );
        assert!(networks.contains(address("10.255.0.1")));
        assert!(networks.contains(address("::ffff:10.0.0.1")));
        assert!(networks.contains(address("2001:db8::1")));
        assert!(!networks.contains(address("11.0.0.1")));
        assert!(!networks.contains(address("192.168.1.8")));
    }

    #[test]
    fn wrong_entries_say_what_is_wrong() {
        let host_bits = "10.0.0.1/8".parse::<Networks>().unwrap_err();
        assert_eq!(
            host_bits.to_string(),
            "\"10.0.0.1/8\" has bits beyond its prefix: did you mean 10.0.0.0/8?"
        );
        assert!("10.0.0.0/33".parse::<Networks>().is_err());
        assert!("intranet".parse::<Networks>().is_err());
    }

    #[test]
    fn sixty_four_fit_and_one_more_does_not() {
        let list = |count: usize| {
            (0..count)
                .map(|n| format!("10.0.{n}.0/24"))
                .collect::<Vec<_>>()
                .join(",")
        };
        assert!(list(Networks::LENGTH_MAX).parse::<Networks>().is_ok());
        assert_eq!(
            list(Networks::LENGTH_MAX + 1).parse::<Networks>(),
            Err(InvalidNetworks::TooMany)
        );
    }

    #[test]
    fn forwarded_addresses_count_only_behind_a_trusted_proxy() {
        let proxies = TrustedProxies("10.0.0.0/8".parse().unwrap());
        let client = |peer: &str, forwarded: &[&str]| {
            proxies
                .client_address(
                    address(peer),
                    forwarded.iter().map(|value| value.as_bytes()),
                )
                .to_string()
        };
        assert_eq!(
            client("203.0.113.9", &["1.2.3.4"]),
            "203.0.113.9",
            "a stranger's header is not believed"
        );
        assert_eq!(client("10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(
            client("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"]),
            "1.2.3.4",
            "right-most untrusted hop"
        );
        assert_eq!(
            client("10.0.0.1", &["6.6.6.6", "1.2.3.4"]),
            "1.2.3.4",
            "two headers"
        );
        assert_eq!(
            client("10.0.0.1", &["1.2.3.4, rubbish"]),
            "10.0.0.1",
            "nothing left of rubbish"
        );
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        let mixed: [&[u8]; 1] = [b"\xff, 203.0.113.9"];
        let seen = proxies.client_address(address("10.0.0.1"), mixed.into_iter());
        assert_eq!(
            seen.to_string(),
            "203.0.113.9",
            "a stranger's rubbish hides nobody"
        );
    }
}
