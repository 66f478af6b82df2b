//! An organization with a key, on a database of its own, and a way to call the API.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response};
use headshot_app::audit::Actor;
use headshot_app::keys::{self, NewKey};
use headshot_app::organizations::{self, NewOrganization};
use headshot_app::{App, Settings, invites, maintenance, models, studio};
use headshot_blobs::{Location, Objects};
use headshot_domain::{
    Credits, Email, InviteId, ModelId, Networks, OrgId, Plan, ScopeSet, TrustedProxies, UploadId,
};
use headshot_storage::uploads::{self, Upload};
use headshot_testkit::{ManualClock, TestDb};
use headshot_web::{Limits, UploadLimits, Web};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::contract;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) org: OrgId,
    pub(crate) key: String,
    router: Router,
    _database: TestDb,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    /// Status and body, with what differs from run to run masked.
    pub(crate) fn shown(&self) -> String {
        let text = serde_json::to_string_pretty(&masked(&self.body)).unwrap();
        format!("{}\n{text}", self.status)
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// Status and code of an error.
    pub(crate) fn error(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

/// Ids are told by their form, secrets by their place.
fn masked(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let text = value.as_str().unwrap_or_default();
                let hex = text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit());
                let value = match name.as_str() {
                    "link" => "[link]".into(),
                    "signedUrl" => "[signed URL]".into(),
                    "uid" if text.starts_with("org_") => "[org]".into(),
                    "uid" if text.starts_with("anon_") => "[anon]".into(),
                    _ if text.starts_with("team_") && text.len() == 17 => "[team]".into(),
                    _ if hex => "[id]".into(),
                    "id" if text.len() == 24 => "[invite]".into(),
                    _ => masked(value),
                };
                (name.clone(), value)
            })
            .collect(),
        other => other.clone(),
    }
}

fn surroundings() -> (Arc<ManualClock>, Objects) {
    let objects = Objects::open(&Location::Memory).unwrap();
    (ManualClock::new(), objects)
}

impl World {
    /// An organization with 10 credits and whitelabel, and a key that may do everything.
    pub(crate) async fn new(kind: Kind) -> Self {
        Self::with(kind, Some(Credits::whole(10)), true).await
    }

    pub(crate) async fn with(kind: Kind, credits: Option<Credits>, whitelabel: bool) -> Self {
        Self::set(kind, (credits, whitelabel), headshot_testkit::settings()).await
    }

    /// Where the operator allows so many open invites, and credits are not counted.
    pub(crate) async fn limited(open_invites_max: i64) -> Self {
        let mut settings = headshot_testkit::settings();
        settings.open_invites_max = Some(open_invites_max);
        Self::set(Kind::Sqlite, (None, true), settings).await
    }

    /// Where nothing is random and nobody is yet: ids, links and times are always the same.
    pub(crate) async fn seeded(seed: u64) -> Self {
        let database = headshot_testkit::sqlite().await;
        let (clock, objects) = surroundings();
        let outside = (&objects, headshot_testkit::settings());
        let app = headshot_testkit::app_seeded(&database.db, &clock, outside, seed);
        Self::of(database, clock, (app, UploadLimits::default()))
    }

    /// Where uploads have other bounds.
    pub(crate) async fn taking(limits: UploadLimits, studio: studio::Limits) -> Self {
        let database = headshot_testkit::sqlite().await;
        let (clock, objects) = surroundings();
        let mut settings = headshot_testkit::settings();
        settings.studio = studio;
        let app = headshot_testkit::app_on(&database.db, &clock, &objects, settings);
        let mut world = Self::of(database, clock, (app, limits));
        (world.org, world.key) = world.organization("Acme", None, true).await;
        world
    }

    async fn set(
        kind: Kind,
        (credits, whitelabel): (Option<Credits>, bool),
        settings: Settings,
    ) -> Self {
        let database = match kind {
            Kind::Sqlite => headshot_testkit::sqlite().await,
            Kind::Postgres => headshot_testkit::postgres().await,
        };
        let (clock, objects) = surroundings();
        let app = headshot_testkit::app_on(&database.db, &clock, &objects, settings);
        let mut world = Self::of(database, clock, (app, UploadLimits::default()));
        (world.org, world.key) = world.organization("Acme", credits, whitelabel).await;
        world
    }

    fn of(
        database: TestDb,
        clock: Arc<ManualClock>,
        (app, uploads): (Arc<App>, UploadLimits),
    ) -> Self {
        let limits = Limits {
            uploads,
            ..Limits::default()
        };
        let web = Web::with_limits(Arc::clone(&app), TrustedProxies::default(), limits);
        Self {
            router: headshot_web::router(&web),
            app,
            clock,
            org: OrgId::from(""),
            key: String::new(),
            _database: database,
        }
    }

