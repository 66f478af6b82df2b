//! A data folder, the commands on it, and servers that end with their test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) mod browser;
pub(crate) mod database;
pub(crate) mod http;

pub(crate) use browser::Browser;
pub(crate) use http::{Answer, Connection, Request, get, post};

/// How long a test waits for something that must happen. Only a failure takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until `condition` gives something.
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that polls: other processes give no event"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

/// One installation: a data folder and the environment of its processes.
pub(crate) struct Place {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// An organization, as `org create --json` tells.
pub(crate) struct Org {
    pub(crate) uid: String,
    pub(crate) setup_url: String,
}

/// A key, as `key create --json` tells.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) key: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            environment: Vec::new(),
        }
    }

    /// Sets an environment variable for every process.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder().join("data")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.data_dir().join("headshot.db")
    }

    /// A command of this installation. Nothing of the developer's environment gets in.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headshot"));
        self.prepare(&mut command);
        command.args(args);
        command
    }

    /// The same through `sh`, where `$0` is the binary.
    pub(crate) fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        self.prepare(&mut command);
        command.args(["-c", script, env!("CARGO_BIN_EXE_headshot")]);
        command
    }

    fn prepare(&self, command: &mut Command) {
        command
            .current_dir(self.folder())
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("HEADSHOT_DATA_DIR", self.data_dir())
            .env("HEADSHOT_LISTEN", "127.0.0.1:0")
            // The engine's own tests do: it takes them long enough.
            .env("HEADSHOT_RESTORE_PHOTOS", "false")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null());
    }

    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary runs")
    }

    /// What a command prints. It must succeed and say nothing on standard error.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let errors = text(&output.stderr);
        assert!(output.status.success(), "{args:?}: {errors}");
        assert_eq!(errors, "", "{args:?}");
        text(&output.stdout)
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let printed = self.run(args);
        serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{args:?} printed {printed}"))
    }

    /// The one line that a command prints on standard error when it fails.
    pub(crate) fn failure(&self, args: &[&str]) -> String {
        one_line(args, &self.output(args))
    }

    pub(crate) fn org(&self, plan: &str) -> Org {
        let email = "owner@acme.example";
        let made = self.json(&[
            "org",
            "create",
            "--name",
            "Acme Corporation",
            "--owner-email",
            email,
            "--plan",
            plan,
            "--credits",
            "100",
            "--whitelabel",
            "--json",
        ]);
        Org {
            uid: made["organization"]["uid"]
                .as_str()
                .expect("uid")
                .to_owned(),
            setup_url: made["owner"]["setupUrl"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        }
    }

    pub(crate) fn key(&self, org: &Org, more: &[&str]) -> Key {
        let mut args = vec!["key", "create", "--org", &org.uid, "--json"];
        args.extend(more);
        let made = self.json(&args);
        Key {
            id: made["id"].as_str().expect("id").to_owned(),
            key: made["key"].as_str().expect("key").to_owned(),
        }
    }

    /// A server on a free port, when it serves.
    pub(crate) fn serve(&self) -> Server {
        Server::start(self.command(&["serve"]))
    }
}

/// Asserts that a command failed with one line on standard error; the line.
pub(crate) fn one_line(args: &[&str], output: &Output) -> String {
    let errors = text(&output.stderr);
    assert!(!output.status.success(), "{args:?} succeeded");
    let mut lines = errors.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    assert!(line.starts_with("error: "), "{args:?}: {errors}");
    assert_eq!(lines.next(), None, "{args:?}: {errors}");
    line
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    lines: Receiver<String>,
    /// Everything that it printed, on both streams.
    printed: Arc<Mutex<String>>,
}

impl Server {
    /// Starts `command` and waits for the line that names the address.
    pub(crate) fn start(command: Command) -> Self {
        let mut server = Self::spawn(command);
        let serving = server.line("Serving ");
        let address = serving.rsplit(' ').next().expect("an address");
        server.address = address.parse().expect("an address");
        server
    }

    /// Starts `command`, which does not serve yet.
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let printed = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = channel();
        let stdout: ChildStdout = child.stdout.take().expect("piped");
        let stderr: ChildStderr = child.stderr.take().expect("piped");
        follow(stdout, Some(sender), Arc::clone(&printed));
        follow(stderr, None, Arc::clone(&printed));
        Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            lines,
            printed,
        }
    }

    /// Waits for a line of standard output that contains `part`.
    pub(crate) fn line(&self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(part) => return line,
                Ok(_) => {}
                Err(ended) => panic!("{ended}, no {part:?}: {}", self.printed()),
            }
        }
    }

    pub(crate) fn printed(&self) -> String {
        self.printed.lock().expect("not poisoned").clone()
    }

    /// The value of a figure on `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let page = get("/metrics").send(self).text();
        let start = format!("{name} ");
        let line = page.lines().find_map(|line| line.strip_prefix(&start));
        let value = line.unwrap_or_else(|| panic!("no {name}: {page}"));
        value.parse().expect("a number")
    }

    /// The process's number.
    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// Sends a signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.id();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.expect("kill runs").success(), "kill -{name} {pid}");
    }

    /// Stops it as an operator does; it must end well. All that it printed.
    pub(crate) fn stop(mut self) -> String {
        self.signal("TERM");
        let status = self.child.wait().expect("the server ends");
        assert!(status.success(), "{status}: {}", self.printed());
        self.printed()
    }

    /// Ends it as a power cut does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the server is running");
        self.child.wait().expect("the server ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been stopped already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn follow(
    stream: impl Read + Send + 'static,
    lines: Option<Sender<String>>,
    printed: Arc<Mutex<String>>,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            {
                let mut printed = printed.lock().expect("not poisoned");
                printed.push_str(&line);
                printed.push('\n');
            }
            if let Some(lines) = &lines {
                lines.send(line).ok();
            }
        }
    });
}

/// Runs a program with `input`; what it printed. It must succeed.
pub(crate) fn pipe(mut command: Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("piped");
    stdin
        .write_all(input.as_bytes())
        .expect("the program reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}
