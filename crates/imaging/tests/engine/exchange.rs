//! What another program gets of a selfie, and what is taken from it.

use crate::ENGINE;
use crate::pictures::OBAMA;
use headshot_imaging::decode::{self, Format};
use headshot_imaging::encode::encode;
use headshot_imaging::raster::Rgb8;
use headshot_imaging::{
    Look, OutputFormat, Received, ReceivedError, Recipe, Size, SourceType, materials,
};
use std::collections::BTreeMap;

#[test]
fn a_selfie_s_materials_fit_together() {
    let selfie = ENGINE.open(OBAMA).unwrap().as_it_is();
    let made = ENGINE.materials(&selfie).unwrap();
    assert!(made.width <= materials::SIZE.width && made.height <= materials::SIZE.height);
    let shape = made.width * materials::SIZE.height / materials::SIZE.width;
    assert!(made.height.abs_diff(shape) <= 1, "{}", made.height);
    assert_eq!(decode::sniff(&made.picture), Some(Format::Jpeg));
    for file in [&made.picture, &made.matte, &made.skin] {
        let pixels = decode::decode(file).unwrap().pixels;
        assert_eq!((pixels.width(), pixels.height()), (made.width, made.height));
        for marker in [b"Exif".as_slice(), b"ICC_PROFILE", b"xpacket"] {
            assert!(!file.windows(marker.len()).any(|part| part == marker));
        }
    }
    for mask in [&made.matte, &made.skin] {
        let pixels = decode::decode(mask).unwrap().pixels;
        assert!(pixels.data().iter().any(|p| p[0] > 250));
        assert!(pixels.data().iter().any(|p| p[0] < 5));
    }
    let [left, right, nose, mouth_left, mouth_right] = made.five;
    assert!(left[0] < nose[0] && nose[0] < right[0]);
    assert!(left[1] < nose[1] && nose[1] < mouth_left[1]);
    assert!(mouth_left[0] < mouth_right[0]);
    // Level: that is how the picture is framed.
    assert!((left[1] - right[1]).abs() < 0.1 * (right[0] - left[0]));
    assert_eq!(made.mesh.len(), 468);
}

fn recipe(width: usize, height: usize) -> Recipe {
    Recipe {
        engine: "generator Test".to_owned(),
        weights: BTreeMap::new(),
        input: String::new(),
        perspective: None,
        restored: None,
        thumbnail: None,
        look: Look {
            size: Size { width, height },
            ..Look::default()
        },
        source: SourceType::CompositeWithTrainedAlgorithmicMedia,
    }
}

/// A picture whose left, middle and right thirds are red, green and blue.
fn striped(width: usize, height: usize) -> Rgb8 {
    Rgb8::generate(width, height, |x, _| {
        let mut p = [0; 3];
        p[x * 3 / width] = 255;
        p
    })
}

fn received(width: usize, height: usize, format: OutputFormat) -> Result<Received, ReceivedError> {
    let file = encode(&striped(width, height), format, 95, "a secret of theirs").unwrap();
    ENGINE.receive(&file, &recipe(128, 160), 64)
}

#[test]
fn a_received_picture_has_at_least_the_wished_size() {
    let exact = received(128, 160, OutputFormat::Png).unwrap();
    assert_eq!((exact.main.width, exact.main.height), (128, 160));
    assert!(exact.original == exact.main.bytes);
    for (width, height) in [(127, 160), (128, 159), (4_000, 159)] {
        let small = received(width, height, OutputFormat::Png);
        assert!(
            matches!(small, Err(ReceivedError::TooSmall { .. })),
            "{width} x {height}"
        );
    }
}

#[test]
fn a_received_picture_is_cut_evenly_and_made_ours() {
    for format in OutputFormat::ALL {
        let taken = received(600, 300, format).unwrap();
        for (file, width, height) in [
            (&taken.main.bytes, 128, 160),
            (&taken.thumbnail, 64, 80),
            // As large as it came: 300 pixels high, and cut to the shape.
            (&taken.original, 240, 300),
        ] {
            let pixels = decode::decode(file).unwrap().pixels;
            assert_eq!((pixels.width(), pixels.height()), (width, height));
            let [r, g, b] = pixels.at(width / 2, height / 2);
            assert!(g > 200 && r < 60 && b < 60, "the middle is the middle");
            assert_eq!(decode::sniff(file), Some(Format::Jpeg));
            let text = String::from_utf8_lossy(file);
            assert!(!text.contains("a secret of theirs"));
            assert!(text.contains("digitalsourcetype/compositeWithTrainedAlgorithmicMedia<"));
        }
        assert_eq!(
            Recipe::from_photo(&taken.main.bytes),
            Some(taken.main.recipe)
        );
    }
    // Twice the wished size, and no more.
    let large = received(1_280, 1_600, OutputFormat::Jpeg).unwrap();
    let pixels = decode::decode(&large.original).unwrap().pixels;
    assert_eq!((pixels.width(), pixels.height()), (256, 320));
}

#[test]
fn what_is_no_picture_is_refused() {
    let whole = encode(&striped(128, 160), OutputFormat::Png, 95, "").unwrap();
    let receive = |bytes: &[u8]| ENGINE.receive(bytes, &recipe(128, 160), 64);
    assert!(receive(&whole).is_ok());
    let cut = receive(&whole[..whole.len() / 2]);
    assert!(matches!(cut, Err(ReceivedError::Unreadable(_))));
    let heic = b"\0\0\0\x18ftypheic".as_slice();
    for odd in [b"".as_slice(), b"GIF89a", b"<svg/>", heic] {
        assert!(matches!(receive(odd), Err(ReceivedError::Format)));
    }
}
