//! Organizations: details, credits, creation.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use headshot_domain::{Credits, Email, OrgId, Package, Plan, Role};
use headshot_storage::organizations;
use headshot_storage::users::{self, User};
use headshot_storage::{AsConn, Error, auth, credits, teams};

use crate::App;
use crate::accounts;
use crate::audit::{self, Actor, Event};
use crate::caller::Caller;
use crate::credits::entry_id;
use crate::mail;

pub use headshot_storage::organizations::Organization;
pub use headshot_storage::teams::Team;

/// What the API says of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgDetails {
    /// The public id.
    pub id: OrgId,
    /// The display name.
    pub name: String,
    /// The site's URL.
    pub website: String,
    /// All teams, oldest first.
    pub teams: Vec<Team>,
    /// What an interface answers with, made by the first answer and kept as long as the rest.
    pub answer: OnceLock<Bytes>,
}

/// The caller's organization, from memory where that is allowed.
pub async fn details(app: &App, caller: &Caller) -> Result<Arc<OrgDetails>, Error> {
    let state = &caller.key().org;
    match app.node.memory.details(state) {
        Some(details) => Ok(details),
        // Boxed: what memory answers must not carry a query's state along.
        None => Box::pin(load_details(app, caller)).await,
    }
}

async fn load_details(app: &App, caller: &Caller) -> Result<Arc<OrgDetails>, Error> {
    let state = &caller.key().org;
    let mut conn = app.db.read().await?;
    // The epoch first: what is read after it is at least as new.
    let epoch = auth::epoch(&mut conn).await?;
    let details = Arc::new(read_details(&mut conn, caller.org()).await?);
    app.node
        .memory
        .remember_details(state, Arc::clone(&details), epoch);
    Ok(details)
}

/// What the API says of an organization, from the database.
pub(crate) async fn read_details(conn: &mut impl AsConn, id: &OrgId) -> Result<OrgDetails, Error> {
    let org = organizations::find(conn, id).await?;
    let org = org.ok_or(Error::Corrupt {
        table: "api_keys",
        column: "org_id",
    })?;
    Ok(OrgDetails {
        teams: teams::list(conn, id).await?,
        id: org.id,
        name: org.name,
        website: org.website,
        answer: OnceLock::new(),
    })
}

/// Credits as they are shown: a balance, or no counting at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditsLeft {
    /// The ledger's balance.
    Balance(Credits),
    /// The organization's credits are not counted.
    Unlimited,
}

/// An organization's credits.
pub async fn credits_left(app: &App, org: &OrgId) -> Result<CreditsLeft, Error> {
    let mut conn = app.db.read().await?;
    let found = organizations::find(&mut conn, org)
        .await?
        .ok_or(Error::Corrupt {
            table: "api_keys",
            column: "org_id",
        })?;
    if found.credits_unlimited {
        return Ok(CreditsLeft::Unlimited);
    }
    Ok(CreditsLeft::Balance(
        credits::balance(&mut conn, org).await?,
    ))
}

/// Who is in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct People {
    /// All teams, oldest first.
    pub teams: Vec<Team>,
    /// How many people, owner and admins included.
    pub members: i64,
}

/// An organization's teams and the number of its people.
pub async fn people(app: &App, org: &OrgId) -> Result<People, Error> {
    let mut conn = app.db.read().await?;
    Ok(People {
        teams: teams::list(&mut conn, org).await?,
        members: users::count_members(&mut conn, org).await?,
    })
}

/// A new organization and its owner.
#[derive(Debug, Clone)]
pub struct NewOrganization {
    /// The display name.
    pub name: String,
    /// The site's URL, or empty.
    pub website: String,
    /// Who owns it.
    pub owner: Email,
    /// The rate tier.
    pub plan: Plan,
    /// What it starts with; `None` is unlimited.
    pub credits: Option<Credits>,
    /// Whether models may be created through the API.
    pub whitelabel: bool,
}

/// A created organization. Prints without the link's token.
#[derive(Clone)]
pub struct Created {
    /// The organization.
    pub org: Organization,
    /// The owner.
    pub owner: User,
    /// The token of the owner's set-up link; `None` when the owner has a password already.
    pub setup_token: Option<String>,
}

impl std::fmt::Debug for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Created")
            .field("org", &self.org)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// Why an organization can't be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The name is empty or too long.
    #[error("the name must have 1 to {} characters", NAME_MAX)]
    Name,
    /// The website is no http(s) address.
    #[error("the website must be an address such as https://acme.com")]
    Website,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// The longest name of an organization, in characters.
pub const NAME_MAX: usize = 200;

/// The longest website address, in bytes.
pub const WEBSITE_MAX: usize = 2_000;

