//! Cutting the person out: coarse matte, detail on the head, band of doubt, closed-form solution,
//! veils, refinement to full size, fringes, the body's outline, and foreground colours.

pub mod band;
pub mod closed_form;
pub mod coarse;
pub mod detail;
pub mod foreground;
pub mod fringe;
pub mod guided;
pub mod noise;
pub mod outline;
pub mod spill;
pub mod u2net;
pub mod unmix;
pub mod veil;

use crate::analysis::landmarks::{BRIDGE, CHIN, FOREHEAD, Landmarks, OVAL};
use crate::filter::{distance_to, grown, polygon};
use crate::frame::Frame;
use crate::raster::{Kernel, Plane, Rgb, resize_rgb, smoothstep};
use band::{Band, FacePlace};
use closed_form::Effort;
use coarse::Coarse;
use detail::Detail;

/// Height of the solving grid. The solver's cost grows with its square; hairs come back in the
/// refinement.
const GRID_HEIGHT: usize = 640;

/// A solved matte and what it was solved from.
#[derive(Debug, Clone)]
pub struct Matte {
    /// Alpha at the picture's size.
    pub alpha: Plane,
    /// The solver's input, on the solving grid.
    pub band: Band,
    /// The solver's output, on the solving grid.
    pub solved: Plane,
    /// The solver's work.
    pub effort: Effort,
}

/// Size of the solving grid for a picture.
pub fn grid(width: usize, height: usize) -> (usize, usize) {
    let h = GRID_HEIGHT.min(height);
    ((width * h).div_ceil(height).max(8), h.max(8))
}

/// Solves the matte of a framed picture. `landmarks` in pixels of the picture.
pub fn solve(
    picture: &Rgb,
    frame: &Frame,
    landmarks: &Landmarks,
    coarse: &Coarse,
    detail: Option<&Detail>,
) -> Matte {
    let (gw, gh) = grid(picture.width(), picture.height());
    let per = gh as f32 / picture.height() as f32;
    let outline: Vec<(f32, f32)> = landmarks
        .contour(&OVAL)
        .iter()
        .map(|p| (p.0 * per, p.1 * per))
        .collect();
    let inside = polygon(gw, gh, &grown(&outline, 0.85));
    let chin = landmarks.point(CHIN).1 * per;
    let height = (chin - landmarks.point(FOREHEAD).1 * per).max(1.0);
    let place = FacePlace {
        inside: &inside,
        chin,
        height,
    };
    let band = band::band(frame, (gw, gh), coarse, detail, place);
    let small = resize_rgb(picture, gw, gh, Kernel::Sharp);
    let (solved, effort) = closed_form::solve(&small, &band);
    let solved = band::without_bumps(&solved, &band.shoulders, height);
    let solved = veil::lifted(&solved, height);
    let alpha = guided::refine(&small, &solved, picture);
    let eyes = landmarks.point(BRIDGE).1 * per;
    let beside = distance_to(&polygon(gw, gh, &outline).map(|inside| inside > 0.5));
    let hairy = hairy(&beside, &band.softness, (eyes, height));
    let alpha = fringe::clear(picture, &alpha, &hairy, height / per);
    let body = Plane::generate(gw, gh, |x, y| {
        let below = smoothstep(chin + height * 0.3, chin + height * 0.6, y as f32);
        let body = below * (1.0 - band.softness.at(x, y));
        body.max(band.shoulders.at(x, y))
    });
    // Hair that is thinner has skin behind it, and no colour to go by.
    let thick = beside
        .map(|d| smoothstep(height * 0.10, height * 0.16, d))
        .zip(&body, |far, body| far * (1.0 - body));
    let hair = hairy.zip(&thick, |hairy, thick| hairy * thick);
    let alpha = unmix::lowered(picture, &alpha, &hair, height / per);
    let alpha = outline::mended(&alpha, &body, height);
    Matte {
        alpha,
        band,
        solved,
        effort,
    }
}

/// Where an edge may be hair's, 1, although a network is vague there. Beside the jaw it never is, beside
/// the ears only where the edge is soft.
fn hairy(beside: &Plane, softness: &Plane, (eyes, height): (f32, f32)) -> Plane {
    let (w, h) = (softness.width(), softness.height());
    let near = |d: f32, from: f32, to: f32| 1.0 - smoothstep(height * from, height * to, d);
    let below =
        |y: f32, from: f32, to: f32| smoothstep(eyes + height * from, eyes + height * to, y);
    Plane::generate(w, h, |x, y| {
        let (d, row) = (beside.at(x, y), y as f32);
        let jaw = near(d, 0.06, 0.10) * below(row, 0.0, 0.1);
        let ear = near(d, 0.20, 0.26) * below(row, -0.2, -0.1);
        1.0 - jaw.max(ear * (1.0 - softness.at(x, y)))
    })
}
