//! Is it what it claims to be: a photo, of a person, with the detail that its pixels promise?

use super::landmarks::{BRIDGE, CHIN, FOREHEAD, Landmarks, OVAL};
use super::quality::{Normalised, Quality, normalise, sharpness};
use crate::color::lab;
use crate::filter::quantile;
use crate::matte::coarse::Coarse;
use crate::raster::{Rgb8, luma};

/// Distance between the eyes of a headshot of the usual size, in pixels.
const DELIVERED: f32 = 157.0;

/// Lines of print that a wall or a shirt may have.
pub(super) const PRINT_MAX: f32 = 1.0;

/// Width from which a level upper edge is no head's, in face widths: heads have 0.46 and less, those that
/// a page cuts through the hair 0.75 and more.
pub(super) const LEVEL_CROWN_MAX: f32 = 0.65;

/// A face brighter than this is lit from the front, whatever else there is.
const SHADE: f32 = 0.5;

/// Completes the measurements; arguments as in [`super::quality::measure`].
pub(super) fn measure(
    (source, small, scale): (&Rgb8, &Rgb8, f32),
    face: &Normalised,
    landmarks: &Landmarks,
    coarse: &Coarse,
    q: &mut Quality,
) {
    let size = q.eye_distance.min(DELIVERED);
    let delivered = normalise(source, scale, landmarks, size);
    q.detail = sharpness(&delivered).0;
    (q.texture, q.roughness) = texture(&delivered);
    q.posterised = posterised(source, scale, landmarks);
    q.evenness = evenness(source, scale, landmarks);
    q.confetti = confetti(source, scale, coarse);
    q.colours = colours(face);
    q.hue_off = hue_off(q.skin_hue, q.skin_chroma);
    q.rim_light = if q.luma < SHADE {
        let (zoom, at) = (face.zoom, face.origin);
        rim_light(face, coarse, |x, y| (x / zoom + at.0, y / zoom + at.1))
    } else {
        0.0
    };
    q.print = print(small, landmarks, coarse);
    q.page = page(small, q, landmarks);
    q.covered = covered(face);
}

/// Median of the Laplacian's size over its 95th percentile, and that median in levels.
fn texture(face: &Normalised) -> (f32, f32) {
    let l = &face.luma;
    let mut changes = Vec::new();
    for y in 1..l.height().max(1) - 1 {
        for x in 1..l.width().max(1) - 1 {
            if face.outline.at(x, y) >= 0.5 {
                changes.push(l.laplacian(x, y).abs() * 255.0);
            }
        }
    }
    if changes.is_empty() {
        return (0.0, 0.0);
    }
    let median = quantile(&mut changes, 0.5);
    (median / quantile(&mut changes, 0.95).max(1e-3), median)
}

/// The face's bounds in the upload: columns and rows.
fn bounds(source: &Rgb8, scale: f32, landmarks: &Landmarks) -> [std::ops::Range<usize>; 2] {
    let (mut low, mut high) = ((f32::MAX, f32::MAX), (f32::MIN, f32::MIN));
    for p in landmarks.contour(&OVAL) {
        low = (low.0.min(p.0), low.1.min(p.1));
        high = (high.0.max(p.0), high.1.max(p.1));
    }
    let clip = |v: f32, end: usize| ((v * scale).max(0.0) as usize).min(end);
    let (w, h) = (source.width(), source.height());
    [
        clip(low.0, w)..clip(high.0, w),
        clip(low.1, h)..clip(high.1, h),
    ]
}

/// Differences of a photo's neighbouring columns vary little from one pair to the next. Where pixels
/// were made large, whatever by, most columns repeat the one before.
fn evenness(source: &Rgb8, scale: f32, landmarks: &Landmarks) -> f32 {
    /// Pairs that are compared with each other.
    const WINDOW: usize = 8;
    /// Pixels of a column, or a row, that are looked at.
    const LINES: usize = 256;
    let [columns, rows] = bounds(source, scale, landmarks);
    let (width, height) = (columns.len().max(1) - 1, rows.len().max(1) - 1);
    if width < WINDOW || height < WINDOW {
        return 1.0;
    }
    let (left, top) = (columns.start, rows.start);
    let difference = |a: (usize, usize), b: (usize, usize)| {
        u64::from(source.at(a.0, a.1)[1].abs_diff(source.at(b.0, b.1)[1]))
    };
    let every = |length: usize| (length / LINES).max(1);
    let mut across = vec![0u64; width];
    for y in rows.step_by(every(height)) {
        for (sum, x) in across.iter_mut().zip(left..) {
            *sum += difference((x, y), (x + 1, y));
        }
    }
    let mut down = vec![0u64; height];
    for (sum, y) in down.iter_mut().zip(top..) {
        for x in columns.clone().step_by(every(width)) {
            *sum += difference((x, y), (x, y + 1));
        }
    }
    let typical = |sums: &[u64]| {
        let ratio = |window: &[u64]| {
            let mut window = window.to_vec();
            window.sort_unstable();
            window[1] as f32 / (window[WINDOW - 1] as f32).max(1.0)
        };
        let mut ratios: Vec<f32> = sums.windows(WINDOW).map(ratio).collect();
        quantile(&mut ratios, 0.5)
    };
    typical(&across).max(typical(&down))
}

