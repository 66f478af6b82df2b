//! Admin > Audit.

use std::collections::HashMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use headshot_app::audit::{self, Actor, Checked, Entry, Verified};
use headshot_domain::Timestamp;
use headshot_pages::{Audit, AuditRow, ChainState, ChainStatus, NavItem};
use serde::Deserialize;

use crate::Web;
use crate::dashboard::extract::{Admin, Person};
use crate::dashboard::shell::shell;
use crate::dashboard::{PageError, html};
use crate::words;

const PAGE: i64 = 50;

/// Up to this many rows the chain is checked each time the page is shown.
const CHECKED_MAX: i64 = 20_000;

/// Where a page of the list begins.
#[derive(Debug, Deserialize)]
pub(crate) struct PageQuery {
    #[serde(default)]
    before: Option<i64>,
}

pub(crate) async fn page(
    State(web): State<Web>,
    Admin(person): Admin,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(query) = query?;
    let before = query.before.unwrap_or(i64::MAX);
    let mut rows = newest_rows(&web, &person, (before, PAGE + 1)).await?;
    let more = rows.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    rows.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    let oldest = rows.last().filter(|_| more);
    html(&Audit {
        shell: shell(&web, &person, ("Audit", NavItem::Audit)).await?,
        older_url: oldest.map(|row| format!("/app/admin/audit?before={}", row.seq)),
        newer_url: query.before.map(|_| "/app/admin/audit".to_owned()),
        rows,
        chain: chain(&web).await?,
    })
}

pub(crate) async fn newest_rows(
    web: &Web,
    person: &Person,
    page: (i64, i64),
) -> Result<Vec<AuditRow>, PageError> {
    let org = &person.signed_in.org.id;
    let entries = audit::newest(web.app(), Some(org), page).await?;
    let people = audit::people(web.app(), &entries).await?;
    let rows = entries.iter().map(|entry| row(entry, person, &people));
    Ok(rows.collect())
}

fn row(entry: &Entry, person: &Person, people: &HashMap<String, String>) -> AuditRow {
    let actor = people.get(&entry.actor).map(String::as_str);
    let target = people.get(&entry.target).cloned();
    AuditRow {
        seq: entry.seq,
        when: words::ago(entry.at, person.visit.now),
        actor: actor
            .unwrap_or_else(|| actor_words(&entry.actor))
            .to_owned(),
        action: action_words(&entry.action).to_owned(),
        target: target_words(entry, target),
        address: entry.address.clone(),
        hash: audit::short_hash(&entry.hash),
    }
}

/// Who did it, as the beginning of a sentence.
fn actor_words(actor: &str) -> &str {
    match Actor::display(actor) {
        "command line" => "Command line",
        "server" => "Server",
        "visitor" => "Visitor",
        // Somebody in their own session: what was done says in which.
        person if person.starts_with("user:") => "Person",
        other => other,
    }
}

/// What was done, as a phrase that follows the actor.
fn action_words(action: &str) -> &str {
    match action {
        "organization.created" => "created the organization",
        "organization.package_changed" => "chose the package",
        "organization.embedding_changed" => "changed where sessions may be framed",
        "credits.granted" => "granted credits",
        "team.created" => "created a team",
        "team.renamed" => "renamed a team",
        "team.deleted" => "deleted a team",
        "team.members-added" => "added members to a team",
        "invite.created" => "invited",
        "invite.reminded" => "reminded",
        "invite.revoked" => "revoked the invite of",
        "invite.used" => "joined by an invite",
        "model.created" => "created a session",
        "model.deleted" => "deleted a session and its photos",
        "member.made_admin" => "gave the role admin to",
        "member.made_member" => "gave the role member to",
        "model.retried" => "let a person begin again",
        "model.restarted" => "gave a member a new session",
        "member.removed" => "removed the member",
        "consent.given" => "agreed to the photo terms",
        "uploads.deleted" => "deleted uploaded photos",
        "key.generated" => "generated an API key",
        "key.deleted" => "deleted an API key",
        "key.deletion.effective" => "got the receipt: no process accepts the key since",
        "session.began" => "signed in",
        "session.switched" => "switched to this organization",
        "session.ended" => "signed another browser out",
        "password.set" => "set a password",
        "link.setup" => "made a set-up link",
        "link.reset" => "made a link for a new password",
        "link.sign-in" => "made a sign-in link",
        "webhook.saved" => "saved the webhook URL",
        "webhook.rotated" => "rotated the webhook secret of",
        "webhook.removed" => "removed the webhook",
        "webhook.tested" => "sent a test event to",
        "webhook.replayed" => "sent again:",
        "organization.retention_changed" => "set how long finished shoots are kept in",
        "organization.low_credit_mail_changed" => "switched the mail about few credits of",
        "organization.looks_changed" => "chose the looks of",
        "brand.added" => "added the image or logo",
        "brand.removed" => "removed the image or logo",
        "job.retried" => "retried the job",
        other => other,
    }
}

/// To what: the name where the entry has one, else its id.
fn target_words(entry: &Entry, person: Option<String>) -> String {
    let about_oneself = ["session.", "password."];
    if about_oneself
        .iter()
        .any(|kind| entry.action.starts_with(kind))
    {
        return String::new();
    }
    let detail: serde_json::Value = serde_json::from_str(&entry.detail).unwrap_or_default();
    let effective_at = detail["effectiveAt"]
        .as_str()
        .and_then(Timestamp::parse_iso);
    if let Some(at) = effective_at {
        return words::clock_time(at).human;
    }
    let named = ["name", "amount"]
        .iter()
        .find_map(|field| detail[field].as_str());
    match (named, person) {
        (Some(name), _) => name.to_owned(),
        (None, Some(person)) => person,
        (None, None) if entry.target.starts_with("user:") => "somebody who is gone".to_owned(),
        (None, None) => entry.target.clone(),
    }
}

async fn chain(web: &Web) -> Result<ChainStatus, PageError> {
    Ok(match audit::verify_up_to(web.app(), CHECKED_MAX).await? {
        Checked::TooLong { entries } => ChainStatus {
            state: ChainState::Unchecked,
            text: format!(
                "{entries} entries. Check the chain on the server with headshot audit verify."
            ),
        },
        Checked::Whole(Verified::Intact { entries, head }) => ChainStatus {
            state: ChainState::Intact,
            text: format!(
                "All {entries} entries of this server match; the newest hash is {}.",
                &head[..16]
            ),
        },
        Checked::Whole(Verified::Broken { seq, what }) => ChainStatus {
            state: ChainState::Broken,
            text: format!(
                "Entry {seq} {what}. Somebody went around the server: tell the operator."
            ),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_begins_the_sentence() {
        assert_eq!(actor_words("command line"), "Command line");
        assert_eq!(actor_words("user:usr_1 server@acme.com"), "server@acme.com");
        assert_eq!(actor_words("key:key_1"), "key:key_1");
    }
}
