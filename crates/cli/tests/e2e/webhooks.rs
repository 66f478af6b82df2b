//! Webhooks and jobs from outside: forms, real deliveries, the published code, a kill.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver as Calls, channel};

use headshot_testkit::{Authority, Receiver as TlsReceiver};
use serde_json::Value;

use crate::support::browser::between;
use crate::support::{Answer, Browser, Org, PATIENCE, Place, Server, eventually, get, pipe};

const API: &str = "/app/admin/api";
const LIST: &str = "/app/admin/webhooks";

/// A request that waits for its answer.
struct Call {
    stream: TcpStream,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Call {
    fn read(stream: TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
                None if line.trim_end().is_empty() => break,
                None => None,
            };
        }
        let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        Some(Self {
            stream: reader.into_inner(),
            headers,
            body,
        })
    }

    fn answer(mut self, status: u16) {
        let head = format!("HTTP/1.1 {status} Answer\r\nContent-Length: 0\r\n\r\n");
        self.stream.write_all(head.as_bytes()).expect("answered");
    }

    fn id(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).expect("JSON");
        body["id"].as_str().expect("an id").to_owned()
    }
}

struct Receiver {
    url: String,
    calls: Calls<Call>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, calls) = channel();
        std::thread::spawn(move || {
            for call in listener.incoming().map_while(Result::ok) {
                let Some(call) = Call::read(call) else {
                    continue;
                };
                if sender.send(call).is_err() {
                    return;
                }
            }
        });
        Self {
            url: format!("http://{address}/hook"),
            calls,
        }
    }

    fn next(&self) -> Call {
        self.calls.recv_timeout(PATIENCE).expect("a delivery")
    }
}

struct Served {
    place: Place,
    org: Org,
    server: Server,
    browser: Browser,
}

fn served() -> Served {
    served_with(Place::new().with("HEADSHOT_WEBHOOK_ALLOW_HTTP", "true"))
}

fn served_with(place: Place) -> Served {
    let place = place
        .with("HEADSHOT_WEBHOOK_ALLOW_NETWORKS", "127.0.0.0/8")
        .with("HEADSHOT_JOB_LEASE_SECONDS", "1");
    let org = place.org("standard");
    let server = place.serve();
    let mut browser = Browser::new(&server);
    browser.set_up(&org.setup_url, "correct horse battery");
    Served {
        place,
        org,
        server,
        browser,
    }
}

impl Served {
    fn save(&mut self, url: &str) -> Answer {
        self.browser
            .submit(API, "/app/admin/webhooks/url", &[("url", url)])
    }

    /// Sends a test event; the path of its page.
    fn send_test(&mut self) -> String {
        let sent = self.browser.submit(API, "/app/admin/webhooks/test", &[]);
        assert_eq!(sent.status, 303, "{}", sent.text());
        sent.header("location").expect("a place").to_owned()
    }

    /// Waits until a page says something.
    fn page_with(&mut self, path: &str, part: &str) -> String {
        let browser = &mut self.browser;
        eventually(part, || {
            let page = browser.get(path).text();
            page.contains(part).then_some(page)
        })
    }
}

fn secret(page: &Answer) -> String {
    let html = page.text();
    let (_, rest) = html.split_once("id=\"secret-value\"").expect("a secret");
    between(rest, "value=\"", "\"").expect("a secret")
}

/// The code block of the documentation, as it is printed.
fn published(server: &Server, id: &str) -> String {
    let page = get("/api/webhooks").send(server).text();
    let block = between(&page, &format!("<pre id=\"{id}\""), "</pre>").expect(id);
    let (_, code) = block.split_once("<code>").expect("code");
    code.strip_suffix("</code>").expect("code").to_owned()
}

/// What the published code of a language says of a delivery.
fn verdict(server: &Server, language: &str, call: &Call, secret: &str) -> String {
    verdict_on(server, language, (&call.headers, &call.body), secret)
}

fn verdict_on(
    server: &Server,
    language: &str,
    (headers, body): (&BTreeMap<String, String>, &[u8]),
    secret: &str,
) -> String {
    let headers = serde_json::to_string(headers).expect("JSON");
    let mut hex = String::new();
    for byte in body {
        let _infallible = write!(hex, "{byte:02x}");
    }
    let id = format!("verify-{language}");
    let code = published(server, &id);
    if language == "node" {
        let script = format!(
            "{code}\nconst headers = {headers};\nconst body = Buffer.from(\"{hex}\", \"hex\");\n\
             console.log(isGenuine(headers, body, \"{secret}\"));\n"
        );
        let mut node = Command::new("node");
        node.args(["--input-type=module", "-"]);
        return pipe(node, &script).trim().to_lowercase();
    }
    let script = format!(
        "{code}\nimport json\nheaders = json.loads({headers:?})\nbody = bytes.fromhex(\"{hex}\")\n\
         print(is_genuine(headers, body, \"{secret}\"))\n"
    );
    let mut python = Command::new("python3");
    python.arg("-");
    pipe(python, &script).trim().to_lowercase()
}

