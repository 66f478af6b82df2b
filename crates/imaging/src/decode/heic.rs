//! HEIC and HEIF stills, by a decoder in plain Rust: no system library can be missing.

use super::{DecodeError, MAX_PIXELS, Raw, assemble, check_size};
use heic_rs::{DecodeOptions, Error, PixelLayout};

pub(super) fn decode(bytes: &[u8]) -> Result<Raw, DecodeError> {
    let info = heic_rs::probe(bytes).map_err(sentence)?;
    check_size(info.width, info.height)?;
    check_size(info.coded_width, info.coded_height)?;
    let options = DecodeOptions {
        layout: PixelLayout::Rgb8,
        max_pixels: Some(MAX_PIXELS),
        apply_transforms: true,
        threads: Some(1),
        ..DecodeOptions::default()
    };
    let image = heic_rs::decode(bytes, &options).map_err(sentence)?;
    let pixels = assemble(image.width, image.height, 3, &image.data)?;
    // The container's own rotation was applied; the EXIF copy of it must not be applied again.
    Ok(Raw { pixels, icc: profile(bytes), exif: None })
}

fn profile(bytes: &[u8]) -> Option<Vec<u8>> {
    let info = heic_rs::probe(bytes).ok()?;
    let context = heic_rs::context::Context::open(bytes).ok()?;
    let props = context.props(info.primary_item).ok()?;
    context.icc(&props).map(<[u8]>::to_vec)
}

fn sentence(error: Error) -> DecodeError {
    match error {
        Error::Truncated(_) => DecodeError::Truncated,
        other => DecodeError::malformed(other),
    }
}
