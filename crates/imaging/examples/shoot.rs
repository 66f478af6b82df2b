//! The engine alone: `cargo run --release -p headshot-imaging --example shoot -- OUT IN.jpg ...
//! [--backdrop NAME] [--style NAME] [--crop NAME] [--size WxH] [--format NAME] [--detail FILE|off] [--all]`

use headshot_imaging::analysis::select;
use headshot_imaging::{
    Assets, Backdrop, Crop, DetailWeights, Engine, Look, Options, OutputFormat, Size, Style,
};
use std::error::Error;
use std::path::{Path, PathBuf};

/// What the command line asked for.
struct Request {
    out: PathBuf,
    inputs: Vec<PathBuf>,
    look: Look,
    detail: DetailWeights,
    all: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let request = parse(std::env::args().skip(1))?;
    std::fs::create_dir_all(&request.out)?;
    let engine = Engine::new(Options {
        threads: 2,
        detail: request.detail.clone(),
    })?;
    eprintln!("detail network: {:?}", engine.detail_network());
    let mut files = Vec::new();
    let mut verdicts = Vec::new();
    for path in &request.inputs {
        let bytes = std::fs::read(path)?;
        let verdict = engine.check(&bytes)?;
        eprintln!(
            "{}: usable {}, score {:.2}",
            path.display(),
            verdict.usable,
            verdict.score
        );
        for f in &verdict.findings {
            eprintln!(
                "  {} ({:.3} against {:.3})",
                f.sentence, f.measured, f.threshold
            );
        }
        if request.all {
            eprintln!("  {}", serde_json::to_string(&verdict.quality)?);
        }
        files.push(bytes);
        verdicts.push(verdict);
    }
    for index in select::best(&verdicts) {
        shoot(&engine, &request, &request.inputs[index], &files[index])?;
    }
    Ok(())
}

fn shoot(
    engine: &Engine,
    request: &Request,
    path: &Path,
    bytes: &[u8],
) -> Result<(), Box<dyn Error>> {
    let selfie = engine.open(bytes)?;
    let mut sitting = engine.sitting(&selfie);
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or("photo");
    let looks: Vec<Look> = if request.all {
        Style::ALL
            .iter()
            .flat_map(|&style| {
                Backdrop::RENDERED
                    .into_iter()
                    .map(move |backdrop| (style, backdrop))
            })
            .map(|(style, backdrop)| Look {
                style,
                backdrop,
                ..request.look.clone()
            })
            .collect()
    } else {
        vec![request.look.clone()]
    };
    for look in looks {
        let photo = sitting.photo(&look, &Assets::default())?;
        let name = format!(
            "{stem}-{}-{:?}-{:?}.{}",
            look.backdrop.name().replace('#', ""),
            look.style,
            look.crop,
            look.format.extension()
        )
        .to_lowercase();
        std::fs::write(request.out.join(&name), &photo.bytes)?;
        eprintln!(
            "  {name}: {} x {}, tightened {}, reduced {}",
            photo.width, photo.height, photo.tightened, photo.reduced
        );
    }
    Ok(())
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Request, Box<dyn Error>> {
    let out = PathBuf::from(args.next().ok_or("the output folder is missing")?);
    let mut request = Request {
        out,
        inputs: Vec::new(),
        look: Look::default(),
        detail: DetailWeights::Small,
        all: false,
    };
    let mut size = None;
    while let Some(arg) = args.next() {
        if arg == "--all" {
            request.all = true;
            continue;
        }
        let Some(option) = arg.strip_prefix("--") else {
            request.inputs.push(PathBuf::from(arg));
            continue;
        };
        let value = args
            .next()
            .ok_or_else(|| format!("--{option} needs a value"))?;
        let json = format!("\"{value}\"");
        match option {
            "backdrop" => {
                request.look.backdrop = Backdrop::parse(&value).ok_or("no such backdrop")?;
            }
            "style" => request.look.style = serde_json::from_str::<Style>(&json)?,
            "crop" => request.look.crop = serde_json::from_str::<Crop>(&json)?,
            "format" => request.look.format = serde_json::from_str::<OutputFormat>(&json)?,
            "size" => {
                let (w, h) = value.split_once('x').ok_or("a size is WIDTHxHEIGHT")?;
                size = Some(Size {
                    width: w.parse()?,
                    height: h.parse()?,
                });
            }
            "detail" if value == "off" => request.detail = DetailWeights::Off,
            "detail" => request.detail = DetailWeights::Large(std::fs::read(&value)?),
            other => return Err(format!("unknown option --{other}").into()),
        }
    }
    request.look.size = size.unwrap_or_else(|| request.look.crop.default_size());
    Ok(request)
}