/// Creates an organization, its owner where nobody has that address yet, and the owner's one-time
/// set-up link, in one transaction.
pub async fn create(
    app: &App,
    actor: &Actor,
    new: NewOrganization,
) -> Result<Created, CreateError> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.contains(char::is_control) {
        return Err(CreateError::Name);
    }
    let web = new.website.starts_with("https://") || new.website.starts_with("http://");
    let clean = !new
        .website
        .contains(|c: char| c.is_control() || c.is_whitespace());
    if !(new.website.is_empty() || (web && clean && new.website.len() <= WEBSITE_MAX)) {
        return Err(CreateError::Website);
    }
    let now = app.clock.now();
    let org = Organization {
        id: OrgId::generate(&*app.entropy),
        name: name.to_owned(),
        website: new.website.clone(),
        plan: new.plan,
        package: Package::Normal,
        credits_unlimited: new.credits.is_none(),
        whitelabel: new.whitelabel,
        created_at: now,
    };
    let mut tx = app.db.write().await?;
    organizations::insert(&mut tx, &org).await?;
    let owner = accounts::account(app, &mut tx, &new.owner, None).await?;
    users::insert_membership(&mut tx, &org.id, &owner.id, (Role::Owner, None), now).await?;
    if let Some(amount) = new.credits.filter(|amount| *amount != Credits::ZERO) {
        let entry = grant_entry(app, actor, amount);
        credits::insert(&mut tx, &org.id, &entry).await?;
    }
    let setup_token = match owner.password_hash {
        Some(_) => None,
        None => Some(accounts::setup_link(app, &mut tx, &owner.id).await?),
    };
    let event = Event {
        org: Some(&org.id),
        action: "organization.created",
        target: format!("organization:{}", org.id),
        detail: serde_json::json!({ "name": org.name, "plan": org.plan.name(), "owner": owner.email }),
    };
    audit::record(&mut tx, actor, now, event).await?;
    tx.commit().await?;
    Ok(Created {
        org,
        owner,
        setup_token,
    })
}

fn grant_entry(app: &App, actor: &Actor, amount: Credits) -> credits::Entry {
    credits::Entry {
        id: entry_id(app),
        amount,
        kind: "grant".into(),
        description: format!("{amount} credits granted"),
        actor: actor.label.clone(),
        created_at: app.clock.now(),
    }
}

/// Why credits can't be granted.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// No such organization.
    #[error("there is no organization {0}")]
    NoSuchOrganization(OrgId),
    /// Zero or beyond [`Credits::GRANT_MAX`].
    #[error(
        "the amount must not be 0 and at most {} either way",
        Credits::GRANT_MAX
    )]
    Amount,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Adds credits to an organization (or takes them, when negative); the new balance.
pub async fn grant(
    app: &App,
    actor: &Actor,
    org: &OrgId,
    amount: Credits,
) -> Result<Credits, GrantError> {
    let too_much = amount > Credits::GRANT_MAX
        || amount < Credits::from_hundredths(-Credits::GRANT_MAX.hundredths());
    if amount == Credits::ZERO || too_much {
        return Err(GrantError::Amount);
    }
    let mut tx = app.db.write().await?;
    organizations::lock(&mut tx, org).await?;
    let Some(owner) = organizations::find(&mut tx, org).await? else {
        return Err(GrantError::NoSuchOrganization(org.clone()));
    };
    let before = credits::balance(&mut tx, org).await?;
    credits::insert(&mut tx, org, &grant_entry(app, actor, amount)).await?;
    let event = Event {
        org: Some(org),
        action: "credits.granted",
        target: format!("organization:{org}"),
        detail: serde_json::json!({ "amount": amount.to_string() }),
    };
    audit::record(&mut tx, actor, app.clock.now(), event).await?;
    let balance = credits::balance(&mut tx, org).await?;
    if !owner.credits_unlimited {
        mail::low_credits(app, &mut tx, &owner, (before, balance)).await?;
    }
    tx.commit().await?;
    Ok(balance)
}

/// Why a package can't be set.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// No such organization.
    #[error("there is no organization {0}")]
    NoSuchOrganization(OrgId),
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Sets an organization's package. What open invites and sessions hold back stays as it is; a shoot
/// is charged, and made, by the package at that time.
pub async fn set_package(
    app: &App,
    actor: &Actor,
    org: &OrgId,
    package: Package,
) -> Result<(), PackageError> {
    let mut tx = app.db.write().await?;
    if !organizations::set_package(&mut tx, org, package).await? {
        return Err(PackageError::NoSuchOrganization(org.clone()));
    }
    let event = Event {
        org: Some(org),
        action: "organization.package_changed",
        target: format!("organization:{org}"),
        detail: serde_json::json!({ "name": package.name() }),
    };
    audit::record(&mut tx, actor, app.clock.now(), event).await?;
    tx.commit().await?;
    Ok(())
}
