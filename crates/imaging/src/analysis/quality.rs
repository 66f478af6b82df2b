//! What can be measured about a selfie. Numbers only; what they mean is decided in `verdict`.

use super::detect::Face;
use super::landmarks::{
    BRIDGE, BROW_LEFT, BROW_RIGHT, CHIN, EYE_LEFT, EYE_RIGHT, FOREHEAD, LIPS, Landmarks, NOSTRILS,
    OVAL,
};
use super::trust;
use crate::color::{hue_chroma, lab};
use crate::filter::{convex_hull, grown, polygon, quantile};
use crate::matte::coarse::Coarse;
use crate::raster::{Kernel, Plane, Rect, Rgb, Rgb8, luma, resize_rgb8};

/// The eyes are brought to this distance, in pixels, before anything is measured, so that the
/// numbers do not depend on the size of the photo.
const EYE_DISTANCE: f32 = 64.0;
/// Side of the normalised face, in distances between the eyes.
const SIDE: f32 = 3.0;

/// The measurements. Fractions are 0..=1, luma is of the sRGB-encoded values 0..=1.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Quality {
    /// The mesh network's belief that this is a face.
    pub presence: f32,
    /// Size of the second largest face over that of the largest; 0 when alone.
    pub second_face: f32,
    /// Pixels between the eyes, in the uploaded photo.
    pub eye_distance: f32,
    /// Variance of the Laplacian on the normalised face.
    pub sharpness: f32,
    /// Weakest over mean directional edge energy: near 1 is even, near 0 is a movement.
    pub motion: f32,
    /// Mean luma of the face.
    pub luma: f32,
    /// Part of the face that is burnt out.
    pub clipped_high: f32,
    /// Part of the face that is drowned in black.
    pub clipped_low: f32,
    /// Lid distance over eye width.
    pub eye_openness: f32,
    /// Head turned, degrees.
    pub yaw: f32,
    /// Head nodding, degrees.
    pub pitch: f32,
    /// Head tilted, degrees.
    pub roll: f32,
    /// Contrast within the weaker eye over the luma of the cheeks.
    pub eye_visibility: f32,
    /// Contrast within the mouth over the luma of the cheeks.
    #[serde(default = "unmeasured")]
    pub mouth_visibility: f32,
    /// Brighter cheek over darker cheek.
    pub side_light: f32,
    /// Part of the head's surroundings that is burnt out while the face lies in the shade.
    pub back_light: f32,
    /// Lab chroma of the skin.
    pub skin_chroma: f32,
    /// Lab hue of the skin, degrees.
    pub skin_hue: f32,
    /// Part of the skin whose luma changes from one pixel to the next: a filled drawing has almost
    /// none.
    pub shading: f32,
    /// Part of the face's outline that lies outside the photo.
    pub face_cut: f32,
    /// Distance from the top of the photo to the top of the hair, in face heights; 0 when cut.
    pub headroom: f32,
    /// Width of the head's upper edge that is level, in face widths.
    #[serde(default)]
    pub level_crown: f32,
    /// Lab difference between the hair and what is behind it, where they meet.
    pub hair_contrast: f32,
    /// Width of the mouth over the distance between the eyes.
    pub smile: f32,
    /// Gap between the lips over the width of the mouth.
    #[serde(default)]
    pub mouth_open: f32,
    /// How even the differences between neighbouring columns, or rows, of the face are: the second
    /// smallest of eight over the largest. 0 where pixels come in blocks.
    #[serde(default = "unmeasured")]
    pub evenness: f32,
    /// Part of the person where colour changes wildly from one pixel to the next.
    #[serde(default)]
    pub confetti: f32,
    /// How much surer the detector is of a face when the photo is turned by half; 0 when it is not.
    #[serde(default)]
    pub upside_down: f32,
    /// Variance of the Laplacian on the face as large as a headshot shows it, or as the photo has it.
    #[serde(default = "unmeasured")]
    pub detail: f32,
    /// Median of the Laplacian over its 95th percentile, on the face as large as a headshot shows it:
    /// skin changes everywhere a little, paint only where a stroke ends.
    #[serde(default = "unmeasured")]
    pub texture: f32,
    /// Median of the Laplacian there, in levels: noise, or the ground that was painted on.
    #[serde(default)]
    pub roughness: f32,
    /// Part of the levels within the face's range of brightness that no pixel has.
    #[serde(default)]
    pub posterised: f32,
    /// Spread of Lab colour among parts of the face of one lightness.
    #[serde(default = "unmeasured")]
    pub colours: f32,
    /// Lab distance of the skin from the hues that skin can have.
    #[serde(default)]
    pub hue_off: f32,
    /// Part of the face's lower edge that is much brighter than the cheeks.
    #[serde(default)]
    pub rim_light: f32,
    /// Lines of print around the person.
    #[serde(default)]
    pub print: f32,
    /// Signs of a page around the person: lines of print, a head that ends level, straight edges.
    #[serde(default)]
    pub page: f32,
    /// Lab distance of chroma between the skin around the eyes and what is most like it from the nose to
    /// the chin.
    #[serde(default)]
    pub covered: f32,
    /// Distance to the person whom most photos of the set show, when this one shows somebody else;
    /// else 0.
    #[serde(default)]
    pub stranger: f32,
    /// Distance to the photo of the set that differs most, when the photos show several people and
    /// nobody is on most of them; else 0.
    #[serde(default)]
    pub undecided: f32,
}

