//! Organizations.

use headshot_domain::{OrgId, Package, Plan, Timestamp};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_optional, statements};
use crate::dialect;
use crate::error::Error;
use crate::parsed;

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// The public id, `uid` on the wire.
    pub id: OrgId,
    /// The display name.
    pub name: String,
    /// The site's URL, or empty.
    pub website: String,
    /// The rate tier.
    pub plan: Plan,
    /// What its shoots cost and give.
    pub package: Package,
    /// Whether credits are not counted.
    pub credits_unlimited: bool,
    /// Whether models may be created through the API.
    pub whitelabel: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

statements! {
    INSERT = "INSERT INTO organizations (id, name, website, plan, credits_unlimited, whitelabel, created_at, package) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    SET_PACKAGE = "UPDATE organizations SET package = $2 WHERE id = $1";
    FIND = "SELECT id, name, website, plan, credits_unlimited, whitelabel, created_at, package \
        FROM organizations WHERE id = $1";
    LIST = "SELECT id, name, website, plan, credits_unlimited, whitelabel, created_at, package \
        FROM organizations ORDER BY created_at, id LIMIT $1";
    LIST_OF_USER = "SELECT o.id, o.name, o.website, o.plan, o.credits_unlimited, o.whitelabel, o.created_at, o.package \
        FROM organizations o JOIN memberships m ON m.org_id = o.id WHERE m.user_id = $1 \
        ORDER BY o.name, o.id LIMIT $2";
    LOW_CREDIT_MAIL = "SELECT low_credit_mail FROM organizations WHERE id = $1";
    SET_LOW_CREDIT_MAIL = "UPDATE organizations SET low_credit_mail = $2 WHERE id = $1";
}

#[derive(sqlx::FromRow)]
struct OrganizationRow {
    id: String,
    name: String,
    website: String,
    plan: String,
    credits_unlimited: i64,
    whitelabel: i64,
    created_at: i64,
    package: String,
}

impl TryFrom<OrganizationRow> for Organization {
    type Error = Error;

    fn try_from(row: OrganizationRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            name: row.name,
            website: row.website,
            plan: parsed(&row.plan, "organizations", "plan")?,
            package: parsed(&row.package, "organizations", "package")?,
            credits_unlimited: row.credits_unlimited != 0,
            whitelabel: row.whitelabel != 0,
            created_at: Timestamp::from_unix_ms(row.created_at),
        })
    }
}

/// Stores a new organization.
pub async fn insert(tx: &mut WriteTx, org: &Organization) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        org.id.as_str(),
        &org.name,
        &org.website,
        org.plan.name(),
        i64::from(org.credits_unlimited),
        i64::from(org.whitelabel),
        org.created_at.unix_ms(),
        org.package.name(),
    )?;
    Ok(())
}

/// Waits until no other transaction changes what belongs to the organization, and keeps others from
/// it until this one ends. What is read after it stays as it is; what was read before may be old.
///
/// The first lock of every transaction that changes a model, an invite, a membership, a team, a key,
/// a webhook's settings or a tally, stores or replays a webhook event, or counts one of them for a limit. The order of all locks: organization, model, what
/// belongs to it, person, audit log, epoch. Whoever locks several organizations takes a transaction
/// for each.
pub async fn lock(tx: &mut WriteTx, org: &OrgId) -> Result<(), Error> {
    dialect::lock_organization(tx, org.as_str()).await
}

/// The organization with this id.
pub async fn find(conn: &mut impl AsConn, id: &OrgId) -> Result<Option<Organization>, Error> {
    fetch_optional!(conn, OrganizationRow, FIND, id.as_str())?
        .map(TryInto::try_into)
        .transpose()
}

/// The oldest `limit` organizations, oldest first.
pub async fn list(conn: &mut impl AsConn, limit: i64) -> Result<Vec<Organization>, Error> {
    fetch_all!(conn, OrganizationRow, LIST, limit)?
        .into_iter()
        .map(TryInto::try_into)
        .collect()
}

/// The organizations that a person belongs to, by name, at most `limit`.
pub async fn list_of_user(
    conn: &mut impl AsConn,
    user: &headshot_domain::UserId,
    limit: i64,
) -> Result<Vec<Organization>, Error> {
    fetch_all!(conn, OrganizationRow, LIST_OF_USER, user.as_str(), limit)?
        .into_iter()
        .map(TryInto::try_into)
        .collect()
}

/// Changes an organization's package; `false` when there is no such organization.
pub async fn set_package(tx: &mut WriteTx, id: &OrgId, package: Package) -> Result<bool, Error> {
    Ok(execute!(tx, SET_PACKAGE, id.as_str(), package.name())? == 1)
}

/// Whether owners and admins are mailed when few credits are left; `None` when there is no such
/// organization.
pub async fn low_credit_mail(conn: &mut impl AsConn, org: &OrgId) -> Result<Option<bool>, Error> {
    let row = fetch_optional!(conn, (i64,), LOW_CREDIT_MAIL, org.as_str())?;
    Ok(row.map(|row| row.0 != 0))
}

/// Sets it; `false` when there is no such organization.
pub async fn set_low_credit_mail(tx: &mut WriteTx, org: &OrgId, on: bool) -> Result<bool, Error> {
    Ok(execute!(tx, SET_LOW_CREDIT_MAIL, org.as_str(), i64::from(on))? == 1)
}
