//! The engine: networks loaded once, selfies opened, pictures made.

mod sitting;

pub use sitting::{Cutout, Photo, Picture, Sitting};

use crate::analysis::detect::{Detector, Face};
use crate::analysis::identity::{self, Descriptor};
use crate::analysis::landmarks::{Landmarker, Landmarks};
use crate::analysis::quality;
use crate::analysis::verdict::Verdict;
use crate::backdrop::{Backdrop, Logo, Scene};
use crate::decode::{self, DecodeError, Decoded};
use crate::encode::EncodeError;
use crate::frame::{Frame, Size, Subject};
use crate::matte::coarse::{self, Coarse};
use crate::matte::detail::{self, Detail};
use crate::matte::u2net::U2Net;
use crate::net::{NetError, Network};
use crate::perspective::{Field, Perspective};
use crate::raster::{Kernel, Rect, Rgb8, resize_rgb8};
use crate::restore::{Doubler, Part, Restorer, Tiles};
use crate::weights::{
    self, DETAIL_SMALL, DETECT_FAR, DETECT_NEAR, DetailNetwork, DetailWeights, DigestMismatch,
    FACE_MESH, IDENTITY, IRIS, PERSON, RESTORE, Weights, sha256_hex,
};
use rten::ThreadPool;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Longer side of the copy that is analysed, in pixels.
const ANALYSED_SIDE: usize = 1280;

/// Scenes kept for the next picture.
const SCENES_KEPT: usize = 16;

/// How to set up an engine.
#[derive(Debug, Clone)]
pub struct Options {
    /// Threads that one picture may use, at least 1. The output does not depend on it.
    pub threads: usize,
    /// The network for hair and edges.
    pub detail: DetailWeights,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 2,
            detail: DetailWeights::Small,
        }
    }
}

/// Why no picture was made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The selfie cannot be used; the verdict says why.
    #[error("the selfie cannot be used")]
    Unusable(Box<Verdict>),
    /// The weights are not the reviewed ones.
    #[error("unexpected weights")]
    Weights(#[source] DigestMismatch),
    /// A network failed; a bug or a broken build.
    #[error("a network failed")]
    Network(#[source] NetError),
    /// The wished size is out of range.
    #[error(
        "a picture of {width} x {height} pixels cannot be made; sides are 64 to 2560 and at most 2:1"
    )]
    Size {
        /// Wished width.
        width: usize,
        /// Wished height.
        height: usize,
    },
    /// The look names a file that is not among the assets, or that cannot be read.
    #[error("the asset {digest} is missing or unreadable")]
    Asset {
        /// SHA-256 of the file.
        digest: String,
        /// What is wrong with it, when it is there.
        source: Option<DecodeError>,
    },
    /// A recipe of another engine, other weights, or another upload.
    #[error("the recipe does not fit: {difference}")]
    Recipe {
        /// What differs.
        difference: String,
    },
    /// Encoding failed; a bug.
    #[error("the picture was not encoded")]
    Encode(#[source] EncodeError),
}

impl From<NetError> for EngineError {
    fn from(error: NetError) -> Self {
        Self::Network(error)
    }
}

impl From<DigestMismatch> for EngineError {
    fn from(error: DigestMismatch) -> Self {
        Self::Weights(error)
    }
}

/// Files that looks refer to by digest: backdrop images and logos.
#[derive(Debug, Clone, Default)]
pub struct Assets {
    images: BTreeMap<String, Rgb8>,
    logos: BTreeMap<String, Logo>,
}

impl Assets {
    /// Adds a backdrop image and returns the backdrop that names it.
    ///
    /// # Errors
    ///
    /// When the file is not a readable photo.
    pub fn add_backdrop(&mut self, bytes: &[u8]) -> Result<Backdrop, DecodeError> {
        let decoded = decode::decode(bytes)?;
        let digest = sha256_hex(bytes);
        // Nothing larger than the largest picture is ever shown.
        let (w, h) = (decoded.pixels.width(), decoded.pixels.height());
        let shrink = (2 * Size::MAX_SIDE) as f32 / w.max(h) as f32;
        let pixels = if shrink < 1.0 {
            reduced(&decoded.pixels, shrink)
        } else {
            decoded.pixels
        };
        self.images.insert(digest.clone(), pixels);
        Ok(Backdrop::Image(digest))
    }

    /// Adds a logo (PNG, at most 4 megapixels) and returns its digest for [`crate::Look::logo`].
    ///
    /// # Errors
    ///
    /// When the file is not a readable PNG.
    pub fn add_logo(&mut self, bytes: &[u8]) -> Result<String, DecodeError> {
        let logo = decode::decode_logo(bytes)?;
        let digest = sha256_hex(bytes);
        self.logos.insert(digest.clone(), logo);
        Ok(digest)
    }
}

