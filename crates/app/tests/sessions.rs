//! Sessions, links, recent passwords and throttles end when they should, by a clock that only the
//! test moves.

#![expect(
    clippy::unwrap_used,
    clippy::unchecked_time_subtraction,
    clippy::duration_suboptimal_units,
    reason = "helpers outside of the test functions stop the test too; moments read as sums"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use headshot_app::App;
use headshot_app::accounts::{self, ABSOLUTE_TIMEOUT, IDLE_TIMEOUT, SignInError, Visitor};
use headshot_app::audit::Actor;
use headshot_app::organizations::{self, NewOrganization};
use headshot_domain::Plan;
use headshot_storage::sign_in::LinkPurpose;
use headshot_testkit::{ManualClock, TestDb, app, sqlite};

const EMAIL: &str = "owner@acme.example";
const PASSWORD: &str = "correct horse battery";
const MOMENT: Duration = Duration::from_millis(1);

struct Office {
    app: Arc<App>,
    clock: Arc<ManualClock>,
    setup: String,
    _database: TestDb,
}

async fn office() -> Office {
    let database = sqlite().await;
    let clock = ManualClock::new();
    let app = app(&database.db, &clock);
    let new = NewOrganization {
        name: "Acme".to_owned(),
        website: String::new(),
        owner: EMAIL.parse().unwrap(),
        plan: Plan::Standard,
        credits: None,
        whitelabel: false,
    };
    let created = organizations::create(&app, &Actor::command_line(), new)
        .await
        .unwrap();
    let setup = created.setup_token.unwrap();
    Office {
        app,
        clock,
        setup,
        _database: database,
    }
}

fn visitor() -> Visitor {
    Visitor {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        user_agent: "test".to_owned(),
        device: None,
    }
}

impl Office {
    async fn set_up(&self) -> String {
        let password = PASSWORD.to_owned().into();
        let given = (Some("Olivia"), password);
        let session =
            accounts::set_password_by_link(&self.app, &visitor(), &self.setup, given).await;
        session.unwrap().token
    }

    async fn is_signed_in(&self, token: &str) -> bool {
        accounts::session(&self.app, token).await.unwrap().is_some()
    }

    async fn sign_in(&self, password: &str) -> Result<String, SignInError> {
        let password = password.to_owned().into();
        let session = accounts::sign_in(&self.app, &visitor(), EMAIL, password).await;
        session.map(|session| session.token)
    }
}

#[tokio::test]
async fn a_session_ends_after_12_hours_without_use() {
    let office = office().await;
    let token = office.set_up().await;
    office.clock.advance(IDLE_TIMEOUT - MOMENT);
    assert!(office.is_signed_in(&token).await);
    office.clock.advance(IDLE_TIMEOUT - MOMENT);
    assert!(office.is_signed_in(&token).await, "the use began it anew");
    office.clock.advance(IDLE_TIMEOUT);
    assert!(!office.is_signed_in(&token).await);
}

#[tokio::test]
async fn a_session_ends_after_7_days_however_busy() {
    let office = office().await;
    let token = office.set_up().await;
    let step = Duration::from_secs(6 * 60 * 60);
    let mut left = ABSOLUTE_TIMEOUT;
    while left > step {
        office.clock.advance(step);
        left -= step;
        assert!(office.is_signed_in(&token).await, "{left:?} left");
    }
    office.clock.advance(left - MOMENT);
    assert!(office.is_signed_in(&token).await);
    office.clock.advance(MOMENT);
    assert!(!office.is_signed_in(&token).await);
}

#[tokio::test]
async fn a_password_is_recent_for_10_minutes() {
    let office = office().await;
    let token = office.set_up().await;
    let is_recent = async || {
        let signed_in = accounts::session(&office.app, &token).await.unwrap();
        let now = headshot_domain::Clock::now(&*office.clock);
        signed_in.unwrap().is_recent(now)
    };
    office.clock.advance(accounts::RECENT - MOMENT);
    assert!(is_recent().await);
    office.clock.advance(MOMENT);
    assert!(!is_recent().await, "a use of the session does not count");
    let signed_in = accounts::session(&office.app, &token)
        .await
        .unwrap()
        .unwrap();
    let wrong = "something else".to_owned().into();
    let refused = accounts::confirm_password(&office.app, &signed_in, &visitor(), wrong).await;
    assert!(matches!(refused, Err(SignInError::Wrong)));
    assert!(!is_recent().await);
    let right = PASSWORD.to_owned().into();
    accounts::confirm_password(&office.app, &signed_in, &visitor(), right)
        .await
        .unwrap();
    assert!(is_recent().await);
}

#[tokio::test]
async fn links_end_by_time_and_by_use() {
    let office = office().await;
    office.clock.advance(accounts::SETUP_LINK_LIFE - MOMENT);
    let open = accounts::open_link(&office.app, &office.setup).await;
    assert!(open.unwrap().is_some());
    office.clock.advance(MOMENT);
    let open = accounts::open_link(&office.app, &office.setup).await;
    assert!(open.unwrap().is_none());

    let email = EMAIL.parse().unwrap();
    let make = || {
        let actor = Actor::command_line();
        let (app, email) = (&office.app, &email);
        async move { accounts::make_link(app, &actor, email, LinkPurpose::SignIn).await }
    };
    let token = make().await.unwrap().unwrap();
    let once = accounts::sign_in_by_link(&office.app, &visitor(), &token).await;
    assert!(once.unwrap().is_some());
    let twice = accounts::sign_in_by_link(&office.app, &visitor(), &token).await;
    assert!(twice.unwrap().is_none());
    let late = make().await.unwrap().unwrap();
    office.clock.advance(accounts::SIGN_IN_LINK_LIFE);
    let late = accounts::sign_in_by_link(&office.app, &visitor(), &late).await;
    assert!(late.unwrap().is_none());
}

#[tokio::test]
async fn the_throttle_ends_with_its_window() {
    let office = office().await;
    office.set_up().await;
    for _ in 0..accounts::ACCOUNT_FAILURES_MAX {
        assert!(matches!(
            office.sign_in("a wrong guess").await,
            Err(SignInError::Wrong)
        ));
    }
    let refused = office.sign_in(PASSWORD).await;
    assert!(matches!(refused, Err(SignInError::Throttled { .. })));
    office.clock.advance(accounts::FAILURE_WINDOW - MOMENT);
    let refused = office.sign_in(PASSWORD).await;
    assert!(matches!(refused, Err(SignInError::Throttled { .. })));
    office.clock.advance(MOMENT + MOMENT);
    assert!(office.sign_in(PASSWORD).await.is_ok());
}
