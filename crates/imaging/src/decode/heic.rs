//! HEIC and HEIF stills, by a decoder in plain Rust: no system library can be missing.

mod rows;

use super::{DecodeError, MAX_PIXELS, Raw, assemble, check_size};
use heic_rs::context::Context;
use heic_rs::{ChromaFormat, DecodeOptions, Error, PixelLayout};
use std::borrow::Cow;

pub(super) fn decode(bytes: &[u8]) -> Result<Raw, DecodeError> {
    check_boxes(bytes)?;
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
    let context = Context::open(bytes).map_err(sentence)?;
    let (icc, described) = colour(&context);
    let exif = context.exif(context.meta.primary).ok().flatten();
    let mut file = Cow::Borrowed(bytes);
    for patch in rows::patches(bytes, &context)? {
        patch.apply(file.to_mut());
    }
    if !described {
        label(file.to_mut());
    }
    let image = heic_rs::decode(&file, &options).map_err(|error| refusal(error, info.chroma))?;
    let pixels = assemble(image.width, image.height, 3, &image.data)?;
    Ok(Raw {
        pixels,
        icc,
        exif: exif.map(<[u8]>::to_vec),
    })
}

/// The outermost boxes must end inside the file: the decoder fills a missing end with grey.
fn check_boxes(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut at = 0;
    while at < bytes.len() {
        let head = bytes.get(at..at + 8).ok_or(DecodeError::Truncated)?;
        let size = match u32::from_be_bytes([head[0], head[1], head[2], head[3]]) {
            0 => return Ok(()),
            1 => {
                let long = bytes.get(at + 8..at + 16).ok_or(DecodeError::Truncated)?;
                long.iter().fold(0u64, |n, &b| n << 8 | u64::from(b))
            }
            short => u64::from(short),
        };
        if size < 8 {
            return Err(DecodeError::malformed("a box of no size"));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        at = at
            .checked_add(size)
            .filter(|&end| end <= bytes.len())
            .ok_or(DecodeError::Truncated)?;
    }
    Ok(())
}

/// The primary image's colour profile, and whether the file also says how its samples are coded.
fn colour(context: &Context<'_>) -> (Option<Vec<u8>>, bool) {
    match context.props(context.meta.primary) {
        Ok(props) => (
            context.icc(&props).map(<[u8]>::to_vec),
            props.nclx.is_some() || props.icc.is_none(),
        ),
        Err(_) => (None, true),
    }
}

/// Lets each colour profile box say instead that the samples are BT.601, full range.
/// Phones write only the profile; without this the decoder assumes BT.709, limited range, and
/// contrast and hue are off. The box keeps its size, so nothing else in the file moves.
fn label(out: &mut [u8]) {
    const PROFILE: &[u8] = b"colrprof";
    /// Colour type; primaries 1, transfer 13, matrix 6 (BT.601), full range.
    const CODING: &[u8] = b"colrnclx\0\x01\0\x0d\0\x06\x80";
    let mut at = 0;
    while let Some(found) = out[at..].windows(PROFILE.len()).position(|w| w == PROFILE) {
        at += found;
        match out.get_mut(at..at + CODING.len()) {
            Some(place) => place.copy_from_slice(CODING),
            None => break,
        }
        at += CODING.len();
    }
}

/// What the decoder can't read is no damage where it reads no file of that kind. Phones write 4:2:0.
fn refusal(error: Error, chroma: ChromaFormat) -> DecodeError {
    match (sentence(error), chroma) {
        (DecodeError::Malformed { .. }, ChromaFormat::Yuv422) => {
            DecodeError::HeicUnsupported { detail: "4:2:2" }
        }
        (DecodeError::Malformed { .. }, ChromaFormat::Yuv444) => {
            DecodeError::HeicUnsupported { detail: "4:4:4" }
        }
        (refused, _) => refused,
    }
}

fn sentence(error: Error) -> DecodeError {
    match error {
        Error::Truncated(_) => DecodeError::Truncated,
        other => DecodeError::malformed(other),
    }
}
