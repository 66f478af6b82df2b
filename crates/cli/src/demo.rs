//! `headshot demo`: an organization to try everything with, made through the same use cases as any
//! other.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyhow::Context;
use headshot_app::App;
use headshot_app::accounts::{self, Visitor};
use headshot_app::audit::Actor;
use headshot_app::keys::{self, NewKey};
use headshot_app::organizations::{self, NewOrganization};
use headshot_domain::{ApiKeySecret, Credits, Email, Networks, OrgId, Plan, Role, ScopeSet};
use headshot_storage::sign_in::LinkPurpose;
use serde::{Deserialize, Serialize};

use crate::args::Demo;
use crate::config::Config;
use crate::{output, secrets, serve, wiring};

/// What the demo remembers of itself, so that the next run has the same login.
#[derive(Debug, Serialize, Deserialize)]
struct Login {
    organization: String,
    email: String,
    password: String,
}

const FILE: &str = "demo.json";
const OWNER: &str = "owner@acme.example";
const TEAMS: [&str; 3] = ["Marketing", "Engineering", "Sales"];
/// Name, address, and the place of the team in [`TEAMS`].
const MEMBERS: [(&str, &str, usize); 6] = [
    ("Amara Okafor", "amara@acme.example", 0),
    ("Jonas Lindqvist", "jonas@acme.example", 0),
    ("Mei Tanaka", "mei@acme.example", 1),
    ("Daniel O'Neill", "daniel@acme.example", 1),
    ("Sofía Hernández", "sofia@acme.example", 1),
    ("Omar Haddad", "omar@acme.example", 2),
];

pub(crate) async fn run(args: &Demo) -> anyhow::Result<()> {
    let config = Config::demo(&args.data_dir, args.listen)?;
    wiring::start_logging(&config)?;
    let listener = serve::bind(&config).await?;
    let config = config.listening_on(listener.local_addr()?);
    let app = wiring::app(&config).await?;
    let (login, fresh) = match load(&args.data_dir)? {
        Some(login) => (login, false),
        None => (create(&app, &args.data_dir).await?, true),
    };
    let key = if fresh || args.new_key {
        Some(new_key(&app, &login).await?)
    } else {
        None
    };
    print(&app, &login, key.as_ref()).await?;
    serve::serve(&config, app, (headshot_app::Roles::All, listener)).await
}

fn load(folder: &Path) -> anyhow::Result<Option<Login>> {
    let path = folder.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map(Some).with_context(|| {
            format!(
                "{} is not valid: remove {}",
                path.display(),
                folder.display()
            )
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} can't be read", path.display())),
    }
}

async fn create(app: &App, folder: &Path) -> anyhow::Result<Login> {
    let actor = Actor::command_line();
    let email: Email = OWNER.parse()?;
    let new = NewOrganization {
        name: "Acme Corporation".to_owned(),
        website: "https://acme.example".to_owned(),
        owner: email.clone(),
        plan: Plan::Standard,
        credits: Some(Credits::whole(100)),
        whitelabel: true,
    };
    let created = organizations::create(app, &actor, new).await?;
    let password = accounts::new_token(&*app.entropy)[..16].to_owned();
    set_password(app, &email, &password).await?;
    let org = &created.org.id;
    let mut teams = Vec::new();
    for name in TEAMS {
        teams.push(organizations::create_team(app, &actor, org, name).await?);
    }
    for (name, address, team) in MEMBERS {
        let team = teams.get(team).map(|team| &team.id);
        let person = (&address.parse()?, name);
        organizations::add_member(app, org, person, (Role::Member, team)).await?;
    }
    let login = Login {
        organization: org.to_string(),
        email: OWNER.to_owned(),
        password,
    };
    let text = serde_json::to_string_pretty(&login)?;
    // Last: a run that was stopped before this begins anew with another organization.
    secrets::write_private(&folder.join(FILE), &text)?;
    Ok(login)
}

async fn set_password(app: &App, email: &Email, password: &str) -> anyhow::Result<()> {
    let actor = Actor::command_line();
    let link = accounts::make_link(app, &actor, email, LinkPurpose::Setup).await?;
    let token = link.context("the demo's owner is missing")?;
    let visitor = Visitor {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent: "headshot demo".to_owned(),
        device: None,
    };
    let password = password.to_owned().into();
    accounts::set_password_by_link(app, &visitor, &token, (Some("Olivia Owner"), password)).await?;
    Ok(())
}

async fn new_key(app: &App, login: &Login) -> anyhow::Result<ApiKeySecret> {
    let new = NewKey {
        name: "Demo".to_owned(),
        scopes: ScopeSet::FULL,
        networks: Networks::default(),
        expires_at: None,
        nonce: None,
    };
    let org = OrgId::from(login.organization.as_str());
    let (_, secret) = keys::create(app, &Actor::command_line(), &org, new).await?;
    Ok(secret)
}

async fn print(app: &App, login: &Login, key: Option<&ApiKeySecret>) -> anyhow::Result<()> {
    let url = &app.settings.public_url;
    let actor = Actor::command_line();
    let link = accounts::make_link(app, &actor, &login.email.parse()?, LinkPurpose::SignIn).await?;
    let token = link.with_context(|| {
        format!("the demo's data does not fit its {FILE}: remove the folder and run again")
    })?;
    output::line("Headshot demo: Acme Corporation\n");
    output::line(format!("  Dashboard  {url}/app/admin/overview"));
    output::line(format!("  Email      {}", login.email));
    output::line(format!("  Password   {}", login.password));
    output::line(format!(
        "  Or sign in by this link, once:\n             {url}/auth/magic?token={token}\n"
    ));
    match key {
        Some(key) => {
            output::line(format!("  API key    {}   (shown once)\n", key.expose()));
            output::line("  Call the API now:\n");
            output::line(format!(
                "curl {url}/api/v2/organization -H \"Authorization: Bearer {}\" -H \"Content-Type: application/json\"\n",
                key.expose()
            ));
        }
        None => output::line("  API key    shown on the first run; --new-key makes another\n"),
    }
    output::line("Stop with Ctrl-C. Run again: same data, same login.");
    Ok(())
}
