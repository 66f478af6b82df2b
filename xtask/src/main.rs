//! Development tasks. `cargo xtask test` is what a person runs and what continuous integration
//! runs; `cargo xtask bench` reports the figures of `docs/benchmarks.md`.

use std::process::ExitCode;

use anyhow::Context;

mod dependencies;
mod step;
mod tools;

const HELP: &str = "\
cargo xtask test    install or find what the tests need, run everything, fail on anything skipped
cargo xtask lint    formatting, clippy, documentation, dependencies, fuzz targets
cargo xtask bench   the benchmarks, in the release profile
cargo xtask weights fetch the large detail network into the data folder
cargo xtask engine-docs
                    the pictures of docs/engine.md";

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let done = match task.as_str() {
        "test" => test(),
        "lint" => lint(),
        "bench" => bench(),
        "weights" => weights(),
        "engine-docs" => engine_docs(),
        _ => {
            step::say(HELP);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            step::complain(&format!("xtask {task}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Everything that has to hold before a change lands.
fn test() -> anyhow::Result<()> {
    let tools = tools::find_or_install()?;
    lint()?;
    step::command(
        "Packages for the S3 server",
        "npm",
        &["ci", "--no-audit", "--no-fund"],
    )
    .folder(&step::root().join("tests/s3"))
    .run()?;
    step::cargo("Tests", &["test", "--workspace", "--quiet"])
        .path_first(&tools.python)
        .run()?;
    clients(&tools)?;
    browser(&tools)
}

/// Generated clients and schemathesis, against the built binary.
fn clients(tools: &tools::Tools) -> anyhow::Result<()> {
    let folder = step::root().join("tests/clients");
    step::command(
        "Packages for the clients",
        "npm",
        &["ci", "--no-audit", "--no-fund"],
    )
    .folder(&folder)
    .run()?;
    step::command("Clients", "npm", &["test"])
        .folder(&folder)
        .path_first(&tools.python)
        .env("HEADSHOT_BIN", &binary())
        .run()
}

/// The binary, which the tests have built. A build without the tests would have fewer features switched
/// on in the dependencies, and compile them anew.
fn binary() -> String {
    let path = step::target().join("debug/headshot");
    path.display().to_string()
}

fn lint() -> anyhow::Result<()> {
    step::cargo("Formatting", &["fmt", "--all", "--check"]).run()?;
    merged()?;
    dependencies::check()?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    step::cargo("Clippy", &clippy).run()?;
    step::cargo(
        "Documentation",
        &["doc", "--workspace", "--no-deps", "--quiet"],
    )
    .env("RUSTDOCFLAGS", "-D warnings")
    .run()?;
    fuzz_targets()
}

/// The fuzz targets are a workspace of their own, which the other checks do not see. They are not run
/// here, only compiled.
fn fuzz_targets() -> anyhow::Result<()> {
    let target = step::target().join("fuzz");
    step::cargo("Fuzz targets", &["check", "--locked", "--quiet"])
        .folder(&step::root().join("fuzz"))
        .env("CARGO_TARGET_DIR", &target.display().to_string())
        .run()
}

/// A merge that was committed half done compiles where it hit a document.
fn merged() -> anyhow::Result<()> {
    let found = std::process::Command::new("git")
        .args(["grep", "--line-number", "--extended-regexp"])
        .arg("^(<{7}|>{7}|[|]{7}) ")
        .current_dir(step::root())
        .output()
        .context("git grep")?;
    // 1: nothing found.
    anyhow::ensure!(
        found.status.code() == Some(1),
        "left over from a merge:\n{}{}",
        String::from_utf8_lossy(&found.stdout),
        String::from_utf8_lossy(&found.stderr)
    );
    Ok(())
}

/// The stories in a real browser, against the built binary.
fn browser(tools: &tools::Tools) -> anyhow::Result<()> {
    let folder = step::root().join("tests/browser");
    step::command(
        "Packages for the browser tests",
        "npm",
        &["ci", "--no-audit", "--no-fund"],
    )
    .folder(&folder)
    .run()?;
    step::command("Browser tests", "npm", &["test"])
        .folder(&folder)
        .env("HEADSHOT_BIN", &binary())
        .env("CHROMIUM", &tools.chromium.display().to_string())
        .run()
}

fn weights() -> anyhow::Result<()> {
    let rest: Vec<String> = std::env::args().skip(2).collect();
    let mut args = vec![
        "run",
        "--quiet",
        "--package",
        "headshot",
        "--",
        "weights",
        "fetch",
    ];
    args.extend(rest.iter().map(String::as_str));
    step::cargo("Large detail network", &args).run()
}

fn engine_docs() -> anyhow::Result<()> {
    let args = [
        "run",
        "--release",
        "--quiet",
        "--package",
        "headshot-imaging",
        "--example",
        "engine_docs",
        "--",
        "docs/engine",
    ];
    step::cargo("Pictures of the engine", &args).run()
}

fn bench() -> anyhow::Result<()> {
    step::cargo(
        "Release build",
        &["build", "--release", "--package", "headshot"],
    )
    .run()?;
    let rest: Vec<String> = std::env::args().skip(2).collect();
    let mut args = vec![
        "run",
        "--release",
        "--quiet",
        "--package",
        "headshot-bench",
        "--",
    ];
    args.extend(rest.iter().map(String::as_str));
    step::cargo("Benchmarks", &args).run()
}
