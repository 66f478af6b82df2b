//! Mail, from the change that makes it necessary to a real mail server.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use headshot_app::audit::Actor;
use headshot_app::idempotency::Once;
use headshot_app::invites::{self, Invite};
use headshot_app::keys::{self, NewKey};
use headshot_app::mail::{self, Mail, RemindError};
use headshot_app::organizations::{self, NewOrganization};
use headshot_app::outbound::mail::Smtp;
use headshot_app::page::Slice;
use headshot_app::{App, Roles, maintenance, models};
use headshot_domain::{
    Clock as _, Credits, Email, JobState, MailKind, MailState, Networks, OrgId, Plan, ScopeSet,
    UploadId,
};
use headshot_storage::uploads::{self, Upload};
use headshot_storage::{jobs, mails};
use headshot_testkit::{MailServer, ManualClock, TestDb};
use rstest::rstest;
use tokio_util::sync::CancellationToken;

/// How long a job may be silent.
const LEASE: Duration = Duration::from_secs(30);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const FROM: &str = "Headshot <no-reply@acme.example>";

#[derive(Debug, Clone, Copy)]
enum On {
    Sqlite,
    Postgres,
}

struct Place {
    database: TestDb,
    clock: Arc<ManualClock>,
    app: Arc<App>,
    org: OrgId,
}

impl On {
    async fn open(self, smtp: Option<Smtp>) -> Place {
        self.with(smtp, Some(Credits::whole(2))).await
    }

    /// Without `credits` they are not counted.
    async fn with(self, smtp: Option<Smtp>, credits: Option<Credits>) -> Place {
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
            credits,
            whitelabel: false,
        };
        let made = organizations::create(&app, &Actor::command_line(), new).await;
        Place {
            org: made.unwrap().org.id,
            database,
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

    /// Invites a person who joins and submits, as if a usable photo had been uploaded.
    async fn submitted(&self, email: &str) {
        let app = &self.app;
        let invite = self.invite(email).await;
        let email = email.parse().unwrap();
        let joined = invites::join(app, &invite.id, (&email, None)).await;
        let model = joined.unwrap().model.id;
        let upload = Upload {
            id: UploadId::generate(&*app.entropy),
            org: self.org.clone(),
            model: model.clone(),
            digest: vec![7; 32],
            format: "jpg".into(),
            bytes: 7,
            verdict: "{}".into(),
            usable: true,
            created_at: app.clock.now(),
        };
        let mut tx = app.db.write().await.unwrap();
        uploads::insert(&mut tx, &upload).await.unwrap();
        tx.commit().await.unwrap();
        models::submit(app, &self.org, &model).await.unwrap();
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
            // What was put back for later is due soon; what runs, or is about to, keeps its lease.
            if !self.is_busy().await {
                self.clock.advance(LEASE / 2);
            }
            tokio::task::yield_now().await;
        };
        stop.cancel();
        worker.await.unwrap();
        found
    }
}

impl Place {
    /// Whether a job runs or is due.
    async fn is_busy(&self) -> bool {
        let mut conn = self.app.db.read().await.unwrap();
        let running = jobs::list(&mut conn, JobState::Running, 10).await.unwrap();
        let due = jobs::next_due(&mut conn).await.unwrap();
        !running.is_empty() || due.is_some_and(|at| at <= self.clock.now())
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
    let smtp = at(server.ports[0], "smtp", None);
    let place = on.with(Some(smtp), Some(Credits::whole(4))).await;
    let refused = place.invite("refused@acme.example").await;
    let told = place.work_until(&refused, MailState::Refused).await;
    assert!(told.error.unwrap().contains("no such user here"));
    // This server knows ASCII alone: a domain has such a form, a name before it has none.
    let beyond = place.invite("jörg@acme.example").await;
    let told = place.work_until(&beyond, MailState::Refused).await;
    assert!(told.error.unwrap().contains("SMTPUTF8"));
    let domain = place.invite("info@bücher.example").await;
    place.work_until(&domain, MailState::Sent).await;
    let arrived = server.taken();
    assert_eq!(
        arrived["to"],
        serde_json::json!(["info@xn--bcher-kva.example"])
    );
    let later = place.invite("later@acme.example").await;
    let sent = place.work_until(&later, MailState::Sent).await;
    let arrived = server.taken();
    assert_eq!(
        arrived["id"],
        format!("<{}@acme.example>", sent.id),
        "{arrived}"
    );
}

/// The server has the mail, we have no answer: it goes out again, recognizably the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_answer_is_lost_is_sent_again_under_its_id() {
    let mut server = MailServer::start();
    let place = On::Sqlite
        .open(Some(at(server.ports[0], "smtp", None)))
        .await;
    let invite = place.invite("lost@acme.example").await;
    let sent = place.work_until(&invite, MailState::Sent).await;
    let (first, second) = (server.taken(), server.taken());
    assert_eq!(first, second);
    assert_eq!(first["id"], format!("<{}@acme.example>", sent.id));
}

