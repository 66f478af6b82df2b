//! Ways in and out: sign in, first password, one-time links, sign out.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use headshot_app::accounts::{
    self, LinkPurpose, NewSession, OpenLink, SetPasswordError, SignInError,
};
use headshot_app::mail;
use headshot_domain::{Email, OrgId, Role};
use headshot_pages::{LinkInvalid, Login, MagicConfirm, MemberHome, Setup, SetupPurpose};
use serde::Deserialize;

use crate::Web;
use crate::cookies::{self, Kind};
use crate::dashboard::extract::{Person, PersonForm, Visit, VisitorForm, holds_key};
use crate::dashboard::shell::org_choices;
use crate::dashboard::{PageError, html, html_with};
use crate::words;

/// Sends a visitor to the right place.
pub(crate) async fn home(State(web): State<Web>, visit: Visit) -> Result<Redirect, PageError> {
    let signed_in = match &visit.session_token {
        Some(token) => accounts::session(web.app(), token).await?,
        None => None,
    };
    Ok(Redirect::to(signed_in.map_or("/auth/login", |signed_in| {
        start_of(signed_in.role)
    })))
}

fn start_of(role: Role) -> &'static str {
    if role.is_admin() {
        "/app/admin/overview"
    } else {
        "/team-member"
    }
}

/// The page's own address to go to afterwards: a path of this server, nothing else.
fn local(next: &str) -> Option<&str> {
    let path = next.starts_with('/') && !next.starts_with("//") && !next.starts_with("/\\");
    let clean = !next.contains(|c: char| c.is_control() || c == '\\') && !holds_key(next);
    (path && clean && next != "/").then_some(next)
}

/// What an address may ask of a sign-in page.
#[derive(Debug, Deserialize)]
pub(crate) struct LoginQuery {
    #[serde(default)]
    next: String,
    #[serde(default)]
    signed_out: Option<String>,
}

pub(crate) async fn login_page(
    State(web): State<Web>,
    visit: Visit,
    query: Result<Query<LoginQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(query) = query?;
    let notice = query.signed_out.map(|_| "You are signed out.".to_owned());
    let next = local(&query.next).unwrap_or_default().to_owned();
    with_form_token(&web, &visit, |csrf| {
        html(&Login {
            csrf,
            email: String::new(),
            error: None,
            notice,
            next,
            by_mail: mail::is_sent(web.app()),
        })
    })
}

