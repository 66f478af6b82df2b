//! Closed-form matting (Levin, Lischinski, Weiss 2008): alpha is locally an affine function of
//! colour. Solved on the doubtful pixels only, by conjugate gradients with a diagonal
//! preconditioner, with the networks' alpha as a weak prior.

use super::band::Band;
use crate::filter::ordered_sums;
use crate::raster::{Plane, Rgb};
use rayon::prelude::*;

/// Regularisation of the colour model; smaller follows finer texture.
const EPSILON: f64 = 1e-5;
/// Upper bound of the solver's work; it usually stops after 30 to 70 rounds.
const MAX_ROUNDS: usize = 120;
/// Stops when the squared residual has fallen by this factor.
const TOLERANCE: f64 = 1e-7;
/// Pixels per task.
const BLOCK: usize = 2048;
/// Not an unknown pixel.
const KNOWN: u32 = u32::MAX;

/// Colour statistics of one 3 x 3 window: mean and inverse covariance (upper triangle).
type Window = [f32; 9];

/// What the solver did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Unknown pixels.
    pub unknowns: usize,
    /// Rounds of conjugate gradients.
    pub rounds: usize,
}

/// One row of the matting Laplacian: weights of the 5 x 5 neighbourhood and, for the unknown ones
/// among them, their index.
struct Row {
    weights: [f32; 25],
    unknowns: [u32; 25],
    constant: f32,
}

/// Solves alpha on the grid of `image`, which the band's planes share.
pub fn solve(image: &Rgb, band: &Band) -> (Plane, Effort) {
    let (w, h) = (image.width(), image.height());
    let unknown: Vec<u32> = (0..w * h)
        .filter(|&i| band.trimap.data()[i] == 0.5)
        .map(|i| i as u32)
        .collect();
    let mut alpha = band.trimap.clone();
    if unknown.is_empty() || w < 5 || h < 5 {
        return (
            alpha,
            Effort {
                unknowns: 0,
                rounds: 0,
            },
        );
    }
    let mut index = vec![KNOWN; w * h];
    for (k, &i) in unknown.iter().enumerate() {
        index[i as usize] = k as u32;
    }
    let windows = windows(image, &unknown);
    let rows: Vec<Row> = unknown
        .par_iter()
        .map(|&i| row(image, band, &windows, &index, i as usize))
        .collect();
    let start: Vec<f32> = unknown
        .iter()
        .map(|&i| band.prior.data()[i as usize])
        .collect();
    let trust: Vec<f32> = unknown
        .iter()
        .map(|&i| band.trust.data()[i as usize])
        .collect();
    let (solution, rounds) = conjugate_gradients(&rows, &trust, start);
    for (&i, value) in unknown.iter().zip(&solution) {
        alpha.data_mut()[i as usize] = if value.is_finite() {
            value.clamp(0.0, 1.0)
        } else {
            0.5
        };
    }
    (
        alpha,
        Effort {
            unknowns: unknown.len(),
            rounds,
        },
    )
}

/// Statistics of every window that holds an unknown pixel; other entries stay zero.
fn windows(image: &Rgb, unknown: &[u32]) -> Vec<Window> {
    let (w, h) = (image.width(), image.height());
    let mut needed = vec![false; w * h];
    for &i in unknown {
        let (x, y) = (i as usize % w, i as usize / w);
        for cy in y.saturating_sub(1).max(1)..=(y + 1).min(h - 2) {
            for cx in x.saturating_sub(1).max(1)..=(x + 1).min(w - 2) {
                needed[cy * w + cx] = true;
            }
        }
    }
    let mut out = vec![[0.0; 9]; w * h];
    out.par_iter_mut()
        .enumerate()
        .with_min_len(BLOCK)
        .for_each(|(c, slot)| {
            if needed[c] {
                *slot = window(image.data(), w, c);
            }
        });
    out
}

fn window(pixels: &[[f32; 3]], w: usize, centre: usize) -> Window {
    let mut mean = [0f32; 3];
    let around = || (0..9).map(|k| &pixels[centre + (k / 3) * w + k % 3 - w - 1]);
    for p in around() {
        for (m, v) in mean.iter_mut().zip(p) {
            *m += v / 9.0;
        }
    }
    let mut c = [0f32; 6];
    for p in around() {
        let (r, g, b) = (p[0] - mean[0], p[1] - mean[1], p[2] - mean[2]);
        for (sum, product) in c.iter_mut().zip([r * r, r * g, r * b, g * g, g * b, b * b]) {
            *sum += product;
        }
    }
    let regular = EPSILON / 9.0;
    let [a, b, d, e, f, g] = c.map(|v| f64::from(v) / 9.0);
    let inverse = inverse_symmetric([a + regular, b, d, e + regular, f, g + regular]);
    let [m0, m1, m2] = mean;
    let [i0, i1, i2, i3, i4, i5] = inverse;
    [m0, m1, m2, i0, i1, i2, i3, i4, i5]
}

