//! Takes veils away: where person and background have one colour, and no texture, the solver may leave a
//! plateau that is neither. Hair in focus and out of focus changes its alpha from place to place.

use crate::raster::{Plane, smoothstep};

/// How much alpha changes from pixel to pixel on a veil at most, and from where on there is none, on a
/// face 190 pixels high.
const EVEN: [f32; 2] = [0.012, 0.03];
const FACE: f32 = 190.0;
/// How far is looked, as part of the face's height.
const AROUND: f32 = 0.012;
/// Alpha up to which a plateau is a veil, and from which it is thick hair.
const THIN: [f32; 2] = [0.45, 0.7];

/// The matte without veils. `face_height` in pixels.
pub fn lifted(alpha: &Plane, face_height: f32) -> Plane {
    let around = (face_height * AROUND).round().max(1.0) as usize;
    let change = Plane::generate(alpha.width(), alpha.height(), |x, y| {
        let [across, down] = alpha.slope(x, y);
        across.hypot(down)
    });
    let [low, high] = EVEN.map(|change| change * FACE / face_height.max(1.0));
    alpha.zip(&change.box_mean(around), |a, change| {
        let even = 1.0 - smoothstep(low, high, change);
        a * (1.0 - even * (1.0 - smoothstep(THIN[0], THIN[1], a)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plateau_of_half_goes() {
        let lifted = lifted(&Plane::filled(60, 60, 0.4), 190.0);
        assert!(lifted.data().iter().all(|a| *a == 0.0));
    }

    #[test]
    fn a_soft_edge_and_the_person_stay() {
        // A fifteenth of the face's height wide.
        let edge = Plane::generate(60, 60, |x, _| ((x as f32 - 20.0) / 12.0).clamp(0.0, 1.0));
        let lifted = lifted(&edge, 190.0);
        for x in 0..60 {
            let (before, after) = (edge.at(x, 30), lifted.at(x, 30));
            assert!((before - after).abs() < 0.02, "{x}: {before} {after}");
        }
    }

    #[test]
    fn thick_hair_stays() {
        let thick = Plane::filled(60, 60, 0.75);
        assert_eq!(lifted(&thick, 190.0), thick);
    }
}
