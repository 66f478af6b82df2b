//! Every command: what it prints, its JSON, its failure, its help.

use std::collections::BTreeSet;

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::support::database::block_on;
use crate::support::{Place, Server, eventually, get, pipe};

fn keys(value: &Value) -> Vec<&str> {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"));
    let sorted: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    sorted.into_iter().collect()
}

fn is_time(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.len() == 24 && text.ends_with('Z'))
}

#[test]
fn org_create_and_list() {
    let place = Place::new();
    let args = [
        "org",
        "create",
        "--name",
        "Acme Corporation",
        "--website",
        "https://acme.com",
        "--owner-email",
        "Owner@Acme.example",
        "--plan",
        "enterprise",
        "--credits",
        "10",
        "--whitelabel",
        "--json",
    ];
    let made = place.json(&args);
    assert_eq!(keys(&made), ["organization", "owner"]);
    let org = &made["organization"];
    assert_eq!(
        keys(org),
        ["createdAt", "name", "plan", "uid", "website", "whitelabel"]
    );
    assert!(
        org["uid"]
            .as_str()
            .is_some_and(|uid| uid.starts_with("org_"))
    );
    assert_eq!(org["plan"], "enterprise");
    assert_eq!(org["whitelabel"], true);
    assert!(is_time(&org["createdAt"]));
    assert_eq!(keys(&made["owner"]), ["email", "id", "setupUrl"]);
    assert_eq!(made["owner"]["email"], "Owner@Acme.example");
    let url = made["owner"]["setupUrl"].as_str().expect("a link");
    assert!(
        url.starts_with("http://127.0.0.1:0/auth/setup?token="),
        "{url}"
    );

    // The same person owns another one: no new link, the password is set by the first.
    let second = place.run(&[
        "org",
        "create",
        "--name",
        "Beta",
        "--owner-email",
        "owner@acme.example",
    ]);
    assert!(second.contains("Organization org_"), "{second}");
    let list = place.json(&["org", "list", "--json"]);
    let names: Vec<&Value> = list["organizations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|org| &org["name"])
        .collect();
    assert_eq!(names, ["Acme Corporation", "Beta"]);
    let printed = place.run(&["org", "list"]);
    assert_eq!(printed.lines().count(), 2, "{printed}");
    for (args, part) in [
        (
            vec![
                "org",
                "create",
                "--name",
                "",
                "--owner-email",
                "a@b.example",
            ],
            "name",
        ),
        (
            vec!["org", "create", "--name", "A", "--owner-email", "nobody"],
            "--owner-email",
        ),
        (
            vec![
                "org",
                "create",
                "--name",
                "A",
                "--owner-email",
                "a@b.example",
                "--plan",
                "gold",
            ],
            "--plan",
        ),
        (
            vec![
                "org",
                "create",
                "--name",
                "A",
                "--owner-email",
                "a@b.example",
                "--credits",
                "-1",
            ],
            "--credits",
        ),
        (
            vec![
                "org",
                "create",
                "--name",
                "A",
                "--owner-email",
                "a@b.example",
                "--website",
                "javascript:x",
            ],
            "website",
        ),
    ] {
        assert_refused(&place, &args, part);
    }
    assert_eq!(place.run(&["org", "list"]).lines().count(), 2);
}

/// A refusal is one line, whoever found what is wrong.
fn assert_refused(place: &Place, args: &[&str], part: &str) {
    let line = place.failure(args);
    assert!(line.contains(part), "{args:?}: {line}");
}

#[test]
fn key_create_list_delete() {
    let place = Place::new();
    let org = place.org("standard");
    let made = place.json(&["key", "create", "--org", &org.uid, "--json"]);
    assert_eq!(keys(&made), ["expiresAt", "id", "key", "scopes"]);
    assert_eq!(made["expiresAt"], Value::Null);
    let all = serde_json::json!(["organization", "invites", "teams", "models", "photos"]);
    assert_eq!(made["scopes"], all);
    let secret = made["key"].as_str().expect("a key");
    assert!(secret.starts_with("hsp_") && secret.len() == 50, "{secret}");
    let limited = place.json(&[
        "key",
        "create",
        "--org",
        &org.uid,
        "--name",
        "CI",
        "--scopes",
        "organization,teams:read",
        "--networks",
        "10.0.0.0/8",
        "--expires-in",
        "90d",
        "--json",
    ]);
    assert!(is_time(&limited["expiresAt"]), "{limited}");
    assert_eq!(
        limited["scopes"],
        serde_json::json!(["organization", "teams:read"])
    );

    let list = place.json(&["key", "list", "--org", &org.uid, "--json"]);
    let list = list["keys"].as_array().expect("a list");
    assert_eq!(list.len(), 2);
    let fields = [
        "createdAt",
        "createdBy",
        "expiresAt",
        "hint",
        "id",
        "lastUsedAt",
        "name",
        "networks",
        "scopes",
    ];
    assert_eq!(keys(&list[0]), fields);
    assert_eq!(list[0]["name"], "CI");
    let printed = place.run(&["key", "list", "--org", &org.uid]);
    assert!(!printed.contains(&secret[8..40]), "{printed}");
    let expiry = limited["expiresAt"].as_str().expect("a time");
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines[0].ends_with(&format!("  expires {expiry}  never used")),
        "{printed}"
    );
    assert!(
        lines[1].ends_with("  never expires  never used"),
        "{printed}"
    );
    let server = place.serve();
    let answer = get("/api/v2/organization").bearer(secret).send(&server);
    assert_eq!(answer.status, 200);
    server.stop();
    let printed = place.run(&["key", "list", "--org", &org.uid]);
    assert!(printed.contains("  last used 2"), "{printed}");

    let id = made["id"].as_str().expect("an id");
    let gone = place.json(&["key", "delete", id, "--json"]);
    assert_eq!(
        keys(&gone),
        ["acknowledged", "effectiveAt", "id", "lapsed", "lastUsedAt"]
    );
    assert!(is_time(&gone["effectiveAt"]));
    let line = place.failure(&["key", "delete", id]);
    assert_eq!(
        line,
        "error: there is no such key, or it was deleted before"
    );
    let printed = place.run(&["key", "create", "--org", &org.uid, "--expires-in", "1h"]);
    assert!(
        printed.contains("shown only now") && printed.contains("It works until"),
        "{printed}"
    );
    for (args, part) in [
        (
            vec!["key", "create", "--org", &org.uid, "--scopes", "everything"],
            "--scopes",
        ),
        (
            vec!["key", "create", "--org", &org.uid, "--scopes", ""],
            "scope",
        ),
        (
            vec!["key", "create", "--org", &org.uid, "--expires-in", "soon"],
            "--expires-in",
        ),
        (
            vec![
                "key",
                "create",
                "--org",
                &org.uid,
                "--networks",
                "10.0.0.1/99",
            ],
            "--networks",
        ),
        (vec!["key", "create"], "--org"),
    ] {
        assert_refused(&place, &args, part);
    }
    let long = "n".repeat(101);
    assert_refused(
        &place,
        &["key", "create", "--org", &org.uid, "--name", &long],
        "name",
    );
}

