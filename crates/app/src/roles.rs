//! Who may do what in an organization.

use headshot_domain::{Email, OrgId, Role, TeamId};
use headshot_storage::users::{self, User};
use headshot_storage::{Error, members, organizations};

use crate::App;
use crate::accounts;
use crate::audit::{self, Actor, Event};

/// Why a role can't be given.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// No such organization.
    #[error("there is no organization {0}")]
    NoSuchOrganization(OrgId),
    /// An organization has one owner, whose role stays.
    #[error("{0} is the organization's owner, whose role can't be changed")]
    Owner(Email),
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Gives a person a role in an organization, other than the owner's. Who isn't in it comes in, to
/// `team` if there is one; who has no account gets one without a password. It holds from the person's
/// next request on.
///
/// # Errors
///
/// [`RoleError::Owner`] also for `Role::Owner`.
pub async fn set(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    (email, name): (&Email, Option<&str>),
    (role, team): (Role, Option<&TeamId>),
) -> Result<User, RoleError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if organizations::find(&mut tx, org).await?.is_none() {
        return Err(RoleError::NoSuchOrganization(org.clone()));
    }
    // In the order in which everybody locks.
    organizations::lock(&mut tx, org).await?;
    let user = accounts::account(app, &mut tx, email, name).await?;
    let before = users::find_membership(&mut tx, &user.id, org).await?;
    let before = before.map(|membership| membership.role);
    let action = match (before, role) {
        (Some(Role::Owner), _) | (_, Role::Owner) => return Err(RoleError::Owner(email.clone())),
        (Some(before), role) if before == role => return Ok(user),
        (_, Role::Admin) => "member.made_admin",
        (_, Role::Member) => "member.made_member",
    };
    match before {
        Some(_) => members::set_role(&mut tx, org, &user.id, role).await?,
        None => users::insert_membership(&mut tx, org, &user.id, (role, team), now).await?,
    }
    let event = Event {
        org: Some(org),
        action,
        target: format!("user:{}", user.id),
        detail: serde_json::json!({ "name": user.email, "before": before.map(Role::name) }),
    };
    audit::record(&mut tx, actor, now, event).await?;
    tx.commit().await?;
    Ok(user)
}