/// An opened selfie: decoded, analysed, and found usable.
#[derive(Debug)]
pub struct Selfie {
    /// SHA-256 of the file.
    pub digest: String,
    /// The upright upload in sRGB.
    pub pixels: Rgb8,
    /// The analysed copy; every position below is in its pixels.
    pub small: Rgb8,
    /// All faces, largest first.
    pub faces: Vec<Face>,
    /// Landmarks of the largest face.
    pub landmarks: Landmarks,
    /// The person.
    pub coarse: Coarse,
    /// Hair and edges of the head, unless the network is off or was fooled.
    pub detail: Option<Detail>,
    /// The judgement, over the upload as it came.
    pub verdict: Verdict,
    /// The correction of a face seen from arm's length: made when the selfie is opened, so that
    /// pixels and landmarks show the face as from further away.
    pub perspective: Option<Perspective>,
    /// Whether it is restored where a picture needs more pixels than it has.
    restores: bool,
    /// What was drawn larger for pictures that need it, kept for the next one.
    restored: Mutex<Tiles>,
}

impl Selfie {
    /// The same, never restored: where it has few pixels, its pictures are small, and soon made.
    #[must_use]
    pub fn as_it_is(mut self) -> Self {
        self.restores = false;
        self
    }

    /// How many times the upload is larger than the analysed copy.
    pub fn scale(&self) -> f32 {
        self.pixels.width() as f32 / self.small.width() as f32
    }

    /// What framing needs to know.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            image: (self.small.width(), self.small.height()),
            landmarks: &self.landmarks,
            coarse: &self.coarse,
        }
    }
}

/// Key of a kept scene.
type SceneKey = (Backdrop, Option<String>, usize, usize, u64);

/// The loaded networks and the threads they run on. Cheap to share behind an `Arc`; every method
/// takes `&self`.
pub struct Engine {
    pool: Arc<ThreadPool>,
    detector: Detector,
    landmarker: Landmarker,
    person: Network,
    identity: Network,
    restore: Doubler,
    detail: Option<U2Net>,
    detail_kind: DetailNetwork,
    scenes: Mutex<Vec<(SceneKey, Arc<Scene>)>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("detail", &self.detail_kind)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Checks the weights' digests and loads the networks.
    ///
    /// # Errors
    ///
    /// When weights are not the reviewed ones or the runtime refuses them.
    pub fn new(options: Options) -> Result<Self, EngineError> {
        let pool = Arc::new(ThreadPool::with_num_threads(options.threads.max(1)));
        let load = |w: Weights| -> Result<Network, EngineError> {
            Ok(Network::from_static(w.name, w.verified()?, &pool)?)
        };
        let (detail, detail_kind) = match options.detail {
            DetailWeights::Small => {
                let bytes = DETAIL_SMALL.verified()?;
                (
                    Some(U2Net::from_onnx(DETAIL_SMALL.name, bytes)?),
                    DetailNetwork::U2netp,
                )
            }
            DetailWeights::Large(bytes) => {
                weights::verify_large_detail(&bytes)?;
                (
                    Some(U2Net::from_onnx(weights::DETAIL_LARGE, &bytes)?),
                    DetailNetwork::U2net,
                )
            }
            DetailWeights::Off => (None, DetailNetwork::Off),
        };
        Ok(Self {
            detector: Detector {
                near: load(DETECT_NEAR)?,
                far: load(DETECT_FAR)?,
            },
            landmarker: Landmarker {
                mesh: load(FACE_MESH)?,
                iris: load(IRIS)?,
            },
            person: load(PERSON)?,
            identity: load(IDENTITY)?,
            restore: Doubler::from_onnx(RESTORE.name, RESTORE.verified()?)?,
            detail,
            detail_kind,
            scenes: Mutex::new(Vec::new()),
            pool,
        })
    }

    /// Which detail network is active.
    pub fn detail_network(&self) -> DetailNetwork {
        self.detail_kind
    }

