//! `headshot demo`: an organization to try everything with, made through the same use cases as any
//! other.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use headshot_app::access::{self, Visit};
use headshot_app::accounts::{self, Visitor};
use headshot_app::audit::Actor;
use headshot_app::consent::{self, Said};
use headshot_app::idempotency::Once;
use headshot_app::keys::{self, NewKey};
use headshot_app::organizations::{self, NewOrganization};
use headshot_app::{App, Roles, gallery, invites, roles, shoots, teams, uploads};
use headshot_domain::{
    ApiKeySecret, Credits, Email, Gender, Liked, ModelStatus, Networks, OrgId, Plan, Role,
    ScopeSet, TeamId,
};
use headshot_imaging::portraits;
use headshot_storage::sign_in::LinkPurpose;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::args::Demo;
use crate::config::Config;
use crate::{output, secrets, serve, wiring};

/// What the demo remembers of itself, so that the next run has the same login.
#[derive(Debug, Serialize, Deserialize)]
struct Login {
    organization: String,
    email: String,
    password: String,
    /// An open invite, to try what an invited person sees.
    #[serde(default)]
    invite: String,
}

/// How often it is looked how far the samples are.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Who is invited in the demo.
const INVITED: &str = "new.colleague@acme.example";

/// A person whose headshots are made of a bundled portrait, under the person's true name.
struct Sample {
    name: &'static str,
    email: &'static str,
    gender: Gender,
    /// The place of the team in [`TEAMS`].
    team: usize,
    /// Which of the bundled portraits are the person's selfies.
    portraits: &'static [&'static str],
}

fn samples() -> [Sample; 2] {
    [
        Sample {
            name: "Eileen Collins",
            email: "eileen@acme.example",
            gender: Gender::Female,
            team: 1,
            portraits: &["astronaut"],
        },
        Sample {
            name: "Barack Obama",
            email: "barack@acme.example",
            gender: Gender::Male,
            team: 0,
            portraits: &["obama", "obama2"],
        },
    ]
}

const FILE: &str = "demo.json";
const UNFINISHED: &str = "demo.unfinished";
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
    let known = load(&args.data_dir)?;
    let beginning = match known {
        Some(_) => None,
        None => Some(Beginning::of(&args.data_dir)?),
    };
    let app = wiring::app(&config).await?;
    let (login, fresh) = match known {
        Some(login) => (login, false),
        None => (create(&app, &args.data_dir).await?, true),
    };
    if let Some(beginning) = beginning {
        beginning.end()?;
    }
    let key = if fresh || args.new_key {
        Some(new_key(&app, &login).await?)
    } else {
        None
    };
    let stop = serve::stop_signal()?;
    print(&app, &login, key.as_ref()).await?;
    serve::serve(&config, app, (Roles::All, listener), stop).await
}

/// A folder whose demo is being made. Its file says that nothing else is in there: a run that was
/// stopped before the end is forgotten by the next one, which begins anew.
struct Beginning {
    path: PathBuf,
    /// Locked for as long as this process is at it.
    _file: File,
}

impl Beginning {
    fn of(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{} can't be made", folder.display()))?;
        let path = folder.join(UNFINISHED);
        let others = || -> std::io::Result<Vec<PathBuf>> {
            let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
            entries
                .filter(|entry| entry.as_ref().ok() != Some(&path))
                .collect()
        };
        let again = path.exists();
        if !again && !others()?.is_empty() {
            bail!(
                "{} holds something that is no demo: choose another --data-dir",
                folder.display()
            );
        }
        let file = File::create(&path)?;
        if file.try_lock().is_err() {
            bail!("another demo is being made in {}", folder.display());
        }
        for left in others()? {
            if left.is_dir() {
                std::fs::remove_dir_all(&left)?;
            } else {
                std::fs::remove_file(&left)?;
            }
        }
        Ok(Self { path, _file: file })
    }

