//! Upload bytes to upright sRGB pixels.
//!
//! Limits are checked on the header, before a pixel is allocated. Whatever is wrong with a file is
//! a [`DecodeError`] with a sentence for the person who uploaded it; nothing here panics.
//!
//! Not kept: the embedded metadata. Nothing of it (place, device, time) can reach an output,
//! because [`Decoded`] does not hold it, but for the lens' focal length.

mod exif;
#[cfg(feature = "heic")]
mod heic;
mod icc;
mod jpeg;
mod png;
mod webp;

pub use exif::Orientation;

use crate::raster::Rgb8;

/// Largest accepted picture, in pixels. 64 megapixels is above every phone's usual mode (12, 24,
/// 48, 50) and keeps the decoded copy below 200 MB.
pub const MAX_PIXELS: u64 = 64_000_000;

/// Largest accepted file, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// Longest accepted side, in pixels: a 1 x 64,000,000 strip is not a photo.
pub const MAX_SIDE: u32 = 32_767;

/// A file format that is recognised by its first bytes, never by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG, 1 to 16 bits per channel.
    Png,
    /// WebP, lossy or lossless.
    Webp,
    /// HEIC or HEIF, as iPhones write.
    Heic,
}

/// Why a file was not decoded. `Display` is the sentence shown to the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not one of the accepted formats.
    #[error("This file is not a JPEG, PNG, WebP or HEIC photo.")]
    UnknownFormat,
    /// The file has more bytes than [`MAX_BYTES`].
    #[error("This file is too large: {bytes} bytes, at most {MAX_BYTES} are accepted.")]
    TooManyBytes {
        /// Size of the file.
        bytes: usize,
    },
    /// The header promises more pixels than [`MAX_PIXELS`] or a side longer than [`MAX_SIDE`].
    #[error(
        "This photo is too large: {width} x {height} pixels, at most 64 megapixels are accepted."
    )]
    TooManyPixels {
        /// Promised width.
        width: u32,
        /// Promised height.
        height: u32,
    },
    /// An animation instead of a still.
    #[error("This file is an animation, not a photo.")]
    Animated,
    /// The file ends before the picture does.
    #[error("This file is cut off: the end of the photo is missing.")]
    Truncated,
    /// The content breaks the rules of its own format.
    #[error("This file is damaged and cannot be read. Please upload the photo once more.")]
    Malformed {
        /// What the decoder found.
        detail: String,
    },
    /// A HEIC that is whole, as far as can be told, but of a kind that the decoder does not know.
    #[error(
        "This HEIC photo keeps its colours in a way that cannot be read here ({detail}). Please upload \
         a JPEG instead."
    )]
    HeicUnsupported {
        /// How they are kept.
        detail: &'static str,
    },
    /// HEIC without the `heic` feature.
    #[error("HEIC photos cannot be read by this server. Please upload a JPEG instead.")]
    HeicUnavailable,
}

impl DecodeError {
    /// Stable machine code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownFormat => "unknown_format",
            Self::TooManyBytes { .. } => "file_too_large",
            Self::TooManyPixels { .. } => "too_many_pixels",
            Self::Animated => "animated",
            Self::Truncated => "truncated",
            Self::Malformed { .. } => "damaged",
            Self::HeicUnsupported { .. } => "heic_unsupported",
            Self::HeicUnavailable => "heic_unavailable",
        }
    }

    fn malformed(detail: impl std::fmt::Display) -> Self {
        let mut detail = detail.to_string();
        if let Some((cut, _)) = detail.char_indices().nth(120) {
            detail.truncate(cut);
        }
        Self::Malformed { detail }
    }
}

/// A decoded photo: upright, sRGB, without transparency and without metadata.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The pixels.
    pub pixels: Rgb8,
    /// What the file was.
    pub format: Format,
    /// Whether a colour profile other than sRGB was converted.
    pub converted_profile: bool,
    /// Focal length of the lens on 35-mm film, in millimetres, where the camera wrote it.
    pub focal: Option<u16>,
}

/// What a format's decoder hands over before orientation and colour are settled.
struct Raw {
    pixels: Rgb8,
    icc: Option<Vec<u8>>,
    exif: Option<Vec<u8>>,
}

