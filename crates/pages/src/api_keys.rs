//! Admin > API: the list of keys, the restricted form, deletion.

use crate::{
    Shell, Template, When,
    common::{counted, grouped},
    ui::{Badge, Button, Empty, Field, Icon},
};

/// What a key may do in one scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    #[default]
    None,
    /// Read only.
    Read,
    /// Read and write.
    Write,
}

/// One scope that a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeGrant {
    /// `organization`, `invites`, `teams`, `models` or `photos`.
    pub scope: String,
    /// Whether it includes writing.
    pub write: bool,
}

impl ScopeGrant {
    /// All five scopes with write access, as a one-click key holds them.
    pub fn all() -> Vec<Self> {
        SCOPES
            .iter()
            .map(|(scope, ..)| Self {
                scope: (*scope).to_owned(),
                write: true,
            })
            .collect()
    }

    pub(crate) fn badge(&self) -> Badge {
        Badge::scope(&self.scope, self.write)
    }
}

/// When, from where and by which route something was last called.
#[derive(Debug, Clone)]
pub struct LastUse {
    /// The moment; `human` reads well after *last used*: *2 minutes ago*.
    pub when: When,
    /// Address of the caller.
    pub address: String,
    /// Method and route, `GET /api/v2/organization`.
    pub route: String,
}

/// A live or expired key of the list.
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// Identifier used in paths.
    pub id: String,
    /// Name given by its creator.
    pub name: String,
    /// First 8 and last 4 characters, `hsp_AbCd…WxYz`.
    pub hint: String,
    /// What it may do.
    pub scopes: Vec<ScopeGrant>,
    /// When it was generated.
    pub created: When,
    /// Who generated it.
    pub created_by: String,
    /// Its last accepted call.
    pub last_used: Option<LastUse>,
    /// When it stops working; `None` never.
    pub expires: Option<When>,
    /// Whether that moment has passed.
    pub expired: bool,
    /// Networks it may be used from; empty means any.
    pub networks: Vec<String>,
    /// Whether a browser has used it.
    pub browser: bool,
}

impl KeyRow {
    /// Whether the key holds all five scopes with writing.
    fn is_full(&self) -> bool {
        self.scopes.len() == SCOPES.len() && self.scopes.iter().all(|grant| grant.write)
    }
}

/// A key that was deleted lately, and what was tried with it since.
#[derive(Debug, Clone)]
pub struct DeletedKeyRow {
    /// Identifier, for the link to its log rows.
    pub id: String,
    /// Name it had.
    pub name: String,
    /// First 8 and last 4 characters.
    pub hint: String,
    /// When it was deleted.
    pub deleted: When,
    /// Who deleted it.
    pub deleted_by: String,
    /// Refused calls since.
    pub attempts: i64,
    /// From how many addresses.
    pub addresses: i64,
    /// The latest of them.
    pub last_attempt: Option<When>,
}

/// The proof that a deletion is effective on every process.
#[derive(Debug, Clone)]
pub struct KeyDeletedReceipt {
    /// Name the key had.
    pub key_name: String,
    /// First 8 and last 4 characters.
    pub hint: String,
    /// Since when no process accepts it; `human` has milliseconds, `14:03:12.418`.
    pub effective: When,
    /// Nodes that acknowledged.
    pub nodes_acknowledged: i64,
    /// Nodes whose lease ran out instead.
    pub leases_lapsed: i64,
    /// Its last accepted call.
    pub last_use: Option<LastUse>,
}

impl KeyDeletedReceipt {
    /// How the processes came to refuse the key, in words.
    fn processes(&self) -> String {
        let confirmed = || format!("{} confirmed", grouped(self.nodes_acknowledged));
        let lapsed = || counted(self.leases_lapsed, "lease ran out", "leases ran out");
        match (self.nodes_acknowledged, self.leases_lapsed) {
            (0, 0) => "None was answering from memory".to_owned(),
            (_, 0) => confirmed(),
            (0, _) => lapsed(),
            (_, _) => format!("{}, {}", confirmed(), lapsed()),
        }
    }
}

/// Names and explanations of the five scopes, in the order of the documentation.
pub(crate) const SCOPES: [(&str, &str, &str); 5] = [
    ("organization", "Organization", "Details and credits"),
    ("invites", "Invites", "List, send and revoke invites"),
    ("teams", "Teams", "Teams and their members"),
    ("models", "Models", "Headshot sessions"),
    ("photos", "Photos", "Finished headshots and favorites"),
];

