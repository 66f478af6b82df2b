//! Teams.

use headshot_domain::{OrgId, TeamId, Timestamp, UserId};
use icu_normalizer::ComposingNormalizerBorrowed;

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, fetch_optional, statements};
use crate::error::Error;

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// The public id.
    pub id: TeamId,
    /// The name, unique in its organization whatever the case.
    pub name: String,
}

impl Team {
    /// From the columns of an outer join.
    pub(crate) fn joined(id: Option<String>, name: Option<String>) -> Option<Self> {
        Some(Self {
            id: id?.into(),
            name: name?,
        })
    }
}

statements! {
    INSERT = "INSERT INTO teams (id, org_id, name, name_key, created_at) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (org_id, name_key) DO NOTHING";
    FIND = "SELECT id, name FROM teams WHERE org_id = $1 AND id = $2";
    COUNT = "SELECT COUNT(*) FROM teams WHERE org_id = $1";
    NAMED = "SELECT id FROM teams WHERE org_id = $1 AND name_key = $2";
    RENAME = "UPDATE teams SET name = $3, name_key = $4 WHERE org_id = $1 AND id = $2";
    DELETE = "DELETE FROM teams WHERE org_id = $1 AND id = $2";
    LIST = "SELECT id, name FROM teams WHERE org_id = $1 ORDER BY created_at, id LIMIT $2";
    OF_MEMBER = "SELECT t.id, t.name FROM memberships p JOIN teams t ON t.id = p.team_id \
        WHERE p.org_id = $1 AND p.user_id = $2";
}

/// The most teams that one organization may have: the contract's list has no pages.
pub const TEAMS_MAX: i64 = 1_000;

/// What makes two names the same: not space around, not case, and not whether an accent is a character
/// of its own.
fn name_key(name: &str) -> String {
    let same = ComposingNormalizerBorrowed::new_nfc();
    same.normalize(&name.trim().to_lowercase()).into_owned()
}

/// The organization's team with this id.
pub async fn find(conn: &mut impl AsConn, org: &OrgId, id: &TeamId) -> Result<Option<Team>, Error> {
    let row = fetch_optional!(
        conn,
        (String, Option<String>),
        FIND,
        org.as_str(),
        id.as_str()
    )?;
    Ok(row.and_then(|(id, name)| Team::joined(Some(id), name)))
}

/// The team that a member is in.
pub async fn of_member(
    conn: &mut impl AsConn,
    org: &OrgId,
    user: &UserId,
) -> Result<Option<Team>, Error> {
    type Row = (String, Option<String>);
    let row = fetch_optional!(conn, Row, OF_MEMBER, org.as_str(), user.as_str())?;
    Ok(row.and_then(|(id, name)| Team::joined(Some(id), name)))
}

/// How many teams an organization has.
pub async fn count(conn: &mut impl AsConn, org: &OrgId) -> Result<i64, Error> {
    Ok(fetch_one!(conn, (i64,), COUNT, org.as_str())?.0)
}

/// Renames a team; `false` when the organization has no such team.
///
/// # Errors
/// [`Error::Conflict`] when another team has that name.
pub async fn rename(tx: &mut WriteTx, org: &OrgId, id: &TeamId, name: &str) -> Result<bool, Error> {
    let key = name_key(name);
    // Asked first: a statement that fails would end the transaction on PostgreSQL. The unique index
    // still stands behind it.
    let named = fetch_optional!(tx, (String,), NAMED, org.as_str(), &key)?;
    if named.is_some_and(|(named,)| named != id.as_str()) {
        return Err(Error::Conflict);
    }
    Ok(execute!(tx, RENAME, org.as_str(), id.as_str(), name, key)? == 1)
}

/// Deletes a team; `false` when the organization has no such team. Nobody may be in it.
pub async fn delete(tx: &mut WriteTx, org: &OrgId, id: &TeamId) -> Result<bool, Error> {
    Ok(execute!(tx, DELETE, org.as_str(), id.as_str())? == 1)
}

/// Stores a new team.
///
/// # Errors
/// [`Error::Conflict`] when the organization has a team of that name.
pub async fn insert(
    tx: &mut WriteTx,
    org: &OrgId,
    team: &Team,
    now: Timestamp,
) -> Result<(), Error> {
    let key = name_key(&team.name);
    let inserted = execute!(
        tx,
        INSERT,
        team.id.as_str(),
        org.as_str(),
        &team.name,
        key,
        now.unix_ms()
    )?;
    if inserted == 0 {
        Err(Error::Conflict)
    } else {
        Ok(())
    }
}

/// All teams of an organization, oldest first.
pub async fn list(conn: &mut impl AsConn, org: &OrgId) -> Result<Vec<Team>, Error> {
    let rows = fetch_all!(conn, (String, String), LIST, org.as_str(), TEAMS_MAX)?;
    Ok(rows
        .into_iter()
        .map(|(id, name)| Team {
            id: id.into(),
            name,
        })
        .collect())
}
