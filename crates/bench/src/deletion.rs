//! How long the deletion of a key takes, over HTTP, while every process holds a lease.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use headshot_storage::Db;
use headshot_storage::api_requests::{self, KeyHour};
use tokio::task::JoinSet;

use crate::client::{self, Client};
use crate::postgres::Postgres;
use crate::process::Server;
use crate::report::{Report, quantile};
use crate::seed::Seed;

/// Between two requests of the traffic that keeps each process in use.
const PAUSE: Duration = Duration::from_millis(5);

/// How often a process is killed.
const DEAD_ROUNDS: usize = 10;

/// Keys that come from one address.
const KEYS_EACH: usize = 50;

pub(crate) async fn measure(
    binary: &Path,
    deletions: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    for (processes, target) in [(1, "p99 below 10 ms"), (3, "p99 below 300 ms")] {
        let seed = Seed::sqlite(deletions + 1).await?;
        arrangement(binary, &seed, processes, ("SQLite", target), report).await?;
    }
    beside_a_dead_process(binary, DEAD_ROUNDS, report).await?;
    let Some(postgres) = Postgres::start()? else {
        report.add("Deletion on PostgreSQL", "not measured: not installed", "");
        return Ok(());
    };
    for (processes, target) in [(1, "p99 below 10 ms"), (3, "p99 below 300 ms")] {
        let url = postgres.database(&format!("bench{processes}"))?;
        let seed = Seed::at(url, deletions + 1).await?;
        arrangement(binary, &seed, processes, ("PostgreSQL", target), report).await?;
    }
    Ok(())
}

async fn arrangement(
    binary: &Path,
    seed: &Seed,
    processes: usize,
    (database, target): (&str, &str),
    report: &mut Report,
) -> anyhow::Result<()> {
    crate::progress(format_args!("deletion, {processes} on {database}"));
    let mut servers = Vec::new();
    for _ in 0..processes {
        servers.push(Server::headshot(binary, seed, None)?);
    }
    let Some((traffic_key, keys)) = seed.keys.split_first() else {
        return Ok(());
    };
    let request = client::get(crate::route::PATH, Some(traffic_key));
    let mut traffic = JoinSet::new();
    let mut clients = Vec::new();
    for server in &servers {
        server.first(&request).await?;
        traffic.spawn(keep_in_use(server.address, request.clone()));
        clients.push(Client::connect(server.address).await?);
    }
    for server in &servers {
        while server.metric("headshot_lease_held ").await? == 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
    let (times, accepted) = delete_all(&mut clients, keys).await?;
    traffic.abort_all();
    ensure!(accepted == 0, "{accepted} accepted after the deletion");
    for server in servers {
        server.stop().await?;
    }
    let plural = if processes == 1 {
        "process"
    } else {
        "processes"
    };
    let alone = commits(seed, keys.len()).await?;
    report.add(
        format!("A commit of one row alone, on {database}"),
        format!(
            "p50 {:.1} ms, p99 {:.1} ms",
            quantile(&alone, 0.5),
            quantile(&alone, 0.99),
        ),
        "",
    );
    report.add(
        format!(
            "Deletion over HTTP, {processes} {plural} on {database} ({} keys)",
            keys.len()
        ),
        format!(
            "p50 {:.1} ms, p99 {:.1} ms, accepted afterwards {accepted}",
            quantile(&times, 0.5),
            quantile(&times, 0.99),
        ),
        target,
    );
    Ok(())
}

/// One of two processes is killed while it holds a lease; the other one deletes a key.
async fn beside_a_dead_process(
    binary: &Path,
    rounds: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let seed = Seed::sqlite(rounds + 1).await?;
    let Some((traffic_key, keys)) = seed.keys.split_first() else {
        return Ok(());
    };
    let request = client::get(crate::route::PATH, Some(traffic_key));
    let mut times = Vec::new();
    for key in keys {
        let alive = Server::headshot(binary, &seed, None)?;
        let dies = Server::headshot(binary, &seed, None)?;
        for server in [&alive, &dies] {
            server.first(&request).await?;
            while server.metric("headshot_lease_held ").await? == 0 {
                tokio::time::sleep(PAUSE).await;
            }
        }
        let mut client = Client::connect(alive.address).await?;
        // Killed when dropped.
        drop(dies);
        let started = Instant::now();
        let answer = client.send(&client::revoke(key)).await?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        ensure!(answer.status == 200, "a deletion: {}", answer.status);
        alive.stop().await?;
    }
    let longest = times.iter().copied().fold(0.0, f64::max);
    report.add(
        format!("Deletion beside a process that was killed ({rounds} times)"),
        format!(
            "p50 {:.0} ms, longest {longest:.0} ms",
            quantile(&times, 0.5)
        ),
        "one lease (1,000 ms)",
    );
    Ok(())
}

/// What the database and its disk take for the smallest write, on the same files.
async fn commits(seed: &Seed, count: usize) -> anyhow::Result<Vec<f64>> {
    let db = Db::connect(&seed.database_url).await?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let row = KeyHour {
            org: seed.org.as_str(),
            key: "",
            hour: 0,
            outcome: "accepted",
            requests: 1,
        };
        let started = Instant::now();
        let mut tx = db.write().await?;
        api_requests::count(&mut tx, &[row]).await?;
        tx.commit().await?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        // As far apart as deletions are.
        tokio::time::sleep(PAUSE).await;
    }
    db.close().await;
    Ok(times)
}

/// Uses each key on every process, deletes it through one of them, and tries it again everywhere.
/// Refusals count for addresses: a caller has 300 a minute, so each has a few keys.
async fn delete_all(clients: &mut [Client], keys: &[String]) -> anyhow::Result<(Vec<f64>, usize)> {
    let (mut times, mut accepted) = (Vec::new(), 0);
    for (index, key) in keys.iter().enumerate() {
        let caller = index / KEYS_EACH;
        let request = client::forwarded(client::get(crate::route::PATH, Some(key)), caller);
        let revocation = client::forwarded(client::revoke(key), caller);
        for client in &mut *clients {
            ensure!(client.send(&request).await?.status == 200, "a live key");
        }
        let deleting = index % clients.len();
        let started = Instant::now();
        let answer = clients[deleting].send(&revocation).await?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        ensure!(answer.status == 200, "a deletion: {}", answer.status);
        for client in &mut *clients {
            accepted += usize::from(client.send(&request).await?.status == 200);
        }
    }
    Ok((times, accepted))
}

async fn keep_in_use(address: SocketAddr, request: Vec<u8>) -> anyhow::Result<()> {
    let mut client = Client::connect(address).await?;
    loop {
        client.send(&request).await?;
        tokio::time::sleep(PAUSE).await;
    }
}
