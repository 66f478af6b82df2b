//! The correction of faces seen from arm's length, on a portrait that is bent as a near camera would.

use crate::ENGINE;
use crate::pictures::{OBAMA, jpeg, png};
use headshot_imaging::analysis::landmarks::{Landmarks, NOSE_TIP};
use headshot_imaging::decode::decode;
use headshot_imaging::perspective::SHIFT_MAX;
use headshot_imaging::raster::Rgb8;
use headshot_imaging::{Assets, EngineError, Look, Recipe, Size};

/// Distance in millimetres between the near camera and the eyes.
const NEAR: f32 = 350.0;

/// The portrait in a camera's shape, three to four.
fn portrait() -> Rgb8 {
    let whole = decode(OBAMA).unwrap().pixels;
    let (w, h) = (whole.width(), whole.height());
    let (width, height) = (w.min(h * 3 / 4), h.min(w * 4 / 3));
    whole.crop((w - width) / 2, 0, (w - width) / 2 + width, height)
}

/// As a camera at [`NEAR`] would have seen what one at 1.2 metres saw. The head is an upright
/// drum with a nose on it: none of the engine's own depth.
fn from_near(photo: &Rgb8, landmarks: &Landmarks) -> Rgb8 {
    let (nose, width) = (landmarks.point(NOSE_TIP), landmarks.face_width());
    let (left, right, _) = landmarks.eyes();
    let centre = (
        f32::midpoint(left.0, right.0),
        f32::midpoint(left.1, right.1) + 0.25 * width,
    );
    let per_mm = landmarks.iris / 11.7;
    let depth = |x: f32, y: f32| {
        let off = (x - centre.0).abs() / width;
        let tip = (x - nose.0).hypot(y - nose.1) / (0.13 * width);
        width * (1.3 * (off.min(0.8).powi(2) - 0.06) - 0.18 * (-tip * tip).exp())
    };
    Rgb8::generate(photo.width(), photo.height(), |x, y| {
        let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
        let (dx, dy) = (x - centre.0, y - centre.1);
        let mut place = (x, y);
        for _ in 0..12 {
            let z = depth(place.0, place.1);
            let growth = (1.0 + z / (NEAR * per_mm)) / (1.0 + z / (1200.0 * per_mm));
            let fade = 1.0 - ((dx.hypot(dy) / width - 0.8) / 0.8).clamp(0.0, 1.0);
            let growth = 1.0 + (growth - 1.0) * fade;
            place = (centre.0 + dx * growth, centre.1 + dy * growth);
        }
        photo.bicubic_rgb8(place.0, place.1)
    })
}

/// Mean difference of the distances between points of the face, over the distance of the eyes.
fn difference(a: &Landmarks, b: &Landmarks) -> f32 {
    const POINTS: [usize; 13] = [33, 133, 362, 263, 1, 98, 327, 61, 291, 152, 168, 234, 454];
    let mut differences = Vec::new();
    for (i, &p) in POINTS.iter().enumerate() {
        for &q in &POINTS[i + 1..] {
            let distance = |l: &Landmarks| {
                let (p, q) = (l.point(p), l.point(q));
                (p.0 - q.0).hypot(p.1 - q.1) / l.eyes().2
            };
            differences.push((distance(a) - distance(b)).abs());
        }
    }
    differences.iter().sum::<f32>() / differences.len() as f32
}

/// The JPEG with a lens of `focal` millimetres in its EXIF.
fn with_lens(jpeg: &[u8], focal: u16) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08".to_vec();
    // The first directory holds the place of the second, which holds the focal length.
    exif.extend([0, 1, 0x87, 0x69, 0, 4, 0, 0, 0, 1, 0, 0, 0, 26, 0, 0, 0, 0]);
    exif.extend([0, 1, 0xa4, 0x05, 0, 3, 0, 0, 0, 1]);
    exif.extend(focal.to_be_bytes());
    exif.extend([0; 6]);
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

