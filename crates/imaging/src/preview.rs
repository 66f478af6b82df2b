//! A small copy of an upload, to show it on a page whatever its format.

use crate::decode::{self, DecodeError, Format};
use crate::encode::{OutputFormat, encode};
use crate::raster::{Kernel, Rect, resize_rgb8};

/// JPEG quality of a preview.
const QUALITY: u8 = 80;

/// An upload, recognised and made small.
#[derive(Debug, Clone)]
pub struct Preview {
    /// What the file is.
    pub format: Format,
    /// A JPEG, upright and without metadata.
    pub jpeg: Vec<u8>,
}

/// Decodes an upload and shrinks it to at most `side` pixels on its longer side.
///
/// # Errors
///
/// When the file is not a readable photo.
pub fn preview(bytes: &[u8], side: usize) -> Result<Preview, DecodeError> {
    let decoded = decode::decode(bytes)?;
    let (w, h) = (decoded.pixels.width(), decoded.pixels.height());
    let shrink = (side as f32 / w.max(h) as f32).min(1.0);
    let short = |n: usize| ((n as f32 * shrink).round() as usize).max(1);
    let whole = Rect {
        x: 0.0,
        y: 0.0,
        w: w as f32,
        h: h as f32,
    };
    let small = resize_rgb8(&decoded.pixels, whole, short(w), short(h), Kernel::Box);
    let jpeg = encode(&small, OutputFormat::Jpeg, QUALITY, "").map_err(|error| {
        DecodeError::Malformed {
            detail: error.to_string(),
        }
    })?;
    Ok(Preview {
        format: decoded.format,
        jpeg,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portraits;

    #[test]
    fn a_preview_is_a_small_jpeg() {
        for portrait in portraits::ALL {
            let made = preview(portrait.bytes, 320).unwrap();
            let read = decode::decode(&made.jpeg).unwrap();
            assert_eq!(read.format, Format::Jpeg);
            assert_eq!(read.pixels.width().max(read.pixels.height()), 320);
        }
    }

    #[test]
    fn what_is_no_photo_has_none() {
        assert!(preview(b"not a photo", 320).is_err());
    }
}
