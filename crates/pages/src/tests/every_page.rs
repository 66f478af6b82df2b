//! What must hold for every page, checked on all samples.

use std::collections::BTreeSet;

use super::tags::{Tag, tags, text};
use crate::{ASSET_PREFIX, asset, samples};

fn pages() -> Vec<samples::Sample> {
    samples::all().unwrap()
}

/// Calls the check with each page's name and each of its start tags.
fn each_tag(check: impl Fn(&str, &Tag)) {
    for page in pages() {
        for tag in tags(&page.html) {
            check(page.name, &tag);
        }
    }
}

#[test]
fn every_page_is_a_whole_document_under_50_kib_with_its_own_name() {
    let pages = pages();
    let names: BTreeSet<_> = pages.iter().map(|page| page.name).collect();
    assert_eq!(names.len(), pages.len());
    for page in &pages {
        assert!(
            page.html
                .starts_with("<!doctype html>\n<html lang=\"en\" dir=\"ltr\">")
        );
        assert!(page.html.ends_with("</html>"), "{}", page.name);
        assert!(
            page.html.len() < 50 * 1024,
            "{}: {}",
            page.name,
            page.html.len()
        );
    }
}

#[test]
fn hostile_names_stay_text() {
    let seen = pages()
        .iter()
        .filter(|page| page.html.contains("alert(1)"))
        .count();
    assert!(seen > 5, "the hostile name is on {seen} pages only");
    for page in pages() {
        assert!(!page.html.contains("<script>"), "{}", page.name);
        assert!(!page.html.contains("onload='"), "{}", page.name);
    }
}

#[test]
fn nothing_needs_inline_script_or_style_or_another_host() {
    each_tag(|page, tag| {
        assert!(tag.name != "style" && tag.name != "base", "{page}");
        if tag.name == "script" {
            assert!(
                tag.get("src")
                    .is_some_and(|src| src.starts_with(ASSET_PREFIX)),
                "{page}"
            );
        }
        for (name, value) in &tag.attributes {
            assert!(
                name != "style" && !name.starts_with("on"),
                "{page}: {tag:?}"
            );
            if matches!(name.as_str(), "href" | "src" | "action" | "formaction") {
                let local = value.is_empty() || value.starts_with(['/', '#']);
                assert!(local && !value.starts_with("//"), "{page}: {tag:?}");
            }
        }
    });
}

#[test]
fn attributes_are_separated_and_not_repeated() {
    each_tag(|page, tag| {
        assert!(!tag.glued, "{page}: {tag:?}");
        let names: BTreeSet<_> = tag.attributes.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), tag.attributes.len(), "{page}: {tag:?}");
    });
}

#[test]
fn every_reference_points_at_one_id_of_the_page() {
    for page in pages() {
        let tags = tags(&page.html);
        let all: Vec<_> = tags.iter().filter_map(|tag| tag.get("id")).collect();
        let ids: BTreeSet<_> = all.iter().copied().collect();
        assert_eq!(ids.len(), all.len(), "{}: an id is used twice", page.name);
        for tag in &tags {
            for name in [
                "for",
                "aria-labelledby",
                "aria-describedby",
                "popovertarget",
            ] {
                for id in tag.get(name).into_iter().flat_map(str::split_whitespace) {
                    assert!(ids.contains(id), "{}: {name}={id}", page.name);
                }
            }
            for id in [tag.get("data-copy"), tag.get("data-confirm")]
                .into_iter()
                .flatten()
            {
                assert!(ids.contains(id), "{}: {id}", page.name);
            }
            if let Some(id) = tag.get("href").and_then(|href| href.strip_prefix('#')) {
                assert!(id.is_empty() || ids.contains(id), "{}: #{id}", page.name);
            }
        }
    }
}

#[test]
fn every_asset_and_icon_exists() {
    each_tag(|page, tag| {
        for value in [tag.get("href"), tag.get("src")].into_iter().flatten() {
            if !value.starts_with(ASSET_PREFIX) {
                continue;
            }
            let (path, icon) = value.split_once('#').unwrap_or((value, ""));
            let found = asset(path).unwrap_or_else(|| panic!("{page}: {value}"));
            let sprite = String::from_utf8_lossy(found.bytes);
            assert!(
                icon.is_empty() || sprite.contains(&format!("id=\"{icon}\"")),
                "{page}: {icon}"
            );
        }
    });
}

#[test]
fn every_post_form_carries_the_token() {
    for page in pages() {
        for form in page.html.split("<form ").skip(1) {
            let form = form.split("</form>").next().unwrap();
            if form.starts_with("method=\"post\"") {
                assert!(
                    form.contains("name=\"csrf\" value=\"csrf-token\""),
                    "{}",
                    page.name
                );
            }
        }
    }
}

#[test]
fn every_input_has_a_label() {
    for page in pages() {
        let tags = tags(&page.html);
        let labelled: BTreeSet<_> = tags.iter().filter_map(|tag| tag.get("for")).collect();
        for tag in tags
            .iter()
            .filter(|tag| matches!(&*tag.name, "input" | "select" | "textarea"))
        {
            let known = matches!(tag.get("type"), Some("hidden" | "radio"))
                || tag.get("aria-label").is_some()
                || tag.get("id").is_some_and(|id| labelled.contains(id));
            assert!(known, "{}: {tag:?}", page.name);
        }
    }
}

#[test]
fn the_secret_is_shown_and_put_into_three_samples_and_nowhere_else() {
    for page in pages() {
        let count = page.html.matches(samples::SECRET).count();
        if !page.name.starts_with("key-created") {
            assert_eq!(count, 0, "{}", page.name);
            continue;
        }
        assert_eq!(count, 4, "{}", page.name);
        let in_text = text(&page.html).matches(samples::SECRET).count();
        assert_eq!(in_text, 3, "{}", page.name);
        for tag in tags(&page.html) {
            for (name, value) in &tag.attributes {
                let allowed = tag.get("id") == Some("secret-value") && name == "value";
                assert!(
                    allowed || !value.contains(samples::SECRET),
                    "{}: {tag:?}",
                    page.name
                );
            }
        }
        let title = page.html.split("</title>").next().unwrap();
        assert!(!title.contains("hsp_"), "{}", page.name);
    }
}

#[test]
fn pages_do_not_shout() {
    for page in pages().iter().filter(|page| !page.name.starts_with("docs")) {
        let text = text(&page.html);
        assert!(
            !text.contains('!') && !text.contains("Oops"),
            "{}",
            page.name
        );
    }
}

#[test]
fn published_button_labels_are_exact() {
    let page = |name| {
        pages()
            .into_iter()
            .find(|page| page.name == name)
            .unwrap()
            .html
    };
    assert!(
        page("api-keys").contains(">Generate API Key</button>")
            || page("api-keys").contains("</svg>Generate API Key</button>")
    );
    assert!(page("key-delete").contains(">Delete API Key</button>"));
    assert!(page("api-keys").contains(">Delete API Key<span class=\"sr\">"));
}
