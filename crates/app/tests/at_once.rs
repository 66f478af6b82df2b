//! Two transactions at once, on both databases. PostgreSQL lets both run, so one of them is held in
//! the middle by the test; SQLite lets one wait from the start.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use headshot_app::access::Visit;
use headshot_app::accounts::{
    self, LinkPurpose, Others, SetPasswordError, SignInError, SignedIn, Visitor,
};
use headshot_app::audit::Actor;
use headshot_app::consent::{self, Said};
use headshot_app::idempotency::Once;
use headshot_app::invites::{self, JoinError};
use headshot_app::keys::CreateError as CreateKeyError;
use headshot_app::mail::{self, RemindError};
use headshot_app::models::{self, CreateError, DeleteError, NewModel};
use headshot_app::organizations::{self, NewOrganization};
use headshot_app::teams::{self, TeamError};
use headshot_app::{App, access, gallery, keys, maintenance, members, roles, webhooks};
use headshot_domain::{
    Credits, Email, InviteId, KeyHint, Liked, ModelId, ModelStatus, ModelVersion, Networks, OrgId,
    PhotoId, PhotoStatus, Plan, Role, ScopeSet, TeamId, UserId,
};
use headshot_storage::api_keys::{self, ApiKey, LIVE_MAX, Secret};
use headshot_storage::models::Model;
use headshot_storage::photos::{self, Photo};
use headshot_storage::teams::{TEAMS_MAX, Team};
use headshot_storage::users::{self, User};
use headshot_storage::{
    Error, WriteTx, jobs as job_rows, models as model_rows, organizations as organization_rows,
    tallies, teams as team_rows, webhooks as webhook_rows,
};
use headshot_testkit::{ManualClock, TestDb, waits_for};
use rstest::rstest;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Sqlite,
    Postgres,
}

struct Place {
    app: Arc<App>,
    clock: Arc<ManualClock>,
    org: OrgId,
    team: Team,
    _database: TestDb,
}

impl Kind {
    async fn open(self) -> Place {
        let database = match self {
            Self::Sqlite => headshot_testkit::sqlite().await,
            Self::Postgres => headshot_testkit::postgres().await,
        };
        let clock = ManualClock::new();
        let app = headshot_testkit::app(&database.db, &clock);
        let org = organization(&app, "acme").await;
        let by = (&org, &Actor::command_line());
        let made = teams::create(&app, by, "Sales", Once::unkept()).await;
        Place {
            team: made.unwrap().0,
            app,
            clock,
            org,
            _database: database,
        }
    }
}

async fn organization(app: &App, name: &str) -> OrgId {
    let new = NewOrganization {
        name: name.into(),
        website: String::new(),
        owner: format!("owner@{name}.example").parse().unwrap(),
        plan: Plan::Standard,
        credits: Some(Credits::whole(10)),
        whitelabel: true,
    };
    let created = organizations::create(app, &Actor::command_line(), new).await;
    created.unwrap().org.id
}

fn new_model(email: &str, team: Option<&TeamId>, development: bool) -> NewModel {
    NewModel {
        email: email.parse().unwrap(),
        team: team.cloned(),
        development,
        version: ModelVersion::Lora,
    }
}

async fn create(app: &App, org: &OrgId, new: &NewModel) -> Result<Model, CreateError> {
    let by = (org, &Actor::command_line());
    let created = models::create(app, by, new, Once::unkept()).await?;
    Ok(created.model)
}

impl Place {
    /// A session that holds a credit back.
    async fn session(&self, email: &str) -> Model {
        let new = new_model(email, None, false);
        create(&self.app, &self.org, &new).await.unwrap()
    }

    async fn invite(&self, email: &str, team: Option<&TeamId>) -> InviteId {
        let by = (&self.org, &Actor::command_line());
        let email: Email = email.parse().unwrap();
        let invite = invites::create(&self.app, by, (&email, team), Once::unkept()).await;
        invite.unwrap().id
    }

