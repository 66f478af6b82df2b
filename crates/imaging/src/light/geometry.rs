//! The light on the face and the shape of the face, from which a studio light is computed.

use super::masks::Masks;
use crate::analysis::landmarks::Landmarks;
use crate::filter::ordered_sums;
use crate::raster::{Kernel, Plane, Raster, Rgb, resize_plane, smoothstep};

/// Direction of the key light: from the upper left, before the face.
const KEY: [f32; 3] = [-0.55, -0.5, 0.67];
/// Part of the key light that a face turned to the camera receives; only the deviation from it
/// brightens or darkens.
const KEY_MEAN: f32 = 0.62;

/// Light and shape at quarter size of the picture.
#[derive(Debug, Clone)]
pub struct Relief {
    /// Low-frequency brightness of the skin over its mean, how much a surface faces the key light,
    /// and where all this counts (the face and its surroundings, 0..=1).
    pub map: Raster<[f32; 3]>,
    blur: f32,
}

/// Measures light and shape; `image`, `masks` and `landmarks` at half size of the picture.
pub fn relief(image: &Rgb, masks: &Masks, landmarks: &Landmarks) -> Relief {
    let (w, h) = (image.width().div_ceil(2), image.height().div_ceil(2));
    let landmarks = landmarks.mapped(|x, y| (x * 0.5, y * 0.5), 0.5);
    let eye_distance = landmarks.eyes().2.max(1.0);
    let y = resize_plane(&image.luma(), w, h, Kernel::Box);
    let face = resize_plane(&masks.face, w, h, Kernel::Box);
    let skin = resize_plane(&masks.combined.map(|m| m[0]), w, h, Kernel::Box);
    let weight = skin.zip(&face, |s, f| s + 0.02 * f + 1e-4);
    let base = y
        .zip(&weight, |y, k| [y * k, k])
        .gauss(eye_distance * 0.16)
        .map(|[sum, k]| sum / k.max(1e-6));
    let lit = base.zip(&skin.zip(&face, |s, f| s * f), |b, k| [b, k]);
    let [weighted, total] = ordered_sums(lit.data(), |_, v| {
        let k = f64::from(v[1]);
        [f64::from(v[0]) * k, k]
    });
    let mean = if total > 1.0 { weighted / total } else { 0.5 };
    let mean = (mean as f32).max(0.02);
    let depth = depth(w, h, &landmarks, eye_distance);
    let reach = face.gauss(eye_distance * 0.35);
    let facing = Plane::generate(w, h, |x, y| facing(&depth, x, y));
    let map = base
        .zip(&facing, |b, f| [b / mean, f, 0.0])
        .zip(&reach, |m, r| [m[0], m[1], r]);
    Relief {
        map,
        blur: (eye_distance * 0.04).max(1.0),
    }
}

/// Depth of the face, nearer is larger, spread out from the mesh's points.
fn depth(w: usize, h: usize, landmarks: &Landmarks, eye_distance: f32) -> Plane {
    let mut points = Raster::filled(w, h, [0.0f32, 1e-6]);
    for p in &landmarks.mesh {
        if p[0] >= 0.0 && p[1] >= 0.0 && (p[0] as usize) < w && (p[1] as usize) < h {
            let i = p[1] as usize * w + p[0] as usize;
            let slot = &mut points.data_mut()[i];
            slot[0] -= p[2];
            slot[1] += 1.0;
        }
    }
    points
        .gauss(eye_distance * 0.16)
        .map(|[z, n]| z / n.max(1e-9))
        .gauss((eye_distance * 0.08).max(1.0))
}

fn facing(depth: &Plane, x: usize, y: usize) -> f32 {
    let (x, y) = (x as i64, y as i64);
    let dx = (depth.at_clamped(x + 1, y) - depth.at_clamped(x - 1, y)) * 0.5;
    let dy = (depth.at_clamped(x, y + 1) - depth.at_clamped(x, y - 1)) * 0.5;
    let length = (dx * dx + dy * dy + 1.0).sqrt();
    ((-dx * KEY[0] - dy * KEY[1] + KEY[2]) / length - KEY_MEAN) * 1.2
}

impl Relief {
    /// Factor on brightness, at quarter size: `fill` lifts the shadows of the face, `key` models
    /// it from the upper left.
    pub fn gain(&self, fill: f32, key: f32) -> Plane {
        self.map
            .map(|[ratio, facing, reach]| {
                let lift = if ratio < 1.0 {
                    ratio.max(0.25).powf(-fill)
                } else {
                    ratio.min(2.0).powf(-fill * 0.4)
                };
                // Deep shadow holds only noise: it is lifted less.
                let lift = 1.0 + (lift - 1.0) * smoothstep(0.12, 0.45, ratio);
                let light = 1.0 + key * facing.clamp(-0.8, 0.6);
                1.0 + (lift * light - 1.0) * reach
            })
            .gauss(self.blur)
    }
}
