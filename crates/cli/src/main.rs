//! The `headshot` binary.
fn main() {}
