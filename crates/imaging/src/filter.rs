//! Neighbourhood filters: box and Gaussian means, distance transform, polygons, guided filter.
//!
//! Every sum runs in an order that does not depend on the number of threads: columns are summed
//! in bands of a fixed height, so the same image gives the same bits on any machine.

use crate::raster::{Plane, Raster, Sample};
use rayon::prelude::*;

/// Rows that one task sums; part of the result's definition, see the module.
const BAND_ROWS: usize = 64;

impl<P: Sample> Raster<P> {
    /// Mean over a square window of side `2 * radius + 1`, clipped at the edges.
    #[must_use]
    pub fn box_mean(&self, radius: usize) -> Self {
        if radius == 0 {
            return self.clone();
        }
        let (w, h) = (self.width(), self.height());
        let mut rows = Self::filled(w, h, P::default());
        rows.data_mut()
            .par_chunks_mut(w)
            .zip(self.data().par_chunks(w))
            .for_each(|(out, row)| mean_row(row, out, radius));
        let mut result = Self::filled(w, h, P::default());
        result
            .data_mut()
            .par_chunks_mut(w * BAND_ROWS)
            .enumerate()
            .for_each(|(band, out)| mean_columns(&rows, out, band * BAND_ROWS, radius));
        result
    }

    /// Three box means: a close approximation of a Gaussian of standard deviation `sigma`.
    #[must_use]
    pub fn gauss(&self, sigma: f32) -> Self {
        let radius = ((4.0 * sigma * sigma + 1.0).sqrt() * 0.5 - 0.5)
            .round()
            .max(1.0) as usize;
        self.box_mean(radius).box_mean(radius).box_mean(radius)
    }
}

fn mean_row<P: Sample>(row: &[P], out: &mut [P], radius: usize) {
    let w = row.len();
    let mut sum = P::default();
    let mut count = 0.0f32;
    for &p in &row[..radius.min(w)] {
        sum = sum.mul_add(p, 1.0);
        count += 1.0;
    }
    for x in 0..w {
        if x + radius < w {
            sum = sum.mul_add(row[x + radius], 1.0);
            count += 1.0;
        }
        if x > radius {
            sum = sum.mul_add(row[x - radius - 1], -1.0);
            count -= 1.0;
        }
        out[x] = P::default().mul_add(sum, 1.0 / count);
    }
}

fn mean_columns<P: Sample>(rows: &Raster<P>, out: &mut [P], first: usize, radius: usize) {
    let (w, h) = (rows.width(), rows.height());
    let mut sums = vec![P::default(); w];
    let mut count = 0.0f32;
    let add = |sums: &mut [P], y: usize, weight: f32| {
        for (s, &p) in sums.iter_mut().zip(rows.row(y)) {
            *s = s.mul_add(p, weight);
        }
    };
    for y in first.saturating_sub(radius)..(first + radius).min(h) {
        add(&mut sums, y, 1.0);
        count += 1.0;
    }
    for (y, line) in (first..).zip(out.chunks_exact_mut(w)) {
        if y + radius < h {
            add(&mut sums, y + radius, 1.0);
            count += 1.0;
        }
        let inverse = 1.0 / count;
        for (o, &s) in line.iter_mut().zip(&sums) {
            *o = P::default().mul_add(s, inverse);
        }
        if y >= radius {
            add(&mut sums, y - radius, -1.0);
            count -= 1.0;
        }
    }
}

impl Plane {
    /// How much the value changes from one pixel to the next there: to the right, and down.
    pub fn slope(&self, x: usize, y: usize) -> [f32; 2] {
        let at = |dx: i64, dy: i64| self.at_clamped(x as i64 + dx, y as i64 + dy);
        [(at(1, 0) - at(-1, 0)) / 2.0, (at(0, 1) - at(0, -1)) / 2.0]
    }

    /// Four times the value there less its four neighbours': zero on an even slope.
    pub fn laplacian(&self, x: usize, y: usize) -> f32 {
        let at = |dx: i64, dy: i64| self.at_clamped(x as i64 + dx, y as i64 + dy);
        4.0 * at(0, 0) - at(-1, 0) - at(1, 0) - at(0, -1) - at(0, 1)
    }
}

