//! What the tests need beside Rust: PostgreSQL, Chromium, Node, curl, Python with some packages. As
//! root on Debian they are installed; otherwise the error says exactly what is missing.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::step;

/// What was found.
pub(crate) struct Tools {
    pub(crate) chromium: PathBuf,
    /// The folder of a Python that has the packages of `tests/clients/requirements.txt`.
    pub(crate) python: PathBuf,
}

/// A package, and what tells that it is there.
type Needed = (&'static str, fn() -> bool);

/// Debian's packages that are needed.
const NEEDED: [Needed; 6] = [
    ("postgresql", || postgres().is_some()),
    ("chromium", || chromium().is_some()),
    ("nodejs", || {
        step::command("Node", "node", &["--version"]).works()
    }),
    ("npm", || {
        step::command("npm", "npm", &["--version"]).works()
    }),
    ("curl", || {
        step::command("curl", "curl", &["--version"]).works()
    }),
    ("python3-venv", || {
        step::command("Python", "python3", &["-c", "import venv, ensurepip"]).works()
    }),
];

/// Finds everything, after installing what is missing where that is possible.
pub(crate) fn find_or_install() -> anyhow::Result<Tools> {
    let missing = missing();
    if !missing.is_empty() {
        install(&missing)?;
    }
    let Some(chromium) = chromium() else {
        bail!("Chromium is missing: install it")
    };
    Ok(Tools {
        chromium,
        python: python_with_packages()?,
    })
}

fn missing() -> Vec<&'static str> {
    NEEDED
        .iter()
        .filter(|(_, is_there)| !is_there())
        .map(|(name, _)| *name)
        .collect()
}

fn install(packages: &[&'static str]) -> anyhow::Result<()> {
    let by_hand = format!("apt-get install {}", packages.join(" "));
    let is_root = step::command("Root", "sh", &["-c", "test \"$(id -u)\" = 0"]).works();
    if !is_root || !step::command("apt", "apt-get", &["--version"]).works() {
        bail!(
            "these are missing: {}. As root on Debian: {by_hand}",
            packages.join(", ")
        );
    }
    step::command("Package lists", "apt-get", &["update", "-qq"]).run()?;
    let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
    args.extend(packages);
    step::command("Packages", "apt-get", &args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()?;
    match missing()[..] {
        [] => Ok(()),
        ref still => bail!("still missing after {by_hand}: {}", still.join(", ")),
    }
}

/// The newest of Debian's PostgreSQL versions, else one on the path.
fn postgres() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin/postgres"))
        .filter(|path| path.exists())
        .collect();
    versions.sort();
    versions.pop().or_else(|| on_path("postgres"))
}

fn chromium() -> Option<PathBuf> {
    let named = step::variable("CHROMIUM")
        .map(PathBuf::from)
        .filter(|path| path.exists());
    named
        .or_else(|| on_path("chromium"))
        .or_else(|| on_path("chromium-browser"))
        .or_else(|| on_path("google-chrome"))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = step::variable("PATH")?;
    path.split(':')
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
}

/// A Python of our own, so that nothing of the machine's is changed. A copy of the list beside it
/// tells that all of it was installed.
fn python_with_packages() -> anyhow::Result<PathBuf> {
    let folder = step::target().join("test-python");
    let bin = folder.join("bin");
    let list = step::root().join("tests/clients/requirements.txt");
    let wanted = std::fs::read_to_string(&list).context("tests/clients/requirements.txt")?;
    let installed = folder.join("requirements.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(bin);
    }
    let place = folder.display().to_string();
    step::command("Python for the tests", "python3", &["-m", "venv", &place]).run()?;
    let python = bin.join("python3").display().to_string();
    let list = list.display().to_string();
    let install = ["-m", "pip", "install", "--quiet", "--requirement", &list];
    step::command("Python's packages", &python, &install).run()?;
    std::fs::write(&installed, wanted).context("test-python/requirements.txt")?;
    Ok(bin)
}
