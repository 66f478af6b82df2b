//! What can go wrong with objects.

use std::error::Error as StdError;
use std::io;

/// A failed call to the store. Absence is `Option`, never an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It can't be reached, or answers with an error.
    #[error("the objects at {location} can't be reached: {what} failed")]
    Unavailable {
        /// Folder or bucket.
        location: String,
        /// What was to be done.
        what: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// No space is left.
    #[error("the disk that holds {location} is full")]
    DiskFull {
        /// The folder.
        location: String,
    },
    /// The folder's permissions or the bucket's credentials do not allow it.
    #[error("the objects at {location} can't be used: {what} is not allowed")]
    Denied {
        /// Folder or bucket.
        location: String,
        /// What was to be done.
        what: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// There is no such bucket.
    #[error("the bucket of {location} does not exist")]
    NoBucket {
        /// The bucket and the prefix.
        location: String,
    },
    /// What was to be stored could not be read.
    #[error("what was to be stored could not be read")]
    Input(#[source] io::Error),
}

impl Error {
    /// Classifies what the store at `location` said when `what` was to be done.
    pub(crate) fn of(source: object_store::Error, location: &str, what: String) -> Self {
        use object_store::Error as Said;
        let location = location.to_owned();
        match (kind_of(&source), &source) {
            (Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded), _) => {
                Self::DiskFull { location }
            }
            (Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem), _)
            | (_, Said::PermissionDenied { .. } | Said::Unauthenticated { .. }) => Self::Denied {
                location,
                what,
                source,
            },
            // An object that is not there is no error, so this is the bucket.
            (None, Said::NotFound { .. }) => Self::NoBucket { location },
            _ => Self::Unavailable {
                location,
                what,
                source,
            },
        }
    }
}

/// The kind of the input or output error that is behind `error`.
fn kind_of(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}
