//! Invites: a person is asked to join, and joins.

use std::time::Duration;

use headshot_domain::{
    Credits, Email, InviteId, InviteState, ModelId, ModelStatus, ModelVersion, OrgId, Role, TeamId,
    Timestamp,
};
use headshot_storage::invites;
use headshot_storage::models::Model;
use headshot_storage::organizations::Organization;
use headshot_storage::tallies::{self, Tally};
use headshot_storage::users::User;
use headshot_storage::{Error, ReadConn, WriteTx, members, models, organizations, teams, users};

use crate::App;
use crate::accounts;
use crate::audit::{self, Actor, Event};
use crate::idempotency::Once;
use crate::mail;
use crate::maintenance::Each;
use crate::page::{Page, STEP, Slice};

pub use headshot_storage::invites::Invite;

/// How long an invite can be used (contract: invites.md).
pub const LIFE: Duration = Duration::from_hours(30 * 24);

/// Open invites that an organization may have whatever its credits.
pub const OPEN_MIN: i64 = 100;

/// Open invites for each credit beyond [`OPEN_MIN`].
pub const OPEN_PER_CREDIT: i64 = 10;

/// Open invites where credits are not counted.
pub const OPEN_UNCOUNTED: i64 = 10_000;

/// Invites that ran out which one transaction closes.
const RUN_OUT_MAX: i64 = 200;

/// Why nobody can be invited.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The organization has no such team.
    #[error("Team not found")]
    NoSuchTeam,
    /// An invite to the address is open.
    #[error("An invite for this email already exists")]
    AlreadyInvited,
    /// A member has the address.
    #[error("A member with this email already exists")]
    AlreadyMember,
    /// Too many invites are open.
    #[error("Invite limit exceeded")]
    LimitExceeded,
    /// No credit is left to reserve.
    #[error("Insufficient credits")]
    InsufficientCredits,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Invites a person: the invite, its mail and the reserved credit are one transaction.
pub async fn create(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    (email, team): (&Email, Option<&TeamId>),
    once: Once<'_, Invite>,
) -> Result<Invite, CreateError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    // From here on no other transaction invites, so that the limits below hold.
    tallies::lock_credits(&mut tx, org).await?;
    close_run_out(app, &mut tx, org).await?;
    let found = found(organizations::find(&mut tx, org).await?)?;
    let team = match team {
        None => None,
        Some(id) => match teams::find(&mut tx, org, id).await? {
            None => return Err(CreateError::NoSuchTeam),
            some => some,
        },
    };
    if let Some(invite) = invites::find_by_email(&mut tx, org, &email.key()).await?
        && invite.is_open(now)
    {
        return Err(CreateError::AlreadyInvited);
    }
    if members::find_by_email(&mut tx, org, email).await?.is_some() {
        return Err(CreateError::AlreadyMember);
    }
    let reserved = reserve(app, &mut tx, &found).await?;
    let invite = Invite {
        id: InviteId::generate(&*app.entropy),
        org: org.clone(),
        email: email.as_str().to_owned(),
        team,
        created_by: actor.label.clone(),
        created_at: now,
        expires_at: now.plus(LIFE),
        state: InviteState::Open,
        reserved,
        used_at: None,
        session: None,
    };
    invites::insert(&mut tx, &invite, email).await?;
    mail::invited(app, &mut tx, (&found, &invite)).await?;
    record(app, &mut tx, actor, ("invite.created", &invite)).await?;
    once.keep(app, &mut tx, &invite).await?;
    tx.commit().await?;
    Ok(invite)
}

/// What an invite holds back, when the organization's limits allow one more.
async fn reserve(app: &App, tx: &mut WriteTx, org: &Organization) -> Result<Credits, CreateError> {
    let open = tallies::get(tx, &org.id, Tally::OpenInvites).await?;
    let (balance, reserved) = tallies::lock_credits(tx, &org.id).await?;
    let counted = (!org.credits_unlimited).then_some(balance);
    if open >= open_max(app.settings.open_invites_max, counted) {
        return Err(CreateError::LimitExceeded);
    }
    if org.credits_unlimited {
        return Ok(Credits::ZERO);
    }
    let cost = org.package.cost();
    if balance.hundredths() - reserved.hundredths() < cost.hundredths() {
        return Err(CreateError::InsufficientCredits);
    }
    Ok(cost)
}

/// How many invites may be open: what the operator set (0 is no limit), or by the credits where they
/// are counted.
fn open_max(set: Option<i64>, balance: Option<Credits>) -> i64 {
    match (set, balance) {
        (Some(0), _) => i64::MAX,
        (Some(max), _) => max,
        (None, None) => OPEN_UNCOUNTED,
        (None, Some(balance)) => {
            OPEN_MIN.max((balance.hundredths() / 100).saturating_mul(OPEN_PER_CREDIT))
        }
    }
}

fn found(org: Option<Organization>) -> Result<Organization, Error> {
    org.ok_or(Error::Corrupt {
        table: "api_keys",
        column: "org_id",
    })
}

