//! What callers of Headshot can do: one function for each use case, with its authorization, limits
//! and transaction. v1, v2, the dashboard and the command line all call these.
//!
//! Nothing here knows HTTP, HTML or SQL text. The heart is [`verification`]: keys are verified from
//! memory, and a deletion is immediate all the same.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use headshot_domain::{Clock, Entropy, entropy};
use headshot_storage::{Db, Error, api_keys};
use tokio_util::sync::CancellationToken;

pub mod accounts;
pub mod audit;
pub mod caller;
pub mod keys;
pub mod maintenance;
pub mod organizations;
pub mod passwords;
pub mod peppers;
pub mod rate_limit;
pub mod request_log;
pub mod verification;

pub use headshot_storage::Error as StorageError;

use passwords::Passwords;
use peppers::Peppers;
use rate_limit::AddressLimiter;
use request_log::Recorder;
use verification::{Node, Receipt};

/// What the operator can set. Holds a secret: never printed.
#[derive(Clone)]
pub struct Settings {
    /// The address of this server in links, without a slash at the end.
    pub public_url: String,
    /// How long API log rows are kept.
    pub log_retention: Duration,
    /// How many keys one process remembers at most.
    pub keys_in_memory_max: usize,
    /// Signs device cookies.
    pub cookie_secret: String,
}

/// A failure and all its causes on one line.
pub fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut causes = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push_str(": ");
        causes.push_str(&cause.to_string());
        source = cause.source();
    }
    causes
}

/// What one process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roles {
    /// Answers requests.
    Web,
    /// Cleans up.
    Worker,
    /// Both.
    All,
}

/// Everything that use cases need.
pub struct App {
    /// The database.
    pub db: Db,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What key digests are made with.
    pub peppers: Peppers,
    /// What the operator set.
    pub settings: Settings,
    /// Verifies keys.
    pub node: Arc<Node>,
    /// Takes API log rows.
    pub recorder: Recorder,
    /// Limits callers that no key identifies.
    pub addresses: AddressLimiter,
    /// Hashes passwords.
    pub passwords: Passwords,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl App {
    /// An application on a migrated database. Starts nothing.
    pub fn new(
        db: Db,
        peppers: Peppers,
        settings: Settings,
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
    ) -> Self {
        let id = entropy::characters(&*entropy, b"0123456789abcdefghijklmnopqrstuvwxyz", 12);
        let keys_max = settings.keys_in_memory_max;
        let node = Node::new(
            format!("node_{id}"),
            db.clone(),
            Arc::clone(&clock),
            keys_max,
        );
        Self {
            db,
            node: Arc::new(node),
            passwords: Passwords::new(&*entropy),
            recorder: Recorder::default(),
            addresses: AddressLimiter::default(),
            clock,
            entropy,
            peppers,
            settings,
        }
    }

    /// Waits until no process can accept what `epoch`, committed just now, invalidated.
    pub async fn settle(&self, epoch: i64) -> Receipt {
        let committed_at = self.clock.monotonic();
        self.node.wake();
        verification::settle(
            &self.db,
            &*self.clock,
            &*self.entropy,
            (epoch, committed_at),
        )
        .await
    }

    /// Logs a failure with all its causes, once, at the place where it stops.
    pub fn report(&self, error: &(dyn StdError + 'static), what: &str) {
        tracing::error!(cause = causes(error), "{what}");
    }

    /// Live keys that were made under a pepper that this server does not have; they are refused.
    pub async fn keys_without_pepper(&self) -> Result<i64, Error> {
        let mut conn = self.db.read().await?;
        let peppers = api_keys::peppers(&mut conn).await?;
        let unknown = peppers
            .into_iter()
            .filter(|(id, _)| !self.peppers.knows(id));
        Ok(unknown.map(|(_, count)| count).sum())
    }

    /// Starts what runs beside the requests of a process with `roles`: the lease and the API log's
    /// writer, the clean-up. Ends when `stop` is cancelled and everything is written.
    pub async fn run(self: Arc<Self>, roles: Roles, stop: CancellationToken) {
        if let Err(error) = maintenance::roll_call(&self).await {
            self.report(&error, "the roll call of nodes failed");
        }
        let clean_up = (roles != Roles::Web)
            .then(|| tokio::spawn(maintenance::run(Arc::clone(&self), stop.clone())));
        if roles != Roles::Worker {
            let log_stop = CancellationToken::new();
            let log = tokio::spawn(request_log::run(Arc::clone(&self), log_stop.clone()));
            self.node.run(stop.clone()).await;
            // The log goes on while requests may still come, and is drained last.
            log_stop.cancel();
            if log.await.is_err() {
                tracing::error!("the API log's writer ended early");
            }
        }
        stop.cancelled().await;
        if let Some(clean_up) = clean_up {
            // What it had begun is rolled back; the next start does it.
            clean_up.abort();
        }
    }
}
