//! Person before backdrop: soft shadow, light wrap, and grain that binds both together.

use crate::backdrop::Scene;
use crate::raster::{Kernel, Plane, Raster, Rgb, Rgb8, Stretch, resize_plane};

/// How much of the backdrop's light falls on the person's edge.
const WRAP: f32 = 0.16;
/// How dark the person's shadow on the backdrop is.
const SHADOW: f32 = 0.10;
/// Amplitude of the backdrop's grain; also hides banding.
const GRAIN: f32 = 0.008;

/// What a cut-out does to any backdrop, at quarter size: alpha blurred narrowly (for the wrap) and
/// widely (for the shadow).
#[derive(Debug, Clone)]
pub struct Edge(Raster<[f32; 2]>);

impl Edge {
    /// Blurs the alpha once for all backdrops.
    pub fn new(alpha: &Plane) -> Self {
        let (w, h) = (alpha.width().div_ceil(4), alpha.height().div_ceil(4));
        let small = resize_plane(alpha, w, h, Kernel::Box);
        let narrow = small.gauss(w as f32 * 0.010);
        let wide = small.gauss(w as f32 * 0.06);
        Self(narrow.zip(&wide, |n, s| [n, s]))
    }
}

/// Composes the finished picture. The grain follows `seed`.
pub fn composite(person: &Rgb, alpha: &Plane, edge: &Edge, scene: &Scene, seed: u64) -> Rgb8 {
    let (w, h) = (person.width(), person.height());
    let edges = Stretch::new(&edge.0, w, h);
    let pixels = Stretch::new(&scene.pixels, w, h);
    let ambient = Stretch::new(&scene.ambient, w, h);
    Rgb8::generate_rows(w, h, [0; 3], |y, row| {
        let (edge, behind, light) = (edges.row(y), pixels.row(y), ambient.row(y));
        for (x, out) in row.iter_mut().enumerate() {
            let a = alpha.at(x, y);
            let [narrow, shadow] = edge[x];
            let mut sum = [0.0; 3];
            if a < 1.0 {
                let dark = 1.0 - SHADOW * shadow;
                let g = grain(x, y, seed);
                sum = behind[x].map(|v| (v * dark + g) * (1.0 - a));
            }
            if a > 0.0 {
                let wrap = (1.0 - narrow).clamp(0.0, 1.0) * WRAP;
                let p = person.at(x, y);
                for k in 0..3 {
                    sum[k] += (p[k] + (light[x][k] - p[k]) * wrap) * a;
                }
            }
            *out = sum.map(|v| (v.clamp(0.0, 1.0) * 255.0 + 0.5) as u8);
        }
    })
}

/// Triangular noise of mean zero, a pure function of position and seed.
#[inline]
fn grain(x: usize, y: usize, seed: u64) -> f32 {
    let mut s = seed ^ ((y as u64) << 32 | x as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    s ^= s >> 29;
    s = s.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    s ^= s >> 32;
    let a = (s >> 40) as f32 / 16_777_216.0;
    let b = (s & 0xff_ffff) as f32 / 16_777_216.0;
    (a + b - 1.0) * GRAIN
}
