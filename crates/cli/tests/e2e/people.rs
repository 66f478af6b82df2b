//! A person's session through its forms, as a browser without script sends them: from an invite or a
//! partner's link to the download, and what is refused on the way.

use serde_json::{Value, json};

use crate::support::browser::{between, hidden, path_of};
use crate::support::database::{number, run, texts};
use crate::support::{Answer, Browser, Connection, Key, Org, Place, Server, eventually, get, post};

pub(crate) const PORTRAIT: &[u8] = include_bytes!("../../../imaging/portraits/obama2.jpg");
const OTHER_PORTRAIT: &[u8] = include_bytes!("../../../imaging/portraits/obama.jpg");
const EMAIL: &str = "jane@acme.example";
const PHOTOS: usize = 3;
const FILE_MAX: usize = 64 << 20;

pub(crate) struct Served {
    pub(crate) place: Place,
    org: Org,
    key: Key,
    pub(crate) server: Server,
}

pub(crate) fn served_with(place: Place) -> Served {
    let place = place.with("HEADSHOT_PHOTOS_PER_SHOOT", &PHOTOS.to_string());
    let made = place.json(&[
        "org",
        "create",
        "--name",
        "Acme Corporation",
        "--owner-email",
        "owner@acme.example",
        "--plan",
        "unlimited",
        "--credits",
        "10",
        "--whitelabel",
        "--json",
    ]);
    let uid = made["organization"]["uid"].as_str().expect("a uid");
    let org = Org {
        uid: uid.to_owned(),
        setup_url: made["owner"]["setupUrl"]
            .as_str()
            .expect("a link")
            .to_owned(),
    };
    let key = place.key(&org, &[]);
    let server = place.serve();
    Served {
        place,
        org,
        key,
        server,
    }
}

fn served() -> Served {
    served_with(Place::new())
}

/// A session, and the address of its pages.
pub(crate) struct Session {
    pub(crate) id: String,
    signed_path: String,
}

impl Session {
    pub(crate) fn page(&self) -> String {
        format!("/team-member/shoots/{}", self.id)
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/team-member/shoots/{}/{rest}", self.id)
    }
}

impl Served {
    fn call(&self, path: &str, body: &Value) -> Value {
        let answer = post(path)
            .bearer(&self.key.key)
            .header("Content-Type", "application/json")
            .body(body.to_string())
            .send(&self.server);
        assert!(answer.status < 300, "{}", answer.text());
        answer.json()
    }

