//! Who asks for a page, and the forms they send. A handler that takes [`AdminForm`] or
//! [`VisitorForm`] can't forget the check against forged forms.

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use headshot_app::accounts::{self, SignedIn, Visitor};
use headshot_domain::Timestamp;

use crate::Web;
use crate::arrival::{self, Arrival};
use crate::cookies::{self, Kind};
use crate::dashboard::PageError;

/// Whoever asks for a page. Holds cookies: never printed.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) visitor: Visitor,
    pub(crate) now: Timestamp,
    /// The token that ties forms to this browser: the session's, else the form cookie's.
    pub(crate) form_token: Option<String>,
    pub(crate) session_token: Option<String>,
    /// The link that opened a session of a person in this browser.
    pub(crate) shoot_token: Option<String>,
}

impl FromRequestParts<Web> for Visit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        let arrival = parts
            .extensions
            .get::<Arrival>()
            .ok_or_else(|| PageError::Internal("no arrival".to_owned()))?;
        let secure = web.0.secure;
        let session_token = cookies::read(&parts.headers, Kind::Session, secure);
        let form_token = cookies::read(&parts.headers, Kind::Form, secure);
        Ok(Self {
            visitor: Visitor {
                address: arrival.address,
                user_agent: arrival::user_agent(&parts.headers),
                device: cookies::read(&parts.headers, Kind::Device, secure),
            },
            now: arrival.at,
            form_token,
            session_token,
            shoot_token: cookies::read(&parts.headers, Kind::Shoot, secure),
        })
    }
}

/// A person who is signed in, whatever the role.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) signed_in: SignedIn,
    pub(crate) visit: Visit,
    /// For every form on the page.
    pub(crate) csrf: String,
}

/// No session: to the sign-in page, and back afterwards.
pub(crate) enum NotSignedIn {
    SignIn(String),
    Page(PageError),
}

impl From<PageError> for NotSignedIn {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

impl IntoResponse for NotSignedIn {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(next) => {
                let query = [("next", next)];
                let encoded = axum::http::Uri::builder()
                    .path_and_query(format!("/auth/login?next={}", escape(&query[0].1)))
                    .build();
                let target =
                    encoded.map_or_else(|_| "/auth/login".to_owned(), |uri| uri.to_string());
                Redirect::to(&target).into_response()
            }
            Self::Page(error) => error.into_response(),
        }
    }
}

/// Whether a text has something like an API key in it. Such a text is not repeated anywhere.
pub(crate) fn holds_key(text: &str) -> bool {
    headshot_domain::api_key::redact(text) != text
}

/// Percent-encodes what may not stand in a query's value.
pub(crate) fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

impl FromRequestParts<Web> for Person {
    type Rejection = NotSignedIn;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, NotSignedIn> {
        let visit = Visit::from_request_parts(parts, web).await?;
        let signed_in = match &visit.session_token {
            Some(token) => accounts::session(web.app(), token)
                .await
                .map_err(PageError::from)?,
            None => None,
        };
        let (Some(signed_in), Some(token)) = (signed_in, &visit.session_token) else {
            let next = if parts.method.is_safe() {
                parts.uri.path_and_query().map_or("/", |both| both.as_str())
            } else {
                "/"
            };
            let next = if holds_key(next) { "/" } else { next };
            return Err(NotSignedIn::SignIn(next.to_owned()));
        };
        let csrf = accounts::csrf_token(token);
        Ok(Self {
            signed_in,
            visit,
            csrf,
        })
    }
}

/// An owner or admin.
#[derive(Clone)]
pub(crate) struct Admin(pub(crate) Person);

impl FromRequestParts<Web> for Admin {
    type Rejection = NotSignedIn;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, NotSignedIn> {
        let person = Person::from_request_parts(parts, web).await?;
        if person.signed_in.role.is_admin() {
            Ok(Self(person))
        } else {
            Err(PageError::Forbidden.into())
        }
    }
}

/// The fields of a form, in order. Passwords are among them: never printed.
#[derive(Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The field's value, or empty.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map_or("", |(_, value)| value)
    }

    /// All values of a field that may come several times, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let of_name = self.0.iter().filter(|(field, _)| field == name);
        of_name.map(|(_, value)| value.clone()).collect()
    }

    /// The fields that a page sends again: all but the password and the form's token.
    pub(crate) fn to_repeat(&self) -> Vec<(String, String)> {
        self.0
            .iter()
            .filter(|(name, _)| name != "csrf" && name != "password")
            .cloned()
            .collect()
    }
}

pub(crate) async fn fields(request: Request) -> Result<Fields, PageError> {
    match Form::<Vec<(String, String)>>::from_request(request, &()).await {
        Ok(Form(fields)) => Ok(Fields(fields)),
        Err(_) => Err(PageError::StaleForm),
    }
}

/// A form that an owner or admin sent from one of our own pages.
pub(crate) struct AdminForm {
    pub(crate) person: Person,
    pub(crate) fields: Fields,
}

impl FromRequest<Web> for AdminForm {
    type Rejection = NotSignedIn;

    async fn from_request(request: Request, web: &Web) -> Result<Self, NotSignedIn> {
        let (mut parts, body) = request.into_parts();
        let Admin(person) = Admin::from_request_parts(&mut parts, web).await?;
        let fields = fields(Request::from_parts(parts, body)).await?;
        check_csrf(person.visit.session_token.as_deref(), &fields)?;
        Ok(Self { person, fields })
    }
}

/// A form that a person of any role sent from one of our own pages.
pub(crate) struct PersonForm {
    pub(crate) person: Person,
    pub(crate) fields: Fields,
}

impl FromRequest<Web> for PersonForm {
    type Rejection = NotSignedIn;

    async fn from_request(request: Request, web: &Web) -> Result<Self, NotSignedIn> {
        let (mut parts, body) = request.into_parts();
        let person = Person::from_request_parts(&mut parts, web).await?;
        let fields = fields(Request::from_parts(parts, body)).await?;
        check_csrf(person.visit.session_token.as_deref(), &fields)?;
        Ok(Self { person, fields })
    }
}

/// A form that somebody who isn't signed in sent from one of our own pages.
pub(crate) struct VisitorForm {
    pub(crate) visit: Visit,
    pub(crate) fields: Fields,
}

impl FromRequest<Web> for VisitorForm {
    type Rejection = PageError;

    async fn from_request(request: Request, web: &Web) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, web).await?;
        let fields = fields(Request::from_parts(parts, body)).await?;
        check_csrf(visit.form_token.as_deref(), &fields)?;
        Ok(Self { visit, fields })
    }
}

pub(crate) fn check_csrf(token: Option<&str>, fields: &Fields) -> Result<(), PageError> {
    let matches = token.is_some_and(|token| accounts::csrf_matches(token, fields.get("csrf")));
    if matches {
        Ok(())
    } else {
        Err(PageError::StaleForm)
    }
}
