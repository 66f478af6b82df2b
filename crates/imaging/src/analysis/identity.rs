//! Do several selfies show one and the same person?
//!
//! A network turns the face into 128 numbers; those of one person lie close together. The numbers
//! are personal data of the most protected kind: a [`Descriptor`] can be neither written nor
//! printed, and is meant to live as long as one comparison.

use super::detect::planar;
use super::landmarks::{Landmarks, Window, sample};
use crate::net::{NetError, Network};
use crate::raster::Rgb8;

/// Largest distance between two descriptors of one person: the point at which the network's maker
/// measured it (99.38 % of the pairs of Labeled Faces in the Wild are told correctly).
pub const SAME_PERSON_MAX: f32 = 0.6;

/// Length of a descriptor.
const LENGTH: usize = 128;

/// Side of the network's input.
const SIDE: usize = 150;

/// The network's mean colour, 0..=255, and what is left of a colour is divided by.
const MEAN: [f32; 3] = [122.782, 117.001, 104.298];
const RANGE: f32 = 256.0;

/// Where the network expects five points, in its input's pixels, and what they are in the mesh: the
/// corners of the eyes, and the place below the nose, between two points of the mesh.
const ANCHORS: [([usize; 2], (f32, f32)); 5] = [
    ([263, 263], (110.96, 46.35)),
    ([362, 362], (89.61, 47.90)),
    ([33, 33], (37.06, 46.37)),
    ([133, 133], (58.41, 47.91)),
    ([2, 164], (74.01, 87.78)),
];

/// One face in numbers. See the module's notes before keeping one.
#[derive(Clone, PartialEq)]
pub struct Descriptor([f32; LENGTH]);

impl std::fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Descriptor").finish_non_exhaustive()
    }
}

impl Descriptor {
    /// Euclidean distance: up to [`SAME_PERSON_MAX`] it is the same person.
    pub fn distance(&self, other: &Self) -> f32 {
        let squares = self.0.iter().zip(&other.0).map(|(a, b)| (a - b).powi(2));
        squares.sum::<f32>().sqrt()
    }
}

/// Describes the face that `landmarks` belong to, in pixels of `image`.
///
/// # Errors
///
/// When the network fails.
pub fn describe(
    net: &Network,
    image: &Rgb8,
    landmarks: &Landmarks,
) -> Result<Descriptor, NetError> {
    let mut chip = planar(&sample(image, window(landmarks), SIDE, false));
    for (plane, mean) in chip.chunks_exact_mut(SIDE * SIDE).zip(MEAN) {
        for value in plane {
            *value = (*value * 255.0 - mean) / RANGE;
        }
    }
    let [numbers] = net.run(SIDE, chip)?;
    let sound = numbers.iter().all(|n| n.is_finite());
    match <[f32; LENGTH]>::try_from(numbers) {
        Ok(numbers) if sound => Ok(Descriptor(numbers)),
        _ => Err(NetError {
            name: "face_descriptor".to_owned(),
            detail: "an incomplete or infinite descriptor".to_owned(),
        }),
    }
}

/// The square that brings the anchors closest to where the network expects them: turned, moved and
/// scaled, least squares.
fn window(landmarks: &Landmarks) -> Window {
    let count = ANCHORS.len() as f32;
    let mean = |points: [(f32, f32); ANCHORS.len()]| {
        let sum = points
            .iter()
            .fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
        (sum.0 / count, sum.1 / count)
    };
    let there = ANCHORS.map(|(pair, _)| {
        let [p, q] = pair.map(|index| landmarks.point(index));
        (f32::midpoint(p.0, q.0), f32::midpoint(p.1, q.1))
    });
    let here = ANCHORS.map(|(_, point)| point);
    let (to, from) = (mean(there), mean(here));
    // The points as complex numbers: one factor is turn and scale at once.
    let (mut re, mut im, mut norm) = (0.0, 0.0, 0.0);
    for (p, q) in here.iter().zip(&there) {
        let (px, py) = (p.0 - from.0, p.1 - from.1);
        let (qx, qy) = (q.0 - to.0, q.1 - to.1);
        re += px * qx + py * qy;
        im += px * qy - py * qx;
        norm += px * px + py * py;
    }
    let (re, im) = (re / norm, im / norm);
    let half = SIDE as f32 / 2.0;
    let (u, v) = (half - from.0, half - from.1);
    Window {
        centre: (to.0 + u * re - v * im, to.1 + u * im + v * re),
        side: (re.hypot(im) * SIDE as f32).max(1.0),
        angle: im.atan2(re),
    }
}

/// Whom a photo shows, by comparison with the others of a set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Identity {
    /// The person whom most photos show; also the only photo of a set.
    Same,
    /// Somebody else. `distance` is to the most typical photo of the person whom most show.
    Stranger {
        /// Above [`SAME_PERSON_MAX`].
        distance: f32,
    },
    /// The photos show several people, and nobody is on more of them than everybody else: one
    /// photo against one cannot tell who is meant. `distance` is to the photo that differs most.
    Undecided {
        /// Above [`SAME_PERSON_MAX`], but for a photo that resembles all others.
        distance: f32,
    },
}

/// Compares the photos of a set. The largest group of photos that resemble one of them is the
/// person, if it is larger than every other; the photos outside it show strangers.
pub fn compare(descriptors: &[Descriptor]) -> Vec<Identity> {
    by_distance(descriptors.len(), |i, j| {
        descriptors[i].distance(&descriptors[j])
    })
}

