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

/// A name as it may stand in a sentence: without characters that turn the direction of what follows
/// or break the line, and shut off from the sentence where it is written from right to left.
pub fn name_in_sentence(name: &str) -> String {
    let directs = |c: char| matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain: String = name
        .chars()
        .filter(|c| !directs(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let leftward = |c: char| {
        matches!(c, '\u{0590}'..='\u{08ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    };
    if plain.chars().any(leftward) {
        format!("\u{2068}{plain}\u{2069}")
    } else {
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_turns_nothing_around() {
        assert_eq!(name_in_sentence("Acme \u{202e}moc.live"), "Acme moc.live");
        assert_eq!(name_in_sentence("a\r\nb"), "a  b");
        assert_eq!(name_in_sentence("אקמה"), "\u{2068}אקמה\u{2069}");
        assert_eq!(name_in_sentence("Söhne & Co"), "Söhne & Co");
    }

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
