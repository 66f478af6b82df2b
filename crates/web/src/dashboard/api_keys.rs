//! Admin > API: list, generate, delete.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use headshot_app::accounts::{self, SignInError};
use headshot_app::keys::{self, CreateError, DeleteError, NewKey};
use headshot_app::request_log;
use headshot_domain::{Access, KeyId, Networks, Scope, ScopeSet, Timestamp};
use headshot_pages::{
    Access as Choice, ApiKeys, ConfirmPassword, KeyCreated, KeyDelete, NavItem, Notice,
    RestrictedForm, ScopeChoices,
};

use crate::Web;
use crate::dashboard::access::sign_in_words;
use crate::dashboard::extract::{Admin, AdminForm, Fields, Person};
use crate::dashboard::key_rows::{deleted_row, grants, key_row, receipt};
use crate::dashboard::shell::{shell, with_notice};
use crate::dashboard::{PageError, html, html_with};

const DAY: Duration = Duration::from_hours(24);

pub(crate) async fn page(
    State(web): State<Web>,
    Admin(person): Admin,
) -> Result<Response, PageError> {
    html(&list(&web, &person).await?)
}

/// The address of the form's answer, opened by itself.
pub(crate) async fn to_list() -> Redirect {
    Redirect::to("/app/admin/api")
}

async fn list(web: &Web, person: &Person) -> Result<ApiKeys, PageError> {
    let now = person.visit.now;
    let keys = keys::list(web.app(), &person.signed_in.org.id).await?;
    Ok(ApiKeys {
        shell: shell(web, person, ("API", NavItem::Api)).await?,
        csrf: person.csrf.clone(),
        nonce: accounts::new_token(&*web.app().entropy),
        keys: keys.live.iter().map(|key| key_row(key, now)).collect(),
        recently_deleted: keys
            .deleted
            .iter()
            .map(|row| deleted_row(row, now))
            .collect(),
        docs_url: "/api/authentication".to_owned(),
        receipt: None,
        form: RestrictedForm::default(),
    })
}

pub(crate) async fn create(State(web): State<Web>, form: AdminForm) -> Result<Response, PageError> {
    let AdminForm { person, fields } = form;
    let new = match new_key(&fields, person.visit.now) {
        Ok(new) => new,
        Err(wrong) => return refuse_form(&web, &person, *wrong, None).await,
    };
    if let Some(error) = confirm(&web, &person, &fields).await? {
        let page = ConfirmPassword {
            shell: shell(&web, &person, ("Confirm it is you", NavItem::Api)).await?,
            csrf: person.csrf.clone(),
            action: "/app/admin/api/keys".to_owned(),
            fields: fields.to_repeat(),
            error: error.words,
            what: "generate an API key".to_owned(),
        };
        return html_with(StatusCode::FORBIDDEN, &page);
    }
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let org = &person.signed_in.org.id;
    match keys::create(web.app(), &actor, org, new).await {
        Ok((key, secret)) => html(&KeyCreated {
            shell: shell(&web, &person, ("API key generated", NavItem::Api)).await?,
            secret: secret.expose().to_owned(),
            name: key.name,
            scopes: grants(key.scopes),
            expires: key.expires_at.map(crate::words::moment),
            base_url: web.base_url().to_owned(),
        }),
        Err(CreateError::Internal(error)) => Err(error.into()),
        Err(refused) => {
            let form = as_typed(&fields);
            refuse_form(&web, &person, form, Some(refused)).await
        }
    }
}

/// The password is needed (again).
struct Unconfirmed {
    /// What was wrong with the one that was given.
    words: Option<String>,
}

/// Making and deleting keys needs a password not older than ten minutes: the form may bring it.
async fn confirm(
    web: &Web,
    person: &Person,
    fields: &Fields,
) -> Result<Option<Unconfirmed>, PageError> {
    if person.signed_in.is_recent(person.visit.now) {
        return Ok(None);
    }
    let password = fields.get("password");
    if password.is_empty() {
        return Ok(Some(Unconfirmed { words: None }));
    }
    let (app, visitor) = (web.app(), &person.visit.visitor);
    let password = password.to_owned().into();
    match accounts::confirm_password(app, &person.signed_in, visitor, password).await {
        Ok(()) => Ok(None),
        Err(SignInError::Internal(error)) => Err(error.into()),
        Err(SignInError::Wrong) => Ok(Some(Unconfirmed {
            words: Some("The password is not right.".to_owned()),
        })),
        Err(refused) => Ok(Some(Unconfirmed {
            words: Some(sign_in_words(&refused)),
        })),
    }
}

/// Shows the list again, with the form as it was typed and what is wrong with it.
async fn refuse_form(
    web: &Web,
    person: &Person,
    mut form: RestrictedForm,
    refused: Option<CreateError>,
) -> Result<Response, PageError> {
    let mut page = list(web, person).await?;
    match refused {
        None => {}
        Some(CreateError::Name) => form.name_error = Some(CreateError::Name.to_string()),
        Some(CreateError::NoScopes) => {
            form.scopes_error = Some("Choose at least one scope.".into());
        }
        Some(CreateError::Expiry) => {
            form.expires_error = Some("The expiry must lie in the future.".into());
        }
        Some(other) => {
            page.shell = with_notice(page.shell, Notice::bad(sentence(&other.to_string())));
            form.open = false;
        }
    }
    page.form = form;
    html_with(StatusCode::BAD_REQUEST, &page)
}

