//! A server that speaks the protocol of S3 and checks signatures: the npm package s3rver.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, ensure};
use headshot_blobs::Location;

/// A part of a bucket that no other test uses.
#[derive(Debug, Clone)]
pub struct S3 {
    /// For `HEADSHOT_STORAGE_URL`.
    pub url: String,
    /// The environment that reaches it.
    pub variables: Vec<(String, String)>,
}

impl S3 {
    /// The same as a location.
    pub fn location(&self) -> Location {
        Location::parse(&self.url, self.variables.clone()).expect("a well-formed URL")
    }
}

/// An empty part of a bucket. The server starts with the first one and ends with the process,
/// however that ends.
pub fn s3() -> S3 {
    static PORT: OnceLock<u16> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let port = PORT.get_or_init(|| start().expect("S3 answers (npm ci in tests/s3)"));
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let variable = |(name, value): (&str, String)| (name.to_owned(), value);
    S3 {
        url: format!("s3://headshots/test-{}-{count}", std::process::id()),
        variables: [
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
            ("AWS_ACCESS_KEY_ID", "S3RVER".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "S3RVER".to_owned()),
        ]
        .map(variable)
        .to_vec(),
    }
}

fn start() -> Result<u16> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/s3/server.js");
    let folder = tempfile::Builder::new()
        .prefix("headshot-s3-")
        .tempdir()?
        .keep();
    let mut server = Command::new("node")
        .arg(program)
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // Never closed before the process ends.
    std::mem::forget(server.stdin.take());
    let output = server.stdout.take().context("the server has an output")?;
    let mut port = String::new();
    BufReader::new(output).read_line(&mut port)?;
    ensure!(!port.is_empty(), "the server did not start");
    Ok(port.trim().parse()?)
}
