//! Formats, colours, orientation and limits.

use crate::pictures::{OBAMA, filled, jpeg, png};
use headshot_imaging::DecodeError;
use headshot_imaging::decode::{
    Format, MAX_BYTES, MAX_PIXELS, Orientation, decode, decode_logo, sniff,
};
use headshot_imaging::raster::{Raster, Rgb8};

fn near(a: [u8; 3], b: [u8; 3], by: u8) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= by)
}

fn encoded_jpeg(
    bytes: &[u8],
    (w, h): (u16, u16),
    color: jpeg_encoder::ColorType,
    prepare: impl FnOnce(&mut jpeg_encoder::Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut out, 95);
    prepare(&mut encoder);
    encoder.encode(bytes, w, h, color).unwrap();
    out
}

#[test]
fn jpeg_orientation_is_applied_once() {
    // Left half red, right half blue; orientation 6 means: turn clockwise, so red comes on top.
    let pixels: Vec<u8> = (0..32 * 16)
        .flat_map(|i| {
            if i % 32 < 16 {
                [220, 20, 20]
            } else {
                [20, 20, 220]
            }
        })
        .collect();
    let tiff = [
        b"MM\0\x2a\0\0\0\x08\0\x01".as_slice(),
        &[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0],
        &[0, 0, 0, 0],
    ]
    .concat();
    let file = encoded_jpeg(&pixels, (32, 16), jpeg_encoder::ColorType::Rgb, |e| {
        e.add_exif_metadata(&tiff).unwrap();
    });
    let upright = decode(&file).unwrap().pixels;
    assert_eq!((upright.width(), upright.height()), (16, 32));
    assert!(
        near(upright.at(8, 4), [220, 20, 20], 20),
        "{:?}",
        upright.at(8, 4)
    );
    assert!(
        near(upright.at(8, 28), [20, 20, 220], 20),
        "{:?}",
        upright.at(8, 28)
    );
}

#[test]
fn every_orientation_moves_the_corner_where_exif_says() {
    let picture: Rgb8 = Raster::generate(3, 2, |x, y| [(y * 3 + x) as u8; 3]);
    // The first stored pixel and the second, after turning upright.
    let expected = [
        (1, (3, 2), (0, 0)),
        (2, (3, 2), (2, 0)),
        (3, (3, 2), (2, 1)),
        (4, (3, 2), (0, 1)),
        (5, (2, 3), (0, 0)),
        (6, (2, 3), (1, 0)),
        (7, (2, 3), (1, 2)),
        (8, (2, 3), (0, 2)),
    ];
    for (tag, size, corner) in expected {
        let turned = Orientation::from_tag(tag).apply(picture.clone());
        assert_eq!((turned.width(), turned.height()), size, "orientation {tag}");
        assert_eq!(turned.at(corner.0, corner.1), [0; 3], "orientation {tag}");
    }
}

#[test]
fn display_p3_becomes_srgb() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let colour = [200u8, 100, 50];
    let file = encoded_jpeg(
        &colour.repeat(256),
        (16, 16),
        jpeg_encoder::ColorType::Rgb,
        |e| {
            e.add_icc_profile(&profile).unwrap();
        },
    );
    let decoded = decode(&file).unwrap();
    let p = decoded.pixels.at(8, 8);
    assert!(decoded.converted_profile);
    assert!(p[0] > 208 && p[2] < 44, "{p:?} is still Display P3");
}

#[test]
fn an_srgb_profile_changes_nothing() {
    let profile = moxcms::ColorProfile::new_srgb().encode().unwrap();
    let file = encoded_jpeg(&[90; 768], (16, 16), jpeg_encoder::ColorType::Rgb, |e| {
        e.add_icc_profile(&profile).unwrap();
    });
    assert!(!decode(&file).unwrap().converted_profile);
}

#[test]
fn cmyk_and_grey_jpegs_become_rgb() {
    let cmyk = encoded_jpeg(
        &[0, 255, 255, 0].repeat(256),
        (16, 16),
        jpeg_encoder::ColorType::Cmyk,
        |_| {},
    );
    let p = decode(&cmyk).unwrap().pixels.at(8, 8);
    assert!(p[0] > 200 && p[1] < 60 && p[2] < 60, "{p:?} is not red");
    let grey = encoded_jpeg(&[77; 256], (16, 16), jpeg_encoder::ColorType::Luma, |_| {});
    assert!(near(decode(&grey).unwrap().pixels.at(3, 3), [77; 3], 2));
}

fn png_of(color: png::ColorType, depth: png::BitDepth, (w, h): (u32, u32), data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, w, h);
    encoder.set_color(color);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    out
}

#[test]
fn deep_transparent_and_one_bit_pngs_are_read() {
    use png::{BitDepth, ColorType};
    let deep = png_of(
        ColorType::Rgb,
        BitDepth::Sixteen,
        (1, 1),
        &[0x80, 0, 0x40, 0, 0xff, 0xff],
    );
    assert!(near(
        decode(&deep).unwrap().pixels.at(0, 0),
        [0x80, 0x40, 0xff],
        1
    ));
    let clear = png_of(ColorType::Rgba, BitDepth::Eight, (1, 1), &[255, 0, 0, 0]);
    assert!(near(decode(&clear).unwrap().pixels.at(0, 0), [128; 3], 1));
    let bits = png_of(ColorType::Grayscale, BitDepth::One, (8, 1), &[0b1010_0000]);
    let row = decode(&bits).unwrap().pixels;
    assert_eq!((row.at(0, 0), row.at(1, 0)), ([255; 3], [0; 3]));
}

