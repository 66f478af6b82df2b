//! Person before backdrop: soft shadow, light wrap, and grain that binds both together.

use crate::backdrop::Scene;
use crate::raster::{Kernel, Plane, Raster, Rgb, Rgb8, Stretch, byte, resize_plane};

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

/// One row of what is behind a picture, at its own width.
#[derive(Default)]
struct Lines {
    edge: Vec<[f32; 2]>,
    behind: Vec<[f32; 3]>,
    light: Vec<[f32; 3]>,
}

/// Composes the finished picture. The grain follows `seed`.
pub fn composite(person: &Rgb, alpha: &Plane, edge: &Edge, scene: &Scene, seed: u64) -> Rgb8 {
    let (w, h) = (person.width(), person.height());
    let edges = Stretch::new(&edge.0, w, h);
    let pixels = Stretch::new(&scene.pixels, w, h);
    let ambient = Stretch::new(&scene.ambient, w, h);
    Rgb8::generate_rows_with(w, h, [0; 3], Lines::default, |lines, y, row| {
        edges.line(y, &mut lines.edge);
        pixels.line(y, &mut lines.behind);
        ambient.line(y, &mut lines.light);
        let inputs = alpha.row(y).iter().zip(person.row(y));
        for ((x, out), (&a, p)) in row.iter_mut().enumerate().zip(inputs) {
            let [narrow, shadow] = edges.at(&lines.edge, x);
            let mut sum = [0.0; 3];
            if a < 1.0 {
                let dark = 1.0 - SHADOW * shadow;
                let g = grain(x, y, seed);
                let behind = pixels.at(&lines.behind, x);
                sum = behind.map(|v| (v * dark + g) * (1.0 - a));
            }
            if a > 0.0 {
                let wrap = (1.0 - narrow).clamp(0.0, 1.0) * WRAP;
                let mut lit = *p;
                if wrap > 0.0 {
                    let light = ambient.at(&lines.light, x);
                    lit = [0, 1, 2].map(|k| p[k] + (light[k] - p[k]) * wrap);
                }
                sum = [0, 1, 2].map(|k| sum[k] + lit[k] * a);
            }
            *out = sum.map(byte);
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
    // 24 bits each: over `i32`, which one instruction converts from.
    let a = (s >> 40) as i32 as f32 / 16_777_216.0;
    let b = (s & 0xff_ffff) as i32 as f32 / 16_777_216.0;
    (a + b - 1.0) * GRAIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backdrop::Backdrop;

    /// The formula, pixel by pixel.
    fn plain(person: &Rgb, alpha: &Plane, edge: &Edge, scene: &Scene, seed: u64) -> Rgb8 {
        let (w, h) = (person.width(), person.height());
        let edges = edge.0.stretched(w, h);
        let pixels = scene.pixels.stretched(w, h);
        let ambient = scene.ambient.stretched(w, h);
        Rgb8::generate(w, h, |x, y| {
            let (a, p) = (alpha.at(x, y), person.at(x, y));
            let [narrow, shadow] = edges.at(x, y);
            let wrap = (1.0 - narrow).clamp(0.0, 1.0) * WRAP;
            let g = grain(x, y, seed);
            [0, 1, 2].map(|k| {
                let behind = pixels.at(x, y)[k] * (1.0 - SHADOW * shadow) + g;
                let lit = p[k] + (ambient.at(x, y)[k] - p[k]) * wrap;
                let sum = behind * (1.0 - a) + lit * a;
                (sum.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
            })
        })
    }

    #[test]
    fn what_is_left_out_changes_no_byte() {
        for (w, h) in [(96, 120), (97, 121), (3, 5)] {
            let person = Rgb::generate(w, h, |x, y| {
                [
                    x as f32 / w as f32,
                    y as f32 / h as f32,
                    grain(x, y, 9) * 60.0 + 0.5,
                ]
            });
            // Outside, inside, and a soft edge between them.
            let alpha = Plane::generate(w, h, |x, y| {
                let off = (x as f32 / w as f32 - 0.5).hypot(y as f32 / h as f32 - 0.6);
                ((0.35 - off) * 12.0).clamp(0.0, 1.0)
            });
            let edge = Edge::new(&alpha);
            let office = Scene::render(&Backdrop::Office, w, h, 7).unwrap();
            let image = Scene::from_image(&person.to_u8(), w, h);
            for scene in [office, image] {
                let made = composite(&person, &alpha, &edge, &scene, 7);
                assert!(
                    made == plain(&person, &alpha, &edge, &scene, 7),
                    "{w} x {h}"
                );
            }
        }
    }

    #[test]
    fn a_stretched_row_is_the_bilinear_one() {
        let source = Plane::generate(7, 5, |x, y| (x * x + 3 * y) as f32);
        let stretched = source.stretched(23, 11);
        for y in 0..11 {
            for x in 0..23 {
                let (u, v) = ((x as f32 + 0.5) * 7.0 / 23.0, (y as f32 + 0.5) * 5.0 / 11.0);
                let (a, b) = (stretched.at(x, y), source.bilinear(u, v));
                assert!((a - b).abs() < 1e-3, "{x} {y}: {a} against {b}");
            }
        }
    }
}
