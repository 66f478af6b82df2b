//! What each mail says.

use std::time::Duration;

use headshot_domain::{Credits, Email, InviteId, MailKind, MailState, OrgId, Package, Timestamp};
use headshot_pages::{Letter, name_in_sentence};
use headshot_storage::api_keys::{self, ApiKey};
use headshot_storage::models::Model;
use headshot_storage::organizations::{self, Organization};
use headshot_storage::{Error, WriteTx, invites as rows, mails, models as model_rows, users};

use super::{Mail, NewMail, has_account, is_told, org_name, post, post_to_admins};
use crate::App;
use crate::accounts;
use crate::audit::{self, Actor, Event};
use crate::invites::{self, Invite};
use crate::models::LINK_LIFE;

/// Between two reminders of one invite, at least.
const REMIND_EVERY: Duration = Duration::from_hours(24);

/// Below this the owners and admins are told (contract: data-lifecycle.md).
pub const LOW_CREDITS: Credits = Credits::whole(3);

/// How long before a key runs out its owners and admins are told, the later time last.
const KEY_WARNINGS: [Duration; 2] = [Duration::from_hours(7 * 24), Duration::from_hours(24)];

const TO_ADMINS: &str = "You get this because you are an owner or admin of this organization.";

fn invite_letter(app: &App, org: &str, (invite, again): (&Invite, bool)) -> Letter {
    let org = name_in_sentence(org);
    let subject = if again {
        format!("Reminder: your headshots for {org}")
    } else {
        format!("Your headshots for {org}")
    };
    Letter {
        subject,
        paragraphs: vec![
            format!("{org} invites you to make headshots."),
            "You upload a few photos of yourself, and studio headshots are made from them on your \
             organization's own server. It takes about five minutes of yours."
                .to_owned(),
            format!("The link works until {}.", day(invite.expires_at)),
        ],
        action: Some(("Begin", invites::link(app, &invite.id))),
        why: format!("You get this because {org} has entered {}.", invite.email),
    }
}

/// A day as people read it: `2026-11-28`.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// Tells a person who was invited.
pub(crate) async fn invited(
    app: &App,
    tx: &mut WriteTx,
    (org, invite): (&Organization, &Invite),
) -> Result<(), Error> {
    let new = NewMail {
        org: &org.id,
        kind: MailKind::Invite,
        to: &invite.email,
        invite: Some(&invite.id),
        model: None,
        letter: invite_letter(app, &org.name, (invite, false)),
    };
    post(app, tx, new).await
}

/// Why a person can't be reminded.
#[derive(Debug, thiserror::Error)]
pub enum RemindError {
    /// No such invite, or it is closed.
    #[error("This invite can't be used any more. Invite the person again.")]
    Closed,
    /// The last mail is not a day old.
    #[error("The last mail about this invite is not a day old.")]
    TooSoon,
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Mails an open invite again, at most once a day.
pub async fn remind(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    id: &InviteId,
) -> Result<(), RemindError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    organizations::lock(&mut tx, org).await?;
    let invite = rows::find(&mut tx, id).await?;
    let invite = invite.filter(|invite| invite.org == *org && invite.is_open(now));
    let invite = invite.ok_or(RemindError::Closed)?;
    let last = mails::last_of_invite(&mut tx, id).await?;
    // A mail that did not arrive is no reason to wait.
    let arrives = |mail: &Mail| !matches!(mail.state, MailState::Refused | MailState::Failed);
    let last = last.filter(arrives);
    if last.is_some_and(|mail| mail.created_at.plus(REMIND_EVERY) > now) {
        return Err(RemindError::TooSoon);
    }
    let name = org_name(&mut tx, org).await?;
    let new = NewMail {
        org,
        kind: MailKind::Reminder,
        to: &invite.email,
        invite: Some(id),
        model: None,
        letter: invite_letter(app, &name, (&invite, true)),
    };
    post(app, &mut tx, new).await?;
    let event = Event {
        org: Some(org),
        action: "invite.reminded",
        target: format!("invite:{}", invite.email),
        detail: serde_json::json!({}),
    };
    audit::record(&mut tx, actor, now, event).await?;
    tx.commit().await?;
    Ok(())
}

/// Tells a person that the headshots are ready, with a link that opens the session. A partner tells
/// its own people.
pub(crate) async fn results_ready(app: &App, tx: &mut WriteTx, model: &Model) -> Result<(), Error> {
    if !is_told(model.status, &model.uid) {
        return Ok(());
    }
    let told = |org: &str, url: String| Letter {
        subject: format!("Your headshots for {org} are ready"),
        paragraphs: vec![
            format!(
                "Hello {}, your headshots are ready.",
                name_in_sentence(&model.title)
            ),
            format!("Choose the one that {org} should use, and download whatever you like."),
        ],
        action: Some(("See my headshots", url)),
        why: "You get this because you have uploaded photos. The link opens your headshots: \
              keep it to yourself."
            .to_owned(),
    };
    post_with_link(app, tx, model, (MailKind::Results, told)).await
}

