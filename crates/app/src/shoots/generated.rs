//! Shoots whose photos a generator makes.
//!
//! A generation has the id of the shoot's job: whoever does the job finds what an earlier try has
//! asked for, and asks anew only where the generator does not know it. What the generator sends is
//! as untrusted as an upload. It is done with a generation when it is deleted there: after the last
//! photo, when the session is deleted, and before a try that begins from scratch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use headshot_domain::{JobId, ModelStatus};
use headshot_imaging::{Look, Materials, Recipe, SourceType};
use headshot_outbound::generator::{
    CallError, Generator, Image, Points, Request, SelfieParts, Source, State, Status, Trouble, Wish,
};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{Made, Plan, Planned, SELFIES_MAX, Shoot, ShootError, THUMBNAIL_WIDTH, count, find};
use crate::App;
use crate::generations::{Waiting, callback_url};
use crate::jobs::{self, Outcome, Running};
use crate::studio::apart;

/// The first pause between two questions; each one is half as long again, unless there was news.
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// The longest pause between two questions.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Calls in a row that may come to nothing before the try does.
const TROUBLE_MAX: u32 = 5;

/// The pause after the first such call; each one is twice as long.
const TROUBLE_PAUSE: Duration = Duration::from_millis(250);

/// How long after its time a generator may keep what nobody has deleted.
const KEPT_MAX: Duration = Duration::from_hours(24);

/// Why a generator has not made the photos.
#[derive(Debug, thiserror::Error)]
pub(super) enum GeneratorError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the request is refused: {0}")]
    Refused(CallError),
    #[error("the generator has failed: {0}")]
    Failed(Trouble),
    #[error("the generation was cancelled at the generator")]
    Cancelled,
    #[error("the generator has forgotten the generation")]
    Lost,
    #[error("the generator took longer than {} seconds", .0.as_secs())]
    TimedOut(Duration),
    #[error("the generator made place {0}, which it was not asked for")]
    Unasked(usize),
    #[error("the generator is done and has left out {0} of the photos")]
    Missing(usize),
    #[error("the generator's picture {place} can't be used: {why}")]
    Picture { place: usize, why: String },
}

impl GeneratorError {
    /// Whether no later try can succeed.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Failed(trouble) => !trouble.retryable,
            _ => false,
        }
    }

    /// Whether the generation may be running well, and only the way to it is not.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_passing())
    }
}

/// The time as signatures have it.
pub(crate) fn unix_seconds(app: &App) -> i64 {
    app.clock.now().unix_ms().div_euclid(1_000)
}

/// The session is gone: stops its generation. The try is repeated until the generator has heard it.
pub(super) async fn stop(app: &App, job: &Running) -> Outcome {
    match delete(app, &job.id).await {
        Ok(()) => Outcome::Done,
        Err(error) if error.is_passing() => Outcome::Retry {
            after: jobs::backoff(job.attempt),
            why: format!("a deleted session's generation can't be stopped: {error}"),
        },
        Err(error) => Outcome::Fail {
            why: format!("a deleted session's generation can't be stopped: {error}"),
        },
    }
}

/// Deletes a generation that is of no use any more. A generator that does not hear it deletes it
/// by itself, later.
pub(super) async fn forget(app: &App, job: &Running) {
    if let Err(error) = delete(app, &job.id).await {
        tracing::warn!(
            job.id = job.id.as_str(),
            "the generation of job {} is not deleted at the generator: {error}",
            job.id
        );
    }
}

async fn delete(app: &App, id: &JobId) -> Result<(), CallError> {
    match &app.generator {
        Some(generator) => generator.delete(id.as_str(), unix_seconds(app)).await,
        None => Ok(()),
    }
}

/// A conversation with the generator about one generation.
struct Line<'a> {
    app: &'a App,
    generator: &'a Generator,
    id: &'a str,
    waiting: Waiting<'a>,
    deadline: Instant,
    /// Calls in a row that came to nothing.
    trouble: u32,
}

