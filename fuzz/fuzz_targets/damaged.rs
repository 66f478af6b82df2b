//! A photo whose coded data was overwritten in places: it is refused, or it looks as it did, or no
//! headshot is made of it. The input says where: three bytes for each run of 64.

#![no_main]

use std::sync::LazyLock;

use headshot_imaging::decode::decode;
use headshot_imaging::raster::Rgb8;
use headshot_imaging::{DetailWeights, Engine, Options};
use libfuzzer_sys::fuzz_target;

const FILE: &[u8] = include_bytes!("../../crates/imaging/portraits/obama.jpg");
/// Bytes that are overwritten together. One byte may change one block's brightness and keep
/// everything else in step: that cannot be told.
const RUN: usize = 64;
/// Mean difference in levels from which a photo is another.
const DIFFERENT: f64 = 2.0;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(Options {
        threads: 1,
        detail: DetailWeights::Off,
    })
    .expect("the embedded networks")
});
static ORIGINAL: LazyLock<Rgb8> = LazyLock::new(|| decode(FILE).expect("a portrait").pixels);

fuzz_target!(|places: &[u8]| {
    let scan = FILE
        .windows(2)
        .position(|w| w == [0xff, 0xda])
        .expect("a scan")
        + 64;
    let room = FILE.len() - scan - RUN - 2;
    let mut file = FILE.to_vec();
    for place in places.chunks_exact(3).take(8) {
        let at = scan + (usize::from(place[0]) << 8 | usize::from(place[1])) * room / 0x1_0000;
        for (i, byte) in file[at..at + RUN].iter_mut().enumerate() {
            *byte = place[2].wrapping_mul(i as u8 | 1).wrapping_add(i as u8);
        }
    }
    let Ok(photo) = decode(&file) else { return };
    let (a, b) = (photo.pixels.data(), ORIGINAL.data());
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    if sum as f64 / (a.len() * 3) as f64 > DIFFERENT {
        let (verdict, _) = ENGINE.judge(&file).expect("a verdict");
        assert!(!verdict.usable, "another photo than before passes");
    }
});
