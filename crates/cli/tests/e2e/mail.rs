//! Invites, the outbox and sign-in links, with and without a mail server.

use headshot_testkit::MailServer;
use serde_json::Value;

use crate::people;
use crate::support::browser::{between, path_of};
use crate::support::database::{number, texts};
use crate::support::{Answer, Browser, Org, Place, Server, eventually};

const PASSWORD: &str = "correct horse battery";
const INVITES: &str = "/app/admin/invites";
const OUTBOX: &str = "/app/admin/outbox";

struct Served {
    place: Place,
    org: Org,
    server: Server,
}

fn served(place: Place) -> Served {
    let place = place.with("HEADSHOT_TRUSTED_PROXIES", "127.0.0.0/8");
    let org = place.org("standard");
    let server = place.serve();
    Served { place, org, server }
}

fn mailing(mails: &MailServer) -> Served {
    let url = format!("smtp://127.0.0.1:{}", mails.ports[0]);
    served(Place::new().with("HEADSHOT_SMTP_URL", &url))
}

impl Served {
    fn owner(&self) -> Browser {
        let mut browser = Browser::new(&self.server);
        let answer = browser.set_up(&self.org.setup_url, PASSWORD);
        assert_eq!(answer.status, 303, "{}", answer.text());
        browser
    }

    fn ask_for_link(&self, email: &str) -> Answer {
        let mut browser = Browser::new(&self.server);
        browser.submit("/auth/login", "/auth/link", &[("email", email)])
    }
}

fn invite(browser: &mut Browser, email: &str) {
    let answer = browser.submit(INVITES, INVITES, &[("email", email)]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("is invited."));
}

/// The link of the first mail in the outbox.
fn newest_link(browser: &mut Browser) -> (String, String) {
    let list = browser.get(OUTBOX).text();
    let id = between(&list, "href=\"/app/admin/outbox/", "\"").expect("a mail");
    let page = browser.get(&format!("{OUTBOX}/{id}")).text();
    let (_, rest) = page.split_once("id=\"link\"").expect("a link");
    let link = between(rest, "<code>", "</code>").expect("a link");
    (id, link)
}

#[test]
fn without_a_mail_server_links_are_read_and_passed_on() {
    let served = served(Place::new());
    let mut owner = served.owner();
    invite(&mut owner, "jane@acme.example");
    let list = owner.get(INVITES).text();
    let (_, rest) = list.split_once("<code id=\"link-").expect("a link");
    let link = between(rest, ">", "</code>").expect("a link");
    let (_, kept) = newest_link(&mut owner);
    assert_eq!(link, kept);
    let mut jane = Browser::new(&served.server);
    assert_eq!(jane.get(&path_of(&link)).status, 200);

    // Mailing again waits a day, and says what really happens.
    let id = between(&list, "action=\"/app/admin/invites/", "/remind").expect("a form");
    let remind = format!("{INVITES}/{id}/remind");
    let early = owner.submit(INVITES, &remind, &[]);
    assert_eq!(early.status, 400);
    assert!(early.text().contains("not a day old"));
    let aged =
        format!("UPDATE mails SET created_at = created_at - 86400000 WHERE invite_id = '{id}'");
    crate::support::database::run(&served.place.database(), &aged);
    let again = owner.submit(INVITES, &remind, &[]);
    assert_eq!(again.status, 200);
    assert!(again.text().contains("the mail is in the outbox"));
    // Loading such an address again leads back, and changes nothing.
    let loaded = owner.get(&remind);
    assert_eq!(loaded.header("location"), Some(INVITES));
    let mails = "SELECT COUNT(*) FROM mails WHERE invite_id IS NOT NULL";
    assert_eq!(number(&served.place.database(), mails), 2);

    let login = Browser::new(&served.server).get("/auth/login").text();
    assert!(!login.contains("/auth/link"), "nothing can be mailed");
    let answer = served.ask_for_link("owner@acme.example");
    assert!(answer.text().contains("This server sends no mail."));
}

#[test]
fn what_became_of_a_mail_shows_at_the_invite() {
    let mails = MailServer::start();
    let served = mailing(&mails);
    let mut owner = served.owner();
    for (email, fate, words) in [
        ("jane@acme.example", "Sent", ""),
        ("refused@acme.example", "Refused", "no such user here"),
    ] {
        invite(&mut owner, email);
        eventually(fate, || {
            let list = owner.get(INVITES).text();
            let (_, row) = list.split_once(&format!("<bdi>{email}</bdi>"))?;
            let (row, _) = row.split_once("</tr>")?;
            (row.contains(fate) && row.contains(words)).then_some(())
        });
    }
    // What did not arrive is mailed again at once.
    let list = owner.get(INVITES).text();
    let id = between(&list, "action=\"/app/admin/invites/", "/remind").expect("a form");
    let again = owner.submit(INVITES, &format!("{INVITES}/{id}/remind"), &[]);
    assert_eq!(again.status, 200, "{}", again.text());
    assert!(
        again
            .text()
            .contains("is mailed to refused@acme.example again")
    );
}

