//! Admin > Audit > Jobs: background work of the organization.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use headshot_app::jobs::{self, Job, Kind, ReviveError};
use headshot_domain::{JobId, JobState, Timestamp};
use headshot_pages::{JobRow, Jobs, NavItem, Notice};
use serde::Deserialize;

use crate::Web;
use crate::dashboard::extract::{Admin, AdminForm, Person};
use crate::dashboard::shell::{shell, with_notice};
use crate::dashboard::{PageError, html, html_with};
use crate::words;

/// Of which kind the dead jobs are.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListQuery {
    kind: String,
}

pub(crate) async fn page(
    State(web): State<Web>,
    Admin(person): Admin,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(query) = query?;
    // An unknown kind is all of them, and is not repeated.
    html(&list(&web, &person, query.kind.parse().ok()).await?)
}

async fn list(web: &Web, person: &Person, kind: Option<Kind>) -> Result<Jobs, PageError> {
    let org = Some(&person.signed_in.org.id);
    let now = person.visit.now;
    let dead = jobs::dead(web.app(), org, kind).await?;
    let mut open = jobs::list(web.app(), org, JobState::Running).await?;
    open.extend(jobs::list(web.app(), org, JobState::Queued).await?);
    Ok(Jobs {
        shell: shell(web, person, ("Jobs", NavItem::Jobs)).await?,
        kinds: Kind::ALL.iter().map(|kind| kind.name()).collect(),
        kind: kind.map(|kind| kind.name().to_owned()).unwrap_or_default(),
        dead_total: dead.total,
        dead: dead
            .jobs
            .into_iter()
            .map(|job| dead_row(job, now))
            .collect(),
        open: open.into_iter().map(|job| open_row(job, now)).collect(),
    })
}

fn dead_row(job: Job, now: Timestamp) -> JobRow {
    JobRow {
        when: words::ago(job.finished_at.unwrap_or(job.run_at), now),
        ..open_row(job, now)
    }
}

fn open_row(job: Job, now: Timestamp) -> JobRow {
    JobRow {
        id: job.id.to_string(),
        kind: job.kind,
        attempts: job.attempts,
        when: words::log_time(job.run_at, now),
        last_error: job.last_error.unwrap_or_default(),
    }
}

pub(crate) async fn retry(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: AdminForm,
) -> Result<Response, PageError> {
    let person = form.person;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let org = Some(&person.signed_in.org.id);
    let (status, notice) = match jobs::revive(web.app(), &actor, org, &JobId::from(id)).await {
        Ok(()) => (StatusCode::OK, Notice::good("The job is tried again.")),
        Err(ReviveError::Internal(error)) => return Err(error.into()),
        Err(ReviveError::NotFound) => {
            let words = "This job is not among those that failed.";
            (StatusCode::NOT_FOUND, Notice::info(words))
        }
        Err(ReviveError::Needless) => {
            let words = "What this job had to do is done, or waits for another job.";
            (StatusCode::CONFLICT, Notice::info(words))
        }
    };
    let mut page = list(&web, &person, None).await?;
    page.shell = with_notice(page.shell, notice);
    html_with(status, &page)
}
