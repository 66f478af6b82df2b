//! Admin > Settings > Organization: how long shoots are kept, and which mails are sent.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use headshot_app::mail::{self, SwitchError};
use headshot_app::retention::{self, DAYS_MAX, SetError};
use headshot_pages::{NavItem, Notice, OrganizationSettings, ShorterTime, grouped};

use crate::Web;
use crate::dashboard::extract::{Admin, AdminForm, Person, holds_key};
use crate::dashboard::shell::{shell, with_notice};
use crate::dashboard::{PageError, html, html_with};

const PAGE: &str = "/app/admin/settings/organization";

/// The longest number that is repeated, in characters.
const TYPED_MAX: usize = 20;

impl From<SetError> for PageError {
    fn from(error: SetError) -> Self {
        match error {
            SetError::Internal(error) => error.into(),
            SetError::Days | SetError::NoSuchOrganization(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<SwitchError> for PageError {
    fn from(error: SwitchError) -> Self {
        match error {
            SwitchError::Internal(error) => error.into(),
            SwitchError::NoSuchOrganization(_) => Self::Internal(error.to_string()),
        }
    }
}

/// Where the page's forms lead, for who opens such an address or loads it again.
pub(crate) async fn to_page() -> Redirect {
    Redirect::to(PAGE)
}

pub(crate) async fn page(
    State(web): State<Web>,
    Admin(person): Admin,
) -> Result<Response, PageError> {
    html(&settings(&web, &person).await?)
}

async fn settings(web: &Web, person: &Person) -> Result<OrganizationSettings, PageError> {
    let (app, org) = (web.app(), &person.signed_in.org.id);
    let days = |age: Option<Duration>| age.map(|age| age.as_secs() / 86_400);
    Ok(OrganizationSettings {
        shell: shell(web, person, ("Settings", NavItem::Settings)).await?,
        days: retention::of(app, org).await?.to_string(),
        days_error: None,
        days_max: DAYS_MAX,
        question: None,
        server_days: days(app.settings.retention.results),
        upload_days: days(app.settings.retention.inputs),
        low_credit_mail: mail::tells_low_credits(app, org).await?,
        low_credits: mail::LOW_CREDITS.to_string(),
        is_sent: mail::is_sent(app),
    })
}

async fn saved(web: &Web, person: &Person, said: String) -> Result<Response, PageError> {
    let mut page = settings(web, person).await?;
    page.shell = with_notice(page.shell, Notice::good(said));
    html(&page)
}

async fn refused(web: &Web, person: &Person, typed: &str) -> Result<Response, PageError> {
    let mut page = settings(web, person).await?;
    page.shell = with_notice(page.shell, Notice::bad("Nothing was changed."));
    // Somebody may paste a key into any field: it is not repeated.
    if !holds_key(typed) && typed.chars().count() <= TYPED_MAX {
        typed.clone_into(&mut page.days);
    }
    let most = grouped(DAYS_MAX);
    page.days_error = Some(format!("Use 1 to {most} days, or 0 for never."));
    html_with(StatusCode::BAD_REQUEST, &page)
}

/// Saves after how many days finished shoots go. What takes something away that is kept now is asked
/// for once more.
pub(crate) async fn retention(
    State(web): State<Web>,
    form: AdminForm,
) -> Result<Response, PageError> {
    let AdminForm { person, fields } = form;
    let (app, org) = (web.app(), &person.signed_in.org.id);
    let typed = fields.get("days").trim();
    let Ok(days) = typed.parse::<i64>() else {
        return refused(&web, &person, typed).await;
    };
    let shorter = match retention::shortens(app, org, days).await {
        Ok(shorter) => shorter,
        Err(SetError::Days) => return refused(&web, &person, typed).await,
        Err(error) => return Err(error.into()),
    };
    let confirmed = fields.get("confirmed").parse::<i64>() == Ok(days);
    if let Some(shorter) = shorter.filter(|_| !confirmed) {
        let mut page = settings(&web, &person).await?;
        page.question = Some(ShorterTime {
            days,
            before: shorter.before,
            due: shorter.due,
        });
        return html(&page);
    }
    let actor = person.signed_in.actor(person.visit.visitor.address);
    retention::set(app, &actor, org, days).await?;
    let said = match days {
        0 => "Finished shoots are kept until somebody deletes them.".to_owned(),
        1 => "Finished shoots are deleted after 1 day.".to_owned(),
        days => format!("Finished shoots are deleted after {} days.", grouped(days)),
    };
    saved(&web, &person, said).await
}

pub(crate) async fn mails(State(web): State<Web>, form: AdminForm) -> Result<Response, PageError> {
    let AdminForm { person, fields } = form;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let on = !fields.get("low_credits").is_empty();
    let by = (&person.signed_in.org.id, &actor);
    mail::tell_low_credits(web.app(), by, on).await?;
    let said = if on {
        "Owners and admins are mailed when few credits are left."
    } else {
        "Nobody is mailed when few credits are left."
    };
    saved(&web, &person, said.to_owned()).await
}
