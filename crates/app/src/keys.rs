//! API keys: generate, list, delete, verify.

use std::sync::Arc;

use headshot_domain::{ApiKeySecret, KeyId, Networks, OrgId, ScopeSet, Timestamp, api_key};
use headshot_storage::Error;
use headshot_storage::api_keys::{self, LIVE_MAX, Secret};
use headshot_storage::api_requests;

use crate::App;
use crate::audit::{self, Actor, Event};
use crate::mail;
use crate::verification::memory::Digest;
use crate::verification::{Found, KeyEntry};

mod deletion;

pub(crate) use deletion::record_late;
pub use deletion::{DeleteError, Deleted, delete, revoke_by_possession};
pub use headshot_storage::api_keys::{ApiKey, LastUse};
pub use headshot_storage::api_requests::{DeadKeyUse, KeyState};

/// The longest name of a key, in characters.
pub const NAME_MAX: usize = 100;

/// How many deleted keys the list shows.
const DELETED_SHOWN: i64 = 20;

/// A key to be generated.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The name; an empty one becomes `API key`.
    pub name: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// From where; empty is anywhere.
    pub networks: Networks,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// The form's nonce: the same form sent twice makes one key.
    pub nonce: Option<String>,
}

/// Why a key can't be generated.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// No such organization.
    #[error("there is no organization {0}")]
    NoSuchOrganization(OrgId),
    /// The name is too long or holds control characters.
    #[error("the name must have at most {} characters", NAME_MAX)]
    Name,
    /// No scope was chosen.
    #[error("choose at least one scope")]
    NoScopes,
    /// The expiry lies in the past.
    #[error("the expiry must lie in the future")]
    Expiry,
    /// The organization holds as many keys as it may.
    #[error(
        "an organization can hold {} keys at a time: delete one first",
        LIVE_MAX
    )]
    TooMany,
    /// This form was sent before: its key has been shown.
    #[error("this form was sent before; its key was shown then and can't be shown again")]
    AlreadyShown,
    /// The database failed.
    #[error(transparent)]
    Internal(Error),
}

impl From<Error> for CreateError {
    fn from(error: Error) -> Self {
        match error {
            Error::Conflict => Self::AlreadyShown,
            other => Self::Internal(other),
        }
    }
}

/// Generates a key. The secret exists only in what this returns.
pub async fn create(
    app: &App,
    actor: &Actor,
    org: &OrgId,
    new: NewKey,
) -> Result<(ApiKey, ApiKeySecret), CreateError> {
    let now = app.clock.now();
    // Somebody may paste a key here: a name is stored and shown.
    let name = api_key::redact(new.name.trim());
    if name.chars().count() > NAME_MAX || name.contains(char::is_control) {
        return Err(CreateError::Name);
    }
    if new.scopes.is_empty() {
        return Err(CreateError::NoScopes);
    }
    if new.expires_at.is_some_and(|at| at <= now) {
        return Err(CreateError::Expiry);
    }
    let secret = ApiKeySecret::generate(&*app.entropy);
    let key = ApiKey {
        id: KeyId::generate(&*app.entropy),
        org: org.clone(),
        name: if name.is_empty() {
            "API key".into()
        } else {
            name.into_owned()
        },
        hint: secret.hint(),
        scopes: new.scopes,
        networks: new.networks,
        created_by: actor.label.clone(),
        created_at: now,
        expires_at: new.expires_at,
        deleted_at: None,
        deleted_by: None,
        last_use: None,
        browser_used_at: None,
    };
    store(app, actor, &key, &secret, new.nonce.as_deref()).await?;
    Ok((key, secret))
}

async fn store(
    app: &App,
    actor: &Actor,
    key: &ApiKey,
    secret: &ApiKeySecret,
    nonce: Option<&str>,
) -> Result<(), CreateError> {
    let digest = app.peppers.digest(secret);
    let mut tx = app.db.write().await?;
    // From here on no other transaction generates a key, so that the limit holds.
    headshot_storage::organizations::lock(&mut tx, &key.org).await?;
    if headshot_storage::organizations::find(&mut tx, &key.org)
        .await?
        .is_none()
    {
        return Err(CreateError::NoSuchOrganization(key.org.clone()));
    }
    if api_keys::count_live(&mut tx, &key.org).await? >= LIVE_MAX {
        return Err(CreateError::TooMany);
    }
    let stored = Secret {
        digest: &digest,
        pepper_id: app.peppers.current_id(),
        nonce,
    };
    api_keys::insert(&mut tx, key, stored).await?;
    let event = Event {
        org: Some(&key.org),
        action: "key.generated",
        target: format!("key:{}", key.id),
        detail: serde_json::json!({
            "name": key.name,
            "hint": key.hint.to_string(),
            "scopes": key.scopes.names(),
            "networks": key.networks.to_string(),
            "expiresAt": key.expires_at.map(|at| at.to_string()),
        }),
    };
    audit::record(&mut tx, actor, key.created_at, event).await?;
    mail::key_generated(app, &mut tx, (actor, key)).await?;
    tx.commit().await?;
    Ok(())
}

/// An organization's keys.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Those that aren't deleted, newest first.
    pub live: Vec<ApiKey>,
    /// The last deleted ones, with what was tried with them since.
    pub deleted: Vec<(ApiKey, Option<DeadKeyUse>)>,
}

