//! Browsers that are signed in.

use std::net::IpAddr;
use std::time::Duration;

use headshot_domain::{OrgId, Role, SessionId, Timestamp, UserId};
use headshot_storage::Error;
use headshot_storage::organizations::{self, Organization};
use headshot_storage::sessions::{self, Session};
use headshot_storage::users::{self, User};

use super::tokens::token_hash;
use crate::App;
use crate::audit::{self, Actor, Event, Standing};

/// A session ends after this long without use.
pub const IDLE_TIMEOUT: Duration = Duration::from_hours(12);
/// A session ends after this long whatever happens.
pub const ABSOLUTE_TIMEOUT: Duration = Duration::from_hours(7 * 24);
/// How old a password may be for making and deleting keys.
pub const RECENT: Duration = Duration::from_mins(10);

/// Uses of a session closer together than this are not written down one by one.
const TOUCH_EVERY: Duration = Duration::from_mins(1);

/// How long a page waits for the use of a session to be noted.
const TOUCH_PATIENCE: Duration = Duration::from_millis(250);

/// A person who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The person.
    pub user: User,
    /// The organization that is being looked at.
    pub org: Organization,
    /// The person's role there.
    pub role: Role,
}

impl SignedIn {
    /// The person for the audit log, as long as this session lasts and the role is not taken back.
    pub fn actor(&self, address: IpAddr) -> Actor {
        let standing = Standing {
            session: self.session.id.clone(),
            user: self.user.id.clone(),
            org: self.org.id.clone(),
            role: self.role,
        };
        Actor {
            standing: Some(standing),
            ..Actor::user(&self.user.id, &self.user.email, address)
        }
    }

    /// Whether the password was given lately enough for making and deleting keys.
    pub fn is_recent(&self, now: Timestamp) -> bool {
        now.since(self.session.authenticated_at) < RECENT
    }
}

/// Who the browser with this session cookie is; `None` when the session ended.
pub async fn session(app: &App, token: &str) -> Result<Option<SignedIn>, Error> {
    let now = app.clock.now();
    let hash = token_hash(token);
    let signed_in = {
        let mut conn = app.db.read().await?;
        let Some(session) = sessions::find(&mut conn, &hash).await? else {
            return Ok(None);
        };
        if session.expires_at <= now || now.since(session.last_seen_at) >= IDLE_TIMEOUT {
            return Ok(None);
        }
        let user = users::find(&mut conn, &session.user).await?;
        let org = organizations::find(&mut conn, &session.org).await?;
        let membership = users::find_membership(&mut conn, &session.user, &session.org).await?;
        match (user, org, membership) {
            (Some(user), Some(org), Some(membership)) => SignedIn {
                session,
                user,
                org,
                role: membership.role,
            },
            _ => return Ok(None),
        }
    };
    if now.since(signed_in.session.last_seen_at) >= TOUCH_EVERY {
        touch(app, &signed_in.session.id, now).await;
    }
    Ok(Some(signed_in))
}

/// Notes a use. Where nothing can be written, reading goes on.
async fn touch(app: &App, id: &SessionId, now: Timestamp) {
    let touched = async {
        let mut tx = app.db.write().await?;
        sessions::touch(&mut tx, id, now).await?;
        tx.commit().await
    };
    if let Ok(Err(error)) = tokio::time::timeout(TOUCH_PATIENCE, touched).await {
        app.report(&error, "the use of a session can't be noted");
    }
}

/// A person's sessions, newest use first.
pub async fn list_sessions(app: &App, user: &UserId) -> Result<Vec<Session>, Error> {
    let now = app.clock.now();
    let mut conn = app.db.read().await?;
    sessions::list(&mut conn, user, (now, now.minus(IDLE_TIMEOUT))).await
}

/// Signs this browser out.
pub async fn sign_out(app: &App, signed_in: &SignedIn, address: IpAddr) -> Result<(), Error> {
    let (id, user) = (&signed_in.session.id, &signed_in.user);
    let mut tx = app.db.write().await?;
    if !sessions::delete(&mut tx, id, &user.id).await? {
        return Ok(());
    }
    let event = Event {
        org: Some(&signed_in.org.id),
        action: "session.ended",
        target: format!("session:{id}"),
        detail: serde_json::json!({}),
    };
    let actor = Actor::user(&user.id, &user.email, address);
    audit::record(&mut tx, &actor, app.clock.now(), event).await?;
    tx.commit().await
}

/// Which other sessions to end.
#[derive(Debug, Clone)]
pub enum Others {
    /// One of them.
    One(SessionId),
    /// All but this browser's.
    All,
}

/// Signs other browsers of the same person out; how many.
pub async fn sign_out_others(
    app: &App,
    signed_in: &SignedIn,
    address: IpAddr,
    which: Others,
) -> Result<u64, Error> {
    let user = &signed_in.user.id;
    let mut tx = app.db.write().await?;
    // Two browsers that sign each other out would wait for each other's session.
    users::lock(&mut tx, user).await?;
    let ended = match &which {
        Others::One(id) => u64::from(sessions::delete(&mut tx, id, user).await?),
        Others::All => sessions::delete_others(&mut tx, user, &signed_in.session.id).await?,
    };
    if ended > 0 {
        let event = Event {
            org: Some(&signed_in.org.id),
            action: "session.ended",
            target: match which {
                Others::One(id) => format!("session:{id}"),
                Others::All => format!("user:{user}"),
            },
            detail: serde_json::json!({ "sessions": ended }),
        };
        audit::record(&mut tx, &signed_in.actor(address), app.clock.now(), event).await?;
    }
    tx.commit().await?;
    Ok(ended)
}

/// Turns the session to another organization of the person. `false` when the person isn't in it.
pub async fn switch_org(
    app: &App,
    signed_in: &SignedIn,
    address: IpAddr,
    org: &OrgId,
) -> Result<bool, Error> {
    let session = &signed_in.session.id;
    let mut tx = app.db.write().await?;
    let membership = users::find_membership(&mut tx, &signed_in.user.id, org).await?;
    if membership.is_none() {
        return Ok(false);
    }
    if *org != signed_in.org.id {
        sessions::switch(&mut tx, session, org).await?;
        // In the log of the organization that is seen from now on; where the person came from is
        // none of its business.
        let event = Event {
            org: Some(org),
            action: "session.switched",
            target: format!("session:{session}"),
            detail: serde_json::json!({}),
        };
        audit::record(&mut tx, &signed_in.actor(address), app.clock.now(), event).await?;
        tx.commit().await?;
    }
    Ok(true)
}

/// The organizations that a person can switch between.
pub async fn organizations_of(app: &App, user: &UserId) -> Result<Vec<Organization>, Error> {
    const SHOWN: i64 = 100;
    let mut conn = app.db.read().await?;
    organizations::list_of_user(&mut conn, user, SHOWN).await
}
