//! The samples of the documentation: a story that calls every operation, on a clock and with
//! randomness that repeat themselves, and what came back. The record is a file of the library, which
//! the pages and the OpenAPI document print, so they can't show what the router does not say.

use std::collections::BTreeSet;
use std::time::Duration;

use headshot_app::invites;
use headshot_domain::{
    Credits, Email, InviteId, Liked, ModelId, ModelStatus, PhotoId, PhotoStatus, Plan, ScopeSet,
};
use headshot_storage::models as rows;
use headshot_storage::photos::{self, Photo};
use serde_json::{Value, json};

use crate::world::{Answer, World};

const RECORD: &str = include_str!("../../src/docs/samples.http");

const HEAD: &str = "\
# What every operation is sent and answers, in the order of a story. The documentation and the
# examples of the OpenAPI document are made of it. Recorded by crates/web/tests/api/samples.rs,
# which writes a new record to target/tmp/samples.http when this one is stale: review it, copy it.
";

const BASE_URL: &str = "http://127.0.0.1:8080";

const V2: &str = "/api/v2/organization";
const V1: &str = "/api/v1/organization";

struct Recorder {
    world: World,
    text: String,
    /// What succeeded with a key: operation, method, path, body.
    successes: Vec<[String; 4]>,
}

impl Recorder {
    /// Asks as the organization; the answer must have `status`.
    async fn ask(
        &mut self,
        operation: &str,
        (method, path): (&str, &str),
        body: Value,
        status: u16,
    ) -> Value {
        let key = self.world.key.clone();
        self.ask_as(&key, operation, (method, path), body, status)
            .await
    }

    /// Asks with another key.
    async fn ask_as(
        &mut self,
        key: &str,
        operation: &str,
        (method, path): (&str, &str),
        body: Value,
        status: u16,
    ) -> Value {
        let sent = indented(&body);
        let answer = self.world.as_key(key, method, path, &sent).await;
        if status == 200 {
            let success = [operation, method, path, &sent].map(str::to_owned);
            self.successes.push(success);
        }
        let head = "Authorization: Bearer YOUR_API_KEY\n";
        self.note(operation, (method, path, head, &sent), answer, status)
    }

    fn note(
        &mut self,
        operation: &str,
        (method, path, head, sent): (&str, &str, &str, &str),
        answer: Answer,
        status: u16,
    ) -> Value {
        assert_eq!(answer.status, status, "{operation}: {}", answer.text);
        let (content, sent) = if sent.is_empty() {
            ("", String::new())
        } else {
            ("Content-Type: application/json\n", format!("\n{sent}\n"))
        };
        let reason = axum::http::StatusCode::from_u16(status).unwrap();
        let reason = reason.canonical_reason().unwrap();
        let kind = answer.headers["content-type"].to_str().unwrap();
        let block = format!(
            "\n### {operation}\n{method} {BASE_URL}{path}\n{head}{content}{sent}\n\
             HTTP/1.1 {status} {reason}\nContent-Type: {kind}\n\n{}\n",
            indented_as_sent(&answer.text),
        );
        self.text += &block.replace(BASE_URL, "{{base_url}}");
        self.world.clock.advance(Duration::from_mins(1));
        answer.body
    }
}

fn indented(body: &Value) -> String {
    match body {
        Value::Null => String::new(),
        body => serde_json::to_string_pretty(body).unwrap(),
    }
}

