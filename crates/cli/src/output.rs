//! What commands print: results on standard output, one clear line on standard error on failure.

use std::io::{IsTerminal, Write};

/// Prints one line. A closed pipe is not an error of ours.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    let _closed = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
}

/// Prints a JSON document.
pub(crate) fn json(value: &serde_json::Value) {
    line(serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints a failure with its causes on one line.
pub(crate) fn error(error: &anyhow::Error) {
    let mark = if std::io::stderr().is_terminal() {
        "\u{1b}[31merror:\u{1b}[0m"
    } else {
        "error:"
    };
    let _closed = writeln!(std::io::stderr(), "{mark} {}", causes(error));
}

/// The error and its causes. Some libraries repeat the cause in the error: it is told once.
fn causes(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain() {
        let text = one_line(&cause.to_string());
        if told.is_empty() {
            told = text;
        } else if !told.ends_with(&text) {
            told = format!("{told}: {text}");
        }
    }
    told
}

/// The same text without line breaks.
pub(crate) fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}
