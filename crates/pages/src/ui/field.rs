use askama::Template;

use super::Icon;

/// A labelled input with its hint and its error.
#[derive(Debug, Clone, Template)]
#[template(path = "ui/field.html")]
pub struct Field {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    value: String,
    hint: Option<&'static str>,
    error: Option<String>,
    autocomplete: Option<&'static str>,
    min_length: Option<u16>,
    range: Option<(i64, i64)>,
    rows: Option<u8>,
    required: bool,
    focus: bool,
}

impl Field {
    /// One line of text, required.
    pub fn text(name: &'static str, label: &'static str) -> Self {
        Self {
            name,
            label,
            kind: "text",
            value: String::new(),
            hint: None,
            error: None,
            autocomplete: None,
            min_length: None,
            range: None,
            rows: None,
            required: true,
            focus: false,
        }
    }

    /// A mail address, with the browser's help.
    pub fn email(name: &'static str, label: &'static str) -> Self {
        Self {
            kind: "email",
            autocomplete: Some("username"),
            ..Self::text(name, label)
        }
    }

    /// A web address.
    pub fn url(name: &'static str, label: &'static str) -> Self {
        Self {
            kind: "url",
            autocomplete: Some("url"),
            ..Self::text(name, label)
        }
    }

    /// The password that is in force.
    pub fn password(name: &'static str, label: &'static str) -> Self {
        Self {
            kind: "password",
            autocomplete: Some("current-password"),
            ..Self::text(name, label)
        }
    }

    /// A password to be set, at least 8 characters.
    pub fn new_password(name: &'static str, label: &'static str) -> Self {
        Self {
            kind: "password",
            autocomplete: Some("new-password"),
            min_length: Some(8),
            hint: Some("At least 8 characters. A sentence is easier to remember than a word."),
            ..Self::text(name, label)
        }
    }

    /// A date and time, UTC.
    pub fn moment(name: &'static str, label: &'static str) -> Self {
        Self {
            kind: "datetime-local",
            ..Self::text(name, label).optional()
        }
    }

    /// A whole number, the smallest and the largest included.
    pub fn number(name: &'static str, label: &'static str, range: (i64, i64)) -> Self {
        Self {
            kind: "number",
            autocomplete: Some("off"),
            range: Some(range),
            ..Self::text(name, label)
        }
    }

    /// Several lines of text, optional.
    pub fn lines(name: &'static str, label: &'static str, rows: u8) -> Self {
        Self {
            rows: Some(rows),
            ..Self::text(name, label).optional()
        }
    }

    /// What it holds.
    #[must_use]
    pub fn value(mut self, value: &str) -> Self {
        value.clone_into(&mut self.value);
        self
    }

    /// What to type.
    #[must_use]
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What is wrong with what was typed.
    #[must_use]
    pub fn error(mut self, error: &Option<String>) -> Self {
        self.error.clone_from(error);
        self
    }

    /// What a password manager may fill in.
    #[must_use]
    pub fn autocomplete(mut self, token: &'static str) -> Self {
        self.autocomplete = Some(token);
        self
    }

    /// May stay empty.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// Gets the focus when the page opens; one field of a page at most.
    #[must_use]
    pub fn focus(mut self, wanted: bool) -> Self {
        self.focus = wanted;
        self
    }

    fn id(&self) -> String {
        format!("f-{}", self.name)
    }

    fn described_by(&self) -> Option<String> {
        let id = self.id();
        match (self.hint.is_some(), self.error.is_some()) {
            (true, true) => Some(format!("{id}-error {id}-hint")),
            (true, false) => Some(format!("{id}-hint")),
            (false, true) => Some(format!("{id}-error")),
            (false, false) => None,
        }
    }
}
