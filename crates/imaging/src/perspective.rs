//! The correction of faces seen from arm's length.
//!
//! A camera close to a face shows near things too large: the nose grows, the ears shrink. Where the
//! distance can be measured and is short, the photo is drawn again as if from further away: every
//! point moves along its line from the face's centre by what its depth makes of the distance.
//!
//! The distance follows from two known sizes: the iris, which is the same in all grown people, and
//! the lens' angle of view, which phones write into their photos. Without the angle nothing is
//! corrected: the mesh alone cannot tell a wide nose from a near one.

use crate::analysis::landmarks::{Landmarks, MESH_POINTS};
use crate::raster::{Raster, Rgb8, smoothstep};
use rayon::prelude::*;

/// Diameter of the visible iris, in millimetres; grown people differ by half a millimetre.
const IRIS_MM: f32 = 11.7;

/// From this distance on nothing is corrected, in millimetres. A photo of somebody else is taken
/// from further away; an arm and a phone reach less far.
pub const FAR_MM: f32 = 600.0;
/// Up to this distance the correction is full; between the two it fades.
const NEAR_MM: f32 = 480.0;
/// Nearer than any phone focuses: an error of measurement.
const NEAREST_MM: f32 = 200.0;
/// From where portraits are taken, in millimetres: the distance after a full correction.
const PORTRAIT_MM: f32 = 1200.0;

/// No landmark moves further than this part of the face's width.
pub const SHIFT_MAX: f32 = 0.06;

/// Diagonal of the film that lenses are compared by, in millimetres.
const FILM_DIAGONAL_MM: f32 = 43.27;
/// Shapes in which cameras take photos; another one was cropped, and its angle of view is lost.
const SHAPES: [f32; 3] = [4.0 / 3.0, 3.0 / 2.0, 16.0 / 9.0];

/// Where the correction ends, in face widths from the face's centre, and where it begins to fade.
const REACH: f32 = 1.25;
const WHOLE: f32 = 0.62;
/// Nodes of the field per face width.
const NODES: f32 = 16.0;

/// From where a photo was taken, and as if from where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Perspective {
    /// Measured distance between camera and eyes, in millimetres.
    pub from_mm: u32,
    /// Distance after the correction, in millimetres.
    pub to_mm: u32,
}

impl Perspective {
    /// The correction that a photo of `size` pixels needs, if any: `focal` is the lens' focal
    /// length on 35-mm film, `iris` the iris' diameter in the photo's pixels.
    pub fn of(focal: Option<u16>, size: (usize, usize), iris: f32) -> Option<Self> {
        let (w, h) = (size.0 as f32, size.1 as f32);
        let shape = w.max(h) / w.min(h).max(1.0);
        let is_whole = SHAPES.iter().any(|s| (shape / s - 1.0).abs() < 0.02);
        let focal = focal.filter(|_| is_whole && iris >= 1.0)?;
        let focal_px = f32::from(focal) / FILM_DIAGONAL_MM * w.hypot(h);
        Self::at(focal_px * IRIS_MM / iris)
    }

    /// The correction for a distance in millimetres, if it is short.
    fn at(distance: f32) -> Option<Self> {
        if !(NEAREST_MM..FAR_MM).contains(&distance) {
            return None;
        }
        let strength = 1.0 - smoothstep(NEAR_MM, FAR_MM, distance);
        let to = distance + (PORTRAIT_MM - distance) * strength;
        Some(Self {
            from_mm: distance.round() as u32,
            to_mm: to.round() as u32,
        })
    }
}

/// A field of displacements around a face, in pixels of the analysed image.
#[derive(Debug)]
pub struct Field {
    centre: (f32, f32),
    /// Face width.
    width: f32,
    /// Position and depth of the mesh's points.
    points: Vec<[f32; 3]>,
    /// Distances in pixels: a thing as far away as this appears as large as it is.
    from: f32,
    to: f32,
    /// Part of the full displacement that keeps [`SHIFT_MAX`].
    strength: f32,
}

impl Field {
    /// The field of a correction; `None` when the landmarks have no size.
    pub fn new(perspective: Perspective, landmarks: &Landmarks) -> Option<Self> {
        let width = landmarks.face_width();
        let per_mm = landmarks.iris / IRIS_MM;
        let sound = landmarks.mesh.len() == MESH_POINTS && width > 1.0 && per_mm > 0.0;
        if !sound || !(width + per_mm).is_finite() {
            return None;
        }
        let eyes = [33, 133, 362, 263].map(|i| landmarks.mesh[i][2]);
        let plane = eyes.iter().sum::<f32>() / 4.0;
        let points: Vec<[f32; 3]> = landmarks
            .mesh
            .iter()
            .map(|p| [p[0], p[1], p[2] - plane])
            .collect();
        let count = points.len() as f32;
        let sum = points
            .iter()
            .fold((0.0, 0.0), |s, p| (s.0 + p[0], s.1 + p[1]));
        let mut field = Self {
            centre: (sum.0 / count, sum.1 / count),
            width,
            points,
            from: perspective.from_mm as f32 * per_mm,
            to: perspective.to_mm as f32 * per_mm,
            strength: 1.0,
        };
        let farthest = field
            .points
            .par_iter()
            .map(|p| {
                let (dx, dy) = field.shift(p[0], p[1]);
                dx.hypot(dy)
            })
            .collect::<Vec<f32>>()
            .into_iter()
            .fold(0.0, f32::max);
        field.strength = (SHIFT_MAX * width / farthest.max(1e-6)).min(1.0);
        Some(field)
    }

