use askama::Template;

use super::Icon;

/// A button or a link that looks like one; its label is a verb.
#[derive(Debug, Clone, Template)]
#[template(path = "ui/button.html")]
pub struct Button {
    label: String,
    href: Option<String>,
    kind: &'static str,
    icon_name: Option<&'static str>,
    about: Option<String>,
    confirm: Option<&'static str>,
    disabled: bool,
}

impl Button {
    /// Submits the form it stands in.
    pub fn submit(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            href: None,
            kind: "secondary",
            icon_name: None,
            about: None,
            confirm: None,
            disabled: false,
        }
    }

    /// Goes somewhere.
    pub fn link(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            href: Some(href.into()),
            ..Self::submit(label)
        }
    }

    /// The one main action of a page or form.
    #[must_use]
    pub fn primary(mut self) -> Self {
        self.kind = "primary";
        self
    }

    /// Takes something away for good.
    #[must_use]
    pub fn danger(mut self) -> Self {
        self.kind = "danger";
        self
    }

    /// Repeats in every row; no frame.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.kind = "quiet";
        self
    }

    /// Picture before the label.
    #[must_use]
    pub fn icon(mut self, name: &'static str) -> Self {
        self.icon_name = Some(name);
        self
    }

    /// What the action is about, read out after the label: the name in the row.
    #[must_use]
    pub fn about(mut self, what: impl Into<String>) -> Self {
        self.about = Some(what.into());
        self
    }

    /// With script, opens the dialog of this id first.
    #[must_use]
    pub fn confirm(mut self, dialog: &'static str) -> Self {
        self.confirm = Some(dialog);
        self
    }

    /// Cannot be used now.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }
}