/// Inverse of a symmetric 3 x 3 matrix, both as upper triangles.
pub(super) fn inverse_symmetric([a, b, c, d, e, f]: [f64; 6]) -> [f32; 6] {
    let i00 = d * f - e * e;
    let i01 = c * e - b * f;
    let i02 = b * e - c * d;
    let det = (a * i00 + b * i01 + c * i02).max(1e-30);
    [i00, i01, i02, a * f - c * c, b * c - a * e, a * d - b * b].map(|v| (v / det) as f32)
}

fn row(image: &Rgb, band: &Band, windows: &[Window], index: &[u32], i: usize) -> Row {
    let (w, h) = (image.width(), image.height());
    let (x, y) = (i % w, i / w);
    let pixels = image.data();
    let mut weights = [0f32; 25];
    for cy in y.saturating_sub(1).max(1)..=(y + 1).min(h - 2) {
        for cx in x.saturating_sub(1).max(1)..=(x + 1).min(w - 2) {
            let s = &windows[cy * w + cx];
            let d = [
                pixels[i][0] - s[0],
                pixels[i][1] - s[1],
                pixels[i][2] - s[2],
            ];
            let v = [
                d[0] * s[3] + d[1] * s[4] + d[2] * s[5],
                d[0] * s[4] + d[1] * s[6] + d[2] * s[7],
                d[0] * s[5] + d[1] * s[7] + d[2] * s[8],
            ];
            for k in 0..9 {
                let (nx, ny) = (cx + k % 3 - 1, cy + k / 3 - 1);
                let q = &pixels[ny * w + nx];
                let like = 1.0 + v[0] * (q[0] - s[0]) + v[1] * (q[1] - s[1]) + v[2] * (q[2] - s[2]);
                // Offsets from (x, y) lie in -2..=2, so the index is in 0..25.
                let o = (ny + 2 - y) * 5 + (nx + 2 - x);
                weights[o] -= like / 9.0;
                weights[o] += f32::from(u8::from(o == 12));
            }
        }
    }
    let mut out = Row {
        weights,
        unknowns: [KNOWN; 25],
        constant: band.trust.data()[i] * band.prior.data()[i],
    };
    for (o, &weight) in weights.iter().enumerate() {
        if weight == 0.0 {
            continue;
        }
        let j = (y + o / 5 - 2) * w + (x + o % 5 - 2);
        if index[j] == KNOWN {
            out.constant -= weight * band.trimap.data()[j];
        } else {
            out.unknowns[o] = index[j];
        }
    }
    out
}

fn multiply(rows: &[Row], trust: &[f32], x: &[f32], out: &mut [f32]) {
    out.par_iter_mut()
        .enumerate()
        .with_min_len(BLOCK)
        .for_each(|(k, o)| {
            let row = &rows[k];
            let mut sum = trust[k] * x[k];
            for (weight, &j) in row.weights.iter().zip(&row.unknowns) {
                if j != KNOWN {
                    sum += weight * x[j as usize];
                }
            }
            *o = sum;
        });
}

fn conjugate_gradients(rows: &[Row], trust: &[f32], mut x: Vec<f32>) -> (Vec<f32>, usize) {
    let n = rows.len();
    let mut product = vec![0f32; n];
    multiply(rows, trust, &x, &mut product);
    let mut r: Vec<f32> = rows
        .iter()
        .zip(&product)
        .map(|(row, p)| row.constant - p)
        .collect();
    let scale: Vec<f32> = rows
        .iter()
        .zip(trust)
        .map(|(row, t)| 1.0 / (row.weights[12] + t).max(1e-6))
        .collect();
    let mut z: Vec<f32> = r.iter().zip(&scale).map(|(a, b)| a * b).collect();
    let mut p = z.clone();
    let dot = |a: &[f32], b: &[f32]| {
        let [sum] = ordered_sums(a, |i, &v| [f64::from(v) * f64::from(b[i])]);
        sum
    };
    let mut rz = dot(&r, &z);
    let goal = rz * TOLERANCE;
    let mut rounds = 0;
    while rounds < MAX_ROUNDS && rz > goal {
        multiply(rows, trust, &p, &mut product);
        let curvature = dot(&p, &product);
        if curvature <= 0.0 {
            break;
        }
        let step = (rz / curvature) as f32;
        for k in 0..n {
            x[k] += step * p[k];
            r[k] -= step * product[k];
            z[k] = r[k] * scale[k];
        }
        let next = dot(&r, &z);
        let mix = (next / rz) as f32;
        rz = next;
        for k in 0..n {
            p[k] = z[k] + mix * p[k];
        }
        rounds += 1;
    }
    (x, rounds)
}
