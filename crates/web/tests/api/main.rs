//! The API from outside: the real router on a real database, whole bodies, both databases. Every
//! answer is held against the published contract on the way.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unchecked_time_subtraction,
    reason = "a test that can't go on stops, and a story is read in one piece"
)]

mod contract;
mod document;
mod idempotency;
mod invites;
mod models;
mod odd;
mod people;
mod photos;
mod public;
mod samples;
mod teams;
mod uploads;
mod v1;
mod world;
