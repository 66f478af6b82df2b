//! Deleting a key, and the receipt for it.
//!
//! The answer waits for one commit and for the other processes. The receipt's row in the audit log is
//! written after it; a job that is stored with the deletion writes it where that was cut off.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use headshot_domain::{ApiKeySecret, JobId, JobKind, KeyId, OrgId, Timestamp};
use headshot_storage::api_keys::{self, ApiKey, KeyUse, LastUse};
use headshot_storage::{Error, WriteTx, auth, jobs as job_rows};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::candidates;
use crate::App;
use crate::audit::{self, Actor, Event};
use crate::jobs::{self, NewJob, Outcome, Running};
use crate::mail;
use crate::verification::{Raised, Receipt};

/// How long the process that deleted has for the receipt before a job writes it.
const RECEIPT_DUE: Duration = Duration::from_mins(1);

/// How long looking for the last use may hold up the answer.
const LOOK_MAX: Duration = Duration::from_millis(100);

/// A deleted key and the receipt for it.
#[derive(Debug)]
pub struct Deleted {
    /// The key as it is now, with its last accepted use.
    pub key: ApiKey,
    /// Since when no process accepts it, and who confirmed that.
    pub receipt: Receipt,
    /// Ends when the receipt is in the audit log. A process that stops before leaves that to a job.
    pub recorded: JoinHandle<()>,
}

/// Why a key can't be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// No live key has this id (in this organization).
    #[error("there is no such key, or it was deleted before")]
    NotFound,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Deletes a key. When this returns, no process accepts it any more.
///
/// `org` limits the deletion to one organization; the command line gives none.
pub async fn delete(
    app: &App,
    actor: &Actor,
    org: Option<&OrgId>,
    id: &KeyId,
) -> Result<Deleted, DeleteError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let Some(key) = api_keys::delete(&mut tx, (id, org), &actor.label, now).await? else {
        // Somebody else deleted it, perhaps an instant ago, and was perhaps killed before it held
        // everywhere. "It was deleted before" must hold everywhere as well.
        let epoch = auth::epoch(&mut tx).await?;
        let raised = Raised::again(&mut tx, epoch).await?;
        drop(tx);
        app.settle(&raised).await;
        return Err(DeleteError::NotFound);
    };
    let event = Event {
        org: Some(&key.org),
        action: "key.deleted",
        target: format!("key:{id}"),
        detail: serde_json::json!({ "name": key.name, "hint": key.hint.to_string() }),
    };
    audit::record(&mut tx, actor, now, event).await?;
    mail::key_deleted(app, &mut tx, (actor, &key)).await?;
    let mut raised = app.node.raise(&mut tx, Some(&key.org)).await?;
    let entry = Entry::of(&key, raised.epoch, actor);
    let job = entry.leave_to_a_job(app, &mut tx).await?;
    // Last, because from here to the commit this process remembers nothing new.
    let uses = app
        .node
        .acknowledge_ahead(&mut tx, (&key.org, &mut raised))
        .await?;
    tx.commit().await?;
    let receipt = app.settle(&raised).await;
    let key = if raised.is_acknowledged() {
        key
    } else {
        as_it_is_now(app, key).await
    };
    let key = used_last(key, &uses);
    let last_use = key.last_use.as_ref().map(|last| last.at);
    let recorded = record(app, (entry, job), (receipt.clone(), last_use), uses);
    Ok(Deleted {
        key,
        receipt,
        recorded,
    })
}

/// The key after other processes have said when they accepted it last. The key is dead by now: a failure
/// here is reported, not returned.
async fn as_it_is_now(app: &App, key: ApiKey) -> ApiKey {
    let read = async {
        let mut conn = app.db.read().await?;
        api_keys::find(&mut conn, &key.id).await
    };
    match tokio::time::timeout(LOOK_MAX, read).await {
        Ok(Ok(found)) => found.unwrap_or(key),
        Ok(Err(error)) => {
            app.report(&error, "a deleted key can't be read");
            key
        }
        Err(late) => {
            app.report(&late, "a deleted key can't be read");
            key
        }
    }
}

/// The key with its last accepted use, if that was in this process.
fn used_last(mut key: ApiKey, uses: &[(KeyId, Timestamp)]) -> ApiKey {
    let last_here = uses.iter().find(|(id, _)| *id == key.id).map(|(_, at)| *at);
    let known = key.last_use.as_ref().map(|last| last.at);
    if let Some(at) = last_here.filter(|at| known.is_none_or(|known| known < *at)) {
        let (address, call) = match key.last_use.take() {
            Some(last) => (last.address, last.call),
            None => (None, None),
        };
        key.last_use = Some(LastUse { at, address, call });
    }
    key
}

