//! White balance and exposure.
//!
//! Neither pulls skin towards a standard. White balance acts only when the skin's hue leaves the
//! range in which human skin of every tone lies, and only as far as its border. Exposure is judged
//! by the brightest parts of the person (eye whites, teeth, collar, highlights), which have the
//! same brightness on everyone, never by the skin: dark skin stays dark.

use super::brightening;
use super::masks::Masks;
use crate::color::{hue_chroma, lab, to_encoded, to_encoded_fast, to_linear, to_linear_fast};
use crate::filter::{ordered_sums, quantile};
use crate::raster::{Plane, Rgb};

/// Lab hue of skin under neutral light, degrees: from rosy to olive.
const SKIN_HUE: (f32, f32) = (38.0, 68.0);
/// Lab chroma above which skin is lit by coloured light.
const SKIN_CHROMA_MAX: f32 = 36.0;
/// How much of a found cast is taken out: lights may be warm.
const STRENGTH: f32 = 0.85;

/// Where the brightest hundredth of a well exposed person lies.
const BRIGHTEST: f32 = 0.84;

/// Linear light above which a gain fades out; 0.85 encoded.
const KNEE: f32 = 0.69;

/// What was done, and to what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Balance {
    /// Lab hue of the skin before, degrees.
    pub hue: f32,
    /// Lab chroma of the skin before.
    pub chroma: f32,
    /// Gains in linear light, luminance-preserving.
    pub white: [f32; 3],
    /// Exposure factor in linear light.
    pub exposure: f32,
}

impl Balance {
    /// Applies gains and exposure; brightened highlights roll off instead of clipping.
    pub fn apply(&self, image: &Rgb) -> Rgb {
        if self.white == [1.0; 3] && self.exposure == 1.0 {
            return image.clone();
        }
        let gain = self.white.map(|g| g * self.exposure);
        let largest = gain[0].max(gain[1]).max(gain[2]);
        image.map(|p| {
            // The largest gain as one factor, then what the others lack.
            let light = [0, 1, 2].map(|k| to_linear_fast(p[k]) * gain[k] / largest);
            let factor = brightening(light, largest, KNEE);
            light.map(|v| to_encoded_fast(v * factor))
        })
    }
}

/// Measures the foreground under its masks (all of one size).
pub fn measure(image: &Rgb, alpha: &Plane, masks: &Masks) -> Balance {
    let weight = |i: usize| {
        let w = masks.combined.data()[i][0] * masks.face.data()[i];
        if w > 0.4 { f64::from(w) } else { 0.0 }
    };
    let [r, g, b, total] = ordered_sums(image.data(), |i, p| {
        let w = weight(i);
        if w == 0.0 {
            return [0.0; 4];
        }
        let [r, g, b] = p.map(|v| f64::from(to_linear_fast(v)) * w);
        [r, g, b, w]
    });
    let neutral = Balance {
        hue: 0.0,
        chroma: 0.0,
        white: [1.0; 3],
        exposure: 1.0,
    };
    if total < 16.0 {
        return neutral;
    }
    let mean = [r, g, b].map(|sum| (sum / total) as f32);
    let (hue, chroma) = hue_chroma(lab(mean.map(to_encoded)));
    let white = white_gains(mean, hue, chroma);
    Balance {
        hue,
        chroma,
        white,
        exposure: exposure(image, alpha),
    }
}

fn outside(hue: f32) -> f32 {
    (SKIN_HUE.0 - hue).max(hue - SKIN_HUE.1).max(0.0)
}

/// The smallest gains of green and blue that bring the skin's hue and chroma into range.
fn white_gains(mean: [f32; 3], hue: f32, chroma: f32) -> [f32; 3] {
    if outside(hue) < 0.5 && chroma <= SKIN_CHROMA_MAX {
        return [1.0; 3];
    }
    let mut best = (f32::MAX, [1.0f32; 3]);
    for blue in -12i8..=12 {
        for green in -6i8..=6 {
            let gain = [
                1.0,
                1.0 + f32::from(green) * 0.015,
                1.0 + f32::from(blue) * 0.025,
            ];
            let balanced = [0, 1, 2].map(|k| to_encoded(mean[k] * gain[k]));
            let (h, c) = hue_chroma(lab(balanced));
            let cost = outside(h).powi(2) * 0.2
                + (c - SKIN_CHROMA_MAX).max(0.0) * 0.3
                + ((gain[1] - 1.0) * 14.0).powi(2)
                + ((gain[2] - 1.0) * 5.0).powi(2);
            if cost < best.0 {
                best = (cost, gain);
            }
        }
    }
    let g = best.1;
    let luminance = 0.2126 * g[0] + 0.7152 * g[1] + 0.0722 * g[2];
    g.map(|v| 1.0 + (v / luminance - 1.0) * STRENGTH)
}

fn exposure(image: &Rgb, alpha: &Plane) -> f32 {
    let mut brightest: Vec<f32> = image
        .data()
        .iter()
        .zip(alpha.data())
        .step_by(3)
        .filter(|(_, a)| **a > 0.95)
        .map(|(p, _)| p[0].max(p[1]).max(p[2]))
        .collect();
    if brightest.is_empty() {
        return 1.0;
    }
    let found = quantile(&mut brightest, 0.99).max(0.05);
    if found >= BRIGHTEST {
        return 1.0;
    }
    // Half of the way, at most a third of a stop more than half: a moody photo stays moody.
    (to_linear(BRIGHTEST) / to_linear(found)).powf(0.6).min(1.6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced(white: [f32; 3], exposure: f32) -> Rgb {
        let ramp = Rgb::generate(65, 1, |x, _| {
            let v = x as f32 / 64.0;
            [v, v * 0.8, v * 0.9]
        });
        let balance = Balance {
            hue: 0.0,
            chroma: 0.0,
            white,
            exposure,
        };
        balance.apply(&ramp)
    }

    #[test]
    fn a_little_more_exposure_changes_little() {
        let worst = |a: &Rgb, b: &Rgb| {
            let pairs = a.data().iter().flatten().zip(b.data().iter().flatten());
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let photo = balanced([1.0; 3], 1.0);
        assert!(worst(&photo, &balanced([1.0; 3], 1.001)) < 0.001);
        assert!(worst(&photo, &balanced([1.001, 0.9995, 1.0], 1.0)) < 0.001);
        let brighter = balanced([1.0; 3], 1.5);
        assert!(worst(&brighter, &balanced([1.0; 3], 1.501)) < 0.001);
        // Mid-tones get all of it, white stays white.
        let (before, after) = (
            to_linear(photo.at(32, 0)[0]),
            to_linear(brighter.at(32, 0)[0]),
        );
        assert!((after / before - 1.5).abs() < 0.01, "{before} to {after}");
        assert!((brighter.at(64, 0)[0] - 1.0).abs() < 1e-3);
    }
}
