//! The secrets that must not be in the database: peppers, and the key of device cookies. They are in
//! `<data dir>/secrets`, readable by the server's user only, or in the environment.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use headshot_app::peppers::{Pepper, Peppers};
use headshot_domain::{Entropy, entropy};
use zeroize::Zeroizing;

use crate::config::Config;

const PEPPER: &str = "pepper";
const RETIRED: &str = "pepper.retired";
const COOKIE: &str = "cookie";

fn folder(config: &Config) -> PathBuf {
    config.data_dir.join("secrets")
}

/// The peppers, made when they are asked for the first time.
pub(crate) fn peppers(config: &Config, entropy: &dyn Entropy) -> anyhow::Result<Peppers> {
    let current = match &config.pepper {
        Some(text) => Zeroizing::new(text.clone()),
        None => load_or_create(&folder(config), PEPPER, entropy)?,
    };
    let current = Pepper::parse(&current).context("pepper")?;
    let retired = match &config.retired_peppers {
        Some(text) => text.clone(),
        None => read(&folder(config).join(RETIRED))?.unwrap_or_default(),
    };
    let retired = several(&retired)
        .map(|text| Pepper::parse(text).context("retired_peppers"))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Peppers::new(current, retired))
}

/// The peppers of a list, without the blanks around them.
pub(crate) fn several(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', '\n'])
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// The key of device cookies.
pub(crate) fn cookie(config: &Config, entropy: &dyn Entropy) -> anyhow::Result<String> {
    Ok(load_or_create(&folder(config), COOKIE, entropy)?.to_string())
}

/// Retires the current pepper and makes a new one; the new one's id.
pub(crate) fn rotate_pepper(config: &Config, entropy: &dyn Entropy) -> anyhow::Result<String> {
    if config.pepper.is_some() {
        anyhow::bail!(
            "the pepper comes from HEADSHOT_PEPPER: put it into HEADSHOT_RETIRED_PEPPERS and set a new one"
        );
    }
    let folder = folder(config);
    let current = load_or_create(&folder, PEPPER, entropy)?;
    let retired = read(&folder.join(RETIRED))?.unwrap_or_default();
    // First retire, then replace: whenever this stops, every key's pepper is still there.
    replace(&folder, RETIRED, &format!("{}\n{retired}", current.trim()))?;
    let fresh = new_secret(entropy);
    replace(&folder, PEPPER, &fresh)?;
    Ok(Pepper::parse(&fresh)?.id().to_owned())
}

fn new_secret(entropy: &dyn Entropy) -> Zeroizing<String> {
    let bytes = Zeroizing::new(entropy::bytes::<32>(entropy));
    Zeroizing::new(data_encoding::HEXLOWER.encode(bytes.as_slice()))
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} can't be read", path.display())),
    }
}

/// Two processes that start at once agree on one secret: only one link to the name succeeds.
fn load_or_create(
    folder: &Path,
    name: &str,
    entropy: &dyn Entropy,
) -> anyhow::Result<Zeroizing<String>> {
    let path = folder.join(name);
    if let Some(text) = read(&path)? {
        return Ok(Zeroizing::new(text));
    }
    let temporary = write_temporary(folder, name, &new_secret(entropy), entropy)?;
    let linked = fs::hard_link(&temporary, &path);
    fs::remove_file(&temporary).ok();
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("{} can't be made", path.display()))
        }
        _ => Ok(Zeroizing::new(read(&path)?.unwrap_or_default())),
    }
}

fn replace(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let temporary = write_temporary(folder, name, text, &headshot_domain::OsEntropy)?;
    let path = folder.join(name);
    fs::rename(&temporary, &path).with_context(|| format!("{} can't be replaced", path.display()))
}

/// Writes a file that only the server's user can read.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = || -> std::io::Result<()> {
        let mut file = private_file(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    written().with_context(|| format!("{} can't be written", path.display()))
}

fn write_temporary(
    folder: &Path,
    name: &str,
    text: &str,
    entropy: &dyn Entropy,
) -> anyhow::Result<PathBuf> {
    let random = data_encoding::HEXLOWER.encode(&entropy::bytes::<8>(entropy));
    let path = folder.join(format!(".{name}.{random}"));
    let written = || -> std::io::Result<()> {
        create_private_folder(folder)?;
        let mut file = private_file(&path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    written().with_context(|| format!("{} can't be written", path.display()))?;
    Ok(path)
}

#[cfg(unix)]
fn create_private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

#[cfg(unix)]
fn private_file(path: &Path) -> std::io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn create_private_folder(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(not(unix))]
fn private_file(path: &Path) -> std::io::Result<fs::File> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
}
