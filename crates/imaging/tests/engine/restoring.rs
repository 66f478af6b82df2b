//! Small photos become full pictures.

use crate::ENGINE;
use crate::pictures::{OBAMA, OBAMA2, scaled};
use headshot_imaging::analysis::identity::SAME_PERSON_MAX;
use headshot_imaging::decode::decode;
use headshot_imaging::encode::encode;
use headshot_imaging::raster::{Rgb, Rgb8};
use headshot_imaging::weights::RESTORE;
use headshot_imaging::{
    Assets, Crop, Engine, EngineError, Look, Options, OutputFormat, Recipe, Size, SourceType,
};

/// As a messenger passes photos on.
fn passed_on(picture: &Rgb8) -> Vec<u8> {
    encode(picture, OutputFormat::Jpeg, 80, "").unwrap()
}

/// A portrait whose sides divide by `whole`, and its copy of `part` in `whole` of the size.
fn shrunk(portrait: &[u8], part: usize, whole: usize) -> (Rgb8, Rgb8) {
    let picture = decode(portrait).unwrap().pixels;
    let side = |n: usize| n / whole * whole;
    let truth = picture.crop(0, 0, side(picture.width()), side(picture.height()));
    let small = scaled(
        &truth,
        truth.width() / whole * part,
        truth.height() / whole * part,
    );
    (truth, small)
}

/// A look with a picture of this size.
fn of_size(width: usize, height: usize) -> Look {
    Look {
        size: Size { width, height },
        ..Look::default()
    }
}

/// Mean squared difference of the pixels of `a` and `b` in the square around `centre`, in decibels
/// below that of black and white, and the energy of `a`'s edges there.
fn compared(a: &Rgb, b: &Rgb, centre: (f32, f32), half: f32) -> (f32, f32) {
    let range = |c: f32| ((c - half) as usize)..((c + half) as usize);
    let (mut error, mut edges, mut count) = (0f64, 0f64, 0f64);
    let (luma, truth) = (a.luma(), b.luma());
    for y in range(centre.1) {
        for x in range(centre.0) {
            let at = |dx: i64, dy: i64| f64::from(luma.at_clamped(x as i64 + dx, y as i64 + dy));
            error += (at(0, 0) - f64::from(truth.at(x, y))).powi(2);
            edges += (4.0 * at(0, 0) - at(-1, 0) - at(1, 0) - at(0, -1) - at(0, 1)).powi(2);
            count += 1.0;
        }
    }
    (
        (-10.0 * (error / count).log10()) as f32,
        (edges / count) as f32,
    )
}