/// An error as a sentence: with a capital, and a full stop unless it asks.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    let stop = if text.ends_with('?') { "" } else { "." };
    first
        .into_iter()
        .flatten()
        .chain(chars)
        .chain(stop.chars())
        .collect()
}

/// Reads the form; what is wrong with it comes back beside what was typed.
fn new_key(fields: &Fields, now: Timestamp) -> Result<NewKey, Box<RestrictedForm>> {
    let nonce = Some(fields.get("nonce")).filter(|nonce| (1..=100).contains(&nonce.len()));
    let nonce = nonce.map(str::to_owned);
    if fields.get("kind") != "restricted" {
        let (scopes, networks) = (ScopeSet::FULL, Networks::default());
        return Ok(NewKey {
            name: String::new(),
            scopes,
            networks,
            expires_at: None,
            nonce,
        });
    }
    let mut form = as_typed(fields);
    let scopes = Scope::ALL.into_iter().fold(ScopeSet::EMPTY, |set, scope| {
        match fields.get(&format!("scope.{scope}")) {
            "read" => set.with(scope, Access::Read),
            "write" => set.with(scope, Access::Write),
            _ => set,
        }
    });
    if scopes.is_empty() {
        form.scopes_error = Some("Choose at least one scope.".to_owned());
    }
    let expires_at = expiry(fields, now).unwrap_or_else(|wrong| {
        form.expires_error = Some(wrong.to_owned());
        None
    });
    let networks = fields
        .get("networks")
        .parse::<Networks>()
        .unwrap_or_else(|wrong| {
            form.networks_error = Some(sentence(&wrong.to_string()));
            Networks::default()
        });
    let wrong = [
        &form.scopes_error,
        &form.expires_error,
        &form.networks_error,
    ]
    .iter()
    .any(|e| e.is_some());
    if wrong {
        return Err(Box::new(form));
    }
    Ok(NewKey {
        name: form.name,
        scopes,
        networks,
        expires_at,
        nonce,
    })
}

fn expiry(fields: &Fields, now: Timestamp) -> Result<Option<Timestamp>, &'static str> {
    match fields.get("expires_in") {
        "" | "never" => Ok(None),
        "date" => {
            // The key works through its last day.
            let last_day = format!("{}T00:00:00Z", fields.get("expires_on"));
            let day = Timestamp::parse_iso(&last_day).ok_or("Choose a date.")?;
            Some(day.plus(DAY))
                .filter(|at| *at > now)
                .ok_or("Choose a date in the future.")
                .map(Some)
        }
        days => match days.parse::<u32>() {
            Ok(days @ 1..=3_650) => Ok(Some(now.plus(DAY * days))),
            _ => Err("Choose when the key expires."),
        },
    }
}

fn as_typed(fields: &Fields) -> RestrictedForm {
    let choice = |scope: Scope| match fields.get(&format!("scope.{scope}")) {
        "read" => Choice::Read,
        "write" => Choice::Write,
        _ => Choice::None,
    };
    RestrictedForm {
        open: fields.get("kind") == "restricted",
        name: fields.get("name").to_owned(),
        scopes: ScopeChoices {
            organization: choice(Scope::Organization),
            invites: choice(Scope::Invites),
            teams: choice(Scope::Teams),
            models: choice(Scope::Models),
            photos: choice(Scope::Photos),
        },
        expires_in: fields.get("expires_in").to_owned(),
        expires_on: fields.get("expires_on").to_owned(),
        networks: fields.get("networks").to_owned(),
        ..RestrictedForm::default()
    }
}

pub(crate) async fn delete_page(
    State(web): State<Web>,
    Admin(person): Admin,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let needs_password = !person.signed_in.is_recent(person.visit.now);
    html(&confirm_page(&web, &person, &id.into(), (needs_password, None)).await?)
}

async fn confirm_page(
    web: &Web,
    person: &Person,
    id: &KeyId,
    (needs_password, error): (bool, Option<String>),
) -> Result<KeyDelete, PageError> {
    let org = &person.signed_in.org.id;
    let key = keys::find(web.app(), org, id)
        .await?
        .filter(|key| key.deleted_at.is_none());
    let key = key.ok_or(PageError::NotFound)?;
    let usage = request_log::usage(web.app(), org, Some(id), 24).await?;
    Ok(KeyDelete {
        shell: shell(web, person, ("Delete API key", NavItem::Api)).await?,
        csrf: person.csrf.clone(),
        key: key_row(&key, person.visit.now),
        calls_24h: usage.total - usage.refused - usage.failed,
        needs_password,
        error,
    })
}

pub(crate) async fn delete(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: AdminForm,
) -> Result<Response, PageError> {
    let AdminForm { person, fields } = form;
    let id = KeyId::from(id);
    if let Some(error) = confirm(&web, &person, &fields).await? {
        let page = confirm_page(&web, &person, &id, (true, error.words)).await?;
        return html_with(StatusCode::FORBIDDEN, &page);
    }
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let org = &person.signed_in.org.id;
    match keys::delete(web.app(), &actor, Some(org), &id).await {
        Ok(deleted) => {
            let mut page = list(&web, &person).await?;
            page.receipt = Some(receipt(
                &deleted.key,
                &deleted.receipt,
                web.app().clock.now(),
            ));
            html(&page)
        }
        Err(DeleteError::Internal(error)) => Err(error.into()),
        Err(DeleteError::NotFound) => {
            let mut page = list(&web, &person).await?;
            let notice = Notice::info("This key was deleted before. No process accepts it.");
            page.shell = with_notice(page.shell, notice);
            html_with(StatusCode::NOT_FOUND, &page)
        }
    }
}
