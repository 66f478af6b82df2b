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
        Jobs::List { dead, json } => {
            let states: &[JobState] = if dead {
                &[JobState::Dead]
            } else {
                &[JobState::Running, JobState::Queued]
            };
            let mut list = Vec::new();
            for state in states {
                list.extend(jobs::list(&app, None, *state).await?);
            }
            if json.json {
                let list: Vec<Value> = list.iter().map(job_json).collect();
                output::json(&json!({ "jobs": list }));
            } else {
                for job in &list {
                    output::line(line(job));
                }
            }
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
