//! Things that go wrong around the server.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use headshot_app::verification::LEASE;
use headshot_testkit::Proxy;
use serde_json::Value;

use crate::support::{Connection, Place, Server, eventually, get, one_line, post, text};

const ORGANIZATION: &str = "/api/v2/organization";

#[test]
fn a_database_that_goes_away_and_comes_back() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let database = runtime.block_on(headshot_testkit::postgres());
    let proxy = runtime.block_on(Proxy::start(&database.url));
    let place = Place::new().with("HEADSHOT_DATABASE_URL", &proxy.url);
    let org = place.org("unlimited");
    let key = place.key(&org, &[]).key;
    let other = place.key(&org, &[]).key;
    let server = place.serve();
    let request = get(ORGANIZATION).bearer(&key);
    let mut connection = Connection::open(server.address).expect("open");
    let mut answered = 0;
    let mut call = || {
        answered += 1;
        connection.exchange(&request).expect("answered")
    };
    eventually("the server answers from memory", || {
        assert_eq!(call().status, 200);
        (server.metric("headshot_lease_held") == 1).then_some(())
    });

    assert_eq!(call().status, 200, "from the database, into memory");
    runtime.block_on(proxy.cut());
    let cut_at = Instant::now();
    assert_eq!(call().status, 200, "what is in memory is served");
    let failed = eventually("the lease ends", || {
        let begun = Instant::now();
        let answer = call();
        match answer.status {
            200 => {
                let since = begun.saturating_duration_since(cut_at);
                assert!(
                    since < LEASE,
                    "served {since:?} after the database had gone"
                );
                None
            }
            _ => Some(answer),
        }
    });
    insta::assert_snapshot!(failed.shown(), @r#"
    HTTP/1.1 500
    content-type: application/json
    x-ratelimit-limit: 300
    x-ratelimit-remaining: [left]
    x-ratelimit-reset: [masked]
    x-request-id: [masked]
    cache-control: no-store
    x-content-type-options: nosniff
    content-length: 73
    date: [masked]

    {"success":false,"error":"Internal server error","code":"INTERNAL_ERROR"}
    "#);
    // What needs no database is answered as ever.
    assert_eq!(get(ORGANIZATION).send(&server).status, 401);
    assert_eq!(get(ORGANIZATION).bearer("hsp_x").send(&server).status, 401);
    assert_eq!(get("/healthz").send(&server).status, 200);
    assert_eq!(get("/readyz").send(&server).status, 503);
    let unknown = get(ORGANIZATION).bearer(&other).send(&server);
    assert_eq!(
        (unknown.status, unknown.error_code().as_str()),
        (500, "INTERNAL_ERROR")
    );
    let revoke = post("/api/keys/revoke")
        .body(format!(r#"{{"key":"{other}"}}"#))
        .send(&server);
    assert_eq!(
        (revoke.status, revoke.error_code().as_str()),
        (500, "INTERNAL_ERROR")
    );
    let page = get("/app/admin/api")
        .header("Cookie", "headshot_session=x")
        .send(&server);
    assert_eq!(page.status, 503);
    let id = page.header("x-request-id").expect("an id").to_owned();
    let html = page.text();
    assert!(html.starts_with("<!doctype html>"));
    assert!(html.contains("The database does not answer"), "{html}");
    assert!(html.contains(&id), "{html}");
    assert!(!html.contains("postgres"), "why is the operator's: {html}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(page.header("content-security-policy").is_some());

    proxy.mend();
    eventually("it recovers", || (call().status == 200).then_some(()));
    eventually("it answers from memory again", || {
        assert_eq!(call().status, 200);
        (server.metric("headshot_lease_held") == 1).then_some(())
    });
    assert_eq!(get(ORGANIZATION).bearer(&other).send(&server).status, 200);
    // The API log waited: missing, malformed, unknown, revoke and the last one beside the calls.
    let all = answered + 5;
    eventually("the API log is complete", || {
        (server.metric("headshot_api_log_written_total") == all).then_some(())
    });
    let printed = server.stop();
    assert!(!printed.contains("panicked"), "{printed}");
}

#[test]
fn a_database_that_is_not_there() {
    let url = "postgres://somebody:s3cret@127.0.0.1:1/headshot";
    let place = Place::new().with("HEADSHOT_DATABASE_URL", url);
    for args in [
        &["migrate"][..],
        &["org", "list"],
        &["serve"],
        &["audit", "verify"],
    ] {
        let line = place.failure(args);
        assert!(line.contains("postgres://127.0.0.1:1/headshot"), "{line}");
        assert!(!line.contains("s3cret"), "{line}");
    }
}

/// Runs `script` where it may mount file systems, in the folder of `place`. `$0` is the binary.
fn mounting(place: &Place, script: &str) -> std::process::Output {
    in_a_mount(place, script).output().expect("sh runs")
}

fn in_a_mount(place: &Place, script: &str) -> Command {
    let flags = if mounts_as_root() { "-m" } else { "-rm" };
    let mut command = place.shell(&format!("exec unshare {flags} sh -ec \"$1\" \"$0\""));
    command.arg(script);
    command
}

fn mounts_as_root() -> bool {
    let tried = Command::new("unshare").args(["-m", "true"]).output();
    tried.is_ok_and(|output| output.status.success())
}

/// A command that sees the file systems that are mounted for `server` alone.
fn beside(place: &Place, server: &Server, args: &[&str]) -> std::process::Output {
    let flags = if mounts_as_root() {
        "-m"
    } else {
        "-U --preserve-credentials -m"
    };
    let id = server.id();
    let mut command = place.shell(&format!("exec nsenter {flags} -t {id} \"$0\" \"$@\""));
    command.args(args).output().expect("sh runs")
}

fn assert_names(place: &Place, output: &std::process::Output, words: &str) {
    let line = one_line(&["in a mount"], output);
    let path = place.data_dir().display().to_string();
    assert!(line.contains(&path), "{line} does not name {path}");
    assert!(line.contains(words), "{line}");
}

#[test]
fn a_read_only_data_folder() {
    let place = Place::new();
    let org = place.org("standard");
    let key = place.key(&org, &[]);
    for command in [
        format!("key create --org {}", org.uid),
        format!("key delete {}", key.id),
        format!("credits grant --org {} --amount 1", org.uid),
        "serve".to_owned(),
        "migrate".to_owned(),
    ] {
        let script =
            format!("mount --bind data data; mount -o remount,ro,bind data; exec \"$0\" {command}");
        assert_names(&place, &mounting(&place, &script), "read-only");
    }
    let fresh = Place::new();
    let script = "mkdir data; mount -t tmpfs -o ro none data; exec \"$0\" org list";
    assert_names(&fresh, &mounting(&fresh, script), "read-only");
    assert_eq!(
        get(ORGANIZATION)
            .bearer(&key.key)
            .send(&place.serve())
            .status,
        200
    );
}

#[test]
fn a_full_disk() {
    let place = Place::new();
    let fill = "mkdir data; mount -t tmpfs -o size=3m none data; \
                uid=$(\"$0\" org create --name A --owner-email a@a.example | sed -n 's/.*\\(org_[a-z0-9]*\\).*/\\1/p'); \
                dd if=/dev/zero of=data/filler bs=4k >/dev/null 2>&1 || true;";
    let made = mounting(&place, &format!("{fill} exec \"$0\" key create --org $uid"));
    assert_names(&place, &made, "full");
    let place = Place::new();
    let again = format!(
        "{fill} \"$0\" key create --org $uid 2>/dev/null && exit 1; rm data/filler; \
         \"$0\" key create --org $uid --json; \"$0\" audit verify --json"
    );
    let output = mounting(&place, &again);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("\"intact\": true"));
    let place = Place::new();
    let tiny = "mkdir data; mount -t tmpfs -o size=64k none data; exec \"$0\" migrate";
    assert_names(&place, &mounting(&place, tiny), "full");
}

/// A server whose disk fills up goes on answering, says so in its log, and writes what waited when
/// there is room again.
#[test]
fn a_disk_that_fills_up_under_a_server() {
    let place = Place::new();
    let org = place.org("unlimited");
    let key = place.key(&org, &[]).key;
    let script = "cp -a data copy; mount -t tmpfs -o size=4m none data; cp -a copy/. data; \
                  exec \"$0\" serve";
    let server = Server::start(in_a_mount(&place, script));
    // As this process sees the folder that is mounted for the server alone.
    let filler = Path::new("/proc").join(server.id()).join("cwd/data/filler");
    let mut fill = File::create(&filler).expect("there is room for a file");
    let refused = std::io::copy(&mut std::io::repeat(0), &mut fill).expect_err("a full disk");
    assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull);

    // What fits into the room that files have already is written; callers with other names need more.
    let mut sent = 0;
    eventually("the log names the path", || {
        for _ in 0..50 {
            sent += 1;
            let answer = get(ORGANIZATION)
                .bearer(&key)
                .header("User-Agent", format!("{sent:0500}"))
                .send(&server);
            assert_eq!(answer.status, 200);
        }
        server
            .printed()
            .contains("headshot.db is full")
            .then_some(())
    });

    drop(fill);
    fs::remove_file(filler).expect("the filler is there");
    let list = [
        "log", "list", "--org", &org.uid, "--limit", "10000", "--json",
    ];
    eventually("all that waited is written", || {
        let listed = beside(&place, &server, &list);
        let listed: Value = serde_json::from_slice(&listed.stdout).ok()?;
        let rows = listed["rows"].as_array()?;
        assert!(rows.iter().all(|row| row["status"] == 200));
        (rows.len() == sent).then_some(())
    });
    let made = beside(
        &place,
        &server,
        &["key", "create", "--org", &org.uid, "--json"],
    );
    assert!(made.status.success(), "{}", text(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let new = made["key"].as_str().expect("key");
    assert_eq!(get(ORGANIZATION).bearer(new).send(&server).status, 200);
    server.stop();
}

#[test]
fn a_port_in_use() {
    let place = Place::new();
    let server = place.serve();
    let address = server.address.to_string();
    let other = Place::new().with("HEADSHOT_LISTEN", &address);
    let line = other.failure(&["serve"]);
    assert!(
        line.starts_with(&format!("error: {address} can't be listened on")),
        "{line}"
    );
    let data = other.folder().join("demo").display().to_string();
    let line = other.failure(&["demo", "--listen", &address, "--data-dir", &data]);
    assert!(
        line.starts_with(&format!("error: {address} can't be listened on")),
        "{line}"
    );
}

/// One address can't take all connections; a proxy brings everybody's.
#[test]
fn an_address_holds_256_connections_at_most() {
    let place = Place::new();
    let server = place.serve();
    let health = get("/healthz");
    let open = |server: &Server| {
        let mut connection = Connection::open(server.address).expect("open");
        let answered = connection.exchange(&health).map(|answer| answer.status);
        (connection, answered.ok())
    };
    let mut held: Vec<_> = (0..256).map(|_| open(&server)).collect();
    assert!(held.iter().all(|(_, status)| *status == Some(200)));
    assert_eq!(open(&server).1, None, "closed");
    held.pop();
    eventually("a place is free again", || open(&server).1);
    eventually("the operator is told", || {
        server
            .printed()
            .contains("127.0.0.1 holds 256")
            .then_some(())
    });
    drop(held);
    server.stop();

    let place = place.with("HEADSHOT_TRUSTED_PROXIES", "127.0.0.1");
    let server = place.serve();
    let held: Vec<_> = (0..257).map(|_| open(&server)).collect();
    assert!(held.iter().all(|(_, status)| *status == Some(200)));
}

#[test]
fn configuration_mistakes_name_the_field() {
    for (variable, value, field) in [
        ("HEADSHOT_LISTEN", "everywhere", "listen: "),
        ("HEADSHOT_LISTEN", "127.0.0.1", "listen: "),
        ("HEADSHOT_PUBLIC_URL", "acme.example", "public_url: "),
        (
            "HEADSHOT_PUBLIC_URL",
            "https://acme.example/headshots",
            "public_url: ",
        ),
        ("HEADSHOT_COOKIE_SECRET", "short", "cookie_secret: "),
        ("HEADSHOT_PEPER", "abcd", "HEADSHOT_PEPER: "),
        ("HEADSHOT_DATABASE_URL", "mysql://x", "database_url: "),
        (
            "HEADSHOT_DATABASE_URL",
            "postgres://host:port/x",
            "database_url: ",
        ),
        (
            "HEADSHOT_TRUSTED_PROXIES",
            "10.0.0.0/33",
            "trusted_proxies: ",
        ),
        ("HEADSHOT_LOG_RETENTION_DAYS", "0", "log_retention_days: "),
        (
            "HEADSHOT_LOG_RETENTION_DAYS",
            "many",
            "HEADSHOT_LOG_RETENTION_DAYS: ",
        ),
        (
            "HEADSHOT_KEYS_IN_MEMORY_MAX",
            "-1",
            "HEADSHOT_KEYS_IN_MEMORY_MAX: ",
        ),
        ("HEADSHOT_LOG", "loud=very", "log: "),
        ("HEADSHOT_PEPPER", "short", "pepper: "),
        ("HEADSHOT_RETIRED_PEPPERS", "short", "retired_peppers: "),
    ] {
        let place = Place::new().with(variable, value);
        for args in [&["config", "check"][..], &["serve"]] {
            let line = place.failure(args);
            let after = line.strip_prefix("error: ").expect("an error");
            assert!(after.starts_with(field), "{variable}={value}: {line}");
        }
    }
    let place = Place::new();
    for (text, part) in [
        ("pubic_url = 'http://x'", "pubic_url"),
        ("listen = 8080", "listen"),
        ("listen = ", "headshot.toml"),
    ] {
        fs::write(place.folder().join("headshot.toml"), text).expect("written");
        let output = place.output(&["config", "check"]);
        assert!(!output.status.success());
        let line = text_of(&output);
        assert!(line.starts_with("error: ") && line.contains(part), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
    let line = place.failure(&["--config", "missing.toml", "config", "check"]);
    assert!(line.contains("missing.toml"), "{line}");
}

fn text_of(output: &std::process::Output) -> String {
    text(&output.stderr)
}

#[test]
fn files_that_are_not_ours() {
    let place = Place::new();
    fs::create_dir_all(place.data_dir()).expect("made");
    fs::write(place.database(), "This is no database. ".repeat(500)).expect("written");
    let line = place.failure(&["org", "list"]);
    assert!(
        line.contains(&place.database().display().to_string()),
        "{line}"
    );

    let place = Place::new();
    place.org("standard");
    let pepper = place.data_dir().join("secrets/pepper");
    fs::write(&pepper, "broken").expect("written");
    let line = place.failure(&["org", "list"]);
    assert!(line.contains("pepper"), "{line}");

    // A data folder that is a file.
    let place = Place::new();
    fs::write(place.data_dir(), "").expect("written");
    let line = place.failure(&["org", "list"]);
    assert!(
        line.contains(&place.data_dir().display().to_string()),
        "{line}"
    );
}

/// Made by a newer version.
#[test]
fn a_schema_from_the_future() {
    let place = Place::new();
    place.org("standard");
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
               VALUES (9999, 'future', 1, x'00', 0) RETURNING 'done'";
    crate::support::database::texts(&place.database(), sql);
    // Migrations only add: after an upgrade the previous binary goes on working.
    assert!(place.run(&["org", "list"]).contains("org_"));
}

/// The pepper was lost: keys are refused, the server says so, nothing breaks.
#[test]
fn a_lost_pepper() {
    let place = Place::new();
    let org = place.org("standard");
    let key = place.key(&org, &[]).key;
    fs::remove_file(place.data_dir().join("secrets/pepper")).expect("removed");
    let server = place.serve();
    assert_eq!(get(ORGANIZATION).bearer(&key).send(&server).status, 401);
    let printed = server.stop();
    assert!(
        printed.contains("1 live keys were made under a pepper"),
        "{printed}"
    );
}

/// Many first starts at once agree on one schema and one pepper.
#[test]
fn many_first_starts_at_once() {
    let place = Place::new();
    let outcomes = std::thread::scope(|scope| {
        let start = || place.output(&["org", "list"]);
        let threads = [(); 6].map(|()| scope.spawn(start));
        threads.map(|thread| thread.join().expect("ran"))
    });
    for output in outcomes {
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let org = place.org("standard");
    let key = place.key(&org, &[]).key;
    assert_eq!(
        get(ORGANIZATION).bearer(&key).send(&place.serve()).status,
        200
    );
}

/// Keys of before and after work on every server, also on those that run with the old pepper.
#[test]
fn a_rotated_pepper() {
    let place = Place::new();
    let org = place.org("standard");
    let key = place.key(&org, &[]);
    let rotate = ["secrets", "rotate-pepper"];
    let line = place.failure(&rotate);
    assert!(line.contains("secrets prepare-pepper"), "{line}");
    let prepared = place.run(&["secrets", "prepare-pepper"]);
    assert_eq!(place.run(&["secrets", "prepare-pepper"]), prepared, "one");
    // Started between the two steps: the old pepper is current there.
    let older = place.serve();
    let early = place.key(&org, &[]);
    place.run(&rotate);
    place.failure(&rotate);
    let newer = place.serve();
    let late = place.key(&org, &[]);
    for key in [&key, &early, &late] {
        for server in [&older, &newer] {
            assert_eq!(get(ORGANIZATION).bearer(&key.key).send(server).status, 200);
        }
    }
    for key in [&key, &early, &late] {
        place.run(&["key", "delete", &key.id]);
        for server in [&older, &newer] {
            assert_eq!(get(ORGANIZATION).bearer(&key.key).send(server).status, 401);
        }
    }
    // Stopped between making it current and removing the file: running it again ends it.
    let secrets = place.data_dir().join("secrets");
    fs::copy(secrets.join("pepper"), secrets.join("pepper.next")).expect("copied");
    let retired = fs::read_to_string(secrets.join("pepper.retired")).expect("read");
    place.run(&rotate);
    assert!(!secrets.join("pepper.next").exists());
    let after = fs::read_to_string(secrets.join("pepper.retired")).expect("read");
    assert_eq!(after, retired);
    assert!(LEASE < Duration::from_secs(1));
}
