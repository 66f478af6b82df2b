//! The dashboard through its forms, as a browser without script sends them.

use crate::support::browser::{between, hidden};
use crate::support::database::texts;
use crate::support::{Answer, Browser, Org, Place, Server, eventually, get};

const PASSWORD: &str = "correct horse battery";
const OWNER: &str = "owner@acme.example";
const LIST: &str = "/app/admin/api";
const ORGANIZATION: &str = "/api/v2/organization";

struct Served {
    place: Place,
    org: Org,
    server: Server,
}

fn served() -> Served {
    let place = Place::new().with("HEADSHOT_TRUSTED_PROXIES", "127.0.0.0/8");
    let org = place.org("standard");
    let server = place.serve();
    Served { place, org, server }
}

impl Served {
    /// A browser in which the owner has set the first password.
    fn owner(&self) -> Browser {
        let mut browser = Browser::new(&self.server);
        let answer = browser.set_up(&self.org.setup_url, PASSWORD);
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert_eq!(answer.header("location"), Some("/app/admin/overview"));
        browser
    }
}

fn generate(browser: &mut Browser, more: &[(&str, &str)]) -> Answer {
    let page = browser.get(LIST).text();
    let (csrf, nonce) = (hidden(&page, "csrf"), hidden(&page, "nonce"));
    let mut fields = vec![("csrf", csrf.as_str()), ("nonce", nonce.as_str())];
    fields.extend(more);
    browser.post("/app/admin/api/keys", &fields)
}

fn secret(page: &Answer) -> String {
    let html = page.text();
    let (_, rest) = html.split_once("id=\"secret-value\"").expect("a key");
    between(rest, ">", "</textarea>").expect("a key")
}

/// The whole story of a key, from the owner's first password to the receipt.
#[test]
fn an_owner_generates_uses_and_deletes_a_key() {
    let served = served();
    let mut browser = served.owner();
    assert_eq!(browser.get("/app/admin/overview").status, 200);
    assert!(browser.get(LIST).text().contains("No API keys"));

    let made = generate(&mut browser, &[("kind", "full")]);
    assert_eq!(made.status, 200);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let key = secret(&made);
    let answer = get(ORGANIZATION)
        .bearer(&key)
        .header("User-Agent", "payroll/1.0")
        .send(&served.server);
    assert_eq!(answer.status, 200);

    eventually("the call is in the log", || {
        browser
            .get("/app/admin/api/logs")
            .text()
            .contains("/api/v2/organization")
            .then_some(())
    });
    let list = browser.get(LIST).text();
    assert!(!list.contains(&key[8..46]), "shown once");
    assert!(
        list.contains(&key[..8]) && list.contains(&key[46..]),
        "the hint is shown"
    );
    let delete = between(&list, "href=\"/app/admin/api/keys/", "\"").expect("a link");
    let delete = format!("/app/admin/api/keys/{delete}");
    // The key's use is stored a moment after the call.
    eventually("what stops working is told", || {
        let confirm = browser.get(&delete).text();
        confirm
            .contains("these calls fail from now on")
            .then_some(())
    });
    let receipt = browser.submit(&delete, &delete, &[]);
    assert_eq!(receipt.status, 200);
    let html = receipt.text();
    assert!(html.contains("No process accepts this key since"), "{html}");
    assert!(html.contains("1 confirmed"), "{html}");
    assert_eq!(
        get(ORGANIZATION).bearer(&key).send(&served.server).status,
        401
    );
    eventually("the attempt is called out by the key's name", || {
        let page = browser.get("/app/admin/api/logs").text();
        (page.contains("was tried 1 time since from 1 address")).then_some(())
    });
    // A row leads to its request, and that back to the same filters.
    let filters = "status=4xx&path=organization";
    let list = browser
        .get(&format!("/app/admin/api/logs?{filters}"))
        .text();
    let row = between(&list, "href=\"/app/admin/api/logs/", "\"").expect("a row");
    let detail = browser.get(&format!("/app/admin/api/logs/{row}"));
    assert_eq!(detail.status, 200);
    let detail = detail.text();
    let (before, _) = detail.split_once(">Back to the log").expect("a link");
    let (_, link) = before.rsplit_once("href=\"").expect("a link");
    assert_eq!(
        link.replace("&#38;", "&"),
        format!("/app/admin/api/logs?{filters}\"")
    );
    // Again: it says so, and nothing happens.
    let again = browser.post(&delete, &[("csrf", &hidden(&html, "csrf"))]);
    assert_eq!(again.status, 404);
    assert!(again.text().contains("This key was deleted before"));
    let audit = browser.get("/app/admin/audit").text();
    for action in [
        "generated an API key",
        "deleted an API key",
        "got the receipt",
        "signed in",
        "<bdi>Command line</bdi>",
    ] {
        assert!(audit.contains(action), "{action}: {audit}");
    }
}

