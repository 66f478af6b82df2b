//! Signing in, by password or by link.

use std::net::IpAddr;

use headshot_domain::{Email, Role, SessionId, Timestamp};
use headshot_storage::sessions::{self, Session};
use headshot_storage::sign_in::{self, LinkPurpose};
use headshot_storage::users::{self, User};
use headshot_storage::{Error, WriteTx};

use super::links::open_link;
use super::sessions::{ABSOLUTE_TIMEOUT, SignedIn};
use super::throttle::{Subjects, device_cookie};
use super::tokens::{new_token, token_hash};
use crate::App;
use crate::audit::{self, Actor, Event};
use crate::passwords::Password;

/// Where a visitor comes from.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// The address, by the trusted-proxy rule.
    pub address: IpAddr,
    /// The browser, as it names itself.
    pub user_agent: String,
    /// The cookie that a browser keeps after it has signed in once.
    pub device: Option<String>,
}

/// A new session: the tokens for the browser's cookies.
#[derive(Clone)]
pub struct NewSession {
    /// The session cookie.
    pub token: String,
    /// The device cookie.
    pub device: String,
    /// The role in the organization that is shown first.
    pub role: Role,
}

/// Why a sign-in failed. Unknown addresses and wrong passwords are the same.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Wrong address or password.
    #[error("The email or the password is not right.")]
    Wrong,
    /// Too many failures: later.
    #[error("Too many tries. Try again after {retry_at}.")]
    Throttled {
        /// When the window ends.
        retry_at: Timestamp,
    },
    /// The person belongs to no organization.
    #[error("This account belongs to no organization. Ask an admin for an invite.")]
    NoOrganization,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Signs a person in by password.
pub async fn sign_in(
    app: &App,
    visitor: &Visitor,
    email: &str,
    password: Password,
) -> Result<NewSession, SignInError> {
    let address = email.parse::<Email>().ok();
    let subjects = Subjects::of(app, visitor, &email.trim().to_lowercase());
    subjects.take_try(app, visitor).await?;
    let user = match &address {
        Some(email) => {
            let mut conn = app.db.read().await?;
            users::find_by_email(&mut conn, email).await?
        }
        None => None,
    };
    let hash = user.as_ref().and_then(|user| user.password_hash.clone());
    let right = app.passwords.verify(password, hash).await;
    let user = user.filter(|_| right).ok_or(SignInError::Wrong)?;
    let mut tx = app.db.write().await?;
    if !is_still_right(&mut tx, &user).await? {
        return Err(SignInError::Wrong);
    }
    subjects.give_back(&mut tx).await?;
    let session = begin_session(app, &mut tx, visitor, (&user, app.clock.now())).await?;
    tx.commit().await?;
    Ok(session)
}

/// Locks a person whose password was found right: `false` when it was replaced while that was looked
/// at, which takes long enough for it.
pub(super) async fn is_still_right(tx: &mut WriteTx, user: &User) -> Result<bool, Error> {
    users::lock(tx, &user.id).await?;
    let now = users::find(tx, &user.id).await?;
    Ok(now.is_some_and(|now| now.password_hash == user.password_hash))
}

pub(super) async fn begin_session(
    app: &App,
    tx: &mut WriteTx,
    visitor: &Visitor,
    (user, authenticated_at): (&User, Timestamp),
) -> Result<NewSession, SignInError> {
    let now = app.clock.now();
    let memberships = users::memberships(tx, &user.id).await?;
    let first = memberships
        .iter()
        .find(|membership| membership.role.is_admin());
    let membership = first
        .or_else(|| memberships.first())
        .ok_or(SignInError::NoOrganization)?;
    let token = new_token(&*app.entropy);
    let session = Session {
        id: SessionId::generate(&*app.entropy),
        user: user.id.clone(),
        org: membership.org.clone(),
        created_at: now,
        last_seen_at: now,
        authenticated_at,
        expires_at: now.plus(ABSOLUTE_TIMEOUT),
        address: visitor.address.to_string(),
        user_agent: visitor.user_agent.clone(),
    };
    sessions::insert(tx, &session, &token_hash(&token)).await?;
    let event = Event {
        org: Some(&membership.org),
        action: "session.began",
        target: format!("session:{}", session.id),
        detail: serde_json::json!({}),
    };
    audit::record(
        tx,
        &Actor::user(&user.id, &user.email, visitor.address),
        now,
        event,
    )
    .await?;
    let random = new_token(&*app.entropy);
    let device = device_cookie(app, &user.email.trim().to_lowercase(), &random);
    Ok(NewSession {
        token,
        device,
        role: membership.role,
    })
}

/// Checks the password of a person who is signed in, with the same throttle as signing in, and
/// notes the moment.
pub async fn confirm_password(
    app: &App,
    signed_in: &SignedIn,
    visitor: &Visitor,
    password: Password,
) -> Result<(), SignInError> {
    let subjects = Subjects::of(app, visitor, &signed_in.user.email.to_lowercase());
    subjects.take_try(app, visitor).await?;
    if !app
        .passwords
        .verify(password, signed_in.user.password_hash.clone())
        .await
    {
        return Err(SignInError::Wrong);
    }
    let mut tx = app.db.write().await?;
    if !is_still_right(&mut tx, &signed_in.user).await? {
        return Err(SignInError::Wrong);
    }
    if !sessions::authenticated(&mut tx, &signed_in.session.id, app.clock.now()).await? {
        return Err(Error::TakenBack.into());
    }
    subjects.give_back(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// A session that began by a link: what needs a recent password asks for it.
const NO_PASSWORD_GIVEN: Timestamp = Timestamp::from_unix_ms(0);

/// Signs a person in by a sign-in link, which is used up.
pub async fn sign_in_by_link(
    app: &App,
    visitor: &Visitor,
    token: &str,
) -> Result<Option<NewSession>, SignInError> {
    let link = open_link(app, token).await?;
    let Some(link) = link.filter(|link| link.purpose == LinkPurpose::SignIn) else {
        return Ok(None);
    };
    let mut tx = app.db.write().await?;
    users::lock(&mut tx, &link.user.id).await?;
    if !sign_in::delete_link(&mut tx, &token_hash(token)).await? {
        return Ok(None);
    }
    let session = begin_session(app, &mut tx, visitor, (&link.user, NO_PASSWORD_GIVEN)).await?;
    tx.commit().await?;
    Ok(Some(session))
}
