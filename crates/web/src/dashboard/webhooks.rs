//! Admin > API > Webhooks: the settings, and what was delivered.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use headshot_app::webhooks::{self, ChangeError, Listed, ReplayError};
use headshot_app::webhooks::{Delivery, Event};
use headshot_domain::{Timestamp, WebhookState};
use headshot_pages::{
    ApiKeys, DeliveryRow, EventRow, EventState, NavItem, Notice, WebhookDetail, WebhookEndpoint,
    WebhookSecret, WebhookSettings, Webhooks,
};
use serde::Deserialize;

use crate::Web;
use crate::dashboard::extract::{Admin, AdminForm, Person, holds_key};
use crate::dashboard::shell::{shell, with_notice};
use crate::dashboard::{PageError, api_keys, html, html_with};
use crate::words;

const LIST: &str = "/app/admin/webhooks";

/// The *Webhook Settings* as they are saved.
pub(crate) async fn settings(web: &Web, person: &Person) -> Result<WebhookSettings, PageError> {
    let org = &person.signed_in.org.id;
    let now = person.visit.now;
    let Some(endpoint) = webhooks::endpoint(web.app(), org).await? else {
        return Ok(WebhookSettings::default());
    };
    let overlap = endpoint.previous.filter(|(_, until)| *until > now);
    Ok(WebhookSettings {
        endpoint: Some(WebhookEndpoint {
            url: endpoint.url,
            updated: words::ago(endpoint.updated_at, now),
            overlap_until: overlap.map(|(_, until)| words::moment(until)),
        }),
        typed: None,
        error: None,
        failed: webhooks::count_failed(web.app(), org).await?,
    })
}

/// Admin > API with a message above it.
async fn api_page(web: &Web, person: &Person, notice: Notice) -> Result<ApiKeys, PageError> {
    let mut page = api_keys::list(web, person).await?;
    page.shell = with_notice(page.shell, notice);
    Ok(page)
}

/// Admin > API after a change that was refused.
async fn refused(web: &Web, person: &Person, error: ChangeError) -> Result<Response, PageError> {
    let (status, words) = match error {
        ChangeError::Internal(error) => return Err(error.into()),
        ChangeError::NoEndpoint => (StatusCode::NOT_FOUND, "Save a webhook URL first."),
        ChangeError::Overlap => (StatusCode::BAD_REQUEST, "Choose one of the overlaps."),
        ChangeError::Url(_) => (StatusCode::BAD_REQUEST, "The webhook URL was not saved."),
    };
    html_with(status, &api_page(web, person, Notice::bad(words)).await?)
}

pub(crate) async fn save(State(web): State<Web>, form: AdminForm) -> Result<Response, PageError> {
    let AdminForm { person, fields } = form;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let org = &person.signed_in.org.id;
    let url = fields.get("url");
    match webhooks::save_url(web.app(), &actor, org, url).await {
        Ok(Some(secret)) => show_secret(&web, &person, &secret, false).await,
        Ok(None) => {
            html(&api_page(&web, &person, Notice::good("The webhook URL is saved.")).await?)
        }
        Err(ChangeError::Url(refusal)) => {
            let notice = Notice::bad("The webhook URL was not saved.");
            let mut page = api_page(&web, &person, notice).await?;
            // Somebody may paste a key into any field: it is not repeated.
            page.webhook.typed = Some(url.to_owned()).filter(|url| !holds_key(url));
            page.webhook.error = Some(api_keys::sentence(&refusal.to_string()));
            html_with(StatusCode::BAD_REQUEST, &page)
        }
        Err(error) => refused(&web, &person, error).await,
    }
}

async fn show_secret(
    web: &Web,
    person: &Person,
    secret: &str,
    rotated: bool,
) -> Result<Response, PageError> {
    let endpoint = settings(web, person).await?.endpoint;
    let endpoint = endpoint.ok_or(PageError::NotFound)?;
    html(&WebhookSecret {
        shell: shell(web, person, ("Webhook secret", NavItem::Api)).await?,
        secret: secret.to_owned(),
        url: endpoint.url,
        overlap_until: endpoint.overlap_until,
        rotated,
    })
}

