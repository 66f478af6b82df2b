//! `Idempotency-Key`: a request that is sent again gets the first one's answer, and does nothing.
//!
//! The answer is stored in the transaction that does the work (`Once::keep`): a process killed at
//! any moment leaves either both or neither. Refusals are not kept, since they changed nothing.
//!
//! Answers hold links that open a session, so they are encrypted.

use std::time::Duration;

use data_encoding::BASE64;
use headshot_domain::{OrgId, entropy};
use headshot_storage::idempotency::{self, Request};
use headshot_storage::{Error, WriteTx};
use sha2::{Digest, Sha256};

use crate::App;

/// How long an answer is kept.
pub const LIFE: Duration = Duration::from_hours(24);

/// The longest key, in bytes.
pub const KEY_MAX: usize = 255;

/// How long a claim holds unless it is extended: the request of a process that is gone may run again
/// after it.
const CLAIM_LIFE: Duration = Duration::from_secs(6);

/// How often a request that runs extends its claim.
const EXTEND_EVERY: Duration = Duration::from_secs(2);

/// How often a repeated request looks whether the first one is done.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The right to run a request that carries a key.
#[derive(Debug, Clone)]
pub struct Claim {
    org: OrgId,
    key: String,
    claimant: String,
}

/// What to do with a request that carries a key.
#[derive(Debug)]
pub enum Begun {
    /// It is new: run it.
    Run(Claim),
    /// It was answered before with this body.
    Answered(String),
    /// The key was used for another request.
    Different,
}

/// What covers method, path and body of a request.
pub fn digest(method: &str, path: &str, body: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [method.as_bytes(), path.as_bytes(), body] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Claims the request. While the first one with this key runs, this waits for its answer; the
/// caller's time limit ends that.
pub async fn begin(app: &App, org: &OrgId, key: &str, digest: &[u8]) -> Result<Begun, Error> {
    let claimant = entropy::characters(&*app.entropy, b"0123456789abcdef", 32);
    let request = Request { org, key, digest };
    loop {
        let now = app.clock.now();
        let known = {
            let mut conn = app.db.read().await?;
            idempotency::find(&mut conn, org, key).await?
        };
        match known {
            Some(known) if !known.is_stale(now.minus(LIFE)) => {
                if known.digest != digest {
                    return Ok(Begun::Different);
                }
                if let Some(sealed) = known.answer {
                    return opened(app, (org, key), &sealed).map(Begun::Answered);
                }
                if known.claimed_until > now {
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                }
            }
            _ => {}
        }
        let mut tx = app.db.write().await?;
        let until = now.plus(CLAIM_LIFE);
        let times = (now, now.minus(LIFE));
        if idempotency::claim(&mut tx, request, (&claimant, until), times).await? {
            tx.commit().await?;
            return Ok(Begun::Run(Claim {
                org: org.clone(),
                key: key.to_owned(),
                claimant,
            }));
        }
    }
}

impl Claim {
    /// Holds the claim while a request runs; never returns. Should it be lost, because the database did
    /// not answer for too long, the request's answer can't be stored, nor what it did.
    pub async fn hold(&self, app: &App) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(EXTEND_EVERY).await;
            if let Err(error) = self.extend(app).await {
                app.report(&error, "an idempotency claim could not be extended");
            }
        }
    }

    async fn extend(&self, app: &App) -> Result<(), Error> {
        let mut tx = app.db.write().await?;
        let until = app.clock.now().plus(CLAIM_LIFE);
        let held = (self.key.as_str(), self.claimant.as_str());
        idempotency::extend(&mut tx, &self.org, held, until).await?;
        tx.commit().await
    }

    /// Gives the claim up, after a request that changed nothing.
    pub async fn release(self, app: &App) -> Result<(), Error> {
        let mut tx = app.db.write().await?;
        idempotency::release(&mut tx, &self.org, (&self.key, &self.claimant)).await?;
        tx.commit().await
    }

    /// Stores the answer of a request that changed nothing.
    pub async fn settle(self, app: &App, body: &str) -> Result<(), Error> {
        let mut tx = app.db.write().await?;
        self.store(app, &mut tx, body).await?;
        tx.commit().await
    }

    async fn store(&self, app: &App, tx: &mut WriteTx, body: &str) -> Result<(), Error> {
        let context = context(&self.org, &self.key);
        let sealed = app.settings.vault.seal(&*app.entropy, &context, body);
        let sealed = BASE64.encode(&sealed);
        idempotency::answer(tx, &self.org, (&self.key, &self.claimant), &sealed).await
    }
}

fn context(org: &OrgId, key: &str) -> String {
    format!("answer {org} {key}")
}

fn opened(app: &App, (org, key): (&OrgId, &str), sealed: &str) -> Result<String, Error> {
    let corrupt = Error::Corrupt {
        table: "idempotency_keys",
        column: "answer",
    };
    let Ok(sealed) = BASE64.decode(sealed.as_bytes()) else {
        return Err(corrupt);
    };
    match app.settings.vault.open(&context(org, key), &sealed) {
        Ok(answer) => Ok(answer.to_string()),
        Err(unreadable) => {
            app.report(&unreadable, "a kept answer can't be read");
            Err(corrupt)
        }
    }
}

/// How a use case's result is kept for a repetition of its request.
#[derive(Debug)]
pub struct Once<'a, T>(Option<(&'a Claim, View<T>)>);

/// Makes the answer's body of a result.
type View<T> = fn(&App, &T) -> String;

impl<T> Clone for Once<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Once<'_, T> {}

impl<'a, T: Sync> Once<'a, T> {
    /// Nothing is kept: the request carried no key.
    pub const fn unkept() -> Self {
        Self(None)
    }

    /// Kept as the body that `view` makes of the result.
    pub fn kept(claim: Option<&'a Claim>, view: View<T>) -> Self {
        Self(claim.map(|claim| (claim, view)))
    }

    /// Stores the answer in the transaction that does the work.
    pub(crate) async fn keep(&self, app: &App, tx: &mut WriteTx, result: &T) -> Result<(), Error> {
        match self.0 {
            None => Ok(()),
            Some((claim, view)) => {
                let body = view(app, result);
                claim.store(app, tx, &body).await
            }
        }
    }
}
