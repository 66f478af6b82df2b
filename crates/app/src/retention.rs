//! How long things are kept (contract: data-lifecycle.md), and deleting what has been kept for long
//! enough.

use std::time::Duration;

use headshot_domain::{ModelId, OrgId, Timestamp};
use headshot_storage::{Error, models as model_rows, organizations, retention};

use crate::App;
use crate::audit::{self, Actor, Event};
use crate::maintenance::Each;
use crate::models::LINK_LIFE;
use crate::models::{self, DeleteError};
use crate::objects;

/// How long the server keeps things, whatever an organization says; `None` is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// What people uploaded, after their headshots are ready, or after they abandoned it.
    pub inputs: Option<Duration>,
    /// Finished shoots.
    pub results: Option<Duration>,
}

/// The longest time that an organization can set, in days.
pub const DAYS_MAX: i64 = 36_500;

/// Why an organization's rule can't be set.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// No such number of days.
    #[error("use 1 to {DAYS_MAX} days, or 0 for never")]
    Days,
    /// There is no such organization.
    #[error("there is no organization {0}")]
    NoSuchOrganization(OrgId),
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// After how many days an organization's finished shoots are deleted; 0 is never.
pub async fn of(app: &App, org: &OrgId) -> Result<i64, SetError> {
    let mut conn = app.db.read().await?;
    let days = retention::erase_after_days(&mut conn, org).await?;
    days.ok_or_else(|| SetError::NoSuchOrganization(org.clone()))
}

/// What a shorter time would take away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortening {
    /// The time in days that is in force; 0 is for ever.
    pub before: i64,
    /// Shoots that are older than the new time already.
    pub due: i64,
}

/// What `days` would take away that is kept now; `None` when it keeps as much as before.
pub async fn shortens(app: &App, org: &OrgId, days: i64) -> Result<Option<Shortening>, SetError> {
    if !(0..=DAYS_MAX).contains(&days) {
        return Err(SetError::Days);
    }
    let before = of(app, org).await?;
    if days == 0 || (before > 0 && before <= days) {
        return Ok(None);
    }
    let age = Duration::from_secs(days.unsigned_abs() * 86_400);
    let mut conn = app.db.read().await?;
    let due = retention::finished_until(&mut conn, org, app.clock.now().minus(age)).await?;
    Ok(Some(Shortening { before, due }))
}

/// Sets after how many days an organization's finished shoots are deleted with everything in them;
/// 0 is never. What is older already goes within the hour.
pub async fn set(app: &App, actor: &Actor, org: &OrgId, days: i64) -> Result<(), SetError> {
    if !(0..=DAYS_MAX).contains(&days) {
        return Err(SetError::Days);
    }
    let mut tx = app.db.write().await?;
    let Some(before) = retention::erase_after_days(&mut tx, org).await? else {
        return Err(SetError::NoSuchOrganization(org.clone()));
    };
    retention::set_erase_after_days(&mut tx, org, days).await?;
    let event = Event {
        org: Some(org),
        action: "organization.retention_changed",
        target: format!("organization:{org}"),
        detail: serde_json::json!({ "before": before, "days": days }),
    };
    audit::record(&mut tx, actor, app.clock.now(), event).await?;
    tx.commit().await?;
    Ok(())
}

/// How many are taken at once.
const AT_ONCE: i64 = 200;

/// Deletes what has been kept for long enough, each deletion with its row in the audit log.
pub async fn run(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let mut all = Each::of(app, "a part of the retention failed");
    let by_switch = delete_models(app, Rule::Organization, now).await;
    all.note("organizations' own times", by_switch);
    if let Some(age) = app.settings.retention.results {
        let by_age = delete_models(app, Rule::Server, now.minus(age)).await;
        all.note("results", by_age);
    }
    if let Some(age) = app.settings.retention.inputs {
        all.note("uploads", delete_uploads(app, now.minus(age)).await);
    }
    all.result()
}

/// Whose rule a deletion follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Organization,
    Server,
}

impl Rule {
    /// Who did it, for the audit log.
    fn actor(self) -> Actor {
        let label = match self {
            Self::Organization => "server (the organization's retention)",
            Self::Server => "server (retention)",
        };
        Actor {
            label: label.to_owned(),
            address: None,
            standing: None,
        }
    }
}

async fn delete_models(app: &App, rule: Rule, until: Timestamp) -> Result<(), Error> {
    loop {
        let due = {
            let mut conn = app.db.read().await?;
            match rule {
                Rule::Organization => retention::due_by_switch(&mut conn, until, AT_ONCE).await?,
                Rule::Server => retention::due_by_age(&mut conn, until, AT_ONCE).await?,
            }
        };
        let mut all = Each::of(app, "a session was not deleted");
        for (org, model) in due {
            let deleted = match models::delete(app, (&org, &rule.actor()), &model).await {
                // Somebody else was faster.
                Ok(()) | Err(DeleteError::NotFound | DeleteError::AlreadyDeleted) => Ok(()),
                Err(DeleteError::Internal(error)) => Err(error),
            };
            all.note(&model, deleted);
        }
        if all.done == 0 {
            return all.result();
        }
    }
}

async fn delete_uploads(app: &App, until: Timestamp) -> Result<(), Error> {
    loop {
        let due = {
            let mut conn = app.db.read().await?;
            let times = (until, until.plus(LINK_LIFE));
            retention::due_uploads(&mut conn, times, AT_ONCE).await?
        };
        let mut all = Each::of(app, "a session's uploads were not deleted");
        for (org, model) in due {
            let deleted = delete_uploads_of(app, (&org, &model), until).await;
            all.note(&model, deleted);
        }
        if all.done == 0 {
            return all.result();
        }
    }
}

async fn delete_uploads_of(
    app: &App,
    (org, model): (&OrgId, &ModelId),
    until: Timestamp,
) -> Result<(), Error> {
    let mut tx = app.db.write().await?;
    organizations::lock(&mut tx, org).await?;
    model_rows::lock(&mut tx, model).await?;
    let (doomed, uploads) = objects::doom_uploads(app, &mut tx, (org, model), until).await?;
    let event = Event {
        org: Some(org),
        action: "uploads.deleted",
        target: format!("model:{model}"),
        detail: serde_json::json!({ "uploads": uploads }),
    };
    audit::record(&mut tx, &Rule::Server.actor(), app.clock.now(), event).await?;
    tx.commit().await?;
    objects::erase(app, doomed).await;
    Ok(())
}
