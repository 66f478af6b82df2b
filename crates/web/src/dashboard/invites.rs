//! Admin > Invites and the outbox.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use headshot_app::idempotency::Once;
use headshot_app::invites::{self, CreateError, Invite, RevokeError};
use headshot_app::mail::{self, Fate, Mail, RemindError};
use headshot_app::organizations;
use headshot_app::page::Slice;
use headshot_domain::{Email, InviteId, InviteState, MailId, MailState, TeamId, Timestamp};
use headshot_pages::{
    Choice, InviteRow, Invites, MailFate, MailRow, NavItem, Notice, Outbox, OutboxMail,
};
use serde::Deserialize;

use crate::Web;
use crate::dashboard::extract::{Admin, AdminForm, Person, holds_key};
use crate::dashboard::shell::{shell, with_notice};
use crate::dashboard::{PageError, html, html_with};
use crate::words;

/// Invites on one page.
const SHOWN: i64 = 100;

/// Which page of the list.
#[derive(Debug, Deserialize)]
pub(crate) struct ListQuery {
    #[serde(default)]
    offset: String,
}

pub(crate) async fn page(
    State(web): State<Web>,
    Admin(person): Admin,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(query) = query?;
    let offset = query.offset.parse().unwrap_or(0);
    html(&list(&web, &person, offset).await?)
}

/// Where the forms of the list's rows lead, for who opens such an address or loads it again.
pub(crate) async fn to_list() -> Redirect {
    Redirect::to("/app/admin/invites")
}

async fn list(web: &Web, person: &Person, offset: i64) -> Result<Invites, PageError> {
    let (app, now) = (web.app(), person.visit.now);
    let org = &person.signed_in.org.id;
    let slice = Slice::new(SHOWN, offset);
    let found = invites::list(app, org, slice).await?;
    let mut fates = mail::of_invites(app, org, slice).await?;
    let rows = found.items.into_iter().map(|invite| {
        let fate = fates.remove(&invite.id);
        row(web, invite, (fate, now))
    });
    let rows: Vec<InviteRow> = rows.collect();
    let next = slice.offset().saturating_add(SHOWN);
    let teams = organizations::people(app, org).await?.teams;
    let choice = |team: organizations::Team| Choice::new(team.id.to_string(), team.name);
    Ok(Invites {
        shell: shell(web, person, ("Invites", NavItem::Invites)).await?,
        invites: rows,
        newer_url: (slice.offset() > 0).then(|| "/app/admin/invites".to_owned()),
        older_url: (next < found.total).then(|| format!("/app/admin/invites?offset={next}")),
        total: found.total,
        is_sent: mail::is_sent(app),
        email: String::new(),
        error: None,
        teams: teams.into_iter().map(choice).collect(),
    })
}

fn row(web: &Web, invite: Invite, (mail, now): (Option<Fate>, Timestamp)) -> InviteRow {
    let open = invite.is_open(now);
    InviteRow {
        open,
        link: invites::link(web.app(), &invite.id),
        state: match invite.state {
            InviteState::Used => "Joined",
            InviteState::Revoked => "Revoked",
            _ if open => "Open",
            InviteState::Open | InviteState::Expired => "Expired",
        },
        team: invite.team.map(|team| team.name).unwrap_or_default(),
        when: words::ago(invite.created_at, now),
        fate: mail.as_ref().map(|mail| fate(mail.state)),
        error: mail.and_then(|mail| mail.error),
        email: invite.email,
        id: invite.id.to_string(),
    }
}

fn fate(state: MailState) -> MailFate {
    match state {
        MailState::Kept => MailFate::Kept,
        MailState::Queued => MailFate::Queued,
        MailState::Sent => MailFate::Sent,
        MailState::Refused => MailFate::Refused,
        MailState::Failed => MailFate::Failed,
    }
}

async fn with_words(
    web: &Web,
    person: &Person,
    (status, notice): (StatusCode, Notice),
) -> Result<Response, PageError> {
    let mut page = list(web, person, 0).await?;
    page.shell = with_notice(page.shell, notice);
    html_with(status, &page)
}

