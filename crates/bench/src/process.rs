//! Real `headshot serve` processes.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::client::{self, Answer};
use crate::seed::Seed;

/// How long a process may take to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// The binary to measure: the given one, or a fresh release build.
pub(crate) fn binary(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return given.canonicalize().context("the given binary");
    }
    crate::progress("cargo build --release -p headshot");
    let built = Command::new("cargo")
        .args(["build", "--release", "-p", "headshot"])
        .status()?;
    let beside = std::env::current_exe()?.with_file_name("headshot");
    if !built.success() || !beside.exists() {
        bail!("no release binary at {}", beside.display());
    }
    Ok(beside)
}

/// `program`, bound to one core.
pub(crate) fn on_core(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A server process; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts `headshot serve` on the database of `seed`; does not wait for it.
    pub(crate) fn headshot(
        binary: &Path,
        seed: &Seed,
        core: Option<usize>,
    ) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = match core {
            Some(core) => on_core(core, binary),
            None => Command::new(binary),
        };
        command
            .arg("serve")
            .current_dir(seed.folder())
            .env("HEADSHOT_DATA_DIR", seed.folder())
            .env("HEADSHOT_DATABASE_URL", &seed.database_url)
            .env("HEADSHOT_PEPPER", crate::seed::PEPPER)
            .env("HEADSHOT_LISTEN", address.to_string())
            .env("HEADSHOT_TRUSTED_PROXIES", "127.0.0.1")
            .env("HEADSHOT_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let child = command.spawn()?;
        Ok(Self { child, address })
    }

    /// Starts another server, which was told to listen on `address`.
    pub(crate) fn other(mut command: Command, address: SocketAddr) -> anyhow::Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        Ok(Self { child, address })
    }

    /// Waits for the first answer with status 200.
    pub(crate) async fn first(&self, request: &[u8]) -> anyhow::Result<Answer> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            match client::once(self.address, request).await {
                Ok(answer) if answer.status == 200 => return Ok(answer),
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        bail!("{} does not answer", self.address)
    }

    /// One figure of `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> anyhow::Result<u64> {
        let answer = client::once(self.address, &client::get("/metrics", None)).await?;
        let text = String::from_utf8(answer.body)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        Ok(value.context("no such figure")?.trim().parse()?)
    }

    /// Processor time used so far, of all threads, in seconds.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        /// Ticks of `/proc` in a second on Linux, whatever the kernel's own rate.
        const TICKS: f64 = 100.0;
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = text.rsplit(')').next().unwrap_or_default();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |index: usize| -> anyhow::Result<f64> {
            Ok(fields.get(index).context("a short line")?.parse()?)
        };
        Ok((ticks(11)? + ticks(12)?) / TICKS)
    }

    /// Resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> anyhow::Result<f64> {
        resident_mib(&self.child.id().to_string())
    }

    /// Asks the process to end, as an operator would, and waits for it.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("process {id} does not end")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Resident memory of a process (`self` for this one) in MiB.
pub(crate) fn resident_mib(process: &str) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("no VmRSS")?.parse::<f64>()? / 1_024.0)
}
