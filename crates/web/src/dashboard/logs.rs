//! Admin > API > Logs.

use std::collections::HashMap;
use std::net::IpAddr;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use headshot_app::keys::{self, ApiKey, DeadKeyUse, Keys};
use headshot_app::request_log::{self, DEAD_KEY_ATTEMPTS_MAX, Filter, Gap, KeyState, Logged, Row};
use headshot_domain::{KeyId, OrgId, Timestamp};
use headshot_pages::{
    Choice, GapRow, KeyState as PageState, LogDetail, LogEntry, LogFilters, LogRow, Logs, NavItem,
};
use serde::Deserialize;

use crate::Web;
use crate::api::error::Check;
use crate::dashboard::extract::{Admin, escape};
use crate::dashboard::shell::shell;
use crate::dashboard::{PageError, html};
use crate::words;

const LIST: &str = "/app/admin/api/logs";

/// The filters as they stand in the URL.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LogQuery {
    from: String,
    to: String,
    key: String,
    status: String,
    path: String,
    address: String,
    before: String,
}

impl LogQuery {
    /// Somebody may look for a key by pasting it: the page and its links don't repeat it.
    fn redacted(mut self) -> Self {
        for field in [
            &mut self.key,
            &mut self.path,
            &mut self.address,
            &mut self.before,
        ] {
            *field = headshot_domain::api_key::redact(field).into_owned();
        }
        self
    }

    /// Where this page of the list begins.
    fn page(&self) -> Option<&str> {
        Some(&*self.before).filter(|before| !before.is_empty())
    }

    /// What the query asks for, or what is wrong with it.
    fn filter(&self) -> Result<Filter, String> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(Filter {
            from: moment("From", &self.from)?,
            to: moment("To", &self.to)?,
            before: given(&self.before),
            not_before: None,
            key: given(&self.key).map(KeyId::from),
            status: status(&self.status)?,
            path: given(&self.path),
            address: address(&self.address)?,
        })
    }

    /// The same filters at `path`, on the page that begins before a request.
    fn url(&self, path: &str, before: Option<&str>) -> String {
        let fields = [
            ("from", &*self.from),
            ("to", &*self.to),
            ("key", &*self.key),
            ("status", &*self.status),
            ("path", &*self.path),
            ("address", &*self.address),
            ("before", before.unwrap_or_default()),
        ];
        let given = fields.iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = given
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect();
        if pairs.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", pairs.join("&"))
        }
    }
}

/// Reads an address, which has one form in the log.
fn address(text: &str) -> Result<Option<String>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let address: Result<IpAddr, _> = text.parse();
    let wrong = "Address must be one address, such as 203.0.113.9 or 2001:db8::7.";
    address
        .map(|address| Some(address.to_canonical().to_string()))
        .map_err(|_wrong| wrong.to_owned())
}

/// Reads `2024-01-15T10:30`, as a browser sends it, in UTC; seconds may follow.
fn moment(name: &str, text: &str) -> Result<Option<Timestamp>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let with_seconds = if text.len() == 16 {
        format!("{text}:00Z")
    } else {
        format!("{text}Z")
    };
    let parsed = Timestamp::parse_iso(&with_seconds).or_else(|| Timestamp::parse_iso(text));
    parsed
        .map(Some)
        .ok_or_else(|| format!("{name} must look like 2024-01-15T10:30."))
}

fn status(text: &str) -> Result<Option<(i64, i64)>, String> {
    let text = text.trim();
    let class = text
        .strip_suffix("xx")
        .and_then(|class| class.parse::<i64>().ok());
    if let Some(class) = class.filter(|class| (1..=5).contains(class)) {
        return Ok(Some((class * 100, class * 100 + 99)));
    }
    match text.parse::<i64>() {
        _ if text.is_empty() => Ok(None),
        Ok(code) => Ok(Some((code, code))),
        Err(_) => Err("Status must be a code such as 401, or 2xx, 4xx, 5xx.".to_owned()),
    }
}

/// What is known of the keys that appear in the log.
struct KnownKeys(HashMap<KeyId, (ApiKey, Option<DeadKeyUse>)>);

impl KnownKeys {
    fn of(keys: Keys) -> Self {
        let live = keys.live.into_iter().map(|key| (key, None));
        Self(
            live.chain(keys.deleted)
                .map(|row| (row.0.id.clone(), row))
                .collect(),
        )
    }

