//! Photos that people upload of themselves: judged at once, kept until the shoot needs them no more.

use bytes::Bytes;
use headshot_domain::{ImageFormat, ModelStatus, UploadId};
use headshot_imaging::decode::Format;
use headshot_storage::{Error, models, uploads};
use sha2::{Digest, Sha256};

use crate::App;
use crate::access::Visit;
use crate::consent;
use crate::objects::{self, preview_key, upload_key};
use crate::studio::StudioError;

mod people;

pub use crate::studio::BYTES_MAX;
use headshot_imaging::Descriptor;
pub use headshot_imaging::{Finding, Severity, Verdict};
pub(crate) use people::{CompareError, compare};

/// The most photos that one session takes.
pub const UPLOADS_MAX: usize = 20;

/// An uploaded photo and what is said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Whether the shoot may use it.
    pub usable: bool,
    /// What the engine says of it.
    pub verdict: Verdict,
}

/// Why a photo is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The session has [`UPLOADS_MAX`] already.
    #[error("You have uploaded {UPLOADS_MAX} photos already. Remove one first.")]
    TooMany,
    /// The file has more than [`BYTES_MAX`] bytes.
    #[error("This file is larger than {} MB.", BYTES_MAX >> 20)]
    TooLarge,
    /// It is no readable photo; the sentence says what is wrong.
    #[error("{0}")]
    NotAPhoto(String),
    /// The same file was uploaded before.
    #[error("You have uploaded this photo already.")]
    Duplicate,
    /// The person has not agreed yet.
    #[error("Please agree to how your photos are used first.")]
    NoConsent,
    /// The photos were submitted before, or the session is deleted.
    #[error("No more photos can be added or removed: your headshots are on their way.")]
    NotNow(ModelStatus),
    /// Too many photos are being judged.
    #[error("The server is busy with other photos. Please try again in a minute.")]
    Busy,
    /// The session has no such upload.
    #[error("There is no such photo.")]
    NotFound,
    /// The studio failed.
    #[error(transparent)]
    Studio(StudioError),
    /// The objects can't be written or read.
    #[error(transparent)]
    Objects(Box<headshot_blobs::Error>),
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

impl From<headshot_blobs::Error> for UploadError {
    fn from(error: headshot_blobs::Error) -> Self {
        Self::Objects(Box::new(error))
    }
}

impl From<StudioError> for UploadError {
    fn from(error: StudioError) -> Self {
        match error {
            StudioError::Busy => Self::Busy,
            other => Self::Studio(other),
        }
    }
}

fn read(row: &uploads::Upload) -> Result<Upload, Error> {
    let verdict = serde_json::from_str(&row.verdict).ok();
    let verdict = verdict.ok_or(Error::Corrupt {
        table: "uploads",
        column: "verdict",
    })?;
    Ok(Upload {
        id: row.id.clone(),
        usable: row.usable,
        verdict,
    })
}

/// A verdict as it is stored.
fn words(verdict: &Verdict) -> Result<String, Error> {
    serde_json::to_string(verdict).map_err(|_never| Error::Corrupt {
        table: "uploads",
        column: "verdict",
    })
}

/// A session's uploads, oldest first.
pub async fn list(app: &App, visit: &Visit) -> Result<Vec<Upload>, Error> {
    let mut conn = app.db.read().await?;
    let rows = uploads::of_model(&mut conn, visit.ids()).await?;
    rows.iter().map(read).collect()
}