/// The format by its magic bytes.
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        Some(Format::Jpeg)
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(Format::Png)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(Format::Webp)
    } else if bytes.get(4..8) == Some(b"ftyp") {
        let brand = bytes.get(8..12)?;
        [
            b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1",
        ]
        .iter()
        .any(|b| brand == *b)
        .then_some(Format::Heic)
    } else {
        None
    }
}

/// Decodes a photo.
///
/// # Errors
///
/// See [`DecodeError`]; every variant carries its own sentence.
pub fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    if bytes.len() > MAX_BYTES {
        return Err(DecodeError::TooManyBytes { bytes: bytes.len() });
    }
    let format = sniff(bytes).ok_or(DecodeError::UnknownFormat)?;
    let raw = match format {
        Format::Jpeg => jpeg::decode(bytes)?,
        Format::Png => png::decode(bytes)?,
        Format::Webp => webp::decode(bytes)?,
        Format::Heic => decode_heic(bytes)?,
    };
    let mut pixels = raw.pixels;
    let converted_profile = match raw.icc {
        Some(profile) => icc::to_srgb(&mut pixels, &profile),
        None => false,
    };
    let (mut orientation, focal) = raw.exif.map_or((Orientation::Upright, None), exif::facts);
    if format == Format::Heic {
        // The container's own rotation was applied; the EXIF's copy of it must not be applied again.
        orientation = Orientation::Upright;
    }
    Ok(Decoded {
        pixels: orientation.apply(pixels),
        format,
        converted_profile,
        focal,
    })
}

#[cfg(feature = "heic")]
fn decode_heic(bytes: &[u8]) -> Result<Raw, DecodeError> {
    heic::decode(bytes)
}

#[cfg(not(feature = "heic"))]
fn decode_heic(_bytes: &[u8]) -> Result<Raw, DecodeError> {
    Err(DecodeError::HeicUnavailable)
}

/// Refuses a size before anything of that size is allocated.
fn check_size(width: u32, height: u32) -> Result<(), DecodeError> {
    if width == 0 || height == 0 {
        return Err(DecodeError::malformed("a side of zero pixels"));
    }
    let too_many = u64::from(width) * u64::from(height) > MAX_PIXELS;
    if too_many || width > MAX_SIDE || height > MAX_SIDE {
        return Err(DecodeError::TooManyPixels { width, height });
    }
    Ok(())
}

/// Lays a transparent pixel on mid grey: neutral for the matting that follows.
fn flatten(p: [u8; 3], alpha: u8) -> [u8; 3] {
    if alpha == 255 {
        return p;
    }
    let a = u16::from(alpha);
    p.map(|v| ((u16::from(v) * a + 128 * (255 - a) + 127) / 255) as u8)
}

/// Bytes to pixels of `channels` (1, 2, 3 or 4) per pixel.
fn assemble(width: u32, height: u32, channels: usize, bytes: &[u8]) -> Result<Rgb8, DecodeError> {
    let data: Vec<[u8; 3]> = match channels {
        1 => bytes.iter().map(|&v| [v; 3]).collect(),
        2 => bytes
            .chunks_exact(2)
            .map(|c| flatten([c[0]; 3], c[1]))
            .collect(),
        3 => bytes.chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect(),
        4 => bytes
            .chunks_exact(4)
            .map(|c| flatten([c[0], c[1], c[2]], c[3]))
            .collect(),
        n => return Err(DecodeError::malformed(format!("{n} channels"))),
    };
    Rgb8::from_pixels(width as usize, height as usize, data)
        .ok_or_else(|| DecodeError::malformed("fewer pixels than promised"))
}

/// Decodes a logo: a PNG with transparency, at most 4 megapixels.
///
/// # Errors
///
/// As [`decode`]; anything but a PNG is [`DecodeError::UnknownFormat`].
pub fn decode_logo(bytes: &[u8]) -> Result<crate::backdrop::Logo, DecodeError> {
    if bytes.len() > MAX_BYTES {
        return Err(DecodeError::TooManyBytes { bytes: bytes.len() });
    }
    match sniff(bytes) {
        Some(Format::Png) => png::decode_logo(bytes),
        _ => Err(DecodeError::UnknownFormat),
    }
}