    async fn visit(&self, model: &Model) -> Visit {
        let visit = access::of_user(&self.app, &model.user, &model.id).await;
        visit.unwrap().unwrap()
    }

    async fn model(&self, id: &ModelId) -> Model {
        models::find(&self.app, &self.org, id)
            .await
            .unwrap()
            .unwrap()
    }

    /// A transaction that changes something of the organization.
    async fn change(&self) -> WriteTx {
        let mut tx = self.app.db.write().await.unwrap();
        organization_rows::lock(&mut tx, &self.org).await.unwrap();
        tx
    }

    /// Every count is right.
    async fn counts_are_right(&self) {
        let mut conn = self.app.db.read().await.unwrap();
        assert_eq!(tallies::wrong(&mut conn, 9).await.unwrap(), []);
    }
}

/// Changes a model as a transaction does that is not committed yet.
async fn changed(tx: &mut WriteTx, org: &OrgId, id: &ModelId, change: impl FnOnce(&mut Model)) {
    let before = model_rows::find(tx, org, id).await.unwrap().unwrap();
    let mut after = before.clone();
    change(&mut after);
    model_rows::update(tx, &before, &after).await.unwrap();
}

async fn photo(place: &Place, model: &Model) -> PhotoId {
    let photo = Photo {
        id: PhotoId::generate(&*place.app.entropy),
        org: model.org.clone(),
        model: model.id.clone(),
        place: 0,
        status: PhotoStatus::Active,
        liked: Liked::None,
        format: "jpg".into(),
        recipe: String::new(),
        created_at: place.app.clock.now(),
        deleted_at: None,
    };
    let mut tx = place.app.db.write().await.unwrap();
    assert!(photos::insert(&mut tx, &photo).await.unwrap());
    tx.commit().await.unwrap();
    photo.id
}

/// What a person, the API or the server does with a session.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Agree,
    Submit,
    Choose,
    Delete,
    Expire,
}

async fn does(deed: Deed, app: &App, visit: &Visit, photo: &PhotoId) {
    match deed {
        Deed::Agree => {
            let said = Said {
                name: "Jane Doe",
                gender: None,
                version: consent::VERSION,
            };
            consent::give(app, visit, said, HOME).await.unwrap();
        }
        Deed::Submit => {
            let ids = (&visit.org.id, &visit.model.id);
            models::submit(app, ids.0, ids.1).await.unwrap();
        }
        Deed::Choose => gallery::choose(app, visit, photo).await.unwrap(),
        Deed::Delete => access::erase(app, visit).await.unwrap(),
        Deed::Expire => maintenance::clean_up(app).await.unwrap(),
    }
}

/// Whoever moves a session into a team is not overwritten by somebody who read it before, and waits
/// for nobody who waits.
#[rstest]
#[tokio::test]
async fn a_move_meanwhile_is_kept(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values(Deed::Agree, Deed::Submit, Deed::Choose, Deed::Delete, Deed::Expire)] deed: Deed,
) {
    let place = kind.open().await;
    // A test session is submitted without photos.
    let development = matches!(deed, Deed::Submit);
    let new = new_model("jane@acme.example", None, development);
    let model = create(&place.app, &place.org, &new).await.unwrap();
    let visit = place.visit(&model).await;
    let photo = photo(&place, &model).await;
    if matches!(deed, Deed::Expire) {
        place.clock.advance(invites::LIFE);
    }

    let mut tx = place.change().await;
    let app = Arc::clone(&place.app);
    let task = tokio::spawn(async move { does(deed, &app, &visit, &photo).await });
    assert!(waits_for(&mut tx, &task).await);
    changed(&mut tx, &place.org, &model.id, |model| {
        model.team = Some(place.team.clone());
    })
    .await;
    tx.commit().await.unwrap();
    task.await.unwrap();

    let now = place.model(&model.id).await;
    assert_eq!(now.team, Some(place.team.clone()));
    match deed {
        Deed::Agree => assert_eq!(now.title, "Jane Doe"),
        Deed::Submit => assert_eq!(now.status, ModelStatus::Waiting),
        Deed::Choose => assert!(now.favorite.is_some()),
        Deed::Delete => assert_eq!(now.status, ModelStatus::Deleted),
        Deed::Expire => assert_eq!(now.reserved, Credits::ZERO),
    }
    place.counts_are_right().await;
}

