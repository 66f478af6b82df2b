//! What each command does.

use std::io::Read;

use anyhow::bail;
use headshot_app::access;
use headshot_app::accounts;
use headshot_app::audit::Actor;
use headshot_app::keys::{self, NewKey};
use headshot_app::members;
use headshot_app::organizations::{self, NewOrganization};
use headshot_app::shoots;
use headshot_app::{App, retention, roles};
use headshot_domain::{ApiKeySecret, Email, KeyId, OrgId, Role, Timestamp};
use headshot_storage::api_keys::ApiKey;
use headshot_storage::organizations::Organization;
use headshot_storage::sign_in::LinkPurpose;
use serde_json::{Value, json};

use crate::args::{
    Args, Audit, Command, ConfigCommand, CreditsCommand, Json, Key, KeyCreate, Log, Org, OrgCreate,
    Secrets, User,
};
use crate::config::Config;
use crate::{backup, demo, doctor, jobs, output, secrets, serve, studio, wiring};

mod records;

/// The most organizations that a list prints.
const ORGS_MAX: i64 = 10_000;

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let file = args.config.as_deref();
    match args.command {
        Command::Demo(demo) => demo::run(&demo).await,
        Command::Key(Key::Check { key }) => check_key(key),
        Command::Shoot(shoot) => studio::shoot::run(file, &shoot),
        Command::Remake(remake) => studio::remake::run(file, &remake),
        Command::Weights(command) => studio::weights::run(file, &command),
        Command::Serve(given) => serve::run(&Config::load(file)?, given.role).await,
        Command::Config(ConfigCommand::Check(given)) => {
            config_check(&Config::load(file)?, given.json);
            Ok(())
        }
        Command::Openapi => openapi(&Config::load(file)?),
        Command::Secrets(Secrets::PreparePepper) => prepare_pepper(&Config::load(file)?),
        Command::Secrets(Secrets::RotatePepper) => rotate_pepper(&Config::load(file)?),
        Command::Doctor(given) => doctor::run(&Config::load(file)?, given).await,
        Command::Backup(given) => backup::back_up(&Config::load(file)?, &given.folder).await,
        Command::Restore(given) => backup::restore(&Config::load(file)?, &given.folder).await,
        Command::Migrate => migrate(&Config::load(file)?).await,
        Command::Org(command) => org(&Config::load(file)?, command).await,
        Command::Key(command) => key(&Config::load(file)?, command).await,
        Command::Credits(command) => credits(&Config::load(file)?, command).await,
        Command::User(command) => user(&Config::load(file)?, command).await,
        Command::Jobs(command) => jobs::run(&Config::load(file)?, command).await,
        Command::Audit(Audit::Verify(given)) => {
            records::audit_verify(&Config::load(file)?, &given).await
        }
        Command::Audit(Audit::List(given)) => {
            let app = wiring::app(&Config::load(file)?).await?;
            records::audit_list(&app, given).await
        }
        Command::Log(Log::List(given)) => {
            let app = wiring::app(&Config::load(file)?).await?;
            records::log_list(&app, given).await
        }
    }
}

fn config_check(config: &Config, json: bool) {
    if json {
        let shown = config.shown().into_iter();
        let fields = shown.map(|(name, value)| (name.to_owned(), value));
        output::json(&Value::Object(fields.collect()));
    } else {
        for (name, value) in config.shown() {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            output::line(format!("{name:<20} {value}"));
        }
    }
}

fn openapi(config: &Config) -> anyhow::Result<()> {
    let document = headshot_web::api::openapi::document(&config.public_url);
    output::line(document.to_pretty_json()?);
    Ok(())
}

fn prepare_pepper(config: &Config) -> anyhow::Result<()> {
    let id = secrets::prepare_pepper(config, &headshot_domain::OsEntropy)?;
    output::line(format!(
        "Pepper {id} is prepared. Restart every server, then run headshot secrets rotate-pepper."
    ));
    Ok(())
}