    /// One more organization and a key of it.
    pub(crate) async fn organization(
        &self,
        name: &str,
        credits: Option<Credits>,
        whitelabel: bool,
    ) -> (OrgId, String) {
        self.on_plan(Plan::Unlimited, (name, credits), whitelabel)
            .await
    }

    /// The same on another plan.
    pub(crate) async fn on_plan(
        &self,
        plan: Plan,
        (name, credits): (&str, Option<Credits>),
        whitelabel: bool,
    ) -> (OrgId, String) {
        let host = name.split(' ').next().unwrap().to_lowercase();
        let new = NewOrganization {
            name: name.into(),
            website: "https://acme.com".into(),
            owner: format!("owner@{host}.example").parse().unwrap(),
            plan,
            credits,
            whitelabel,
        };
        let actor = Actor::command_line();
        let created = organizations::create(&self.app, &actor, new).await.unwrap();
        let key = self.key_of(&created.org.id, ScopeSet::FULL).await;
        (created.org.id, key)
    }

    pub(crate) async fn key_of(&self, org: &OrgId, scopes: ScopeSet) -> String {
        let new = NewKey {
            name: "Test".into(),
            scopes,
            networks: Networks::default(),
            expires_at: None,
            nonce: None,
        };
        let made = keys::create(&self.app, &Actor::command_line(), org, new).await;
        made.unwrap().1.expose().to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, &[], &body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, &[], &body.to_string()).await
    }

    pub(crate) async fn as_key(&self, key: &str, method: &str, path: &str, body: &str) -> Answer {
        self.call_as(key, method, path, &[], body).await
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.call_as(&self.key, method, path, headers, body).await
    }

    async fn call_as(
        &self,
        key: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let authorization = format!("Bearer {key}");
        let mut all = vec![("authorization", authorization.as_str())];
        all.extend(headers);
        let answer = self.send(method, path, &all, body).await;
        contract::check(method, path, answer.status, &answer.body);
        answer
    }

    /// The answer to a request for a page or a file.
    pub(crate) async fn page(&self, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// A request as it is, and its answer, whatever the contract says of it.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(text.to_vec()).unwrap();
        let body: Value = serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("{method} {path} answered with {text:?}"));
        for name in [
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
        ] {
            assert!(parts.headers.contains_key(name), "{method} {path}: {name}");
        }
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            text,
        }
    }

    /// A request of a browser: status, headers and text of the answer.
    pub(crate) async fn ask(&self, request: Request<Body>) -> (u16, HeaderMap, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(text.to_vec()).unwrap();
        (parts.status.as_u16(), parts.headers, text)
    }

    /// Invites and lets the person join; the person's model.
    pub(crate) async fn joined(&self, email: &str, team: Option<&str>) -> String {
        let mut body = serde_json::json!({ "email": email });
        if let Some(team) = team {
            body["teamId"] = team.into();
        }
        let invite = self
            .post("/api/v2/organization/invites", &body)
            .await
            .expect(200);
        let id = InviteId::from(invite["id"].as_str().unwrap());
        let email: Email = email.parse().unwrap();
        let joined = invites::join(&self.app, &id, (&email, Some("Ann Example"))).await;
        joined.unwrap().model.id.to_string()
    }

    pub(crate) async fn team(&self, name: &str) -> String {
        let body = serde_json::json!({ "name": name });
        let answer = self
            .post("/api/v2/organization/teams", &body)
            .await
            .expect(200);
        let teams = answer["organization"]["teams"].as_array().unwrap();
        let team = teams.iter().find(|team| team["name"] == name).unwrap();
        team["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn credits(&self) -> Value {
        self.get("/api/v2/organization/credits").await.expect(200)["credits"].clone()
    }

    pub(crate) async fn later(&self, by: Duration) {
        self.clock.advance(by);
        maintenance::clean_up(&self.app).await.unwrap();
    }
}

impl World {
    /// Submits a session as if a usable photo had been uploaded for it.
    pub(crate) async fn submitted(&self, model: &str) {
        let model = ModelId::from(model);
        let upload = Upload {
            id: UploadId::generate(&*self.app.entropy),
            org: self.org.clone(),
            model: model.clone(),
            digest: vec![7; 32],
            format: "jpg".into(),
            bytes: 7,
            verdict: "{}".into(),
            usable: true,
            created_at: self.app.clock.now(),
        };
        let mut tx = self.app.db.write().await.unwrap();
        uploads::insert(&mut tx, &upload).await.unwrap();
        tx.commit().await.unwrap();
        models::submit(&self.app, &self.org, &model).await.unwrap();
    }
}
