//! Restrained retouching: blotches go, pores stay.

use crate::raster::{Raster, Rgb};

/// Local variance below which skin is evened out; edges and features are far above.
const EVEN: f32 = 0.0016;
/// Part of the half-size detail that is kept on top of the evened skin; everything finer is kept
/// whole because it never enters here.
const KEPT: f32 = 0.75;

/// What full retouching would add to the half-size picture. `eye_distance` in its pixels.
pub fn delta(image: &Rgb, eye_distance: f32) -> Rgb {
    let radius = ((eye_distance * 0.05) as usize).max(2);
    let moments: Raster<[f32; 6]> = image
        .map(|[r, g, b]| [r, g, b, r * r, g * g, b * b])
        .box_mean(radius);
    let coefficients = moments
        .map(|m| {
            let mut out = [0.0; 6];
            for k in 0..3 {
                let variance = (m[k + 3] - m[k] * m[k]).max(0.0);
                let a = variance / (variance + EVEN);
                out[k] = a;
                out[k + 3] = m[k] * (1.0 - a);
            }
            out
        })
        .box_mean(radius);
    let blurred = image.gauss((eye_distance * 0.016).max(1.0));
    let evened = image.zip(&coefficients, |p, c| {
        // What is evened away, and with it the pores: both in proportion to `1 - c`.
        [0, 1, 2, 3, 4, 5].map(|k| {
            if k < 3 {
                c[k] * p[k] + c[k + 3] - p[k]
            } else {
                1.0 - c[k - 3]
            }
        })
    });
    let pores = image.zip(&blurred, |p, b| [0, 1, 2].map(|k| (p[k] - b[k]) * KEPT));
    // Bounded, so that a mole or a scar fades at most a little.
    evened.zip(&pores, |e, fine| {
        [0, 1, 2].map(|k| (e[k] + fine[k] * e[k + 3]).clamp(-0.08, 0.08))
    })
}
