//! Sensor noise: how much there is, and taking it out without taking detail.

use crate::filter::quantile;
use crate::raster::{Plane, Raster, Rgb, luma};

/// Noise below this is invisible and left alone.
pub const VISIBLE: f32 = 0.003;

/// Standard deviation of the luma noise, 0..=1, from second differences in flat places
/// (Immerkaer 1996, with a low quantile instead of the mean so that texture does not count).
pub fn estimate(image: &Rgb) -> f32 {
    const SAMPLES: f32 = 60_000.0;
    let y = image.luma();
    let (w, h) = (y.width(), y.height());
    if w < 3 || h < 3 {
        return 0.0;
    }
    let stride = ((w * h) as f32 / SAMPLES).sqrt().max(1.0) as usize;
    let mut values = Vec::new();
    for yy in (1..h - 1).step_by(stride) {
        for xx in (1..w - 1).step_by(stride) {
            let centre = y.at(xx, yy);
            if (0.05..=0.95).contains(&centre) {
                values.push(second_difference(&y, xx, yy).abs());
            }
        }
    }
    // The 0.3 quantile of |N(0, 36 s^2)| lies at 0.385 * 6 s.
    quantile(&mut values, 0.3) / 0.385 / 6.0
}

fn second_difference(y: &Plane, x: usize, row: usize) -> f32 {
    let v = |dx: usize, dy: usize| y.at(x + dx - 1, row + dy - 1);
    v(0, 0) - 2.0 * v(1, 0) + v(2, 0) - 2.0 * v(0, 1) + 4.0 * v(1, 1) - 2.0 * v(2, 1) + v(0, 2)
        - 2.0 * v(1, 2)
        + v(2, 2)
}

/// Edge-preserving noise reduction: luma by a guided filter, colour guided by luma. A quarter of
/// the luma's fine detail is kept, so that skin does not turn to plastic.
pub fn reduce(image: &Rgb, sigma: f32) -> Rgb {
    let e = (sigma * 2.2).powi(2);
    let channels: Raster<[f32; 6]> = image.map(|p| {
        let l = luma(p);
        let (r, b) = (p[0] - l, p[2] - l);
        [l, r, b, l * l, r * l, b * l]
    });
    let narrow = channels.box_mean(2);
    let wide = channels.box_mean(5);
    let coefficients = narrow.zip(&wide, |s, t| {
        let a = (s[3] - s[0] * s[0]).max(0.0);
        let a = a / (a + e);
        let spread = (t[3] - t[0] * t[0]).max(0.0) + e * 2.0;
        let red = (t[4] - t[1] * t[0]) / spread;
        let blue = (t[5] - t[2] * t[0]) / spread;
        [
            a,
            s[0] * (1.0 - a),
            red,
            t[1] - red * t[0],
            blue,
            t[2] - blue * t[0],
        ]
    });
    image.zip(&coefficients.box_mean(2), |p, s| {
        let own = luma(p);
        let smooth = s[0] * own + s[1];
        let l = smooth + (own - smooth) * 0.25;
        let r = l + (s[2] * own + s[3]) * 0.85 + (p[0] - own) * 0.15;
        let b = l + (s[4] * own + s[5]) * 0.85 + (p[2] - own) * 0.15;
        let g = (l - 0.299 * r - 0.114 * b) / 0.587;
        [r, g, b].map(|v| v.clamp(0.0, 1.0))
    })
}