    /// Learns the key of a request that is neither live nor lately deleted.
    async fn learn(&mut self, web: &Web, org: &OrgId, id: Option<&KeyId>) -> Result<(), PageError> {
        if let Some(id) = id.filter(|id| !self.0.contains_key(id))
            && let Some(row) = keys::find_tried(web.app(), org, id).await?
        {
            self.0.insert(id.clone(), row);
        }
        Ok(())
    }

    fn choices(&self) -> Vec<Choice> {
        let mut keys: Vec<&ApiKey> = self.0.values().map(|(key, _)| key).collect();
        keys.sort_by_key(|key| (key.deleted_at.is_some(), std::cmp::Reverse(key.created_at)));
        let label = |key: &ApiKey| match key.deleted_at {
            None => format!("{} ({})", key.name, key.hint),
            Some(_) => format!("{} ({}), deleted", key.name, key.hint),
        };
        keys.into_iter()
            .map(|key| Choice::new(key.id.as_str(), label(key)))
            .collect()
    }

    /// Sentences about deleted keys that somebody still tries.
    fn findings(&self) -> Vec<String> {
        let mut rows: Vec<_> = self.0.values().collect();
        rows.sort_by_key(|(key, _)| std::cmp::Reverse(key.deleted_at));
        let sentence = |(key, tried): &(ApiKey, Option<DeadKeyUse>)| {
            let (deleted_at, tried) = (key.deleted_at?, (*tried)?);
            let most = tried.attempts >= DEAD_KEY_ATTEMPTS_MAX;
            let at_least = if most { "at least " } else { "" };
            let times = at_least.to_owned() + &plural(tried.attempts, "time", "times");
            let places = plural(tried.addresses, "address", "addresses");
            let day = words::date(deleted_at);
            Some(format!(
                "Key \"{}\", deleted on {day}, was tried {times} since from {places}.",
                key.name
            ))
        };
        rows.into_iter().filter_map(sentence).collect()
    }
}

fn plural(number: i64, one: &str, many: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {many}")
    }
}

pub(crate) async fn page(
    State(web): State<Web>,
    Admin(person): Admin,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(query) = query?;
    let query = query.redacted();
    let org = &person.signed_in.org.id;
    let now = person.visit.now;
    let mut known = KnownKeys::of(keys::list(web.app(), org).await?);
    let (page, error) = match query.filter() {
        Ok(filter) => (
            Some(request_log::page(web.app(), org, &filter).await?),
            None,
        ),
        Err(error) => (None, Some(error)),
    };
    for row in page.iter().flat_map(|page| &page.rows) {
        if let Row::Request(request) = row {
            known.learn(&web, org, request.key.as_ref()).await?;
        }
    }
    let older = page.as_ref().and_then(|page| page.older.as_deref());
    let older_url = older.map(|before| query.url(LIST, Some(before)));
    let entry = |row: Row| match row {
        Row::Request(request) => LogEntry::Request(log_row(&request, &known, (&query, now))),
        Row::Gap(gap) => LogEntry::Gap(gap_row(&gap, now)),
    };
    html(&Logs {
        shell: shell(&web, &person, ("API logs", NavItem::Logs)).await?,
        filters: LogFilters {
            from: query.from.clone(),
            to: query.to.clone(),
            key: query.key.clone(),
            status: query.status.clone(),
            path: query.path.clone(),
            address: query.address.clone(),
            error,
        },
        key_choices: known.choices(),
        rows: page
            .into_iter()
            .flat_map(|page| page.rows)
            .map(entry)
            .collect(),
        older_url,
        newer_url: (!query.before.is_empty()).then(|| query.url(LIST, None)),
        deleted_key_findings: known.findings(),
        retention_days: i64::try_from(web.app().settings.log_retention.as_secs() / 86_400)
            .unwrap_or(i64::MAX),
    })
}

fn gap_row(gap: &Gap, now: Timestamp) -> GapRow {
    let (to, text) = if gap.lost > 0 {
        (
            gap.at,
            format!(
                "{} requests were not recorded: the log's queue was full.",
                gap.lost
            ),
        )
    } else {
        let end = gap.at.plus(std::time::Duration::from_secs(1));
        (
            end,
            format!(
                "{} ended without warning; requests that it answered last may be missing.",
                gap.node
            ),
        )
    };
    GapRow {
        from: words::log_time(gap.at, now),
        to: words::log_time(to, now),
        text,
    }
}

