//! The band of doubt: how wide the unknown zone along the edge is, and how much the networks are
//! believed there.
//!
//! The width follows the softness of the networks' own edge. Short hair, ears and shoulders have a
//! crisp edge and get two pixels of doubt and a strong prior; curls and wisps have a soft one and
//! get up to 7 % of the face's height and a weak prior. A band of one width does both wrong: wide,
//! it leaves dirty fringes round short hair; narrow, it cuts wisps.

use super::coarse::Coarse;
use super::detail::Detail;
use crate::filter::distance_to;
use crate::frame::Frame;
use crate::raster::{Plane, smoothstep};

/// What the solver starts from. All planes on the solving grid.
#[derive(Debug, Clone)]
pub struct Band {
    /// The networks' alpha.
    pub prior: Plane,
    /// Known person 1, known background 0, doubt 0.5.
    pub trimap: Plane,
    /// 0 = crisp edge nearby, 1 = soft (hairy) edge nearby.
    pub softness: Plane,
    /// Weight of the prior in the solver.
    pub trust: Plane,
    /// 1 = the edge nearby is a shoulder's.
    pub shoulders: Plane,
}

/// Where the face is on the solving grid.
#[derive(Debug, Clone, Copy)]
pub struct FacePlace<'a> {
    /// Filled face outline, 1 inside: always person.
    pub inside: &'a Plane,
    /// Row of the chin.
    pub chin: f32,
    /// Face height in pixels.
    pub height: f32,
}

/// Weight of the prior at a soft edge; a crisp edge counts 13 times as much.
const TRUST_NEAR: f32 = 0.02;
/// Weight of the prior far from any edge.
const TRUST_FAR: f32 = 1.0;

/// Lays out the band for a grid of `width` x `height` over the frame.
pub fn band(
    frame: &Frame,
    grid: (usize, usize),
    coarse: &Coarse,
    detail: Option<&Detail>,
    face: FacePlace<'_>,
) -> Band {
    let shoulders = shoulders(frame, grid, coarse, face);
    let prior = prior(frame, grid, coarse, detail, (face, &shoulders));
    let radius = (face.height * 0.042).round().clamp(3.0, 24.0) as usize;
    let softness = softness(&prior, radius).zip(&shoulders, |soft, s| soft * (1.0 - s));
    let person = prior.map(|v| v > 0.5);
    let outer = distance_to(&person);
    let inner = distance_to(&person.map(|v| !v));
    let trimap = trimap(&prior, &softness, &outer, &inner, face);
    let reach = face.height * 0.08 + 3.0;
    let depth = outer.zip(&inner, f32::max);
    let trust = depth.zip(&softness, |d, soft| {
        let near = TRUST_NEAR * (1.0 + 12.0 * (1.0 - soft));
        near * (TRUST_FAR / near)
            .max(1.0)
            .powf(smoothstep(0.15, 1.0, d / reach))
    });
    Band {
        prior,
        trimap,
        softness,
        trust,
        shoulders,
    }
}

/// Takes bumps off the shoulders of a solved `alpha`: what rises over the rest of the edge there, and
/// is narrower than it is allowed to be, is a chair's, a neighbour's, or the solver's doubt.
pub fn without_bumps(alpha: &Plane, shoulders: &Plane, face_height: f32) -> Plane {
    /// Half the width of a bump at most, as part of the face's height.
    const BUMP: f32 = 0.06;
    let radius = (face_height * BUMP).max(2.0);
    let core = distance_to(&alpha.map(|a| a <= 0.5)).map(|depth| depth > radius);
    // What a disc inside the person can't reach.
    let beyond = distance_to(&core).map(|d| smoothstep(0.0, 1.5, d - radius));
    let beyond = beyond.zip(shoulders, |beyond, shoulder| beyond * shoulder);
    alpha.zip(&beyond, |a, beyond| a * (1.0 - beyond))
}

/// Where the edge is a shoulder's: 1 along edges that lie below the mouth and have the person
/// beneath them. Hair beside the neck has the person beside it, its tips have the person above.
///
/// Shoulders are never hairy, but a neighbour behind them makes the person network vague there,
/// and vague edges are otherwise taken for hair.
fn shoulders(frame: &Frame, (w, h): (usize, usize), coarse: &Coarse, face: FacePlace<'_>) -> Plane {
    let px = frame.size.width as f32 / w as f32;
    let py = frame.size.height as f32 / h as f32;
    let reach = (face.height * 0.10).max(2.0);
    let at = |x: f32, y: f32| {
        let (sx, sy) = frame.to_image(x * px, y * py);
        coarse.at(sx, sy)
    };
    let slopes = Plane::generate(w, h, |x, y| {
        let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
        let below = smoothstep(
            face.chin - face.height * 0.30,
            face.chin - face.height * 0.15,
            y,
        );
        if below == 0.0 {
            return 0.0;
        }
        let down = at(x, y + reach) - at(x, y - reach);
        let across = at(x + reach, y) - at(x - reach, y);
        below * smoothstep(0.40, 0.75, down / (down.hypot(across) + 0.03))
    });
    slopes.box_mean((face.height * 0.02).round().max(1.0) as usize)
}