#[test]
fn a_restricted_key_holds_what_was_chosen() {
    let served = served();
    let mut browser = served.owner();
    let chosen = [
        ("kind", "restricted"),
        ("name", "Payroll <script>"),
        ("scope.organization", "read"),
        ("scope.teams", "write"),
        ("expires_in", "30"),
        ("networks", "127.0.0.0/8\n10.0.0.0/8"),
    ];
    let made = generate(&mut browser, &chosen);
    assert_eq!(made.status, 200, "{}", made.text());
    let key = secret(&made);
    let status = |path: &str| get(path).bearer(&key).send(&served.server).status;
    assert_eq!(status(ORGANIZATION), 200);
    assert_eq!(status("/api/v2/organization/teams"), 200);
    assert_eq!(status("/api/v2/organization/invites"), 403);
    let elsewhere = get(ORGANIZATION)
        .bearer(&key)
        .header("X-Forwarded-For", "192.0.2.1");
    assert_eq!(elsewhere.send(&served.server).status, 403);
    let list = browser.get(LIST).text();
    assert!(
        !list.contains("<script>Pay") && !list.contains("Payroll <script>"),
        "escaped"
    );
    for wrong in [
        vec![("kind", "restricted")],
        vec![
            ("kind", "restricted"),
            ("scope.teams", "read"),
            ("networks", "nonsense"),
        ],
        vec![
            ("kind", "restricted"),
            ("scope.teams", "read"),
            ("expires_in", "date"),
            ("expires_on", "2001-01-01"),
        ],
        vec![
            ("kind", "restricted"),
            ("scope.teams", "read"),
            ("expires_in", "99999"),
        ],
        vec![("kind", "restricted"), ("scope.teams", "all")],
        vec![
            ("kind", "restricted"),
            ("scope.teams", "read"),
            ("name", "a\u{0}b"),
        ],
    ] {
        let refused = generate(&mut browser, &wrong);
        assert_eq!(refused.status, 400, "{wrong:?}");
        assert!(refused.text().starts_with("<!doctype html>"), "{wrong:?}");
    }
    let count = served
        .place
        .json(&["key", "list", "--org", &served.org.uid, "--json"]);
    assert_eq!(count["keys"].as_array().map(Vec::len), Some(1));
}

