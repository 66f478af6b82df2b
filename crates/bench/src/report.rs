//! The figures, as Markdown or JSON.

use std::fmt::Write;

use serde::Serialize;

/// One line of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: String,
    value: String,
    target: String,
}

/// All that one run found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Vec<(&'static str, String)>,
    figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn new(machine: Vec<(&'static str, String)>) -> Self {
        Self {
            machine,
            figures: Vec::new(),
        }
    }

    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
        target: impl Into<String>,
    ) {
        let (name, value, target) = (name.into(), value.into(), target.into());
        crate::progress(format_args!("{name}: {value}"));
        self.figures.push(Figure {
            name,
            value,
            target,
        });
    }

    pub(crate) fn json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("| Figure | Value | Target |\n|---|---|---|\n");
        for figure in &self.figures {
            let _infallible = writeln!(
                text,
                "| {} | {} | {} |",
                figure.name, figure.value, figure.target
            );
        }
        text.push('\n');
        for (name, value) in &self.machine {
            let _infallible = writeln!(text, "- {name}: {value}");
        }
        text
    }
}

/// The middle of `values`, or the higher of the two.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The smallest value that at least this share of `values` do not exceed.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index into a short list"
)]
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len() as f64 * share) as usize;
    sorted
        .get(index.min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}
