//! Generated photos.

use headshot_domain::{Liked, ModelId, OrgId, PhotoId, PhotoStatus, TeamId, Timestamp};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, fetch_optional, statements};
use crate::error::Error;
use crate::parsed;
use crate::teams::Team;

/// A photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// The public id.
    pub id: PhotoId,
    /// The organization.
    pub org: OrgId,
    /// Whose session made it.
    pub model: ModelId,
    /// Its number within the session.
    pub place: i64,
    /// Whether its files are there.
    pub status: PhotoStatus,
    /// The person's rating.
    pub liked: Liked,
    /// How its files end: `jpg`, `png` or `webp`.
    pub format: String,
    /// What it was made with, as JSON; empty once it is deleted.
    pub recipe: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its files were deleted.
    pub deleted_at: Option<Timestamp>,
}

/// Somebody's favourite and who that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Favorite {
    /// The photo.
    pub photo: Photo,
    /// The person's address.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// The person's team.
    pub team: Option<Team>,
}

/// Which photos a list holds.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// Of this status only.
    pub status: PhotoStatus,
    /// With this rating only.
    pub liked: Option<Liked>,
}

/// Which favourites a list holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct FavoriteFilter<'a> {
    /// Of this team only.
    pub team: Option<&'a TeamId>,
}

macro_rules! favorites {
    ($rest:literal) => {
        concat!(
            "SELECT p.id, p.org_id, p.model_id, p.place, p.status, p.liked, p.format, p.recipe, p.created_at, \
             p.deleted_at, m.email, m.title, m.team_id, t.name AS team_name FROM models m \
             JOIN photos p ON p.id = m.favorite_id LEFT JOIN teams t ON t.id = m.team_id \
             WHERE m.org_id = $1 AND m.favorite_id IS NOT NULL ",
            $rest
        )
    };
}

statements! {
    INSERT = "INSERT INTO photos (id, org_id, model_id, place, status, liked, format, recipe, created_at, deleted_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (model_id, place) DO NOTHING";
    LIST = "SELECT id, org_id, model_id, place, status, liked, format, recipe, created_at, deleted_at FROM photos \
        WHERE model_id = $1 AND org_id = $2 AND status = $3 AND (liked = $4 OR $4 IS NULL) ORDER BY place LIMIT $5 OFFSET $6";
    COUNT = "SELECT COUNT(*) FROM photos WHERE model_id = $1 AND org_id = $2 AND status = $3 AND (liked = $4 OR $4 IS NULL)";
    FIND = "SELECT id, org_id, model_id, place, status, liked, format, recipe, created_at, deleted_at FROM photos \
        WHERE id = $1 AND model_id = $2 AND org_id = $3";
    FIND_BY_ID = "SELECT id, org_id, model_id, place, status, liked, format, recipe, created_at, deleted_at FROM photos WHERE id = $1";
    SET_LIKED = "UPDATE photos SET liked = $2 WHERE id = $1 AND status = 'active'";
    DELETE_OF_MODEL = "UPDATE photos SET status = 'deleted', deleted_at = $2, recipe = '' WHERE model_id = $1 AND status = 'active'";
    ACTIVE = "SELECT id, org_id, model_id, place, status, liked, format, recipe, created_at, deleted_at FROM photos \
        WHERE model_id = $1 AND org_id = $2 AND status = 'active' ORDER BY place";
    PLACES = "SELECT place, status FROM photos WHERE model_id = $1 ORDER BY place";
    FAVORITES = favorites!("ORDER BY m.created_at DESC, m.id DESC LIMIT $2 OFFSET $3");
    FAVORITES_OF_TEAM = favorites!("AND m.team_id = $4 ORDER BY m.created_at DESC, m.id DESC LIMIT $2 OFFSET $3");
    DELETED_BEFORE = "SELECT COUNT(*) FROM photos WHERE model_id = $1 AND deleted_at < $2";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    org_id: String,
    model_id: String,
    place: i64,
    status: String,
    liked: String,
    format: String,
    recipe: String,
    created_at: i64,
    deleted_at: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct FavoriteRow {
    #[sqlx(flatten)]
    photo: Row,
    email: String,
    title: String,
    team_id: Option<String>,
    team_name: Option<String>,
}

impl TryFrom<Row> for Photo {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            org: row.org_id.into(),
            model: row.model_id.into(),
            place: row.place,
            status: parsed(&row.status, "photos", "status")?,
            liked: parsed(&row.liked, "photos", "liked")?,
            format: row.format,
            recipe: row.recipe,
            created_at: Timestamp::from_unix_ms(row.created_at),
            deleted_at: row.deleted_at.map(Timestamp::from_unix_ms),
        })
    }
}