#[test]
fn invites_and_mails_belong_to_their_organization_and_its_admins() {
    let served = served(Place::new());
    let mut owner = served.owner();
    invite(&mut owner, "jane@acme.example");
    let list = owner.get(INVITES).text();
    let invite_id = between(&list, "action=\"/app/admin/invites/", "/remind").expect("a form");
    let (mail, _) = newest_link(&mut owner);

    let args = [
        "org",
        "create",
        "--json",
        "--name",
        "Globex",
        "--owner-email",
        "boss@globex.example",
    ];
    let made = served.place.json(&args);
    let setup = made["owner"]["setupUrl"].as_str().expect("a link");
    let mut stranger = Browser::new(&served.server);
    assert_eq!(stranger.set_up(setup, PASSWORD).status, 303);
    assert_eq!(stranger.get(&format!("{OUTBOX}/{mail}")).status, 404);
    for action in ["remind", "revoke"] {
        let path = format!("{INVITES}/{invite_id}/{action}");
        assert_eq!(stranger.submit(INVITES, &path, &[]).status, 404, "{action}");
    }
    assert!(!stranger.get(OUTBOX).text().contains("jane@acme.example"));

    // A member of the organization is no admin of it.
    let demoted = "UPDATE memberships SET role = 'member' WHERE user_id = \
        (SELECT id FROM users WHERE email = 'owner@acme.example')";
    let csrf = crate::support::browser::hidden(&owner.get(INVITES).text(), "csrf");
    crate::support::database::run(&served.place.database(), demoted);
    for path in [
        INVITES.to_owned(),
        OUTBOX.to_owned(),
        format!("{OUTBOX}/{mail}"),
    ] {
        let answer = owner.get(&path);
        assert_eq!(answer.status, 403, "{path}");
        assert!(!answer.text().contains("jane@acme.example"), "{path}");
    }
    for action in ["remind", "revoke"] {
        let path = format!("{INVITES}/{invite_id}/{action}");
        let answer = owner.post(&path, &[("csrf", &csrf)]);
        assert_eq!(answer.status, 403, "{action}");
    }
    let open = "SELECT COUNT(*) FROM invites WHERE state = 'open'";
    assert_eq!(number(&served.place.database(), open), 1);
}

/// Five links for one account in a quarter of an hour; the answer tells nobody who has an account.
#[test]
fn sign_in_links_are_mailed_five_times_and_nobody_learns_who_is_here() {
    let mut mails = MailServer::start();
    let served = mailing(&mails);
    drop(served.owner());
    let unknown = served.ask_for_link("nobody@acme.example");
    let mut links = Vec::new();
    for _ in 0..5 {
        let known = served.ask_for_link("owner@acme.example");
        assert_eq!((known.status, unknown.status), (200, 200));
        let shown = |answer: &Answer| between(&answer.text(), "<main", "</main>");
        let without_token = |text: Option<String>| {
            let text = text.expect("a page");
            let csrf = crate::support::browser::hidden(&text, "csrf");
            text.replace(&csrf, "")
        };
        assert_eq!(without_token(shown(&known)), without_token(shown(&unknown)));
        links.push(sign_in_link(&mails.taken()));
    }
    // The sixth is answered alike, and makes no job.
    let sixth = served.ask_for_link("owner@acme.example");
    assert_eq!(sixth.status, 200);
    assert!(sixth.text().contains("a link is on its way"));
    let jobs = "SELECT COUNT(*) FROM jobs WHERE kind = 'mail.sign-in-link'";
    let made = "SELECT COUNT(*) FROM one_time_links WHERE purpose = 'sign-in'";
    eventually("no job is left", || {
        (number(&served.place.database(), jobs) == 0).then_some(())
    });
    assert_eq!(number(&served.place.database(), made), 5);
    let audit = "SELECT address FROM audit_entries WHERE action = 'link.sign-in'";
    assert_eq!(texts(&served.place.database(), audit).len(), 5);

    let mut browser = Browser::new(&served.server);
    let page = browser.get(&links[4]);
    assert!(page.text().contains("owner@acme.example"));
    let token = links[4].split("token=").nth(1).expect("a token").to_owned();
    let answer = browser.submit(&links[4], "/auth/magic", &[("token", &token)]);
    assert_eq!(answer.header("location"), Some("/app/admin/overview"));
    let again = browser.submit("/auth/login", "/auth/magic", &[("token", &token)]);
    assert_eq!(again.status, 404, "it works once");
}

