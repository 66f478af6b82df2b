//! From the solving grid to the picture's own: a guided filter (He, Sun, Tang 2013) with colour
//! guide. Its coefficients are found on the coarse grid and applied to the fine picture, so that
//! single hairs come back.

use super::closed_form::inverse_symmetric;
use crate::raster::{Plane, Raster, Rgb, Stretch, smoothstep};

/// Window of the filter on the coarse grid.
const RADIUS: usize = 2;
/// Regularisation: differences of colour below its root are not followed.
const EPSILON: f32 = 1e-5;

/// Alpha values at or below this are background, and...
const FLOOR: f32 = 0.05;
/// ...at or above this person. Takes away the haze that networks and solver leave.
const CEILING: f32 = 0.97;

/// Brings `alpha`, solved on the grid of `coarse`, to the grid of `fine` (the same picture).
pub fn refine(coarse: &Rgb, alpha: &Plane, fine: &Rgb) -> Plane {
    let coefficients = coefficients(coarse, alpha);
    let (w, h) = (fine.width(), fine.height());
    let plain = Stretch::new(alpha, w, h);
    let coefficients = Stretch::new(&coefficients, w, h);
    let lines = || (Vec::new(), Vec::new());
    Plane::generate_rows_with(w, h, 0.0, lines, |(line, model), y, row| {
        plain.fill(y, line, row);
        if row.iter().any(|v| doubt(*v) > 0.0) {
            coefficients.line(y, model);
        }
        for (x, value) in row.iter_mut().enumerate() {
            let doubt = doubt(*value);
            if doubt > 0.0 {
                let ([a, b, c, d], p) = (coefficients.at(model, x), fine.at(x, y));
                let guided = (a * p[0] + b * p[1] + c * p[2] + d).clamp(0.0, 1.0);
                *value += (guided - *value) * doubt;
            }
            *value = ((*value - FLOOR) / (CEILING - FLOOR)).clamp(0.0, 1.0);
        }
    })
}

/// How much the solved alpha leaves open.
fn doubt(alpha: f32) -> f32 {
    smoothstep(0.02, 0.10, alpha) * (1.0 - smoothstep(0.90, 0.98, alpha))
}

fn coefficients(image: &Rgb, alpha: &Plane) -> Raster<[f32; 4]> {
    let products = image.zip(alpha, |[r, g, b], a| {
        [
            a,
            r,
            g,
            b,
            a * r,
            a * g,
            a * b,
            r * r,
            r * g,
            r * b,
            g * g,
            g * b,
            b * b,
        ]
    });
    let means = products.box_mean(RADIUS);
    means
        .map(|m| {
            let [a, r, g, b, ar, ag, ab, rr, rg, rb, gg, gb, bb] = m;
            let cov = [ar - a * r, ag - a * g, ab - a * b].map(f64::from);
            let [i0, i1, i2, i3, i4, i5] = inverse_symmetric(
                [
                    rr - r * r + EPSILON,
                    rg - r * g,
                    rb - r * b,
                    gg - g * g + EPSILON,
                    gb - g * b,
                    bb - b * b + EPSILON,
                ]
                .map(f64::from),
            )
            .map(f64::from);
            let x = (i0 * cov[0] + i1 * cov[1] + i2 * cov[2]) as f32;
            let y = (i1 * cov[0] + i3 * cov[1] + i4 * cov[2]) as f32;
            let z = (i2 * cov[0] + i4 * cov[1] + i5 * cov[2]) as f32;
            [x, y, z, a - x * r - y * g - z * b]
        })
        .box_mean(RADIUS)
}
