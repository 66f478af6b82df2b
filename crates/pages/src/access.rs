//! Pages on the way in: sign in, first password, one-time links, recent sign-in.

use crate::{
    Shell, Template,
    ui::{Button, Field, Icon},
};

/// `/auth/login`; posts `email`, `password`, `next` to `/auth/login`.
#[derive(Debug, Clone, Template)]
#[template(path = "login.html")]
pub struct Login {
    /// Anti-forgery token.
    pub csrf: String,
    /// Address as typed.
    pub email: String,
    /// Why the last try was refused.
    pub error: Option<String>,
    /// Something to know, *You are signed out*.
    pub notice: Option<String>,
    /// Local path to go to afterwards.
    pub next: String,
    /// Whether a sign-in link can be mailed.
    pub by_mail: bool,
}

/// Why a person sets a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupPurpose {
    /// A new owner's or admin's first password.
    FirstPassword,
    /// A forgotten password is replaced.
    Reset,
}

/// `/auth/setup?token=`; posts `token`, `name` (first password only), `password` to `/auth/setup`.
///
/// Holds the token: prints without it.
#[derive(Clone, Template)]
#[template(path = "setup.html")]
pub struct Setup {
    /// Anti-forgery token.
    pub csrf: String,
    /// The one-time token of the link.
    pub token: String,
    /// Address that the password is for.
    pub email: String,
    /// Name as typed, or as known.
    pub name: String,
    /// Organization that the person gets access to.
    pub org_name: String,
    /// Why the password was refused.
    pub error: Option<String>,
    /// First password or reset.
    pub purpose: SetupPurpose,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("email", &self.email)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

impl Setup {
    fn is_first(&self) -> bool {
        self.purpose == SetupPurpose::FirstPassword
    }

    fn title(&self) -> &'static str {
        if self.is_first() {
            "Set your password"
        } else {
            "Set a new password"
        }
    }
}

/// A one-time link that was used, has expired or was never one.
#[derive(Debug, Clone, Template)]
#[template(path = "link_invalid.html")]
pub struct LinkInvalid;

/// A sign-in link, opened: one button spends it, so that mail scanners do not.
///
/// Posts `token` to `/auth/magic`. Prints without it.
#[derive(Clone, Template)]
#[template(path = "magic_confirm.html")]
pub struct MagicConfirm {
    /// Anti-forgery token.
    pub csrf: String,
    /// The one-time token of the link.
    pub token: String,
    /// Address that is signed in.
    pub email: String,
}

impl std::fmt::Debug for MagicConfirm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MagicConfirm")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// Asks for the password again before something serious and repeats the original form.
#[derive(Debug, Clone, Template)]
#[template(path = "confirm_password.html")]
pub struct ConfirmPassword {
    /// The frame.
    pub shell: Shell,
    /// Anti-forgery token.
    pub csrf: String,
    /// Where the original form goes; `password` is added to it.
    pub action: String,
    /// The original form's fields except `csrf`, sent again unchanged.
    pub fields: Vec<(String, String)>,
    /// Why the last password was refused.
    pub error: Option<String>,
    /// What will happen, as a verb phrase: *generate an API key*.
    pub what: String,
}