/// A status that changes meanwhile does not make a live session a deleted one.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_session_that_changes_meanwhile_is_deleted_all_the_same(#[case] kind: Kind) {
    let place = kind.open().await;
    let model = place.session("jane@acme.example").await;
    let mut tx = place.change().await;
    let (app, ids) = (
        Arc::clone(&place.app),
        (place.org.clone(), model.id.clone()),
    );
    let task = tokio::spawn(async move {
        models::delete(&app, (&ids.0, &Actor::command_line()), &ids.1).await
    });
    assert!(waits_for(&mut tx, &task).await);
    changed(&mut tx, &place.org, &model.id, |model| {
        model.status = ModelStatus::Waiting;
        model.reserved = Credits::ZERO;
    })
    .await;
    tx.commit().await.unwrap();
    task.await.unwrap().unwrap();
    assert_eq!(place.model(&model.id).await.status, ModelStatus::Deleted);
    let by = (&place.org, &Actor::command_line());
    assert!(matches!(
        models::delete(&place.app, by, &model.id).await,
        Err(DeleteError::AlreadyDeleted)
    ));
    place.counts_are_right().await;
}

/// A status that changes while somebody chooses or is moved is no failure.
#[rstest]
#[tokio::test]
async fn a_status_that_changes_meanwhile_fails_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values(false, true)] moves: bool,
) {
    let place = kind.open().await;
    let model = place.session("jane@acme.example").await;
    let visit = place.visit(&model).await;
    let photo = photo(&place, &model).await;
    let mut tx = place.change().await;
    let (app, org, team) = (
        Arc::clone(&place.app),
        place.org.clone(),
        place.team.id.clone(),
    );
    let task = tokio::spawn(async move {
        if moves {
            let emails = [visit.model.email.parse::<Email>().unwrap()];
            let by = (&org, &Actor::command_line());
            let moved = teams::add_members(&app, by, (&team, &emails), Once::unkept()).await;
            assert_eq!(moved.unwrap(), 1);
        } else {
            gallery::choose(&app, &visit, &photo).await.unwrap();
        }
    });
    assert!(waits_for(&mut tx, &task).await);
    changed(&mut tx, &place.org, &model.id, |model| {
        model.status = ModelStatus::Waiting;
        model.reserved = Credits::ZERO;
    })
    .await;
    tx.commit().await.unwrap();
    task.await.unwrap();
    let now = place.model(&model.id).await;
    assert_eq!(now.status, ModelStatus::Waiting);
    assert_eq!(
        (now.team.is_some(), now.favorite.is_some()),
        (moves, !moves)
    );
    place.counts_are_right().await;
}

