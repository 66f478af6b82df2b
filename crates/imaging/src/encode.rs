//! Finished pixels, and masks, to a file. No metadata but the recipe's packet is written.

use crate::raster::{Plane, Rgb8};

/// File format of a finished photo.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// JPEG, full colour resolution.
    #[default]
    Jpeg,
    /// PNG.
    Png,
    /// WebP, lossless.
    Webp,
}

impl OutputFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Jpeg, Self::Png, Self::Webp];

    /// The name, as the command line and recipes write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Webp => "webp",
        }
    }

    /// Media type for HTTP.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }

    /// File name ending without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
        }
    }
}

/// Encoding failed. Sizes and qualities are checked before, so this means a bug.
#[derive(Debug, thiserror::Error)]
#[error("encoding a {format:?} of {width} x {height} failed: {detail}")]
pub struct EncodeError {
    format: OutputFormat,
    width: usize,
    height: usize,
    detail: String,
}

/// Encodes pixels with an XMP packet, or without metadata where `xmp` is empty. `quality` (JPEG only) is clamped to 50..=100.
///
/// # Errors
///
/// When a side exceeds what the format can hold.
pub fn encode(
    pixels: &Rgb8,
    format: OutputFormat,
    quality: u8,
    xmp: &str,
) -> Result<Vec<u8>, EncodeError> {
    let failed = |detail: String| EncodeError {
        format,
        width: pixels.width(),
        height: pixels.height(),
        detail,
    };
    match format {
        OutputFormat::Jpeg => jpeg(pixels, quality.clamp(50, 100), xmp).map_err(failed),
        OutputFormat::Png => png(pixels, xmp).map_err(|e| failed(e.to_string())),
        OutputFormat::Webp => webp(pixels, xmp).map_err(failed),
    }
}

fn jpeg(pixels: &Rgb8, quality: u8, xmp: &str) -> Result<Vec<u8>, String> {
    let side = |n: usize| u16::try_from(n).map_err(|e| e.to_string());
    let (width, height) = (side(pixels.width())?, side(pixels.height())?);
    let mut out = Vec::with_capacity(pixels.data().len());
    let mut encoder = jpeg_encoder::Encoder::new(&mut out, quality);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_4_4);
    if !xmp.is_empty() {
        let segment = [b"http://ns.adobe.com/xap/1.0/\0".as_slice(), xmp.as_bytes()].concat();
        encoder
            .add_app_segment(1, segment)
            .map_err(|e| e.to_string())?;
    }
    let bytes: &[u8] = bytemuck::cast_slice(pixels.data());
    encoder
        .encode(bytes, width, height, jpeg_encoder::ColorType::Rgb)
        .map_err(|e| e.to_string())?;
    Ok(out)
}

fn png(pixels: &Rgb8, xmp: &str) -> Result<Vec<u8>, png::EncodingError> {
    let mut out = Vec::new();
    let (width, height) = (pixels.width() as u32, pixels.height() as u32);
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    if !xmp.is_empty() {
        encoder.add_itxt_chunk("XML:com.adobe.xmp".to_owned(), xmp.to_owned())?;
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytemuck::cast_slice(pixels.data()))?;
    writer.finish()?;
    Ok(out)
}

/// Encodes a mask as an 8-bit grey PNG without metadata: 0 is nothing, 255 is all.
///
/// # Errors
///
/// When a side exceeds what the format can hold.
pub fn encode_mask(mask: &Plane) -> Result<Vec<u8>, EncodeError> {
    grey_png(mask).map_err(|error| EncodeError {
        format: OutputFormat::Png,
        width: mask.width(),
        height: mask.height(),
        detail: error.to_string(),
    })
}

fn grey_png(mask: &Plane) -> Result<Vec<u8>, png::EncodingError> {
    let bytes = mask.map(|v| (v.clamp(0.0, 1.0) * 255.0 + 0.5) as u8);
    let mut out = Vec::new();
    let (width, height) = (mask.width() as u32, mask.height() as u32);
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes.data())?;
    writer.finish()?;
    Ok(out)
}

fn webp(pixels: &Rgb8, xmp: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut encoder = image_webp::WebPEncoder::new(&mut out);
    if !xmp.is_empty() {
        encoder.set_xmp_metadata(xmp.as_bytes().to_vec());
    }
    encoder
        .encode(
            bytemuck::cast_slice(pixels.data()),
            pixels.width() as u32,
            pixels.height() as u32,
            image_webp::ColorType::Rgb8,
        )
        .map_err(|e| e.to_string())?;
    Ok(out)
}
