//! Colour profiles: whatever RGB the file speaks becomes sRGB (phones write Display P3).

use crate::raster::Rgb8;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use rayon::prelude::*;

/// Pixels per task.
const BLOCK: usize = 1 << 16;

/// Converts in place. Returns whether anything was converted: a profile that is unreadable, not
/// RGB, or sRGB already leaves the pixels as they are.
pub(super) fn to_srgb(pixels: &mut Rgb8, profile: &[u8]) -> bool {
    let Ok(source) = ColorProfile::new_from_slice(profile) else {
        return false;
    };
    if source.color_space != DataColorSpace::Rgb || is_srgb(&source) {
        return false;
    }
    let target = ColorProfile::new_srgb();
    let Ok(transform) = source.create_transform_8bit(
        Layout::Rgb,
        &target,
        Layout::Rgb,
        TransformOptions::default(),
    ) else {
        return false;
    };
    pixels.data_mut().par_chunks_mut(BLOCK).all(|chunk| {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(chunk);
        let copy = bytes.to_vec();
        transform.transform(&copy, bytes).is_ok()
    })
}

/// Probes the profile with a few colours instead of trusting its name.
fn is_srgb(source: &ColorProfile) -> bool {
    let probe: [u8; 15] = [255, 0, 0, 0, 255, 0, 0, 0, 255, 128, 128, 128, 200, 100, 50];
    let mut out = [0u8; 15];
    let Ok(transform) = source.create_transform_8bit(
        Layout::Rgb,
        &ColorProfile::new_srgb(),
        Layout::Rgb,
        TransformOptions::default(),
    ) else {
        return true;
    };
    transform.transform(&probe, &mut out).is_err()
        || probe.iter().zip(&out).all(|(a, b)| a.abs_diff(*b) <= 2)
}
