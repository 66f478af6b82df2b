//! What a person agreed to, and what an organization allows in its persons' sessions.

use headshot_domain::{ModelId, OrgId, Timestamp};

use crate::conn::{AsConn, WriteTx, execute, fetch_optional, statements};
use crate::error::Error;

/// What a person agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Which text.
    pub version: String,
    /// From which address.
    pub address: String,
    /// When.
    pub agreed_at: Timestamp,
}

statements! {
    CONSENT = "SELECT version, address, agreed_at FROM consents WHERE model_id = $1";
    SET_CONSENT = "INSERT INTO consents (model_id, org_id, version, address, agreed_at) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (model_id) DO UPDATE SET version = EXCLUDED.version, address = EXCLUDED.address, \
        agreed_at = EXCLUDED.agreed_at";
    FORGET_ADDRESS = "UPDATE consents SET address = '' WHERE model_id = $1";
    STUDIO = "SELECT studio FROM organizations WHERE id = $1";
    SET_STUDIO = "UPDATE organizations SET studio = $2 WHERE id = $1";
    EMBED_ORIGINS = "SELECT embed_origins FROM organizations WHERE id = $1";
    SET_EMBED_ORIGINS = "UPDATE organizations SET embed_origins = $2 WHERE id = $1";
}

/// What the person of a session agreed to.
pub async fn consent(conn: &mut impl AsConn, model: &ModelId) -> Result<Option<Consent>, Error> {
    type Row = (String, String, i64);
    let row = fetch_optional!(conn, Row, CONSENT, model.as_str())?;
    Ok(row.map(|(version, address, at)| Consent {
        version,
        address,
        agreed_at: Timestamp::from_unix_ms(at),
    }))
}

/// Stores what the person of a session agreed to, in place of what was agreed to before.
pub async fn set_consent(
    tx: &mut WriteTx,
    (org, model): (&OrgId, &ModelId),
    consent: &Consent,
) -> Result<(), Error> {
    execute!(
        tx,
        SET_CONSENT,
        model.as_str(),
        org.as_str(),
        &consent.version,
        &consent.address,
        consent.agreed_at.unix_ms()
    )?;
    Ok(())
}

/// Forgets from where a person agreed; that and when they did stays.
pub async fn forget_address(tx: &mut WriteTx, model: &ModelId) -> Result<(), Error> {
    execute!(tx, FORGET_ADDRESS, model.as_str())?;
    Ok(())
}

/// In which looks the organization's shoots are made, as stored; `None` when there is no such
/// organization.
pub async fn studio(conn: &mut impl AsConn, org: &OrgId) -> Result<Option<String>, Error> {
    let row = fetch_optional!(conn, (String,), STUDIO, org.as_str())?;
    Ok(row.map(|row| row.0))
}

/// Replaces them; `false` when there is no such organization.
pub async fn set_studio(tx: &mut WriteTx, org: &OrgId, studio: &str) -> Result<bool, Error> {
    Ok(execute!(tx, SET_STUDIO, org.as_str(), studio)? == 1)
}

/// The origins that may frame a person's session, separated by spaces; `None` when there is no
/// such organization.
pub async fn embed_origins(conn: &mut impl AsConn, org: &OrgId) -> Result<Option<String>, Error> {
    let row = fetch_optional!(conn, (String,), EMBED_ORIGINS, org.as_str())?;
    Ok(row.map(|row| row.0))
}

/// Replaces them; `false` when there is no such organization.
pub async fn set_embed_origins(
    tx: &mut WriteTx,
    org: &OrgId,
    origins: &str,
) -> Result<bool, Error> {
    Ok(execute!(tx, SET_EMBED_ORIGINS, org.as_str(), origins)? == 1)
}
