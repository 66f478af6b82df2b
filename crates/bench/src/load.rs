//! The load: `wrk` where it is installed, else a loop of our own.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::client::{self, Client};
use crate::process::on_core;

/// The load's core; the servers have the other one.
pub(crate) const CORE: usize = 1;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Load {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    key: String,
    #[arg(long = "for")]
    seconds: u64,
    #[arg(long)]
    clients: usize,
}

/// What the load saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Complete answers.
    pub(crate) answers: u64,
    pub(crate) per_second: f64,
}

/// Which load this machine has.
pub(crate) fn tool() -> &'static str {
    let found = Command::new("wrk").arg("-v").output().is_ok();
    if found { "wrk" } else { "headshot-bench load" }
}

/// Requests as fast as `connections` connections take them, for `seconds`.
pub(crate) fn put(
    address: SocketAddr,
    key: &str,
    (seconds, connections): (u64, usize),
) -> anyhow::Result<Seen> {
    if tool() == "wrk" {
        return wrk(address, key, (seconds, connections));
    }
    let mut command = on_core(CORE, &std::env::current_exe()?);
    command.args(["load", "--address", &address.to_string(), "--key", key]);
    command.args(["--for", &seconds.to_string()]);
    command.args(["--clients", &connections.to_string()]);
    let out = command.output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let (answers, per_second) = text.trim().split_once(' ').context("the load failed")?;
    Ok(Seen {
        answers: answers.parse()?,
        per_second: per_second.parse()?,
    })
}

fn wrk(
    address: SocketAddr,
    key: &str,
    (seconds, connections): (u64, usize),
) -> anyhow::Result<Seen> {
    let mut command = on_core(CORE, "wrk".as_ref());
    command.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s")]);
    command.args(["-H", &format!("Authorization: Bearer {key}")]);
    command.arg(format!("http://{address}{}", crate::route::PATH));
    let out = command.output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    if text.contains("Non-2xx") || !out.status.success() {
        bail!("wrk: {text}");
    }
    let first_word = |line: &str| line.split_whitespace().next().map(ToOwned::to_owned);
    let answers = text.lines().find(|line| line.contains(" requests in "));
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    Ok(Seen {
        answers: answers
            .and_then(first_word)
            .context("wrk's count")?
            .parse()?,
        per_second: rate.context("wrk's rate")?.trim().parse()?,
    })
}

/// The loop of our own, in a process of its own.
pub(crate) fn run(load: &Load) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let length = Duration::from_secs(load.seconds);
    let request = client::get(crate::route::PATH, Some(&load.key));
    let started = Instant::now();
    let answers: u64 = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..load.clients {
            let (address, request) = (load.address, request.clone());
            tasks.spawn(async move {
                let mut client = Client::connect(address).await?;
                let mut answers = 0u64;
                while started.elapsed() < length {
                    if client.send(&request).await?.status != 200 {
                        bail!("an answer other than 200");
                    }
                    answers += 1;
                }
                Ok(answers)
            });
        }
        let mut sum = 0;
        while let Some(done) = tasks.join_next().await {
            sum += done??;
        }
        anyhow::Ok(sum)
    })?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rate = answers as f64 / started.elapsed().as_secs_f64();
    use std::io::Write;
    writeln!(std::io::stdout(), "{answers} {rate}")?;
    Ok(())
}
