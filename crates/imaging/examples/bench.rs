//! The figures that the engine promises:
//! `cargo run --release -p headshot-imaging --example bench [-- THREADS [U2NET.onnx|off]]`
//!
//! The upload is a bundled portrait enlarged to 12 megapixels (3100 x 3873), because no camera file
//! of that size with a free licence is bundled. Beside it, `tools/peer.py` does nearly the same job
//! in Python; it reads the file that `--save FILE` writes.

#![expect(clippy::cast_precision_loss, reason = "small counts")]
#![expect(clippy::print_stdout, reason = "the figures are its output")]
#![expect(
    clippy::unit_arg,
    reason = "dropping the result is the last step of a timed run"
)]

use headshot_imaging::backdrop::Scene;
use headshot_imaging::composite::{Edge, composite};
use headshot_imaging::encode::encode;
use headshot_imaging::light::SourceQuality;
use headshot_imaging::matte::foreground;
use headshot_imaging::raster::{Kernel, Rect, Rgb8, resize_rgb, resize_rgb8};
use headshot_imaging::{
    Assets, Backdrop, DetailWeights, Engine, Look, Options, OutputFormat, Selfie, Style, decode,
    frame, light, matte,
};
use std::error::Error;
use std::path::Path;
use std::time::Instant;

/// Each figure is the median of this many runs.
const RUNS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let upload = upload()?;
    if let Some(i) = args.iter().position(|a| a == "--save") {
        std::fs::write(args.get(i + 1).ok_or("--save needs a file")?, &upload)?;
        return Ok(());
    }
    let threads = args.first().map_or(Ok(2), |a| a.parse())?;
    let detail = match args.get(1).map(String::as_str) {
        Some("off") => DetailWeights::Off,
        Some(path) => DetailWeights::Large(std::fs::read(path)?),
        None => DetailWeights::Small,
    };
    let started = Instant::now();
    let engine = Engine::new(Options { threads, detail })?;
    println!(
        "{threads} threads, detail network {:?}, engine loaded in {:.0} ms",
        engine.detail_network(),
        started.elapsed().as_secs_f64() * 1e3
    );
    let assets = Assets::default();
    figure("decode alone", || Ok(drop(decode::decode(&upload)?)))?;
    figure("verdict on 12 MP", || Ok(drop(engine.check(&upload)?)))?;
    figure("open (verdict and detail network)", || {
        Ok(drop(engine.open(&upload)?))
    })?;
    figure("12 MP JPEG to 1024 x 1280 JPEG", || {
        let selfie = engine.open(&upload)?;
        let photo = engine.sitting(&selfie).photo(&Look::default(), &assets)?;
        assert_eq!((photo.width, photo.height), (1024, 1280));
        Ok(())
    })?;
    let selfie = engine.open(&upload)?;
    let mut sitting = engine.sitting(&selfie);
    let looks: Vec<Look> = Style::ALL
        .iter()
        .flat_map(|&style| {
            Backdrop::RENDERED.into_iter().map(move |backdrop| Look {
                style,
                backdrop,
                ..Look::default()
            })
        })
        .collect();
    sitting.photo(&looks[0], &assets)?;
    figure("40 photos of one cut-out, each", || {
        for look in &looks {
            sitting.photo(look, &assets)?;
        }
        Ok(())
    })
    .map(|(wall, cpu)| {
        let n = looks.len() as f64;
        println!(
            "  per further photo: {:.1} ms wall, {:.1} ms CPU",
            wall / n,
            cpu / n
        );
    })?;
    println!("peak memory: {:.0} MiB", peak_mib()?);
    if args.iter().any(|a| a == "--stages") {
        stages(&selfie)?;
    }
    Ok(())
}

