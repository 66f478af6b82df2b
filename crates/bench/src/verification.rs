//! Verification alone: the value of an `Authorization` header to a verified key, on one thread.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use headshot_app::App;
use headshot_app::keys::{self, Verification};
use headshot_app::rate_limit::Budget;
use headshot_domain::{
    ApiKeySecret, Entropy, KeyId, Networks, OrgId, Plan, ScopeSet, SeededEntropy,
};
use headshot_storage::api_keys::KeyRecord;
use headshot_storage::auth;
use tokio_util::sync::CancellationToken;

use crate::process::resident_mib;
use crate::report::{Report, median};
use crate::seed;

const HOT: usize = 1_000;
const MANY: usize = 1_000_000;
/// Keys of one organization: as many as it may hold.
const KEYS_PER_ORG: usize = 200;
/// Verifications of one measurement, and how many measurements.
const BATCH: usize = 400_000;
const BATCHES: usize = 7;

pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    crate::progress("verification in memory");
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("headshot.db").display());
    let app = Arc::new(seed::app(&url, MANY + MANY / 4).await?);
    let stop = CancellationToken::new();
    let node = Arc::clone(&app.node);
    let lease = tokio::spawn({
        let stop = stop.clone();
        async move { node.run(stop).await }
    });
    hold_lease(&app).await?;

    let entropy = SeededEntropy::new(1);
    let hot = fill(&app, &entropy, HOT).await?;
    let figures = accepted(&app, &hot)?;
    report.add(
        "Verification, 1,000 hot keys",
        format!("{:.0} ns", median(&figures)),
        "published",
    );
    let figures = wrong_checksum(&app, &hot)?;
    report.add(
        "Refusal of a wrong checksum",
        format!("{:.0} ns", median(&figures)),
        "published",
    );

    let before = resident_mib("self")?;
    let many = fill(&app, &entropy, MANY).await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let headers = many.iter().map(Vec::capacity).sum::<usize>() as f64
        + (many.capacity() * size_of::<Vec<u8>>()) as f64;
    let resident = resident_mib("self")? - before - headers / 1_048_576.0;
    let figures = accepted(&app, &many)?;
    report.add(
        "Verification, 1,000,000 keys in memory, random order",
        format!("{:.0} ns", median(&figures)),
        "published",
    );
    report.add(
        "Resident memory of 1,000,000 keys in 5,000 organizations",
        format!("{resident:.0} MiB"),
        "published",
    );
    report.add(
        "The limiter alone (`Budget::take` with a limit)",
        format!("{:.1} ns", limiter(&app)),
        "published",
    );
    stop.cancel();
    lease.await?;
    app.db.close().await;
    Ok(())
}

/// A first look wakes the node; then it holds its lease by itself, as in a server.
async fn hold_lease(app: &App) -> anyhow::Result<()> {
    let started = Instant::now();
    while !app.node.memory.is_leased() {
        let _nothing = app.node.find(&[0; 32]);
        ensure!(started.elapsed() < Duration::from_secs(5), "no lease");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Puts `count` new keys into memory; returns their headers in random order.
async fn fill(app: &App, entropy: &dyn Entropy, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let epoch = auth::epoch(&mut app.db.read().await?).await?;
    let mut headers = Vec::with_capacity(count);
    let mut org = OrgId::generate(entropy);
    for index in 0..count {
        if index % KEYS_PER_ORG == 0 {
            org = OrgId::generate(entropy);
            // Others (the lease) run too.
            tokio::task::yield_now().await;
        }
        let secret = ApiKeySecret::generate(entropy);
        let record = KeyRecord {
            id: KeyId::generate(entropy),
            org: org.clone(),
            scopes: ScopeSet::FULL,
            networks: Networks::default(),
            expires_at: None,
            deleted_at: None,
            plan: Plan::Unlimited,
        };
        app.node
            .memory
            .remember(app.peppers.digest(&secret), record, epoch);
        headers.push(format!("Bearer {}", secret.expose()).into_bytes());
    }
    let mut state = 1usize;
    for index in (1..headers.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        headers.swap(index, (state >> 20) % (index + 1));
    }
    Ok(headers)
}

/// Nanoseconds of one verification, in each batch.
fn accepted(app: &App, headers: &[Vec<u8>]) -> anyhow::Result<Vec<f64>> {
    let (times, accepted) = batches(
        headers,
        |header, now| {
            matches!(
                keys::verify(app, Some(header), now),
                Verification::Accepted(_)
            )
        },
        app,
    );
    // The cache may have let go of a few keys of a million; a lapsed lease would refuse all.
    ensure!(
        accepted * 100 >= BATCH * BATCHES * 99,
        "only {accepted} were accepted"
    );
    Ok(times)
}

fn wrong_checksum(app: &App, headers: &[Vec<u8>]) -> anyhow::Result<Vec<f64>> {
    let mut wrong = headers.to_vec();
    for header in &mut wrong {
        if let Some(last) = header.last_mut() {
            *last = if *last == b'0' { b'1' } else { b'0' };
        }
    }
    let (times, refused) = batches(
        &wrong,
        |header, now| {
            matches!(
                keys::verify(app, Some(header), now),
                Verification::Refused(_)
            )
        },
        app,
    );
    ensure!(
        refused == BATCH * BATCHES,
        "a wrong checksum was not refused"
    );
    Ok(times)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn batches(
    headers: &[Vec<u8>],
    verify: impl Fn(&[u8], headshot_domain::Timestamp) -> bool,
    app: &App,
) -> (Vec<f64>, usize) {
    let mut times = Vec::new();
    let mut agreed = 0;
    let mut headers = headers.iter().cycle();
    for _ in 0..BATCHES {
        let now = app.clock.now();
        let started = on_processor();
        for header in headers.by_ref().take(BATCH) {
            agreed += usize::from(verify(black_box(header), now));
        }
        times.push((on_processor() - started) / BATCH as f64);
    }
    (times, agreed)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn limiter(app: &App) -> f64 {
    let budget = Budget::default();
    let now = app.clock.now();
    let started = on_processor();
    for _ in 0..BATCHES * BATCH {
        black_box(budget.take(black_box(now), Some(u32::MAX)));
    }
    (on_processor() - started) / (BATCHES * BATCH) as f64
}

/// Nanoseconds that this thread has run: other work on the machine does not count.
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().unwrap_or_default();
    nanoseconds.parse().unwrap_or(f64::NAN)
}