/// Part of the person, in tiles, where colour is noise stronger than any camera's: what decoders make
/// of a damaged file that has no checksum.
fn confetti(source: &Rgb8, scale: f32, coarse: &Coarse) -> f32 {
    const TILE: usize = 16;
    /// Tiles along the longer side at most.
    const TILES: usize = 48;
    /// Mean second difference of chroma, in levels. Noisy photos measure up to 30.
    const WILD: f32 = 60.0;
    let (w, h) = (source.width(), source.height());
    let stride = (w.max(h) / TILES).max(TILE);
    let (mut wild, mut all) = (0u32, 0u32);
    for y in (1..h.saturating_sub(TILE)).step_by(stride) {
        for x in (1..w.saturating_sub(TILE)).step_by(stride) {
            let middle = |v: usize| (v + TILE / 2) as f32 / scale;
            if coarse.at(middle(x), middle(y)) > 0.5 {
                all += 1;
                wild += u32::from(second_difference(source, (x, y), TILE) > WILD);
            }
        }
    }
    wild as f32 / (all as f32).max(1.0)
}

/// Mean second difference of both chromas in a tile.
fn second_difference(source: &Rgb8, (left, top): (usize, usize), side: usize) -> f32 {
    let chroma = |x: usize, y: usize| {
        let [r, g, b] = source.at(x, y).map(i32::from);
        [r - g, b - g]
    };
    let mut sum = 0;
    for y in top..top + side {
        for x in left..left + side {
            let here = chroma(x, y);
            let around =
                [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)].map(|(x, y)| chroma(x, y));
            for k in 0..2 {
                let others: i32 = around.iter().map(|c| c[k]).sum();
                sum += (4 * here[k] - others).abs();
            }
        }
    }
    sum as f32 / (side * side) as f32
}

/// Part of the levels between the face's darkest and brightest twentieth that no pixel has.
fn posterised(source: &Rgb8, scale: f32, landmarks: &Landmarks) -> f32 {
    let [columns, rows] = bounds(source, scale, landmarks);
    let mut counts = [0usize; 256];
    for y in rows {
        for x in columns.clone() {
            counts[usize::from(source.at(x, y)[1])] += 1;
        }
    }
    let total: usize = counts.iter().sum();
    let level = |count: usize| {
        let mut sum = 0;
        let reached = |c: &usize| {
            sum += c;
            sum > count
        };
        counts.iter().position(reached).unwrap_or(0)
    };
    let (dark, bright) = (level(total / 20), level(total - total / 20 - 1));
    let used = counts[dark..=bright].iter().filter(|&&c| c > 0).count();
    1.0 - used as f32 / (bright - dark + 1) as f32
}

/// Standard deviation of Lab a and b among parts of the face that are equally light: lips, cheeks and
/// beard differ in colour, a toned picture has one colour for each lightness.
fn colours(face: &Normalised) -> f32 {
    const STEPS: f32 = 24.0;
    let mut bins = [[0f64; 5]; STEPS as usize];
    for (&p, &inside) in face.pixels.data().iter().zip(face.outline.data()) {
        if inside < 0.5 {
            continue;
        }
        let [light, a, b] = lab(p);
        let bin = &mut bins[((light / 100.0 * STEPS) as usize).min(STEPS as usize - 1)];
        let (a, b) = (f64::from(a), f64::from(b));
        for (slot, v) in bin.iter_mut().zip([1.0, a, a * a, b, b * b]) {
            *slot += v;
        }
    }
    let (mut sum, mut count) = (0.0, 0.0);
    for [n, a, aa, b, bb] in bins.into_iter().filter(|bin| bin[0] >= 20.0) {
        let variance = aa / n - (a / n).powi(2) + bb / n - (b / n).powi(2);
        sum += n * variance.max(0.0).sqrt();
        count += n;
    }
    if count > 0.0 {
        (sum / count) as f32
    } else {
        0.0
    }
}

/// Lab distance from the hues that skin has in any usual light.
fn hue_off(hue: f32, chroma: f32) -> f32 {
    /// From pink, by red and orange, to a greenish yellow, in degrees.
    const HUES: (f32, f32) = (10.0, 110.0);
    let away = (hue - f32::midpoint(HUES.0, HUES.1)).rem_euclid(360.0);
    let outside = away.min(360.0 - away) - (HUES.1 - HUES.0) / 2.0;
    chroma * outside.clamp(0.0, 90.0).to_radians().sin()
}

