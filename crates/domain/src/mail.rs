//! Mails: what is told to whom, and what became of it.

use crate::words::words;

words! {
    /// Why a mail is sent.
    MailKind {
        /// A person is invited.
        Invite = "invite",
        /// A person is reminded of an invite.
        Reminder = "reminder",
        /// A sign-in link.
        SignIn = "sign-in",
        /// Headshots are ready.
        Results = "results",
        /// An admin lets the person begin again.
        Retry = "retry",
        /// Few credits are left.
        LowCredits = "low-credits",
        /// An API key was generated.
        KeyGenerated = "key-generated",
        /// An API key was deleted.
        KeyDeleted = "key-deleted",
        /// An API key runs out soon.
        KeyExpiring = "key-expiring",
    }
}

words! {
    /// What became of a mail.
    MailState {
        /// No mail server is configured: it stays here, for admins to read.
        Kept = "kept",
        /// It waits for its turn.
        Queued = "queued",
        /// The mail server has taken it.
        Sent = "sent",
        /// The mail server refuses the recipient or the mail for good.
        Refused = "refused",
        /// It was tried in vain for the last time.
        Failed = "failed",
    }
}
