//! WebP stills.

use super::{DecodeError, Raw, assemble, check_size};
use image_webp::{DecodingError, WebPDecoder};
use std::io::Cursor;

/// What the decoder may hold beside the output.
const WORKING_BYTES: usize = 64 << 20;

pub(super) fn decode(bytes: &[u8]) -> Result<Raw, DecodeError> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(sentence)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    if decoder.is_animated() {
        return Err(DecodeError::Animated);
    }
    decoder.set_memory_limit(WORKING_BYTES);
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let size = decoder
        .output_buffer_size()
        .filter(|&s| s == width as usize * height as usize * channels)
        .ok_or_else(|| DecodeError::malformed("an impossible size"))?;
    let mut buffer = vec![0; size];
    decoder.read_image(&mut buffer).map_err(sentence)?;
    let pixels = assemble(width, height, channels, &buffer)?;
    let icc = decoder.icc_profile().map_err(sentence)?;
    let exif = decoder.exif_metadata().map_err(sentence)?;
    Ok(Raw { pixels, icc, exif })
}

fn sentence(error: DecodingError) -> DecodeError {
    match error {
        DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated
        }
        other => DecodeError::malformed(other),
    }
}
