//! What a person agrees to before photos are uploaded.

use std::net::IpAddr;

use headshot_domain::{Gender, ModelStatus, storable};
use headshot_storage::people;
use headshot_storage::{Error, models};

use crate::App;
use crate::access::Visit;
use crate::audit::{self, Event};
use crate::models::{Model, held};

pub use headshot_storage::people::Consent;

/// What a person agrees to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Which text it is. It changes whenever the text does.
    pub version: &'static str,
    /// The text, paragraph by paragraph.
    pub paragraphs: &'static [&'static str],
}

/// Which text is valid where this server makes the headshots itself.
pub const VERSION: &str = "2026-11-28.2";

/// Which text is valid where a generator makes them.
pub const GENERATOR_VERSION: &str = "2026-11-28.2-generator";

const HERE: &[&str] = &paragraphs(
    "You upload photos of yourself. This server finds your face in them, cuts you out of the \
     background, and makes headshots from them. It works on this server only: no photo is sent to \
     another service, and none is used to train anything.",
);

const ELSEWHERE: &[&str] = &paragraphs(
    "You upload photos of yourself. This server sends the best of them, cut to head and chest and \
     without your name, to a generator that this server's operator has chosen. It makes headshots \
     from them, and may generate parts of them with artificial intelligence. It is told to delete \
     all of it as soon as your headshots are ready, or you delete them.",
);

/// The text, of which only the beginning differs.
const fn paragraphs(first: &'static str) -> [&'static str; 5] {
    [
        first,
        "The server compares the faces in your photos with each other, so that no photo of somebody else \
         is used. What it computes from a face for that is forgotten at once and never stored.",
        "Your organization can see and download your headshots. It can't see the photos that you upload.",
        "The uploaded photos are deleted when your headshots have been ready for the time that this \
         server's operator has set, usually 30 days. You can delete everything yourself at any time, at \
         once and for good, on this page.",
        "Upload only photos of yourself. By going on you agree that your photos are used in this way.",
    ]
}

/// What is agreed to on this server. Photos go to a generator only where it was said that they do:
/// whoever agreed to the other text gets headshots of the built-in engine.
pub fn terms(app: &App) -> Terms {
    if app.generator.is_some() {
        Terms {
            version: GENERATOR_VERSION,
            paragraphs: ELSEWHERE,
        }
    } else {
        Terms {
            version: VERSION,
            paragraphs: HERE,
        }
    }
}

/// The longest name of a person, in characters.
pub const NAME_MAX: usize = 100;

/// Why an agreement is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// The name is empty or too long.
    #[error("Please give your name, with at most {NAME_MAX} characters.")]
    Name,
    /// The page showed another text than the one that is valid now.
    #[error("The text has changed. Please read it again.")]
    Outdated,
    /// The photos were submitted before, or the session is deleted.
    #[error("a session that is {0} takes no agreement")]
    NotNow(ModelStatus),
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// What the person of a session agreed to, if it is the text of today.
pub async fn given(app: &App, visit: &Visit) -> Result<Option<Consent>, Error> {
    let mut conn = app.db.read().await?;
    let given = people::consent(&mut conn, &visit.model.id).await?;
    Ok(given.filter(|consent| consent.version == terms(app).version))
}

/// Whether a person can be called like this: 1 to [`NAME_MAX`] characters on one line.
pub fn is_name(name: &str) -> bool {
    let name = name.trim();
    (1..=NAME_MAX).contains(&name.chars().count()) && !name.contains(char::is_control)
}

/// What a person says before photos are uploaded.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The person's name, see [`is_name`].
    pub name: &'a str,
    /// What the organization's systems are told as `trigger`, if the person says it.
    pub gender: Option<Gender>,
    /// Which text the person agreed to.
    pub version: &'a str,
}

/// Stores what the person says of themselves, and that the person agreed to the text of `version`.
pub async fn give(
    app: &App,
    visit: &Visit,
    said: Said<'_>,
    address: IpAddr,
) -> Result<Model, ConsentError> {
    let version = said.version;
    if !is_name(said.name) {
        return Err(ConsentError::Name);
    }
    let name = storable(said.name.trim());
    if version != terms(app).version {
        return Err(ConsentError::Outdated);
    }
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let (org, id) = visit.ids();
    let before = held(&mut tx, (org, id)).await?;
    let before = before.ok_or(ConsentError::NotNow(ModelStatus::Deleted))?;
    if before.status != ModelStatus::Onboarding {
        return Err(ConsentError::NotNow(before.status));
    }
    let mut after = before.clone();
    after.title = name.into_owned();
    after.gender = said.gender;
    after.started_at = before.started_at.or(Some(now));
    match models::update(&mut tx, &before, &after).await {
        Err(Error::Conflict) => return Err(ConsentError::NotNow(before.status)),
        stored => stored?,
    }
    let consent = Consent {
        version: version.to_owned(),
        address: address.to_string(),
        agreed_at: now,
    };
    people::set_consent(&mut tx, (org, id), &consent).await?;
    let event = Event {
        org: Some(org),
        action: "consent.given",
        target: format!("model:{id}"),
        detail: serde_json::json!({ "version": version }),
    };
    audit::record(&mut tx, &visit.actor(), now, event).await?;
    tx.commit().await?;
    Ok(after)
}
