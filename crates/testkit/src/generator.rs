//! A generator for tests: the reference server of `tests/generator`, with faults.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// A running generator; it ends when this is dropped.
#[derive(Debug)]
pub struct GeneratorServer {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    told: Vec<Value>,
    /// Where it listens.
    pub url: String,
}

/// What tests share with it.
pub const GENERATOR_SECRET: &str = "a secret of the tests that is shared with the generator";

/// How long a line may take to come. Only a failure takes this long.
const PATIENCE: Duration = Duration::from_mins(1);

impl GeneratorServer {
    /// Starts one.
    pub fn start() -> Self {
        started().expect("the generator starts (python3)")
    }

    /// Lets it fail in these ways from now on, as `tests/generator/tested.py` names them.
    pub fn fail(&mut self, faults: &str) {
        self.say(if faults.is_empty() { "none" } else { faults });
    }

    /// Lets the next generation begin that is held.
    pub fn go(&mut self) {
        self.say("go");
    }

    fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it runs");
        writeln!(input, "{line}").expect("it reads");
        loop {
            let told = self.lines.recv_timeout(PATIENCE).expect("it obeys");
            if told["obeyed"] == line {
                return;
            }
            self.told.push(told);
        }
    }

    /// All exchanges up to now: `method`, `path`, `headers`, `request`, `status`, `answer`.
    pub fn exchanges(&mut self) -> &[Value] {
        if self.input.is_some() {
            // Each is told before it is answered, but may not have been read yet.
            self.say("tell");
        }
        self.told.extend(self.lines.try_iter());
        &self.told
    }

    /// How many exchanges with this method and status there have been.
    pub fn count(&mut self, method: &str, status: u16) -> usize {
        let all = self.exchanges().iter();
        all.filter(|one| one["method"] == method && one["status"] == status)
            .count()
    }

    /// Ends it: nobody listens there any more.
    pub fn stop(&mut self) {
        self.input = None;
        // It is only stopped so that it does not outlive the test.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Drop for GeneratorServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn started() -> Result<GeneratorServer> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/generator/tested.py");
    let mut child = Command::new("python3")
        .arg(program)
        .env("HEADSHOT_GENERATOR_SECRET", GENERATOR_SECRET)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = child.stdin.take().context("the server has an input")?;
    let output = child.stdout.take().context("the server has an output")?;
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let told = serde_json::from_str(&line).expect("a line is JSON");
            if sender.send(told).is_err() {
                return;
            }
        }
    });
    let first: Value = lines.recv_timeout(PATIENCE)?;
    let port = first["port"].as_u64().context("a port")?;
    Ok(GeneratorServer {
        child,
        input: Some(input),
        lines,
        told: Vec::new(),
        url: format!("http://127.0.0.1:{port}"),
    })
}
