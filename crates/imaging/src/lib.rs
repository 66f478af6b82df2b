//! The studio engine of Headshot: a selfie becomes a studio headshot.
//!
//! Bytes in, bytes out, on the CPU. Nothing here opens a file or a socket, reads the environment or
//! the clock, or needs an async runtime; every buffer is bounded by [`decode::MAX_PIXELS`] and
//! [`Size::MAX_SIDE`]. The same upload, look and engine version give the same bytes whatever the
//! number of threads, and nothing about the face is invented: networks only find where things are,
//! and sharpen the edges of a photo that has too few pixels.
//!
//! The way of a photo, module by module: [`decode`] → [`analysis`] (faces, landmarks,
//! measurements, verdict) → [`perspective`] → [`frame`] → [`restore`] → [`matte`] → [`light`] → [`backdrop`] → [`composite`] →
//! [`encode`]. [`recipe`] says how to do it again, [`engine`] holds it together.
//!
//! ```no_run
//! use headshot_imaging::{Assets, Engine, EngineError, Look, Options};
//!
//! fn shoot(selfie: &[u8]) -> Result<Vec<u8>, EngineError> {
//!     let engine = Engine::new(Options::default())?;
//!     let selfie = engine.open(selfie)?;
//!     let photo = engine.sitting(&selfie).photo(&Look::default(), &Assets::default())?;
//!     Ok(photo.bytes)
//! }
//! ```

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "pixel positions and values are far inside every range; checked where they enter"
)]
#![expect(
    clippy::many_single_char_names,
    clippy::similar_names,
    reason = "x, y, r, g, b, u, v and their pairs are the names of the field"
)]
#![expect(
    clippy::float_cmp,
    reason = "exact comparison with values that were assigned exactly"
)]

pub mod analysis;
pub mod backdrop;
pub mod brand;
pub mod color;
pub mod composite;
pub mod decode;
pub mod encode;
pub mod engine;
pub mod filter;
pub mod frame;
pub mod light;
pub mod materials;
pub mod matte;
pub mod net;
pub mod perspective;
pub mod portraits;
pub mod preview;
pub mod raster;
pub mod received;
pub mod recipe;
pub mod restore;
pub mod weights;

pub use analysis::identity::{Descriptor, Identity};
pub use analysis::verdict::{Finding, Severity, Verdict};
pub use backdrop::Backdrop;
pub use decode::DecodeError;
pub use encode::OutputFormat;
pub use engine::{Assets, Engine, EngineError, Options, Photo, Picture, Selfie, Sitting};
pub use frame::{Crop, Size};
pub use light::Style;
pub use materials::Materials;
pub use perspective::Perspective;
pub use received::{Received, ReceivedError};
pub use recipe::{Look, Recipe, SourceType};
pub use weights::{DetailNetwork, DetailWeights};
