//! Studio light and finish: balance, relighting from the face's geometry, restrained retouching,
//! and the styles.
//!
//! What does not depend on the style is done once per cut-out ([`prepare`]); a style is then one
//! pass over the picture ([`grade`]).

pub mod balance;
pub mod geometry;
pub mod masks;
pub mod retouch;

use crate::analysis::landmarks::Landmarks;
use crate::raster::{Kernel, Plane, Raster, Rgb, Stretch, luma, resize_rgb};
use balance::Balance;
use geometry::Relief;
use masks::Masks;

/// The look of the finished picture.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// Even light, natural colours.
    #[default]
    Studio,
    /// Less contrast, more fill.
    Soft,
    /// More contrast and sharpness.
    Crisp,
    /// A little warmer.
    Warm,
    /// Black and white.
    Mono,
}

impl Style {
    /// Every style, in the order in which a shoot uses them.
    pub const ALL: [Self; 5] = [
        Self::Studio,
        Self::Soft,
        Self::Crisp,
        Self::Warm,
        Self::Mono,
    ];

    /// The name, as the command line and recipes write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Studio => "studio",
            Self::Soft => "soft",
            Self::Crisp => "crisp",
            Self::Warm => "warm",
            Self::Mono => "mono",
        }
    }

    fn settings(self) -> Settings {
        let base = Settings {
            retouch: 0.45,
            fill: 0.28,
            key: 0.09,
            contrast: 0.10,
            warmth: 0.0,
            saturation: 1.0,
            sharpening: 0.50,
            mono: false,
        };
        match self {
            Self::Studio => base,
            Self::Soft => Settings {
                retouch: 0.6,
                fill: 0.48,
                key: 0.05,
                contrast: 0.05,
                warmth: 0.008,
                sharpening: 0.28,
                ..base
            },
            Self::Crisp => Settings {
                retouch: 0.3,
                fill: 0.24,
                key: 0.13,
                contrast: 0.24,
                sharpening: 0.95,
                ..base
            },
            Self::Warm => Settings {
                warmth: 0.022,
                saturation: 1.05,
                ..base
            },
            Self::Mono => Settings {
                mono: true,
                contrast: 0.26,
                key: 0.13,
                ..base
            },
        }
    }
}

/// A style in numbers. Strengths are 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Settings {
    retouch: f32,
    /// Exponent of the shadow fill.
    fill: f32,
    /// Amplitude of the key light.
    key: f32,
    contrast: f32,
    /// Part added to red and taken from blue.
    warmth: f32,
    /// Factor on the distance from grey.
    saturation: f32,
    /// Factor on the fine detail.
    sharpening: f32,
    mono: bool,
}

/// Everything about a cut-out's light that the style does not change.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Balanced foreground at the picture's size.
    pub balanced: Rgb,
    /// Luma minus its blur, at the picture's size: what sharpening amplifies.
    fine: Plane,
    /// At half size: skin, eyes, retouching delta (3), eye detail.
    finish: Raster<[f32; 6]>,
    /// Light and shape of the face, at quarter size.
    pub relief: Relief,
    /// What the balance did.
    pub balance: Balance,
    /// Factor on sharpening: less for noisy and enlarged sources.
    sharpness_budget: f32,
}

/// Facts about the source that limit sharpening.
#[derive(Debug, Clone, Copy)]
pub struct SourceQuality {
    /// Noise left, standard deviation of luma.
    pub noise: f32,
    /// Picture pixels per source pixel; above 1 the source was enlarged.
    pub enlargement: f32,
}

/// Balances the foreground and lays out everything that the styles share. `landmarks` in pixels of
/// the picture.
pub fn prepare(
    foreground: &Rgb,
    alpha: &Plane,
    landmarks: &Landmarks,
    source: SourceQuality,
) -> Prepared {
    let (w, h) = (foreground.width(), foreground.height());
    let (hw, hh) = (w.div_ceil(2), h.div_ceil(2));
    let half_landmarks = landmarks.mapped(|x, y| (x * 0.5, y * 0.5), 0.5);
    let half = resize_rgb(foreground, hw, hh, Kernel::Box);
    let half_alpha = alpha.stretched(hw, hh);
    let masks = Masks::new(&half, &half_alpha, &half_landmarks);
    let balance = balance::measure(&half, &half_alpha, &masks);
    let balanced = balance.apply(foreground);
    let half = balance.apply(&half);
    let eye_distance = half_landmarks.eyes().2;
    let relief = geometry::relief(&half, &masks, &half_landmarks);
    let delta = retouch::delta(&half, eye_distance);
    let luma_half = half.luma();
    let eye_detail = luma_half.zip(&luma_half.gauss((eye_distance * 0.03).max(1.0)), |a, b| {
        a - b
    });
    let finish = masks
        .combined
        .zip(&delta, |m, d| [m[0], m[1], d[0], d[1], d[2], 0.0])
        .zip(&eye_detail, |f, e| [f[0], f[1], f[2], f[3], f[4], e]);
    let y = balanced.luma();
    let fine = y.zip(&y.box_mean(1), |a, b| a - b);
    let soft_source = 1.0 - 0.35 * ((source.enlargement - 1.0) * 4.0).clamp(0.0, 1.5);
    let sharpness_budget = soft_source / (1.0 + source.noise * 40.0);
    Prepared {
        balanced,
        fine,
        finish,
        relief,
        balance,
        sharpness_budget,
    }
}

