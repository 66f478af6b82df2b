//! Takes the last of the old background away from the edge: strips, and a glow around hair and
//! ears, that networks and solver counted to the person although their colours are the background's.

use crate::filter::distance_to;
use crate::raster::{Kernel, Plane, Raster, Rgb, luma, resize_plane, resize_rgb, smoothstep};

/// How many times smaller the copy is in which colours are looked up.
const REDUCTION: usize = 4;
/// How far colours are looked for, as part of the face's height.
const REACH: f32 = 0.045;
/// How deep a strip can be, as part of the face's height: standard deviation of a blur.
const DEPTH: f32 = 0.012;
/// How wide the mixture of person and background at an edge can be, as part of the face's height.
const MIXED: f32 = 0.004;
/// Differences of luma and of chroma that still pass for one colour.
const LUMA: f32 = 0.06;
const CHROMA: f32 = 0.03;

/// Lowers `alpha` near the edge where `picture` has a colour of the background and none of the person
/// beside it. What could be either stays. `face_height` in pixels.
///
/// Where the edge is crisp, the background counts as a whole: of a stripe that the person covers up to
/// a sliver, only what is seen of it elsewhere tells whose colour that is. Wisps of hair are spared:
/// where `hairy`, on a grid of its own, is 1, nothing else is looked at than what is beside the edge.
pub fn clear(picture: &Rgb, alpha: &Plane, hairy: &Plane, face_height: f32) -> Plane {
    let known = Known::new(picture, alpha, face_height);
    let palette = Palette::of(&known);
    let crisp = hairy
        .stretched(alpha.width(), alpha.height())
        .map(|hairy| 1.0 - hairy);
    let depth = alpha.gauss((face_height * DEPTH).max(1.0));
    let foreign = Plane::generate(alpha.width(), alpha.height(), |x, y| {
        if alpha.at(x, y) <= 0.0 || depth.at(x, y) > 0.97 {
            return 0.0;
        }
        let colour = picture.at(x, y);
        let [person, beside] = known.likeness(colour, x, y);
        let background = beside.max(palette.likeness(colour) * crisp.at(x, y));
        let rather = background / (background + person + 1e-6);
        smoothstep(0.35, 0.7, background) * smoothstep(0.75, 0.93, rather)
    });
    let foreign = open(&foreign, alpha, face_height);
    // Neighbours decide together, or the edge would fray.
    let cleared = alpha.zip(&foreign.box_mean(1), |a, f| a * (1.0 - f));
    let foreign = foreign.zip(&crisp, |f, crisp| f * crisp);
    without_slivers(&cleared, &foreign, face_height)
}

/// What is `foreign` and open to the outside: the inside of a collar may look like the background, but
/// between them is the collar.
fn open(foreign: &Plane, alpha: &Plane, face_height: f32) -> Plane {
    let (w, h) = ((alpha.width() / 2).max(1), (alpha.height() / 2).max(1));
    let halved = resize_plane(alpha, w, h, Kernel::Box);
    let outside = distance_to(&halved.map(|a| a < 0.5));
    let there = Plane::generate(w, h, |x, y| {
        let four = [(0, 0), (1, 0), (0, 1), (1, 1)];
        let at = four.map(|(dx, dy)| foreign.at_clamped(2 * x as i64 + dx, 2 * y as i64 + dy));
        at.into_iter().fold(0.0, f32::max)
    });
    // What is thinner is a mixture of both, not the person.
    let thin = (face_height * MIXED / 2.0).max(1.0);
    let mut inwards: Vec<(f32, usize)> = (outside.data().iter().zip(there.data()).enumerate())
        .filter(|(_, (d, f))| **d > thin && **f > 0.0)
        .map(|(i, (d, _))| (*d, i))
        .collect();
    inwards.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut way = outside.map(|d| if d <= thin { 1.0 } else { 0.0 });
    for (d, i) in inwards {
        let (x, y) = (i % w, i / w);
        let mut widest = 0f32;
        for ny in y.saturating_sub(1)..=(y + 1).min(h - 1) {
            for nx in x.saturating_sub(1)..=(x + 1).min(w - 1) {
                if outside.at(nx, ny) < d {
                    widest = widest.max(way.at(nx, ny));
                }
            }
        }
        way.set(x, y, there.at(x, y).min(widest));
    }
    Plane::generate(alpha.width(), alpha.height(), |x, y| {
        foreign
            .at(x, y)
            .min(way.at((x / 2).min(w - 1), (y / 2).min(h - 1)))
    })
}

