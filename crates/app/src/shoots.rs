//! Shoots: a submitted session becomes headshots, photo by photo.
//!
//! A shoot is a job (`run`). What it makes is decided by its `plan`, a photo's id by its session
//! and its place, and a photo's bytes by its recipe: a shoot that was interrupted goes on where it
//! was, and two workers that make the same photo write the same object and one row.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use headshot_blobs::Key;
use headshot_domain::{
    JobId, Liked, ModelEvent, ModelId, ModelStatus, OrgId, PhotoId, PhotoStatus, Variant,
};
use headshot_imaging::{
    Assets, Engine, EngineError, Look, Photo as Picture, Selfie, Sitting, Size, Verdict, portraits,
};
use headshot_outbound::generator::Generator;
use headshot_storage::photos::{self, Photo};
use headshot_storage::{Error, ReadConn, WriteTx, models, organizations, people, uploads};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::App;
use crate::access::Visit;
use crate::brand;
use crate::consent;
use crate::jobs::{self, Outcome, Running};
use crate::models::{AdvanceError, Model, SubmitError, advance, held};
use crate::objects::{photo_key, upload_key, whole};
use crate::studio::{StudioError, apart};
use crate::uploads::{CompareError, compare};

mod choice;
mod generated;
mod plan;

pub use choice::{ChoiceError, Known, Looks, choose_looks, known, looks};
pub(crate) use choice::{with_logo, without_asset};
use generated::GeneratorError;
pub(crate) use generated::unix_seconds;
pub use plan::Choice;
use plan::{Planned, SELFIES_MAX, plan};

/// Finished photos that wait to be stored: what is made is not far ahead of what is stored.
const AHEAD_MAX: usize = 2;

/// Ends a session's onboarding: takes the credit, and the shoot waits for its turn.
///
/// # Errors
/// [`SubmitError::NoConsent`] and [`SubmitError::NoUsablePhoto`] until the person has done both; a
/// test session needs no photo.
pub async fn submit(app: &App, visit: &Visit) -> Result<Model, SubmitError> {
    if consent::given(app, visit).await?.is_none() {
        return Err(SubmitError::NoConsent);
    }
    crate::models::submit(app, &visit.org.id, &visit.model.id).await
}

/// Whether a session has what its shoot needs.
pub(crate) async fn is_ready(
    conn: &mut impl headshot_storage::AsConn,
    model: &Model,
) -> Result<bool, Error> {
    if model.development {
        return Ok(true);
    }
    let uploaded = uploads::of_model(conn, (&model.org, &model.id)).await?;
    Ok(uploaded.iter().any(|upload| upload.usable))
}

/// How far a session's shoot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Where the session stands.
    pub status: ModelStatus,
    /// How many shoots have their turn before this one.
    pub ahead: i64,
    /// Photos that are there.
    pub made: i64,
    /// Photos that there will be.
    pub total: i64,
    /// How much of the work is done, in percent, where this process waits for a generator.
    pub percent: Option<u8>,
}

/// How far a session's shoot is.
pub async fn progress(app: &App, visit: &Visit) -> Result<Progress, Error> {
    let mut conn = app.db.read().await?;
    let now = models::find(&mut conn, &visit.org.id, &visit.model.id).await?;
    let model = now.unwrap_or_else(|| visit.model.clone());
    let waits = model.status == ModelStatus::Waiting;
    let ahead = match model.submitted_at.filter(|_| waits) {
        Some(since) => models::ahead(&mut conn, since).await?,
        None => 0,
    };
    let made = photos::active(&mut conn, visit.ids()).await?.len();
    let planned = photos_of(app, &mut conn, &model).await?;
    let total = if model.status == ModelStatus::Active {
        made
    } else {
        planned.max(made)
    };
    Ok(Progress {
        status: model.status,
        ahead,
        made: count(made),
        total: count(total),
        percent: app.generations.percent(&model.id),
    })
}

