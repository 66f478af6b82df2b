//! The figures that Headshot publishes, measured in one run. See `docs/benchmarks.md`.
//!
//! Figures are compared within one run only: the bare route and ours alternate on the same cores.

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

mod bare;
mod client;
mod deletion;
mod engine;
mod lists;
mod load;
mod machine;
mod postgres;
mod process;
mod report;
mod route;
mod seed;
mod start;
mod verification;
mod webhooks;

use report::Report;

/// Measures Headshot and prints a table.
#[derive(Debug, Parser)]
#[command(name = "headshot-bench")]
struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    /// Print JSON instead of Markdown.
    #[arg(long, global = true)]
    json: bool,
    /// The binary to measure; built with cargo without it.
    #[arg(long, global = true, value_name = "FILE")]
    headshot: Option<PathBuf>,
    /// Rounds of the comparison; each measures the bare route and ours once.
    #[arg(long, global = true, default_value_t = 5)]
    rounds: usize,
    /// Seconds of load in each measurement.
    #[arg(long, global = true, default_value_t = 4)]
    seconds: u64,
    /// Connections that the load keeps open.
    #[arg(long, global = true, default_value_t = 64)]
    connections: usize,
    /// Keys that are deleted in each arrangement of processes.
    #[arg(long, global = true, default_value_t = 400)]
    deletions: usize,
    /// The large detail network; measured beside the embedded one.
    #[arg(long, global = true, value_name = "FILE")]
    u2net: Option<PathBuf>,
}

#[derive(Debug, Clone, Subcommand)]
enum Part {
    /// Only the comparison with a bare route.
    Route,
    /// Only verification in memory.
    Verification,
    /// Only lists, and invites in a row.
    Lists,
    /// Only deletion.
    Deletion,
    /// Only start, memory and size.
    Start,
    /// Only the fan-out of webhooks.
    Webhooks,
    /// Only the studio engine.
    Engine,
    /// Our side of the engine's comparison.
    #[command(hide = true)]
    Studio(engine::Studio),
    /// The bare route itself: the other side of the comparison.
    #[command(hide = true)]
    Bare(bare::Bare),
    /// The load, where `wrk` is not installed.
    #[command(hide = true)]
    Load(load::Load),
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match &args.part {
        Some(Part::Bare(bare)) => bare::serve(bare),
        Some(Part::Load(load)) => load::run(load),
        Some(Part::Studio(studio)) => engine::run(studio),
        _ => measure(&args),
    }
}

fn measure(args: &Args) -> anyhow::Result<()> {
    let mut report = Report::new(machine::facts());
    let wants = |part: fn(&Part) -> bool| args.part.as_ref().is_none_or(part);
    if wants(|part| matches!(part, Part::Engine)) {
        engine::measure(args.u2net.as_deref(), args.rounds, &mut report)?;
    }
    if wants(|part| !matches!(part, Part::Engine)) {
        measure_server(args, wants, &mut report)?;
    }
    let text = if args.json {
        report.json()?
    } else {
        report.markdown()
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// What needs the server's binary.
fn measure_server(
    args: &Args,
    wants: impl Fn(fn(&Part) -> bool) -> bool,
    report: &mut Report,
) -> anyhow::Result<()> {
    let headshot = process::binary(args.headshot.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        if wants(|part| matches!(part, Part::Start)) {
            start::measure(&headshot, report).await?;
        }
        if wants(|part| matches!(part, Part::Verification)) {
            verification::measure(report).await?;
        }
        if wants(|part| matches!(part, Part::Lists)) {
            lists::measure(report).await?;
        }
        if wants(|part| matches!(part, Part::Deletion)) {
            deletion::measure(&headshot, args.deletions, report).await?;
        }
        if wants(|part| matches!(part, Part::Webhooks)) {
            webhooks::measure(report).await?;
        }
        if wants(|part| matches!(part, Part::Route)) {
            let plan = route::Plan {
                rounds: args.rounds,
                seconds: args.seconds,
                connections: args.connections,
            };
            route::measure(&headshot, &plan, report).await?;
        }
        anyhow::Ok(())
    })
}

/// Says on standard error what is being measured.
fn progress(what: impl std::fmt::Display) {
    let _closed = writeln!(std::io::stderr(), "bench: {what}");
}
