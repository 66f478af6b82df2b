//! Photos by their signed URLs (contract: photos.md).

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use headshot_app::photos::{self, Meta, Opened, Refused, Signed};
use serde::Deserialize;

use crate::Web;
use crate::arrival::Arrival;
use crate::dashboard::PageError;

mod range;

use range::Asked;

pub(crate) fn routes() -> Router<Web> {
    Router::new().route("/photos/{name}", get(photo))
}

/// What signs the path.
#[derive(Debug, Deserialize)]
struct Permission {
    expires: i64,
    signature: String,
    download: Option<String>,
}

/// One photo, or a part of it. `HEAD` comes here too.
async fn photo(
    State(web): State<Web>,
    Extension(arrival): Extension<Arrival>,
    path: Result<Path<String>, PathRejection>,
    permission: Result<Query<Permission>, QueryRejection>,
    (method, headers): (Method, HeaderMap),
) -> Result<Response, PageError> {
    // What can't be read was not made by us.
    let (Ok(Path(name)), Ok(Query(permission))) = (path, permission) else {
        return Err(PageError::LinkInvalid);
    };
    let signed = Signed {
        expires: permission.expires,
        download: permission.download.as_deref() == Some("1"),
        signature: &permission.signature,
    };
    let now = arrival.at;
    let link = photos::verify(&web.app().settings.photo_signer, &name, signed, now);
    let link = link.map_err(|refused| match refused {
        Refused::Signature => PageError::LinkInvalid,
        Refused::Expired => PageError::LinkExpired,
    })?;
    let opened = photos::open(web.app(), &link, now).await?;
    let opened = opened.ok_or(PageError::NotFound)?;
    answer(&web, &opened, (&method, &headers)).await
}

async fn answer(
    web: &Web,
    opened: &Opened,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response, PageError> {
    let objects = &web.app().objects;
    let conditional = headers.contains_key(header::IF_NONE_MATCH);
    if method != Method::HEAD && !conditional && !headers.contains_key(header::RANGE) {
        let object = objects.get(&opened.key, None).await?;
        let object = object.ok_or(PageError::NotFound)?;
        let mut response = Body::from_stream(object.content).into_response();
        describe(&mut response, opened, &object.meta);
        return Ok(response);
    }
    let meta = objects.head(&opened.key).await?;
    let meta = meta.ok_or(PageError::NotFound)?;
    let mut response = if conditional && is_known(headers, &meta) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        // A range is a matter of GET alone (RFC 9110, section 14.2).
        let asked = match *method {
            Method::GET => range::asked(headers, &meta),
            _ => Asked::All,
        };
        match asked {
            Asked::All => whole(web, opened, method).await?,
            Asked::Part(part) => {
                let mut response = StatusCode::PARTIAL_CONTENT.into_response();
                let object = objects.get(&opened.key, Some(part.clone())).await?;
                let object = object.ok_or(PageError::NotFound)?;
                *response.body_mut() = Body::from_stream(object.content);
                let last = part.end - 1;
                let place = format!("bytes {}-{last}/{}", part.start, meta.size);
                set(&mut response, header::CONTENT_RANGE, &place);
                describe(&mut response, opened, &meta);
                let length = (part.end - part.start).to_string();
                set(&mut response, header::CONTENT_LENGTH, &length);
                return Ok(response);
            }
            Asked::Beyond => {
                let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
                let size = format!("bytes */{}", meta.size);
                set(&mut response, header::CONTENT_RANGE, &size);
                return Ok(response);
            }
        }
    };
    let has_body = response.status() != StatusCode::NOT_MODIFIED;
    describe(&mut response, opened, &meta);
    if !has_body {
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    Ok(response)
}

async fn whole(web: &Web, opened: &Opened, method: &Method) -> Result<Response, PageError> {
    if method == Method::HEAD {
        return Ok(StatusCode::OK.into_response());
    }
    let object = web.app().objects.get(&opened.key, None).await?;
    let object = object.ok_or(PageError::NotFound)?;
    Ok(Body::from_stream(object.content).into_response())
}

/// Whether the caller has this very content. Weak comparison: a proxy may have weakened the tag.
fn is_known(headers: &HeaderMap, meta: &Meta) -> bool {
    let own = range::tag(meta);
    let lists = headers.get_all(header::IF_NONE_MATCH).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == own)
}

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The headers of every answer that concerns a photo which is there.
fn describe(response: &mut Response, opened: &Opened, meta: &Meta) {
    let disposition = disposition(opened.file_name.as_deref());
    let texts = [
        (header::CONTENT_TYPE, opened.key.content_type()),
        (header::CONTENT_LENGTH, &meta.size.to_string()),
        (
            header::CACHE_CONTROL,
            &opened.key.cache_control(opened.life),
        ),
        (header::ETAG, &range::tag(meta)),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CONTENT_DISPOSITION, &disposition),
        // Whoever has the URL may show the photo, on any site.
        (RESOURCE_POLICY, "cross-origin"),
    ];
    for (name, text) in texts {
        set(response, name, text);
    }
}

fn set(response: &mut Response, name: HeaderName, text: &str) {
    // Our own texts are valid; a store's tag that is not is left out.
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(name, value);
    }
}

/// RFC 6266: a name that every client reads, and the real one for those that know how.
fn disposition(file_name: Option<&str>) -> String {
    let Some(name) = file_name else {
        return "inline".to_owned();
    };
    let plain = |c: char| if c.is_ascii() { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    if ascii == name {
        return format!("attachment; filename=\"{name}\"");
    }
    let escaped: String = name.bytes().map(escaped).collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{escaped}")
}

fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_reach_every_client() {
        assert_eq!(disposition(None), "inline");
        assert_eq!(
            disposition(Some("Jane O'Neill 1.jpg")),
            "attachment; filename=\"Jane O'Neill 1.jpg\""
        );
        assert_eq!(
            disposition(Some("Sofía 1.jpg")),
            "attachment; filename=\"Sof_a 1.jpg\"; filename*=UTF-8''Sof%C3%ADa%201.jpg"
        );
    }
}
