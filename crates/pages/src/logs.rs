//! Admin > API > Logs: the list and one request.

use crate::{
    Choice, Shell, Template, When,
    ui::{Badge, Button, Field, Icon, Pagination},
};

/// Filters as typed; they live in the page's URL under the same names.
#[derive(Debug, Clone, Default)]
pub struct LogFilters {
    /// `from`, `YYYY-MM-DDTHH:MM` in UTC.
    pub from: String,
    /// `to`, same form.
    pub to: String,
    /// `key`, a key's id.
    pub key: String,
    /// `status`: `2xx`, `4xx`, `5xx` or one code.
    pub status: String,
    /// `path`, a part of the path.
    pub path: String,
    /// `address`, an address or a network.
    pub address: String,
    /// What is wrong with the filters.
    pub error: Option<String>,
}

impl LogFilters {
    /// Whether anything narrows the list.
    fn any(&self) -> bool {
        [
            &self.from,
            &self.to,
            &self.key,
            &self.status,
            &self.path,
            &self.address,
        ]
        .iter()
        .any(|typed| !typed.is_empty())
    }

    fn statuses(&self) -> Vec<(&'static str, &'static str, bool)> {
        [
            ("", "Any status"),
            ("2xx", "Accepted (2xx)"),
            ("4xx", "Refused (4xx)"),
            ("400", "400 Bad request"),
            ("401", "401 Invalid key"),
            ("402", "402 No credits"),
            ("403", "403 Not permitted"),
            ("404", "404 Not found"),
            ("429", "429 Too many"),
            ("5xx", "Server error (5xx)"),
        ]
        .into_iter()
        .map(|(value, label)| (value, label, value == self.status))
        .collect()
    }
}

/// The state of the key that a request came with, now.
#[derive(Debug, Clone)]
pub enum KeyState {
    /// It works.
    Live,
    /// It was deleted.
    Deleted {
        /// When.
        when: When,
        /// Calls refused since.
        attempts: i64,
        /// From how many addresses.
        addresses: i64,
    },
    /// Its time is over.
    Expired,
    /// No key of this server; the label is its fingerprint.
    Unknown,
    /// The request came without a key.
    None,
}

/// One request of the log.
#[derive(Debug, Clone)]
pub struct LogRow {
    /// Identifier used in the detail's path.
    pub id: String,
    /// When it arrived.
    pub when: When,
    /// HTTP method.
    pub method: String,
    /// Path as requested.
    pub path: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// The contract's error code.
    pub code: Option<String>,
    /// Key name, or the fingerprint of an unknown one.
    pub key_label: String,
    /// State of the key.
    pub key_state: KeyState,
    /// Address of the caller.
    pub address: String,
    /// How long the answer took, with unit.
    pub duration: String,
    /// Whether a browser sent it.
    pub browser: bool,
    /// Which check refused it, one sentence.
    pub refused_because: Option<String>,
}

impl LogRow {
    fn status_badge(&self) -> Badge {
        Badge::http(self.status)
    }
}

/// A stretch of time for which the log may lack rows.
#[derive(Debug, Clone)]
pub struct GapRow {
    /// Start of the stretch.
    pub from: When,
    /// End of the stretch.
    pub to: When,
    /// Why, one sentence.
    pub text: String,
}

/// A line of the log list.
#[derive(Debug, Clone)]
pub enum LogEntry {
    /// A request.
    Request(LogRow),
    /// A gap.
    Gap(GapRow),
}

/// `/app/admin/api/logs`, filtered by GET parameters.
#[derive(Debug, Clone, Template)]
#[template(path = "logs.html")]
pub struct Logs {
    /// The frame.
    pub shell: Shell,
    /// Filters as typed.
    pub filters: LogFilters,
    /// Keys to filter by, deleted ones too.
    pub key_choices: Vec<Choice>,
    /// Newest first.
    pub rows: Vec<LogEntry>,
    /// Next page back in time, filters included.
    pub older_url: Option<String>,
    /// Next page forward.
    pub newer_url: Option<String>,
    /// Sentences such as *Key "CI", deleted on 3 May, was tried 14 times since from 2 addresses.*
    pub deleted_key_findings: Vec<String>,
    /// For how many days rows are kept.
    pub retention_days: i64,
}

impl Logs {
    fn pager(&self) -> Pagination {
        Pagination::new("Log pages", self.newer_url.clone(), self.older_url.clone())
    }
}

/// `/app/admin/api/logs/{id}`.
#[derive(Debug, Clone, Template)]
#[template(path = "log_detail.html")]
pub struct LogDetail {
    /// The frame.
    pub shell: Shell,
    /// The request.
    pub row: LogRow,
    /// `User-Agent` as sent, possibly empty.
    pub user_agent: String,
    /// Size of the answer, with unit.
    pub bytes: String,
    /// The route that matched, or empty.
    pub route: String,
    /// Identifier in the `X-Request-Id` header of the answer.
    pub request_id: String,
    /// What would make the call succeed, one or two sentences.
    pub fix: Option<String>,
    /// Where the list is, with the filters the person came from.
    pub back_url: String,
}
