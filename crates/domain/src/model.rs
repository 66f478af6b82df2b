//! Models: one person's headshot session, and the only ways in which its status changes
//! (contract: models.md, data-lifecycle.md).

use crate::words::words;

words! {
    /// Where a session stands.
    ModelStatus {
        /// The person has not submitted photos yet.
        Onboarding = "onboarding",
        /// Photos are submitted; the shoot waits for its turn.
        Waiting = "waiting",
        /// The engine studies the photos.
        Pending = "pending",
        /// Headshots are being made.
        GeneratingHeadshots = "generatingHeadshots",
        /// Headshots are ready.
        Active = "active",
        /// The shoot failed; it restarts by itself.
        Failed = "failed",
        /// Deleted for good.
        Deleted = "deleted",
    }
}

/// What happens to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelEvent {
    /// The person submits the photos. Takes the credit.
    Submit,
    /// The engine takes the shoot up.
    Begin,
    /// The engine knows the photos and makes headshots.
    Generate,
    /// Every headshot is made.
    Finish,
    /// The shoot could not be made.
    Fail,
    /// A failed shoot is put back into the queue.
    Restart,
    /// An admin lets the person begin again; results are deleted.
    Retry,
    /// By the API, an admin, the person, or a retention rule.
    Delete,
}

impl ModelEvent {
    /// Every event.
    pub const ALL: [Self; 8] = [
        Self::Submit,
        Self::Begin,
        Self::Generate,
        Self::Finish,
        Self::Fail,
        Self::Restart,
        Self::Retry,
        Self::Delete,
    ];
}

impl ModelStatus {
    /// The status after `event`; `None` where that can't happen now. The whole state machine: no
    /// other code decides a status.
    pub const fn after(self, event: ModelEvent) -> Option<Self> {
        use ModelEvent as E;
        match (self, event) {
            (Self::Onboarding, E::Submit) | (Self::Failed, E::Restart) => Some(Self::Waiting),
            (Self::Waiting, E::Begin) => Some(Self::Pending),
            (Self::Pending, E::Generate) => Some(Self::GeneratingHeadshots),
            (Self::GeneratingHeadshots, E::Finish) => Some(Self::Active),
            (Self::Waiting | Self::Pending | Self::GeneratingHeadshots, E::Fail) => {
                Some(Self::Failed)
            }
            (Self::Active, E::Retry) => Some(Self::Onboarding),
            (Self::Deleted, _) => None,
            (_, E::Delete) => Some(Self::Deleted),
            _ => None,
        }
    }
}

words! {
    /// Who the styles are chosen for; `trigger` on the wire.
    Gender {
        /// `male`.
        Male = "male",
        /// `female`.
        Female = "female",
    }
}

words! {
    /// The published names of generation engines. The built-in engine makes either.
    ModelVersion {
        /// The default.
        Lora = "lora",
        /// Announced as the next default.
        OneShot = "one-shot",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's table of transitions, from and to; every other pair is refused.
    #[test]
    fn transitions_are_the_contract_s() {
        use ModelStatus as S;
        let table = [
            (S::Onboarding, ModelEvent::Submit, S::Waiting),
            (S::Waiting, ModelEvent::Begin, S::Pending),
            (S::Pending, ModelEvent::Generate, S::GeneratingHeadshots),
            (S::GeneratingHeadshots, ModelEvent::Finish, S::Active),
            (S::Waiting, ModelEvent::Fail, S::Failed),
            (S::Pending, ModelEvent::Fail, S::Failed),
            (S::GeneratingHeadshots, ModelEvent::Fail, S::Failed),
            (S::Failed, ModelEvent::Restart, S::Waiting),
            (S::Active, ModelEvent::Retry, S::Onboarding),
        ];
        for from in S::ALL {
            for event in ModelEvent::ALL {
                let expected = match event {
                    ModelEvent::Delete => (*from != S::Deleted).then_some(S::Deleted),
                    _ => table
                        .iter()
                        .find(|row| row.0 == *from && row.1 == event)
                        .map(|row| row.2),
                };
                assert_eq!(from.after(event), expected, "{from} {event:?}");
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        for status in ModelStatus::ALL {
            assert_eq!(status.name().parse(), Ok(*status));
        }
        assert!("generating".parse::<ModelStatus>().is_err());
    }
}
