//! The pages on which a person makes headshots: from an invite or a partner's link to the download.
//!
//! One address for the whole session, `/team-member/shoots/{id}`; it shows the step that the
//! session's status calls for. Forms answer with a redirect to it, or with the same page and what
//! was wrong.

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Extension, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use headshot_app::access;
use headshot_app::consent::{self, ConsentError, Said};
use headshot_app::gallery::{self, Photo};
use headshot_app::invites::{self, JoinError};
use headshot_app::models::{DeleteError, SubmitError};
use headshot_app::photos::path as photo_path;
use headshot_app::shoots::{self, Progress};
use headshot_app::uploads::{self, Severity};
use headshot_domain::{Email, Gender, InviteId, Liked, ModelStatus, PhotoId, Variant};
use headshot_pages::{
    Agree, Closed, Erase, HeadshotCard, Join, Notice, PersonFrame, Photos, Results, Step,
    UploadRow, Waiting, waiting_sentence,
};
use serde::{Deserialize, Serialize};

use crate::cookies::{self, Kind};
use crate::dashboard::access::{member_home, see_other, with_form_token};
use crate::dashboard::extract::{Person, Visit, VisitorForm};
use crate::dashboard::{PageError, html, html_with};
use crate::{UploadLimits, Web};
use inside::{Framing, Inside, InsideForm};

mod inside;
mod upload;

pub(crate) use inside::FramingSlot;

pub(crate) fn routes(uploads: &UploadLimits) -> Router<Web> {
    Router::new()
        .route("/auth/signup", get(join_page).post(join))
        .route("/auth/social", get(social))
        .route("/team-member", get(home))
        .route("/team-member/shoots/{model}", get(session))
        .route("/team-member/shoots/{model}/consent", post(agree))
        .route(
            "/team-member/shoots/{model}/uploads",
            post(upload::add).layer(DefaultBodyLimit::max(uploads.form_bytes)),
        )
        .route(
            "/team-member/shoots/{model}/uploads/{upload}",
            get(upload::preview),
        )
        .route(
            "/team-member/shoots/{model}/uploads/{upload}/delete",
            post(upload::remove),
        )
        .route("/team-member/shoots/{model}/submit", post(submit))
        .route("/team-member/shoots/{model}/progress", get(progress))
        .route(
            "/team-member/shoots/{model}/photos/{photo}/favorite",
            post(choose),
        )
        .route(
            "/team-member/shoots/{model}/photos/{photo}/rate",
            post(rate),
        )
        .route(
            "/team-member/shoots/{model}/erase",
            get(erase_page).post(erase),
        )
}

/// An invite's id: never printed.
#[derive(Deserialize)]
struct InviteQuery {
    #[serde(default)]
    invite: String,
}

async fn join_page(
    State(web): State<Web>,
    visit: Visit,
    query: Result<Query<InviteQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(InviteQuery { invite }) = query?;
    let id = InviteId::from(invite.as_str());
    let invitation = match invites::look(web.app(), &id).await {
        Ok(invitation) => invitation,
        Err(error) => {
            let own = own_session(&web, &visit, &id).await?;
            return own.map_or_else(|| closed(error), Ok);
        }
    };
    with_form_token(&web, &visit, |csrf| {
        html(&Join {
            csrf,
            invite,
            org_name: invitation.org_name,
            email: invitation.email,
            name: String::new(),
            error: None,
        })
    })
}

/// Whoever used the invite in this browser comes back by its link.
async fn own_session(
    web: &Web,
    visit: &Visit,
    id: &InviteId,
) -> Result<Option<Response>, PageError> {
    let Some(token) = &visit.shoot_token else {
        return Ok(None);
    };
    let Some(found) = access::open(web.app(), token).await? else {
        return Ok(None);
    };
    let model = invites::led_to(web.app(), id).await?;
    let own = model.filter(|model| *model == found.model.id);
    Ok(own.map(|model| see_other(&format!("/team-member/shoots/{model}"))))
}

fn closed(error: JoinError) -> Result<Response, PageError> {
    let title = match &error {
        JoinError::Internal(_) => return Err(internal(error)),
        JoinError::NotFound => "This invite does not exist",
        JoinError::Closed => "This invite is closed",
        JoinError::AlreadyMember => "You have joined already",
    };
    let page = Closed {
        title,
        text: error.to_string(),
    };
    html_with(StatusCode::NOT_FOUND, &page)
}

