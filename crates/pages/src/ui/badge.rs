use askama::Template;

use super::Icon;

/// The four meanings, and none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// No meaning.
    Neutral,
    /// It worked.
    Good,
    /// Look at it.
    Warn,
    /// It failed or was refused.
    Bad,
    /// Worth knowing.
    Info,
}

impl Tone {
    /// CSS class suffix.
    pub fn class(self) -> &'static str {
        match self {
            Self::Neutral => "plain",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Info => "info",
        }
    }

    /// Icon of the sprite.
    pub fn icon(self) -> &'static str {
        match self {
            Self::Neutral => "dot",
            Self::Good => "check",
            Self::Warn => "warn",
            Self::Bad => "stop",
            Self::Info => "info",
        }
    }
}

/// A status: icon and word, never colour alone.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<span class="badge badge-{{ tone.class() }}">{{ Icon::of(icon_name) }}{{ word }}</span>"#
)]
pub struct Badge {
    tone: Tone,
    icon_name: &'static str,
    word: String,
}

impl Badge {
    /// A badge with the tone's own icon.
    pub fn new(tone: Tone, word: impl Into<String>) -> Self {
        Self {
            tone,
            icon_name: tone.icon(),
            word: word.into(),
        }
    }

    /// Another icon.
    #[must_use]
    pub fn icon(mut self, name: &'static str) -> Self {
        self.icon_name = name;
        self
    }

    /// A scope of a key, *invites* or *invites, read*.
    pub fn scope(scope: &str, write: bool) -> Self {
        if write {
            Self::new(Tone::Neutral, scope).icon("pen")
        } else {
            Self::new(Tone::Neutral, format!("{scope}, read")).icon("eye")
        }
    }

    /// An HTTP status.
    pub fn http(status: u16) -> Self {
        let tone = match status {
            0..=399 => Tone::Good,
            429 => Tone::Warn,
            _ => Tone::Bad,
        };
        Self::new(tone, status.to_string())
    }

    /// A warning.
    pub fn warn(word: &str) -> Self {
        Self::new(Tone::Warn, word)
    }
}
