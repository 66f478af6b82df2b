//! What requests have in common, stored once.

use std::net::IpAddr;
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

use super::{KeyState, Request};
use crate::conn::WriteTx;
use crate::error::Error;
use crate::many::{Many, execute_many};

// An hour is exact enough to tell when the last request of a shape is gone.
pub(super) static SHAPES: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "INSERT INTO api_log_shapes (id, seen_at, node, key_id, key_state, fingerprint, method, route, \
         path, status, code, refused_by, request_bytes, response_bytes, address, user_agent, browser) VALUES",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at \
         WHERE api_log_shapes.seen_at < excluded.seen_at",
    )
});

/// Everything of a request but its id, time, duration and organization.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Shape<'a> {
    key: Option<&'a str>,
    key_state: KeyState,
    fingerprint: Option<&'a str>,
    method: &'a str,
    route: &'a str,
    path: &'a str,
    status: u16,
    code: Option<&'a str>,
    refused_by: Option<&'a str>,
    request_bytes: i64,
    response_bytes: i64,
    address: IpAddr,
    user_agent: &'a str,
    browser: bool,
}

/// Names a shape: the first half of a SHA-256 of everything in it, so that nobody can make two.
pub(super) type ShapeId = [u8; 16];

impl<'a> Shape<'a> {
    pub(super) fn of(request: &'a Request) -> Self {
        Self {
            key: request.key.as_deref(),
            key_state: request.key_state,
            fingerprint: request.fingerprint.as_deref(),
            method: &request.method,
            route: &request.route,
            path: &request.path,
            status: request.status,
            code: request.code,
            refused_by: request.refused_by,
            request_bytes: request.request_bytes,
            response_bytes: request.response_bytes,
            address: request.address,
            user_agent: &request.user_agent,
            browser: request.browser,
        }
    }

    pub(super) fn id(&self, node: &str) -> ShapeId {
        let mut digest = Sha256::new();
        let texts = [
            Some(node),
            self.key,
            Some(self.key_state.name()),
            self.fingerprint,
            Some(self.method),
            Some(self.route),
            Some(self.path),
            self.code,
            self.refused_by,
            Some(self.user_agent),
        ];
        for text in texts {
            // With its length before it, no text can run into the next; none is no empty one.
            let length = text.map_or(u64::MAX, |text| text.len() as u64);
            digest.update(length.to_be_bytes());
            digest.update(text.unwrap_or_default());
        }
        digest.update(self.status.to_be_bytes());
        digest.update(self.request_bytes.to_be_bytes());
        digest.update(self.response_bytes.to_be_bytes());
        digest.update([u8::from(self.browser), u8::from(self.address.is_ipv6())]);
        match self.address {
            IpAddr::V4(address) => digest.update(address.octets()),
            IpAddr::V6(address) => digest.update(address.octets()),
        }
        let mut id = ShapeId::default();
        id.copy_from_slice(&digest.finalize()[..16]);
        id
    }
}

/// Stores shapes of `node`, each with the hour in which it was last seen.
pub(super) async fn insert(
    tx: &mut WriteTx,
    node: &str,
    shapes: impl IntoIterator<Item = (Shape<'_>, (ShapeId, i64))>,
) -> Result<(), Error> {
    let mut shapes: Vec<_> = shapes.into_iter().collect();
    // Rows are locked in one order everywhere, so that PostgreSQL sees no deadlock.
    shapes.sort_unstable_by_key(|(_, (id, _))| *id);
    execute_many!(
        tx,
        &SHAPES,
        shapes.as_slice(),
        |(shape, (id, seen_at))| id.as_slice(),
        seen_at,
        node,
        shape.key,
        shape.key_state.name(),
        shape.fingerprint,
        shape.method,
        shape.route,
        shape.path,
        i64::from(shape.status),
        shape.code,
        shape.refused_by,
        shape.request_bytes,
        shape.response_bytes,
        shape.address.to_string(),
        shape.user_agent,
        i64::from(shape.browser),
    )?;
    Ok(())
}