/// What the receipt's row is about, also as a job keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    key: String,
    organization: String,
    epoch: i64,
    actor: String,
    address: Option<IpAddr>,
}

impl Entry {
    fn of(key: &ApiKey, epoch: i64, actor: &Actor) -> Self {
        Self {
            key: key.id.to_string(),
            organization: key.org.to_string(),
            epoch,
            actor: actor.label.clone(),
            address: actor.address,
        }
    }

    async fn leave_to_a_job(&self, app: &App, tx: &mut WriteTx) -> Result<JobId, Error> {
        let job = NewJob {
            kind: JobKind::KeyReceipt,
            lane: &self.organization,
            payload: serde_json::json!(self),
            run_at: app.clock.now().plus(RECEIPT_DUE),
        };
        jobs::enqueue(app, tx, job).await
    }

    async fn write(
        &self,
        tx: &mut WriteTx,
        now: Timestamp,
        (receipt, last_use): (&Receipt, Option<Timestamp>),
    ) -> Result<(), Error> {
        let event = Event {
            org: Some(&OrgId::from(self.organization.as_str())),
            action: "key.deletion.effective",
            target: format!("key:{}", self.key),
            detail: serde_json::json!({
                "effectiveAt": receipt.effective_at.to_string(),
                "acknowledged": receipt.acknowledged,
                "lapsed": receipt.lapsed,
                "lastAcceptedUse": last_use.map(|at| at.to_string()),
            }),
        };
        let actor = Actor {
            label: self.actor.clone(),
            address: self.address,
            standing: None,
        };
        audit::record(tx, &actor, now, event).await
    }
}

/// Writes the receipt to the audit log, beside the answer.
fn record(
    app: &App,
    (entry, job): (Entry, JobId),
    (receipt, last_use): (Receipt, Option<Timestamp>),
    uses: Vec<(KeyId, Timestamp)>,
) -> JoinHandle<()> {
    let (db, clock) = (app.db.clone(), Arc::clone(&app.clock));
    tokio::spawn(async move {
        let recorded = async {
            // Lazily: where power is lost, the job is back as well.
            let mut tx = db.write_lazily().await?;
            let uses = uses.into_iter().map(|(key, at)| KeyUse::at(key, at));
            api_keys::used(&mut tx, &uses.collect::<Vec<_>>()).await?;
            // A job that is gone has written it.
            if job_rows::withdraw(&mut tx, &job).await? {
                let now = clock.now();
                entry.write(&mut tx, now, (&receipt, last_use)).await?;
            }
            tx.commit().await
        };
        let recorded: Result<(), Error> = recorded.await;
        if let Err(error) = recorded {
            let cause = crate::causes(&error);
            tracing::warn!(cause, "the receipt of a deletion is left to its job");
        }
    })
}

/// Writes the receipt of a deletion whose process did not: it was killed, or lost the database.
pub(crate) async fn record_late(app: &App, job: &Running) -> Outcome {
    let Ok(entry) = Entry::deserialize(&job.payload) else {
        return Outcome::Fail {
            why: "its payload names no key".to_owned(),
        };
    };
    let written = async {
        let raised = {
            let mut conn = app.db.read().await?;
            Raised::again(&mut conn, entry.epoch).await?
        };
        let receipt = app.settle(&raised).await;
        let mut tx = app.db.write().await?;
        // In one transaction: a kill before the job is done writes no second row.
        if job_rows::withdraw(&mut tx, &job.id).await? {
            let key = api_keys::find(&mut tx, &KeyId::from(entry.key.as_str())).await?;
            let last_use = key.and_then(|key| key.last_use).map(|last| last.at);
            let now = app.clock.now();
            entry.write(&mut tx, now, (&receipt, last_use)).await?;
        }
        tx.commit().await
    };
    let written: Result<(), Error> = written.await;
    match written {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Retry {
            after: jobs::backoff(job.attempt),
            why: crate::causes(&error),
        },
    }
}

/// Deletes the key that somebody holds (and found in the wrong place). Having it is the permission.
pub async fn revoke_by_possession(
    app: &App,
    address: IpAddr,
    secret: &ApiKeySecret,
) -> Result<Deleted, DeleteError> {
    let found = {
        let mut conn = app.db.read().await?;
        let mut found = None;
        for stored in candidates(app, secret) {
            found = api_keys::record(&mut conn, &stored).await?.0;
            if found.is_some() {
                break;
            }
        }
        found.ok_or(DeleteError::NotFound)?
    };
    let actor = Actor {
        label: "holder of the key".into(),
        address: Some(address),
        standing: None,
    };
    delete(app, &actor, None, &found.id).await
}
