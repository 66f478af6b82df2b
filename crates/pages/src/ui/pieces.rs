use askama::Template;

use super::Icon;

/// A number that matters, its name, and what to know about it.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<div class="stat"><dt>{{ name }}</dt><dd class="stat-value">{{ value }}</dd>{% if !detail.is_empty() %}<dd class="stat-detail">{{ detail }}</dd>{% endif %}</div>"#
)]
pub struct Stat {
    name: &'static str,
    value: String,
    detail: String,
}

impl Stat {
    /// Stands in a `<dl class="stats">`.
    pub fn new(name: &'static str, value: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name,
            value: value.into(),
            detail: detail.into(),
        }
    }
}

/// A list without entries: what it is, why it is empty, one action.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<div class="empty">{{ Icon::of(icon_name) }}<p class="empty-title">{{ title }}</p><p>{{ text }}</p>{% if let Some((label, href)) = action %}<p><a href="{{ href }}">{{ label }}</a></p>{% endif %}</div>"#
)]
pub struct Empty {
    icon_name: &'static str,
    title: &'static str,
    text: String,
    action: Option<(&'static str, String)>,
}

impl Empty {
    /// An empty place without an action.
    pub fn new(icon_name: &'static str, title: &'static str, text: impl Into<String>) -> Self {
        Self {
            icon_name,
            title,
            text: text.into(),
            action: None,
        }
    }

    /// The one thing to do.
    #[must_use]
    pub fn action(mut self, label: &'static str, href: impl Into<String>) -> Self {
        self.action = Some((label, href.into()));
        self
    }
}

/// To the newest page and to the next older one.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"{% if newer.is_some() || older.is_some() %}<nav class="pager" aria-label="{{ label }}">{% if let Some(url) = newer %}<a class="button button-secondary" rel="prev" href="{{ url }}">{{ Icon::of("left") }}Newest</a>{% endif %}{% if let Some(url) = older %}<a class="button button-secondary" rel="next" href="{{ url }}">Older{{ Icon::of("right") }}</a>{% endif %}</nav>{% endif %}"#
)]
pub struct Pagination {
    label: &'static str,
    newer: Option<String>,
    older: Option<String>,
}

impl Pagination {
    /// Nothing is shown when there is only one page.
    pub fn new(label: &'static str, newer: Option<String>, older: Option<String>) -> Self {
        Self {
            label,
            newer,
            older,
        }
    }
}

/// Where a detail page belongs.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<nav class="crumbs" aria-label="Breadcrumb"><ol>{% for (label, href) in links %}<li><a href="{{ href }}">{{ label }}</a>{{ Icon::of("right") }}</li>{% endfor %}<li aria-current="page">{{ here }}</li></ol></nav>"#
)]
pub struct Crumbs {
    links: Vec<(String, String)>,
    here: String,
}

impl Crumbs {
    /// From the outermost page inwards; `here` is the page itself.
    pub fn new<const N: usize>(links: &[(&str, &str); N], here: impl Into<String>) -> Self {
        let own = |(label, href): (&str, &str)| (label.to_owned(), href.to_owned());
        Self {
            links: links.map(own).into(),
            here: here.into(),
        }
    }
}

/// The direction a column is sorted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Not by this column.
    None,
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// The head cell of a column that can be sorted.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<th scope="col" aria-sort="{{ self.word() }}"><a class="sort" href="{{ href }}">{{ label }}{{ Icon::of(self.arrow()) }}</a></th>"#
)]
pub struct TableHead {
    label: &'static str,
    href: String,
    sort: Sort,
}

impl TableHead {
    /// `href` asks for the list in the other direction.
    pub fn new(label: &'static str, href: impl Into<String>, sort: Sort) -> Self {
        Self {
            label,
            href: href.into(),
            sort,
        }
    }

    fn word(&self) -> &'static str {
        match self.sort {
            Sort::None => "none",
            Sort::Ascending => "ascending",
            Sort::Descending => "descending",
        }
    }

    fn arrow(&self) -> &'static str {
        match self.sort {
            Sort::None => "sort",
            Sort::Ascending => "up",
            Sort::Descending => "down",
        }
    }
}