    /// Depth behind the eyes at a place: that of the mesh's points around it, the nearest ones most.
    fn depth(&self, x: f32, y: f32) -> f32 {
        let blur = (0.05 * self.width).powi(2);
        let (mut sum, mut weights) = (0.0, 0.0);
        for p in &self.points {
            let weight = ((p[0] - x).powi(2) + (p[1] - y).powi(2) + blur).powi(-2);
            sum += p[2] * weight;
            weights += weight;
        }
        sum / weights
    }

    /// How far the photo's place moves.
    fn shift(&self, x: f32, y: f32) -> (f32, f32) {
        let (dx, dy) = (x - self.centre.0, y - self.centre.1);
        let fade = 1.0 - smoothstep(WHOLE, REACH, dx.hypot(dy) / self.width);
        if fade <= 0.0 {
            return (0.0, 0.0);
        }
        // Never nearer than half the way to the camera, whatever the mesh says.
        let depth = self.depth(x, y).max(-0.5 * self.from);
        let growth = (1.0 + depth / self.from) / (1.0 + depth / self.to) - 1.0;
        let k = growth * fade * self.strength;
        (dx * k, dy * k)
    }

    /// Where a place of the photo is after the correction.
    pub fn moved(&self, x: f32, y: f32) -> (f32, f32) {
        let (dx, dy) = self.shift(x, y);
        (x + dx, y + dy)
    }

    /// The landmarks after the correction.
    pub fn landmarks(&self, landmarks: &Landmarks) -> Landmarks {
        landmarks.mapped(|x, y| self.moved(x, y), 1.0)
    }

    /// Draws the photo, which is `scale` times the analysed image, anew. Nothing further than
    /// `REACH` face widths from the face changes.
    pub fn apply(&self, photo: &mut Rgb8, scale: f32) {
        let reach = REACH * self.width;
        let low = |c: f32| ((c - reach) * scale).floor().max(0.0) as usize;
        let high = |c: f32, n: usize| (((c + reach) * scale).ceil().max(0.0) as usize).min(n);
        let (x0, y0) = (low(self.centre.0), low(self.centre.1));
        let (x1, y1) = (
            high(self.centre.0, photo.width()),
            high(self.centre.1, photo.height()),
        );
        if x0 >= x1 || y0 >= y1 {
            return;
        }
        let before = photo.crop(x0, y0, x1, y1);
        let origins = self.origins();
        let (left, top, cell) = (self.centre.0 - reach, self.centre.1 - reach, self.cell());
        let full = photo.width();
        photo.data_mut()[y0 * full..y1 * full]
            .par_chunks_mut(full)
            .enumerate()
            .for_each(|(row, line)| {
                let y = (y0 + row) as f32 + 0.5;
                for (column, pixel) in line[x0..x1].iter_mut().enumerate() {
                    let x = (x0 + column) as f32 + 0.5;
                    let node = ((x / scale - left) / cell, (y / scale - top) / cell);
                    let [dx, dy] = origins.bilinear(node.0 + 0.5, node.1 + 0.5);
                    // Where nothing moves, not even rounding changes the photo.
                    if dx != 0.0 || dy != 0.0 {
                        let (u, v) = (x + dx * scale, y + dy * scale);
                        *pixel = before.bicubic_rgb8(u - x0 as f32, v - y0 as f32);
                    }
                }
            });
    }

    /// Pixels of the analysed image between two nodes.
    fn cell(&self) -> f32 {
        self.width / NODES
    }

