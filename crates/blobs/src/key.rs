//! What is stored, and under which path.

use std::fmt;
use std::time::Duration;

use headshot_domain::{ImageFormat, ModelId, OrgId, PhotoId, UploadId, Variant};

/// One object. Its path starts with organization and model, so that all of a model's objects can be
/// deleted as one folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A generated photo in one of its sizes.
    Photo {
        /// The organization.
        org: OrgId,
        /// Whose session made it.
        model: ModelId,
        /// Which one.
        photo: PhotoId,
        /// In which size.
        variant: Variant,
        /// How it is encoded.
        format: ImageFormat,
    },
    /// A picture that a person uploaded.
    Upload {
        /// The organization.
        org: OrgId,
        /// For which session.
        model: ModelId,
        /// Which one.
        upload: UploadId,
        /// How it is encoded.
        format: ImageFormat,
    },
    /// The small JPEG that shows an upload on a page. Not every upload has one.
    Preview {
        /// The organization.
        org: OrgId,
        /// For which session.
        model: ModelId,
        /// Of which upload.
        upload: UploadId,
    },
}

/// What stands between an upload's id and the ending of its preview. No id holds an underscore.
const PREVIEW: &str = "_preview";

impl Key {
    /// The path in the store, below its root.
    pub fn path(&self) -> String {
        match self {
            Self::Photo {
                org, model, photo, ..
            } => format!("{org}/{model}/photos/{photo}{}", self.ending()),
            Self::Upload {
                org, model, upload, ..
            }
            | Self::Preview { org, model, upload } => {
                format!("{org}/{model}/uploads/{upload}{}", self.ending())
            }
        }
    }

    fn ending(&self) -> String {
        match self {
            Self::Photo {
                variant, format, ..
            } => format!("{}.{format}", variant.suffix()),
            Self::Upload { format, .. } => format!(".{format}"),
            Self::Preview { .. } => format!("{PREVIEW}.{}", ImageFormat::Jpeg),
        }
    }

    /// Reads a path back; `None` for one that no key has.
    pub fn parse(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let mut part = || parts.next();
        let (org, model, folder, file) = (part()?, part()?, part()?, part()?);
        let (name, format) = file.split_once('.')?;
        let format = format.parse().ok()?;
        let (org, model) = (OrgId::from(org), ModelId::from(model));
        let key = match folder {
            "photos" => {
                let variant = variant_of(name);
                let photo = name.strip_suffix(variant.suffix())?.into();
                Self::Photo {
                    org,
                    model,
                    photo,
                    variant,
                    format,
                }
            }
            "uploads" => match name.strip_suffix(PREVIEW) {
                Some(upload) => Self::Preview {
                    org,
                    model,
                    upload: upload.into(),
                },
                None => Self::Upload {
                    org,
                    model,
                    upload: name.into(),
                    format,
                },
            },
            _ => return None,
        };
        (key.path() == path).then_some(key)
    }

    /// The media type.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Photo { format, .. } | Self::Upload { format, .. } => format.media_type(),
            Self::Preview { .. } => ImageFormat::Jpeg.media_type(),
        }
    }

    /// The `Cache-Control` header for an answer that may be used for `life` at most. An object is
    /// never overwritten with another picture.
    pub fn cache_control(&self, life: Duration) -> String {
        match self {
            Self::Photo { .. } => format!("private, max-age={}, immutable", life.as_secs()),
            Self::Upload { .. } | Self::Preview { .. } => "no-store".to_owned(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

/// The size that a photo's file name tells. No id holds an underscore.
pub fn variant_of(name: &str) -> Variant {
    let suffixed = [Variant::Thumbnail, Variant::Original];
    suffixed
        .into_iter()
        .find(|variant| name.ends_with(variant.suffix()))
        .unwrap_or(Variant::Main)
}

/// The folder that holds every object of a model.
pub fn model_folder(org: &OrgId, model: &ModelId) -> String {
    format!("{org}/{model}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo(variant: Variant) -> Key {
        Key::Photo {
            org: "org_abc123def456".into(),
            model: "507f1f77bcf86cd799439011".into(),
            photo: "507f1f77bcf86cd799439022".into(),
            variant,
            format: ImageFormat::Jpeg,
        }
    }

    #[test]
    fn paths_are_read_back() {
        let upload = Key::Upload {
            org: "org_abc123def456".into(),
            model: "507f1f77bcf86cd799439011".into(),
            upload: "507f1f77bcf86cd799439033".into(),
            format: ImageFormat::Heic,
        };
        let photos = Variant::ALL.iter().map(|variant| photo(*variant));
        let preview = Key::Preview {
            org: "org_abc123def456".into(),
            model: "507f1f77bcf86cd799439011".into(),
            upload: "507f1f77bcf86cd799439033".into(),
        };
        for key in photos.chain([upload, preview]) {
            assert_eq!(Key::parse(&key.path()), Some(key));
        }
        assert_eq!(
            photo(Variant::Thumbnail).path(),
            "org_abc123def456/507f1f77bcf86cd799439011/photos/507f1f77bcf86cd799439022_thumb.jpg"
        );
    }

    #[test]
    fn other_paths_are_no_keys() {
        for path in [
            "",
            "a/b/photos/c",
            "a/b/photos/c.exe",
            "a/b/c.jpg",
            "a/b/photos/c/d.jpg",
            "a/b/other/c.jpg",
            "/a/b/photos/c.jpg",
            "a/b/photos/c.jpg/",
        ] {
            assert_eq!(Key::parse(path), None, "{path}");
        }
    }

    #[test]
    fn each_kind_has_its_headers() {
        let key = photo(Variant::Main);
        assert_eq!(key.content_type(), "image/jpeg");
        let life = Duration::from_millis(60_999);
        assert_eq!(key.cache_control(life), "private, max-age=60, immutable");
    }
}