fn rotate_pepper(config: &Config) -> anyhow::Result<()> {
    let id = secrets::rotate_pepper(config, &headshot_domain::OsEntropy)?;
    output::line(format!(
        "Pepper {id} is current from the next start on. Keys keep working."
    ));
    Ok(())
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    let db = wiring::open(config).await?;
    output::line(format!(
        "{} at {} is up to date.",
        db.product(),
        db.location()
    ));
    Ok(())
}

async fn org(config: &Config, command: Org) -> anyhow::Result<()> {
    let app = wiring::app(config).await?;
    match command {
        Org::Create(given) => org_create(&app, given).await,
        Org::Retention { org, days } => {
            let org = OrgId::from(org);
            retention::set(&app, &Actor::command_line(), &org, days).await?;
            output::line(match days {
                0 => format!("Shoots of {org} are kept."),
                days => format!("Shoots of {org} are deleted {days} days after they are finished."),
            });
            Ok(())
        }
        Org::Package { org, package } => {
            let org = OrgId::from(org);
            organizations::set_package(&app, &Actor::command_line(), &org, package).await?;
            output::line(format!("{org} is on the package {package}."));
            Ok(())
        }
        Org::Looks {
            org,
            backdrop,
            style,
            crop,
        } => {
            let (org, actor) = (OrgId::from(org), Actor::command_line());
            let looks = shoots::Looks {
                backdrops: backdrop,
                styles: style,
                crops: crop,
                logo: None,
            };
            let chosen = shoots::choose_looks(&app, (&org, &actor), looks).await?;
            output::line(format!(
                "Shoots of {org} are made with {} backdrops, {} styles, {} crops.",
                chosen.backdrops.len(),
                chosen.styles.len(),
                chosen.crops.len()
            ));
            Ok(())
        }
        Org::Embed { org, origins } => {
            let (org, actor) = (OrgId::from(org), Actor::command_line());
            let allowed = access::allow_embedding(&app, (&org, &actor), &origins).await?;
            output::line(match &*allowed {
                [] => format!("No site may show sessions of {org} in a frame."),
                some => format!(
                    "Sessions of {org} may be shown in frames of {}.",
                    some.join(", ")
                ),
            });
            Ok(())
        }
        Org::List(given) => {
            let mut conn = app.db.read().await?;
            let orgs = headshot_storage::organizations::list(&mut conn, ORGS_MAX).await?;
            if given.json {
                let list: Vec<Value> = orgs.iter().map(org_json).collect();
                output::json(&json!({ "organizations": list }));
            } else {
                for org in orgs {
                    output::line(format!("{}  {:<12}  {}", org.id, org.plan, org.name));
                }
            }
            Ok(())
        }
    }
}

fn org_json(org: &Organization) -> Value {
    json!({
        "uid": org.id.as_str(),
        "name": org.name,
        "website": org.website,
        "plan": org.plan.name(),
        "whitelabel": org.whitelabel,
        "createdAt": org.created_at.to_string(),
    })
}

async fn org_create(app: &App, given: OrgCreate) -> anyhow::Result<()> {
    let new = NewOrganization {
        name: given.name,
        website: given.website,
        owner: given.owner_email,
        plan: given.plan,
        credits: given.credits.0,
        whitelabel: given.whitelabel,
    };
    let created = organizations::create(app, &Actor::command_line(), new).await?;
    let url = created
        .setup_token
        .map(|token| format!("{}/auth/setup?token={token}", app.settings.public_url));
    if given.json.json {
        output::json(&json!({
            "organization": org_json(&created.org),
            "owner": { "id": created.owner.id.as_str(), "email": created.owner.email, "setupUrl": url },
        }));
    } else {
        output::line(format!(
            "Organization {} ({}) is created.",
            created.org.id, created.org.name
        ));
        match url {
            Some(url) => output::line(format!(
                "{} sets a password with this link, once, within 7 days:\n{url}",
                created.owner.email
            )),
            None => output::line(format!("{} signs in as before.", created.owner.email)),
        }
    }
    Ok(())
}

