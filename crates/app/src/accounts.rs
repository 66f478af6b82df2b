//! People: signing in and out, sessions, set-up links, passwords.

use std::net::IpAddr;
use std::time::Duration;

use headshot_domain::{Email, Entropy, OrgId, Role, SessionId, Timestamp, UserId, entropy};
use headshot_storage::organizations::{self, Organization};
use headshot_storage::sessions::{self, Session};
use headshot_storage::sign_in::{self, LinkPurpose, OneTimeLink};
use headshot_storage::users::{self, User};
use headshot_storage::{Error, WriteTx};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::App;
use crate::audit::{self, Actor, Event};
use crate::passwords::{self, Password, Unusable};
use crate::rate_limit;

/// A session ends after this long without use.
pub const IDLE_TIMEOUT: Duration = Duration::from_hours(12);
/// A session ends after this long whatever happens.
pub const ABSOLUTE_TIMEOUT: Duration = Duration::from_hours(7 * 24);
/// How old a password may be for making and deleting keys.
pub const RECENT: Duration = Duration::from_mins(10);
/// How long a set-up or reset link works.
pub const SETUP_LINK_LIFE: Duration = Duration::from_hours(7 * 24);
/// How long a sign-in link works.
pub const SIGN_IN_LINK_LIFE: Duration = Duration::from_hours(2);
/// Uses of a session closer together than this are not written down one by one.
const TOUCH_EVERY: Duration = Duration::from_mins(1);

/// How long a page waits for the use of a session to be noted.
const TOUCH_PATIENCE: Duration = Duration::from_millis(250);

/// The stretch of time over which failed sign-ins are counted.
pub const FAILURE_WINDOW: Duration = Duration::from_mins(15);
/// Failed sign-ins of one account in a window, from browsers that never signed in to it.
pub const ACCOUNT_FAILURES_MAX: i64 = 10;
/// Failed sign-ins of one browser that has signed in to the account before. Strangers can't use
/// these up, so they can't lock the owner out.
pub const DEVICE_FAILURES_MAX: i64 = 10;
/// Failed sign-ins from one address (IPv6: /64), whatever the account.
pub const ADDRESS_FAILURES_MAX: i64 = 50;

/// A random text for a cookie or a link: 43 characters of base 64, 256 bits.
pub fn new_token(entropy: &dyn Entropy) -> String {
    data_encoding::BASE64URL_NOPAD.encode(&entropy::bytes::<32>(entropy))
}

/// What is stored of a token.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The text that a form carries to show that this browser asked for it; it follows from the
/// cookie's token and does not reveal it.
pub fn csrf_token(token: &str) -> String {
    keyed_text(token, b"headshot form")
}

/// Whether `given` is the form text of `token`. Takes the same time for every wrong one.
pub fn csrf_matches(token: &str, given: &str) -> bool {
    subtle::ConstantTimeEq::ct_eq(csrf_token(token).as_bytes(), given.as_bytes()).into()
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed_text(key: &str, purpose: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key length");
    mac.update(purpose);
    data_encoding::BASE64URL_NOPAD.encode(&mac.finalize().into_bytes())
}

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
    /// The person for the audit log.
    pub fn actor(&self, address: IpAddr) -> Actor {
        Actor::user(&self.user.id, &self.user.email, address)
    }

    /// Whether the password was given lately enough for making and deleting keys.
    pub fn is_recent(&self, now: Timestamp) -> bool {
        now.since(self.session.authenticated_at) < RECENT
    }
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
    subjects.give_back(&mut tx).await?;
    let session = begin_session(app, &mut tx, visitor, (&user, app.clock.now())).await?;
    tx.commit().await?;
    Ok(session)
}

/// What failures are counted by.
struct Subjects {
    /// The account, for this kind of browser, and how many failures it may have.
    account: (String, i64),
    address: (String, i64),
}

impl Subjects {
    fn of(app: &App, visitor: &Visitor, email_key: &str) -> Self {
        let account = data_encoding::HEXLOWER.encode(&token_hash(email_key)[..12]);
        let known = visitor
            .device
            .as_deref()
            .filter(|device| *device == device_cookie(app, email_key, device));
        let account = match known {
            Some(device) => {
                let device = data_encoding::HEXLOWER.encode(&token_hash(device)[..12]);
                (format!("device:{account}:{device}"), DEVICE_FAILURES_MAX)
            }
            None => (format!("account:{account}"), ACCOUNT_FAILURES_MAX),
        };
        let address = format!("address:{}", rate_limit::subject(visitor.address));
        Self {
            account,
            address: (address, ADDRESS_FAILURES_MAX),
        }
    }

    /// Takes one try of the account and one of the address, before the password is looked at: tries
    /// that run at the same time count each other. A right password gives them back.
    async fn take_try(&self, app: &App, visitor: &Visitor) -> Result<(), SignInError> {
        let now = app.clock.now();
        let stale = now.minus(FAILURE_WINDOW);
        let both = [&self.account, &self.address];
        // Who is throttled already costs no write.
        let mut throttled = None;
        {
            let mut conn = app.db.read().await?;
            for (subject, max) in both {
                let failures = sign_in::find_failures(&mut conn, subject, stale).await?;
                let failures = failures.filter(|failures| failures.count >= *max);
                throttled = throttled.max(failures.map(|failures| failures.since));
            }
        }
        if let Some(since) = throttled {
            return Err(SignInError::Throttled {
                retry_at: since.plus(FAILURE_WINDOW),
            });
        }
        let mut tx = app.db.write().await?;
        for (subject, max) in both {
            let failures = sign_in::count_failure(&mut tx, subject, now, stale).await?;
            if failures.count > *max {
                throttled = Some(failures.since);
            }
            if failures.count == *max {
                let event = Event {
                    org: None,
                    action: "sign-in.throttled",
                    target: subject.clone(),
                    detail: serde_json::json!({ "tries": max }),
                };
                audit::record(&mut tx, &Actor::visitor(visitor.address), now, event).await?;
            }
        }
        tx.commit().await?;
        match throttled {
            None => Ok(()),
            Some(since) => Err(SignInError::Throttled {
                retry_at: since.plus(FAILURE_WINDOW),
            }),
        }
    }

