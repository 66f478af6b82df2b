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

words! {
    /// How a picture is encoded; the text is also how its file ends.
    ImageFormat {
        /// JPEG.
        Jpeg = "jpg",
        /// PNG.
        Png = "png",
        /// WebP.
        Webp = "webp",
        /// HEIF with HEVC, as phones make it.
        Heic = "heic",
    }
}

impl ImageFormat {
    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Heic => "image/heic",
        }
    }
}

impl Variant {
    /// What stands between a file's name and its ending.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Thumbnail => "_thumb",
            Self::Original => "_original",
        }
    }
}