/// Frees the credits of invites that ran out unused.
async fn close_run_out(app: &App, tx: &mut WriteTx, org: &OrgId) -> Result<(), Error> {
    for invite in invites::run_out(tx, org, app.clock.now(), RUN_OUT_MAX).await? {
        invites::close(tx, &invite, InviteState::Expired).await?;
    }
    Ok(())
}

/// Frees the credits of invites that ran out, in all organizations.
pub(crate) async fn expire(app: &App) -> Result<(), Error> {
    loop {
        let run_out = {
            let mut conn = app.db.read().await?;
            invites::run_out_anywhere(&mut conn, app.clock.now(), RUN_OUT_MAX).await?
        };
        let mut all = Each::of(app, "an invite that ran out was not closed");
        for (org, id) in run_out {
            all.note(&org, close(app, (&org, &id)).await);
        }
        if all.done == 0 {
            return all.result();
        }
    }
}

/// Closes an invite that ran out, unless somebody was faster.
async fn close(app: &App, (org, id): (&OrgId, &InviteId)) -> Result<(), Error> {
    let mut tx = app.db.write().await?;
    organizations::lock(&mut tx, org).await?;
    let invite = invites::find(&mut tx, id).await?;
    if let Some(invite) = invite.filter(|invite| invite.state == InviteState::Open) {
        invites::close(&mut tx, &invite, InviteState::Expired).await?;
    }
    tx.commit().await
}

async fn record(
    app: &App,
    tx: &mut WriteTx,
    actor: &Actor,
    (action, invite): (&'static str, &Invite),
) -> Result<(), Error> {
    let event = Event {
        org: Some(&invite.org),
        action,
        // The id opens the invite, so the log names the address.
        target: format!("invite:{}", invite.email),
        detail: serde_json::json!({ "team": invite.team.as_ref().map(|team| &team.name) }),
    };
    audit::record(tx, actor, app.clock.now(), event).await
}

/// Why an invite can't be revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// Nobody with that address was invited.
    #[error("Invite not found")]
    NotFound,
    /// The person has joined.
    #[error("This invite was used already")]
    AlreadyUsed,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Revokes the newest invite to an address and frees its credit. Revoking twice is no error: a
/// client that repeats itself gets what it wants.
pub async fn revoke(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    email: &Email,
    once: Once<'_, Email>,
) -> Result<(), RevokeError> {
    let mut tx = app.db.write().await?;
    tallies::lock_credits(&mut tx, org).await?;
    let invite = invites::find_by_email(&mut tx, org, &email.key()).await?;
    let invite = invite.ok_or(RevokeError::NotFound)?;
    match invite.state {
        InviteState::Used => return Err(RevokeError::AlreadyUsed),
        InviteState::Revoked => {}
        InviteState::Open | InviteState::Expired => {
            invites::close(&mut tx, &invite, InviteState::Revoked).await?;
            record(app, &mut tx, actor, ("invite.revoked", &invite)).await?;
        }
    }
    once.keep(app, &mut tx, email).await?;
    tx.commit().await?;
    Ok(())
}

/// The newest invite to an address, or of the member with this address.
pub async fn find_by_email(app: &App, org: &OrgId, email: &str) -> Result<Option<Invite>, Error> {
    let mut conn = app.db.read().await?;
    let key = email.trim().to_lowercase();
    invites::find_by_email(&mut conn, org, &headshot_domain::storable(&key)).await
}

/// The organization's invite with this id.
pub async fn find(app: &App, org: &OrgId, id: &InviteId) -> Result<Option<Invite>, Error> {
    let mut conn = app.db.read().await?;
    let invite = invites::find(&mut conn, id).await?;
    Ok(invite.filter(|invite| invite.org == *org))
}

/// A page of invites, newest first.
pub async fn list(app: &App, org: &OrgId, slice: Slice) -> Result<Page<Invite>, Error> {
    let mut conn = app.db.read().await?;
    let items = invites::list(&mut conn, org, slice.bounds()).await?;
    let total = tallies::get(&mut conn, org, Tally::Invites).await?;
    Ok(Page::new(items, total, slice))
}

/// All invites, newest first, some at a time.
#[derive(Debug)]
pub struct Walk {
    conn: ReadConn,
    org: OrgId,
    last: Option<Invite>,
}

impl Walk {
    /// From the newest one on.
    pub async fn start(app: &App, org: &OrgId) -> Result<Self, Error> {
        Ok(Self {
            conn: app.db.read().await?,
            org: org.clone(),
            last: None,
        })
    }

    /// The next ones; none at the end.
    pub async fn next(&mut self) -> Result<Vec<Invite>, Error> {
        let last = self.last.as_ref();
        let items = invites::after(&mut self.conn, &self.org, last, STEP).await?;
        self.last = items.last().cloned();
        Ok(items)
    }
}

/// The address that an invite's mail leads to.
pub fn link(app: &App, id: &InviteId) -> String {
    format!("{}/auth/signup?invite={id}", app.settings.public_url)
}

/// Why an invite can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// There is no such invite.
    #[error("This invite does not exist.")]
    NotFound,
    /// It was withdrawn, used, or ran out.
    #[error("This invite can't be used any more. Ask for a new one.")]
    Closed,
    /// The person is a member of the organization already.
    #[error("You are a member of this organization already. Sign in instead.")]
    AlreadyMember,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// What an invite says to the person who opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Who invites.
    pub org_name: String,
    /// Who is invited.
    pub email: String,
    /// Until when it can be used.
    pub expires_at: Timestamp,
}

