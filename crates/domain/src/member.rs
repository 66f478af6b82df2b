//! Members: people of an organization who get headshots (contract: teams.md).

use crate::model::ModelStatus;
use crate::words::words;

words! {
    /// How far a member is.
    MemberStage {
        /// Signed up, has not begun.
        Accepted = "accepted",
        /// Uploading, or headshots are being made.
        Pending = "pending",
        /// Headshots are ready.
        Finished = "finished",
    }
}

impl MemberStage {
    /// The stage of a person whose session has `status`; `None` is no session. `started` is whether
    /// the person has done anything in it.
    pub const fn of(status: Option<ModelStatus>, started: bool) -> Self {
        match status {
            None | Some(ModelStatus::Deleted) => Self::Accepted,
            Some(ModelStatus::Onboarding) if !started => Self::Accepted,
            Some(ModelStatus::Active) => Self::Finished,
            Some(_) => Self::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_follow_the_session() {
        use ModelStatus as S;
        assert_eq!(MemberStage::of(None, false), MemberStage::Accepted);
        assert_eq!(
            MemberStage::of(Some(S::Deleted), true),
            MemberStage::Accepted
        );
        assert_eq!(
            MemberStage::of(Some(S::Onboarding), false),
            MemberStage::Accepted
        );
        for status in [
            S::Onboarding,
            S::Waiting,
            S::Pending,
            S::GeneratingHeadshots,
            S::Failed,
        ] {
            assert_eq!(MemberStage::of(Some(status), true), MemberStage::Pending);
        }
        assert_eq!(
            MemberStage::of(Some(S::Active), true),
            MemberStage::Finished
        );
    }
}
