//! An organization's own images, made ready to be kept: as large as a picture needs, and without
//! whatever else was in the file.

use crate::decode::{self, DecodeError};
use crate::encode::{OutputFormat, encode};
use crate::frame::{Crop, Size};
use crate::preview::preview;
use crate::raster::{Kernel, Rect, Rgb8, resize_rgb8};

/// JPEG quality of a kept image.
const QUALITY: u8 = 92;

/// Longer side of the copy that pages show, in pixels.
const PREVIEW_SIDE: usize = 320;

/// The smallest image, in pixels: it covers a headshot of the usual size.
pub fn smallest() -> Size {
    Crop::Headshot.default_size()
}

/// Why an image or a logo is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrandError {
    /// It can't be read.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
    /// It would have to be enlarged.
    #[error(
        "This image is too small: {width} x {height} pixels. It has to be at least {} wide and {} high.",
        smallest().width,
        smallest().height
    )]
    TooSmall {
        /// Its width.
        width: usize,
        /// Its height.
        height: usize,
    },
    /// A logo in another format.
    #[error("This file is not a PNG.")]
    NotPng,
    /// A logo with too many pixels.
    #[error(
        "This logo is too large: {width} x {height} pixels, at most 4 megapixels are accepted."
    )]
    LogoTooLarge {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
}

/// An image as it is kept.
#[derive(Debug, Clone)]
pub struct BrandImage {
    /// A JPEG, upright, sRGB, without metadata, at most [`Size::MAX_SIDE`] on its longer side.
    pub jpeg: Vec<u8>,
    /// A small copy of it.
    pub preview: Vec<u8>,
}

/// Reads an image for backdrops and brings it to the size in which it is kept.
///
/// # Errors
///
/// See [`BrandError`]; every variant carries its own sentence.
pub fn backdrop_image(bytes: &[u8]) -> Result<BrandImage, BrandError> {
    let pixels = decode::decode(bytes)?.pixels;
    let least = smallest();
    let (width, height) = (pixels.width(), pixels.height());
    if width < least.width || height < least.height {
        return Err(BrandError::TooSmall { width, height });
    }
    let kept = reduced(&pixels);
    drop(pixels);
    let jpeg = encode(&kept, OutputFormat::Jpeg, QUALITY, "");
    let jpeg = jpeg.map_err(|error| DecodeError::Malformed {
        detail: error.to_string(),
    })?;
    let preview = preview(&jpeg, PREVIEW_SIDE)?.jpeg;
    Ok(BrandImage { jpeg, preview })
}

/// The middle of the image, one side at most twice the other as in every picture, and at most
/// [`Size::MAX_SIDE`] long. What is large enough before is so afterwards.
fn reduced(pixels: &Rgb8) -> Rgb8 {
    let (w, h) = (pixels.width(), pixels.height());
    let (shown_w, shown_h) = (w.min(2 * h), h.min(2 * w));
    let scale = (Size::MAX_SIDE as f32 / shown_w.max(shown_h) as f32).min(1.0);
    let side = |n: usize| ((n as f32 * scale).round() as usize).max(1);
    let middle = Rect {
        x: (w - shown_w) as f32 / 2.0,
        y: (h - shown_h) as f32 / 2.0,
        w: shown_w as f32,
        h: shown_h as f32,
    };
    resize_rgb8(pixels, middle, side(shown_w), side(shown_h), Kernel::Sharp)
}

/// Checks a logo without changing it.
///
/// # Errors
///
/// See [`BrandError`]; every variant carries its own sentence.
pub fn check_logo(bytes: &[u8]) -> Result<(), BrandError> {
    match decode::decode_logo(bytes) {
        Ok(_pixels) => Ok(()),
        Err(DecodeError::UnknownFormat) => Err(BrandError::NotPng),
        Err(DecodeError::TooManyPixels { width, height }) => {
            Err(BrandError::LogoTooLarge { width, height })
        }
        Err(other) => Err(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(width: usize, height: usize) -> Vec<u8> {
        let pixels = Rgb8::filled(width, height, [40, 80, 120]);
        encode(&pixels, OutputFormat::Jpeg, 90, "a place and a time").unwrap()
    }

    fn kept(width: usize, height: usize) -> (usize, usize) {
        let image = backdrop_image(&jpeg(width, height)).unwrap();
        let find = |what: &[u8]| image.jpeg.windows(what.len()).any(|w| w == what);
        assert!(!find(b"a place and a time") && !find(b"ns.adobe.com"));
        let small = decode::decode(&image.preview).unwrap().pixels;
        assert_eq!(small.width().max(small.height()), PREVIEW_SIDE);
        let pixels = decode::decode(&image.jpeg).unwrap().pixels;
        (pixels.width(), pixels.height())
    }

    #[test]
    fn the_smallest_image_is_taken_and_none_below_it() {
        assert_eq!(kept(1024, 1280), (1024, 1280));
        for (width, height) in [(1023, 1280), (1024, 1279)] {
            let refused = backdrop_image(&jpeg(width, height)).unwrap_err();
            assert_eq!(refused, BrandError::TooSmall { width, height });
            let said = refused.to_string();
            assert!(
                said.ends_with("at least 1024 wide and 1280 high."),
                "{said}"
            );
        }
    }

    #[test]
    fn large_images_are_reduced_and_still_cover_a_picture() {
        assert_eq!(kept(2560, 2560), (2560, 2560));
        assert_eq!(kept(2561, 2561), (2560, 2560));
        assert_eq!(kept(4000, 3000), (2560, 1920));
        assert_eq!(kept(9000, 1280), (2560, 1280));
        assert_eq!(kept(1024, 9000), (1024, 2048));
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let refused = backdrop_image(b"not an image").unwrap_err();
        assert_eq!(refused, BrandError::Unreadable(DecodeError::UnknownFormat));
        assert_eq!(check_logo(&jpeg(8, 8)), Err(BrandError::NotPng));
    }

    #[test]
    fn a_logo_has_at_most_four_megapixels() {
        let png = |width, height| {
            let pixels = Rgb8::filled(width, height, [1, 2, 3]);
            encode(&pixels, OutputFormat::Png, 90, "").unwrap()
        };
        assert_eq!(check_logo(&png(2000, 2000)), Ok(()));
        let refused = check_logo(&png(2000, 2001));
        assert!(matches!(refused, Err(BrandError::LogoTooLarge { .. })));
    }
}
