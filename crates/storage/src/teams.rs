//! Teams.

use headshot_domain::{OrgId, TeamId, Timestamp};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, statements};
use crate::error::Error;

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// The public id.
    pub id: TeamId,
    /// The name, unique in its organization whatever the case.
    pub name: String,
}

statements! {
    INSERT = "INSERT INTO teams (id, org_id, name, name_key, created_at) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (org_id, name_key) DO NOTHING";
    LIST = "SELECT id, name FROM teams WHERE org_id = $1 ORDER BY created_at, id LIMIT $2";
}

/// The most teams that one organization may have: the contract's list has no pages.
pub const TEAMS_MAX: i64 = 1_000;

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
    let key = team.name.trim().to_lowercase();
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
