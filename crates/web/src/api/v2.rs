//! The operations of v2, one module for each resource. Each handler calls one use case; what goes
//! over the wire is the module's own view of the result.

pub(crate) mod invites;
pub(crate) mod models;
pub(crate) mod organization;
pub(crate) mod page;
pub(crate) mod people;
pub(crate) mod photos;
pub(crate) mod teams;
