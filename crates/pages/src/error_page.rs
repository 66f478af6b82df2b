//! Pages for what went wrong: what happened, why, what to do.

use crate::Template;

/// Any page that is not the one the person asked for.
#[derive(Debug, Clone, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// HTTP status.
    pub status: u16,
    /// Short title.
    pub title: String,
    /// What happened.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do.
    pub what_to_do: String,
    /// Identifier to quote.
    pub request_id: String,
}

impl ErrorPage {
    fn make(status: u16, text: [&str; 4], request_id: &str) -> Self {
        let [title, what, why, what_to_do] = text.map(str::to_owned);
        Self {
            status,
            title,
            what,
            why,
            what_to_do,
            request_id: request_id.to_owned(),
        }
    }

    /// 404.
    pub fn not_found(request_id: &str) -> Self {
        Self::make(
            404,
            [
                "This page does not exist",
                "There is nothing at this address.",
                "The link may be old, mistyped, or belong to another organization.",
                "Check the address, or start again from the overview.",
            ],
            request_id,
        )
    }

    /// 403: the person's role does not allow it.
    pub fn forbidden(request_id: &str) -> Self {
        Self::make(
            403,
            [
                "You cannot open this page",
                "You are signed in, but your role does not include this page.",
                "It is for the owner and the admins of the organization.",
                "Ask an admin of your organization for access.",
            ],
            request_id,
        )
    }

    /// 403: the form was too old or came from another site.
    pub fn stale_form(request_id: &str) -> Self {
        Self::make(
            403,
            [
                "This form is out of date",
                "Nothing was changed.",
                "You signed in or out since the form was opened, or another site sent it.",
                "Go back, reload the page and send the form again.",
            ],
            request_id,
        )
    }

    /// 429; `wait` reads after *Try again in*, for example *12 minutes*.
    pub fn too_many(wait: &str, request_id: &str) -> Self {
        let todo = format!("Try again in {wait}.");
        Self::make(
            429,
            [
                "Too many attempts",
                "This request was refused and nothing was changed.",
                "There were too many attempts for this account or from this address.",
                &todo,
            ],
            request_id,
        )
    }

    /// 500.
    pub fn internal(request_id: &str) -> Self {
        Self::make(
            500,
            [
                "Something failed on the server",
                "Your request could not be finished.",
                "The reason is in the server's log under the request id below.",
                "Try again. If it fails again, give the request id to the operator.",
            ],
            request_id,
        )
    }

    /// 503: the database does not answer.
    pub fn offline(request_id: &str) -> Self {
        Self::make(
            503,
            [
                "The database does not answer",
                "This page cannot be shown, and nothing was changed.",
                "The server runs, but cannot reach its database.",
                "Try again in a minute. API keys recover by themselves, without a restart.",
            ],
            request_id,
        )
    }

    fn can_retry(&self) -> bool {
        self.status >= 500
    }
}
