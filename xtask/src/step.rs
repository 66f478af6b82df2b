//! Running commands, loudly when they fail.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

/// Prints a line on standard output.
pub(crate) fn say(text: &str) {
    let _closed = writeln!(std::io::stdout(), "{text}");
}

/// Prints a line on standard error.
pub(crate) fn complain(text: &str) {
    let _closed = writeln!(std::io::stderr(), "{text}");
}

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Cargo's output folder.
pub(crate) fn target() -> PathBuf {
    variable("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a development task has no configuration"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A command with a name for people.
pub(crate) struct Step {
    name: &'static str,
    command: Command,
}

/// A step that runs `program`.
pub(crate) fn command(name: &'static str, program: &str, args: &[&str]) -> Step {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    Step { name, command }
}

/// A step that runs cargo.
pub(crate) fn cargo(name: &'static str, args: &[&str]) -> Step {
    let cargo = variable("CARGO").unwrap_or_else(|| "cargo".to_owned());
    command(name, &cargo, args)
}

impl Step {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Puts `folder` before everything else on the path.
    pub(crate) fn path_first(self, folder: &Path) -> Self {
        let rest = variable("PATH").unwrap_or_default();
        self.env("PATH", &format!("{}:{rest}", folder.display()))
    }

    /// Runs to the end; anything but success is an error.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        say(&format!("== {}", self.name));
        let started = Instant::now();
        let status = self
            .command
            .status()
            .with_context(|| format!("{}: can't be started", self.name))?;
        if !status.success() {
            bail!("{} failed ({status})", self.name);
        }
        say(&format!(
            "   {} took {} s",
            self.name,
            started.elapsed().as_secs()
        ));
        Ok(())
    }

    /// Whether it runs and succeeds, without printing anything.
    pub(crate) fn works(mut self) -> bool {
        self.command
            .output()
            .is_ok_and(|output| output.status.success())
    }
}