impl Line<'_> {
    /// What a call has given; nothing when it is to be made again, after a pause.
    async fn weigh<T: Send>(
        &mut self,
        (shoot, called): (&Shoot<'_>, Result<T, CallError>),
    ) -> Result<Option<T>, ShootError> {
        let error = match called {
            Ok(given) => {
                self.trouble = 0;
                return Ok(Some(given));
            }
            Err(error) => error,
        };
        if matches!(
            &error,
            CallError::Refused {
                status: 401 | 403,
                ..
            }
        ) {
            return Err(GeneratorError::Refused(error).into());
        }
        self.trouble += 1;
        if !error.is_passing() || self.trouble > TROUBLE_MAX {
            return Err(GeneratorError::Call(error).into());
        }
        tracing::debug!(job.id = self.id, "the generator is asked again: {error}");
        let pause = TROUBLE_PAUSE * 2u32.pow(self.trouble - 1);
        self.pause(shoot, pause).await?;
        Ok(None)
    }

    /// Waits for news, and at most so long; then looks whether the shoot is still wanted.
    async fn pause(&self, shoot: &Shoot<'_>, time: Duration) -> Result<(), ShootError> {
        tokio::select! {
            () = self.app.jobs.stopped() => return Err(ShootError::Stopping),
            () = self.waiting.news() => {}
            () = tokio::time::sleep(time) => {}
            () = tokio::time::sleep_until(self.deadline) => {}
        }
        let ids = (&shoot.model.org, &shoot.model.id);
        if find(self.app, ids).await?.status != ModelStatus::GeneratingHeadshots {
            return Err(ShootError::Gone);
        }
        if Instant::now() >= self.deadline {
            let time_max = self.generator.endpoint().time_max;
            return Err(GeneratorError::TimedOut(time_max).into());
        }
        Ok(())
    }

    async fn state(&mut self, shoot: &Shoot<'_>) -> Result<Option<State>, ShootError> {
        loop {
            let called = self.generator.state(self.id, unix_seconds(self.app)).await;
            if let Some(state) = self.weigh((shoot, called)).await? {
                return Ok(state);
            }
        }
    }

    async fn begin(&mut self, shoot: &Shoot<'_>, body: Bytes) -> Result<State, ShootError> {
        loop {
            let now = unix_seconds(self.app);
            match self.generator.begin(self.id, body.clone(), now).await {
                Err(error @ (CallError::Refused { .. } | CallError::Request { .. })) => {
                    return Err(GeneratorError::Refused(error).into());
                }
                called => {
                    if let Some(state) = self.weigh((shoot, called)).await? {
                        return Ok(state);
                    }
                }
            }
        }
    }

    /// Takes the pictures as they come, until all that are `wanted` are there.
    async fn follow(
        &mut self,
        shoot: &Shoot<'_>,
        (mut state, plan): (State, Plan),
    ) -> Result<(), ShootError> {
        let asked: BTreeSet<usize> = plan.all.iter().map(|one| one.place).collect();
        let mut wanted: BTreeMap<usize, Planned> = plan
            .missing
            .into_iter()
            .map(|one| (one.place, one))
            .collect();
        let mut pause = PAUSE_MIN;
        loop {
            let before = wanted.len();
            self.waiting.set_percent(state.percent());
            let mut odd = state.images.iter().map(|image| image.place);
            if let Some(odd) = odd.find(|place| !asked.contains(place)) {
                return Err(GeneratorError::Unasked(odd).into());
            }
            for image in &state.images {
                if let Some(one) = wanted.get(&image.place) {
                    let recipe = recipe(&state.generator, image, &one.look);
                    let made = self.take(shoot, (image, recipe)).await?;
                    shoot.store(plan.base + count(image.place), made).await?;
                    wanted.remove(&image.place);
                }
            }
            if wanted.is_empty() {
                return Ok(());
            }
            ended(&state, wanted.len())?;
            let is_news = wanted.len() < before;
            pause = if is_news { PAUSE_MIN } else { pause };
            self.pause(shoot, pause).await?;
            pause = (pause * 3 / 2).min(PAUSE_MAX);
            state = self.state(shoot).await?.ok_or(GeneratorError::Lost)?;
        }
    }

    /// Fetches a picture and makes a photo of it.
    async fn take(
        &mut self,
        shoot: &Shoot<'_>,
        (image, recipe): (&Image, Recipe),
    ) -> Result<Made, ShootError> {
        let unusable = |why: String| GeneratorError::Picture {
            place: image.place,
            why,
        };
        loop {
            // A picture is large: as many at a time as the studio makes shoots.
            let place = self.app.studio.enter().await?;
            let now = unix_seconds(self.app);
            let called = self.generator.image(self.id, image, now).await;
            let bytes = match called {
                Ok(bytes) => bytes,
                Err(error) => {
                    drop(place);
                    self.weigh::<Vec<u8>>((shoot, Err(error))).await?;
                    continue;
                }
            };
            self.trouble = 0;
            check(image, &bytes).map_err(unusable)?;
            let engine = Arc::clone(&shoot.engine);
            let made = apart(move || engine.receive(&bytes, &recipe, THUMBNAIL_WIDTH)).await?;
            let made = made.map_err(|error| unusable(error.to_string()))?;
            return Ok(Made {
                main: made.main,
                thumbnail: made.thumbnail,
                original: made.original,
            });
        }
    }
}

/// Whether a file is the one that was announced.
fn check(image: &Image, bytes: &[u8]) -> Result<(), String> {
    if bytes.len() != image.bytes {
        let (came, announced) = (bytes.len(), image.bytes);
        return Err(format!("{came} bytes came, {announced} were announced"));
    }
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
    if digest != image.sha256 {
        return Err("its SHA-256 is not the announced one".to_owned());
    }
    Ok(())
}

