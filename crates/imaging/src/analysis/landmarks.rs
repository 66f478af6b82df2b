//! The face's geometry: 468 points, eye contours, and the head's pose.

use super::detect::{Face, planar, sigmoid};
use crate::net::{NetError, Network};
use crate::raster::{Kernel, Rect, Rgb, Rgb8, resize_rgb8};

/// Number of mesh points.
pub const MESH_POINTS: usize = 468;

/// Mesh indices of the face outline, from the hairline's middle clockwise.
pub const OVAL: [usize; 36] = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
];
/// Outer lip contour.
pub const LIPS: [usize; 20] = [
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
];
/// Inner lip contour: the opening of the mouth, where teeth show.
pub const MOUTH: [usize; 20] = [
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191,
];
/// Eye on the picture's left.
pub const EYE_LEFT: [usize; 16] = [
    33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246,
];
/// Eye on the picture's right.
pub const EYE_RIGHT: [usize; 16] = [
    362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398,
];
/// Brow on the picture's left.
pub const BROW_LEFT: [usize; 10] = [70, 63, 105, 66, 107, 55, 65, 52, 53, 46];
/// Brow on the picture's right.
pub const BROW_RIGHT: [usize; 10] = [300, 293, 334, 296, 336, 285, 295, 282, 283, 276];
/// Underside of the nose.
pub const NOSTRILS: [usize; 9] = [98, 97, 2, 326, 327, 294, 278, 4, 48];

/// Top of the forehead.
pub const FOREHEAD: usize = 10;
/// Tip of the chin.
pub const CHIN: usize = 152;
/// Root of the nose, between the eyes.
pub const BRIDGE: usize = 168;
/// Tip of the nose.
pub const NOSE_TIP: usize = 1;
/// Cheek edge on the picture's left.
pub const SIDE_LEFT: usize = 234;
/// Cheek edge on the picture's right.
pub const SIDE_RIGHT: usize = 454;

/// Landmarks in pixels of the analysed image; `z` in the same unit, smaller is nearer.
#[derive(Debug, Clone, PartialEq)]
pub struct Landmarks {
    /// The mesh, [`MESH_POINTS`] long.
    pub mesh: Vec<[f32; 3]>,
    /// The mesh network's own belief that this is a face, 0..=1.
    pub presence: f32,
    /// 71 points of the eye on the picture's left: 0..=8 lower lid, 9..=15 upper lid.
    pub eye_left: Vec<(f32, f32)>,
    /// The same for the eye on the picture's right.
    pub eye_right: Vec<(f32, f32)>,
    /// Diameter of the iris, mean of both eyes.
    pub iris: f32,
}

/// Orientation of the head, degrees. Zero is straight into the camera.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Pose {
    /// Turned to a side.
    pub yaw: f32,
    /// Nodding; positive looks down.
    pub pitch: f32,
    /// Tilted; positive clockwise in the picture.
    pub roll: f32,
}

impl Landmarks {
    /// A point of the mesh without its depth.
    pub fn point(&self, index: usize) -> (f32, f32) {
        let p = self.mesh[index];
        (p[0], p[1])
    }

    /// The points of a contour.
    pub fn contour(&self, indices: &[usize]) -> Vec<(f32, f32)> {
        indices.iter().map(|&i| self.point(i)).collect()
    }

    /// Middle of the two eyes' centres and the distance between them.
    pub fn eyes(&self) -> ((f32, f32), (f32, f32), f32) {
        let mid = |a: usize, b: usize| {
            let (p, q) = (self.point(a), self.point(b));
            (f32::midpoint(p.0, q.0), f32::midpoint(p.1, q.1))
        };
        let (left, right) = (mid(33, 133), mid(362, 263));
        (left, right, (right.0 - left.0).hypot(right.1 - left.1))
    }

    /// Ear to ear.
    pub fn face_width(&self) -> f32 {
        distance(self.point(SIDE_LEFT), self.point(SIDE_RIGHT))
    }

    /// Hairline to chin.
    pub fn face_height(&self) -> f32 {
        distance(self.point(FOREHEAD), self.point(CHIN))
    }

    /// Every point passed through `map` (position) and multiplied by `scale` (depth).
    #[must_use]
    pub fn mapped(&self, map: impl Fn(f32, f32) -> (f32, f32), scale: f32) -> Self {
        let pair = |p: &(f32, f32)| map(p.0, p.1);
        Self {
            mesh: self
                .mesh
                .iter()
                .map(|p| {
                    let (x, y) = map(p[0], p[1]);
                    [x, y, p[2] * scale]
                })
                .collect(),
            presence: self.presence,
            eye_left: self.eye_left.iter().map(pair).collect(),
            eye_right: self.eye_right.iter().map(pair).collect(),
            iris: self.iris * scale,
        }
    }