#[cfg(not(feature = "heic"))]
#[test]
fn heic_is_refused_with_a_sentence_where_it_cannot_be_read() {
    let refused = decode(include_bytes!("fixtures/portrait.heic")).unwrap_err();
    assert_eq!(refused, DecodeError::HeicUnavailable);
    assert_eq!(refused.code(), "heic_unavailable");
}

#[cfg(feature = "heic")]
#[test]
fn heic_is_read_like_the_jpeg_it_was_made_from() {
    let coded = include_bytes!("fixtures/portrait.heic").as_slice();
    let profiled = include_bytes!("fixtures/profile-only.heic").as_slice();
    for file in [coded, profiled] {
        like_the_portrait(file);
    }
}

#[cfg(feature = "heic")]
fn like_the_portrait(file: &[u8]) {
    let decoded = decode(file).unwrap();
    assert_eq!(decoded.format, Format::Heic);
    let original = decode(OBAMA).unwrap().pixels;
    let (w, h) = (decoded.pixels.width(), decoded.pixels.height());
    let small = crate::pictures::scaled(&original, w, h);
    let sum: u32 = small
        .data()
        .iter()
        .flatten()
        .zip(decoded.pixels.data().iter().flatten())
        .map(|(a, b)| u32::from(a.abs_diff(*b)))
        .sum();
    let mean = sum as f32 / (w * h * 3) as f32;
    assert!(mean < 6.0, "differs by {mean} levels");
}

/// Such a file is no damaged one: cameras write it, only phones do not.
#[cfg(feature = "heic")]
#[test]
fn heic_of_other_colour_sampling_is_refused_by_that_name() {
    for (file, detail) in [
        (&include_bytes!("fixtures/colours-422.heic")[..], "4:2:2"),
        (&include_bytes!("fixtures/colours-444.heic")[..], "4:4:4"),
    ] {
        let refused = decode(file).unwrap_err();
        assert_eq!(refused, DecodeError::HeicUnsupported { detail });
        assert_eq!(refused.code(), "heic_unsupported");
    }
}

#[cfg(feature = "heic")]
#[test]
fn heic_is_turned_once_and_keeps_the_focal_length() {
    let decoded = decode(include_bytes!("fixtures/turned.heic")).unwrap();
    assert_eq!(
        (decoded.pixels.width(), decoded.pixels.height()),
        (480, 640)
    );
    assert_eq!(decoded.focal, Some(24));
    let judged = crate::ENGINE.check(include_bytes!("fixtures/turned.heic"));
    assert!(judged.unwrap().usable, "it stands upright");
}

#[test]
fn the_pixel_limit_holds_at_n_and_n_plus_one() {
    use png::{BitDepth, ColorType};
    assert_eq!(MAX_PIXELS, 8000 * 8000);
    let full = png_of(
        ColorType::Grayscale,
        BitDepth::One,
        (8000, 8000),
        &vec![0; 8_000_000],
    );
    assert_eq!(
        decode(&full).unwrap().pixels.data().len() as u64,
        MAX_PIXELS
    );
    drop(full);
    let (w, h) = (8000u32, 8001u32);
    let over = png_of(
        ColorType::Grayscale,
        BitDepth::One,
        (w, h),
        &vec![0; 8_001_000],
    );
    assert_eq!(
        decode(&over).unwrap_err(),
        DecodeError::TooManyPixels {
            width: w,
            height: h
        }
    );

    // A JPEG whose frame header claims 8001 x 8000: refused before the missing data is noticed.
    let mut lying = jpeg(&filled(16, 16, [1; 3]));
    let frame = lying.windows(2).position(|p| p == [0xff, 0xc0]).unwrap();
    lying[frame + 5..frame + 9].copy_from_slice(&[0x1f, 0x40, 0x1f, 0x41]);
    let refused = decode(&lying).unwrap_err();
    assert_eq!(
        refused,
        DecodeError::TooManyPixels {
            width: 8001,
            height: 8000
        }
    );
}

#[test]
fn the_byte_limit_holds_at_n_and_n_plus_one() {
    let mut file = vec![0; MAX_BYTES];
    assert_eq!(decode(&file).unwrap_err(), DecodeError::UnknownFormat);
    file.push(0);
    assert_eq!(
        decode(&file).unwrap_err(),
        DecodeError::TooManyBytes {
            bytes: MAX_BYTES + 1
        }
    );
}

#[test]
fn animations_are_refused() {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 2, 2);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[0; 4]).unwrap();
    writer.write_image_data(&[9; 4]).unwrap();
    writer.finish().unwrap();
    assert_eq!(decode(&out).unwrap_err(), DecodeError::Animated);
    assert_eq!(
        decode(b"GIF89a\x01\0\x01\0").unwrap_err(),
        DecodeError::UnknownFormat
    );
}

#[test]
fn formats_are_told_by_their_bytes() {
    assert_eq!(sniff(OBAMA), Some(Format::Jpeg));
    assert_eq!(sniff(&png(&filled(1, 1, [0; 3]))), Some(Format::Png));
    assert_eq!(sniff(b"RIFF\0\0\0\0WEBPVP8 "), Some(Format::Webp));
    assert_eq!(sniff(b"%PDF-1.7"), None);
    assert_eq!(decode_logo(OBAMA).unwrap_err(), DecodeError::UnknownFormat);
}
