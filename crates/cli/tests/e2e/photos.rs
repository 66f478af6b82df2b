//! Photos by their signed URLs, against the running server; deletion that a kill interrupts.

use std::net::TcpListener;
use std::time::Duration;

use headshot_app::photos::{Signer, URL_LIFE, path};
use headshot_domain::{Clock as _, Liked, PhotoStatus, SystemClock, Timestamp, Variant};
use headshot_storage::photos::Photo;

use crate::support::database::{number, run, texts};
use crate::support::http::head;
use crate::support::{Place, Server, eventually, get};

const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const MODEL: &str = "507f1f77bcf86cd799439011";
const PHOTO: &str = "507f1f77bcf86cd799439022";
const PICTURE: &[u8] = b"0123456789";

/// An installation with one finished shoot of one photo.
struct Gallery {
    place: Place,
    org: String,
}

impl Gallery {
    fn new() -> Self {
        let place = Place::new().with("HEADSHOT_PHOTO_SECRET", SECRET);
        let org = place.org("standard").uid;
        let gallery = Self { place, org };
        gallery.rows();
        for file in ["", "_thumb", "_original"] {
            gallery.store(&format!("{PHOTO}{file}.jpg"));
        }
        gallery
    }

    fn rows(&self) {
        let org = &self.org;
        run(
            &self.place.database(),
            &format!(
                "INSERT INTO models (id, org_id, user_id, uid, email, title, status, development, version, reserved, \
                 charged, created_at, finished_at) VALUES ('{MODEL}', '{org}', 'u', 'anon_1', 'jane@acme.example', \
                 'Sofía', 'active', 0, 'lora', 0, 100, 1, 1); \
                 INSERT INTO tallies (org_id, name, n) VALUES ('{org}', 'models.active.', 1); \
                 INSERT INTO photos (id, org_id, model_id, place, status, liked, format, recipe, created_at) \
                 VALUES ('{PHOTO}', '{org}', '{MODEL}', 0, 'active', 'none', 'jpg', '', 1)"
            ),
        );
    }

    fn store(&self, file: &str) {
        let folder = self.place.data_dir().join("objects").join(&self.org);
        let folder = folder.join(MODEL).join("photos");
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        std::fs::write(folder.join(file), PICTURE).expect("the file can be written");
    }

    fn path(&self, variant: Variant, download: bool, asked_at: Timestamp) -> String {
        let photo = Photo {
            id: PHOTO.into(),
            org: self.org.as_str().into(),
            model: MODEL.into(),
            place: 0,
            status: PhotoStatus::Active,
            liked: Liked::None,
            format: "jpg".into(),
            recipe: String::new(),
            created_at: asked_at,
            deleted_at: None,
        };
        let signer = Signer::parse(SECRET).expect("a secret");
        path(&signer, &photo, (variant, download), asked_at).expect("a known format")
    }

    fn main(&self) -> String {
        self.path(Variant::Main, false, SystemClock::new().now())
    }
}

