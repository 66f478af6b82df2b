use askama::Template;

/// A decorative picture from the sprite; the word beside it carries the meaning.
#[derive(Debug, Clone, Copy, Template)]
#[template(
    ext = "html",
    source = r#"<svg class="icon" aria-hidden="true" width="16" height="16"><use href="{{ crate::asset_url("icons.svg") }}#{{ name }}"/></svg>"#
)]
pub struct Icon {
    name: &'static str,
}

impl Icon {
    /// The icon with this id in `assets/img/icons.svg`.
    pub const fn of(name: &'static str) -> Self {
        Self { name }
    }
}
