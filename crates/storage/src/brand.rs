//! An organization's own backdrop images and its logo.

use std::str::FromStr;

use headshot_domain::{OrgId, Timestamp};

use crate::conn::{AsConn, WriteTx, execute, fetch_all, fetch_optional, statements};
use crate::error::Error;
use crate::parsed;

/// What an asset is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Stands behind the person.
    Backdrop,
    /// Is drawn into the backdrop's corner.
    Logo,
}

impl Kind {
    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Backdrop => "backdrop",
            Self::Logo => "logo",
        }
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Backdrop, Self::Logo]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or(())
    }
}

/// An asset without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// SHA-256 of its file, in hex.
    pub digest: String,
    /// What it is for.
    pub kind: Kind,
    /// What the uploaded file was called.
    pub name: String,
    /// When it arrived.
    pub created_at: Timestamp,
}

/// The bytes of a new asset.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// The file.
    pub bytes: &'a [u8],
    /// A small copy of it for pages; without one, the file shows itself.
    pub preview: Option<&'a [u8]>,
}

statements! {
    // Locks the organization's row, so that choice and assets change together and limits hold.
    HOLD = "UPDATE organizations SET studio = studio WHERE id = $1";
    INSERT = "INSERT INTO brand_assets (org_id, digest, kind, name, bytes, preview, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org_id, digest) DO NOTHING";
    LIST = "SELECT digest, kind, name, created_at FROM brand_assets WHERE org_id = $1 ORDER BY created_at, digest LIMIT $2";
    FILE = "SELECT kind, bytes FROM brand_assets WHERE org_id = $1 AND digest = $2";
    SHOWN = "SELECT kind, COALESCE(preview, bytes) FROM brand_assets WHERE org_id = $1 AND digest = $2";
    DELETE = "DELETE FROM brand_assets WHERE org_id = $1 AND digest = $2";
}

/// Keeps everybody else from changing the organization's choice and assets until the transaction
/// ends; `false` when there is no such organization.
pub async fn hold(tx: &mut WriteTx, org: &OrgId) -> Result<bool, Error> {
    Ok(execute!(tx, HOLD, org.as_str())? == 1)
}

/// Stores a new asset; `false` when the organization has one with the same bytes already.
pub async fn insert(
    tx: &mut WriteTx,
    org: &OrgId,
    (asset, files): (&Asset, Files<'_>),
) -> Result<bool, Error> {
    let inserted = execute!(
        tx,
        INSERT,
        org.as_str(),
        &asset.digest,
        asset.kind.name(),
        &asset.name,
        files.bytes,
        files.preview,
        asset.created_at.unix_ms(),
    )?;
    Ok(inserted == 1)
}

/// The organization's assets, oldest first, at most `limit`.
pub async fn list(conn: &mut impl AsConn, org: &OrgId, limit: i64) -> Result<Vec<Asset>, Error> {
    type Row = (String, String, String, i64);
    let rows = fetch_all!(conn, Row, LIST, org.as_str(), limit)?;
    let asset = |(digest, kind, name, at): Row| {
        Ok(Asset {
            digest,
            kind: parsed(&kind, "brand_assets", "kind")?,
            name,
            created_at: Timestamp::from_unix_ms(at),
        })
    };
    rows.into_iter().map(asset).collect()
}

fn file(row: Option<(String, Vec<u8>)>) -> Result<Option<(Kind, Vec<u8>)>, Error> {
    row.map(|(kind, bytes)| Ok((parsed(&kind, "brand_assets", "kind")?, bytes)))
        .transpose()
}

/// An asset's file; `None` when the organization has no such asset.
pub async fn read(
    conn: &mut impl AsConn,
    org: &OrgId,
    digest: &str,
) -> Result<Option<(Kind, Vec<u8>)>, Error> {
    type Row = (String, Vec<u8>);
    file(fetch_optional!(conn, Row, FILE, org.as_str(), digest)?)
}

/// What a page shows of an asset; `None` when the organization has no such asset.
pub async fn shown(
    conn: &mut impl AsConn,
    org: &OrgId,
    digest: &str,
) -> Result<Option<(Kind, Vec<u8>)>, Error> {
    type Row = (String, Vec<u8>);
    file(fetch_optional!(conn, Row, SHOWN, org.as_str(), digest)?)
}

/// Forgets an asset; `false` when the organization has no such asset.
pub async fn delete(tx: &mut WriteTx, org: &OrgId, digest: &str) -> Result<bool, Error> {
    Ok(execute!(tx, DELETE, org.as_str(), digest)? == 1)
}