/// What names a team that is being deleted finds none.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_team_that_goes_meanwhile_is_not_found(#[case] kind: Kind) {
    let place = kind.open().await;
    let model = place.session("jane@acme.example").await;
    let invite = place.invite("bob@acme.example", Some(&place.team.id)).await;
    let mut tx = place.change().await;
    let (app, org, team) = (
        Arc::clone(&place.app),
        place.org.clone(),
        place.team.id.clone(),
    );
    let task = tokio::spawn(async move {
        let (by, email) = ((&org, &Actor::command_line()), "b@c.example");
        let new = new_model(email, Some(&team), false);
        let created = create(&app, &org, &new).await.unwrap_err();
        let invited = (&email.parse().unwrap(), Some(&team));
        let invited = invites::create(&app, by, invited, Once::unkept()).await;
        let emails = [model.email.parse().unwrap()];
        let moved = teams::add_members(&app, by, (&team, &emails), Once::unkept()).await;
        (created, invited.unwrap_err(), moved.unwrap_err())
    });
    assert!(waits_for(&mut tx, &task).await);
    let id = &place.team.id;
    headshot_storage::members::leave_team(&mut tx, id)
        .await
        .unwrap();
    headshot_storage::invites::leave_team(&mut tx, id)
        .await
        .unwrap();
    model_rows::leave_team(&mut tx, &place.org, id)
        .await
        .unwrap();
    assert!(team_rows::delete(&mut tx, &place.org, id).await.unwrap());
    // Who joins by an invite to that team joins without one.
    let app = Arc::clone(&place.app);
    let join = tokio::spawn(async move {
        let email = "bob@acme.example".parse().unwrap();
        invites::join(&app, &invite, (&email, None)).await
    });
    assert!(waits_for(&mut tx, &join).await);
    tx.commit().await.unwrap();
    let (created, invited, moved) = task.await.unwrap();
    assert!(matches!(created, CreateError::NoSuchTeam), "{created:?}");
    assert!(
        matches!(invited, invites::CreateError::NoSuchTeam),
        "{invited:?}"
    );
    assert!(matches!(moved, TeamError::NotFound), "{moved:?}");
    assert_eq!(join.await.unwrap().unwrap().model.team, None);
    place.counts_are_right().await;
}

/// Two organizations at once: the account is made once, and the other gets the contract's answer.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn an_address_that_is_taken_meanwhile(#[case] kind: Kind) {
    let place = kind.open().await;
    let invite = place.invite("jane@acme.example", None).await;
    let (first, second) = ("ann@other.example", "jane@acme.example");
    for (email, joins) in [(first, false), (second, true)] {
        let mut tx = place.app.db.write().await.unwrap();
        let user = User {
            id: UserId::generate(&*place.app.entropy),
            email: email.into(),
            name: None,
            password_hash: None,
        };
        let now = place.app.clock.now();
        users::insert(&mut tx, &user, &email.parse().unwrap(), now)
            .await
            .unwrap();
        let (app, org, invite) = (Arc::clone(&place.app), place.org.clone(), invite.clone());
        let task = tokio::spawn(async move {
            if joins {
                let joined = invites::join(&app, &invite, (&email.parse().unwrap(), None)).await;
                Some(joined.unwrap().user.id)
            } else {
                let new = new_model(email, None, false);
                let refused = create(&app, &org, &new).await.unwrap_err();
                assert!(matches!(refused, CreateError::AlreadyExists), "{refused:?}");
                None
            }
        });
        assert!(waits_for(&mut tx, &task).await);
        tx.commit().await.unwrap();
        // Who joins is the person with the account.
        assert_eq!(task.await.unwrap(), joins.then_some(user.id));
    }
    place.counts_are_right().await;
}

/// An invite is used once, also by two people at once.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn an_invite_is_used_once(#[case] kind: Kind) {
    let place = kind.open().await;
    let invite = place.invite("jane@acme.example", None).await;
    let mut tx = place.change().await;
    let joins = ["jane@acme.example", "ann@acme.example"].map(|email| {
        let (app, invite) = (Arc::clone(&place.app), invite.clone());
        tokio::spawn(
            async move { invites::join(&app, &invite, (&email.parse().unwrap(), None)).await },
        )
    });
    for join in &joins {
        assert!(waits_for(&mut tx, join).await);
    }
    tx.commit().await.unwrap();
    let mut used = 0;
    for join in joins {
        match join.await.unwrap() {
            Ok(_) => used += 1,
            Err(error) => assert!(matches!(error, JoinError::Closed), "{error:?}"),
        }
    }
    assert_eq!(used, 1);
    place.counts_are_right().await;
}

