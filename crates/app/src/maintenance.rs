//! What has to be cleaned up now and then.

use std::sync::Arc;
use std::time::Duration;

use headshot_domain::JobKind;
use headshot_storage::{Error, auth, idempotency, jobs, sessions, sign_in};
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::accounts::{FAILURE_WINDOW, IDLE_TIMEOUT};
use crate::idempotency::LIFE;
use crate::{invites, mail, models, request_log, retention, webhooks};

const EVERY: Duration = Duration::from_hours(1);

/// How long sign-in links that could not be mailed are shown to the operator.
const LINK_JOBS_KEPT: Duration = Duration::from_hours(24);

/// Cleans up once an hour until `stop`.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        if let Err(error) = clean_up(&app).await {
            app.report(&error, "the clean-up failed; it is tried again in an hour");
        }
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
pub async fn clean_up(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    sessions::delete_ended(&mut tx, now, now.minus(IDLE_TIMEOUT)).await?;
    sign_in::delete_expired_links(&mut tx, now).await?;
    sign_in::delete_old_failures(&mut tx, now.minus(FAILURE_WINDOW)).await?;
    idempotency::expire(&mut tx, now.minus(LIFE)).await?;
    // They hold an address, and their link would come too late.
    jobs::forget_dead(&mut tx, JobKind::SignInLink, now.minus(LINK_JOBS_KEPT)).await?;
    tx.commit().await?;
    invites::expire(app).await?;
    models::expire(app).await?;
    let kept_from = now.minus(app.settings.log_retention);
    webhooks::expire(app, kept_from).await?;
    request_log::expire(&app.db, kept_from).await?;
    retention::run(app).await?;
    mail::expire(app, now).await?;
    mail::keys_expiring(app).await?;
    Ok(())
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
    let epoch = auth::bump(&mut tx, None).await?;
    tx.commit().await?;
    app.settle(epoch).await;
    Ok(())
}