/// Over TLS only, as by default: a receiver whose certificate is from the company's own authority.
#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_one_s_own_is_trusted_when_it_is_named() {
    let authority = Authority::new();
    let mut receiver = TlsReceiver::start_tls(&authority, "127.0.0.1").await;
    let mut strange = served_with(Place::new());
    assert_eq!(strange.save(&receiver.url).status, 200);
    let event = strange.send_test();
    let why = "no TLS connection: the certificate is from an authority that this server does not \
               trust";
    strange.page_with(&event, why);
    assert!(receiver.is_unheard());

    let place = Place::new();
    let file = place.folder().join("authority.pem");
    std::fs::write(&file, &authority.pem).expect("a file");
    let file = file.to_str().expect("a path");
    let mut served = served_with(place.with("HEADSHOT_WEBHOOK_CA_FILE", file));
    let secret = secret(&served.save(&receiver.url));
    let event = served.send_test();
    let call = receiver.next().await;
    let timestamp = call.header("x-headshotpro-timestamp").expect("a time");
    let signature =
        headshot_app::outbound::sign(&secret, timestamp.parse().expect("seconds"), &call.body);
    assert_eq!(call.header("x-headshotpro-signature"), Some(&*signature));
    call.answer(200);
    served.page_with(&event, "</svg>delivered");
}

/// The whole story of a receiver: saved, tried out, verified by the published code, rotated, removed.
#[test]
fn a_receiver_is_set_up_and_verifies_by_the_published_code() {
    let mut served = served();
    let receiver = Receiver::start();
    let refused = served.save("ftp://example.com/");
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .text()
            .contains("The address must begin with https://")
    );

    let saved = served.save(&receiver.url);
    assert_eq!(saved.status, 200, "{}", saved.text());
    assert_eq!(saved.header("cache-control"), Some("no-store"));
    let first = secret(&saved);
    assert_eq!(first.len(), 64);
    let page = served.browser.get(API).text();
    assert!(page.contains(&receiver.url) && !page.contains(&first));

    let event = served.send_test();
    let call = receiver.next();
    for language in ["node", "python"] {
        assert_eq!(verdict(&served.server, language, &call, &first), "true");
        let wrong = verdict(&served.server, language, &call, &"0".repeat(64));
        assert_eq!(wrong, "false", "{language}");
        for forged in ["9".repeat(5_000), "1e9".to_owned(), String::new()] {
            let mut headers = call.headers.clone();
            headers.insert("x-headshotpro-timestamp".to_owned(), forged);
            let of = (&headers, &call.body[..]);
            assert_eq!(verdict_on(&served.server, language, of, &first), "false");
        }
    }
    call.answer(200);
    let shown = served.page_with(&event, "</svg>delivered");
    assert!(shown.contains("HTTP/1.1 200"), "{shown}");
    assert!(!shown.contains(&first));

    let fields = [("overlap", "24")];
    let rotated = served
        .browser
        .submit(API, "/app/admin/webhooks/rotate", &fields);
    let second = secret(&rotated);
    assert_ne!(first, second);
    served.send_test();
    let call = receiver.next();
    for language in ["node", "python"] {
        for secret in [&first, &second] {
            assert_eq!(verdict(&served.server, language, &call, secret), "true");
        }
    }
    call.answer(200);

    let kept = served.save(&format!("{}?other", receiver.url));
    assert!(kept.text().contains("The webhook URL is saved."));
    let removed = served
        .browser
        .submit(API, "/app/admin/webhooks/remove", &[]);
    assert!(removed.text().contains("The webhook is removed."));
    let gone = served.browser.submit(API, "/app/admin/webhooks/test", &[]);
    assert_eq!(gone.status, 404);
    let log = served.browser.get("/app/admin/audit").text();
    for words in [
        "saved the webhook URL",
        "rotated the webhook secret of",
        "sent a test event to",
        "removed the webhook",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(!served.server.stop().contains(&first));
}

/// A worker is killed while its job runs; another one takes the job over.
#[test]
fn a_kill_in_the_middle_of_a_delivery_loses_nothing() {
    let mut served = served();
    let receiver = Receiver::start();
    let saved = served.save(&receiver.url);
    let secret = secret(&saved);
    let event = served.send_test();
    let first = receiver.next();
    let listed = served.place.json(&["jobs", "list", "--json"]);
    assert_eq!(listed["jobs"][0]["state"], "running", "{listed}");
    assert_eq!(listed["jobs"][0]["lane"], served.org.uid.as_str());
    served.server.kill();

    served.server = served.place.serve();
    let cookies = served.browser.cookies.clone();
    served.browser = Browser::new(&served.server);
    served.browser.cookies = cookies;
    let second = receiver.next();
    assert_eq!((second.id(), &second.body), (first.id(), &first.body));
    assert_eq!(verdict(&served.server, "node", &second, &secret), "true");
    second.answer(200);
    served.page_with(&event, "</svg>delivered");
    let listed = served.place.json(&["jobs", "list", "--json"]);
    assert_eq!(listed["jobs"], serde_json::json!([]));
    served.server.stop();
}

