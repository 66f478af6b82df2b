//! What was recorded: the audit log and the API log.

use anyhow::bail;
use headshot_app::App;
use headshot_app::audit::{self, Actor, Entry, Verified};
use headshot_app::request_log::{self, Filter, Gap, Logged, Row};
use headshot_domain::KeyId;
use serde_json::{Value, json};

use super::known_org;
use crate::args::{AuditList, AuditVerify, LogList};
use crate::config::Config;
use crate::{output, wiring};

pub(super) async fn audit_verify(config: &Config, given: &AuditVerify) -> anyhow::Result<()> {
    let json = given.json.json;
    let db = wiring::open_existing(config).await?;
    let mut conn = db.read().await?;
    let mut verified = audit::verify(&mut conn).await?;
    if let (Verified::Intact { .. }, Some((seq, hash))) = (&verified, &given.includes)
        && audit::hash_at(&mut conn, *seq).await?.as_ref() != Some(hash)
    {
        verified = Verified::Broken {
            seq: *seq,
            what: "is not the one that was noted",
        };
    }
    match verified {
        Verified::Intact { entries, head } => {
            if json {
                output::json(&json!({ "intact": true, "entries": entries, "head": head }));
            } else {
                output::line(format!(
                    "{entries} entries are as they were written. Note the newest elsewhere, for \
                     audit verify --includes {entries}:{head}"
                ));
            }
            Ok(())
        }
        Verified::Broken { seq, what } => {
            if json {
                output::json(&json!({ "intact": false, "entry": seq, "what": what }));
            }
            bail!("audit entry {seq} {what}")
        }
    }
}

pub(super) async fn audit_list(app: &App, given: AuditList) -> anyhow::Result<()> {
    let org = known_org(app, given.org).await?;
    let page = (i64::MAX, i64::from(given.limit));
    let entries = audit::newest(app, org.as_ref(), page).await?;
    if given.json.json {
        let entries: Vec<Value> = entries.iter().map(entry_json).collect();
        output::json(&json!({ "entries": entries }));
    } else {
        for entry in entries {
            output::line(entry_line(&entry));
        }
    }
    Ok(())
}

/// The organization's id; `None` stands for the whole server.
fn of_org(entry: &Entry) -> Option<&str> {
    Some(&*entry.org).filter(|org| !org.is_empty())
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "seq": entry.seq,
        "at": entry.at.to_string(),
        "organization": of_org(entry),
        "actor": entry.actor,
        "action": entry.action,
        "target": entry.target,
        "detail": serde_json::from_str::<Value>(&entry.detail).unwrap_or_default(),
        "address": given(&entry.address),
        "hash": audit::full_hash(&entry.hash),
    })
}

fn entry_line(entry: &Entry) -> String {
    format!(
        "{}  {}  {}  {}  {}  {}  {}",
        entry.seq,
        entry.at,
        of_org(entry).unwrap_or("server"),
        Actor::display(&entry.actor),
        entry.action,
        entry.target,
        given(&entry.address).unwrap_or("-"),
    )
}

/// A text that may be empty.
fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

pub(super) async fn log_list(app: &App, given: LogList) -> anyhow::Result<()> {
    // Without an organization clap has made sure of `--unknown`.
    let org = known_org(app, given.org).await?;
    let filter = Filter {
        from: given.since.map(|age| app.clock.now().minus(age)),
        ..Filter::default()
    };
    let limit = usize::try_from(given.limit)?;
    let rows = request_log::newest(app, org.as_ref(), filter, limit).await?;
    if given.json.json {
        let rows: Vec<Value> = rows.iter().map(row_json).collect();
        output::json(&json!({ "rows": rows }));
    } else {
        for row in &rows {
            output::line(match row {
                Row::Request(request) => request_line(request),
                Row::Gap(gap) => gap_line(gap),
            });
        }
    }
    Ok(())
}

fn row_json(row: &Row) -> Value {
    match row {
        Row::Request(request) => json!({
            "kind": "request",
            "id": request.id,
            "at": request.at.to_string(),
            "key": request.key.as_ref().map(KeyId::as_str),
            "keyState": request.key_state.name(),
            "fingerprint": request.fingerprint,
            "method": request.method,
            "path": request.path,
            "route": given(&request.route),
            "status": request.status,
            "code": request.code,
            "refusedBy": request.refused_by,
            "address": request.address,
            "userAgent": request.user_agent,
            "browser": request.browser,
            "durationUs": request.duration_us,
            "node": request.node,
        }),
        Row::Gap(gap) => json!({
            "kind": "gap",
            "id": gap.id,
            "at": gap.at.to_string(),
            "node": gap.node,
            "lost": gap.lost,
        }),
    }
}

fn request_line(request: &Logged) -> String {
    let key = match (&request.key, &request.fingerprint) {
        (Some(key), _) => key.as_str(),
        (None, Some(fingerprint)) => fingerprint,
        (None, None) => "-",
    };
    format!(
        "{}  {}  {} {}  {key} ({})  {}",
        request.at,
        request.status,
        request.method,
        request.path,
        request.key_state.name(),
        request.address,
    )
}

fn gap_line(gap: &Gap) -> String {
    match gap.lost {
        0 => format!("{}  gap  rows of {} may be missing", gap.at, gap.node),
        lost => format!("{}  gap  {lost} rows of {} were lost", gap.at, gap.node),
    }
}
