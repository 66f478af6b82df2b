//! Invites (contract: invites.md, v1-legacy.md).

use crate::model::ModelStatus;
use crate::words::words;

words! {
    /// What became of an invite, in v2's words.
    InviteStatus {
        /// Sent, the person has not signed up; also when it expired.
        Pending = "pending",
        /// Signed up, no photos uploaded.
        Accepted = "accepted",
        /// Withdrawn.
        Revoked = "revoked",
        /// In onboarding or upload.
        Uploading = "uploading",
        /// Headshots are being made.
        Generating = "generating",
        /// Headshots are ready.
        Completed = "completed",
        /// The person or the session was deleted.
        Deleted = "deleted",
    }
}

words! {
    /// What an invite itself went through.
    InviteState {
        /// Can be used; a credit is reserved.
        Open = "open",
        /// Was withdrawn.
        Revoked = "revoked",
        /// Ran out unused; its credit is free again.
        Expired = "expired",
        /// The person signed up.
        Used = "used",
    }
}

impl InviteStatus {
    /// From the invite's own state and, once it is used, the person's session: its status and
    /// whether the person has begun. `None` is a person who left the organization.
    pub const fn of(state: InviteState, session: Option<(ModelStatus, bool)>) -> Self {
        match (state, session) {
            (InviteState::Open | InviteState::Expired, _) => Self::Pending,
            (InviteState::Revoked, _) => Self::Revoked,
            (InviteState::Used, None | Some((ModelStatus::Deleted, _))) => Self::Deleted,
            (InviteState::Used, Some((ModelStatus::Onboarding, false))) => Self::Accepted,
            (InviteState::Used, Some((ModelStatus::Onboarding, true))) => Self::Uploading,
            (InviteState::Used, Some((ModelStatus::Active, _))) => Self::Completed,
            (InviteState::Used, Some(_)) => Self::Generating,
        }
    }

    /// v1's word for it.
    pub const fn v1_name(self) -> &'static str {
        match self {
            Self::Pending => "pending-invite",
            Self::Revoked => "revoked",
            Self::Accepted | Self::Uploading => "waiting-for-upload",
            Self::Generating => "generating-headshots",
            Self::Completed => "active",
            Self::Deleted => "deleted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's table of the status families.
    #[test]
    fn status_follows_the_session() {
        use ModelStatus as S;
        let used = |status, started| InviteStatus::of(InviteState::Used, Some((status, started)));
        let table = [
            (
                InviteStatus::of(InviteState::Open, None),
                "pending",
                "pending-invite",
            ),
            (
                InviteStatus::of(InviteState::Expired, None),
                "pending",
                "pending-invite",
            ),
            (
                InviteStatus::of(InviteState::Revoked, None),
                "revoked",
                "revoked",
            ),
            (used(S::Onboarding, false), "accepted", "waiting-for-upload"),
            (used(S::Onboarding, true), "uploading", "waiting-for-upload"),
            (used(S::Waiting, true), "generating", "generating-headshots"),
            (used(S::Pending, true), "generating", "generating-headshots"),
            (
                used(S::GeneratingHeadshots, true),
                "generating",
                "generating-headshots",
            ),
            (used(S::Failed, true), "generating", "generating-headshots"),
            (used(S::Active, true), "completed", "active"),
            (used(S::Deleted, true), "deleted", "deleted"),
            (
                InviteStatus::of(InviteState::Used, None),
                "deleted",
                "deleted",
            ),
        ];
        for (status, v2, v1) in table {
            assert_eq!((status.name(), status.v1_name()), (v2, v1));
        }
    }
}