    fn end(self) -> anyhow::Result<()> {
        std::fs::remove_file(&self.path)
            .with_context(|| format!("{} can't be removed", self.path.display()))
    }
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

async fn create(app: &Arc<App>, folder: &Path) -> anyhow::Result<Login> {
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
        teams.push(
            teams::create(app, (org, &actor), name, Once::unkept())
                .await?
                .0,
        );
    }
    for (name, address, team) in MEMBERS {
        let team = teams.get(team).map(|team| &team.id);
        let person = (&address.parse()?, Some(name));
        roles::set(app, (org, &actor), person, (Role::Member, team)).await?;
    }
    let mut visits = Vec::new();
    for sample in samples() {
        let team = teams.get(sample.team).map(|team| &team.id);
        visits.push(shoot(app, (org, &actor), (&sample, team)).await?);
    }
    make(app, &visits).await?;
    choose(app, &visits).await?;
    let invite = invites::create(
        app,
        (org, &actor),
        (&INVITED.parse()?, teams.first().map(|team| &team.id)),
        Once::unkept(),
    )
    .await?;
    let login = Login {
        organization: org.to_string(),
        email: OWNER.to_owned(),
        password,
        invite: invite.id.to_string(),
    };
    let text = serde_json::to_string_pretty(&login)?;
    // Last: a run that was stopped before this is forgotten.
    secrets::write_private(&folder.join(FILE), &text)?;
    Ok(login)
}

/// Leads a sample through the same use cases as anybody: invited, joined, agreed, uploaded, submitted.
async fn shoot(
    app: &App,
    by: (&OrgId, &Actor),
    (sample, team): (&Sample, Option<&TeamId>),
) -> anyhow::Result<Visit> {
    let home = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let email: Email = sample.email.parse()?;
    let invite = invites::create(app, by, (&email, team), Once::unkept()).await?;
    let joined = invites::join(app, &invite.id, (&email, Some(sample.name))).await?;
    let visit = access::open(app, &joined.token).await?;
    let visit = visit.context("the sample's session is missing")?;
    let said = Said {
        name: sample.name,
        gender: Some(sample.gender),
        version: consent::VERSION,
    };
    consent::give(app, &visit, said, home).await?;
    let bundled = portraits::ALL.iter();
    for portrait in bundled.filter(|portrait| sample.portraits.contains(&portrait.name)) {
        uploads::add(app, &visit, portrait.bytes.into()).await?;
    }
    shoots::submit(app, &visit).await?;
    Ok(visit)
}

/// Makes the headshots of submitted sessions as a worker does, and tells how far it is.
async fn make(app: &Arc<App>, visits: &[Visit]) -> anyhow::Result<()> {
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template(
        "Making sample headshots {bar:30} {pos}/{len}",
    )?);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(Arc::clone(app).run(Roles::Worker, stop.clone()));
    loop {
        let (mut made, mut total, mut left) = (0, 0, 0);
        for visit in visits {
            let progress = shoots::progress(app, visit).await?;
            made += progress.made;
            total += progress.total;
            left += usize::from(progress.status != ModelStatus::Active);
        }
        bar.set_length(total.unsigned_abs());
        bar.set_position(made.unsigned_abs());
        if left == 0 {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bar.finish_and_clear();
    stop.cancel();
    worker.await?;
    Ok(())
}

/// Lets each person choose one of the headshots.
async fn choose(app: &App, visits: &[Visit]) -> anyhow::Result<()> {
    for visit in visits {
        let of = (&visit.org.id, &visit.model.id);
        let first = gallery::some(app, of, &[]).await?.into_iter().next();
        let first = first.context("a sample's headshots are missing")?;
        gallery::rate(app, visit, &first.id, Liked::Loved).await?;
        gallery::choose(app, visit, &first.id).await?;
    }
    Ok(())
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
    let named = (Some("Olivia Owner"), password);
    let session = accounts::set_password_by_link(app, &visitor, &token, named).await?;
    // Nobody sits at that browser.
    let signed_in = accounts::session(app, &session.token).await?;
    let signed_in = signed_in.context("the owner's session is missing")?;
    accounts::sign_out(app, &signed_in, visitor.address).await?;
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
    if !login.invite.is_empty() {
        output::line(format!(
            "  Make headshots of yourself, as an invited person:\n             {url}/auth/signup?invite={}\n",
            login.invite
        ));
    }
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
