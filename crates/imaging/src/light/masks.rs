//! Where skin, eyes and face are in the picture.

use crate::analysis::landmarks::{
    BROW_LEFT, BROW_RIGHT, CHIN, EYE_LEFT, EYE_RIGHT, FOREHEAD, LIPS, Landmarks, NOSTRILS, OVAL,
};
use crate::filter::{convex_hull, grown, ordered_sums, polygon};
use crate::raster::{Plane, Raster, Rgb, luma, smoothstep};

/// Soft masks, 0..=1, at the size of the picture they were made from.
#[derive(Debug, Clone)]
pub struct Masks {
    /// Skin (without brows, eyes, lips, nostrils) and eyes.
    pub combined: Raster<[f32; 2]>,
    /// The face's oval.
    pub face: Plane,
}

/// Colour statistics of the skin, in brightness-free coordinates.
struct SkinModel {
    mean: [f64; 2],
    /// Upper triangle of the covariance.
    spread: [f64; 3],
}

impl Masks {
    /// Builds the masks; `landmarks` in pixels of `image`.
    pub fn new(image: &Rgb, alpha: &Plane, landmarks: &Landmarks) -> Self {
        let (w, h) = (image.width(), image.height());
        let eye_distance = landmarks.eyes().2.max(1.0);
        let oval = polygon(w, h, &landmarks.contour(&OVAL));
        let mut features = Plane::filled(w, h, 0.0);
        for (contour, factor) in [
            (&EYE_LEFT[..], 1.35),
            (&EYE_RIGHT[..], 1.35),
            (&BROW_LEFT[..], 1.15),
            (&BROW_RIGHT[..], 1.15),
            (&LIPS[..], 1.08),
            (&NOSTRILS[..], 1.0),
        ] {
            let shape = polygon(
                w,
                h,
                &grown(&convex_hull(&landmarks.contour(contour)), factor),
            );
            features = features.zip(&shape, f32::max);
        }
        let features = features.gauss(eye_distance * 0.02);
        let eyes = polygon(w, h, &landmarks.contour(&EYE_LEFT))
            .zip(&polygon(w, h, &landmarks.contour(&EYE_RIGHT)), f32::max)
            .gauss(eye_distance * 0.012);
        let model = SkinModel::fit(image, &oval, &features);
        let skin = skin(image, alpha, &oval, landmarks, &model)
            .gauss(eye_distance * 0.025)
            .zip(&features, |s, f| s * (1.0 - f));
        Self {
            combined: skin.zip(&eyes, |s, e| [s, e]),
            face: oval.gauss(eye_distance * 0.10),
        }
    }
}

/// Variance added to the skin model: natural variation that a small face does not show.
const FLOOR: f64 = 4e-4;

/// Red and blue difference, independent of brightness.
fn chroma(p: [f32; 3]) -> (f32, f32) {
    let y = luma(p);
    ((p[0] - y) / (y + 0.08), (p[2] - y) / (y + 0.08))
}

impl SkinModel {
    fn fit(image: &Rgb, oval: &Plane, features: &Plane) -> Self {
        let inner = |i: usize| oval.data()[i] > 0.5 && features.data()[i] < 0.1;
        let [n, r, b, rr, rb, bb] = ordered_sums(image.data(), |i, &p| {
            if !inner(i) {
                return [0.0; 6];
            }
            let (r, b) = chroma(p);
            let (r, b) = (f64::from(r), f64::from(b));
            [1.0, r, b, r * r, r * b, b * b]
        });
        let n = n.max(1.0);
        let mean = [r / n, b / n];
        let spread = [
            rr / n - mean[0] * mean[0] + FLOOR,
            rb / n - mean[0] * mean[1],
            bb / n - mean[1] * mean[1] + FLOOR,
        ];
        Self { mean, spread }
    }

    /// Squared Mahalanobis distance.
    fn distance(&self, p: [f32; 3]) -> f32 {
        let (r, b) = chroma(p);
        let (dr, db) = (f64::from(r) - self.mean[0], f64::from(b) - self.mean[1]);
        let [s0, s1, s2] = self.spread;
        let det = (s0 * s2 - s1 * s1).max(1e-12);
        ((s2 * dr * dr - 2.0 * s1 * dr * db + s0 * db * db) / det) as f32
    }
}

/// Skin-coloured places on the face and the neck.
fn skin(
    image: &Rgb,
    alpha: &Plane,
    oval: &Plane,
    landmarks: &Landmarks,
    model: &SkinModel,
) -> Plane {
    let eye_distance = landmarks.eyes().2.max(1.0);
    let (chin, top) = (landmarks.point(CHIN).1, landmarks.point(FOREHEAD).1);
    Plane::generate(image.width(), image.height(), |x, y| {
        let a = alpha.at(x, y);
        if a <= 0.0 {
            return 0.0;
        }
        let p = image.at(x, y);
        let likely = 1.0 - smoothstep(3.0, 9.0, model.distance(p));
        let lit = smoothstep(0.03, 0.10, luma(p));
        let row = y as f32;
        let below = 1.0 - smoothstep(chin + eye_distance * 0.9, chin + eye_distance * 1.8, row);
        let above = smoothstep(top - eye_distance * 0.3, top, row);
        let place = if oval.at(x, y) > 0.5 { 1.0 } else { 0.85 };
        likely * lit * below * above * place * a
    })
}
