//! Takes the last of the old background away from the edge: strips, and a glow around hair and
//! ears, that networks and solver counted to the person although their colours are the background's.

use crate::raster::{Kernel, Plane, Raster, Rgb, luma, resize_plane, resize_rgb, smoothstep};

/// How many times smaller the copy is in which colours are looked up.
const REDUCTION: usize = 4;
/// How far colours are looked for, as part of the face's height.
const REACH: f32 = 0.045;
/// How deep a strip can be, as part of the face's height: standard deviation of a blur.
const DEPTH: f32 = 0.012;
/// Differences of luma and of chroma that still pass for one colour.
const LUMA: f32 = 0.06;
const CHROMA: f32 = 0.03;

/// Lowers `alpha` near the edge where `picture` has a colour of the background around and none of
/// the person beside it. What could be either stays. `face_height` in pixels.
pub fn clear(picture: &Rgb, alpha: &Plane, face_height: f32) -> Plane {
    let known = Known::new(picture, alpha, face_height);
    let depth = alpha.gauss((face_height * DEPTH).max(1.0));
    let foreign = Plane::generate(alpha.width(), alpha.height(), |x, y| {
        if alpha.at(x, y) <= 0.0 || depth.at(x, y) > 0.97 {
            return 0.0;
        }
        let [person, background] = known.likeness(picture.at(x, y), x, y);
        let rather = background / (background + person + 1e-6);
        smoothstep(0.35, 0.7, background) * smoothstep(0.75, 0.93, rather)
    });
    // Neighbours decide together, or the edge would fray.
    alpha.zip(&foreign.box_mean(1), |a, f| a * (1.0 - f))
}

/// What is known of a place in the small copy.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Person,
    Background,
    Unknown,
}

/// Colours on both sides of the edge.
struct Known {
    /// Luma and two differences from it.
    colours: Raster<([f32; 3], Side)>,
    /// How far is looked, in its pixels.
    reach: usize,
}

impl Known {
    fn new(picture: &Rgb, alpha: &Plane, face_height: f32) -> Self {
        let (w, h) = (
            (alpha.width() / REDUCTION).max(1),
            (alpha.height() / REDUCTION).max(1),
        );
        let around = resize_plane(alpha, w, h, Kernel::Box).box_mean(1);
        let small = resize_rgb(picture, w, h, Kernel::Box);
        let colours = small.zip(&around, |p, a| {
            let side = if a > 0.985 {
                Side::Person
            } else if a < 0.015 {
                Side::Background
            } else {
                Side::Unknown
            };
            (coordinates(p), side)
        });
        let reach = (face_height * REACH / REDUCTION as f32).round().max(2.0) as usize;
        Self { colours, reach }
    }

    /// How like the nearest-coloured place nearby a colour is, 0..=1: of the person, and of the
    /// background.
    fn likeness(&self, colour: [f32; 3], x: usize, y: usize) -> [f32; 2] {
        let (w, h) = (self.colours.width(), self.colours.height());
        let (cx, cy) = ((x / REDUCTION).min(w - 1), (y / REDUCTION).min(h - 1));
        let own = coordinates(colour);
        let mut nearest = [f32::MAX; 2];
        let (from, to) = (cx.saturating_sub(self.reach), (cx + self.reach).min(w - 1));
        for row in cy.saturating_sub(self.reach)..=(cy + self.reach).min(h - 1) {
            for &(there, side) in &self.colours.row(row)[from..=to] {
                let slot = match side {
                    Side::Person => &mut nearest[0],
                    Side::Background => &mut nearest[1],
                    Side::Unknown => continue,
                };
                *slot = slot.min(difference(own, there));
            }
        }
        nearest.map(|d| (-d).exp())
    }
}

fn coordinates(p: [f32; 3]) -> [f32; 3] {
    let y = luma(p);
    [y, p[0] - y, p[2] - y]
}

fn difference(a: [f32; 3], b: [f32; 3]) -> f32 {
    let [y, r, b] = [0, 1, 2].map(|k| a[k] - b[k]);
    y * y / (LUMA * LUMA) + (r * r + b * b) / (CHROMA * CHROMA)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKIN: [f32; 3] = [0.75, 0.5, 0.4];
    const RED: [f32; 3] = [0.7, 0.1, 0.15];

    /// A person to the right of column 60, before one colour; the matte begins three columns early.
    fn cleared(background: [f32; 3]) -> Plane {
        let picture = Rgb::generate(120, 120, |x, _| if x < 60 { background } else { SKIN });
        let alpha = Plane::generate(120, 120, |x, _| f32::from(u8::from(x >= 57)));
        clear(&picture, &alpha, 500.0)
    }

    #[test]
    fn a_strip_of_the_background_is_taken_away() {
        let alpha = cleared(RED);
        // Its rims share the decision with their neighbours.
        assert!(alpha.at(57, 60) < 0.4, "{}", alpha.at(57, 60));
        assert!(alpha.at(58, 60) < 0.05, "{}", alpha.at(58, 60));
        for x in 61..120 {
            assert_eq!(alpha.at(x, 60), 1.0, "column {x} is the person's");
        }
    }

    #[test]
    fn what_could_be_either_stays() {
        let alpha = cleared(SKIN);
        assert_eq!(alpha.at(57, 60), 1.0);
    }
}
