//! Admin > Overview, and the switch between organizations.

use axum::extract::State;
use axum::response::Response;
use headshot_app::organizations::{self, CreditsLeft};
use headshot_app::{accounts, keys, request_log};
use headshot_domain::OrgId;
use headshot_pages::{ChecklistItem, Hour, NavItem, OrganizationFacts, Overview, Requests};
use headshot_storage::{teams, users};

use crate::Web;
use crate::dashboard::access::see_other;
use crate::dashboard::extract::{Admin, PersonForm};
use crate::dashboard::shell::shell;
use crate::dashboard::{PageError, audit, html};

const HOURS: usize = 24;
const HOUR_MS: i64 = 3_600_000;
const AUDIT_ROWS: i64 = 5;

pub(crate) async fn page(
    State(web): State<Web>,
    Admin(person): Admin,
) -> Result<Response, PageError> {
    let app = web.app();
    let org = person.signed_in.org.clone();
    let (keys_in_use, had_key) = keys::count(app, &org.id).await?;
    let usage = request_log::usage(app, &org.id, None, HOURS).await?;
    let (teams, members) = {
        let mut conn = app.db.read().await?;
        (
            teams::list(&mut conn, &org.id).await?,
            users::count_members(&mut conn, &org.id).await?,
        )
    };
    let credits = match organizations::credits_left(app, &org.id).await? {
        CreditsLeft::Balance(credits) => credits.to_string(),
        CreditsLeft::Unlimited => "Unlimited".to_owned(),
    };
    let rate_limit = match org.plan.requests_per_minute() {
        Some(limit) => format!(
            "{} requests a minute",
            headshot_pages::grouped(limit.into())
        ),
        None => "no request limit".to_owned(),
    };
    let checklist = checklist(had_key, usage.total > 0);
    html(&Overview {
        shell: shell(&web, &person, ("Overview", NavItem::Overview)).await?,
        organization: OrganizationFacts {
            uid: org.id.to_string(),
            name: org.name,
            website: org.website,
            plan: capitalized(org.plan.name()),
            rate_limit,
        },
        credits,
        keys_in_use,
        requests_24h: requests(&usage, person.visit.now.unix_ms()),
        teams: teams.into_iter().map(|team| team.name).collect(),
        members,
        audit: audit::newest_rows(&web, &person, (i64::MAX, AUDIT_ROWS)).await?,
        checklist,
    })
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_uppercase() + rest
}

fn requests(usage: &request_log::Usage, now_ms: i64) -> Requests {
    let first = now_ms.div_euclid(HOUR_MS) - i64::try_from(HOURS).unwrap_or(0) + 1;
    let bar = |(hour, counts): (i64, &request_log::HourUsage)| Hour {
        label: format!("{:02}:00", hour.rem_euclid(24)),
        total: u32::try_from(counts.total).unwrap_or(u32::MAX),
        refused: u32::try_from(counts.refused).unwrap_or(u32::MAX),
    };
    Requests {
        total: usage.total,
        refused: usage.refused,
        by_hour: (first..).zip(&usage.by_hour).map(bar).collect(),
    }
}

fn checklist(has_key: bool, called: bool) -> Vec<ChecklistItem> {
    let item = |label: &str, detail: &str, href: &str, done| ChecklistItem {
        label: label.to_owned(),
        detail: detail.to_owned(),
        href: href.to_owned(),
        done,
    };
    vec![
        item(
            "Generate an API key",
            "Your systems use it to call the API.",
            "/app/admin/api",
            has_key,
        ),
        item(
            "Make the first call",
            "Samples in curl, Node and Python are ready to paste.",
            "/api/authentication",
            called,
        ),
        item(
            "Look at the log",
            "Every call is there, with the reason if it was refused.",
            "/app/admin/api/logs",
            called,
        ),
    ]
}

pub(crate) async fn switch(
    State(web): State<Web>,
    form: PersonForm,
) -> Result<Response, PageError> {
    let org = OrgId::from(form.fields.get("organization"));
    if accounts::switch_org(web.app(), &form.person.signed_in, &org).await? {
        Ok(see_other("/"))
    } else {
        Err(PageError::NotFound)
    }
}