/// The choice in each row of the scope matrix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScopeChoices {
    /// `scope.organization`
    pub organization: Access,
    /// `scope.invites`
    pub invites: Access,
    /// `scope.teams`
    pub teams: Access,
    /// `scope.models`
    pub models: Access,
    /// `scope.photos`
    pub photos: Access,
}

/// One row of the scope matrix, ready to show.
struct ScopeLine {
    name: &'static str,
    label: &'static str,
    text: &'static str,
    access: Access,
}

impl ScopeChoices {
    fn lines(self) -> [ScopeLine; 5] {
        let chosen = [
            self.organization,
            self.invites,
            self.teams,
            self.models,
            self.photos,
        ];
        let mut next = chosen.into_iter();
        SCOPES.map(|(name, label, text)| ScopeLine {
            name,
            label,
            text,
            access: next.next().unwrap_or_default(),
        })
    }
}

/// The *Restricted key* form as typed, with what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct RestrictedForm {
    /// Whether the form is unfolded; true after a refused submission.
    pub open: bool,
    /// `name` as typed.
    pub name: String,
    /// The scope matrix as chosen.
    pub scopes: ScopeChoices,
    /// `expires_in`: `never`, `30`, `90`, `365` or `date`.
    pub expires_in: String,
    /// `expires_on` as typed, `YYYY-MM-DD`; counts when `expires_in` is `date`.
    pub expires_on: String,
    /// `networks` as typed, one CIDR a line.
    pub networks: String,
    /// What is wrong with the name.
    pub name_error: Option<String>,
    /// What is wrong with the scopes.
    pub scopes_error: Option<String>,
    /// What is wrong with the expiry.
    pub expires_error: Option<String>,
    /// What is wrong with the networks.
    pub networks_error: Option<String>,
}

impl RestrictedForm {
    /// The first field with an error, in the order of the page: it gets the focus.
    fn first_wrong(&self) -> Option<&'static str> {
        let fields = [
            ("name", &self.name_error),
            ("scopes", &self.scopes_error),
            ("expires", &self.expires_error),
            ("networks", &self.networks_error),
        ];
        let wrong = fields.into_iter().find(|(_, error)| error.is_some());
        wrong.map(|(name, _)| name)
    }

    fn expiry_choices(&self) -> [(&'static str, &'static str, bool); 5] {
        let chosen = if self.expires_in.is_empty() {
            "never"
        } else {
            self.expires_in.as_str()
        };
        [
            ("never", "Never"),
            ("30", "In 30 days"),
            ("90", "In 90 days"),
            ("365", "In 365 days"),
            ("date", "On a date"),
        ]
        .map(|(value, label)| (value, label, value == chosen))
    }
}

/// `/app/admin/api`.
///
/// The one-click form posts `csrf`, `nonce`, `kind=full`; the restricted form `csrf`, `nonce`,
/// `kind=restricted` and the fields of [`RestrictedForm`], both to `/app/admin/api/keys`.
#[derive(Debug, Clone, Template)]
#[template(path = "api_keys.html")]
pub struct ApiKeys {
    /// The frame.
    pub shell: Shell,
    /// Anti-forgery token.
    pub csrf: String,
    /// Makes a repeated submission harmless.
    pub nonce: String,
    /// Keys that exist.
    pub keys: Vec<KeyRow>,
    /// Keys deleted lately.
    pub recently_deleted: Vec<DeletedKeyRow>,
    /// Where the documentation is.
    pub docs_url: String,
    /// Shown once after a deletion.
    pub receipt: Option<KeyDeletedReceipt>,
    /// The restricted form.
    pub form: RestrictedForm,
}

/// `/app/admin/api/keys/{id}/delete`: what will stop working; posts to the same path.
#[derive(Debug, Clone, Template)]
#[template(path = "key_delete.html")]
pub struct KeyDelete {
    /// The frame.
    pub shell: Shell,
    /// Anti-forgery token.
    pub csrf: String,
    /// The key.
    pub key: KeyRow,
    /// Accepted calls in the last 24 hours.
    pub calls_24h: i64,
    /// Whether the password is asked for, as `password`.
    pub needs_password: bool,
    /// Why the last try was refused.
    pub error: Option<String>,
}
