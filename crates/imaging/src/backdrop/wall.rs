//! Studio walls: a pool of light on painted canvas.

use super::Backdrop;
use super::draw::{light, mix, noise};
use crate::color::{to_encoded, to_linear};
use crate::raster::{Rgb, smoothstep};

/// Colours of a wall in the light and at the edge, and where the light falls (fractions).
struct Wall {
    lit: u32,
    edge: u32,
    centre: (f32, f32),
}

fn wall(backdrop: &Backdrop) -> Wall {
    let (lit, edge, centre) = match backdrop {
        Backdrop::Navy => (0x4f_6d96, 0x12_1d31, (0.5, 0.46)),
        Backdrop::Charcoal => (0x5a_5d61, 0x17_181a, (0.5, 0.40)),
        Backdrop::White => (0xf7_f8f9, 0xdc_dfe2, (0.5, 0.45)),
        Backdrop::Beige => (0xdd_d0bf, 0x9c_8a76, (0.52, 0.42)),
        Backdrop::Teal => (0x5f_8b8a, 0x1d_3436, (0.5, 0.42)),
        _ => (0xc9_cdd1, 0x6c_7177, (0.5, 0.46)),
    };
    Wall { lit, edge, centre }
}

/// A painted studio wall, sRGB-encoded.
pub(super) fn studio(backdrop: &Backdrop, w: usize, h: usize, seed: u64) -> Rgb {
    let wall = wall(backdrop);
    let (lit, edge) = (light(wall.lit), light(wall.edge));
    let coarse = noise(w, h, w as f32 * 0.27, seed.wrapping_add(11));
    let fine = noise(w, h, w as f32 * 0.10, seed.wrapping_add(12));
    let aspect = h as f32 / w as f32;
    Rgb::generate(w, h, |x, y| {
        let u = (x as f32 + 0.5) / w as f32 - wall.centre.0;
        let v = ((y as f32 + 0.5) / h as f32 - wall.centre.1) * aspect * 0.9;
        let paint = 0.05 * (coarse.at(x, y) - 0.5) + 0.03 * (fine.at(x, y) - 0.5);
        let t = (smoothstep(0.02, 0.86, u.hypot(v)) + paint).clamp(0.0, 1.0);
        mix(lit, edge, t)
    })
    .gauss(2.0)
    .map(|p| p.map(|v| to_encoded(v).min(1.0)))
}

/// Paper of one colour; exact in the middle, a tenth darker in the corners.
pub(super) fn paper(w: usize, h: usize, rgb: [u8; 3]) -> Rgb {
    let colour = rgb.map(|v| to_linear(f32::from(v) / 255.0));
    Rgb::generate(w, h, |x, y| {
        let u = (x as f32 + 0.5) / w as f32 - 0.5;
        let v = (y as f32 + 0.5) / h as f32 - 0.45;
        let fall = 1.0 - 0.20 * smoothstep(0.25, 0.75, u.hypot(v));
        colour.map(|c| to_encoded(c * fall))
    })
}
