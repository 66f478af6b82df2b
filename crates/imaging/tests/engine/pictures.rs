//! Pictures for tests: the bundled portraits and what can go wrong with them.

use headshot_imaging::OutputFormat;
use headshot_imaging::analysis::landmarks::Landmarks;
use headshot_imaging::encode::encode;
use headshot_imaging::raster::{Kernel, Raster, Rect, Rgb8, resize_rgb8};

pub(crate) const OBAMA: &[u8] = include_bytes!("../../portraits/obama.jpg");
pub(crate) const OBAMA2: &[u8] = include_bytes!("../../portraits/obama2.jpg");
pub(crate) const ASTRONAUT: &[u8] = include_bytes!("../../portraits/astronaut.png");

pub(crate) fn jpeg(picture: &Rgb8) -> Vec<u8> {
    encode(picture, OutputFormat::Jpeg, 95, "").unwrap()
}

pub(crate) fn png(picture: &Rgb8) -> Vec<u8> {
    encode(picture, OutputFormat::Png, 0, "").unwrap()
}

pub(crate) fn filled(width: usize, height: usize, colour: [u8; 3]) -> Rgb8 {
    Raster::filled(width, height, colour)
}

pub(crate) fn scaled(picture: &Rgb8, width: usize, height: usize) -> Rgb8 {
    let whole = Rect {
        x: 0.0,
        y: 0.0,
        w: picture.width() as f32,
        h: picture.height() as f32,
    };
    resize_rgb8(picture, whole, width, height, Kernel::Sharp)
}

/// A fixed pseudo-random byte for a position.
pub(crate) fn hash(i: usize) -> u8 {
    let mut s = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    s ^= s >> 29;
    s = s.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (s >> 56) as u8
}

pub(crate) fn noise(width: usize, height: usize) -> Rgb8 {
    Raster::generate(width, height, |x, y| {
        [0, 1, 2].map(|k| hash((y * width + x) * 3 + k))
    })
}

pub(crate) fn blurred(picture: &Rgb8, radius: usize) -> Rgb8 {
    picture
        .to_f32()
        .box_mean(radius)
        .box_mean(radius / 2)
        .to_u8()
}

/// Moved sideways during the exposure, by `length` pixels.
pub(crate) fn moved(picture: &Rgb8, length: i64) -> Rgb8 {
    Raster::generate(picture.width(), picture.height(), |x, y| {
        let mut sum = [0i64; 3];
        for d in 0..length {
            let p = picture.at_clamped(x as i64 + d - length / 2, y as i64);
            sum = [0, 1, 2].map(|k| sum[k] + i64::from(p[k]));
        }
        sum.map(|s| (s / length) as u8)
    })
}

/// Turned clockwise by `degrees` around the middle; edges continued.
pub(crate) fn rotated(picture: &Rgb8, degrees: f32) -> Rgb8 {
    let (w, h) = (picture.width(), picture.height());
    let source = picture.to_f32();
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (cx, cy) = (w as f32 / 2.0, h as f32 / 2.0);
    Raster::generate(w, h, |x, y| {
        let (u, v) = (x as f32 + 0.5 - cx, y as f32 + 0.5 - cy);
        source
            .bilinear(cx + u * cos + v * sin, cy - u * sin + v * cos)
            .map(|c| (c * 255.0) as u8)
    })
}

/// An oil painter's strokes: each pixel becomes the mean of the most even of the four squares of `side`
/// pixels that touch it (Kuwahara's filter).
pub(crate) fn oil(picture: &Rgb8, side: i64) -> Rgb8 {
    let source = picture.to_f32();
    let luma = source.luma();
    let half = (side / 2) as usize;
    let means = source.box_mean(half);
    let spread = luma.map(|v| [v, v * v]).box_mean(half);
    Raster::generate(picture.width(), picture.height(), |x, y| {
        let squares = [(-1, -1), (1, -1), (-1, 1), (1, 1)];
        let places = squares.map(|(dx, dy)| {
            let (u, v) = (x as i64 + dx * half as i64, y as i64 + dy * half as i64);
            let [mean, square] = spread.at_clamped(u, v);
            (square - mean * mean, means.at_clamped(u, v))
        });
        let evenest = places.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        evenest.unwrap().1.map(|c| (c * 255.0) as u8)
    })
}

/// Grain over everything, by up to `strength` levels.
pub(crate) fn grainy(picture: &Rgb8, strength: i32) -> Rgb8 {
    let width = picture.width();
    Raster::generate(width, picture.height(), |x, y| {
        let grain = (i32::from(hash(y * width + x)) - 128) * strength / 128;
        picture
            .at(x, y)
            .map(|c| (i32::from(c) + grain).clamp(0, 255) as u8)
    })
}