/// Distance in pixels from each pixel to the nearest `true` one (3-4 chamfer, a few per cent off
/// the true distance). A huge number where there is none.
pub fn distance_to(mask: &Raster<bool>) -> Plane {
    const DIAGONAL: f32 = std::f32::consts::SQRT_2;
    let (w, h) = (mask.width(), mask.height());
    let mut out = mask.map(|m| if m { 0.0f32 } else { 1e9 });
    let d = out.data_mut();
    for y in 0..h {
        for x in 0..w {
            let i = y * w + x;
            let mut v = d[i];
            if x > 0 {
                v = v.min(d[i - 1] + 1.0);
            }
            if y > 0 {
                v = v.min(d[i - w] + 1.0);
                if x > 0 {
                    v = v.min(d[i - w - 1] + DIAGONAL);
                }
                if x + 1 < w {
                    v = v.min(d[i - w + 1] + DIAGONAL);
                }
            }
            d[i] = v;
        }
    }
    for y in (0..h).rev() {
        for x in (0..w).rev() {
            let i = y * w + x;
            let mut v = d[i];
            if x + 1 < w {
                v = v.min(d[i + 1] + 1.0);
            }
            if y + 1 < h {
                v = v.min(d[i + w] + 1.0);
                if x + 1 < w {
                    v = v.min(d[i + w + 1] + DIAGONAL);
                }
                if x > 0 {
                    v = v.min(d[i + w - 1] + DIAGONAL);
                }
            }
            d[i] = v;
        }
    }
    out
}

/// A polygon filled by the even-odd rule: 1 inside, 0 outside, one sample per pixel centre.
pub fn polygon(width: usize, height: usize, points: &[(f32, f32)]) -> Plane {
    let mut out = Plane::filled(width, height, 0.0);
    let n = points.len();
    out.data_mut()
        .par_chunks_mut(width.max(1))
        .enumerate()
        .for_each(|(y, row)| {
            let centre = y as f32 + 0.5;
            let mut crossings: Vec<f32> = (0..n)
                .filter_map(|i| {
                    let ((x0, y0), (x1, y1)) = (points[i], points[(i + 1) % n]);
                    ((y0 <= centre) != (y1 <= centre))
                        .then(|| x0 + (centre - y0) / (y1 - y0) * (x1 - x0))
                })
                .collect();
            crossings.sort_by(f32::total_cmp);
            for pair in crossings.chunks_exact(2) {
                let from = (pair[0].max(0.0).round() as usize).min(row.len());
                let to = (pair[1].max(0.0).round() as usize).clamp(from, row.len());
                row[from..to].fill(1.0);
            }
        });
    out
}

/// The convex hull of points, counter-clockwise (Andrew's monotone chain).
pub fn convex_hull(points: &[(f32, f32)]) -> Vec<(f32, f32)> {
    let mut p = points.to_vec();
    p.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let turn = |o: (f32, f32), a: (f32, f32), b: (f32, f32)| {
        (a.0 - o.0) * (b.1 - o.1) - (a.1 - o.1) * (b.0 - o.0)
    };
    let chain = |points: &mut dyn Iterator<Item = (f32, f32)>| {
        let mut out: Vec<(f32, f32)> = Vec::new();
        for q in points {
            while out.len() >= 2 && turn(out[out.len() - 2], out[out.len() - 1], q) <= 0.0 {
                out.pop();
            }
            out.push(q);
        }
        out.pop();
        out
    };
    let mut hull = chain(&mut p.iter().copied());
    hull.extend(chain(&mut p.iter().rev().copied()));
    hull
}

/// Points moved away from their centre by `factor`.
pub fn grown(points: &[(f32, f32)], factor: f32) -> Vec<(f32, f32)> {
    let n = points.len().max(1) as f32;
    let cx = points.iter().map(|p| p.0).sum::<f32>() / n;
    let cy = points.iter().map(|p| p.1).sum::<f32>() / n;
    points
        .iter()
        .map(|p| (cx + (p.0 - cx) * factor, cy + (p.1 - cy) * factor))
        .collect()
}

/// Sums over items in blocks of a fixed length, so that the order of additions, and with it the
/// result, does not depend on the number of threads.
pub fn ordered_sums<T: Sync, const N: usize>(
    items: &[T],
    values: impl Fn(usize, &T) -> [f64; N] + Sync,
) -> [f64; N] {
    const BLOCK: usize = 8192;
    let add = |mut sum: [f64; N], more: [f64; N]| {
        for (s, m) in sum.iter_mut().zip(more) {
            *s += m;
        }
        sum
    };
    let partial: Vec<[f64; N]> = items
        .par_chunks(BLOCK)
        .enumerate()
        .map(|(block, chunk)| {
            (block * BLOCK..)
                .zip(chunk)
                .map(|(i, item)| values(i, item))
                .fold([0.0; N], add)
        })
        .collect();
    partial.into_iter().fold([0.0; N], add)
}

/// The value below which the fraction `q` of `values` lies; 0 when there are none.
pub fn quantile(values: &mut [f32], q: f32) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let k = ((values.len() - 1) as f32 * q.clamp(0.0, 1.0)) as usize;
    *values.select_nth_unstable_by(k, f32::total_cmp).1
}
