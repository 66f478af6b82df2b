//! Files that lie, break off, or explode: always a verdict, never a panic.

use crate::ENGINE;
use crate::pictures::{ASTRONAUT, OBAMA, filled, hash, jpeg, noise, png};
use headshot_imaging::OutputFormat;
use headshot_imaging::decode::decode;
use headshot_imaging::encode::encode;
use headshot_imaging::raster::Rgb8;
use proptest::prelude::*;
use std::ops::Range;

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

/// OBAMA as a progressive JPEG.
fn progressive() -> Vec<u8> {
    let picture = decode(OBAMA).unwrap().pixels;
    let (w, h) = (picture.width() as u16, picture.height() as u16);
    let mut out = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut out, 90);
    encoder.set_progressive(true);
    let bytes: Vec<u8> = picture.data().iter().flatten().copied().collect();
    encoder
        .encode(&bytes, w, h, jpeg_encoder::ColorType::Rgb)
        .unwrap();
    out
}

/// With an end-of-image marker, whatever is missing before it.
fn ended(part: &[u8]) -> Vec<u8> {
    [part, &[0xff, 0xd9]].concat()
}

fn refused_as(file: &[u8], codes: &[&str], what: &str) {
    let v = ENGINE.check(file).unwrap();
    let code = v.findings.first().map_or("", |f| f.code.as_str());
    assert!(!v.usable && codes.contains(&code), "{what}: {v:?}");
}

#[test]
fn a_jpeg_that_is_cut_and_ended_is_refused() {
    for (name, whole) in [("baseline", OBAMA), ("progressive", &progressive())] {
        assert!(decode(whole).is_ok(), "{name}");
        for percent in [30, 50, 70, 90, 99] {
            let cut = ended(&whole[..whole.len() * percent / 100]);
            let what = format!("{name} cut at {percent} %");
            refused_as(&cut, &["truncated", "damaged"], &what);
        }
    }
}

#[test]
fn a_progressive_jpeg_without_its_last_scans_is_refused() {
    let whole = progressive();
    let scans: Vec<usize> = (0..whole.len() - 1)
        .filter(|&i| whole[i..i + 2] == [0xff, 0xda])
        .collect();
    assert!(scans.len() > 2, "{} scans", scans.len());
    for &scan in &scans {
        refused_as(
            &ended(&whole[..scan]),
            &["truncated"],
            "whole scans missing",
        );
    }
}

/// Mean difference in levels; 255 where the sizes differ.
fn apart(a: &Rgb8, b: &Rgb8) -> f64 {
    if (a.width(), a.height()) != (b.width(), b.height()) {
        return 255.0;
    }
    let pairs = a.data().iter().flatten().zip(b.data().iter().flatten());
    let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / (a.data().len() * 3) as f64
}

/// The file with a run of bytes in a range overwritten, where the seed says.
fn overwritten(file: &[u8], data: &Range<usize>, seed: usize, run: usize) -> Vec<u8> {
    let spread = |i: usize| usize::from(hash(seed * 7 + i));
    let room = data.len() - run - 2;
    let at = data.start + (spread(0) * 65536 + spread(1) * 256 + spread(2)) % room;
    let mut out = file.to_vec();
    for (i, byte) in out[at..at + run].iter_mut().enumerate() {
        *byte = if seed.is_multiple_of(2) {
            0x55
        } else {
            hash(seed * 4096 + i)
        };
    }
    out
}

#[test]
fn overwritten_data_is_refused_or_does_no_harm() {
    let find = |file: &[u8], mark: &[u8]| file.windows(mark.len()).position(|w| w == mark);
    let from = |file: &[u8], mark: &[u8]| find(file, mark).unwrap() + 64..file.len();
    let progressive = progressive();
    let heic = include_bytes!("fixtures/turned.heic").as_slice();
    let mut files = vec![
        ("baseline", OBAMA, from(OBAMA, &[0xff, 0xda])),
        (
            "progressive",
            &progressive,
            from(&progressive, &[0xff, 0xda]),
        ),
        ("png", ASTRONAUT, from(ASTRONAUT, b"IDAT")),
    ];
    if cfg!(feature = "heic") {
        // Behind the picture lies its EXIF.
        let end = find(heic, b"MM\0*").unwrap();
        files.push(("heic", heic, from(heic, b"mdat").start..end - 16));
    }
    for (name, file, data) in files {
        let original = decode(file).unwrap().pixels;
        let mut refused = 0;
        for seed in 0..40 {
            let run = [2000, 200, 20][seed % 3];
            match decode(&overwritten(file, &data, seed, run)) {
                Err(_) => refused += 1,
                Ok(decoded) => {
                    let by = apart(&decoded.pixels, &original);
                    assert!(
                        by < 2.0,
                        "{name}, seed {seed}: {run} bytes, off by {by} levels"
                    );
                }
            }
        }
        assert!(refused >= 36, "{name}: {refused} of 40 refused");
    }
}

/// A chunk of a PNG with its right checksum.
fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind.as_slice(), data].concat();
    let mut sum = u32::MAX;
    for &byte in &body {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [&length, body.as_slice(), &(!sum).to_be_bytes()].concat()
}

/// A PNG in grey whose header says `width` x `height`, around a compressed stream.
fn grey_png(width: u32, height: u32, stream: &[u8]) -> Vec<u8> {
    let header = [
        &width.to_be_bytes(),
        &height.to_be_bytes(),
        [8u8, 0, 0, 0].as_slice(),
        &[0],
    ];
    [
        b"\x89PNG\r\n\x1a\n".as_slice(),
        &chunk(*b"IHDR", &header.concat()),
        &chunk(*b"IDAT", stream),
        &chunk(*b"IEND", &[]),
    ]
    .concat()
}

/// The compressed stream of a black picture of 64 megapixels.
fn bomb() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 8000, 8000);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&vec![0; 64_000_000]).unwrap();
    writer.finish().unwrap();
    let data = file.windows(4).position(|w| w == b"IDAT").unwrap();
    let length = u32::from_be_bytes(file[data - 4..data].try_into().unwrap()) as usize;
    file[data + 4..data + 4 + length].to_vec()
}

#[test]
fn a_png_of_200_megapixels_is_refused_by_its_header() {
    let file = grey_png(20_000, 10_000, &bomb());
    refused_as(&file, &["too_many_pixels"], "200 megapixels");
    // The same with a wrong checksum: nothing of the header is believed.
    let mut broken = file;
    broken[29] ^= 1;
    refused_as(&broken, &["damaged"], "a wrong checksum");
}

#[test]
fn a_bomb_in_the_picture_data_is_not_unpacked() {
    let stream = bomb();
    // The header asks for 10,000 pixels; what follows them is left packed.
    match decode(&grey_png(100, 100, &stream)) {
        Ok(small) => assert_eq!(small.pixels.data().len(), 10_000),
        Err(error) => assert_eq!(error.code(), "damaged"),
    }
    let whole = decode(&grey_png(8000, 8000, &stream)).unwrap();
    assert_eq!(whole.pixels.data().len(), 64_000_000);
}

#[test]
fn a_compressed_bomb_in_a_profile_is_not_unpacked() {
    // 64 MB unpacked, as an ICC profile.
    let chunk = [b"p\0\0".as_slice(), &bomb()].concat();

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
