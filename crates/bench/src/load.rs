//! The load: a loop of our own that never sleeps, and `wrk` where it is installed.
//!
//! A client that sleeps between answers is woken by the server's write, and on a virtual machine
//! that interrupt is paid by the server's core: the slower of two servers pays it more often. The
//! loop that never sleeps takes it out of the comparison; `wrk` leaves it in.

use std::io::Write;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

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

/// What makes the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// The loop of our own.
    Spin,
    /// `wrk -t1`.
    Wrk,
}

impl Tool {
    /// Those that this machine has.
    pub(crate) fn all() -> Vec<Self> {
        let mut tools = vec![Self::Spin];
        if Command::new("wrk").arg("-v").output().is_ok() {
            tools.push(Self::Wrk);
        }
        tools
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Spin => "load that never sleeps",
            Self::Wrk => "wrk",
        }
    }
}

/// Requests as fast as `connections` connections take them, for `seconds`.
pub(crate) fn put(
    tool: Tool,
    address: SocketAddr,
    key: &str,
    (seconds, connections): (u64, usize),
) -> anyhow::Result<Seen> {
    if tool == Tool::Wrk {
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
        .event_interval(1)
        .build()?;
    let (answers, elapsed) = runtime.block_on(async {
        let spin = tokio::spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        let done = all_clients(load).await;
        spin.abort();
        done
    })?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rate = answers as f64 / elapsed.as_secs_f64();
    writeln!(std::io::stdout(), "{answers} {rate}")?;
    Ok(())
}

async fn all_clients(load: &Load) -> anyhow::Result<(u64, Duration)> {
    let length = Duration::from_secs(load.seconds);
    let request = client::get(crate::route::PATH, Some(&load.key));
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..load.clients {
        let (address, request) = (load.address, request.clone());
        tasks.spawn(async move {
            let mut client = Client::connect(address).await?;
            let first = client.send(&request).await?;
            ensure!(first.status == 200, "status {}", first.status);
            let mut answers = 1;
            while started.elapsed() < length {
                client.repeat(&request, first.length).await?;
                answers += 1;
            }
            anyhow::Ok(answers)
        });
    }
    let mut sum = 0u64;
    while let Some(done) = tasks.join_next().await {
        sum += done??;
    }
    Ok((sum, started.elapsed()))
}
