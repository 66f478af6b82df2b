//! What leaves the machine: one request to an address that a stranger chose, behind a [`Guard`],
//! mail to the operator's own mail server ([`mail`]), and calls of the operator's own generator
//! ([`generator`]).
//!
//! A [`Client`] resolves a name once, refuses addresses inside the operator's networks, and
//! connects to the very address it checked. It follows no redirect, uses no proxy, waits ten
//! seconds in all and reads 64 KiB of an answer. Nothing here touches the database.
//!
//! ```
//! use headshot_outbound::{Guard, sign};
//!
//! let guard = Guard::default();
//! assert!(guard.check("https://hooks.example.com/headshot").is_ok());
//! assert!(guard.check("https://169.254.169.254/latest").is_err());
//! assert!(sign("secret", 1_705_314_600, b"{}").starts_with("sha256="));
//! ```

mod client;
pub mod generator;
mod guard;
pub mod mail;
mod signature;
mod tls;
mod wire;

pub use client::{Answer, BODY_MAX, Client, Exchange, Failure, TIME_MAX};
pub use guard::{Guard, Refusal, Target, URL_MAX, is_public};
pub use signature::{PREVIOUS_SIGNATURE, SIGNATURE, TIMESTAMP, sign};
pub use tls::{Authorities, InvalidAuthorities};
