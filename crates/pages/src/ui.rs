//! Components: small typed structs that render themselves inside a page.
//!
//! Each escapes what it is given, so pages may print it as it is. All of them are on the
//! [`Gallery`](crate::Gallery) page in every state.

mod badge;
mod button;
mod chart;
mod code;
mod field;
mod icon;
mod pieces;

pub use badge::{Badge, Tone};
pub use button::Button;
pub use chart::{Bar, Chart};
pub use code::{Code, CodeTabs};
pub use field::Field;
pub use icon::Icon;
pub use pieces::{Crumbs, Empty, Pagination, Sort, Stat, TableHead};

use askama::filters::HtmlSafe;

impl HtmlSafe for Badge {}
impl HtmlSafe for Button {}
impl HtmlSafe for Chart {}
impl HtmlSafe for Code {}
impl HtmlSafe for CodeTabs {}
impl HtmlSafe for Crumbs {}
impl HtmlSafe for Empty {}
impl HtmlSafe for Field {}
impl HtmlSafe for Icon {}
impl HtmlSafe for Pagination {}
impl HtmlSafe for Stat {}
impl HtmlSafe for TableHead {}
