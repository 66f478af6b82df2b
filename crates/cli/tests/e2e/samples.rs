//! The samples that we print run as they are printed, the key aside.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::browser::between;
use crate::support::{Answer, Browser, Org, Place, Server, eventually, get, pipe, text};

const PLACEHOLDER: &str = "YOUR_API_KEY";

struct Served {
    place: Place,
    org: Org,
    server: Server,
    key: String,
}

fn served() -> Served {
    let place = Place::new();
    let org = place.org("standard");
    let key = place.key(&org, &[]).key;
    let server = place.serve();
    Served {
        place,
        org,
        server,
        key,
    }
}

impl Served {
    /// The text of a code block of a page, with the key in it.
    fn sample(&self, path: &str, id: &str) -> String {
        let page = get(path).send(&self.server).text();
        let block = between(&page, &format!("<pre id=\"{id}\""), "</pre>");
        let block = block.unwrap_or_else(|| panic!("{path} has no block {id}"));
        let (_, code) = block.split_once("<code>").expect("code");
        let code = code.strip_suffix("</code>").expect("code");
        assert!(code.contains(PLACEHOLDER), "{code}");
        assert!(code.contains(&self.server.address.to_string()), "{code}");
        code.replace(PLACEHOLDER, &self.key)
    }

    fn organization(&self) -> Value {
        json!({
            "success": true,
            "organization": {
                "uid": self.org.uid,
                "name": "Acme Corporation",
                "website": "",
                "teams": [],
            },
        })
    }
}

/// Runs `code` as a person would who pastes it into a file or a terminal.
fn run(program: &str, args: &[&str], code: &str) -> String {
    let mut command = Command::new(program);
    command.args(args);
    pipe(command, code)
}

#[test]
fn the_curl_sample_runs_in_bash() {
    let served = served();
    for (path, id) in [
        ("/api/authentication", "samples-curl"),
        ("/api", "first-call-curl"),
    ] {
        let code = served.sample(path, id);
        let printed = run("bash", &["-euo", "pipefail"], &code);
        let answer: Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!(answer, served.organization());
    }
}

/// Those of the reference too, with a body and without.
#[test]
fn the_reference_s_samples_run() {
    let served = served();
    let code = served.sample("/api/reference", "get-organization-curl");
    let printed = run("bash", &["-euo", "pipefail"], &code);
    let answer: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(answer, served.organization());
    let code = served.sample("/api/reference", "post-organization-teams-curl");
    let printed = run("bash", &["-euo", "pipefail"], &code);
    let answer: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(answer["organization"]["teams"][0]["name"], "Marketing");
}

#[test]
fn the_node_sample_runs() {
    let served = served();
    let code = served.sample("/api/authentication", "samples-node");
    let printed = run("node", &["-"], &code);
    assert!(printed.contains("success: true"), "{printed}");
    assert!(printed.contains(&served.org.uid), "{printed}");
    // Node's own fetch looks like a browser's in one header. It must not be taken for one.
    served.server.stop();
    let database = served.place.database();
    let sql =
        "SELECT user_agent || ' ' || browser FROM api_log JOIN api_log_shapes s ON s.id = shape";
    assert_eq!(crate::support::database::texts(&database, sql), ["node 0"]);
}

#[test]
fn the_python_sample_runs() {
    let python = Command::new("python3")
        .args(["-c", "import requests"])
        .output();
    let python = python.expect("python3 is installed");
    assert!(
        python.status.success(),
        "python3 has no requests: pip install requests\n{}",
        text(&python.stderr)
    );
    let served = served();
    let code = served.sample("/api/authentication", "samples-python");
    let printed = run("python3", &["-"], &code);
    assert!(printed.starts_with("200 {'success': True, "), "{printed}");
    assert!(printed.contains(&served.org.uid), "{printed}");
}

/// The head as it is published, sent byte for byte.
#[test]
fn the_published_request_head_is_understood() {
    let served = served();
    let own = served.sample("/api/authentication", "header");
    let published = "GET /api/v2/organization HTTP/1.1\n\
                     Host: server.headshotpro.com\n\
                     Authorization: Bearer YOUR_API_KEY\n\
                     Content-Type: application/json";
    for head in [own, published.replace(PLACEHOLDER, &served.key)] {
        let bytes = format!("{}\r\n\r\n", head.replace('\n', "\r\n"));
        let answer: Answer = crate::support::http::raw(&served.server, bytes.as_bytes());
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json(), served.organization());
    }
}

/// The page that shows a new key prints the samples with the key in them.
#[test]
fn the_samples_beside_a_new_key_run() {
    let served = served();
    let mut browser = Browser::new(&served.server);
    browser.set_up(&served.org.setup_url, "correct horse battery");
    let page = browser.get("/app/admin/api").text();
    let nonce = crate::support::browser::hidden(&page, "nonce");
    let fields = [("nonce", nonce.as_str()), ("kind", "full")];
    let made = browser
        .submit("/app/admin/api", "/app/admin/api/keys", &fields)
        .text();
    for (id, program, args) in [
        ("sample-curl", "bash", vec!["-euo", "pipefail"]),
        ("sample-node", "node", vec!["-"]),
        ("sample-python", "python3", vec!["-"]),
    ] {
        let block = between(&made, &format!("<pre id=\"{id}\""), "</pre>").expect(id);
        let (_, code) = block.split_once("<code>").expect("code");
        let printed = run(program, &args, code.strip_suffix("</code>").expect("code"));
        assert!(printed.contains(&served.org.uid), "{id}: {printed}");
    }
}

/// The page on leaked keys: after its sample has run, the key is dead.
#[test]
fn the_revoke_sample_ends_the_key() {
    let served = served();
    assert_eq!(
        get("/api/v2/organization")
            .bearer(&served.key)
            .send(&served.server)
            .status,
        200
    );
    let code = served.sample("/api/authentication", "revoke");
    let printed = run("bash", &["-euo", "pipefail"], &code);
    let answer: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(answer["message"], "API key revoked");
    assert_eq!(
        get("/api/v2/organization")
            .bearer(&served.key)
            .send(&served.server)
            .status,
        401
    );
    // And the log tells whose it was.
    eventually("the refused call is in the log", || {
        let sql = "SELECT count(*) FROM api_log WHERE dead_key IS NOT NULL";
        let refused = crate::support::database::number(&served.place.database(), sql);
        (refused == 1).then_some(())
    });
}
