//! People and their memberships.

use headshot_domain::{Email, MemberStage, OrgId, Role, TeamId, Timestamp, UserId};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, fetch_optional, statements};
use crate::dialect;
use crate::error::Error;
use crate::parsed;
use crate::tallies::{self, Tally};

/// A person. Prints without the password's hash.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The public id.
    pub id: UserId,
    /// The address as typed.
    pub email: String,
    /// The display name, once known.
    pub name: Option<String>,
    /// Argon2id in PHC form; `None` until the set-up link is used.
    pub password_hash: Option<String>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("email", &self.email)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A person's place in one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub org: OrgId,
    /// The role there.
    pub role: Role,
}

statements! {
    INSERT = "INSERT INTO users (id, email, email_key, name, password_hash, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (email_key) DO NOTHING";
    FIND = "SELECT id, email, name, password_hash FROM users WHERE id = $1";
    FIND_BY_EMAIL = "SELECT id, email, name, password_hash FROM users WHERE email_key = $1";
    SET_PASSWORD = "UPDATE users SET password_hash = $2, anonymous = 0 WHERE id = $1";
    SET_NAME = "UPDATE users SET name = $2 WHERE id = $1";
    INSERT_MEMBERSHIP = "INSERT INTO memberships (org_id, user_id, role, team_id, created_at, stage, listed) \
        VALUES ($1, $2, $3, $4, $5, 'accepted', $6) ON CONFLICT (org_id, user_id) DO NOTHING";
    SET_ANONYMOUS = "UPDATE users SET anonymous = 1 WHERE id = $1";
    KEEP = "UPDATE users SET anonymous = 0 WHERE id = $1";
    HOLD_ANONYMOUS = "UPDATE users SET anonymous = anonymous WHERE id = $1 AND anonymous = 1 \
        AND NOT EXISTS (SELECT 1 FROM models m WHERE m.user_id = $1 AND m.status <> 'deleted')";
    IS_ANONYMOUS = "SELECT COUNT(*) FROM users WHERE id = $1 AND anonymous = 1 AND password_hash IS NULL";
    DELETE = "DELETE FROM users WHERE id = $1";
    MEMBERSHIPS = "SELECT org_id, role FROM memberships WHERE user_id = $1 ORDER BY created_at, org_id LIMIT 100";
    FIND_MEMBERSHIP = "SELECT org_id, role FROM memberships WHERE user_id = $1 AND org_id = $2";
    COUNT_MEMBERS = "SELECT COUNT(*) FROM memberships WHERE org_id = $1";
    OWNER_EMAIL = "SELECT u.email FROM users u JOIN memberships m ON m.user_id = u.id \
        WHERE m.org_id = $1 AND m.role = 'owner' ORDER BY m.created_at, u.id LIMIT 1";
    ADMIN_EMAILS = "SELECT u.email FROM users u JOIN memberships m ON m.user_id = u.id \
        WHERE m.org_id = $1 AND m.role IN ('owner', 'admin') ORDER BY m.created_at, u.id LIMIT $2";
}

#[derive(sqlx::FromRow)]
struct UserRow {
    id: String,
    email: String,
    name: Option<String>,
    password_hash: Option<String>,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id.into(),
            email: row.email,
            name: row.name,
            password_hash: row.password_hash,
        }
    }
}

fn membership((org, role): (String, String)) -> Result<Membership, Error> {
    Ok(Membership {
        org: org.into(),
        role: parsed(&role, "memberships", "role")?,
    })
}

/// Stores a new person.
///
/// # Errors
/// [`Error::Conflict`] when somebody has that address.
pub async fn insert(
    tx: &mut WriteTx,
    user: &User,
    email: &Email,
    now: Timestamp,
) -> Result<(), Error> {
    let inserted = execute!(
        tx,
        INSERT,
        user.id.as_str(),
        email.as_str(),
        email.key(),
        user.name.as_deref(),
        user.password_hash.as_deref(),
        now.unix_ms(),
    )?;
    if inserted == 0 {
        Err(Error::Conflict)
    } else {
        Ok(())
    }
}

/// The person with this id.
pub async fn find(conn: &mut impl AsConn, id: &UserId) -> Result<Option<User>, Error> {
    Ok(fetch_optional!(conn, UserRow, FIND, id.as_str())?.map(User::from))
}

/// The person with this address, whatever its case.
pub async fn find_by_email(conn: &mut impl AsConn, email: &Email) -> Result<Option<User>, Error> {
    Ok(fetch_optional!(conn, UserRow, FIND_BY_EMAIL, email.key())?.map(User::from))
}

/// Replaces the password's hash.
pub async fn set_password(tx: &mut WriteTx, id: &UserId, hash: &str) -> Result<(), Error> {
    execute!(tx, SET_PASSWORD, id.as_str(), hash)?;
    Ok(())
}

