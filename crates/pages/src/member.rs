//! What a member sees until the member pages exist.

use crate::{Template, ui::Icon};

/// `/team-member`: says truthfully that there is nothing to do here yet.
#[derive(Debug, Clone, Template)]
#[template(path = "member_home.html")]
pub struct MemberHome {
    /// Anti-forgery token.
    pub csrf: String,
    /// Name of the signed-in person.
    pub user_name: String,
    /// Address of the signed-in person.
    pub user_email: String,
    /// Organization.
    pub org_name: String,
}
