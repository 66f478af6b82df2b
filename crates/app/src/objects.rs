//! Deleting objects for good.
//!
//! The transaction that deletes rows dooms their objects ([`doom_model`] and its like): that much
//! survives a kill. [`erase`] deletes them right after the commit; what it does not finish, the
//! worker does ([`run`]), from the next start on. An hour later they are deleted once more, because
//! somebody may still have been writing, and then forgotten.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use headshot_blobs::{Key, model_folder};
use headshot_domain::{ModelId, OrgId, Timestamp, Variant};
use headshot_storage::doomed::{self, Doomed as Row};
use headshot_storage::photos::{self, Photo};
use headshot_storage::uploads::{self, Upload};
use headshot_storage::{Error, WriteTx};
use tokio_util::sync::CancellationToken;

use crate::App;

/// How often the worker looks for what is left to delete.
const EVERY: Duration = Duration::from_mins(1);

/// Whoever was writing when an object was doomed has ended by then.
pub const WRITERS_MAX: Duration = Duration::from_hours(1);

/// How many are taken at once.
const AT_ONCE: i64 = 500;

/// What a transaction has doomed; to be erased after its commit.
#[derive(Debug, Default)]
#[must_use = "commit, then erase it"]
pub struct Doomed(Vec<Row>);

impl Doomed {
    /// How many objects or folders.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing to erase.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    async fn add(&mut self, tx: &mut WriteTx, row: Row) -> Result<(), Error> {
        doomed::insert(tx, &row).await?;
        self.0.push(row);
        Ok(())
    }
}

