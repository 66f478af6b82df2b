//! How soon a server answers, and how much it takes.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::client;
use crate::process::Server;
use crate::report::{Report, median, quantile};
use crate::seed::Seed;

const STARTS: usize = 20;

pub(crate) async fn measure(binary: &Path, report: &mut Report) -> anyhow::Result<()> {
    crate::progress("start, memory, size");
    let seed = Seed::sqlite(1).await?;
    let request = client::get(crate::route::PATH, seed.keys.first().map(String::as_str));
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let server = Server::headshot(binary, &seed, None)?;
        server.first(&request).await?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        server.stop().await?;
    }
    report.add(
        format!("Cold start to the first verified 200, existing SQLite database ({STARTS} starts)"),
        format!(
            "median {:.0} ms, worst {:.0} ms",
            median(&times),
            quantile(&times, 1.0)
        ),
        "published",
    );
    let server = Server::headshot(binary, &seed, None)?;
    server.first(&client::get("/healthz", None)).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let resident = server.resident_mib()?;
    report.add(
        "Resident memory, idle after start",
        format!("{resident:.1} MiB"),
        "published",
    );
    server.stop().await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let size = std::fs::metadata(binary)?.len() as f64 / 1_048_576.0;
    report.add("Binary size", format!("{size:.1} MiB"), "published");
    Ok(())
}
