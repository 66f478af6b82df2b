//! Every public function of the crate on both databases, and both databases in trouble.
//!
//! One binary, so that PostgreSQL starts once.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

mod accounts;
mod api_keys;
mod api_log;
mod audit;
mod deletion;
mod schema;
mod statements;
mod support;
mod trouble;
