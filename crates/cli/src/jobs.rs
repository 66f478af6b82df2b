//! `headshot jobs`.

use headshot_app::audit::Actor;
use headshot_app::jobs::{self, Job};
use headshot_domain::{JobId, JobState};
use serde_json::{Value, json};

use crate::args::Jobs;
use crate::config::Config;
use crate::{output, wiring};

pub(crate) async fn run(config: &Config, command: Jobs) -> anyhow::Result<()> {
    let app = wiring::app(config).await?;
    match command {
        Jobs::List { dead, kind, json } => {
            let (list, total) = if dead {
                let dead = jobs::dead(&app, None, kind).await?;
                (dead.jobs, Some(dead.total))
            } else {
                let mut list = jobs::list(&app, None, JobState::Running).await?;
                list.extend(jobs::list(&app, None, JobState::Queued).await?);
                (list, None)
            };
            print(&list, total, json.json);
        }
        Jobs::Retry { id, json } => {
            let id = JobId::from(id);
            jobs::revive(&app, &Actor::command_line(), None, &id).await?;
            if json.json {
                output::json(&json!({ "id": id.as_str(), "state": "queued" }));
            } else {
                output::line(format!("{id} is tried again."));
            }
        }
    }
    Ok(())
}

/// Prints a list, and how many there are in all where that is known.
fn print(list: &[Job], total: Option<i64>, as_json: bool) {
    if as_json {
        let jobs: Vec<Value> = list.iter().map(job_json).collect();
        output::json(&match total {
            Some(total) => json!({ "jobs": jobs, "total": total }),
            None => json!({ "jobs": jobs }),
        });
        return;
    }
    for job in list {
        output::line(line(job));
    }
    if let Some(total) = total.filter(|total| list.len() < usize::try_from(*total).unwrap_or(0)) {
        output::line(format!("These are the newest {} of {total}.", list.len()));
    }
}

fn line(job: &Job) -> String {
    let why = job.last_error.as_deref().unwrap_or_default();
    format!(
        "{}  {:<16}  {:<7}  {} tries  {}  {}  {}",
        job.id,
        job.kind,
        job.state,
        job.attempts,
        job.run_at,
        job.lane,
        output::one_line(why)
    )
}

fn job_json(job: &Job) -> Value {
    json!({
        "id": job.id.as_str(),
        "kind": job.kind,
        "lane": job.lane,
        "state": job.state.name(),
        "attempts": job.attempts,
        "runAt": job.run_at.to_string(),
        "leaseUntil": job.lease_until.map(|at| at.to_string()),
        "lastError": job.last_error,
        "createdAt": job.created_at.to_string(),
        "diedAt": job.finished_at.map(|at| at.to_string()),
    })
}
