//! Scenes out of focus: drawn coarsely in linear light, then blurred by an open lens. Positions are
//! fractions of the picture; sizes scale with it, so that every output size shows the same scene.

use super::draw::{Join, Random, disc, lens_blur, light, mix, rect};
use crate::color::to_encoded;
use crate::raster::{Rgb, smoothstep};

/// Width for which radii are given.
const DRAWN_WIDTH: f32 = 256.0;

/// An office: bookcase on the left, windows on the right, desk, plant and lamps.
pub(super) fn office(w: usize, h: usize, seed: u64) -> Rgb {
    let unit = w as f32 / DRAWN_WIDTH;
    let mut r = Random::new(seed);
    let wall = light(0xb9_b2a8);
    let mut m = Rgb::generate(w, h, |x, y| {
        let (u, v) = (x as f32 / w as f32, y as f32 / h as f32);
        let g = (0.75 + 0.5 * u) * (1.0 - 0.45 * smoothstep(0.55, 1.0, v));
        wall.map(|c| c * g)
    });
    windows(&mut m, &mut r, unit);
    bookcase(&mut m, &mut r);
    desk(&mut m, &mut r, unit);
    for i in 0..5u8 {
        let x = 0.10 + 0.2 * f32::from(i) + r.range(-0.03, 0.03);
        let y = r.range(0.02, 0.1);
        let centre = (x * w as f32, y * h as f32);
        disc(
            &mut m,
            centre,
            r.range(3.0, 5.0) * unit,
            ([6.0, 5.1, 3.8], 1.0),
            Join::Cover,
        );
    }
    vignetted(&lens_blur(&lens_blur(&m, 11.0 * unit), 7.0 * unit))
}

fn windows(m: &mut Rgb, r: &mut Random, unit: f32) {
    let (w, h) = (m.width() as f32, m.height() as f32);
    rect(m, [0.52, 0.0, 1.1, 0.60], [1.05, 1.12, 1.22]);
    for _ in 0..14 {
        let centre = (r.range(0.52, 1.0) * w, r.range(0.22, 0.6) * h);
        let radius = r.range(6.0, 18.0) * unit;
        let green = [0.45 + r.range(0.0, 0.2), 0.62, 0.48];
        disc(m, centre, radius, (green, 0.5), Join::Cover);
    }
    for x in [0.52f32, 0.68, 0.84, 1.0] {
        rect(m, [x - 0.012, 0.0, x + 0.012, 0.62], light(0x4a_4743));
    }
    rect(m, [0.5, 0.60, 1.1, 0.635], light(0x5a_544d));
}

fn bookcase(m: &mut Rgb, r: &mut Random) {
    const SPINES: [u32; 7] = [
        0x8a_3b2f, 0x2f_4b6b, 0xd8_cfc0, 0x3c_5a45, 0xc0_9a5a, 0x55_565a, 0xa9_b4bd,
    ];
    rect(m, [0.0, 0.05, 0.36, 1.0], light(0x6b_4f3a));
    for shelf in 0..5u8 {
        let top = 0.09 + 0.17 * f32::from(shelf);
        let floor = top + 0.145;
        rect(m, [0.02, top, 0.34, floor], light(0x2d_231b));
        let mut x = 0.025;
        while x < 0.33 {
            let (width, height) = (r.range(0.012, 0.03), r.range(0.08, 0.135));
            let spine = SPINES[(r.unit() * 7.0) as usize % 7];
            if r.unit() < 0.82 {
                rect(m, [x, floor - height, x + width, floor], light(spine));
            }
            x += width + 0.003;
        }
    }
    rect(m, [0.36, 0.0, 0.375, 1.0], light(0x3a_3029));
}

fn desk(m: &mut Rgb, r: &mut Random, unit: f32) {
    let (w, h) = (m.width() as f32, m.height() as f32);
    rect(m, [0.4, 0.78, 1.1, 1.1], light(0x7d_6a57));
    rect(m, [0.4, 0.765, 1.1, 0.785], light(0xc7_b299));
    rect(m, [0.74, 0.60, 0.93, 0.76], light(0x1d_2126));
    rect(m, [0.75, 0.61, 0.92, 0.745], light(0x5d_7f9e));
    for _ in 0..60 {
        let angle = r.range(0.0, std::f32::consts::TAU);
        let q = r.unit().sqrt();
        let centre = (
            (0.46 + 0.075 * q * angle.cos()) * w,
            (0.60 + 0.13 * q * angle.sin()) * h,
        );
        let radius = r.range(3.0, 8.0) * unit;
        let leaf = [
            0.03 + r.range(0.0, 0.06),
            0.12 + r.range(0.0, 0.12),
            0.03 + r.range(0.0, 0.04),
        ];
        disc(m, centre, radius, (leaf, 0.9), Join::Cover);
    }
}

/// Foliage with sun between the leaves.
pub(super) fn outdoor(w: usize, h: usize, seed: u64) -> Rgb {
    let unit = w as f32 / DRAWN_WIDTH;
    let (fw, fh) = (w as f32, h as f32);
    let mut r = Random::new(seed);
    let (sky, leaf, ground) = (light(0xd9_e4c8), light(0x4f_6b3a), light(0x3c_4d2c));
    let mut m = Rgb::generate(w, h, |_, y| {
        let t = y as f32 / fh * 2.0;
        if t < 1.0 {
            mix(sky, leaf, t)
        } else {
            mix(leaf, ground, t - 1.0)
        }
    });
    for _ in 0..420 {
        let (y, x) = (r.unit(), r.unit());
        let g = r.range(0.4, 1.3) * (1.0 - 0.45 * y);
        let radius = r.range(4.0, 16.0) * unit;
        let colour = [0.16 * g, 0.27 * g, 0.07 * g];
        disc(
            &mut m,
            (x * fw, y * fh),
            radius,
            (colour, r.range(0.25, 0.7)),
            Join::Cover,
        );
    }
    for _ in 0..90 {
        let (y, x) = (r.range(0.0, 0.55), r.unit());
        let radius = r.range(1.0, 3.2) * unit;
        let sun = ([3.4, 3.3, 2.2], r.range(0.3, 1.0));
        disc(&mut m, (x * fw, y * fh), radius, sun, Join::Cover);
    }
    let mut m = lens_blur(&m, 12.0 * unit);
    for _ in 0..34 {
        let (y, x) = (r.range(0.0, 0.6), r.unit());
        let radius = r.range(6.0, 13.0) * unit;
        let glint = ([0.26, 0.27, 0.15], r.range(0.15, 0.5));
        disc(&mut m, (x * fw, y * fh), radius, glint, Join::Add);
    }
    vignetted(&lens_blur(&m, 4.0 * unit).gauss((3.0 * unit).max(1.0)))
}

/// Encoded, with darker corners that keep the eye on the face.
fn vignetted(linear: &Rgb) -> Rgb {
    let (w, h) = (linear.width(), linear.height());
    Rgb::generate(w, h, |x, y| {
        let u = (x as f32 / w as f32 - 0.5) * 1.1;
        let v = y as f32 / h as f32 - 0.45;
        let fall = 1.0 - 0.30 * smoothstep(0.3, 0.85, u.hypot(v));
        linear
            .at(x, y)
            .map(|c| to_encoded(c.min(1.15)).min(1.0) * fall)
    })
}
