//! `remake`: the same bytes from the recipe, or a refusal.

use crate::{Folder, files};

const PHOTO: &str = "out/selfie-office-studio-headshot.png";

/// A folder with a headshot of its selfie.
fn shot() -> Folder {
    let folder = Folder::new();
    let look = [
        "--backdrop",
        "office",
        "--size",
        "96x120",
        "--format",
        "png",
    ];
    folder.run(&[["shoot", "selfie.jpg", "--out", "out"].as_slice(), &look].concat());
    folder.write("other.png", files::OTHER);
    folder
}

#[test]
fn a_headshot_is_made_again_byte_for_byte() {
    let folder = shot();
    let args = [
        "remake",
        PHOTO,
        "--selfie",
        "other.png",
        "--selfie",
        "selfie.jpg",
        "--out",
    ];
    let told = folder.run(&[args.as_slice(), &["again.png"]].concat());
    assert_eq!(told, format!("again.png: the same bytes as {PHOTO}\n"));
    assert_eq!(folder.read("again.png"), folder.read(PHOTO));
    let told = folder.json(&[args.as_slice(), &["more.png", "--json"]].concat());
    assert_eq!(
        told,
        serde_json::json!({ "file": "more.png", "width": 96, "height": 120, "identical": true })
    );
}

/// It is made all the same, for whoever wants to look at both.
#[test]
fn a_headshot_that_was_changed_is_told_by_the_exit_code() {
    let folder = shot();
    let mut longer = folder.read(PHOTO);
    longer.push(0);
    folder.write("longer.png", &longer);
    let args = ["remake", "longer.png", "--selfie", "selfie.jpg"];
    let complaint = folder.refused(&[args.as_slice(), &["--out", "again.png"]].concat());
    assert!(complaint.contains("longer.png was changed"), "{complaint}");
    assert_eq!(folder.read("again.png"), folder.read(PHOTO));
}

#[test]
fn another_selfie_no_recipe_or_a_taken_name_is_refused() {
    let folder = shot();
    let before = folder.read(PHOTO);
    for (photo, selfie, out, part) in [
        (PHOTO, "other.png", "again.png", "made from another selfie"),
        ("selfie.jpg", "selfie.jpg", "again.png", "no recipe"),
        (PHOTO, "selfie.jpg", PHOTO, "can't be written"),
        (
            PHOTO,
            "missing.jpg",
            "again.png",
            "missing.jpg can't be read",
        ),
        (
            "missing.png",
            "selfie.jpg",
            "again.png",
            "missing.png can't be read",
        ),
    ] {
        let complaint = folder.refused(&["remake", photo, "--selfie", selfie, "--out", out]);
        assert!(complaint.contains(part), "{complaint}");
        assert!(!folder.path("again.png").exists());
    }
    assert_eq!(folder.read(PHOTO), before);
}

#[test]
fn a_recipe_of_another_engine_or_network_is_refused() {
    let folder = shot();
    let photo = folder.read(PHOTO);
    let changed = |from: &str, to: &str| {
        let at = photo
            .windows(from.len())
            .position(|window| window == from.as_bytes())
            .unwrap_or_else(|| panic!("no {from}"));
        let mut file = photo.clone();
        file[at..at + from.len()].copy_from_slice(to.as_bytes());
        file
    };
    folder.write("engine.png", &changed("\"engine\":\"h", "\"engine\":\"H"));
    folder.write("large.png", &changed("\"u2netp\"", "\"u2net\" "));
    for (photo, part) in [("engine.png", "made by H"), ("large.png", "weights fetch")] {
        let complaint = folder.refused(&[
            "remake",
            photo,
            "--selfie",
            "selfie.jpg",
            "--out",
            "again.png",
        ]);
        assert!(complaint.contains(part), "{complaint}");
    }
}
