//! A key and a password that are looked for afterwards, everywhere.

use std::fs;
use std::path::Path;

use crate::support::browser::hidden;
use crate::support::{Browser, Place, Request, get, post};

const PASSWORD: &str = "canary-Kanarienvogel-9Zq";

/// What of a key must be found nowhere: the part that the hint does not show.
fn secret_part(key: &str) -> &str {
    &key[8..key.len() - 4]
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Every place where a careless client might put a key.
fn careless(key: &str) -> Vec<Request> {
    let organization = "/api/v2/organization";
    let spelled: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let half = spelled[..24].to_owned() + &key[8..];
    let json = format!(r#"{{"key":"{key}","more":"#);
    vec![
        get(organization).bearer(key),
        get(organization).header("Authorization", key),
        get(organization).header("Authorization", format!("Basic {key}")),
        get(organization).header("Authorization", format!("Bearer {key}x")),
        get(organization).bearer(key).bearer(key),
        get(organization).header("X-Api-Key", key),
        get(organization).header("Cookie", format!("headshot_session={key}")),
        get(&format!("{organization}?key={key}")),
        get(&format!("{organization}?key={key}")).bearer(key),
        get(&format!("{organization}?key={spelled}")).bearer(key),
        get(&format!("{organization}?key={}", key.replace('_', "%5F"))).bearer(key),
        get(&format!("{organization}?key={half}")).bearer(key),
        get(&format!("/api/v2/{half}/organization")).bearer(key),
        get(&format!("/auth/login?next=/{half}")),
        get(&format!("/app/admin/audit?{half}")),
        get(&format!("{organization}?{key}")).bearer(key),
        get(&format!("{organization}?a=x{key}y")).bearer(key),
        get(&format!("/api/v2/{key}/organization")).bearer(key),
        get(&format!("{organization}/invites/{key}")).bearer(key),
        get(&format!("{organization}/models/{key}/photos/{key}")).bearer(key),
        get(&format!("/api/v2/{key}")),
        get(&format!("/{key}")),
        get(&format!("/app/admin/api?key={key}")),
        get(&format!("/auth/login?next=/{key}")),
        get(&format!("/auth/setup?token={key}")),
        get(&format!("/api/{key}")),
        get(organization).bearer(key).header("User-Agent", key),
        get(organization)
            .bearer(key)
            .header("User-Agent", format!("Mozilla/5.0 ({key}) x")),
        get(organization).header("User-Agent", format!("{}{key}", "a".repeat(490))),
        get(organization)
            .bearer(key)
            .header("Referer", format!("https://acme.com/?k={key}")),
        get(organization)
            .bearer(key)
            .header("Origin", format!("https://{key}.acme.com")),
        get(organization).bearer(key).header("X-Forwarded-For", key),
        get(organization).bearer(key).header("X-Request-Id", key),
        get(organization).bearer(key).header("Host", key),
        get(organization).bearer(key).body(key),
        Request::new(key, organization).bearer(key),
        Request::new(key, organization),
        post("/api/keys/revoke").body(key),
        post("/api/keys/revoke").body(&json),
        post("/api/keys/revoke").body(format!(r#"{{"{key}":1}}"#)),
        post("/api/keys/revoke").body(format!(r#"{{"key":"{key}x"}}"#)),
        post("/api/keys/revoke").body(format!(r#"{{"key":["{key}"]}}"#)),
        post(&format!("/api/keys/revoke?key={key}")).body("{}"),
        post(&format!("/api/keys/{key}/revoke")),
    ]
}

#[test]
fn a_key_and_a_password_are_found_nowhere_afterwards() {
    let place = Place::new()
        .with("HEADSHOT_LOG", "trace")
        .with("HEADSHOT_TRUSTED_PROXIES", "127.0.0.0/8");
    let org = place.org("unlimited");
    let server = place.serve();
    let mut browser = Browser::new(&server);
    let mut pages = vec![browser.set_up(&org.setup_url, PASSWORD)];

    let nonce = hidden(&browser.get("/app/admin/api").text(), "nonce");
    let fields = [("nonce", nonce.as_str()), ("kind", "full")];
    let shown = browser.submit("/app/admin/api", "/app/admin/api/keys", &fields);
    let key = hidden_key(&shown.text());
    let made = place.key(&org, &["--name", "by the command line"]);

    for key in [&key, &made.key] {
        for request in careless(key) {
            // A method that long may be refused by the parser.
            pages.extend(request.try_send(server.address));
        }
    }
    let mut stranger = Browser::new(&server);
    for (email, password) in [
        ("owner@acme.example", "wrong-but-canary-9Zq"),
        (PASSWORD, PASSWORD),
        (key.as_str(), key.as_str()),
        ("owner@acme.example", PASSWORD),
    ] {
        let mut page = stranger.sign_in(email, password);
        // The page repeats the address that was typed, to the one who typed it.
        page.body = page
            .text()
            .replace(&format!("value=\"{email}\""), "")
            .into_bytes();
        pages.push(page);
    }
    let change = [
        ("current_password", PASSWORD),
        ("new_password", "canary-second-9Zq"),
    ];
    let settings = "/app/admin/settings/security";
    pages.push(browser.submit(settings, "/app/admin/settings/password", &change));
    // A key as the name of a key, and in the filters of the log.
    let delete = format!("/app/admin/api/keys/{}/delete", made.id);
    pages.push(browser.get(&delete));
    pages.push(browser.submit(&delete, &delete, &[]));
    let revoke = post("/api/keys/revoke").body(format!(r#"{{"key":"{key}"}}"#));
    pages.push(revoke.send(&server));
    pages.push(get("/api/v2/organization").bearer(&key).send(&server));
    server_pages(&mut browser, &mut pages);

    let printed = server.stop();
    assert!(printed.len() > 1_000, "tracing is on: {printed}");
    let needles = [
        secret_part(&key),
        secret_part(&made.key),
        PASSWORD,
        "canary-9Zq",
        "second-9Zq",
    ];
    for needle in needles {
        assert!(!printed.contains(needle), "{needle} was logged");
        for page in &pages {
            // An answer to a stranger's own question may not even repeat it.
            assert!(!page.text().contains(needle), "{needle} in {}", page.text());
            let headers: Vec<_> = page
                .headers
                .iter()
                .filter(|(name, _)| name != "location")
                .collect();
            assert!(
                !format!("{headers:?}").contains(needle),
                "{needle} in {headers:?}"
            );
        }
        let folder = place.data_dir();
        let all = files(&folder);
        assert!(all.iter().any(|path| path.ends_with("headshot.db")));
        for path in all {
            let bytes = fs::read(&path).expect("a file");
            assert!(
                !contains(&bytes, needle.as_bytes()),
                "{needle} in {}",
                path.display()
            );
        }
    }
    // The search finds what is there: the hint.
    let database = fs::read(place.database()).expect("the database");
    assert!(contains(&database, &key.as_bytes()[..8]));
}

fn hidden_key(html: &str) -> String {
    let (_, rest) = html.split_once("id=\"secret-value\"").expect("a key");
    crate::support::browser::between(rest, ">", "</textarea>").expect("the key is shown")
}

/// Every page that an admin can open.
fn server_pages(browser: &mut Browser, pages: &mut Vec<crate::support::Answer>) {
    let (log, details) = crate::support::eventually("the log has entries", || {
        let log = browser.get("/app/admin/api/logs");
        let details: Vec<String> = log
            .text()
            .split("href=\"")
            .filter_map(|part| part.split('"').next())
            .filter(|href| href.starts_with("/app/admin/api/logs/"))
            .map(str::to_owned)
            .collect();
        (!details.is_empty()).then_some((log, details))
    });
    for path in details.iter().take(60) {
        pages.push(browser.get(path));
    }
    pages.push(log);
    for path in [
        "/app/admin/overview",
        "/app/admin/api",
        "/app/admin/webhooks",
        "/app/admin/jobs",
        "/app/admin/audit",
        "/app/admin/settings/security",
        "/app/admin/api/logs?status=4xx",
        "/metrics",
    ] {
        let page = browser.get(path);
        assert_eq!(page.status, 200, "{path}");
        pages.push(page);
    }
}

/// The database while it is open: what a backup of the running system would copy.
#[test]
fn nor_in_the_files_of_a_running_server() {
    let place = Place::new();
    let org = place.org("standard");
    let key = place.key(&org, &[]).key;
    let server = place.serve();
    for request in careless(&key) {
        request.try_send(server.address).ok();
    }
    crate::support::eventually("the log is written", || {
        let sql = "SELECT count(*) FROM api_log";
        (crate::support::database::number(&place.database(), sql) > 20).then_some(())
    });
    let all = files(&place.data_dir());
    assert!(
        all.iter()
            .any(|path| path.to_string_lossy().ends_with("-wal")),
        "{all:?}"
    );
    for path in all {
        let bytes = fs::read(&path).unwrap_or_default();
        assert!(
            !contains(&bytes, secret_part(&key).as_bytes()),
            "{}",
            path.display()
        );
    }
}
