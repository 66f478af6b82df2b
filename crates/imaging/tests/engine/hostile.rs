//! Files that lie, break off, or explode: always a verdict, never a panic.

use crate::ENGINE;
use crate::pictures::{ASTRONAUT, OBAMA, filled, jpeg, noise, png};
use headshot_imaging::OutputFormat;
use headshot_imaging::decode::decode;
use headshot_imaging::encode::encode;
use proptest::prelude::*;

fn samples() -> Vec<Vec<u8>> {
    let picture = noise(48, 40);
    vec![
        jpeg(&picture),
        png(&picture),
        encode(&picture, OutputFormat::Webp, 0, "").unwrap(),
        include_bytes!("fixtures/portrait.heic").to_vec(),
    ]
}

#[test]
fn files_cut_at_each_tenth_are_refused_with_a_reason() {
    let webp = encode(&decode(OBAMA).unwrap().pixels, OutputFormat::Webp, 0, "").unwrap();
    let heic = include_bytes!("fixtures/portrait.heic").as_slice();
    for (name, whole) in [
        ("jpeg", OBAMA),
        ("png", ASTRONAUT),
        ("webp", &webp),
        ("heic", heic),
    ] {
        for tenth in 0..10 {
            let cut = &whole[..whole.len() * tenth / 10];
            let v = ENGINE.check(cut).unwrap();
            assert!(!v.usable, "{name} cut at {tenth}0 % passed");
            let code = v.findings[0].code.as_str();
            let unavailable = code == "heic_unavailable" && !cfg!(feature = "heic");
            assert!(
                unavailable || ["unknown_format", "truncated", "damaged"].contains(&code),
                "{name} cut at {tenth}0 %: {v:?}"
            );
        }
    }
}

#[test]
fn a_png_of_200_megapixels_is_refused_by_its_header() {
    let mut file = png(&filled(1, 1, [0; 3]));
    file[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x27, 0x10]);
    // The header's checksum is now wrong; right or wrong, nothing may be allocated.
    let v = ENGINE.check(&file).unwrap();
    assert!(!v.usable);
    assert!(
        ["too_many_pixels", "damaged"].contains(&v.findings[0].code.as_str()),
        "{v:?}"
    );
}

#[test]
fn a_compressed_bomb_in_a_profile_is_not_unpacked() {
    // The zlib stream of a 64-megapixel black picture, 64 MB unpacked, as an ICC profile.
    let mut bomb = Vec::new();
    let mut encoder = png::Encoder::new(&mut bomb, 8000, 8000);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&vec![0; 64_000_000]).unwrap();
    writer.finish().unwrap();
    let data = bomb.windows(4).position(|w| w == b"IDAT").unwrap();
    let length = u32::from_be_bytes(bomb[data - 4..data].try_into().unwrap()) as usize;
    let chunk = [b"p\0\0".as_slice(), &bomb[data + 4..data + 4 + length]].concat();

    let mut file = Vec::new();
    let encoder = png::Encoder::new(&mut file, 1, 1);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::iCCP, &chunk).unwrap();
    writer.write_image_data(&[0]).unwrap();
    writer.finish().unwrap();
    // Either refused or read without the profile; unpacked it would exceed the working limit.
    if let Ok(decoded) = decode(&file) {
        assert!(!decoded.converted_profile);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(
        magic in 0usize..6,
        tail in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let heads: [&[u8]; 6] = [
            b"",
            b"\xff\xd8\xff\xe0\0\x10JFIF\0",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            b"RIFF\0\x01\0\0WEBPVP8L",
            b"RIFF\0\x01\0\0WEBPVP8X",
            b"\0\0\0\x18ftypheic\0\0\0\0",
        ];
        let file = [heads[magic], &tail].concat();
        let v = ENGINE.check(&file).unwrap();
        prop_assert!(!v.usable);
        prop_assert!(!v.findings.is_empty());
    }

    #[test]
    fn damaged_files_never_panic(
        sample in 0usize..4,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut file = samples().swap_remove(sample);
        for (index, byte) in damage {
            let at = index.index(file.len());
            file[at] = byte;
        }
        // Whatever it decodes to, if it does, is in bounds.
        if let Ok(decoded) = decode(&file) {
            prop_assert!(decoded.pixels.data().len() <= 64_000_000);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn odd_shapes_never_panic(width in 1usize..200, height in 1usize..200, level in any::<u8>()) {
        let v = ENGINE.check(&png(&filled(width, height, [level; 3]))).unwrap();
        prop_assert!(!v.usable);
    }
}
