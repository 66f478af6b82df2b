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
pub mod network;
pub mod plan;
pub mod role;
pub mod scope;
pub mod time;

pub use api_key::{ApiKeySecret, KeyHint, MalformedKey};
pub use credits::Credits;
pub use email::{Email, InvalidEmail};
pub use entropy::{Entropy, OsEntropy, SeededEntropy};
pub use ids::{KeyId, OrgId, RequestId, SessionId, TeamId, UserId, storable};
pub use network::{Networks, TrustedProxies};
pub use plan::Plan;
pub use role::Role;
pub use scope::{Access, Scope, ScopeSet};
pub use time::{Clock, SystemClock, Timestamp};