async fn insert_team(tx: &mut WriteTx, place: &Place, n: i64) {
    let team = Team {
        id: TeamId::generate(&*place.app.entropy),
        name: format!("Team {n}"),
    };
    let now = place.app.clock.now();
    team_rows::insert(tx, &place.org, &team, now).await.unwrap();
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn teams_are_limited_at_n_and_n_plus_one(#[case] kind: Kind) {
    let place = kind.open().await;
    let create = |name: &'static str| {
        let (app, org) = (Arc::clone(&place.app), place.org.clone());
        async move {
            let by = (&org, &Actor::command_line());
            let made = teams::create(&app, by, name, Once::unkept()).await;
            made.map(|(team, _)| team)
        }
    };
    let mut tx = place.change().await;
    for n in 1..TEAMS_MAX - 1 {
        insert_team(&mut tx, &place, n).await;
    }
    tx.commit().await.unwrap();
    let last = create("Last").await.unwrap();
    assert!(matches!(create("More").await, Err(TeamError::TooMany)));
    let by = (&place.org, &Actor::command_line());
    teams::delete(&place.app, by, &last.id).await.unwrap();

    // Two at once where there is room for one.
    let mut tx = place.change().await;
    let task = tokio::spawn(create("Late"));
    assert!(waits_for(&mut tx, &task).await);
    insert_team(&mut tx, &place, TEAMS_MAX).await;
    tx.commit().await.unwrap();
    assert!(matches!(task.await.unwrap(), Err(TeamError::TooMany)));
}

async fn insert_key(tx: &mut WriteTx, place: &Place, n: i64) -> Result<(), Error> {
    let key = ApiKey {
        id: format!("key_{n}").as_str().into(),
        org: place.org.clone(),
        name: format!("Key {n}"),
        hint: KeyHint {
            first: "hsp_abcd".into(),
            last: "wxyz".into(),
        },
        scopes: ScopeSet::FULL,
        networks: Networks::default(),
        created_by: "command line".into(),
        created_at: place.app.clock.now(),
        expires_at: None,
        deleted_at: None,
        deleted_by: None,
        last_use: None,
        browser_used_at: None,
    };
    let digest = n.to_be_bytes().repeat(4);
    let secret = Secret {
        digest: &digest,
        pepper_id: "p1",
        nonce: None,
    };
    api_keys::insert(tx, &key, secret).await
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn keys_are_limited_at_n_and_n_plus_one(#[case] kind: Kind) {
    let place = kind.open().await;
    let create = || {
        let (app, org) = (Arc::clone(&place.app), place.org.clone());
        async move {
            let new = keys::NewKey {
                name: "Last".into(),
                scopes: ScopeSet::FULL,
                networks: Networks::default(),
                expires_at: None,
                nonce: None,
            };
            let made = keys::create(&app, &Actor::command_line(), &org, new).await;
            made.map(|(key, _)| key)
        }
    };
    let mut tx = place.change().await;
    for n in 1..LIVE_MAX {
        insert_key(&mut tx, &place, n).await.unwrap();
    }
    tx.commit().await.unwrap();
    let last = create().await.unwrap();
    let refused = create().await;
    assert!(matches!(refused, Err(keys::CreateError::TooMany)));
    keys::delete(&place.app, &Actor::command_line(), None, &last.id)
        .await
        .unwrap();

    // Two at once where there is room for one.
    let mut tx = place.change().await;
    let task = tokio::spawn(create());
    assert!(waits_for(&mut tx, &task).await);
    insert_key(&mut tx, &place, LIVE_MAX).await.unwrap();
    tx.commit().await.unwrap();
    let refused = task.await.unwrap();
    assert!(matches!(refused, Err(keys::CreateError::TooMany)));
}

/// A person is reminded once a day, also by two admins at once.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_person_is_reminded_once(#[case] kind: Kind) {
    let place = kind.open().await;
    let invite = place.invite("jane@acme.example", None).await;
    place.clock.advance(Duration::from_hours(24));
    let mut tx = place.change().await;
    let reminds = [0, 1].map(|_| {
        let (app, org, invite) = (Arc::clone(&place.app), place.org.clone(), invite.clone());
        tokio::spawn(
            async move { mail::remind(&app, (&org, &Actor::command_line()), &invite).await },
        )
    });
    for remind in &reminds {
        assert!(waits_for(&mut tx, remind).await);
    }
    tx.commit().await.unwrap();
    let mut reminded = 0;
    for remind in reminds {
        match remind.await.unwrap() {
            Ok(()) => reminded += 1,
            Err(error) => assert!(matches!(error, RemindError::TooSoon), "{error:?}"),
        }
    }
    assert_eq!(reminded, 1);
}