fn log_row(request: &Logged, known: &KnownKeys, (query, now): (&LogQuery, Timestamp)) -> LogRow {
    let key = request.key.as_ref().and_then(|id| known.0.get(id));
    let key_label = match (key, &request.key, &request.fingerprint) {
        (Some((key, _)), ..) => key.name.clone(),
        (None, Some(id), _) => id.to_string(),
        (None, None, Some(fingerprint)) => fingerprint.clone(),
        (None, None, None) => "no key".to_owned(),
    };
    LogRow {
        url: query.url(&format!("{LIST}/{}", request.id), query.page()),
        when: words::log_time(request.at, now),
        method: request.method.clone(),
        path: request.path.clone(),
        status: u16::try_from(request.status).unwrap_or(0),
        code: request.code.clone(),
        key_label,
        key_state: key_state(request, key, now),
        address: request.address.clone(),
        duration: words::duration(request.duration_us),
        browser: request.browser,
        refused_because: check(request)
            .map(|check| refused_because(check, request.key_state).to_owned()),
    }
}

fn key_state(
    request: &Logged,
    key: Option<&(ApiKey, Option<DeadKeyUse>)>,
    now: Timestamp,
) -> PageState {
    match (request.key_state, key) {
        (KeyState::Deleted, Some((key, tried))) => PageState::Deleted {
            when: words::ago(key.deleted_at.unwrap_or(now), now),
            attempts: tried.map_or(0, |tried| tried.attempts),
            addresses: tried.map_or(0, |tried| tried.addresses),
        },
        (KeyState::Deleted, None) => PageState::Deleted {
            when: words::ago(now, now),
            attempts: 0,
            addresses: 0,
        },
        (KeyState::Live, _) => PageState::Live,
        (KeyState::Expired, _) => PageState::Expired,
        (KeyState::Unknown | KeyState::Malformed, _) => PageState::Unknown,
        (KeyState::Missing, _) => PageState::None,
    }
}

/// Which check refused the request. A name that this version doesn't know tells nothing.
fn check(request: &Logged) -> Option<Check> {
    Check::of(request.refused_by.as_deref()?)
}

/// Why the request was refused.
fn refused_because(check: Check, state: KeyState) -> &'static str {
    match (check, state) {
        (Check::Key, KeyState::Deleted) => "The key was deleted.",
        (Check::Key, KeyState::Expired) => "The key has expired.",
        (
            Check::Key,
            KeyState::Live | KeyState::Unknown | KeyState::Malformed | KeyState::Missing,
        ) => "The key is not one of this server.",
        (Check::RateLimit, _) => "The requests of this minute were used up.",
        (Check::Network, _) => "The key may not be used from this address.",
        (Check::Scope, _) => "The key lacks the scope of this operation.",
        (Check::Feature, _) => "The organization may not use this.",
        (Check::Route, _) => "There is no such operation.",
        (Check::Request, _) => "The request was not valid.",
        (Check::Existence, _) => "What it names is not there.",
        (Check::Conflict, _) => "It is there already, or was deleted before.",
        (Check::Credits, _) => "No credit was left.",
        (Check::InviteLimit, _) => "Too many invites were open.",
        (Check::Server, _) => "The server failed.",
    }
}

/// What would make the call succeed.
fn fix(check: Check, state: KeyState) -> &'static str {
    match (check, state) {
        (Check::Key, KeyState::Deleted | KeyState::Expired) => {
            "Generate a new key and update the client that still uses this one."
        }
        (
            Check::Key,
            KeyState::Live | KeyState::Unknown | KeyState::Malformed | KeyState::Missing,
        ) => "Check that the client sends the whole key as Authorization: Bearer.",
        (Check::RateLimit, _) => {
            "Wait until the time in X-RateLimit-Reset, or ask the operator for a larger plan."
        }
        (Check::Network, _) => {
            "Call from an allowed network, or generate a key that allows this one."
        }
        (Check::Scope, _) => "Use a key that holds the scope, or generate one.",
        (Check::Feature, _) => "Ask the operator to switch it on for the organization.",
        (Check::Route, _) => "Check method and path against the reference.",
        (Check::Request, _) => "Correct what the answer's text names.",
        (Check::Existence, _) => "Take the id or the address from a list.",
        (Check::Conflict, _) => "Nothing needs to be done, or another address is needed.",
        (Check::Credits, _) => "Ask the operator for credits, or revoke invites that nobody uses.",
        (Check::InviteLimit, _) => "Revoke invites that nobody uses, or wait until some are used.",
        (Check::Server, _) => "Try again. If it fails again, give the request id to the operator.",
    }
}

