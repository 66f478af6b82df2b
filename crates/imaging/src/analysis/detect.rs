//! Where are the faces? Two `BlazeFace` networks, for near and for far faces.

use crate::decode::Orientation;
use crate::net::{NetError, Network};
use crate::raster::{Kernel, Rect, Rgb, Rgb8, resize_rgb8};

/// Score from which a candidate counts as a face. The networks' own default.
pub const MIN_SCORE: f32 = 0.5;

/// Overlap from which two candidates are one face.
const SAME_FACE_OVERLAP: f32 = 0.3;

/// A detected face. All positions in pixels of the analysed image.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Face {
    /// Confidence, [`MIN_SCORE`]`..=1`.
    pub score: f32,
    /// From the eyebrows to the chin, ear to ear.
    pub bounds: Rect,
    /// Right eye, left eye, nose, mouth, right ear, left ear, as the person would name them.
    pub keypoints: [(f32, f32); 6],
}

/// The pair of networks.
#[derive(Debug)]
pub struct Detector {
    /// 128 x 128, faces within two metres.
    pub near: Network,
    /// 192 x 192, smaller faces.
    pub far: Network,
}

impl Detector {
    /// All faces, largest first. Looks at the whole image with both networks; only when nothing is
    /// found does it search overlapping tiles for small faces.
    ///
    /// # Errors
    ///
    /// When a network fails.
    pub fn detect(&self, image: &Rgb8) -> Result<Vec<Face>, NetError> {
        let (w, h) = (image.width() as f32, image.height() as f32);
        let side = w.max(h);
        let whole = Rect {
            x: (w - side) / 2.0,
            y: (h - side) / 2.0,
            w: side,
            h: side,
        };
        let mut found = self.near_faces(image, whole)?;
        found.extend(self.far_faces(image, whole)?);
        let mut faces = suppress(found);
        if faces.is_empty() {
            faces = suppress(self.search_tiles(image, side)?);
        }
        faces.sort_by(|a, b| (b.bounds.w * b.bounds.h).total_cmp(&(a.bounds.w * a.bounds.h)));
        Ok(faces)
    }

    /// How much surer the networks are of a face when the picture around it is turned by half: what
    /// finds faces also finds some that stand on their heads, but is less sure of them. 0 when it
    /// is not surer.
    ///
    /// # Errors
    ///
    /// When a network fails.
    pub fn upside_down(&self, image: &Rgb8, face: &Face) -> Result<f32, NetError> {
        let turned = Orientation::Rotated180.apply(image.clone());
        let (w, h) = (image.width() as f32, image.height() as f32);
        let (side, bounds) = (face.bounds.w.max(face.bounds.h) * 3.0, face.bounds);
        let area = Rect {
            x: w - bounds.x - bounds.w / 2.0 - side / 2.0,
            y: h - bounds.y - bounds.h / 2.0 - side / 2.0,
            w: side,
            h: side,
        };
        let best = |faces: Vec<Face>| faces.iter().map(|f| f.score).fold(0.0, f32::max);
        let upright = Rect {
            x: w - area.x - side,
            y: h - area.y - side,
            ..area
        };
        let as_is = best(self.near_faces(image, upright)?);
        let other = best(self.near_faces(&turned, area)?);
        Ok((other - as_is.max(MIN_SCORE)).max(0.0))
    }

    fn search_tiles(&self, image: &Rgb8, side: f32) -> Result<Vec<Face>, NetError> {
        let tile = side * 0.55;
        let (w, h) = (image.width() as f32, image.height() as f32);
        let mut found = Vec::new();
        for row in 0..3 {
            for column in 0..3 {
                let x = (w - tile) * column as f32 / 2.0;
                let y = (h - tile) * row as f32 / 2.0;
                found.extend(self.far_faces(
                    image,
                    Rect {
                        x,
                        y,
                        w: tile,
                        h: tile,
                    },
                )?);
            }
        }
        Ok(found)
    }

    fn near_faces(&self, image: &Rgb8, area: Rect) -> Result<Vec<Face>, NetError> {
        let [boxes, scores] = self.near.run(128, letterbox(image, area, 128))?;
        let grid = |cells: usize, each: usize| {
            (0..cells * cells * each).map(move |i| {
                let cell = i / each;
                centre(cell % cells, cell / cells, cells)
            })
        };
        let anchors = grid(16, 2).chain(grid(8, 6));
        Ok(candidates(&boxes, &scores, anchors, 128.0, area))
    }

