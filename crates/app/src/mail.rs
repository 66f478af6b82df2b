//! Mail: written in the transaction that makes it necessary, sent after it.
//!
//! Without a mail server the outbox keeps what would have been sent, and admins pass links on by
//! hand. A mail is sent at least once: after a crash between the server's answer and our note of it,
//! it goes out again under the same Message-ID.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use headshot_domain::{
    Email, InviteId, JobKind, MailId, MailKind, MailState, ModelId, ModelStatus, OrgId, Timestamp,
};
use headshot_outbound::mail::{Letter as Envelope, Mailer, NotTaken};
use headshot_pages::{Letter, Template};
use headshot_storage::mails;
use headshot_storage::{Error, ReadConn, WriteTx, jobs as job_rows, organizations, users};

use crate::App;
use crate::accounts;
use crate::audit::Actor;
use crate::jobs::{self, NewJob, Outcome, Running};
use crate::page::Slice;

mod letters;

pub use headshot_storage::mails::{Fate, Mail};
pub use letters::{
    LOW_CREDITS, RemindError, SwitchError, remind, tell_low_credits, tells_low_credits,
};
pub(crate) use letters::{
    begins_anew, invited, key_deleted, key_generated, keys_expiring, low_credits, results_ready,
    retry_given,
};

/// Owners and admins who are told something, at most.
const ADMINS_MAX: i64 = 50;

/// Mails that the outbox shows.
pub const SHOWN_MAX: i64 = 200;

/// How long the outbox keeps a mail.
pub const KEPT: Duration = Duration::from_hours(30 * 24);

/// Rows that one statement deletes.
const EXPIRE_STEP: i64 = 500;

/// A mail to be written.
pub(crate) struct NewMail<'a> {
    pub(crate) org: &'a OrgId,
    pub(crate) kind: MailKind,
    pub(crate) to: &'a str,
    pub(crate) invite: Option<&'a InviteId>,
    pub(crate) model: Option<&'a ModelId>,
    pub(crate) letter: Letter,
}

/// Whether this server sends mail.
pub fn is_sent(app: &App) -> bool {
    app.mailer.is_some()
}

/// Writes a mail in the transaction that makes it necessary, and its job where there is a server to
/// send it.
pub(crate) async fn post(app: &App, tx: &mut WriteTx, new: NewMail<'_>) -> Result<(), Error> {
    let now = app.clock.now();
    let sent = app.mailer.is_some();
    let unwritable = |_error| Error::Corrupt {
        table: "mails",
        column: "html",
    };
    let mail = Mail {
        id: MailId::generate(&*app.entropy),
        org: new.org.clone(),
        kind: new.kind,
        recipient: new.to.to_owned(),
        text: new.letter.text(),
        html: new.letter.render().map_err(unwritable)?,
        subject: new.letter.subject,
        invite: new.invite.cloned(),
        model: new.model.cloned(),
        state: if sent {
            MailState::Queued
        } else {
            MailState::Kept
        },
        error: None,
        created_at: now,
        sent_at: None,
    };
    mails::insert(tx, &mail).await?;
    if sent {
        let job = NewJob {
            kind: JobKind::MailSend,
            lane: new.org.as_str(),
            payload: payload(&mail.id),
            run_at: now,
        };
        jobs::enqueue(app, tx, job).await?;
    }
    Ok(())
}

/// Writes the same mail to every owner and admin.
pub(crate) async fn post_to_admins(
    app: &App,
    tx: &mut WriteTx,
    (org, kind): (&OrgId, MailKind),
    letter: Letter,
) -> Result<(), Error> {
    for to in users::admin_emails(tx, org, ADMINS_MAX).await? {
        let new = NewMail {
            org,
            kind,
            to: &to,
            invite: None,
            model: None,
            letter: letter.clone(),
        };
        post(app, tx, new).await?;
    }
    Ok(())
}

fn payload(mail: &MailId) -> serde_json::Value {
    serde_json::json!({ "mail": mail.as_str() })
}

/// Deletes the mails about a session, in the transaction that deletes it. One that is being sent just
/// now still arrives.
pub(crate) async fn forget_session(
    tx: &mut WriteTx,
    (org, model): (&OrgId, &ModelId),
) -> Result<(), Error> {
    let mails = mails::forget_of_model(tx, model).await?;
    forget_jobs(tx, org, &mails).await
}