/// A password that was given ten minutes ago is asked for again, and the form goes on from there.
/// The moment is put back in the database: the server's clock is the machine's.
#[test]
fn an_old_sign_in_is_asked_for_the_password() {
    let served = served();
    let mut browser = served.owner();
    let grow_old = || {
        let sql = "UPDATE sessions SET authenticated_at = authenticated_at - 600000 RETURNING id";
        assert_eq!(texts(&served.place.database(), sql).len(), 1);
    };
    grow_old();
    let asked = generate(
        &mut browser,
        &[("kind", "restricted"), ("scope.teams", "read")],
    );
    assert_eq!(asked.status, 403);
    let html = asked.text();
    assert!(html.contains("Confirm that it is you"), "{html}");
    assert!(html.contains("to generate an API key"), "{html}");
    let repeat = |html: &str, password: &str| {
        let names = ["csrf", "nonce", "kind", "scope.teams"];
        let mut fields: Vec<_> = names.map(|name| (name, hidden(html, name))).into();
        fields.push(("password", password.to_owned()));
        fields
    };
    let mut send = |path: &str, fields: &[(&str, String)]| {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        browser.post(path, &fields)
    };
    let keys = "/app/admin/api/keys";
    let refused = send(keys, &repeat(&html, "a wrong guess"));
    assert_eq!(refused.status, 403);
    let made = send(keys, &repeat(&refused.text(), PASSWORD));
    assert_eq!(made.status, 200, "{}", made.text());
    let key = secret(&made);
    let teams = get("/api/v2/organization/teams").bearer(&key);
    assert_eq!(teams.send(&served.server).status, 200);
    assert_eq!(
        get(ORGANIZATION).bearer(&key).send(&served.server).status,
        403,
        "what was chosen was kept"
    );
    // A deletion asks as well, and a password lately given is enough for both.
    let list = browser.get(LIST).text();
    let delete = between(&list, "href=\"/app/admin/api/keys/", "\"").expect("a link");
    let delete = format!("/app/admin/api/keys/{delete}");
    grow_old();
    let asked = browser.submit(&delete, &delete, &[]);
    assert_eq!(asked.status, 403);
    assert!(asked.text().contains("name=\"password\""));
    assert_eq!(teams.send(&served.server).status, 200, "still alive");
    let receipt = browser.submit(&delete, &delete, &[("password", PASSWORD)]);
    assert_eq!(receipt.status, 200, "{}", receipt.text());
    assert_eq!(teams.send(&served.server).status, 401);
}