/// For measurements that an earlier engine did not take: no finding.
pub(super) const UNMEASURED: f32 = 1000.0;

fn unmeasured() -> f32 {
    UNMEASURED
}

/// A face brought to standard size.
pub(super) struct Normalised {
    pub(super) pixels: Rgb,
    pub(super) luma: Plane,
    pub(super) outline: Plane,
    skin: Plane,
    pub(super) landmarks: Landmarks,
    /// Its pixels for one of the analysed image, and its corner there.
    pub(super) zoom: f32,
    pub(super) origin: (f32, f32),
}

/// Measures one selfie. `small` is the analysed copy that `faces`, `landmarks` and `coarse` refer
/// to; `source` the upright upload, `scale` times as large.
pub fn measure(
    source: &Rgb8,
    small: &Rgb8,
    scale: f32,
    faces: &[Face],
    landmarks: &Landmarks,
    coarse: &Coarse,
) -> Quality {
    let face = normalise(source, scale, landmarks, EYE_DISTANCE);
    let pose = landmarks.pose();
    let mut q = Quality {
        presence: landmarks.presence,
        second_face: second_face(faces),
        eye_distance: landmarks.eyes().2 * scale,
        eye_openness: landmarks.eye_openness(),
        yaw: pose.yaw,
        pitch: pose.pitch,
        roll: pose.roll,
        face_cut: face_cut(small, landmarks),
        smile: landmarks.smile(),
        mouth_open: landmarks.mouth_open(),
        ..Quality::default()
    };
    (q.sharpness, q.motion) = sharpness(&face);
    exposure(&face, &mut q);
    (q.eye_visibility, q.mouth_visibility) = visibility(&face);
    skin(&face, &mut q);
    head_edge(small, landmarks, coarse, &mut q);
    let images = (source, small, scale);
    trust::measure(images, &face, landmarks, coarse, &mut q);
    q
}

fn second_face(faces: &[Face]) -> f32 {
    let area = |f: &Face| f.bounds.w * f.bounds.h;
    match faces {
        [first, second, ..] => (area(second) / area(first).max(1.0)).sqrt(),
        _ => 0.0,
    }
}

fn face_cut(image: &Rgb8, landmarks: &Landmarks) -> f32 {
    let (w, h) = (image.width() as f32, image.height() as f32);
    let outline = landmarks.contour(&OVAL);
    let outside = outline
        .iter()
        .filter(|p| p.0 < 0.0 || p.1 < 0.0 || p.0 >= w || p.1 >= h)
        .count();
    outside as f32 / outline.len() as f32
}

