//! Passwords: argon2id off the async threads, with a bound on how many are hashed at once.

use std::future::pending;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use headshot_domain::{Entropy, entropy};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// The shortest password, in characters.
pub const LENGTH_MIN: usize = 8;
/// The longest password, in characters: hashing stays cheap to refuse.
pub const LENGTH_MAX: usize = 200;

/// Each running hash holds 19 MiB.
const AT_ONCE_MAX: usize = 4;

/// A password as it was typed; wiped when dropped.
pub type Password = Zeroizing<String>;

/// Why a password can't be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Too short.
    #[error("Use at least {} characters.", LENGTH_MIN)]
    TooShort,
    /// Too long.
    #[error("Use at most {} characters.", LENGTH_MAX)]
    TooLong,
    /// The password is the mail address.
    #[error("Use something else than your email address.")]
    IsEmail,
}

/// Whether `password` may be used by the person with `email`.
pub fn check(password: &str, email: &str) -> Result<(), Unusable> {
    let length = password.chars().count();
    if length < LENGTH_MIN {
        Err(Unusable::TooShort)
    } else if length > LENGTH_MAX {
        Err(Unusable::TooLong)
    } else if password.eq_ignore_ascii_case(email) {
        Err(Unusable::IsEmail)
    } else {
        Ok(())
    }
}

/// Hashes and verifies passwords.
#[derive(Debug)]
pub struct Passwords {
    slots: Arc<Semaphore>,
    /// The hash of nobody's password, so that an unknown address takes as long as a known one.
    decoy: String,
    hashed: Arc<AtomicU64>,
}

impl Passwords {
    /// Prepares the decoy with a random password.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let password = data_encoding::HEXLOWER.encode(&entropy::bytes::<16>(entropy));
        let decoy = hash_now(&password, &entropy::bytes(entropy));
        Self {
            slots: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            decoy,
            hashed: Arc::default(),
        }
    }

    /// How many passwords were hashed, to store one or to compare it: what a sign-in costs.
    pub fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }

    /// The hash of a new password, in PHC form.
    pub async fn hash(&self, password: Password, entropy: &dyn Entropy) -> String {
        let salt = entropy::bytes(entropy);
        let hashed = Arc::clone(&self.hashed);
        self.off_thread(move || {
            hashed.fetch_add(1, Ordering::Relaxed);
            hash_now(&password, &salt)
        })
        .await
    }

    /// Whether `password` has the hash `stored`. `None` takes as long and is never right.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> bool {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.clone());
        let hashed = Arc::clone(&self.hashed);
        let right = self
            .off_thread(move || verify_now(&password, &stored, &hashed))
            .await;
        right && known
    }

    async fn off_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        // The slot goes with the work: a caller who leaves doesn't end the hash that it started. The
        // semaphore is never closed.
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        let work = move || {
            let _slot = slot;
            work()
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The process is about to end.
                Err(_) => pending().await,
            },
        }
    }
}

/// OWASP's first choice: 19 MiB, two passes, one lane.
fn argon2id() -> Argon2<'static> {
    #[cfg(test)]
    tests::BEGUN_HERE.set(tests::BEGUN_HERE.get() + 1);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

#[expect(
    clippy::expect_used,
    reason = "the parameters and the salt's length are constants"
)]
fn hash_now(password: &str, salt: &[u8; 16]) -> String {
    argon2id()
        .hash_password_with_salt(password.as_bytes(), salt)
        .expect("valid argon2 parameters")
        .to_string()
}

fn verify_now(password: &str, stored: &str, hashed: &AtomicU64) -> bool {
    argon2::PasswordHash::new(stored).is_ok_and(|hash| {
        hashed.fetch_add(1, Ordering::Relaxed);
        argon2id()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use headshot_domain::SeededEntropy;

    thread_local! {
        /// Hashes that were begun on this thread.
        pub(super) static BEGUN_HERE: Cell<u64> = const { Cell::new(0) };
    }

    #[test]
    fn length_is_limited_at_both_ends() {
        assert_eq!(
            check(&"é".repeat(LENGTH_MIN - 1), ""),
            Err(Unusable::TooShort)
        );
        assert_eq!(check(&"é".repeat(LENGTH_MIN), ""), Ok(()));
        assert_eq!(check(&"é".repeat(LENGTH_MAX), ""), Ok(()));
        assert_eq!(
            check(&"é".repeat(LENGTH_MAX + 1), ""),
            Err(Unusable::TooLong)
        );
        assert_eq!(
            check("Owner@Acme.example", "owner@acme.example"),
            Err(Unusable::IsEmail)
        );
    }

    #[tokio::test]
    async fn only_the_right_password_verifies() {
        let entropy = SeededEntropy::new(1);
        let passwords = Passwords::new(&entropy);
        let hash = passwords
            .hash("correct horse".to_owned().into(), &entropy)
            .await;
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(
            passwords
                .verify("correct horse".to_owned().into(), Some(hash.clone()))
                .await
        );
        assert!(
            !passwords
                .verify("correct house".to_owned().into(), Some(hash))
                .await
        );
        assert!(!passwords.verify("anything".to_owned().into(), None).await);
    }

    /// Nobody's password takes what anybody's takes: one hash with the same parameters.
    #[tokio::test]
    async fn nobody_s_password_takes_as_long() {
        let entropy = SeededEntropy::new(1);
        let passwords = Passwords::new(&entropy);
        let stored = passwords.hash("secret".to_owned().into(), &entropy).await;
        let cost = |hash: &str| hash.rsplitn(3, '$').last().unwrap().to_owned();
        assert_eq!(cost(&stored), "$argon2id$v=19$m=19456,t=2,p=1");
        assert_eq!(cost(&passwords.decoy), cost(&stored));
        assert_eq!(passwords.decoy.len(), stored.len());
        for of in [Some(stored), None] {
            let before = passwords.hashed();
            assert!(!passwords.verify("wrong".to_owned().into(), of).await);
            assert_eq!(passwords.hashed(), before + 1);
        }
    }

    /// A hash takes some 20 ms, in which this thread would serve nobody.
    #[tokio::test(flavor = "current_thread")]
    async fn nothing_is_hashed_on_the_async_threads() {
        let entropy = SeededEntropy::new(1);
        let passwords = Passwords::new(&entropy);
        let decoy = BEGUN_HERE.get();
        assert_eq!(decoy, 1, "made at the start");
        let stored = passwords.hash("secret".to_owned().into(), &entropy).await;
        let right = passwords.verify("secret".to_owned().into(), Some(stored));
        assert!(right.await);
        assert_eq!(passwords.hashed(), 2);
        assert_eq!(BEGUN_HERE.get(), decoy);
    }
}