pub(crate) async fn rotate(State(web): State<Web>, form: AdminForm) -> Result<Response, PageError> {
    let AdminForm { person, fields } = form;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let org = &person.signed_in.org.id;
    let rotated = match fields.get("overlap").parse::<u32>() {
        Ok(hours) => {
            let overlap = Duration::from_secs(u64::from(hours) * 3_600);
            webhooks::rotate(web.app(), &actor, org, overlap).await
        }
        Err(_wrong) => Err(ChangeError::Overlap),
    };
    match rotated {
        Ok(secret) => show_secret(&web, &person, &secret, true).await,
        Err(error) => refused(&web, &person, error).await,
    }
}

pub(crate) async fn remove(State(web): State<Web>, form: AdminForm) -> Result<Response, PageError> {
    let person = form.person;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    match webhooks::remove(web.app(), &actor, &person.signed_in.org.id).await {
        Ok(()) => {
            let notice = Notice::good("The webhook is removed. Nothing is delivered any more.");
            html(&api_page(&web, &person, notice).await?)
        }
        Err(error) => refused(&web, &person, error).await,
    }
}

pub(crate) async fn send_test(
    State(web): State<Web>,
    form: AdminForm,
) -> Result<Response, PageError> {
    use axum::response::IntoResponse;
    let person = form.person;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    match webhooks::send_test(web.app(), &actor, &person.signed_in.org.id).await {
        Ok(id) => Ok(Redirect::to(&format!("{LIST}/{id}")).into_response()),
        Err(error) => refused(&web, &person, error).await,
    }
}

/// Where a page of the list begins, and which events it holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListQuery {
    state: String,
    before: String,
}

impl ListQuery {
    /// The place after an event: its time and number.
    fn before(&self) -> Option<(Timestamp, i64)> {
        let (at, seq) = self.before.split_once('.')?;
        Some((Timestamp::from_unix_ms(at.parse().ok()?), seq.parse().ok()?))
    }

    fn url(&self, before: Option<&(Timestamp, i64)>) -> String {
        let state = Some(format!("state={}", self.state)).filter(|_| !self.state.is_empty());
        let before = before.map(|(at, seq)| format!("before={}.{seq}", at.unix_ms()));
        let pairs: Vec<String> = state.into_iter().chain(before).collect();
        if pairs.is_empty() {
            LIST.to_owned()
        } else {
            format!("{LIST}?{}", pairs.join("&"))
        }
    }
}

/// Where the page's forms lead, for who opens such an address or loads it again.
pub(crate) async fn to_list() -> Redirect {
    Redirect::to(LIST)
}

pub(crate) async fn page(
    State(web): State<Web>,
    Admin(person): Admin,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(query) = query?;
    html(&list(&web, &person, query).await?)
}

async fn list(web: &Web, person: &Person, mut query: ListQuery) -> Result<Webhooks, PageError> {
    let state = query.state.parse::<WebhookState>().ok();
    // An unknown state is all of them, and is not repeated.
    query.state = state.map_or_else(String::new, |state| state.name().to_owned());
    let org = &person.signed_in.org.id;
    let page = webhooks::page(web.app(), org, state, query.before()).await?;
    let now = person.visit.now;
    Ok(Webhooks {
        shell: shell(web, person, ("Webhooks", NavItem::Webhooks)).await?,
        configured: webhooks::endpoint(web.app(), org).await?.is_some(),
        older_url: page.older.as_ref().map(|before| query.url(Some(before))),
        newer_url: (!query.before.is_empty()).then(|| query.url(None)),
        events: page.events.iter().map(|row| event_row(row, now)).collect(),
        failed: page.failed,
        state: query.state,
    })
}

fn event_row((event, last): &Listed, now: Timestamp) -> EventRow {
    EventRow {
        when: words::log_time(event.created_at, now),
        last: last.as_ref().map(last_words),
        ..event_facts(event)
    }
}