/// Applies a style. Pixels where `alpha` is zero are left as they are.
pub fn grade(prepared: &Prepared, alpha: &Plane, style: Style) -> Rgb {
    let s = style.settings();
    let gain = prepared.relief.gain(s.fill, s.key);
    let src = &prepared.balanced;
    let (w, h) = (src.width(), src.height());
    let gains = Stretch::new(&gain, w, h);
    let finishes = Stretch::new(&prepared.finish, w, h);
    let sharpening = s.sharpening * prepared.sharpness_budget;
    let lines = || (Vec::new(), Vec::new());
    Rgb::generate_rows_with(w, h, [0.0; 3], lines, |(gain, finish), y, row| {
        row.copy_from_slice(src.row(y));
        let (alpha, fine) = (alpha.row(y), prepared.fine.row(y));
        if alpha.iter().all(|&a| a <= 0.0) {
            return;
        }
        gains.line(y, gain);
        finishes.line(y, finish);
        for (x, p) in row.iter_mut().enumerate() {
            if alpha[x] > 0.0 {
                let [skin, eyes, d0, d1, d2, eye_detail] = finishes.at(finish, x);
                let gain = gains.at(gain, x);
                let retouch = skin * s.retouch;
                let boost = gain * (1.0 + eyes * 0.05);
                let bite = eyes * eye_detail * 0.3;
                for (v, d) in p.iter_mut().zip([d0, d1, d2]) {
                    *v += d * retouch;
                }
                let factor = brightening(*p, boost, KNEE);
                *p = p.map(|v| v * factor + bite);
                *p = finish_tone(*p, fine[x] * gain * sharpening, &s);
            }
        }
    })
}

/// Encoded brightness above which a gain fades out.
const KNEE: f32 = 0.8;

/// What `gain` makes of a pixel, as one factor, so that hue and chroma stay: above `knee` the
/// brightest channel is compressed just enough that white stays white. Continuous in all of them; a
/// gain of 1 or less is taken as it is.
#[inline]
fn brightening(p: [f32; 3], gain: f32, knee: f32) -> f32 {
    let brightest = p[0].max(p[1]).max(p[2]);
    let above = brightest * gain - knee;
    if gain <= 1.0 || above <= 0.0 {
        return gain;
    }
    let rolled = knee + above / (1.0 + above * (gain - 1.0) / ((1.0 - knee) * (gain - knee)));
    rolled / brightest
}

/// Contrast and sharpening on luma (so that hue stays), then saturation and warmth.
#[inline]
fn finish_tone(p: [f32; 3], detail: f32, s: &Settings) -> [f32; 3] {
    let y = luma(p);
    let clamped = y.clamp(0.0, 1.0);
    let curve = clamped * clamped * (3.0 - 2.0 * clamped);
    let wished = (clamped + (curve - clamped) * s.contrast + detail).max(0.0);
    let ratio = (wished / y.max(1e-4)).clamp(0.3, 2.0);
    let mut out = p.map(|v| v * ratio);
    if s.mono {
        let grey = 0.35 * out[0] + 0.50 * out[1] + 0.15 * out[2];
        return [grey.clamp(0.0, 1.0); 3];
    }
    let y = luma(out);
    for v in &mut out {
        *v = y + (*v - y) * s.saturation;
    }
    out[0] *= 1.0 + s.warmth;
    out[2] *= 1.0 - s.warmth;
    out.map(|v| v.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Greys, skin, and a blue-white collar, from black to white.
    fn colours() -> impl Iterator<Item = [f32; 3]> {
        let hues = [
            [1.0, 1.0, 1.0],
            [1.0, 0.74, 0.6],
            [0.88, 0.95, 1.0],
            [0.1, 0.2, 1.0],
        ];
        (0..=50u8)
            .flat_map(move |level| hues.map(|hue| hue.map(|v: f32| v * f32::from(level) / 50.0)))
    }

    #[test]
    fn neighbouring_gains_give_neighbouring_values() {
        for p in colours() {
            let brightest = p[0].max(p[1]).max(p[2]);
            for step in -100i8..=100 {
                let gain = 1.0 + f32::from(step) * 0.005;
                let here = brightening(p, gain, KNEE) * brightest;
                let next = brightening(p, gain + 0.001, KNEE) * brightest;
                assert!(
                    (-1e-5..0.0011).contains(&(next - here)),
                    "{p:?} at {gain}: {here} to {next}"
                );
                assert!(here <= 1.0 + 1e-5, "{p:?} at {gain} burns out: {here}");
            }
        }
    }

    #[test]
    fn a_gain_of_one_changes_nothing_and_white_stays_white() {
        for p in colours() {
            assert_eq!(brightening(p, 1.0, KNEE), 1.0, "{p:?}");
        }
        for gain in [1.05, 1.3, 1.9] {
            let white = brightening([1.0; 3], gain, KNEE);
            assert!((white - 1.0).abs() < 1e-5, "white times {gain}: {white}");
        }
    }

    #[test]
    fn brighter_pixels_stay_brighter() {
        for gain in [1.0, 1.1, 1.5, 2.0] {
            let levels = (0..=1000u16).map(|v| f32::from(v) / 1000.0);
            let out: Vec<f32> = levels
                .map(|v| v * brightening([v; 3], gain, KNEE))
                .collect();
            assert!(out.is_sorted(), "at a gain of {gain}");
        }
    }
}