    /// SHA-256 of the weights that decide every picture's bytes, by name. [`RESTORE`] joins them in
    /// the recipe of a restored photo.
    pub fn weights(&self) -> BTreeMap<String, String> {
        let mut out: BTreeMap<String, String> = [DETECT_NEAR, DETECT_FAR, FACE_MESH, IRIS, PERSON]
            .iter()
            .map(|w| (w.name.to_owned(), w.sha256.to_owned()))
            .collect();
        match self.detail_kind {
            DetailNetwork::U2netp => {
                out.insert(DETAIL_SMALL.name.to_owned(), DETAIL_SMALL.sha256.to_owned());
            }
            DetailNetwork::U2net => {
                out.insert(
                    weights::DETAIL_LARGE.to_owned(),
                    weights::DETAIL_LARGE_SHA256.to_owned(),
                );
            }
            DetailNetwork::Off => {}
        }
        out
    }

    /// Judges an upload without making anything. A file that is not a photo gets a verdict too.
    ///
    /// # Errors
    ///
    /// Only when a network fails.
    pub fn check(&self, bytes: &[u8]) -> Result<Verdict, EngineError> {
        self.pool.run(|| match self.analyse(bytes) {
            Ok(selfie) => Ok(selfie.verdict),
            Err(EngineError::Unusable(verdict)) => Ok(*verdict),
            Err(other) => Err(other),
        })
    }

    /// Judges an upload, and describes the face of a usable one for
    /// [`identity::compare`].
    ///
    /// # Errors
    ///
    /// Only when a network fails.
    pub fn judge(&self, bytes: &[u8]) -> Result<(Verdict, Option<Descriptor>), EngineError> {
        self.pool.run(|| match self.analyse(bytes) {
            Ok(selfie) if selfie.verdict.usable => {
                let source = selfie.landmarks.scaled(selfie.scale());
                let face = identity::describe(&self.identity, &selfie.pixels, &source)?;
                Ok((selfie.verdict, Some(face)))
            }
            Ok(selfie) => Ok((selfie.verdict, None)),
            Err(EngineError::Unusable(verdict)) => Ok((*verdict, None)),
            Err(other) => Err(other),
        })
    }

    /// Describes the largest face of an upload that was judged before, without judging it again;
    /// `None` when there is none.
    ///
    /// # Errors
    ///
    /// Only when a network fails.
    pub fn identify(&self, bytes: &[u8]) -> Result<Option<Descriptor>, EngineError> {
        self.pool.run(|| {
            let Ok(Decoded { pixels, .. }) = decode::decode(bytes) else {
                return Ok(None);
            };
            let small = analysed(&pixels);
            let faces = self.detector.detect(&small)?;
            let Some(first) = faces.first() else {
                return Ok(None);
            };
            let scale = pixels.width() as f32 / small.width() as f32;
            let source = self.landmarker.locate(&small, first)?.scaled(scale);
            let face = identity::describe(&self.identity, &pixels, &source)?;
            Ok(Some(face))
        })
    }

    /// Opens a selfie to make pictures from it.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unusable`] with the verdict when the selfie was refused.
    pub fn open(&self, bytes: &[u8]) -> Result<Selfie, EngineError> {
        self.pool.run(|| {
            let mut selfie = self.analyse(bytes)?;
            if !selfie.verdict.usable {
                return Err(EngineError::Unusable(Box::new(selfie.verdict)));
            }
            self.correct(&mut selfie)?;
            selfie.detail = self.find_detail(&selfie);
            Ok(selfie)
        })
    }

