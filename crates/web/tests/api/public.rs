//! The documentation and the assets as everybody gets them: small, and not twice.

use std::io::Read;

use axum::body::Body;
use axum::http::Response;
use flate2::read::GzDecoder;
use http_body_util::BodyExt;

use crate::world::{Kind, World};

const PAGES: [&str; 7] = [
    "/api",
    "/api/authentication",
    "/api/errors",
    "/api/rate-limits",
    "/api/webhooks",
    "/api/reference",
    "/api/openapi.json",
];
const GZIP: [(&str, &str); 1] = [("accept-encoding", "br, gzip;q=0.8")];

async fn bytes(answer: Response<Body>) -> Vec<u8> {
    let bytes = answer.into_body().collect().await.unwrap();
    bytes.to_bytes().to_vec()
}

fn header<'a>(answer: &'a Response<Body>, name: &str) -> Option<&'a str> {
    answer
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn no_page_of_the_documentation_has_50_kib_on_the_wire() {
    let world = World::new(Kind::Sqlite).await;
    for path in PAGES {
        let plain = world.page(path, &[]).await;
        assert_eq!(plain.status(), 200, "{path}");
        assert_eq!(header(&plain, "content-encoding"), None, "{path}");
        let plain = bytes(plain).await;
        let zipped = world.page(path, &GZIP).await;
        assert_eq!(header(&zipped, "content-encoding"), Some("gzip"), "{path}");
        assert_eq!(header(&zipped, "vary"), Some("accept-encoding"), "{path}");
        let zipped = bytes(zipped).await;
        assert!(zipped.len() < 50 * 1024, "{path}: {}", zipped.len());
        let mut again = Vec::new();
        GzDecoder::new(&*zipped).read_to_end(&mut again).unwrap();
        assert_eq!(again, plain, "{path}");
    }
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let world = World::new(Kind::Sqlite).await;
    for path in PAGES {
        let first = world.page(path, &GZIP).await;
        assert_eq!(header(&first, "cache-control"), Some("no-cache"), "{path}");
        let tag = header(&first, "etag").unwrap();
        let known = [GZIP[0], ("if-none-match", tag)];
        let again = world.page(path, &known).await;
        assert_eq!(again.status(), 304, "{path}");
        assert_eq!(bytes(again).await, b"");
    }
}

#[tokio::test]
async fn assets_are_compressed_and_kept_for_ever() {
    let world = World::new(Kind::Sqlite).await;
    let page = bytes(world.page("/api", &[]).await).await;
    let page = String::from_utf8(page).unwrap();
    let mut quoted = page.split('"');
    let css = quoted
        .find(|part| part.starts_with("/assets/app-"))
        .unwrap();
    let answer = world.page(css, &GZIP).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        header(&answer, "content-type"),
        Some("text/css; charset=utf-8")
    );
    assert_eq!(header(&answer, "content-encoding"), Some("gzip"));
    let for_ever = Some("public, max-age=31536000, immutable");
    assert_eq!(header(&answer, "cache-control"), for_ever);
    assert!(bytes(answer).await.len() < 10 * 1024);
}

/// The size of a compressed page tells of its content: none with a token is compressed (BREACH).
#[tokio::test]
async fn pages_with_a_token_and_answers_of_the_api_are_not_compressed() {
    let world = World::new(Kind::Sqlite).await;
    let authorization = format!("Bearer {}", world.key);
    for (path, status) in [
        ("/auth/login", 200),
        ("/auth/signup?invite=none", 404),
        ("/api/v2/organization", 200),
        ("/nothing", 404),
    ] {
        let headers = [GZIP[0], ("authorization", authorization.as_str())];
        let answer = world.page(path, &headers).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(header(&answer, "content-encoding"), None, "{path}");
        assert_eq!(header(&answer, "cache-control"), Some("no-store"), "{path}");
    }
}
