//! Mail, from the change that makes it necessary to a real mail server.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::sync::Arc;
use std::time::Duration;

use headshot_app::audit::Actor;
use headshot_app::idempotency::Once;
use headshot_app::invites::{self, Invite};
use headshot_app::keys::{self, NewKey};
use headshot_app::mail::{self, Mail, RemindError};
use headshot_app::organizations::{self, NewOrganization};
use headshot_app::outbound::mail::Smtp;
use headshot_app::{App, Roles, maintenance};
use headshot_domain::{
    Clock as _, Credits, Email, JobState, MailKind, MailState, Networks, OrgId, Plan, ScopeSet,
};
use headshot_storage::jobs;
use headshot_testkit::{MailServer, ManualClock, TestDb};
use rstest::rstest;
use tokio_util::sync::CancellationToken;

const FROM: &str = "Headshot <no-reply@acme.example>";

#[derive(Debug, Clone, Copy)]
enum On {
    Sqlite,
    Postgres,
}

struct Place {
    _database: TestDb,
    clock: Arc<ManualClock>,
    app: Arc<App>,
    org: OrgId,
}

impl On {
    async fn open(self, smtp: Option<Smtp>) -> Place {
        let database = match self {
            Self::Sqlite => headshot_testkit::sqlite().await,
            Self::Postgres => headshot_testkit::postgres().await,
        };
        let clock = ManualClock::new();
        let app = headshot_testkit::app_set(&database.db, &clock, |settings| settings.smtp = smtp);
        let new = NewOrganization {
            name: "Acme \"<b>\" & Söhne".into(),
            website: String::new(),
            owner: "owner@acme.example".parse().unwrap(),
            plan: Plan::Standard,
            credits: Some(Credits::whole(2)),
            whitelabel: false,
        };
        let made = organizations::create(&app, &Actor::command_line(), new).await;
        Place {
            org: made.unwrap().org.id,
            _database: database,
            clock,
            app,
        }
    }
}

impl Place {
    async fn invite(&self, email: &str) -> Invite {
        let email: Email = email.parse().unwrap();
        let by = (&self.org, &Actor::command_line());
        let made = invites::create(&self.app, by, (&email, None), Once::unkept()).await;
        made.unwrap()
    }

    async fn outbox(&self) -> Vec<Mail> {
        mail::list(&self.app, &self.org).await.unwrap()
    }

    /// Works until the newest mail about an invite is in a state.
    async fn work_until(&self, invite: &Invite, state: MailState) -> Mail {
        let stop = CancellationToken::new();
        let worker = tokio::spawn(Arc::clone(&self.app).run(Roles::Worker, stop.clone()));
        let found = loop {
            let last = mail::of_invite(&self.app, &invite.id).await.unwrap();
            if let Some(mail) = last.filter(|mail| mail.state == state) {
                break mail;
            }
            // What was put back for later is due at once; what runs keeps its lease.
            if !self.runs().await {
                self.clock.advance(Duration::from_secs(1));
            }
            tokio::task::yield_now().await;
        };
        stop.cancel();
        worker.await.unwrap();
        found
    }
}

impl Place {
    async fn runs(&self) -> bool {
        let mut conn = self.app.db.read().await.unwrap();
        let running = jobs::list(&mut conn, JobState::Running, 10).await.unwrap();
        !running.is_empty()
    }
}

