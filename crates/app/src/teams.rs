//! Teams: groups of people, and who is in them. A person is in at most one.

use headshot_domain::{Email, OrgId, TeamId};
use headshot_storage::teams::{self, TEAMS_MAX, Team};
use headshot_storage::{
    Error, WriteTx, invites, members, models, organizations as organization_rows,
};

use crate::App;
use crate::audit::{self, Actor, Event};
use crate::idempotency::Once;
use crate::models::held;
use crate::organizations::{self, NAME_MAX, OrgDetails};

/// The most addresses that one request may move.
pub const ADDRESSES_MAX: usize = 1_000;

/// Why a team can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum TeamError {
    /// No name was given.
    #[error("Team name is required")]
    NameMissing,
    /// The name is too long or holds control characters.
    #[error(
        "Team name must have at most {} characters, none of them a control character",
        NAME_MAX
    )]
    NameUnusable,
    /// The organization has a team of that name.
    #[error("Team with this name already exists")]
    AlreadyExists,
    /// The organization has as many teams as it may have.
    #[error("An organization can have at most {} teams", TEAMS_MAX)]
    TooMany,
    /// The organization has no such team.
    #[error("Team not found")]
    NotFound,
    /// None of the addresses belongs to a member.
    #[error("None of these people is a member of the organization")]
    NobodyFound,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

impl TeamError {
    /// Of storing a name, where a conflict is another team of that name.
    fn of_name(error: Error) -> Self {
        match error {
            Error::Conflict => Self::AlreadyExists,
            other => Self::Internal(other),
        }
    }
}

fn checked(name: &str) -> Result<&str, TeamError> {
    let name = name.trim();
    if name.is_empty() {
        Err(TeamError::NameMissing)
    } else if name.chars().count() > NAME_MAX || name.contains(char::is_control) {
        Err(TeamError::NameUnusable)
    } else {
        Ok(name)
    }
}

/// An organization's teams, oldest first.
pub async fn list(app: &App, org: &OrgId) -> Result<Vec<Team>, Error> {
    let mut conn = app.db.read().await?;
    teams::list(&mut conn, org).await
}

/// Creates a team; every process sees it when this returns.
pub async fn create(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    name: &str,
    once: Once<'_, OrgDetails>,
) -> Result<(Team, OrgDetails), TeamError> {
    let team = Team {
        id: TeamId::generate(&*app.entropy),
        name: checked(name)?.to_owned(),
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    organization_rows::lock(&mut tx, org).await?;
    if teams::count(&mut tx, org).await? >= TEAMS_MAX {
        return Err(TeamError::TooMany);
    }
    let inserted = teams::insert(&mut tx, org, &team, now).await;
    inserted.map_err(TeamError::of_name)?;
    let detail = serde_json::json!({ "name": team.name });
    let change = Change::of("team.created", &team.id, detail);
    let details = finish(app, tx, (org, actor), change, once).await?;
    Ok((team, details))
}

/// Renames a team.
pub async fn rename(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    (id, name): (&TeamId, &str),
) -> Result<OrgDetails, TeamError> {
    let name = checked(name)?;
    let mut tx = app.db.write().await?;
    organization_rows::lock(&mut tx, org).await?;
    let renamed = teams::rename(&mut tx, org, id, name).await;
    if !renamed.map_err(TeamError::of_name)? {
        return Err(TeamError::NotFound);
    }
    let change = Change::of("team.renamed", id, serde_json::json!({ "name": name }));
    finish(app, tx, (org, actor), change, Once::unkept()).await
}

/// Deletes a team. Its people, invites and sessions stay, without a team.
pub async fn delete(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    id: &TeamId,
) -> Result<OrgDetails, TeamError> {
    let mut tx = app.db.write().await?;
    organization_rows::lock(&mut tx, org).await?;
    let team = teams::find(&mut tx, org, id).await?;
    let team = team.ok_or(TeamError::NotFound)?;
    members::leave_team(&mut tx, id).await?;
    invites::leave_team(&mut tx, id).await?;
    models::leave_team(&mut tx, org, id).await?;
    teams::delete(&mut tx, org, id).await?;
    let change = Change::of("team.deleted", id, serde_json::json!({ "name": team.name }));
    finish(app, tx, (org, actor), change, Once::unkept()).await
}

struct Change {
    action: &'static str,
    target: String,
    detail: serde_json::Value,
}

impl Change {
    fn of(action: &'static str, id: &TeamId, detail: serde_json::Value) -> Self {
        Self {
            action,
            target: format!("team:{id}"),
            detail,
        }
    }
}

/// Writes the change down and waits until every process sees it.
async fn finish(
    app: &App,
    mut tx: WriteTx,
    (org, actor): (&OrgId, &Actor),
    change: Change,
    once: Once<'_, OrgDetails>,
) -> Result<OrgDetails, TeamError> {
    let event = Event {
        org: Some(org),
        action: change.action,
        target: change.target,
        detail: change.detail,
    };
    audit::record(&mut tx, actor, app.clock.now(), event).await?;
    let raised = app.node.raise(&mut tx, Some(org)).await?;
    let details = organizations::read_details(&mut tx, org).await?;
    once.keep(app, &mut tx, &details).await?;
    tx.commit().await?;
    app.settle(&raised).await;
    Ok(details)
}

/// Moves members into a team. Addresses of nobody are skipped; how many people were found.
pub async fn add_members(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    (id, emails): (&TeamId, &[Email]),
    once: Once<'_, Team>,
) -> Result<usize, TeamError> {
    let mut emails: Vec<&Email> = emails.iter().collect();
    emails.sort_by_cached_key(|email| email.key());
    emails.dedup_by_key(|email| email.key());
    let mut tx = app.db.write().await?;
    organization_rows::lock(&mut tx, org).await?;
    let team = teams::find(&mut tx, org, id).await?;
    let team = team.ok_or(TeamError::NotFound)?;
    let mut moved = 0;
    for email in emails {
        let Some(user) = members::find_by_email(&mut tx, org, email).await? else {
            continue;
        };
        members::set_team(&mut tx, org, &user, Some(id)).await?;
        let newest = models::find_of_user(&mut tx, org, &user).await?;
        if let Some(newest) = newest
            && let Some(before) = held(&mut tx, (org, &newest.id)).await?
        {
            let mut after = before.clone();
            after.team = Some(team.clone());
            models::update(&mut tx, &before, &after).await?;
        }
        moved += 1;
    }
    if moved == 0 {
        return Err(TeamError::NobodyFound);
    }
    let event = Event {
        org: Some(org),
        action: "team.members-added",
        target: format!("team:{id}"),
        detail: serde_json::json!({ "team": team.name, "people": moved }),
    };
    audit::record(&mut tx, actor, app.clock.now(), event).await?;
    once.keep(app, &mut tx, &team).await?;
    tx.commit().await?;
    Ok(moved)
}