#[test]
fn an_unknown_organization_is_a_failure() {
    let place = Place::new();
    for args in [
        &["key", "create", "--org", "org_nobody"][..],
        &["key", "list", "--org", "org_nobody"],
        &["key", "list", "--org", "org_nobody", "--json"],
        &["credits", "grant", "--org", "org_nobody", "--amount", "1"],
        &["audit", "list", "--org", "org_nobody"],
        &["log", "list", "--org", "org_nobody", "--json"],
    ] {
        assert_eq!(
            place.failure(args),
            "error: there is no organization org_nobody"
        );
    }
}

#[test]
fn key_check_is_offline() {
    let place = Place::new();
    let org = place.org("standard");
    let key = place.key(&org, &[]).key;
    // Nothing to connect to, and no data folder: it is not asked.
    let offline = Place::new().with("HEADSHOT_DATABASE_URL", "nonsense");
    let printed = offline.run(&["key", "check", &key]);
    assert!(printed.contains("is well-formed"), "{printed}");
    assert!(!printed.contains(&key[8..40]), "{printed}");
    let piped = pipe(offline.command(&["key", "check", "-"]), &format!("{key}\n"));
    assert_eq!(piped, printed);
    assert!(!offline.data_dir().exists());
    for (wrong, part) in [
        (key[..49].to_owned(), "not the form"),
        (format!("{}x{}", &key[..10], &key[11..]), "checksum"),
        ("Bearer".to_owned(), "not the form"),
        (String::new(), "not the form"),
    ] {
        if wrong == key {
            continue;
        }
        let line = offline.failure(&["key", "check", &wrong]);
        assert!(line.contains(part), "{wrong}: {line}");
    }
}

