//! The two EXIF facts that matter here: which way up the photo is, and through which lens it was
//! taken.

use crate::raster::Rgb8;
use rayon::prelude::*;

/// How the stored rows must be turned to stand upright. Names follow EXIF 2.3, tag 0x0112.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orientation {
    /// 1: as stored.
    Upright,
    /// 2: mirrored left to right.
    Mirrored,
    /// 3: upside down.
    Rotated180,
    /// 4: mirrored top to bottom.
    Flipped,
    /// 5: mirrored along the main diagonal.
    Transposed,
    /// 6: must be turned clockwise (a phone held upright).
    Rotated90,
    /// 7: mirrored along the other diagonal.
    Transversed,
    /// 8: must be turned counter-clockwise.
    Rotated270,
}

impl Orientation {
    /// From the tag's number; anything unknown is upright.
    pub fn from_tag(value: u32) -> Self {
        match value {
            2 => Self::Mirrored,
            3 => Self::Rotated180,
            4 => Self::Flipped,
            5 => Self::Transposed,
            6 => Self::Rotated90,
            7 => Self::Transversed,
            8 => Self::Rotated270,
            _ => Self::Upright,
        }
    }

    /// Turns the pixels upright.
    pub fn apply(self, src: Rgb8) -> Rgb8 {
        let (w, h) = (src.width(), src.height());
        match self {
            Self::Upright => src,
            Self::Mirrored => remap(w, h, |x, y| src.at(w - 1 - x, y)),
            Self::Rotated180 => remap(w, h, |x, y| src.at(w - 1 - x, h - 1 - y)),
            Self::Flipped => remap(w, h, |x, y| src.at(x, h - 1 - y)),
            Self::Transposed => remap(h, w, |x, y| src.at(y, x)),
            Self::Rotated90 => remap(h, w, |x, y| src.at(y, h - 1 - x)),
            Self::Transversed => remap(h, w, |x, y| src.at(w - 1 - y, h - 1 - x)),
            Self::Rotated270 => remap(h, w, |x, y| src.at(w - 1 - y, x)),
        }
    }
}

/// Bands of rows, so that a column of the source stays in cache while it becomes a row.
fn remap(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 3] + Sync) -> Rgb8 {
    const BAND: usize = 32;
    let mut out = Rgb8::filled(width, height, [0; 3]);
    out.data_mut()
        .par_chunks_mut(width * BAND)
        .enumerate()
        .for_each(|(band, rows)| {
            let count = rows.len() / width;
            for x in 0..width {
                for y in 0..count {
                    rows[y * width + x] = pixel(x, band * BAND + y);
                }
            }
        });
    out
}

/// Focal lengths of phones and cameras on 35-mm film, in millimetres; others are no measurement.
const FOCAL: std::ops::RangeInclusive<u32> = 10..=200;

/// Reads the orientation, and the focal length on 35-mm film, from an EXIF block (with or without
/// its `Exif\0\0` prefix). Broken EXIF is common and harmless: it counts as upright.
pub(super) fn facts(block: Vec<u8>) -> (Orientation, Option<u16>) {
    let tiff = match block.strip_prefix(b"Exif\0\0") {
        Some(rest) => rest.to_vec(),
        None => block,
    };
    let Ok(read) = exif::Reader::new().read_raw(tiff) else {
        return (Orientation::Upright, None);
    };
    let number = |tag| {
        read.get_field(tag, exif::In::PRIMARY)
            .and_then(|f| f.value.get_uint(0))
    };
    let orientation = number(exif::Tag::Orientation).unwrap_or(1);
    let focal = number(exif::Tag::FocalLengthIn35mmFilm)
        .filter(|mm| FOCAL.contains(mm))
        .and_then(|mm| u16::try_from(mm).ok());
    (Orientation::from_tag(orientation), focal)
}
