//! Files that are no selfies: a verdict with a reason, and never more memory than a photo needs.

use std::process::Command;

use serde_json::Value;

use crate::{Folder, files, one_line};

/// What the process may address, in KiB. A photo of 64 megapixels has 192 MB.
const MEMORY_MAX: u32 = 1_500_000;

/// Runs `shoot --json` on one file under the memory limit; returns verdict and complaint.
fn shoot(folder: &Folder, name: &str) -> (Value, String) {
    let args = ["shoot", name, "--out", "out", "--json"];
    let binary = folder.command(&args);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", &format!("ulimit -v {MEMORY_MAX}; exec \"$0\" \"$@\"")])
        .arg(binary.get_program())
        .args(args)
        .current_dir(folder.path("."));
    let output = limited.output().expect("sh runs");
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{name}: {error}: {output:?}"));
    let selfie = &told["selfies"][0];
    assert_eq!(selfie["file"], name);
    assert_eq!(selfie["photos"], serde_json::json!([]), "{name}");
    (selfie["verdict"].clone(), one_line(&args, &output))
}

#[test]
fn every_bad_file_is_refused_with_its_reason() {
    let folder = Folder::empty();
    let cut = &files::SELFIE[..files::SELFIE.len() / 2];
    let bomb = files::zeros(400_000_000);
    let honest = files::zeros(8_001 * 8_000);
    for (name, bytes, codes) in [
        ("noise.jpg", files::noise(), ["no_face"].as_slice()),
        ("cut.jpg", cut.to_vec(), &["truncated", "damaged"]),
        (
            "text.jpg",
            b"not a photo at all\n".to_vec(),
            &["unknown_format"],
        ),
        ("empty.jpg", Vec::new(), &["unknown_format", "truncated"]),
        (
            "wide.png",
            files::png(20_000, 10_000, &files::zeros(1_000)),
            &["too_many_pixels"],
        ),
        (
            "bomb.png",
            files::png(100, 100, &bomb),
            &["damaged", "no_face"],
        ),
        (
            "black.png",
            files::png(8_000, 8_000, &honest),
            &["damaged", "no_face"],
        ),
    ] {
        folder.write(name, &bytes);
        let (verdict, complaint) = shoot(&folder, name);
        assert_eq!(verdict["usable"], false, "{name}");
        let finding = &verdict["findings"][0];
        let code = finding["code"].as_str().expect("a code");
        assert!(codes.contains(&code), "{name}: {code}");
        let sentence = finding["sentence"].as_str().expect("a sentence");
        assert_eq!(complaint, format!("{name}: {sentence}"));
    }
    assert_eq!(folder.names("out"), [""; 0]);
}

#[test]
fn a_good_selfie_among_bad_files_is_used() {
    let folder = Folder::new();
    folder.write("text.jpg", b"not a photo");
    folder.write("noise.jpg", &files::noise());
    let told = folder.run(&[
        "shoot",
        "text.jpg",
        "selfie.jpg",
        "noise.jpg",
        "--out",
        "out",
        "--size",
        "96x120",
    ]);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "text.jpg: refused");
    assert!(lines[1].contains("(unknown_format)"), "{told}");
    assert!(
        lines[2].starts_with("selfie.jpg: usable, score 0."),
        "{told}"
    );
    assert!(told.contains("noise.jpg: refused\n"), "{told}");
    assert!(told.contains("No face found in this photo."), "{told}");
    assert_eq!(folder.names("out").len(), 1);
}

#[test]
fn several_bad_files_are_counted() {
    let folder = Folder::empty();
    folder.write("a.jpg", b"a");
    folder.write("b.jpg", b"b");
    let complaint = folder.refused(&["shoot", "a.jpg", "b.jpg", "--out", "out"]);
    assert_eq!(complaint, "none of the 2 photos can be used");
}

#[test]
fn what_is_no_file_stops_before_any_work() {
    let folder = Folder::new();
    folder.write("taken", b"a file");
    for (args, part) in [
        (
            ["selfie.jpg", "missing.jpg", "--out", "out"],
            "missing.jpg can't be read",
        ),
        (["selfie.jpg", ".", "--out", "out"], ". is a folder"),
        (
            ["selfie.jpg", "selfie.jpg", "--out", "taken"],
            "taken can't be made",
        ),
    ] {
        let complaint = folder.refused(&[["shoot"].as_slice(), &args].concat());
        assert!(complaint.contains(part), "{complaint}");
        assert!(!folder.path("out").exists());
    }
}

#[test]
fn wrong_options_are_told_in_one_line() {
    let folder = Folder::new();
    for (option, value) in [
        ("--backdrop", "pink"),
        ("--backdrop", "#12345"),
        ("--style", "baroque"),
        ("--crop", "feet"),
        ("--size", "63x64"),
        ("--size", "64x129"),
        ("--size", "big"),
        ("--format", "gif"),
    ] {
        let args = ["shoot", "selfie.jpg", "--out", "out", option, value];
        let output = folder.output(&args);
        assert_eq!(output.status.code(), Some(2), "{option} {value}");
        let complaint = one_line(&args, &output);
        assert!(complaint.contains(value), "{complaint}");
    }
    let nothing = folder.refused(&["shoot", "--out", "out"]);
    assert!(nothing.contains("PHOTO"), "{nothing}");
    assert!(!folder.path("out").exists());
}
