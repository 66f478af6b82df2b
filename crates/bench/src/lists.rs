//! Lists in a large organization against the same in a small one, and invites in a row.

use std::sync::Arc;
use std::time::Instant;

use headshot_app::audit::Actor;
use headshot_app::idempotency::Once;
use headshot_app::page::Slice;
use headshot_app::{App, invites, members, models};
use headshot_domain::{
    Credits, Email, InviteId, InviteState, MemberStage, ModelId, ModelStatus, ModelVersion, OrgId,
    Role, Timestamp, UserId,
};
use headshot_storage::users::{self, User};
use headshot_storage::{invites as invite_rows, models as model_rows};

use crate::postgres::Postgres;
use crate::report::{Report, median};
use crate::seed::{self, Seed};

const SMALL: usize = 1_000;
const LARGE: usize = 100_000;
/// Rows of one transaction while the database is filled.
const AT_ONCE: usize = 1_000;
/// Calls of one list.
const CALLS: usize = 300;
/// Invites in a row.
const INVITES: usize = 1_000;

pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let postgres = Postgres::start()?;
    let seeds = (Seed::sqlite(0).await?, Seed::sqlite(0).await?);
    on(report, "SQLite", &seeds).await?;
    if let Some(postgres) = &postgres {
        let small = Seed::at(postgres.database("small")?, 0).await?;
        let large = Seed::at(postgres.database("large")?, 0).await?;
        on(report, "PostgreSQL", &(small, large)).await?;
    }
    Ok(())
}

async fn on(
    report: &mut Report,
    database: &str,
    (small, large): &(Seed, Seed),
) -> anyhow::Result<()> {
    crate::progress(format_args!("lists on {database}"));
    let small_app = Arc::new(seed::app(&small.database_url, 1_000).await?);
    let large_app = Arc::new(seed::app(&large.database_url, 1_000).await?);
    fill(&small_app, &small.org, 0..SMALL).await?;
    fill(&large_app, &large.org, 0..LARGE).await?;
    for list in [List::Invites, List::PendingMembers, List::Models] {
        let (mut few, mut many) = (Vec::new(), Vec::new());
        // In turn: what else the machine does meets both.
        for _ in 0..CALLS {
            few.push(list.time(&small_app, &small.org).await?);
            many.push(list.time(&large_app, &large.org).await?);
        }
        let (few, many) = (median(&few), median(&many));
        report.add(
            format!("{list:?}, 50 of 100,000 against 50 of 1,000, {database}"),
            format!("{:.2} ({many:.2} ms)", many / few),
            "at most 1.5",
        );
    }
    invites_in_a_row(report, database, (&small_app, &small.org)).await?;
    small_app.db.close().await;
    large_app.db.close().await;
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum List {
    Invites,
    PendingMembers,
    Models,
}

impl List {
    /// Milliseconds of the first page of 50.
    async fn time(self, app: &App, org: &OrgId) -> anyhow::Result<f64> {
        let slice = Slice::new(50, 0);
        let started = Instant::now();
        let found = match self {
            Self::Invites => invites::list(app, org, slice).await?.items.len(),
            Self::PendingMembers => {
                let pending = Some(MemberStage::Pending);
                members::list(app, org, pending, slice).await?.items.len()
            }
            Self::Models => {
                let all = models::Filter::default();
                models::list(app, org, all, slice).await?.items.len()
            }
        };
        anyhow::ensure!(found == 50, "{self:?} has {found} on a page");
        Ok(started.elapsed().as_secs_f64() * 1_000.0)
    }
}

/// People who joined by an invite, with a session each: rows of all three lists.
async fn fill(app: &App, org: &OrgId, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
    let numbers: Vec<usize> = numbers.collect();
    for some in numbers.chunks(AT_ONCE) {
        let mut tx = app.db.write().await?;
        for number in some {
            let now = app.clock.now();
            let email: Email = format!("p{number}@example.com")
                .parse()
                .map_err(anyhow::Error::msg)?;
            let person = User {
                id: UserId::generate(&*app.entropy),
                email: email.to_string(),
                name: None,
                password_hash: None,
            };
            users::insert(&mut tx, &person, &email, now).await?;
            users::insert_membership(&mut tx, org, &person.id, (Role::Member, None), now).await?;
            let model = model(app, org, (&person, now));
            model_rows::insert(&mut tx, &model).await?;
            let invite = invite(app, org, (&email, now));
            invite_rows::insert(&mut tx, &invite, &email).await?;
            let used = (&model.id, now);
            invite_rows::mark_used(&mut tx, &invite, (&person.id, &email), used).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

fn invite(app: &App, org: &OrgId, (email, now): (&Email, Timestamp)) -> invites::Invite {
    invites::Invite {
        id: InviteId::generate(&*app.entropy),
        org: org.clone(),
        email: email.to_string(),
        team: None,
        created_by: "command line".to_owned(),
        created_at: now,
        expires_at: now.plus(invites::LIFE),
        state: InviteState::Open,
        reserved: Credits::ZERO,
        used_at: None,
        session: None,
    }
}

fn model(app: &App, org: &OrgId, (user, now): (&User, Timestamp)) -> models::Model {
    models::Model {
        id: ModelId::generate(&*app.entropy),
        org: org.clone(),
        user: user.id.clone(),
        uid: user.id.to_string(),
        email: user.email.clone(),
        title: String::new(),
        gender: None,
        status: ModelStatus::Waiting,
        team: None,
        development: false,
        version: ModelVersion::Lora,
        reserved: Credits::ZERO,
        charged: Credits::ZERO,
        favorite: None,
        created_at: now,
        started_at: Some(now),
        submitted_at: Some(now),
        finished_at: None,
        deleted_at: None,
        invite_expires_at: None,
    }
}

/// Invites through the use case, one after the other, by the processor's time of this process.
async fn invites_in_a_row(
    report: &mut Report,
    database: &str,
    (app, org): (&App, &OrgId),
) -> anyhow::Result<()> {
    let actor = Actor::command_line();
    let before = processor_seconds()?;
    for number in 0..INVITES {
        let email: Email = format!("i{number}@example.com")
            .parse()
            .map_err(anyhow::Error::msg)?;
        invites::create(app, (org, &actor), (&email, None), Once::unkept()).await?;
    }
    let spent = processor_seconds()? - before;
    #[expect(clippy::cast_precision_loss, reason = "a thousand")]
    let rate = INVITES as f64 / spent;
    report.add(
        format!("Invites in a row, for each second of one core, {database}"),
        format!("{rate:.0}"),
        "at least 200",
    );
    Ok(())
}

/// User and system time of this process.
fn processor_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum();
    // USER_HZ is 100 on every Linux.
    Ok(ticks / 100.0)
}
