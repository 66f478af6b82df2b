//! Models: one person's headshot session, from its creation to its deletion.

use std::time::Duration;

use headshot_domain::{
    Credits, Email, JobKind, ModelEvent, ModelId, ModelStatus, ModelVersion, OrgId, PhotoStatus,
    Role, TeamId, Timestamp, entropy,
};
use headshot_storage::models;
use headshot_storage::organizations::Organization;
use headshot_storage::users::User;
use headshot_storage::{
    Error, WriteTx, invites as invite_rows, organizations, people, photos, tallies, teams, users,
};

use crate::App;
use crate::accounts;
use crate::audit::{self, Actor, Event};
use crate::credits;
use crate::idempotency::Once;
use crate::invites;
use crate::jobs::{self, NewJob};
use crate::mail;
use crate::maintenance::Each;
use crate::objects;
use crate::page::{Page, Slice};
use crate::shoots;
use crate::webhooks;

pub use headshot_storage::models::{Filter, Model};

/// What a person without an account is called.
const ANONYMOUS: &str = "anon_";

/// Something that receivers of webhooks are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// A session was created.
    Created,
    /// Its status changed.
    StatusUpdated,
    /// Its headshots are ready.
    PhotosReady,
    /// The person chose a photo.
    FavoriteSelected,
    /// It was deleted.
    Deleted,
}

/// Tells the organization's receiver, in the transaction that makes the news.
pub(crate) async fn announce(
    app: &App,
    tx: &mut WriteTx,
    news: News,
    model: &Model,
) -> Result<(), Error> {
    webhooks::emit(app, tx, news.into(), model).await
}

/// A page of models, newest first.
pub async fn list(
    app: &App,
    org: &OrgId,
    filter: Filter<'_>,
    slice: Slice,
) -> Result<Page<Model>, Error> {
    let mut conn = app.db.read().await?;
    let items = models::list(&mut conn, org, filter, slice.bounds()).await?;
    let total = tallies::models(&mut conn, org, filter.status, filter.team).await?;
    Ok(Page::new(items, total, slice))
}

/// The organization's model with this id.
pub async fn find(app: &App, org: &OrgId, id: &ModelId) -> Result<Option<Model>, Error> {
    let mut conn = app.db.read().await?;
    models::find(&mut conn, org, id).await
}

/// A session that a partner's server asks for.
#[derive(Debug, Clone)]
pub struct NewModel {
    /// The person's address.
    pub email: Email,
    /// The person's team.
    pub team: Option<TeamId>,
    /// Whether it is a test, which costs nothing.
    pub development: bool,
    /// The engine.
    pub version: ModelVersion,
}

/// A created session.
#[derive(Debug, Clone)]
pub struct Created {
    /// The session.
    pub model: Model,
    /// What opens it: the URL to embed.
    pub signed_url: String,
}

/// Why a session can't be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The organization may not create sessions through the API.
    #[error("Whitelabel is not enabled for this organization")]
    NotEnabled,
    /// The organization has no such team.
    #[error("Team not found")]
    NoSuchTeam,
    /// Somebody has an account with the address.
    #[error(
        "A user with this email already exists. You can solve this by appending a suffix to the \
         email, such as name+1@example.com"
    )]
    AlreadyExists,
    /// Somebody was invited with the address, and has not joined yet.
    #[error("An invite for this email already exists")]
    AlreadyInvited,
    /// No credit is left to reserve.
    #[error("Insufficient credits")]
    InsufficientCredits,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Whether an organization may create sessions through the API.
///
/// # Errors
/// [`CreateError::NotEnabled`] when it may not.
pub async fn check_enabled(app: &App, org: &OrgId) -> Result<(), CreateError> {
    let mut conn = app.db.read().await?;
    let found = organizations::find(&mut conn, org).await?;
    if found.is_some_and(|org| org.whitelabel) {
        Ok(())
    } else {
        Err(CreateError::NotEnabled)
    }
}

