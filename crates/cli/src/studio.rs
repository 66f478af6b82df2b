//! The engine from the command line: no server, no database, no configuration but the data folder.

use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, bail};
use headshot_imaging::decode::MAX_BYTES;
use headshot_imaging::{DetailWeights, Engine, Options};

pub(crate) mod remake;
pub(crate) mod shoot;
pub(crate) mod weights;

/// More threads than this gain nothing on one photo.
const THREADS_MAX: usize = 8;

fn engine(detail: DetailWeights) -> anyhow::Result<Engine> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(THREADS_MAX);
    Ok(Engine::new(Options { threads, detail })?)
}

/// Reads a photo. The engine refuses larger files in its own words, so one byte more is read.
fn read_photo(path: &Path) -> anyhow::Result<Vec<u8>> {
    read(path, u64::try_from(MAX_BYTES).unwrap_or(u64::MAX))
}

/// Reads a file, up to one byte more than `bytes_max`.
fn read(path: &Path, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("{} can't be read", path.display());
    let file = std::fs::File::open(path).with_context(cannot)?;
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(cannot)?;
    Ok(bytes)
}

/// Writes a file that did not exist; a half-written one is removed.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create_new(path)?;
    file.write_all(bytes).inspect_err(|_failed| {
        // The failure to write is what is told.
        std::fs::remove_file(path).ok();
    })
}

/// Refuses what is no readable file, before any work.
fn check_is_file(path: &Path) -> anyhow::Result<()> {
    let known =
        std::fs::metadata(path).with_context(|| format!("{} can't be read", path.display()))?;
    if known.is_dir() {
        bail!("{} is a folder", path.display());
    }
    Ok(())
}