/// An organization's keys, live and lately deleted.
pub async fn list(app: &App, org: &OrgId) -> Result<Keys, Error> {
    let mut conn = app.db.read().await?;
    let live = api_keys::live(&mut conn, org).await?;
    let mut deleted = Vec::new();
    for key in api_keys::deleted(&mut conn, org, DELETED_SHOWN).await? {
        let tried = api_requests::dead_key_use(&mut conn, &key.id).await?;
        deleted.push((key, tried));
    }
    Ok(Keys { live, deleted })
}

/// How many keys of an organization aren't deleted, and whether it ever had one.
pub async fn count(app: &App, org: &OrgId) -> Result<(i64, bool), Error> {
    let mut conn = app.db.read().await?;
    let live = api_keys::count_live(&mut conn, org).await?;
    let ever = live > 0 || !api_keys::deleted(&mut conn, org, 1).await?.is_empty();
    Ok((live, ever))
}

/// One key of an organization with what was tried with it since it was deleted.
pub async fn find_tried(
    app: &App,
    org: &OrgId,
    id: &KeyId,
) -> Result<Option<(ApiKey, Option<DeadKeyUse>)>, Error> {
    let mut conn = app.db.read().await?;
    let key = api_keys::find(&mut conn, id)
        .await?
        .filter(|key| key.org == *org);
    let Some(key) = key else { return Ok(None) };
    let tried = match key.deleted_at {
        Some(_) => api_requests::dead_key_use(&mut conn, id).await?,
        None => None,
    };
    Ok(Some((key, tried)))
}

/// One key of an organization, deleted or not.
pub async fn find(app: &App, org: &OrgId, id: &KeyId) -> Result<Option<ApiKey>, Error> {
    let mut conn = app.db.read().await?;
    Ok(api_keys::find(&mut conn, id)
        .await?
        .filter(|key| key.org == *org))
}

/// Why a key was refused (401).
#[derive(Debug, Clone)]
pub struct Refused {
    /// What was wrong with it.
    pub state: KeyState,
    /// The key, where it is known.
    pub key: Option<Arc<KeyEntry>>,
    /// Tells attempts with the same unknown key apart from others.
    pub fingerprint: Option<String>,
}

impl Refused {
    const fn bare(state: KeyState) -> Self {
        Self {
            state,
            key: None,
            fingerprint: None,
        }
    }
}

/// How far a key came.
#[derive(Debug)]
pub enum Verification {
    /// It works.
    Accepted(Arc<KeyEntry>),
    /// It does not.
    Refused(Refused),
    /// Memory knows nothing of it: [`load`] has to ask the database.
    Unknown(ApiKeySecret, Digest),
}

/// Verifies the value of an `Authorization` header from memory. `header` is `None` when it is
/// missing, and an empty slice when it can't be one value.
pub fn verify(app: &App, header: Option<&[u8]>, now: Timestamp) -> Verification {
    let Some(header) = header else {
        return Verification::Refused(Refused::bare(KeyState::Missing));
    };
    let Some(secret) = bearer(header).and_then(|token| ApiKeySecret::parse(token).ok()) else {
        return Verification::Refused(Refused::bare(KeyState::Malformed));
    };
    let digest = app.peppers.digest(&secret);
    match app.node.find(&digest) {
        Some(entry) => judge(entry, now),
        None => Verification::Unknown(secret, digest),
    }
}

/// Verifies a well-formed key that memory does not know.
pub async fn load(
    app: &App,
    secret: &ApiKeySecret,
    digest: &Digest,
) -> Result<Verification, Error> {
    let now = app.clock.now();
    for stored in candidates(app, secret) {
        if let Found::Key(entry) = app.node.load(digest, &stored).await? {
            return Ok(judge(entry, now));
        }
    }
    let fingerprint = data_encoding::HEXLOWER.encode(&digest[..6]);
    let state = KeyState::Unknown;
    Ok(Verification::Refused(Refused {
        state,
        key: None,
        fingerprint: Some(fingerprint),
    }))
}

/// The digests under which a key may be stored: the current pepper's, then the retired ones'.
fn candidates(app: &App, secret: &ApiKeySecret) -> impl Iterator<Item = Digest> {
    std::iter::once(app.peppers.digest(secret)).chain(app.peppers.retired_digests(secret))
}

fn judge(entry: Arc<KeyEntry>, now: Timestamp) -> Verification {
    let state = if entry.record.deleted_at.is_some() {
        KeyState::Deleted
    } else if entry.record.expires_at.is_some_and(|at| at <= now) {
        KeyState::Expired
    } else {
        return Verification::Accepted(entry);
    };
    Verification::Refused(Refused {
        state,
        key: Some(entry),
        fingerprint: None,
    })
}

/// The token of `Bearer <token>`. The scheme's case does not matter (RFC 9110, 11.1), one or more
/// spaces follow it.
pub fn bearer(header: &[u8]) -> Option<&str> {
    let header = std::str::from_utf8(header).ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bearer_takes_any_case_and_several_spaces() {
        assert_eq!(bearer(b"Bearer abc"), Some("abc"));
        assert_eq!(bearer(b"bearer  abc "), Some("abc"));
        assert_eq!(bearer(b"BEARER abc"), Some("abc"));
        for wrong in ["Bearer", "Basic abc", "abc", "", "Bearerabc", "Bearer\tabc"] {
            assert_eq!(bearer(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert_eq!(bearer(b"Bearer \xff"), None);
    }

    proptest! {
        #[test]
        fn bearer_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _seen = bearer(&bytes).map(ApiKeySecret::parse);
        }
    }
}
