//! Every page of the product: typed structs in, HTML strings out.
//!
//! Nothing here opens a socket, reads a clock or knows where its data came from; a page shows
//! exactly what its struct holds. Text is escaped by the template engine, and every page works
//! under a Content-Security-Policy without inline script or style ([`CSP`]).
//!
//! ```
//! use headshot_pages::{ErrorPage, Template};
//!
//! let html = ErrorPage::not_found("req_1").render()?;
//! assert!(html.contains("This page does not exist"));
//! # Ok::<(), headshot_pages::Error>(())
//! ```
//!
//! [`samples::all`] renders every page in its interesting states; the tests and the `preview`
//! example are made from it.

mod access;
mod api_keys;
mod assets;
mod audit;
mod common;
mod docs;
mod error_page;
mod gallery;
mod key_created;
mod letter;
mod logs;
mod mail;
mod member;
mod overview;
mod people;
pub mod samples;
mod settings;
#[cfg(test)]
mod tests;
pub mod ui;
mod webhooks;

pub use access::{ConfirmPassword, LinkInvalid, Login, MagicConfirm, Setup, SetupPurpose};
pub use api_keys::{
    Access, ApiKeys, DeletedKeyRow, KeyDelete, KeyDeletedReceipt, KeyRow, LastUse, RestrictedForm,
    ScopeChoices, ScopeGrant,
};
pub use askama::{Error, Template};
pub use assets::{ASSET_PREFIX, Asset, asset, asset_url};
pub use audit::{Audit, AuditRow, ChainState, ChainStatus};
pub use common::{Choice, NavItem, Notice, OrgChoice, Shell, When, grouped};
pub use docs::{
    Bodies, DocsAuthentication, DocsErrors, DocsOverview, DocsRateLimits, DocsWebhooks,
    OperationDoc, ParameterDoc, Reference, ResponseDoc, VERIFY_NODE, VERIFY_PYTHON, VERIFY_RUST,
    WEBHOOK_BODY, WEBHOOK_DELIVERY,
};
pub use error_page::ErrorPage;
pub use gallery::Gallery;
pub use key_created::KeyCreated;
pub use letter::{Letter, name_in_sentence};
pub use logs::{GapRow, KeyState, LogDetail, LogEntry, LogFilters, LogRow, Logs};
pub use mail::{InviteRow, Invites, MailFate, MailRow, Outbox, OutboxMail};
pub use member::{MemberAccount, MemberHome};
pub use overview::{ChecklistItem, Hour, OrganizationFacts, Overview, Requests};
pub use people::{
    Agree, Closed, Erase, HeadshotCard, Join, PersonFrame, Photos, Results, Step, UploadRow,
    Waiting, waiting_sentence,
};
pub use settings::{
    BrandImage, BrandLogo, LookOption, OrganizationSettings, Security, SessionRow, Settings,
    ShorterTime, StudioSettings, UploadLimits,
};
pub use webhooks::{
    DeliveryRow, EventRow, EventState, JobRow, Jobs, WebhookDetail, WebhookEndpoint, WebhookSecret,
    WebhookSettings, Webhooks,
};

/// The Content-Security-Policy under which every page works.
///
/// `img-src` also covers the icon sprite, which pages reference with `<use>`.
pub const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
