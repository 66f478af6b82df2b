//! The `headshot` binary: configuration, commands, and the only place that wires the parts.

use std::process::ExitCode;

use clap::Parser;

mod args;
mod commands;
mod config;
mod demo;
mod output;
mod secrets;
mod serve;
mod wiring;

fn main() -> ExitCode {
    let args = args::Args::parse();
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
