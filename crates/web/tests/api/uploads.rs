//! The bounds of the forms with which people send their photos: each one met and passed by one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures_util::stream;
use headshot_app::consent::{self, Said};
use headshot_app::{access, studio};
use headshot_web::UploadLimits;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::World;

const BOUNDARY: &str = "----person";
const BUSY: &str = "The server is busy with other photos. Please try again in a minute.";
const CUT: &str = "It did not arrive whole.";
const SLOW: &str = "It took too long to arrive.";
const TOGETHER: &str = "They are too large together. Send fewer at a time.";

/// A person who has agreed, in a browser.
#[derive(Clone)]
struct Person {
    world: Arc<World>,
    cookie: String,
    page: String,
    csrf: String,
}

async fn person(limits: UploadLimits, studio: studio::Limits) -> Person {
    let world = World::taking(limits, studio).await;
    let body = json!({ "email": "jane@example.com" });
    let created = world.post("/api/v2/organization/models", &body).await;
    let created = created.expect(200);
    let url = created["signedUrl"].as_str().unwrap();
    let path = url.strip_prefix("http://127.0.0.1:8080").unwrap();
    let entered = Request::get(path).body(Body::empty()).unwrap();
    let (status, headers, _) = world.ask(entered).await;
    assert_eq!(status, 303);
    let cookie = headers["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let token = cookie.split('=').nth(1).unwrap();
    let visit = access::open(&world.app, token).await.unwrap().unwrap();
    let said = Said {
        name: "Jane Doe",
        gender: None,
        version: consent::terms(&world.app).version,
    };
    let home = [127, 0, 0, 1].into();
    consent::give(&world.app, &visit, said, home).await.unwrap();
    let page = headers["location"].to_str().unwrap().to_owned();
    let shown = Request::get(&page).header("cookie", &cookie);
    let (status, _, html) = world.ask(shown.body(Body::empty()).unwrap()).await;
    assert_eq!(status, 200, "{html}");
    let csrf = html.split("name=\"csrf\" value=\"").nth(1).unwrap();
    Person {
        world: Arc::new(world),
        csrf: csrf.split('"').next().unwrap().to_owned(),
        cookie,
        page,
    }
}

impl Person {
    fn token(&self) -> Vec<u8> {
        let head = "Content-Disposition: form-data; name=\"csrf\"";
        format!("--{BOUNDARY}\r\n{head}\r\n\r\n{}\r\n", self.csrf).into_bytes()
    }

    /// A whole form with one file that is no photo.
    fn form(&self, file: &[u8]) -> Vec<u8> {
        let end = format!("\r\n--{BOUNDARY}--\r\n");
        [&self.token(), &begun(file)[..], end.as_bytes()].concat()
    }

    fn request(&self, body: Body) -> Request<Body> {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        Request::post(format!("{}/uploads", self.page))
            .header("cookie", &self.cookie)
            .header("content-type", kind)
            .body(body)
            .unwrap()
    }

    /// Sends a form as the page's script does: status, and what is wrong with the first file.
    async fn send(&self, body: Body) -> (u16, String) {
        let mut request = self.request(body);
        let json = "application/json".parse().unwrap();
        request.headers_mut().insert("accept", json);
        let (status, _, text) = self.world.ask(request).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        let error = answer["error"].as_str().unwrap_or_default();
        (status, error.to_owned())
    }

    /// Sends a file that was looked at; what was found.
    async fn looked_at(&self) -> bool {
        let (status, error) = self.send(self.form(b"no photo").into()).await;
        status == 400 && ![BUSY, CUT, SLOW, TOGETHER].contains(&error.as_str())
    }

    /// Sends a form that stops in the middle of its file. When this returns, the form is being read.
    async fn hold(&self) -> Held {
        let (reading, is_read) = oneshot::channel();
        let (release, released) = oneshot::channel();
        let start = [self.token(), begun(b"half a fi")].concat();
        let body = stalling(start, (reading, released));
        let person = self.clone();
        let answer = tokio::spawn(async move { person.send(body).await });
        is_read.await.unwrap();
        Held { release, answer }
    }
}

/// A form that is being read and does not go on.
struct Held {
    release: oneshot::Sender<()>,
    answer: JoinHandle<(u16, String)>,
}

impl Held {
    /// Cuts it off; the answer.
    async fn cut(self) -> (u16, String) {
        self.release.send(()).unwrap();
        self.answer.await.unwrap()
    }
}

/// The beginning of a file.
fn begun(file: &[u8]) -> Vec<u8> {
    let head = "Content-Disposition: form-data; name=\"photos\"; filename=\"notes.txt\"";
    let head = format!("--{BOUNDARY}\r\n{head}\r\nContent-Type: image/jpeg\r\n\r\n");
    [head.as_bytes(), file].concat()
}

/// A body as a network brings it: in pieces, and not all at once.
fn pieces(body: &[u8]) -> Body {
    let pieces: Vec<Vec<u8>> = body.chunks(100).map(<[u8]>::to_vec).collect();
    Body::from_stream(stream::unfold(pieces.into_iter(), async |mut pieces| {
        tokio::task::yield_now().await;
        let piece = pieces.next()?;
        Some((Ok::<_, std::io::Error>(piece), pieces))
    }))
}

/// A body that brings `start`, tells that more is asked for, and ends when it is released.
fn stalling(start: Vec<u8>, signals: (oneshot::Sender<()>, oneshot::Receiver<()>)) -> Body {
    let state = Some((Some(start), signals));
    Body::from_stream(stream::unfold(state, async |state| {
        let (start, (reading, released)) = state?;
        if let Some(start) = start {
            let rest = Some((None, (reading, released)));
            return Some((Ok::<_, std::io::Error>(start), rest));
        }
        reading.send(()).ok();
        released.await.ok();
        None
    }))
}

/// A body that brings `start` and never ends.
fn endless(start: Vec<u8>) -> Body {
    use futures_util::StreamExt as _;
    let start = stream::iter([Ok::<_, std::io::Error>(start)]);
    Body::from_stream(start.chain(stream::pending()))
}

#[tokio::test]
async fn a_form_has_so_many_bytes() {
    const MAX: usize = 8 * 1024;
    let limits = UploadLimits {
        form_bytes: MAX,
        ..UploadLimits::default()
    };
    let person = person(limits, studio::Limits::default()).await;
    let around = person.form(b"").len();
    let file = vec![b'x'; MAX + 1 - around];
    let (whole, more) = (person.form(&file[1..]), person.form(&file));
    assert_eq!((whole.len(), more.len()), (MAX, MAX + 1));
    let (status, error) = person.send(pieces(&whole)).await;
    assert_eq!(status, 400);
    assert!(![CUT, TOGETHER].contains(&error.as_str()), "{error}");
    let told = person.send(pieces(&more)).await;
    assert_eq!(told, (400, TOGETHER.to_owned()));
}

#[tokio::test]
async fn so_many_forms_are_read_at_a_time() {
    let limits = UploadLimits {
        at_a_time: 2,
        wait: Duration::ZERO,
        ..UploadLimits::default()
    };
    let person = person(limits, studio::Limits::default()).await;
    let first = person.hold().await;
    assert!(person.looked_at().await, "the second one has a place");
    let second = person.hold().await;
    let third = person.send(person.form(b"no photo").into()).await;
    assert_eq!(third, (503, BUSY.to_owned()));
    // Without script it is a page, which says the same of all photos.
    let form = person.request(person.form(b"no photo").into());
    let (status, _, page) = person.world.ask(form).await;
    assert_eq!(status, 503);
    assert!(page.contains(BUSY), "{page}");
    assert_eq!(first.cut().await, (400, CUT.to_owned()));
    assert!(person.looked_at().await, "a place is free again");
    assert_eq!(second.cut().await, (400, CUT.to_owned()));
}

#[tokio::test]
async fn so_many_photos_are_looked_at_at_a_time() {
    let studio = studio::Limits {
        checks: 2,
        check_wait: Duration::ZERO,
        ..studio::Limits::default()
    };
    let person = person(UploadLimits::default(), studio).await;
    let first = person.world.app.studio.place().await.unwrap();
    assert!(person.looked_at().await, "the second place is free");
    let second = person.world.app.studio.place().await.unwrap();
    let refused = person.send(person.form(b"no photo").into()).await;
    assert_eq!(refused, (503, BUSY.to_owned()));
    drop((first, second));
    assert!(person.looked_at().await, "a place is free again");
}

/// What is there in time is looked at, and who sends nothing more holds no place.
#[tokio::test]
async fn a_file_that_does_not_come_is_left() {
    let limits = UploadLimits {
        at_a_time: 1,
        wait: Duration::ZERO,
        file_time: Duration::from_millis(500),
        ..UploadLimits::default()
    };
    let person = person(limits, studio::Limits::default()).await;
    assert!(person.looked_at().await, "all of it is there");
    let token = person.token();
    // In the middle of a file.
    let half = [&token[..], &begun(b"half a fi")].concat();
    let told = person.send(endless(half)).await;
    assert_eq!(told, (400, SLOW.to_owned()));
    // After a file: that one is looked at.
    let next = format!("\r\n--{BOUNDARY}\r\n");
    let one = [&token[..], &begun(b"no photo"), next.as_bytes()].concat();
    let (status, _, page) = person.world.ask(person.request(endless(one))).await;
    assert_eq!(status, 400);
    let rest = format!("<bdi>The other files</bdi>: {SLOW}");
    assert!(page.contains("<bdi>notes.txt</bdi>: "), "{page}");
    assert!(page.contains(&rest), "{page}");
    // Before the token.
    let (status, _, _) = person.world.ask(person.request(endless(Vec::new()))).await;
    assert_eq!(status, 403);
    assert!(person.looked_at().await, "the place is free");
}
