//! Who calls the API, and what a key allows.

use std::net::IpAddr;
use std::sync::Arc;

use headshot_domain::{Access, OrgId, Scope};

use crate::audit::Actor;
use crate::verification::KeyEntry;

/// A verified caller: everything done with it belongs to its organization.
#[derive(Debug, Clone)]
pub struct Caller {
    key: Arc<KeyEntry>,
    address: IpAddr,
}

/// Why a valid key may not do something (403 `FORBIDDEN`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// The key lacks a scope.
    Scope(Scope),
    /// The key may only read what this scope guards.
    ReadOnly(Scope),
    /// The key may not be used from this address.
    Network,
}

impl Caller {
    /// A caller whose key has been verified and whose address the key allows.
    ///
    /// # Errors
    /// [`Forbidden::Network`] when it does not.
    pub fn new(key: Arc<KeyEntry>, address: IpAddr) -> Result<Self, Forbidden> {
        let networks = &key.record.networks;
        if networks.is_empty() || networks.contains(address) {
            Ok(Self { key, address })
        } else {
            Err(Forbidden::Network)
        }
    }

    /// The organization.
    pub fn org(&self) -> &OrgId {
        &self.key.record.org
    }

    /// The verified key.
    pub fn key(&self) -> &Arc<KeyEntry> {
        &self.key
    }

    /// The caller for the audit log.
    pub fn actor(&self) -> Actor {
        Actor::key(&self.key.record.id, self.address)
    }

    /// Whether the key may do an operation of `scope` that needs `access`.
    ///
    /// # Errors
    /// [`Forbidden::Scope`] or [`Forbidden::ReadOnly`] when it may not.
    pub fn require(&self, scope: Scope, access: Access) -> Result<(), Forbidden> {
        let scopes = self.key.record.scopes;
        if scopes.allows(scope, access) {
            Ok(())
        } else if scopes.allows(scope, Access::Read) {
            Err(Forbidden::ReadOnly(scope))
        } else {
            Err(Forbidden::Scope(scope))
        }
    }
}
