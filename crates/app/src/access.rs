//! What opens a person's own session: a link's token, or being signed in as that person.
//!
//! A link opens one session and nothing else: no account, no other session, no page of an
//! organization. So whoever passes a link on gives away no more than that.

use headshot_domain::{ModelId, ModelStatus, OrgId, UserId};
use headshot_storage::organizations::{self, Organization};
use headshot_storage::{AsConn, Error, models, people};

use crate::App;
use crate::accounts;
use crate::audit::{self, Actor, Event};
use crate::models::{DeleteError, Model};

/// A person in their own session.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The session.
    pub model: Model,
    /// Whose session it is.
    pub org: Organization,
    /// Whose pages may show it in a frame.
    pub embed_origins: Vec<String>,
}

impl Visit {
    pub(crate) fn ids(&self) -> (&OrgId, &ModelId) {
        (&self.org.id, &self.model.id)
    }

    /// The person for the audit log, by the id alone: the log can't be changed when the person is
    /// erased. From where a person agreed is kept with the consent until then.
    pub(crate) fn actor(&self) -> Actor {
        Actor::person(&self.model.user)
    }
}

/// The session that a link's token opens, unless it is deleted.
pub async fn open(app: &App, token: &str) -> Result<Option<Visit>, Error> {
    let mut conn = app.db.read().await?;
    let hash = accounts::token_hash(token);
    match models::find_link(&mut conn, &hash, app.clock.now()).await? {
        Some(model) => visit(&mut conn, &model).await,
        None => Ok(None),
    }
}

/// A signed-in person's own session, unless it is deleted.
pub async fn of_user(app: &App, user: &UserId, model: &ModelId) -> Result<Option<Visit>, Error> {
    let mut conn = app.db.read().await?;
    let found = visit(&mut conn, model).await?;
    Ok(found.filter(|visit| visit.model.user == *user))
}

/// The newest session of a person in an organization, unless it is deleted.
pub async fn newest_of_user(
    app: &App,
    org: &OrgId,
    user: &UserId,
) -> Result<Option<ModelId>, Error> {
    let mut conn = app.db.read().await?;
    let newest = models::find_of_user(&mut conn, org, user).await?;
    let live = newest.filter(|model| model.status != ModelStatus::Deleted);
    Ok(live.map(|model| model.id))
}

async fn visit(conn: &mut impl AsConn, id: &ModelId) -> Result<Option<Visit>, Error> {
    let Some(org) = models::org_of(conn, id).await? else {
        return Ok(None);
    };
    let model = models::find(conn, &org, id).await?;
    let Some(model) = model.filter(|model| model.status != ModelStatus::Deleted) else {
        return Ok(None);
    };
    let found = organizations::find(conn, &org).await?;
    let origins = people::embed_origins(conn, &org).await?.unwrap_or_default();
    Ok(found.map(|org| Visit {
        model,
        org,
        embed_origins: origins.split_whitespace().map(str::to_owned).collect(),
    }))
}

/// Deletes everything of the person's session, at once and for good.
pub async fn erase(app: &App, visit: &Visit) -> Result<(), DeleteError> {
    let actor = visit.actor();
    crate::models::delete(app, (&visit.org.id, &actor), &visit.model.id).await
}

/// The most sites that an organization allows.
pub const ORIGINS_MAX: usize = 10;

/// Why sites can't be allowed.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// It is no origin.
    #[error("\"{0}\" is no site such as https://hr.acme.com")]
    Origin(String),
    /// More than [`ORIGINS_MAX`].
    #[error("use at most {ORIGINS_MAX} sites")]
    TooMany,
    /// There is no such organization.
    #[error("there is no organization {0}")]
    NoSuchOrganization(OrgId),
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Sets which sites may show the sessions of an organization's people in a frame.
pub async fn allow_embedding(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    origins: &[String],
) -> Result<Vec<String>, EmbedError> {
    if origins.len() > ORIGINS_MAX {
        return Err(EmbedError::TooMany);
    }
    let allowed: Result<Vec<String>, EmbedError> = origins.iter().map(|one| origin(one)).collect();
    let allowed = allowed?;
    let mut tx = app.db.write().await?;
    if !people::set_embed_origins(&mut tx, org, &allowed.join(" ")).await? {
        return Err(EmbedError::NoSuchOrganization(org.clone()));
    }
    let event = Event {
        org: Some(org),
        action: "organization.embedding_changed",
        target: format!("organization:{org}"),
        detail: serde_json::json!({ "origins": allowed }),
    };
    audit::record(&mut tx, actor, app.clock.now(), event).await?;
    tx.commit().await?;
    Ok(allowed)
}

/// A scheme and a host with or without a port, which can stand in a Content-Security-Policy as it is.
fn origin(text: &str) -> Result<String, EmbedError> {
    let given = text.trim().trim_end_matches('/');
    let host = ["https://", "http://"]
        .iter()
        .find_map(|scheme| given.strip_prefix(scheme));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    match host {
        Some(host) if !host.is_empty() && host.len() <= 253 && host.chars().all(plain) => {
            Ok(given.to_owned())
        }
        _ => Err(EmbedError::Origin(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_are_allowed() {
        for good in [
            "https://hr.acme.com",
            "http://localhost:3000/",
            " https://a-b.c ",
        ] {
            assert_eq!(origin(good).unwrap(), good.trim().trim_end_matches('/'));
        }
        for bad in [
            "",
            "*",
            "hr.acme.com",
            "https://",
            "https://a.com/x",
            "https://a;b",
            "https://*.a.com",
            "data:",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
