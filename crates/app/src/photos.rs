//! Photos: the URLs that open them for a day, and what such a URL opens.
//!
//! A URL carries its own permission: an HMAC over which photo, in which size, how and until when.
//! The secret is outside the database and the same on every machine. Contract: photos.md.

use std::time::Duration;

pub use headshot_blobs::{Error as ObjectsError, Meta};
use headshot_blobs::{Key, variant_of};
use headshot_domain::{ImageFormat, PhotoId, PhotoStatus, Timestamp, Variant};
use headshot_storage::photos::{self, Photo};
use headshot_storage::{Error, models};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::App;
use crate::objects::photo_key;

/// How long a URL works, from the request that asked for it.
pub const URL_LIFE: Duration = Duration::from_hours(24);

/// Signs URLs.
#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

/// Text that is no secret for URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of photo URLs is 64 hexadecimal characters")]
pub struct InvalidSecret;

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// Reads 64 hexadecimal characters.
    ///
    /// # Errors
    /// [`InvalidSecret`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let decoded = data_encoding::HEXLOWER_PERMISSIVE
            .decode(text.trim().as_bytes())
            .map_err(|_wrong| InvalidSecret)?;
        let bytes = Zeroizing::new(decoded);
        if bytes.len() != 32 {
            return Err(InvalidSecret);
        }
        let mac = Hmac::new_from_slice(&bytes).map_err(|_wrong| InvalidSecret)?;
        Ok(Self(mac))
    }

    /// Every part goes in with a line break, which none of them holds, so that no two links share
    /// their text.
    fn mac(&self, link: &Link) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        let text = format!(
            "headshot photo 1\n{}\n{}\n{}\n{}\n",
            link.path(),
            link.variant,
            link.expires_at.unix_ms(),
            if link.download { "download" } else { "show" }
        );
        mac.update(text.as_bytes());
        mac
    }

    fn sign(&self, link: &Link) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&self.mac(link).finalize().into_bytes())
    }

    /// In constant time.
    fn verifies(&self, link: &Link, signature: &str) -> bool {
        let decoded = data_encoding::BASE64URL_NOPAD.decode(signature.as_bytes());
        decoded.is_ok_and(|bytes| self.mac(link).verify_slice(&bytes).is_ok())
    }
}

/// Which sizes an answer names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Include {
    /// The main one.
    #[default]
    Main,
    /// All three.
    All,
}

/// A photo's URLs. Those of a deleted one are all missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Urls {
    /// The photo.
    pub main: Option<String>,
    /// The small one.
    pub thumbnail: Option<String>,
    /// The largest one.
    pub original: Option<String>,
}

/// When the URLs stop working that a request at `now` gets.
pub fn expiry(now: Timestamp) -> Timestamp {
    now.plus(URL_LIFE)
}

/// The URLs of a photo for a request at `now`; they work until [`expiry`].
pub fn urls(app: &App, photo: &Photo, include: Include, now: Timestamp) -> Result<Urls, Error> {
    all(app, photo, (include, false), now)
}

/// The same, with which browsers store the photo as a file instead of showing it.
pub fn download_urls(
    app: &App,
    photo: &Photo,
    include: Include,
    now: Timestamp,
) -> Result<Urls, Error> {
    all(app, photo, (include, true), now)
}

fn all(
    app: &App,
    photo: &Photo,
    (include, download): (Include, bool),
    now: Timestamp,
) -> Result<Urls, Error> {
    if photo.status == PhotoStatus::Deleted {
        return Ok(Urls::default());
    }
    let url = |variant| {
        let path = path(&app.settings.photo_signer, photo, (variant, download), now)?;
        Ok(Some(format!("{}{path}", app.settings.public_url)))
    };
    let rest = |variant| match include {
        Include::Main => Ok(None),
        Include::All => url(variant),
    };
    Ok(Urls {
        main: url(Variant::Main)?,
        thumbnail: rest(Variant::Thumbnail)?,
        original: rest(Variant::Original)?,
    })
}