/// The same form sent twice makes one key.
#[test]
fn a_form_that_is_sent_twice() {
    let served = served();
    let mut browser = served.owner();
    let page = browser.get(LIST).text();
    let (csrf, nonce) = (hidden(&page, "csrf"), hidden(&page, "nonce"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("nonce", nonce.as_str()),
        ("kind", "full"),
    ];
    assert_eq!(browser.post("/app/admin/api/keys", &fields).status, 200);
    let again = browser.post("/app/admin/api/keys", &fields);
    assert!(
        again.status >= 400 && !again.text().contains("secret-value"),
        "{}",
        again.text()
    );
    assert_eq!(
        browser.get("/app/admin/api/keys").status,
        303,
        "a reload goes to the list"
    );
    let list = served
        .place
        .json(&["key", "list", "--org", &served.org.uid, "--json"]);
    assert_eq!(list["keys"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_set_up_link_works_once() {
    let served = served();
    served.owner();
    let mut other = Browser::new(&served.server);
    let path = crate::support::browser::path_of(&served.org.setup_url);
    let gone = other.get(&path);
    assert_eq!(gone.status, 404);
    let login = other.get("/auth/login").text();
    let token = path.split_once("token=").expect("a token").1;
    let csrf = hidden(&login, "csrf");
    let fields = [
        ("csrf", csrf.as_str()),
        ("token", token),
        ("password", "another password"),
    ];
    assert_eq!(other.post("/auth/setup", &fields).status, 404);
    assert_eq!(other.sign_in(OWNER, "another password").status, 401);
    assert_eq!(other.sign_in(OWNER, PASSWORD).status, 303);
    // A reset link ends every session.
    let reset = served
        .place
        .json(&["user", "reset-password", OWNER, "--json"]);
    let url = reset["resetUrl"].as_str().expect("a link").to_owned();
    let mut third = Browser::new(&served.server);
    assert_eq!(third.set_up(&url, "third password").status, 303);
    assert_eq!(other.get(LIST).status, 303, "signed out");
    assert_eq!(
        Browser::new(&served.server).sign_in(OWNER, PASSWORD).status,
        401
    );
}

#[test]
fn passwords_that_can_not_be_taken() {
    let served = served();
    let mut browser = Browser::new(&served.server);
    let long = "x".repeat(201);
    for wrong in ["", "short", OWNER, &long] {
        let refused = browser.set_up(&served.org.setup_url, wrong);
        assert_eq!(refused.status, 400, "{wrong}");
    }
    assert_eq!(browser.set_up(&served.org.setup_url, PASSWORD).status, 303);
}

/// Ten failures, then no more tries: for strangers, not for the browser that has signed in before.
#[test]
fn sign_in_is_throttled_and_the_owner_is_not_locked_out() {
    let served = served();
    let mut owner = served.owner();
    owner.submit(LIST, "/auth/logout", &[]);
    assert_eq!(owner.get(LIST).status, 303);
    let stranger = |address: &str| {
        let mut browser = Browser::new(&served.server);
        browser
            .headers
            .push(("X-Forwarded-For".to_owned(), address.to_owned()));
        browser
    };
    let mut guessing = stranger("192.0.2.1");
    for _ in 0..10 {
        assert_eq!(guessing.sign_in(OWNER, "a wrong guess").status, 401);
    }
    let refused = guessing.sign_in(OWNER, PASSWORD);
    assert_eq!(refused.status, 429, "even with the right one");
    assert!(
        refused.text().contains("Too many tries"),
        "{}",
        refused.text()
    );
    let elsewhere = stranger("198.51.100.7").sign_in("OWNER@ACME.example ", PASSWORD);
    assert_eq!(
        elsewhere.status, 429,
        "from any address, however it is written"
    );
    assert_eq!(
        owner.sign_in(OWNER, PASSWORD).status,
        303,
        "the owner's browser is known"
    );
    // A forged device cookie is none.
    let mut forging = stranger("192.0.2.9");
    let device = owner.cookies["headshot_device"].clone();
    let forged = format!("x{}", &device[1..]);
    forging.cookies.insert("headshot_device".to_owned(), forged);
    assert_eq!(forging.sign_in(OWNER, PASSWORD).status, 429);
}

/// Machines with data folders of their own that share the cookie secret know each other's browsers.
#[test]
fn a_device_is_known_to_every_machine_with_the_same_cookie_secret() {
    let database = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", database.path().join("db").display());
    let machine = |secret: &str| {
        Place::new()
            .with("HEADSHOT_DATABASE_URL", &url)
            .with("HEADSHOT_COOKIE_SECRET", &secret.repeat(32))
    };
    let (first, second, other) = (machine("a"), machine("a"), machine("b"));
    let setup_url = first.org("standard").setup_url;
    let server = first.serve();
    let mut owner = Browser::new(&server);
    assert_eq!(owner.set_up(&setup_url, PASSWORD).status, 303);
    let device = owner.cookies["headshot_device"].clone();
    let mut stranger = Browser::new(&server);
    for _ in 0..10 {
        assert_eq!(stranger.sign_in(OWNER, "a wrong guess").status, 401);
    }
    let sign_in = |place: &Place| {
        let server = place.serve();
        let mut browser = Browser::new(&server);
        let cookie = ("headshot_device".to_owned(), device.clone());
        browser.cookies.extend([cookie]);
        browser.sign_in(OWNER, PASSWORD).status
    };
    assert_eq!(sign_in(&other), 429, "a stranger's browser there");
    assert_eq!(sign_in(&second), 303);
    let shown = second.run(&["config", "check"]);
    assert!(shown.contains("cookie_secret        (set)"), "{shown}");
    assert!(!shown.contains("aaaa"), "{shown}");
    assert!(!second.data_dir().join("secrets/cookie").exists());
}

#[test]
fn unknown_addresses_are_answered_like_known_ones() {
    let served = served();
    served.owner();
    let shown = |email: &str| {
        let mut browser = Browser::new(&served.server);
        let answer = browser.sign_in(email, "a wrong guess");
        let csrf = hidden(&answer.text(), "csrf");
        (
            answer.status,
            answer
                .text()
                .replace(email, "[email]")
                .replace(&csrf, "[csrf]"),
        )
    };
    let known = shown(OWNER);
    assert_eq!(known.0, 401);
    assert_eq!(shown("nobody@acme.example"), known);
    // And they are throttled alike.
    for _ in 0..9 {
        shown("nobody@acme.example");
    }
    assert_eq!(shown("nobody@acme.example").0, 429);
    for odd in ["", "no address", "a@b@c", "\u{0}", &"x".repeat(10_000)] {
        assert_eq!(shown(odd).0, 401, "{odd:?}");
    }
}

/// Every form that changes something refuses a token that is missing, wrong or another browser's.
#[test]
fn forged_forms_are_refused() {
    let served = served();
    let mut owner = served.owner();
    let made = generate(&mut owner, &[("kind", "full")]);
    let key = secret(&made);
    let list = owner.get(LIST).text();
    let delete = between(&list, "href=\"/app/admin/api/keys/", "\"").expect("a link");
    let delete = format!("/app/admin/api/keys/{delete}");
    let foreign = hidden(
        &Browser::new(&served.server).get("/auth/login").text(),
        "csrf",
    );
    for path in [
        "/app/admin/api/keys",
        delete.as_str(),
        "/auth/logout",
        "/auth/organization",
        "/app/admin/settings/password",
        "/app/admin/settings/sessions/end-others",
        "/app/admin/settings/sessions/ses_1/end",
        "/app/admin/settings/organization/retention",
        "/app/admin/settings/organization/mails",
        "/app/admin/settings/studio/looks",
        "/app/admin/settings/studio/assets/0123/delete",
        "/app/admin/webhooks/url",
        "/app/admin/webhooks/rotate",
        "/app/admin/webhooks/remove",
        "/app/admin/webhooks/test",
        "/app/admin/webhooks/replay-failed",
        "/app/admin/webhooks/evt_1/replay",
        "/app/admin/invites",
        "/app/admin/invites/inv_1/remind",
        "/app/admin/invites/inv_1/revoke",
        "/app/admin/jobs/job_1/retry",
        "/team-member/account/password",
        "/team-member/account/sessions/end-others",
        "/team-member/account/sessions/ses_1/end",
    ] {
        for csrf in [None, Some(""), Some("nonsense"), Some(foreign.as_str())] {
            let fields: Vec<(&str, &str)> = csrf.iter().map(|csrf| ("csrf", *csrf)).collect();
            let refused = owner.clone().post(path, &fields);
            assert_eq!(refused.status, 403, "{path} {csrf:?}");
            assert!(refused.text().starts_with("<!doctype html>"));
        }
        // The right token, sent by another site.
        let mut from_elsewhere = owner.clone();
        from_elsewhere
            .headers
            .push(("Sec-Fetch-Site".to_owned(), "cross-site".to_owned()));
        let csrf = hidden(&list, "csrf");
        assert_eq!(
            from_elsewhere.post(path, &[("csrf", &csrf)]).status,
            403,
            "{path}"
        );
        // Nobody: to the sign-in page.
        let nobody = Browser::new(&served.server).post(path, &[("csrf", &csrf)]);
        assert_eq!(
            nobody.header("location"),
            Some("/auth/login?next=/"),
            "{path}"
        );
    }
    for path in ["/auth/login", "/auth/setup", "/auth/magic"] {
        let mut browser = Browser::new(&served.server);
        browser.get("/auth/login");
        assert_eq!(
            browser.post(path, &[("csrf", "nonsense")]).status,
            403,
            "{path}"
        );
        assert_eq!(
            Browser::new(&served.server).post(path, &[]).status,
            403,
            "{path}"
        );
    }
    assert_eq!(owner.get(LIST).status, 200, "still signed in");
    assert_eq!(
        get(ORGANIZATION).bearer(&key).send(&served.server).status,
        200,
        "still alive"
    );
}

/// A person of two organizations sees either, as the role there allows.
#[test]
fn a_person_switches_between_organizations() {
    let place = Place::new();
    let args = ["demo", "--data-dir", "data", "--listen", "127.0.0.1:0"];
    let mut server = Server::spawn(place.command(&args));
    let dashboard = server.line("Dashboard");
    let (_, address) = dashboard.split_once("http://").expect("an address");
    let address = address.split('/').next().expect("an address");
    server.address = address.parse().expect("an address");
    server.line("Stop with Ctrl-C");
    let amara = "amara@acme.example";
    let found = |name: &str, owner: &str| {
        let args = [
            "org",
            "create",
            "--json",
            "--name",
            name,
            "--owner-email",
            owner,
        ];
        let made = place.json(&args);
        made["organization"]["uid"]
            .as_str()
            .expect("uid")
            .to_owned()
    };
    let reset = place.json(&["user", "reset-password", amara, "--json"]);
    let reset = reset["resetUrl"].as_str().expect("a link").to_owned();
    let mut browser = Browser::new(&server);
    let member = "/team-member";
    assert_eq!(
        browser.set_up(&reset, PASSWORD).header("location"),
        Some(member)
    );
    let alone = browser.get(member).text();
    assert!(!alone.contains("Your organizations"), "{alone}");

    let own = found("Amara & Sons", amara);
    let foreign = found("Globex", OWNER);
    let page = browser.get(member).text();
    assert!(page.contains("Amara &#38; Sons"), "{page}");
    assert!(!page.contains("Globex"), "{page}");
    let switch = "/auth/organization";
    let refused = browser.submit(member, switch, &[("organization", &foreign)]);
    assert_eq!(refused.status, 404);
    let refused = browser.submit(member, switch, &[("organization", "")]);
    assert_eq!(refused.status, 404);
    let acme = between(&page, "name=\"organization\" value=\"", "\" aria-current").expect("one");
    let own_button = format!("value=\"{own}\"><bdi>");
    assert!(page.contains(&own_button), "not the current one: {page}");

    let switched = browser.submit(member, switch, &[("organization", &own)]);
    assert_eq!(
        switched.header("location"),
        Some("/"),
        "{}",
        switched.text()
    );
    let overview = "/app/admin/overview";
    assert_eq!(browser.get("/").header("location"), Some(overview));
    let page = browser.get(overview).text();
    assert!(page.contains("Acme Corporation"), "the way back: {page}");
    let audit = browser.get("/app/admin/audit").text();
    assert!(audit.contains("switched to this organization"), "{audit}");
    browser.submit(overview, switch, &[("organization", &acme)]);
    assert_eq!(browser.get("/").header("location"), Some(member));
    assert_eq!(browser.get(overview).status, 403);
}

/// A member has no dashboard, but sessions and a password like anybody.
#[test]
fn a_member_sees_and_ends_sessions_and_changes_the_password() {
    let served = served();
    let member = "mei@acme.example";
    let made = served
        .place
        .run(&["user", "role", member, "member", "--org", &served.org.uid]);
    assert!(made.contains(member), "{made}");
    let reset = served
        .place
        .json(&["user", "reset-password", member, "--json"]);
    let reset = reset["resetUrl"].as_str().expect("a link").to_owned();
    let mut browser = Browser::new(&served.server);
    assert_eq!(browser.set_up(&reset, PASSWORD).status, 303);
    let account = "/team-member/account";
    assert!(browser.get("/team-member").text().contains(account));
    let mut second = Browser::new(&served.server);
    assert_eq!(second.sign_in(member, PASSWORD).status, 303);
    let page = browser.get(account).text();
    assert!(
        page.contains("this browser") && page.contains(member),
        "{page}"
    );
    let one = between(&page, "action=\"/team-member/account/sessions/", "/end\"").expect("another");
    let end = format!("/team-member/account/sessions/{one}/end");
    assert_eq!(
        browser.submit(account, &end, &[]).header("location"),
        Some(account)
    );
    assert_eq!(
        [second.get(account).status, browser.get(account).status],
        [303, 200]
    );

    let mut third = Browser::new(&served.server);
    assert_eq!(third.sign_in(member, PASSWORD).status, 303);
    let change = "/team-member/account/password";
    let wrong = [
        ("current_password", "not it"),
        ("new_password", "another password"),
    ];
    let refused = browser.submit(account, change, &wrong);
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("The password is not right."));
    let right = [
        ("current_password", PASSWORD),
        ("new_password", "another password"),
    ];
    let changed = browser.submit(account, change, &right);
    assert_eq!(changed.status, 200);
    assert!(changed.text().contains("Your password is changed"));
    assert_eq!(third.get(account).status, 303);
    // The dashboard stays closed, and who has it finds all this there.
    assert_eq!(browser.get("/app/admin/settings/security").status, 403);
    let security = Some("/app/admin/settings/security");
    assert_eq!(served.owner().get(account).header("location"), security);
}

#[test]
fn other_browsers_can_be_signed_out() {
    let served = served();
    let mut owner = served.owner();
    let sign_in = || {
        let mut browser = Browser::new(&served.server);
        assert_eq!(browser.sign_in(OWNER, PASSWORD).status, 303);
        browser
    };
    let (mut second, mut third) = (sign_in(), sign_in());
    let settings = "/app/admin/settings/security";
    let page = owner.get(settings).text();
    let one = between(&page, "action=\"/app/admin/settings/sessions/", "/end\"").expect("another");
    let end = format!("/app/admin/settings/sessions/{one}/end");
    assert_eq!(owner.submit(settings, &end, &[]).status, 303);
    let left = [second.get(LIST).status, third.get(LIST).status];
    assert!(left == [200, 303] || left == [303, 200], "{left:?}");
    let all = "/app/admin/settings/sessions/end-others";
    assert_eq!(owner.submit(settings, all, &[]).status, 303);
    assert_eq!(
        [second.get(LIST).status, third.get(LIST).status],
        [303, 303]
    );
    assert_eq!(owner.get(LIST).status, 200);
    // A new password does the same.
    let mut fourth = sign_in();
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", "another password"),
    ];
    let changed = owner.submit(settings, "/app/admin/settings/password", &fields);
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(fourth.get(LIST).status, 303);
    assert_eq!(owner.get(LIST).status, 200);
}

/// Cookies and headers of the pages.
#[test]
fn pages_are_guarded() {
    let place = Place::new().with("HEADSHOT_PUBLIC_URL", "https://headshots.acme.example");
    let org = place.org("standard");
    let server = place.serve();
    let mut browser = Browser::new(&server);
    let answer = browser.set_up(&org.setup_url, PASSWORD);
    let cookies: Vec<&str> = answer
        .headers
        .iter()
        .filter(|(name, value)| name == "set-cookie" && !value.contains("Max-Age=0"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    for cookie in cookies {
        assert!(cookie.starts_with("__Host-headshot_"), "{cookie}");
        for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
    }
    for path in [
        "/auth/login",
        LIST,
        "/api",
        "/api/reference",
        "/nothing",
        "/api/authentication",
    ] {
        let page = browser.get(path);
        let policy = page
            .header("content-security-policy")
            .expect("a policy")
            .to_owned();
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(
            policy.contains("default-src 'none'") || policy.contains("default-src 'self'"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert!(
            !page.text().contains("<style") && !page.text().contains(" style="),
            "{path}"
        );
        assert!(!page.text().contains("onclick="), "{path}");
    }
    assert_eq!(browser.get(LIST).header("cache-control"), Some("no-store"));
}

/// The published page lets a Team Owner *or Admin* generate keys.
#[test]
fn an_admin_generates_a_key_until_the_role_is_taken() {
    let Served { place, org, server } = served();
    let amara = "amara@acme.example";
    let role = |role| place.json(&["user", "role", amara, role, "--org", &org.uid, "--json"]);
    let made = role("admin");
    assert_eq!(made["role"], "admin");
    let setup_url = made["setupUrl"].as_str().unwrap();
    let mut browser = Browser::new(&server);
    let answer = browser.set_up(setup_url, PASSWORD);
    assert_eq!(answer.header("location"), Some("/app/admin/overview"));
    let key = secret(&generate(&mut browser, &[("kind", "full")]));
    assert_eq!(get(ORGANIZATION).bearer(&key).send(&server).status, 200);
    let audit = browser.get("/app/admin/audit").text();
    assert!(audit.contains("gave the role admin to"), "{audit}");

    let again = role("admin");
    assert!(again["setupUrl"].is_null(), "{again}");
    let team = "/api/v2/organization/team";
    let listed = || get(team).bearer(&key).send(&server).json()["pagination"]["total"].clone();
    assert_eq!(
        listed(),
        0,
        "an admin without a session is no listed member"
    );
    role("member");
    assert_eq!(listed(), 1);
    assert_eq!(browser.get(LIST).status, 403);
    assert_eq!(get(ORGANIZATION).bearer(&key).send(&server).status, 200);

    let refused = |email, role| place.failure(&["user", "role", email, role, "--org", &org.uid]);
    assert!(refused(OWNER, "member").contains("the organization's owner"));
    assert!(refused(amara, "owner").contains("invalid value"));
    let nowhere = place.failure(&["user", "role", amara, "admin", "--org", "org_none"]);
    assert!(
        nowhere.contains("there is no organization org_none"),
        "{nowhere}"
    );
}