async fn key(config: &Config, command: Key) -> anyhow::Result<()> {
    let app = wiring::app(config).await?;
    match command {
        Key::Create(given) => key_create(&app, given).await,
        Key::List { org, json } => {
            let org = OrgId::from(org);
            known_org(&app, Some(org.to_string())).await?;
            let keys = keys::list(&app, &org).await?;
            if json.json {
                let list: Vec<Value> = keys.live.iter().map(key_json).collect();
                output::json(&json!({ "keys": list }));
            } else {
                for key in &keys.live {
                    output::line(key_line(key));
                }
            }
            Ok(())
        }
        Key::Delete { id, json } => {
            let actor = Actor::command_line();
            let mut deleted = keys::delete(&app, &actor, None, &KeyId::from(id)).await?;
            // Where it fails, the receipt is left to a server's worker.
            let _recorded = (&mut deleted.recorded).await;
            let at = deleted.receipt.effective_at;
            if json.json {
                output::json(&json!({
                    "id": deleted.key.id.as_str(),
                    "effectiveAt": at.to_string(),
                    "acknowledged": deleted.receipt.acknowledged,
                    "lapsed": deleted.receipt.lapsed,
                    "lastUsedAt": deleted.key.last_use.map(|last| last.at.to_string()),
                }));
            } else {
                output::line(format!("No process accepts {} since {at}.", deleted.key.id));
            }
            Ok(())
        }
        Key::Check { key } => check_key(key),
    }
}

/// The organization that was given, if one was; it must exist.
async fn known_org(app: &App, given: Option<String>) -> anyhow::Result<Option<OrgId>> {
    let Some(org) = given.map(OrgId::from) else {
        return Ok(None);
    };
    let mut conn = app.db.read().await?;
    let known = headshot_storage::organizations::find(&mut conn, &org).await?;
    match known {
        Some(known) => Ok(Some(known.id)),
        None => bail!("there is no organization {org}"),
    }
}

fn key_line(key: &ApiKey) -> String {
    let expiry = match key.expires_at {
        Some(at) => format!("expires {at}"),
        None => "never expires".to_owned(),
    };
    let last_use = match &key.last_use {
        Some(last) => format!("last used {}", last.at),
        None => "never used".to_owned(),
    };
    format!(
        "{}  {}  {:<24}  {}  {expiry}  {last_use}",
        key.id, key.hint, key.name, key.scopes
    )
}

fn key_json(key: &ApiKey) -> Value {
    json!({
        "id": key.id.as_str(),
        "name": key.name,
        "hint": key.hint.to_string(),
        "scopes": key.scopes.names(),
        "networks": key.networks.to_string(),
        "createdBy": key.created_by,
        "createdAt": key.created_at.to_string(),
        "expiresAt": key.expires_at.map(|at| at.to_string()),
        "lastUsedAt": key.last_use.as_ref().map(|last| last.at.to_string()),
    })
}

async fn key_create(app: &App, given: KeyCreate) -> anyhow::Result<()> {
    let now: Timestamp = app.clock.now();
    let new = NewKey {
        name: given.name,
        scopes: given.scopes,
        networks: given.networks,
        expires_at: given.expires_in.map(|life| now.plus(life)),
        nonce: None,
    };
    let org = OrgId::from(given.org);
    let (key, secret) = keys::create(app, &Actor::command_line(), &org, new).await?;
    let expires_at = key.expires_at.map(|at| at.to_string());
    if given.json.json {
        output::json(&json!({
            "id": key.id.as_str(),
            "key": secret.expose(),
            "scopes": key.scopes.names(),
            "expiresAt": expires_at,
        }));
    } else {
        output::line(format!("Key {} ({}), shown only now:", key.id, key.scopes));
        output::line(secret.expose());
        if let Some(at) = expires_at {
            output::line(format!("It works until {at}."));
        }
    }
    Ok(())
}