    fn far_faces(&self, image: &Rgb8, area: Rect) -> Result<Vec<Face>, NetError> {
        let [boxes, scores] = self.far.run(192, letterbox(image, area, 192))?;
        let anchors = (0..48 * 48).map(|i| centre(i % 48, i / 48, 48));
        Ok(candidates(&boxes, &scores, anchors, 192.0, area))
    }
}

fn centre(x: usize, y: usize, cells: usize) -> (f32, f32) {
    (
        (x as f32 + 0.5) / cells as f32,
        (y as f32 + 0.5) / cells as f32,
    )
}

/// Numbers of the network to faces in the image.
fn candidates(
    boxes: &[f32],
    scores: &[f32],
    anchors: impl Iterator<Item = (f32, f32)>,
    side: f32,
    area: Rect,
) -> Vec<Face> {
    let mut out = Vec::new();
    for ((raw, &score), anchor) in boxes.chunks_exact(16).zip(scores).zip(anchors) {
        let score = sigmoid(score);
        if score < MIN_SCORE || raw.iter().any(|v| !v.is_finite()) {
            continue;
        }
        let place = |dx: f32, dy: f32| {
            (
                area.x + (dx / side + anchor.0) * area.w,
                area.y + (dy / side + anchor.1) * area.h,
            )
        };
        let (cx, cy) = place(raw[0], raw[1]);
        let (w, h) = (raw[2] / side * area.w, raw[3] / side * area.h);
        if w <= 0.0 || h <= 0.0 {
            continue;
        }
        let mut keypoints = [(0.0, 0.0); 6];
        for (k, pair) in keypoints.iter_mut().zip(raw[4..].chunks_exact(2)) {
            *k = place(pair[0], pair[1]);
        }
        let bounds = Rect {
            x: cx - w / 2.0,
            y: cy - h / 2.0,
            w,
            h,
        };
        out.push(Face {
            score,
            bounds,
            keypoints,
        });
    }
    out
}

/// Keeps the best of each group of overlapping candidates.
fn suppress(mut found: Vec<Face>) -> Vec<Face> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Face> = Vec::new();
    for face in found {
        let repeated = kept.iter().any(|k| {
            let (cx, cy) = (
                face.bounds.x + face.bounds.w / 2.0,
                face.bounds.y + face.bounds.h / 2.0,
            );
            let inside = cx > k.bounds.x
                && cx < k.bounds.right()
                && cy > k.bounds.y
                && cy < k.bounds.bottom();
            inside || overlap(&k.bounds, &face.bounds) > SAME_FACE_OVERLAP
        });
        if !repeated {
            kept.push(face);
        }
    }
    kept
}

/// Intersection over union.
fn overlap(a: &Rect, b: &Rect) -> f32 {
    let w = (a.right().min(b.right()) - a.x.max(b.x)).max(0.0);
    let h = (a.bottom().min(b.bottom()) - a.y.max(b.y)).max(0.0);
    w * h / (a.w * a.h + b.w * b.h - w * h).max(1e-6)
}

/// A square part of the image, black where it leaves the image, channel by channel in -1..=1.
fn letterbox(image: &Rgb8, area: Rect, side: usize) -> Vec<f32> {
    let inside = area.clipped(image.width(), image.height());
    let per_pixel = side as f32 / area.w;
    let w = ((inside.w * per_pixel).round() as usize).clamp(1, side);
    let h = ((inside.h * per_pixel).round() as usize).clamp(1, side);
    let x0 = (((inside.x - area.x) * per_pixel).round() as usize).min(side - w);
    let y0 = (((inside.y - area.y) * per_pixel).round() as usize).min(side - h);
    let part = resize_rgb8(image, inside, w, h, Kernel::Triangle);
    let mut canvas = Rgb::filled(side, side, [-1.0; 3]);
    for y in 0..h {
        for x in 0..w {
            canvas.set(
                x0 + x,
                y0 + y,
                part.at(x, y).map(|v| f32::from(v) / 127.5 - 1.0),
            );
        }
    }
    planar(&canvas)
}

/// Channel by channel, as the networks want it.
pub(crate) fn planar(image: &Rgb) -> Vec<f32> {
    let mut out = Vec::with_capacity(image.data().len() * 3);
    for channel in 0..3 {
        out.extend(image.data().iter().map(|p| p[channel]));
    }
    out
}

pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x.clamp(-80.0, 80.0)).exp())
}
