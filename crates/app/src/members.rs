//! Members: people of an organization who get headshots.

use headshot_domain::{Email, InviteState, MemberStage, ModelStatus, OrgId, Role};
use headshot_storage::tallies::{self, Tally};
use headshot_storage::users::{self, User};
use headshot_storage::{
    Error, ReadConn, WriteTx, invites, members, models, organizations, sessions,
};

use crate::App;
use crate::accounts;
use crate::audit::{self, Actor, Event};
use crate::models::DeleteError;
use crate::page::{Page, Slice};

pub use headshot_storage::members::Member;

/// A page of members, newest first.
pub async fn list(
    app: &App,
    org: &OrgId,
    stage: Option<MemberStage>,
    slice: Slice,
) -> Result<Page<Member>, Error> {
    let mut conn = app.db.read().await?;
    let items = members::list(&mut conn, org, stage, slice.bounds()).await?;
    let total = match stage {
        Some(stage) => tallies::get(&mut conn, org, Tally::Members(stage)).await?,
        None => tallies::members(&mut conn, org).await?,
    };
    Ok(Page::new(items, total, slice))
}

/// All members at a stage, newest first, some at a time.
#[derive(Debug)]
pub struct Walk {
    conn: ReadConn,
    org: OrgId,
    stage: MemberStage,
    last: Option<Member>,
}

impl Walk {
    /// From the newest one on.
    pub async fn start(app: &App, org: &OrgId, stage: MemberStage) -> Result<Self, Error> {
        Ok(Self {
            conn: app.db.read().await?,
            org: org.clone(),
            stage,
            last: None,
        })
    }

    /// The next ones; none at the end.
    pub async fn next(&mut self) -> Result<Vec<Member>, Error> {
        let last = self.last.as_ref();
        let items = members::after(
            &mut self.conn,
            &self.org,
            self.stage,
            last,
            crate::page::STEP,
        )
        .await?;
        self.last = items.last().cloned();
        Ok(items)
    }
}

/// Why a member can't be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// Nobody in the organization has this address.
    #[error("nobody in the organization has the address {0}")]
    NotFound(Email),
    /// An organization keeps its owner.
    #[error("the owner can't be removed")]
    Owner,
    /// The person keeps beginning new sessions.
    #[error("the member can't be removed while new sessions are begun")]
    Busy,
    /// A session can't be deleted.
    #[error(transparent)]
    Session(#[from] DeleteError),
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Why a member can't begin again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// Nobody in the organization has this address.
    #[error("nobody in the organization has the address {0}")]
    NotFound(Email),
    /// The member's session can't be begun again.
    #[error(transparent)]
    Session(#[from] crate::models::RetryError),
    /// No credit is left for another session.
    #[error("no credit is left for another session")]
    InsufficientCredits,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Lets a member begin again: in the session that is there (see [`crate::models::retry`]), or, where
/// none is left, in a new one.
pub async fn retry(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    email: &Email,
) -> Result<(), RetryError> {
    let not_found = || RetryError::NotFound(email.clone());
    let mut tx = app.db.write().await?;
    tallies::lock_credits(&mut tx, org).await?;
    let user = members::find_by_email(&mut tx, org, email).await?;
    let user = user.ok_or_else(not_found)?;
    let newest = models::find_of_user(&mut tx, org, &user).await?;
    let newest = match newest {
        Some(newest) if newest.status != ModelStatus::Deleted => {
            drop(tx);
            crate::models::retry(app, (org, actor), &newest.id).await?;
            return Ok(());
        }
        deleted => deleted,
    };
    let user = users::find(&mut tx, &user).await?.ok_or_else(not_found)?;
    let begun = crate::models::begin_anew(app, &mut tx, (org, actor), (&user, newest.as_ref()));
    if begun.await?.is_none() {
        return Err(RetryError::InsufficientCredits);
    }
    tx.commit().await?;
    Ok(())
}

/// Sessions that are deleted at a time.
const AT_ONCE: i64 = 100;

/// How often sessions are looked for that were begun meanwhile.
const ROUNDS_MAX: usize = 100;

/// Removes a member with all headshots, uploads and open invites, and the mails about them, at once
/// and for good (contract: data-lifecycle.md). The person's own account stays, outside of the
/// organization; one that existed for sessions only goes as well. Cut off in the middle, it can be
/// called again.
pub async fn remove(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    email: &Email,
) -> Result<(), RemoveError> {
    let not_found = || RemoveError::NotFound(email.clone());
    let user = {
        let mut conn = app.db.read().await?;
        let user = users::find_by_email(&mut conn, email).await?;
        user.ok_or_else(not_found)?
    };
    for round in 0..ROUNDS_MAX {
        let mut tx = app.db.write().await?;
        // A session that is begun now waits.
        organizations::lock(&mut tx, org).await?;
        let membership = users::find_membership(&mut tx, &user.id, org).await?;
        // Later it may have gone with the last session of a person who existed for sessions only.
        if round == 0 && membership.is_none() {
            return Err(not_found());
        }
        if membership.is_some_and(|membership| membership.role == Role::Owner) {
            return Err(RemoveError::Owner);
        }
        let live = models::live_of_user(&mut tx, (org, &user.id), AT_ONCE).await?;
        if live.is_empty() {
            leave(app, &mut tx, (org, actor), (&user, email)).await?;
            tx.commit().await?;
            return Ok(());
        }
        drop(tx);
        for model in live {
            match crate::models::delete(app, (org, actor), &model).await {
                Ok(()) | Err(DeleteError::AlreadyDeleted) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Err(RemoveError::Busy)
}

async fn leave(
    app: &App,
    tx: &mut WriteTx,
    (org, actor): (&OrgId, &Actor),
    (user, email): (&User, &Email),
) -> Result<(), Error> {
    if let Some(invite) = invites::find_by_email(tx, org, &email.key()).await?
        && matches!(invite.state, InviteState::Open | InviteState::Expired)
    {
        invites::close(tx, &invite, InviteState::Revoked).await?;
    }
    crate::mail::forget_invited(tx, (org, email)).await?;
    models::forget_addresses(tx, org, &user.id).await?;
    if !accounts::end_anonymous(tx, (org, &user.id)).await? {
        members::remove(tx, org, &user.id).await?;
        sessions::delete_in(tx, &user.id, org).await?;
    }
    let event = Event {
        org: Some(org),
        action: "member.removed",
        target: format!("user:{}", user.id),
        detail: serde_json::json!({ "name": user.email }),
    };
    audit::record(tx, actor, app.clock.now(), event).await
}