/// Part of the face's edge, at its sides and the jaw, that light from behind makes much brighter than
/// the cheek beside it. Only where the networks are sure that it is the person and not the backdrop.
fn rim_light(face: &Normalised, coarse: &Coarse, back: impl Fn(f32, f32) -> (f32, f32)) -> f32 {
    /// By how much luma has to rise.
    const RISE: f32 = 0.2;
    let outline = face.landmarks.contour(&OVAL);
    let n = outline.len() as f32;
    let sum = outline
        .iter()
        .fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
    let c = (sum.0 / n, sum.1 / n);
    let (mut rims, mut points) = (0f32, 0f32);
    // The chin's tip is left out: a collar may touch it.
    let sides = outline
        .iter()
        .filter(|p| p.1 >= c.1 - 8.0 && (p.0 - c.0).abs() > 12.0);
    for p in sides {
        let place = |t: f32| (c.0 + (p.0 - c.0) * t, c.1 + (p.1 - c.1) * t);
        let luma = |t: f32| {
            let (x, y) = place(t);
            face.luma.bilinear(x, y)
        };
        let edge = [0.92, 0.96, 1.0, 1.04].into_iter().filter(|&t| {
            let (x, y) = place(t);
            let (x, y) = back(x, y);
            coarse.at(x, y) > 0.9
        });
        let brightest = edge.map(luma).fold(0.0, f32::max);
        points += 1.0;
        rims += f32::from(u8::from(brightest - luma(0.75) > RISE));
    }
    rims / points.max(1.0)
}

/// Lines of print around the person: bands of rows with many changes between light and dark, and
/// plain rows between them.
fn print(small: &Rgb8, landmarks: &Landmarks, coarse: &Coarse) -> f32 {
    /// A change of luma that counts.
    const CHANGE: f32 = 28.0 / 255.0;
    /// Changes in a row: at least in a line of print, at most in a plain row.
    const MANY: u32 = 20;
    const FEW: u32 = 6;
    /// Rows of neither kind that may lie between the two.
    const BETWEEN: u32 = 8;
    let (w, h) = (small.width(), small.height());
    let nose = landmarks.point(BRIDGE).0;
    let (across, down) = (landmarks.face_width() * 1.5, landmarks.face_height() * 1.3);
    let foot = landmarks.point(CHIN).1 + down;
    let rows = (0..h).map(|y| {
        let (mut changes, mut last, mut before) = (0u32, 0i8, None);
        for x in 0..w {
            let (u, v) = (x as f32, y as f32);
            // A photo on the page has a background of its own.
            let person = (u - nose).abs() < across && v < foot || coarse.at(u, v) > 0.1;
            if person {
                before = None;
                continue;
            }
            let here = luma(small.at(x, y).map(|c| f32::from(c) / 255.0));
            let step = before.map_or(0.0, |b: f32| here - b);
            let sign = i8::from(step > CHANGE) - i8::from(step < -CHANGE);
            changes += u32::from(sign != 0 && sign != last);
            last = if sign == 0 { last } else { sign };
            before = Some(here);
        }
        changes
    });
    let rows: Vec<u32> = rows.collect();
    // Tall letters and feet reach out of a line: rows that are neither plain nor full.
    let (mut lines, mut plain, mut tall, mut between) = (0u32, 0, 0, 0);
    for &changes in &rows {
        if changes >= MANY {
            // A band counts when plain rows precede it; it is a line when they follow.
            tall = if tall > 0 || plain >= 2 { tall + 1 } else { 0 };
            (plain, between) = (0, 0);
        } else if changes <= FEW {
            plain = if between > 0 { 1 } else { plain + 1 };
            between = 0;
            if plain == 2 {
                lines += u32::from((4..=h / 16).contains(&tall));
                tall = 0;
            }
        } else {
            between += 1;
            if between > BETWEEN {
                (plain, tall) = (0, 0);
            }
        }
    }
    // The photo's lower edge ends a line, too.
    lines += u32::from(plain < 2 && (4..=h / 16).contains(&tall));
    lines as f32
}

/// Signs of a page around the person: lines of print; a head that ends level; something even that begins
/// along a line below the face, and on all its sides.
fn page(small: &Rgb8, q: &Quality, landmarks: &Landmarks) -> f32 {
    let sides = edges(small, landmarks);
    let signs = [
        q.print > PRINT_MAX,
        q.level_crown > LEVEL_CROWN_MAX,
        sides[0],
        sides.iter().all(|side| *side),
    ];
    let signs = signs.map(|sign| f32::from(u8::from(sign)));
    signs.iter().sum()
}