/// Where a strip was taken away, what it was mixed with on its outer side may be left, thin as a hair
/// and beside nothing: it goes too.
fn without_slivers(cleared: &Plane, foreign: &Plane, face_height: f32) -> Plane {
    let around = (face_height * DEPTH).round().max(2.0) as usize;
    let nearby = foreign.box_mean(around).map(|f| smoothstep(0.02, 0.12, f));
    let alone = cleared
        .box_mean(2)
        .map(|mean| 1.0 - smoothstep(0.22, 0.45, mean));
    let lost = nearby.zip(&alone, |nearby, alone| nearby * alone);
    cleared.zip(&lost, |a, lost| a * (1.0 - lost))
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

/// Which colours the background has, wherever they are.
struct Palette {
    /// Likeness to the nearest of them, in cells of half a difference's width.
    cells: Vec<f32>,
}

impl Palette {
    /// A colour counts from this part of the background on.
    const SHARE: f32 = 0.0004;
    /// Cells for each coordinate: luma lies in 0..=1, both chromas within their ranges.
    const SIZE: [usize; 3] = [34, 95, 120];
    /// The smallest value of each coordinate.
    const LOW: [f32; 3] = [0.0, -0.701, -0.886];
    /// Widths of a cell.
    const STEP: [f32; 3] = [LUMA / 2.0, CHROMA / 2.0, CHROMA / 2.0];
    /// How far a colour reaches, in cells: there its likeness is below a fiftieth.
    const SPREAD: usize = 4;

    fn of(known: &Known) -> Self {
        let [l, r, b] = Self::SIZE;
        let mut counts = vec![0u32; l * r * b];
        let mut total = 0u32;
        for &(colour, side) in known.colours.data() {
            if side == Side::Background {
                counts[Self::place(Self::cell(colour))] += 1;
                total += 1;
            }
        }
        let least = (total as f32 * Self::SHARE).max(4.0) as u32;
        // By squared distance, in cells.
        let falloff: Vec<f32> = (0..=3 * Self::SPREAD.pow(2))
            .map(|squared| (-(squared as f32) / 4.0).exp())
            .collect();
        let mut cells = vec![0f32; counts.len()];
        for (place, _) in counts.iter().enumerate().filter(|(_, n)| **n >= least) {
            let around = [place / (r * b), place / b % r, place % b];
            Self::spread(&mut cells, around, &falloff);
        }
        Self { cells }
    }

    fn likeness(&self, colour: [f32; 3]) -> f32 {
        self.cells[Self::place(Self::cell(coordinates(colour)))]
    }

    fn cell(coordinates: [f32; 3]) -> [usize; 3] {
        [0, 1, 2].map(|k| {
            let steps = (coordinates[k] - Self::LOW[k]) / Self::STEP[k];
            (steps.max(0.0) as usize).min(Self::SIZE[k] - 1)
        })
    }

    fn place([l, r, b]: [usize; 3]) -> usize {
        (l * Self::SIZE[1] + r) * Self::SIZE[2] + b
    }

    fn spread(cells: &mut [f32], around: [usize; 3], falloff: &[f32]) {
        let reach = |k: usize| {
            let from = around[k].saturating_sub(Self::SPREAD);
            from..(around[k] + Self::SPREAD + 1).min(Self::SIZE[k])
        };
        let squared = |k: usize, place: usize| place.abs_diff(around[k]).pow(2);
        for l in reach(0) {
            for r in reach(1) {
                for b in reach(2) {
                    let likeness = falloff[squared(0, l) + squared(1, r) + squared(2, b)];
                    let cell = &mut cells[Self::place([l, r, b])];
                    *cell = cell.max(likeness);
                }
            }
        }
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
        clear(&picture, &alpha, &Plane::filled(60, 60, 0.0), 500.0)
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

    /// Of a stripe behind the person, only a sliver at the person's edge is seen, and elsewhere more.
    #[test]
    fn a_sliver_of_what_is_seen_elsewhere_is_taken_away() {
        let wall = [0.8, 0.8, 0.82];
        let cleared = |elsewhere| {
            let picture = Rgb::generate(240, 120, |x, y| match x {
                0..30 if y > 60 => elsewhere,
                0..177 => wall,
                177..180 => RED,
                _ => SKIN,
            });
            let alpha = Plane::generate(240, 120, |x, _| f32::from(u8::from(x >= 177)));
            clear(&picture, &alpha, &Plane::filled(60, 60, 0.0), 500.0)
        };
        assert!(cleared(RED).at(178, 60) < 0.05);
        // Something red that only the person has.
        assert_eq!(cleared(wall).at(178, 60), 1.0);
    }

    /// A dark collar's inside before the neck, as dark as the background: the collar lies between them.
    #[test]
    fn the_inside_of_a_collar_stays() {
        let dark = [0.03, 0.03, 0.05];
        let picture = Rgb::generate(240, 120, |x, _| match x {
            0..100 | 112..120 => dark,
            100..112 => [0.2, 0.3, 0.6],
            _ => SKIN,
        });
        // Networks and solver are not quite sure of either.
        let alpha = Plane::generate(240, 120, |x, _| match x {
            0..100 => 0.0,
            100..112 => 0.8,
            112..120 => 0.96,
            _ => 1.0,
        });
        let cleared = clear(&picture, &alpha, &Plane::filled(60, 60, 0.0), 500.0);
        for x in 104..240 {
            assert!(cleared.at(x, 60) > alpha.at(x, 60) - 0.05, "column {x}");
        }
    }

    #[test]
    fn what_could_be_either_stays() {
        let alpha = cleared(SKIN);
        assert_eq!(alpha.at(57, 60), 1.0);
    }
}