    /// Does processor work on the engine's threads.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.run(work)
    }

    /// Everything that one face's pictures share. See [`Sitting`].
    pub fn sitting<'a>(&'a self, selfie: &'a Selfie) -> Sitting<'a> {
        Sitting::new(self, selfie)
    }

    /// Decodes, finds the face and judges it, without the detail network.
    fn analyse(&self, bytes: &[u8]) -> Result<Selfie, EngineError> {
        let refused = |verdict| EngineError::Unusable(Box::new(verdict));
        let Decoded { pixels, focal, .. } =
            decode::decode(bytes).map_err(|e| refused(Verdict::unreadable(&e)))?;
        let small = analysed(&pixels);
        let faces = self.detector.detect(&small)?;
        let Some(first) = faces.first() else {
            return Err(refused(Verdict::no_face()));
        };
        let landmarks = self.landmarker.locate(&small, first)?;
        let coarse = coarse::coarse(&self.person, &small, &landmarks)?;
        let scale = pixels.width() as f32 / small.width() as f32;
        let mut quality = quality::measure(&pixels, &small, scale, &faces, &landmarks, &coarse);
        quality.upside_down = self.detector.upside_down(&small, first)?;
        let verdict = Verdict::of(quality);
        let small_size = (small.width(), small.height());
        let perspective = Perspective::of(focal, small_size, landmarks.iris);
        let digest = sha256_hex(bytes);
        Ok(Selfie {
            digest,
            pixels,
            small,
            faces,
            landmarks,
            coarse,
            detail: None,
            verdict,
            perspective,
            restores: true,
            restored: Mutex::default(),
        })
    }

    /// Draws a face seen from arm's length as from further away.
    fn correct(&self, selfie: &mut Selfie) -> Result<(), EngineError> {
        let field = selfie
            .perspective
            .and_then(|p| Field::new(p, &selfie.landmarks));
        let Some(field) = field else {
            selfie.perspective = None;
            return Ok(());
        };
        let scale = selfie.scale();
        field.apply(&mut selfie.pixels, scale);
        selfie.small = analysed(&selfie.pixels);
        selfie.landmarks = field.landmarks(&selfie.landmarks);
        selfie.coarse = coarse::coarse(&self.person, &selfie.small, &selfie.landmarks)?;
        Ok(())
    }

    fn find_detail(&self, selfie: &Selfie) -> Option<Detail> {
        let net = self.detail.as_ref()?;
        let small = (selfie.small.width(), selfie.small.height());
        let Selfie {
            pixels,
            landmarks,
            coarse,
            ..
        } = selfie;
        detail::detail(net, pixels, small, landmarks, coarse)
    }

    /// What a frame shows of the photo drawn `times` as large.
    fn restored(&self, selfie: &Selfie, frame: &Frame, times: u32) -> Part {
        let scale = selfie.scale();
        let shows_person = |area: Rect| selfie.coarse.touches(area.scaled(1.0 / scale));
        let lock = || {
            let kept = selfie.restored.lock();
            kept.unwrap_or_else(PoisonError::into_inner)
        };
        // Not held while the network runs: this thread might be given another picture meanwhile.
        let mut tiles = std::mem::take(&mut *lock());
        let part = Restorer {
            net: &self.restore,
            photo: &selfie.pixels,
            shows_person: &shows_person,
            tiles: &mut tiles,
        }
        .part(
            frame
                .around(scale * times as f32)
                .scaled(1.0 / times as f32),
            times,
        );
        lock().extend(tiles);
        part
    }

    /// The scene behind a picture, rendered or kept from before.
    fn scene(&self, key: SceneKey, assets: &Assets) -> Result<Arc<Scene>, EngineError> {
        // A panic while holding the lock cannot leave the list half-written: it is only pushed to.
        let mut kept = self.scenes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.iter().position(|(k, _)| *k == key) {
            let entry = kept.remove(found);
            let scene = Arc::clone(&entry.1);
            kept.push(entry);
            return Ok(scene);
        }
        drop(kept);
        let scene = Arc::new(render_scene(&key, assets)?);
        kept = self.scenes.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= SCENES_KEPT {
            kept.remove(0);
        }
        // Full-size scenes are large and cheap to make: only quarter-size ones are kept.
        if scene.pixels.width() < key.2 {
            kept.push((key, Arc::clone(&scene)));
        }
        Ok(scene)
    }
}

fn render_scene(key: &SceneKey, assets: &Assets) -> Result<Scene, EngineError> {
    let (backdrop, logo, width, height, seed) = key;
    let missing = |digest: &str| EngineError::Asset {
        digest: digest.to_owned(),
        source: None,
    };
    let scene = match backdrop {
        Backdrop::Image(digest) => {
            let image = assets.images.get(digest).ok_or_else(|| missing(digest))?;
            Scene::from_image(image, *width, *height)
        }
        named => Scene::render(named, *width, *height, *seed).ok_or_else(|| missing(""))?,
    };
    match logo {
        Some(digest) => {
            let logo = assets.logos.get(digest).ok_or_else(|| missing(digest))?;
            Ok(scene.with_logo(logo, *width, *height))
        }
        None => Ok(scene),
    }
}

/// The copy that is analysed.
fn analysed(pixels: &Rgb8) -> Rgb8 {
    let longer = pixels.width().max(pixels.height());
    let shrink = (ANALYSED_SIDE as f32 / longer as f32).min(1.0);
    if shrink < 1.0 {
        reduced(pixels, shrink)
    } else {
        pixels.clone()
    }
}

fn reduced(pixels: &Rgb8, factor: f32) -> Rgb8 {
    let side = |n: usize| ((n as f32 * factor).round() as usize).max(1);
    let whole = Rect {
        x: 0.0,
        y: 0.0,
        w: pixels.width() as f32,
        h: pixels.height() as f32,
    };
    resize_rgb8(
        pixels,
        whole,
        side(pixels.width()),
        side(pixels.height()),
        Kernel::Box,
    )
}
