//! What is kept for how long, and what has been kept for long enough.

use headshot_domain::{ModelId, OrgId, Timestamp};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_one, fetch_optional, statements};
use crate::error::Error;

statements! {
    ERASE_AFTER = "SELECT erase_after_days FROM organizations WHERE id = $1";
    SET_ERASE_AFTER = "UPDATE organizations SET erase_after_days = $2 WHERE id = $1";
    BY_SWITCH = "SELECT m.org_id, m.id FROM organizations o JOIN models m ON m.org_id = o.id AND m.status = 'active' \
        WHERE o.erase_after_days > 0 AND m.finished_at <= $1 - o.erase_after_days * 86400000 LIMIT $2";
    FINISHED_UNTIL = "SELECT COUNT(*) FROM models WHERE org_id = $1 AND status = 'active' AND finished_at <= $2";
    BY_AGE = "SELECT org_id, id FROM models WHERE status = 'active' AND finished_at <= $1 LIMIT $2";
    UPLOADS = "SELECT DISTINCT u.org_id, u.model_id FROM uploads u JOIN models m ON m.id = u.model_id \
        WHERE u.created_at <= $1 AND (m.finished_at <= $1 OR m.status = 'failed' AND m.submitted_at <= $1 \
            OR m.status = 'onboarding' AND (m.submitted_at IS NULL OR NOT EXISTS \
                (SELECT 1 FROM access_links l WHERE l.model_id = m.id AND l.expires_at > $3))) LIMIT $2";
    MODELS_WITH_OBJECTS = "SELECT m.id FROM models m WHERE m.org_id = $1 AND m.id > $2 \
        AND (EXISTS (SELECT 1 FROM photos p WHERE p.model_id = m.id AND p.status = 'active') \
            OR EXISTS (SELECT 1 FROM uploads u WHERE u.model_id = m.id)) ORDER BY m.id LIMIT $3";
}

fn models(rows: Vec<(String, String)>) -> Vec<(OrgId, ModelId)> {
    rows.into_iter()
        .map(|(org, model)| (org.into(), model.into()))
        .collect()
}

/// After how many days the organization's finished shoots are deleted: 0 is never, `None` that
/// there is no such organization.
pub async fn erase_after_days(conn: &mut impl AsConn, org: &OrgId) -> Result<Option<i64>, Error> {
    let row = fetch_optional!(conn, (i64,), ERASE_AFTER, org.as_str())?;
    Ok(row.map(|row| row.0))
}

/// Replaces it; `false` when there is no such organization.
pub async fn set_erase_after_days(tx: &mut WriteTx, org: &OrgId, days: i64) -> Result<bool, Error> {
    Ok(execute!(tx, SET_ERASE_AFTER, org.as_str(), days)? == 1)
}

/// How many of the organization's shoots were finished at `until` or before.
pub async fn finished_until(
    conn: &mut impl AsConn,
    org: &OrgId,
    until: Timestamp,
) -> Result<i64, Error> {
    let row = fetch_one!(conn, (i64,), FINISHED_UNTIL, org.as_str(), until.unix_ms())?;
    Ok(row.0)
}

/// Some finished shoots that their organization wants deleted by `now`.
pub async fn due_by_switch(
    conn: &mut impl AsConn,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(OrgId, ModelId)>, Error> {
    type Row = (String, String);
    fetch_all!(conn, Row, BY_SWITCH, now.unix_ms(), limit).map(models)
}

/// Some shoots that were finished at `until` or before.
pub async fn due_by_age(
    conn: &mut impl AsConn,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<(OrgId, ModelId)>, Error> {
    type Row = (String, String);
    fetch_all!(conn, Row, BY_AGE, until.unix_ms(), limit).map(models)
}

/// Some sessions whose uploads have been there for long enough: finished or failed at `until` or
/// before, or abandoned with uploads from then. One that is made again has its days anew: links that
/// end after `again_until` were given or extended since.
pub async fn due_uploads(
    conn: &mut impl AsConn,
    (until, again_until): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<(OrgId, ModelId)>, Error> {
    type Row = (String, String);
    let (until, again_until) = (until.unix_ms(), again_until.unix_ms());
    fetch_all!(conn, Row, UPLOADS, until, limit, again_until).map(models)
}

/// The organization's models after `after`, by id, that should have objects.
pub async fn models_with_objects(
    conn: &mut impl AsConn,
    (org, after): (&OrgId, &str),
    limit: i64,
) -> Result<Vec<ModelId>, Error> {
    let rows = fetch_all!(
        conn,
        (String,),
        MODELS_WITH_OBJECTS,
        org.as_str(),
        after,
        limit
    )?;
    Ok(rows.into_iter().map(|row| row.0.into()).collect())
}