/// Creates a session for a person without an account, and the URL that opens it.
pub async fn create(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    new: &NewModel,
    once: Once<'_, Created>,
) -> Result<Created, CreateError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let (balance, held) = tallies::lock_credits(&mut tx, org).await?;
    let found = organization(&mut tx, org).await?;
    if !found.whitelabel {
        return Err(CreateError::NotEnabled);
    }
    let team = match &new.team {
        None => None,
        Some(id) => match teams::find(&mut tx, org, id).await? {
            None => return Err(CreateError::NoSuchTeam),
            some => some,
        },
    };
    // Two sessions would wait for one person, and whoever is a member can't use an invite.
    let invite = invite_rows::find_by_email(&mut tx, org, &new.email.key()).await?;
    if invite.is_some_and(|invite| invite.is_open(now)) {
        return Err(CreateError::AlreadyInvited);
    }
    let user = newcomer(app, &mut tx, org, &new.email).await?;
    let reserved = if found.credits_unlimited || new.development {
        Credits::ZERO
    } else if balance.hundredths() - held.hundredths() < found.package.cost().hundredths() {
        return Err(CreateError::InsufficientCredits);
    } else {
        found.package.cost()
    };
    let place = (Role::Member, team.as_ref().map(|team| &team.id));
    users::insert_membership(&mut tx, org, &user.id, place, now).await?;
    let name = entropy::characters(&*app.entropy, b"0123456789abcdefghijklmnopqrstuvwxyz", 12);
    let model = Model {
        id: ModelId::generate(&*app.entropy),
        org: org.clone(),
        user: user.id,
        uid: format!("{ANONYMOUS}{name}"),
        email: user.email,
        title: String::new(),
        gender: None,
        status: ModelStatus::Onboarding,
        team,
        development: new.development,
        version: new.version,
        reserved,
        charged: Credits::ZERO,
        favorite: None,
        created_at: now,
        // The partner has put the person into the onboarding.
        started_at: Some(now),
        submitted_at: None,
        finished_at: None,
        deleted_at: None,
        invite_expires_at: Some(now.plus(invites::LIFE)),
    };
    models::insert(&mut tx, &model).await?;
    let token = accounts::new_token(&*app.entropy);
    let life = (now, now.plus(invites::LIFE));
    models::insert_link(&mut tx, &model.id, &accounts::token_hash(&token), life).await?;
    announce(app, &mut tx, News::Created, &model).await?;
    record(app, &mut tx, actor, ("model.created", &model)).await?;
    let created = Created {
        signed_url: format!(
            "{}/auth/social?token={token}&anonymous=1",
            app.settings.public_url
        ),
        model,
    };
    once.keep(app, &mut tx, &created).await?;
    tx.commit().await?;
    Ok(created)
}

/// A new person who exists for sessions only.
async fn newcomer(
    app: &App,
    tx: &mut WriteTx,
    org: &OrgId,
    email: &Email,
) -> Result<User, CreateError> {
    if let Some(user) = users::find_by_email(tx, email).await?
        && !accounts::end_anonymous(tx, (org, &user.id)).await?
    {
        return Err(CreateError::AlreadyExists);
    }
    let user = match accounts::insert_user(app, tx, email, None).await {
        // Another organization was faster.
        Err(Error::Conflict) => return Err(CreateError::AlreadyExists),
        inserted => inserted?,
    };
    users::set_anonymous(tx, &user.id).await?;
    Ok(user)
}

/// The organization's model with this id, which no other transaction changes until this one ends.
/// To be called first: see [`organizations::lock`].
pub(crate) async fn held(
    tx: &mut WriteTx,
    (org, id): (&OrgId, &ModelId),
) -> Result<Option<Model>, Error> {
    organizations::lock(tx, org).await?;
    models::lock(tx, id).await?;
    models::find(tx, org, id).await
}

async fn organization(tx: &mut WriteTx, org: &OrgId) -> Result<Organization, Error> {
    organizations::find(tx, org).await?.ok_or(Error::Corrupt {
        table: "models",
        column: "org_id",
    })
}

async fn record(
    app: &App,
    tx: &mut WriteTx,
    actor: &Actor,
    (action, model): (&'static str, &Model),
) -> Result<(), Error> {
    let event = Event {
        org: Some(&model.org),
        action,
        target: format!("model:{}", model.id),
        // No address: the log can't be changed when the person is erased.
        detail: serde_json::json!({ "isDevelopment": model.development }),
    };
    audit::record(tx, actor, app.clock.now(), event).await
}

/// Why a session's status can't change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdvanceError {
    /// The state machine does not allow it now.
    #[error("a model that is {0} can't do that")]
    NotNow(ModelStatus),
    /// The database failed.
    #[error(transparent)]
    Internal(Error),
}

