//! Sums and counts, kept in the transactions that change what they count.
//!
//! They make a list's total as cheap in a large table as in a small one. Whoever changes one, or
//! reads one for a limit, has locked the organization before ([`organizations::lock`]): a
//! transaction changes several, and two that lock them in different orders would wait for each
//! other.

use headshot_domain::{Credits, MemberStage, ModelStatus, OrgId, TeamId};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, fetch_optional, statements};
use crate::error::Error;
use crate::organizations;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tally<'a> {
    /// The ledger's balance, in hundredths of a credit.
    Credits,
    /// Credits that open invites and unsubmitted sessions hold back, in hundredths.
    Reserved,
    /// All invites.
    Invites,
    /// Invites that are open.
    OpenInvites,
    /// Listed members at a stage.
    Members(MemberStage),
    /// Models of a status in a team, or in none.
    Models(ModelStatus, Option<&'a TeamId>),
    /// Models with a favourite in a team, or in none.
    Favorites(Option<&'a TeamId>),
}

impl Tally<'_> {
    fn name(self) -> String {
        let team = |team: Option<&TeamId>| team.map_or("", TeamId::as_str).to_owned();
        match self {
            Self::Credits => "credits".to_owned(),
            Self::Reserved => "reserved".to_owned(),
            Self::Invites => "invites".to_owned(),
            Self::OpenInvites => "invites.open".to_owned(),
            Self::Members(stage) => format!("members.{stage}"),
            Self::Models(status, of) => format!("models.{status}.{}", team(of)),
            Self::Favorites(of) => format!("favorites.{}", team(of)),
        }
    }
}

/// A tally that is not what it counts.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Wrong {
    /// The organization.
    pub org_id: String,
    /// The tally's name.
    pub name: String,
    /// What it says.
    pub told: i64,
    /// What is there.
    pub counted: i64,
}

/// Every tally beside what it counts.
macro_rules! compared {
    ($rest:literal) => {
        concat!(
            "SELECT COALESCE(t.org_id, c.org_id) AS org_id, COALESCE(t.name, c.name) AS name, \
             COALESCE(t.n, 0) AS told, COALESCE(c.n, 0) AS counted FROM tallies t FULL JOIN ( \
             SELECT org_id, 'credits' AS name, CAST(SUM(amount) AS BIGINT) AS n FROM credit_entries GROUP BY org_id \
             UNION ALL SELECT r.org_id, 'reserved', CAST(SUM(r.reserved) AS BIGINT) FROM ( \
             SELECT org_id, reserved FROM invites UNION ALL SELECT org_id, reserved FROM models) r GROUP BY r.org_id \
             UNION ALL SELECT org_id, 'invites', COUNT(*) FROM invites GROUP BY org_id \
             UNION ALL SELECT org_id, 'invites.open', COUNT(*) FROM invites WHERE state = 'open' GROUP BY org_id \
             UNION ALL SELECT org_id, 'members.' || stage, COUNT(*) FROM memberships WHERE listed = 1 GROUP BY org_id, stage \
             UNION ALL SELECT org_id, 'models.' || status || '.' || COALESCE(team_id, ''), COUNT(*) FROM models \
             GROUP BY org_id, status, COALESCE(team_id, '') \
             UNION ALL SELECT org_id, 'favorites.' || COALESCE(team_id, ''), COUNT(*) FROM models \
             WHERE favorite_id IS NOT NULL GROUP BY org_id, COALESCE(team_id, '') \
             ) c ON c.org_id = t.org_id AND c.name = t.name WHERE COALESCE(t.n, 0) <> COALESCE(c.n, 0) ",
            $rest
        )
    };
}

statements! {
    WRONG = compared!("ORDER BY 1, 2 LIMIT $1");
    WRONG_ONE = compared!("AND COALESCE(t.org_id, c.org_id) = $1 AND COALESCE(t.name, c.name) = $2");
    NUMBER = "SELECT COUNT(*) FROM tallies";
    LOCK = "INSERT INTO tallies (org_id, name, n) VALUES ($1, $2, 0) ON CONFLICT (org_id, name) DO UPDATE SET n = tallies.n";
    SET = "UPDATE tallies SET n = $3 WHERE org_id = $1 AND name = $2";
    ADD = "INSERT INTO tallies (org_id, name, n) VALUES ($1, $2, $3) \
        ON CONFLICT (org_id, name) DO UPDATE SET n = tallies.n + EXCLUDED.n RETURNING n";
    GET = "SELECT n FROM tallies WHERE org_id = $1 AND name = $2";
    SUM = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tallies \
        WHERE org_id = $1 AND name >= $2 AND name < $3";
}