/// The lens with which the camera stood `mm` before this face.
fn lens(photo: &Rgb8, iris: f32, mm: f32) -> u16 {
    let diagonal = (photo.width() as f32).hypot(photo.height() as f32);
    (mm * iris / 11.7 * 43.27 / diagonal).round() as u16
}

#[test]
fn a_face_bent_by_a_near_camera_comes_closer_to_what_it_was() {
    let photo = portrait();
    let straight = ENGINE.open(&jpeg(&photo)).unwrap();
    assert_eq!(straight.perspective, None, "no lens, no correction");
    let bent = jpeg(&from_near(&photo, &straight.landmarks));
    let seen = ENGINE.open(&bent).unwrap();
    let lens = lens(&photo, seen.landmarks.iris, NEAR);
    let selfie = ENGINE.open(&with_lens(&bent, lens)).unwrap();
    let measured = selfie.perspective.unwrap();
    assert!((300..400).contains(&measured.from_mm), "{measured:?}");
    assert_eq!(measured.to_mm, 1200);

    // What was drawn is looked at anew, so that pixels are judged and not intentions.
    let corrected = ENGINE.open(&jpeg(&selfie.pixels)).unwrap();
    let before = difference(&straight.landmarks, &seen.landmarks);
    let after = difference(&straight.landmarks, &corrected.landmarks);
    println!("lens {lens} mm, {measured:?}: shape off by {before:.3}, corrected {after:.3}");
    for (name, picture) in [
        ("straight", &straight.pixels),
        ("bent", &seen.pixels),
        ("corrected", &selfie.pixels),
    ] {
        let path = format!("{}/perspective-{name}.png", env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(path, png(picture)).unwrap();
    }
    assert!(before > 0.02, "the bent face is too straight: {before}");
    assert!(after < before * 0.7, "{before} became {after}");
    let own = difference(&selfie.landmarks, &corrected.landmarks);
    assert!(own < 0.03, "landmarks and pixels differ by {own}");

    let limit = SHIFT_MAX * seen.landmarks.face_width();
    for (p, q) in seen.landmarks.mesh.iter().zip(&selfie.landmarks.mesh) {
        assert!((p[0] - q[0]).hypot(p[1] - q[1]) <= limit * 1.001);
    }
}

#[test]
fn a_face_seen_from_far_away_stays_as_it_is() {
    let photo = portrait();
    let plain = jpeg(&photo);
    let expected = ENGINE.open(&plain).unwrap();
    let lens = lens(&photo, expected.landmarks.iris, 700.0);
    let selfie = ENGINE.open(&with_lens(&plain, lens)).unwrap();
    assert_eq!(selfie.perspective, None);
    assert_eq!(selfie.pixels, expected.pixels);
    assert_eq!(selfie.landmarks, expected.landmarks);
}

#[test]
fn the_correction_is_part_of_the_recipe() {
    let photo = portrait();
    let iris = ENGINE.open(&jpeg(&photo)).unwrap().landmarks.iris;
    let file = with_lens(&jpeg(&photo), lens(&photo, iris, NEAR));
    let selfie = ENGINE.open(&file).unwrap();
    let look = Look {
        size: Size {
            width: 320,
            height: 400,
        },
        ..Look::default()
    };
    let mut sitting = ENGINE.sitting(&selfie);
    let made = sitting.photo(&look, &Assets::default()).unwrap();
    let recipe = Recipe::from_photo(&made.bytes).unwrap();
    assert_eq!(recipe.perspective, selfie.perspective);
    assert!(recipe.perspective.is_some());
    let again = ENGINE.open(&file).unwrap();
    let remade = ENGINE.sitting(&again).remake(&recipe, &Assets::default());
    assert!(remade.unwrap().bytes == made.bytes, "other bytes");
    let without = Recipe {
        perspective: None,
        ..recipe
    };
    let refused = sitting.remake(&without, &Assets::default());
    assert!(
        matches!(refused, Err(EngineError::Recipe { difference }) if difference.contains("perspective"))
    );
}