fn internal(error: JoinError) -> PageError {
    match error {
        JoinError::Internal(error) => error.into(),
        other => PageError::Internal(other.to_string()),
    }
}

async fn join(State(web): State<Web>, form: VisitorForm) -> Result<Response, PageError> {
    let id = InviteId::from(form.fields.get("invite"));
    let invitation = match invites::look(web.app(), &id).await {
        Ok(invitation) => invitation,
        Err(error) => return closed(error),
    };
    let name = form.fields.get("name").trim();
    if !consent::is_name(name) {
        let page = Join {
            csrf: form.fields.get("csrf").to_owned(),
            invite: id.to_string(),
            org_name: invitation.org_name,
            email: invitation.email,
            name: name.to_owned(),
            error: Some(ConsentError::Name.to_string()),
        };
        return html_with(StatusCode::BAD_REQUEST, &page);
    }
    let email: Email = invitation
        .email
        .parse()
        .map_err(|_wrong| PageError::Internal("an invite's address is no address".to_owned()))?;
    match invites::join(web.app(), &id, (&email, Some(name))).await {
        Ok(joined) => Ok(enter(&web, &joined.token, joined.model.id.as_str())),
        Err(error) => closed(error),
    }
}

/// Gives the browser the link's token as a cookie, so that it is in no address from here on.
fn enter(web: &Web, token: &str, model: &str) -> Response {
    let mut response = see_other(&format!("/team-member/shoots/{model}"));
    if let Some(cookie) = cookies::set(Kind::Shoot, token, web.0.secure) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A link's token: never printed.
#[derive(Deserialize)]
struct TokenQuery {
    #[serde(default)]
    token: String,
}

async fn social(
    State(web): State<Web>,
    Extension(slot): Extension<FramingSlot>,
    query: Result<Query<TokenQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(TokenQuery { token }) = query?;
    if let Some(found) = access::open(web.app(), &token).await? {
        // The frame may go where this leads.
        slot.put(Framing::of(&found));
        return Ok(enter(&web, &token, found.model.id.as_str()));
    }
    let page = Closed {
        title: "This link is closed",
        text: "It was never made, it has run out, or its photos were deleted. Ask for a new one \
               where you got it."
            .to_owned(),
    };
    html_with(StatusCode::NOT_FOUND, &page)
}

/// Where a person's own session is, if there is one.
async fn home(
    State(web): State<Web>,
    visit: Visit,
    person: Result<Person, crate::dashboard::extract::NotSignedIn>,
) -> Result<Response, Response> {
    if let Some(token) = &visit.shoot_token {
        let found = access::open(web.app(), token).await;
        let found = found.map_err(|error| PageError::from(error).into_response())?;
        if let Some(found) = found {
            return Ok(see_other(&format!(
                "/team-member/shoots/{}",
                found.model.id
            )));
        }
    }
    let person = person.map_err(IntoResponse::into_response)?;
    let (org, user) = (&person.signed_in.org.id, &person.signed_in.user.id);
    let newest = access::newest_of_user(web.app(), org, user).await;
    match newest.map_err(|error| PageError::from(error).into_response())? {
        Some(model) => Ok(see_other(&format!("/team-member/shoots/{model}"))),
        None => member_home(&web, person)
            .await
            .map_err(IntoResponse::into_response),
    }
}

fn frame(inside: &Inside, step: Step) -> PersonFrame {
    PersonFrame {
        csrf: inside.csrf.clone(),
        model: inside.visit.model.id.to_string(),
        org_name: inside.visit.org.name.clone(),
        step,
        development: inside.visit.model.development,
        account: inside.signed_in,
        notice: None,
    }
}

async fn session(State(web): State<Web>, inside: Inside) -> Result<Response, PageError> {
    let page = match inside.visit.model.status {
        ModelStatus::Onboarding => {
            if consent::given(web.app(), &inside.visit).await?.is_none() {
                let model = &inside.visit.model;
                let gender = model.gender.map_or("", Gender::name);
                html(&agree_form(&web, &inside, (&model.title, gender), None))?
            } else {
                html(&photos_page(&web, &inside, Vec::new()).await?)?
            }
        }
        ModelStatus::Active => {
            let page = Results {
                frame: frame(&inside, Step::Results),
                photos: cards(&web, &inside).await?,
            };
            html(&page)?
        }
        _ => {
            let now = shoots::progress(web.app(), &inside.visit).await?;
            let page = Waiting {
                frame: frame(&inside, Step::Wait),
                status: now.status.name(),
                ahead: now.ahead,
                made: now.made,
                total: now.total,
                percent: now.percent,
                photos: cards(&web, &inside).await?,
            };
            html(&page)?
        }
    };
    Ok(page)
}

fn agree_form(
    web: &Web,
    inside: &Inside,
    (name, gender): (&str, &str),
    error: Option<String>,
) -> Agree {
    let terms = consent::terms(web.app());
    Agree {
        frame: frame(inside, Step::Agree),
        name: name.to_owned(),
        gender: gender.to_owned(),
        paragraphs: terms.paragraphs,
        version: terms.version,
        error,
    }
}

/// The page of the second step; `problems` are files that were not taken, and why.
async fn photos_page(
    web: &Web,
    inside: &Inside,
    problems: Vec<(String, String)>,
) -> Result<Photos, PageError> {
    let rows = uploads::list(web.app(), &inside.visit).await?;
    Ok(Photos {
        frame: frame(inside, Step::Photos),
        uploads: rows.into_iter().map(upload_row).collect(),
        uploads_max: uploads::UPLOADS_MAX,
        megabytes_max: uploads::BYTES_MAX >> 20,
        problems,
        photos: web.app().studio.photos(),
    })
}

fn upload_row(upload: uploads::Upload) -> UploadRow {
    let findings = upload.verdict.findings.into_iter();
    UploadRow {
        id: upload.id.to_string(),
        usable: upload.usable,
        findings: findings
            .map(|finding| (finding.severity == Severity::Refusal, finding.sentence))
            .collect(),
    }
}

async fn cards(web: &Web, inside: &Inside) -> Result<Vec<HeadshotCard>, PageError> {
    let visit = &inside.visit;
    let photos = match gallery::some(web.app(), (&visit.org.id, &visit.model.id), &[]).await {
        Ok(photos) => photos,
        Err(gallery::PhotoError::Internal(error)) => return Err(error.into()),
        Err(_gone) => Vec::new(),
    };
    photos
        .iter()
        .map(|photo| card(web, inside, photo))
        .collect()
}

fn card(web: &Web, inside: &Inside, photo: &Photo) -> Result<HeadshotCard, PageError> {
    let now = web.app().clock.now();
    let signer = &web.app().settings.photo_signer;
    let path = |variant, download| photo_path(signer, photo, (variant, download), now);
    let caption = gallery::caption(photo);
    Ok(HeadshotCard {
        id: photo.id.to_string(),
        thumbnail: path(Variant::Thumbnail, false)?,
        main: path(Variant::Main, false)?,
        download: path(Variant::Main, true)?,
        download_original: path(Variant::Original, true)?,
        backdrop: format!("{} backdrop", caption.backdrop),
        size: caption.thumbnail,
        favorite: inside.visit.model.favorite.as_ref() == Some(&photo.id),
        loved: photo.liked == Liked::Loved,
    })
}

async fn agree(State(web): State<Web>, form: InsideForm) -> Result<Response, PageError> {
    let inside = &form.inside;
    let [name, gender, version] = ["name", "gender", "version"].map(|field| form.fields.get(field));
    let refused = |notice: Option<Notice>, error: Option<String>| {
        let mut page = agree_form(&web, inside, (name, gender), error);
        page.frame.notice = notice;
        html_with(StatusCode::BAD_REQUEST, &page)
    };
    if form.fields.get("agree") != "yes" {
        let why = "Please agree first, or delete everything below.".to_owned();
        return refused(None, Some(why));
    }
    let chosen: Option<Result<Gender, _>> = (!gender.is_empty()).then(|| gender.parse());
    let Ok(gender) = chosen.transpose() else {
        let why = "Choose one of the genders in the list, or rather not say.";
        return refused(Some(Notice::bad(why)), None);
    };
    let said = Said {
        name,
        gender,
        version,
    };
    match consent::give(web.app(), &inside.visit, said, inside.address).await {
        Ok(_) | Err(ConsentError::NotNow(_)) => Ok(see_other(&inside.path())),
        Err(ConsentError::Internal(error)) => Err(error.into()),
        Err(why @ ConsentError::Outdated) => refused(Some(Notice::info(why.to_string())), None),
        Err(why @ ConsentError::Name) => refused(None, Some(why.to_string())),
    }
}

async fn submit(State(web): State<Web>, form: InsideForm) -> Result<Response, PageError> {
    let inside = &form.inside;
    let (status, why) = match shoots::submit(web.app(), &inside.visit).await {
        // Submitting twice is what an impatient person does: it is where it should be.
        Ok(_) | Err(SubmitError::NotNow(_) | SubmitError::NoConsent) => {
            return Ok(see_other(&inside.path()));
        }
        Err(SubmitError::NotFound) => return Err(PageError::NotFound),
        Err(SubmitError::Internal(error)) => return Err(error.into()),
        Err(error @ SubmitError::NoUsablePhoto) => (StatusCode::BAD_REQUEST, error.to_string()),
        Err(SubmitError::InsufficientCredits) => (
            StatusCode::PAYMENT_REQUIRED,
            format!(
                "{} has no credits left. Your photos are kept: tell them, and try again later.",
                inside.visit.org.name
            ),
        ),
    };
    let mut page = photos_page(&web, inside, Vec::new()).await?;
    page.frame.notice = Some(Notice::bad(why));
    html_with(status, &page)
}

/// How far a shoot is, for the page's script.
#[derive(Serialize)]
struct ProgressView {
    status: &'static str,
    made: i64,
    total: i64,
    sentence: String,
}

async fn progress(State(web): State<Web>, inside: Inside) -> Result<Response, PageError> {
    let now: Progress = shoots::progress(web.app(), &inside.visit).await?;
    let status = now.status.name();
    let view = ProgressView {
        status,
        made: now.made,
        total: now.total,
        sentence: waiting_sentence(status, now.ahead, (now.made, now.total), now.percent),
    };
    Ok(axum::Json(view).into_response())
}

impl From<gallery::PhotoError> for PageError {
    fn from(error: gallery::PhotoError) -> Self {
        match error {
            gallery::PhotoError::Internal(error) => error.into(),
            gallery::PhotoError::NoSuchModel | gallery::PhotoError::NoSuchPhoto => Self::NotFound,
        }
    }
}

async fn choose(
    State(web): State<Web>,
    Path((_, photo)): Path<(String, String)>,
    form: InsideForm,
) -> Result<Response, PageError> {
    let id = PhotoId::from(photo);
    gallery::choose(web.app(), &form.inside.visit, &id).await?;
    Ok(see_other(&format!("{}#photo-{id}", form.inside.path())))
}

async fn rate(
    State(web): State<Web>,
    Path((_, photo)): Path<(String, String)>,
    form: InsideForm,
) -> Result<Response, PageError> {
    let id = PhotoId::from(photo);
    let liked = form.fields.get("liked").parse::<Liked>();
    let liked = liked.map_err(|_unknown| PageError::StaleForm)?;
    gallery::rate(web.app(), &form.inside.visit, &id, liked).await?;
    Ok(see_other(&format!("{}#photo-{id}", form.inside.path())))
}

async fn erase_page(State(web): State<Web>, inside: Inside) -> Result<Response, PageError> {
    let step = match inside.visit.model.status {
        ModelStatus::Onboarding => Step::Photos,
        ModelStatus::Active => Step::Results,
        _ => Step::Wait,
    };
    html(&Erase {
        frame: frame(&inside, step),
        uploads: uploads::list(web.app(), &inside.visit).await?.len(),
        photos: cards(&web, &inside).await?.len(),
    })
}

async fn erase(State(web): State<Web>, form: InsideForm) -> Result<Response, PageError> {
    let inside = &form.inside;
    match access::erase(web.app(), &inside.visit).await {
        Ok(()) | Err(DeleteError::NotFound | DeleteError::AlreadyDeleted) => {}
        Err(DeleteError::Internal(error)) => return Err(error.into()),
    }
    let mut response = html(&Closed {
        title: "Everything is deleted",
        text: format!(
            "Your photos and headshots for {} are gone for good.",
            inside.visit.org.name
        ),
    })?;
    if let Some(cookie) = cookies::set(Kind::Shoot, "", web.0.secure) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