/// Lets a test event fail for the last time, with a server that is started again; its page, and the
/// dead job.
fn failed(mut served: Served, receiver: &Receiver) -> (Served, String, String) {
    let event = served.send_test();
    receiver.next().answer(500);
    receiver.next().answer(500);
    // The next try is minutes away.
    served.page_with(&event, "Try 2");
    let waiting = served.browser.submit(API, &format!("{event}/replay"), &[]);
    assert_eq!(waiting.status, 409);
    served.server.stop();
    // As if all tries had been made.
    let sql = "UPDATE jobs SET attempts = 4, run_at = 0 WHERE state = 'queued' RETURNING id";
    let mut ids = crate::support::database::texts(&served.place.database(), sql);
    served.server = served.place.serve();
    let cookies = served.browser.cookies.clone();
    served.browser = Browser::new(&served.server);
    served.browser.cookies = cookies;
    receiver.next().answer(500);
    served.page_with(&event, "</svg>failed");
    (served, event, ids.remove(0))
}

/// Failed events are shown and sent again; dead jobs are listed and retried.
#[test]
fn what_failed_is_shown_and_sent_again() {
    let mut served = served();
    let receiver = Receiver::start();
    served.save(&receiver.url);
    let (mut served, event, id) = failed(served, &receiver);
    let api = served.browser.get(API).text();
    assert!(api.contains("1 event was not delivered"), "{api}");
    let listed = served.place.json(&["jobs", "list", "--dead", "--json"]);
    assert_eq!(
        (&listed["jobs"][0]["id"], &listed["total"]),
        (&id.as_str().into(), &1.into())
    );
    assert_eq!(listed["jobs"][0]["lastError"], "the receiver answered 500");
    let mails = ["jobs", "list", "--dead", "--kind", "mail.send", "--json"];
    assert_eq!(served.place.json(&mails)["total"], 0);
    let why = "the receiver answered 500";
    for (query, shown) in [
        ("", true),
        ("?kind=webhook.deliver", true),
        ("?kind=shoot", false),
    ] {
        let page = format!("/app/admin/jobs{query}");
        let page = served.browser.get(&page).text();
        assert_eq!(page.contains(why), shown, "{query}: {page}");
    }
    let retried = served.place.run(&["jobs", "retry", &id]);
    assert_eq!(retried, format!("{id} is tried again.\n"));
    receiver.next().answer(200);
    served.page_with(&event, "</svg>delivered");

    let (mut served, event, id) = failed(served, &receiver);
    let path = "/app/admin/webhooks/replay-failed";
    let replayed = served.browser.submit(LIST, path, &[]);
    assert!(replayed.text().contains("1 failed event is sent again."));
    receiver.next().answer(200);
    served.page_with(&event, "</svg>delivered");
    assert!(!served.browser.get(API).text().contains("not delivered"));
    // The job of the try in vain went with it.
    let listed = served.place.json(&["jobs", "list", "--dead", "--json"]);
    assert_eq!(listed, serde_json::json!({ "jobs": [], "total": 0 }));
    for id in [&*id, "job_x"] {
        let unknown = served.place.failure(&["jobs", "retry", id]);
        assert_eq!(unknown, "error: there is no dead job with this id");
    }
    served.server.stop();
}

/// Another organization's admin sees none of it.
#[test]
fn pages_and_forms_belong_to_the_organization() {
    let mut served = served();
    let receiver = Receiver::start();
    served.save(&receiver.url);
    let event = served.send_test();
    receiver.next().answer(200);
    served.page_with(&event, "</svg>delivered");
    let made = served.place.json(&[
        "org",
        "create",
        "--name",
        "Globex",
        "--owner-email",
        "owner@globex.example",
        "--json",
    ]);
    let url = made["owner"]["setupUrl"]
        .as_str()
        .expect("a link")
        .to_owned();
    let mut other = Browser::new(&served.server);
    other.set_up(&url, "correct horse battery");
    assert_eq!(other.get(&event).status, 404);
    assert_eq!(
        other.submit(API, &format!("{event}/replay"), &[]).status,
        404
    );
    assert!(!other.get(LIST).text().contains("evt_"));
    // Without the token of the page, nothing is changed.
    let forged = other.post("/app/admin/webhooks/url", &[("url", receiver.url.as_str())]);
    assert_ne!(forged.status, 200);
    let mut nobody = Browser::new(&served.server);
    assert_eq!(nobody.get(&event).status, 303);
    served.server.stop();
}