#[test]
fn credits_users_audit_migrate_config_openapi() {
    let place = Place::new();
    let org = place.org("standard");
    let granted = place.json(&[
        "credits", "grant", "--org", &org.uid, "--amount", "25", "--json",
    ]);
    assert_eq!(
        granted,
        serde_json::json!({ "organization": org.uid, "balance": 125 })
    );
    let granted = place.run(&["credits", "grant", "--org", &org.uid, "--amount", "-25.5"]);
    assert!(granted.contains("99.5 credits"), "{granted}");
    assert_refused(
        &place,
        &["credits", "grant", "--org", &org.uid, "--amount", "x"],
        "--amount",
    );

    let reset = place.json(&["user", "reset-password", "owner@acme.example", "--json"]);
    assert_eq!(keys(&reset), ["email", "resetUrl"]);
    let line = place.failure(&["user", "reset-password", "nobody@acme.example"]);
    assert_eq!(
        line,
        "error: there is nobody with the address nobody@acme.example"
    );

    let verified = place.json(&["audit", "verify", "--json"]);
    assert_eq!(keys(&verified), ["entries", "head", "intact"]);
    assert_eq!(verified["intact"], true);
    let newest = &place.json(&["audit", "list", "--limit", "1", "--json"])["entries"][0];
    assert_eq!(newest["hash"], verified["head"]);
    let noted = format!(
        "{}:{}",
        verified["entries"],
        verified["head"].as_str().expect("a hash")
    );
    place.key(&org, &[]);
    place.run(&["audit", "verify", "--includes", &noted]);
    // A chain that was cut and written anew has other hashes, or fewer entries.
    let other = format!("{}:{}", verified["entries"], "0".repeat(64));
    let beyond = format!("9999:{}", "0".repeat(64));
    for includes in [other, beyond] {
        let why = place.failure(&["audit", "verify", "--includes", &includes]);
        assert!(why.ends_with("is not the one that was noted"), "{why}");
    }
    assert!(
        place
            .run(&["audit", "verify"])
            .contains("are as they were written")
    );
    assert!(place.run(&["migrate"]).contains("is up to date"));

    let config = place.json(&["config", "check", "--json"]);
    assert_eq!(config["data_dir"], place.data_dir().display().to_string());
    assert_eq!(
        place.run(&["config", "check"]).lines().count(),
        keys(&config).len()
    );
    let document = place.json(&["openapi"]);
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/v2/organization"]["get"].is_object());
    let server = place.serve();
    let shown = get("/api/openapi.json").send(&server).json();
    // The command does not know which port a server was given.
    let address = |document: &Value| document["servers"][0]["url"].as_str().unwrap().to_owned();
    let elsewhere = shown
        .to_string()
        .replace(&address(&shown), &address(&document));
    assert_eq!(elsewhere, document.to_string());
    assert!(
        place
            .run(&["secrets", "prepare-pepper"])
            .contains("is prepared")
    );
    assert!(
        place
            .run(&["secrets", "rotate-pepper"])
            .contains("is current")
    );
}