/// JSON indented without changing the order of its fields.
fn indented_as_sent(text: &str) -> String {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0, false, false);
    let mut last = ' ';
    for c in text.chars() {
        let closes = matches!(c, ']' | '}') && !quoted;
        if closes {
            depth -= 1;
        }
        let opened = matches!(last, '[' | '{') && !quoted;
        if (opened && !closes) || (last == ',' && !quoted) || (closes && !opened) {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        }
        out.push(c);
        if quoted {
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            last = ' ';
            continue;
        }
        quoted = c == '"';
        match c {
            '[' | '{' => depth += 1,
            ':' => out.push(' '),
            _ => {}
        }
        last = c;
    }
    let same: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(same, serde_json::from_str::<Value>(text).unwrap());
    out
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn organization_and_teams(story: &mut Recorder) -> String {
    let teams = &format!("{V2}/teams");
    let made = json!({ "name": "Marketing" });
    let made = story.ask("createTeam", ("POST", teams), made, 200).await;
    let team = text(&made["organization"]["teams"][0]["id"]);
    let taken = json!({ "name": "marketing" });
    story.ask("createTeam", ("POST", teams), taken, 400).await;
    story.world.team("Engineering").await;
    story
        .ask("listTeams", ("GET", teams), Value::Null, 200)
        .await;
    story
        .ask("getOrganization", ("GET", V2), Value::Null, 200)
        .await;
    let one = &format!("{teams}/{team}");
    let name = json!({ "name": "Brand and marketing" });
    story.ask("updateTeam", ("PUT", one), name, 200).await;
    let nothing = json!({ "name": "" });
    story.ask("updateTeam", ("PUT", one), nothing, 400).await;
    let nobody_s = &format!("{teams}/team_0123456789ab");
    let name = json!({ "name": "Sales" });
    story.ask("updateTeam", ("PUT", nobody_s), name, 404).await;
    story
        .ask("deleteTeam", ("DELETE", nobody_s), Value::Null, 404)
        .await;
    team
}

/// Gives the id of the invite that stays open.
async fn invites_until_one_joins(story: &mut Recorder, team: &str) -> String {
    let all = &format!("{V2}/invites");
    let new = json!({ "email": "jane@acme.example", "teamId": team });
    let jane = story
        .ask("createInvite", ("POST", all), new.clone(), 200)
        .await;
    story.ask("createInvite", ("POST", all), new, 400).await;
    let lost = json!({ "email": "ravi@acme.example", "teamId": "team_0123456789ab" });
    story.ask("createInvite", ("POST", all), lost, 404).await;
    let wrong = json!({ "email": "ravi@acme.example" });
    let ravi = story.world.post(all, &wrong).await.expect(200);
    story.world.clock.advance(Duration::from_mins(1));
    let found = &format!("{all}/jane%40acme.example");
    story
        .ask("getInviteByEmail", ("GET", found), Value::Null, 200)
        .await;
    let nobody = &format!("{all}/nobody%40acme.example");
    story
        .ask("getInviteByEmail", ("GET", nobody), Value::Null, 404)
        .await;
    let id = InviteId::from(text(&jane["id"]));
    let email: Email = "jane@acme.example".parse().unwrap();
    let person = (&email, Some("Jane Cooper"));
    invites::join(&story.world.app, &id, person).await.unwrap();
    story
        .ask("listInvites", ("GET", all), Value::Null, 200)
        .await;
    let none = &format!("{all}?limit=0");
    story
        .ask("listInvites", ("GET", none), Value::Null, 400)
        .await;
    let revoke = &format!("{all}/revoke");
    for (email, status) in [
        ("noah@acme.example", 404),
        ("jane@acme.example", 400),
        ("ravi@acme.example", 200),
    ] {
        let whose = json!({ "email": email });
        let revoked = ("POST", revoke.as_str());
        story.ask("revokeInvite", revoked, whose, status).await;
    }
    text(&ravi["id"])
}

async fn people(story: &mut Recorder, team: &str) {
    let members = &format!("{V2}/teams/{team}/members");
    let add = "addMembersToTeam";
    let jane = json!({ "emails": ["jane@acme.example"] });
    story.ask(add, ("POST", members), jane.clone(), 200).await;
    let none = json!({ "emails": [] });
    story.ask(add, ("POST", members), none, 400).await;
    let nobody = json!({ "emails": ["nobody@acme.example"] });
    story.ask(add, ("POST", members), nobody, 404).await;
    let all = &format!("{V2}/team");
    story
        .ask("listTeamMembers", ("GET", all), Value::Null, 200)
        .await;
    let wrong = &format!("{all}?status=active");
    story
        .ask("listTeamMembers", ("GET", wrong), Value::Null, 400)
        .await;
    let accepted = &format!("{all}/accepted");
    story
        .ask(
            "listAcceptedTeamMembers",
            ("GET", accepted),
            Value::Null,
            200,
        )
        .await;
}

