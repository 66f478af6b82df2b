use super::{HOSTILE_NAME, Sample, sample};
use crate::{
    Agree, Closed, Erase, Error, HeadshotCard, Join, Notice, PersonFrame, Photos, Results, Step,
    UploadRow, Waiting,
};

pub(super) fn all() -> Result<Vec<Sample>, Error> {
    Ok(vec![
        sample("person-join", &join(None))?,
        sample(
            "person-join-refused",
            &join(Some("Please give your name, with at most 100 characters.")),
        )?,
        sample(
            "person-closed",
            &Closed {
                title: "This invite is closed",
                text: "This invite can't be used any more. Ask for a new one.".to_owned(),
            },
        )?,
        sample("person-agree", &agree())?,
        sample(
            "person-photos-empty",
            &Photos {
                uploads: Vec::new(),
                problems: Vec::new(),
                ..photos()
            },
        )?,
        sample("person-photos", &photos())?,
        sample("person-waiting", &waiting("waiting", 2, 0))?,
        sample("person-generating", &waiting("generatingHeadshots", 0, 3))?,
        sample("person-failed", &waiting("failed", 0, 0))?,
        sample(
            "person-results",
            &Results {
                frame: frame(Step::Results),
                photos: (0..12).map(card).collect(),
            },
        )?,
        sample(
            "person-erase",
            &Erase {
                frame: frame(Step::Results),
                uploads: 1,
                photos: 40,
            },
        )?,
    ])
}

fn frame(step: Step) -> PersonFrame {
    PersonFrame {
        csrf: "csrf-token".to_owned(),
        model: "507f1f77bcf86cd799439011".to_owned(),
        org_name: "Acme Corporation".to_owned(),
        step,
        development: false,
        account: true,
        notice: None,
    }
}

fn join(error: Option<&str>) -> Join {
    Join {
        csrf: "csrf-token".to_owned(),
        invite: "k3j5h7g9f1d2s4a6q8w0e2r4".to_owned(),
        org_name: "Acme Corporation".to_owned(),
        email: "tomas@acme.example".to_owned(),
        name: String::new(),
        error: error.map(str::to_owned),
    }
}

fn agree() -> Agree {
    Agree {
        frame: PersonFrame {
            development: true,
            notice: Some(Notice::info("The text has changed. Please read it again.")),
            ..frame(Step::Agree)
        },
        name: HOSTILE_NAME.to_owned(),
        gender: "female".to_owned(),
        paragraphs: &[
            "You upload photos of yourself. This server makes headshots from them.",
            "You can delete everything yourself at any time.",
        ],
        version: "2026-11-28",
        error: None,
    }
}

fn photos() -> Photos {
    let upload = |id: &str, usable, findings: &[(bool, &str)]| UploadRow {
        id: id.to_owned(),
        usable,
        findings: findings
            .iter()
            .map(|(refuses, sentence)| (*refuses, (*sentence).to_owned()))
            .collect(),
    };
    Photos {
        frame: frame(Step::Photos),
        uploads: vec![
            upload("507f1f77bcf86cd799439021", true, &[]),
            upload(
                "507f1f77bcf86cd799439022",
                true,
                &[(false, "The head is bent forward or back in this photo.")],
            ),
            upload(
                "507f1f77bcf86cd799439023",
                false,
                &[(true, "No face found in this photo.")],
            ),
        ],
        uploads_max: 20,
        megabytes_max: 64,
        problems: vec![(
            HOSTILE_NAME.to_owned(),
            "This file is not a JPEG, PNG, WebP or HEIC photo.".to_owned(),
        )],
        photos: 40,
    }
}

fn waiting(status: &'static str, ahead: i64, made: i64) -> Waiting {
    Waiting {
        frame: frame(Step::Wait),
        status,
        ahead,
        made,
        total: 40,
        percent: None,
        photos: (0..made).map(card).collect(),
    }
}

fn card(n: i64) -> HeadshotCard {
    let path = |rest: &str| format!("/photos/507f1f77bcf86cd7994390{n:02}{rest}");
    HeadshotCard {
        id: format!("507f1f77bcf86cd7994390{n:02}"),
        thumbnail: path("_thumb.jpg?expires=1&signature=a"),
        main: path(".jpg?expires=1&signature=a"),
        download: path(".jpg?expires=1&download=1&signature=a"),
        download_original: path("_original.jpg?expires=1&download=1&signature=a"),
        backdrop: "navy backdrop".to_owned(),
        size: (256, 320),
        favorite: n == 1,
        loved: n < 2,
    }
}
