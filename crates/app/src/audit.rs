//! The audit log: who did what to what, from where; each row's hash covers the row before it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use headshot_domain::{KeyId, OrgId, Role, SessionId, Timestamp, UserId};
use headshot_storage::audit::{self, Head};
use headshot_storage::{AsConn, Error, WriteTx, sessions, users};
use sha2::{Digest, Sha256};

use crate::App;

pub use headshot_storage::audit::Entry;

/// Who does something, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `user:<id> <email>`, `user:<id>` for a person in their own session, `key:<id>`, `command line` or `server`.
    pub label: String,
    /// From which address.
    pub address: Option<IpAddr>,
    /// What allows it, where that can be taken back at any moment.
    pub standing: Option<Standing>,
}

/// A browser's session, and the role that its person has in an organization. Looked at when a request
/// begins and once more where what it does is recorded: what was taken back meanwhile allows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The session.
    pub session: SessionId,
    /// The person.
    pub user: UserId,
    /// The organization.
    pub org: OrgId,
    /// The role with which the request began.
    pub role: Role,
}

impl Standing {
    /// [`Error::TakenBack`] unless the session is still there and the role no less.
    pub(crate) async fn check(&self, tx: &mut WriteTx) -> Result<(), Error> {
        let now = sessions::standing(tx, (&self.session, &self.user), &self.org).await?;
        match now {
            Some(role) if role.is_admin() || !self.role.is_admin() => Ok(()),
            _ => Err(Error::TakenBack),
        }
    }
}

impl Actor {
    /// A person at `address`.
    pub fn user(id: &UserId, email: &str, address: IpAddr) -> Self {
        Self {
            label: format!("user:{id} {email}"),
            address: Some(address),
            standing: None,
        }
    }

    /// A person in their own session: without the address, which an erasure could not take out.
    pub fn person(id: &UserId) -> Self {
        Self {
            label: format!("user:{id}"),
            address: None,
            standing: None,
        }
    }

    /// An API key used from `address`.
    pub fn key(id: &KeyId, address: IpAddr) -> Self {
        Self {
            label: format!("key:{id}"),
            address: Some(address),
            standing: None,
        }
    }

    /// The operator at the command line.
    pub fn command_line() -> Self {
        Self {
            label: "command line".into(),
            address: None,
            standing: None,
        }
    }

    /// Somebody who isn't signed in.
    pub fn visitor(address: IpAddr) -> Self {
        Self {
            label: "visitor".into(),
            address: Some(address),
            standing: None,
        }
    }

    /// The actor as people read it: the address of a person, the rest as it is.
    pub fn display(label: &str) -> &str {
        label
            .strip_prefix("user:")
            .and_then(|rest| rest.split_once(' '))
            .map_or(label, |(_, email)| email)
    }
}

/// Something that was done.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// In which organization; `None` is the whole server.
    pub org: Option<&'a OrgId>,
    /// As in `key.deleted`.
    pub action: &'static str,
    /// As in `key:<id>`.
    pub target: String,
    /// More about it; never a secret.
    pub detail: serde_json::Value,
}

/// Adds `event` to the log, in the transaction that does it.
///
/// # Errors
/// [`Error::TakenBack`] when the actor's [`Standing`] has ended: the transaction must not commit.
pub async fn record(
    tx: &mut WriteTx,
    actor: &Actor,
    now: Timestamp,
    event: Event<'_>,
) -> Result<(), Error> {
    if let Some(standing) = &actor.standing {
        standing.check(tx).await?;
    }
    let Head {
        seq,
        hash: previous,
    } = audit::next(tx).await?;
    let mut entry = Entry {
        seq,
        at: now,
        org: event.org.map(ToString::to_string).unwrap_or_default(),
        actor: actor.label.clone(),
        action: event.action.into(),
        target: event.target,
        detail: event.detail.to_string(),
        address: actor
            .address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        hash: Vec::new(),
    };
    entry.hash = chained(&previous, &entry);
    audit::append(tx, &entry).await
}

/// The hash that belongs to `entry` after a row with the hash `previous`. Every field goes in with
/// its length, so that no two rows share their bytes.
fn chained(previous: &[u8], entry: &Entry) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(b"headshot audit 1");
    hasher.update(previous);
    hasher.update(entry.seq.to_be_bytes());
    hasher.update(entry.at.unix_ms().to_be_bytes());
    for field in [
        &entry.org,
        &entry.actor,
        &entry.action,
        &entry.target,
        &entry.detail,
        &entry.address,
    ] {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field.as_bytes());
    }
    hasher.finalize().to_vec()
}

/// The first characters of a row's hash, for people.
pub fn short_hash(hash: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&hash[..hash.len().min(4)])
}

