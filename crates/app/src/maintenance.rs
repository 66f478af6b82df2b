//! What has to be cleaned up now and then, and after a restore.

use std::sync::Arc;
use std::time::Duration;

use headshot_domain::{JobKind, Timestamp};
use headshot_storage::audit as audit_rows;
use headshot_storage::{Error, api_keys, auth, idempotency, jobs, sessions, sign_in};
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::accounts::{FAILURE_WINDOW, IDLE_TIMEOUT};
use crate::audit::{self, Actor, Event};
use crate::idempotency::LIFE;
use crate::{invites, mail, models, request_log, retention, webhooks};

const EVERY: Duration = Duration::from_hours(1);

/// How often what was written is copied into SQLite's file at most.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// Keeps SQLite's write-ahead log short until `stop`, so that no commit has to, and nobody waits for it.
pub async fn checkpoints(app: Arc<App>, stop: CancellationToken) {
    let each = async {
        loop {
            app.db.written().await;
            if let Err(error) = app.db.checkpoint().await {
                app.report(
                    &error,
                    "the write-ahead log can't be copied; it is tried again",
                );
            }
            tokio::time::sleep(CHECKPOINT_EVERY).await;
        }
    };
    let _stopped: Option<()> = stop.run_until_cancelled(each).await;
}

/// How long sign-in links that could not be mailed are shown to the operator.
const LINK_JOBS_KEPT: Duration = Duration::from_hours(24);

/// Cleans up once an hour until `stop`.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        // What failed was reported there, and is tried again in an hour.
        clean_up(&app).await.ok();
        if stop
            .run_until_cancelled(tokio::time::sleep(EVERY))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Removes sessions and links that ended, old failure counts, answers past their day, and rows of
/// the API and webhook logs past the retention; frees the credits of invites and sessions that ran
/// out; deletes photos, uploads and mails that were kept for long enough; tells of keys that run out.
///
/// Each of these is done whatever becomes of the others, and each failure is reported.
///
/// # Errors
/// The first failure.
pub async fn clean_up(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let kept_from = now.minus(app.settings.log_retention);
    let mut all = Each::of(app, "a part of the clean-up failed");
    all.note("sign-in", forget_sign_ins(app, now).await);
    all.note("invites", invites::expire(app).await);
    all.note("sessions", models::expire(app).await);
    all.note("webhook log", webhooks::expire(app, kept_from).await);
    let expired = request_log::expire(&app.db, kept_from).await;
    all.note("API log", expired.map(drop));
    all.note("retention", retention::run(app).await);
    all.note("mails", mail::expire(app, now).await);
    all.note("keys that run out", mail::keys_expiring(app).await);
    all.result()
}

async fn forget_sign_ins(app: &App, now: Timestamp) -> Result<(), Error> {
    let mut tx = app.db.write().await?;
    sessions::delete_ended(&mut tx, now, now.minus(IDLE_TIMEOUT)).await?;
    sign_in::delete_expired_links(&mut tx, now).await?;
    sign_in::delete_old_failures(&mut tx, now.minus(FAILURE_WINDOW)).await?;
    idempotency::expire(&mut tx, now.minus(LIFE)).await?;
    // They hold an address, and their link would come too late.
    jobs::forget_dead(&mut tx, JobKind::SignInLink, now.minus(LINK_JOBS_KEPT)).await?;
    tx.commit().await
}

/// Several things, each of which is done whatever becomes of the others.
pub(crate) struct Each<'a> {
    app: &'a App,
    what: &'static str,
    first: Option<Error>,
    /// How many succeeded.
    pub(crate) done: usize,
}

impl<'a> Each<'a> {
    /// `what` says in the server's log what it is when one of them failed.
    pub(crate) fn of(app: &'a App, what: &'static str) -> Self {
        Self {
            app,
            what,
            first: None,
            done: 0,
        }
    }

    /// Counts what became of `one`, and reports a failure.
    pub(crate) fn note(
        &mut self,
        one: &(impl std::fmt::Display + ?Sized),
        result: Result<(), Error>,
    ) {
        match result {
            Ok(()) => self.done += 1,
            Err(error) => {
                let what = format!("{} ({one}); it is tried again in an hour", self.what);
                self.app.report(&error, &what);
                self.first.get_or_insert(error);
            }
        }
    }

    /// The first failure, if there was one.
    pub(crate) fn result(self) -> Result<(), Error> {
        self.first.map_or(Ok(()), Err)
    }
}

/// Finds out which of the registered nodes are alive and expels the others, which leaves a gap row
/// for each. Run when a process starts: its predecessor may have been killed.
pub async fn roll_call(app: &App) -> Result<(), Error> {
    let registered = {
        let mut conn = app.db.read().await?;
        auth::nodes(&mut conn).await?
    };
    if registered.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    let raised = app.node.raise(&mut tx, None).await?;
    tx.commit().await?;
    app.settle(&raised).await;
    Ok(())
}

/// What a restored backup brings back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made, as far as it tells: its newest audit entry's time.
    pub until: Timestamp,
    /// API keys that are not deleted.
    pub live_keys: i64,
}

/// Ends what nobody can want back of an older time: sessions that have ended since, and links that
/// were used. Keys stay as they were, and whoever restores has to be told.
pub async fn restored(app: &App) -> Result<Restored, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let newest = audit_rows::newest_of_all(&mut tx, i64::MAX, 1).await?;
    let until = newest.first().map_or(now, |entry| entry.at);
    let live_keys = api_keys::peppers(&mut tx).await?;
    let live_keys = live_keys.iter().map(|(_, keys)| keys).sum();
    sessions::delete_all(&mut tx).await?;
    sign_in::delete_all_links(&mut tx).await?;
    let event = Event {
        org: None,
        action: "server.restored",
        target: "server".to_owned(),
        detail: serde_json::json!({ "until": until.to_string(), "keys": live_keys }),
    };
    audit::record(&mut tx, &Actor::command_line(), now, event).await?;
    tx.commit().await?;
    Ok(Restored { until, live_keys })
}