/// Deletes the mails about invites to an address, in the transaction that removes the member.
pub(crate) async fn forget_invited(
    tx: &mut WriteTx,
    (org, email): (&OrgId, &Email),
) -> Result<(), Error> {
    let mails = mails::forget_to_invited(tx, (org, &email.key())).await?;
    forget_jobs(tx, org, &mails).await
}

/// Their jobs hold what mail servers said of an address.
async fn forget_jobs(tx: &mut WriteTx, org: &OrgId, mails: &[MailId]) -> Result<(), Error> {
    for mail in mails {
        job_rows::forget(tx, org.as_str(), &payload(mail).to_string()).await?;
    }
    Ok(())
}

/// Sends a mail of the outbox.
pub(crate) async fn send(app: &App, job: &Running) -> Outcome {
    let id = job.payload.get("mail").and_then(serde_json::Value::as_str);
    let Some(id) = id.map(MailId::from) else {
        return Outcome::Fail {
            why: "its payload names no mail".to_owned(),
        };
    };
    match try_to_send(app, &id).await {
        Ok(None) => Outcome::Done,
        Ok(Some(why)) => Outcome::Retry {
            after: pause(job.attempt),
            why,
        },
        Err(error) => Outcome::Retry {
            after: pause(job.attempt),
            why: crate::causes(&error),
        },
    }
}

/// The pause after the `attempt`-th try of a mail: a minute, then four times as long each time, at
/// most eight hours. With the last try more than a day has passed: mail servers are mended by day.
fn pause(attempt: i64) -> Duration {
    let steps = u32::try_from(attempt.clamp(1, 6) - 1).unwrap_or(0);
    Duration::from_mins(4u64.pow(steps)).min(Duration::from_hours(8))
}

/// `None` when nothing is left to do, else why it has to be tried again.
async fn try_to_send(app: &App, id: &MailId) -> Result<Option<String>, Error> {
    let mail = {
        let mut conn = app.db.read().await?;
        mails::find(&mut conn, id).await?
    };
    let Some(mail) = mail.filter(|mail| mail.state != MailState::Sent) else {
        return Ok(None);
    };
    let Some(mailer) = &app.mailer else {
        return Ok(Some("no mail server is configured any more".to_owned()));
    };
    let envelope = Envelope {
        id: mail.id.as_str(),
        to: &mail.recipient,
        subject: &mail.subject,
        text: &mail.text,
        html: &mail.html,
    };
    let outcome = mailer.send(&envelope).await;
    let mut tx = app.db.write().await?;
    let again = match outcome {
        Ok(()) => {
            let sent_at = Some(app.clock.now());
            mails::set_state(&mut tx, id, (MailState::Sent, None), sent_at).await?;
            None
        }
        Err(NotTaken::Refused(why)) => {
            mails::set_state(&mut tx, id, (MailState::Refused, Some(&why)), None).await?;
            None
        }
        Err(NotTaken::Later(why)) => {
            // Where the lease was lost meanwhile, the mail may have been given up: it stays so.
            mails::tried(&mut tx, id, &why).await?;
            Some(why)
        }
    };
    tx.commit().await?;
    Ok(again)
}

/// Notes that a mail was tried for the last time, in the transaction that buries its job.
pub(crate) async fn gave_up(tx: &mut WriteTx, job: &job_rows::Job) -> Result<(), Error> {
    note(tx, job, MailState::Failed).await
}

/// Notes that a mail is tried again, in the transaction that revives its job.
pub(crate) async fn tries_again(tx: &mut WriteTx, job: &job_rows::Job) -> Result<(), Error> {
    note(tx, job, MailState::Queued).await
}

async fn note(tx: &mut WriteTx, job: &job_rows::Job, state: MailState) -> Result<(), Error> {
    let payload: serde_json::Value = serde_json::from_str(&job.payload).unwrap_or_default();
    let Some(id) = payload.get("mail").and_then(serde_json::Value::as_str) else {
        return Ok(());
    };
    mails::note(tx, &MailId::from(id), state).await
}

/// Asks for a sign-in link by mail: the answer and its time are the same whoever has the address,
/// because a job looks. What goes beyond [`accounts::ACCOUNT_LINKS_MAX`] is answered alike, and mails nothing.
pub async fn ask_for_sign_in_link(
    app: &App,
    (email, address): (&Email, IpAddr),
) -> Result<(), Error> {
    let mut tx = app.db.write().await?;
    if !accounts::take_link(app, &mut tx, (email, address)).await? {
        return tx.commit().await;
    }
    let job = NewJob {
        kind: JobKind::SignInLink,
        lane: "sign-in",
        payload: serde_json::json!({ "email": email.as_str(), "address": address }),
        run_at: app.clock.now(),
    };
    jobs::enqueue(app, &mut tx, job).await?;
    tx.commit().await
}

