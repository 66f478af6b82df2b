//! The person's own colours, without what shone through from the old background.
//!
//! Multi-level estimation (Germer, Uelwer, Conrad, Harmeling 2020) up to half size, then one
//! correction per pixel at full size; after it the rim is pulled towards the colours just
//! inside, which removes flare that the equation cannot know of.

use crate::raster::{
    Kernel, Plane, Raster, Rgb, Stretch, luma, resize_plane, resize_rgb, smoothstep,
};

/// Foreground and background colour of a pixel.
type Pair = [f32; 6];

/// Weight that ties neighbours together even where alpha does not change.
const TIE: f32 = 1e-5;

/// The foreground colours of `image` under `alpha` (same size).
pub fn estimate(image: &Rgb, alpha: &Plane) -> Rgb {
    let (w, h) = (image.width(), image.height());
    let (hw, hh) = (w.div_ceil(2), h.div_ceil(2));
    let half_image = resize_rgb(image, hw, hh, Kernel::Box);
    let half_alpha = resize_plane(alpha, hw, hh, Kernel::Box);
    let pairs = levels(&half_image, &half_alpha);
    let stretch = Stretch::new(&pairs, w, h);
    Rgb::generate_rows_with(w, h, [0.0; 3], Vec::new, |line, y, row| {
        stretch.line(y, line);
        for (x, out) in row.iter_mut().enumerate() {
            *out = corrected(image.at(x, y), alpha.at(x, y), stretch.at(line, x));
        }
    })
}

/// Closes the gap that the estimate leaves in the compositing equation, as far as it is the
/// foreground's to close; a sure pixel is its own foreground.
fn corrected(p: [f32; 3], a: f32, pair: Pair) -> [f32; 3] {
    /// Damping: the gap also holds noise.
    const DAMPING: f32 = 0.08;
    let b = 1.0 - a;
    let gain = a / (a * a + b * b + DAMPING);
    let sure = smoothstep(0.985, 0.999, a);
    [0, 1, 2].map(|k| {
        let gap = p[k] - a * pair[k] - b * pair[k + 3];
        let f = (pair[k] + gain * gap).clamp(0.0, 1.0);
        f + (p[k] - f) * sure
    })
}

/// From one pixel to the full grid, each level starting from the one before.
fn levels(image: &Rgb, alpha: &Plane) -> Raster<Pair> {
    let (w, h) = (image.width(), image.height());
    let steps = (w.max(h) as f32).log2().ceil().max(1.0) as usize;
    let mut pairs = Raster::filled(1, 1, mean_pair(image, alpha));
    for step in 1..=steps {
        let t = step as f32 / steps as f32;
        let lw = ((w as f32).powf(t).round() as usize).clamp(1, w);
        let lh = ((h as f32).powf(t).round() as usize).clamp(1, h);
        let (level_image, level_alpha) = if (lw, lh) == (w, h) {
            (image.clone(), alpha.clone())
        } else {
            (nearest(image, lw, lh), nearest(alpha, lw, lh))
        };
        pairs = nearest(&pairs, lw, lh);
        let rounds = if lw.max(lh) <= 32 { 10 } else { 2 };
        for _ in 0..rounds {
            pairs = relax(&pairs, &level_image, &level_alpha);
        }
    }
    pairs
}

fn nearest<P: Copy + Send + Sync>(src: &Raster<P>, w: usize, h: usize) -> Raster<P> {
    Raster::generate(w, h, |x, y| {
        let sx = (x * src.width() / w).min(src.width() - 1);
        let sy = (y * src.height() / h).min(src.height() - 1);
        src.at(sx, sy)
    })
}

fn mean_pair(image: &Rgb, alpha: &Plane) -> Pair {
    let mut sums = [0f64; 6];
    let (mut inside, mut outside) = (0f64, 0f64);
    for (p, &a) in image.data().iter().zip(alpha.data()) {
        let a = f64::from(a);
        inside += a;
        outside += 1.0 - a;
        for k in 0..3 {
            sums[k] += a * f64::from(p[k]);
            sums[k + 3] += (1.0 - a) * f64::from(p[k]);
        }
    }
    let mut out = [0.0; 6];
    for k in 0..3 {
        out[k] = (sums[k] / inside.max(1e-9)) as f32;
        out[k + 3] = (sums[k + 3] / outside.max(1e-9)) as f32;
    }
    out
}

