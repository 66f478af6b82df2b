//! The words of every page in one reviewed text: titles, headings, links, buttons, labels.

use super::tags::end_of_tag;
use crate::samples;

const SHOWN: [&str; 9] = [
    "title", "h1", "h2", "h3", "a", "button", "summary", "label", "legend",
];

/// One line for each heading and each thing to use, from `<main>` on, and the title.
fn outline(html: &str) -> String {
    let (head, body) = html.split_once("<main").unwrap();
    let title = head.split('<').filter(|rest| rest.starts_with("title"));
    let mut lines = String::new();
    let mut open: Option<(&str, String)> = None;
    for rest in title.chain(body.split('<').skip(1)) {
        let (tag, text) = rest.split_at(end_of_tag(rest));
        let name = tag
            .split(|c: char| c.is_whitespace() || c == '>')
            .next()
            .unwrap_or_default();
        if let Some((element, words)) = &mut open {
            if name.strip_prefix('/') == Some(*element) || *element == "title" {
                lines.extend(["  ", element, ": ", squeeze(words).as_str(), "\n"]);
                open = None;
            } else {
                words.push_str(text);
            }
        }
        if SHOWN.contains(&name) {
            open = Some((name, text.to_owned()));
        }
    }
    lines
}

fn squeeze(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_words_of_every_page_are_the_reviewed_ones() {
    let pages = samples::all().unwrap();
    let texts = pages
        .iter()
        .map(|page| format!("{}\n{}", page.name, outline(&page.html)));
    insta::assert_snapshot!("words", texts.collect::<Vec<_>>().join("\n"));
}
