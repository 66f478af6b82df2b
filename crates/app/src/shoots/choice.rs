//! The looks that an organization allows, and how they are stored.

use headshot_domain::OrgId;
use headshot_imaging::{Backdrop, Crop, Style};
use headshot_storage::{Error, people};
use serde::{Deserialize, Serialize};

use super::plan::Choice;
use crate::App;
use crate::audit::{self, Actor, Event};

/// The most names in each list.
const NAMES_MAX: usize = 32;

/// Lists of names as they are stored; an empty list is the default one.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Names {
    backdrops: Vec<String>,
    styles: Vec<String>,
    crops: Vec<String>,
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

fn choice(names: &Names) -> Result<Choice, ChoiceError> {
    let default = Choice::default();
    let mut backdrops: Vec<String> = Backdrop::RENDERED.iter().map(Backdrop::name).collect();
    backdrops.push("#RRGGBB".to_owned());
    let styles: Vec<String> = Style::ALL.map(|style| style.name().to_owned()).to_vec();
    let crops: Vec<String> = Crop::ALL.map(|crop| crop.name().to_owned()).to_vec();
    let style = |name: &str| Style::ALL.into_iter().find(|style| style.name() == name);
    let crop = |name: &str| Crop::ALL.into_iter().find(|crop| crop.name() == name);
    Ok(Choice {
        backdrops: read(
            ("backdrop", &names.backdrops),
            Backdrop::parse,
            (&backdrops, default.backdrops),
        )?,
        styles: read(("style", &names.styles), style, (&styles, default.styles))?,
        crops: read(("crop", &names.crops), crop, (&crops, default.crops))?,
    })
}

/// Reads what is stored of an organization's choice; the empty text is the default one.
pub(super) fn stored(text: &str) -> Result<Choice, Error> {
    if text.is_empty() {
        return Ok(Choice::default());
    }
    let corrupt = || Error::Corrupt {
        table: "organizations",
        column: "studio",
    };
    let names: Names = serde_json::from_str(text).map_err(|_unreadable| corrupt())?;
    choice(&names).map_err(|_unknown| corrupt())
}

/// The looks that an organization's shoots are made in.
pub async fn looks(app: &App, org: &OrgId) -> Result<Choice, ChoiceError> {
    let mut conn = app.db.read().await?;
    let text = people::studio(&mut conn, org).await?;
    let text = text.ok_or_else(|| ChoiceError::NoSuchOrganization(org.clone()))?;
    Ok(stored(&text)?)
}

/// Sets the looks that an organization's shoots are made in, by the names of backdrops, styles and
/// crops; an empty list is the default one. Shoots that are being made go on as they began.
pub async fn choose_looks(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    (backdrops, styles, crops): (Vec<String>, Vec<String>, Vec<String>),
) -> Result<Choice, ChoiceError> {
    let names = Names {
        backdrops,
        styles,
        crops,
    };
    let chosen = choice(&names)?;
    let text = serde_json::to_string(&names).unwrap_or_default();
    let mut tx = app.db.write().await?;
    if !people::set_studio(&mut tx, org, &text).await? {
        return Err(ChoiceError::NoSuchOrganization(org.clone()));
    }
    let event = Event {
        org: Some(org),
        action: "organization.looks_changed",
        target: format!("organization:{org}"),
        detail: serde_json::json!({
            "backdrops": names.backdrops, "styles": names.styles, "crops": names.crops,
        }),
    };
    audit::record(&mut tx, actor, app.clock.now(), event).await?;
    tx.commit().await?;
    Ok(chosen)
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

    #[test]
    fn nothing_chosen_is_everything_usual() {
        assert_eq!(stored("").unwrap(), Choice::default());
        assert_eq!(stored("{}").unwrap(), Choice::default());
    }

    #[test]
    fn names_are_read_and_their_number_is_limited() {
        let read = choice(&names(NAMES_MAX)).unwrap();
        assert_eq!(read.backdrops.len(), NAMES_MAX);
        assert_eq!(read.backdrops[0], Backdrop::Color([0x10, 0x20, 0x30]));
        assert!(matches!(
            choice(&names(NAMES_MAX + 1)),
            Err(ChoiceError::TooMany)
        ));
        let unknown = Names {
            styles: vec!["neon".to_owned()],
            ..Names::default()
        };
        let error = choice(&unknown).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no style \"neon\"; use studio, soft, crisp, warm, mono"
        );
    }
}