/// In the middle of a grey canvas.
pub(crate) fn on_canvas(picture: &Rgb8, width: usize, height: usize) -> Rgb8 {
    let mut out = filled(width, height, [140, 140, 140]);
    paste(
        &mut out,
        picture,
        (width - picture.width()) / 2,
        (height - picture.height()) / 2,
    );
    out
}

fn paste(canvas: &mut Rgb8, picture: &Rgb8, left: usize, top: usize) {
    for y in 0..picture.height() {
        for x in 0..picture.width() {
            canvas.set(left + x, top + y, picture.at(x, y));
        }
    }
}

pub(crate) fn side_by_side(a: &Rgb8, b: &Rgb8) -> Rgb8 {
    let mut out = filled(a.width() + b.width(), a.height().max(b.height()), [140; 3]);
    paste(&mut out, a, 0, 0);
    paste(&mut out, b, a.width(), 0);
    out
}

/// A passport-like page: lines of print, a portrait and its ghost.
pub(crate) fn document(portrait: &Rgb8) -> Rgb8 {
    let mut page = Raster::generate(1000, 700, |x, y| {
        let print = y % 40 > 30 && x > 420 && hash(x / 6 + y / 40 * 1000) > 90;
        if print { [40, 40, 60] } else { [225, 232, 226] }
    });
    paste(&mut page, portrait, 80, 200);
    let ghost = scaled(portrait, 80, 100).map(|p| p.map(|v| 128 + v / 2));
    paste(&mut page, &ghost, 820, 500);
    page
}

/// A page of a passport, scanned: a portrait, lines of print beside it, and two of machine-readable
/// characters below.
pub(crate) fn page(portrait: &Rgb8) -> Rgb8 {
    let line = |y: usize, tops: &[usize]| tops.iter().any(|&top| (top..top + 24).contains(&y));
    let mut page = Raster::generate(1280, 900, |x, y| {
        let beside = line(y, &[100, 190, 280, 370, 460]) && (560..1180).contains(&x);
        let below = line(y, &[740, 810]) && (50..1230).contains(&x);
        // Characters of 18 x 24 pixels, strokes of 5.
        let ink = x % 18 < 14 && hash(x % 18 / 5 + x / 18 * 8 + y / 6 * 4096) > 120;
        if (beside || below) && ink {
            [30, 30, 60]
        } else {
            [226, 232, 228]
        }
    });
    paste(&mut page, portrait, 60, 160);
    page
}

/// A black bar over the eyes, `y0..y1` in eye distances from their line.
pub(crate) fn band(picture: &Rgb8, landmarks: &Landmarks, y0: f32, y1: f32) -> Rgb8 {
    let scale = 1.0; // The portraits are smaller than the analysed size.
    let (left, right, distance) = landmarks.eyes();
    let (mx, my) = (
        f32::midpoint(left.0, right.0),
        f32::midpoint(left.1, right.1),
    );
    let mut out = picture.clone();
    for y in 0..out.height() {
        for x in 0..out.width() {
            let u = (x as f32 / scale - mx) / distance;
            let v = (y as f32 / scale - my) / distance;
            let lens = ((u.abs() - 0.5) / 0.38).hypot(v / (y1 - y0) * 1.6);
            if lens < 1.0 && v > y0 * 1.6 {
                out.set(x, y, [14, 14, 16]);
            }
        }
    }
    out
}

/// A cartoon face in even colours.
pub(crate) fn drawing() -> Rgb8 {
    Raster::generate(600, 720, |x, y| {
        let at =
            |cx: f32, cy: f32, rx: f32, ry: f32| ((x as f32 - cx) / rx).hypot((y as f32 - cy) / ry);
        if at(230.0, 330.0, 16.0, 20.0) < 1.0 || at(370.0, 330.0, 16.0, 20.0) < 1.0 {
            [30, 20, 20]
        } else if at(230.0, 330.0, 40.0, 26.0) < 1.0 || at(370.0, 330.0, 40.0, 26.0) < 1.0 {
            [250, 250, 250]
        } else if at(300.0, 470.0, 70.0, 18.0) < 1.0 {
            [190, 70, 70]
        } else if at(300.0, 400.0, 18.0, 26.0) < 1.0 {
            [215, 150, 120]
        } else if at(300.0, 370.0, 160.0, 210.0) < 1.0 && y > 230 {
            [235, 180, 150]
        } else if at(300.0, 330.0, 185.0, 225.0) < 1.0 {
            [90, 55, 30]
        } else if y > 600 && at(300.0, 760.0, 260.0, 180.0) < 1.0 {
            [60, 90, 160]
        } else {
            [200, 220, 240]
        }
    })
}
