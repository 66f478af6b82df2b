//! Admin > Settings > Studio: looks, and the organization's own images and logo.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use headshot_app::brand::{self, BrandError, IMAGES_MAX, Kind};
use headshot_app::shoots::{self, ChoiceError, Looks};
use headshot_pages::{
    BrandImage, BrandLogo, LookOption, NavItem, Notice, StudioSettings, UploadLimits,
};

use crate::Web;
use crate::dashboard::extract::{Admin, AdminForm, Fields, Person, holds_key};
use crate::dashboard::multipart::{AROUND_MAX, AdminMultipart, NoFile};
use crate::dashboard::shell::{shell, with_notice};
use crate::dashboard::{PageError, html, html_with};

const PAGE: &str = "/app/admin/settings/studio";

/// The longest text of colours that is repeated, in characters.
const TYPED_MAX: usize = 1_000;

/// The page and what its forms lead to.
pub(crate) fn routes() -> Router<Web> {
    let limit = |kind: Kind| DefaultBodyLimit::max(brand::bytes_max(kind) + AROUND_MAX);
    Router::new()
        .route(PAGE, get(page))
        .route(
            "/app/admin/settings/studio/looks",
            get(to_page).post(choose),
        )
        .route(
            "/app/admin/settings/studio/images/uploads",
            get(to_page).post(add_image).layer(limit(Kind::Backdrop)),
        )
        .route(
            "/app/admin/settings/studio/logo/uploads",
            get(to_page).post(add_logo).layer(limit(Kind::Logo)),
        )
        .route("/app/admin/settings/studio/assets/{digest}", get(asset))
        .route(
            "/app/admin/settings/studio/assets/{digest}/delete",
            get(to_page).post(remove),
        )
}

/// Where the page's forms lead, for who opens such an address or loads it again.
async fn to_page() -> Redirect {
    Redirect::to(PAGE)
}

impl From<ChoiceError> for PageError {
    fn from(error: ChoiceError) -> Self {
        match error {
            ChoiceError::Internal(error) => error.into(),
            other => Self::Internal(other.to_string()),
        }
    }
}

async fn page(State(web): State<Web>, Admin(person): Admin) -> Result<Response, PageError> {
    html(&settings(&web, &person, None).await?)
}

/// The page as it is stored, or with what was sent and refused.
async fn settings(
    web: &Web,
    person: &Person,
    sent: Option<Looks>,
) -> Result<StudioSettings, PageError> {
    let (app, org) = (web.app(), &person.signed_in.org.id);
    let stored = shoots::looks(app, org).await?.names();
    let looks = sent.unwrap_or_else(|| stored.clone());
    let known = shoots::known();
    let assets = brand::list(app, org).await?;
    let of = |kind: Kind| assets.iter().filter(move |asset| asset.kind == kind);
    let image = |asset: &brand::Asset| BrandImage {
        chosen: looks.backdrops.contains(&format!("image:{}", asset.digest)),
        digest: asset.digest.clone(),
        name: asset.name.clone(),
    };
    let logo = of(Kind::Logo).next().map(|asset| BrandLogo {
        digest: asset.digest.clone(),
        name: asset.name.clone(),
        drawn: looks.logo.or(stored.logo) == Some(true),
    });
    let options = |all: &[String], chosen: &[String], make: fn(&str, bool) -> LookOption| {
        let one = |name: &String| make(name, chosen.contains(name));
        all.iter().map(one).collect::<Vec<_>>()
    };
    let colours = looks.backdrops.iter().filter(|name| name.starts_with('#'));
    let colours: Vec<&str> = colours.map(String::as_str).collect();
    Ok(StudioSettings {
        shell: shell(web, person, ("Settings", NavItem::Settings)).await?,
        backdrops: options(&known.backdrops, &looks.backdrops, LookOption::backdrop),
        styles: options(&known.styles, &looks.styles, LookOption::style),
        crops: options(&known.crops, &looks.crops, LookOption::crop),
        colours: colours.join("\n"),
        colours_error: None,
        images: of(Kind::Backdrop).map(image).collect(),
        image_error: None,
        logo,
        logo_error: None,
        limits: UploadLimits {
            images: IMAGES_MAX,
            image_megabytes: brand::IMAGE_BYTES_MAX >> 20,
            image_least: brand::smallest(),
            logo_megabytes: brand::LOGO_BYTES_MAX >> 20,
        },
    })
}

async fn done(web: &Web, person: &Person, said: &str) -> Result<Response, PageError> {
    let mut page = settings(web, person, None).await?;
    page.shell = with_notice(page.shell, Notice::good(said));
    html(&page)
}

/// The looks that a form brings: what is ticked, then each colour once.
fn sent_looks(fields: &Fields) -> Looks {
    let mut backdrops = fields.all("backdrop");
    for colour in fields.get("colours").split_whitespace() {
        let colour = colour.to_ascii_uppercase();
        if !backdrops.contains(&colour) {
            backdrops.push(colour);
        }
    }
    let could_draw = !fields.get("has_logo").is_empty();
    Looks {
        backdrops,
        styles: fields.all("style"),
        crops: fields.all("crop"),
        logo: could_draw.then(|| !fields.get("logo").is_empty()),
    }
}

