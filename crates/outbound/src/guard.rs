//! Which addresses may be called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use headshot_domain::Networks;
use url::{Host, Url};

/// The longest address, in bytes.
pub const URL_MAX: usize = 2_000;

/// What the operator allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    /// Whether `http://` may be called, for development.
    pub allow_http: bool,
    /// Networks that may be called although they are not public.
    pub allow_networks: Networks,
}

/// Why an address may not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no URL.
    #[error("the address must look like https://example.com/path")]
    NotAUrl,
    /// It is longer than [`URL_MAX`].
    #[error("the address may have at most {URL_MAX} characters")]
    TooLong,
    /// It is not https.
    #[error("the address must begin with https://")]
    Scheme,
    /// It holds a user name, a password or a fragment.
    #[error("the address may not hold a user name, a password or a fragment")]
    Credentials,
    /// It leads into a network that is not public.
    #[error("{0} is not a public address")]
    Internal(IpAddr),
}

/// A checked URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(crate) url: Url,
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    pub(crate) https: bool,
}

impl Target {
    /// Reads a URL as browsers do; `allow_http` says which hosts may be called without encryption.
    pub(crate) fn parse(
        text: &str,
        allow_http: impl Fn(&Host<String>) -> bool,
    ) -> Result<Self, Refusal> {
        if text.len() > URL_MAX {
            return Err(Refusal::TooLong);
        }
        // The parser drops line breaks and tabs wherever they are: what is stored is not what is called.
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(Refusal::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_wrong| Refusal::NotAUrl)?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(Refusal::Scheme),
        };
        let host = url.host().ok_or(Refusal::NotAUrl)?.to_owned();
        if !https && !allow_http(&host) {
            return Err(Refusal::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(Refusal::Credentials);
        }
        let port = url.port_or_known_default().ok_or(Refusal::NotAUrl)?;
        Ok(Self {
            url,
            host,
            port,
            https,
        })
    }

    /// The host as the `Host` header names it.
    pub(crate) fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// Path and query.
    pub(crate) fn path(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }
}

impl Guard {
    /// Reads a URL as browsers do (`https://0x7f.1` is 127.0.0.1) and checks all that can be known
    /// without a look-up.
    ///
    /// # Errors
    /// Why it may not be called.
    pub fn check(&self, text: &str) -> Result<Target, Refusal> {
        let target = Target::parse(text, |_host| self.allow_http)?;
        match target.host {
            Host::Ipv4(address) => self.check_address(address.into())?,
            Host::Ipv6(address) => self.check_address(address.into())?,
            Host::Domain(_) => {}
        }
        Ok(target)
    }

    /// Whether an address may be called.
    ///
    /// # Errors
    /// [`Refusal::Internal`] when it may not.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Refusal> {
        if is_public(address) || self.allow_networks.contains(address) {
            Ok(())
        } else {
            Err(Refusal::Internal(address.to_canonical()))
        }
    }

    /// Those of a name's addresses that may be called.
    ///
    /// # Errors
    /// [`Refusal::Internal`] when there are addresses and none may.
    pub(crate) fn filter(&self, found: &[SocketAddr]) -> Result<Vec<SocketAddr>, Refusal> {
        let allowed = |address: &&SocketAddr| self.check_address(address.ip()).is_ok();
        let kept: Vec<SocketAddr> = found.iter().filter(allowed).copied().collect();
        match found.first() {
            Some(first) if kept.is_empty() => Err(Refusal::Internal(first.ip().to_canonical())),
            _ => Ok(kept),
        }
    }
}

/// Whether an address belongs to the public internet: none of the special-purpose networks of
/// RFC 6890 and its successors, no tunnel that may lead into one.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        // This network, private, loopback; multicast, reserved, broadcast.
        [0 | 10 | 127 | 224..=255, ..]
            // Shared with a provider's customers.
            | [100, 64..=127, ..]
            // Link-local, with the metadata services.
            | [169, 254, ..]
            // Private.
            | [172, 16..=31, ..]
            | [192, 168, ..]
            // Protocol assignments, documentation, 6to4 relays, benchmarks.
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast; everything else is loopback, local, multicast, mapped or reserved.
    let global = a & 0xe000 == 0x2000;
    let special = matches!(
        (a, b),
        // Teredo and other protocol assignments, documentation, 6to4, documentation.
        (0x2001, 0x0000..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0x0000..=0x0fff)
    );
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn networks_that_are_not_public_end_where_they_end() {
        for inside in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.0",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!public(inside), "{inside}");
        }
        for outside in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2003::1",
        ] {
            assert!(public(outside), "{outside}");
        }
    }

    #[test]
    fn only_https_unless_the_operator_says_so() {
        let strict = Guard::default();
        let open = Guard {
            allow_http: true,
            ..Guard::default()
        };
        assert_eq!(strict.check("http://example.com/"), Err(Refusal::Scheme));
        assert!(open.check("http://example.com/").is_ok());
        for never in ["ftp://example.com/", "file:///etc/passwd", "javascript:1"] {
            assert_eq!(open.check(never), Err(Refusal::Scheme), "{never}");
        }
        assert_eq!(open.check("example.com"), Err(Refusal::NotAUrl));
        assert_eq!(open.check("https://"), Err(Refusal::NotAUrl));
        for odd in [
            "ht\ntps://example.com",
            "https://example.com/a b",
            "https://exam\tple.com",
        ] {
            assert_eq!(open.check(odd), Err(Refusal::NotAUrl));
        }
    }

    #[test]
    fn no_spelling_of_an_internal_address_passes() {
        let guard = Guard::default();
        for spelled in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://%31%32%37.0.0.1/",
            "https://１２７.0.0.1/",
            "https://169.254.169.254/latest/meta-data",
        ] {
            let refused = guard.check(spelled);
            assert!(
                matches!(refused, Err(Refusal::Internal(_))),
                "{spelled}: {refused:?}"
            );
        }
    }

    #[test]
    fn the_operator_s_networks_may_be_called() {
        let guard = Guard {
            allow_http: false,
            allow_networks: "127.0.0.0/8".parse().unwrap(),
        };
        assert!(guard.check("https://127.0.0.1:8443/").is_ok());
        assert!(guard.check("https://[::ffff:127.0.0.1]/").is_ok());
        assert!(guard.check("https://[::1]/").is_err());
    }

    #[test]
    fn addresses_hold_no_credentials_and_have_a_length() {
        let guard = Guard::default();
        assert_eq!(
            guard.check("https://user@example.com/"),
            Err(Refusal::Credentials)
        );
        assert_eq!(
            guard.check("https://example.com/#part"),
            Err(Refusal::Credentials)
        );
        let base = "https://example.com/";
        let long = |length: usize| format!("{base}{}", "a".repeat(length - base.len()));
        assert!(guard.check(&long(URL_MAX)).is_ok());
        assert_eq!(guard.check(&long(URL_MAX + 1)), Err(Refusal::TooLong));
    }

    #[test]
    fn of_a_name_s_addresses_only_the_public_ones_are_kept() {
        let guard = Guard::default();
        let sockets = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter().map(|text| text.parse().unwrap()).collect()
        };
        let mixed = sockets(&["127.0.0.1:443", "8.8.8.8:443"]);
        assert_eq!(guard.filter(&mixed).unwrap(), sockets(&["8.8.8.8:443"]));
        let internal = sockets(&["10.0.0.1:443", "[::1]:443"]);
        let refused = Refusal::Internal("10.0.0.1".parse().unwrap());
        assert_eq!(guard.filter(&internal), Err(refused));
        assert_eq!(guard.filter(&[]), Ok(Vec::new()));
    }
}
