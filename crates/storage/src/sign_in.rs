//! One-time links, and the counts of failed sign-ins.

use headshot_domain::{Timestamp, UserId};

use crate::conn::{AsConn, WriteTx, execute, fetch_one, fetch_optional, statements};
use crate::error::Error;
use crate::parsed;

/// What a one-time link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Set the first password.
    Setup,
    /// Set a new password.
    Reset,
    /// Sign in.
    SignIn,
}

impl LinkPurpose {
    const ALL: [Self; 3] = [Self::Setup, Self::Reset, Self::SignIn];

    const fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Reset => "reset",
            Self::SignIn => "sign-in",
        }
    }
}

impl std::str::FromStr for LinkPurpose {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.name() == text)
            .ok_or(())
    }
}

/// A link that works once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeLink {
    /// Whom it lets in.
    pub user: UserId,
    /// What for.
    pub purpose: LinkPurpose,
    /// Until when.
    pub expires_at: Timestamp,
}

statements! {
    INSERT_LINK = "INSERT INTO one_time_links (token_hash, user_id, purpose, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5)";
    FIND_LINK = "SELECT user_id, purpose, expires_at FROM one_time_links WHERE token_hash = $1 AND expires_at > $2";
    DELETE_LINK = "DELETE FROM one_time_links WHERE token_hash = $1";
    DELETE_LINKS_OF_USER = "DELETE FROM one_time_links WHERE user_id = $1";
    DELETE_ALL_LINKS = "DELETE FROM one_time_links";
    DELETE_EXPIRED_LINKS = "DELETE FROM one_time_links WHERE expires_at <= $1";
    COUNT_FAILURE = "INSERT INTO sign_in_failures (subject, window_start, failures) VALUES ($1, $2, 1) \
        ON CONFLICT (subject) DO UPDATE SET \
        failures = CASE WHEN sign_in_failures.window_start <= $3 THEN 1 ELSE sign_in_failures.failures + 1 END, \
        window_start = CASE WHEN sign_in_failures.window_start <= $3 THEN excluded.window_start \
            ELSE sign_in_failures.window_start END \
        RETURNING window_start, failures";
    FAILURES = "SELECT window_start, failures FROM sign_in_failures WHERE subject = $1 AND window_start > $2";
    GIVE_BACK = "UPDATE sign_in_failures SET failures = failures - 1 WHERE subject = $1 AND failures > 0";
    CLEAR_FAILURES = "DELETE FROM sign_in_failures WHERE subject = $1";
    DELETE_OLD_FAILURES = "DELETE FROM sign_in_failures WHERE window_start <= $1";
}

/// Failed sign-ins of one subject in its current window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// When the window began.
    pub since: Timestamp,
    /// How many there were.
    pub count: i64,
}

fn failures((since, count): (i64, i64)) -> Failures {
    Failures {
        since: Timestamp::from_unix_ms(since),
        count,
    }
}

/// Stores a link under the hash of its token.
pub async fn insert_link(
    tx: &mut WriteTx,
    link: &OneTimeLink,
    token_hash: &[u8],
    now: Timestamp,
) -> Result<(), Error> {
    execute!(
        tx,
        INSERT_LINK,
        token_hash,
        link.user.as_str(),
        link.purpose.name(),
        now.unix_ms(),
        link.expires_at.unix_ms(),
    )?;
    Ok(())
}

/// The unused link whose token has this hash, unless it expired by `now`.
pub async fn find_link(
    conn: &mut impl AsConn,
    token_hash: &[u8],
    now: Timestamp,
) -> Result<Option<OneTimeLink>, Error> {
    let row = fetch_optional!(
        conn,
        (String, String, i64),
        FIND_LINK,
        token_hash,
        now.unix_ms()
    )?;
    row.map(|(user, purpose, expires_at)| {
        Ok(OneTimeLink {
            user: user.into(),
            purpose: parsed(&purpose, "one_time_links", "purpose")?,
            expires_at: Timestamp::from_unix_ms(expires_at),
        })
    })
    .transpose()
}

/// Uses a link up. Whether it was there: of two that try at once, one wins.
pub async fn delete_link(tx: &mut WriteTx, token_hash: &[u8]) -> Result<bool, Error> {
    Ok(execute!(tx, DELETE_LINK, token_hash)? > 0)
}

/// Makes all links of a person useless.
pub async fn delete_links_of_user(tx: &mut WriteTx, user: &UserId) -> Result<(), Error> {
    execute!(tx, DELETE_LINKS_OF_USER, user.as_str())?;
    Ok(())
}

/// Removes links that expired by `now`.
pub async fn delete_expired_links(tx: &mut WriteTx, now: Timestamp) -> Result<u64, Error> {
    execute!(tx, DELETE_EXPIRED_LINKS, now.unix_ms())
}

/// Counts one failure of `subject`. A window that began by `stale` starts anew.
pub async fn count_failure(
    tx: &mut WriteTx,
    subject: &str,
    now: Timestamp,
    stale: Timestamp,
) -> Result<Failures, Error> {
    let row = fetch_one!(
        tx,
        (i64, i64),
        COUNT_FAILURE,
        subject,
        now.unix_ms(),
        stale.unix_ms()
    )?;
    Ok(failures(row))
}

/// The failures of `subject` in a window that began after `stale`.
pub async fn find_failures(
    conn: &mut impl AsConn,
    subject: &str,
    stale: Timestamp,
) -> Result<Option<Failures>, Error> {
    let row = fetch_optional!(conn, (i64, i64), FAILURES, subject, stale.unix_ms())?;
    Ok(row.map(failures))
}

/// Takes one count of `subject` back.
pub async fn give_back_try(tx: &mut WriteTx, subject: &str) -> Result<(), Error> {
    execute!(tx, GIVE_BACK, subject)?;
    Ok(())
}

/// Forgets the failures of `subject`.
pub async fn clear_failures(tx: &mut WriteTx, subject: &str) -> Result<(), Error> {
    execute!(tx, CLEAR_FAILURES, subject)?;
    Ok(())
}

/// Forgets windows that began by `stale`.
pub async fn delete_old_failures(tx: &mut WriteTx, stale: Timestamp) -> Result<u64, Error> {
    execute!(tx, DELETE_OLD_FAILURES, stale.unix_ms())
}

/// Ends every one-time link.
pub async fn delete_all_links(tx: &mut WriteTx) -> Result<(), Error> {
    execute!(tx, DELETE_ALL_LINKS)?;
    Ok(())
}
