//! The people themselves.

use headshot_domain::{Email, OrgId, SessionId, UserId};
use headshot_storage::users::{self, User};
use headshot_storage::{Error, WriteTx, members, sessions, sign_in};

use crate::App;
use crate::audit::{self, Actor, Event};

/// Records what concerns a person in each of the person's organizations, whose admins see it.
pub(super) async fn record_of_person(
    app: &App,
    tx: &mut WriteTx,
    actor: &Actor,
    (user, action): (&UserId, &'static str),
) -> Result<(), Error> {
    for membership in users::memberships(tx, user).await? {
        let event = Event {
            org: Some(&membership.org),
            action,
            target: format!("user:{user}"),
            detail: serde_json::json!({}),
        };
        audit::record(tx, actor, app.clock.now(), event).await?;
    }
    Ok(())
}

/// The person with this address, who has an account from now on; a new one where nobody has it.
pub(crate) async fn account(
    app: &App,
    tx: &mut WriteTx,
    email: &Email,
    name: Option<&str>,
) -> Result<User, Error> {
    const TRIES: usize = 3;
    for _ in 0..TRIES {
        if let Some(user) = users::find_by_email(tx, email).await?
            && users::keep(tx, &user.id).await?
        {
            return Ok(user);
        }
        match insert_user(app, tx, email, name).await {
            // Another organization was faster: the person is there now.
            Err(Error::Conflict) => {}
            inserted => return inserted,
        }
    }
    Err(Error::Conflict)
}

/// Ends the account of a person who existed for sessions of the organization only, when none of
/// them is left (contract: data-lifecycle.md); `false` for everybody else. The address is free then.
pub(crate) async fn end_anonymous(
    tx: &mut WriteTx,
    (org, user): (&OrgId, &UserId),
) -> Result<bool, Error> {
    if users::find_membership(tx, user, org).await?.is_none()
        || !users::hold_anonymous(tx, user).await?
    {
        return Ok(false);
    }
    members::remove(tx, org, user).await?;
    sign_in::delete_links_of_user(tx, user).await?;
    sessions::delete_others(tx, user, &SessionId::from("")).await?;
    users::delete(tx, user).await?;
    Ok(true)
}

/// Stores a new person without a password.
///
/// # Errors
/// [`Error::Conflict`] when somebody has that address, perhaps since an instant ago.
pub(crate) async fn insert_user(
    app: &App,
    tx: &mut WriteTx,
    email: &Email,
    name: Option<&str>,
) -> Result<User, Error> {
    let user = User {
        id: UserId::generate(&*app.entropy),
        email: email.as_str().to_owned(),
        name: name.map(str::to_owned),
        password_hash: None,
    };
    users::insert(tx, &user, email, app.clock.now()).await?;
    Ok(user)
}