/// Path and query of the URL of one size; with `download`, browsers store it as a file.
pub fn path(
    signer: &Signer,
    photo: &Photo,
    (variant, download): (Variant, bool),
    now: Timestamp,
) -> Result<String, Error> {
    let format = photo.format.parse().ok().ok_or(Error::Corrupt {
        table: "photos",
        column: "format",
    })?;
    let link = Link {
        photo: photo.id.clone(),
        variant,
        format,
        expires_at: expiry(now),
        download,
    };
    Ok(format!(
        "{}?expires={}{}&signature={}",
        link.path(),
        link.expires_at.unix_ms(),
        if download { "&download=1" } else { "" },
        signer.sign(&link)
    ))
}

/// What a URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    photo: PhotoId,
    variant: Variant,
    format: ImageFormat,
    expires_at: Timestamp,
    download: bool,
}

impl Link {
    /// Reads a file name such as `507f1f77bcf86cd799439022_thumb.jpg`.
    fn parse(name: &str, expires_at: Timestamp, download: bool) -> Option<Self> {
        let (name, format) = name.split_once('.')?;
        let variant = variant_of(name);
        Some(Self {
            photo: name.strip_suffix(variant.suffix())?.into(),
            variant,
            format: format.parse().ok()?,
            expires_at,
            download,
        })
    }

    fn path(&self) -> String {
        let suffix = self.variant.suffix();
        format!("/photos/{}{suffix}.{}", self.photo, self.format)
    }
}

/// What comes with a URL's path.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// Until when it works, in Unix milliseconds.
    pub expires: i64,
    /// Whether the photo is to be stored as a file.
    pub download: bool,
    /// What proves all this.
    pub signature: &'a str,
}

/// A URL that does not open anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Nobody who knows the secret has made it.
    Signature,
    /// It has run out.
    Expired,
}

/// Checks what a URL says, without looking whether there is such a photo.
///
/// # Errors
/// Why it opens nothing.
pub fn verify(
    signer: &Signer,
    name: &str,
    proof: Signed<'_>,
    now: Timestamp,
) -> Result<Link, Refused> {
    let expires_at = Timestamp::from_unix_ms(proof.expires);
    let link = Link::parse(name, expires_at, proof.download).ok_or(Refused::Signature)?;
    if !signer.verifies(&link, proof.signature) {
        return Err(Refused::Signature);
    }
    if expires_at <= now {
        return Err(Refused::Expired);
    }
    Ok(link)
}

/// What a URL opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The object.
    pub key: Key,
    /// How long the URL still works.
    pub life: Duration,
    /// What to store it as, if it is to be stored.
    pub file_name: Option<String>,
}

/// What a checked URL opens; `None` once the photo is deleted.
pub async fn open(app: &App, link: &Link, now: Timestamp) -> Result<Option<Opened>, Error> {
    let mut conn = app.db.read().await?;
    let Some(photo) = photos::find_by_id(&mut conn, &link.photo).await? else {
        return Ok(None);
    };
    let key = photo_key(&photo, link.variant)?;
    if photo.status == PhotoStatus::Deleted || photo.format != link.format.name() {
        return Ok(None);
    }
    let mut file_name = None;
    if link.download {
        let model = models::find(&mut conn, &photo.org, &photo.model).await?;
        let person = model.map(|model| model.title).unwrap_or_default();
        file_name = Some(named(&person, &photo, link));
    }
    Ok(Some(Opened {
        key,
        life: link.expires_at.since(now),
        file_name,
    }))
}

/// The longest part of a file's name that comes from a person's, in characters.
const NAME_MAX: usize = 60;

