//! An erasure reaches whatever is stored of a person, on both databases.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use headshot_app::access::{self, Visit};
use headshot_app::audit::{self, Actor, Checked, Verified};
use headshot_app::consent::{self, Said};
use headshot_app::idempotency::Once;
use headshot_app::models::{self, NewModel};
use headshot_app::{App, Roles, invites, maintenance, members, webhooks};
use headshot_domain::{
    Clock as _, Credits, Email, Gender, JobId, JobKind, JobState, MailId, MailKind, MailState,
    ModelVersion, OrgId, UploadId, WebhookEvent, WebhookState,
};
use headshot_storage::mails::{self, Mail};
use headshot_storage::uploads::{self, Upload};
use headshot_storage::{AsConn, Conn, jobs, models as rows};
use headshot_testkit::{Call, ManualClock, On, Receiver, TestDb};
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Part of the person's address and of the name, and of nothing else.
const PERSON: &str = "zelda";
const EMAIL: &str = "zelda@person.example";
const NAME: &str = "Zelda Miller";

/// From where the person comes.
const HOME: &str = "203.0.113.9";

struct Place {
    database: TestDb,
    clock: Arc<ManualClock>,
    app: Arc<App>,
    org: OrgId,
}

struct Worker {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

async fn place(on: On) -> Place {
    let database = on.database().await;
    let clock = ManualClock::new();
    let app = headshot_testkit::app(&database.db, &clock);
    Place {
        org: headshot_testkit::organization(&app, "Acme", Some(Credits::whole(10))).await,
        database,
        clock,
        app,
    }
}

impl Place {
    fn by(&self) -> (&OrgId, Actor) {
        (&self.org, Actor::command_line())
    }

    /// A person without an account, who has agreed.
    async fn without_account(&self) -> Visit {
        let (org, actor) = self.by();
        let new = NewModel {
            email: EMAIL.parse().unwrap(),
            team: None,
            development: false,
            version: ModelVersion::Lora,
        };
        let created = models::create(&self.app, (org, &actor), &new, Once::unkept()).await;
        let url = created.unwrap().signed_url;
        let token = url.split("token=").nth(1).unwrap().split('&').next();
        self.agreed(token.unwrap()).await
    }

    /// A person with an account, who has agreed.
    async fn member(&self) -> Visit {
        let (org, actor) = self.by();
        let email: Email = EMAIL.parse().unwrap();
        let invite = invites::create(&self.app, (org, &actor), (&email, None), Once::unkept());
        let id = invite.await.unwrap().id;
        let joined = invites::join(&self.app, &id, (&email, Some(NAME))).await;
        self.agreed(&joined.unwrap().token).await
    }

    async fn agreed(&self, token: &str) -> Visit {
        let home: IpAddr = HOME.parse().unwrap();
        let visit = access::open(&self.app, token).await.unwrap().unwrap();
        let said = Said {
            name: NAME,
            gender: Some(Gender::Female),
            version: consent::terms(&self.app).version,
        };
        consent::give(&self.app, &visit, said, home).await.unwrap();
        access::open(&self.app, token).await.unwrap().unwrap()
    }

    /// Takes the session to its submission, which leaves a row in the ledger.
    async fn submit(&self, visit: &Visit) {
        let upload = Upload {
            id: UploadId::generate(&*self.app.entropy),
            org: self.org.clone(),
            model: visit.model.id.clone(),
            digest: vec![7; 32],
            format: "jpg".into(),
            bytes: 7,
            verdict: "{}".into(),
            usable: true,
            created_at: self.clock.now(),
        };
        let mut tx = self.app.db.write().await.unwrap();
        uploads::insert(&mut tx, &upload).await.unwrap();
        tx.commit().await.unwrap();
        let id = &visit.model.id;
        models::submit(&self.app, &self.org, id).await.unwrap();
    }

