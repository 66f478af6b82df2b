//! The frame around every admin page.

use headshot_app::accounts;
use headshot_pages::{NavItem, Notice, OrgChoice, Shell};

use crate::Web;
use crate::dashboard::PageError;
use crate::dashboard::extract::Person;

/// The frame of a page with this title.
pub(crate) async fn shell(
    web: &Web,
    person: &Person,
    (title, active): (&str, NavItem),
) -> Result<Shell, PageError> {
    let signed_in = &person.signed_in;
    let orgs = accounts::organizations_of(web.app(), &signed_in.user.id).await?;
    let choice = |org: headshot_storage::organizations::Organization| OrgChoice {
        current: org.id == signed_in.org.id,
        uid: org.id.to_string(),
        name: org.name,
    };
    let user = &signed_in.user;
    Ok(Shell {
        title: title.to_owned(),
        active,
        org_name: signed_in.org.name.clone(),
        orgs: orgs.into_iter().map(choice).collect(),
        user_name: user.name.clone().unwrap_or_else(|| user.email.clone()),
        user_email: user.email.clone(),
        role_label: role_label(person).to_owned(),
        csrf: person.csrf.clone(),
        notice: None,
    })
}

fn role_label(person: &Person) -> &'static str {
    match person.signed_in.role {
        headshot_domain::Role::Owner => "Owner",
        headshot_domain::Role::Admin => "Admin",
        headshot_domain::Role::Member => "Member",
    }
}

/// The same frame with a message above the page.
pub(crate) fn with_notice(shell: Shell, notice: Notice) -> Shell {
    Shell {
        notice: Some(notice),
        ..shell
    }
}
