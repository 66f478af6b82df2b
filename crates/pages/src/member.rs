//! What a member sees until the member pages exist.

use crate::{
    Notice, OrgChoice, Security, Template,
    ui::{Badge, Button, Field, Icon},
};

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
    /// All organizations of the person; the switch appears from two on.
    pub orgs: Vec<OrgChoice>,
}

/// `/team-member/account`, with forms below it.
#[derive(Debug, Clone, Template)]
#[template(path = "member_account.html")]
pub struct MemberAccount {
    /// Anti-forgery token.
    pub csrf: String,
    /// Address of the signed-in person.
    pub user_email: String,
    /// What the last form did.
    pub notice: Option<Notice>,
    /// Sessions and password.
    pub security: Security,
}
