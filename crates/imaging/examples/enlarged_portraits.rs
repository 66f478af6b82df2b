//! Draws the bundled portraits as large as headshots need them, once, so that a test session has no
//! such work to do: `cargo run --release -p headshot-imaging --example enlarged_portraits`

#![expect(clippy::cast_precision_loss, reason = "sizes of pictures")]

use headshot_imaging::encode::encode;
use headshot_imaging::raster::{Kernel, Rect, Rgb8, resize_rgb8};
use headshot_imaging::restore::{Doubler, Restorer, Tiles};
use headshot_imaging::weights::RESTORE;
use headshot_imaging::{Engine, Options, OutputFormat};
use std::error::Error;
use std::path::Path;

/// The files, how many times as large they are drawn, and how tall they are in the end: so that also
/// the closest crop has the pixels of a headshot.
const PORTRAITS: [(&str, u32, usize); 3] = [
    ("astronaut.png", 4, 2560),
    ("obama.jpg", 2, 2274),
    ("obama2.jpg", 2, 2400),
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("portraits");
    let net = Doubler::from_onnx(RESTORE.name, RESTORE.verified()?)?;
    let engine = Engine::new(Options::default())?;
    for (file, times, height) in PORTRAITS {
        let path = folder.join(file);
        let selfie = engine.open(&std::fs::read(&path)?)?;
        let scale = selfie.scale();
        let part = Restorer {
            net: &net,
            photo: &selfie.pixels,
            shows_person: &|area| selfie.coarse.touches(area.scaled(1.0 / scale)),
            tiles: &mut Tiles::default(),
        }
        .part(whole(&selfie.pixels), times);
        let width = part.pixels.width() * height / part.pixels.height();
        let area = whole(&part.pixels);
        let pixels = resize_rgb8(&part.pixels, area, width, height, Kernel::Sharp);
        let enlarged = folder.join("enlarged").join(file).with_extension("jpg");
        std::fs::write(enlarged, encode(&pixels, OutputFormat::Jpeg, 85, "")?)?;
    }
    Ok(())
}

fn whole(image: &Rgb8) -> Rect {
    Rect {
        x: 0.0,
        y: 0.0,
        w: image.width() as f32,
        h: image.height() as f32,
    }
}
