//! Admin > Settings.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use headshot_app::accounts::{self, Others, SetPasswordError, SignInError};
use headshot_domain::SessionId;
use headshot_pages::{NavItem, Notice, SessionRow, Settings};

use crate::Web;
use crate::dashboard::access::{see_other, sign_in_words};
use crate::dashboard::extract::{Admin, AdminForm, Person};
use crate::dashboard::shell::{shell, with_notice};
use crate::dashboard::{PageError, html, html_with};
use crate::words;

pub(crate) mod organization;
pub(crate) mod studio;

const SECURITY: &str = "/app/admin/settings/security";

pub(crate) async fn to_security() -> Redirect {
    Redirect::to(SECURITY)
}

/// The published documentation names both ways to the page.
pub(crate) async fn to_api() -> Redirect {
    Redirect::to("/app/admin/api")
}

pub(crate) async fn page(
    State(web): State<Web>,
    Admin(person): Admin,
) -> Result<Response, PageError> {
    html(&settings(&web, &person).await?)
}

async fn settings(web: &Web, person: &Person) -> Result<Settings, PageError> {
    let sessions = accounts::list_sessions(web.app(), &person.signed_in.user.id).await?;
    let row = |session: accounts::Session| SessionRow {
        current: session.id == person.signed_in.session.id,
        id: session.id.to_string(),
        device: words::device(&session.user_agent),
        address: session.address,
        created: words::ago(session.created_at, person.visit.now),
        last_seen: words::ago(session.last_seen_at, person.visit.now),
    };
    let mut sessions: Vec<SessionRow> = sessions.into_iter().map(row).collect();
    sessions.sort_by_key(|session| !session.current);
    Ok(Settings {
        shell: shell(web, person, ("Settings", NavItem::Settings)).await?,
        sessions,
        current_password_error: None,
        new_password_error: None,
    })
}

pub(crate) async fn end_others(
    State(web): State<Web>,
    form: AdminForm,
) -> Result<Response, PageError> {
    end(&web, &form, Others::All).await
}

pub(crate) async fn end_one(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: AdminForm,
) -> Result<Response, PageError> {
    end(&web, &form, Others::One(SessionId::from(id))).await
}

async fn end(web: &Web, form: &AdminForm, which: Others) -> Result<Response, PageError> {
    let person = &form.person;
    let address = person.visit.visitor.address;
    accounts::sign_out_others(web.app(), &person.signed_in, address, which).await?;
    Ok(see_other(SECURITY))
}

pub(crate) async fn password(
    State(web): State<Web>,
    form: AdminForm,
) -> Result<Response, PageError> {
    let AdminForm { person, fields } = form;
    let present = fields.get("current_password").to_owned().into();
    let new = fields.get("new_password").to_owned().into();
    let visitor = &person.visit.visitor;
    let changed =
        accounts::set_password(web.app(), &person.signed_in, visitor, (present, new)).await;
    let mut page = settings(&web, &person).await?;
    let status = match changed {
        Ok(()) => {
            let notice = Notice::good("Your password is changed. Other browsers are signed out.");
            page.shell = with_notice(page.shell, notice);
            StatusCode::OK
        }
        Err(SetPasswordError::Internal(error)) => return Err(error.into()),
        Err(SetPasswordError::Unusable(wrong)) => {
            page.new_password_error = Some(wrong.to_string());
            StatusCode::BAD_REQUEST
        }
        Err(SetPasswordError::SignIn(SignInError::Wrong)) => {
            page.current_password_error = Some("The password is not right.".to_owned());
            StatusCode::FORBIDDEN
        }
        Err(SetPasswordError::SignIn(refused)) => {
            page.current_password_error = Some(sign_in_words(&refused));
            StatusCode::TOO_MANY_REQUESTS
        }
        Err(SetPasswordError::LinkGone) => return Err(PageError::NotFound),
    };
    html_with(status, &page)
}
