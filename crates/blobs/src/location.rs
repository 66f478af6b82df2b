//! Where objects are kept: the storage URL.

use std::fmt;
use std::path::PathBuf;

use object_store::aws::AmazonS3ConfigKey;
use object_store::path::Path;

/// A checked storage URL.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket of S3 or of a server that speaks its protocol.
    S3(S3),
    /// The memory of this process, for tests.
    Memory,
}

/// A bucket, the part of it that is ours, and how to reach it.
#[derive(Clone, PartialEq, Eq)]
pub struct S3 {
    pub(crate) bucket: String,
    pub(crate) prefix: Path,
    /// Holds credentials: never printed.
    pub(crate) options: Vec<(AmazonS3ConfigKey, String)>,
}

/// What is wrong with a storage URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// It has another scheme, or no path.
    #[error("use file://<folder> or s3://<bucket>/<prefix>")]
    Form,
    /// No bucket can have that name.
    #[error("a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens")]
    Bucket,
    /// No object can have that path.
    #[error("the part after the bucket must be a path without empty parts, \".\" and \"..\"")]
    Prefix,
}

impl Location {
    /// Reads `file://<folder>` or `s3://<bucket>/<prefix>`; `variables` are the environment's, of
    /// which the `AWS_` ones that are known count.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn parse(
        url: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, InvalidLocation> {
        if let Some(folder) = url.strip_prefix("file://").filter(|path| !path.is_empty()) {
            return Ok(Self::Folder(folder.into()));
        }
        let rest = url.strip_prefix("s3://").ok_or(InvalidLocation::Form)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let named = (3..=63).contains(&bucket.len())
            && bucket.starts_with(|c: char| c.is_ascii_alphanumeric())
            && bucket
                .bytes()
                .all(|byte| allowed(byte) || b"-.".contains(&byte));
        if !named {
            return Err(InvalidLocation::Bucket);
        }
        let prefix = Path::parse(prefix.trim_end_matches('/'));
        let prefix = prefix.map_err(|_wrong| InvalidLocation::Prefix)?;
        let option = |(name, value): (String, String)| {
            let known = name.starts_with("AWS_").then(|| name.to_ascii_lowercase());
            Some((known?.parse().ok()?, value))
        };
        Ok(Self::S3(S3 {
            bucket: bucket.to_owned(),
            prefix,
            options: variables.into_iter().filter_map(option).collect(),
        }))
    }
}

/// As in the configuration; without credentials.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "file://{}", path.display()),
            Self::S3(s3) if s3.prefix.as_ref().is_empty() => write!(f, "s3://{}", s3.bucket),
            Self::S3(s3) => write!(f, "s3://{}/{}", s3.bucket, s3.prefix),
            Self::Memory => f.write_str("memory"),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Location, InvalidLocation> {
        Location::parse(url, [])
    }

    #[test]
    fn locations_print_as_they_are_configured() {
        for url in [
            "file:///var/lib/headshot/objects",
            "file://./headshot-data/objects",
            "s3://headshots",
            "s3://headshots/of/acme",
        ] {
            assert_eq!(parse(url).unwrap().to_string(), url);
        }
        assert_eq!(parse("s3://abc/x/").unwrap().to_string(), "s3://abc/x");
    }

    #[test]
    fn mistakes_are_told() {
        let bucket = "b".repeat(64);
        for (url, wrong) in [
            ("", InvalidLocation::Form),
            ("file://", InvalidLocation::Form),
            ("/var/objects", InvalidLocation::Form),
            ("gs://bucket", InvalidLocation::Form),
            ("s3://", InvalidLocation::Bucket),
            ("s3://ab", InvalidLocation::Bucket),
            ("s3://Acme", InvalidLocation::Bucket),
            ("s3://a b c", InvalidLocation::Bucket),
            (&format!("s3://{bucket}"), InvalidLocation::Bucket),
            ("s3://abc/../x", InvalidLocation::Prefix),
        ] {
            assert_eq!(parse(url), Err(wrong), "{url}");
        }
        assert!(parse(&format!("s3://{}", &bucket[1..])).is_ok());
        assert!(parse("s3://abc").is_ok());
    }

    #[test]
    fn credentials_are_taken_and_not_shown() {
        let variable = |name: &str| (name.to_owned(), "canary".to_owned());
        let variables = [
            "AWS_SECRET_ACCESS_KEY",
            "AWS_UNHEARD_OF",
            "SECRET_ACCESS_KEY",
        ];
        let location = Location::parse("s3://abc", variables.map(variable)).unwrap();
        assert!(!format!("{location:?}{location}").contains("canary"));
        let Location::S3(s3) = location else {
            panic!("not S3")
        };
        let kept = [(AmazonS3ConfigKey::SecretAccessKey, "canary".to_owned())];
        assert_eq!(s3.options, kept);
    }
}
