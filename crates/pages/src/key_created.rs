//! The one page that ever shows a key.

use crate::{
    ScopeGrant, Shell, Template, When,
    docs::sample,
    ui::{Code, CodeTabs, Icon},
};

/// The answer to *Generate API Key*: the key, once.
///
/// The secret is in the visible text of this page and nowhere else; serve it with
/// `Cache-Control: no-store`.
#[derive(Clone, Template)]
#[template(path = "key_created.html")]
pub struct KeyCreated {
    /// The frame; its title must not hold the secret.
    pub shell: Shell,
    /// The key itself.
    pub secret: String,
    /// Name of the key.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<ScopeGrant>,
    /// When it stops working.
    pub expires: Option<When>,
    /// This server's public URL, without a slash at the end.
    pub base_url: String,
}

impl std::fmt::Debug for KeyCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyCreated")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl KeyCreated {
    /// A GET that this key is allowed to make, so that the sample works as pasted.
    fn sample_path(&self) -> &'static str {
        match self.scopes.first().map(|grant| grant.scope.as_str()) {
            Some("invites") => "/organization/invites",
            Some("teams") => "/organization/teams",
            Some("models") => "/organization/models",
            Some("photos") => "/organization/photos/favorites",
            _ => "/organization",
        }
    }

    fn samples(&self) -> CodeTabs {
        let path = self.sample_path();
        CodeTabs::new(
            "key",
            "Call the API with this key",
            vec![
                Code::new(
                    "sample-curl",
                    "curl",
                    sample::curl(&self.base_url, path, &self.secret),
                ),
                Code::new(
                    "sample-node",
                    "Node",
                    sample::node(&self.base_url, path, &self.secret),
                ),
                Code::new(
                    "sample-python",
                    "Python",
                    sample::python(&self.base_url, path, &self.secret),
                ),
            ],
        )
    }
}
