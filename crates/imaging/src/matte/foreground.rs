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

/// How many times smaller the copy is in which colours are looked up.
const REDUCTION: usize = 4;
/// Depth of the rim on the inner side of the edge, in pixels at [`RIM_HEIGHT`] of face: colours of
/// sure pixels further in were never mixed with anything.
const RIM: f32 = 1.5;
/// Face height at which [`RIM`] is measured, in pixels.
const RIM_HEIGHT: f32 = 500.0;
/// How far colours are looked for, as part of the face's height.
const REACH: f32 = 0.07;

/// Pulls colour and, where brighter, luma of the rim towards colours just inside it. Only what may
/// be mixed is pulled, in proportion to what the person doesn't cover, and only towards the same
/// material: grey hair towards grey hair, although skin is as near. `face_height` in pixels,
/// `strength` 0..=1.
pub fn despill(foreground: &mut Rgb, alpha: &Plane, face_height: f32, strength: f32) {
    let (w, h) = (foreground.width(), foreground.height());
    let core = Core::new(foreground, alpha, face_height);
    let rim = alpha.gauss((RIM * face_height / RIM_HEIGHT).max(0.5));
    *foreground = Rgb::generate_rows(w, h, [0.0; 3], |y, row| {
        row.copy_from_slice(foreground.row(y));
        for (x, p) in row.iter_mut().enumerate() {
            let a = alpha.at(x, y);
            let open = 1.0 - a.min(rim.at(x, y));
            if a > 0.0
                && open > 0.01
                && let Some((inner, found)) = core.like(*p, x, y)
            {
                *p = pull(*p, inner, smoothstep(0.0, 0.5, open) * found * strength);
            }
        }
    });
}

/// Colours that are the person's beyond doubt, in a small copy.
struct Core {
    /// Colour and how sure it is.
    colours: Raster<[f32; 4]>,
    /// How far is looked, in its pixels.
    reach: usize,
}

impl Core {
    fn new(foreground: &Rgb, alpha: &Plane, face_height: f32) -> Self {
        let (w, h) = (foreground.width(), foreground.height());
        let (lw, lh) = ((w / REDUCTION).max(1), (h / REDUCTION).max(1));
        let small = resize_rgb(foreground, lw, lh, Kernel::Box);
        let eroded = resize_plane(alpha, lw, lh, Kernel::Box).box_mean(1);
        let colours = small.zip(&eroded, |p, e| {
            [p[0], p[1], p[2], smoothstep(0.97, 0.999, e)]
        });
        let reach = (face_height * REACH / REDUCTION as f32).round().max(2.0) as usize;
        Self { colours, reach }
    }

    /// The mean of colours near `(x, y)` that may be the same material as `p`, and how much was found, 0..=1.
    fn like(&self, p: [f32; 3], x: usize, y: usize) -> Option<([f32; 3], f32)> {
        let (w, h) = (self.colours.width(), self.colours.height());
        let (cx, cy) = ((x / REDUCTION).min(w - 1), (y / REDUCTION).min(h - 1));
        let far = 1.0 / (self.reach * self.reach) as f32;
        let mut sum = [0.0f32; 4];
        let mut there = 0.0;
        for ny in cy.saturating_sub(self.reach)..=(cy + self.reach).min(h - 1) {
            let dy = (ny as f32 - cy as f32).powi(2);
            let from = cx.saturating_sub(self.reach);
            let to = (cx + self.reach).min(w - 1);
            for (nx, c) in (from..).zip(&self.colours.row(ny)[from..=to]) {
                let distance = ((nx as f32 - cx as f32).powi(2) + dy) * far;
                if c[3] > 0.0 && distance < 1.0 {
                    let q = [c[0], c[1], c[2]];
                    let near = c[3] * (1.0 - distance).powi(2);
                    let weight = near * likeness(p, q);
                    there += near;
                    sum = [
                        sum[0] + q[0] * weight,
                        sum[1] + q[1] * weight,
                        sum[2] + q[2] * weight,
                        sum[3] + weight,
                    ];
                }
            }
        }
        let [r, g, b, total] = sum;
        (total > 0.0).then(|| ([r, g, b].map(|v| v / total), smoothstep(0.0, 1.0, there)))
    }
}

/// 1 for colours of one material, falling with the differences of luma and, faster, of chroma.
fn likeness(p: [f32; 3], q: [f32; 3]) -> f32 {
    /// Difference of luma that halves the likeness: hair and cloth vary much.
    const LUMA: f32 = 0.25;
    /// Difference of chroma that halves it: about half of what lies between grey hair and skin.
    const CHROMA: f32 = 0.07;
    let (lp, lq) = (luma(p), luma(q));
    let (r, b) = (p[0] - lp - (q[0] - lq), p[2] - lp - (q[2] - lq));
    let chroma = (r * r + b * b) / (CHROMA * CHROMA);
    let bright = (lp - lq).powi(2) / (LUMA * LUMA);
    1.0 / (1.0 + bright + chroma).powi(3)
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

#[cfg(test)]
mod tests {
    use super::*;

    const HAIR: [f32; 3] = [0.5, 0.5, 0.52];
    const SKIN: [f32; 3] = [0.8, 0.56, 0.42];

    /// Grey hair before skin, its edge at column 20 mixed with something green; what despilling
    /// makes of it.
    fn despilled() -> (Rgb, Rgb) {
        let alpha = Plane::generate(120, 80, |x, _| match x {
            0..20 => 0.0,
            20..23 => 0.5,
            _ => 1.0,
        });
        let before = Rgb::generate(120, 80, |x, _| match x {
            0..23 => [0.45, 0.6, 0.5],
            23..40 => HAIR,
            _ => SKIN,
        });
        let mut after = before.clone();
        despill(&mut after, &alpha, 500.0, 0.8);
        (before, after)
    }

    fn red_over_green(p: [f32; 3]) -> f32 {
        p[0] - p[1]
    }

    #[test]
    fn the_rim_of_grey_hair_turns_grey_and_not_tan() {
        let (before, after) = despilled();
        let (b, a) = (
            red_over_green(before.at(21, 40)),
            red_over_green(after.at(21, 40)),
        );
        assert!(a > b + 0.08, "{b} became {a}: still green");
        assert!(a < 0.02, "{b} became {a}: tan");
    }

    #[test]
    fn what_is_surely_the_person_keeps_its_colours() {
        let (before, after) = despilled();
        for x in 30..120 {
            assert_eq!(before.at(x, 40), after.at(x, 40), "column {x}");
        }
    }
}
