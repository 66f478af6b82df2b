//! Admin > Invites, and the outbox: who was asked, and what was mailed.

use crate::{
    Choice, Shell, Template, When,
    ui::{Badge, Button, Code, Empty, Field, Icon, Pagination, Tone},
};

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailFate {
    /// No mail server is configured.
    Kept,
    /// It waits.
    Queued,
    /// The mail server took it.
    Sent,
    /// The mail server refuses it for good.
    Refused,
    /// It was tried in vain for the last time.
    Failed,
}

impl MailFate {
    fn badge(self) -> Badge {
        match self {
            Self::Kept => Badge::new(Tone::Neutral, "Kept here"),
            Self::Queued => Badge::new(Tone::Info, "Waiting"),
            Self::Sent => Badge::new(Tone::Good, "Sent"),
            Self::Refused => Badge::new(Tone::Bad, "Refused"),
            Self::Failed => Badge::new(Tone::Bad, "Failed"),
        }
    }
}

/// One mail of the outbox.
#[derive(Debug, Clone)]
pub struct MailRow {
    /// `mail_...`
    pub id: String,
    /// The subject.
    pub subject: String,
    /// To whom.
    pub recipient: String,
    /// When it was written.
    pub when: When,
    /// What became of it.
    pub fate: MailFate,
    /// The mail server's words, where it refused.
    pub error: Option<String>,
}

/// `/app/admin/outbox`.
#[derive(Debug, Clone, Template)]
#[template(path = "outbox.html")]
pub struct Outbox {
    /// The frame.
    pub shell: Shell,
    /// Whether a mail server is configured.
    pub is_sent: bool,
    /// Newest first.
    pub mails: Vec<MailRow>,
}

/// `/app/admin/outbox/{id}`.
#[derive(Debug, Clone, Template)]
#[template(path = "outbox_mail.html")]
pub struct OutboxMail {
    /// The frame.
    pub shell: Shell,
    /// The mail.
    pub mail: MailRow,
    /// Its text part, with the link in it.
    pub text: String,
    /// Where its button leads, to be passed on.
    pub link: Option<String>,
}

/// One invite.
#[derive(Debug, Clone)]
pub struct InviteRow {
    /// The invite's id.
    pub id: String,
    /// Who is invited.
    pub email: String,
    /// To which team; empty for none.
    pub team: String,
    /// Where it stands, in a word.
    pub state: &'static str,
    /// Whether it can still be used.
    pub open: bool,
    /// When it was made.
    pub when: When,
    /// The signup link, while it can be used.
    pub link: String,
    /// What became of the last mail about it.
    pub fate: Option<MailFate>,
    /// The mail server's words, where it refused.
    pub error: Option<String>,
}

impl InviteRow {
    fn badge(&self) -> Badge {
        let tone = match self.state {
            "Joined" => Tone::Good,
            "Open" => Tone::Info,
            _ => Tone::Neutral,
        };
        Badge::new(tone, self.state)
    }
}

/// `/app/admin/invites`. Posts `email`, `team` to it, and `csrf` to `.../{id}/remind` and
/// `.../{id}/revoke`.
#[derive(Debug, Clone, Template)]
#[template(path = "invites.html")]
pub struct Invites {
    /// The frame.
    pub shell: Shell,
    /// Newest first.
    pub invites: Vec<InviteRow>,
    /// How many there are in all.
    pub total: i64,
    /// The page before, if any.
    pub newer_url: Option<String>,
    /// The page after, if any.
    pub older_url: Option<String>,
    /// Whether a mail server is configured.
    pub is_sent: bool,
    /// Address as typed.
    pub email: String,
    /// Why the invite was refused.
    pub error: Option<String>,
    /// Teams to invite to.
    pub teams: Vec<Choice>,
}

impl Invites {
    fn pages(&self) -> Pagination {
        let (newer, older) = (self.newer_url.clone(), self.older_url.clone());
        Pagination::new("Invite pages", newer, older)
    }
}
