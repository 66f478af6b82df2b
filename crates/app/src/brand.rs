//! What an organization brings along for its shoots: backdrop images and a logo.
//!
//! They are rows, not objects, so that one transaction keeps them and the choice of looks together:
//! a choice names only what is there.

use bytes::Bytes;
use headshot_domain::{OrgId, api_key};
use headshot_imaging::backdrop::Backdrop;
use headshot_imaging::brand::{self, BrandError as Refusal, BrandImage};
use headshot_imaging::{Assets, DecodeError};
use headshot_storage::brand::{self as rows, Files};
use headshot_storage::{Error, WriteTx};
use sha2::{Digest, Sha256};

use crate::App;
use crate::audit::{self, Actor, Event};
use crate::shoots::{self, Choice};
use crate::studio::{StudioError, apart};

pub use headshot_storage::brand::{Asset, Kind};

/// The most backdrop images of one organization.
pub const IMAGES_MAX: usize = 8;

/// The most bytes of an uploaded backdrop image.
pub const IMAGE_BYTES_MAX: usize = 20 << 20;

/// The most bytes of a logo.
pub const LOGO_BYTES_MAX: usize = 1 << 20;

/// Images and logo: more rows than an organization can have are never read.
pub(crate) const ASSETS_MAX: i64 = 9;

/// The longest name that is kept, in characters.
const NAME_MAX: usize = 80;

/// The smallest backdrop image: width and height in pixels.
pub fn smallest() -> (usize, usize) {
    let size = brand::smallest();
    (size.width, size.height)
}

/// The most bytes of an uploaded file.
pub fn bytes_max(kind: Kind) -> usize {
    match kind {
        Kind::Backdrop => IMAGE_BYTES_MAX,
        Kind::Logo => LOGO_BYTES_MAX,
    }
}

