//! PNG: every colour type, 16 bits reduced to 8 row by row, so that memory stays at the result.

use super::{DecodeError, Raw, check_size, flatten};
use crate::raster::Rgb8;
use png::{ColorType, DecodingError, Limits, Transformations};
use std::io::Cursor;

/// What the decoder may allocate beside the pixels: chunks such as profiles, and one row.
const WORKING_BYTES: usize = 16 << 20;

pub(super) fn decode(bytes: &[u8]) -> Result<Raw, DecodeError> {
    let mut decoder = png::Decoder::new_with_limits(
        Cursor::new(bytes),
        Limits {
            bytes: WORKING_BYTES,
        },
    );
    decoder.set_ignore_text_chunk(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(sentence)?;
    check_size(header.width, header.height)?;
    let mut reader = decoder.read_info().map_err(sentence)?;
    let info = reader.info();
    if info.animation_control().is_some() {
        return Err(DecodeError::Animated);
    }
    let (width, height) = (info.width as usize, info.height as usize);
    let icc = info.icc_profile.as_ref().map(|p| p.to_vec());
    let exif = info.exif_metadata.as_ref().map(|e| e.to_vec());
    let interlaced = info.interlaced;
    let (color, _) = reader.output_color_type();
    let channels = color.samples();
    let mut pixels = Rgb8::filled(width, height, [0; 3]);
    if interlaced {
        read_interlaced(&mut reader, &mut pixels, color)?;
    } else {
        for y in 0..height {
            let row = reader
                .next_row()
                .map_err(sentence)?
                .ok_or(DecodeError::Truncated)?;
            let out = &mut pixels.data_mut()[y * width..(y + 1) * width];
            for (p, c) in out.iter_mut().zip(row.data().chunks_exact(channels)) {
                *p = pixel(c, color);
            }
        }
    }
    reader.finish().map_err(sentence)?;
    Ok(Raw { pixels, icc, exif })
}

/// Adam7 passes need the whole picture at once; it is at most four bytes per pixel.
fn read_interlaced(
    reader: &mut png::Reader<Cursor<&[u8]>>,
    pixels: &mut Rgb8,
    color: ColorType,
) -> Result<(), DecodeError> {
    let size = reader
        .output_buffer_size()
        .filter(|&s| s as u64 <= super::MAX_PIXELS * 4)
        .ok_or_else(|| DecodeError::malformed("an impossible size"))?;
    let mut buffer = vec![0; size];
    reader.next_frame(&mut buffer).map_err(sentence)?;
    for (p, c) in pixels
        .data_mut()
        .iter_mut()
        .zip(buffer.chunks_exact(color.samples()))
    {
        *p = pixel(c, color);
    }
    Ok(())
}

fn pixel(c: &[u8], color: ColorType) -> [u8; 3] {
    match color {
        ColorType::Grayscale | ColorType::Indexed => [c[0]; 3],
        ColorType::GrayscaleAlpha => flatten([c[0]; 3], c[1]),
        ColorType::Rgb => [c[0], c[1], c[2]],
        ColorType::Rgba => flatten([c[0], c[1], c[2]], c[3]),
    }
}

fn sentence(error: DecodingError) -> DecodeError {
    match error {
        DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated
        }
        other => DecodeError::malformed(other),
    }
}

/// Largest logo, in pixels.
const LOGO_PIXELS: u64 = 4_000_000;

/// With its transparency.
pub(super) fn decode_logo(bytes: &[u8]) -> Result<crate::backdrop::Logo, DecodeError> {
    let mut decoder = png::Decoder::new_with_limits(
        Cursor::new(bytes),
        Limits {
            bytes: WORKING_BYTES,
        },
    );
    decoder.set_transformations(
        Transformations::EXPAND | Transformations::STRIP_16 | Transformations::ALPHA,
    );
    let header = decoder.read_header_info().map_err(sentence)?;
    let (width, height) = (header.width, header.height);
    check_size(width, height)?;
    if u64::from(width) * u64::from(height) > LOGO_PIXELS {
        return Err(DecodeError::TooManyPixels { width, height });
    }
    let mut reader = decoder.read_info().map_err(sentence)?;
    let size = reader
        .output_buffer_size()
        .filter(|&s| s as u64 <= LOGO_PIXELS * 4)
        .ok_or_else(|| DecodeError::malformed("an impossible size"))?;
    let mut buffer = vec![0; size];
    reader.next_frame(&mut buffer).map_err(sentence)?;
    let (color, _) = reader.output_color_type();
    let data = buffer
        .chunks_exact(color.samples())
        .map(|c| match color {
            ColorType::GrayscaleAlpha => [c[0], c[0], c[0], c[1]],
            ColorType::Rgba => [c[0], c[1], c[2], c[3]],
            _ => [c[0], c[0], c[0], 255],
        })
        .collect();
    crate::backdrop::Logo::from_pixels(width as usize, height as usize, data)
        .ok_or(DecodeError::Truncated)
}
