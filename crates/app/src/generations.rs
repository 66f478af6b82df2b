//! What generators tell: a callback wakes the shoot that waits, and does nothing else. How far a
//! generation is, the shoot asks the generator itself, so a callback that is lost, forged or
//! replayed changes nothing but the moment of that question.

use std::sync::Arc;

use headshot_domain::ModelId;
use headshot_outbound::generator::CALLBACKS;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::App;

/// The largest callback that is read, in bytes.
pub const CALLBACK_MAX: usize = 16 * 1024;

/// The shoots of this process that wait for a generator; as many as jobs run at most.
#[derive(Debug, Default)]
pub struct Generations(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    id: String,
    model: ModelId,
    wake: Arc<Notify>,
    percent: u8,
}

/// A shoot that waits; forgotten when dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    all: &'a Generations,
    wake: Arc<Notify>,
}

impl Generations {
    pub(crate) fn enter(&self, id: &str, model: &ModelId) -> Waiting<'_> {
        let wake = Arc::new(Notify::new());
        self.0.lock().push(Entry {
            id: id.to_owned(),
            model: model.clone(),
            wake: Arc::clone(&wake),
            percent: 0,
        });
        Waiting { all: self, wake }
    }

    /// How far a session's generation is, if a shoot of this process waits for it.
    pub(crate) fn percent(&self, model: &ModelId) -> Option<u8> {
        let all = self.0.lock();
        let found = all.iter().find(|entry| entry.model == *model);
        found.map(|entry| entry.percent)
    }

    fn wake(&self, id: &str) {
        self.wake_where(|entry| entry.id == id);
    }

    /// Lets the shoot of a session look at once whether it is still wanted.
    pub(crate) fn wake_model(&self, model: &ModelId) {
        self.wake_where(|entry| entry.model == *model);
    }

    fn wake_where(&self, is_meant: impl Fn(&Entry) -> bool) {
        for entry in self.0.lock().iter().filter(|entry| is_meant(entry)) {
            entry.wake.notify_one();
        }
    }
}

impl Waiting<'_> {
    /// Waits for news since the last time.
    pub(crate) async fn news(&self) {
        self.wake.notified().await;
    }

    /// Notes how far the generation is.
    pub(crate) fn set_percent(&self, percent: u8) {
        let own = |entry: &&mut Entry| Arc::ptr_eq(&entry.wake, &self.wake);
        if let Some(entry) = self.all.0.lock().iter_mut().find(own) {
            entry.percent = percent;
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let own = |entry: &Entry| Arc::ptr_eq(&entry.wake, &self.wake);
        self.all.0.lock().retain(|entry| !own(entry));
    }
}

/// Why a callback is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No generator is configured.
    #[error("there is no generator")]
    NoGenerator,
    /// It is not signed with the shared secret, or not within five minutes.
    #[error("the signature is wrong or too old")]
    Signature,
}

/// A generator says that there is news of a generation.
///
/// # Errors
/// See [`Refused`].
pub fn told(app: &App, id: &str, signed: (&str, &str), body: &[u8]) -> Result<(), Refused> {
    let generator = app.generator.as_ref().ok_or(Refused::NoGenerator)?;
    let now = crate::shoots::unix_seconds(app);
    if !generator.endpoint().is_genuine(id, signed, (body, now)) {
        return Err(Refused::Signature);
    }
    app.generations.wake(id);
    Ok(())
}

/// Where the callbacks of a generation come in.
pub(crate) fn callback_url(app: &App, id: &str) -> String {
    format!("{}{CALLBACKS}{id}", app.settings.public_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shoot_is_woken_by_its_id_or_its_session_until_it_ends() {
        let all = Generations::default();
        let (one, other) = (ModelId::from("a"), ModelId::from("b"));
        let first = all.enter("job_1", &one);
        let second = all.enter("job_2", &other);
        // Told before anybody waits: not lost.
        all.wake("job_1");
        first.news().await;
        all.wake_model(&other);
        second.news().await;
        all.wake("job_3");
        second.set_percent(40);
        assert_eq!(
            (all.percent(&one), all.percent(&other)),
            (Some(0), Some(40))
        );
        drop(first);
        assert_eq!((all.percent(&one), all.0.lock().len()), (None, 1));
        all.wake("job_1");
        drop(second);
        assert!(all.0.lock().is_empty());
    }
}
