use askama::Template;

/// A block of text to copy; the button appears with script.
#[derive(Debug, Clone, Template)]
#[template(path = "ui/code.html")]
pub struct Code {
    id: String,
    label: String,
    text: String,
}

impl Code {
    /// A block with a unique id, a label and its text.
    pub fn new(id: impl Into<String>, label: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            label: label.into(),
            text: text.into(),
        }
    }
}

/// Several blocks behind tabs that need no script.
#[derive(Debug, Clone, Template)]
#[template(path = "ui/code_tabs.html")]
pub struct CodeTabs {
    id: &'static str,
    legend: &'static str,
    codes: Vec<Code>,
}

impl CodeTabs {
    /// Tabs named by the blocks' labels; `id` is unique on the page.
    pub fn new(id: &'static str, legend: &'static str, codes: Vec<Code>) -> Self {
        Self { id, legend, codes }
    }
}