/// A person who existed for sessions only is invited while the last session is deleted.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn who_joins_meanwhile_keeps_the_account(#[case] kind: Kind) {
    let place = kind.open().await;
    let other = organization(&place.app, "other").await;
    let model = place.session("jane@acme.example").await;
    let email: Email = "jane@acme.example".parse().unwrap();
    let mut tx = place.app.db.write().await.unwrap();
    // As a membership of another organization begins.
    assert!(users::keep(&mut tx, &model.user).await.unwrap());
    let (app, ids) = (
        Arc::clone(&place.app),
        (place.org.clone(), model.id.clone()),
    );
    let task = tokio::spawn(async move {
        models::delete(&app, (&ids.0, &Actor::command_line()), &ids.1).await
    });
    assert!(waits_for(&mut tx, &task).await);
    let place_there = (Role::Member, None);
    let now = place.app.clock.now();
    users::insert_membership(&mut tx, &other, &model.user, place_there, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    task.await.unwrap().unwrap();
    let mut conn = place.app.db.read().await.unwrap();
    let found = users::find_by_email(&mut conn, &email).await.unwrap();
    assert_eq!(found.unwrap().id, model.user);
    drop(conn);
    let actor = Actor::command_line();
    members::remove(&place.app, (&other, &actor), &email)
        .await
        .unwrap();
    place.counts_are_right().await;
}

/// Many people at once, who each want several rows in another order.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_in_opposite_orders_wait_for_each_other(#[case] kind: Kind) {
    let place = kind.open().await;
    let by = (&place.org, &Actor::command_line());
    let other = teams::create(&place.app, by, "Product", Once::unkept()).await;
    let other = other.unwrap().0;
    let mut emails: Vec<Email> = Vec::new();
    for n in 0..6 {
        let model = place.session(&format!("p{n}@acme.example")).await;
        emails.push(model.email.parse().unwrap());
    }
    for _ in 0..8 {
        let forth = teams::add_members(&place.app, by, (&other.id, &emails), Once::unkept());
        let reversed: Vec<Email> = emails.iter().rev().cloned().collect();
        let id = &place.team.id;
        let back = teams::add_members(&place.app, by, (id, &reversed), Once::unkept());
        let (forth, back) = tokio::join!(forth, back);
        assert_eq!((forth.unwrap(), back.unwrap()), (6, 6));
    }
    place.counts_are_right().await;
}

const HOOK: &str = "http://127.0.0.1:9/";

/// The secret that is shown is the one that signs.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn one_of_several_first_saves_makes_the_webhook_secret(#[case] kind: Kind) {
    let place = kind.open().await;
    let mut tx = place.change().await;
    let saves = [0; 4].map(|_| {
        let (app, org) = (Arc::clone(&place.app), place.org.clone());
        tokio::spawn(async move {
            let saved = webhooks::save_url(&app, &Actor::command_line(), &org, HOOK).await;
            saved.unwrap().is_some()
        })
    });
    for save in &saves {
        assert!(waits_for(&mut tx, save).await);
    }
    tx.commit().await.unwrap();
    let mut shown = 0;
    for save in saves {
        shown += usize::from(save.await.unwrap());
    }
    assert_eq!(shown, 1);
}