/// A password that the mail server does not take is no fault of the recipient: the mail waits until
/// the operator has mended it.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_loses_no_mail() {
    let mut server = MailServer::start();
    let with = |password: &str| {
        let url = format!("smtp://headshot:{password}@127.0.0.1:{}", server.ports[3]);
        Smtp::new(&url, FROM, None).unwrap()
    };
    let (right, wrong) = (with("right"), with("wrong"));
    let place = On::Sqlite.open(Some(wrong)).await;
    let invite = place.invite("jane@acme.example").await;
    let failed = place.work_until(&invite, MailState::Failed).await;
    let why = failed.error.unwrap();
    assert!(why.contains("535"), "{why}");
    // It is no reason to wait a day.
    let actor = Actor::command_line();
    mail::remind(&place.app, (&place.org, &actor), &invite.id)
        .await
        .unwrap();
    let mended = headshot_testkit::app_set(&place.database.db, &place.clock, |settings| {
        settings.smtp = Some(right);
    });
    let place = Place {
        app: mended,
        ..place
    };
    place.work_until(&invite, MailState::Sent).await;
    assert_eq!(
        server.taken()["subject"].as_str().unwrap()[..9],
        *"Reminder:"
    );
}

/// What was sent stays sent, whatever is said of it later; what failed keeps its last reason.
#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test]
async fn a_sent_mail_stays_sent(#[case] on: On) {
    let place = on.open(None).await;
    let invite = place.invite("jane@acme.example").await;
    let mail = mail::of_invite(&place.app, &invite.id)
        .await
        .unwrap()
        .unwrap();
    let set = async |state: MailState, why: Option<&str>| {
        let mut tx = place.app.db.write().await.unwrap();
        mails::set_state(&mut tx, &mail.id, (state, why), None)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    };
    let note = async |state: MailState| {
        let mut tx = place.app.db.write().await.unwrap();
        mails::note(&mut tx, &mail.id, state).await.unwrap();
        tx.commit().await.unwrap();
    };
    let now = async || {
        let found = mail::of_invite(&place.app, &invite.id)
            .await
            .unwrap()
            .unwrap();
        (found.state, found.error)
    };
    let tried = async |why: &str| {
        let mut tx = place.app.db.write().await.unwrap();
        mails::tried(&mut tx, &mail.id, why).await.unwrap();
        tx.commit().await.unwrap();
    };
    set(MailState::Queued, None).await;
    tried("busy").await;
    note(MailState::Failed).await;
    tried("a try that lost its lease").await;
    assert_eq!(now().await, (MailState::Failed, Some("busy".to_owned())));
    set(MailState::Sent, None).await;
    note(MailState::Failed).await;
    set(MailState::Refused, Some("late")).await;
    assert_eq!(now().await, (MailState::Sent, None));
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test]
async fn the_outbox_shows_the_newest_and_each_invite_its_newest_mail(#[case] on: On) {
    let place = on.with(None, None).await;
    let mut invites = Vec::new();
    for number in 0..=mail::SHOWN_MAX {
        place.clock.advance(Duration::from_millis(1));
        invites.push(place.invite(&format!("p{number}@acme.example")).await);
        let shown = i64::try_from(place.outbox().await.len()).unwrap();
        assert_eq!(shown, (number + 1).min(mail::SHOWN_MAX));
    }
    place.clock.advance(Duration::from_hours(25));
    let (first, last) = (&invites[0].id, &invites[invites.len() - 1].id);
    mail::remind(&place.app, (&place.org, &Actor::command_line()), last)
        .await
        .unwrap();
    let newest = mail::of_invite(&place.app, last).await.unwrap().unwrap();
    assert_eq!(newest.kind, MailKind::Reminder);
    let mut tx = place.app.db.write().await.unwrap();
    mails::set_state(&mut tx, &newest.id, (MailState::Refused, Some("no")), None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let fates = async |limit, offset| {
        let slice = Slice::new(limit, offset);
        mail::of_invites(&place.app, &place.org, slice)
            .await
            .unwrap()
    };
    let page = fates(200, 0).await;
    assert_eq!(page.len(), 200);
    assert_eq!(page[last].state, MailState::Refused);
    assert_eq!(page[last].error.as_deref(), Some("no"));
    assert!(!page.contains_key(first));
    let rest = fates(200, 200).await;
    assert_eq!(
        rest.into_keys().collect::<Vec<_>>(),
        std::slice::from_ref(first)
    );
}

/// The balance falls below three credits once: one mail to each owner and admin.
#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test]
async fn owners_are_told_once_that_few_credits_are_left(#[case] on: On) {
    let place = on.with(None, Some(Credits::whole(4))).await;
    let told = async || {
        let kinds = place.outbox().await.into_iter();
        let low = kinds.filter(|mail| mail.kind == MailKind::LowCredits);
        low.map(|mail| (mail.recipient, mail.subject))
            .collect::<Vec<_>>()
    };
    let expected = [(
        "owner@acme.example".to_owned(),
        "Acme \"<b>\" & Söhne has 2 credits left".to_owned(),
    )];
    for (number, expected) in [(1, &expected[..0]), (2, &expected[..]), (3, &expected[..])] {
        place.submitted(&format!("p{number}@acme.example")).await;
        assert_eq!(told().await, expected, "after submission {number}");
    }
}

/// An operator's correction counts like a submission.
#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test]
async fn credits_that_are_taken_back_are_few_credits_too(#[case] on: On) {
    let place = on.with(None, Some(Credits::whole(5))).await;
    let grant = async |credits: i64| {
        let amount = Credits::whole(credits);
        organizations::grant(&place.app, &Actor::command_line(), &place.org, amount)
            .await
            .unwrap();
        let told = place.outbox().await.into_iter();
        told.filter(|mail| mail.kind == MailKind::LowCredits)
            .count()
    };
    assert_eq!(grant(-2).await, 0);
    assert_eq!(grant(-1).await, 1);
    assert_eq!(grant(-1).await, 1);
    assert_eq!(grant(5).await, 1);
    assert_eq!(grant(-4).await, 2);
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test]
async fn the_mail_about_few_credits_can_be_switched_off(#[case] on: On) {
    let place = on.with(None, Some(Credits::whole(4))).await;
    let (app, actor) = (&place.app, Actor::command_line());
    assert!(mail::tells_low_credits(app, &place.org).await.unwrap());
    let nobody = "org_none".into();
    assert!(mail::tells_low_credits(app, &nobody).await.is_err());
    let set = mail::tell_low_credits(app, (&nobody, &actor), false).await;
    assert!(set.is_err());
    let set = mail::tell_low_credits(app, (&place.org, &actor), false).await;
    set.unwrap();
    assert!(!mail::tells_low_credits(app, &place.org).await.unwrap());
    for number in 1..=2 {
        place.submitted(&format!("p{number}@acme.example")).await;
    }
    let told = place.outbox().await;
    assert!(told.iter().all(|mail| mail.kind != MailKind::LowCredits));
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
        mail::ask_for_sign_in_link(&place.app, (&email, HERE))
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