/// Jane's shoot, without the engine: submitted, then finished with two photos, one of them chosen.
async fn shoot(story: &mut Recorder, model: &str) -> String {
    let world = &story.world;
    let id = ModelId::from(model);
    world.submitted(model).await;
    let pending = &format!("{V2}/team/pending");
    story
        .ask("listPendingTeamMembers", ("GET", pending), Value::Null, 200)
        .await;
    story.world.clock.advance(Duration::from_mins(15));
    let world = &story.world;
    let now = world.app.clock.now();
    let mut tx = world.app.db.write().await.unwrap();
    let mut ids = Vec::new();
    for (place, liked) in [(0, Liked::Loved), (1, Liked::None)] {
        let photo = Photo {
            id: PhotoId::generate(&*world.app.entropy),
            org: world.org.clone(),
            model: id.clone(),
            place,
            status: PhotoStatus::Active,
            liked,
            format: "jpg".into(),
            recipe: "{}".into(),
            created_at: now,
            deleted_at: None,
        };
        assert!(photos::insert(&mut tx, &photo).await.unwrap());
        ids.push(photo.id);
    }
    let before = rows::find(&mut tx, &world.org, &id).await.unwrap().unwrap();
    let mut after = before.clone();
    after.status = ModelStatus::Active;
    after.finished_at = Some(now);
    after.favorite = Some(ids[0].clone());
    rows::update(&mut tx, &before, &after).await.unwrap();
    tx.commit().await.unwrap();
    let finished = &format!("{V2}/team/finished");
    story
        .ask(
            "listFinishedTeamMembers",
            ("GET", finished),
            Value::Null,
            200,
        )
        .await;
    ids[0].to_string()
}

async fn photos_of(story: &mut Recorder, model: &str, photo: &str) {
    let none = || Value::Null;
    let all = &format!("{V2}/models/{model}/photos");
    let lost = &format!("{V2}/models/507f1f77bcf86cd799439011/photos");
    for (operation, path, wrong) in [
        ("listModelPhotos", "", "?limit=0"),
        (
            "getFavoriteModelPhoto",
            "/favorite",
            "/favorite?include=both",
        ),
        (
            "getModelPhoto",
            &format!("/{photo}"),
            &format!("/{photo}?include=both"),
        ),
    ] {
        for (path, status) in [
            (format!("{all}{path}"), 200),
            (format!("{all}{wrong}"), 400),
            (format!("{lost}{path}"), 404),
        ] {
            story.ask(operation, ("GET", &path), none(), status).await;
        }
    }
    let some = || json!({ "photoIds": [photo], "include": "all" });
    let download = "downloadModelPhotos";
    let path = &format!("{all}/download");
    story.ask(download, ("POST", path), some(), 200).await;
    let both = json!({ "include": "both" });
    story.ask(download, ("POST", path), both, 400).await;
    let path = &format!("{lost}/download");
    story.ask(download, ("POST", path), some(), 404).await;
    let favorites = &format!("{V2}/photos/favorites");
    let chosen = "listFavoritePhotos";
    story.ask(chosen, ("GET", favorites), none(), 200).await;
    let wrong = &format!("{favorites}?offset=-1");
    story.ask(chosen, ("GET", wrong), none(), 400).await;
}

async fn whitelabel(story: &mut Recorder, team: &str) {
    let none = || Value::Null;
    let all = &format!("{V2}/models");
    let new = |team: &str| {
        json!({
            "email": "sofia@customer.example",
            "teamId": team,
            "isDevelopment": false,
            "version": "lora",
        })
    };
    let create = ("POST", all.as_str());
    let made = story.ask("createModel", create, new(team), 200).await;
    let wrong = json!({ "email": "sofia@" });
    story.ask("createModel", create, wrong, 400).await;
    let lost = new("team_0123456789ab");
    story.ask("createModel", create, lost, 404).await;
    story.ask("listModels", ("GET", all), none(), 200).await;
    let wrong = &format!("{all}?status=finished");
    story.ask("listModels", ("GET", wrong), none(), 400).await;
    let one = &format!("{all}/{}", text(&made["modelId"]));
    let lost = &format!("{all}/507f1f77bcf86cd799439011");
    story.ask("getModel", ("GET", one), none(), 200).await;
    story.ask("getModel", ("GET", lost), none(), 404).await;
    story.ask("deleteModel", ("DELETE", one), none(), 200).await;
    story.ask("deleteModel", ("DELETE", one), none(), 400).await;
    story
        .ask("deleteModel", ("DELETE", lost), none(), 404)
        .await;
}