/// What one of them changes is not undone by the other.
#[rstest]
#[tokio::test]
async fn webhook_settings_change_one_after_the_other(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values(false, true)] removes: bool,
) {
    let place = kind.open().await;
    let (app, org, actor) = (&place.app, &place.org, Actor::command_line());
    let saved = webhooks::save_url(app, &actor, org, HOOK).await;
    assert!(saved.unwrap().is_some());
    let mut tx = place.change().await;
    let (app, org) = (Arc::clone(&place.app), place.org.clone());
    let task = tokio::spawn(async move {
        let (actor, zero) = (Actor::command_line(), Duration::ZERO);
        if removes {
            webhooks::remove(&app, &actor, &org).await
        } else {
            webhooks::rotate(&app, &actor, &org, zero).await.map(drop)
        }
    });
    assert!(waits_for(&mut tx, &task).await);
    assert!(
        webhook_rows::remove_endpoint(&mut tx, &place.org)
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    let refused = task.await.unwrap();
    assert!(matches!(refused, Err(webhooks::ChangeError::NoEndpoint)));
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn an_event_is_replayed_once(#[case] kind: Kind) {
    let place = kind.open().await;
    let (app, org, actor) = (&place.app, &place.org, Actor::command_line());
    webhooks::save_url(app, &actor, org, HOOK).await.unwrap();
    let id = webhooks::send_test(app, &actor, org).await.unwrap();
    let mut tx = place.change().await;
    let failed = headshot_domain::WebhookState::Failed;
    webhook_rows::set_state(&mut tx, &id, failed).await.unwrap();
    let hooks = headshot_domain::JobKind::WebhookDeliver;
    job_rows::forget_queued(&mut tx, hooks, org.as_str())
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let mut tx = place.change().await;
    let replays = [0, 1, 2, 3, 4, 5].map(|number| {
        let (app, org, id) = (Arc::clone(&place.app), place.org.clone(), id.clone());
        tokio::spawn(async move {
            let actor = Actor::command_line();
            if number % 2 == 0 {
                webhooks::replay(&app, &actor, &org, &id).await.is_ok()
            } else {
                webhooks::replay_failed(&app, &actor, &org).await.unwrap() > 0
            }
        })
    });
    for replay in &replays {
        assert!(waits_for(&mut tx, replay).await);
    }
    tx.commit().await.unwrap();
    let mut accepted = 0;
    for replay in replays {
        accepted += usize::from(replay.await.unwrap());
    }
    assert_eq!(accepted, 1);
    let queued = headshot_domain::JobState::Queued;
    let jobs = headshot_app::jobs::list(&place.app, Some(&place.org), queued).await;
    assert_eq!(jobs.unwrap().len(), 1);
}

fn visitor() -> Visitor {
    Visitor {
        address: HOME,
        user_agent: "test".to_owned(),
        device: None,
    }
}

const OWNER: &str = "owner@acme.example";

impl Place {
    /// Sets the owner's password by a link; the session's token.
    async fn set_by_link(&self, password: &str) -> Result<String, SetPasswordError> {
        let (app, actor) = (&self.app, Actor::command_line());
        let (owner, from) = (OWNER.parse().unwrap(), visitor());
        let link = accounts::make_link(app, &actor, &owner, LinkPurpose::Reset).await;
        let (link, password) = (link.unwrap().unwrap(), password.to_owned().into());
        let set = accounts::set_password_by_link(app, &from, &link, (None, password)).await;
        set.map(|session| session.token)
    }

    async fn sign_in(&self, password: &str) -> Result<String, SignInError> {
        let (from, password) = (visitor(), password.to_owned().into());
        let session = accounts::sign_in(&self.app, &from, OWNER, password).await;
        session.map(|session| session.token)
    }

    async fn signed_in(&self, token: &str) -> Option<SignedIn> {
        accounts::session(&self.app, token).await.unwrap()
    }

    async fn generate(&self, by: &SignedIn) -> Result<ApiKey, CreateKeyError> {
        let new = keys::NewKey {
            name: "Last".into(),
            scopes: ScopeSet::FULL,
            networks: Networks::default(),
            expires_at: None,
            nonce: None,
        };
        let made = keys::create(&self.app, &by.actor(HOME), &self.org, new).await;
        made.map(|(key, _)| key)
    }
}

/// Whoever holds the old password signs in while the owner sets a new one.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn no_session_of_an_old_password_outlives_a_reset(#[case] kind: Kind) {
    let place = kind.open().await;
    place.set_by_link("password 0").await.unwrap();
    for round in 0..8 {
        let (old, new) = (
            format!("password {round}"),
            format!("password {}", round + 1),
        );
        let (reset, entered) = tokio::join!(place.set_by_link(&new), place.sign_in(&old));
        let owner = place.signed_in(&reset.unwrap()).await.unwrap();
        if let Ok(token) = entered {
            assert!(place.signed_in(&token).await.is_none(), "round {round}");
        }
        let left = accounts::list_sessions(&place.app, &owner.user.id).await;
        assert_eq!(left.unwrap().len(), 1, "round {round}");
    }
}

/// Whoever is signed in with the old password replaces it while the owner does so by a link.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_new_passwords_is_set(#[case] kind: Kind) {
    let place = kind.open().await;
    let mut present = "password".to_owned();
    place.set_by_link(&present).await.unwrap();
    for round in 0..8 {
        let token = place.sign_in(&present).await.unwrap();
        let thief = place.signed_in(&token).await.unwrap();
        let (by_link, by_thief) = (format!("by link {round}"), format!("by thief {round}"));
        let words = (present.clone().into(), by_thief.clone().into());
        let from = visitor();
        let (reset, changed) = tokio::join!(
            place.set_by_link(&by_link),
            accounts::set_password(&place.app, &thief, &from, words),
        );
        present = match (reset, changed) {
            (Ok(_), Err(_)) => by_link,
            (Err(SetPasswordError::LinkGone), Ok(())) => by_thief,
            other => panic!("{:?}", (other.0.err(), other.1.err())),
        };
        place.sign_in(&present).await.unwrap();
    }
}