#[test]
fn audit_list_and_log_list() {
    let place = Place::new();
    let org = place.org("standard");
    let key = place.key(&org, &[]);
    let elsewhere = Place::new();
    let unknown = elsewhere.key(&elsewhere.org("standard"), &[]).key;
    let server = place.serve();
    let path = "/api/v2/organization";
    assert_eq!(get(path).bearer(&key.key).send(&server).status, 200);
    assert_eq!(get(path).bearer(&unknown).send(&server).status, 401);
    assert_eq!(get(path).send(&server).status, 401);
    // Ten failures of an address that no account has: a row of the whole server.
    let mut browser = crate::support::Browser::new(&server);
    for _ in 0..10 {
        browser.sign_in("nobody@acme.example", "a wrong guess");
    }
    server.stop();

    let listed = |args: &[&str]| place.json(&[args, &["--json"]].concat());
    let all = listed(&["audit", "list"])["entries"].take();
    let fields = [
        "action",
        "actor",
        "address",
        "at",
        "detail",
        "hash",
        "organization",
        "seq",
        "target",
    ];
    assert_eq!(keys(&all[0]), fields);
    assert_eq!(all[0]["action"], "sign-in.throttled");
    assert_eq!(all[0]["organization"], Value::Null);
    assert_eq!(all[0]["detail"]["tries"], 10);
    let of_org = listed(&["audit", "list", "--org", &org.uid])["entries"].take();
    let of_org = of_org.as_array().expect("a list");
    assert!(of_org.iter().all(|entry| entry["organization"] == *org.uid));
    assert_eq!(of_org.len() + 1, all.as_array().map_or(0, Vec::len));
    let printed = place.run(&["audit", "list", "--limit", "2"]);
    assert_eq!(printed.lines().count(), 2);
    assert!(
        printed.contains("  server  visitor  sign-in.throttled  account:"),
        "{printed}"
    );

    let rows = |args: &[&str]| listed(args)["rows"].as_array().expect("a list").clone();
    let of_org = rows(&["log", "list", "--org", &org.uid]);
    assert_eq!(of_org.len(), 1);
    assert_eq!(of_org[0]["key"], *key.id);
    assert_eq!(of_org[0]["status"], 200);
    // Two requests of one millisecond have no order.
    let tries = rows(&["log", "list", "--unknown", "--since", "24h"]);
    let states: BTreeSet<&str> = tries
        .iter()
        .filter_map(|row| row["keyState"].as_str())
        .collect();
    assert_eq!(Vec::from_iter(states), ["missing", "unknown"]);
    assert!(is_time(&tries[0]["at"]));
    let printed = place.run(&["log", "list", "--unknown"]);
    assert_eq!(printed.lines().count(), 2, "{printed}");
    for part in [
        "  401  GET /api/v2/organization  - (missing)  127.0.0.1",
        " (unknown)  ",
    ] {
        assert!(printed.contains(part), "{printed}");
    }
    assert!(!printed.contains(&unknown[8..40]), "{printed}");
    let printed = place.run(&["log", "list", "--unknown", "--limit", "1"]);
    assert_eq!(printed.lines().count(), 1, "{printed}");
    for (args, part) in [
        (&["log", "list"][..], "--org"),
        (&["log", "list", "--org", "org_1", "--unknown"], "--unknown"),
        (&["log", "list", "--unknown", "--since", "soon"], "--since"),
        (&["log", "list", "--unknown", "--limit", "0"], "--limit"),
        (&["audit", "list", "--limit", "10001"], "--limit"),
    ] {
        assert_refused(&place, args, part);
    }
}