/// Looks at an invite without using it.
pub async fn look(app: &App, id: &InviteId) -> Result<Invitation, JoinError> {
    let mut conn = app.db.read().await?;
    let invite = invites::find(&mut conn, id).await?;
    let invite = invite.ok_or(JoinError::NotFound)?;
    if !invite.is_open(app.clock.now()) {
        return Err(JoinError::Closed);
    }
    let org = found(organizations::find(&mut conn, &invite.org).await?)?;
    Ok(Invitation {
        org_name: org.name,
        email: invite.email,
        expires_at: invite.expires_at,
    })
}

/// The session that a used invite led to.
pub async fn led_to(app: &App, id: &InviteId) -> Result<Option<ModelId>, Error> {
    let mut conn = app.db.read().await?;
    let invite = invites::find(&mut conn, id).await?;
    let session = invite.and_then(|invite| invite.session);
    Ok(session.map(|(model, _, _)| model))
}

/// A person who joined. Prints without the link's token.
#[derive(Clone)]
pub struct Joined {
    /// The person.
    pub user: User,
    /// The person's new session.
    pub model: Model,
    /// Opens the session, and nothing else: whoever held the invite has not shown who they are.
    pub token: String,
}

impl std::fmt::Debug for Joined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Joined")
            .field("user", &self.user)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// Uses an invite: the person becomes a member, joins the invite's team, and gets a session that
/// takes the reserved credit over.
pub async fn join(
    app: &App,
    id: &InviteId,
    (email, name): (&Email, Option<&str>),
) -> Result<Joined, JoinError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let invite = invites::find(&mut tx, id).await?;
    let org = invite.ok_or(JoinError::NotFound)?.org;
    organizations::lock(&mut tx, &org).await?;
    // Read again: what was found may be older than the lock.
    let invite = invites::find(&mut tx, id).await?;
    let invite = invite.ok_or(JoinError::NotFound)?;
    if !invite.is_open(now) {
        return Err(JoinError::Closed);
    }
    let user = accounts::account(app, &mut tx, email, name).await?;
    let team = invite.team.as_ref().map(|team| &team.id);
    let membership = users::find_membership(&mut tx, &user.id, &invite.org).await?;
    if membership.is_some() {
        return Err(JoinError::AlreadyMember);
    }
    users::insert_membership(&mut tx, &invite.org, &user.id, (Role::Member, team), now).await?;
    let title = name.or(user.name.as_deref()).unwrap_or_default().to_owned();
    let model = Model {
        id: ModelId::generate(&*app.entropy),
        org: invite.org.clone(),
        user: user.id.clone(),
        uid: user.id.to_string(),
        email: user.email.clone(),
        title,
        gender: None,
        status: ModelStatus::Onboarding,
        team: invite.team.clone(),
        development: false,
        version: ModelVersion::Lora,
        reserved: invite.reserved,
        charged: Credits::ZERO,
        favorite: None,
        created_at: now,
        started_at: None,
        submitted_at: None,
        finished_at: None,
        deleted_at: None,
        invite_expires_at: Some(invite.expires_at),
    };
    models::insert(&mut tx, &model).await?;
    let token = accounts::new_token(&*app.entropy);
    let life = (now, now.plus(LIFE));
    models::insert_link(&mut tx, &model.id, &accounts::token_hash(&token), life).await?;
    match invites::mark_used(&mut tx, &invite, (&user.id, email), (&model.id, now)).await {
        Err(Error::Conflict) => return Err(JoinError::Closed),
        done => done?,
    }
    crate::models::announce(app, &mut tx, crate::models::News::Created, &model).await?;
    let actor = Actor {
        label: format!("user:{} {}", user.id, user.email),
        address: None,
        standing: None,
    };
    record(app, &mut tx, &actor, ("invite.used", &invite)).await?;
    tx.commit().await?;
    Ok(Joined { user, model, token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_invites_are_limited_by_the_credits_or_the_operator() {
        let counted = |credits| open_max(None, Some(Credits::whole(credits)));
        assert_eq!((counted(0), counted(10), counted(11)), (100, 100, 110));
        assert_eq!(open_max(None, None), 10_000);
        assert_eq!(open_max(Some(3), Some(Credits::whole(11))), 3);
        assert_eq!(open_max(Some(0), None), i64::MAX);
    }
}
