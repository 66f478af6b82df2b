//! The people themselves.

use headshot_domain::{Email, UserId};
use headshot_storage::users::{self, User};
use headshot_storage::{Error, WriteTx};

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

/// Stores a new person without a password.
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
