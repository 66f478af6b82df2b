//! The looks that an organization allows, and how they are stored.

use headshot_domain::OrgId;
use headshot_imaging::{Backdrop, Crop, Style};
use headshot_storage::brand::{self as rows, Asset, Kind};
use headshot_storage::{Error, WriteTx, people};
use serde::{Deserialize, Serialize};

use super::plan::Choice;
use crate::App;
use crate::audit::{self, Actor, Event};
use crate::brand::ASSETS_MAX;

/// The most names in each list.
const NAMES_MAX: usize = 32;

/// What comes before the digest in the name of an own image.
const IMAGE: &str = "image:";

/// Lists of names as they are stored; an empty list is the default one.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Names {
    backdrops: Vec<String>,
    styles: Vec<String>,
    crops: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo: Option<String>,
}

/// The names of looks that somebody chooses; an empty list is the default one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looks {
    /// Names of rendered backdrops, `#RRGGBB`, and `image:<digest>` of the organization's images.
    pub backdrops: Vec<String>,
    /// Names of styles.
    pub styles: Vec<String>,
    /// Names of crops.
    pub crops: Vec<String>,
    /// Whether the organization's logo is drawn; `None` leaves that as it is.
    pub logo: Option<bool>,
}

/// Every name there is on this server, besides colours and an organization's own images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Rendered backdrops.
    pub backdrops: Vec<String>,
    /// Styles.
    pub styles: Vec<String>,
    /// Crops.
    pub crops: Vec<String>,
}

/// Every name there is.
pub fn known() -> Known {
    Known {
        backdrops: Backdrop::RENDERED.iter().map(Backdrop::name).collect(),
        styles: Style::ALL.map(|style| style.name().to_owned()).to_vec(),
        crops: Crop::ALL.map(|crop| crop.name().to_owned()).to_vec(),
    }
}

/// Why looks can't be chosen.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    /// There is no such look.
    #[error("there is no {kind} \"{name}\"; use {known}")]
    Unknown {
        /// Backdrop, style or crop.
        kind: &'static str,
        /// What was given.
        name: String,
        /// What there is.
        known: String,
    },
    /// More names than a list may have.
    #[error("use at most {NAMES_MAX} names")]
    TooMany,
    /// There is no logo to be drawn.
    #[error("there is no logo")]
    NoLogo,
    /// There is no such organization.
    #[error("there is no organization {0}")]
    NoSuchOrganization(OrgId),
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