/// How many photos a session's shoot gives: a test's as many as usual, else by the package.
async fn photos_of(app: &App, conn: &mut ReadConn, model: &Model) -> Result<usize, Error> {
    let usual = app.studio.photos();
    if model.development {
        return Ok(usual);
    }
    let org = organizations::find(conn, &model.org).await?;
    Ok(org.map_or(usual, |org| org.package.photos(usual)))
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The job that makes a session's headshots.
pub(crate) fn job(model: &Model) -> serde_json::Value {
    serde_json::json!({ "organization": model.org.as_str(), "model": model.id.as_str() })
}

/// Why a shoot was not made.
#[derive(Debug, thiserror::Error)]
enum ShootError {
    /// It can't succeed later either.
    #[error("none of the uploaded photos can be used")]
    NothingUsable,
    /// The session was deleted, or another worker was faster.
    #[error("the session is not there any more")]
    Gone,
    /// The process is asked to stop, and another one can go on.
    #[error("the process stops")]
    Stopping,
    #[error(transparent)]
    Generator(#[from] GeneratorError),
    #[error(transparent)]
    Studio(#[from] StudioError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Brand(#[from] brand::BringError),
    #[error(transparent)]
    Objects(#[from] headshot_blobs::Error),
    #[error(transparent)]
    Internal(#[from] Error),
}

impl From<AdvanceError> for ShootError {
    fn from(error: AdvanceError) -> Self {
        match error {
            AdvanceError::NotNow(_) => Self::Gone,
            AdvanceError::Internal(error) => Self::Internal(error),
        }
    }
}

impl From<CompareError> for ShootError {
    fn from(error: CompareError) -> Self {
        match error {
            CompareError::Studio(error) => Self::Studio(error),
            CompareError::Objects(error) => Self::Objects(error),
            CompareError::Internal(error) => Self::Internal(error),
        }
    }
}

/// The session that a shoot's payload names.
fn named(payload: &serde_json::Value) -> Option<(OrgId, ModelId)> {
    let text = |name: &str| payload.get(name).and_then(serde_json::Value::as_str);
    Some((text("organization")?.into(), text("model")?.into()))
}

/// The session of a shoot's job, locked.
pub(crate) async fn session(
    tx: &mut WriteTx,
    job: &headshot_storage::jobs::Job,
) -> Result<Option<Model>, Error> {
    let payload: Option<serde_json::Value> = serde_json::from_str(&job.payload).ok();
    match payload.as_ref().and_then(named) {
        Some((org, model)) => held(tx, (&org, &model)).await,
        None => Ok(None),
    }
}

/// Marks a session as failed whose shoot was tried for the last time, unless the try did so itself:
/// one that took its process with it could not.
pub(crate) async fn gave_up(app: &App, tx: &mut WriteTx, session: &Model) -> Result<(), Error> {
    match advance(app, tx, (session, ModelEvent::Fail), session.charged).await {
        Ok(_) | Err(AdvanceError::NotNow(_)) => Ok(()),
        Err(AdvanceError::Internal(error)) => Err(error),
    }
}

/// Makes a session's headshots, from wherever an earlier try came to.
pub(crate) async fn run(app: &App, job: &Running) -> Outcome {
    let Some((org, model)) = named(&job.payload) else {
        return Outcome::Fail {
            why: "its payload names no session".to_owned(),
        };
    };
    let error = match shoot(app, job, (&org, &model)).await {
        Ok(()) => return Outcome::Done,
        Err(ShootError::Gone) => return generated::stop(app, job).await,
        Err(ShootError::Stopping) => return Outcome::Release,
        Err(error) => error,
    };
    let why = crate::causes(&error);
    if let Err(error) = step(app, (&org, &model), ModelEvent::Fail).await {
        match error {
            ShootError::Gone => {}
            error => app.report(&error, "a failed shoot can't be marked as such"),
        }
    }
    let is_final = match &error {
        ShootError::NothingUsable => true,
        ShootError::Generator(error) => error.is_final(),
        _ => false,
    };
    let goes_on = matches!(&error, ShootError::Generator(error) if error.is_passing());
    if is_final || !goes_on || job.attempt >= job.kind.attempts_max() {
        generated::forget(app, job).await;
    }
    if is_final {
        return Outcome::Fail { why };
    }
    Outcome::Retry {
        after: jobs::backoff(job.attempt),
        why,
    }
}

async fn shoot(app: &App, job: &Running, (org, id): (&OrgId, &ModelId)) -> Result<(), ShootError> {
    // Waits for its turn with the session's status unchanged: it is `waiting` until it begins.
    let place = app.studio.enter().await?;
    let engine = app.studio.engine().await?;
    let mut model = find(app, (org, id)).await?;
    if model.status == ModelStatus::Failed {
        model = step(app, (org, id), ModelEvent::Restart).await?;
    }
    if model.status == ModelStatus::Waiting {
        model = step(app, (org, id), ModelEvent::Begin).await?;
    }
    if !MADE_IN.contains(&model.status) {
        return Err(ShootError::Gone);
    }
    let mut shoot = Shoot {
        app,
        job: &job.id,
        place: Some(place),
        sources: sources(app, &model).await?,
        engine,
        opened: None,
        assets: Arc::default(),
        model,
    };
    if shoot.sources.is_empty() {
        return Err(ShootError::NothingUsable);
    }
    if shoot.model.status == ModelStatus::Pending {
        shoot.open(0).await?;
        shoot.model = step(app, (org, id), ModelEvent::Generate).await?;
    }
    let generator = generator(app, &shoot.model).await?;
    match generator {
        Some(generator) => shoot.have_made(generator).await?,
        None => shoot.make().await?,
    }
    step(app, (org, id), ModelEvent::Finish).await?;
    if generator.is_some() {
        generated::forget(app, job).await;
    }
    Ok(())
}

/// The statuses in which headshots are made.
const MADE_IN: [ModelStatus; 2] = [ModelStatus::Pending, ModelStatus::GeneratingHeadshots];

/// Who makes a session's headshots, if not the built-in engine: the generator gets photos only of
/// people who were told so, and those of test sessions, which are nobody's.
async fn generator<'a>(app: &'a App, model: &Model) -> Result<Option<&'a Generator>, ShootError> {
    let Some(generator) = &app.generator else {
        return Ok(None);
    };
    let mut conn = app.db.read().await?;
    let agreed = people::consent(&mut conn, &model.id).await?;
    let told = agreed.is_some_and(|consent| consent.version == consent::GENERATOR_VERSION);
    Ok((told || model.development).then_some(generator))
}

async fn find(app: &App, (org, id): (&OrgId, &ModelId)) -> Result<Model, ShootError> {
    let mut conn = app.db.read().await?;
    let model = models::find(&mut conn, org, id).await?;
    model.ok_or(ShootError::Gone)
}

/// Lets `event` happen to the session, whatever its status is now.
async fn step(
    app: &App,
    (org, id): (&OrgId, &ModelId),
    event: ModelEvent,
) -> Result<Model, ShootError> {
    let mut tx = app.db.write().await?;
    let before = held(&mut tx, (org, id)).await?;
    let before = before.ok_or(ShootError::Gone)?;
    let after = advance(app, &mut tx, (&before, event), before.charged).await?;
    tx.commit().await?;
    Ok(after)
}

/// What photos are made from.
#[derive(Debug, Clone)]
enum Source {
    Uploaded(Key),
    Bundled(&'static [u8]),
}

/// The best selfies of a session, best first; of a test session, the bundled portraits.
async fn sources(app: &App, model: &Model) -> Result<Vec<Source>, ShootError> {
    if model.development {
        let bundled = portraits::ALL.iter();
        return Ok(bundled.map(|one| Source::Bundled(one.bytes)).collect());
    }
    let ids = (&model.org, &model.id);
    // Strangers are left out, also where an upload came too late to be compared.
    compare(app, ids, model.status, None).await?;
    let mut conn = app.db.read().await?;
    let mut uploaded = uploads::of_model(&mut conn, ids).await?;
    uploaded.retain(|upload| upload.usable);
    // Stable: of two that are equally good, the earlier one comes first.
    uploaded.sort_by(|a, b| score(b).total_cmp(&score(a)));
    uploaded.truncate(SELFIES_MAX);
    let keys = uploaded.iter().map(upload_key);
    let keys: Result<Vec<Key>, Error> = keys.collect();
    Ok(keys?.into_iter().map(Source::Uploaded).collect())
}

fn score(upload: &uploads::Upload) -> f32 {
    let verdict = serde_json::from_str::<Verdict>(&upload.verdict);
    verdict.map_or(0.0, |verdict| verdict.score)
}

/// A shoot that is being made.
struct Shoot<'a> {
    app: &'a App,
    job: &'a JobId,
    /// Its place in the studio, while it has work for the processor.
    place: Option<OwnedSemaphorePermit>,
    engine: Arc<Engine>,
    model: Model,
    sources: Vec<Source>,
    /// The selfie that was opened last, and its number.
    opened: Option<(usize, Arc<Selfie>)>,
    /// The organization's own images that the looks name.
    assets: Arc<Assets>,
}

impl Shoot<'_> {
    async fn open(&mut self, number: usize) -> Result<Arc<Selfie>, ShootError> {
        if let Some((opened, selfie)) = &self.opened
            && *opened == number
        {
            return Ok(Arc::clone(selfie));
        }
        // One at a time: an opened selfie is large.
        self.opened = None;
        // A test session has to be over soon, and its portraits are large enough.
        let (bytes, restores) = match self.sources.get(number) {
            Some(Source::Bundled(bytes)) => (Bytes::from_static(bytes), false),
            Some(Source::Uploaded(key)) => {
                let bytes = whole(self.app, key).await?;
                let bytes = bytes.ok_or(ShootError::NothingUsable)?;
                (bytes, self.app.settings.studio.restores)
            }
            None => return Err(ShootError::NothingUsable),
        };
        let engine = Arc::clone(&self.engine);
        let selfie = apart(move || engine.open(&bytes)).await??;
        let selfie = Arc::new(if restores { selfie } else { selfie.as_it_is() });
        self.opened = Some((number, Arc::clone(&selfie)));
        Ok(selfie)
    }

    /// What is to be made: all photos of the plan, which of them are not there yet, and the place of
    /// the first one.
    async fn plan(&self) -> Result<Plan, ShootError> {
        let mut conn = self.app.db.read().await?;
        let stored = people::studio(&mut conn, &self.model.org).await?;
        let places = photos::places(&mut conn, &self.model.id).await?;
        let (deleted, present): (Vec<_>, Vec<_>) = places
            .into_iter()
            .partition(|(_, status)| *status == PhotoStatus::Deleted);
        // Photos of an earlier shoot keep their places; this one's come after them.
        let base = deleted.iter().map(|(place, _)| place + 1).max();
        let base = base.unwrap_or(0);
        let present: BTreeSet<i64> = present.into_iter().map(|(place, _)| place).collect();
        let photos = photos_of(self.app, &mut conn, &self.model).await?;
        drop(conn);
        let choice = choice::stored(&stored.unwrap_or_default())?;
        let (choice, assets) = if self.app.generator.is_some() {
            // A generator gets names: an organization's own images have none.
            (choice.with_only(|_digest| false), Assets::default())
        } else {
            brand::bring(self.app, &self.model.org, choice).await?
        };
        let all = plan(photos, self.sources.len(), &choice);
        let mut missing = all.clone();
        missing.retain(|one| !present.contains(&(base + count(one.place))));
        Ok(Plan {
            all,
            missing,
            base,
            assets,
        })
    }

    /// Makes every photo of the plan that is not there yet.
    async fn make(&mut self) -> Result<(), ShootError> {
        let Plan {
            missing: planned,
            base,
            assets,
            ..
        } = self.plan().await?;
        self.assets = Arc::new(assets);
        for number in 0..self.sources.len() {
            let of_selfie = planned.iter().filter(|one| one.selfie == number);
            let of_selfie: Vec<Planned> = of_selfie.cloned().collect();
            if of_selfie.is_empty() {
                continue;
            }
            let selfie = self.open(number).await?;
            self.make_of(selfie, of_selfie, base).await?;
        }
        Ok(())
    }

    /// Makes photos of one selfie on a thread of their own, and stores each as soon as it is there.
    async fn make_of(
        &self,
        selfie: Arc<Selfie>,
        planned: Vec<Planned>,
        base: i64,
    ) -> Result<(), ShootError> {
        let (sender, mut made) = mpsc::channel(AHEAD_MAX);
        let (engine, assets) = (Arc::clone(&self.engine), Arc::clone(&self.assets));
        let making = apart(move || {
            let mut sittings = Sittings::of(&engine, &selfie, &assets);
            for one in planned {
                let photo = sittings.photo(&one.look)?;
                // Nobody waits any more: the process stops, or the session is gone.
                if sender.blocking_send((one.place, photo)).is_err() {
                    break;
                }
            }
            Ok::<_, EngineError>(())
        });
        let storing = async {
            while let Some((place, photo)) = made.recv().await {
                self.store(base + count(place), photo).await?;
            }
            Ok::<_, ShootError>(())
        };
        // Both are driven to their ends: dropping `made` ends the thread soon after.
        let (making, storing) = tokio::join!(making, storing);
        storing?;
        making??;
        Ok(())
    }

    async fn store(&self, place: i64, made: Made) -> Result<(), ShootError> {
        let recipe = serde_json::to_string(&made.main.recipe);
        let photo = Photo {
            id: photo_id(&self.model.id, place),
            org: self.model.org.clone(),
            model: self.model.id.clone(),
            place,
            status: PhotoStatus::Active,
            liked: Liked::None,
            format: made.main.recipe.look.format.extension().to_owned(),
            recipe: recipe.map_err(|_never| Error::Corrupt {
                table: "photos",
                column: "recipe",
            })?,
            created_at: self.app.clock.now(),
            deleted_at: None,
        };
        // The objects first: a row without an object would be a lie.
        let mut stored = Vec::new();
        for (variant, bytes) in [
            (Variant::Main, made.main.bytes),
            (Variant::Thumbnail, made.thumbnail),
            (Variant::Original, made.original),
        ] {
            let key = photo_key(&photo, variant)?;
            self.app.objects.put(&key, bytes.into()).await?;
            stored.push(key.path());
        }
        if self.insert(&photo).await? {
            return Ok(());
        }
        // Deleted meanwhile, so that these came after its folder was emptied.
        self.app.objects.delete(stored).await?;
        Err(ShootError::Gone)
    }

    /// `false` when the session is no more, or no more generating.
    async fn insert(&self, photo: &Photo) -> Result<bool, Error> {
        let mut tx = self.app.db.write().await?;
        let ids = (&self.model.org, &self.model.id);
        if !models::hold(&mut tx, ids, ModelStatus::GeneratingHeadshots).await? {
            return Ok(false);
        }
        photos::insert(&mut tx, photo).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// What a shoot makes.
struct Plan {
    all: Vec<Planned>,
    missing: Vec<Planned>,
    /// The session's place of the shoot's first photo.
    base: i64,
    /// The organization's own images and logo, as far as the plan names them.
    assets: Assets,
}

/// The id of a session's photo at a place: the same however often it is made.
fn photo_id(model: &ModelId, place: i64) -> PhotoId {
    let digest = Sha256::digest(format!("headshot photo\n{model}\n{place}\n"));
    let hex = data_encoding::HEXLOWER.encode(&digest);
    PhotoId::from(&hex[..24])
}

/// A photo in its three sizes.
struct Made {
    main: Picture,
    thumbnail: Vec<u8>,
    original: Vec<u8>,
}

/// Width of a thumbnail, in pixels.
pub(crate) const THUMBNAIL_WIDTH: usize = 256;

/// Two sittings of one selfie, because a sitting keeps one cut-out: for the main size and for the
/// largest.
struct Sittings<'a> {
    main: Sitting<'a>,
    original: Sitting<'a>,
    assets: &'a Assets,
}

impl<'a> Sittings<'a> {
    fn of(engine: &'a Engine, selfie: &'a Selfie, assets: &'a Assets) -> Self {
        Self {
            main: engine.sitting(selfie),
            original: engine.sitting(selfie),
            assets,
        }
    }

    fn photo(&mut self, look: &Look) -> Result<Made, EngineError> {
        let picture = self.main.picture(look, self.assets)?;
        let main = picture.encode()?;
        let thumbnail = picture.thumbnail(THUMBNAIL_WIDTH).encode()?.bytes;
        // A main photo that is smaller than asked for has all that the selfie gives.
        let original = if picture.reduced {
            main.bytes.clone()
        } else {
            let largest = Look {
                size: Size {
                    width: look.size.width * 2,
                    height: look.size.height * 2,
                },
                ..look.clone()
            };
            self.original.photo(&largest, self.assets)?.bytes
        };
        Ok(Made {
            main,
            thumbnail,
            original,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_s_id_follows_from_its_place() {
        let (one, other) = (ModelId::from("a"), ModelId::from("b"));
        let id = photo_id(&one, 0);
        assert_eq!(id, photo_id(&one, 0));
        assert_eq!(id.as_str().len(), 24);
        assert_ne!(id, photo_id(&one, 1));
        assert_ne!(id, photo_id(&other, 0));
    }
}
