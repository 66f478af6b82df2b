//! What may depend on what, and under which licences.

use std::collections::{BTreeSet, HashMap};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use crate::step;

/// Which of our crates each of our crates may use. One way only: no arrow that is not here.
const ARROWS: &[(&str, &[&str])] = &[
    ("headshot-domain", &[]),
    ("headshot-convnet", &[]),
    ("headshot-imaging", &["headshot-convnet"]),
    ("headshot-pages", &[]),
    ("headshot-storage", &["headshot-domain"]),
    ("headshot-outbound", &["headshot-domain"]),
    ("headshot-blobs", &["headshot-domain"]),
    (
        "headshot-app",
        &[
            "headshot-domain",
            "headshot-imaging",
            "headshot-storage",
            "headshot-blobs",
            "headshot-outbound",
            "headshot-pages",
        ],
    ),
    (
        "headshot-web",
        &["headshot-domain", "headshot-app", "headshot-pages"],
    ),
    (
        "headshot",
        &[
            "headshot-domain",
            "headshot-imaging",
            "headshot-storage",
            "headshot-blobs",
            "headshot-app",
            "headshot-web",
        ],
    ),
    (
        "headshot-testkit",
        &[
            "headshot-domain",
            "headshot-storage",
            "headshot-blobs",
            "headshot-app",
        ],
    ),
    (
        "headshot-bench",
        &[
            "headshot-domain",
            "headshot-imaging",
            "headshot-storage",
            "headshot-blobs",
            "headshot-app",
            "headshot-web",
            "headshot-testkit",
        ],
    ),
    ("xtask", &[]),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

/// Checks arrows, licences and bans (by `deny.toml`), sources, and that each direct dependency has its line
/// in `docs/dependencies.md`.
pub(crate) fn check() -> anyhow::Result<()> {
    step::say("== Dependencies");
    let metadata = metadata()?;
    let own = |package: &&Package| metadata.workspace_members.contains(&package.id);
    let ours: Vec<&Package> = metadata.packages.iter().filter(own).collect();
    arrows(&ours)?;
    let text = std::fs::read_to_string(step::root().join("deny.toml")).context("deny.toml")?;
    let deny: Deny = toml::from_str(&text).context("deny.toml")?;
    licences(&metadata, &deny.licenses.allow)?;
    bans(&metadata, &deny.bans.deny)?;
    documented(&ours)?;
    step::say(&format!("   {} packages", metadata.packages.len()));
    Ok(())
}

fn metadata() -> anyhow::Result<Metadata> {
    let cargo = step::variable("CARGO").unwrap_or_else(|| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1"])
        .current_dir(step::root())
        .output()
        .context("cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("cargo metadata")
}

fn arrows(ours: &[&Package]) -> anyhow::Result<()> {
    let allowed: HashMap<_, _> = ARROWS.iter().copied().collect();
    let names: BTreeSet<&str> = ours.iter().map(|package| package.name.as_str()).collect();
    for package in ours {
        let Some(allowed) = allowed.get(package.name.as_str()) else {
            bail!("{} has no place among the arrows of xtask", package.name);
        };
        let uses = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind.is_none());
        for name in uses.map(|dependency| dependency.name.as_str()) {
            if names.contains(name) && !allowed.contains(&name) {
                bail!("{} must not use {name}", package.name);
            }
        }
    }
    Ok(())
}

fn bans(metadata: &Metadata, banned: &[Banned]) -> anyhow::Result<()> {
    for Banned { name, reason } in banned {
        let used = metadata
            .packages
            .iter()
            .any(|package| package.name == *name);
        ensure!(!used, "{name} is banned: {reason}");
    }
    Ok(())
}

fn licences(metadata: &Metadata, allowed: &[String]) -> anyhow::Result<()> {
    let is_allowed = |requirement: &spdx::LicenseReq| {
        allowed
            .iter()
            .any(|licence| *licence == requirement.to_string())
    };
    for package in &metadata.packages {
        let what = format!("{} {}", package.name, package.version);
        let registry = package
            .source
            .as_ref()
            .is_none_or(|source| source.starts_with("registry+"));
        ensure!(registry, "{what} does not come from the registry");
        let licence = package
            .license
            .as_deref()
            .with_context(|| format!("{what} has no licence"))?;
        let mode = spdx::ParseMode::LAX;
        let expression = spdx::Expression::parse_mode(licence, mode)
            .map_err(|wrong| anyhow::anyhow!("{what}: {licence}: {wrong}"))?;
        ensure!(
            expression.evaluate(is_allowed),
            "{what}: the licence {licence} is not allowed"
        );
    }
    Ok(())
}

fn documented(ours: &[&Package]) -> anyhow::Result<()> {
    let path = step::root().join("docs/dependencies.md");
    let text = std::fs::read_to_string(&path).context("docs/dependencies.md")?;
    let own: BTreeSet<&str> = ours.iter().map(|package| package.name.as_str()).collect();
    let direct: BTreeSet<&str> = ours
        .iter()
        .flat_map(|package| &package.dependencies)
        .map(|dependency| dependency.name.as_str())
        .filter(|name| !own.contains(name))
        .collect();
    let listed: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let missing: Vec<&str> = direct.difference(&listed).copied().collect();
    ensure!(
        missing.is_empty(),
        "docs/dependencies.md lacks {}",
        missing.join(", ")
    );
    let stale: Vec<&str> = listed.difference(&direct).copied().collect();
    ensure!(
        stale.is_empty(),
        "docs/dependencies.md lists unused {}",
        stale.join(", ")
    );
    Ok(())
}