/// Lets `event` happen to a session: the only way in which a status changes. Sets the times, frees
/// what is held back, takes `charged`, and tells the organization's receiver, all in `tx`, by which
/// `before` is [`held`].
pub(crate) async fn advance(
    app: &App,
    tx: &mut WriteTx,
    (before, event): (&Model, ModelEvent),
    charged: Credits,
) -> Result<Model, AdvanceError> {
    let status = before.status.after(event);
    let status = status.ok_or(AdvanceError::NotNow(before.status))?;
    let after = changed(before, (event, status), charged, app.clock.now());
    match models::update(tx, before, &after).await {
        // Another transaction was faster.
        Err(Error::Conflict) => return Err(AdvanceError::NotNow(before.status)),
        stored => stored.map_err(AdvanceError::Internal)?,
    }
    let news: &[News] = match event {
        ModelEvent::Delete => &[News::Deleted],
        ModelEvent::Finish => &[News::StatusUpdated, News::PhotosReady],
        _ => &[News::StatusUpdated],
    };
    for news in news {
        let told = announce(app, tx, *news, &after).await;
        told.map_err(AdvanceError::Internal)?;
    }
    if event == ModelEvent::Finish {
        let now = app.clock.now();
        let extended = models::extend_links(tx, &after.id, (now, now.plus(LINK_LIFE))).await;
        extended.map_err(AdvanceError::Internal)?;
        let told = mail::results_ready(app, tx, &after).await;
        told.map_err(AdvanceError::Internal)?;
    }
    Ok(after)
}

/// A session after `event`, which leads to `status`.
fn changed(
    before: &Model,
    (event, status): (ModelEvent, ModelStatus),
    charged: Credits,
    now: Timestamp,
) -> Model {
    let mut after = before.clone();
    after.status = status;
    match event {
        ModelEvent::Submit => {
            after.charged = charged;
            after.reserved = Credits::ZERO;
            after.submitted_at = Some(now);
            after.started_at = before.started_at.or(Some(now));
        }
        ModelEvent::Finish => after.finished_at = Some(now),
        ModelEvent::Retry => {
            after.finished_at = None;
            after.favorite = None;
        }
        ModelEvent::Delete => {
            after.deleted_at = Some(now);
            after.favorite = None;
            after.reserved = Credits::ZERO;
            after.title = String::new();
            after.gender = None;
        }
        ModelEvent::Begin | ModelEvent::Generate | ModelEvent::Fail | ModelEvent::Restart => {}
    }
    after
}

/// Why a person can't submit.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// There is no such session.
    #[error("Model not found")]
    NotFound,
    /// It was submitted before, or is deleted.
    #[error("a model that is {0} can't be submitted")]
    NotNow(ModelStatus),
    /// The person has not agreed yet to how the photos are used.
    #[error("Please agree to how your photos are used first.")]
    NoConsent,
    /// No uploaded photo can be used.
    #[error("Please upload at least one photo that can be used.")]
    NoUsablePhoto,
    /// No credit is left to take.
    #[error("Insufficient credits")]
    InsufficientCredits,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// How long a link opens a session after its photos were submitted, and after its headshots were
/// ready, at least.
pub const LINK_LIFE: Duration = Duration::from_hours(90 * 24);

