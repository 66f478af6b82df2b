//! What callers of Headshot can do: one function for each use case, with its authorization, limits
//! and transaction. v1, v2, the dashboard and the command line all call these.
//!
//! Nothing here knows HTTP, HTML or SQL text. The heart is [`verification`]: keys are verified from
//! memory, and a deletion is immediate all the same.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use headshot_blobs::Objects;
use headshot_domain::{Clock, Entropy, entropy};
use headshot_outbound::generator::{Endpoint, Generator};
use headshot_outbound::mail::{Mailer, Smtp};
use headshot_outbound::{Authorities, Client, Guard};
use headshot_storage::{Db, Error, api_keys, auth};
use tokio_util::sync::CancellationToken;

pub mod access;
pub mod accounts;
pub mod audit;
pub mod brand;
pub mod caller;
pub mod consent;
pub mod credits;
pub mod doctor;
pub mod gallery;
pub mod generations;
pub mod idempotency;
pub mod invites;
pub mod jobs;
pub mod keys;
pub mod mail;
pub mod maintenance;
pub mod members;
pub mod models;
pub mod objects;
pub mod organizations;
pub mod page;
pub mod passwords;
pub mod peppers;
pub mod photos;
pub mod rate_limit;
pub mod request_log;
pub mod retention;
pub mod roles;
pub mod shoots;
pub mod studio;
pub mod teams;
pub mod uploads;
pub mod vault;
pub mod verification;
pub mod webhooks;

pub use headshot_outbound as outbound;
pub use headshot_storage::Error as StorageError;

use generations::Generations;
use jobs::Jobs;
use passwords::Passwords;
use peppers::Peppers;
use rate_limit::AddressLimiter;
use request_log::Recorder;
use studio::Studio;
use vault::Vault;
use verification::{Node, Raised, Receipt};

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
    /// How many invites an organization may have open; 0 is no limit, `None` follows its credits.
    pub open_invites_max: Option<i64>,
    /// How many jobs run at a time, and how long a worker may be silent.
    pub jobs: jobs::Limits,
    /// Encrypts webhook secrets.
    pub vault: Vault,
    /// Which addresses webhooks may call.
    pub webhook_guard: Guard,
    /// How long one delivery of a webhook may take.
    pub webhook_time_max: Duration,
    /// Whose certificates receivers and the generator may have, besides what the machine trusts.
    pub authorities: Authorities,
    /// Signs the URLs of photos.
    pub photo_signer: photos::Signer,
    /// How long things are kept.
    pub retention: retention::Rules,
    /// How much the studio does at a time, and with what.
    pub studio: studio::Limits,
    /// The mail server; without one, mails stay in the outbox.
    pub smtp: Option<Smtp>,
    /// Who makes the headshots; without one, the built-in engine.
    pub generator: Option<Endpoint>,
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
    /// Does jobs and cleans up.
    Worker,
    /// Both.
    All,
}

/// Everything that use cases need.
pub struct App {
    /// The database.
    pub db: Db,
    /// Photos and uploads.
    pub objects: Objects,
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
    /// Does what follows from changes.
    pub jobs: Jobs,
    /// Delivers webhooks.
    pub outbound: Client,
    /// Judges uploads and makes headshots.
    pub studio: Studio,
    /// Sends mail, where there is a mail server.
    pub mailer: Option<Mailer>,
    /// Makes the headshots, where the built-in engine does not.
    pub generator: Option<Generator>,
    /// Shoots of this process that wait for the generator.
    pub generations: Generations,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl App {
    /// An application on a migrated database and its objects. Starts nothing.
    pub fn new(
        (db, objects): (Db, Objects),
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
            objects,
            node: Arc::new(node),
            passwords: Passwords::new(&*entropy),
            recorder: Recorder::default(),
            addresses: AddressLimiter::default(),
            outbound: Client::new(settings.webhook_guard.clone())
                .with_time_max(settings.webhook_time_max)
                .with_authorities(settings.authorities.clone()),
            jobs: Jobs::new(format!("worker_{id}")),
            studio: Studio::new(settings.studio.clone()),
            // An address that can be used has been checked when it was read.
            generator: settings.generator.clone().map(|endpoint| {
                Generator::new(endpoint).with_authorities(settings.authorities.clone())
            }),
            generations: Generations::default(),
            mailer: settings.smtp.as_ref().and_then(|smtp| smtp.mailer().ok()),
            clock,
            entropy,
            peppers,
            settings,
        }
    }

    /// Waits until no process can accept what an epoch, committed just now, invalidated.
    pub async fn settle(&self, raised: &Raised) -> Receipt {
        let committed_at = self.clock.monotonic();
        self.node.wake();
        verification::settle(
            &self.db,
            &*self.clock,
            &*self.entropy,
            (raised, committed_at),
        )
        .await
    }

    /// Whether the database answers.
    pub async fn is_ready(&self) -> Result<(), Error> {
        let mut conn = self.db.read().await?;
        auth::epoch(&mut conn).await.map(drop)
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
    /// writer, the jobs, the clean-up. Ends when `stop` is cancelled and everything is written.
    pub async fn run(self: Arc<Self>, roles: Roles, stop: CancellationToken) {
        if let Err(error) = maintenance::roll_call(&self).await {
            self.report(&error, "the roll call of nodes failed");
        }
        let clean_up = (roles != Roles::Web)
            .then(|| tokio::spawn(maintenance::run(Arc::clone(&self), stop.clone())));
        let worker = (roles != Roles::Web)
            .then(|| tokio::spawn(jobs::work(Arc::clone(&self), jobs::run, stop.clone())));
        let deletions = (roles != Roles::Web)
            .then(|| tokio::spawn(objects::run(Arc::clone(&self), stop.clone())));
        let checkpoints = tokio::spawn(maintenance::checkpoints(Arc::clone(&self), stop.clone()));
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
        for work in [clean_up, deletions, Some(checkpoints)]
            .into_iter()
            .flatten()
        {
            // What it had begun is rolled back; the next start does it.
            work.abort();
        }
        if let Some(worker) = worker
            && worker.await.is_err()
        {
            tracing::error!("the worker ended early");
        }
    }
}