/// Mails a sign-in link. It is made at the moment of sending and stored nowhere: who reads the
/// outbox must not become who it was for.
pub(crate) async fn send_sign_in_link(app: &App, job: &Running) -> Outcome {
    let email = job.payload.get("email").and_then(serde_json::Value::as_str);
    let email = email.and_then(|email| email.parse::<Email>().ok());
    let (Some(email), Some(mailer)) = (email, &app.mailer) else {
        return Outcome::Done;
    };
    let address = job.payload.get("address");
    let address = address.and_then(serde_json::Value::as_str);
    let actor = Actor {
        label: "visitor".to_owned(),
        address: address.and_then(|address| address.parse().ok()),
        standing: None,
    };
    match letters::sign_in(app, (&actor, &email)).await {
        Err(error) => Outcome::Retry {
            after: jobs::backoff(job.attempt),
            why: crate::causes(&error),
        },
        Ok(None) => Outcome::Done,
        Ok(Some(letter)) => deliver_now(app, mailer, (job, &email), &letter).await,
    }
}

async fn deliver_now(
    app: &App,
    mailer: &Mailer,
    (job, email): (&Running, &Email),
    letter: &Letter,
) -> Outcome {
    let html = letter.render().unwrap_or_default();
    let id = format!("{}.{}", job.id, app.clock.now().unix_ms());
    let envelope = Envelope {
        id: &id,
        to: email.as_str(),
        subject: &letter.subject,
        text: &letter.text(),
        html: &html,
    };
    match mailer.send(&envelope).await {
        Ok(()) => Outcome::Done,
        Err(NotTaken::Refused(why)) => Outcome::Fail { why },
        Err(NotTaken::Later(why)) => Outcome::Retry {
            after: jobs::backoff(job.attempt),
            why,
        },
    }
}

/// An organization's newest mails.
pub async fn list(app: &App, org: &OrgId) -> Result<Vec<Mail>, Error> {
    let mut conn = app.db.read().await?;
    mails::list(&mut conn, org, SHOWN_MAX).await
}

/// The organization's mail with this id.
pub async fn find(app: &App, org: &OrgId, id: &MailId) -> Result<Option<Mail>, Error> {
    let mut conn = app.db.read().await?;
    let mail = mails::find(&mut conn, id).await?;
    Ok(mail.filter(|mail| mail.org == *org))
}

/// The newest mail about an invite.
pub async fn of_invite(app: &App, invite: &InviteId) -> Result<Option<Mail>, Error> {
    let mut conn: ReadConn = app.db.read().await?;
    mails::last_of_invite(&mut conn, invite).await
}

/// What became of the newest mail about each invite of a part of the organization's list.
pub async fn of_invites(
    app: &App,
    org: &OrgId,
    slice: Slice,
) -> Result<BTreeMap<InviteId, Fate>, Error> {
    let mut conn = app.db.read().await?;
    let fates = mails::fates(&mut conn, org, slice.bounds()).await?;
    let keyed = fates.into_iter().map(|fate| (fate.invite.clone(), fate));
    Ok(keyed.collect())
}

/// Deletes mails that were kept for long enough.
pub(crate) async fn expire(app: &App, now: Timestamp) -> Result<(), Error> {
    loop {
        let mut tx = app.db.write().await?;
        let gone = mails::expire(&mut tx, now.minus(KEPT), EXPIRE_STEP).await?;
        tx.commit().await?;
        if gone == 0 {
            return Ok(());
        }
    }
}

/// The organization's name, for letters.
async fn org_name(tx: &mut WriteTx, org: &OrgId) -> Result<String, Error> {
    let found = organizations::find(tx, org).await?;
    Ok(found.map(|org| org.name).unwrap_or_default())
}

/// Whether a person gets mail about a session: nobody without an account of ours does.
fn is_told(status: ModelStatus, uid: &str) -> bool {
    status == ModelStatus::Active && has_account(uid)
}

/// Whether somebody is more than a session that a partner has created.
fn has_account(uid: &str) -> bool {
    !uid.starts_with("anon_")
}
