//! What `shoot` makes, where it puts it, and what it says.

use std::collections::BTreeSet;

use headshot_imaging::{Backdrop, Crop, OutputFormat, Recipe, Size, Style};
use insta::assert_json_snapshot;
use serde_json::Value;

use crate::{Folder, files, size};

/// The same document with each number replaced by the word.
fn shape(value: Value) -> Value {
    match value {
        Value::Number(_) => "number".into(),
        Value::Array(items) => items.into_iter().map(shape).collect(),
        Value::Object(fields) => {
            let shaped = fields.into_iter().map(|(name, value)| (name, shape(value)));
            Value::Object(shaped.collect())
        }
        other => other,
    }
}

#[test]
fn a_selfie_becomes_a_headshot() {
    let folder = Folder::new();
    let told = folder.run(&["shoot", "selfie.jpg", "--out", "new/out"]);
    assert!(told.starts_with("selfie.jpg: usable, score 0."), "{told}");
    assert!(told.ends_with("Detail network: u2netp\n"), "{told}");
    let name = "selfie-grey-studio-headshot.jpg";
    assert!(told.contains(&format!("  new/out/{name}, ")), "{told}");
    assert_eq!(folder.names("new/out"), [name]);
    let (width, height) = size(&folder.path("new/out").join(name));
    assert!((width * 5).abs_diff(height * 4) < 5, "{width} x {height}");
    assert!(width > 500, "{width} x {height}");
    assert_eq!(folder.names("."), ["new", "selfie.jpg"]);
}

#[test]
fn every_option_is_in_the_photo() {
    let folder = Folder::new();
    let (crops, formats) = (Crop::ALL, OutputFormat::ALL);
    for (index, crop) in crops.into_iter().enumerate() {
        let format = formats[index % formats.len()];
        let style = Style::ALL[index];
        let args = [
            "--backdrop",
            "#1a2B3c",
            "--style",
            style.name(),
            "--crop",
            crop.name(),
            "--format",
            format.name(),
            "--size",
            "160x160",
        ];
        folder.run(&[["shoot", "selfie.jpg", "--out", "out"].as_slice(), &args].concat());
        let (style, crop) = (style.name(), crop.name());
        let name = format!("out/selfie-1a2b3c-{style}-{crop}.{}", format.extension());
        assert_eq!(size(&folder.path(&name)), (160, 160), "{name}");
        let look = Recipe::from_photo(&folder.read(&name))
            .expect("a recipe")
            .look;
        assert_eq!(look.backdrop, Backdrop::Color([0x1a, 0x2b, 0x3c]));
        assert_eq!((look.style.name(), look.crop.name()), (style, crop));
        assert_eq!(look.format, format);
        assert_eq!(
            look.size,
            Size {
                width: 160,
                height: 160
            }
        );
    }
    assert_eq!(folder.names("out").len(), crops.len());
}

#[test]
fn all_makes_every_backdrop_in_every_style() {
    let folder = Folder::new();
    let shoot = ["shoot", "selfie.jpg", "--all", "--size", "96x120", "--out"];
    folder.run(&[shoot.as_slice(), &["out"]].concat());
    let made = folder.names("out");
    assert_eq!(made.len(), 40);
    let different: BTreeSet<Vec<u8>> = made
        .iter()
        .map(|name| folder.read(&format!("out/{name}")))
        .collect();
    assert_eq!(different.len(), 40);
    folder.run(&[shoot.as_slice(), &["mono", "--style", "mono"]].concat());
    assert_eq!(folder.names("mono").len(), 8);
    folder.run(&[shoot.as_slice(), &["teal", "--backdrop", "teal"]].concat());
    assert_eq!(folder.names("teal").len(), 5);
}

#[test]
fn nothing_is_overwritten() {
    let folder = Folder::empty();
    let name = "selfie-grey-studio-headshot.jpg";
    // The headshot's own name is taken by a selfie.
    folder.write("selfie.jpg", files::SELFIE);
    folder.write(name, files::OTHER);
    folder.write("more/selfie.png", files::OTHER);
    for _ in 0..2 {
        folder.run(&[
            "shoot",
            "selfie.jpg",
            "more/selfie.png",
            "--several-people",
            "--size",
            "96x120",
            "--out",
            ".",
        ]);
    }
    assert_eq!(folder.read(name), files::OTHER);
    assert_eq!(folder.read("selfie.jpg"), files::SELFIE);
    let numbered = |n: u32| format!("selfie-grey-studio-headshot-{n}.jpg");
    for n in 2..=5 {
        assert_eq!(size(&folder.path(&numbered(n))), (96, 120));
    }
    assert!(!folder.path(&numbered(6)).exists());
}