/// Why an image or a logo is not taken or removed.
#[derive(Debug, thiserror::Error)]
pub enum BrandError {
    /// The organization has [`IMAGES_MAX`] images already.
    #[error("There are {IMAGES_MAX} images already. Remove one first.")]
    TooMany,
    /// The file has more than [`bytes_max`].
    #[error("This file is larger than {} MB.", bytes_max(*.0) >> 20)]
    TooLarge(Kind),
    /// It can't be used; the sentence says why.
    #[error("{0}")]
    Unusable(String),
    /// The same file is there already.
    #[error("This image is here already.")]
    Duplicate,
    /// Too many pictures are being looked at.
    #[error("The server is busy with other photos. Please try again in a minute.")]
    Busy,
    /// The organization has no such image.
    #[error("There is no such image.")]
    NotFound,
    /// The work on the picture ended early.
    #[error(transparent)]
    Studio(StudioError),
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

impl From<StudioError> for BrandError {
    fn from(error: StudioError) -> Self {
        match error {
            StudioError::Busy => Self::Busy,
            other => Self::Studio(other),
        }
    }
}

impl From<Refusal> for BrandError {
    fn from(refusal: Refusal) -> Self {
        Self::Unusable(refusal.to_string())
    }
}

/// An organization's images and its logo, oldest first.
pub async fn list(app: &App, org: &OrgId) -> Result<Vec<Asset>, Error> {
    let mut conn = app.db.read().await?;
    rows::list(&mut conn, org, ASSETS_MAX).await
}

/// What is stored of an upload.
struct Kept {
    file: Bytes,
    preview: Option<Vec<u8>>,
}

fn ready(kind: Kind, file: Bytes) -> Result<Kept, Refusal> {
    match kind {
        Kind::Backdrop => {
            let BrandImage { jpeg, preview } = brand::backdrop_image(&file)?;
            Ok(Kept {
                file: jpeg.into(),
                preview: Some(preview),
            })
        }
        Kind::Logo => {
            brand::check_logo(&file)?;
            Ok(Kept {
                file,
                preview: None,
            })
        }
    }
}

/// A file's name as it is kept: without folders, and without what looks like a key.
fn short(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = api_key::redact(name);
    let printed = name.chars().filter(|c| !c.is_control());
    let name: String = printed.take(NAME_MAX).collect();
    let name = name.trim();
    if name.is_empty() { "image" } else { name }.to_owned()
}

/// Takes an image that shoots may have behind their people from now on, or a logo, which takes the
/// place of the one before and is drawn from the next shoot on.
pub async fn add(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    kind: Kind,
    (name, bytes): (&str, Bytes),
) -> Result<Asset, BrandError> {
    if bytes.len() > bytes_max(kind) {
        return Err(BrandError::TooLarge(kind));
    }
    if kind == Kind::Backdrop {
        may_add(&list(app, org).await?)?;
    }
    let kept = {
        let _place = app.studio.place().await?;
        apart(move || ready(kind, bytes)).await??
    };
    let asset = Asset {
        digest: data_encoding::HEXLOWER.encode(&Sha256::digest(&kept.file)),
        kind,
        name: short(name),
        created_at: app.clock.now(),
    };
    let mut tx = app.db.write().await?;
    insert(&mut tx, org, (&asset, &kept)).await?;
    let event = Event {
        org: Some(org),
        action: "brand.added",
        target: format!("{}:{}", kind.name(), asset.digest),
        detail: serde_json::json!({ "name": asset.name }),
    };
    audit::record(&mut tx, actor, app.clock.now(), event).await?;
    tx.commit().await?;
    Ok(asset)
}

fn may_add(present: &[Asset]) -> Result<(), BrandError> {
    let images = present.iter().filter(|one| one.kind == Kind::Backdrop);
    if images.count() >= IMAGES_MAX {
        return Err(BrandError::TooMany);
    }
    Ok(())
}

async fn insert(
    tx: &mut WriteTx,
    org: &OrgId,
    (asset, kept): (&Asset, &Kept),
) -> Result<(), BrandError> {
    // From here on nobody else changes the organization's assets and choice.
    if !rows::hold(tx, org).await? {
        return Err(BrandError::NotFound);
    }
    let present = rows::list(tx, org, ASSETS_MAX).await?;
    if present.iter().any(|one| one.digest == asset.digest) {
        return Err(BrandError::Duplicate);
    }
    match asset.kind {
        Kind::Backdrop => may_add(&present)?,
        Kind::Logo => {
            for before in present.iter().filter(|one| one.kind == Kind::Logo) {
                rows::delete(tx, org, &before.digest).await?;
            }
            shoots::with_logo(tx, org, &asset.digest).await?;
        }
    }
    let files = Files {
        bytes: &kept.file,
        preview: kept.preview.as_deref(),
    };
    rows::insert(tx, org, (asset, files)).await?;
    Ok(())
}

/// Removes an image or the logo, and takes it out of the organization's choice; a choice without
/// any backdrop is the default one.
pub async fn remove(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    digest: &str,
) -> Result<Asset, BrandError> {
    let mut tx = app.db.write().await?;
    if !rows::hold(&mut tx, org).await? {
        return Err(BrandError::NotFound);
    }
    let present = rows::list(&mut tx, org, ASSETS_MAX).await?;
    let asset = present.into_iter().find(|one| one.digest == digest);
    let asset = asset.ok_or(BrandError::NotFound)?;
    rows::delete(&mut tx, org, digest).await?;
    shoots::without_asset(&mut tx, org, digest).await?;
    let event = Event {
        org: Some(org),
        action: "brand.removed",
        target: format!("{}:{}", asset.kind.name(), asset.digest),
        detail: serde_json::json!({ "name": asset.name }),
    };
    audit::record(&mut tx, actor, app.clock.now(), event).await?;
    tx.commit().await?;
    Ok(asset)
}

/// A small picture of an image, a JPEG, or the logo as it is, a PNG; `None` when the organization
/// has no such asset.
pub async fn shown(app: &App, org: &OrgId, digest: &str) -> Result<Option<(Kind, Vec<u8>)>, Error> {
    let mut conn = app.db.read().await?;
    rows::shown(&mut conn, org, digest).await
}

/// Why a shoot's assets are not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BringError {
    /// What is stored can't be read.
    #[error("the image {digest} can't be read")]
    Unreadable { digest: String, source: DecodeError },
    #[error(transparent)]
    Studio(#[from] StudioError),
    #[error(transparent)]
    Internal(#[from] Error),
}

/// The images and the logo that a choice names, ready for the engine, and the choice without those
/// that have been removed since it was read.
pub(crate) async fn bring(
    app: &App,
    org: &OrgId,
    choice: Choice,
) -> Result<(Choice, Assets), BringError> {
    let images = choice
        .backdrops
        .iter()
        .filter_map(|backdrop| match backdrop {
            Backdrop::Image(digest) => Some(digest),
            _ => None,
        });
    let mut named: Vec<&String> = images.chain(&choice.logo).collect();
    named.sort();
    named.dedup();
    let (mut assets, mut present) = (Assets::default(), Vec::new());
    for digest in named {
        let found = {
            let mut conn = app.db.read().await?;
            rows::read(&mut conn, org, digest).await?
        };
        let Some((kind, bytes)) = found else { continue };
        let read = apart(move || {
            let added = match kind {
                Kind::Backdrop => assets.add_backdrop(&bytes).map(|_named| ()),
                Kind::Logo => assets.add_logo(&bytes).map(|_digest| ()),
            };
            added.map(|()| assets)
        });
        assets = read.await?.map_err(|source| BringError::Unreadable {
            digest: digest.clone(),
            source,
        })?;
        present.push(digest.clone());
    }
    Ok((
        choice.with_only(|digest| present.iter().any(|one| one == digest)),
        assets,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_short_and_without_folders() {
        assert_eq!(short("C:\\pictures\\hall.jpg"), "hall.jpg");
        assert_eq!(short("/tmp/a\u{7}b.png"), "ab.png");
        assert_eq!(short(" "), "image");
        assert_eq!(short(&"n".repeat(NAME_MAX + 1)), "n".repeat(NAME_MAX));
    }
}
