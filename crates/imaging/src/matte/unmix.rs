//! Thin hair before another colour: a pixel that lies between the hair's colour and the background's is a
//! mixture of both, even where networks and solver call it the person. Left whole, it would keep the old
//! background's light as a pale or dark rim.

use crate::filter::distance_to;
use crate::raster::{Kernel, Plane, Raster, Rgb, resize_plane, resize_rgb, smoothstep};

/// How many times smaller the copy is in which colours are looked up.
const REDUCTION: usize = 4;
/// How deep mixtures reach, as part of the face's height; half of it counts fully.
const DEEP: f32 = 0.03;
/// How far colours of both sides are averaged, as part of the face's height.
const AROUND: f32 = 0.05;
/// Distance of both colours, from which on the mixture can be told and is told for sure.
const APART: [f32; 2] = [0.2, 0.4];
/// Distance from the line between both colours: a mixture lies on it.
const BESIDE: [f32; 2] = [0.04, 0.1];

/// Lowers `alpha` of mixtures where `hairy`, on a grid of its own, is 1. `face_height` in pixels.
pub fn lowered(picture: &Rgb, alpha: &Plane, hairy: &Plane, face_height: f32) -> Plane {
    let (w, h) = (alpha.width(), alpha.height());
    let (sw, sh) = ((w / REDUCTION).max(1), (h / REDUCTION).max(1));
    let per = face_height / REDUCTION as f32;
    let small = resize_plane(alpha, sw, sh, Kernel::Box);
    let inside = distance_to(&small.map(|a| a < 0.5));
    let outside = distance_to(&small.map(|a| a > 0.02));
    let colours = resize_rgb(picture, sw, sh, Kernel::Box);
    let around = (per * AROUND).round().max(2.0) as usize;
    let mean = |weight: &Plane| {
        let weighted: Raster<[f32; 4]> =
            colours.zip(weight, |[r, g, b], k| [r * k, g * k, b * k, k]);
        weighted.box_mean(around).box_mean(around / 2)
    };
    let hair = mean(&inside.map(|d| smoothstep(per * DEEP * 0.7, per * DEEP, d)));
    let behind = mean(&outside.map(|d| f32::from(u8::from(d > 1.5))));
    let rim = inside
        .map(|d| 1.0 - smoothstep(per * DEEP * 0.5, per * DEEP, d))
        .stretched(w, h)
        .zip(&hairy.stretched(w, h), |rim, hairy| rim * hairy);
    Plane::generate(w, h, |x, y| {
        let (a, rim) = (alpha.at(x, y), rim.at(x, y));
        if a <= 0.0 || rim <= 0.0 {
            return a;
        }
        let place = [(x, sw, w), (y, sh, h)]
            .map(|(v, small, large)| (v as f32 + 0.5) * small as f32 / large as f32);
        let [fr, fg, fb, f] = hair.bilinear(place[0], place[1]);
        let [br, bg, bb, b] = behind.bilinear(place[0], place[1]);
        if f < 1e-3 || b < 1e-3 {
            return a;
        }
        let (f, b) = ([fr / f, fg / f, fb / f], [br / b, bg / b, bb / b]);
        let p = picture.at(x, y);
        let (mut length, mut along) = (0.0, 0.0);
        for k in 0..3 {
            length += (f[k] - b[k]).powi(2);
            along += (f[k] - b[k]) * (p[k] - b[k]);
        }
        let part = along / length.max(1e-6);
        let off: f32 = (0..3)
            .map(|k| (p[k] - b[k] - part * (f[k] - b[k])).powi(2))
            .sum();
        let sure = smoothstep(APART[0], APART[1], length.sqrt())
            * (1.0 - smoothstep(BESIDE[0], BESIDE[1], off.sqrt()));
        let mixed = part.clamp(0.0, 1.0).min(a);
        a + (mixed - a) * sure * rim
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HAIR: [f32; 3] = [0.5, 0.35, 0.25];
    const WALL: [f32; 3] = [0.97, 0.97, 0.98];

    /// Hair to the right of column 120 before a bright wall, and towards it a rim of six columns, half hair
    /// and half wall or of a colour of its own, that the matte takes for hair.
    fn lowered_rim(rim: [f32; 3], hairy: f32) -> Plane {
        let picture = Rgb::generate(240, 120, |x, _| match x {
            0..114 => WALL,
            114..120 => rim,
            _ => HAIR,
        });
        let alpha = Plane::generate(240, 120, |x, _| f32::from(u8::from(x >= 114)));
        lowered(&picture, &alpha, &Plane::filled(60, 30, hairy), 500.0)
    }

    fn half() -> [f32; 3] {
        [0, 1, 2].map(|k| f32::midpoint(HAIR[k], WALL[k]))
    }

    #[test]
    fn a_mixture_is_lowered_to_its_part_of_hair() {
        let alpha = lowered_rim(half(), 1.0);
        for x in 114..120 {
            assert!(
                (alpha.at(x, 60) - 0.5).abs() < 0.15,
                "{x}: {}",
                alpha.at(x, 60)
            );
        }
        for x in 124..240 {
            assert!(alpha.at(x, 60) > 0.95, "{x}: {}", alpha.at(x, 60));
        }
    }

    #[test]
    fn a_colour_of_its_own_and_skin_stay() {
        assert_eq!(lowered_rim([0.2, 0.3, 0.9], 1.0).at(117, 60), 1.0);
        assert_eq!(lowered_rim(half(), 0.0).at(117, 60), 1.0);
    }
}
