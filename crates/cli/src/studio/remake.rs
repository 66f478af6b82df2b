//! `headshot remake`: a headshot again, from the recipe that it carries and the selfie.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use headshot_imaging::weights::{DETAIL_LARGE, DETAIL_SMALL, sha256_hex};
use headshot_imaging::{Assets, DetailWeights, Recipe};
use serde_json::json;

use super::{check_is_file, engine, read_photo, weights, write_new};
use crate::args::Remake;
use crate::output;

pub(crate) fn run(config: Option<&Path>, args: &Remake) -> anyhow::Result<()> {
    let photo = read_photo(&args.photo)?;
    let recipe = Recipe::from_photo(&photo)
        .with_context(|| format!("{} carries no recipe of this engine", args.photo.display()))?;
    let selfie = selfie(&args.selfie, &recipe)?;
    let assets = assets(args)?;
    let engine = engine(detail(config, &recipe)?)?;
    let mut selfie = engine.open(&selfie)?;
    if recipe.restored.is_none() {
        selfie = selfie.as_it_is();
    }
    let again = engine.sitting(&selfie).remake(&recipe, &assets)?;
    write_new(&args.out, &again.bytes)
        .with_context(|| format!("{} can't be written", args.out.display()))?;
    let identical = again.bytes == photo;
    if args.json.json {
        output::json(&json!({
            "file": args.out.display().to_string(),
            "width": again.width,
            "height": again.height,
            "identical": identical,
        }));
    } else {
        let compared = if identical {
            "the same bytes as"
        } else {
            "other bytes than"
        };
        let (out, photo) = (args.out.display(), args.photo.display());
        output::line(format!("{out}: {compared} {photo}"));
    }
    ensure!(
        identical,
        "{} was changed since it was made, or was made by another build or kind of processor",
        args.photo.display()
    );
    Ok(())
}

/// The file that the recipe names by its digest.
fn selfie(given: &[PathBuf], recipe: &Recipe) -> anyhow::Result<Vec<u8>> {
    for path in given {
        check_is_file(path)?;
        let bytes = read_photo(path)?;
        if sha256_hex(&bytes) == recipe.input {
            return Ok(bytes);
        }
    }
    bail!(
        "made from another selfie, the one with SHA-256 {}",
        recipe.input
    )
}

fn assets(args: &Remake) -> anyhow::Result<Assets> {
    let mut assets = Assets::default();
    if let Some(path) = &args.backdrop_image {
        let added = assets.add_backdrop(&read_photo(path)?);
        added.with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &args.logo {
        let added = assets.add_logo(&read_photo(path)?);
        added.with_context(|| path.display().to_string())?;
    }
    Ok(assets)
}

/// The detail network that the recipe was made with.
fn detail(config: Option<&Path>, recipe: &Recipe) -> anyhow::Result<DetailWeights> {
    if recipe.weights.contains_key(DETAIL_LARGE) {
        let large = weights::large(config)?;
        return large.map(DetailWeights::Large).context(
            "made with the large detail network, which is not here: headshot weights fetch",
        );
    }
    Ok(if recipe.weights.contains_key(DETAIL_SMALL.name) {
        DetailWeights::Small
    } else {
        DetailWeights::Off
    })
}