fn check_key(key: String) -> anyhow::Result<()> {
    let key = if key == "-" {
        // A key and a line break; more is no key.
        const LENGTH_MAX: u64 = 4_096;
        let mut text = String::new();
        std::io::stdin()
            .take(LENGTH_MAX)
            .read_to_string(&mut text)?;
        text.trim().to_owned()
    } else {
        key
    };
    match ApiKeySecret::parse(&key) {
        Ok(secret) => {
            output::line(format!(
                "{} is well-formed; whether it works only the server knows.",
                secret.hint()
            ));
            Ok(())
        }
        Err(wrong) => bail!("{wrong}"),
    }
}

async fn credits(config: &Config, command: CreditsCommand) -> anyhow::Result<()> {
    let CreditsCommand::Grant { org, amount, json } = command;
    let app = wiring::app(config).await?;
    let org = OrgId::from(org);
    let balance = organizations::grant(&app, &Actor::command_line(), &org, amount).await?;
    if json.json {
        let number = |text: String| text.parse::<serde_json::Number>().map(Value::Number);
        output::json(
            &json!({ "organization": org.as_str(), "balance": number(balance.to_string())? }),
        );
    } else {
        output::line(format!("{org} has {balance} credits."));
    }
    Ok(())
}

async fn user_role(
    app: &App,
    org: &OrgId,
    (email, role): (&Email, Role),
    json: Json,
) -> anyhow::Result<()> {
    let actor = Actor::command_line();
    let user = roles::set(app, (org, &actor), (email, None), (role, None)).await?;
    let token = if user.password_hash.is_none() {
        accounts::make_link(app, &actor, email, LinkPurpose::Setup).await?
    } else {
        None
    };
    let setup_url =
        token.map(|token| format!("{}/auth/setup?token={token}", app.settings.public_url));
    if json.json {
        output::json(&json!({
            "organization": org.as_str(),
            "email": email.as_str(),
            "role": role.name(),
            "setupUrl": setup_url,
        }));
        return Ok(());
    }
    output::line(format!("{email} is {role} of {org}."));
    if let Some(url) = setup_url {
        output::line(format!(
            "The person sets a password with this link, once, within 7 days:\n{url}"
        ));
    }
    Ok(())
}

async fn user(config: &Config, command: User) -> anyhow::Result<()> {
    let app = wiring::app(config).await?;
    let (email, json) = match command {
        User::ResetPassword { email, json } => (email, json),
        User::Role {
            email,
            role,
            org,
            json,
        } => return user_role(&app, &OrgId::from(org), (&email, role), json).await,
        User::Retry { email, org } => {
            let by = (&OrgId::from(org), &Actor::command_line());
            members::retry(&app, by, &email).await?;
            output::line(format!(
                "{email} can begin again, and is mailed so; earlier headshots are deleted."
            ));
            return Ok(());
        }
        User::Remove { email, org } => {
            let by = (&OrgId::from(org), &Actor::command_line());
            members::remove(&app, by, &email).await?;
            output::line(format!(
                "{email} is no member any more; all headshots and uploads are deleted."
            ));
            return Ok(());
        }
    };
    let link =
        accounts::make_link(&app, &Actor::command_line(), &email, LinkPurpose::Reset).await?;
    let Some(token) = link else {
        bail!("there is nobody with the address {email}")
    };
    let url = format!("{}/auth/setup?token={token}", app.settings.public_url);
    if json.json {
        output::json(&json!({ "email": email.as_str(), "resetUrl": url }));
    } else {
        output::line(format!(
            "{email} sets a new password with this link, once, within 7 days:\n{url}"
        ));
    }
    Ok(())
}
