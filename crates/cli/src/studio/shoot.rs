//! `headshot shoot`: a verdict for each selfie, headshots of the usable ones that show one person.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use headshot_imaging::analysis::identity;
use headshot_imaging::recipe::ENGINE;
use headshot_imaging::{Assets, Backdrop, Engine, Look, Photo, Selfie, Style, Verdict};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{check_is_file, engine, read_photo, weights, write_new};
use crate::args::Shoot;
use crate::output;

/// Characters of the selfie's name that a headshot's name keeps.
const STEM_MAX: usize = 100;

/// Names that are tried for one headshot.
const NAMES_MAX: u32 = 10_000;

/// What a run shares.
struct Run<'a> {
    engine: Engine,
    looks: Vec<Look>,
    args: &'a Shoot,
    progress: ProgressBar,
}

pub(crate) fn run(config: Option<&Path>, args: &Shoot) -> anyhow::Result<()> {
    args.inputs
        .iter()
        .try_for_each(|path| check_is_file(path))?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("{} can't be made", args.out.display()))?;
    let engine = engine(weights::best(config)?)?;
    let looks = looks(args);
    let progress = progress(args.inputs.len() * looks.len());
    let run = Run {
        engine,
        looks,
        args,
        progress,
    };
    let verdicts = run.verdicts()?;
    let mut told = Vec::new();
    for (input, verdict) in args.inputs.iter().zip(&verdicts) {
        let photos = run.selfie(input, verdict)?;
        told.push(json!({
            "file": input.display().to_string(),
            "verdict": verdict,
            "photos": photos,
        }));
    }
    run.progress.finish_and_clear();
    if args.json.json {
        output::json(&json!({
            "engine": { "version": ENGINE, "detail": run.engine.detail_network() },
            "selfies": told,
        }));
    } else {
        output::line(format!(
            "Detail network: {}",
            run.engine.detail_network().name()
        ));
    }
    nothing_made(&args.inputs, &verdicts)
}

/// An error unless one of the selfies is usable.
fn nothing_made(inputs: &[PathBuf], verdicts: &[Verdict]) -> anyhow::Result<()> {
    if verdicts.iter().any(|verdict| verdict.usable) {
        return Ok(());
    }
    if let ([input], [verdict]) = (inputs, verdicts) {
        let reason = verdict.findings.first();
        let sentence = reason.map_or("it can't be used", |finding| &finding.sentence);
        bail!("{}: {sentence}", input.display());
    }
    bail!("none of the {} photos can be used", inputs.len())
}

impl Run<'_> {
    /// Judges every selfie, alone and beside the others. Only verdicts are kept: opened selfies are
    /// large, so that each is opened again for its headshots.
    fn verdicts(&self) -> anyhow::Result<Vec<Verdict>> {
        let mut verdicts = Vec::new();
        let (mut usable, mut faces) = (Vec::new(), Vec::new());
        for (number, input) in self.args.inputs.iter().enumerate() {
            self.progress
                .set_message(format!("looking at {}", input.display()));
            let (verdict, face) = self.engine.judge(&read_photo(input)?)?;
            verdicts.push(verdict);
            if let Some(face) = face {
                usable.push(number);
                faces.push(face);
            }
        }
        if !self.args.several_people {
            for (number, identity) in usable.into_iter().zip(identity::compare(&faces)) {
                if let Some(verdict) = verdicts.get_mut(number) {
                    *verdict = verdict.compared(identity);
                }
            }
        }
        Ok(verdicts)
    }

    /// Makes a selfie's headshots, if it is usable.
    fn selfie(&self, input: &Path, verdict: &Verdict) -> anyhow::Result<Vec<Value>> {
        self.tell(|| print_verdict(input, verdict));
        if !verdict.usable {
            self.progress.inc(as_u64(self.looks.len()));
            return Ok(Vec::new());
        }
        let selfie = self.engine.open(&read_photo(input)?)?;
        self.photos(input, &selfie)
    }

    fn photos(&self, input: &Path, selfie: &Selfie) -> anyhow::Result<Vec<Value>> {
        let mut sitting = self.engine.sitting(selfie);
        let mut photos = Vec::new();
        for look in &self.looks {
            let backdrop = look.backdrop.name();
            self.progress
                .set_message(format!("{} before {backdrop}", input.display()));
            let photo = sitting.photo(look, &Assets::default())?;
            let path = self.save(input, look, &photo)?;
            self.tell(|| print_photo(&path, &photo));
            photos.push(json!({
                "file": path.display().to_string(),
                "width": photo.width,
                "height": photo.height,
                "backdrop": backdrop,
                "style": look.style,
                "crop": look.crop,
                "tightened": photo.tightened,
                "reduced": photo.reduced,
                "restored": photo.recipe.restored,
            }));
            self.progress.inc(1);
        }
        Ok(photos)
    }

    /// Writes under the first name that is free: two selfies may have the same name, and one of
    /// them may lie in the folder itself.
    fn save(&self, input: &Path, look: &Look, photo: &Photo) -> anyhow::Result<PathBuf> {
        let name = file_name(input, look);
        let extension = look.format.extension();
        for number in 1..=NAMES_MAX {
            let path = self.args.out.join(match number {
                1 => format!("{name}.{extension}"),
                _ => format!("{name}-{number}.{extension}"),
            });
            match write_new(&path, &photo.bytes) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let cannot = format!("{} can't be written", path.display());
                    return Err(error).context(cannot);
                }
            }
        }
        bail!(
            "{} holds too many files named {name}",
            self.args.out.display()
        )
    }

    /// Prints for people, without disturbing the bar.
    fn tell(&self, print: impl FnOnce()) {
        if !self.args.json.json {
            self.progress.suspend(print);
        }
    }
}

