//! Webhook events (contract: webhooks.md).

use crate::words::words;

words! {
    /// Where an event stands.
    WebhookState {
        /// It waits for its first or next try.
        Pending = "pending",
        /// The receiver acknowledged it.
        Delivered = "delivered",
        /// Every try was in vain.
        Failed = "failed",
    }
}

words! {
    /// What an event tells. Mind the spelling: `status.updated` has a dot.
    WebhookEvent {
        /// A session was created.
        Created = "model.created",
        /// Its status changed.
        StatusUpdated = "model.status.updated",
        /// Its headshots are ready.
        PhotosReady = "model.photos_ready",
        /// The person chose a photo.
        FavoriteSelected = "model.favorite_selected",
        /// It was deleted.
        Deleted = "model.deleted",
        /// Nothing: an admin tries the receiver out. Ours; the contract has no test.
        Test = "webhook.test",
    }
}