/// [`compare`] for `count` photos whose distances are known.
fn by_distance(count: usize, distance: impl Fn(usize, usize) -> f32) -> Vec<Identity> {
    let all: Vec<usize> = (0..count).collect();
    let Some((middle, person)) = largest_group(&all, &distance) else {
        return Vec::new();
    };
    let is_person = |i: &usize| person.contains(i);
    let others: Vec<usize> = all.iter().copied().filter(|i| !is_person(i)).collect();
    let rivals = largest_group(&others, &distance).map_or(0, |(_, group)| group.len());
    let one = |i: usize| {
        if person.len() <= rivals {
            let farthest = all.iter().map(|&j| distance(i, j)).fold(0.0, f32::max);
            Identity::Undecided { distance: farthest }
        } else if is_person(&i) {
            Identity::Same
        } else {
            Identity::Stranger {
                distance: distance(middle, i),
            }
        }
    };
    (0..count).map(one).collect()
}

/// The photo that most others resemble, and those others with it; of equal ones the photo closest
/// to its group, then the first.
fn largest_group(
    among: &[usize],
    distance: impl Fn(usize, usize) -> f32,
) -> Option<(usize, Vec<usize>)> {
    let mut best: Option<(usize, Vec<usize>, f32)> = None;
    for &i in among {
        // A photo is like itself, whatever was measured.
        let alike = |j: &usize| *j == i || distance(i, *j) <= SAME_PERSON_MAX;
        let group: Vec<usize> = among.iter().copied().filter(alike).collect();
        let spread: f32 = group.iter().map(|&j| distance(i, j)).sum();
        let is_better = best
            .as_ref()
            .is_none_or(|(_, members, least)| (group.len(), least) > (members.len(), &spread));
        if is_better {
            best = Some((i, group, spread));
        }
    }
    best.map(|(middle, group, _)| (middle, group))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Photos on a line: the distance is that of the places.
    fn on_line(places: &[f32]) -> Vec<Identity> {
        by_distance(places.len(), |i, j| (places[i] - places[j]).abs())
    }

    #[test]
    fn the_threshold_itself_is_the_same_person_and_the_next_number_is_not() {
        let at = on_line(&[0.0, 0.0, SAME_PERSON_MAX]);
        assert_eq!(at, [Identity::Same; 3]);
        let beyond = SAME_PERSON_MAX.next_up();
        let past = on_line(&[0.0, 0.0, beyond]);
        let stranger = Identity::Stranger { distance: beyond };
        assert_eq!(past, [Identity::Same, Identity::Same, stranger]);
    }

    #[test]
    fn the_majority_is_the_person_wherever_the_stranger_stands() {
        let stranger = Identity::Stranger { distance: 0.75 };
        let same = Identity::Same;
        assert_eq!(on_line(&[0.75, 0.0, 0.0]), [stranger, same, same]);
        assert_eq!(on_line(&[0.0, 0.75, 0.0]), [same, stranger, same]);
        let scattered = on_line(&[0.0, 0.0, 0.75, -0.75]);
        assert_eq!(scattered, [same, same, stranger, stranger]);
    }

    #[test]
    fn without_a_majority_nobody_is_called_a_stranger() {
        let undecided = Identity::Undecided { distance: 0.75 };
        assert_eq!(on_line(&[0.0, 0.75]), [undecided; 2]);
        assert_eq!(on_line(&[0.0, 0.75, 0.0, 0.75]), [undecided; 4]);
    }

    #[test]
    fn one_photo_and_none_are_no_strangers() {
        assert_eq!(on_line(&[]), []);
        assert_eq!(on_line(&[0.3]), [Identity::Same]);
        assert_eq!(on_line(&[f32::NAN]), [Identity::Same]);
    }

    #[test]
    fn the_group_is_that_of_the_most_typical_photo() {
        // 0.5 resembles both ends, the ends do not resemble each other: one person in two moods.
        assert_eq!(on_line(&[0.0, 0.5, 1.0]), [Identity::Same; 3]);
    }

    #[test]
    fn the_window_follows_position_size_and_turn() {
        let (sin, cos) = 0.3f32.sin_cos();
        let mut mesh = vec![[0.0; 3]; super::super::landmarks::MESH_POINTS];
        for (pair, (x, y)) in ANCHORS {
            let (u, v) = ((x - 75.0) * 2.0, (y - 75.0) * 2.0);
            let there = [400.0 + u * cos - v * sin, 300.0 + u * sin + v * cos, 0.0];
            for index in pair {
                mesh[index] = there;
            }
        }
        let found = window(&Landmarks {
            mesh,
            presence: 1.0,
            eye_left: Vec::new(),
            eye_right: Vec::new(),
            iris: 0.0,
        });
        assert!((found.centre.0 - 400.0).abs() < 0.01 && (found.centre.1 - 300.0).abs() < 0.01);
        assert!((found.side - 300.0).abs() < 0.01 && (found.angle - 0.3).abs() < 1e-4);
    }

    #[test]
    fn a_descriptor_does_not_print_its_numbers() {
        let printed = format!("{:?}", Descriptor([0.125; LENGTH]));
        assert!(!printed.contains("125"), "{printed}");
    }
}
