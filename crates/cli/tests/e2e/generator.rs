//! A shoot through the reference generator: told by callbacks, asked without them, left by a stop and
//! by a kill.

use headshot_app::generations::CALLBACK_MAX;
use headshot_app::outbound::sign;
use headshot_domain::{Clock as _, SystemClock};
use headshot_testkit::{GENERATOR_SECRET, GeneratorServer};
use serde_json::json;

use crate::people::{Served, Session, served_with};
use crate::support::{Answer, Browser, Place, Server, eventually, get, post};

fn served(generator: &GeneratorServer) -> Served {
    let place = Place::new()
        .with("HEADSHOT_JOB_LEASE_SECONDS", "1")
        .with("HEADSHOT_GENERATOR_URL", &generator.url)
        .with("HEADSHOT_GENERATOR_SECRET", GENERATOR_SECRET);
    served_with(place)
}

/// A test session whose shoot was begun at the generator; the generation's id.
fn begun(
    served: &Served,
    generator: &mut GeneratorServer,
    email: &str,
) -> (Session, Browser, String) {
    let session = served.session(&json!({ "email": email, "isDevelopment": true }));
    let mut browser = served.agreed(&session);
    let before = generator.count("POST", 202);
    let sent = browser.submit(&session.page(), &session.path("submit"), &[]);
    assert_eq!(sent.status, 303);
    let id = eventually("the generator is asked", || {
        let exchanges = generator.exchanges().iter();
        let posts = exchanges.filter(|one| one["method"] == "POST" && one["status"] == 202);
        let id = posts.map(|one| &one["request"]["id"]).nth(before)?;
        Some(id.as_str().expect("an id").to_owned())
    });
    (session, browser, id)
}

/// Says that there is news, signed with `secret`, `age` seconds ago.
fn callback(server: &Server, id: &str, (secret, age): (&str, i64), body: &str) -> Answer {
    let path = format!("/engine/callbacks/{id}");
    let timestamp = SystemClock::new().now().unix_ms() / 1_000 - age;
    let message = format!("POST {path}\n{body}");
    post(&path)
        .header("X-Headshot-Timestamp", timestamp.to_string())
        .header(
            "X-Headshot-Signature",
            sign(secret, timestamp, message.as_bytes()),
        )
        .body(body)
        .send(server)
}

fn photos(served: &Served, session: &Session) -> usize {
    let listed = format!("/api/v2/organization/models/{}/photos", session.id);
    let listed = served.read(&listed);
    listed["photos"].as_array().expect("photos").len()
}

#[test]
fn a_generator_is_told_by_callbacks_and_asked_without_them() {
    // By polling alone so many questions take minutes.
    const WOKEN: usize = 25;
    let mut generator = GeneratorServer::start();
    let served = served(&generator);
    let visited = served.session(&json!({}));
    let page = served.visitor(&visited).get(&visited.page()).text();
    assert!(page.contains("to a generator"), "the text says it: {page}");

    generator.fail("held");
    let (session, mut browser, id) = begun(&served, &mut generator, "one@acme.example");
    let right = (GENERATOR_SECRET, 0);
    for asked in 1..=WOKEN {
        assert_eq!(callback(&served.server, &id, right, "{}").status, 204);
        eventually("a question", || {
            (generator.count("GET", 200) >= asked).then_some(())
        });
    }
    served.until(&mut browser, &session, "40 % is done");
    for (forged, body) in [
        (("another secret", 0), "{}"),
        ((GENERATOR_SECRET, 301), "{}"),
        ((GENERATOR_SECRET, -302), "{}"),
    ] {
        assert_eq!(callback(&served.server, &id, forged, body).status, 401);
    }
    let unsigned = post(&format!("/engine/callbacks/{id}")).body("{}");
    assert_eq!(unsigned.send(&served.server).status, 401);
    let long = |length: usize| callback(&served.server, &id, right, &" ".repeat(length)).status;
    assert_eq!((long(CALLBACK_MAX), long(CALLBACK_MAX + 1)), (204, 413));
    // Whether somebody waits for it is not told.
    assert_eq!(callback(&served.server, "job_0", right, "{}").status, 204);
    generator.go();
    served.until(&mut browser, &session, "<h1>Your headshots</h1>");
    assert_eq!(photos(&served, &session), 3);

    generator.fail("silent");
    let (session, mut browser, _) = begun(&served, &mut generator, "two@acme.example");
    served.until(&mut browser, &session, "<h1>Your headshots</h1>");
    assert_eq!(photos(&served, &session), 3);

    let document = get("/engine/openapi.json").send(&served.server);
    assert_eq!(document.json()["openapi"], "3.1.0");
    let printed = served.server.stop();
    assert!(!printed.contains(GENERATOR_SECRET));
    let shown = served.place.run(&["config", "check"]);
    assert!(shown.contains(&generator.url) && !shown.contains(GENERATOR_SECRET));
    served.place.run(&["doctor"]);
}

#[test]
fn a_generation_outlives_a_stop_and_a_kill() {
    let mut generator = GeneratorServer::start();
    let mut served = served(&generator);
    generator.fail("held");
    let (session, _, _) = begun(&served, &mut generator, "two@acme.example");
    served.server.stop();
    served.server = served.place.serve();
    let asked = generator.count("GET", 200);
    eventually("it is found again", || {
        (generator.count("GET", 200) > asked).then_some(())
    });
    served.server.kill();
    served.server = served.place.serve();
    generator.go();
    let model = format!("/api/v2/organization/models/{}", session.id);
    eventually("headshots", || {
        (served.read(&model)["model"]["status"] == "active").then_some(())
    });
    assert_eq!(photos(&served, &session), 3);
    assert_eq!(generator.count("POST", 202), 1, "it is asked for once");
    eventually("it is deleted there", || {
        (generator.count("DELETE", 204) == 1).then_some(())
    });
}

#[test]
fn without_a_generator_nobody_calls_back() {
    let place = Place::new();
    place.org("standard");
    let server = place.serve();
    let right = (GENERATOR_SECRET, 0);
    assert_eq!(callback(&server, "job_1", right, "{}").status, 404);
}
