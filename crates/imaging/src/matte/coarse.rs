//! Who is the person? The semantic matte: coarse, but right about what belongs to the body.

use crate::analysis::detect::planar;
use crate::analysis::landmarks::{BRIDGE, CHIN, FOREHEAD, Landmarks, NOSE_TIP};
use crate::filter::distance_to;
use crate::net::{NetError, Network};
use crate::raster::{Kernel, Plane, Raster, Rect, Rgb8, resize_rgb8, smoothstep};

/// Side of the person network's input and output.
pub const SIDE: usize = 256;

/// Alpha over a part of the analysed image.
#[derive(Debug, Clone)]
pub struct Coarse {
    /// The part, in pixels of the analysed image; lies inside it.
    pub area: Rect,
    /// Alpha, [`SIDE`] x [`SIDE`], stretched over `area`.
    pub alpha: Plane,
}

impl Coarse {
    /// Alpha at a position of the analysed image; zero outside the area's left, right and top, and
    /// the last row continued below.
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let u = (x - self.area.x) / self.area.w;
        let v = (y - self.area.y) / self.area.h;
        if !(0.0..=1.0).contains(&u) || v < 0.0 {
            return 0.0;
        }
        let side = SIDE as f32;
        self.alpha.bilinear(u * side, v.min(1.0) * side)
    }

    /// Whether a trace of the person lies in `area`, in pixels of the analysed image.
    pub fn touches(&self, area: Rect) -> bool {
        const TRACE: f32 = 0.02;
        // As fine as the network's own pixels.
        let columns = (area.w / self.area.w * SIDE as f32).ceil().max(1.0) as usize;
        let rows = (area.h / self.area.h * SIDE as f32).ceil().max(1.0) as usize;
        let along =
            |from: f32, length: f32, i: usize, n: usize| from + length * i as f32 / n as f32;
        (0..=rows).any(|j| {
            let y = along(area.y, area.h, j, rows);
            (0..=columns).any(|i| self.at(along(area.x, area.w, i, columns), y) > TRACE)
        })
    }
}

/// Runs the person network on the surroundings of one face, upright and mirrored, and keeps the
/// person that the face belongs to.
///
/// # Errors
///
/// When the network fails.
pub fn coarse(net: &Network, image: &Rgb8, landmarks: &Landmarks) -> Result<Coarse, NetError> {
    let area = surroundings(image, landmarks);
    let patch = resize_rgb8(image, area, SIDE, SIDE, Kernel::Triangle).to_f32();
    let [straight] = net.run(SIDE, planar(&patch))?;
    let [mirrored] = net.run(SIDE, planar(&patch.mirrored()))?;
    let plane = |data| {
        Plane::from_pixels(SIDE, SIDE, data).unwrap_or_else(|| Plane::filled(SIDE, SIDE, 0.0))
    };
    let mut alpha = plane(straight).zip(&plane(mirrored).mirrored(), |a, b| {
        let mean = f32::midpoint(a, b);
        if mean.is_finite() {
            mean.clamp(0.0, 1.0)
        } else {
            0.0
        }
    });
    let seeds: Vec<(usize, usize)> = [NOSE_TIP, BRIDGE, CHIN, 50, 280]
        .iter()
        .map(|&i| {
            let (x, y) = landmarks.point(i);
            let u = (x - area.x) / area.w * SIDE as f32;
            let v = (y - area.y) / area.h * SIDE as f32;
            (u.clamp(0.0, 255.0) as usize, v.clamp(0.0, 255.0) as usize)
        })
        .collect();
    keep_component(&mut alpha, &seeds);
    Ok(Coarse { area, alpha })
}

/// 4.6 face widths wide, from above the hair to the chest.
fn surroundings(image: &Rgb8, landmarks: &Landmarks) -> Rect {
    let (fw, fh) = (landmarks.face_width(), landmarks.face_height());
    let centre = f32::midpoint(landmarks.point(234).0, landmarks.point(454).0);
    let top = landmarks.point(FOREHEAD).1 - fh * 1.1;
    let bottom = landmarks.point(CHIN).1 + fh * 2.3;
    Rect::from_edges(centre - fw * 2.3, top, centre + fw * 2.3, bottom)
        .clipped(image.width(), image.height())
}

/// Fades out everything that is not connected to the seeds.
fn keep_component(alpha: &mut Plane, seeds: &[(usize, usize)]) {
    const MEMBER: f32 = 0.45;
    let (w, h) = (alpha.width(), alpha.height());
    let mut seen = Raster::filled(w, h, false);
    let mut stack = Vec::new();
    for &(x, y) in seeds {
        if x < w && y < h && !seen.at(x, y) {
            seen.set(x, y, true);
            stack.push((x, y));
        }
    }
    while let Some((x, y)) = stack.pop() {
        let neighbours = [
            (x.wrapping_sub(1), y),
            (x + 1, y),
            (x, y.wrapping_sub(1)),
            (x, y + 1),
        ];
        for (nx, ny) in neighbours {
            if nx < w && ny < h && !seen.at(nx, ny) && alpha.at(nx, ny) > MEMBER {
                seen.set(nx, ny, true);
                stack.push((nx, ny));
            }
        }
    }
    let distance = distance_to(&seen);
    let reach = w as f32;
    for (a, &d) in alpha.data_mut().iter_mut().zip(distance.data()) {
        if d > 0.0 {
            *a *= 1.0 - smoothstep(reach * 0.02, reach * 0.05, d);
        }
    }
}
