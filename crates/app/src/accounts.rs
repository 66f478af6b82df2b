//! People: signing in and out, sessions, set-up links, passwords.

mod links;
mod people;
mod sessions;
mod set_password;
mod sign_in;
mod throttle;
mod tokens;

pub use headshot_storage::organizations::Organization;
pub use headshot_storage::sessions::Session;
pub use headshot_storage::sign_in::LinkPurpose;
pub use headshot_storage::users::User;

pub use links::{
    MAILED_LINK_LIFE, OpenLink, SETUP_LINK_LIFE, SIGN_IN_LINK_LIFE, make_link, open_link,
};
pub(crate) use links::{mailed_link, setup_link};
pub(crate) use people::{account, end_anonymous, insert_user};
pub use sessions::{
    ABSOLUTE_TIMEOUT, IDLE_TIMEOUT, Others, RECENT, SignedIn, list_sessions, organizations_of,
    session, sign_out, sign_out_others, switch_org,
};
pub use set_password::{SetPasswordError, set_password, set_password_by_link};
pub use sign_in::{NewSession, SignInError, Visitor, confirm_password, sign_in, sign_in_by_link};
pub(crate) use throttle::take_link;
pub use throttle::{
    ACCOUNT_FAILURES_MAX, ACCOUNT_LINKS_MAX, ADDRESS_FAILURES_MAX, ADDRESS_LINKS_MAX,
    DEVICE_FAILURES_MAX, FAILURE_WINDOW,
};
pub use tokens::{csrf_matches, csrf_token, new_token, token_hash};
