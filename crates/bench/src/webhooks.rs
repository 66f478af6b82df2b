//! The fan-out of webhooks: one receiver of ten that hangs must not delay the other nine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use headshot_app::audit::Actor;
use headshot_app::{App, Roles, webhooks};
use headshot_domain::{OrgId, Package, Plan};
use headshot_storage::organizations::{self, Organization};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::report::Report;
use crate::seed::{self, Seed};

const RECEIVERS: usize = 10;

/// Events of all receivers together.
const EVENTS: usize = 1_000;

/// The nine must be done within this much of their time without a hanging one.
const TARGET: f64 = 1.2;

/// Receivers that answer, all on one port, by path; one of them may hang.
struct Receivers {
    url: String,
    /// Answers given.
    answered: AtomicUsize,
    more: Notify,
    hanging: Option<usize>,
}

pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    // They alternate: what else the machine does hits both.
    for _ in 0..3 {
        without.push(run(None).await?.as_secs_f64());
        with.push(run(Some(0)).await?.as_secs_f64());
    }
    let (without, with) = (
        crate::report::median(&without),
        crate::report::median(&with),
    );
    let nine = EVENTS / RECEIVERS * (RECEIVERS - 1);
    report.add(
        format!("{nine} webhook events of nine receivers, all ten answer"),
        format!("{without:.2} s"),
        "-",
    );
    report.add(
        format!("{nine} webhook events of nine receivers, the tenth hangs"),
        format!("{with:.2} s"),
        "-",
    );
    report.add(
        "webhook fan-out, ratio",
        format!("{:.2}", with / without),
        format!("at most {TARGET}"),
    );
    Ok(())
}

/// The time in which all events of the nine are delivered. In both cases the tenth has as many
/// events to deliver.
async fn run(hanging: Option<usize>) -> anyhow::Result<Duration> {
    let seed = Seed::sqlite(1).await?;
    let app = Arc::new(seed::app(&seed.database_url, 1).await?);
    let receivers = Receivers::start(hanging).await?;
    let orgs = organizations(&app, &receivers.url).await?;
    for org in &orgs {
        for _ in 0..EVENTS / RECEIVERS {
            webhooks::send_test(&app, &Actor::command_line(), org).await?;
        }
    }
    let stop = CancellationToken::new();
    let started = Instant::now();
    let worker = tokio::spawn(Arc::clone(&app).run(Roles::Worker, stop.clone()));
    let nine = EVENTS / RECEIVERS * (RECEIVERS - 1);
    receivers.wait_for(nine).await;
    let took = started.elapsed();
    stop.cancel();
    // It would wait for the deliveries that hang.
    worker.abort();
    let ended = worker.await;
    ensure!(
        ended.is_ok() || ended.is_err_and(|error| error.is_cancelled()),
        "the worker panicked"
    );
    app.db.close().await;
    Ok(took)
}

async fn organizations(app: &App, url: &str) -> anyhow::Result<Vec<OrgId>> {
    let mut orgs = Vec::new();
    for number in 0..RECEIVERS {
        let id = OrgId::from(format!("org_receiver{number:03}"));
        let org = Organization {
            id: id.clone(),
            name: format!("Receiver {number}"),
            website: String::new(),
            plan: Plan::Standard,
            package: Package::Normal,
            credits_unlimited: false,
            whitelabel: true,
            created_at: app.clock.now(),
        };
        let mut tx = app.db.write().await?;
        organizations::insert(&mut tx, &org).await?;
        tx.commit().await?;
        let url = format!("{url}/{number}");
        webhooks::save_url(app, &Actor::command_line(), &id, &url).await?;
        orgs.push(id);
    }
    Ok(orgs)
}

impl Receivers {
    async fn start(hanging: Option<usize>) -> anyhow::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let receivers = Arc::new(Self {
            url: format!("http://{}", listener.local_addr()?),
            answered: AtomicUsize::new(0),
            more: Notify::new(),
            hanging,
        });
        let serving = Arc::clone(&receivers);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        Ok(receivers)
    }

    async fn serve(&self, mut stream: TcpStream) -> anyhow::Result<()> {
        let mut seen = Vec::new();
        // The body is the last thing that is sent, and ends with two braces.
        while !seen.ends_with(b"}}") {
            let mut buffer = [0u8; 4_096];
            let read = stream.read(&mut buffer).await?;
            ensure!(read > 0, "the request ended early");
            seen.extend_from_slice(&buffer[..read]);
        }
        let text = String::from_utf8_lossy(&seen);
        let path = text.split(' ').nth(1).context("a path")?;
        let number: usize = path.trim_start_matches('/').parse()?;
        if Some(number) == self.hanging {
            // Until the other side hangs up.
            stream.read_exact(&mut [0u8; 1]).await?;
        }
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await?;
        // The tenth is not among those that are counted, whether it hangs or not.
        if number != 0 {
            self.answered.fetch_add(1, Ordering::SeqCst);
            self.more.notify_one();
        }
        Ok(())
    }

    async fn wait_for(&self, count: usize) {
        while self.answered.load(Ordering::SeqCst) < count {
            self.more.notified().await;
        }
    }
}
