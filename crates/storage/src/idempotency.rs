//! Requests with an `Idempotency-Key`: who runs one now, and what was answered.

use headshot_domain::{OrgId, Timestamp};

use crate::conn::{AsConn, WriteTx, execute, fetch_optional, statements};
use crate::error::Error;

/// A request that carries a key.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Whose key space it is in.
    pub org: &'a OrgId,
    /// The caller's key.
    pub key: &'a str,
    /// Covers method, path and body.
    pub digest: &'a [u8],
}

/// What is known of a request that was sent before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Covers method, path and body of the first one.
    pub digest: Vec<u8>,
    /// The body of the answer; `None` while it runs.
    pub answer: Option<String>,
    /// Until when somebody may be running it.
    pub claimed_until: Timestamp,
    /// When it was first sent.
    pub created_at: Timestamp,
}

impl Known {
    /// Whether the key is as good as new, because the request was sent at `stale` or before.
    pub fn is_stale(&self, stale: Timestamp) -> bool {
        self.created_at <= stale
    }
}

statements! {
    FORGET = "DELETE FROM idempotency_keys WHERE org_id = $1 AND idempotency_key = $2 AND created_at <= $3";
    CLAIM = "INSERT INTO idempotency_keys (org_id, idempotency_key, request_digest, claimed_by, claimed_until, answer, created_at) \
        VALUES ($1, $2, $3, $4, $5, NULL, $6) ON CONFLICT (org_id, idempotency_key) DO UPDATE \
        SET claimed_by = EXCLUDED.claimed_by, claimed_until = EXCLUDED.claimed_until \
        WHERE idempotency_keys.answer IS NULL AND idempotency_keys.claimed_until <= EXCLUDED.created_at \
        AND idempotency_keys.request_digest = EXCLUDED.request_digest";
    EXTEND = "UPDATE idempotency_keys SET claimed_until = $4 WHERE org_id = $1 AND idempotency_key = $2 AND claimed_by = $3 AND answer IS NULL";
    FIND = "SELECT request_digest, answer, claimed_until, created_at FROM idempotency_keys WHERE org_id = $1 AND idempotency_key = $2";
    ANSWER = "UPDATE idempotency_keys SET answer = $4 WHERE org_id = $1 AND idempotency_key = $2 AND claimed_by = $3 AND answer IS NULL";
    RELEASE = "DELETE FROM idempotency_keys WHERE org_id = $1 AND idempotency_key = $2 AND claimed_by = $3 AND answer IS NULL";
    EXPIRE = "DELETE FROM idempotency_keys WHERE created_at <= $1";
}

/// Claims a request for `claimant` until `until`. Keys from `stale` or before count as new.
///
/// `false` when somebody else runs it, or it was answered, or it was another request.
pub async fn claim(
    tx: &mut WriteTx,
    request: Request<'_>,
    (claimant, until): (&str, Timestamp),
    (now, stale): (Timestamp, Timestamp),
) -> Result<bool, Error> {
    let (org, key) = (request.org.as_str(), request.key);
    execute!(tx, FORGET, org, key, stale.unix_ms())?;
    let (digest, until, now) = (request.digest, until.unix_ms(), now.unix_ms());
    Ok(execute!(tx, CLAIM, org, key, digest, claimant, until, now)? == 1)
}

/// Holds a claim for longer; nothing happens to one that is answered or somebody else's.
pub async fn extend(
    tx: &mut WriteTx,
    org: &OrgId,
    (key, claimant): (&str, &str),
    until: Timestamp,
) -> Result<(), Error> {
    let until = until.unix_ms();
    execute!(tx, EXTEND, org.as_str(), key, claimant, until)?;
    Ok(())
}

/// What is known of the key.
pub async fn find(conn: &mut impl AsConn, org: &OrgId, key: &str) -> Result<Option<Known>, Error> {
    type Row = (Vec<u8>, Option<String>, i64, i64);
    let row = fetch_optional!(conn, Row, FIND, org.as_str(), key)?;
    Ok(row.map(|(digest, answer, until, created)| Known {
        digest,
        answer,
        claimed_until: Timestamp::from_unix_ms(until),
        created_at: Timestamp::from_unix_ms(created),
    }))
}

/// Stores the answer, in the transaction that did the work.
///
/// # Errors
/// [`Error::Conflict`] when the claim ran out and somebody else took it: the work must not be done.
pub async fn answer(
    tx: &mut WriteTx,
    org: &OrgId,
    (key, claimant): (&str, &str),
    answer: &str,
) -> Result<(), Error> {
    if execute!(tx, ANSWER, org.as_str(), key, claimant, answer)? == 1 {
        Ok(())
    } else {
        Err(Error::Conflict)
    }
}

/// Gives a claim up: the request changed nothing and may be sent again.
pub async fn release(
    tx: &mut WriteTx,
    org: &OrgId,
    (key, claimant): (&str, &str),
) -> Result<(), Error> {
    execute!(tx, RELEASE, org.as_str(), key, claimant)?;
    Ok(())
}

/// Forgets keys from `stale` or before.
pub async fn expire(tx: &mut WriteTx, stale: Timestamp) -> Result<(), Error> {
    execute!(tx, EXPIRE, stale.unix_ms())?;
    Ok(())
}