    /// From each node of a grid to where the photo's place was that is shown there.
    fn origins(&self) -> Raster<[f32; 2]> {
        let (cell, reach) = (self.cell(), REACH * self.width);
        let side = (2.0 * REACH * NODES).ceil() as usize + 2;
        Raster::generate(side, side, |column, row| {
            let x = self.centre.0 - reach + column as f32 * cell;
            let y = self.centre.1 - reach + row as f32 * cell;
            // The field is smooth and small, so that each step leaves a tenth of the error.
            let mut back = (0.0, 0.0);
            for _ in 0..4 {
                let (dx, dy) = self.shift(x + back.0, y + back.1);
                back = (-dx, -dy);
            }
            [back.0, back.1]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A face of 160 pixels' width whose depth falls off with the distance from its centre.
    fn face() -> Landmarks {
        let mut mesh: Vec<[f32; 3]> = (0..MESH_POINTS)
            .map(|i| {
                let (angle, part) = (i as f32 * 2.4, (i as f32 / MESH_POINTS as f32).sqrt());
                let (x, y) = (angle.cos() * part * 80.0, angle.sin() * part * 100.0);
                [200.0 + x, 220.0 + y, part * part * 80.0 - 30.0]
            })
            .collect();
        mesh[234] = [120.0, 220.0, 50.0];
        mesh[454] = [280.0, 220.0, 50.0];
        Landmarks {
            mesh,
            presence: 1.0,
            eye_left: Vec::new(),
            eye_right: Vec::new(),
            iris: 13.0,
        }
    }

    fn photo() -> Rgb8 {
        Rgb8::generate(600, 500, |x, y| {
            [
                (x / 3) as u8,
                (y / 3) as u8,
                ((x / 16 + y / 16) % 2 * 90) as u8,
            ]
        })
    }

    #[test]
    fn only_a_short_distance_is_corrected_and_the_change_is_smooth() {
        let at = |mm: f32| Perspective::at(mm).map(|p| (p.from_mm, p.to_mm));
        assert_eq!(at(FAR_MM), None);
        assert_eq!(at(FAR_MM.next_down()), Some((600, 600)));
        assert_eq!(at(NEAR_MM), Some((480, 1200)));
        assert_eq!(at(NEAREST_MM), Some((200, 1200)));
        assert_eq!(at(NEAREST_MM.next_down()), None);
        assert_eq!(at(f32::NAN), None);
    }

    #[test]
    fn the_distance_follows_from_lens_and_iris() {
        // A front camera of 4032 x 3024 pixels; 26 mm make an angle of view of 79 degrees.
        let size = (3024, 4032);
        let near = Perspective::of(Some(26), size, 90.0).unwrap();
        assert_eq!(near.from_mm, 394);
        assert_eq!(Perspective::of(Some(26), size, 45.0), None, "far");
        assert_eq!(Perspective::of(None, size, 90.0), None, "no lens");
        assert_eq!(
            Perspective::of(Some(26), (3024, 3024), 90.0),
            None,
            "cropped"
        );
        assert_eq!(Perspective::of(Some(26), size, 0.0), None, "no iris");
        assert_eq!(Perspective::of(Some(26), (0, 0), 90.0), None);
    }

    #[test]
    fn no_landmark_moves_further_than_allowed() {
        for from_mm in [200, 250, 350, 450] {
            let to_mm = 1200;
            let face = face();
            let field = Field::new(Perspective { from_mm, to_mm }, &face).unwrap();
            let farthest = face.mesh.iter().map(|p| {
                let (x, y) = field.moved(p[0], p[1]);
                (x - p[0]).hypot(y - p[1])
            });
            let farthest = farthest.fold(0.0, f32::max) / 160.0;
            assert!(farthest <= SHIFT_MAX * 1.001, "{from_mm}: {farthest}");
            assert!(farthest > 0.01, "{from_mm}: {farthest}");
        }
    }

    #[test]
    fn pixels_and_landmarks_move_alike_and_nothing_moves_far_away() {
        let perspective = Perspective {
            from_mm: 300,
            to_mm: 1200,
        };
        let field = Field::new(perspective, &face()).unwrap();
        let (before, mut after) = (photo(), photo());
        field.apply(&mut after, 1.0);
        let mut worst = 0i32;
        for (x, y) in [
            (150.0, 220.0),
            (200.0, 300.0),
            (260.0, 180.0),
            (285.0, 230.0),
        ] {
            let (u, v) = field.moved(x, y);
            let (p, q) = (before.bicubic_rgb8(x, y), after.bicubic_rgb8(u, v));
            for (a, b) in p.iter().zip(q).take(2) {
                worst = worst.max((i32::from(*a) - i32::from(b)).abs());
            }
        }
        assert!(worst <= 1, "{worst}");
        for (x, y) in [(0, 0), (599, 499), (420, 220), (200, 430)] {
            assert_eq!(before.at(x, y), after.at(x, y), "{x}, {y}");
        }
        assert_ne!(before, after);
    }

    #[test]
    fn a_face_at_the_edge_of_the_photo_is_no_trouble() {
        let far = face().mapped(|x, y| (x - 190.0, y + 250.0), 1.0);
        let perspective = Perspective {
            from_mm: 300,
            to_mm: 1200,
        };
        let mut pixels = photo();
        Field::new(perspective, &far)
            .unwrap()
            .apply(&mut pixels, 1.0);
        let outside = face().mapped(|x, y| (x - 5000.0, y), 1.0);
        let mut same = photo();
        Field::new(perspective, &outside)
            .unwrap()
            .apply(&mut same, 1.0);
        assert_eq!(same, photo());
    }
}