pub(super) fn normalise(
    source: &Rgb8,
    scale: f32,
    landmarks: &Landmarks,
    eye_distance: f32,
) -> Normalised {
    let side = (SIDE * eye_distance).round() as usize;
    let (left, right, distance) = landmarks.eyes();
    let zoom = eye_distance / distance.max(1.0);
    let centre_x = f32::midpoint(left.0, right.0);
    let centre_y = f32::midpoint(landmarks.point(FOREHEAD).1, landmarks.point(CHIN).1);
    let half = side as f32 / 2.0 / zoom;
    let wanted = Rect {
        x: centre_x - half,
        y: centre_y - half,
        w: half * 2.0,
        h: half * 2.0,
    };
    let inside = wanted
        .scaled(scale)
        .clipped(source.width(), source.height());
    let per_source = zoom / scale;
    let w = ((inside.w * per_source).round() as usize).clamp(1, side.max(1));
    let h = ((inside.h * per_source).round() as usize).clamp(1, side.max(1));
    let pixels = resize_rgb8(source, inside, w, h, Kernel::Triangle).to_f32();
    let (ox, oy) = (inside.x / scale, inside.y / scale);
    let local = landmarks.mapped(|x, y| ((x - ox) * zoom, (y - oy) * zoom), zoom);
    let outline = polygon(w, h, &local.contour(&OVAL));
    let mut skin = polygon(w, h, &grown(&local.contour(&OVAL), 0.9));
    for (contour, factor) in [
        (&EYE_LEFT[..], 1.5),
        (&EYE_RIGHT[..], 1.5),
        (&BROW_LEFT[..], 1.2),
        (&BROW_RIGHT[..], 1.2),
        (&LIPS[..], 1.15),
        (&NOSTRILS[..], 1.1),
    ] {
        let shape = polygon(w, h, &grown(&convex_hull(&local.contour(contour)), factor));
        skin = skin.zip(&shape, |s, f| if f > 0.5 { 0.0 } else { s });
    }
    Normalised {
        luma: pixels.luma(),
        pixels,
        outline,
        skin,
        landmarks: local,
        zoom,
        origin: (ox, oy),
    }
}

/// Overall sharpness and evenness over four directions. A movement wipes out the edges along it
/// and leaves those across it.
pub(super) fn sharpness(face: &Normalised) -> (f32, f32) {
    const DIRECTIONS: [(i64, i64); 4] = [(1, 0), (0, 1), (1, 1), (1, -1)];
    let l = &face.luma;
    let (mut sum, mut squares, mut count) = (0f64, 0f64, 0f64);
    let mut energy = [0f64; 4];
    for y in 1..l.height() as i64 - 1 {
        for x in 1..l.width() as i64 - 1 {
            if face.outline.at_clamped(x, y) < 0.5 {
                continue;
            }
            let at = |dx: i64, dy: i64| f64::from(l.at_clamped(x + dx, y + dy)) * 255.0;
            let centre = at(0, 0);
            let laplacian = f64::from(l.laplacian(x as usize, y as usize)) * 255.0;
            sum += laplacian;
            squares += laplacian * laplacian;
            count += 1.0;
            for (e, (dx, dy)) in energy.iter_mut().zip(DIRECTIONS) {
                let second = at(dx, dy) + at(-dx, -dy) - 2.0 * centre;
                // The diagonal neighbours are further away, so their differences are larger.
                *e += second * second / ((dx * dx + dy * dy) as f64).powi(2);
            }
        }
    }
    if count < 16.0 {
        return (0.0, 1.0);
    }
    let variance = squares / count - (sum / count).powi(2);
    let mean = energy.iter().sum::<f64>() / 4.0;
    let weakest = energy.iter().copied().fold(f64::MAX, f64::min);
    (
        variance as f32,
        if mean > 0.0 {
            (weakest / mean) as f32
        } else {
            1.0
        },
    )
}

