//! The four cookies: session, device, form, shoot. All `HttpOnly` and `SameSite=Lax`; `Secure` and
//! with the `__Host-` prefix when the public address is https. The shoot's cookie also works inside
//! a partner's frame then.

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite};

/// What a cookie is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Who is signed in. Ends with the session at the latest.
    Session,
    /// That this browser has signed in to an account before.
    Device,
    /// Ties forms to a browser that isn't signed in.
    Form,
    /// Opens one session of a person, whoever is signed in.
    Shoot,
}

const SHOOT_DAYS: i64 = 90;

const DEVICE_DAYS: i64 = 365;

impl Kind {
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, false) => "headshot_session",
            (Self::Session, true) => "__Host-headshot_session",
            (Self::Device, false) => "headshot_device",
            (Self::Device, true) => "__Host-headshot_device",
            (Self::Form, false) => "headshot_form",
            (Self::Form, true) => "__Host-headshot_form",
            (Self::Shoot, false) => "headshot_shoot",
            (Self::Shoot, true) => "__Host-headshot_shoot",
        }
    }

    fn life_days(self) -> Option<i64> {
        match self {
            Self::Session => Some(7),
            Self::Device => Some(DEVICE_DAYS),
            Self::Form => None,
            Self::Shoot => Some(SHOOT_DAYS),
        }
    }
}

/// The cookie's value, if the browser sent one.
pub(crate) fn read(headers: &HeaderMap, kind: Kind, secure: bool) -> Option<String> {
    let name = kind.name(secure);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| Cookie::split_parse(value.to_owned()).flatten())
        .find(|cookie| cookie.name() == name)
        .map(|cookie| cookie.value().to_owned())
}

/// The header that sets the cookie; an empty value removes it.
pub(crate) fn set(kind: Kind, value: &str, secure: bool) -> Option<HeaderValue> {
    let mut cookie = Cookie::build((kind.name(secure), value.to_owned()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .build();
    if kind == Kind::Shoot && secure {
        // In a frame on another site, and there for that site alone.
        cookie.set_same_site(SameSite::None);
        cookie.set_partitioned(true);
    }
    if value.is_empty() {
        cookie.make_removal();
    } else if let Some(days) = kind.life_days() {
        cookie.set_max_age(cookie::time::Duration::days(days));
    }
    HeaderValue::from_str(&cookie.to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_gives_the_host_prefix_and_secure() {
        let text = |secure| {
            set(Kind::Session, "abc", secure)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            text(false),
            "headshot_session=abc; HttpOnly; SameSite=Lax; Path=/; Max-Age=604800"
        );
        assert_eq!(
            text(true),
            "__Host-headshot_session=abc; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=604800"
        );
    }

    #[test]
    fn the_shoot_s_cookie_works_in_a_frame_over_https() {
        let text = |secure| {
            let value = set(Kind::Shoot, "abc", secure).unwrap();
            value.to_str().unwrap().to_owned()
        };
        assert_eq!(
            text(false),
            "headshot_shoot=abc; HttpOnly; SameSite=Lax; Path=/; Max-Age=7776000"
        );
        assert_eq!(
            text(true),
            "__Host-headshot_shoot=abc; HttpOnly; SameSite=None; Partitioned; Secure; Path=/; Max-Age=7776000"
        );
    }

    #[test]
    fn reads_one_among_several() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            "a=b; headshot_session=xyz; c=d".parse().unwrap(),
        );
        assert_eq!(read(&headers, Kind::Session, false).as_deref(), Some("xyz"));
        assert_eq!(read(&headers, Kind::Session, true), None);
    }
}
