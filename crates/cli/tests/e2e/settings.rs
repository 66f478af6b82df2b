//! Admin > Settings > Organization and Studio through their forms, as a browser without script sends
//! them, up to the headshots that are made in the chosen looks.

use headshot_imaging::encode::encode;
use headshot_imaging::raster::Rgb8;
use headshot_imaging::{OutputFormat, Recipe};
use serde_json::json;

use crate::support::browser::{between, hidden};
use crate::support::database::{number, run, texts};
use crate::support::{Answer, Browser, Connection, Key, Org, Place, Server, eventually, get, post};

const PASSWORD: &str = "correct horse battery";
const ORGANIZATION: &str = "/app/admin/settings/organization";
const RETENTION: &str = "/app/admin/settings/organization/retention";
const MAILS: &str = "/app/admin/settings/organization/mails";
const STUDIO: &str = "/app/admin/settings/studio";
const LOOKS: &str = "/app/admin/settings/studio/looks";
const IMAGES: &str = "/app/admin/settings/studio/images/uploads";
const LOGO: &str = "/app/admin/settings/studio/logo/uploads";
const ASSETS: &str = "/app/admin/settings/studio/assets/";

struct Served {
    place: Place,
    org: Org,
    server: Server,
}

fn served() -> Served {
    let place = Place::new().with("HEADSHOT_PHOTOS_PER_SHOOT", "3");
    let made = created(&place, "Acme Corporation", "owner@acme.example");
    let server = place.serve();
    Served {
        place,
        org: made,
        server,
    }
}

fn created(place: &Place, name: &str, owner: &str) -> Org {
    let made = place.json(&[
        "org",
        "create",
        "--name",
        name,
        "--owner-email",
        owner,
        "--plan",
        "unlimited",
        "--whitelabel",
        "--json",
    ]);
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    Org {
        uid: text(&made["organization"]["uid"]),
        setup_url: text(&made["owner"]["setupUrl"]),
    }
}

impl Served {
    fn admin(&self, org: &Org) -> Browser {
        let mut browser = Browser::new(&self.server);
        let answer = browser.set_up(&org.setup_url, PASSWORD);
        assert_eq!(answer.status, 303, "{}", answer.text());
        browser
    }

    fn owner(&self) -> Browser {
        self.admin(&self.org)
    }

    fn days(&self) -> u64 {
        let days = "SELECT erase_after_days FROM organizations";
        number(&self.place.database(), days)
    }

    /// How often something is in the audit log.
    fn audited(&self, action: &str) -> u64 {
        let sql = format!("SELECT COUNT(*) FROM audit_entries WHERE action = '{action}'");
        number(&self.place.database(), &sql)
    }
}

const BOUNDARY: &str = "----settings";