async fn v1(story: &mut Recorder, team: &str) {
    let none = || Value::Null;
    let (invite, credits) = (&format!("{V1}/invite"), &format!("{V1}/credits"));
    story
        .ask("v1GetOrganization", ("GET", V1), none(), 200)
        .await;
    story
        .ask("v1GetCredits", ("GET", credits), none(), 200)
        .await;
    story
        .ask("v1PostCredits", ("POST", credits), none(), 200)
        .await;
    let noah = json!({ "email": "noah@acme.example", "teamId": team });
    let create = ("POST", invite.as_str());
    let made = story.ask("v1CreateInvite", create, noah.clone(), 200).await;
    story.ask("v1CreateInvite", create, noah, 400).await;
    let lost = json!({ "email": "mia@acme.example", "teamId": "team_0123456789ab" });
    story.ask("v1CreateInvite", create, lost, 404).await;
    let all = &format!("{V1}/invites");
    story.ask("v1ListInvites", ("GET", all), none(), 200).await;
    let one = &format!("{invite}/id/{}", text(&made["id"]));
    story.ask("v1GetInvite", ("GET", one), none(), 200).await;
    let lost = &format!("{invite}/id/0123456789abcdef01234567");
    story.ask("v1GetInvite", ("GET", lost), none(), 404).await;
    let revoke = &format!("{invite}/revoke");
    for (email, status) in [
        ("noah@acme.example", 200),
        ("jane@acme.example", 400),
        ("mia@acme.example", 404),
    ] {
        let whose = json!({ "email": email });
        let revoked = ("POST", revoke.as_str());
        story.ask("v1RevokeInvite", revoked, whose, status).await;
    }
}

/// What goes wrong whatever is asked, and what costs credits that are not there.
async fn refusals(story: &mut Recorder) {
    let none = || Value::Null;
    let path = ("GET", V2);
    let world = &story.world;
    let (_, key) = world
        .on_plan(Plan::Standard, ("Globex", Some(Credits::whole(0))), true)
        .await;
    story.ask_as("hsp_", "any", path, none(), 401).await;
    let new = || json!({ "email": "ana@globex.example" });
    for (operation, path) in [
        ("createInvite", format!("{V2}/invites")),
        ("createModel", format!("{V2}/models")),
        ("v1CreateInvite", format!("{V1}/invite")),
    ] {
        let create = ("POST", path.as_str());
        story.ask_as(&key, operation, create, new(), 402).await;
    }
    while story.world.as_key(&key, "GET", V2, "").await.status == 200 {}
    story.ask_as(&key, "any", path, none(), 429).await;
    let lost = ("GET", "/api/v2/no/such/operation");
    story.ask("any", lost, none(), 404).await;
    let large = "x".repeat(32 * 1024);
    let headers = [("x-large", large.as_str())];
    let answer = story.world.call("GET", V2, &headers, "").await;
    let head = "Authorization: Bearer YOUR_API_KEY\nX-Large: ...\n";
    story.note("any", ("GET", V2, head, ""), answer, 400);
}

/// What succeeded, with a key that lacks the scope.
async fn scopes(story: &mut Recorder) {
    let world = &story.world;
    let of = async |scopes: &str| {
        let scopes: ScopeSet = scopes.parse().unwrap();
        world.key_of(&world.org, scopes).await
    };
    let (photos, organization) = (of("photos").await, of("organization").await);
    for [operation, method, path, sent] in std::mem::take(&mut story.successes) {
        let key = if path.contains("/photos") {
            &organization
        } else {
            &photos
        };
        let body = serde_json::from_str(&sent).unwrap_or_default();
        let request = (method.as_str(), path.as_str());
        story.ask_as(key, &operation, request, body, 403).await;
    }
}

async fn revocation(story: &mut Recorder) {
    let path = "/api/keys/revoke";
    let key = story.world.key.clone();
    for (sent, status) in [
        (json!({ "key": key }), 200),
        (json!({ "key": key }), 401),
        (json!({}), 400),
    ] {
        let sent = indented(&sent);
        let answer = story.world.send("POST", path, &[], &sent).await;
        let shown = sent.replace(&key, "YOUR_API_KEY");
        story.note("revokeKey", ("POST", path, "", &shown), answer, status);
    }
}