    /// After a right password: the account's failures are forgotten, the address gets its try back.
    async fn give_back(&self, tx: &mut WriteTx) -> Result<(), Error> {
        sign_in::clear_failures(tx, &self.account.0).await?;
        sign_in::give_back_try(tx, &self.address.0).await
    }
}

/// The device cookie of a browser that signed in to an account: `<random>.<proof>`. Given one, the
/// same comes back if it belongs to the account.
fn device_cookie(app: &App, email_key: &str, given: &str) -> String {
    let random = given.split('.').next().unwrap_or_default();
    let proof = keyed_text(
        &app.settings.cookie_secret,
        format!("{email_key}\n{random}").as_bytes(),
    );
    format!("{random}.{proof}")
}

async fn begin_session(
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
    subjects.give_back(&mut tx).await?;
    sessions::authenticated(&mut tx, &signed_in.session.id, app.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// A person's sessions, newest use first.
pub async fn list_sessions(app: &App, user: &UserId) -> Result<Vec<Session>, Error> {
    let now = app.clock.now();
    let mut conn = app.db.read().await?;
    sessions::list(&mut conn, user, (now, now.minus(IDLE_TIMEOUT))).await
}

/// Signs this browser out.
pub async fn sign_out(app: &App, signed_in: &SignedIn) -> Result<(), Error> {
    let mut tx = app.db.write().await?;
    sessions::delete(&mut tx, &signed_in.session.id, &signed_in.user.id).await?;
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
pub async fn switch_org(app: &App, signed_in: &SignedIn, org: &OrgId) -> Result<bool, Error> {
    let mut tx = app.db.write().await?;
    let is_member = users::find_membership(&mut tx, &signed_in.user.id, org)
        .await?
        .is_some();
    if is_member {
        sessions::switch(&mut tx, &signed_in.session.id, org).await?;
        tx.commit().await?;
    }
    Ok(is_member)
}

/// The organizations that a person can switch between.
pub async fn organizations_of(app: &App, user: &UserId) -> Result<Vec<Organization>, Error> {
    const SHOWN: i64 = 100;
    let mut conn = app.db.read().await?;
    organizations::list_of_user(&mut conn, user, SHOWN).await
}

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
    if !sign_in::delete_link(&mut tx, &token_hash(token)).await? {
        return Err(SetPasswordError::LinkGone);
    }
    if let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) {
        let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
        users::set_name(&mut tx, &link.user.id, &name).await?;
    }
    change_password(app, &mut tx, (&link.user, &hash), visitor.address, None).await?;
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
    let keep = Some(&signed_in.session.id);
    change_password(
        app,
        &mut tx,
        (&signed_in.user, &hash),
        visitor.address,
        keep,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

async fn change_password(
    app: &App,
    tx: &mut WriteTx,
    (user, hash): (&User, &str),
    address: IpAddr,
    keep: Option<&SessionId>,
) -> Result<(), Error> {
    users::set_password(tx, &user.id, hash).await?;
    sign_in::delete_links_of_user(tx, &user.id).await?;
    let nobody = SessionId::from("");
    sessions::delete_others(tx, &user.id, keep.unwrap_or(&nobody)).await?;
    let actor = Actor::user(&user.id, &user.email, address);
    record_of_person(app, tx, &actor, (&user.id, "password.set")).await
}

/// Records what concerns a person in each of the person's organizations, whose admins see it.
async fn record_of_person(
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
    if !sign_in::delete_link(&mut tx, &token_hash(token)).await? {
        return Ok(None);
    }
    let session = begin_session(app, &mut tx, visitor, (&link.user, NO_PASSWORD_GIVEN)).await?;
    tx.commit().await?;
    Ok(Some(session))
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
    let token = insert_link(app, &mut tx, &user.id, purpose).await?;
    let action = match purpose {
        LinkPurpose::Setup => "link.setup",
        LinkPurpose::Reset => "link.reset",
        LinkPurpose::SignIn => "link.sign-in",
    };
    record_of_person(app, &mut tx, actor, (&user.id, action)).await?;
    tx.commit().await?;
    Ok(Some(token))
}

/// Stores a one-time link and returns its token.
pub(crate) async fn insert_link(
    app: &App,
    tx: &mut WriteTx,
    user: &UserId,
    purpose: LinkPurpose,
) -> Result<String, Error> {
    let now = app.clock.now();
    let life = match purpose {
        LinkPurpose::Setup | LinkPurpose::Reset => SETUP_LINK_LIFE,
        LinkPurpose::SignIn => SIGN_IN_LINK_LIFE,
    };
    let link = OneTimeLink {
        user: user.clone(),
        purpose,
        expires_at: now.plus(life),
    };
    let token = new_token(&*app.entropy);
    sign_in::insert_link(tx, &link, &token_hash(&token), now).await?;
    Ok(token)
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
