//! A picture that another program has made, untrusted, becomes a photo in our sizes with metadata
//! of our own.

use crate::decode::{self, DecodeError, Format};
use crate::engine::{Engine, EngineError, Photo, Picture};
use crate::frame::Size;
use crate::raster::{Kernel, Rect, resize_rgb8};
use crate::recipe::{Look, Recipe};

/// How many times the wished size the largest kept copy may have.
const LARGEST: usize = 2;

/// A received picture in three sizes.
#[derive(Debug, Clone)]
pub struct Received {
    /// Exactly the wished size.
    pub main: Photo,
    /// For lists.
    pub thumbnail: Vec<u8>,
    /// As large as it came, up to twice the wished size.
    pub original: Vec<u8>,
}

/// Why a received picture is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReceivedError {
    /// It can't be decoded.
    #[error("it can't be read: {0}")]
    Unreadable(#[from] DecodeError),
    /// It is no format that every browser shows.
    #[error("it is no JPEG, PNG or WebP")]
    Format,
    /// It is smaller than wished: enlarging would only blur it.
    #[error("it has {width} x {height} pixels; at least {} x {} are needed", .wished.width, .wished.height)]
    TooSmall {
        /// Its width.
        width: usize,
        /// Its height.
        height: usize,
        /// What was wished.
        wished: Size,
    },
    /// It can't be encoded.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Engine {
    /// Decodes a picture under the limits of [`decode`], cuts it evenly to the shape that the
    /// recipe's look wants, and encodes it in three sizes. Nothing of the file but its pixels is
    /// kept; the recipe is the only metadata.
    ///
    /// # Errors
    ///
    /// See [`ReceivedError`].
    pub fn receive(
        &self,
        bytes: &[u8],
        recipe: &Recipe,
        thumbnail_width: usize,
    ) -> Result<Received, ReceivedError> {
        self.run(|| receive(bytes, recipe, thumbnail_width))
    }
}

fn receive(
    bytes: &[u8],
    recipe: &Recipe,
    thumbnail_width: usize,
) -> Result<Received, ReceivedError> {
    if matches!(decode::sniff(bytes), None | Some(Format::Heic)) {
        return Err(ReceivedError::Format);
    }
    let pixels = decode::decode(bytes)?.pixels;
    let wished = recipe.look.size;
    let (width, height) = (pixels.width(), pixels.height());
    if width < wished.width || height < wished.height {
        return Err(ReceivedError::TooSmall {
            width,
            height,
            wished,
        });
    }
    let area = shaped((width, height), wished);
    let picture = |size: Size| Picture {
        pixels: resize_rgb8(&pixels, area, size.width, size.height, Kernel::Sharp),
        recipe: Recipe {
            look: Look {
                size,
                ..recipe.look.clone()
            },
            ..recipe.clone()
        },
        tightened: false,
        reduced: false,
    };
    let main = picture(wished);
    let original = largest(area, wished);
    let encoded = main.encode()?;
    Ok(Received {
        thumbnail: main.thumbnail(thumbnail_width).encode()?.bytes,
        original: if original == wished {
            encoded.bytes.clone()
        } else {
            picture(original).encode()?.bytes
        },
        main: encoded,
    })
}

/// The largest part with the shape of `wished`, in the middle.
fn shaped((width, height): (usize, usize), wished: Size) -> Rect {
    let (w, h) = (width as f32, height as f32);
    let aspect = wished.width as f32 / wished.height as f32;
    let (cw, ch) = if w > h * aspect {
        (h * aspect, h)
    } else {
        (w, w / aspect)
    };
    Rect {
        x: (w - cw) / 2.0,
        y: (h - ch) / 2.0,
        w: cw,
        h: ch,
    }
}

fn largest(area: Rect, wished: Size) -> Size {
    let width = (area.w.round() as usize).clamp(wished.width, wished.width * LARGEST);
    Size {
        width,
        height: (wished.height * width / wished.width).max(wished.height),
    }
}
