//! Who is inside a session, and where its pages may be shown.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use headshot_app::access::{self, Visit as Access};
use headshot_app::accounts;
use headshot_domain::ModelId;

use crate::Web;
use crate::dashboard::PageError;
use crate::dashboard::extract::{Fields, Visit, check_csrf, fields};

/// A person in the session that the address names: by the link's cookie, or signed in as the person.
/// Anybody else finds no page, whether or not there is such a session.
#[derive(Clone)]
pub(crate) struct Inside {
    pub(crate) visit: Access,
    pub(crate) address: IpAddr,
    /// For every form on the page.
    pub(crate) csrf: String,
    /// What the form's text follows from.
    pub(super) token: String,
    /// Whether the browser has the cookie of an account.
    pub(super) signed_in: bool,
}

impl Inside {
    /// The session's address.
    pub(crate) fn path(&self) -> String {
        format!("/team-member/shoots/{}", self.visit.model.id)
    }
}

impl FromRequestParts<Web> for Inside {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        let params = RawPathParams::from_request_parts(parts, web).await;
        let params = params.map_err(|_unreadable| PageError::NotFound)?;
        let model = params.iter().find(|(name, _)| *name == "model");
        let model = ModelId::from(model.ok_or(PageError::NotFound)?.1);
        let visit = Visit::from_request_parts(parts, web).await?;
        let address = visit.visitor.address;
        let (access, token) = find(web, &visit, &model)
            .await?
            .ok_or(PageError::NotFound)?;
        let framing = Framing::of(&access);
        // For the gate, whatever the handler answers.
        if let Some(slot) = parts.extensions.get::<FramingSlot>() {
            slot.put(framing);
        }
        Ok(Self {
            csrf: accounts::csrf_token(&token),
            visit: access,
            address,
            token,
            signed_in: visit.session_token.is_some(),
        })
    }
}

async fn find(
    web: &Web,
    visit: &Visit,
    model: &ModelId,
) -> Result<Option<(Access, String)>, PageError> {
    if let Some(token) = &visit.shoot_token
        && let Some(found) = access::open(web.app(), token).await?
        && found.model.id == *model
    {
        return Ok(Some((found, token.clone())));
    }
    let Some(token) = &visit.session_token else {
        return Ok(None);
    };
    let Some(signed_in) = accounts::session(web.app(), token).await? else {
        return Ok(None);
    };
    let found = access::of_user(web.app(), &signed_in.user.id, model).await?;
    Ok(found.map(|found| (found, token.clone())))
}

/// A form that the person sent from one of the session's own pages.
pub(crate) struct InsideForm {
    pub(crate) inside: Inside,
    pub(crate) fields: Fields,
}

impl FromRequest<Web> for InsideForm {
    type Rejection = PageError;

    async fn from_request(request: Request, web: &Web) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let inside = Inside::from_request_parts(&mut parts, web).await?;
        let fields = fields(Request::from_parts(parts, body)).await?;
        check_csrf(Some(&inside.token), &fields)?;
        Ok(Self { inside, fields })
    }
}

/// Which sites may show a page in a frame, besides this one.
#[derive(Debug, Clone)]
pub(crate) struct Framing(Vec<String>);

impl Framing {
    pub(crate) fn of(visit: &Access) -> Self {
        Self(visit.embed_origins.clone())
    }

    /// Loosens a page's headers for these sites.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        headers.remove(header::X_FRAME_OPTIONS);
        let sites = format!("frame-ancestors 'self' {}", self.0.join(" "));
        let policy = headshot_pages::CSP.replace("frame-ancestors 'none'", sites.trim_end());
        // The script of these pages asks how far the shoot is, and sends photos.
        let policy = format!("{policy}; connect-src 'self'");
        // Origins are checked when they are set: always a valid value.
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        headers.insert(
            "permissions-policy",
            HeaderValue::from_static("camera=(self), geolocation=(), microphone=()"),
        );
    }
}

/// Where a page says which sites may frame it, whatever becomes of the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct FramingSlot(Arc<OnceLock<Framing>>);

impl FramingSlot {
    pub(super) fn put(&self, framing: Framing) {
        // Asked twice for one request, the answer is the same.
        let _first = self.0.set(framing);
    }

    /// What was said, if anything.
    pub(crate) fn get(&self) -> Option<&Framing> {
        self.0.get()
    }
}