/// Why no more pictures will come, if so.
fn ended(state: &State, missing: usize) -> Result<(), GeneratorError> {
    match state.status {
        Status::Queued | Status::Running => Ok(()),
        Status::Done => Err(GeneratorError::Missing(missing)),
        Status::Cancelled => Err(GeneratorError::Cancelled),
        Status::Failed => Err(GeneratorError::Failed(
            state.error.clone().unwrap_or_default(),
        )),
    }
}

/// What the photo says of itself. It can't be made again from it: only the generator could.
fn recipe(generator: &str, image: &Image, look: &Look) -> Recipe {
    let name = if generator.is_empty() {
        "unnamed"
    } else {
        generator
    };
    Recipe {
        engine: format!("generator {name}"),
        weights: BTreeMap::new(),
        input: String::new(),
        perspective: None,
        restored: None,
        thumbnail: None,
        look: look.clone(),
        source: match image.digital_source_type {
            Source::TrainedAlgorithmicMedia => SourceType::TrainedAlgorithmicMedia,
            Source::CompositeWithTrainedAlgorithmicMedia => {
                SourceType::CompositeWithTrainedAlgorithmicMedia
            }
            Source::Composite => SourceType::Composite,
        },
    }
}

impl Shoot<'_> {
    /// Has every photo of the plan made that is not there yet.
    pub(super) async fn have_made(&mut self, generator: &Generator) -> Result<(), ShootError> {
        let plan = self.plan().await?;
        if plan.missing.is_empty() {
            return Ok(());
        }
        let (app, id) = (self.app, self.job);
        let mut line = Line {
            app,
            generator,
            id: id.as_str(),
            waiting: app.generations.enter(id.as_str(), &self.model.id),
            deadline: Instant::now() + generator.endpoint().time_max,
            trouble: 0,
        };
        let state = if let Some(known) = line.state(self).await? {
            known
        } else {
            let body = self.request(generator, &plan.missing).await?;
            line.begin(self, body).await?
        };
        // Others may have their turn: from here on the generator works.
        self.opened = None;
        self.place = None;
        line.follow(self, (state, plan)).await
    }

    /// What the generator is asked for, as JSON.
    async fn request(
        &mut self,
        generator: &Generator,
        missing: &[Planned],
    ) -> Result<Bytes, ShootError> {
        let mut selfies = Vec::new();
        for number in 0..self.sources.len().min(SELFIES_MAX) {
            let selfie = self.open(number).await?;
            let engine = Arc::clone(&self.engine);
            let made = apart(move || engine.materials(&selfie)).await??;
            selfies.push(parts(&made));
        }
        let time_max = generator.endpoint().time_max;
        let until = self.app.clock.now().plus(time_max).plus(KEPT_MAX);
        let request = Request {
            id: self.job.to_string(),
            callback_url: callback_url(self.app, self.job.as_str()),
            delete_after: until.to_string(),
            photos: missing.iter().map(wish).collect(),
            selfies,
        };
        // Numbers, texts and lists always have a form in JSON.
        let body = serde_json::to_vec(&request).unwrap_or_default();
        Ok(body.into())
    }
}

fn wish(one: &Planned) -> Wish {
    Wish {
        place: one.place,
        selfie: one.selfie,
        width: one.look.size.width,
        height: one.look.size.height,
        crop: one.look.crop.name().to_owned(),
        style: one.look.style.name().to_owned(),
        backdrop: one.look.backdrop.name(),
        seed: one.look.seed,
    }
}

fn parts(made: &Materials) -> SelfieParts {
    let [left_eye, right_eye, nose, mouth_left, mouth_right] = made.five;
    SelfieParts {
        width: made.width,
        height: made.height,
        picture: BASE64.encode(&made.picture),
        matte: BASE64.encode(&made.matte),
        skin: BASE64.encode(&made.skin),
        landmarks: Points {
            left_eye,
            right_eye,
            nose,
            mouth_left,
            mouth_right,
            mesh: made.mesh.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_succeed_later_is_not_final() {
        let failed = |retryable| {
            GeneratorError::Failed(Trouble {
                retryable,
                ..Trouble::default()
            })
        };
        assert!(failed(false).is_final() && !failed(true).is_final());
        // A generator that does not say whether may be tried again.
        assert!(!GeneratorError::Failed(Trouble::default()).is_final());
        assert!(!GeneratorError::Lost.is_final());
        assert!(!GeneratorError::TimedOut(PAUSE_MAX).is_passing());
    }

    #[test]
    fn a_file_is_the_announced_one() {
        let image = |bytes: usize, of: &[u8]| Image {
            place: 0,
            sha256: data_encoding::HEXLOWER.encode(&Sha256::digest(of)),
            bytes,
            digital_source_type: Source::default(),
        };
        assert!(check(&image(3, b"abc"), b"abc").is_ok());
        assert!(check(&image(2, b"abc"), b"abc").is_err());
        assert!(check(&image(4, b"abc"), b"abc").is_err());
        assert!(check(&image(3, b"abd"), b"abc").is_err());
    }
}
