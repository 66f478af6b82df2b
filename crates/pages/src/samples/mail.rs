use super::{HOSTILE_NAME, Sample, sample, shell, when};
use crate::{Choice, Error, InviteRow, Invites, MailFate, MailRow, NavItem, Outbox, OutboxMail};

pub(super) fn all() -> Result<Vec<Sample>, Error> {
    let refused = || Some("550 5.1.1 no such user here".to_owned());
    let fates = [
        (MailFate::Sent, None),
        (MailFate::Queued, None),
        (MailFate::Refused, refused()),
        (MailFate::Failed, refused()),
        (MailFate::Kept, None),
    ];
    let mails = fates.iter().map(|(fate, error)| mail(*fate, error.clone()));
    Ok(vec![
        sample(
            "invites",
            &Invites {
                invites: vec![
                    invite("Open", Some(MailFate::Refused), refused()),
                    invite("Joined", Some(MailFate::Sent), None),
                    invite("Expired", None, None),
                ],
                total: 3,
                ..invites()
            },
        )?,
        sample("invites-empty", &invites())?,
        sample(
            "invites-refused",
            &Invites {
                email: HOSTILE_NAME.to_owned(),
                error: Some("This is no email address.".to_owned()),
                ..invites()
            },
        )?,
        sample(
            "outbox",
            &Outbox {
                shell: shell("Outbox", NavItem::Outbox),
                is_sent: true,
                mails: mails.collect(),
            },
        )?,
        sample(
            "outbox-empty",
            &Outbox {
                shell: shell("Outbox", NavItem::Outbox),
                is_sent: false,
                mails: Vec::new(),
            },
        )?,
        sample(
            "outbox-mail",
            &OutboxMail {
                shell: shell("Mail", NavItem::Outbox),
                mail: mail(MailFate::Refused, refused()),
                text: format!("{HOSTILE_NAME} invites you to make headshots."),
                link: Some("http://127.0.0.1:8080/auth/signup?invite=k3j5h7g9".to_owned()),
            },
        )?,
    ])
}

fn mail(fate: MailFate, error: Option<String>) -> MailRow {
    MailRow {
        id: "mail_abc123def456ghij".to_owned(),
        subject: format!("Your headshots for {HOSTILE_NAME}"),
        recipient: "tomas@acme.example".to_owned(),
        when: when("2026-05-03T14:03:12Z", "14:03:12"),
        fate,
        error,
    }
}

fn invite(state: &'static str, fate: Option<MailFate>, error: Option<String>) -> InviteRow {
    InviteRow {
        id: "k3j5h7g9f1d2s4a6q8w0e2r4".to_owned(),
        email: "tomas@acme.example".to_owned(),
        team: HOSTILE_NAME.to_owned(),
        state,
        open: state == "Open",
        when: when("2026-05-03T14:03:12Z", "2 hours ago"),
        link: "http://127.0.0.1:8080/auth/signup?invite=k3j5h7g9f1d2s4a6q8w0e2r4".to_owned(),
        fate,
        error,
    }
}

fn invites() -> Invites {
    Invites {
        shell: shell("Invites", NavItem::Invites),
        invites: Vec::new(),
        total: 0,
        newer_url: None,
        older_url: Some("/app/admin/invites?offset=100".to_owned()),
        is_sent: false,
        email: String::new(),
        error: None,
        teams: vec![Choice::new("team_xyz789", "Marketing")],
    }
}