/// Takes a photo and judges it. One that the shoot can't use is kept too, with its reason, until the
/// person removes it; only what is no photo is not taken at all. A usable one is compared with the
/// others, which may change what is said of them too.
pub async fn add(app: &App, visit: &Visit, bytes: Bytes) -> Result<Upload, UploadError> {
    if bytes.len() > BYTES_MAX {
        return Err(UploadError::TooLarge);
    }
    let digest = Sha256::digest(&bytes).to_vec();
    {
        let mut conn = app.db.read().await?;
        may_add(&uploads::of_model(&mut conn, visit.ids()).await?, &digest)?;
    }
    if visit.model.status != ModelStatus::Onboarding {
        return Err(UploadError::NotNow(visit.model.status));
    }
    if consent::given(app, visit).await?.is_none() {
        return Err(UploadError::NoConsent);
    }
    let judged = app.studio.judge(bytes.clone()).await?;
    let judged = judged.map_err(UploadError::NotAPhoto)?;
    let row = uploads::Upload {
        id: UploadId::generate(&*app.entropy),
        org: visit.org.id.clone(),
        model: visit.model.id.clone(),
        digest,
        format: format(judged.format).name().to_owned(),
        bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        verdict: words(&judged.verdict)?,
        usable: judged.verdict.usable,
        created_at: app.clock.now(),
    };
    // The objects first: a row without an object would be a lie. Should the row not come to be, the
    // objects go again; after a kill between the two, `headshot doctor` finds them.
    let (photo, preview) = (upload_key(&row)?, preview_key(&row));
    app.objects.put(&photo, bytes).await?;
    app.objects.put(&preview, judged.preview.into()).await?;
    if let Err(error) = insert(app, visit, &row).await {
        app.objects
            .delete(vec![photo.path(), preview.path()])
            .await?;
        return Err(error);
    }
    let Some(face) = judged.face else {
        return Ok(read(&row)?);
    };
    recompare(app, visit, Some((row.id.clone(), face))).await;
    let mut conn = app.db.read().await?;
    let compared = uploads::find(&mut conn, visit.ids(), &row.id).await?;
    Ok(read(&compared.unwrap_or(row))?)
}

/// Compares the session's photos. A failure costs nobody a photo: the shoot compares once more.
async fn recompare(app: &App, visit: &Visit, fresh: Option<(UploadId, Descriptor)>) {
    if let Err(error) = compare(app, visit.ids(), ModelStatus::Onboarding, fresh).await {
        app.report(&error, "a session's photos were not compared");
    }
}

fn may_add(present: &[uploads::Upload], digest: &[u8]) -> Result<(), UploadError> {
    if present.iter().any(|upload| upload.digest == digest) {
        return Err(UploadError::Duplicate);
    }
    if present.len() >= UPLOADS_MAX {
        return Err(UploadError::TooMany);
    }
    Ok(())
}

async fn insert(app: &App, visit: &Visit, row: &uploads::Upload) -> Result<(), UploadError> {
    let mut tx = app.db.write().await?;
    let (org, id) = visit.ids();
    // From here on nobody else adds a photo to the session, submits it or deletes it.
    if !models::hold(&mut tx, (org, id), ModelStatus::Onboarding).await? {
        let now = models::find(&mut tx, org, id).await?;
        let status = now.map_or(ModelStatus::Deleted, |model| model.status);
        return Err(UploadError::NotNow(status));
    }
    may_add(&uploads::of_model(&mut tx, (org, id)).await?, &row.digest)?;
    uploads::insert(&mut tx, row).await?;
    tx.commit().await?;
    Ok(())
}

fn format(format: Format) -> ImageFormat {
    match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::Webp => ImageFormat::Webp,
        Format::Heic => ImageFormat::Heic,
    }
}

/// Removes a photo before the session is submitted.
pub async fn remove(app: &App, visit: &Visit, id: &UploadId) -> Result<(), UploadError> {
    let mut tx = app.db.write().await?;
    if !models::hold(&mut tx, visit.ids(), ModelStatus::Onboarding).await? {
        return Err(UploadError::NotNow(visit.model.status));
    }
    let row = uploads::find(&mut tx, visit.ids(), id).await?;
    let row = row.ok_or(UploadError::NotFound)?;
    let doomed = objects::doom_upload(app, &mut tx, &row).await?;
    let left = uploads::of_model(&mut tx, visit.ids()).await?;
    tx.commit().await?;
    objects::erase(app, doomed).await;
    let mut depends = left.iter().filter_map(|row| read(row).ok());
    if depends.any(|one| people::depends_on_others(&one.verdict)) {
        recompare(app, visit, None).await;
    }
    Ok(())
}

/// The small JPEG that shows an upload; `None` when there is none.
pub async fn preview(
    app: &App,
    visit: &Visit,
    id: &UploadId,
) -> Result<Option<Bytes>, UploadError> {
    let row = {
        let mut conn = app.db.read().await?;
        uploads::find(&mut conn, visit.ids(), id).await?
    };
    match row {
        Some(row) => Ok(objects::whole(app, &preview_key(&row)).await?),
        None => Ok(None),
    }
}
