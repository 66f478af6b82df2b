//! Setting a password, by link or by the present one.

use headshot_domain::SessionId;
use headshot_storage::sign_in::{self, LinkPurpose};
use headshot_storage::users::{self, User};
use headshot_storage::{Error, WriteTx, sessions};

use super::links::open_link;
use super::people::record_of_person;
use super::sessions::SignedIn;
use super::sign_in::{
    NewSession, SignInError, Visitor, begin_session, confirm_password, is_still_right,
};
use super::tokens::token_hash;
use crate::App;
use crate::audit::Actor;
use crate::passwords::{self, Password, Unusable};

/// Why a password can't be set.
#[derive(Debug, thiserror::Error)]
pub enum SetPasswordError {
    /// The link was used, expired or never made.
    #[error("This link does not work any more. Ask for a new one.")]
    LinkGone,
    /// The password can't be taken.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The present password isn't right, or there were too many tries.
    #[error(transparent)]
    SignIn(SignInError),
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

impl From<SignInError> for SetPasswordError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Internal(error) => Self::Internal(error),
            other => Self::SignIn(other),
        }
    }
}

/// Sets the password by a set-up or reset link, ends all other sessions of the person, and signs
/// this browser in.
pub async fn set_password_by_link(
    app: &App,
    visitor: &Visitor,
    token: &str,
    (name, password): (Option<&str>, Password),
) -> Result<NewSession, SetPasswordError> {
    let link = open_link(app, token)
        .await?
        .filter(|link| link.purpose != LinkPurpose::SignIn)
        .ok_or(SetPasswordError::LinkGone)?;
    passwords::check(&password, &link.user.email)?;
    let hash = app.passwords.hash(password, &*app.entropy).await;
    let mut tx = app.db.write().await?;
    users::lock(&mut tx, &link.user.id).await?;
    if !sign_in::delete_link(&mut tx, &token_hash(token)).await? {
        return Err(SetPasswordError::LinkGone);
    }
    if let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) {
        let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
        users::set_name(&mut tx, &link.user.id, &name).await?;
    }
    let actor = Actor::user(&link.user.id, &link.user.email, visitor.address);
    change_password(app, &mut tx, &actor, (&link.user, &hash), None).await?;
    let session = begin_session(app, &mut tx, visitor, (&link.user, app.clock.now())).await?;
    tx.commit().await?;
    Ok(session)
}

/// Replaces the password of a person who is signed in, and ends their other sessions.
pub async fn set_password(
    app: &App,
    signed_in: &SignedIn,
    visitor: &Visitor,
    (present, new): (Password, Password),
) -> Result<(), SetPasswordError> {
    passwords::check(&new, &signed_in.user.email)?;
    confirm_password(app, signed_in, visitor, present).await?;
    let hash = app.passwords.hash(new, &*app.entropy).await;
    let mut tx = app.db.write().await?;
    // A reset may have been faster: it is the last word.
    if !is_still_right(&mut tx, &signed_in.user).await? {
        return Err(SignInError::Wrong.into());
    }
    let (actor, keep) = (signed_in.actor(visitor.address), &signed_in.session.id);
    change_password(app, &mut tx, &actor, (&signed_in.user, &hash), Some(keep)).await?;
    tx.commit().await?;
    Ok(())
}

async fn change_password(
    app: &App,
    tx: &mut WriteTx,
    actor: &Actor,
    (user, hash): (&User, &str),
    keep: Option<&SessionId>,
) -> Result<(), Error> {
    users::set_password(tx, &user.id, hash).await?;
    sign_in::delete_links_of_user(tx, &user.id).await?;
    let nobody = SessionId::from("");
    sessions::delete_others(tx, &user.id, keep.unwrap_or(&nobody)).await?;
    record_of_person(app, tx, actor, (&user.id, "password.set")).await
}
