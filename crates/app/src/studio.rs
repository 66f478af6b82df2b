//! The studio: the imaging engine behind a door that only so many pass at a time.
//!
//! Making pictures is processor work and needs memory, so it runs on threads of its own, at most
//! [`Limits::shoots`] shoots and [`Limits::checks`] judgements at a time in one process. The networks
//! are loaded at first use: a process that makes no pictures does not pay for them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headshot_imaging::preview::preview;
use headshot_imaging::{Descriptor, DetailWeights, Engine, EngineError, Options, Verdict, decode};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

pub use headshot_imaging::decode::MAX_BYTES as BYTES_MAX;

/// Longer side of the picture that shows an upload, in pixels.
const PREVIEW_SIDE: usize = 320;

/// How much a process does at a time, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Shoots at a time; each needs about a gibibyte.
    pub shoots: usize,
    /// Judgements of uploads at a time; each needs about 400 MiB.
    pub checks: usize,
    /// How long an upload waits for its judgement to begin.
    pub check_wait: Duration,
    /// Threads that one picture may use. The output does not depend on it.
    pub threads: usize,
    /// Photos that a shoot makes, at most [`PHOTOS_MAX`].
    pub photos: usize,
    /// Whether photos with few pixels are restored; their headshots are small else, and sooner made.
    pub restores: bool,
    /// The large detail network; the embedded one is used where there is no such file.
    pub detail: Option<PathBuf>,
}

/// The most photos that one shoot makes.
pub const PHOTOS_MAX: usize = 200;

impl Default for Limits {
    fn default() -> Self {
        Self {
            shoots: 1,
            restores: true,
            checks: 1,
            check_wait: Duration::from_secs(20),
            threads: 2,
            photos: 40,
            detail: None,
        }
    }
}

/// Why the studio could not work.
#[derive(Debug, thiserror::Error)]
pub enum StudioError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The large detail network can't be read.
    #[error("{path} can't be read", path = path.display())]
    Detail {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Too many uploads wait already.
    #[error("too many photos are being looked at")]
    Busy,
    /// The work panicked or was stopped.
    #[error("the work on a picture ended early")]
    Ended,
}

/// What is known of an upload.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) format: decode::Format,
    pub(crate) verdict: Verdict,
    /// A small JPEG.
    pub(crate) preview: Vec<u8>,
    /// The face of a usable photo, for the comparison with the others; never stored.
    pub(crate) face: Option<Descriptor>,
}

/// One process's engine.
#[derive(Debug)]
pub struct Studio {
    limits: Limits,
    engine: OnceCell<Arc<Engine>>,
    shoots: Arc<Semaphore>,
    checks: Arc<Semaphore>,
}

impl Studio {
    /// A studio that has loaded nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            engine: OnceCell::new(),
            shoots: Arc::new(Semaphore::new(limits.shoots.max(1))),
            checks: Arc::new(Semaphore::new(limits.checks.max(1))),
            limits,
        }
    }

    /// How many photos a shoot makes.
    pub fn photos(&self) -> usize {
        self.limits.photos.clamp(1, PHOTOS_MAX)
    }

    /// The engine, loaded now or before.
    pub(crate) async fn engine(&self) -> Result<Arc<Engine>, StudioError> {
        let loaded = self.engine.get_or_try_init(|| async {
            let detail = self.detail().await?;
            let threads = self.limits.threads;
            let load = move || Engine::new(Options { threads, detail }).map(Arc::new);
            let engine = apart(load).await??;
            let network = engine.detail_network().name();
            tracing::info!(
                network,
                "the engine is ready, with the detail network {network}"
            );
            Ok::<_, StudioError>(engine)
        });
        loaded.await.map(Arc::clone)
    }

    async fn detail(&self) -> Result<DetailWeights, StudioError> {
        let Some(path) = &self.limits.detail else {
            return Ok(DetailWeights::Small);
        };
        match tokio::fs::read(path).await {
            Ok(bytes) => Ok(DetailWeights::Large(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(DetailWeights::Small),
            Err(source) => Err(StudioError::Detail {
                path: path.clone(),
                source,
            }),
        }
    }

    /// Waits until a shoot may begin; it may work while the permit is held.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, StudioError> {
        let place = Arc::clone(&self.shoots).acquire_owned().await;
        place.map_err(|_closed| StudioError::Ended)
    }

    /// Waits until an upload may be read into memory and judged.
    ///
    /// # Errors
    /// [`StudioError::Busy`] when it takes too long.
    pub async fn place(&self) -> Result<OwnedSemaphorePermit, StudioError> {
        let place = Arc::clone(&self.checks).acquire_owned();
        match tokio::time::timeout(self.limits.check_wait, place).await {
            Ok(place) => place.map_err(|_closed| StudioError::Ended),
            Err(_) => Err(StudioError::Busy),
        }
    }

    /// Judges an upload; a sentence for the person where it is no readable photo.
    pub(crate) async fn judge(&self, bytes: Bytes) -> Result<Result<Judged, String>, StudioError> {
        let _place = self.place().await?;
        let engine = self.engine().await?;
        let judge = move || match preview(&bytes, PREVIEW_SIDE) {
            Err(unreadable) => Ok(Err(unreadable.to_string())),
            Ok(small) => {
                let (verdict, face) = engine.judge(&bytes)?;
                Ok::<_, EngineError>(Ok(Judged {
                    format: small.format,
                    verdict,
                    preview: small.jpeg,
                    face,
                }))
            }
        };
        Ok(apart(judge).await??)
    }

    /// Describes the face of a photo that was judged before. Waits for its turn among the
    /// judgements as long as it takes; whoever asks bounds that.
    pub(crate) async fn identify(&self, bytes: Bytes) -> Result<Option<Descriptor>, StudioError> {
        let place = Arc::clone(&self.checks).acquire_owned().await;
        let _place = place.map_err(|_closed| StudioError::Ended)?;
        let engine = self.engine().await?;
        Ok(apart(move || engine.identify(&bytes)).await??)
    }
}

/// Does processor work on a thread of its own.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StudioError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_ended| StudioError::Ended)
}