    /// The same landmarks in a picture `factor` times as large.
    #[must_use]
    pub fn scaled(&self, factor: f32) -> Self {
        self.mapped(|x, y| (x * factor, y * factor), factor)
    }

    /// The head's pose from the mesh's depth.
    pub fn pose(&self) -> Pose {
        let (l, r) = (self.mesh[SIDE_LEFT], self.mesh[SIDE_RIGHT]);
        let (t, b) = (self.mesh[FOREHEAD], self.mesh[CHIN]);
        let (e, f) = (self.point(33), self.point(263));
        Pose {
            yaw: (r[2] - l[2])
                .atan2((r[0] - l[0]).hypot(r[1] - l[1]))
                .to_degrees(),
            pitch: (b[2] - t[2])
                .atan2((b[0] - t[0]).hypot(b[1] - t[1]))
                .to_degrees(),
            roll: (f.1 - e.1).atan2(f.0 - e.0).to_degrees(),
        }
    }

    /// How far the eyes are open: lid distance over eye width, mean of both eyes and of the mesh
    /// and the iris network. About 0.3 when open, below 0.17 when shut.
    pub fn eye_openness(&self) -> f32 {
        let d = |a: usize, b: usize| distance(self.point(a), self.point(b));
        let mesh = f32::midpoint(
            (d(159, 145) + d(158, 153)) / (2.0 * d(33, 133)).max(1e-3),
            (d(386, 374) + d(385, 380)) / (2.0 * d(362, 263)).max(1e-3),
        );
        let contour = |e: &[(f32, f32)]| {
            if e.len() < 16 {
                return mesh;
            }
            let lids = distance(e[4], e[12]) + distance(e[3], e[11]) + distance(e[5], e[13]);
            lids / (3.0 * distance(e[0], e[8])).max(1e-3)
        };
        f32::midpoint(
            mesh,
            f32::midpoint(contour(&self.eye_left), contour(&self.eye_right)),
        )
    }

    /// Gap between the lips over the width of the mouth: laughing up to 0.3, speaking above.
    pub fn mouth_open(&self) -> f32 {
        let width = distance(self.point(61), self.point(291));
        distance(self.point(13), self.point(14)) / width.max(1e-3)
    }

    /// Width of the mouth over the distance between the eyes: above about 0.85 is a smile.
    pub fn smile(&self) -> f32 {
        distance(self.point(61), self.point(291)) / self.eyes().2.max(1e-3)
    }
}

fn distance(a: (f32, f32), b: (f32, f32)) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// The mesh and the iris network.
#[derive(Debug)]
pub struct Landmarker {
    /// 192 x 192.
    pub mesh: Network,
    /// 64 x 64.
    pub iris: Network,
}

/// A rotated square in the image.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) centre: (f32, f32),
    pub(super) side: f32,
    pub(super) angle: f32,
}

impl Window {
    fn to_image(self, u: f32, v: f32) -> (f32, f32) {
        let (sin, cos) = self.angle.sin_cos();
        (
            self.centre.0 + u * cos - v * sin,
            self.centre.1 + u * sin + v * cos,
        )
    }
}

impl Landmarker {
    /// Landmarks of one face: the mesh twice (the second window is laid by the first result), then
    /// both eyes.
    ///
    /// # Errors
    ///
    /// When a network fails.
    pub fn locate(&self, image: &Rgb8, face: &Face) -> Result<Landmarks, NetError> {
        let (a, b) = (face.keypoints[0], face.keypoints[1]);
        let bounds = face.bounds;
        let first = Window {
            centre: (bounds.x + bounds.w / 2.0, bounds.y + bounds.h / 2.0),
            side: bounds.w.max(bounds.h) * 1.5,
            angle: (b.1 - a.1).atan2(b.0 - a.0),
        };
        let (rough, _) = self.mesh_in(image, first)?;
        let (mesh, presence) = self.mesh_in(image, window_around(&rough))?;
        let mut landmarks = Landmarks {
            mesh,
            presence,
            eye_left: Vec::new(),
            eye_right: Vec::new(),
            iris: 0.0,
        };
        let (eye_left, iris_left) = self.eye_in(image, &landmarks, (33, 133), false)?;
        let (eye_right, iris_right) = self.eye_in(image, &landmarks, (362, 263), true)?;
        landmarks.eye_left = eye_left;
        landmarks.eye_right = eye_right;
        landmarks.iris = f32::midpoint(iris_left, iris_right);
        Ok(landmarks)
    }

