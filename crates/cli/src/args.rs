//! The command line. Names and commands are stable: scripts use them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use headshot_domain::{Credits, Email, Plan, ScopeSet};

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
    /// The server's secrets.
    #[command(subcommand)]
    Secrets(Secrets),
    /// Bring the database's schema up to date. Other commands do it too when they start.
    #[command(after_help = "Example:\n  headshot migrate")]
    Migrate,
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the OpenAPI document of this server.
    #[command(after_help = "Example:\n  headshot openapi > openapi.json")]
    Openapi,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Org {
    /// Create an organization and its owner; prints the owner's one-time set-password link.
    #[command(
        after_help = "Example:\n  headshot org create --name \"Acme Corporation\" --owner-email owner@acme.com --plan enterprise --credits 100"
    )]
    Create(OrgCreate),
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
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check that no row was changed, removed or inserted.
    #[command(after_help = "Example:\n  headshot audit verify --json")]
    Verify(Json),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Retire the pepper and make a new one. Keys keep working; restart the servers.
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