pub(crate) async fn create(State(web): State<Web>, form: AdminForm) -> Result<Response, PageError> {
    let AdminForm { person, fields } = form;
    let typed = fields.get("email").trim();
    let team = Some(fields.get("team")).filter(|team| !team.is_empty());
    let team = team.map(TeamId::from);
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let by = (&person.signed_in.org.id, &actor);
    let (status, why) = match typed.parse::<Email>() {
        Err(_) => (
            StatusCode::BAD_REQUEST,
            "This is no email address.".to_owned(),
        ),
        Ok(email) => {
            let made = invites::create(web.app(), by, (&email, team.as_ref()), Once::unkept());
            match made.await {
                Ok(invite) => {
                    let notice = Notice::good(format!("{} is invited.", invite.email));
                    return with_words(&web, &person, (StatusCode::OK, notice)).await;
                }
                Err(CreateError::Internal(error)) => return Err(error.into()),
                Err(error @ CreateError::InsufficientCredits) => {
                    (StatusCode::PAYMENT_REQUIRED, format!("{error}."))
                }
                Err(error) => (StatusCode::BAD_REQUEST, format!("{error}.")),
            }
        }
    };
    let mut page = list(&web, &person, 0).await?;
    // Somebody may paste a key into any field: it is not repeated.
    if !holds_key(typed) {
        typed.clone_into(&mut page.email);
    }
    page.error = Some(why);
    html_with(status, &page)
}

pub(crate) async fn remind(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: AdminForm,
) -> Result<Response, PageError> {
    let person = form.person;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let by = (&person.signed_in.org.id, &actor);
    let id = InviteId::from(id);
    let invite = invites::find(web.app(), by.0, &id).await?;
    let invite = invite.ok_or(PageError::NotFound)?;
    let told = match mail::remind(web.app(), by, &id).await {
        Ok(()) if mail::is_sent(web.app()) => {
            let said = format!("The invite is mailed to {} again.", invite.email);
            (StatusCode::OK, Notice::good(said))
        }
        Ok(()) => {
            let said = "No mail server is set up: the mail is in the outbox, pass its link on.";
            (StatusCode::OK, Notice::good(said))
        }
        Err(RemindError::Internal(error)) => return Err(error.into()),
        Err(refused) => (StatusCode::BAD_REQUEST, Notice::bad(refused.to_string())),
    };
    with_words(&web, &person, told).await
}

pub(crate) async fn revoke(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: AdminForm,
) -> Result<Response, PageError> {
    let person = form.person;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let org = &person.signed_in.org.id;
    let invite = invites::find(web.app(), org, &InviteId::from(id)).await?;
    let invite = invite.ok_or(PageError::NotFound)?;
    let email: Email = invite
        .email
        .parse()
        .map_err(|_wrong| PageError::Internal("an invite's address is no address".to_owned()))?;
    let told = match invites::revoke(web.app(), (org, &actor), &email, Once::unkept()).await {
        Ok(()) => (StatusCode::OK, Notice::good("The invite is revoked.")),
        Err(RevokeError::Internal(error)) => return Err(error.into()),
        Err(refused) => {
            let words = format!("{refused}.");
            (StatusCode::BAD_REQUEST, Notice::bad(words))
        }
    };
    with_words(&web, &person, told).await
}

pub(crate) async fn outbox(
    State(web): State<Web>,
    Admin(person): Admin,
) -> Result<Response, PageError> {
    let now = person.visit.now;
    let mails = mail::list(web.app(), &person.signed_in.org.id).await?;
    html(&Outbox {
        shell: shell(&web, &person, ("Outbox", NavItem::Outbox)).await?,
        is_sent: mail::is_sent(web.app()),
        mails: mails.iter().map(|mail| mail_row(mail, now)).collect(),
    })
}

fn mail_row(mail: &Mail, now: Timestamp) -> MailRow {
    MailRow {
        id: mail.id.to_string(),
        subject: mail.subject.clone(),
        recipient: mail.recipient.clone(),
        when: words::log_time(mail.created_at, now),
        fate: fate(mail.state),
        error: mail.error.clone(),
    }
}

pub(crate) async fn outbox_mail(
    State(web): State<Web>,
    Path(id): Path<String>,
    Admin(person): Admin,
) -> Result<Response, PageError> {
    let org = &person.signed_in.org.id;
    let mail = mail::find(web.app(), org, &MailId::from(id)).await?;
    let mail = mail.ok_or(PageError::NotFound)?;
    html(&OutboxMail {
        shell: shell(&web, &person, ("Mail", NavItem::Outbox)).await?,
        mail: mail_row(&mail, person.visit.now),
        link: mail
            .text
            .lines()
            .find(|line| line.starts_with(&*web.app().settings.public_url))
            .map(str::to_owned),
        text: mail.text,
    })
}