#[test]
fn a_small_photo_gives_a_full_picture_closer_to_the_truth_than_an_enlarged_one() {
    // The first is as small as a photo may be: 45 pixels between the eyes.
    for (name, portrait, (part, whole), (width, height), times) in [
        ("obama", OBAMA, (3, 7), (1024, 1280), 4),
        ("obama2", OBAMA2, (1, 2), (560, 700), 2),
    ] {
        let (truth, small) = shrunk(portrait, part, whole);
        let selfie = ENGINE.open(&passed_on(&small)).unwrap();
        let mut sitting = ENGINE.sitting(&selfie);
        let look = of_size(width, height);
        let photo = sitting.photo(&look, &Assets::default()).unwrap();
        assert_eq!((photo.width, photo.height), (width, height), "{name}");
        assert!(!photo.reduced, "{name}");
        assert_eq!(photo.recipe.restored, Some(times), "{name}");
        let path = format!("{}/restored-{name}.jpg", env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(path, &photo.bytes).unwrap();

        let cutout = sitting.cutout(look.crop, look.size).unwrap();
        let frame = cutout.frame;
        let truth = frame.extract(&truth, truth.width() as f32 / small.width() as f32);
        let plain = frame.extract(&selfie.pixels, selfie.scale());
        let (left, right, eyes) = cutout.landmarks.eyes();
        let centre = (f32::midpoint(left.0, right.0), left.1 + eyes * 0.4);
        let (error, sharpness) = compared(&cutout.photo, &truth, centre, eyes);
        let (worse, softness) = compared(&plain, &truth, centre, eyes);
        println!(
            "{name}: restored {error:.2} dB, resized {worse:.2} dB, edges {sharpness:.6} and {softness:.6}"
        );
        assert!(
            error > worse + 0.15,
            "{name}: {error} dB against {worse} dB"
        );
        assert!(
            sharpness > softness * 1.5,
            "{name}: {sharpness} and {softness}"
        );

        let known = ENGINE.identify(portrait).unwrap().unwrap();
        let seen = |file: &[u8]| known.distance(&ENGINE.identify(file).unwrap().unwrap());
        let png = |picture: &Rgb| encode(&picture.to_u8(), OutputFormat::Png, 0, "").unwrap();
        let (restored, resized) = (seen(&png(&cutout.photo)), seen(&png(&plain)));
        let finished = seen(&photo.bytes);
        println!(
            "{name}: {restored:.3} from oneself, resized {resized:.3}, finished {finished:.3}"
        );
        assert!(restored < resized + 0.03, "{name}: {restored} {resized}");
        assert!(finished < SAME_PERSON_MAX / 2.0, "{name}: {finished}");
    }
}

#[test]
fn a_restored_photo_has_the_same_bytes_on_one_thread_and_by_its_recipe() {
    let file = passed_on(&shrunk(OBAMA, 1, 2).1);
    let look = of_size(512, 640);
    let selfie = ENGINE.open(&file).unwrap();
    let mut sitting = ENGINE.sitting(&selfie);
    let photo = sitting.photo(&look, &Assets::default()).unwrap();
    assert_eq!(photo.recipe.restored, Some(2));
    assert_eq!(photo.recipe.weights[RESTORE.name], RESTORE.sha256);
    // Edges were corrected, nothing was generated.
    assert_eq!(photo.recipe.source, SourceType::Composite);

    let single = Engine::new(Options {
        threads: 1,
        ..Options::default()
    })
    .unwrap();
    let again = single.open(&file).unwrap();
    let mut alone = single.sitting(&again);
    // Another crop first: what was drawn for it must not show.
    alone
        .cutout(
            Crop::Close,
            Size {
                width: 320,
                height: 320,
            },
        )
        .unwrap();
    let recipe = Recipe::from_photo(&photo.bytes).unwrap();
    assert_eq!(recipe, photo.recipe);
    let remade = alone.remake(&recipe, &Assets::default()).unwrap();
    assert!(
        remade.bytes == photo.bytes,
        "one thread gives other bytes than two"
    );

    for restored in [None, Some(4)] {
        let wrong = Recipe {
            restored,
            ..recipe.clone()
        };
        let refused = sitting.remake(&wrong, &Assets::default());
        assert!(
            matches!(refused, Err(EngineError::Recipe { difference }) if difference.contains("enlarged"))
        );
    }
    let impossible = Recipe {
        look: of_size(0, 0),
        ..recipe
    };
    let refused = sitting.remake(&impossible, &Assets::default());
    assert!(matches!(refused, Err(EngineError::Size { .. })));
}

#[test]
fn a_photo_is_restored_from_the_pixel_on_that_is_missing() {
    let selfie = ENGINE.open(OBAMA).unwrap();
    let mut sitting = ENGINE.sitting(&selfie);
    let mut made = |height: usize| {
        let size = Size {
            width: height * 4 / 5,
            height,
        };
        sitting.cutout(Crop::Headshot, size).unwrap()
    };
    // The part that is shown has this many rows.
    let rows = made(400).frame.step * 400.0 * selfie.scale();
    let last = (rows * 1.15) as usize / 5 * 5;
    let (enough, short) = (made(last), made(last + 5));
    assert_eq!((enough.restored, short.restored), (1, 2), "{rows} rows");
    assert!(!enough.frame.reduced && !short.frame.reduced);
    assert_eq!(short.frame.size.height, last + 5);
}

#[test]
fn a_face_that_is_too_small_is_refused_whatever_the_network_could_do() {
    let eyes = |part: usize| {
        let verdict = ENGINE
            .check(&passed_on(&shrunk(OBAMA, part, 20).1))
            .unwrap();
        let distance = verdict.quality.as_ref().unwrap().eye_distance;
        (distance, verdict.has("face_too_small"))
    };
    let (below, above) = (eyes(7), eyes(8));
    assert!(below.0 < 40.0 && below.1, "{below:?}");
    assert!(above.0 >= 40.0 && !above.1, "{above:?}");
}

#[test]
fn a_photo_that_stays_as_it_is_gives_a_small_picture() {
    let (_, small) = shrunk(OBAMA, 1, 2);
    let selfie = ENGINE.open(&passed_on(&small)).unwrap().as_it_is();
    let mut sitting = ENGINE.sitting(&selfie);
    let photo = sitting
        .photo(&of_size(1024, 1280), &Assets::default())
        .unwrap();
    assert_eq!(photo.recipe.restored, None);
    let picture = decode(&photo.bytes).unwrap().pixels;
    assert!(picture.width() < 1024, "{}", picture.width());
}
