//! The words of Headshot: ids, keys, scopes, plans, credits, roles, limits and time.
//!
//! Everything here is pure and synchronous: no database, no HTTP, no files, no async. Clocks and
//! randomness are parameters ([`Clock`], [`Entropy`]), so that tests own both.
//!
//! ```
//! use headshot_domain::{Access, Scope, ScopeSet};
//! let scopes: ScopeSet = "organization,teams:read".parse().unwrap();
//! assert!(scopes.allows(Scope::Teams, Access::Read));
//! assert!(!scopes.allows(Scope::Teams, Access::Write));
//! ```

pub mod api_key;
pub mod credits;
pub mod email;
pub mod entropy;
pub mod ids;
pub mod invite;
pub mod job;
pub mod mail;
pub mod member;
pub mod model;
pub mod network;
pub mod package;
pub mod photo;
pub mod plan;
pub mod role;
pub mod scope;
pub mod time;
pub mod webhook;
mod words;

pub use api_key::{ApiKeySecret, KeyHint, MalformedKey};
pub use credits::Credits;
pub use email::{Email, InvalidEmail};
pub use entropy::{Entropy, OsEntropy, SeededEntropy};
pub use ids::{
    DeliveryId, InviteId, JobId, KeyId, MailId, ModelId, OrgId, PhotoId, RequestId, SessionId,
    TeamId, UploadId, UserId, storable,
};
pub use invite::{InviteState, InviteStatus};
pub use job::{JobKind, JobState};
pub use mail::{MailKind, MailState};
pub use member::MemberStage;
pub use model::{Gender, ModelEvent, ModelStatus, ModelVersion};
pub use network::{Networks, TrustedProxies};
pub use package::Package;
pub use photo::{ImageFormat, Liked, PhotoStatus, Variant};
pub use plan::Plan;
pub use role::Role;
pub use scope::{Access, Scope, ScopeSet};
pub use time::{Clock, SystemClock, Timestamp};
pub use webhook::{WebhookEvent, WebhookState};
pub use words::UnknownWord;