fn exposure(face: &Normalised, q: &mut Quality) {
    let mut count = 0f32;
    let (mut sum, mut high, mut low) = (0f64, 0f32, 0f32);
    for (&v, &inside) in face.luma.data().iter().zip(face.outline.data()) {
        if inside > 0.5 {
            count += 1.0;
            sum += f64::from(v);
            high += f32::from(u8::from(v > 0.97));
            low += f32::from(u8::from(v < 0.03));
        }
    }
    let count = count.max(1.0);
    q.luma = (sum / f64::from(count)) as f32;
    q.clipped_high = high / count;
    q.clipped_low = low / count;
    let cheek = |points: [usize; 2]| {
        let mut total = 0.0;
        for index in points {
            let (x, y) = face.landmarks.point(index);
            for dy in -3..=3 {
                for dx in -3..=3 {
                    total += face.luma.at_clamped(x as i64 + dx, y as i64 + dy);
                }
            }
        }
        (total / 98.0).max(0.01)
    };
    let (left, right) = (cheek([50, 205]), cheek([280, 425]));
    q.side_light = (left / right).max(right / left);
}

/// Contrast within the weaker eye, and within the mouth, over the luma of the cheeks. Iris, white and lashes
/// differ in every light, and so do lips and what is between them; dark glasses, a hand, a patch or a
/// phone are even there.
fn visibility(face: &Normalised) -> (f32, f32) {
    let cheeks: f32 = [50, 280, 205, 425]
        .iter()
        .map(|&i| {
            let (x, y) = face.landmarks.point(i);
            face.luma.bilinear(x, y)
        })
        .sum::<f32>()
        / 4.0;
    let contrast = |contour: &[usize], growth: f32| {
        let outline = convex_hull(&face.landmarks.contour(contour));
        let (w, h) = (face.luma.width(), face.luma.height());
        let shape = polygon(w, h, &grown(&outline, growth));
        let inside = shape.data().iter().zip(face.luma.data());
        let mut values: Vec<f32> = inside.filter(|(s, _)| **s > 0.5).map(|(_, &v)| v).collect();
        (quantile(&mut values, 0.95) - quantile(&mut values, 0.05)) / cheeks.max(0.02)
    };
    let eye = contrast(&EYE_LEFT, 1.3).min(contrast(&EYE_RIGHT, 1.3));
    (eye, contrast(&LIPS, 1.25))
}

fn skin(face: &Normalised, q: &mut Quality) {
    /// Less than this is an even fill: three quarters of one level of 8 bits.
    const CHANGE: f32 = 0.75 / 255.0;
    let (w, h) = (face.luma.width(), face.luma.height());
    let mut count = 0f64;
    let mut changing = 0f64;
    let mut mean = [0f64; 3];
    for y in 0..h {
        for x in 0..w {
            if face.skin.at(x, y) <= 0.5 {
                continue;
            }
            count += 1.0;
            for (m, c) in mean.iter_mut().zip(face.pixels.at(x, y)) {
                *m += f64::from(c);
            }
            let (x, y) = (x as i64, y as i64);
            let here = face.luma.at_clamped(x, y);
            let across = (face.luma.at_clamped(x + 1, y) - here).abs();
            let down = (face.luma.at_clamped(x, y + 1) - here).abs();
            changing += f64::from(u8::from(across + down > CHANGE));
        }
    }
    if count < 16.0 {
        return;
    }
    let mean = mean.map(|m| (m / count) as f32);
    (q.skin_hue, q.skin_chroma) = hue_chroma(lab(mean));
    q.shading = (changing / count) as f32;
}

/// Mean of a square around a pixel, 0..=1.
fn mean(image: &Rgb8, (x, y): (i64, i64), half: i64) -> [f32; 3] {
    let mut sums = [0u32; 3];
    for row in y - half..=y + half {
        for column in x - half..=x + half {
            let p = image.at_clamped(column, row);
            for (sum, value) in sums.iter_mut().zip(p) {
                *sum += u32::from(value);
            }
        }
    }
    let count = (2 * half + 1).pow(2) as f32;
    sums.map(|sum| sum as f32 / (255.0 * count))
}