#[test]
fn a_signed_url_opens_its_photo_for_a_day() {
    let gallery = Gallery::new();
    let server = gallery.place.serve();
    let now = SystemClock::new().now();
    for variant in Variant::ALL {
        let answer = get(&gallery.path(*variant, false, now)).send(&server);
        assert_eq!((answer.status, answer.body.as_slice()), (200, PICTURE));
        assert_eq!(answer.header("content-type"), Some("image/jpeg"));
        assert_eq!(answer.header("content-length"), Some("10"));
        assert_eq!(answer.header("content-disposition"), Some("inline"));
        assert_eq!(answer.header("accept-ranges"), Some("bytes"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let policy = answer.header("cross-origin-resource-policy");
        assert_eq!(policy, Some("cross-origin"));
        let cache = answer.header("cache-control").expect("a header");
        let age = cache.strip_prefix("private, max-age=").expect("private");
        let age = age.strip_suffix(", immutable").expect("immutable");
        let age: u64 = age.parse().expect("seconds");
        assert!((86_000..=86_400).contains(&age), "{cache}");
    }
    // An hour of its life is left.
    let asked_at = now.minus(Duration::from_hours(23));
    let answer = get(&gallery.path(Variant::Main, false, asked_at)).send(&server);
    let cache = answer.header("cache-control").expect("a header");
    assert!(cache.starts_with("private, max-age=3"), "{cache}");
    let answer = get(&gallery.path(Variant::Main, true, now)).send(&server);
    assert_eq!(
        answer.header("content-disposition"),
        Some("attachment; filename=\"Sof_a 1.jpg\"; filename*=UTF-8''Sof%C3%ADa%201.jpg")
    );
}

#[test]
fn what_is_not_signed_opens_nothing_and_tells_nothing() {
    let gallery = Gallery::new();
    let server = gallery.place.serve();
    let good = gallery.main();
    let (address, signature) = good.rsplit_once("&signature=").expect("a signature");
    let (name, _) = address.split_once('?').expect("a query");
    let longer = good.replace("expires=", "expires=9");
    let download = good.replace("&signature", "&download=1&signature");
    let other = good.replace(PHOTO, "507f1f77bcf86cd799439023");
    let thumbnail = good.replace(".jpg", "_thumb.jpg");
    let unsigned = format!("{address}&signature={}", "A".repeat(43));
    let twice = format!("{good}&signature={signature}");
    let outside = good.replace(PHOTO, "..%2f..%2fheadshot.db");
    let mut bodies = Vec::new();
    for wrong in [
        name, address, &longer, &download, &other, &thumbnail, &unsigned, &twice, &outside,
    ] {
        let answer = get(wrong).send(&server);
        assert_eq!(answer.status, 403, "{wrong}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let id = answer.header("x-request-id").expect("an id").to_owned();
        bodies.push(answer.text().replace(&id, ""));
    }
    bodies.dedup();
    assert_eq!(
        bodies.len(),
        1,
        "a photo that is there looks like any other"
    );
    let day_ago = SystemClock::new().now().minus(URL_LIFE);
    let expired = get(&gallery.path(Variant::Main, false, day_ago)).send(&server);
    assert_eq!(expired.status, 403);
    assert!(expired.text().contains("This link has run out"));
    // Another secret on another machine.
    let mut elsewhere = gallery.place.command(&["serve"]);
    elsewhere.env("HEADSHOT_PHOTO_SECRET", SECRET.replace("00", "01"));
    assert_eq!(get(&good).send(&Server::start(elsewhere)).status, 403);
}

#[test]
fn a_part_of_a_photo_can_be_asked_for() {
    let gallery = Gallery::new();
    let server = gallery.place.serve();
    let path = gallery.main();
    let range = |text: &str| get(&path).header("Range", text);
    for (text, place, expected) in [
        ("bytes=0-3", "bytes 0-3/10", "0123"),
        ("bytes=8-99", "bytes 8-9/10", "89"),
        ("bytes=-1", "bytes 9-9/10", "9"),
    ] {
        let answer = range(text).send(&server);
        assert_eq!(answer.status, 206, "{text}");
        assert_eq!(answer.header("content-range"), Some(place));
        assert_eq!(answer.text(), expected);
    }
    let beyond = range("bytes=10-").send(&server);
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), Some("bytes */10"));
    assert_eq!(range("bytes=0-1,3-4").send(&server).body, PICTURE);
    let whole = head(&path).send(&server);
    assert_eq!((whole.status, whole.body.len()), (200, 0));
    assert_eq!(whole.header("content-length"), Some("10"));
    // A range is a matter of GET alone.
    let headed = head(&path).header("Range", "bytes=0-3").send(&server);
    assert_eq!(headed.status, 200);
    assert_eq!(headed.header("content-length"), Some("10"));
    let tag = whole.header("etag").expect("a tag").to_owned();
    let part = range("bytes=0-3").header("If-Range", &tag).send(&server);
    assert_eq!(part.status, 206);
    let other = range("bytes=0-3").header("If-Range", "\"other\"");
    assert_eq!(other.send(&server).status, 200);
    for known in [tag.clone(), format!("\"a\", W/{tag}"), "*".to_owned()] {
        let answer = get(&path).header("If-None-Match", known).send(&server);
        assert_eq!((answer.status, answer.body.len()), (304, 0));
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
    }
    let changed = get(&path)
        .header("If-None-Match", "\"other\"")
        .send(&server);
    assert_eq!((changed.status, changed.body.as_slice()), (200, PICTURE));
}

#[test]
fn a_deleted_photo_is_gone_although_its_url_has_not_run_out() {
    let gallery = Gallery::new();
    let server = gallery.place.serve();
    let path = gallery.main();
    assert_eq!(get(&path).send(&server).status, 200);
    run(
        &gallery.place.database(),
        "UPDATE photos SET status = 'deleted', deleted_at = 2",
    );
    assert_eq!(get(&path).send(&server).status, 404);
    assert_eq!(head(&path).send(&server).status, 404);
}

/// The store hangs, so that the kill comes between the commit and the objects.
#[test]
fn a_kill_between_rows_and_objects_leaves_nothing_behind() {
    let gallery = Gallery::new();
    let place = &gallery.place;
    place.run(&["org", "retention", "--org", &gallery.org, "--days", "1"]);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let silent = silent.local_addr().map(|address| (silent, address));
    let (_keeps_open, address) = silent.expect("a bound socket");
    let mut command = place.command(&["serve"]);
    command
        .env("HEADSHOT_STORAGE_URL", "s3://headshots/hangs")
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    let server = Server::start(command);
    let gone = "SELECT COUNT(*) FROM models WHERE status = 'deleted'";
    eventually("the rows are deleted", || {
        (number(&place.database(), gone) == 1).then_some(())
    });
    server.kill();
    let stored = place
        .data_dir()
        .join("objects")
        .join(&gallery.org)
        .join(MODEL);
    assert!(stored.exists());
    let server = place.serve();
    eventually("the objects are deleted", || {
        (!stored.exists()).then_some(())
    });
    server.stop();
    let found = place.json(&["doctor", "--json"]);
    assert_eq!(found["healthy"], true, "{found}");
}

#[test]
fn the_doctor_says_what_does_not_fit() {
    let gallery = Gallery::new();
    let place = &gallery.place;
    let found = place.json(&["doctor", "--json"]);
    assert_eq!(found["healthy"], true, "{found}");
    run(
        &place.database(),
        "UPDATE tallies SET n = 5 WHERE name = 'credits'",
    );
    let output = place.output(&["doctor"]);
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("says 5, but there are 10000"), "{told}");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        errors,
        "error: not everything fits together: ledger and counts\n"
    );
    place.run(&["doctor", "--repair"]);
    place.run(&["doctor"]);
}