/// An organization's newest `limit` entries before place `before`, newest first; those of the whole
/// server and of all organizations without one.
pub async fn newest(
    app: &App,
    org: Option<&OrgId>,
    (before, limit): (i64, i64),
) -> Result<Vec<Entry>, Error> {
    let mut conn = app.db.read().await?;
    match org {
        Some(org) => audit::newest(&mut conn, org.as_str(), before, limit).await,
        None => audit::newest_of_all(&mut conn, before, limit).await,
    }
}

/// Who is behind the `user:<id>` of entries without an address, as actor or target: the name, else the
/// address. Whose account is gone is not among them.
pub async fn people(app: &App, entries: &[Entry]) -> Result<HashMap<String, String>, Error> {
    let mut found = HashMap::new();
    let mut conn = app.db.read().await?;
    let labels = entries
        .iter()
        .flat_map(|entry| [&entry.actor, &entry.target]);
    let labels: BTreeSet<&String> = labels.collect();
    for label in labels {
        let id = label.strip_prefix("user:").filter(|id| !id.contains(' '));
        let Some(id) = id else { continue };
        if let Some(user) = users::find(&mut conn, &UserId::from(id)).await? {
            let name = user.name.filter(|name| !name.is_empty());
            found.insert(label.clone(), name.unwrap_or(user.email));
        }
    }
    Ok(found)
}

/// What [`verify_up_to`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The chain was followed.
    Whole(Verified),
    /// The chain is longer than asked for; nothing was checked.
    TooLong {
        /// How many entries there are.
        entries: i64,
    },
}

/// Follows the whole chain if it has at most `entries_max` entries.
pub async fn verify_up_to(app: &App, entries_max: i64) -> Result<Checked, Error> {
    let mut conn = app.db.read().await?;
    let entries = audit::head(&mut conn).await?.seq;
    if entries > entries_max {
        return Ok(Checked::TooLong { entries });
    }
    Ok(Checked::Whole(verify(&mut conn).await?))
}

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// Every row is as it was written.
    Intact {
        /// How many rows there are.
        entries: i64,
        /// The newest row's hash, in hex: note it elsewhere to detect a cut or rewritten chain.
        head: String,
    },
    /// The chain breaks.
    Broken {
        /// At which row.
        seq: i64,
        /// How.
        what: &'static str,
    },
}

/// How many rows [`verify`] reads at a time.
const PAGE: i64 = 1_000;

/// Follows the whole chain.
///
/// Rows may be added meanwhile: the chain has to reach the head that was there at the beginning, and
/// may not reach beyond the one that is there at the end.
pub async fn verify(conn: &mut impl AsConn) -> Result<Verified, Error> {
    let head = audit::head(conn).await?;
    let mut link = Head {
        seq: 0,
        hash: vec![0u8; 32],
    };
    if let Some(broken) = past_head(&link, &head) {
        return Ok(broken);
    }
    // From before every place, so that a row at a place that never was is found too.
    let mut after = i64::MIN;
    loop {
        let page = audit::after(conn, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for entry in page {
            after = entry.seq;
            if let Some(broken) = follow(&mut link, entry).or_else(|| past_head(&link, &head)) {
                return Ok(broken);
            }
        }
    }
    if link.seq < head.seq {
        return Ok(broken(link.seq + 1, "is missing"));
    }
    let head = audit::head(conn).await?;
    if head.seq < link.seq {
        return Ok(broken(head.seq + 1, "was added behind the end"));
    }
    Ok(Verified::Intact {
        entries: link.seq,
        head: full_hash(&link.hash),
    })
}

/// The hash of the entry at `seq`, in hex.
pub async fn hash_at(conn: &mut impl AsConn, seq: i64) -> Result<Option<String>, Error> {
    let page = audit::after(conn, seq - 1, 1).await?;
    let entry = page.into_iter().find(|entry| entry.seq == seq);
    Ok(entry.map(|entry| full_hash(&entry.hash)))
}

/// A hash in hex.
pub fn full_hash(hash: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(hash)
}

const fn broken(seq: i64, what: &'static str) -> Verified {
    Verified::Broken { seq, what }
}

/// Goes on from `link` to `entry`, unless the chain breaks there.
fn follow(link: &mut Head, entry: Entry) -> Option<Verified> {
    if entry.seq <= link.seq {
        return Some(broken(entry.seq, "was never written"));
    }
    if entry.seq != link.seq + 1 {
        return Some(broken(link.seq + 1, "is missing"));
    }
    if entry.hash != chained(&link.hash, &entry) {
        return Some(broken(entry.seq, "was changed"));
    }
    *link = Head {
        seq: entry.seq,
        hash: entry.hash,
    };
    None
}

/// Whether the row at the head's place has another hash than the head: chain and row were rewritten.
fn past_head(link: &Head, head: &Head) -> Option<Verified> {
    (link.seq == head.seq && link.hash != head.hash).then(|| broken(link.seq, "was rewritten"))
}