/// Tells a person who can begin again, with a link that opens the session. A partner tells its own
/// people.
pub(crate) async fn retry_given(app: &App, tx: &mut WriteTx, model: &Model) -> Result<(), Error> {
    if !has_account(&model.uid) {
        return Ok(());
    }
    let told = |org: &str, url: String| Letter {
        subject: format!("New headshots for {org}"),
        paragraphs: vec![
            format!(
                "Hello {}, {org} lets you have new headshots made. Those that you had are deleted.",
                name_in_sentence(&model.title)
            ),
            "Add other photos of yourself or keep the ones that are still there, and submit them \
             again."
                .to_owned(),
        ],
        action: Some(("Begin again", url)),
        why: "You get this because you have had headshots made. The link opens your session: \
              keep it to yourself."
            .to_owned(),
    };
    post_with_link(app, tx, model, (MailKind::Retry, told)).await
}

/// Tells a member whose session was deleted that there is a new one.
pub(crate) async fn begins_anew(app: &App, tx: &mut WriteTx, model: &Model) -> Result<(), Error> {
    let told = |org: &str, url: String| Letter {
        subject: format!("New headshots for {org}"),
        paragraphs: vec![
            format!("{org} lets you have new headshots made."),
            "Nothing is left of your session before. Add photos of yourself, and submit them."
                .to_owned(),
        ],
        action: Some(("Begin", url)),
        why:
            "You get this because you are a member there. The link opens your session: keep it to \
              yourself."
                .to_owned(),
    };
    post_with_link(app, tx, model, (MailKind::Retry, told)).await
}

/// Posts what is told of the organization's name and of a new link that opens the session.
async fn post_with_link(
    app: &App,
    tx: &mut WriteTx,
    model: &Model,
    (kind, told): (MailKind, impl FnOnce(&str, String) -> Letter),
) -> Result<(), Error> {
    let now = app.clock.now();
    let token = accounts::new_token(&*app.entropy);
    let life = (now, now.plus(LINK_LIFE));
    model_rows::insert_link(tx, &model.id, &accounts::token_hash(&token), life).await?;
    let org = name_in_sentence(&org_name(tx, &model.org).await?);
    let url = format!("{}/auth/social?token={token}", app.settings.public_url);
    let new = NewMail {
        org: &model.org,
        kind,
        to: &model.email,
        invite: None,
        model: Some(&model.id),
        letter: told(&org, url),
    };
    post(app, tx, new).await
}

/// Tells owners and admins that few credits are left, when the balance falls below the line, unless
/// the organization has switched that off.
pub(crate) async fn low_credits(
    app: &App,
    tx: &mut WriteTx,
    org: &Organization,
    (before, after): (Credits, Credits),
) -> Result<(), Error> {
    if before < LOW_CREDITS || after >= LOW_CREDITS {
        return Ok(());
    }
    if organizations::low_credit_mail(tx, &org.id).await? == Some(false) {
        return Ok(());
    }
    let letter = Letter {
        subject: format!("{} has {after} credits left", name_in_sentence(&org.name)),
        paragraphs: vec![format!(
            "One person's headshots cost {cost}, and {after} credits are left. Without credits nobody \
             can submit photos.",
            cost = match org.package {
                Package::Normal => "one credit",
                Package::Lite => "a quarter of a credit",
            }
        )],
        action: Some((
            "Open the overview",
            format!("{}/app/admin/overview", app.settings.public_url),
        )),
        why: TO_ADMINS.to_owned(),
    };
    post_to_admins(app, tx, (&org.id, MailKind::LowCredits), letter).await
}

/// Why the mail about few credits can't be switched.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// There is no such organization.
    #[error("there is no organization {0}")]
    NoSuchOrganization(OrgId),
    /// The database failed.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Whether an organization's owners and admins are mailed when few credits are left.
pub async fn tells_low_credits(app: &App, org: &OrgId) -> Result<bool, SwitchError> {
    let mut conn = app.db.read().await?;
    let on = organizations::low_credit_mail(&mut conn, org).await?;
    on.ok_or_else(|| SwitchError::NoSuchOrganization(org.clone()))
}