    pub(crate) fn read(&self, path: &str) -> Value {
        let answer = get(path).bearer(&self.key.key).send(&self.server);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The path of a new invite's link.
    fn invite(&self, email: &str) -> String {
        let answer = self.call("/api/v2/organization/invites", &json!({ "email": email }));
        let text = answer.to_string();
        let id = texts(
            &self.place.database(),
            &format!("SELECT id FROM invites WHERE email = '{email}'"),
        );
        let id = id.first().unwrap_or_else(|| panic!("no invite: {text}"));
        format!("/auth/signup?invite={id}")
    }

    /// A partner's session.
    pub(crate) fn session(&self, more: &Value) -> Session {
        let mut body = json!({ "email": EMAIL });
        let fields = body.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let made = self.call("/api/v2/organization/models", &body);
        Session {
            id: made["modelId"].as_str().expect("an id").to_owned(),
            signed_path: path_of(made["signedUrl"].as_str().expect("a link")),
        }
    }

    /// A browser whose person has used an invite, and the session.
    pub(crate) fn joined(&self, email: &str) -> (Browser, Session) {
        let mut browser = Browser::new(&self.server);
        let link = self.invite(email);
        let id = hidden(&browser.get(&link).text(), "invite");
        let fields = [("invite", id.as_str()), ("name", "Jane")];
        let joined = browser.submit(&link, "/auth/signup", &fields);
        let location = joined.header("location").expect("a place");
        let session = Session {
            id: location.rsplit('/').next().expect("an id").to_owned(),
            signed_path: String::new(),
        };
        (browser, session)
    }

    /// A browser in which a session's link was opened.
    pub(crate) fn visitor(&self, session: &Session) -> Browser {
        let mut browser = Browser::new(&self.server);
        let answer = browser.get(&session.signed_path);
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert_eq!(answer.header("location"), Some(session.page().as_str()));
        browser
    }

    /// A browser whose person has agreed.
    pub(crate) fn agreed(&self, session: &Session) -> Browser {
        let mut browser = self.visitor(session);
        agree(&mut browser, session);
        browser
    }

    /// Waits until the session's page shows `part`.
    pub(crate) fn until(&self, browser: &mut Browser, session: &Session, part: &str) -> String {
        eventually(part, || {
            let page = browser.get(&session.page());
            assert_eq!(page.status, 200, "{}", self.server.printed());
            Some(page.text()).filter(|text| text.contains(part))
        })
    }

    fn credits(&self) -> i64 {
        let sum = format!(
            "SELECT COALESCE(SUM(amount), 0) + 1000000 FROM credit_entries WHERE org_id = '{}'",
            self.org.uid
        );
        i64::try_from(number(&self.place.database(), &sum)).expect("a number") - 1_000_000
    }
}

pub(crate) fn agree(browser: &mut Browser, session: &Session) {
    let page = browser.get(&session.page()).text();
    let version = hidden(&page, "version");
    let fields = [
        ("version", version.as_str()),
        ("name", "Jane Doe"),
        ("agree", "yes"),
    ];
    let answer = browser.submit(&session.page(), &session.path("consent"), &fields);
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(answer.header("location"), Some(session.page().as_str()));
}

const BOUNDARY: &str = "----person";

/// A form with files, as a browser sends it.
fn form(csrf: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body =
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n")
            .into_bytes();
    for (name, bytes) in files {
        body.extend_from_slice(
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"photos\"; \
                 filename=\"{name}\"\r\nContent-Type: image/jpeg\r\n\r\n"
            )
            .as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn send_files(browser: &mut Browser, path: &str, csrf: &str, files: &[(&str, &[u8])]) -> Answer {
    let request = post(path)
        .header(
            "Content-Type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .body(form(csrf, files));
    browser.send(request)
}

pub(crate) fn upload(browser: &mut Browser, session: &Session, files: &[(&str, &[u8])]) -> Answer {
    let csrf = hidden(&browser.get(&session.page()).text(), "csrf");
    send_files(browser, &session.path("uploads"), &csrf, files)
}

/// The portrait with `n` in a comment: another file, the same picture.
fn numbered(n: usize) -> Vec<u8> {
    let comment = format!("{n:08}");
    let mut bytes = PORTRAIT[..2].to_vec();
    bytes.extend_from_slice(&[0xFF, 0xFE, 0, 10]);
    bytes.extend_from_slice(comment.as_bytes());
    bytes.extend_from_slice(&PORTRAIT[2..]);
    bytes
}

/// The ids that follow `start` in a page.
fn ids(html: &str, start: &str) -> Vec<String> {
    let rest = html.split(start).skip(1);
    rest.filter_map(|rest| rest.split('"').next().map(str::to_owned))
        .collect()
}

/// What every session goes through from its first page on, whichever way the person came.
fn story(served: &Served, browser: &mut Browser, session: &Session) {
    let first = browser.get(&session.page());
    assert_eq!(first.status, 200);
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert!(first.text().contains("<h1>About you</h1>"));
    agree(browser, session);
    let stored = texts(
        &served.place.database(),
        &format!(
            "SELECT m.title || ' ' || c.version FROM models m JOIN consents c ON c.model_id = m.id WHERE m.id = '{}'",
            session.id
        ),
    );
    assert_eq!(
        stored,
        [format!("Jane Doe {}", headshot_app::consent::VERSION)]
    );

    let page = browser.get(&session.page()).text();
    assert!(page.contains("<h1>Your photos</h1>"), "{page}");
    assert!(!page.contains("Make my"), "nothing to make headshots from");
    let answer = upload(
        browser,
        session,
        &[("me.jpg", PORTRAIT), ("notes.txt", b"no photo")],
    );
    assert_eq!(answer.status, 200, "one of them is a photo");
    let page = answer.text();
    assert!(page.contains("<bdi>notes.txt</bdi>:"), "{page}");
    let uploads = ids(&page, "id=\"upload-");
    assert_eq!(uploads.len(), 1, "the other one was taken: {page}");
    let preview = browser.get(&session.path(&format!("uploads/{}", uploads[0])));
    assert_eq!(preview.status, 200);
    assert_eq!(preview.header("content-type"), Some("image/jpeg"));
    assert!(preview.body.starts_with(&[0xFF, 0xD8, 0xFF]));

    let again = upload(browser, session, &[("me-again.jpg", PORTRAIT)]);
    assert_eq!(again.status, 400);
    assert!(
        again
            .text()
            .contains("You have uploaded this photo already.")
    );
    let more = upload(browser, session, &[("other.jpg", OTHER_PORTRAIT)]);
    assert_eq!(more.status, 303, "{}", more.text());
    let path = session.path(&format!("uploads/{}/delete", uploads[0]));
    let removed = browser.submit(&session.page(), &path, &[]);
    assert_eq!(removed.status, 303);
    let page = browser.get(&session.page()).text();
    assert_eq!(ids(&page, "id=\"upload-").len(), 1);
    assert!(!page.contains(&uploads[0]));

    let before = served.credits();
    let sent = browser.submit(&session.page(), &session.path("submit"), &[]);
    assert_eq!(sent.status, 303, "{}", sent.text());
    assert_eq!(served.credits(), before - 100, "one credit is taken");

    let progress = browser.get(&session.path("progress")).json();
    assert_eq!(progress["total"], PHOTOS, "{progress}");
    let page = served.until(browser, session, "<h1>Your headshots</h1>");
    let photos = ids(&page, "id=\"photo-");
    assert_eq!(photos.len(), PHOTOS);
    assert!(page.contains("alt=\"Headshot 1 of 3, "), "{page}");
    for photo in ids(&page, "<img src=\"/photos/") {
        let path = format!("/photos/{}", photo.replace("&#38;", "&"));
        assert_eq!(get(&path).send(&served.server).status, 200, "{path}");
    }
    let download = between(&page, "<p class=\"downloads\"><a href=\"", "\"").expect("a link");
    let file = get(&download).send(&served.server);
    assert_eq!(file.status, 200);
    let disposition = file.header("content-disposition").expect("a header");
    assert!(disposition.contains("Jane Doe 1.jpg"), "{disposition}");

    let chosen = session.path(&format!("photos/{}/favorite", photos[1]));
    let answer = browser.submit(&session.page(), &chosen, &[]);
    assert_eq!(answer.status, 303);
    let liked = session.path(&format!("photos/{}/rate", photos[0]));
    let answer = browser.submit(&session.page(), &liked, &[("liked", "loved")]);
    assert_eq!(answer.status, 303);
    let page = browser.get(&session.page()).text();
    let favorite = between(&page, "<li class=\"favorite\" id=\"photo-", "\"");
    assert_eq!(favorite.as_ref(), Some(&photos[1]));
    assert_eq!(page.matches("Your choice").count(), 1);
    assert_eq!(page.matches("aria-pressed=\"true\"").count(), 1);
    let api = served.read(&format!(
        "/api/v2/organization/models/{}/photos/favorite",
        session.id
    ));
    assert_eq!(api["photo"]["id"], photos[1].as_str(), "{api}");
    let nonsense = browser.submit(&session.page(), &liked, &[("liked", "adored")]);
    assert_eq!(nonsense.status, 403);

    let late = upload_late(browser, session);
    assert_eq!(late.status, 400);
    assert!(late.text().contains("No more photos can be added"));
}

/// An upload by a form that was opened before.
fn upload_late(browser: &mut Browser, session: &Session) -> Answer {
    let csrf = hidden(&browser.get(&session.path("erase")).text(), "csrf");
    let path = session.path("uploads");
    send_files(browser, &path, &csrf, &[("late.jpg", &numbered(1))])
}

#[test]
fn an_invited_person_gets_headshots_and_deletes_everything() {
    let served = served();
    let link = served.invite(EMAIL);
    let mut browser = Browser::new(&served.server);
    let page = browser.get(&link);
    assert_eq!(page.status, 200);
    let text = page.text();
    assert!(text.contains("Acme Corporation") && text.contains(EMAIL));
    let id = hidden(&text, "invite");

    for (name, status) in [
        (String::new(), 400),
        (" ".to_owned(), 400),
        ("n".repeat(101), 400),
    ] {
        let fields = [("invite", id.as_str()), ("name", name.as_str())];
        let answer = browser.submit(&link, "/auth/signup", &fields);
        assert_eq!(answer.status, status, "{name:?}");
        assert!(answer.text().contains("at most 100 characters"));
    }
    let name = "n".repeat(100);
    let fields = [("invite", id.as_str()), ("name", name.as_str())];
    let joined = browser.submit(&link, "/auth/signup", &fields);
    assert_eq!(joined.status, 303, "{}", joined.text());
    let location = joined.header("location").expect("a place").to_owned();
    let session = Session {
        id: location.rsplit('/').next().expect("an id").to_owned(),
        signed_path: String::new(),
    };
    // A used invite leads whoever used it back, and nobody else.
    let back = browser.get(&link);
    assert_eq!(
        (back.status, back.header("location")),
        (303, Some(location.as_str()))
    );
    let mut stranger = Browser::new(&served.server);
    let closed = stranger.get(&link);
    assert_eq!(closed.status, 404);
    assert!(closed.text().contains("This invite is closed"));
    let unknown = stranger.get("/auth/signup?invite=nothing");
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("This invite does not exist"));
    assert_eq!(stranger.get(&location).status, 404);
    let home = browser.get("/team-member");
    assert_eq!(home.header("location"), Some(location.as_str()));

    story(&served, &mut browser, &session);

    let sure = browser.get(&session.path("erase")).text();
    assert!(
        sure.contains("1 uploaded photo and 3 headshots are deleted"),
        "{sure}"
    );
    assert!(sure.contains("can&#39;t be undone") || sure.contains("can't be undone"));
    let page = browser.get(&session.page()).text();
    let thumbnail = between(&page, "<img src=\"/photos/", "\"").expect("a photo");
    let gone = browser.submit(&session.path("erase"), &session.path("erase"), &[]);
    assert_eq!(gone.status, 200, "{}", gone.text());
    assert!(gone.text().contains("Everything is deleted"));
    assert!(!browser.cookies.contains_key("headshot_shoot"));
    assert_eq!(browser.get(&session.page()).status, 404);
    let photo = get(&format!("/photos/{thumbnail}")).send(&served.server);
    assert_eq!(photo.status, 404);
    let folder = served.place.data_dir().join("objects");
    let folder = folder.join(&served.org.uid).join(&session.id);
    let left = std::fs::read_dir(folder.join("photos")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "no photo is left on the disk");
}

#[test]
fn a_partner_s_link_leads_to_headshots_and_its_token_leaves_the_address() {
    let served = served();
    let session = served.session(&json!({}));
    let mut browser = Browser::new(&served.server);
    let entered = browser.get(&session.signed_path);
    assert_eq!(entered.status, 303);
    let cookie = entered.header("set-cookie").expect("a cookie");
    let (value, attributes) = cookie.split_once("; ").expect("attributes");
    assert!(value.starts_with("headshot_shoot="), "{value}");
    assert_eq!(
        attributes,
        "HttpOnly; SameSite=Lax; Path=/; Max-Age=7776000"
    );
    assert_eq!(entered.header("referrer-policy"), Some("same-origin"));
    let token = value.trim_start_matches("headshot_shoot=").to_owned();
    let page = browser.get(&session.page());
    assert!(!page.text().contains(&token), "the token is on no page");
    assert!(!served.server.printed().contains(&token), "and in no log");

    story(&served, &mut browser, &session);

    for wrong in [
        "/auth/social",
        "/auth/social?token=",
        "/auth/social?token=x&anonymous=1",
    ] {
        let answer = Browser::new(&served.server).get(wrong);
        assert_eq!(answer.status, 404, "{wrong}");
        assert!(answer.text().contains("This link is closed"));
        assert_eq!(answer.header("set-cookie"), None);
    }
    // The link works until the session is gone.
    served.visitor(&session);
    let answer = browser.submit(&session.path("erase"), &session.path("erase"), &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(browser.get(&session.signed_path).status, 404);
}

#[test]
fn a_test_session_needs_no_photo_and_costs_nothing() {
    let served = served();
    let session = served.session(&json!({ "isDevelopment": true }));
    let mut browser = served.agreed(&session);
    let before = served.credits();
    let page = browser.get(&session.page()).text();
    assert!(page.contains("Test session"), "{page}");
    let sent = browser.submit(&session.page(), &session.path("submit"), &[]);
    assert_eq!(sent.status, 303);
    served.until(&mut browser, &session, "<h1>Your headshots</h1>");
    assert_eq!(served.credits(), before);
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_a_shoot_goes_on_after_it() {
    const MANY: usize = 24;
    let place = Place::new().with("HEADSHOT_JOB_LEASE_SECONDS", "1");
    let mut served = served_with(place);
    served.place = served
        .place
        .with("HEADSHOT_PHOTOS_PER_SHOOT", &MANY.to_string());
    served.server.stop();
    served.server = served.place.serve();
    let session = served.session(&json!({ "isDevelopment": true }));
    let mut browser = served.agreed(&session);
    let sent = browser.submit(&session.page(), &session.path("submit"), &[]);
    assert_eq!(sent.status, 303);
    let photos = format!("/api/v2/organization/models/{}/photos", session.id);
    let list = |served: &Served| {
        let listed = served.read(&photos);
        let ids = listed["photos"].as_array().expect("photos").clone();
        ids.iter()
            .map(|photo| photo["id"].to_string())
            .collect::<Vec<_>>()
    };
    let first = eventually("a photo", || {
        let made = list(&served);
        (!made.is_empty()).then_some(made)
    });
    assert!(first.len() < MANY, "it is killed in the middle");
    served.server.kill();
    served.server = served.place.serve();
    let model = format!("/api/v2/organization/models/{}", session.id);
    eventually("headshots", || {
        (served.read(&model)["model"]["status"] == "active").then_some(())
    });
    let all = list(&served);
    assert_eq!(all.len(), MANY);
    assert!(
        first.iter().all(|id| all.contains(id)),
        "what was made is kept"
    );
    served.server.stop();
    let report = served.place.run(&["doctor"]);
    assert!(
        !report.contains("no row") && !report.contains("no object"),
        "{report}"
    );
}

#[test]
fn a_session_is_nobody_else_s() {
    let served = served();
    let mine = served.session(&json!({}));
    let other = served.session(&json!({ "email": "joe@acme.example" }));
    let mut browser = served.agreed(&mine);
    let mut joe = served.agreed(&other);
    assert_eq!(
        upload(&mut joe, &other, &[("joe.jpg", PORTRAIT)]).status,
        303
    );
    let photo = ids(&joe.get(&other.page()).text(), "id=\"upload-").remove(0);
    let foreign = other.path(&format!("uploads/{photo}"));
    assert_eq!(joe.get(&foreign).status, 200);

    // Neither another person's pages, nor another person's photo under one's own address.
    let csrf = hidden(&browser.get(&mine.page()).text(), "csrf");
    let own = mine.path(&format!("uploads/{photo}"));
    for path in [
        &other.page(),
        &other.path("progress"),
        &other.path("erase"),
        &foreign,
        &own,
    ] {
        assert_eq!(browser.get(path).status, 404, "{path}");
        assert_eq!(Browser::new(&served.server).get(path).status, 404, "{path}");
    }
    for path in [
        &other.path("consent"),
        &other.path("submit"),
        &other.path("erase"),
        &format!("{foreign}/delete"),
        &format!("{own}/delete"),
        &mine.path("photos/507f1f77bcf86cd799439022/favorite"),
    ] {
        let answer = browser.post(path, &[("csrf", &csrf), ("liked", "loved")]);
        assert_eq!(answer.status, 404, "{path}");
    }
    let sent = send_files(&mut browser, &other.path("uploads"), &csrf, &[]);
    assert_eq!(sent.status, 404);

    // Who is signed in as somebody else finds nothing either.
    let mut owner = Browser::new(&served.server);
    let entered = owner.set_up(&served.org.setup_url, "correct horse battery");
    assert_eq!(entered.status, 303);
    assert_eq!(owner.get(&mine.page()).status, 404);
    assert_eq!(joe.get(&foreign).status, 200, "it is still there");
}

#[test]
fn a_forged_form_changes_nothing() {
    let served = served();
    let session = served.session(&json!({}));
    let mut browser = served.agreed(&session);
    assert_eq!(
        upload(&mut browser, &session, &[("me.jpg", PORTRAIT)]).status,
        303
    );
    let ready = "the engine is ready, with the detail network u2netp";
    eventually("the log names the network", || {
        served.server.printed().contains(ready).then_some(())
    });
    let page = browser.get(&session.page()).text();
    let photo = ids(&page, "id=\"upload-").remove(0);
    let csrf = hidden(&page, "csrf");
    for path in [
        session.path("consent"),
        session.path("submit"),
        session.path("erase"),
        session.path(&format!("uploads/{photo}/delete")),
    ] {
        for forged in [&[][..], &[("csrf", "forged")]] {
            assert_eq!(browser.post(&path, forged).status, 403, "{path}");
        }
        let mut elsewhere = browser.clone();
        let header = ("Sec-Fetch-Site".to_owned(), "cross-site".to_owned());
        elsewhere.headers.push(header);
        let answer = elsewhere.post(&path, &[("csrf", &csrf)]);
        assert_eq!(answer.status, 403, "{path}");
    }
    let path = session.path("uploads");
    let more = numbered(1);
    let files = [("more.jpg", more.as_slice())];
    assert_eq!(
        send_files(&mut browser, &path, "forged", &files).status,
        403
    );
    // The token comes first, so that nothing is read of a form that is not ours.
    let mut late = form("", &files);
    let tail = format!("--{BOUNDARY}--\r\n").len();
    late.truncate(late.len() - tail);
    late.extend_from_slice(&form(&csrf, &[]));
    let request = post(&path)
        .header(
            "Content-Type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .body(late);
    assert_eq!(browser.send(request).status, 403);
    assert_eq!(browser.post(&path, &[("csrf", &csrf)]).status, 403);
    let after = browser.get(&session.page()).text();
    assert_eq!(ids(&after, "id=\"upload-"), [photo], "all as before");
}

#[test]
fn consent_is_given_to_the_text_that_was_shown() {
    let served = served();
    let session = served.session(&json!({}));
    let mut browser = served.visitor(&session);
    let version = headshot_app::consent::VERSION;
    let hundred = "é".repeat(100);
    let more = "é".repeat(101);
    for (fields, part) in [
        (
            [("name", "Jane"), ("version", version), ("agree", "")],
            "Please agree first",
        ),
        (
            [
                ("name", "Jane"),
                ("version", "2020-01-01"),
                ("agree", "yes"),
            ],
            "The text has changed",
        ),
        (
            [
                ("name", more.as_str()),
                ("version", version),
                ("agree", "yes"),
            ],
            "at most 100 characters",
        ),
        (
            [("name", ""), ("version", version), ("agree", "yes")],
            "at most 100 characters",
        ),
    ] {
        let answer = browser.submit(&session.page(), &session.path("consent"), &fields);
        assert_eq!(answer.status, 400, "{part}");
        assert!(answer.text().contains(part), "{}", answer.text());
        assert!(
            answer.text().contains(fields[0].1),
            "what was typed is kept"
        );
    }
    let odd = [
        ("name", "Jane"),
        ("gender", "robot"),
        ("version", version),
        ("agree", "yes"),
    ];
    let answer = browser.submit(&session.page(), &session.path("consent"), &odd);
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("genders in the list"));
    // Until then no photo is taken and nothing is submitted.
    let refused = upload(&mut browser, &session, &[("me.jpg", PORTRAIT)]);
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .text()
            .contains("Please agree to how your photos are used first.")
    );
    browser.submit(&session.page(), &session.path("submit"), &[]);
    let page = browser.get(&session.page()).text();
    assert!(page.contains("<h1>About you</h1>"));

    let fields = [
        ("name", hundred.as_str()),
        ("gender", "female"),
        ("version", version),
        ("agree", "yes"),
    ];
    let given = browser.submit(&session.page(), &session.path("consent"), &fields);
    assert_eq!(given.status, 303, "{}", given.text());
    let model = served.read(&format!("/api/v2/organization/models/{}", session.id));
    assert_eq!(model["model"]["title"], *hundred);
    assert_eq!(model["model"]["trigger"], "female");
    let none = browser.submit(&session.page(), &session.path("submit"), &[]);
    assert_eq!(none.status, 400);
    assert!(none.text().contains("at least one photo that can be used"));
    // A text that changed since is asked for again.
    run(
        &served.place.database(),
        "UPDATE consents SET version = '2020-01-01'",
    );
    let page = browser.get(&session.page()).text();
    assert!(page.contains("<h1>About you</h1>"));
}

#[test]
fn a_session_takes_twenty_photos_and_a_form_forty_files() {
    let served = served();
    let session = served.session(&json!({}));
    let mut browser = served.agreed(&session);
    let photos: Vec<Vec<u8>> = (0..21).map(numbered).collect();
    let named = |range: std::ops::Range<usize>| -> Vec<(&str, &[u8])> {
        range.map(|n| ("me.jpg", photos[n].as_slice())).collect()
    };
    let answer = upload(&mut browser, &session, &named(0..19));
    assert_eq!(answer.status, 303, "{}", answer.text());
    let answer = upload(&mut browser, &session, &named(19..21));
    assert_eq!(answer.status, 200, "one more was taken");
    let page = answer.text();
    assert!(
        page.contains("You have uploaded 20 photos already."),
        "{page}"
    );
    assert_eq!(ids(&page, "id=\"upload-").len(), 20);
    assert!(
        !page.contains("type=\"file\""),
        "no more can be added: no field"
    );

    let other = served.session(&json!({ "email": "joe@acme.example" }));
    let mut browser = served.agreed(&other);
    let notes: Vec<(&str, &[u8])> = (0..41).map(|_| ("notes.txt", &b"no photo"[..])).collect();
    let page = upload(&mut browser, &other, &notes[..40]).text();
    assert_eq!(page.matches("<bdi>notes.txt</bdi>").count(), 40);
    assert!(!page.contains("at most 40 files"));
    let page = upload(&mut browser, &other, &notes).text();
    assert_eq!(page.matches("<bdi>notes.txt</bdi>").count(), 40);
    assert!(page.contains("Send at most 40 files at a time."), "{page}");
}

#[test]
fn a_photo_has_at_most_64_megabytes() {
    let served = served();
    let session = served.session(&json!({}));
    let mut browser = served.agreed(&session);
    let mut photo = PORTRAIT.to_vec();
    photo.resize(FILE_MAX + 1, 0);
    // One more file after the large one arrives all the same.
    let files = [("large.jpg", photo.as_slice()), ("me.jpg", PORTRAIT)];
    let answer = upload(&mut browser, &session, &files);
    assert_eq!(answer.status, 200, "one was taken");
    let page = answer.text();
    assert!(page.contains("This file is larger than 64 MB."), "{page}");
    assert_eq!(page.matches("larger than").count(), 1);
    assert_eq!(ids(&page, "id=\"upload-").len(), 1);
    let answer = upload(&mut browser, &session, &[("large.jpg", &photo[..FILE_MAX])]);
    assert_eq!(answer.status, 303, "{}", answer.text());
    let page = browser.get(&session.page()).text();
    assert_eq!(ids(&page, "id=\"upload-").len(), 2);
}

/// Opens a form with photos, sends `start` of it and no more. The server has begun to read it.
fn stuck(server: &Server, (path, browser): (&str, &Browser), start: &[u8]) -> Connection {
    let cookies: Vec<String> = browser
        .cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\nContent-Type: \
         multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: 1000000\r\n\
         Expect: 100-continue\r\n\r\n",
        cookies.join("; ")
    );
    let mut connection = Connection::open(server.address).expect("open");
    connection.write(head.as_bytes()).expect("written");
    let goes_on = connection
        .answer(true)
        .expect("the server asks for the body");
    assert_eq!(goes_on.status, 100);
    connection.write(start).expect("written");
    connection
}

/// Eight forms are read at a time at most, and nobody holds all of the places: neither by a token
/// that does not come nor by files that stop in the middle.
#[test]
fn nobody_holds_up_the_photos_of_others() {
    let served = served();
    let slow = served.session(&json!({}));
    let mut slow_browser = served.agreed(&slow);
    let csrf = hidden(&slow_browser.get(&slow.page()).text(), "csrf");
    let whole = form(&csrf, &[("me.jpg", PORTRAIT)]);
    let token_at = whole.windows(4).position(|part| part == b"\r\n\r\n");
    let token_at = token_at.expect("the token's head ends") + 4;
    let path = slow.path("uploads");
    for (what, start) in [
        ("one byte of the token", &whole[..=token_at]),
        ("a part of a photo", &whole[..10_000]),
    ] {
        let place = (path.as_str(), &slow_browser);
        let held: Vec<Connection> = (0..8)
            .map(|_| stuck(&served.server, place, start))
            .collect();
        let email = format!("{}@acme.example", what.replace(' ', "-"));
        let other = served.session(&json!({ "email": email }));
        let mut browser = served.agreed(&other);
        let ninth = upload(&mut browser, &other, &[("me.jpg", PORTRAIT)]);
        assert_eq!(ninth.status, 303, "{what}: {}", ninth.text());
        drop(held);
    }
}

#[test]
fn a_form_that_is_cut_off_loses_no_photo_that_arrived() {
    let served = served();
    let session = served.session(&json!({}));
    let mut browser = served.agreed(&session);
    let csrf = hidden(&browser.get(&session.page()).text(), "csrf");
    let more = numbered(1);
    let mut body = form(&csrf, &[("me.jpg", PORTRAIT), ("more.jpg", &more)]);
    body.truncate(body.len() - 1_000);
    let request = post(&session.path("uploads"))
        .header(
            "Content-Type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .body(body);
    let answer = browser.send(request);
    assert_eq!(answer.status, 200, "the first one was taken");
    let page = answer.text();
    assert!(
        page.contains("<bdi>more.jpg</bdi>: It did not arrive whole."),
        "{page}"
    );
    assert_eq!(ids(&page, "id=\"upload-").len(), 1);
}

#[test]
fn without_credits_nothing_is_made_and_the_photos_are_kept() {
    let served = served();
    let session = served.session(&json!({}));
    let mut browser = served.agreed(&session);
    upload(&mut browser, &session, &[("me.jpg", PORTRAIT)]);
    run(
        &served.place.database(),
        "UPDATE tallies SET n = 0 WHERE name = 'credits'",
    );
    let answer = browser.submit(&session.page(), &session.path("submit"), &[]);
    assert_eq!(answer.status, 402, "{}", answer.text());
    assert!(
        answer
            .text()
            .contains("Acme Corporation has no credits left.")
    );
    assert_eq!(ids(&answer.text(), "id=\"upload-").len(), 1);
}

#[test]
fn only_sites_that_the_organization_allows_show_a_session_in_a_frame() {
    let served = served();
    let session = served.session(&json!({}));
    let mut browser = served.visitor(&session);
    let policy = |answer: &Answer| {
        let policy = answer.header("content-security-policy").expect("a policy");
        let found = policy
            .split("; ")
            .find(|part| part.starts_with("frame-ancestors"));
        (
            found.expect("a rule").to_owned(),
            answer.header("x-frame-options").map(str::to_owned),
        )
    };
    assert_eq!(
        policy(&browser.get(&session.page())),
        ("frame-ancestors 'self'".to_owned(), None)
    );
    let sites = ["https://hr.acme.example", "https://portal.example:8443"];
    let mut args = vec!["org", "embed", "--org", &served.org.uid];
    args.extend(sites);
    served.place.run(&args);
    let allowed = (format!("frame-ancestors 'self' {}", sites.join(" ")), None);
    for path in [
        session.signed_path.clone(),
        session.page(),
        session.path("erase"),
        session.path("uploads/507f1f77bcf86cd799439022"),
    ] {
        let answer = browser.get(&path);
        assert_eq!(policy(&answer), allowed, "{path}");
        let permissions = answer.header("permissions-policy").expect("a policy");
        assert!(permissions.contains("camera=(self)"), "{permissions}");
    }
    // No other page, and nobody else's view of this one.
    let denied = ("frame-ancestors 'none'".to_owned(), Some("DENY".to_owned()));
    for path in ["/auth/login", "/auth/social?token=x", "/team-member"] {
        assert_eq!(policy(&browser.get(path)), denied, "{path}");
    }
    let stranger = Browser::new(&served.server).get(&session.page());
    assert_eq!(policy(&stranger), denied);
}

#[test]
fn over_https_the_cookie_works_in_a_frame_of_its_own() {
    let served =
        served_with(Place::new().with("HEADSHOT_PUBLIC_URL", "https://headshots.acme.example"));
    let session = served.session(&json!({}));
    let mut browser = Browser::new(&served.server);
    let entered = browser.get(&session.signed_path);
    assert_eq!(entered.status, 303);
    let cookie = entered.header("set-cookie").expect("a cookie");
    let (value, attributes) = cookie.split_once("; ").expect("attributes");
    assert!(value.starts_with("__Host-headshot_shoot="), "{value}");
    assert_eq!(
        attributes,
        "HttpOnly; SameSite=None; Partitioned; Secure; Path=/; Max-Age=7776000"
    );
    assert_eq!(browser.get(&session.page()).status, 200);
}

#[test]
fn a_signed_in_person_is_led_to_the_own_session() {
    let served = served();
    let (_, session) = served.joined(EMAIL);
    let location = session.page();
    let reset = served
        .place
        .json(&["user", "reset-password", EMAIL, "--json"]);
    let reset = path_of(reset["resetUrl"].as_str().expect("a link"));
    // Another browser, with the account and without the link.
    let mut account = Browser::new(&served.server);
    let token = reset.split_once("token=").expect("a token").1.to_owned();
    let fields = [
        ("token", token.as_str()),
        ("password", "correct horse battery"),
    ];
    let set = account.submit(&reset, "/auth/setup", &fields);
    assert_eq!(set.status, 303, "{}", set.text());
    let home = account.get("/team-member");
    assert_eq!(
        (home.status, home.header("location")),
        (303, Some(location.as_str()))
    );
    agree(&mut account, &session);
    assert!(
        account
            .get(&location)
            .text()
            .contains("<h1>Your photos</h1>")
    );
}
