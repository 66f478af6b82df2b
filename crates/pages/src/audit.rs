//! Admin > Audit: who did what to what.

use crate::{
    Shell, Template, When,
    ui::{Icon, Pagination, Tone},
};

/// One entry of the audit log.
#[derive(Debug, Clone)]
pub struct AuditRow {
    /// Position in the chain.
    pub seq: i64,
    /// When it happened.
    pub when: When,
    /// Person or key.
    pub actor: String,
    /// What was done, a phrase that follows the actor: *generated an API key*.
    pub action: String,
    /// To what.
    pub target: String,
    /// From where.
    pub address: String,
    /// First characters of the entry's hash.
    pub hash: String,
}

/// What is known about the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainState {
    /// Checked, every entry matches.
    Intact,
    /// Checked, an entry does not match.
    Broken,
    /// Not checked lately.
    Unchecked,
}

/// The chain's state in words.
#[derive(Debug, Clone)]
pub struct ChainStatus {
    /// Which kind of news.
    pub state: ChainState,
    /// One sentence.
    pub text: String,
}

impl ChainStatus {
    fn tone(&self) -> Tone {
        match self.state {
            ChainState::Intact => Tone::Good,
            ChainState::Broken => Tone::Bad,
            ChainState::Unchecked => Tone::Info,
        }
    }
}

/// `/app/admin/audit`.
#[derive(Debug, Clone, Template)]
#[template(path = "audit.html")]
pub struct Audit {
    /// The frame.
    pub shell: Shell,
    /// Newest first.
    pub rows: Vec<AuditRow>,
    /// Next page back in time.
    pub older_url: Option<String>,
    /// Next page forward.
    pub newer_url: Option<String>,
    /// State of the chain.
    pub chain: ChainStatus,
}

impl Audit {
    fn pager(&self) -> Pagination {
        Pagination::new(
            "Audit pages",
            self.newer_url.clone(),
            self.older_url.clone(),
        )
    }
}