/// `Jane Doe 3.jpg`, without what a file system or a header takes ill.
fn named(person: &str, photo: &Photo, link: &Link) -> String {
    let allowed = |c: char| c.is_alphanumeric() || " .-'".contains(c);
    let person: String = person
        .chars()
        .filter(|c| allowed(*c))
        .take(NAME_MAX)
        .collect();
    let person = person.trim_matches([' ', '.']);
    let person = if person.is_empty() {
        "Headshot"
    } else {
        person
    };
    let suffix = link.variant.suffix();
    // Places are counted from 0, people from 1.
    format!("{person} {}{suffix}.{}", photo.place + 1, link.format)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_705_314_600_000);

    fn signer() -> Signer {
        Signer::parse(&"ab".repeat(32)).unwrap()
    }

    fn link() -> Link {
        let name = "507f1f77bcf86cd799439022_thumb.jpg";
        Link::parse(name, NOW.plus(URL_LIFE), false).unwrap()
    }

    fn check(name: &str, signed: Signed<'_>, now: Timestamp) -> Result<Link, Refused> {
        verify(&signer(), name, signed, now)
    }

    #[test]
    fn a_link_works_until_it_runs_out() {
        let (link, signature) = (link(), signer().sign(&link()));
        let signed = Signed {
            expires: link.expires_at.unix_ms(),
            download: false,
            signature: &signature,
        };
        let name = "507f1f77bcf86cd799439022_thumb.jpg";
        let last = link.expires_at.minus(Duration::from_millis(1));
        assert_eq!(check(name, signed, last), Ok(link.clone()));
        assert_eq!(check(name, signed, link.expires_at), Err(Refused::Expired));
    }

    #[test]
    fn each_part_is_signed() {
        let (link, signature) = (link(), signer().sign(&link()));
        let signed = Signed {
            expires: link.expires_at.unix_ms(),
            download: false,
            signature: &signature,
        };
        let later = Signed {
            expires: signed.expires + 1,
            ..signed
        };
        let download = Signed {
            download: true,
            ..signed
        };
        let cut = Signed {
            signature: &signature[..42],
            ..signed
        };
        let none = Signed {
            signature: "",
            ..signed
        };
        let name = "507f1f77bcf86cd799439022_thumb.jpg";
        for wrong in [later, download, cut, none] {
            assert_eq!(check(name, wrong, NOW), Err(Refused::Signature));
        }
        for name in [
            "507f1f77bcf86cd799439022.jpg",
            "507f1f77bcf86cd799439022_original.jpg",
            "507f1f77bcf86cd799439022_thumb.png",
            "507f1f77bcf86cd799439023_thumb.jpg",
            "507f1f77bcf86cd799439022_thumb",
            "507f1f77bcf86cd799439022_thumb.jpg.jpg",
            "../507f1f77bcf86cd799439022_thumb.jpg",
            "",
        ] {
            assert_eq!(check(name, signed, NOW), Err(Refused::Signature), "{name}");
        }
        let other = Signer::parse(&"cd".repeat(32)).unwrap();
        assert_eq!(verify(&other, name, signed, NOW), Err(Refused::Signature));
    }

    #[test]
    fn a_secret_is_32_bytes_and_is_not_shown() {
        assert!(Signer::parse(&"a".repeat(63)).is_err());
        assert!(Signer::parse(&"a".repeat(66)).is_err());
        assert!(Signer::parse(&"g".repeat(64)).is_err());
        assert_eq!(format!("{:?}", signer()), "Signer");
    }

    #[test]
    fn file_names_are_harmless() {
        let photo = Photo {
            id: "507f1f77bcf86cd799439022".into(),
            org: "org_1".into(),
            model: "507f1f77bcf86cd799439011".into(),
            place: 0,
            status: PhotoStatus::Active,
            liked: headshot_domain::Liked::None,
            format: "jpg".into(),
            recipe: String::new(),
            created_at: NOW,
            deleted_at: None,
        };
        let name = |person: &str| named(person, &photo, &link());
        assert_eq!(name("Sofía Hernández"), "Sofía Hernández 1_thumb.jpg");
        assert_eq!(name("../../etc/passwd\r\n\""), "etcpasswd 1_thumb.jpg");
        assert_eq!(name("\u{202e}/\\"), "Headshot 1_thumb.jpg");
        let long = "x".repeat(NAME_MAX + 1);
        assert_eq!(name(&long), format!("{} 1_thumb.jpg", &long[1..]));
    }
}
