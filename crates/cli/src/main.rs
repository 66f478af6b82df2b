//! The `headshot` binary: configuration, commands, and the only place that wires the parts.

use std::process::ExitCode;

use clap::Parser;

mod args;
mod backup;
mod commands;
mod config;
mod demo;
mod doctor;
mod jobs;
mod output;
mod secrets;
mod serve;
mod studio;
mod wiring;

/// A request makes many small allocations that end on another thread: the system's allocator spends
/// a tenth of the processor time on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Help and version as they are; a mistake in one line, like every other failure.
fn refuse(refused: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    match refused.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output::line(refused.render().to_string().trim_end());
            return ExitCode::SUCCESS;
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // A closed standard error is not an error of ours.
            refused.print().ok();
            return ExitCode::from(2);
        }
        _ => {}
    }
    let text = refused.render().to_string();
    let before_usage = text.split("\n\nUsage:").next().unwrap_or(&text);
    let before_hint = before_usage
        .split("\n\nFor more")
        .next()
        .unwrap_or(before_usage);
    let what = before_hint.trim_start_matches("error: ");
    output::error(&anyhow::anyhow!(
        "{}; --help shows how",
        output::one_line(what)
    ));
    ExitCode::from(2)
}

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(refused) => return refuse(&refused),
    };
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(commands::run(args)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}