/// The commands below one that have no others below them, as the help names them.
fn commands(place: &Place, above: &str) -> Vec<String> {
    let mut args: Vec<&str> = above.split_whitespace().collect();
    args.push("--help");
    let help = place.run(&args);
    let Some((_, listed)) = help.split_once("Commands:\n") else {
        return vec![above.to_owned()];
    };
    let listed = listed.lines().take_while(|line| line.starts_with("  "));
    let names = listed.filter(|line| !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    let below = names.filter(|name| *name != "help");
    below
        .flat_map(|name| commands(place, format!("{above} {name}").trim()))
        .collect()
}

#[test]
fn every_command_helps_with_an_example() {
    let place = Place::new();
    let commands = commands(&place, "");
    assert!(commands.len() > 30, "{commands:?}");
    for command in commands {
        let mut args: Vec<&str> = command.split(' ').collect();
        args.push("--help");
        let help = place.run(&args);
        let example = help
            .split_once("Example:\n")
            .unwrap_or_else(|| panic!("{help}"))
            .1;
        assert!(
            example.contains("headshot ") && example.contains(command.as_str()),
            "{help}"
        );
    }
    assert!(place.run(&["--version"]).starts_with("headshot "));
    let bare = place.output(&[]);
    assert!(!bare.status.success());
    assert!(!place.output(&["nonsense"]).status.success());
    assert!(!place.data_dir().exists(), "help touches nothing");
}

/// What `demo` prints, by label.
struct Demo {
    server: Server,
    password: String,
    key: Option<String>,
    magic: String,
}

fn demo(place: &Place, more: &[&str]) -> Demo {
    let mut args = vec!["demo", "--data-dir", "demo", "--listen", "127.0.0.1:0"];
    args.extend(more);
    let mut server = Server::spawn(place.command(&args));
    server.line("Stop with Ctrl-C");
    let printed = server.printed();
    let after = |label: &str| {
        let line = printed
            .lines()
            .find(|line| line.trim_start().starts_with(label));
        let line = line.unwrap_or_else(|| panic!("no {label}: {printed}"));
        line.trim_start()[label.len()..].trim().to_owned()
    };
    let url = after("Dashboard");
    let address = url["http://".len()..]
        .split('/')
        .next()
        .expect("an address");
    server.address = address.parse().expect("an address");
    let password = after("Password");
    let key = after("API key")
        .split(' ')
        .next()
        .filter(|text| text.starts_with("hsp_"))
        .map(str::to_owned);
    let magic = printed
        .lines()
        .find(|line| line.contains("/auth/magic?token="))
        .expect("a link");
    let magic = magic.trim().to_owned();
    if let Some(key) = &key {
        // The line works as it stands.
        let line = printed
            .lines()
            .find(|line| line.starts_with("curl "))
            .expect("a curl line");
        let mut shell = std::process::Command::new("bash");
        shell.args(["-euo", "pipefail"]);
        let answer = pipe(shell, line);
        assert!(
            answer.contains("Acme Corporation") && line.contains(key.as_str()),
            "{answer}"
        );
    }
    Demo {
        server,
        password,
        key,
        magic,
    }
}

/// How many organizations a demo's database has, once it has tables.
fn organizations(folder: &std::path::Path) -> Option<i64> {
    block_on(async {
        let options = SqliteConnectOptions::new().filename(folder.join("headshot.db"));
        let mut connection = options.read_only(true).connect().await.ok()?;
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM organizations");
        let count = count.fetch_one(&mut connection).await.ok();
        connection.close().await.ok();
        count
    })
}

#[test]
fn the_demo_needs_a_folder_of_its_own() {
    let place = Place::new();
    let folder = place.folder().join("demo");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("precious.txt"), "mine").expect("a file");
    let args = ["demo", "--data-dir", "demo", "--listen", "127.0.0.1:0"];
    let told = place.failure(&args);
    assert!(told.contains("holds something that is no demo"), "{told}");
    let kept = std::fs::read_to_string(folder.join("precious.txt"));
    assert_eq!(kept.expect("kept"), "mine");
}

#[test]
fn the_demo_is_the_same_each_time() {
    let place = Place::new();
    let organization = |demo: &Demo, key: &str| {
        get("/api/v2/organization")
            .bearer(key)
            .send(&demo.server)
            .text()
    };
    // Stopped on the way, the first run leaves nothing behind.
    let folder = place.folder().join("demo");
    let args = ["demo", "--data-dir", "demo", "--listen", "127.0.0.1:0"];
    let stopped = Server::spawn(place.command(&args));
    eventually("an organization", || {
        organizations(&folder).filter(|count| *count == 1)
    });
    stopped.kill();
    assert!(!folder.join("demo.json").exists());

    let first = demo(&place, &[]);
    assert_eq!(organizations(&folder), Some(1));
    assert!(!folder.join("demo.unfinished").exists());
    let key = first.key.clone().expect("a key the first time");
    let shown = organization(&first, &key);
    for team in ["Marketing", "Engineering", "Sales"] {
        assert!(shown.contains(team), "{shown}");
    }
    let mut browser = crate::support::Browser::new(&first.server);
    let answer = browser.sign_in("owner@acme.example", &first.password);
    assert_eq!(
        answer.header("location"),
        Some("/app/admin/overview"),
        "{}",
        answer.text()
    );
    let password = first.password.clone();
    first.server.stop();

    let second = demo(&place, &[]);
    assert_eq!(second.key, None, "only the first time");
    assert_eq!(second.password, password);
    assert_eq!(organization(&second, &key), shown);
    // The link signs in, once, after a click.
    let mut browser = crate::support::Browser::new(&second.server);
    let path = crate::support::browser::path_of(&second.magic);
    let token = path.split_once("token=").expect("a token").1.to_owned();
    let answer = browser.submit(&path, "/auth/magic", &[("token", &token)]);
    assert_eq!(
        answer.header("location"),
        Some("/app/admin/overview"),
        "{}",
        answer.text()
    );
    assert_eq!(browser.get(&path).status, 404, "once");
    second.server.stop();

    let third = demo(&place, &["--new-key"]);
    let other = third.key.clone().expect("another key");
    assert_ne!(other, key);
    assert_eq!(organization(&third, &other), shown);
    assert_eq!(organization(&third, &key), shown, "the old one still works");
}