fn names_in(folder: &str) -> std::collections::BTreeSet<std::ffi::OsString> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").file_name())
        .collect()
}

#[test]
fn a_backup_is_restored_elsewhere() {
    let gallery = Gallery::new();
    let server = gallery.place.serve();
    let backup = gallery.place.folder().join("backup");
    let backup = backup.to_str().expect("UTF-8");
    let org = gallery.place.org("standard");
    let key = gallery.place.key(&org, &[]);
    gallery.place.run(&["backup", backup]);
    gallery.place.run(&["key", "delete", &key.id]);
    assert!(
        gallery
            .place
            .failure(&["backup", backup])
            .ends_with("is not empty")
    );
    server.stop();
    let there = Place::new().with("HEADSHOT_PHOTO_SECRET", SECRET);
    let database = std::path::Path::new(backup).join("headshot.db");
    let before = (names_in(backup), std::fs::read(&database).expect("a copy"));
    // A key that was deleted since the backup is back, and whoever restores is told.
    let told = there.run(&["restore", backup]);
    assert!(told.contains("API keys are as they were at 2"), "{told}");
    assert!(told.contains("work again"), "{told}");
    // A backup can lie where nothing can be written.
    let after = (names_in(backup), std::fs::read(&database).expect("a copy"));
    assert!(before == after, "{:?} became {:?}", before.0, after.0);
    let sessions = "SELECT id FROM sessions UNION SELECT token_hash FROM one_time_links";
    assert_eq!(texts(&there.database(), sessions), [""; 0]);
    let newest = there.json(&["audit", "list", "--limit", "1", "--json"]);
    assert_eq!(newest["entries"][0]["action"], "server.restored");
    let found = there.json(&["doctor", "--json"]);
    assert_eq!(found["healthy"], true, "{found}");
    let server = there.serve();
    assert_eq!(get(&gallery.main()).send(&server).body, PICTURE);
    let again = get("/api/v2/organization").bearer(&key.key);
    assert_eq!(again.send(&server).status, 200);
    assert!(there.failure(&["restore", backup]).contains("already"));
    let secret = std::fs::read(gallery.place.data_dir().join("secrets/pepper"));
    let restored = std::fs::read(there.data_dir().join("secrets/pepper"));
    assert_eq!(restored.expect("a pepper"), secret.expect("a pepper"));
    let empty = gallery.place.folder().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let failure = Place::new().failure(&["restore", empty.to_str().expect("UTF-8")]);
    assert!(failure.contains("is no whole backup"), "{failure}");
}

/// The same through S3.
#[test]
fn photos_are_served_from_s3() {
    let s3 = headshot_testkit::s3();
    let gallery = Gallery::new();
    let backup = gallery.place.folder().join("backup");
    let backup = backup.to_str().expect("UTF-8");
    gallery.place.run(&["backup", backup]);
    let mut there = Place::new()
        .with("HEADSHOT_PHOTO_SECRET", SECRET)
        .with("HEADSHOT_STORAGE_URL", &s3.url);
    for (name, value) in &s3.variables {
        there = there.with(name, value);
    }
    there.run(&["restore", backup]);
    there.run(&["doctor"]);
    let server = there.serve();
    let path = gallery.main();
    assert_eq!(get(&path).send(&server).body, PICTURE);
    let part = get(&path).header("Range", "bytes=3-4").send(&server);
    assert_eq!((part.status, part.text().as_str()), (206, "34"));
    let whole = head(&path).send(&server);
    let tag = whole.header("etag").expect("a tag").to_owned();
    let known = get(&path).header("If-None-Match", tag).send(&server);
    assert_eq!(known.status, 304);
    let shown = there.run(&["config", "check"]);
    assert!(!shown.contains("S3RVER"), "{shown}");
}
