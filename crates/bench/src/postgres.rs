//! A PostgreSQL of our own for the length of the run, where it is installed.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::ensure;
use tempfile::TempDir;

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// Runs until dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: TempDir,
    port: u16,
}

impl Postgres {
    /// Starts one, with default settings (`fsync` included) in a temporary folder.
    pub(crate) fn start() -> anyhow::Result<Option<Self>> {
        if !Path::new(PROGRAMS).exists() {
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let postgres = Self {
            port: crate::process::free_address()?.port(),
            folder,
        };
        let path = postgres.folder.path().display().to_string();
        ensure!(
            Command::new("chown")
                .args(["postgres", &path])
                .status()?
                .success(),
            "the folder can't be given to postgres"
        );
        let data = postgres.data();
        postgres.run(
            "initdb",
            &["-D", &data, "-A", "trust", "--locale=C", "-E", "UTF8"],
        )?;
        let options = format!(
            "-p {} -k {path} -c listen_addresses=127.0.0.1",
            postgres.port
        );
        let log = format!("{path}/log");
        postgres.run(
            "pg_ctl",
            &["-D", &data, "-w", "-l", &log, "-o", &options, "start"],
        )?;
        Ok(Some(postgres))
    }

    /// A new, empty database; its address.
    pub(crate) fn database(&self, name: &str) -> anyhow::Result<String> {
        let port = self.port.to_string();
        self.run("createdb", &["-h", "127.0.0.1", "-p", &port, name])?;
        Ok(format!("postgres://postgres@127.0.0.1:{port}/{name}"))
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn run(&self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        let status = Command::new("runuser")
            .args(["-u", "postgres", "--", &format!("{PROGRAMS}/{program}")])
            .args(args)
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "{program} failed");
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.data();
        let _stopped = self.run("pg_ctl", &["-D", &data, "-m", "immediate", "stop"]);
    }
}
