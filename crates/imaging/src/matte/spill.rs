//! Takes the old background's tint off the person's rim.
//!
//! A saturated background tints what is near it: light reflected onto hair and ears, flare in the lens,
//! and colours that a JPEG or a video stores at half the size. The tint reaches further in than
//! alpha tells. Whatever leans more towards the background's colour than the person does further in is
//! brought back; where the person has that colour too, nothing is taken.

use crate::raster::{
    Kernel, Plane, Raster, Rgb, Stretch, luma, resize_plane, resize_rgb, smoothstep,
};

/// How many times smaller the copy is in which colours are looked up.
const REDUCTION: usize = 4;
/// How deep a tint can be, as part of the face's height.
const DEPTH: f32 = 0.035;
/// How far colours are looked for, as part of the face's height.
const REACH: f32 = 0.09;
/// Chroma from which a background tints, and from which it does in full.
const TINTS: (f32, f32) = (0.08, 0.2);
/// How much more than the person's own is left, and how much of that more: ears are redder than cheeks.
const MARGIN: f32 = 0.015;
const REDDER: f32 = 0.35;

/// What is known of a place: the direction of the background's chroma, how far the person's own
/// colours go in it, and how much a tint counts, 0..=1.
type Tint = [f32; 4];

/// Takes the tint off `foreground`, which was estimated under `alpha` from `picture`. `face_height` in
/// pixels.
pub fn suppress(foreground: &mut Rgb, alpha: &Plane, picture: &Rgb, face_height: f32) {
    let (w, h) = (foreground.width(), foreground.height());
    let (lw, lh) = ((w / REDUCTION).max(1), (h / REDUCTION).max(1));
    let small = resize_plane(alpha, lw, lh, Kernel::Box);
    let cells = |part: f32| (face_height * part / REDUCTION as f32).round().max(2.0) as usize;
    let inner = small.box_mean(cells(DEPTH));
    let behind = background(picture, &small, cells(REACH));
    let person = resize_rgb(foreground, lw, lh, Kernel::Box).map(chroma);
    let tints = Raster::generate(lw, lh, |x, y| {
        // Neither near the edge nor near a colour: most places.
        if inner.at(x, y) > 0.999 || behind.at(x, y)[2] <= 0.0 {
            return [0.0; 4];
        }
        tint((x, y), behind.at(x, y), &person, &inner, cells(REACH))
    });
    if tints.data().iter().all(|tint| tint[3] <= 0.0) {
        return;
    }
    let stretch = Stretch::new(&tints, w, h);
    *foreground = Rgb::generate_rows_with(w, h, [0.0; 3], Vec::new, |line, y, row| {
        stretch.line(y, line);
        for (x, p) in row.iter_mut().enumerate() {
            *p = foreground.at(x, y);
            if alpha.at(x, y) > 0.0 {
                *p = without(*p, stretch.at(line, x));
            }
        }
    });
}

/// Mean chroma of the background around each place, and how much of it is seen there.
fn background(picture: &Rgb, alpha: &Plane, reach: usize) -> Raster<[f32; 3]> {
    let colours = resize_rgb(picture, alpha.width(), alpha.height(), Kernel::Box);
    let sure = alpha.box_mean(1).map(|a| f32::from(u8::from(a < 0.01)));
    let weighed = colours.zip(&sure, |p, sure| {
        let [r, b] = chroma(p);
        [r * sure, b * sure, sure]
    });
    weighed.box_mean(reach)
}

fn tint(
    (x, y): (usize, usize),
    [r, b, seen]: [f32; 3],
    person: &Raster<[f32; 2]>,
    inner: &Plane,
    reach: usize,
) -> Tint {
    let length = r.hypot(b).max(1e-6);
    let strength = smoothstep(TINTS.0, TINTS.1, length / seen);
    if strength <= 0.0 {
        return [0.0; 4];
    }
    let towards = [r / length, b / length];
    let (w, h) = (person.width(), person.height());
    let mut most = f32::MIN;
    for row in y.saturating_sub(reach)..=(y + reach).min(h - 1) {
        for column in x.saturating_sub(reach)..=(x + reach).min(w - 1) {
            if inner.at(column, row) > 0.999 {
                most = most.max(along(person.at(column, row), towards));
            }
        }
    }
    if most <= f32::MIN {
        return [0.0; 4];
    }
    let near = 1.0 - smoothstep(0.9, 1.0, inner.at(x, y));
    let left = most + most.max(0.0) * REDDER + MARGIN;
    [towards[0], towards[1], left, strength * near]
}

fn without(p: [f32; 3], [r, b, most, strength]: Tint) -> [f32; 3] {
    let own = chroma(p);
    let over = (along(own, [r, b]) - most).max(0.0) * strength;
    if over <= 0.0 {
        return p;
    }
    let y = luma(p);
    let (red, blue) = (y + own[0] - over * r, y + own[1] - over * b);
    let green = (y - 0.299 * red - 0.114 * blue) / 0.587;
    [red, green, blue].map(|v| v.clamp(0.0, 1.0))
}

fn chroma(p: [f32; 3]) -> [f32; 2] {
    let y = luma(p);
    [p[0] - y, p[2] - y]
}

fn along(chroma: [f32; 2], direction: [f32; 2]) -> f32 {
    chroma[0] * direction[0] + chroma[1] * direction[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: f32 = 500.0;
    const BLUE: [f32; 3] = [0.1, 0.3, 0.9];
    const HAIR: [f32; 3] = [0.3, 0.25, 0.2];

    /// A person to the right of column 60 whose first pixels are tinted, before `background`; what
    /// becomes of the colours.
    fn cleaned(background: [f32; 3], person: [f32; 3]) -> Rgb {
        let tinted = |x: usize| {
            let part = 0.4 * (1.0 - (x as f32 - 60.0) / 12.0).max(0.0);
            [0, 1, 2].map(|k| person[k] + (background[k] - person[k]) * part)
        };
        let picture = Rgb::generate(240, 160, |x, _| if x < 60 { background } else { tinted(x) });
        let alpha = Plane::generate(240, 160, |x, _| f32::from(u8::from(x >= 60)));
        let mut foreground = Rgb::generate(240, 160, |x, _| tinted(x.max(60)));
        suppress(&mut foreground, &alpha, &picture, FACE);
        foreground
    }

    #[test]
    fn a_blue_tint_is_taken_off_hair_and_its_lightness_stays() {
        let after = cleaned(BLUE, HAIR);
        let p = after.at(61, 80);
        assert!(p[2] < p[0] + 0.03, "{p:?} is still blue");
        let tinted = [0, 1, 2].map(|k| HAIR[k] + (BLUE[k] - HAIR[k]) * 0.4 * 11.0 / 12.0);
        assert!((luma(p) - luma(tinted)).abs() < 0.01, "{p:?}");
        assert_eq!(after.at(200, 80), HAIR);
    }

    #[test]
    fn what_has_the_background_s_colour_keeps_it() {
        let shirt = [0.15, 0.3, 0.8];
        let after = cleaned(BLUE, shirt);
        for x in 60..240 {
            let p = after.at(x, 80);
            assert!(p[2] - luma(p) > 0.3, "column {x}: {p:?}");
        }
    }

    #[test]
    fn a_grey_background_tints_nothing() {
        let grey = [0.5, 0.5, 0.53];
        let after = cleaned(grey, HAIR);
        let part = 0.4 * 11.0 / 12.0;
        let before = [0, 1, 2].map(|k| HAIR[k] + (grey[k] - HAIR[k]) * part);
        assert_eq!(after.at(61, 80), before);
    }
}