/// Switches the mail about few credits on or off.
pub async fn tell_low_credits(
    app: &App,
    (org, actor): (&OrgId, &Actor),
    on: bool,
) -> Result<(), SwitchError> {
    let mut tx = app.db.write().await?;
    if !organizations::set_low_credit_mail(&mut tx, org, on).await? {
        return Err(SwitchError::NoSuchOrganization(org.clone()));
    }
    let event = Event {
        org: Some(org),
        action: "organization.low_credit_mail_changed",
        target: format!("organization:{org}"),
        detail: serde_json::json!({ "on": on }),
    };
    audit::record(&mut tx, actor, app.clock.now(), event).await?;
    tx.commit().await?;
    Ok(())
}

fn key_letter(app: &App, (subject, said): (String, String), key: &ApiKey) -> Letter {
    Letter {
        subject,
        paragraphs: vec![
            said,
            format!(
                "It is the key {} with the scopes {}.",
                key.hint,
                key.scopes.names().join(", ")
            ),
        ],
        action: Some((
            "Open API keys",
            format!("{}/app/admin/api", app.settings.public_url),
        )),
        why: TO_ADMINS.to_owned(),
    }
}

/// By whom and from where, in words.
fn by(actor: &Actor) -> String {
    let who = Actor::display(&actor.label);
    match actor.address {
        Some(address) => format!("by {who} from {address}"),
        None => format!("by {who}"),
    }
}

/// Tells owners and admins that a key was generated.
pub(crate) async fn key_generated(
    app: &App,
    tx: &mut WriteTx,
    (actor, key): (&Actor, &ApiKey),
) -> Result<(), Error> {
    let name = name_in_sentence(&key.name);
    let subject = format!("API key \"{name}\" was generated");
    let said = format!(
        "The API key \"{name}\" was generated {}. If nobody of you did this, delete it now.",
        by(actor)
    );
    let letter = key_letter(app, (subject, said), key);
    post_to_admins(app, tx, (&key.org, MailKind::KeyGenerated), letter).await
}

/// Tells owners and admins that a key was deleted.
pub(crate) async fn key_deleted(
    app: &App,
    tx: &mut WriteTx,
    (actor, key): (&Actor, &ApiKey),
) -> Result<(), Error> {
    let name = name_in_sentence(&key.name);
    let subject = format!("API key \"{name}\" was deleted");
    let said = format!(
        "The API key \"{name}\" was deleted {}. Requests with it are refused; the audit log says \
         since when in every process.",
        by(actor)
    );
    let letter = key_letter(app, (subject, said), key);
    post_to_admins(app, tx, (&key.org, MailKind::KeyDeleted), letter).await
}

/// Tells owners and admins of keys that run out within a week, and again within a day.
pub(crate) async fn keys_expiring(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let [week, _] = KEY_WARNINGS;
    let expiring = {
        let mut conn = app.db.read().await?;
        api_keys::expiring(&mut conn, (now, now.plus(week)), 1_000).await?
    };
    for key in expiring {
        let Some(at) = key.expires_at else { continue };
        let days = if at > now.plus(KEY_WARNINGS[1]) { 7 } else { 1 };
        let name = name_in_sentence(&key.name);
        let subject = format!(
            "API key \"{name}\" {} expires within {days} {}",
            key.hint,
            if days == 1 { "day" } else { "days" }
        );
        let mut tx = app.db.write().await?;
        let told = mails::last_told(&mut tx, &key.org, (MailKind::KeyExpiring, &subject)).await?;
        if told.is_some() {
            continue;
        }
        let said = format!(
            "The API key \"{name}\" expires on {at}. Generate another one and give it to whoever uses \
             this one."
        );
        let letter = key_letter(app, (subject, said), &key);
        post_to_admins(app, &mut tx, (&key.org, MailKind::KeyExpiring), letter).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The letter with a new sign-in link for whoever has the address; `None` for nobody.
pub(super) async fn sign_in(
    app: &App,
    (actor, email): (&Actor, &Email),
) -> Result<Option<Letter>, Error> {
    let mut tx = app.db.write().await?;
    let Some(user) = users::find_by_email(&mut tx, email).await? else {
        return Ok(None);
    };
    if organizations::list_of_user(&mut tx, &user.id, 1)
        .await?
        .is_empty()
    {
        return Ok(None);
    }
    let token = accounts::mailed_link(app, &mut tx, (actor, &user.id)).await?;
    tx.commit().await?;
    let url = format!("{}/auth/magic?token={token}", app.settings.public_url);
    Ok(Some(Letter {
        subject: "Your sign-in link".to_owned(),
        paragraphs: vec![
            "Somebody, probably you, has asked for a link to sign in to Headshot.".to_owned(),
            format!(
                "It works once, and for {} minutes. If it was not you, ignore this: nobody gets in \
                 without the link.",
                accounts::MAILED_LINK_LIFE.as_secs() / 60
            ),
        ],
        action: Some(("Sign in", url)),
        why: "You get this because your address was entered on the sign-in page.".to_owned(),
    }))
}
