//! JPEG: baseline and progressive, grey, YCbCr, RGB, and CMYK as scanners write it.

mod entropy;
mod huffman;

use super::{DecodeError, Raw, check_size};
use crate::raster::Rgb8;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

pub(super) fn decode(bytes: &[u8]) -> Result<Raw, DecodeError> {
    let end = picture_end(bytes)?;
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&bytes[..end]), options);
    decoder.decode_headers().map_err(DecodeError::malformed)?;
    let info = decoder
        .info()
        .ok_or_else(|| DecodeError::malformed("no header"))?;
    check_size(u32::from(info.width), u32::from(info.height))?;
    let mut pixels = Rgb8::filled(usize::from(info.width), usize::from(info.height), [0; 3]);
    let target: &mut [u8] = bytemuck::cast_slice_mut(pixels.data_mut());
    if decoder.output_buffer_size() != Some(target.len()) {
        return Err(DecodeError::malformed("an unknown colour space"));
    }
    decoder
        .decode_into(target)
        .map_err(DecodeError::malformed)?;
    Ok(Raw {
        pixels,
        icc: decoder.icc_profile(),
        exif: decoder.exif().cloned(),
    })
}

/// Walks the markers to the end-of-image marker of the first picture and returns the position
/// after it. Also proves that the size in the header is checked first: a frame that is too large is
/// refused before the walk goes on. On the way each scan is counted through: see [`entropy`].
fn picture_end(bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut picture = entropy::Picture::default();
    let mut i = 2;
    loop {
        // Segments may be preceded by fill bytes.
        while bytes.get(i) == Some(&0xff) && bytes.get(i + 1) == Some(&0xff) {
            i += 1;
        }
        let (Some(&mark), Some(&kind)) = (bytes.get(i), bytes.get(i + 1)) else {
            return Err(DecodeError::Truncated);
        };
        if mark != 0xff {
            return Err(DecodeError::malformed("a marker was expected"));
        }
        if kind == 0xd9 {
            picture.complete()?;
            return Ok(i + 2);
        }
        if matches!(kind, 0x01 | 0xd0..=0xd8) {
            i += 2;
            continue;
        }
        let length = segment_length(bytes, i)?;
        let segment = &bytes[i + 4..i + 2 + length];
        match kind {
            0xc4 => picture.codes(segment)?,
            0xdb => picture.quantization(segment),
            0xdd => picture.interval(segment),
            0xc0..=0xcf if !matches!(kind, 0xc8 | 0xcc) => {
                check_frame(bytes, i, length)?;
                picture.frame(kind, segment)?;
            }
            _ => {}
        }
        i += 2 + length;
        if kind == 0xda {
            i = picture.scan(segment, bytes, i)?;
        }
    }
}

fn segment_length(bytes: &[u8], at: usize) -> Result<usize, DecodeError> {
    let pair = bytes.get(at + 2..at + 4).ok_or(DecodeError::Truncated)?;
    let length = usize::from(u16::from_be_bytes([pair[0], pair[1]]));
    if length < 2 {
        return Err(DecodeError::malformed("a segment of no length"));
    }
    if at + 2 + length > bytes.len() {
        return Err(DecodeError::Truncated);
    }
    Ok(length)
}

fn check_frame(bytes: &[u8], at: usize, length: usize) -> Result<(), DecodeError> {
    if length < 8 {
        return Err(DecodeError::malformed("a short frame header"));
    }
    let height = u16::from_be_bytes([bytes[at + 5], bytes[at + 6]]);
    let width = u16::from_be_bytes([bytes[at + 7], bytes[at + 8]]);
    check_size(u32::from(width), u32::from(height))
}
