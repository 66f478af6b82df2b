use super::{HOSTILE_NAME, Sample, sample, shell};
use crate::{
    BrandImage, BrandLogo, Error, LookOption, NavItem, Notice, OrganizationSettings, Shell,
    ShorterTime, StudioSettings, UploadLimits,
};

pub(super) fn all() -> Result<Vec<Sample>, Error> {
    Ok(vec![
        sample("settings-organization", &organization())?,
        sample(
            "settings-organization-refused",
            &OrganizationSettings {
                days: "36501".to_owned(),
                days_error: Some("Use 1 to 36,500 days, or 0 for never.".to_owned()),
                server_days: Some(365),
                upload_days: None,
                low_credit_mail: false,
                is_sent: false,
                ..organization()
            },
        )?,
        sample(
            "settings-organization-question",
            &OrganizationSettings {
                question: Some(ShorterTime {
                    days: 30,
                    before: 90,
                    due: 12,
                }),
                ..organization()
            },
        )?,
        sample(
            "settings-organization-question-none-due",
            &OrganizationSettings {
                question: Some(ShorterTime {
                    days: 1,
                    before: 0,
                    due: 0,
                }),
                ..organization()
            },
        )?,
        sample("settings-studio-new", &usual())?,
        sample("settings-studio", &studio())?,
        sample(
            "settings-studio-refused",
            &StudioSettings {
                shell: Shell {
                    notice: Some(Notice::bad("The looks were not saved.")),
                    ..studio().shell
                },
                colours: format!("#1A2B3C\n{HOSTILE_NAME}"),
                colours_error: Some("Write each colour as #RRGGBB.".to_owned()),
                images: (1..=8).map(image).collect(),
                image_error: Some("There are 8 images already. Remove one first.".to_owned()),
                logo_error: Some("This file is not a PNG.".to_owned()),
                ..studio()
            },
        )?,
    ])
}

fn organization() -> OrganizationSettings {
    OrganizationSettings {
        shell: shell("Settings", NavItem::Settings),
        days: "0".to_owned(),
        days_error: None,
        days_max: 36_500,
        question: None,
        server_days: None,
        upload_days: Some(30),
        low_credit_mail: true,
        low_credits: "3".to_owned(),
        is_sent: true,
    }
}

const BACKDROPS: [&str; 8] = [
    "grey", "navy", "office", "white", "charcoal", "beige", "outdoor", "teal",
];

fn usual() -> StudioSettings {
    let styles = ["studio", "soft", "crisp", "warm", "mono"];
    let crops = ["headshot", "close", "half", "square"];
    let backdrop = |name: &&str| LookOption::backdrop(name, true);
    StudioSettings {
        shell: shell("Settings", NavItem::Settings),
        backdrops: BACKDROPS.iter().map(backdrop).collect(),
        styles: styles.map(|name| LookOption::style(name, true)).to_vec(),
        crops: crops
            .map(|name| LookOption::crop(name, name != "square"))
            .to_vec(),
        colours: String::new(),
        colours_error: None,
        images: Vec::new(),
        image_error: None,
        logo: None,
        logo_error: None,
        limits: UploadLimits {
            images: 8,
            image_megabytes: 20,
            image_least: (1024, 1280),
            logo_megabytes: 1,
        },
    }
}

fn image(number: usize) -> BrandImage {
    BrandImage {
        digest: format!("{number:064x}"),
        name: match number {
            1 => "lobby.jpg".to_owned(),
            2 => HOSTILE_NAME.to_owned(),
            other => format!("wall-{other}.jpg"),
        },
        chosen: number % 2 == 1,
    }
}

fn studio() -> StudioSettings {
    let backdrop = |name: &&str| LookOption::backdrop(name, *name != "outdoor");
    StudioSettings {
        backdrops: BACKDROPS.iter().map(backdrop).collect(),
        colours: "#1A2B3C\n#E4572E".to_owned(),
        images: vec![image(1), image(2)],
        logo: Some(BrandLogo {
            digest: "ab".repeat(32),
            name: "acme-logo.png".to_owned(),
            drawn: true,
        }),
        ..usual()
    }
}