    fn mesh_in(&self, image: &Rgb8, window: Window) -> Result<(Vec<[f32; 3]>, f32), NetError> {
        const SIDE: usize = 192;
        let patch = sample(image, window, SIDE, false);
        let [points, flag] = self.mesh.run(SIDE, planar(&patch))?;
        let scale = window.side / SIDE as f32;
        let half = SIDE as f32 / 2.0;
        let mesh: Vec<[f32; 3]> = points
            .chunks_exact(3)
            .take(MESH_POINTS)
            .map(|p| {
                let (x, y) = window.to_image((p[0] - half) * scale, (p[1] - half) * scale);
                [x, y, p[2] * scale]
            })
            .collect();
        let sound = mesh.len() == MESH_POINTS && mesh.iter().flatten().all(|v| v.is_finite());
        if !sound {
            let detail = "an incomplete or infinite mesh".to_owned();
            return Err(NetError {
                name: "face_landmark".to_owned(),
                detail,
            });
        }
        Ok((mesh, flag.first().map_or(0.0, |&f| sigmoid(f))))
    }

    /// The eye's contour and the iris' diameter.
    fn eye_in(
        &self,
        image: &Rgb8,
        landmarks: &Landmarks,
        corners: (usize, usize),
        mirrored: bool,
    ) -> Result<(Vec<(f32, f32)>, f32), NetError> {
        const SIDE: usize = 64;
        let (p, q) = (landmarks.point(corners.0), landmarks.point(corners.1));
        let window = Window {
            centre: (f32::midpoint(p.0, q.0), f32::midpoint(p.1, q.1)),
            side: distance(p, q).max(1.0) * 2.3,
            angle: landmarks.pose().roll.to_radians(),
        };
        let patch = sample(image, window, SIDE, mirrored);
        let [points, iris] = self.iris.run(SIDE, planar(&patch))?;
        let scale = window.side / SIDE as f32;
        let half = SIDE as f32 / 2.0;
        let contour = points
            .chunks_exact(3)
            .map(|p| {
                let x = if mirrored { SIDE as f32 - p[0] } else { p[0] };
                window.to_image((x - half) * scale, (p[1] - half) * scale)
            })
            .collect();
        Ok((contour, iris_diameter(&iris) * scale))
    }
}

/// The longer of the iris' two diameters, from its centre and four points of its rim: a lid shortens
/// one of them. Zero when the points are missing.
fn iris_diameter(points: &[f32]) -> f32 {
    let rim: Vec<(f32, f32)> = points
        .chunks_exact(3)
        .skip(1)
        .map(|p| (p[0], p[1]))
        .collect();
    match rim[..] {
        [a, b, c, d] => distance(a, c).max(distance(b, d)),
        _ => 0.0,
    }
}

fn window_around(mesh: &[[f32; 3]]) -> Window {
    let mut low = (f32::MAX, f32::MAX);
    let mut high = (f32::MIN, f32::MIN);
    for p in mesh {
        low = (low.0.min(p[0]), low.1.min(p[1]));
        high = (high.0.max(p[0]), high.1.max(p[1]));
    }
    let (a, b) = (mesh[33], mesh[263]);
    Window {
        centre: (f32::midpoint(low.0, high.0), f32::midpoint(low.1, high.1)),
        side: (high.0 - low.0).max(high.1 - low.1).max(1.0) * 1.5,
        angle: (b[1] - a[1]).atan2(b[0] - a[0]),
    }
}

/// The window's pixels at `side` x `side`, 0..=1. Reduces the surroundings first when the window is
/// larger than the patch, so that nothing aliases.
pub(super) fn sample(image: &Rgb8, window: Window, side: usize, mirrored: bool) -> Rgb {
    let reach = window.side * std::f32::consts::FRAC_1_SQRT_2 + 2.0;
    let around = Rect {
        x: window.centre.0 - reach,
        y: window.centre.1 - reach,
        w: reach * 2.0,
        h: reach * 2.0,
    }
    .clipped(image.width(), image.height());
    let zoom = (side as f32 / window.side).min(1.0);
    let (w, h) = (
        (around.w * zoom).ceil() as usize,
        (around.h * zoom).ceil() as usize,
    );
    let near = resize_rgb8(image, around, w, h, Kernel::Triangle).to_f32();
    let (zx, zy) = (
        near.width() as f32 / around.w,
        near.height() as f32 / around.h,
    );
    let step = window.side / side as f32;
    let half = side as f32 / 2.0;
    Rgb::generate(side, side, |x, y| {
        let column = if mirrored { side - 1 - x } else { x };
        let (px, py) = window.to_image(
            (column as f32 + 0.5 - half) * step,
            (y as f32 + 0.5 - half) * step,
        );
        near.bilinear((px - around.x) * zx, (py - around.y) * zy)
    })
}