/// Ends a session's onboarding: takes the credit, and the shoot waits for its turn, all in one
/// transaction.
pub async fn submit(app: &App, org: &OrgId, id: &ModelId) -> Result<Model, SubmitError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    // Nobody adds or removes a photo from here on.
    let before = held(&mut tx, (org, id)).await?;
    let before = before.ok_or(SubmitError::NotFound)?;
    if before.status != ModelStatus::Onboarding {
        return Err(SubmitError::NotNow(before.status));
    }
    if !shoots::is_ready(&mut tx, &before).await? {
        return Err(SubmitError::NoUsablePhoto);
    }
    let owner = organization(&mut tx, org).await?;
    let charged = credits::take(app, &mut tx, (&owner, &before)).await?;
    let charged = charged.ok_or(SubmitError::InsufficientCredits)?;
    let after = match advance(app, &mut tx, (&before, ModelEvent::Submit), charged).await {
        Ok(after) => after,
        Err(AdvanceError::NotNow(status)) => return Err(SubmitError::NotNow(status)),
        Err(AdvanceError::Internal(error)) => return Err(error.into()),
    };
    models::extend_links(&mut tx, id, (now, now.plus(LINK_LIFE))).await?;
    let job = NewJob {
        kind: JobKind::Shoot,
        lane: org.as_str(),
        payload: shoots::job(&after),
        run_at: now,
    };
    jobs::enqueue(app, &mut tx, job).await?;
    tx.commit().await?;
    Ok(after)
}

/// Why nobody can begin again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The organization has no such session.
    #[error("Model not found")]
    NotFound,
    /// Only whoever has headshots can have others made.
    #[error("a model that is {0} has no headshots to be made again")]
    NotNow(ModelStatus),
    /// One is free, and it was given.
    #[error("this person has had a retry already")]
    Given,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Lets a person with headshots begin again, once and at no cost; the headshots are deleted, and the
/// person is told (contract: data-lifecycle.md).
pub async fn retry(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    id: &ModelId,
) -> Result<Model, RetryError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let before = held(&mut tx, (org, id)).await?;
    let before = before.ok_or(RetryError::NotFound)?;
    // Only a retry deletes the photos of a session that lives.
    let photos = photos::places(&mut tx, id).await?;
    if before.status != ModelStatus::Deleted
        && photos
            .iter()
            .any(|(_, status)| *status == PhotoStatus::Deleted)
    {
        return Err(RetryError::Given);
    }
    let event = (&before, ModelEvent::Retry);
    let after = match advance(app, &mut tx, event, before.charged).await {
        Ok(after) => after,
        Err(AdvanceError::NotNow(status)) => return Err(RetryError::NotNow(status)),
        Err(AdvanceError::Internal(error)) => return Err(error.into()),
    };
    let doomed = objects::doom_photos(app, &mut tx, (org, id)).await?;
    models::extend_links(&mut tx, id, (now, now.plus(LINK_LIFE))).await?;
    mail::retry_given(app, &mut tx, &after).await?;
    record(app, &mut tx, actor, ("model.retried", &after)).await?;
    tx.commit().await?;
    objects::erase(app, doomed).await;
    Ok(after)
}

/// Gives a member whose sessions are deleted a new one, and tells the person: the restart of data-lifecycle.md.
/// The organization's credits are locked. `None` when it has none left to hold back.
///
/// What the deleted session had paid for is made again at no cost, as with a retry, and as often: once.
/// Any other new session holds a credit back, as an invite does.
pub(crate) async fn begin_anew(
    app: &App,
    tx: &mut WriteTx,
    (org, actor): (&OrgId, &Actor),
    (user, deleted): (&User, Option<&Model>),
) -> Result<Option<Model>, Error> {
    let now = app.clock.now();
    let owner = organization(tx, org).await?;
    let paid = match deleted {
        Some(before) if is_owed(tx, before).await? => Some(before),
        _ => None,
    };
    let reserved = if paid.is_some() || owner.credits_unlimited {
        Credits::ZERO
    } else {
        let (balance, held) = tallies::lock_credits(tx, org).await?;
        if balance.hundredths() - held.hundredths() < owner.package.cost().hundredths() {
            return Ok(None);
        }
        owner.package.cost()
    };
    let model = Model {
        id: ModelId::generate(&*app.entropy),
        org: org.clone(),
        user: user.id.clone(),
        uid: user.id.to_string(),
        email: user.email.clone(),
        title: user.name.clone().unwrap_or_default(),
        gender: None,
        status: ModelStatus::Onboarding,
        team: teams::of_member(tx, org, &user.id).await?,
        development: false,
        version: ModelVersion::Lora,
        reserved,
        charged: paid.map_or(Credits::ZERO, |before| before.charged),
        favorite: None,
        created_at: now,
        started_at: None,
        submitted_at: paid.and_then(|before| before.submitted_at),
        finished_at: None,
        deleted_at: None,
        invite_expires_at: Some(now.plus(invites::LIFE)),
    };
    models::insert(tx, &model).await?;
    if let Some(before) = deleted {
        invite_rows::lead_on(tx, &before.id, &model.id).await?;
    }
    announce(app, tx, News::Created, &model).await?;
    mail::begins_anew(app, tx, &model).await?;
    record(app, tx, actor, ("model.restarted", &model)).await?;
    Ok(Some(model))
}