pub(crate) async fn detail(
    State(web): State<Web>,
    Admin(person): Admin,
    Path(id): Path<String>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(query) = query?;
    let query = query.redacted();
    let org = &person.signed_in.org.id;
    let found = request_log::find(web.app(), org, &id).await?;
    let request = found.ok_or(PageError::NotFound)?;
    let mut known = KnownKeys::of(keys::list(web.app(), org).await?);
    known.learn(&web, org, request.key.as_ref()).await?;
    let mut row = log_row(&request, &known, (&query, person.visit.now));
    row.when = words::exact(request.at);
    html(&LogDetail {
        shell: shell(&web, &person, ("API request", NavItem::Logs)).await?,
        row,
        user_agent: request.user_agent.clone(),
        bytes: words::bytes(request.response_bytes),
        route: request.route.clone(),
        fix: check(&request).map(|check| fix(check, request.key_state).to_owned()),
        request_id: request.id,
        back_url: query.url(LIST, query.page()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_and_kept_in_the_url() {
        let query = LogQuery {
            from: "2024-01-15T10:30".into(),
            status: "4xx".into(),
            path: "a b&c".into(),
            ..LogQuery::default()
        };
        let filter = query.filter().unwrap();
        assert_eq!(filter.from.unwrap().to_string(), "2024-01-15T10:30:00.000Z");
        assert_eq!(filter.status, Some((400, 499)));
        assert_eq!(
            query.url(LIST, Some("req_1")),
            "/app/admin/api/logs?from=2024-01-15T10%3A30&status=4xx&path=a%20b%26c&before=req_1"
        );
        let wrong = LogQuery {
            from: "yesterday".into(),
            ..LogQuery::default()
        };
        assert_eq!(
            wrong.filter(),
            Err("From must look like 2024-01-15T10:30.".to_owned())
        );
    }

    /// The log has one form of an address; people write others.
    #[test]
    fn an_address_is_found_however_it_is_written() {
        let found = |text: &str| {
            let query = LogQuery {
                address: text.into(),
                ..LogQuery::default()
            };
            query.filter().map(|filter| filter.address)
        };
        assert_eq!(found(""), Ok(None));
        for (text, form) in [
            (" 7.7.7.7 ", "7.7.7.7"),
            ("::ffff:7.7.7.7", "7.7.7.7"),
            ("2001:DB8:0::7", "2001:db8::7"),
        ] {
            assert_eq!(found(text), Ok(Some(form.to_owned())));
        }
        for wrong in ["7.7.7", "7.7.7.0/24", "home"] {
            assert!(found(wrong).is_err(), "{wrong}");
        }
    }

    /// Each check has words of its own, and only the server's own failures are told as such.
    #[test]
    fn every_check_has_its_reason_and_its_fix() {
        let told = Check::ALL.map(|check| {
            let why = refused_because(check, KeyState::Live);
            let fix = fix(check, KeyState::Live);
            let failed = why.contains("server failed") || fix.starts_with("Try again");
            assert_eq!(failed, check == Check::Server, "{check:?}");
            format!("{}: {why} {fix}", check.name())
        });
        let mut reasons: Vec<&str> = Check::ALL
            .map(|check| refused_because(check, KeyState::Live))
            .to_vec();
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons.len(), Check::ALL.len());
        insta::assert_snapshot!(told.join("\n"), @r"
        key: The key is not one of this server. Check that the client sends the whole key as Authorization: Bearer.
        rate limit: The requests of this minute were used up. Wait until the time in X-RateLimit-Reset, or ask the operator for a larger plan.
        network: The key may not be used from this address. Call from an allowed network, or generate a key that allows this one.
        scope: The key lacks the scope of this operation. Use a key that holds the scope, or generate one.
        feature: The organization may not use this. Ask the operator to switch it on for the organization.
        route: There is no such operation. Check method and path against the reference.
        request: The request was not valid. Correct what the answer's text names.
        existence: What it names is not there. Take the id or the address from a list.
        conflict: It is there already, or was deleted before. Nothing needs to be done, or another address is needed.
        credits: No credit was left. Ask the operator for credits, or revoke invites that nobody uses.
        invite limit: Too many invites were open. Revoke invites that nobody uses, or wait until some are used.
        server: The server failed. Try again. If it fails again, give the request id to the operator.
        ");
    }
}