/// What a request began with may be taken back before it does anything.
#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_allows_nothing(#[case] kind: Kind) {
    let place = kind.open().await;
    let first = place.set_by_link("password").await.unwrap();
    let first = place.signed_in(&first).await.unwrap();
    let other = place.sign_in("password").await.unwrap();
    let other = place.signed_in(&other).await.unwrap();
    place.generate(&other).await.unwrap();
    accounts::sign_out_others(&place.app, &first, HOME, Others::All)
        .await
        .unwrap();
    let late = place.generate(&other).await;
    assert!(matches!(
        late,
        Err(CreateKeyError::Internal(Error::TakenBack))
    ));
    let back = accounts::sign_out_others(&place.app, &other, HOME, Others::All).await;
    assert!(matches!(back, Err(Error::TakenBack)));
    let (from, password) = (visitor(), "password".to_owned().into());
    let confirmed = accounts::confirm_password(&place.app, &other, &from, password).await;
    assert!(matches!(
        confirmed,
        Err(SignInError::Internal(Error::TakenBack))
    ));

    // An admin who is a member since.
    let admin = "admin@acme.example".parse().unwrap();
    let (app, by) = (&place.app, (&place.org, &Actor::command_line()));
    roles::set(app, by, (&admin, None), (Role::Admin, None))
        .await
        .unwrap();
    let link = accounts::make_link(app, by.1, &admin, LinkPurpose::Setup).await;
    let password = "password".to_owned().into();
    let token = link.unwrap().unwrap();
    let session = accounts::set_password_by_link(app, &from, &token, (None, password)).await;
    let admin_in = place.signed_in(&session.unwrap().token).await.unwrap();
    place.generate(&admin_in).await.unwrap();
    roles::set(app, by, (&admin, None), (Role::Member, None))
        .await
        .unwrap();
    let late = place.generate(&admin_in).await;
    assert!(matches!(
        late,
        Err(CreateKeyError::Internal(Error::TakenBack))
    ));
    let kept = keys::list(app, &place.org).await.unwrap();
    assert_eq!(kept.live.len(), 2);
}
