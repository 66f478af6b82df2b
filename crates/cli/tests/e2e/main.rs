//! The built binary, from outside: its commands, its HTTP answers, its files.
//!
//! Each test has its own data folder, server and database. Nothing waits for a time: tests wait for
//! a line, or poll a condition up to a bound.

#![expect(
    clippy::expect_used,
    clippy::format_collect,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test that can't go on stops, its story is read in one piece, and its texts are short"
)]

mod canary;
mod cli;
mod deletion;
mod durability;
mod errors;
mod forms;
mod generator;
mod mail;
mod people;
mod photos;
mod samples;
mod settings;
mod support;
mod trouble;
mod webhooks;
