//! The comparison: our verified, scope-checked, limited and logged route against a bare one.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use headshot_app::request_log;
use headshot_storage::Db;
use headshot_storage::api_requests::{self, Filter};

use crate::bare::Recorded;
use crate::client;
use crate::load;
use crate::process::{Server, free_address, on_core};
use crate::report::{Report, median};
use crate::seed::{self, Seed};

/// The route.
pub(crate) const PATH: &str = "/api/v2/organization";

/// The servers' core; the load has the other one.
const CORE: usize = 0;

/// How the comparison is run.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    pub(crate) connections: usize,
}

/// Figures of each round.
#[derive(Default)]
struct Side {
    per_second: Vec<f64>,
    /// Processor time of one request, in microseconds, until its log row is stored.
    cpu_us: Vec<f64>,
    answers: u64,
}

pub(crate) async fn measure(binary: &Path, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let seed = Seed::sqlite(1).await?;
    let key = seed.keys.first().map(String::as_str).unwrap_or_default();
    let ours = Server::headshot(binary, &seed, Some(CORE))?;
    let recorded = ours.first(&client::get(PATH, Some(key))).await?;
    let bare = start_bare(
        &seed,
        &Recorded {
            headers: kept(recorded.headers),
            body: recorded.body,
        },
    )?;
    bare.first(&client::get(PATH, None)).await?;

    let load = (plan.seconds, plan.connections);
    let mut counted = 0;
    for tool in load::Tool::all() {
        let (mut bare_side, mut our_side) = (Side::default(), Side::default());
        // One round to warm up; its figures are dropped, its requests counted.
        for round in 0..=plan.rounds {
            crate::progress(format_args!("{}, round {round}", tool.name()));
            round_of(&bare, &mut bare_side, (key, tool, load), false).await?;
            round_of(&ours, &mut our_side, (key, tool, load), true).await?;
            if round == 0 {
                bare_side.forget();
                our_side.forget();
            }
        }
        tell(report, tool, (&bare_side, &our_side));
        counted += our_side.answers;
    }
    let answered = ours
        .metric("headshot_api_answers_total{status=\"2xx\"} ")
        .await?;
    let resident = ours.resident_mib()?;
    ours.stop().await?;
    bare.stop().await?;
    report.add(
        "Resident memory after the load",
        format!("{resident:.1} MiB"),
        "published",
    );
    count(report, &seed, (counted, answered)).await
}

impl Side {
    fn forget(&mut self) {
        self.per_second.clear();
        self.cpu_us.clear();
    }
}

async fn round_of(
    server: &Server,
    side: &mut Side,
    (key, tool, load): (&str, load::Tool, (u64, usize)),
    logs: bool,
) -> anyhow::Result<()> {
    let before = server.cpu_seconds()?;
    let (address, key) = (server.address, key.to_owned());
    let seen = tokio::task::spawn_blocking(move || load::put(tool, address, &key, load)).await??;
    while logs && server.metric("headshot_api_log_queued ").await? > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let cpu_us = (server.cpu_seconds()? - before) * 1e6 / seen.answers as f64;
    crate::progress(format_args!("{:.0}/s, {cpu_us:.2} us", seen.per_second));
    side.per_second.push(seen.per_second);
    side.cpu_us.push(cpu_us);
    side.answers += seen.answers;
    Ok(())
}

fn start_bare(seed: &Seed, recorded: &Recorded) -> anyhow::Result<Server> {
    let file = seed.folder().join("answer.json");
    std::fs::write(&file, serde_json::to_vec(recorded)?)?;
    let address = free_address()?;
    let mut command = on_core(CORE, &std::env::current_exe()?);
    command
        .args(["bare", "--listen", &address.to_string(), "--answer"])
        .arg(file);
    Server::other(command, address)
}

/// hyper itself adds the others, to both.
fn kept(headers: Vec<(String, String)>) -> Vec<(String, String)> {
    let by_hyper = |name: &str| name == "content-length" || name == "date";
    let kept = headers.into_iter().filter(|(name, _)| !by_hyper(name));
    kept.collect()
}

fn tell(report: &mut Report, tool: load::Tool, (bare, ours): (&Side, &Side)) {
    let ratios: Vec<f64> = ours
        .per_second
        .iter()
        .zip(&bare.per_second)
        .map(|(ours, bare)| ours / bare)
        .collect();
    report.add(
        format!("Bare axum route, {}", tool.name()),
        format!(
            "{:.0} requests/s, {:.2} µs of processor each",
            median(&bare.per_second),
            median(&bare.cpu_us)
        ),
        "",
    );
    report.add(
        format!(
            "Verified, scope-checked, limited, logged `GET /api/v2/organization`, {}",
            tool.name()
        ),
        format!(
            "{:.0} requests/s, {:.2} µs of processor each",
            median(&ours.per_second),
            median(&ours.cpu_us)
        ),
        "",
    );
    report.add(
        format!(
            "Ratio of requests/s, {}, median of {} rounds",
            tool.name(),
            ratios.len()
        ),
        format!("{:.2}", median(&ratios)),
        "at least 0.6, aim 0.8",
    );
    report.add(
        format!(
            "Ratio of processor time, {}, the log's writer included",
            tool.name()
        ),
        format!("{:.2}", median(&bare.cpu_us) / median(&ours.cpu_us)),
        "",
    );
}

/// Every answer has its row in the log, or a gap row says how many have none.
async fn count(
    report: &mut Report,
    seed: &Seed,
    (counted, answered): (u64, u64),
) -> anyhow::Result<()> {
    let db = Db::connect(&seed.database_url).await?;
    let mut conn = db.read().await?;
    let gaps = api_requests::gaps(&mut conn, &Filter::default(), 100_000).await?;
    let lost: i64 = gaps.iter().map(|gap| gap.lost).sum();
    drop(conn);
    let app = seed::app(&seed.database_url, 1).await?;
    let hours = request_log::usage(&app, &seed.org, None, 24).await?;
    let rows = count_rows(&app, seed).await?;
    app.db.close().await;
    db.close().await;
    report.add(
        "API log: answers that the load counted / that the server gave / rows / told lost by gap rows",
        format!("{counted} / {answered} / {rows} / {lost}"),
        "rows + lost = given",
    );
    let total = u64::try_from(hours.total).unwrap_or(0);
    ensure!(rows == total, "{rows} rows, but the hours count {total}");
    let lost = u64::try_from(lost).unwrap_or(0);
    ensure!(rows + lost == answered, "{rows} + {lost} is not {answered}");
    Ok(())
}

/// The rows themselves, not the hourly figures.
async fn count_rows(app: &headshot_app::App, seed: &Seed) -> anyhow::Result<u64> {
    const STEP: i64 = 50_000;
    let mut conn = app.db.read().await?;
    let mut filter = Filter::default();
    let mut rows = 0;
    loop {
        let page = api_requests::list(&mut conn, &seed.org, &filter, STEP).await?;
        let Some(oldest) = page.last() else {
            return Ok(rows);
        };
        rows += page.len() as u64;
        filter.before = Some(oldest.id.clone());
    }
}