    async fn emit(&self, visit: &Visit, event: WebhookEvent) {
        let mut tx = self.app.db.write().await.unwrap();
        let id = &visit.model.id;
        let model = rows::find(&mut tx, &self.org, id).await.unwrap().unwrap();
        webhooks::emit(&self.app, &mut tx, event, &model)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn receive(&self) -> Receiver {
        let receiver = Receiver::start().await;
        let (org, actor) = self.by();
        let saved = webhooks::save_url(&self.app, &actor, org, &receiver.url).await;
        saved.unwrap();
        receiver
    }

    fn work(&self) -> Worker {
        let stop = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&self.app).run(Roles::Worker, stop.clone()));
        Worker { stop, task }
    }

    async fn delete(&self, visit: &Visit) {
        let (org, actor) = self.by();
        let deleted = models::delete(&self.app, (org, &actor), &visit.model.id).await;
        deleted.unwrap();
    }

    /// Waits until an event is in a state and has been tried so often.
    async fn until(&self, id: &str, state: WebhookState, tries: usize) -> webhooks::Event {
        loop {
            let found = webhooks::find(&self.app, &self.org, id).await.unwrap();
            let (event, deliveries) = found.unwrap();
            if event.state == state && deliveries.len() == tries {
                return event;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn audit(&self) -> Checked {
        audit::verify_up_to(&self.app, 1_000).await.unwrap()
    }

    /// Every column of the database with `text` in one of its rows, whatever its case.
    async fn columns_with(&self, text: &str) -> Vec<String> {
        let mut conn = self.database.db.read().await.unwrap();
        let columns = match conn.conn() {
            Conn::Sqlite(_) => {
                "SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p \
                 WHERE m.type = 'table'"
            }
            Conn::Postgres(_) => {
                "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) \
                 FROM information_schema.columns WHERE table_schema = 'public'"
            }
        };
        let columns: Vec<(String, String)> = ask(&mut conn, columns).await;
        assert!(columns.len() > 150, "only {} columns", columns.len());
        let mut found = Vec::new();
        for (table, column) in columns {
            let sql = format!(
                "SELECT CAST({column} AS TEXT), '' FROM {table} \
                 WHERE lower(CAST({column} AS TEXT)) LIKE '%{text}%' LIMIT 1"
            );
            if !ask(&mut conn, &sql).await.is_empty() {
                found.push(format!("{table}.{column}"));
            }
        }
        found.sort();
        found
    }
}

async fn ask(conn: &mut impl AsConn, sql: &str) -> Vec<(String, String)> {
    let query = sqlx::query_as(AssertSqlSafe(sql));
    match conn.conn() {
        Conn::Sqlite(conn) => query.fetch_all(conn).await.unwrap(),
        Conn::Postgres(conn) => {
            let query = sqlx::query_as(AssertSqlSafe(sql));
            query.fetch_all(conn).await.unwrap()
        }
    }
}

fn told(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

/// Model, name and gender of what a receiver is told.
fn whom(body: &Value) -> [&Value; 3] {
    let object = &body["object"];
    [&object["_id"], &object["title"], &object["trigger"]]
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_person_without_an_account_leaves_nothing(#[case] on: On) {
    let place = place(on).await;
    let visit = place.without_account().await;
    place.submit(&visit).await;
    let _receiver = place.receive().await;
    place.emit(&visit, WebhookEvent::StatusUpdated).await;
    assert_eq!(
        place.columns_with(PERSON).await,
        [
            "models.email",
            "models.title",
            "users.email",
            "users.email_key",
            "webhook_events.body",
        ]
    );
    assert_eq!(place.columns_with(HOME).await, ["consents.address"]);

    place.delete(&visit).await;
    assert_eq!(place.columns_with(PERSON).await, [""; 0]);
    assert_eq!(place.columns_with(HOME).await, [""; 0]);
    assert!(matches!(
        place.audit().await,
        Checked::Whole(Verified::Intact { .. })
    ));
    // Who it was is told by the ids alone.
    let found = models::find(&place.app, &place.org, &visit.model.id).await;
    let found = found.unwrap().unwrap();
    assert_eq!((found.uid, found.user), (visit.model.uid, visit.model.user));
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn receivers_are_owed_the_events_and_not_the_person(#[case] on: On) {
    let place = place(on).await;
    let visit = place.without_account().await;
    let model = json!(visit.model.id.as_str());
    let mut receiver = place.receive().await;
    let worker = place.work();

    place.emit(&visit, WebhookEvent::Created).await;
    let call = receiver.next().await;
    let delivered = told(&call);
    assert_eq!(whom(&delivered), [&model, &json!(NAME), &json!("female")]);
    // The receiver repeats what it was told.
    call.echo(200);
    let id = delivered["id"].as_str().unwrap();
    let before = place.until(id, WebhookState::Delivered, 1).await;
    assert_eq!(before.erased_at, None);
    assert_eq!(
        place.columns_with(PERSON).await,
        [
            "models.email",
            "models.title",
            "users.email",
            "users.email_key",
            "webhook_deliveries.response_body",
            "webhook_events.body",
        ]
    );

    // The person is erased while a second event is on its way.
    place.emit(&visit, WebhookEvent::StatusUpdated).await;
    let call = receiver.next().await;
    let waiting = told(&call);
    place.delete(&visit).await;
    call.echo(500);
    // The deletion was waiting for this first try, and for no further one.
    let (one, other) = (receiver.next().await, receiver.next().await);
    let (deletion, again) = match told(&one)["event"].as_str() {
        Some("model.deleted") => (one, other),
        _ => (other, one),
    };
    let deleted = told(&deletion);
    assert_eq!(deleted["event"], "model.deleted");
    assert_eq!(deleted["object"]["status"], "deleted");
    assert_eq!(whom(&deleted), [&model, &json!(null), &json!(null)]);
    deletion.echo(200);
    let deleted = deleted["id"].as_str().unwrap();
    let deleted = place.until(deleted, WebhookState::Delivered, 1).await;
    assert_eq!(deleted.erased_at, None, "it never told of the person");

    // What was in vain comes again, under its id and without the person.
    let body = told(&again);
    assert_eq!(body["id"], waiting["id"]);
    assert_eq!(body["event"], "model.status.updated");
    assert_eq!(whom(&body), [&model, &json!(null), &json!(null)]);
    assert_eq!(body["object"]["uid"], waiting["object"]["uid"]);
    assert_eq!(body["createdAt"], waiting["createdAt"]);
    again.echo(200);
    let waited = body["id"].as_str().unwrap();
    place.until(waited, WebhookState::Delivered, 2).await;
    assert_eq!(place.columns_with(PERSON).await, [""; 0]);

    // So does what is sent again by hand.
    let (org, actor) = place.by();
    webhooks::replay(&place.app, &actor, org, id).await.unwrap();
    let replayed = receiver.next().await;
    let body = told(&replayed);
    assert_eq!(
        (&body["id"], &body["event"]),
        (&delivered["id"], &delivered["event"])
    );
    assert_eq!(whom(&body), [&model, &json!(null), &json!(null)]);
    replayed.answer(200);
    let after = place.until(id, WebhookState::Delivered, 2).await;
    assert_eq!(after.erased_at, Some(place.clock.now()));
    worker.end().await;
}

/// A mail about a session, with what a mail server said of its address.
fn letter(place: &Place, visit: &Visit) -> Mail {
    Mail {
        id: MailId::generate(&*place.app.entropy),
        org: place.org.clone(),
        kind: MailKind::Results,
        recipient: EMAIL.into(),
        subject: "Your headshots for Acme are ready".into(),
        text: format!("Hello {NAME}"),
        html: format!("<p>Hello {NAME}"),
        invite: None,
        model: Some(visit.model.id.clone()),
        state: MailState::Failed,
        error: Some(format!("<{EMAIL}> is not at home")),
        created_at: place.clock.now(),
        sent_at: None,
    }
}

impl Place {
    /// A dead job whose payload or failure tells of the person.
    async fn dead_job(&self, kind: JobKind, lane: &str, payload: &Value) {
        let mut tx = self.app.db.write().await.unwrap();
        let id = JobId::generate(&*self.app.entropy);
        let now = self.clock.now();
        let new = jobs::New {
            id: &id,
            kind,
            lane,
            payload: &payload.to_string(),
            run_at: now,
            created_at: now,
            place: None,
        };
        jobs::insert(&mut tx, &new, &Arc::default()).await.unwrap();
        let claim = jobs::Claim {
            worker: "worker_1",
            now,
            lease_until: now.plus(Duration::from_secs(1)),
            lane_max: 100,
            limit: 100,
            bounded: [JobKind::Shoot, JobKind::WebhookDeliver].map(|kind| (kind, 100)),
        };
        let claimed = jobs::claim(&mut tx, &claim).await.unwrap();
        let job = claimed.iter().find(|job| job.id == id).unwrap();
        let why = format!("<{EMAIL}> is not at home");
        assert!(jobs::bury(&mut tx, &job.lease(), now, &why).await.unwrap());
        tx.commit().await.unwrap();
    }

    async fn dead(&self) -> usize {
        let mut conn = self.database.db.read().await.unwrap();
        let dead = jobs::list(&mut conn, JobState::Dead, 100).await.unwrap();
        dead.len()
    }
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_member_s_account_is_all_that_stays(#[case] on: On) {
    let place = place(on).await;
    let visit = place.member().await;
    let letter = letter(&place, &visit);
    let mut tx = place.app.db.write().await.unwrap();
    mails::insert(&mut tx, &letter).await.unwrap();
    tx.commit().await.unwrap();
    let payload = json!({ "mail": letter.id.as_str() });
    place
        .dead_job(JobKind::MailSend, place.org.as_str(), &payload)
        .await;
    let account = [
        "audit_entries.actor",
        "audit_entries.target",
        "invites.email",
        "invites.email_key",
        "invites.user_email_key",
        "models.email",
        "users.email",
        "users.email_key",
        "users.name",
    ];
    let with_letters = [
        &account[..5],
        &[
            "jobs.last_error",
            "mails.error",
            "mails.html",
            "mails.recipient",
            "mails.text",
            "models.email",
            "models.title",
        ],
        &account[6..],
    ];
    assert_eq!(place.columns_with(PERSON).await, with_letters.concat());
    assert_eq!(mail_count(&place).await, 2, "the invite and the results");

    place.delete(&visit).await;
    assert_eq!(place.columns_with(PERSON).await, account);
    assert_eq!((mail_count(&place).await, place.dead().await), (0, 0));
    assert_eq!(place.columns_with(HOME).await, [""; 0]);

    // The member goes too; the person's own account, and who was let in, stay.
    let (org, actor) = place.by();
    let email = EMAIL.parse().unwrap();
    members::remove(&place.app, (org, &actor), &email)
        .await
        .unwrap();
    let left: Vec<&str> = [
        &["audit_entries.actor", "audit_entries.detail"],
        &account[1..5],
        &account[6..],
    ]
    .concat();
    assert_eq!(place.columns_with(PERSON).await, left);
    assert!(matches!(
        place.audit().await,
        Checked::Whole(Verified::Intact { .. })
    ));
}

async fn mail_count(place: &Place) -> usize {
    let mails = headshot_app::mail::list(&place.app, &place.org).await;
    mails.unwrap().len()
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn sign_in_links_that_were_not_mailed_are_forgotten_after_a_day(#[case] on: On) {
    let place = place(on).await;
    let payload = json!({ "email": EMAIL, "address": HOME });
    place
        .dead_job(JobKind::SignInLink, "sign-in", &payload)
        .await;
    let moment = Duration::from_millis(1);
    place
        .clock
        .advance(Duration::from_millis(24 * 3_600_000 - 1));
    maintenance::clean_up(&place.app).await.unwrap();
    assert_eq!(place.dead().await, 1);
    place.clock.advance(moment);
    maintenance::clean_up(&place.app).await.unwrap();
    assert_eq!(place.columns_with(PERSON).await, [""; 0]);
    assert_eq!(place.dead().await, 0);
}