/// One round: each pixel's pair solves the compositing equation while staying near its neighbours'
/// pairs, the nearer the more alpha changes between them.
fn relax(pairs: &Raster<Pair>, image: &Rgb, alpha: &Plane) -> Raster<Pair> {
    let (w, h) = (image.width(), image.height());
    Raster::generate(w, h, |x, y| {
        let a = alpha.at(x, y);
        let b = 1.0 - a;
        let (mut m00, m01, mut m11) = (a * a, a * b, b * b);
        let p = image.at(x, y);
        let mut right = [a * p[0], a * p[1], a * p[2], b * p[0], b * p[1], b * p[2]];
        let neighbours = [
            (x.saturating_sub(1), y),
            ((x + 1).min(w - 1), y),
            (x, y.saturating_sub(1)),
            (x, (y + 1).min(h - 1)),
        ];
        for (nx, ny) in neighbours {
            let weight = TIE + (a - alpha.at(nx, ny)).abs();
            m00 += weight;
            m11 += weight;
            for (r, v) in right.iter_mut().zip(pairs.at(nx, ny)) {
                *r += weight * v;
            }
        }
        let inverse = 1.0 / (m00 * m11 - m01 * m01);
        let mut out = [0.0; 6];
        for k in 0..3 {
            out[k] = ((m11 * right[k] - m01 * right[k + 3]) * inverse).clamp(0.0, 1.0);
            out[k + 3] = ((m00 * right[k + 3] - m01 * right[k]) * inverse).clamp(0.0, 1.0);
        }
        out
    })
}

/// Pulls colour and, where brighter, luma of the rim towards the colours just inside. `radius` in
/// pixels, `strength` 0..=1.
pub fn despill(foreground: &mut Rgb, alpha: &Plane, radius: f32, strength: f32) {
    const REDUCTION: usize = 4;
    let (w, h) = (foreground.width(), foreground.height());
    let (lw, lh) = ((w / REDUCTION).max(1), (h / REDUCTION).max(1));
    let radius = radius / REDUCTION as f32;
    let small_alpha = resize_plane(alpha, lw, lh, Kernel::Box);
    let small = resize_rgb(foreground, lw, lh, Kernel::Box);
    let eroded = small_alpha.gauss(radius);
    let core = small.zip(&eroded, |p, e| {
        let c = smoothstep(0.90, 0.995, e);
        [p[0] * c, p[1] * c, p[2] * c, c]
    });
    let (near, wide) = (core.gauss(radius * 1.2), core.gauss(radius * 3.2));
    let mix = near.zip(&wide, |n, w| {
        let d = n[3] + 0.1 * w[3] + 1e-5;
        let value = |k: usize| (n[k] + 0.1 * w[k]) / d;
        [value(0), value(1), value(2), smoothstep(0.0005, 0.01, d)]
    });
    let target = mix.zip(&eroded, |m, e| {
        [m[0], m[1], m[2], m[3] * (1.0 - smoothstep(0.86, 0.99, e))]
    });
    let stretch = Stretch::new(&target, w, h);
    *foreground = Rgb::generate_rows_with(w, h, [0.0; 3], Vec::new, |line, y, row| {
        row.copy_from_slice(foreground.row(y));
        stretch.line(y, line);
        for (x, p) in row.iter_mut().enumerate() {
            let t = stretch.at(line, x);
            let k = t[3] * strength;
            if k >= 0.003 && alpha.at(x, y) > 0.0 {
                *p = pull(*p, [t[0], t[1], t[2]], k);
            }
        }
    });
}

fn pull(p: [f32; 3], inner: [f32; 3], k: f32) -> [f32; 3] {
    let (l, li) = (luma(p), luma(inner));
    let darker = l + (li - l).min(0.0) * k * 0.6;
    let scale = (darker / (li + 0.05)).min(1.5);
    [0, 1, 2].map(|c| {
        let own = p[c] - l;
        let wished = (inner[c] - li) * scale;
        (darker + own + (wished - own) * k).clamp(0.0, 1.0)
    })
}
