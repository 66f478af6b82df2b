//! Just enough of HTML to look at our own pages: text never holds a raw `<`, values are quoted.

/// A start tag.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    /// Whether an attribute follows a value without a space, which browsers repair silently.
    pub(crate) glued: bool,
}

impl Tag {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }
}

/// All start tags of a document.
pub(crate) fn tags(html: &str) -> Vec<Tag> {
    html.split('<')
        .skip(1)
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
        .map(start_tag)
        .collect()
}

/// The text between the tags.
pub(crate) fn text(html: &str) -> String {
    html.split('<')
        .skip(1)
        .map(|rest| &rest[end_of_tag(rest)..])
        .collect()
}

pub(crate) fn end_of_tag(rest: &str) -> usize {
    let mut quoted = false;
    let end = rest.find(|c| {
        quoted ^= c == '"';
        c == '>' && !quoted
    });
    end.map_or(rest.len(), |at| at + 1)
}

fn start_tag(rest: &str) -> Tag {
    let inside = rest[..end_of_tag(rest)]
        .trim_end_matches('>')
        .trim_end_matches('/');
    let (name, mut left) =
        inside.split_at(inside.find(char::is_whitespace).unwrap_or(inside.len()));
    let mut tag = Tag {
        name: name.to_owned(),
        attributes: Vec::new(),
        glued: name.contains('"'),
    };
    loop {
        let trimmed = left.trim_start();
        if trimmed.is_empty() {
            return tag;
        }
        tag.glued |= trimmed.len() == left.len();
        let end = trimmed
            .find(|c: char| c == '=' || c.is_whitespace())
            .unwrap_or(trimmed.len());
        let (name, after) = trimmed.split_at(end);
        let value = after
            .strip_prefix("=\"")
            .and_then(|value| value.split_once('"'));
        tag.attributes.push((
            name.to_owned(),
            value.map_or_else(String::new, |v| v.0.to_owned()),
        ));
        left = value.map_or(after, |v| v.1);
    }
}