fn form(csrf: &str, file: Option<(&str, &[u8])>) -> Vec<u8> {
    let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=");
    let mut body = format!("{part}\"csrf\"\r\n\r\n{csrf}\r\n").into_bytes();
    if let Some((name, bytes)) = file {
        let head =
            format!("{part}\"file\"; filename=\"{name}\"\r\nContent-Type: image/any\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn send(browser: &mut Browser, path: &str, body: Vec<u8>) -> Answer {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    browser.send(post(path).header("Content-Type", kind).body(body))
}

fn upload(browser: &mut Browser, path: &str, file: (&str, &[u8])) -> Answer {
    let csrf = hidden(&browser.get(STUDIO).text(), "csrf");
    send(browser, path, form(&csrf, Some(file)))
}

fn picture(format: OutputFormat, (width, height): (usize, usize), colour: [u8; 3]) -> Vec<u8> {
    let pixels = Rgb8::filled(width, height, colour);
    encode(&pixels, format, 90, "").expect("a picture")
}

fn image(shade: u8) -> Vec<u8> {
    picture(OutputFormat::Jpeg, (1024, 1280), [shade, 40, 40])
}

/// The digests of what the page can remove, in order.
fn digests(page: &str) -> Vec<String> {
    let start = format!("action=\"{ASSETS}");
    let links = page.split(&start).skip(1);
    let digest = |rest: &str| rest.split('/').next().expect("a digest").to_owned();
    links.map(digest).collect()
}

/// What is ticked of a list.
fn ticked(page: &str, field: &str) -> Vec<String> {
    let start = format!("name=\"{field}\" value=\"");
    let inputs = page.split(&start).skip(1);
    let chosen = inputs.filter_map(|rest| rest.split_once("\" checked").map(|(name, _)| name));
    let whole = chosen.filter(|name| !name.contains('"'));
    whole.map(str::to_owned).collect()
}

#[test]
fn finished_shoots_are_kept_as_long_as_the_owner_says() {
    let served = served();
    let mut owner = served.owner();
    let page = owner.get(ORGANIZATION);
    assert_eq!(page.status, 200);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let html = page.text();
    assert!(
        html.contains("name=\"days\"") && html.contains("value=\"0\""),
        "{html}"
    );
    assert!(html.contains("undone"), "{html}");
    assert!(
        html.contains(&format!("<a href=\"{STUDIO}\">Studio</a>")),
        "{html}"
    );

    for wrong in ["", "-1", "36501", "7.5", "a week", "99999999999999999999"] {
        let answer = owner.submit(ORGANIZATION, RETENTION, &[("days", wrong)]);
        assert_eq!(answer.status, 400, "{wrong:?}");
        let html = answer.text();
        assert!(
            html.contains("Use 1 to 36,500 days, or 0 for never."),
            "{html}"
        );
        assert!(
            html.contains(&format!("value=\"{wrong}\"")),
            "it is still there: {html}"
        );
    }
    let key = "hsp_7Qm2XbT9eLwK4sVnR8cYdH3fZaJ6uGpN5tMxBqCvEoW0000000";
    let answer = owner.submit(ORGANIZATION, RETENTION, &[("days", key)]);
    assert!(!answer.text().contains("hsp_"), "a key is not repeated");

    // Shorter than for ever: a question first, and nothing happens until it is answered.
    let question = owner.submit(ORGANIZATION, RETENTION, &[("days", "36500")]);
    assert_eq!(question.status, 200);
    let html = question.text();
    assert!(
        html.contains("Delete finished shoots after 36,500 days?"),
        "{html}"
    );
    assert!(html.contains("No shoot is that old now."), "{html}");
    assert_eq!(served.days(), 0);
    let other = [("days", "36500"), ("confirmed", "30")];
    owner.submit(ORGANIZATION, RETENTION, &other);
    assert_eq!(served.days(), 0, "another number was confirmed");
    let sure = [("days", "36500"), ("confirmed", "36500")];
    let saved = owner.submit(ORGANIZATION, RETENTION, &sure);
    assert!(
        saved
            .text()
            .contains("Finished shoots are deleted after 36,500 days.")
    );
    assert_eq!(served.days(), 36_500);
    let html = owner.get(ORGANIZATION).text();
    assert!(html.contains("value=\"36500\""), "{html}");
    // For longer: at once.
    let longer = owner.submit(ORGANIZATION, RETENTION, &[("days", "0")]);
    assert!(longer.text().contains("kept until somebody deletes them"));
    assert_eq!(served.days(), 0);
    assert_eq!(served.audited("organization.retention_changed"), 2);
    let reloaded = owner.get(RETENTION);
    assert_eq!(reloaded.header("location"), Some(ORGANIZATION));
}

#[test]
fn the_mail_about_few_credits_is_a_switch() {
    let served = served();
    let mut owner = served.owner();
    let on = |page: &str| page.contains("name=\"low_credits\" value=\"on\" checked");
    assert!(on(&owner.get(ORGANIZATION).text()), "it is on");
    let off = owner.submit(ORGANIZATION, MAILS, &[]);
    assert_eq!(off.status, 200);
    assert!(off.text().contains("Nobody is mailed"));
    assert!(!on(&owner.get(ORGANIZATION).text()));
    owner.submit(ORGANIZATION, MAILS, &[("low_credits", "on")]);
    assert!(on(&owner.get(ORGANIZATION).text()));
    assert_eq!(served.audited("organization.low_credit_mail_changed"), 2);
}

#[test]
fn looks_are_chosen_and_wrong_ones_refused() {
    let served = served();
    let mut owner = served.owner();
    let page = owner.get(STUDIO).text();
    assert_eq!(ticked(&page, "backdrop").len(), 8, "{page}");
    assert_eq!(ticked(&page, "crop"), ["headshot", "close", "half"]);
    let fields = [
        ("backdrop", "navy"),
        ("backdrop", "teal"),
        ("colours", "#1a2b3c\r\n#E4572E #1A2B3C"),
        ("style", "mono"),
        ("crop", "square"),
    ];
    let saved = owner.submit(STUDIO, LOOKS, &fields);
    assert_eq!(saved.status, 200);
    assert!(saved.text().contains("The looks are saved."));
    let page = owner.get(STUDIO).text();
    assert_eq!(ticked(&page, "backdrop"), ["navy", "teal"]);
    assert_eq!(ticked(&page, "style"), ["mono"]);
    assert_eq!(ticked(&page, "crop"), ["square"]);
    assert!(page.contains("#1A2B3C\n#E4572E</textarea>"), "{page}");

    let colours = |count: usize| {
        let one = |number: usize| format!("#{number:06X}\n");
        (0..count).map(one).collect::<String>()
    };
    for (colours, status) in [
        ("#12345".to_owned(), 400),
        ("#1234567".to_owned(), 400),
        ("#12345G".to_owned(), 400),
        ("navy".to_owned(), 400),
        (colours(33), 400),
        (colours(32), 200),
    ] {
        let answer = owner.submit(STUDIO, LOOKS, &[("colours", &colours)]);
        assert_eq!(answer.status, status, "{colours}");
    }
    for wrong in [
        ("backdrop", "neon"),
        ("backdrop", "image:ab"),
        ("style", "neon"),
        ("crop", "neon"),
    ] {
        let answer = owner.submit(STUDIO, LOOKS, &[wrong]);
        assert_eq!(answer.status, 400, "{wrong:?}");
        assert!(answer.text().contains("not there any more"));
    }
    owner.submit(STUDIO, LOOKS, &[]);
    let page = owner.get(STUDIO).text();
    assert_eq!(ticked(&page, "backdrop").len(), 8, "nothing is the usual");
    assert_eq!(served.audited("organization.looks_changed"), 3);
}

#[test]
fn images_and_a_logo_are_uploaded_used_and_removed() {
    let served = served();
    let mut owner = served.owner();
    let answer = upload(&mut owner, IMAGES, ("lobby.jpg", &image(200)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("<bdi>lobby.jpg</bdi>"));
    let logo = picture(OutputFormat::Png, (400, 100), [0, 255, 0]);
    let answer = upload(&mut owner, LOGO, ("logo.png", &logo));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page = owner.get(STUDIO).text();
    let all = digests(&page);
    let [wall, drawn] = all.as_slice() else {
        panic!("two of them: {page}");
    };
    for (digest, kind) in [(wall, "image/jpeg"), (drawn, "image/png")] {
        let shown = owner.get(&format!("{ASSETS}{digest}"));
        assert_eq!(shown.status, 200);
        assert_eq!(shown.header("content-type"), Some(kind));
        assert_eq!(shown.header("x-content-type-options"), Some("nosniff"));
        let cached = shown.header("cache-control").expect("a header");
        assert!(cached.starts_with("private,"), "{cached}");
    }
    assert_eq!(owner.get(&format!("{ASSETS}{drawn}")).body, logo);
    let again = upload(&mut owner, IMAGES, ("again.jpg", &image(200)));
    assert_eq!(again.status, 400);
    assert!(again.text().contains("This image is here already."));

    let own = format!("image:{wall}");
    let fields = [
        ("backdrop", own.as_str()),
        ("has_logo", "yes"),
        ("logo", "on"),
    ];
    owner.submit(STUDIO, LOOKS, &fields);
    let page = owner.get(STUDIO).text();
    assert_eq!(ticked(&page, "backdrop"), std::slice::from_ref(&own));
    assert_eq!(ticked(&page, "logo"), ["on"]);
    // The command line knows the image, keeps the logo, and says what there is.
    let uid = &served.org.uid;
    let args = [
        "org",
        "looks",
        "--org",
        uid,
        "--backdrop",
        &own,
        "--crop",
        "square",
    ];
    let printed = served.place.run(&args);
    assert!(
        printed.contains("1 backdrops, 5 styles, 1 crops"),
        "{printed}"
    );
    let said = served
        .place
        .failure(&["org", "looks", "--org", uid, "--backdrop", "image:ab"]);
    assert!(said.contains(&own), "{said}");

    let photo = headshot(&served, &served.place.key(&served.org, &[]));
    let recipe = Recipe::from_photo(&photo).expect("a recipe");
    assert_eq!(recipe.look.backdrop.name(), own);
    assert_eq!(recipe.look.logo.as_ref(), Some(drawn));

    for digest in [wall, drawn] {
        let delete = format!("{ASSETS}{digest}/delete");
        let removed = owner.submit(STUDIO, &delete, &[]);
        assert_eq!(removed.status, 200, "{}", removed.text());
        assert_eq!(owner.get(&format!("{ASSETS}{digest}")).status, 404);
        assert_eq!(owner.submit(STUDIO, &delete, &[]).status, 404);
    }
    let page = owner.get(STUDIO).text();
    assert_eq!(ticked(&page, "backdrop").len(), 8, "the usual again");
    assert_eq!(digests(&page), [""; 0]);
    assert_eq!(
        [
            served.audited("brand.added"),
            served.audited("brand.removed")
        ],
        [2, 2]
    );
}

/// The first headshot of a test session.
fn headshot(served: &Served, key: &Key) -> Vec<u8> {
    let call = |path: &str, body: serde_json::Value| {
        let request = post(path).bearer(&key.key);
        let request = request.header("Content-Type", "application/json");
        let answer = request.body(body.to_string()).send(&served.server);
        assert!(answer.status < 300, "{}", answer.text());
        answer.json()
    };
    let body = json!({ "email": "jane@acme.example", "isDevelopment": true });
    let made = call("/api/v2/organization/models", body);
    let link = made["signedUrl"].as_str().expect("a link");
    let path = crate::support::browser::path_of(link);
    let mut person = Browser::new(&served.server);
    let entered = person.get(&path);
    let page = entered.header("location").expect("a place").to_owned();
    let version = hidden(&person.get(&page).text(), "version");
    let fields = [
        ("version", version.as_str()),
        ("name", "Jane Doe"),
        ("agree", "yes"),
    ];
    person.submit(&page, &format!("{page}/consent"), &fields);
    person.submit(&page, &format!("{page}/submit"), &[]);
    let html = eventually("the headshots", || {
        let html = person.get(&page).text();
        html.contains("<h1>Your headshots</h1>").then_some(html)
    });
    let link = between(&html, "<p class=\"downloads\"><a href=\"", "\"").expect("a link");
    let file = get(&link).send(&served.server);
    assert_eq!(file.status, 200);
    file.body
}

#[test]
fn uploads_have_limits() {
    let served = served();
    let mut owner = served.owner();
    for (path, most, said) in [
        (IMAGES, 20 << 20, "This file is larger than 20 MB."),
        (LOGO, 1 << 20, "This file is larger than 1 MB."),
    ] {
        let exact = upload(&mut owner, path, ("a.png", &vec![0; most]));
        assert_eq!(exact.status, 400);
        assert!(!exact.text().contains(said), "{}", exact.text());
        assert!(exact.text().contains("This file is not a"), "it was read");
        let large = upload(&mut owner, path, ("a.png", &vec![0; most + 1]));
        assert_eq!(large.status, 400);
        assert!(large.text().contains(said), "{}", large.text());
    }
    for (width, height, status) in [(1023, 1280, 400), (1024, 1279, 400), (1024, 1280, 200)] {
        let file = picture(OutputFormat::Png, (width, height), [9, 9, 9]);
        let answer = upload(&mut owner, IMAGES, ("wall.png", &file));
        assert_eq!(answer.status, status, "{width} x {height}");
    }
    for number in 1..8 {
        let answer = upload(&mut owner, IMAGES, ("wall.jpg", &image(number * 20)));
        assert_eq!(answer.status, 200, "{number}");
    }
    let more = upload(&mut owner, IMAGES, ("wall.jpg", &image(200)));
    assert_eq!(more.status, 400);
    let page = more.text();
    assert!(page.contains("There are 8 images already."), "{page}");
    assert_eq!(digests(&page).len(), 8);
    // Another logo takes the place of the first.
    for shade in [1, 2] {
        let file = picture(OutputFormat::Png, (40, 20), [shade; 3]);
        assert_eq!(upload(&mut owner, LOGO, ("logo.png", &file)).status, 200);
    }
    let kept = "SELECT COUNT(*) FROM brand_assets WHERE kind = 'logo'";
    assert_eq!(number(&served.place.database(), kept), 1);

    let csrf = hidden(&owner.get(STUDIO).text(), "csrf");
    let none = send(&mut owner, LOGO, form(&csrf, Some(("", b""))));
    assert_eq!(none.status, 400);
    assert!(none.text().contains("Choose a file."));
    let none = send(&mut owner, LOGO, form(&csrf, None));
    assert_eq!(none.status, 400);
    let mut cut = form(&csrf, Some(("logo.png", &image(1))));
    cut.truncate(cut.len() / 2);
    let cut = send(&mut owner, IMAGES, cut);
    assert_eq!(cut.status, 400);
    assert!(
        cut.text().contains("It did not arrive whole."),
        "{}",
        cut.text()
    );
}

/// An admin whose image stops in the middle holds up nobody but that admin.
#[test]
fn an_image_that_does_not_arrive_holds_up_nobody_else() {
    let served = served();
    let mut owner = served.owner();
    let csrf = hidden(&owner.get(STUDIO).text(), "csrf");
    let whole = form(&csrf, Some(("lobby.jpg", &image(1))));
    let cookies: Vec<String> = owner
        .cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let head = format!(
        "POST {IMAGES} HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\nContent-Type: \
         multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        cookies.join("; "),
        whole.len()
    );
    let stuck = (0..8).map(|_| {
        let mut connection = Connection::open(served.server.address).expect("open");
        connection.write(head.as_bytes()).expect("written");
        assert_eq!(connection.answer(true).expect("asked for").status, 100);
        let start = &whole[..whole.len() - 1_000];
        connection.write(start).expect("written");
        connection
    });
    let waiting: Vec<Connection> = stuck.collect();
    let globex = created(&served.place, "Globex", "owner@globex.example");
    let mut other = served.admin(&globex);
    let answer = upload(&mut other, IMAGES, ("lobby.jpg", &image(2)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    drop(waiting);
}

#[test]
fn nobody_else_changes_or_sees_them() {
    let served = served();
    let mut owner = served.owner();
    let page = upload(&mut owner, IMAGES, ("lobby.jpg", &image(1))).text();
    let wall = digests(&page).remove(0);
    let (shown, delete) = (format!("{ASSETS}{wall}"), format!("{ASSETS}{wall}/delete"));

    let globex = created(&served.place, "Globex", "owner@globex.example");
    let mut foreign = served.admin(&globex);
    assert_eq!(foreign.get(&shown).status, 404);
    assert_eq!(foreign.submit(STUDIO, &delete, &[]).status, 404);
    let own = format!("image:{wall}");
    let answer = foreign.submit(STUDIO, LOOKS, &[("backdrop", &own)]);
    assert_eq!(answer.status, 400);

    // A form of somebody else's session is none of ours.
    let csrf = hidden(&foreign.get(STUDIO).text(), "csrf");
    for body in [
        form(&csrf, Some(("a.jpg", &image(2)))),
        form("", None),
        Vec::new(),
    ] {
        assert_eq!(send(&mut owner, IMAGES, body).status, 403);
    }
    let long = form(&"a".repeat(100_000), None);
    assert_eq!(send(&mut owner, IMAGES, long).status, 403);
    for path in [RETENTION, MAILS, LOOKS, &delete] {
        let fields = [("csrf", csrf.as_str()), ("days", "0")];
        assert_eq!(owner.post(path, &fields).status, 403, "{path}");
    }

    let mut stranger = Browser::new(&served.server);
    for path in [ORGANIZATION, STUDIO, &shown] {
        assert_eq!(stranger.get(path).status, 303, "{path}");
    }
    // The owner becomes a member: all of it is closed.
    let csrf = hidden(&owner.get(STUDIO).text(), "csrf");
    let uid = &served.org.uid;
    let demote = format!("UPDATE memberships SET role = 'member' WHERE org_id = '{uid}'");
    run(&served.place.database(), &demote);
    for path in [ORGANIZATION, STUDIO, &shown] {
        assert_eq!(owner.get(path).status, 403, "{path}");
    }
    for path in [RETENTION, MAILS, LOOKS, &delete] {
        let fields = [("csrf", csrf.as_str()), ("days", "0")];
        assert_eq!(owner.post(path, &fields).status, 403, "{path}");
    }
    let body = form(&csrf, Some(("a.jpg", &image(2))));
    assert_eq!(send(&mut owner, IMAGES, body).status, 403);
    let stored = texts(&served.place.database(), "SELECT digest FROM brand_assets");
    assert_eq!(stored, [wall]);
}