/// Where the time of a cut-out goes; on the calling thread's pool.
fn stages(selfie: &Selfie) -> Result<(), Box<dyn Error>> {
    let look = Look::default();
    let frame = frame::choose(&selfie.subject(), look.crop, look.size);
    figure("  frame", || {
        std::hint::black_box(frame::choose(&selfie.subject(), look.crop, look.size));
        Ok(())
    })?;
    figure("  extract", || {
        Ok(drop(frame.extract(&selfie.pixels, selfie.scale())))
    })?;
    let photo = frame.extract(&selfie.pixels, selfie.scale());
    let points = selfie
        .landmarks
        .mapped(|x, y| frame.to_picture(x, y), 1.0 / frame.step);
    let detail = selfie.detail.as_ref();
    let solve = || matte::solve(&photo, &frame, &points, &selfie.coarse, detail);
    figure("  matte", || Ok(drop(solve())))?;
    let matte = solve();
    let (gw, gh) = matte::grid(photo.width(), photo.height());
    let small = resize_rgb(&photo, gw, gh, Kernel::Sharp);
    figure("    solver", || {
        Ok(drop(matte::closed_form::solve(&small, &matte.band)))
    })?;
    figure("    refine", || {
        Ok(drop(matte::guided::refine(&small, &matte.solved, &photo)))
    })?;
    println!("    {:?}", matte.effort);
    figure("  noise estimate", || {
        std::hint::black_box(matte::noise::estimate(&photo));
        Ok(())
    })?;
    figure("  foreground", || {
        Ok(drop(foreground::estimate(&photo, &matte.alpha)))
    })?;
    let mut colours = foreground::estimate(&photo, &matte.alpha);
    figure("  despill", || {
        foreground::despill(&mut colours, &matte.alpha, 25.0, 0.6);
        Ok(())
    })?;
    let source = SourceQuality {
        noise: 0.0,
        enlargement: 1.0,
    };
    let prepare = || light::prepare(&colours, &matte.alpha, &points, source);
    figure("  light, prepare", || Ok(drop(prepare())))?;
    let prepared = prepare();
    figure("  light, grade", || {
        Ok(drop(light::grade(&prepared, &matte.alpha, Style::Studio)))
    })?;
    let graded = light::grade(&prepared, &matte.alpha, Style::Studio);
    figure("  edge", || Ok(drop(Edge::new(&matte.alpha))))?;
    let edge = Edge::new(&matte.alpha);
    let scene = Scene::render(&Backdrop::Office, 1024, 1280, 7).ok_or("no scene")?;
    figure("  scene", || {
        Ok(drop(Scene::render(&Backdrop::Office, 1024, 1280, 7)))
    })?;
    figure("  composite", || {
        Ok(drop(composite(&graded, &matte.alpha, &edge, &scene, 7)))
    })?;
    let finished = composite(&graded, &matte.alpha, &edge, &scene, 7);
    figure("  encode", || {
        Ok(drop(encode(&finished, OutputFormat::Jpeg, 92, "")?))
    })?;
    Ok(())
}

/// Prints and returns medians of wall and CPU time in milliseconds.
fn figure(
    name: &str,
    mut run: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<(f64, f64), Box<dyn Error>> {
    run()?;
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (started, before) = (Instant::now(), cpu_ms()?);
        run()?;
        walls.push(started.elapsed().as_secs_f64() * 1e3);
        cpus.push(cpu_ms()? - before);
    }
    walls.sort_by(f64::total_cmp);
    cpus.sort_by(f64::total_cmp);
    let (wall, cpu) = (walls[RUNS / 2], cpus[RUNS / 2]);
    println!("{name}: {wall:.0} ms wall, {cpu:.0} ms user CPU");
    Ok((wall, cpu))
}

fn upload() -> Result<Vec<u8>, Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("portraits/obama.jpg");
    let small: Rgb8 = decode::decode(&std::fs::read(path)?)?.pixels;
    let whole = Rect {
        x: 0.0,
        y: 0.0,
        w: 910.0,
        h: 1137.0,
    };
    let large = resize_rgb8(&small, whole, 3100, 3873, Kernel::Sharp);
    Ok(encode(&large, OutputFormat::Jpeg, 90, "")?)
}

/// User CPU time of this process, in steps of the kernel's clock tick (10 ms).
fn cpu_ms() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("unexpected /proc/self/stat")?.1;
    let user = after_name
        .split_whitespace()
        .nth(11)
        .ok_or("unexpected /proc/self/stat")?;
    Ok(user.parse::<f64>()? * 10.0)
}

fn peak_mib() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|l| l.starts_with("VmHWM"))
        .ok_or("no VmHWM")?;
    let kib = line.split_whitespace().nth(1).ok_or("no VmHWM")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}