fn read<T: Clone>(
    (kind, names): (&'static str, &[String]),
    parse: impl Fn(&str) -> Option<T>,
    (all, default): (&[String], Vec<T>),
) -> Result<Vec<T>, ChoiceError> {
    if names.len() > NAMES_MAX {
        return Err(ChoiceError::TooMany);
    }
    if names.is_empty() {
        return Ok(default);
    }
    let one = |name: &String| {
        parse(name).ok_or_else(|| ChoiceError::Unknown {
            kind,
            name: name.clone(),
            known: all.join(", "),
        })
    };
    names.iter().map(one).collect()
}

/// Reads names; of own images only those that `has` says yes to.
fn choice(
    names: &Names,
    (images, has): (&[String], impl Fn(&str) -> bool),
) -> Result<Choice, ChoiceError> {
    let (default, mut known) = (Choice::default(), known());
    known.backdrops.push("#RRGGBB".to_owned());
    known.backdrops.extend_from_slice(images);
    let backdrop = |name: &str| match name.strip_prefix(IMAGE) {
        Some(digest) => has(digest).then(|| Backdrop::Image(digest.to_owned())),
        None => Backdrop::parse(name),
    };
    let style = |name: &str| Style::ALL.into_iter().find(|style| style.name() == name);
    let crop = |name: &str| Crop::ALL.into_iter().find(|crop| crop.name() == name);
    Ok(Choice {
        backdrops: read(
            ("backdrop", &names.backdrops),
            backdrop,
            (&known.backdrops, default.backdrops),
        )?,
        styles: read(
            ("style", &names.styles),
            style,
            (&known.styles, default.styles),
        )?,
        crops: read(("crop", &names.crops), crop, (&known.crops, default.crops))?,
        logo: names.logo.clone(),
    })
}

fn corrupt() -> Error {
    Error::Corrupt {
        table: "organizations",
        column: "studio",
    }
}

fn names(text: &str) -> Result<Names, Error> {
    if text.is_empty() {
        return Ok(Names::default());
    }
    serde_json::from_str(text).map_err(|_unreadable| corrupt())
}

/// Reads what is stored of an organization's choice; the empty text is the default one. The images
/// and the logo that it names were the organization's when it was stored: whoever reads it in
/// another statement than them leaves out what is gone.
pub(super) fn stored(text: &str) -> Result<Choice, Error> {
    let named = choice(&names(text)?, (&[], |_named: &str| true));
    named.map_err(|_unknown| corrupt())
}

impl Choice {
    /// Without the images and the logo that aren't there; no backdrop at all is the default choice.
    pub(crate) fn with_only(mut self, has: impl Fn(&str) -> bool) -> Self {
        self.backdrops.retain(|backdrop| match backdrop {
            Backdrop::Image(digest) => has(digest),
            _ => true,
        });
        if self.backdrops.is_empty() {
            self.backdrops = Self::default().backdrops;
        }
        self.logo = self.logo.filter(|digest| has(digest));
        self
    }

    /// The names that choose this.
    pub fn names(&self) -> Looks {
        let styles = self.styles.iter().map(|style| style.name().to_owned());
        let crops = self.crops.iter().map(|crop| crop.name().to_owned());
        Looks {
            backdrops: self.backdrops.iter().map(Backdrop::name).collect(),
            styles: styles.collect(),
            crops: crops.collect(),
            logo: Some(self.logo.is_some()),
        }
    }
}

/// The looks that an organization's shoots are made in.
pub async fn looks(app: &App, org: &OrgId) -> Result<Choice, ChoiceError> {
    let mut conn = app.db.read().await?;
    let text = people::studio(&mut conn, org).await?;
    let text = text.ok_or_else(|| ChoiceError::NoSuchOrganization(org.clone()))?;
    let assets = rows::list(&mut conn, org, ASSETS_MAX).await?;
    let has = |digest: &str| assets.iter().any(|asset| asset.digest == digest);
    Ok(stored(&text)?.with_only(has))
}

/// Sets the looks that an organization's shoots are made in. Shoots that are being made go on as
/// they began.
pub async fn choose_looks(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    looks: Looks,
) -> Result<Choice, ChoiceError> {
    let mut tx = app.db.write().await?;
    if !rows::hold(&mut tx, org).await? {
        return Err(ChoiceError::NoSuchOrganization(org.clone()));
    }
    let before = people::studio(&mut tx, org).await?.unwrap_or_default();
    let assets = rows::list(&mut tx, org, ASSETS_MAX).await?;
    let of = |kind: Kind| assets.iter().filter(move |asset| asset.kind == kind);
    let digest = |asset: &Asset| asset.digest.clone();
    let names = Names {
        logo: match looks.logo {
            Some(true) => Some(
                of(Kind::Logo)
                    .next()
                    .map(digest)
                    .ok_or(ChoiceError::NoLogo)?,
            ),
            Some(false) => None,
            None => names(&before)?.logo,
        },
        backdrops: looks.backdrops,
        styles: looks.styles,
        crops: looks.crops,
    };
    let images: Vec<String> = of(Kind::Backdrop)
        .map(|asset| format!("{IMAGE}{}", asset.digest))
        .collect();
    let has = |digest: &str| of(Kind::Backdrop).any(|asset| asset.digest == digest);
    let chosen = choice(&names, (&images, has))?;
    let text = serde_json::to_string(&names).unwrap_or_default();
    people::set_studio(&mut tx, org, &text).await?;
    let event = Event {
        org: Some(org),
        action: "organization.looks_changed",
        target: format!("organization:{org}"),
        detail: serde_json::json!({
            "backdrops": names.backdrops, "styles": names.styles, "crops": names.crops,
            "logo": names.logo,
        }),
    };
    audit::record(&mut tx, actor, app.clock.now(), event).await?;
    tx.commit().await?;
    Ok(chosen)
}

/// Takes an asset out of an organization's choice, in the transaction that deletes it.
pub(crate) async fn without_asset(
    tx: &mut WriteTx,
    org: &OrgId,
    digest: &str,
) -> Result<(), Error> {
    let text = people::studio(tx, org).await?.unwrap_or_default();
    let mut names = names(&text)?;
    let image = format!("{IMAGE}{digest}");
    names.backdrops.retain(|name| *name != image);
    names.logo = names.logo.filter(|logo| logo != digest);
    store(tx, org, &names).await
}

/// Draws a logo from the next shoot on, in the transaction that stores it.
pub(crate) async fn with_logo(tx: &mut WriteTx, org: &OrgId, digest: &str) -> Result<(), Error> {
    let text = people::studio(tx, org).await?.unwrap_or_default();
    let names = Names {
        logo: Some(digest.to_owned()),
        ..names(&text)?
    };
    store(tx, org, &names).await
}

async fn store(tx: &mut WriteTx, org: &OrgId, names: &Names) -> Result<(), Error> {
    let text = serde_json::to_string(names).map_err(|_never| corrupt())?;
    people::set_studio(tx, org, &text).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Names {
        Names {
            backdrops: vec!["#102030".to_owned(); count],
            ..Names::default()
        }
    }

    fn read(names: &Names) -> Result<Choice, ChoiceError> {
        let images = ["image:aa".to_owned()];
        choice(names, (&images, |digest: &str| digest == "aa"))
    }

    #[test]
    fn nothing_chosen_is_everything_usual() {
        assert_eq!(stored("").unwrap(), Choice::default());
        assert_eq!(stored("{}").unwrap(), Choice::default());
    }

    #[test]
    fn names_are_read_and_their_number_is_limited() {
        let most = read(&names(NAMES_MAX)).unwrap();
        assert_eq!(most.backdrops.len(), NAMES_MAX);
        assert_eq!(most.backdrops[0], Backdrop::Color([0x10, 0x20, 0x30]));
        assert!(matches!(
            read(&names(NAMES_MAX + 1)),
            Err(ChoiceError::TooMany)
        ));
        let unknown = Names {
            styles: vec!["neon".to_owned()],
            ..Names::default()
        };
        let error = read(&unknown).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no style \"neon\"; use studio, soft, crisp, warm, mono"
        );
    }

    #[test]
    fn only_images_that_are_there_can_be_named() {
        let image = |name: &str| Names {
            backdrops: vec![name.to_owned()],
            ..Names::default()
        };
        let own = read(&image("image:aa")).unwrap();
        assert_eq!(own.backdrops, [Backdrop::Image("aa".to_owned())]);
        let error = read(&image("image:bb")).unwrap_err().to_string();
        assert!(error.starts_with("there is no backdrop \"image:bb\""));
        assert!(error.ends_with("teal, #RRGGBB, image:aa"), "{error}");
    }

    #[test]
    fn what_is_gone_is_left_out_and_nothing_left_is_the_default() {
        let text = r##"{"backdrops":["image:aa","#102030"],"logo":"cc"}"##;
        let all = stored(text).unwrap();
        assert_eq!(all.clone().with_only(|_| true), all);
        let some = all.with_only(|digest| digest == "cc");
        assert_eq!(some.backdrops, [Backdrop::Color([0x10, 0x20, 0x30])]);
        assert_eq!(some.logo.as_deref(), Some("cc"));
        let one = stored(r#"{"backdrops":["image:aa"],"logo":"cc"}"#).unwrap();
        assert_eq!(one.with_only(|_| false), Choice::default());
    }

    #[test]
    fn the_names_of_a_choice_choose_it_again() {
        let text = r##"{"backdrops":["image:aa","#102030","navy"],"styles":["mono"]}"##;
        let chosen = stored(text).unwrap();
        let looks = chosen.names();
        assert_eq!(looks.backdrops, ["image:aa", "#102030", "navy"]);
        let names = Names {
            backdrops: looks.backdrops,
            styles: looks.styles,
            crops: looks.crops,
            logo: None,
        };
        assert_eq!(read(&names).unwrap(), chosen);
    }
}
