//! What the scope Photos lists: the photos of a session, and everybody's favourites.

use headshot_domain::{Liked, ModelId, ModelStatus, OrgId, PhotoId, PhotoStatus};
use headshot_imaging::Recipe;
use headshot_storage::photos;
use headshot_storage::{AsConn, Error, WriteTx, models, tallies};

use crate::App;
use crate::access::Visit;
use crate::models::{News, announce};
use crate::page::{Page, Slice};
use crate::shoots::THUMBNAIL_WIDTH;

pub use headshot_storage::photos::{Favorite, FavoriteFilter, Filter, Photo};

/// Why there is no photo.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    /// The organization has no such session.
    #[error("Model not found")]
    NoSuchModel,
    /// The session has no such photo.
    #[error("Photo not found")]
    NoSuchPhoto,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// The most photos that one request may ask for by id.
pub const IDS_MAX: usize = 1_000;

async fn known(conn: &mut impl AsConn, org: &OrgId, model: &ModelId) -> Result<(), PhotoError> {
    match models::find(conn, org, model).await? {
        Some(_) => Ok(()),
        None => Err(PhotoError::NoSuchModel),
    }
}

/// A page of a session's photos, in the order in which they were made.
pub async fn list(
    app: &App,
    (org, model): (&OrgId, &ModelId),
    filter: Filter,
    slice: Slice,
) -> Result<Page<Photo>, PhotoError> {
    let mut conn = app.db.read().await?;
    known(&mut conn, org, model).await?;
    let (items, total) = photos::list(&mut conn, (org, model), filter, slice.bounds()).await?;
    Ok(Page::new(items, total, slice))
}

/// The session's photo with this id.
pub async fn find(
    app: &App,
    (org, model): (&OrgId, &ModelId),
    id: &PhotoId,
) -> Result<Photo, PhotoError> {
    let mut conn = app.db.read().await?;
    let photo = photos::find(&mut conn, (org, model), id).await?;
    photo.ok_or(PhotoError::NoSuchPhoto)
}

/// The photo that the person chose.
pub async fn favorite(
    app: &App,
    (org, model): (&OrgId, &ModelId),
) -> Result<Option<Photo>, PhotoError> {
    let mut conn = app.db.read().await?;
    let found = models::find(&mut conn, org, model).await?;
    let found = found.ok_or(PhotoError::NoSuchModel)?;
    match &found.favorite {
        None => Ok(None),
        Some(id) => Ok(photos::find(&mut conn, (org, model), id).await?),
    }
}

/// The photos with these ids, or all when there are none. Unknown ids are skipped.
///
/// # Errors
/// [`PhotoError::NoSuchPhoto`] when all of them are unknown.
pub async fn some(
    app: &App,
    (org, model): (&OrgId, &ModelId),
    ids: &[PhotoId],
) -> Result<Vec<Photo>, PhotoError> {
    let mut conn = app.db.read().await?;
    known(&mut conn, org, model).await?;
    let filter = Filter {
        status: PhotoStatus::Active,
        liked: None,
    };
    let most = i64::try_from(IDS_MAX).unwrap_or(i64::MAX);
    let (mut found, _) = photos::list(&mut conn, (org, model), filter, (most, 0)).await?;
    if !ids.is_empty() {
        found.retain(|photo| ids.contains(&photo.id));
        if found.is_empty() {
            return Err(PhotoError::NoSuchPhoto);
        }
    }
    Ok(found)
}

/// Rates a photo: the person's own, while it is there.
pub async fn rate(app: &App, visit: &Visit, id: &PhotoId, liked: Liked) -> Result<(), PhotoError> {
    let mut tx = app.db.write().await?;
    own(&mut tx, visit, id).await?;
    photos::set_liked(&mut tx, id, liked).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes a photo the person's favourite, in place of the one before; the organization's receiver is
/// told. Choosing it again changes nothing.
pub async fn choose(app: &App, visit: &Visit, id: &PhotoId) -> Result<(), PhotoError> {
    let (org, model) = (&visit.org.id, &visit.model.id);
    let mut tx = app.db.write().await?;
    let before = crate::models::held(&mut tx, (org, model)).await?;
    let before = before.ok_or(PhotoError::NoSuchModel)?;
    own(&mut tx, visit, id).await?;
    // A photo can be chosen while others are still being made; a deleted session has none.
    if before.status == ModelStatus::Deleted {
        return Err(PhotoError::NoSuchModel);
    }
    if before.favorite.as_ref() == Some(id) {
        return Ok(());
    }
    let mut after = before.clone();
    after.favorite = Some(id.clone());
    models::update(&mut tx, &before, &after).await?;
    announce(app, &mut tx, News::FavoriteSelected, &after).await?;
    tx.commit().await?;
    Ok(())
}

async fn own(tx: &mut WriteTx, visit: &Visit, id: &PhotoId) -> Result<(), PhotoError> {
    let photo = photos::find(tx, (&visit.org.id, &visit.model.id), id).await?;
    let there = photo.filter(|photo| photo.status == PhotoStatus::Active);
    there.map(drop).ok_or(PhotoError::NoSuchPhoto)
}

/// A page of everybody's favourites, those of the newest sessions first.
pub async fn favorites(
    app: &App,
    org: &OrgId,
    filter: FavoriteFilter<'_>,
    slice: Slice,
) -> Result<Page<Favorite>, Error> {
    let mut conn = app.db.read().await?;
    let items = photos::favorites(&mut conn, org, filter, slice.bounds()).await?;
    let total = tallies::favorites(&mut conn, org, filter.team).await?;
    Ok(Page::new(items, total, slice))
}

/// What a photo's recipe tells of how it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// The backdrop's name, such as `navy`; empty where the recipe is gone.
    pub backdrop: String,
    /// Width and height of the thumbnail, in pixels.
    pub thumbnail: (usize, usize),
}

/// Reads a photo's recipe.
pub fn caption(photo: &Photo) -> Caption {
    let recipe = serde_json::from_str::<Recipe>(&photo.recipe);
    let look = recipe.map(|recipe| recipe.look).unwrap_or_default();
    let (width, height) = (look.size.width.max(1), look.size.height);
    Caption {
        backdrop: look.backdrop.name(),
        thumbnail: (THUMBNAIL_WIDTH, height * THUMBNAIL_WIDTH / width),
    }
}
