//! Ids, value types, scopes, plans and limits: pure and synchronous.