/// Renders a form for a browser that isn't signed in, and gives it a form cookie if it has none.
pub(crate) fn with_form_token(
    web: &Web,
    visit: &Visit,
    render: impl FnOnce(String) -> Result<Response, PageError>,
) -> Result<Response, PageError> {
    if let Some(token) = &visit.form_token {
        return render(accounts::csrf_token(token));
    }
    let token = accounts::new_token(&*web.app().entropy);
    let mut response = render(accounts::csrf_token(&token))?;
    if let Some(cookie) = cookies::set(Kind::Form, &token, web.0.secure) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

pub(crate) async fn login(
    State(web): State<Web>,
    form: VisitorForm,
) -> Result<Response, PageError> {
    let (email, next) = (form.fields.get("email"), form.fields.get("next"));
    let password = form.fields.get("password").to_owned().into();
    match accounts::sign_in(web.app(), &form.visit.visitor, email, password).await {
        Ok(session) => Ok(begin(&web, &session, local(next))),
        Err(SignInError::Internal(error)) => Err(error.into()),
        Err(refused) => {
            let status = match refused {
                SignInError::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::UNAUTHORIZED,
            };
            let page = Login {
                csrf: form.fields.get("csrf").to_owned(),
                email: email.to_owned(),
                error: Some(sign_in_words(&refused)),
                notice: None,
                next: local(next).unwrap_or_default().to_owned(),
                by_mail: mail::is_sent(web.app()),
            };
            html_with(status, &page)
        }
    }
}

/// Where a form that only posts is, for who opens its address.
pub(crate) async fn to_login() -> Redirect {
    Redirect::to("/auth/login")
}

/// Asks for a sign-in link by mail. The answer is the same whoever has the address.
pub(crate) async fn ask_for_link(
    State(web): State<Web>,
    form: VisitorForm,
) -> Result<Response, PageError> {
    let app = web.app();
    let typed = form.fields.get("email");
    let visitor = &form.visit.visitor;
    let told = if !mail::is_sent(app) {
        "This server sends no mail. Ask an admin for a link.".to_owned()
    } else if !app.addresses.take(visitor.address, form.visit.now).allowed {
        "Too many requests. Try again in a minute.".to_owned()
    } else {
        if let Ok(email) = typed.parse::<Email>() {
            mail::ask_for_sign_in_link(app, (&email, visitor.address)).await?;
        }
        format!(
            "If somebody here has this address, a link is on its way. It works for {} minutes.",
            accounts::MAILED_LINK_LIFE.as_secs() / 60
        )
    };
    html(&Login {
        csrf: form.fields.get("csrf").to_owned(),
        email: String::new(),
        error: None,
        notice: Some(told),
        next: String::new(),
        by_mail: mail::is_sent(app),
    })
}

/// Why a sign-in was refused, as people read it.
pub(crate) fn sign_in_words(error: &SignInError) -> String {
    match error {
        SignInError::Throttled { retry_at } => {
            format!(
                "Too many tries. Try again after {}.",
                words::moment(*retry_at).human
            )
        }
        other => other.to_string(),
    }
}

fn begin(web: &Web, session: &NewSession, next: Option<&str>) -> Response {
    let mut response = see_other(next.unwrap_or_else(|| start_of(session.role)));
    let cookies = [
        (Kind::Session, &*session.token),
        (Kind::Device, &*session.device),
        (Kind::Form, ""),
    ];
    for (kind, value) in cookies {
        if let Some(cookie) = cookies::set(kind, value, web.0.secure) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// After a form: the next page is asked for by GET.
pub(crate) fn see_other(path: &str) -> Response {
    Redirect::to(path).into_response()
}

pub(crate) async fn logout(
    State(web): State<Web>,
    form: PersonForm,
) -> Result<Response, PageError> {
    let person = &form.person;
    let address = person.visit.visitor.address;
    accounts::sign_out(web.app(), &person.signed_in, address).await?;
    let mut response = see_other("/auth/login?signed_out=1");
    if let Some(cookie) = cookies::set(Kind::Session, "", web.0.secure) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// A link's token: never printed.
#[derive(Deserialize)]
pub(crate) struct TokenQuery {
    #[serde(default)]
    token: String,
}

fn link_invalid() -> Result<Response, PageError> {
    html_with(StatusCode::NOT_FOUND, &LinkInvalid)
}

pub(crate) async fn setup_page(
    State(web): State<Web>,
    visit: Visit,
    query: Result<Query<TokenQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(TokenQuery { token }) = query?;
    let link = accounts::open_link(web.app(), &token).await?;
    let Some(link) = link.filter(|link| link.purpose != LinkPurpose::SignIn) else {
        return link_invalid();
    };
    let page = setup_form(&web, token, &link).await?;
    with_form_token(&web, &visit, |csrf| html(&Setup { csrf, ..page }))
}

async fn setup_form(web: &Web, token: String, link: &OpenLink) -> Result<Setup, PageError> {
    let orgs = accounts::organizations_of(web.app(), &link.user.id).await?;
    Ok(Setup {
        csrf: String::new(),
        token,
        email: link.user.email.clone(),
        name: link.user.name.clone().unwrap_or_default(),
        org_name: orgs
            .into_iter()
            .next()
            .map(|org| org.name)
            .unwrap_or_default(),
        error: None,
        purpose: match link.purpose {
            LinkPurpose::Reset => SetupPurpose::Reset,
            LinkPurpose::Setup | LinkPurpose::SignIn => SetupPurpose::FirstPassword,
        },
    })
}

pub(crate) async fn setup(
    State(web): State<Web>,
    form: VisitorForm,
) -> Result<Response, PageError> {
    let token = form.fields.get("token").to_owned();
    let name = form.fields.get("name");
    let password = form.fields.get("password").to_owned().into();
    let visitor = &form.visit.visitor;
    match accounts::set_password_by_link(web.app(), visitor, &token, (Some(name), password)).await {
        Ok(session) => Ok(begin(&web, &session, None)),
        Err(SetPasswordError::Internal(error)) => Err(error.into()),
        Err(SetPasswordError::LinkGone) => link_invalid(),
        Err(refused) => {
            let Some(link) = accounts::open_link(web.app(), &token).await? else {
                return link_invalid();
            };
            let page = Setup {
                csrf: form.fields.get("csrf").to_owned(),
                name: name.to_owned(),
                error: Some(refused.to_string()),
                ..setup_form(&web, token, &link).await?
            };
            html_with(StatusCode::BAD_REQUEST, &page)
        }
    }
}

pub(crate) async fn magic_page(
    State(web): State<Web>,
    visit: Visit,
    query: Result<Query<TokenQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(TokenQuery { token }) = query?;
    let link = accounts::open_link(web.app(), &token).await?;
    let Some(link) = link.filter(|link| link.purpose == LinkPurpose::SignIn) else {
        return link_invalid();
    };
    let email = link.user.email;
    with_form_token(&web, &visit, |csrf| {
        html(&MagicConfirm { csrf, token, email })
    })
}

pub(crate) async fn magic(
    State(web): State<Web>,
    form: VisitorForm,
) -> Result<Response, PageError> {
    let token = form.fields.get("token");
    match accounts::sign_in_by_link(web.app(), &form.visit.visitor, token).await {
        Ok(Some(session)) => Ok(begin(&web, &session, None)),
        Ok(None)
        | Err(SignInError::Wrong | SignInError::NoOrganization | SignInError::Throttled { .. }) => {
            link_invalid()
        }
        Err(SignInError::Internal(error)) => Err(error.into()),
    }
}

/// Shows another organization of the person from now on.
pub(crate) async fn switch(
    State(web): State<Web>,
    form: PersonForm,
) -> Result<Response, PageError> {
    let org = OrgId::from(form.fields.get("organization"));
    let PersonForm { person, .. } = form;
    let address = person.visit.visitor.address;
    if accounts::switch_org(web.app(), &person.signed_in, address, &org).await? {
        Ok(see_other("/"))
    } else {
        Err(PageError::NotFound)
    }
}

/// What a signed-in person sees who has no session.
pub(crate) async fn member_home(web: &Web, person: Person) -> Result<Response, PageError> {
    let orgs = org_choices(web, &person).await?;
    let user = person.signed_in.user;
    html(&MemberHome {
        csrf: person.csrf,
        user_name: user.name.unwrap_or_else(|| user.email.clone()),
        user_email: user.email,
        org_name: person.signed_in.org.name,
        orgs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_followed() {
        assert_eq!(local("/app/admin/api?x=1"), Some("/app/admin/api?x=1"));
        for foreign in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/a\\b",
            "/a\nb",
            "/?key=hsp_0123456789012345678901234567890123456789abcdef",
            "",
            "/",
        ] {
            assert_eq!(local(foreign), None, "{foreign:?}");
        }
    }
}
