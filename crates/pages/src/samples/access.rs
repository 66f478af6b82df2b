use super::{HOSTILE_NAME, Sample, org, sample, shell};
use crate::{
    ConfirmPassword, Error, ErrorPage, Gallery, LinkInvalid, Login, MagicConfirm, MemberHome,
    NavItem, Setup, SetupPurpose,
};

pub(super) fn all() -> Result<Vec<Sample>, Error> {
    Ok(vec![
        sample("login", &login())?,
        sample(
            "login-refused",
            &Login {
                email: "maria@acme.example".to_owned(),
                error: Some("Email or password is wrong.".to_owned()),
                ..login()
            },
        )?,
        sample(
            "login-signed-out",
            &Login {
                notice: Some("You are signed out.".to_owned()),
                ..login()
            },
        )?,
        sample(
            "login-by-mail",
            &Login {
                by_mail: true,
                ..login()
            },
        )?,
        sample("setup", &setup(SetupPurpose::FirstPassword))?,
        sample(
            "setup-refused",
            &Setup {
                error: Some("The password is on a list of leaked passwords.".to_owned()),
                name: HOSTILE_NAME.to_owned(),
                ..setup(SetupPurpose::FirstPassword)
            },
        )?,
        sample("setup-reset", &setup(SetupPurpose::Reset))?,
        sample("link-invalid", &LinkInvalid)?,
        sample(
            "magic-confirm",
            &MagicConfirm {
                csrf: "csrf-token".to_owned(),
                token: "one-time-token".to_owned(),
                email: "maria@acme.example".to_owned(),
            },
        )?,
        sample("confirm-password", &confirm(None))?,
        sample(
            "confirm-password-refused",
            &confirm(Some("The password is wrong.".to_owned())),
        )?,
        sample("member-home", &member_home())?,
        sample(
            "member-home-several",
            &MemberHome {
                orgs: vec![
                    org("org_acme4f9b2c71", "Acme Corporation", true),
                    org("org_globex8810aa", HOSTILE_NAME, false),
                ],
                ..member_home()
            },
        )?,
        sample("error-404", &ErrorPage::not_found("req_01JD9X3K7Q"))?,
        sample("error-403", &ErrorPage::forbidden("req_01JD9X3K7R"))?,
        sample("error-403-form", &ErrorPage::stale_form("req_01JD9X3K7S"))?,
        sample(
            "error-429",
            &ErrorPage::too_many("12 minutes", "req_01JD9X3K7T"),
        )?,
        sample("error-500", &ErrorPage::internal("req_01JD9X3K7U"))?,
        sample("error-503", &ErrorPage::offline("req_01JD9X3K7V"))?,
        sample("gallery", &Gallery)?,
    ])
}

fn login() -> Login {
    Login {
        csrf: "csrf-token".to_owned(),
        email: String::new(),
        error: None,
        notice: None,
        next: "/app/admin/overview".to_owned(),
        by_mail: false,
    }
}

fn member_home() -> MemberHome {
    MemberHome {
        csrf: "csrf-token".to_owned(),
        user_name: "Tomás Reyes".to_owned(),
        user_email: "tomas@acme.example".to_owned(),
        org_name: "Acme Corporation".to_owned(),
        orgs: vec![org("org_acme4f9b2c71", "Acme Corporation", true)],
    }
}

fn setup(purpose: SetupPurpose) -> Setup {
    Setup {
        csrf: "csrf-token".to_owned(),
        token: "one-time-token".to_owned(),
        email: "maria@acme.example".to_owned(),
        name: String::new(),
        org_name: "Acme Corporation".to_owned(),
        error: None,
        purpose,
    }
}

fn confirm(error: Option<String>) -> ConfirmPassword {
    ConfirmPassword {
        shell: shell("API", NavItem::Api),
        csrf: "csrf-token".to_owned(),
        action: "/app/admin/api/keys".to_owned(),
        fields: vec![
            ("kind".to_owned(), "restricted".to_owned()),
            ("name".to_owned(), HOSTILE_NAME.to_owned()),
        ],
        error,
        what: "generate an API key".to_owned(),
    }
}
