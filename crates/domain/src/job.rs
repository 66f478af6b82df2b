//! Jobs: work that follows from a change and is done after it.

use crate::words::words;

words! {
    /// What a job does.
    JobKind {
        /// Delivers a webhook event.
        WebhookDeliver = "webhook.deliver",
        /// Sends a mail of the outbox.
        MailSend = "mail.send",
        /// Makes the headshots of a submitted session.
        Shoot = "shoot",
        /// Mails a sign-in link, if somebody has the address.
        SignInLink = "mail.sign-in-link",
        /// Writes the receipt of a key's deletion, where the process that deleted did not.
        KeyReceipt = "key.receipt",
    }
}

impl JobKind {
    /// How often a job is tried before it is dead. A webhook has its published schedule.
    pub const fn attempts_max(self) -> i64 {
        match self {
            Self::WebhookDeliver => 5,
            Self::MailSend | Self::SignInLink | Self::KeyReceipt => 8,
            Self::Shoot => 6,
        }
    }
}

words! {
    /// Where a job stands. A finished one has no row.
    JobState {
        /// It waits for its time or for a free place.
        Queued = "queued",
        /// A worker holds its lease.
        Running = "running",
        /// It was tried in vain for the last time.
        Dead = "dead",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for kind in JobKind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
            assert!(kind.attempts_max() > 1);
        }
        for state in JobState::ALL {
            assert_eq!(state.name().parse(), Ok(*state));
        }
    }
}