/// Whether something even begins along a straight upright line below, above, left and right of the face.
fn edges(small: &Rgb8, landmarks: &Landmarks) -> [bool; 4] {
    let (fw, fh) = (landmarks.face_width(), landmarks.face_height());
    let (cx, chin) = landmarks.point(CHIN);
    let forehead = landmarks.point(FOREHEAD).1;
    let apart = (fh * 0.01).max(1.0);
    let at = |x: f32, y: f32| {
        luma(
            small
                .at_clamped(x as i64, y as i64)
                .map(|c| f32::from(c) / 255.0),
        )
    };
    let (width, height) = (small.width() as f32, small.height() as f32);
    let across = |part: f32| cx + fw * (part - 0.5);
    let down = |part: f32| forehead + (chin - forehead) * part;
    let row = |y: f32, outwards: f32| {
        begins(|part| {
            (
                at(across(part), y - outwards),
                at(across(part), y + outwards),
            )
        })
    };
    let column = |x: f32, outwards: f32| {
        begins(|part| (at(x - outwards, down(part)), at(x + outwards, down(part))))
    };
    let between = |from: f32, to: f32, end: f32| {
        let (from, to) = (from.max(apart), to.min(end - apart));
        (from as usize..to.max(from) as usize).map(|v| v as f32)
    };
    [
        between(chin - fh * 0.35, chin + fh * 3.0, height).any(|y| row(y, apart)),
        between(forehead - fh * 2.0, forehead, height).any(|y| row(y, -apart)),
        between(cx - fw * 3.0, cx - fw * 0.5, width).any(|x| column(x, -apart)),
        between(cx + fw * 0.5, cx + fw * 3.0, width).any(|x| column(x, apart)),
    ]
}

/// Whether what lies outside of a line is even, and most of what is inside differs from it. `pair`:
/// luma inside and outside, at a part of the line.
fn begins(pair: impl Fn(f32) -> (f32, f32)) -> bool {
    /// Places along the line, and how many of them have to differ.
    const PLACES: u8 = 24;
    const DIFFERENT: usize = 18;
    /// Difference of luma that counts, and that an even page may have.
    const CHANGE: f32 = 0.06;
    const EVEN: f32 = 0.1;
    let (mut low, mut high, mut different) = (f32::MAX, f32::MIN, 0);
    for place in 0..PLACES {
        let (inside, outside) = pair(f32::from(place) / f32::from(PLACES - 1));
        low = low.min(outside);
        high = high.max(outside);
        if high - low > EVEN {
            return false;
        }
        different += usize::from((inside - outside).abs() > CHANGE);
    }
    different >= DIFFERENT
}

/// Lab distance of chroma between the skin around the eyes and whatever below them is most like it: a
/// mask from the nose to the chin has another colour everywhere, a beard leaves the nose.
fn covered(face: &Normalised) -> f32 {
    /// Bridge of the nose, between the brows, forehead, below both eyes.
    const BARE: [usize; 6] = [6, 168, 9, 151, 118, 347];
    /// Tip of the nose, below it, beside the mouth, chin.
    const LOWER: [usize; 6] = [4, 5, 164, 205, 425, 199];
    let chroma = |point: usize| {
        let (x, y) = face.landmarks.point(point);
        let mut sum = [0.0f32; 3];
        for dy in -2i64..=2 {
            for dx in -2i64..=2 {
                let p = face.pixels.at_clamped(x as i64 + dx, y as i64 + dy);
                for (sum, value) in sum.iter_mut().zip(p) {
                    *sum += value / 25.0;
                }
            }
        }
        let [_, a, b] = lab(sum);
        (a, b)
    };
    let bare = BARE.map(chroma);
    let a = quantile(&mut bare.map(|c| c.0), 0.5);
    let b = quantile(&mut bare.map(|c| c.1), 0.5);
    LOWER
        .map(chroma)
        .into_iter()
        .map(|c| (c.0 - a).hypot(c.1 - b))
        .fold(f32::MAX, f32::min)
}

#[cfg(test)]
mod tests {
    use super::hue_off;

    #[test]
    fn skin_of_every_tone_and_in_coloured_light_is_within_the_hues() {
        // Pale to dark under white light, then by a bulb, under leaves, in cold light.
        for (hue, chroma) in [
            (38.0, 14.0),
            (55.0, 29.0),
            (65.0, 22.0),
            (50.0, 12.0),
            (78.0, 50.0),
            (108.0, 30.0),
            (-40.0, 8.0),
        ] {
            assert!(hue_off(hue, chroma) < 10.0, "{hue} {chroma}");
        }
        // Blue, green, magenta.
        for (hue, chroma) in [(-83.0, 31.0), (132.0, 48.0), (-4.0, 68.0)] {
            assert!(hue_off(hue, chroma) > 10.0, "{hue} {chroma}");
        }
    }
}
