//! `headshot doctor`: whether database, audit log and objects fit together.

use anyhow::bail;
use headshot_app::doctor::{Check, Doctor};
use headshot_blobs::Objects;
use headshot_domain::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::args;
use crate::config::Config;
use crate::{output, wiring};

pub(crate) async fn run(config: &Config, given: args::Doctor) -> anyhow::Result<()> {
    let db = wiring::open_existing(config).await?;
    let objects = Objects::open(&config.storage)?;
    let doctor = Doctor {
        db: &db,
        objects: &objects,
        repair: given.repair,
        now: SystemClock::new().now(),
    };
    let checks = doctor.examine().await?;
    let sick: Vec<&str> = checks
        .iter()
        .filter(|check| !check.is_healthy())
        .map(|check| check.name)
        .collect();
    if given.json.json {
        let list: Vec<Value> = checks.iter().map(check_json).collect();
        output::json(&json!({ "healthy": sick.is_empty(), "checks": list }));
    } else {
        for check in &checks {
            tell(check);
        }
    }
    if sick.is_empty() {
        Ok(())
    } else {
        bail!("not everything fits together: {}", sick.join(", "))
    }
}

fn check_json(check: &Check) -> Value {
    json!({
        "name": check.name,
        "healthy": check.is_healthy(),
        "lookedAt": check.looked_at,
        "problems": check.problems,
        "moreProblems": check.more,
        "repaired": check.repaired,
    })
}

fn tell(check: &Check) {
    let result = if check.is_healthy() { "good" } else { "BAD" };
    output::line(format!(
        "{:<18} {result:<5} {} looked at",
        check.name, check.looked_at
    ));
    for problem in &check.problems {
        output::line(format!("    {problem}"));
    }
    if check.more > 0 {
        output::line(format!("    and {} more", check.more));
    }
    if check.repaired > 0 {
        output::line(format!("    {} repaired", check.repaired));
    }
}