/// Stores a new photo; `false` when the session has one at that place already.
pub async fn insert(tx: &mut WriteTx, photo: &Photo) -> Result<bool, Error> {
    let inserted = execute!(
        tx,
        INSERT,
        photo.id.as_str(),
        photo.org.as_str(),
        photo.model.as_str(),
        photo.place,
        photo.status.name(),
        photo.liked.name(),
        &photo.format,
        &photo.recipe,
        photo.created_at.unix_ms(),
        photo.deleted_at.map(Timestamp::unix_ms),
    )?;
    Ok(inserted == 1)
}

/// A page of a session's photos, in the order of their places, and how many there are in all.
pub async fn list(
    conn: &mut impl AsConn,
    (org, model): (&OrgId, &ModelId),
    filter: Filter,
    (limit, offset): (i64, i64),
) -> Result<(Vec<Photo>, i64), Error> {
    let (org, model) = (org.as_str(), model.as_str());
    let (status, liked) = (filter.status.name(), filter.liked.map(Liked::name));
    let rows = fetch_all!(conn, Row, LIST, model, org, status, liked, limit, offset)?;
    let photos: Result<Vec<Photo>, Error> = rows.into_iter().map(Photo::try_from).collect();
    let (total,) = fetch_one!(conn, (i64,), COUNT, model, org, status, liked)?;
    Ok((photos?, total))
}

/// The session's photo with this id.
pub async fn find(
    conn: &mut impl AsConn,
    (org, model): (&OrgId, &ModelId),
    id: &PhotoId,
) -> Result<Option<Photo>, Error> {
    let row = fetch_optional!(conn, Row, FIND, id.as_str(), model.as_str(), org.as_str())?;
    row.map(Photo::try_from).transpose()
}

/// The photo with this id, whatever its organization: for signed URLs, which have proven it.
pub async fn find_by_id(conn: &mut impl AsConn, id: &PhotoId) -> Result<Option<Photo>, Error> {
    let row = fetch_optional!(conn, Row, FIND_BY_ID, id.as_str())?;
    row.map(Photo::try_from).transpose()
}

/// All photos of a session whose files are there; a shoot makes a limited number.
pub async fn active(
    conn: &mut impl AsConn,
    (org, model): (&OrgId, &ModelId),
) -> Result<Vec<Photo>, Error> {
    let rows = fetch_all!(conn, Row, ACTIVE, model.as_str(), org.as_str())?;
    rows.into_iter().map(Photo::try_from).collect()
}

/// Which places of a session are taken, deleted photos' too.
pub async fn places(
    conn: &mut impl AsConn,
    model: &ModelId,
) -> Result<Vec<(i64, PhotoStatus)>, Error> {
    let rows = fetch_all!(conn, (i64, String), PLACES, model.as_str())?;
    rows.into_iter()
        .map(|(place, status)| Ok((place, parsed(&status, "photos", "status")?)))
        .collect()
}

/// Whether a photo of a session was deleted before a time.
pub async fn deleted_before(
    conn: &mut impl AsConn,
    model: &ModelId,
    at: Option<Timestamp>,
) -> Result<bool, Error> {
    let at = at.map(Timestamp::unix_ms);
    Ok(fetch_one!(conn, (i64,), DELETED_BEFORE, model.as_str(), at)?.0 > 0)
}

/// Replaces the rating of a photo.
pub async fn set_liked(tx: &mut WriteTx, id: &PhotoId, liked: Liked) -> Result<(), Error> {
    execute!(tx, SET_LIKED, id.as_str(), liked.name())?;
    Ok(())
}

/// Marks all photos of a session as deleted and forgets how they were made.
pub async fn delete_of_model(
    tx: &mut WriteTx,
    model: &ModelId,
    now: Timestamp,
) -> Result<u64, Error> {
    execute!(tx, DELETE_OF_MODEL, model.as_str(), now.unix_ms())
}

/// A page of everybody's favourites, those of the newest sessions first.
pub async fn favorites(
    conn: &mut impl AsConn,
    org: &OrgId,
    filter: FavoriteFilter<'_>,
    (limit, offset): (i64, i64),
) -> Result<Vec<Favorite>, Error> {
    let org = org.as_str();
    let rows = match filter.team {
        None => fetch_all!(conn, FavoriteRow, FAVORITES, org, limit, offset)?,
        Some(team) => {
            let team = team.as_str();
            fetch_all!(
                conn,
                FavoriteRow,
                FAVORITES_OF_TEAM,
                org,
                limit,
                offset,
                team
            )?
        }
    };
    let favorite = |row: FavoriteRow| {
        Ok(Favorite {
            photo: row.photo.try_into()?,
            email: row.email,
            name: row.title,
            team: Team::joined(row.team_id, row.team_name),
        })
    };
    rows.into_iter().map(favorite).collect()
}
