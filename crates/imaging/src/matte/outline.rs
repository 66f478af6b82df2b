//! The body's outline: cloth has a smooth one. Where a sleeve is as dark as what lies behind it,
//! networks and solver tear it.

use crate::raster::{Kernel, Plane, Raster, resize_plane, smoothstep};

/// How finely the outline is drawn again, as part of the face's height: standard deviation.
const FINE: f32 = 0.03;
/// How far along the outline its length is compared, as part of the face's height: standard deviation.
const ALONG: f32 = 0.06;
/// From how many times the smooth outline's length on an outline is torn, and certainly is.
const TORN: [f32; 2] = [1.12, 1.21];
/// Width of the edge that is drawn, in pixels.
const EDGE: f32 = 1.5;

/// How much the outline turns there, in radians per face height, from where on it may be a corner and
/// certainly is.
const CORNER: [f32; 2] = [3.0, 6.0];

/// Draws torn parts of the outline of `alpha` smoothly, where `body`, on the solving grid, is 1. What is
/// smooth already stays as it is, corners too. `face_height` in pixels of the grid.
pub fn mended(alpha: &Plane, body: &Plane, face_height: f32) -> Plane {
    let (w, h) = (body.width(), body.height());
    let small = resize_plane(alpha, w, h, Kernel::Box);
    let sigma = (face_height * FINE).max(1.0);
    let smooth = small.gauss(sigma);
    let torn = torn(&small, &smooth, face_height).zip(body, |torn, body| torn * body);
    // Where the outline leaves the picture, half of what makes it smooth is missing.
    let torn = Plane::generate(w, h, |x, y| {
        let rim = x.min(y).min(w - 1 - x).min(h - 1 - y) as f32;
        torn.at(x, y) * smoothstep(sigma, 3.0 * sigma, rim)
    });
    // A blurred step falls by 1 within 2.5 standard deviations at its middle.
    let per = alpha.height() as f32 / h as f32;
    let distance = smooth.map(|v| (v - 0.5) * sigma * per * (2.0 * std::f32::consts::PI).sqrt());
    let distance = distance.stretched(alpha.width(), alpha.height());
    let torn = torn.stretched(alpha.width(), alpha.height());
    let drawn = distance.zip(&torn, |d, torn| ((0.5 + d / EDGE).clamp(0.0, 1.0), torn));
    alpha.zip(&drawn, |a, (drawn, torn)| a + (drawn - a) * torn)
}

/// Where the outline is longer than a smooth one, 1, and not because of a corner.
fn torn(alpha: &Plane, smooth: &Plane, face_height: f32) -> Plane {
    let along = (face_height * ALONG).max(2.0);
    // The sum of slopes along an edge is the edge's length.
    let measured = Raster::<[f32; 3]>::generate(alpha.width(), alpha.height(), |x, y| {
        let [across, down] = alpha.slope(x, y);
        let (wished, turning) = bend(smooth, x, y);
        [across.hypot(down), wished, turning]
    });
    measured.gauss(along).map(|[own, wished, turning]| {
        let longer = smoothstep(TORN[0], TORN[1], own / (wished + 1e-4));
        let turns = face_height * turning.abs() / (wished + 1e-4);
        longer * (1.0 - smoothstep(CORNER[0], CORNER[1], turns))
    })
}

/// The slope's length, and how much it turns within a pixel: its sum along an edge is the angle by which
/// the edge turns, to one side positive.
fn bend(smooth: &Plane, x: usize, y: usize) -> (f32, f32) {
    let at = |dx: i64, dy: i64| smooth.at_clamped(x as i64 + dx, y as i64 + dy);
    let [across, down] = smooth.slope(x, y);
    let squared = across * across + down * down;
    let twice = [
        at(1, 0) - 2.0 * at(0, 0) + at(-1, 0),
        at(0, 1) - 2.0 * at(0, 0) + at(0, -1),
        (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4.0,
    ];
    let turning = (twice[0] * down * down + twice[1] * across * across
        - 2.0 * twice[2] * across * down)
        / (squared + 1e-9);
    (squared.sqrt(), turning)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sleeve to the left of column 120, torn every eight rows by `depth` pixels.
    fn sleeve(depth: usize) -> Plane {
        Plane::generate(240, 240, |x, y| {
            let edge = if y / 4 % 2 == 0 { 120 } else { 120 - depth };
            f32::from(u8::from(x < edge))
        })
    }

    /// Where the edge of a row lies.
    fn edge(alpha: &Plane, row: usize) -> f32 {
        alpha.row(row).iter().sum()
    }

    #[test]
    fn a_torn_sleeve_is_mended() {
        let mended = mended(&sleeve(8), &Plane::filled(120, 120, 1.0), 170.0);
        for row in 60..180 {
            let at = edge(&mended, row);
            assert!((114.0..118.5).contains(&at), "row {row}: {at}");
        }
    }

    #[test]
    fn what_is_not_the_body_stays() {
        let torn = sleeve(8);
        assert_eq!(mended(&torn, &Plane::filled(120, 120, 0.0), 170.0), torn);
    }

    #[test]
    fn a_smooth_outline_with_a_corner_stays() {
        let lapel = Plane::generate(240, 240, |x, y| {
            let (right, top) = (120.0 - x as f32, y as f32 - 60.0 - x as f32 / 2.0);
            right.min(top).clamp(0.0, 1.0)
        });
        let mended = mended(&lapel, &Plane::filled(120, 120, 1.0), 170.0);
        for column in 40..118 {
            let height = |alpha: &Plane| (40..200).map(|y| alpha.at(column, y)).sum::<f32>();
            let (before, after) = (height(&lapel), height(&mended));
            assert!(
                (before - after).abs() < 1.0,
                "column {column}: {before} {after}"
            );
        }
    }
}