/// The looks of one selfie, ordered so that one cut-out and one grade serve many of them.
fn looks(args: &Shoot) -> Vec<Look> {
    let styles = match args.style {
        None if args.all => Style::ALL.to_vec(),
        given => vec![given.unwrap_or_default()],
    };
    let backdrops = match &args.backdrop {
        None if args.all => Backdrop::RENDERED.to_vec(),
        given => vec![given.clone().unwrap_or_default()],
    };
    let look = Look {
        crop: args.crop,
        size: args.size.unwrap_or_else(|| args.crop.default_size()),
        format: args.format,
        ..Look::default()
    };
    let in_style = |style: Style| {
        let look = &look;
        backdrops.iter().map(move |backdrop| Look {
            style,
            backdrop: backdrop.clone(),
            ..look.clone()
        })
    };
    styles.into_iter().flat_map(in_style).collect()
}

fn file_name(input: &Path, look: &Look) -> String {
    let stem = input.file_stem().unwrap_or_default().to_string_lossy();
    let stem: String = stem.chars().take(STEM_MAX).collect();
    let backdrop = look.backdrop.name().replace('#', "").to_lowercase();
    format!(
        "{stem}-{backdrop}-{}-{}",
        look.style.name(),
        look.crop.name()
    )
}

fn print_verdict(input: &Path, verdict: &Verdict) {
    let name = input.display();
    if verdict.usable {
        output::line(format!("{name}: usable, score {:.2}", verdict.score));
    } else {
        output::line(format!("{name}: refused"));
    }
    for finding in &verdict.findings {
        let sentence = &finding.sentence;
        // Without measurements there was no photo, or nobody on it.
        output::line(match verdict.quality {
            Some(_) => format!(
                "  {sentence} ({}: {:.2}, limit {:.2})",
                finding.code, finding.measured, finding.threshold
            ),
            None => format!("  {sentence} ({})", finding.code),
        });
    }
}

fn print_photo(path: &Path, photo: &Photo) {
    let mut line = format!("  {}, {} x {}", path.display(), photo.width, photo.height);
    if let Some(times) = photo.recipe.restored {
        let told = format!(", restored: the photo was drawn {times} times as large");
        line.push_str(&told);
    }
    if photo.reduced {
        line.push_str(", smaller than asked for: the photo has too few pixels");
    }
    if photo.tightened {
        line.push_str(", closer than asked for: the photo shows too little");
    }
    output::line(line);
}

/// A bar on a terminal, nothing elsewhere.
fn progress(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(as_u64(steps));
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    bar
}

fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