#[test]
fn a_stranger_among_the_photos_is_left_out() {
    let folder = Folder::new();
    folder.write("again.jpg", files::SELFIE_AGAIN);
    folder.write("stranger.png", files::OTHER);
    let shoot = |photos: &[&str], more: &[&str]| {
        folder.run(&[&["shoot"], photos, &["--size", "96x120"], more].concat())
    };
    let all = ["stranger.png", "selfie.jpg", "again.jpg"];
    let told = shoot(&all, &["--out", "three"]);
    let line =
        "  This photo shows a different person than most of your photos. (different_person: 0.";
    assert!(told.contains("stranger.png: refused\n"), "{told}");
    assert!(
        told.contains(line) && told.contains(", limit 0.60)"),
        "{told}"
    );
    let made = folder.names("three");
    assert_eq!(made.len(), 2, "{made:?}");
    assert!(made.iter().all(|name| !name.contains("stranger")));

    // One against one: nobody can tell who is meant, so both are made and both are told.
    let told = shoot(&all[..2], &["--out", "two"]);
    assert_eq!(told.matches("(people_differ: 0.").count(), 2, "{told}");
    assert_eq!(folder.names("two").len(), 2);

    let told = shoot(&all[..1], &["--out", "one"]);
    assert!(!told.contains("different_person"), "{told}");
    assert_eq!(folder.names("one").len(), 1);

    let told = shoot(&all, &["--out", "many", "--several-people"]);
    assert!(!told.contains("different_person"), "{told}");
    assert_eq!(folder.names("many").len(), 3);
}

#[test]
fn json_tells_engine_verdicts_and_files() {
    let folder = Folder::new();
    folder.write("text.jpg", b"not a photo");
    let mut told = folder.json(&[
        "shoot",
        "selfie.jpg",
        "text.jpg",
        "--out",
        "out",
        "--size",
        "96x120",
        "--json",
    ]);
    let version = told["engine"]["version"].as_str().expect("a version");
    assert_eq!(version, headshot_imaging::recipe::ENGINE);
    told["engine"]["version"] = "version".into();
    assert_json_snapshot!(shape(told), @r#"
    {
      "engine": {
        "detail": "u2netp",
        "version": "version"
      },
      "selfies": [
        {
          "file": "selfie.jpg",
          "photos": [
            {
              "backdrop": "grey",
              "crop": "headshot",
              "file": "out/selfie-grey-studio-headshot.jpg",
              "height": "number",
              "reduced": false,
              "restored": null,
              "style": "studio",
              "tightened": false,
              "width": "number"
            }
          ],
          "verdict": {
            "findings": [],
            "quality": {
              "back_light": "number",
              "clipped_high": "number",
              "clipped_low": "number",
              "colours": "number",
              "confetti": "number",
              "covered": "number",
              "detail": "number",
              "evenness": "number",
              "eye_distance": "number",
              "eye_openness": "number",
              "eye_visibility": "number",
              "face_cut": "number",
              "hair_contrast": "number",
              "headroom": "number",
              "hue_off": "number",
              "level_crown": "number",
              "luma": "number",
              "motion": "number",
              "mouth_open": "number",
              "mouth_visibility": "number",
              "page": "number",
              "pitch": "number",
              "posterised": "number",
              "presence": "number",
              "print": "number",
              "rim_light": "number",
              "roll": "number",
              "roughness": "number",
              "second_face": "number",
              "shading": "number",
              "sharpness": "number",
              "side_light": "number",
              "skin_chroma": "number",
              "skin_hue": "number",
              "smile": "number",
              "stranger": "number",
              "texture": "number",
              "undecided": "number",
              "upside_down": "number",
              "yaw": "number"
            },
            "score": "number",
            "usable": true
          }
        },
        {
          "file": "text.jpg",
          "photos": [],
          "verdict": {
            "findings": [
              {
                "code": "unknown_format",
                "measured": "number",
                "sentence": "This file is not a JPEG, PNG, WebP or HEIC photo.",
                "severity": "refusal",
                "threshold": "number"
              }
            ],
            "quality": null,
            "score": "number",
            "usable": false
          }
        }
      ]
    }
    "#);
}