fn at(port: u16, scheme: &str, authority: Option<&MailServer>) -> Smtp {
    let pem = authority.map(|server| server.authority.clone());
    Smtp::new(&format!("{scheme}://127.0.0.1:{port}"), FROM, pem).unwrap()
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn an_invite_arrives_with_both_parts(#[case] on: On) {
    let mut server = MailServer::start();
    let place = on.open(Some(at(server.ports[0], "smtp", None))).await;
    let invite = place.invite("jane@acme.example").await;
    let sent = place.work_until(&invite, MailState::Sent).await;
    assert_eq!(sent.kind, MailKind::Invite);
    let arrived = server.taken();
    assert_eq!(arrived["to"], serde_json::json!(["jane@acme.example"]));
    assert_eq!(
        arrived["subject"],
        "Your headshots for Acme \"<b>\" & Söhne"
    );
    assert_eq!(arrived["id"], format!("<{}@acme.example>", sent.id));
    let link = invites::link(&place.app, &invite.id);
    let part = |kind: &str| arrived["parts"][kind].as_str().unwrap();
    assert!(part("text/plain").contains(&link), "{arrived}");
    assert!(part("text/plain").contains("Acme \"<b>\" & Söhne invites you"));
    assert!(
        part("text/html").contains(&format!("href=\"{link}\"")),
        "{arrived}"
    );
    assert!(!part("text/html").contains("<b>"), "{arrived}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_of_encryption_work_and_strangers_are_not_trusted() {
    let mut server = MailServer::start();
    for (port, scheme) in [(server.ports[1], "smtp"), (server.ports[2], "smtps")] {
        let smtp = at(port, scheme, Some(&server));
        let place = On::Sqlite.open(Some(smtp)).await;
        let invite = place.invite("jane@acme.example").await;
        place.work_until(&invite, MailState::Sent).await;
        assert_eq!(server.taken()["encrypted"], true);
    }
    // The machine knows nothing of this authority.
    let place = On::Sqlite
        .open(Some(at(server.ports[2], "smtps", None)))
        .await;
    let invite = place.invite("jane@acme.example").await;
    let failed = place.work_until(&invite, MailState::Failed).await;
    let why = failed.error.unwrap();
    assert!(why.contains("certificate"), "{why}");
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_recipient_shows_and_a_busy_server_is_asked_again(#[case] on: On) {
    let mut server = MailServer::start();
    let place = on.open(Some(at(server.ports[0], "smtp", None))).await;
    let refused = place.invite("refused@acme.example").await;
    let told = place.work_until(&refused, MailState::Refused).await;
    assert!(told.error.unwrap().contains("no such user here"));
    let later = place.invite("later@acme.example").await;
    let sent = place.work_until(&later, MailState::Sent).await;
    assert_eq!(server.taken()["id"], format!("<{}@acme.example>", sent.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_leaves_a_failed_mail() {
    // Nobody listens there.
    let place = On::Sqlite.open(Some(at(9, "smtp", None))).await;
    let invite = place.invite("jane@acme.example").await;
    let failed = place.work_until(&invite, MailState::Failed).await;
    assert!(failed.error.is_some());
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test]
async fn without_a_mail_server_the_outbox_keeps_the_link(#[case] on: On) {
    let place = on.open(None).await;
    let invite = place.invite("jane@acme.example").await;
    let outbox = place.outbox().await;
    assert_eq!(outbox.len(), 1);
    assert_eq!(outbox[0].state, MailState::Kept);
    assert!(
        outbox[0]
            .text
            .contains(&invites::link(&place.app, &invite.id))
    );
    // One invite a day may be mailed again, and no closed one.
    let actor = Actor::command_line();
    let again = async || mail::remind(&place.app, (&place.org, &actor), &invite.id).await;
    place
        .clock
        .advance(Duration::from_hours(24).saturating_sub(Duration::from_millis(1)));
    assert!(matches!(again().await, Err(RemindError::TooSoon)));
    place.clock.advance(Duration::from_millis(1));
    again().await.unwrap();
    assert_eq!(place.outbox().await[0].kind, MailKind::Reminder);
    place.clock.advance(Duration::from_hours(30 * 24));
    assert!(matches!(again().await, Err(RemindError::Closed)));
    // Kept for 30 days.
    maintenance::clean_up(&place.app).await.unwrap();
    assert_eq!(place.outbox().await.len(), 1);
    place.clock.advance(Duration::from_hours(25));
    maintenance::clean_up(&place.app).await.unwrap();
    assert!(place.outbox().await.is_empty());
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test]
async fn an_invite_that_fails_leaves_no_mail(#[case] on: On) {
    let place = on.open(None).await;
    place.invite("a@acme.example").await;
    place.invite("b@acme.example").await;
    let email = "c@acme.example".parse().unwrap();
    let by = (&place.org, &Actor::command_line());
    let none = invites::create(&place.app, by, (&email, None), Once::unkept()).await;
    assert!(none.is_err(), "no credit is left");
    assert_eq!(place.outbox().await.len(), 2);
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test]
async fn owners_are_told_of_keys_and_never_the_key(#[case] on: On) {
    let place = on.open(None).await;
    let actor = Actor::command_line();
    let expires_at = place.clock.now().plus(Duration::from_hours(8 * 24));
    let new = NewKey {
        name: "Payroll".into(),
        scopes: ScopeSet::FULL,
        networks: Networks::default(),
        expires_at: Some(expires_at),
        nonce: None,
    };
    let (key, secret) = keys::create(&place.app, &actor, &place.org, new)
        .await
        .unwrap();
    let clean = async || maintenance::clean_up(&place.app).await.unwrap();
    clean().await;
    assert_eq!(place.outbox().await.len(), 1, "eight days are not a week");
    for day in [1, 7] {
        place
            .clock
            .jump_to(expires_at.minus(Duration::from_hours(24 * (8 - day))));
        clean().await;
        clean().await;
    }
    place.clock.advance(Duration::from_secs(1));
    keys::delete(&place.app, &actor, Some(&place.org), &key.id)
        .await
        .unwrap();
    let outbox = place.outbox().await;
    let kinds: Vec<MailKind> = outbox.iter().rev().map(|mail| mail.kind).collect();
    let expected = [
        MailKind::KeyGenerated,
        MailKind::KeyExpiring,
        MailKind::KeyExpiring,
        MailKind::KeyDeleted,
    ];
    assert_eq!(kinds, expected);
    for mail in &outbox {
        assert_eq!(mail.recipient, "owner@acme.example");
        assert!(mail.text.contains("Payroll"));
        assert!(!mail.text.contains(secret.expose()) && !mail.html.contains(secret.expose()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_link_is_mailed_to_those_who_are_here_and_kept_nowhere() {
    let mut server = MailServer::start();
    let place = On::Sqlite
        .open(Some(at(server.ports[0], "smtp", None)))
        .await;
    let ask = async |email: &str| {
        let email = email.parse().unwrap();
        mail::ask_for_sign_in_link(&place.app, &email)
            .await
            .unwrap();
    };
    ask("nobody@acme.example").await;
    ask("owner@acme.example").await;
    let stop = CancellationToken::new();
    let worker = tokio::spawn(Arc::clone(&place.app).run(Roles::Worker, stop.clone()));
    let (server, arrived) = tokio::task::spawn_blocking(move || {
        let arrived = server.taken();
        (server, arrived)
    })
    .await
    .unwrap();
    stop.cancel();
    worker.await.unwrap();
    drop(server);
    assert_eq!(arrived["to"], serde_json::json!(["owner@acme.example"]));
    let text = arrived["parts"]["text/plain"].as_str().unwrap();
    let token = text.split("/auth/magic?token=").nth(1).unwrap();
    let token = token.split_whitespace().next().unwrap();
    let link = headshot_app::accounts::open_link(&place.app, token)
        .await
        .unwrap();
    assert_eq!(link.unwrap().user.email, "owner@acme.example");
    assert!(place.outbox().await.is_empty());
}
