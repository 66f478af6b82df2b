//! The engine's commands, from outside: `shoot`, `remake`, `weights`. They need no server.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test that can't go on stops, and a snapshot is as long as it is"
)]

mod files;
mod hostile;
mod remake;
mod shooting;
mod weights;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with the selfie `selfie.jpg`, and commands that run in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self::empty();
        folder.write("selfie.jpg", files::SELFIE);
        folder
    }

    fn empty() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        let parent = path.parent().expect("a folder");
        std::fs::create_dir_all(parent).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The names in a folder, sorted.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).expect("a folder");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            let name = entry.expect("an entry").file_name();
            name.to_string_lossy().into_owned()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headshot"));
        command
            .args(args)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::null());
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary runs")
    }

    /// Runs a command that works and returns what it prints.
    fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let complaint = text(&output.stderr);
        assert!(output.status.success(), "{args:?}: {complaint}");
        assert_eq!(complaint, "", "{args:?}");
        text(&output.stdout)
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(args)).expect("JSON")
    }

    /// Runs a command that fails and returns its one line.
    fn refused(&self, args: &[&str]) -> String {
        one_line(args, &self.output(args))
    }
}

fn one_line(args: &[&str], output: &Output) -> String {
    let complaint = text(&output.stderr);
    assert!(!output.status.success(), "{args:?} worked");
    assert!(output.status.code().is_some(), "{args:?}: {output:?}");
    assert_eq!(complaint.lines().count(), 1, "{args:?}: {complaint}");
    let line = complaint.trim().strip_prefix("error: ");
    line.unwrap_or_else(|| panic!("{args:?}: {complaint}"))
        .to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Width and height of a picture's file.
fn size(path: &Path) -> (usize, usize) {
    let bytes = std::fs::read(path).expect("a file");
    let decoded = headshot_imaging::decode::decode(&bytes).expect("a picture");
    (decoded.pixels.width(), decoded.pixels.height())
}
