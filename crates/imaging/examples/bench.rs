//! The figures that the engine promises:
//! `cargo run --release -p headshot-imaging --example bench [-- THREADS [U2NET.onnx|off]]`
//!
//! The upload is a bundled portrait enlarged to 12 megapixels (3100 x 3873), because no camera file
//! of that size with a free licence is bundled. Beside it, `tools/peer.py` does nearly the same job
//! in Python; it reads the file that `--save FILE` writes.

use headshot_imaging::encode::encode;
use headshot_imaging::raster::{Kernel, Rect, Rgb8, resize_rgb8};
use headshot_imaging::{
    Assets, Backdrop, DetailWeights, Engine, Look, Options, OutputFormat, Style, decode,
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
    figure("open (verdict and detail network)", || Ok(drop(engine.open(&upload)?)))?;
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
        println!("  per further photo: {:.1} ms wall, {:.1} ms CPU", wall / n, cpu / n);
    })?;
    println!("peak memory: {:.0} MiB", peak_mib()?);
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
    let whole = Rect { x: 0.0, y: 0.0, w: 910.0, h: 1137.0 };
    let large = resize_rgb8(&small, whole, 3100, 3873, Kernel::Sharp);
    Ok(encode(&large, OutputFormat::Jpeg, 90, "")?)
}

/// User CPU time of this process, in steps of the kernel's clock tick (10 ms).
fn cpu_ms() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("unexpected /proc/self/stat")?.1;
    let user = after_name.split_whitespace().nth(11).ok_or("unexpected /proc/self/stat")?;
    Ok(user.parse::<f64>()? * 10.0)
}

fn peak_mib() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|l| l.starts_with("VmHWM")).ok_or("no VmHWM")?;
    let kib = line.split_whitespace().nth(1).ok_or("no VmHWM")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}