/// A failed deletion of objects.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The objects can't be deleted.
    #[error(transparent)]
    Objects(#[from] headshot_blobs::Error),
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Deletes everything of a model but its own row, with what the rows say of the person.
pub async fn doom_model(
    app: &App,
    tx: &mut WriteTx,
    (org, model): (&OrgId, &ModelId),
) -> Result<Doomed, Error> {
    let now = app.clock.now();
    photos::delete_of_model(tx, model, now).await?;
    uploads::delete_of_model(tx, model, Timestamp::from_unix_ms(i64::MAX)).await?;
    let mut doomed = Doomed::default();
    let row = Row {
        path: model_folder(org, model),
        folder: true,
        since: now,
    };
    doomed.add(tx, row).await?;
    Ok(doomed)
}

/// Deletes a model's generated photos; the person may make new ones.
pub async fn doom_photos(
    app: &App,
    tx: &mut WriteTx,
    (org, model): (&OrgId, &ModelId),
) -> Result<Doomed, Error> {
    let now = app.clock.now();
    let mut doomed = Doomed::default();
    for photo in photos::active(tx, (org, model)).await? {
        for key in photo_keys(&photo)? {
            doomed.add(tx, row(&key, now)).await?;
        }
    }
    photos::delete_of_model(tx, model, now).await?;
    Ok(doomed)
}

/// Deletes what a person uploaded at `until` or before; how many uploads that were.
pub async fn doom_uploads(
    app: &App,
    tx: &mut WriteTx,
    (org, model): (&OrgId, &ModelId),
    until: Timestamp,
) -> Result<(Doomed, usize), Error> {
    let mut doomed = Doomed::default();
    let mut old = uploads::of_model(tx, (org, model)).await?;
    old.retain(|upload| upload.created_at <= until);
    for upload in &old {
        add_upload(app, tx, (&mut doomed, upload)).await?;
    }
    uploads::delete_of_model(tx, model, until).await?;
    Ok((doomed, old.len()))
}

/// Deletes one upload.
pub async fn doom_upload(app: &App, tx: &mut WriteTx, upload: &Upload) -> Result<Doomed, Error> {
    let mut doomed = Doomed::default();
    add_upload(app, tx, (&mut doomed, upload)).await?;
    uploads::delete(tx, &upload.model, &upload.id).await?;
    Ok(doomed)
}

async fn add_upload(
    app: &App,
    tx: &mut WriteTx,
    (doomed, upload): (&mut Doomed, &Upload),
) -> Result<(), Error> {
    let now = app.clock.now();
    for key in [upload_key(upload)?, preview_key(upload)] {
        doomed.add(tx, row(&key, now)).await?;
    }
    Ok(())
}

fn row(key: &Key, since: Timestamp) -> Row {
    Row {
        path: key.path(),
        folder: false,
        since,
    }
}

/// The three objects of a photo.
pub fn photo_keys(photo: &Photo) -> Result<Vec<Key>, Error> {
    let keys = Variant::ALL.iter().map(|size| photo_key(photo, *size));
    keys.collect()
}

/// The object of a photo in one of its sizes.
pub fn photo_key(photo: &Photo, variant: Variant) -> Result<Key, Error> {
    let corrupt = Error::Corrupt {
        table: "photos",
        column: "format",
    };
    Ok(Key::Photo {
        org: photo.org.clone(),
        model: photo.model.clone(),
        photo: photo.id.clone(),
        variant,
        format: photo.format.parse().ok().ok_or(corrupt)?,
    })
}

/// The object of an upload.
pub fn upload_key(upload: &Upload) -> Result<Key, Error> {
    let corrupt = Error::Corrupt {
        table: "uploads",
        column: "format",
    };
    Ok(Key::Upload {
        org: upload.org.clone(),
        model: upload.model.clone(),
        upload: upload.id.clone(),
        format: upload.format.parse().ok().ok_or(corrupt)?,
    })
}

/// The object that shows an upload on a page.
pub fn preview_key(upload: &Upload) -> Key {
    Key::Preview {
        org: upload.org.clone(),
        model: upload.model.clone(),
        upload: upload.id.clone(),
    }
}

/// A whole object, if it is there. Only for objects whose size was limited when they were stored.
pub(crate) async fn whole(app: &App, key: &Key) -> Result<Option<Bytes>, headshot_blobs::Error> {
    let Some(object) = app.objects.get(key, None).await? else {
        return Ok(None);
    };
    let parts = object.content;
    let all = parts.try_fold(BytesMut::new(), |mut all, part| async move {
        all.extend_from_slice(&part);
        Ok(all)
    });
    Ok(Some(all.await?.freeze()))
}

/// Deletes what a committed transaction has doomed. A failure is told to the operator and left to
/// the worker: for the caller, the rows are gone.
pub async fn erase(app: &App, doomed: Doomed) {
    if let Err(error) = delete(app, &doomed.0).await {
        app.report(
            &error,
            "objects were not deleted yet; it is tried again every minute",
        );
    }
}

async fn delete(app: &App, rows: &[Row]) -> Result<(), EraseError> {
    remove(app, rows).await?;
    let mut tx = app.db.write().await?;
    for row in rows {
        doomed::set_gone(&mut tx, row).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn remove(app: &App, rows: &[Row]) -> Result<(), headshot_blobs::Error> {
    let (folders, single): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.folder);
    for row in folders {
        app.objects.delete_folder(&row.path).await?;
    }
    let paths = single.iter().map(|row| row.path.clone()).collect();
    app.objects.delete(paths).await
}

/// Finishes deletions once a minute until `stop`.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        if let Err(error) = finish(&app).await {
            app.report(
                &error,
                "deleting objects failed; it is tried again in a minute",
            );
        }
        let pause = tokio::time::sleep(EVERY);
        if stop.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

/// Deletes everything that is doomed and not known to be gone, and once more what was doomed an
/// hour ago.
///
/// # Errors
/// The first failure; the rest is left for the next time.
pub async fn finish(app: &App) -> Result<(), EraseError> {
    let now = app.clock.now();
    while let Some(rows) = due(app, (false, now)).await? {
        delete(app, &rows).await?;
    }
    while let Some(rows) = due(app, (true, now.minus(WRITERS_MAX))).await? {
        remove(app, &rows).await?;
        let mut tx = app.db.write().await?;
        for row in &rows {
            doomed::forget(&mut tx, row).await?;
        }
        tx.commit().await?;
    }
    app.objects.sweep_unfinished(WRITERS_MAX).await?;
    Ok(())
}

async fn due(app: &App, which: (bool, Timestamp)) -> Result<Option<Vec<Row>>, Error> {
    let mut conn = app.db.read().await?;
    let rows = doomed::due(&mut conn, which, AT_ONCE).await?;
    Ok((!rows.is_empty()).then_some(rows))
}