fn sign_in_link(mail: &Value) -> String {
    link(mail, "/auth/magic?token=")
}

/// The path of a mail's link, which is the same in both of its parts.
fn link(mail: &Value, start: &str) -> String {
    let part = |kind: &str| mail["parts"][kind].as_str().expect("a text");
    let lines = &mut part("text/plain").lines();
    let link = lines.find(|line| line.contains(start)).expect("a link");
    let anchor = format!("href=\"{}\"", link.trim());
    assert!(part("text/html").contains(&anchor), "{mail}");
    path_of(link)
}

/// The next mail to somebody.
fn next_to(mails: &mut MailServer, email: &str) -> Value {
    loop {
        let mail = mails.taken();
        if mail["to"] == serde_json::json!([email]) {
            return mail;
        }
    }
}

/// Whoever has the letter sees the headshots, in any browser, until the session is deleted. A
/// partner's person gets none.
#[test]
fn the_letter_about_ready_headshots_opens_them_and_nothing_else() {
    let mut mails = MailServer::start();
    let url = format!("smtp://127.0.0.1:{}", mails.ports[0]);
    let served = people::served_with(Place::new().with("HEADSHOT_SMTP_URL", &url));
    let (mut jane, session) = served.joined("jane@acme.example");
    let invited = next_to(&mut mails, "jane@acme.example");
    assert_eq!(invited["subject"], "Your headshots for Acme Corporation");
    people::agree(&mut jane, &session);
    people::upload(&mut jane, &session, &[("me.jpg", people::PORTRAIT)]);
    let sent = jane.submit(&session.page(), &session.path("submit"), &[]);
    assert_eq!(sent.status, 303, "{}", sent.text());
    served.until(&mut jane, &session, "<h1>Your headshots</h1>");

    let letter = next_to(&mut mails, "jane@acme.example");
    let subject = "Your headshots for Acme Corporation are ready";
    assert_eq!(letter["subject"], subject);
    let link = link(&letter, "/auth/social?token=");
    // A browser that was never here: it has the letter, no account and no cookie.
    let mut other = Browser::new(&served.server);
    assert_eq!(other.get(&session.page()).status, 404);
    let entered = other.get(&link);
    assert_eq!(entered.status, 303, "{}", entered.text());
    let page = session.page();
    assert_eq!(entered.header("location"), Some(page.as_str()));
    let shown = other.get(&page).text();
    assert!(shown.contains("<h1>Your headshots</h1>"), "{shown}");
    let (_, token) = link.split_once("token=").expect("a token");
    assert!(!shown.contains(token) && !served.server.printed().contains(token));
    let admin = other.get("/app/admin/overview");
    assert_eq!(admin.status, 303);
    let (_, joes) = served.joined("joe@acme.example");
    assert_eq!(other.get(&joes.page()).status, 404);

    // A partner tells its own people.
    let more = serde_json::json!({ "email": "kim@partner.example", "isDevelopment": true });
    let partners = served.session(&more);
    let mut person = served.agreed(&partners);
    person.submit(&partners.page(), &partners.path("submit"), &[]);
    served.until(&mut person, &partners, "<h1>Your headshots</h1>");
    let told = "SELECT recipient FROM mails WHERE kind = 'results'";
    let told = texts(&served.place.database(), told);
    assert_eq!(told, ["jane@acme.example"]);

    let erased = other.submit(&session.path("erase"), &session.path("erase"), &[]);
    assert_eq!(erased.status, 200, "{}", erased.text());
    assert_eq!(Browser::new(&served.server).get(&link).status, 404);
}

#[test]
fn a_mail_server_that_can_not_be_used_is_named() {
    for (name, value) in [
        ("HEADSHOT_SMTP_URL", "mail.acme.example"),
        ("HEADSHOT_SMTP_URL", "http://mail.acme.example"),
        ("HEADSHOT_MAIL_FROM", "nobody"),
    ] {
        let place = Place::new()
            .with("HEADSHOT_SMTP_URL", "smtp://mail.acme.example")
            .with(name, value);
        let words = place.failure(&["config", "check"]);
        assert!(words.contains("smtp_url or mail_from"), "{value}: {words}");
    }
}