async fn recorded() -> String {
    let mut world = World::seeded(1).await;
    let acme = ("Acme Corporation", Some(Credits::whole(100)));
    (world.org, world.key) = world.on_plan(Plan::Unlimited, acme, true).await;
    let text = HEAD.to_owned();
    let mut story = Recorder {
        world,
        text,
        successes: Vec::new(),
    };
    let team = organization_and_teams(&mut story).await;
    invites_until_one_joins(&mut story, &team).await;
    people(&mut story, &team).await;
    let jane = story.world.get(&format!("{V2}/team")).await.expect(200);
    let model = text_of(&jane);
    let photo = shoot(&mut story, &model).await;
    photos_of(&mut story, &model, &photo).await;
    whitelabel(&mut story, &team).await;
    let credits = &format!("{V2}/credits");
    story
        .ask("getCredits", ("GET", credits), Value::Null, 200)
        .await;
    v1(&mut story, &team).await;
    let team = &format!("{V2}/teams/{team}");
    story
        .ask("deleteTeam", ("DELETE", team), Value::Null, 200)
        .await;
    refusals(&mut story).await;
    scopes(&mut story).await;
    revocation(&mut story).await;
    story.text
}

fn text_of(members: &Value) -> String {
    text(&members["members"][0]["modelId"])
}

#[tokio::test]
async fn the_samples_are_what_the_router_says() {
    let recorded = recorded().await;
    if recorded != RECORD {
        let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/samples.http");
        std::fs::write(path, &recorded).unwrap();
        let line = std::iter::zip(recorded.lines(), RECORD.lines()).position(|(a, b)| a != b);
        panic!("the record is stale from line {line:?} on: review {path}, then copy it");
    }
}

fn document() -> Value {
    serde_json::to_value(headshot_web::api::openapi::document(
        "https://shots.example",
    ))
    .unwrap()
}

fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let items = document["paths"].as_object().unwrap().values();
    items
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| (text(&operation["operationId"]), operation))
}

/// Every answer is shown, and nothing is recorded under a name that is none.
#[test]
fn every_operation_has_its_samples() {
    let document = document();
    let mut names = BTreeSet::from(["any".to_owned()]);
    for (name, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let example = &response["content"]["application/json"]["example"];
            assert!(example.is_object(), "{name} {status} has no sample");
            assert_eq!(example["success"], status == "200", "{name} {status}");
        }
        let body = &operation["requestBody"]["content"]["application/json"];
        assert!(body.is_null() || body["example"].is_object(), "{name}");
        names.insert(name);
    }
    let recorded = RECORD.lines().filter_map(|line| line.strip_prefix("### "));
    let recorded: BTreeSet<String> = recorded.map(str::to_owned).collect();
    assert_eq!(recorded, names);
    let whole = document.to_string();
    assert!(whole.contains("\"https://shots.example/photos/"));
    assert!(!whole.contains("{{") && !whole.contains(BASE_URL));
}

/// Whatever the document gives as an example is valid by the schema beside it.
#[test]
fn every_example_keeps_its_schema() {
    let document = document();
    let mut checked = 0;
    let mut check = |schema: &Value, example: &Value, place: &str| {
        let whole = json!({ "components": document["components"], "allOf": [schema] });
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .build(&whole)
            .unwrap();
        let wrong: Vec<String> = validator
            .iter_errors(example)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{place}: {wrong:#?} in {example:#}");
        checked += 1;
    };
    walk(&document, "", &mut check);
    assert!(checked > 300, "{checked} examples");
}

/// Calls `check` with every schema that an example stands beside or in, and the example.
fn walk(node: &Value, place: &str, check: &mut impl FnMut(&Value, &Value, &str)) {
    match node {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{place}/{index}"), check);
            }
        }
        Value::Object(fields) => {
            if let Some(example) = fields.get("example") {
                check(fields.get("schema").unwrap_or(node), example, place);
            }
            for (name, field) in fields.iter().filter(|(name, _)| *name != "example") {
                walk(field, &format!("{place}/{name}"), check);
            }
        }
        _ => {}
    }
}