fn is_colour(text: &str) -> bool {
    let hex = text.strip_prefix('#').unwrap_or_default();
    hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn choose(State(web): State<Web>, form: AdminForm) -> Result<Response, PageError> {
    let AdminForm { person, fields } = form;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let by = (&person.signed_in.org.id, &actor);
    let looks = sent_looks(&fields);
    let typed = fields.get("colours");
    let (said, colours_error) = if typed.split_whitespace().all(is_colour) {
        match shoots::choose_looks(web.app(), by, looks.clone()).await {
            Ok(_chosen) => return done(&web, &person, "The looks are saved.").await,
            Err(ChoiceError::TooMany) => (
                "The looks were not saved: a list has at most 32 entries.",
                None,
            ),
            Err(ChoiceError::Unknown { .. } | ChoiceError::NoLogo) => (
                "The looks were not saved: something that was ticked is not there any more.",
                None,
            ),
            Err(error) => return Err(error.into()),
        }
    } else {
        let error = "Write each colour as #RRGGBB, for example #1A2B3C, one a line.";
        ("The looks were not saved.", Some(error.to_owned()))
    };
    let mut page = settings(&web, &person, Some(looks)).await?;
    page.shell = with_notice(page.shell, Notice::bad(said));
    // Somebody may paste a key into any field: it is not repeated.
    page.colours = if holds_key(typed) || typed.chars().count() > TYPED_MAX {
        String::new()
    } else {
        typed.to_owned()
    };
    page.colours_error = colours_error;
    html_with(StatusCode::BAD_REQUEST, &page)
}

async fn add_image(State(web): State<Web>, form: AdminMultipart) -> Result<Response, PageError> {
    let said = "The image is here. Tick it under Looks to use it.";
    add(&web, form, (Kind::Backdrop, said)).await
}

async fn add_logo(State(web): State<Web>, form: AdminMultipart) -> Result<Response, PageError> {
    let said = "The logo is drawn from the next shoot on.";
    add(&web, form, (Kind::Logo, said)).await
}

async fn add(
    web: &Web,
    mut form: AdminMultipart,
    (kind, said): (Kind, &str),
) -> Result<Response, PageError> {
    let file = form.file(web, brand::bytes_max(kind)).await;
    let person = form.person;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let by = (&person.signed_in.org.id, &actor);
    let added = match file {
        Ok((name, bytes)) => brand::add(web.app(), by, kind, (&name, bytes)).await,
        Err(NoFile::TooLarge | NoFile::FormTooLarge) => Err(BrandError::TooLarge(kind)),
        Err(NoFile::Busy) => Err(BrandError::Busy),
        Err(NoFile::Missing) => Err(BrandError::Unusable("Choose a file.".to_owned())),
        Err(NoFile::Cut) => Err(BrandError::Unusable(
            "It did not arrive whole. Send it again.".to_owned(),
        )),
    };
    let error = match added {
        Ok(_asset) => return done(web, &person, said).await,
        Err(error) => error,
    };
    let status = match &error {
        BrandError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let why = words(web, error)?;
    let mut page = settings(web, &person, None).await?;
    match kind {
        Kind::Backdrop => page.image_error = Some(why),
        Kind::Logo => page.logo_error = Some(why),
    }
    html_with(status, &page)
}

/// Why a file was not taken, as the person reads it; a failure of ours is none of the file's.
fn words(web: &Web, error: BrandError) -> Result<String, PageError> {
    match error {
        BrandError::Internal(error) => Err(error.into()),
        BrandError::Studio(_) => {
            web.app().report(&error, "an image was not taken");
            Err(PageError::Internal("an image was not taken".to_owned()))
        }
        told => Ok(told.to_string()),
    }
}

async fn remove(
    State(web): State<Web>,
    Path(digest): Path<String>,
    form: AdminForm,
) -> Result<Response, PageError> {
    let person = form.person;
    let actor = person.signed_in.actor(person.visit.visitor.address);
    let by = (&person.signed_in.org.id, &actor);
    match brand::remove(web.app(), by, &digest).await {
        Ok(asset) => {
            let said = match asset.kind {
                Kind::Backdrop => "The image is removed. No later shoot uses it.",
                Kind::Logo => "The logo is removed. No later shoot shows it.",
            };
            done(&web, &person, said).await
        }
        Err(BrandError::NotFound) => Err(PageError::NotFound),
        Err(error) => Err(PageError::Internal(words(&web, error)?)),
    }
}

/// A small picture of an image, or the logo. What is behind a digest never changes, and is nobody
/// else's.
async fn asset(
    State(web): State<Web>,
    Path(digest): Path<String>,
    Admin(person): Admin,
) -> Result<Response, PageError> {
    let found = brand::shown(web.app(), &person.signed_in.org.id, &digest).await?;
    let (kind, bytes) = found.ok_or(PageError::NotFound)?;
    let content_type = match kind {
        Kind::Backdrop => "image/jpeg",
        Kind::Logo => "image/png",
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "private, max-age=86400, immutable"),
    ];
    Ok((headers, bytes).into_response())
}
