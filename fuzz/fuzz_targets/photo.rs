//! An uploaded photo, from its first bytes to the verdict: whatever they are, there is one, and it
//! keeps its own rules. Start from real files: `photo crates/imaging/portraits`.

#![no_main]

use std::sync::LazyLock;

use headshot_imaging::analysis::verdict::NO_FACE;
use headshot_imaging::decode::{self, MAX_PIXELS};
use headshot_imaging::preview::preview;
use headshot_imaging::{DetailWeights, Engine, Options};
use libfuzzer_sys::fuzz_target;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(Options {
        threads: 1,
        detail: DetailWeights::Off,
    })
    .expect("the embedded networks")
});

fuzz_target!(|file: &[u8]| {
    let decoded = decode::decode(file);
    let small = preview(file, 320);
    assert_eq!(decoded.is_ok(), small.is_ok());
    let (verdict, face) = ENGINE.judge(file).expect("a verdict");
    assert_eq!(face.is_some(), verdict.usable);
    match decoded {
        Ok(photo) => {
            let pixels = photo.pixels.width() as u64 * photo.pixels.height() as u64;
            assert!(pixels > 0 && pixels <= MAX_PIXELS);
            assert!(verdict.quality.is_some() || verdict.has(NO_FACE));
        }
        Err(error) => assert!(verdict.has(error.code()) && !verdict.usable),
    }
    assert!((0.0..=1.0).contains(&verdict.score));
    for finding in &verdict.findings {
        assert!(finding.sentence.ends_with('.'));
    }
});
