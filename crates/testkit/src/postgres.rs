//! A PostgreSQL server for tests, and a fresh database on it for each.
//!
//! `HEADSHOT_TEST_POSTGRES_URL` names a server that may be filled with test databases. Without it
//! the first test of a process starts one, which ends with the process however that ends.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::sync::OnceCell;

use crate::{TestDb, connect};

const BIN: &str = "/usr/lib/postgresql/15/bin";
const TEMPLATE: &str = "headshot_test_template";

/// Keeps a server until the standard input closes: when the process that holds the other end ends,
/// also by a kill. `$1` is the folder for everything, `$2` how to run a command as another user.
const KEEPER: &str = r#"
trap '' INT TERM
cd "$1" || exit 1
$2 "$3/initdb" -D data -U postgres --auth=trust --locale=C --encoding=UTF8 --no-sync >log 2>&1
$2 "$3/postgres" -D data -k "$1" -c listen_addresses= -c fsync=off -c max_connections=400 >>log 2>&1 &
read -r _
kill -INT $!
wait $!
rm -rf "$1"
"#;

/// A fresh migrated PostgreSQL database, copied from a template.
pub async fn postgres() -> TestDb {
    let url = fresh()
        .await
        .expect("PostgreSQL answers (Debian: postgresql-15)");
    TestDb {
        db: connect(&url).await,
        url,
        _folder: None,
    }
}

async fn fresh() -> Result<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = server().await?;
    let name = format!(
        "headshot_test_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let mut admin = server.connect().await?;
    // A template can be copied only while nobody is connected to it.
    sqlx::query("SELECT pg_advisory_lock(4715)")
        .execute(&mut admin)
        .await?;
    template(server, &mut admin).await?;
    create(
        &mut admin,
        &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"),
    )
    .await?;
    admin.close().await?;
    Ok(server.clone().database(&name).to_url_lossy().to_string())
}

/// Makes the template and brings it up to date, once in each process.
async fn template(server: &PgConnectOptions, admin: &mut PgConnection) -> Result<()> {
    static READY: OnceCell<()> = OnceCell::const_new();
    READY
        .get_or_try_init(|| async {
            let known: Option<i32> =
                sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
                    .bind(TEMPLATE)
                    .fetch_optional(&mut *admin)
                    .await?;
            if known.is_none() {
                create(
                    admin,
                    &format!("CREATE DATABASE {TEMPLATE} TEMPLATE template0"),
                )
                .await?;
            }
            let url = server.clone().database(TEMPLATE).to_url_lossy();
            let db = connect(url.as_str()).await;
            db.migrate().await?;
            db.close().await;
            Ok(())
        })
        .await
        .copied()
}

async fn create(admin: &mut PgConnection, sql: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(admin).await?;
    Ok(())
}

async fn server() -> Result<&'static PgConnectOptions> {
    static SERVER: OnceCell<PgConnectOptions> = OnceCell::const_new();
    SERVER
        .get_or_try_init(|| async {
            #[expect(
                clippy::disallowed_methods,
                reason = "tests are configured by environment"
            )]
            match std::env::var("HEADSHOT_TEST_POSTGRES_URL") {
                Ok(url) => Ok(PgConnectOptions::from_str(&url)?),
                Err(_) => start().await,
            }
        })
        .await
}

async fn start() -> Result<PgConnectOptions> {
    let folder = tempfile::Builder::new()
        .prefix("headshot-postgres-")
        .tempdir()?
        .keep();
    let run_as = run_as(&folder)?;
    let mut keeper = Command::new("sh")
        .args(["-c", KEEPER, "sh"])
        .arg(&folder)
        .args([run_as, BIN])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    // Never closed before the process ends.
    let mut input = keeper.stdin.take().context("the keeper has an input")?;
    input.flush()?;
    std::mem::forget(input);
    let options = PgConnectOptions::new_without_pgpass()
        .socket(&folder)
        .username("postgres")
        .database("postgres");
    loop {
        if let Ok(connection) = options.connect().await {
            connection.close().await?;
            return Ok(options);
        }
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        ensure!(
            keeper.try_wait()?.is_none(),
            "PostgreSQL did not start: {log}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// PostgreSQL refuses to run as root.
fn run_as(folder: &Path) -> Result<&'static str> {
    let id = Command::new("id").arg("-u").output()?;
    if id.stdout != b"0\n" {
        return Ok("");
    }
    let owned = Command::new("chown").arg("postgres").arg(folder).status()?;
    ensure!(owned.success(), "the user postgres does not exist");
    Ok("setpriv --reuid=postgres --regid=postgres --clear-groups")
}
