//! Limits of use cases at their number and one above, and what a sign-in costs.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use headshot_app::access::{self, EmbedError, ORIGINS_MAX};
use headshot_app::accounts::{self, SignInError, Visitor};
use headshot_app::audit::Actor;
use headshot_app::organizations::{self, NewOrganization};
use headshot_app::webhooks::{self, REPLAY_MAX};
use headshot_app::{App, mail};
use headshot_domain::{Email, JobState, OrgId, Plan, Timestamp, WebhookState};
use headshot_storage::jobs;
use headshot_storage::webhooks::{self as stored, Event};
use headshot_testkit::{ManualClock, TestDb, app, sqlite};

const OWNER: &str = "owner@acme.example";
const PASSWORD: &str = "correct horse battery";

struct Office {
    app: Arc<App>,
    org: OrgId,
    setup: String,
    _database: TestDb,
}

async fn office() -> Office {
    let database = sqlite().await;
    let app = app(&database.db, &ManualClock::new());
    let new = NewOrganization {
        name: "Acme".to_owned(),
        website: String::new(),
        owner: OWNER.parse().unwrap(),
        plan: Plan::Standard,
        credits: None,
        whitelabel: true,
    };
    let created = organizations::create(&app, &Actor::command_line(), new).await;
    let created = created.unwrap();
    Office {
        app,
        org: created.org.id,
        setup: created.setup_token.unwrap(),
        _database: database,
    }
}

fn from(last: u8) -> Visitor {
    Visitor {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
        user_agent: "test".to_owned(),
        device: None,
    }
}

impl Office {
    async fn set_up(&self) {
        let given = (Some("Olivia"), PASSWORD.to_owned().into());
        let session =
            accounts::set_password_by_link(&self.app, &from(250), &self.setup, given).await;
        session.unwrap();
    }

    async fn sign_in(&self, last: u8, email: &str, password: &str) -> Result<(), SignInError> {
        let password = password.to_owned().into();
        let session = accounts::sign_in(&self.app, &from(last), email, password).await;
        session.map(|_begun| ())
    }
}

/// Every refusal of a sign-in costs one hash, whether or not there is an account or a password: its
/// time tells nothing.
#[tokio::test]
async fn unknown_addresses_cost_what_known_ones_cost() {
    let office = office().await;
    let hashes = async |email: &str, password: &str| {
        let before = office.app.passwords.hashed();
        let refused = office.sign_in(1, email, password).await;
        assert!(matches!(refused, Err(SignInError::Wrong)), "{email}");
        office.app.passwords.hashed() - before
    };
    assert_eq!(hashes(OWNER, PASSWORD).await, 1, "has no password yet");
    office.set_up().await;
    assert_eq!(hashes(OWNER, "a wrong guess").await, 1);
    assert_eq!(hashes("nobody@acme.example", "a wrong guess").await, 1);
    assert_eq!(hashes("no address", "a wrong guess").await, 1);
    assert_eq!(hashes("", "").await, 1);
}

#[tokio::test]
async fn an_address_has_fifty_failures_whatever_the_account() {
    let office = office().await;
    office.set_up().await;
    assert_eq!(accounts::ADDRESS_FAILURES_MAX, 50);
    for number in 0..50 {
        let email = format!("guess{number}@acme.example");
        let refused = office.sign_in(1, &email, "a wrong guess").await;
        assert!(matches!(refused, Err(SignInError::Wrong)), "{number}");
    }
    let refused = office.sign_in(1, OWNER, PASSWORD).await;
    assert!(matches!(refused, Err(SignInError::Throttled { .. })));
    assert!(office.sign_in(2, OWNER, PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_right_password_takes_none_of_the_address_s_failures() {
    let office = office().await;
    office.set_up().await;
    for number in 0..49 {
        let email = format!("guess{number}@acme.example");
        let refused = office.sign_in(1, &email, "a wrong guess").await;
        assert!(matches!(refused, Err(SignInError::Wrong)), "{number}");
    }
    for _ in 0..2 {
        assert!(office.sign_in(1, OWNER, PASSWORD).await.is_ok());
    }
}

/// How many jobs are there to mail a sign-in link.
async fn links(app: &App) -> usize {
    let mut conn = app.db.read().await.unwrap();
    jobs::list_of_lane(&mut conn, "sign-in", JobState::Queued, 1_000)
        .await
        .unwrap()
        .len()
}

#[tokio::test]
async fn an_address_is_mailed_thirty_links_whoever_they_are_for() {
    let office = office().await;
    assert_eq!(accounts::ADDRESS_LINKS_MAX, 30);
    let ask = async |last: u8, number: usize| {
        let email: Email = format!("person{number}@acme.example").parse().unwrap();
        let asked = mail::ask_for_sign_in_link(&office.app, (&email, from(last).address)).await;
        asked.unwrap();
        links(&office.app).await
    };
    for number in 0..30 {
        assert_eq!(ask(1, number).await, number + 1);
    }
    assert_eq!(ask(1, 30).await, 30, "the 31st is not sent");
    assert_eq!(ask(2, 31).await, 31, "others may ask");
}

#[tokio::test]
async fn an_account_is_mailed_five_links_wherever_they_are_asked_for() {
    let office = office().await;
    assert_eq!(accounts::ACCOUNT_LINKS_MAX, 5);
    let email: Email = OWNER.parse().unwrap();
    for asked in 0..7_u8 {
        mail::ask_for_sign_in_link(&office.app, (&email, from(asked).address))
            .await
            .unwrap();
    }
    assert_eq!(links(&office.app).await, 5);
}

#[tokio::test]
async fn an_organization_allows_ten_sites_and_not_eleven() {
    let office = office().await;
    assert_eq!(ORIGINS_MAX, 10);
    let sites: Vec<String> = (0..11)
        .map(|number| format!("https://hr{number}.acme.example"))
        .collect();
    let actor = Actor::command_line();
    let by = (&office.org, &actor);
    let allowed = access::allow_embedding(&office.app, by, &sites[..10]).await;
    assert_eq!(allowed.unwrap(), sites[..10]);
    let refused = access::allow_embedding(&office.app, by, &sites).await;
    assert!(matches!(refused, Err(EmbedError::TooMany)));
}

/// One replay is one transaction: it has a bound, and what is beyond it waits for the next one.
#[tokio::test]
async fn a_replay_takes_a_thousand_failed_events() {
    let office = office().await;
    assert_eq!(REPLAY_MAX, 1_000);
    let actor = Actor::command_line();
    let url = "http://127.0.0.1:9/hook";
    let saved = webhooks::save_url(&office.app, &actor, &office.org, url).await;
    saved.unwrap();
    let mut tx = office.app.db.write().await.unwrap();
    for number in 0..1_001 {
        let event = Event {
            id: format!("evt_{number}"),
            org: office.org.clone(),
            model: "507f1f77bcf86cd799439011".into(),
            name: "model.created".to_owned(),
            body: "{}".to_owned(),
            state: WebhookState::Failed,
            created_at: Timestamp::from_unix_ms(number),
            erased_at: None,
            seq: 0,
        };
        stored::insert_event(&mut tx, &event).await.unwrap();
    }
    tx.commit().await.unwrap();
    let replay = || webhooks::replay_failed(&office.app, &actor, &office.org);
    assert_eq!(replay().await.unwrap(), 1_000);
    let mut conn = office.app.db.read().await.unwrap();
    let left = stored::failed(&mut conn, &office.org, 10).await.unwrap();
    let left: Vec<&str> = left.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(left, ["evt_1000"], "the newest");
    drop(conn);
    assert_eq!(replay().await.unwrap(), 1);
}
