//! The outbox: every mail, whether or not a mail server is configured.

use headshot_domain::{InviteId, MailId, MailKind, MailState, ModelId, OrgId, Timestamp};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_optional, statements};
use crate::error::Error;
use crate::parsed;

/// A mail. Its texts may hold a link that opens something: for admins' eyes only.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its id, also part of its Message-ID.
    pub id: MailId,
    /// On whose behalf.
    pub org: OrgId,
    /// Why.
    pub kind: MailKind,
    /// To whom.
    pub recipient: String,
    /// The subject.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// The invite that it is about.
    pub invite: Option<InviteId>,
    /// The session that it is about.
    pub model: Option<ModelId>,
    /// What became of it.
    pub state: MailState,
    /// Why it was refused or failed, or why the last try failed.
    pub error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When the mail server took it.
    pub sent_at: Option<Timestamp>,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org_id, kind, recipient, subject, text, html, invite_id, model_id, state, error, \
             created_at, sent_at FROM mails ",
            $rest
        )
    };
}

statements! {
    INSERT = "INSERT INTO mails (id, org_id, kind, recipient, subject, text, html, invite_id, model_id, state, error, \
        created_at, sent_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    FIND = select!("WHERE id = $1");
    LIST = select!("WHERE org_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2");
    LAST_OF_INVITE = select!("WHERE invite_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1");
    FATES = "SELECT m.invite_id, m.state, m.error FROM mails m WHERE m.invite_id IN \
        (SELECT i.id FROM invites i WHERE i.org_id = $1 ORDER BY i.created_at DESC, i.id DESC LIMIT $2 OFFSET $3) \
        AND NOT EXISTS (SELECT 1 FROM mails n WHERE n.invite_id = m.invite_id \
            AND (n.created_at, n.id) > (m.created_at, m.id))";
    SET_STATE = "UPDATE mails SET state = $2, error = $3, sent_at = $4 WHERE id = $1 AND state <> 'sent'";
    TRIED = "UPDATE mails SET error = $2 WHERE id = $1 AND state = 'queued'";
    NOTE = "UPDATE mails SET state = $2 WHERE id = $1 AND state <> 'sent'";
    FORGET_OF_MODEL = "DELETE FROM mails WHERE model_id = $1 \
        OR invite_id IN (SELECT id FROM invites WHERE model_id = $1) RETURNING id";
    FORGET_TO_INVITED = "DELETE FROM mails WHERE invite_id IN (SELECT id FROM invites \
        WHERE org_id = $1 AND (email_key = $2 OR user_email_key = $2)) RETURNING id";
    EXPIRE = "DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE created_at < $1 AND state <> 'queued' LIMIT $2)";
    LAST_ABOUT = "SELECT created_at FROM mails WHERE org_id = $1 AND kind = $2 AND subject = $3 ORDER BY created_at DESC LIMIT 1";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    org_id: String,
    kind: String,
    recipient: String,
    subject: String,
    text: String,
    html: String,
    invite_id: Option<String>,
    model_id: Option<String>,
    state: String,
    error: Option<String>,
    created_at: i64,
    sent_at: Option<i64>,
}

impl TryFrom<Row> for Mail {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            org: row.org_id.into(),
            kind: parsed(&row.kind, "mails", "kind")?,
            recipient: row.recipient,
            subject: row.subject,
            text: row.text,
            html: row.html,
            invite: row.invite_id.map(InviteId::from),
            model: row.model_id.map(ModelId::from),
            state: parsed(&row.state, "mails", "state")?,
            error: row.error,
            created_at: Timestamp::from_unix_ms(row.created_at),
            sent_at: row.sent_at.map(Timestamp::from_unix_ms),
        })
    }
}

/// Stores a new mail.
pub async fn insert(tx: &mut WriteTx, mail: &Mail) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        mail.id.as_str(),
        mail.org.as_str(),
        mail.kind.name(),
        &mail.recipient,
        &mail.subject,
        &mail.text,
        &mail.html,
        mail.invite.as_ref().map(InviteId::as_str),
        mail.model.as_ref().map(ModelId::as_str),
        mail.state.name(),
        mail.error.as_deref(),
        mail.created_at.unix_ms(),
        mail.sent_at.map(Timestamp::unix_ms),
    )?;
    Ok(())
}

