//! One-time links: set-up, reset, sign-in.

use std::time::Duration;

use headshot_domain::{Email, UserId};
use headshot_storage::sign_in::{self, LinkPurpose, OneTimeLink};
use headshot_storage::users::{self, User};
use headshot_storage::{Error, WriteTx};

use super::people::record_of_person;
use super::tokens::{new_token, token_hash};
use crate::App;
use crate::audit::Actor;

/// How long a set-up or reset link works.
pub const SETUP_LINK_LIFE: Duration = Duration::from_hours(7 * 24);
/// How long a sign-in link works that an admin makes, to pass it on.
pub const SIGN_IN_LINK_LIFE: Duration = Duration::from_hours(2);
/// How long a sign-in link works that a person asks for, to be opened at once.
pub const MAILED_LINK_LIFE: Duration = Duration::from_mins(15);

/// An unused link and whom it is for.
#[derive(Debug, Clone)]
pub struct OpenLink {
    /// What it is for.
    pub purpose: LinkPurpose,
    /// Whom it is for.
    pub user: User,
}

/// What a link's token is for; `None` when it was used, expired or never made.
pub async fn open_link(app: &App, token: &str) -> Result<Option<OpenLink>, Error> {
    let mut conn = app.db.read().await?;
    let hash = token_hash(token);
    let Some(link) = sign_in::find_link(&mut conn, &hash, app.clock.now()).await? else {
        return Ok(None);
    };
    let user = users::find(&mut conn, &link.user).await?;
    Ok(user.map(|user| OpenLink {
        purpose: link.purpose,
        user,
    }))
}

/// Makes a one-time link for the person with `email`; its token, or `None` for nobody.
pub async fn make_link(
    app: &App,
    actor: &Actor,
    email: &Email,
    purpose: LinkPurpose,
) -> Result<Option<String>, Error> {
    let mut tx = app.db.write().await?;
    let Some(user) = users::find_by_email(&mut tx, email).await? else {
        return Ok(None);
    };
    let life = match purpose {
        LinkPurpose::Setup | LinkPurpose::Reset => SETUP_LINK_LIFE,
        LinkPurpose::SignIn => SIGN_IN_LINK_LIFE,
    };
    let token = insert_link(app, &mut tx, (&user.id, purpose), life).await?;
    let action = match purpose {
        LinkPurpose::Setup => "link.setup",
        LinkPurpose::Reset => "link.reset",
        LinkPurpose::SignIn => "link.sign-in",
    };
    record_of_person(app, &mut tx, actor, (&user.id, action)).await?;
    tx.commit().await?;
    Ok(Some(token))
}

/// Makes the link with which a new owner sets the first password; its token.
pub(crate) async fn setup_link(
    app: &App,
    tx: &mut WriteTx,
    user: &UserId,
) -> Result<String, Error> {
    insert_link(app, tx, (user, LinkPurpose::Setup), SETUP_LINK_LIFE).await
}

/// Makes a sign-in link that is mailed to the person who asked for it; its token.
pub(crate) async fn mailed_link(
    app: &App,
    tx: &mut WriteTx,
    (actor, user): (&Actor, &UserId),
) -> Result<String, Error> {
    let token = insert_link(app, tx, (user, LinkPurpose::SignIn), MAILED_LINK_LIFE).await?;
    record_of_person(app, tx, actor, (user, "link.sign-in")).await?;
    Ok(token)
}

/// Stores a one-time link and returns its token.
async fn insert_link(
    app: &App,
    tx: &mut WriteTx,
    (user, purpose): (&UserId, LinkPurpose),
    life: Duration,
) -> Result<String, Error> {
    let now = app.clock.now();
    let link = OneTimeLink {
        user: user.clone(),
        purpose,
        expires_at: now.plus(life),
    };
    let token = new_token(&*app.entropy);
    sign_in::insert_link(tx, &link, &token_hash(&token), now).await?;
    Ok(token)
}
