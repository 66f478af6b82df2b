//! `headshot backup` and `headshot restore`: database, objects and secrets as one folder.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use headshot_app::maintenance;
use headshot_blobs::{Children, Location, Objects};

use crate::config::Config;
use crate::{output, secrets, wiring};

const DATABASE: &str = "headshot.db";
const OBJECTS: &str = "objects";
const SECRETS: &str = "secrets";
/// Written last: without it, a backup is not whole.
const COMPLETE: &str = "complete";

/// Database first: an object that is deleted meanwhile is then missing, but none that is new.
pub(crate) async fn back_up(config: &Config, folder: &Path) -> anyhow::Result<()> {
    let db = wiring::open_existing(config).await?;
    let objects = Objects::open(&config.storage)?;
    make_empty(folder)?;
    if !db.copy_to(&folder.join(DATABASE)).await? {
        output::line(format!(
            "The database is PostgreSQL's to copy: pg_dump --format=custom --file={} <database url>",
            folder.join("headshot.dump").display()
        ));
    }
    copy_secrets(&secrets::folder(config), &folder.join(SECRETS))?;
    let copied = objects.copy_to(&in_folder(folder)?).await?;
    secrets::write_private(&folder.join(COMPLETE), db.product())?;
    output::line(format!(
        "{} and {copied} objects are in {}. It holds the secrets: keep it safe.",
        db.product(),
        folder.display()
    ));
    Ok(())
}

/// Puts everything back where nothing is yet.
pub(crate) async fn restore(config: &Config, folder: &Path) -> anyhow::Result<()> {
    let complete = folder.join(COMPLETE);
    let product = fs::read_to_string(&complete)
        .with_context(|| format!("{} is no whole backup", folder.display()))?;
    let objects = Objects::open(&config.storage)?;
    ensure!(
        objects.children("").await? == Children::default(),
        "there are objects at {} already",
        objects.location()
    );
    let target = config.database_url.strip_prefix("sqlite://");
    match (product.as_str(), target) {
        ("SQLite", Some(path)) => restore_database(&folder.join(DATABASE), Path::new(path)).await?,
        ("PostgreSQL", None) => {
            let db = wiring::open_existing(config).await?;
            db.missing_migrations().await.context(
                "restore the database first: pg_restore --dbname=<database url> headshot.dump",
            )?;
        }
        _ => bail!("the backup is of {product}, and database_url is of the other kind"),
    }
    copy_secrets(&folder.join(SECRETS), &secrets::folder(config))?;
    let copied = in_folder(folder)?.copy_to(&objects).await?;
    let app = wiring::app(config).await?;
    let restored = maintenance::restored(&app).await?;
    output::line(format!(
        "{copied} objects are restored. headshot doctor checks that everything fits together."
    ));
    output::line(format!(
        "All sessions and sign-in links have ended. {keys} API keys are as they were at {until}: those \
         that were deleted since work again. List them with headshot key list, and delete with \
         headshot key delete.",
        keys = restored.live_keys,
        until = restored.until,
    ));
    Ok(())
}

fn in_folder(folder: &Path) -> anyhow::Result<Objects> {
    let location = Location::Folder(folder.join(OBJECTS));
    Ok(Objects::open(&location)?)
}

fn make_empty(folder: &Path) -> anyhow::Result<()> {
    let failed = || format!("{} can't be made", folder.display());
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(failed)?;
    let mut entries = fs::read_dir(folder).with_context(failed)?;
    ensure!(
        entries.next().is_none(),
        "{} is not empty",
        folder.display()
    );
    Ok(())
}

async fn restore_database(from: &Path, to: &Path) -> anyhow::Result<()> {
    ensure!(
        !to.exists(),
        "there is a database at {} already",
        to.display()
    );
    // A copy by the database itself fails on a file that is none.
    Ok(headshot_storage::copy_sqlite(from, to).await?)
}

/// Copies the secrets; those that are there already have to be the same.
fn copy_secrets(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut files: Vec<PathBuf> = match fs::read_dir(from) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?,
        // They are all in the environment.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            return Err(error).with_context(|| format!("{} can't be read", from.display()));
        }
    };
    files.retain(|path| is_secret(path));
    for file in files {
        let text = fs::read_to_string(&file)
            .with_context(|| format!("{} can't be read", file.display()))?;
        let target = to.join(file.file_name().unwrap_or_default());
        if let Ok(there) = fs::read_to_string(&target) {
            ensure!(there == text, "{} is another secret", target.display());
        } else {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(to)
                .with_context(|| format!("{} can't be made", to.display()))?;
            secrets::write_private(&target, &text)?;
        }
    }
    Ok(())
}

/// What begins with a dot was being written.
fn is_secret(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| !name.starts_with('.'))
}