/// The mail with this id.
pub async fn find(conn: &mut impl AsConn, id: &MailId) -> Result<Option<Mail>, Error> {
    let row = fetch_optional!(conn, Row, FIND, id.as_str())?;
    row.map(Mail::try_from).transpose()
}

/// An organization's newest mails, at most `limit`.
pub async fn list(conn: &mut impl AsConn, org: &OrgId, limit: i64) -> Result<Vec<Mail>, Error> {
    let rows = fetch_all!(conn, Row, LIST, org.as_str(), limit)?;
    rows.into_iter().map(Mail::try_from).collect()
}

/// The newest mail about an invite.
pub async fn last_of_invite(
    conn: &mut impl AsConn,
    invite: &InviteId,
) -> Result<Option<Mail>, Error> {
    let row = fetch_optional!(conn, Row, LAST_OF_INVITE, invite.as_str())?;
    row.map(Mail::try_from).transpose()
}

/// What became of a mail about an invite, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// The invite.
    pub invite: InviteId,
    /// Where its newest mail stands.
    pub state: MailState,
    /// The mail server's words, where there are any.
    pub error: Option<String>,
}

/// What became of the newest mail about each of an organization's invites: of the newest `limit`
/// behind `offset`.
pub async fn fates(
    conn: &mut impl AsConn,
    org: &OrgId,
    (limit, offset): (i64, i64),
) -> Result<Vec<Fate>, Error> {
    type FateRow = (String, String, Option<String>);
    let rows = fetch_all!(conn, FateRow, FATES, org.as_str(), limit, offset)?;
    let fate = |(invite, state, error): FateRow| {
        Ok(Fate {
            invite: invite.into(),
            state: parsed(&state, "mails", "state")?,
            error,
        })
    };
    rows.into_iter().map(fate).collect()
}

/// When an organization was last told something of this kind with this subject.
pub async fn last_told(
    conn: &mut impl AsConn,
    org: &OrgId,
    (kind, subject): (MailKind, &str),
) -> Result<Option<Timestamp>, Error> {
    let row = fetch_optional!(conn, (i64,), LAST_ABOUT, org.as_str(), kind.name(), subject)?;
    Ok(row.map(|row| Timestamp::from_unix_ms(row.0)))
}

/// Stores what became of a mail, and why. A mail that was sent stays so.
pub async fn set_state(
    tx: &mut WriteTx,
    id: &MailId,
    (state, error): (MailState, Option<&str>),
    sent_at: Option<Timestamp>,
) -> Result<(), Error> {
    let sent_at = sent_at.map(Timestamp::unix_ms);
    execute!(tx, SET_STATE, id.as_str(), state.name(), error, sent_at)?;
    Ok(())
}

/// Stores why a try failed, of a mail that is tried again.
pub async fn tried(tx: &mut WriteTx, id: &MailId, why: &str) -> Result<(), Error> {
    execute!(tx, TRIED, id.as_str(), why)?;
    Ok(())
}

/// Stores what became of a mail, and leaves the reason of its last try. A mail that was sent stays
/// so.
pub async fn note(tx: &mut WriteTx, id: &MailId, state: MailState) -> Result<(), Error> {
    execute!(tx, NOTE, id.as_str(), state.name())?;
    Ok(())
}

/// Deletes the mails about a session and about the invite that led to it; their ids.
pub async fn forget_of_model(tx: &mut WriteTx, model: &ModelId) -> Result<Vec<MailId>, Error> {
    let rows = fetch_all!(tx, (String,), FORGET_OF_MODEL, model.as_str())?;
    Ok(rows.into_iter().map(|row| row.0.into()).collect())
}

/// Deletes the mails about an organization's invites to an address, or to the account with this
/// address; their ids.
pub async fn forget_to_invited(
    tx: &mut WriteTx,
    (org, email_key): (&OrgId, &str),
) -> Result<Vec<MailId>, Error> {
    let rows = fetch_all!(tx, (String,), FORGET_TO_INVITED, org.as_str(), email_key)?;
    Ok(rows.into_iter().map(|row| row.0.into()).collect())
}

/// Forgets up to `limit` mails from before `before` that wait for nothing; how many.
pub async fn expire(tx: &mut WriteTx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    execute!(tx, EXPIRE, before.unix_ms(), limit)
}
