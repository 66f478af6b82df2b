//! Admin > API > Webhooks: the settings, the secret shown once, events and their deliveries.

use crate::{
    Shell, Template, When,
    common::counted,
    ui::{Badge, Button, Code, Empty, Field, Icon, Pagination, Tone},
};

/// The settings as they are saved.
#[derive(Debug, Clone)]
pub struct WebhookEndpoint {
    /// The address.
    pub url: String,
    /// When it was last changed.
    pub updated: When,
    /// Until when deliveries carry a second signature, under the previous secret.
    pub overlap_until: Option<When>,
}

/// The *Webhook Settings* of Admin > API.
///
/// Posts `csrf` and `url` to `/app/admin/webhooks/url`, `csrf` and `overlap` (hours: `0`, `1`, `24`
/// or `168`) to `.../rotate`, `csrf` alone to `.../test` and `.../remove`.
#[derive(Debug, Clone, Default)]
pub struct WebhookSettings {
    /// What is saved, if anything is.
    pub endpoint: Option<WebhookEndpoint>,
    /// `url` as typed, after it was refused.
    pub typed: Option<String>,
    /// Why it was refused.
    pub error: Option<String>,
    /// Events that failed for the last time.
    pub failed: i64,
}

impl WebhookSettings {
    /// What the field holds.
    pub(crate) fn url(&self) -> &str {
        let saved = || self.endpoint.as_ref().map_or("", |saved| &saved.url);
        self.typed.as_deref().unwrap_or_else(saved)
    }

    pub(crate) fn url_field(&self) -> Field {
        Field::url("url", "Webhook URL")
            .value(self.url())
            .error(&self.error)
            .focus(self.error.is_some())
            .hint("An HTTPS address that the internet can reach. All five events go there.")
    }

    pub(crate) fn failed_text(&self) -> String {
        counted(
            self.failed,
            "event was not delivered",
            "events were not delivered",
        )
    }
}

/// The answer to saving the first address, or to a rotation: the secret, once.
///
/// The secret is in the visible text of this page and nowhere else; serve it with
/// `Cache-Control: no-store`.
#[derive(Clone, Template)]
#[template(path = "webhook_secret.html")]
pub struct WebhookSecret {
    /// The frame; its title must not hold the secret.
    pub shell: Shell,
    /// The secret itself.
    pub secret: String,
    /// Where deliveries go.
    pub url: String,
    /// Until when the previous secret signs along.
    pub overlap_until: Option<When>,
    /// Whether there was another secret before.
    pub rotated: bool,
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSecret")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// It waits for its first or next try.
    Pending,
    /// The receiver acknowledged it.
    Delivered,
    /// Every try was in vain.
    Failed,
}

impl EventState {
    fn badge(self) -> Badge {
        match self {
            Self::Pending => Badge::new(Tone::Info, "pending"),
            Self::Delivered => Badge::new(Tone::Good, "delivered"),
            Self::Failed => Badge::new(Tone::Bad, "failed"),
        }
    }
}

/// One event of the list.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// `evt_...`
    pub id: String,
    /// `model.created` and so on.
    pub name: String,
    /// When it happened.
    pub when: When,
    /// Where it stands.
    pub state: EventState,
    /// About which model; empty for a test.
    pub model: String,
    /// How the last try ended: *200 in 12 ms*, or why there was no answer.
    pub last: Option<String>,
}

/// `/app/admin/webhooks`. Posts `csrf` to `/app/admin/webhooks/replay-failed`.
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks.html")]
pub struct Webhooks {
    /// The frame.
    pub shell: Shell,
    /// Whether an address is saved.
    pub configured: bool,
    /// `state` of the URL: `pending`, `delivered`, `failed`, or empty for all.
    pub state: String,
    /// Newest first.
    pub events: Vec<EventRow>,
    /// How many of all events failed.
    pub failed: i64,
    /// Next page back in time.
    pub older_url: Option<String>,
    /// To the newest page.
    pub newer_url: Option<String>,
}

impl Webhooks {
    fn pager(&self) -> Pagination {
        let (newer, older) = (self.newer_url.clone(), self.older_url.clone());
        Pagination::new("Event pages", newer, older)
    }

    fn tabs(&self) -> [(&'static str, &'static str, bool); 4] {
        [
            ("", "All"),
            ("pending", "Pending"),
            ("delivered", "Delivered"),
            ("failed", "Failed"),
        ]
        .map(|(value, label)| (value, label, value == self.state))
    }
}

/// One try to deliver an event.
#[derive(Debug, Clone)]
pub struct DeliveryRow {
    /// Unique on the page.
    pub id: String,
    /// Which try, from 1.
    pub attempt: i64,
    /// When it began.
    pub when: When,
    /// How long it took, with unit.
    pub duration: String,
    /// The answer's status, if there was an answer.
    pub status: Option<u16>,
    /// Why there was none.
    pub error: Option<String>,
    /// Request line and headers.
    pub request: String,
    /// The answer's head and the beginning of its body.
    pub response: String,
}

impl DeliveryRow {
    fn badge(&self) -> Badge {
        match self.status {
            Some(status @ 200..=299) => Badge::new(Tone::Good, status.to_string()),
            Some(status) => Badge::new(Tone::Bad, status.to_string()),
            None => Badge::new(Tone::Bad, "no answer"),
        }
    }

    fn request_code(&self) -> Code {
        Code::new(
            format!("{}-request", self.id),
            "Request",
            self.request.as_str(),
        )
    }

    fn response_code(&self) -> Code {
        Code::new(
            format!("{}-response", self.id),
            "Response",
            self.response.as_str(),
        )
    }
}

/// `/app/admin/webhooks/{id}`. Posts `csrf` to the same path with `/replay`.
#[derive(Debug, Clone, Template)]
#[template(path = "webhook_event.html")]
pub struct WebhookDetail {
    /// The frame.
    pub shell: Shell,
    /// The event.
    pub event: EventRow,
    /// The body as it is sent, byte for byte.
    pub body: String,
    /// Since when body and answers tell nothing of the person, whose session was deleted.
    pub erased: Option<When>,
    /// Newest first.
    pub deliveries: Vec<DeliveryRow>,
    /// Whether it can be sent again now.
    pub can_replay: bool,
}

/// A job of the organization.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// `job_...`
    pub id: String,
    /// `webhook.deliver` and so on.
    pub kind: String,
    /// How often it was begun.
    pub attempts: i64,
    /// When it died, or when it is due.
    pub when: When,
    /// Why the last try failed.
    pub last_error: String,
}

/// `/app/admin/jobs?kind=...`. Posts `csrf` to `/app/admin/jobs/{id}/retry`.
#[derive(Debug, Clone, Template)]
#[template(path = "jobs.html")]
pub struct Jobs {
    /// The frame.
    pub shell: Shell,
    /// Every kind of job.
    pub kinds: Vec<&'static str>,
    /// Of which kind the dead jobs are; empty for all.
    pub kind: String,
    /// Failed for the last time, newest first.
    pub dead: Vec<JobRow>,
    /// How many of those there are, shown or not.
    pub dead_total: i64,
    /// Waiting or running.
    pub open: Vec<JobRow>,
}

impl Jobs {
    /// What the list of dead jobs leaves out, if it does.
    fn shown(&self) -> Option<String> {
        let shown = i64::try_from(self.dead.len()).unwrap_or(i64::MAX);
        let [few, all] = [shown, self.dead_total].map(crate::grouped);
        (shown < self.dead_total).then(|| format!("The newest {few} of {all} are shown."))
    }
}
