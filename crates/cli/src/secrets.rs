//! The secrets that must not be in the database: peppers, the keys of device cookies and photo URLs,
//! the key that encrypts webhook secrets. They are in `<data dir>/secrets`, readable by the server's
//! user only, or in the environment.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use headshot_app::peppers::{Pepper, Peppers};
use headshot_app::photos::Signer;
use headshot_app::vault::Vault;
use headshot_domain::{Entropy, entropy};
use zeroize::Zeroizing;

use crate::config::Config;

const PEPPER: &str = "pepper";
const RETIRED: &str = "pepper.retired";
const NEXT: &str = "pepper.next";
const COOKIE: &str = "cookie";
const ENCRYPTION: &str = "encryption";
const PHOTOS: &str = "photos";

pub(crate) fn folder(config: &Config) -> PathBuf {
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
    let mut others = several(&retired)
        .map(|text| Pepper::parse(text).context("retired_peppers"))
        .collect::<anyhow::Result<Vec<_>>>()?;
    // Known before it makes any key: servers that become current earlier are understood.
    if let Some(next) = read(&folder(config).join(NEXT))? {
        others.push(Pepper::parse(&next).context(NEXT)?);
    }
    Ok(Peppers::new(current, others))
}

/// The peppers of a list, without the blanks around them.
pub(crate) fn several(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', '\n'])
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// The key of device cookies.
pub(crate) fn cookie(config: &Config, entropy: &dyn Entropy) -> anyhow::Result<String> {
    match &config.cookie_secret {
        Some(secret) => Ok(secret.trim().to_owned()),
        None => Ok(load_or_create(&folder(config), COOKIE, entropy)?.to_string()),
    }
}

/// What signs the URLs of photos.
pub(crate) fn photo_signer(config: &Config, entropy: &dyn Entropy) -> anyhow::Result<Signer> {
    let secret = match &config.photo_secret {
        Some(text) => Zeroizing::new(text.clone()),
        None => load_or_create(&folder(config), PHOTOS, entropy)?,
    };
    Signer::parse(&secret).context("photo_secret")
}

/// The key that encrypts webhook secrets, made when it is asked for the first time.
pub(crate) fn vault(config: &Config, entropy: &dyn Entropy) -> anyhow::Result<Vault> {
    let key = match &config.encryption_key {
        Some(text) => Zeroizing::new(text.clone()),
        None => load_or_create(&folder(config), ENCRYPTION, entropy)?,
    };
    Vault::parse(&key).context("encryption_key")
}

/// Makes the pepper that [`rotate_pepper`] will make current; its id. Once there is one, that.
pub(crate) fn prepare_pepper(config: &Config, entropy: &dyn Entropy) -> anyhow::Result<String> {
    refuse_environment(config)?;
    let next = load_or_create(&folder(config), NEXT, entropy)?;
    Ok(Pepper::parse(&next).context(NEXT)?.id().to_owned())
}

/// Makes the prepared pepper current and retires the one before; the new one's id.
pub(crate) fn rotate_pepper(config: &Config, entropy: &dyn Entropy) -> anyhow::Result<String> {
    refuse_environment(config)?;
    let folder = folder(config);
    let Some(next) = read(&folder.join(NEXT))?.map(Zeroizing::new) else {
        anyhow::bail!(
            "no pepper is prepared: run headshot secrets prepare-pepper, restart every server, then run this again"
        );
    };
    let id = Pepper::parse(&next).context(NEXT)?.id().to_owned();
    let current = load_or_create(&folder, PEPPER, entropy)?;
    // After a stop between the last two steps it is current already.
    if current.trim() != next.trim() {
        let retired = read(&folder.join(RETIRED))?.unwrap_or_default();
        // First retire, then replace: whenever this stops, every key's pepper is still there.
        replace(&folder, RETIRED, &format!("{}\n{retired}", current.trim()))?;
        replace(&folder, PEPPER, &next)?;
    }
    let path = folder.join(NEXT);
    fs::remove_file(&path).with_context(|| format!("{} can't be removed", path.display()))?;
    Ok(id)
}

fn refuse_environment(config: &Config) -> anyhow::Result<()> {
    if config.pepper.is_some() {
        anyhow::bail!(
            "the pepper comes from HEADSHOT_PEPPER: see \"Rotate the pepper\" in docs/operating.md"
        );
    }
    Ok(())
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
