//! The studio engine beside a Python program that does nearly the same job.
//!
//! Both run in processes of their own and alternate, one photo each, so that other work on the
//! machine falls on both.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use headshot_imaging::encode::encode;
use headshot_imaging::raster::{Kernel, Rect, resize_rgb8};
use headshot_imaging::{OutputFormat, decode};
use serde::Deserialize;

use crate::report::{Report, median};

mod ours;

pub(crate) use ours::{Studio, run};

/// Threads of both.
const THREADS: usize = 2;

/// What the peer needs.
const IMPORTS: &str = "import cv2, numpy, onnxruntime, PIL, pymatting";

/// One run of a job.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Time {
    wall_ms: f64,
    cpu_ms: f64,
}

#[derive(Debug, Deserialize)]
struct Peak {
    peak_mib: f64,
}

/// Medians of a job and the peak memory after it.
struct Measured {
    wall: f64,
    cpu: f64,
    peak: f64,
}

/// Measures with the embedded detail network, and with the large one where it is given.
pub(crate) fn measure(
    large: Option<&Path>,
    rounds: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    crate::progress("the studio engine");
    let folder = tempfile::tempdir()?;
    let upload = folder.path().join("upload.jpg");
    std::fs::write(&upload, twelve_megapixels()?)?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let small = sources.join("../imaging/weights/u2netp.onnx");
    let python = Command::new("python3")
        .args(["-c", IMPORTS])
        .stderr(Stdio::null())
        .status();
    let has_peer = python.is_ok_and(|status| status.success());
    if !has_peer {
        report.add("Python peer", "not measured: its packages are missing", "-");
    }
    for (name, network) in [("u2netp", Some(small.as_path())), ("u2net", large)] {
        let Some(network) = network else { continue };
        let studio = Studio {
            upload: upload.clone(),
            threads: THREADS,
            large: (name == "u2net").then(|| network.to_owned()),
        };
        let mut ours = Worker::start(&mut studio.command()?)?;
        let mut peer = None;
        if has_peer {
            let out = folder.path().join("peer.jpg");
            let program = sources.join("peer/peer.py");
            peer = Some(Worker::start(&mut python_peer(
                &program, network, &upload, &out,
            ))?);
        }
        compare(name, &mut ours, peer, rounds, report)?;
        alone(name, &mut ours, rounds, report)?;
    }
    Ok(())
}

/// One photo each, in turn; the first of both warms up and is dropped.
fn compare(
    network: &str,
    ours: &mut Worker,
    peer: Option<Worker>,
    rounds: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut peer = peer;
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let time = ours.time("photo")?;
        let other = peer.as_mut().map(|peer| peer.time("photo")).transpose()?;
        if round > 0 {
            own.push(time);
            others.extend(other);
        }
    }
    let own = measured(&own, ours)?;
    let other = match &mut peer {
        Some(peer) => Some(measured(&others, peer)?),
        None => None,
    };
    let mut add = |what: &str, value: fn(&Measured) -> f64, unit: &str, target: &str| {
        let mine = value(&own);
        let mut text = format!("{mine:.0} {unit}");
        if let Some(other) = other.as_ref().map(value) {
            text = format!("{text}, peer {other:.0} {unit}, ratio {:.2}", mine / other);
        }
        report.add(format!("{what}, {network}"), text, target);
    };
    let job = "12-megapixel JPEG to one 1024 x 1280 JPEG";
    add(
        &format!("{job}, wall, {THREADS} threads"),
        |m| m.wall,
        "ms",
        "ratio at most 1.0",
    );
    add(
        &format!("{job}, user CPU"),
        |m| m.cpu,
        "ms",
        "ratio at most 1.0",
    );
    add(
        "Peak memory of the process",
        |m| m.peak,
        "MiB",
        "at most 0.8 GB",
    );
    Ok(())
}

/// What the peer does not do.
fn alone(
    network: &str,
    ours: &mut Worker,
    rounds: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    for (what, job, target) in [
        (
            "Every further photo of the same selfie",
            "further",
            "at most 50 ms of one core",
        ),
        (
            "Verdict on a 12-megapixel upload",
            "verdict",
            "at most 400 ms",
        ),
    ] {
        let times: Vec<Time> = (0..rounds)
            .map(|_| ours.time(job))
            .collect::<Result<_, _>>()?;
        let Measured { wall, cpu, .. } = measured(&times, ours)?;
        let value = format!("{wall:.0} ms wall, {cpu:.0} ms user CPU");
        report.add(format!("{what}, {network}"), value, target);
    }
    Ok(())
}

fn measured(times: &[Time], worker: &mut Worker) -> anyhow::Result<Measured> {
    let walls: Vec<f64> = times.iter().map(|time| time.wall_ms).collect();
    let cpus: Vec<f64> = times.iter().map(|time| time.cpu_ms).collect();
    let Peak { peak_mib } = worker.ask("peak")?;
    Ok(Measured {
        wall: median(&walls),
        cpu: median(&cpus),
        peak: peak_mib,
    })
}

fn python_peer(program: &Path, network: &Path, upload: &Path, out: &Path) -> Command {
    let threads = THREADS.to_string();
    let mut command = Command::new("python3");
    command
        .arg(program)
        .arg(&threads)
        .args([network, upload, out])
        .env("OMP_NUM_THREADS", &threads)
        .env("NUMBA_NUM_THREADS", &threads);
    command
}

/// A bundled portrait, enlarged: no camera's own file with a free licence is bundled.
fn twelve_megapixels() -> anyhow::Result<Vec<u8>> {
    let portrait = include_bytes!("../../imaging/portraits/obama.jpg");
    let small = decode::decode(portrait)?.pixels;
    let whole = Rect {
        x: 0.0,
        y: 0.0,
        w: 910.0,
        h: 1137.0,
    };
    let large = resize_rgb8(&small, whole, 3_100, 3_873, Kernel::Sharp);
    Ok(encode(&large, OutputFormat::Jpeg, 90, "")?)
}

/// A process that does a job for each line on its standard input, and answers with a line of JSON.
struct Worker {
    child: Child,
    jobs: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let jobs = child.stdin.take().context("no input")?;
        let answers = child.stdout.take().context("no output")?;
        Ok(Self {
            child,
            jobs,
            answers: BufReader::new(answers),
        })
    }

    fn time(&mut self, job: &str) -> anyhow::Result<Time> {
        self.ask(job)
    }

    fn ask<T: serde::de::DeserializeOwned>(&mut self, job: &str) -> anyhow::Result<T> {
        writeln!(self.jobs, "{job}")?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("{job}: the process has ended");
        }
        serde_json::from_str(&line).with_context(|| format!("{job}: {line}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// User time of this process in milliseconds, in steps of 10.
fn cpu_ms() -> anyhow::Result<f64> {
    /// A tick of `/proc` on Linux, whatever the kernel's own rate.
    const TICK_MS: f64 = 10.0;
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit(')').next().unwrap_or_default();
    let user = fields.split_whitespace().nth(11).context("a short line")?;
    Ok(user.parse::<f64>()? * TICK_MS)
}

/// Highest resident memory of this process in MiB.
fn peak_mib() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("no VmHWM")?.parse::<f64>()? / 1_024.0)
}