fn event_facts(event: &Event) -> EventRow {
    EventRow {
        id: event.id.clone(),
        name: event.name.clone(),
        when: words::exact(event.created_at),
        state: match event.state {
            WebhookState::Pending => EventState::Pending,
            WebhookState::Delivered => EventState::Delivered,
            WebhookState::Failed => EventState::Failed,
        },
        model: event.model.to_string(),
        last: None,
    }
}

fn last_words(delivery: &Delivery) -> String {
    match (&delivery.error, delivery.status) {
        (Some(error), _) => error.clone(),
        (None, Some(status)) => format!("{status} in {}", took(delivery)),
        (None, None) => "no answer".to_owned(),
    }
}

fn took(delivery: &Delivery) -> String {
    words::duration(delivery.duration_ms.saturating_mul(1_000))
}

pub(crate) async fn detail(
    State(web): State<Web>,
    Admin(person): Admin,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    html(&event_page(&web, &person, &id).await?)
}

async fn event_page(web: &Web, person: &Person, id: &str) -> Result<WebhookDetail, PageError> {
    let org = &person.signed_in.org.id;
    let found = webhooks::find(web.app(), org, id).await?;
    let (event, deliveries) = found.ok_or(PageError::NotFound)?;
    let configured = webhooks::endpoint(web.app(), org).await?.is_some();
    Ok(WebhookDetail {
        shell: shell(web, person, ("Webhook event", NavItem::Webhooks)).await?,
        can_replay: configured && event.state != WebhookState::Pending,
        deliveries: deliveries.into_iter().map(delivery_row).collect(),
        body: event.body.clone(),
        erased: event.erased_at.map(words::exact),
        event: event_facts(&event),
    })
}

fn delivery_row(delivery: Delivery) -> DeliveryRow {
    let response = [&*delivery.response_head, &*delivery.response_body];
    DeliveryRow {
        attempt: delivery.attempt,
        when: words::exact(delivery.started_at),
        duration: took(&delivery),
        status: delivery.status.and_then(|status| status.try_into().ok()),
        request: delivery.request_head,
        response: response.join("\n").trim().to_owned(),
        error: delivery.error,
        id: delivery.id.to_string(),
    }
}

pub(crate) async fn replay(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: AdminForm,
) -> Result<Response, PageError> {
    let person = form.person;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let org = &person.signed_in.org.id;
    let (status, notice) = match webhooks::replay(web.app(), &actor, org, &id).await {
        Ok(()) => (StatusCode::OK, Notice::good("The event is sent again.")),
        Err(ReplayError::Internal(error)) => return Err(error.into()),
        Err(ReplayError::NotFound) => return Err(PageError::NotFound),
        Err(refused @ (ReplayError::Pending | ReplayError::NoEndpoint)) => {
            let words = api_keys::sentence(&refused.to_string());
            (StatusCode::CONFLICT, Notice::info(words))
        }
    };
    let mut page = event_page(&web, &person, &id).await?;
    page.shell = with_notice(page.shell, notice);
    html_with(status, &page)
}

pub(crate) async fn replay_failed(
    State(web): State<Web>,
    form: AdminForm,
) -> Result<Response, PageError> {
    let person = form.person;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let org = &person.signed_in.org.id;
    let (status, notice) = match webhooks::replay_failed(web.app(), &actor, org).await {
        Ok(1) => (
            StatusCode::OK,
            Notice::good("1 failed event is sent again."),
        ),
        Ok(count) => {
            let words = format!("{count} failed events are sent again.");
            (StatusCode::OK, Notice::good(words))
        }
        Err(ReplayError::Internal(error)) => return Err(error.into()),
        Err(refused) => {
            let words = api_keys::sentence(&refused.to_string());
            (StatusCode::CONFLICT, Notice::info(words))
        }
    };
    let mut page = list(&web, &person, ListQuery::default()).await?;
    page.shell = with_notice(page.shell, notice);
    html_with(status, &page)
}
