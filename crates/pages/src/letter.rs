//! Mails: one layout, a text part and an HTML part that say the same.

use crate::Template;

/// A mail to write. Names in it come from strangers: both parts are made safe here.
#[derive(Debug, Clone, Template)]
#[template(path = "letter.html")]
pub struct Letter {
    /// The subject, also the heading.
    pub subject: String,
    /// What is said, paragraph by paragraph.
    pub paragraphs: Vec<String>,
    /// What the reader can do: the verb on the button, and where it leads.
    pub action: Option<(&'static str, String)>,
    /// Why the reader gets this.
    pub why: String,
}

impl Letter {
    /// The text part.
    pub fn text(&self) -> String {
        let mut parts = self.paragraphs.clone();
        if let Some((verb, url)) = &self.action {
            parts.push(format!("{verb}:\n{url}"));
        }
        parts.push(format!("-- \n{}\n", self.why));
        parts.join("\n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_say_the_same_and_names_stay_text() {
        let letter = Letter {
            subject: "Your headshots".to_owned(),
            paragraphs: vec!["<b>Eve</b> & Co \u{202e}invites you.".to_owned()],
            action: Some(("Begin", "https://a.example/x?y=1&z=2".to_owned())),
            why: "You get this because you are invited.".to_owned(),
        };
        let text = letter.text();
        assert!(text.contains("<b>Eve</b> & Co"));
        assert!(text.contains("Begin:\nhttps://a.example/x?y=1&z=2\n"));
        let html = letter.render().unwrap();
        assert!(!html.contains("<b>"), "{html}");
        assert!(
            html.contains("href=\"https://a.example/x?y=1&#38;z=2\""),
            "{html}"
        );
        assert!(!html.contains("src="), "no picture from anywhere: {html}");
    }
}
