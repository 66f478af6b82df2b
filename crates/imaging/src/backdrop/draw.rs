//! Drawing in linear light, and the lens that blurs it.

use crate::color::{hex, to_linear};
use crate::raster::{Plane, Rgb, smoothstep};
use rayon::prelude::*;

/// Xorshift: small, fast, and the same on every machine.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        let mut r = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            r.unit();
        }
        r
    }

    /// Uniform in 0..1.
    pub(super) fn unit(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40) as f32 / 16_777_216.0
    }

    /// Uniform in `low..high`.
    pub(super) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
}

/// Linear light of a hexadecimal colour.
pub(super) fn light(rgb: u32) -> [f32; 3] {
    hex(rgb).map(to_linear)
}

pub(super) fn mix(a: [f32; 3], b: [f32; 3], t: f32) -> [f32; 3] {
    [0, 1, 2].map(|k| a[k] + (b[k] - a[k]) * t)
}

/// Fills the rectangle given in fractions of the image: left, top, right, bottom.
pub(super) fn rect(image: &mut Rgb, edges: [f32; 4], colour: [f32; 3]) {
    let (w, h) = (image.width(), image.height());
    let place = |v: f32, n: usize| ((v * n as f32).max(0.0) as usize).min(n);
    let (x0, x1) = (place(edges[0], w), place(edges[2], w));
    for y in place(edges[1], h)..place(edges[3], h) {
        for x in x0..x1 {
            image.set(x, y, colour);
        }
    }
}

/// How a disc joins what is there.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Join {
    Cover,
    Add,
}

/// A soft-edged disc; centre and radius in pixels.
pub(super) fn disc(
    image: &mut Rgb,
    centre: (f32, f32),
    radius: f32,
    (colour, opacity): ([f32; 3], f32),
    join: Join,
) {
    let clamp = |v: f32, n: usize| (v.max(0.0) as usize).min(n);
    let (w, h) = (image.width(), image.height());
    for y in clamp(centre.1 - radius - 1.0, h)..clamp(centre.1 + radius + 2.0, h) {
        for x in clamp(centre.0 - radius - 1.0, w)..clamp(centre.0 + radius + 2.0, w) {
            let d = (x as f32 + 0.5 - centre.0).hypot(y as f32 + 0.5 - centre.1);
            let t = (radius + 0.5 - d).clamp(0.0, 1.0) * opacity;
            if t > 0.0 {
                let p = image.at(x, y);
                let next = match join {
                    Join::Cover => mix(p, colour, t),
                    Join::Add => [0, 1, 2].map(|k| p[k] + colour[k] * t),
                };
                image.set(x, y, next);
            }
        }
    }
}

/// Smooth value noise, 0..=1, with cells of `cell` pixels.
pub(super) fn noise(width: usize, height: usize, cell: f32, seed: u64) -> Plane {
    let gw = (width as f32 / cell).ceil() as usize + 2;
    let gh = (height as f32 / cell).ceil() as usize + 2;
    let mut random = Random::new(seed);
    let grid: Vec<f32> = (0..gw * gh).map(|_| random.unit()).collect();
    Plane::generate(width, height, |x, y| {
        let (fx, fy) = (x as f32 / cell, y as f32 / cell);
        let (ix, iy) = (fx as usize, fy as usize);
        let tx = smoothstep(0.0, 1.0, fx - ix as f32);
        let ty = smoothstep(0.0, 1.0, fy - iy as f32);
        let at = |dx: usize, dy: usize| grid[(iy + dy) * gw + ix + dx];
        let top = at(0, 0) * (1.0 - tx) + at(1, 0) * tx;
        let bottom = at(0, 1) * (1.0 - tx) + at(1, 1) * tx;
        top * (1.0 - ty) + bottom * ty
    })
}

/// What an open lens does to a point: a disc of `radius` pixels, by running sums along rows.
pub(super) fn lens_blur(image: &Rgb, radius: f32) -> Rgb {
    if radius < 0.75 {
        return image.clone();
    }
    let (w, h) = (image.width(), image.height());
    let mut sums = vec![[0f64; 3]; (w + 1) * h];
    sums.par_chunks_mut(w + 1)
        .enumerate()
        .for_each(|(y, line)| {
            for (x, p) in image.row(y).iter().enumerate() {
                line[x + 1] = [0, 1, 2].map(|k| line[x][k] + f64::from(p[k]));
            }
        });
    let reach = radius.ceil() as i64;
    let halves: Vec<(i64, i64)> = (-reach..=reach)
        .filter(|dy| (*dy as f32).abs() <= radius)
        .map(|dy| {
            (
                dy,
                (radius * radius - (dy * dy) as f32).max(0.0).sqrt().round() as i64,
            )
        })
        .collect();
    Rgb::generate(w, h, |x, y| {
        let mut sum = [0f64; 3];
        let mut count = 0f64;
        for &(dy, half) in &halves {
            let line = (y as i64 + dy).clamp(0, h as i64 - 1) as usize * (w + 1);
            let from = (x as i64 - half).max(0) as usize;
            let to = ((x as i64 + half + 1) as usize).min(w);
            for (k, s) in sum.iter_mut().enumerate() {
                *s += sums[line + to][k] - sums[line + from][k];
            }
            count += (to - from) as f64;
        }
        sum.map(|s| (s / count.max(1.0)) as f32)
    })
}
