//! Our side: a process that makes photos when it is told to.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::bail;
use clap::Args;
use headshot_imaging::{
    Assets, Backdrop, DetailWeights, Engine, Look, Options, Selfie, Sitting, Style,
};
use serde_json::{Value, json};

use super::{cpu_ms, peak_mib};

#[derive(Debug, Clone, Args)]
pub(crate) struct Studio {
    /// The selfie.
    #[arg(long)]
    pub(super) upload: PathBuf,
    #[arg(long)]
    pub(super) threads: usize,
    /// The large detail network; the embedded one without it.
    #[arg(long)]
    pub(super) large: Option<PathBuf>,
}

impl Studio {
    /// This program again, as that process.
    pub(super) fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("studio")
            .args(["--threads", &self.threads.to_string()])
            .arg("--upload")
            .arg(&self.upload);
        if let Some(large) = &self.large {
            command.arg("--large").arg(large);
        }
        Ok(command)
    }
}

/// Answers each line of standard input: `photo`, `further`, `verdict`, `peak`.
pub(crate) fn run(given: &Studio) -> anyhow::Result<()> {
    let detail = match &given.large {
        Some(path) => DetailWeights::Large(std::fs::read(path)?),
        None => DetailWeights::Small,
    };
    let engine = Engine::new(Options {
        threads: given.threads,
        detail,
    })?;
    let upload = std::fs::read(&given.upload)?;
    let mut selfie: Option<Selfie> = None;
    for line in std::io::stdin().lock().lines() {
        let answer = match line?.as_str() {
            "photo" => time(1.0, || photo(&engine, &upload))?,
            "verdict" => time(1.0, || {
                engine.check(&upload)?;
                Ok(())
            })?,
            "further" => {
                if selfie.is_none() {
                    selfie = Some(engine.open(&upload)?);
                }
                let Some(selfie) = &selfie else { continue };
                further(&mut engine.sitting(selfie))?
            }
            "peak" => json!({ "peak_mib": peak_mib()? }),
            other => bail!("no job {other}"),
        };
        writeln!(std::io::stdout(), "{answer}")?;
    }
    Ok(())
}

/// All of it, from the upload's bytes to the headshot's.
fn photo(engine: &Engine, upload: &[u8]) -> anyhow::Result<()> {
    let selfie = engine.open(upload)?;
    let mut sitting = engine.sitting(&selfie);
    sitting.photo(&Look::default(), &Assets::default())?;
    Ok(())
}

/// Every backdrop in every style; the time of one of them.
fn further(sitting: &mut Sitting<'_>) -> anyhow::Result<Value> {
    let in_style = |style: Style| {
        Backdrop::RENDERED.map(|backdrop| Look {
            style,
            backdrop,
            ..Look::default()
        })
    };
    let looks: Vec<Look> = Style::ALL.into_iter().flat_map(in_style).collect();
    let assets = Assets::default();
    sitting.photo(&Look::default(), &assets)?;
    #[expect(clippy::cast_precision_loss, reason = "forty")]
    let count = looks.len() as f64;
    time(count, || {
        for look in &looks {
            sitting.photo(look, &assets)?;
        }
        Ok(())
    })
}

fn time(count: f64, mut job: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Value> {
    let (started, before) = (Instant::now(), cpu_ms()?);
    job()?;
    let wall = started.elapsed().as_secs_f64() * 1e3;
    Ok(json!({ "wall_ms": wall / count, "cpu_ms": (cpu_ms()? - before) / count }))
}