/// Whether a deleted session was submitted, and the person has had no retry of it. A test session is
/// nobody's headshots: nothing is owed for it.
async fn is_owed(tx: &mut WriteTx, deleted: &Model) -> Result<bool, Error> {
    if deleted.development || deleted.submitted_at.is_none() {
        return Ok(false);
    }
    // Only a retry deletes photos before their session.
    let retried = photos::deleted_before(tx, &deleted.id, deleted.deleted_at).await?;
    // One that was begun anew at no cost counts as submitted from its beginning.
    let submitted = models::count_submitted(tx, &deleted.org, &deleted.user).await?;
    Ok(!retried && submitted == 1)
}

/// Why a session can't be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// The organization has no such session.
    #[error("Model not found")]
    NotFound,
    /// It was deleted before.
    #[error("Model already deleted")]
    AlreadyDeleted,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Deletes a session and everything that belongs to it, at once and for good. Whose session it was
/// is then told by its ids alone; a person's own account stays (contract: data-lifecycle.md), that of
/// a person without one goes too.
pub async fn delete(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    id: &ModelId,
) -> Result<(), DeleteError> {
    let mut tx = app.db.write().await?;
    let before = held(&mut tx, (org, id)).await?;
    let before = before.ok_or(DeleteError::NotFound)?;
    match advance(app, &mut tx, (&before, ModelEvent::Delete), Credits::ZERO).await {
        Ok(_) => {}
        Err(AdvanceError::NotNow(ModelStatus::Deleted)) => {
            return Err(DeleteError::AlreadyDeleted);
        }
        // What is not deleted can be deleted, and nobody else changes it now.
        Err(AdvanceError::NotNow(_)) => return Err(Error::Conflict.into()),
        Err(AdvanceError::Internal(error)) => return Err(error.into()),
    }
    let doomed = objects::doom_model(app, &mut tx, (org, id)).await?;
    models::delete_links(&mut tx, id).await?;
    people::forget_address(&mut tx, id).await?;
    webhooks::erase(&mut tx, id, app.clock.now()).await?;
    mail::forget_session(&mut tx, (org, id)).await?;
    forget_anonymous(&mut tx, &before).await?;
    record(app, &mut tx, actor, ("model.deleted", &before)).await?;
    tx.commit().await?;
    // A shoot that waits for a generator stops it.
    app.generations.wake_model(id);
    objects::erase(app, doomed).await;
    Ok(())
}

/// Deletes the person of a deleted session who has no account, unless another session leads there.
async fn forget_anonymous(tx: &mut WriteTx, model: &Model) -> Result<(), Error> {
    if users::is_anonymous(tx, &model.user).await? {
        models::forget_address(tx, &model.id).await?;
    }
    accounts::end_anonymous(tx, (&model.org, &model.user)).await?;
    Ok(())
}

/// Frees the credits of sessions that nobody began in time.
pub(crate) async fn expire(app: &App) -> Result<(), Error> {
    const AT_ONCE: i64 = 200;
    loop {
        let run_out = {
            let mut conn = app.db.read().await?;
            models::run_out(&mut conn, app.clock.now(), AT_ONCE).await?
        };
        let mut all = Each::of(app, "a session's credits were not freed");
        for (org, id) in run_out {
            all.note(&id, free(app, (&org, &id)).await);
        }
        if all.done == 0 {
            return all.result();
        }
    }
}

async fn free(app: &App, ids: (&OrgId, &ModelId)) -> Result<(), Error> {
    let mut tx = app.db.write().await?;
    if let Some(before) = held(&mut tx, ids).await? {
        let mut after = before.clone();
        after.reserved = Credits::ZERO;
        models::update(&mut tx, &before, &after).await?;
    }
    tx.commit().await
}
