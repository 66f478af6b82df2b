//! Admin > Settings.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use headshot_app::accounts::{self, Others, SetPasswordError, SignInError};
use headshot_domain::SessionId;
use headshot_pages::{MemberAccount, NavItem, Notice, Security, SessionRow, Settings};

use crate::Web;
use crate::dashboard::access::{see_other, sign_in_words};
use crate::dashboard::extract::{Admin, NotSignedIn, Person, PersonForm};
use crate::dashboard::shell::{shell, with_notice};
use crate::dashboard::{PageError, html_with};
use crate::words;

pub(crate) mod organization;
pub(crate) mod studio;

const SECURITY: &str = "/app/admin/settings/security";

const ACCOUNT: &str = "/team-member/account";

pub(crate) async fn to_security() -> Redirect {
    Redirect::to(SECURITY)
}

/// The published documentation names both ways to the page.
pub(crate) async fn to_api() -> Redirect {
    Redirect::to("/app/admin/api")
}

/// Where a person finds the own sessions and password: an admin in the dashboard, a member beside the
/// headshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Dashboard,
    Account,
}

impl Place {
    fn of(person: &Person) -> Self {
        if person.signed_in.role.is_admin() {
            Self::Dashboard
        } else {
            Self::Account
        }
    }

    const fn page(self) -> &'static str {
        match self {
            Self::Dashboard => SECURITY,
            Self::Account => ACCOUNT,
        }
    }

    const fn base(self) -> &'static str {
        match self {
            Self::Dashboard => "/app/admin/settings",
            Self::Account => ACCOUNT,
        }
    }
}

pub(crate) async fn page(
    State(web): State<Web>,
    Admin(person): Admin,
) -> Result<Response, PageError> {
    let security = security(&web, &person).await?;
    show(&web, &person, (security, None), StatusCode::OK).await
}

pub(crate) async fn account(
    State(web): State<Web>,
    person: Person,
) -> Result<Response, NotSignedIn> {
    if Place::of(&person) == Place::Dashboard {
        return Ok(see_other(SECURITY));
    }
    let security = security(&web, &person).await?;
    Ok(show(&web, &person, (security, None), StatusCode::OK).await?)
}

async fn show(
    web: &Web,
    person: &Person,
    (security, notice): (Security, Option<Notice>),
    status: StatusCode,
) -> Result<Response, PageError> {
    if Place::of(person) == Place::Account {
        let page = MemberAccount {
            csrf: person.csrf.clone(),
            user_email: person.signed_in.user.email.clone(),
            notice,
            security,
        };
        return html_with(status, &page);
    }
    let mut shell = shell(web, person, ("Settings", NavItem::Settings)).await?;
    if let Some(notice) = notice {
        shell = with_notice(shell, notice);
    }
    html_with(status, &Settings { shell, security })
}

async fn security(web: &Web, person: &Person) -> Result<Security, PageError> {
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
    Ok(Security {
        base: Place::of(person).base(),
        sessions,
        current_password_error: None,
        new_password_error: None,
    })
}

pub(crate) async fn end_others(
    State(web): State<Web>,
    form: PersonForm,
) -> Result<Response, PageError> {
    end(&web, &form, Others::All).await
}

pub(crate) async fn end_one(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: PersonForm,
) -> Result<Response, PageError> {
    end(&web, &form, Others::One(SessionId::from(id))).await
}

async fn end(web: &Web, form: &PersonForm, which: Others) -> Result<Response, PageError> {
    let person = &form.person;
    let address = person.visit.visitor.address;
    accounts::sign_out_others(web.app(), &person.signed_in, address, which).await?;
    Ok(see_other(Place::of(person).page()))
}

pub(crate) async fn password(
    State(web): State<Web>,
    form: PersonForm,
) -> Result<Response, PageError> {
    let PersonForm { person, fields } = form;
    let present = fields.get("current_password").to_owned().into();
    let new = fields.get("new_password").to_owned().into();
    let visitor = &person.visit.visitor;
    let changed =
        accounts::set_password(web.app(), &person.signed_in, visitor, (present, new)).await;
    let mut security = security(&web, &person).await?;
    let mut notice = None;
    let status = match changed {
        Ok(()) => {
            notice = Some(Notice::good(
                "Your password is changed. Other browsers are signed out.",
            ));
            StatusCode::OK
        }
        Err(SetPasswordError::Internal(error)) => return Err(error.into()),
        Err(SetPasswordError::Unusable(wrong)) => {
            security.new_password_error = Some(wrong.to_string());
            StatusCode::BAD_REQUEST
        }
        Err(SetPasswordError::SignIn(SignInError::Wrong)) => {
            security.current_password_error = Some("The password is not right.".to_owned());
            StatusCode::FORBIDDEN
        }
        Err(SetPasswordError::SignIn(refused)) => {
            security.current_password_error = Some(sign_in_words(&refused));
            StatusCode::TOO_MANY_REQUESTS
        }
        Err(SetPasswordError::LinkGone) => return Err(PageError::NotFound),
    };
    show(&web, &person, (security, notice), status).await
}
