//! A mail server for tests: the Python package aiosmtpd.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// A running mail server; it ends when this is dropped. It refuses `refused@...` for good,
/// `later@...` the first time, and cuts the connection when it has taken the first mail to `lost@...`.
#[derive(Debug)]
pub struct MailServer {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Without encryption, with STARTTLS demanded, with TLS from the first byte, and without
    /// encryption for the user `headshot` with the password `right`.
    pub ports: [u16; 4],
    /// The certificate authority that it is to be trusted by, as PEM.
    pub authority: Vec<u8>,
}

impl MailServer {
    /// Starts one.
    pub fn start() -> Self {
        started().expect("the mail server starts (aiosmtpd and trustme for python3)")
    }

    /// Waits for the next mail that it takes: `to`, `subject`, `id`, `encrypted`, `parts` by media
    /// type.
    pub fn taken(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the server runs");
        serde_json::from_str(&line).expect("a line is JSON")
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It is only stopped so that it does not outlive the test.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn started() -> Result<MailServer> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/smtp/server.py");
    let mut child = Command::new("python3")
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("the server has an output")?;
    let mut output = BufReader::new(output);
    let mut line = String::new();
    output.read_line(&mut line)?;
    ensure!(!line.is_empty(), "the server did not start");
    let told: Value = serde_json::from_str(&line)?;
    let port = |index: usize| -> Result<u16> {
        let port = told["ports"][index].as_u64().context("a port")?;
        Ok(u16::try_from(port)?)
    };
    Ok(MailServer {
        child,
        output,
        ports: [port(0)?, port(1)?, port(2)?, port(3)?],
        authority: told["authority"].as_str().context("PEM")?.into(),
    })
}
