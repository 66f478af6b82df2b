//! Where exactly does the hair end? A saliency network (U2-Net) on the head alone.

use super::coarse::Coarse;
use super::u2net::U2Net;
use crate::analysis::landmarks::{CHIN, Landmarks};
use crate::raster::{Kernel, Plane, Rect, Rgb8, resize_rgb8, smoothstep};

/// Side of the detail network's input and output. It was trained at 320, which is half again the work;
/// on the portraits hair looks the same, because the solver and the guided filter find the fine edges.
pub const SIDE: usize = 256;

/// Disagreement with the person network from which the detail network has looked at something
/// else, and is ignored. Mean absolute difference where the person network is sure.
const MAX_DISAGREEMENT: f32 = 0.15;

/// Alpha over the head.
#[derive(Debug, Clone)]
pub struct Detail {
    /// The head's surroundings, in pixels of the analysed image; lies inside it.
    pub area: Rect,
    /// Alpha, [`SIDE`] x [`SIDE`], stretched over `area`.
    pub alpha: Plane,
    /// Mean difference to the person network where that one is sure.
    pub disagreement: f32,
    /// Whether the area touches the top of the photo, so that its upper edge is no seam.
    open_top: bool,
}

/// Runs the detail network on the head. `None` when it disagrees with the person network.
pub fn detail(
    net: &U2Net,
    source: &Rgb8,
    small: (usize, usize),
    landmarks: &Landmarks,
    coarse: &Coarse,
) -> Option<Detail> {
    let scale = source.width() as f32 / small.0 as f32;
    let area = head(small, landmarks, coarse);
    let patch = resize_rgb8(source, area.scaled(scale), SIDE, SIDE, Kernel::Sharp);
    let brightest = patch
        .data()
        .iter()
        .flatten()
        .copied()
        .max()
        .unwrap_or(255)
        .max(1);
    let gain = 1.0 / f32::from(brightest);
    let input = patch.map(|p| {
        let [r, g, b] = p.map(|v| f32::from(v) * gain);
        [
            (r - 0.485) / 0.229,
            (g - 0.456) / 0.224,
            (b - 0.406) / 0.225,
        ]
    });
    let raw = net.saliency(&input);
    let (low, high) = raw
        .data()
        .iter()
        .filter(|v| v.is_finite())
        .fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
    let span = (high - low).max(1e-6);
    let alpha = raw.map(|v| {
        if v.is_finite() {
            ((v - low) / span).clamp(0.0, 1.0)
        } else {
            0.0
        }
    });
    let disagreement = disagreement(&alpha, area, coarse);
    let open_top = area.y < 1.0;
    (disagreement <= MAX_DISAGREEMENT).then_some(Detail {
        area,
        alpha,
        disagreement,
        open_top,
    })
}

fn head(small: (usize, usize), landmarks: &Landmarks, coarse: &Coarse) -> Rect {
    let (fw, fh) = (landmarks.face_width(), landmarks.face_height());
    let centre = f32::midpoint(landmarks.point(234).0, landmarks.point(454).0);
    let top = crate::frame::crown(coarse, landmarks) - fh * 0.30;
    let bottom = landmarks.point(CHIN).1 + fh * 0.55;
    Rect::from_edges(centre - fw * 1.3, top, centre + fw * 1.3, bottom).clipped(small.0, small.1)
}

fn disagreement(alpha: &Plane, area: Rect, coarse: &Coarse) -> f32 {
    const GRID: usize = 60;
    let (mut sum, mut count) = (0f32, 0f32);
    for j in 0..GRID {
        for i in 0..GRID {
            let (u, v) = (
                (i as f32 + 0.5) / GRID as f32,
                (j as f32 + 0.5) / GRID as f32,
            );
            let a = coarse.at(area.x + area.w * u, area.y + area.h * v);
            if !(0.1..=0.9).contains(&a) {
                sum += (a - alpha.bilinear(u * SIDE as f32, v * SIDE as f32)).abs();
                count += 1.0;
            }
        }
    }
    sum / count.max(1.0)
}

impl Detail {
    /// Alpha at a position of the analysed image and how much it counts there, 0..=1: fully inside
    /// the head's surroundings, fading towards their seams. `None` outside.
    pub fn at(&self, x: f32, y: f32) -> Option<(f32, f32)> {
        let u = (x - self.area.x) / self.area.w;
        let v = (y - self.area.y) / self.area.h;
        if !(0.0..=1.0).contains(&u) || !(0.0..=1.0).contains(&v) {
            return None;
        }
        let above = if self.open_top { 1.0 } else { v };
        let seam = u.min(1.0 - u).min(1.0 - v).min(above);
        let side = SIDE as f32;
        Some((
            self.alpha.bilinear(u * side, v * side),
            smoothstep(0.0, 0.10, seam),
        ))
    }
}
