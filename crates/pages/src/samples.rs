//! Every page in its interesting states, with plausible data.
//!
//! Tests render all of them; the `preview` example serves them to a browser. A new page or state
//! belongs here first.

mod access;
mod docs;
mod insight;
mod keys;
mod mail;
mod people;
mod settings;
mod webhooks;

use crate::{Error, NavItem, OrgChoice, Shell, Template, When};

/// One rendered page.
#[derive(Debug)]
pub struct Sample {
    /// Name of page and state, fit for a file name: `api-keys-empty`.
    pub name: &'static str,
    /// The whole document.
    pub html: String,
}

/// The key in the samples of [`KeyCreated`](crate::KeyCreated): well-formed, with a checksum that
/// no server accepts.
pub const SECRET: &str = "hsp_7Qm2XbT9eLwK4sVnR8cYdH3fZaJ6uGpN5tMxBqCvEoW0000000";

/// The secret in the samples of [`WebhookSecret`](crate::WebhookSecret).
pub const WEBHOOK_SECRET: &str = "9f2c41d7a85be06334f1c9d2b7e8a0516c3d94f02b7ae15d8c60f3b92ea4d718";

/// A name that attacks the page, for tests of escaping and of text direction.
pub const HOSTILE_NAME: &str = "<script>alert(1)</script>\" onload='x' & \u{202e}דוד כהן";

/// Renders everything.
pub fn all() -> Result<Vec<Sample>, Error> {
    let parts = [
        access::all()?,
        insight::all()?,
        keys::all()?,
        webhooks::all()?,
        people::all()?,
        mail::all()?,
        settings::all()?,
        docs::all()?,
    ];
    Ok(parts.into_iter().flatten().collect())
}

fn sample(name: &'static str, page: &impl Template) -> Result<Sample, Error> {
    Ok(Sample {
        name,
        html: page.render()?,
    })
}

fn shell(title: &str, active: NavItem) -> Shell {
    Shell {
        title: title.to_owned(),
        active,
        org_name: "Acme Corporation".to_owned(),
        orgs: vec![
            org("org_acme4f9b2c71", "Acme Corporation", true),
            org("org_globex8810aa", "Globex", false),
        ],
        user_name: "Maria Duarte".to_owned(),
        user_email: "maria@acme.example".to_owned(),
        role_label: "Owner".to_owned(),
        csrf: "csrf-token".to_owned(),
        notice: None,
    }
}

fn org(uid: &str, name: &str, current: bool) -> OrgChoice {
    OrgChoice {
        uid: uid.to_owned(),
        name: name.to_owned(),
        current,
    }
}

fn when(iso: &str, human: &str) -> When {
    When::new(iso, human)
}