/// Replaces the display name.
pub async fn set_name(tx: &mut WriteTx, id: &UserId, name: &str) -> Result<(), Error> {
    execute!(tx, SET_NAME, id.as_str(), name)?;
    Ok(())
}

/// Makes a person a member of an organization; does nothing for one who is.
pub async fn insert_membership(
    tx: &mut WriteTx,
    org: &OrgId,
    user: &UserId,
    (role, team): (Role, Option<&TeamId>),
    now: Timestamp,
) -> Result<(), Error> {
    let team = team.map(TeamId::as_str);
    // Owners and admins are listed as members once they have a session of their own.
    let listed = role == Role::Member;
    let inserted = execute!(
        tx,
        INSERT_MEMBERSHIP,
        org.as_str(),
        user.as_str(),
        role.name(),
        team,
        now.unix_ms(),
        i64::from(listed),
    )?;
    if inserted == 1 && listed {
        tallies::add(tx, org, Tally::Members(MemberStage::Accepted), 1).await?;
    }
    Ok(())
}

/// Marks a person as one without an account, who exists for one session only.
pub async fn set_anonymous(tx: &mut WriteTx, id: &UserId) -> Result<(), Error> {
    execute!(tx, SET_ANONYMOUS, id.as_str())?;
    Ok(())
}

/// Makes sure that a person's account stays, also where it existed for sessions only until now, and
/// keeps others from deleting it until the transaction ends; `false` when there is no such person
/// any more.
pub async fn keep(tx: &mut WriteTx, id: &UserId) -> Result<bool, Error> {
    Ok(execute!(tx, KEEP, id.as_str())? == 1)
}

/// Lets one transaction at a time change how a person signs in.
pub async fn lock(tx: &mut WriteTx, id: &UserId) -> Result<(), Error> {
    dialect::lock_user(tx, id.as_str()).await
}

/// Whether a person exists for sessions only, of which none is left; nobody changes that until the
/// transaction ends.
pub async fn hold_anonymous(tx: &mut WriteTx, id: &UserId) -> Result<bool, Error> {
    if execute!(tx, HOLD_ANONYMOUS, id.as_str())? == 0 {
        return Ok(false);
    }
    dialect::lock_user(tx, id.as_str()).await?;
    Ok(true)
}

/// Whether a person has no account, and exists for one session only.
pub async fn is_anonymous(conn: &mut impl AsConn, id: &UserId) -> Result<bool, Error> {
    Ok(fetch_one!(conn, (i64,), IS_ANONYMOUS, id.as_str())?.0 == 1)
}

/// Deletes a person who is in no organization, is signed in nowhere, and has no link.
pub async fn delete(tx: &mut WriteTx, id: &UserId) -> Result<(), Error> {
    execute!(tx, DELETE, id.as_str())?;
    Ok(())
}

/// A person's memberships, oldest first.
pub async fn memberships(conn: &mut impl AsConn, user: &UserId) -> Result<Vec<Membership>, Error> {
    let rows = fetch_all!(conn, (String, String), MEMBERSHIPS, user.as_str())?;
    rows.into_iter().map(membership).collect()
}

/// A person's membership in one organization.
pub async fn find_membership(
    conn: &mut impl AsConn,
    user: &UserId,
    org: &OrgId,
) -> Result<Option<Membership>, Error> {
    let row = fetch_optional!(
        conn,
        (String, String),
        FIND_MEMBERSHIP,
        user.as_str(),
        org.as_str()
    )?;
    row.map(membership).transpose()
}

/// How many people an organization has, owner and admins included.
pub async fn count_members(conn: &mut impl AsConn, org: &OrgId) -> Result<i64, Error> {
    Ok(fetch_one!(conn, (i64,), COUNT_MEMBERS, org.as_str())?.0)
}

/// The addresses of an organization's owners and admins, at most `limit`.
pub async fn admin_emails(
    conn: &mut impl AsConn,
    org: &OrgId,
    limit: i64,
) -> Result<Vec<String>, Error> {
    let rows = fetch_all!(conn, (String,), ADMIN_EMAILS, org.as_str(), limit)?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// The address of an organization's owner, of the first one if there are several.
pub async fn owner_email(conn: &mut impl AsConn, org: &OrgId) -> Result<Option<String>, Error> {
    Ok(fetch_optional!(conn, (String,), OWNER_EMAIL, org.as_str())?.map(|row| row.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_hash() {
        let user = User {
            id: "usr_1".into(),
            email: "owner@acme.com".into(),
            name: None,
            password_hash: Some("$argon2id$secret".into()),
        };
        let debug = format!("{user:?}");
        assert!(debug.contains("owner@acme.com"), "{debug}");
        assert!(!debug.contains("argon2id"), "{debug}");
    }
}
