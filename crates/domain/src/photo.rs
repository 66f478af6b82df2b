//! Photos (contract: photos.md).

use crate::words::words;

words! {
    /// Whether a photo's files are there.
    PhotoStatus {
        /// They are.
        Active = "active",
        /// They are gone.
        Deleted = "deleted",
    }
}

words! {
    /// The person's rating.
    Liked {
        /// None yet.
        None = "none",
        /// Liked.
        Liked = "liked",
        /// Loved.
        Loved = "loved",
    }
}

words! {
    /// The three sizes of a photo.
    Variant {
        /// 1024 x 1280 pixels.
        Main = "main",
        /// 256 x 320 pixels.
        Thumbnail = "thumbnail",
        /// As large as the source allows, up to 2048 x 2560 pixels.
        Original = "original",
    }
}