/// The person network everywhere, the detail network along its edges.
fn prior(
    frame: &Frame,
    (w, h): (usize, usize),
    coarse: &Coarse,
    detail: Option<&Detail>,
    (face, shoulders): (FacePlace<'_>, &Plane),
) -> Plane {
    let px = frame.size.width as f32 / w as f32;
    let py = frame.size.height as f32 / h as f32;
    let reach = 6.0 * py * frame.step;
    Plane::generate(w, h, |x, y| {
        let (sx, sy) = frame.to_image((x as f32 + 0.5) * px, (y as f32 + 0.5) * py);
        let soft = coarse.at(sx, sy);
        // Shoulders and sleeves have crisp edges: what is vague there is a neighbour or a chair.
        let body = smoothstep(face.chin, face.chin + face.height * 0.25, y as f32);
        let a = soft + (smoothstep(0.30, 0.80, soft) - soft) * body;
        let shoulder = shoulders.at(x, y);
        let a = a + (smoothstep(0.45, 0.85, soft) - a) * shoulder;
        let Some((fine, weight)) = detail.and_then(|d| d.at(sx, sy)) else {
            return a;
        };
        let across = (coarse.at(sx + reach, sy) - coarse.at(sx - reach, sy)).abs();
        let along = (coarse.at(sx, sy + reach) - coarse.at(sx, sy - reach)).abs();
        let unsure = if (0.04..0.96).contains(&soft) {
            1.0
        } else {
            0.0
        };
        let near_edge = smoothstep(0.0, 0.3, across.max(along).max(unsure));
        a + (fine - a) * weight * near_edge
    })
}

/// Width of the soft edge per length of edge, in a window.
fn softness(prior: &Plane, radius: usize) -> Plane {
    let (w, h) = (prior.width(), prior.height());
    let pair = crate::raster::Raster::<[f32; 2]>::generate(w, h, |x, y| {
        let v = prior.at(x, y);
        let side = v > 0.5;
        let edge = (x + 1 < w && (prior.at(x + 1, y) > 0.5) != side)
            || (y + 1 < h && (prior.at(x, y + 1) > 0.5) != side);
        [
            f32::from(u8::from(v > 0.04 && v < 0.96)),
            f32::from(u8::from(edge)),
        ]
    });
    let floor = 0.25 / (2 * radius + 1) as f32;
    pair.box_mean(radius)
        .map(|[soft, edge]| smoothstep(3.0, 9.5, soft / (edge + floor)))
        .box_mean((radius / 2).max(1))
}

fn trimap(
    prior: &Plane,
    softness: &Plane,
    outer: &Plane,
    inner: &Plane,
    face: FacePlace<'_>,
) -> Plane {
    const BODY: f32 = 3.0;
    let hair_out = face.height * 0.07 + 2.0;
    let hair_in = face.height * 0.05 + 2.0;
    let from = face.chin + face.height * 0.1;
    let to = face.chin + face.height * 0.5;
    Plane::generate(prior.width(), prior.height(), |x, y| {
        if face.inside.at(x, y) > 0.5 {
            return 1.0;
        }
        let hair = 1.0 - smoothstep(from, to, y as f32);
        let soft = softness.at(x, y);
        let out = 2.0 + (BODY + (hair_out - BODY) * hair - 2.0).max(0.0) * soft;
        let into = 2.0 + (BODY + (hair_in - BODY) * hair - 2.0).max(0.0) * (0.35 + 0.65 * soft);
        let (v, o, i) = (prior.at(x, y), outer.at(x, y), inner.at(x, y));
        if v > 0.5 {
            let sure = (i > into && v > 0.9) || (i > into * 2.0 && v > 0.7);
            if sure { 1.0 } else { 0.5 }
        } else if (o > out && v < 0.1) || o > out * 2.0 {
            0.0
        } else {
            0.5
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shoulder that falls from the left, and on it a bump 12 pixels wide.
    fn bumped(shoulder: f32) -> Plane {
        let alpha = Plane::generate(200, 160, |x, y| {
            let edge = 60 + x / 4;
            let bump = (94..106).contains(&x) && y + 14 > edge;
            f32::from(u8::from(y > edge || bump))
        });
        without_bumps(&alpha, &Plane::filled(200, 160, shoulder), 200.0)
    }

    #[test]
    fn a_bump_on_a_shoulder_goes_and_the_shoulder_stays() {
        let alpha = bumped(1.0);
        assert_eq!(alpha.at(100, 75), 0.0, "the bump");
        for x in 0..200 {
            assert_eq!(alpha.at(x, 60 + x / 4 + 3), 1.0, "column {x}");
        }
    }

    #[test]
    fn what_is_no_shoulder_keeps_its_bumps() {
        assert_eq!(bumped(0.0).at(100, 75), 1.0);
    }
}