/// A head is round; where a page or a frame within the photo cuts it, its edge is level.
fn level_crown(landmarks: &Landmarks, coarse: &Coarse) -> f32 {
    /// Half of what is looked at, in face widths, and steps in it.
    const HALF: f32 = 0.45;
    const STEPS: i8 = 18;
    /// Rise that is still level, in face heights.
    const LEVEL: f32 = 0.02;
    let (fw, fh) = (landmarks.face_width(), landmarks.face_height());
    let (cx, forehead) = landmarks.point(FOREHEAD);
    let highest = (forehead - fh * 1.1).max(0.0);
    let step = (fh / 200.0).max(0.25);
    let tops: Vec<f32> = (-STEPS..=STEPS)
        .map(|i| {
            let x = cx + fw * HALF * f32::from(i) / f32::from(STEPS);
            let mut y = forehead;
            while y > highest && coarse.at(x, y) >= 0.5 {
                y -= step;
            }
            y
        })
        .collect();
    let widest = tops
        .iter()
        .map(|top| {
            let level = |other: &&f32| (*other - top).abs() <= fh * LEVEL / 2.0;
            tops.iter().filter(level).count()
        })
        .max();
    widest.unwrap_or(0) as f32 / tops.len() as f32 * 2.0 * HALF
}

/// Head against background: is the hair cut, does it stand out, is there glare behind it?
fn head_edge(small: &Rgb8, landmarks: &Landmarks, coarse: &Coarse, q: &mut Quality) {
    let (fw, fh) = (landmarks.face_width(), landmarks.face_height());
    let crown = crate::frame::crown(coarse, landmarks);
    q.headroom = (crown / fh.max(1.0)).max(0.0);
    q.level_crown = level_crown(landmarks, coarse);
    let nose = landmarks.point(BRIDGE);
    // Small surroundings, or a JPEG's blocks and noise would pass for a difference.
    let half = (fw * 0.02).max(1.0) as i64;
    let at = |x: f32, y: f32| mean(small, (x as i64, y as i64), half);
    let inside = |x: f32, y: f32| {
        x >= 0.0 && y >= 0.0 && x < small.width() as f32 && y < small.height() as f32
    };
    let step = (fw * 0.01).max(0.5);
    let mut differences = Vec::new();
    let (mut glare, mut ring) = (0f32, 0f32);
    // Rays from the bridge of the nose over the upper half of the head.
    for i in 0..=48 {
        let angle = std::f32::consts::PI * (1.0 + i as f32 / 48.0);
        let (dx, dy) = (angle.cos(), angle.sin());
        let mut r = fw * 0.5;
        while r < fw * 2.5 && coarse.at(nose.0 + dx * r, nose.1 + dy * r) > 0.5 {
            r += step;
        }
        let (near, far) = (r - fw * 0.07, r + fw * 0.09);
        let out = (nose.0 + dx * far, nose.1 + dy * far);
        if !inside(out.0, out.1) {
            continue;
        }
        let hair = lab(at(nose.0 + dx * near, nose.1 + dy * near));
        ring += 1.0;
        let point = mean(small, (out.0 as i64, out.1 as i64), 0);
        glare += f32::from(u8::from(luma(point) > 0.97));
        let b = lab(at(out.0, out.1));
        differences.push(
            ((hair[0] - b[0]).powi(2) + (hair[1] - b[1]).powi(2) + (hair[2] - b[2]).powi(2)).sqrt(),
        );
    }
    q.hair_contrast = if differences.is_empty() {
        100.0
    } else {
        quantile(&mut differences, 0.35)
    };
    q.back_light = if q.luma < 0.42 && ring > 0.0 {
        glare / ring
    } else {
        0.0
    };
}
