//! Failed sign-ins are counted per account and per address.

use std::net::IpAddr;
use std::time::Duration;

use headshot_domain::Email;
use headshot_storage::{Error, WriteTx, sign_in};

use super::sign_in::{SignInError, Visitor};
use super::tokens::{keyed_text, token_hash};
use crate::App;
use crate::audit::{self, Actor, Event};
use crate::rate_limit;

/// The stretch of time over which failed sign-ins are counted.
pub const FAILURE_WINDOW: Duration = Duration::from_mins(15);
/// Failed sign-ins of one account in a window, from browsers that never signed in to it.
pub const ACCOUNT_FAILURES_MAX: i64 = 10;
/// Failed sign-ins of one browser that has signed in to the account before. Strangers can't use
/// these up, so they can't lock the owner out.
pub const DEVICE_FAILURES_MAX: i64 = 10;
/// Failed sign-ins from one address (IPv6: /64), whatever the account.
pub const ADDRESS_FAILURES_MAX: i64 = 50;

/// Sign-in links that are mailed to one account in a window.
pub const ACCOUNT_LINKS_MAX: i64 = 5;
/// Sign-in links that one address (IPv6: /64) can ask for in a window, whatever the account.
pub const ADDRESS_LINKS_MAX: i64 = 30;

/// Counts a sign-in link that is asked for by mail. Whether it may be sent; the same rows are written
/// whoever has the address.
pub(crate) async fn take_link(
    app: &App,
    tx: &mut WriteTx,
    (email, address): (&Email, IpAddr),
) -> Result<bool, Error> {
    let now = app.clock.now();
    let stale = now.minus(FAILURE_WINDOW);
    let account = data_encoding::HEXLOWER.encode(&token_hash(&email.key())[..12]);
    let mut allowed = true;
    for (subject, max) in [
        (format!("link:{account}"), ACCOUNT_LINKS_MAX),
        (
            format!("link-address:{}", rate_limit::subject(address)),
            ADDRESS_LINKS_MAX,
        ),
    ] {
        let taken = sign_in::count_failure(tx, &subject, now, stale).await?;
        allowed &= taken.count <= max;
    }
    Ok(allowed)
}

/// What failures are counted by.
pub(super) struct Subjects {
    /// The account, for this kind of browser, and how many failures it may have.
    account: (String, i64),
    address: (String, i64),
}

impl Subjects {
    pub(super) fn of(app: &App, visitor: &Visitor, email_key: &str) -> Self {
        let account = data_encoding::HEXLOWER.encode(&token_hash(email_key)[..12]);
        let known = visitor
            .device
            .as_deref()
            .filter(|device| *device == device_cookie(app, email_key, device));
        let account = match known {
            Some(device) => {
                let device = data_encoding::HEXLOWER.encode(&token_hash(device)[..12]);
                (format!("device:{account}:{device}"), DEVICE_FAILURES_MAX)
            }
            None => (format!("account:{account}"), ACCOUNT_FAILURES_MAX),
        };
        let address = format!("address:{}", rate_limit::subject(visitor.address));
        Self {
            account,
            address: (address, ADDRESS_FAILURES_MAX),
        }
    }

    /// Takes one try of the account and one of the address, before the password is looked at: tries
    /// that run at the same time count each other. A right password gives them back.
    pub(super) async fn take_try(&self, app: &App, visitor: &Visitor) -> Result<(), SignInError> {
        let now = app.clock.now();
        let stale = now.minus(FAILURE_WINDOW);
        let both = [&self.account, &self.address];
        // Who is throttled already costs no write.
        let mut throttled = None;
        {
            let mut conn = app.db.read().await?;
            for (subject, max) in both {
                let failures = sign_in::find_failures(&mut conn, subject, stale).await?;
                let failures = failures.filter(|failures| failures.count >= *max);
                throttled = throttled.max(failures.map(|failures| failures.since));
            }
        }
        if let Some(since) = throttled {
            return Err(SignInError::Throttled {
                retry_at: since.plus(FAILURE_WINDOW),
            });
        }
        let mut tx = app.db.write().await?;
        for (subject, max) in both {
            let failures = sign_in::count_failure(&mut tx, subject, now, stale).await?;
            if failures.count > *max {
                throttled = Some(failures.since);
            }
            if failures.count == *max {
                let event = Event {
                    org: None,
                    action: "sign-in.throttled",
                    target: subject.clone(),
                    detail: serde_json::json!({ "tries": max }),
                };
                audit::record(&mut tx, &Actor::visitor(visitor.address), now, event).await?;
            }
        }
        tx.commit().await?;
        match throttled {
            None => Ok(()),
            Some(since) => Err(SignInError::Throttled {
                retry_at: since.plus(FAILURE_WINDOW),
            }),
        }
    }

    /// After a right password: the account's failures are forgotten, the address gets its try back.
    pub(super) async fn give_back(&self, tx: &mut WriteTx) -> Result<(), Error> {
        sign_in::clear_failures(tx, &self.account.0).await?;
        sign_in::give_back_try(tx, &self.address.0).await
    }
}

/// The device cookie of a browser that signed in to an account: `<random>.<proof>`. Given one, the
/// same comes back if it belongs to the account.
pub(super) fn device_cookie(app: &App, email_key: &str, given: &str) -> String {
    let random = given.split('.').next().unwrap_or_default();
    let proof = keyed_text(
        &app.settings.cookie_secret,
        format!("{email_key}\n{random}").as_bytes(),
    );
    format!("{random}.{proof}")
}
