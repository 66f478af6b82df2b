//! Objects in a folder of this machine.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use object_store::local::LocalFileSystem;

/// Opens the folder, after making it for the server's user only. Writes last when they return.
pub(crate) fn open(path: &Path) -> object_store::Result<LocalFileSystem> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(generic)?;
    Ok(LocalFileSystem::new_with_prefix(path)?
        .with_automatic_cleanup(true)
        .with_fsync(true))
}

/// Removes a folder with everything that is in it. One that is not there is no error.
pub(crate) async fn remove(path: PathBuf) -> object_store::Result<()> {
    blocking(move || match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
    .await
}

/// Removes the files of interrupted writes that nobody has touched for `age`.
pub(crate) async fn sweep(root: PathBuf, age: Duration) -> object_store::Result<u64> {
    blocking(move || {
        let mut folders = vec![root];
        let mut removed = 0;
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(folder) {
                // Deleted meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if is_unfinished(&entry) && is_older(&entry, age) {
                    removed += u64::from(fs::remove_file(entry.path()).is_ok());
                }
            }
        }
        Ok(removed)
    })
    .await
}

/// The store writes `name#number` and renames it to `name`.
fn is_unfinished(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let number = name.to_str().and_then(|name| name.rsplit_once('#'));
    number.is_some_and(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_older(entry: &fs::DirEntry, age: Duration) -> bool {
    let touched = entry.metadata().and_then(|metadata| metadata.modified());
    let since = touched.ok().and_then(|touched| touched.elapsed().ok());
    since.is_some_and(|since| since >= age)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> object_store::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(generic),
        Err(source) => Err(object_store::Error::JoinError { source }),
    }
}

fn generic(source: io::Error) -> object_store::Error {
    object_store::Error::Generic {
        store: "folder",
        source: Box::new(source),
    }
}