/// Adds `by` and gives the new value. The organization is locked by then.
pub async fn add(tx: &mut WriteTx, org: &OrgId, tally: Tally<'_>, by: i64) -> Result<i64, Error> {
    Ok(fetch_one!(tx, (i64,), ADD, org.as_str(), tally.name(), by)?.0)
}

/// Waits until no other transaction changes the organization's credits, and keeps others from it
/// until this one ends; gives the balance and what is reserved of it.
pub async fn lock_credits(tx: &mut WriteTx, org: &OrgId) -> Result<(Credits, Credits), Error> {
    organizations::lock(tx, org).await?;
    let balance = get(tx, org, Tally::Credits).await?;
    let reserved = get(tx, org, Tally::Reserved).await?;
    Ok((
        Credits::from_hundredths(balance),
        Credits::from_hundredths(reserved),
    ))
}

/// The value; 0 where nothing was ever counted.
pub async fn get(conn: &mut impl AsConn, org: &OrgId, tally: Tally<'_>) -> Result<i64, Error> {
    let found = fetch_optional!(conn, (i64,), GET, org.as_str(), tally.name())?;
    Ok(found.map_or(0, |row| row.0))
}

/// Some tallies that are not what they count. Reads every row that is counted.
pub async fn wrong(conn: &mut impl AsConn, limit: i64) -> Result<Vec<Wrong>, Error> {
    fetch_all!(conn, Wrong, WRONG, limit)
}

/// How many tallies there are.
pub async fn number(conn: &mut impl AsConn) -> Result<i64, Error> {
    Ok(fetch_one!(conn, (i64,), NUMBER)?.0)
}

/// Counts again what a tally counts, and corrects it.
pub async fn recount(tx: &mut WriteTx, wrong: &Wrong) -> Result<(), Error> {
    let (org, name) = (&wrong.org_id, &wrong.name);
    // First the locks: whoever has counted something uncommitted is waited for.
    organizations::lock(tx, &OrgId::from(org.as_str())).await?;
    execute!(tx, LOCK, org, name)?;
    if let Some(wrong) = fetch_optional!(tx, Wrong, WRONG_ONE, org, name)? {
        execute!(tx, SET, org, name, wrong.counted)?;
    }
    Ok(())
}

/// All listed members.
pub async fn members(conn: &mut impl AsConn, org: &OrgId) -> Result<i64, Error> {
    sum(conn, org, "members.").await
}

/// Models by status, team, both or neither.
pub async fn models(
    conn: &mut impl AsConn,
    org: &OrgId,
    status: Option<ModelStatus>,
    team: Option<&TeamId>,
) -> Result<i64, Error> {
    match (status, team) {
        (None, None) => sum(conn, org, "models.").await,
        (Some(status), None) => sum(conn, org, &format!("models.{status}.")).await,
        (Some(status), Some(_)) => get(conn, org, Tally::Models(status, team)).await,
        (None, Some(_)) => {
            let mut all = 0;
            for status in ModelStatus::ALL {
                all += get(conn, org, Tally::Models(*status, team)).await?;
            }
            Ok(all)
        }
    }
}

/// Models with a favourite, of one team or of all.
pub async fn favorites(
    conn: &mut impl AsConn,
    org: &OrgId,
    team: Option<&TeamId>,
) -> Result<i64, Error> {
    match team {
        None => sum(conn, org, "favorites.").await,
        Some(_) => get(conn, org, Tally::Favorites(team)).await,
    }
}

/// The sum of all tallies whose names start with `prefix`, which ends with a dot.
async fn sum(conn: &mut impl AsConn, org: &OrgId, prefix: &str) -> Result<i64, Error> {
    // A slash is what follows a dot.
    let end = format!("{}/", prefix.trim_end_matches('.'));
    Ok(fetch_one!(conn, (i64,), SUM, org.as_str(), prefix, end)?.0)
}
