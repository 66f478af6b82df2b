//! Makes the pictures of `docs/engine.md`, one per stage:
//! `cargo run --release -p headshot-imaging --example engine_docs -- docs/engine [PHOTO ...]`,
//! and with `--detail=u2net.onnx` those that compare both detail networks.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "pixel positions"
)]

use headshot_imaging::analysis::landmarks::{EYE_LEFT, EYE_RIGHT, LIPS, OVAL};
use headshot_imaging::encode::encode;
use headshot_imaging::engine::Cutout;
use headshot_imaging::perspective::Field;
use headshot_imaging::raster::{Kernel, Plane, Raster, Rect, Rgb, Rgb8, resize_rgb8};
use headshot_imaging::{
    Assets, Backdrop, Crop, DetailWeights, Engine, Look, Options, OutputFormat, Perspective,
    Selfie, Style,
};
use std::error::Error;
use std::path::{Path, PathBuf};

/// Height of each panel, in pixels.
const PANEL: usize = 420;

/// Before the path of the large detail network: both are compared.
const DETAIL: &str = "--detail=";

fn main() -> Result<(), Box<dyn Error>> {
    let is_detail = |arg: &String| arg.starts_with(DETAIL);
    let (options, mut args): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(is_detail);
    if args.is_empty() {
        return Err("the output folder is missing".into());
    }
    let out = PathBuf::from(args.remove(0));
    std::fs::create_dir_all(&out)?;
    let mut photos: Vec<PathBuf> = args.iter().map(PathBuf::from).collect();
    if photos.is_empty() {
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("portraits");
        photos = ["obama.jpg", "obama2.jpg", "astronaut.png"]
            .map(|n| bundled.join(n))
            .to_vec();
    }
    let engine = Engine::new(Options::default())?;
    let mut large = None;
    for path in options.iter().filter_map(|arg| arg.strip_prefix(DETAIL)) {
        large = Some(Engine::new(Options {
            detail: DetailWeights::Large(std::fs::read(path)?),
            ..Options::default()
        })?);
    }
    for path in photos {
        let stem = path
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or("photo")
            .to_owned();
        let bytes = std::fs::read(&path)?;
        let selfie = engine.open(&bytes)?;
        eprintln!(
            "{stem}: detail disagreement {:?}",
            selfie.detail.as_ref().map(|d| d.disagreement)
        );
        stages(&engine, &selfie, &out, &stem)?;
        straightened(&selfie, &out, &stem)?;
        restored(&engine, &selfie, &out, &stem)?;
        if let Some(large) = &large {
            compared(&engine, large, &bytes, &out, &stem)?;
        }
    }
    Ok(())
}

/// The head by both detail networks, pixel by pixel as in the finished picture, on green, and the difference of
/// their alphas: grey where there is none, white where the large one has more of the person.
fn compared(
    small: &Engine,
    large: &Engine,
    bytes: &[u8],
    out: &Path,
    stem: &str,
) -> Result<(), Box<dyn Error>> {
    let look = Look::default();
    let mut cutouts = Vec::new();
    for engine in [small, large] {
        let selfie = engine.open(bytes)?;
        cutouts.push(engine.sitting(&selfie).cutout(look.crop, look.size)?);
    }
    let (a, b) = (&cutouts[0].matte.alpha, &cutouts[1].matte.alpha);
    let off = a.zip(b, |a, b| f64::from((a - b).abs()));
    let mean = off.data().iter().sum::<f64>() / off.data().len() as f64;
    let much = off.data().iter().filter(|d| **d > 0.1).count() as f64 / off.data().len() as f64;
    eprintln!(
        "{stem}: alpha by the large network differs by {:.2} thousandths, by more than a tenth in {:.2} % of all pixels",
        mean * 1e3,
        much * 100.0
    );
    let forehead = cutouts[0].landmarks.point(10);
    let side = 2 * PANEL;
    let left = (forehead.0 as usize)
        .saturating_sub(side / 2)
        .min(a.width() - side);
    let top = (forehead.1 as usize).saturating_sub(side / 3);
    let part = |picture: Rgb8| picture.crop(left, top, left + side, top + PANEL);
    let green = |cutout: &Cutout| {
        part(over(&cutout.foreground, &cutout.matte.alpha, [0.0, 0.6, 0.25]).to_u8())
    };
    let difference = part(grey(&a.zip(b, |a, b| 0.5 + (b - a) / 2.0)));
    let panels = [green(&cutouts[0]), green(&cutouts[1]), difference];
    save(out, &format!("{stem}-10-networks"), &panels)
}

#[expect(clippy::too_many_lines, reason = "one panel after the other")]
fn stages(engine: &Engine, selfie: &Selfie, out: &Path, stem: &str) -> Result<(), Box<dyn Error>> {
    let mut sitting = engine.sitting(selfie);
    let look = Look::default();
    let cutout = sitting.cutout(look.crop, look.size)?;
    let band = &cutout.matte.band;
    let coarse = stretched(&selfie.coarse.alpha, selfie.coarse.area);
    let detail = selfie.detail.as_ref().map(|d| stretched(&d.alpha, d.area));
    save(
        out,
        &format!("{stem}-1-analysis"),
        &[landmarks(selfie), cutout.photo.to_u8()],
    )?;
    let mut networks = vec![coarse];
    networks.extend(detail);
    networks.push(grey(&band.prior));
    save(out, &format!("{stem}-2-networks"), &networks)?;
    let trust = band.trust.map(f32::sqrt);
    save(
        out,
        &format!("{stem}-3-band"),
        &[
            grey(&band.softness),
            grey(&band.trimap),
            grey(&trust),
            grey(&cutout.matte.solved),
        ],
    )?;
    let prepared = &cutout.prepared;
    save(
        out,
        &format!("{stem}-4-cutout"),
        &[
            grey(&cutout.matte.alpha),
            over(&cutout.foreground, &cutout.matte.alpha, [0.0, 0.6, 0.25]).to_u8(),
            over(&prepared.balanced, &cutout.matte.alpha, [1.0; 3]).to_u8(),
            grey(&prepared.relief.gain(0.34, 0.09).map(|g| (g - 0.7) / 0.7)),
        ],
    )?;
    let assets = Assets::default();
    let mut finished = vec![cutout.photo.to_u8()];
    for backdrop in [
        Backdrop::Grey,
        Backdrop::Navy,
        Backdrop::Office,
        Backdrop::White,
    ] {
        let look = Look {
            backdrop,
            ..look.clone()
        };
        finished.push(sitting.picture(&look, &assets)?.pixels);
    }
    save(out, &format!("{stem}-5-backdrops"), &finished)?;
    let mut styles = Vec::new();
    for style in Style::ALL {
        let look = Look {
            style,
            backdrop: Backdrop::Charcoal,
            ..look.clone()
        };
        styles.push(sitting.picture(&look, &assets)?.pixels);
    }
    save(out, &format!("{stem}-6-styles"), &styles)?;
    let mut crops = Vec::new();
    for crop in [Crop::Close, Crop::Headshot, Crop::Half, Crop::Square] {
        let size = crop.default_size();
        let look = Look {
            crop,
            size,
            backdrop: Backdrop::Outdoor,
            ..look.clone()
        };
        crops.push(sitting.picture(&look, &assets)?.pixels);
    }
    save(out, &format!("{stem}-7-crops"), &crops)
}

/// The photo, and what would be made of it had it been taken from arm's length: the file does not
/// say that it was, so the distance is an assumption.
fn straightened(selfie: &Selfie, out: &Path, stem: &str) -> Result<(), Box<dyn Error>> {
    let assumed = Perspective {
        from_mm: 350,
        to_mm: 1200,
    };
    let Some(field) = Field::new(assumed, &selfie.landmarks) else {
        return Ok(());
    };
    let mut after = selfie.small.clone();
    field.apply(&mut after, 1.0);
    let moved = selfie.small.to_f32().zip(&after.to_f32(), |a, b| {
        [0, 1, 2].map(|k| 0.5 + (b[k] - a[k]) * 0.5)
    });
    save(
        out,
        &format!("{stem}-9-straightened"),
        &[selfie.small.clone(), after, moved.to_u8()],
    )
}

/// The face of a photo that arrives half as large, pixel by pixel as in the finished picture: only
/// enlarged, restored, and as it was. Nothing where half as large is too small.
fn restored(
    engine: &Engine,
    selfie: &Selfie,
    out: &Path,
    stem: &str,
) -> Result<(), Box<dyn Error>> {
    let (w, h) = (selfie.pixels.width(), selfie.pixels.height());
    let whole = Rect {
        x: 0.0,
        y: 0.0,
        w: w as f32,
        h: h as f32,
    };
    let half = resize_rgb8(&selfie.pixels, whole, w / 2, h / 2, Kernel::Sharp);
    let upload = encode(&half, OutputFormat::Jpeg, 80, "")?;
    let Ok(small) = engine.open(&upload) else {
        return Ok(());
    };
    let look = Look::default();
    let mut sitting = engine.sitting(&small);
    let cutout = sitting.cutout(look.crop, look.size)?;
    let finished = sitting.picture(&look, &Assets::default())?.pixels;
    let frame = cutout.frame;
    let enlarged = frame.extract(&small.pixels, small.scale()).to_u8();
    let truth = frame.extract(&selfie.pixels, w as f32 / small.small.width() as f32);
    let nose = cutout.landmarks.point(168);
    let from = |c: f32, side: usize| (c as usize).saturating_sub(PANEL / 2).min(side - PANEL);
    let (x, y) = (
        from(nose.0, finished.width()),
        from(nose.1 + 40.0, finished.height()),
    );
    let panels = [enlarged, cutout.photo.to_u8(), truth.to_u8(), finished];
    let panels = panels.map(|p| p.crop(x, y, x + PANEL, y + PANEL));
    save(out, &format!("{stem}-8-restored"), &panels)
}

/// The analysed photo with the face's outline, eyes and lips.
fn landmarks(selfie: &Selfie) -> Rgb8 {
    let mut picture = selfie.small.clone();
    let (w, h) = (picture.width() as i64, picture.height() as i64);
    let mut dot = |(x, y): (f32, f32), radius: i64, colour: [u8; 3]| {
        for dy in -radius..=radius {
            for dx in -radius..=radius {
                let (px, py) = (x as i64 + dx, y as i64 + dy);
                if px >= 0 && py >= 0 && px < w && py < h {
                    picture.set(px as usize, py as usize, colour);
                }
            }
        }
    };
    let radius = (h / 500).max(1);
    for p in &selfie.landmarks.mesh {
        dot((p[0], p[1]), radius / 2, [90, 220, 255]);
    }
    for contour in [&OVAL[..], &EYE_LEFT, &EYE_RIGHT, &LIPS] {
        for p in selfie.landmarks.contour(contour) {
            dot(p, radius, [255, 230, 60]);
        }
    }
    picture
}

fn grey(plane: &Plane) -> Rgb8 {
    plane.map(|v| [(v.clamp(0.0, 1.0) * 255.0) as u8; 3])
}

/// A network's square output in the shape of what it covers.
fn stretched(plane: &Plane, area: Rect) -> Rgb8 {
    grey(&plane.stretched((area.w / area.h * PANEL as f32) as usize, PANEL))
}

fn over(foreground: &Rgb, alpha: &Plane, behind: [f32; 3]) -> Rgb {
    foreground.zip(alpha, |f, a| {
        [0, 1, 2].map(|k| f[k] * a + behind[k] * (1.0 - a))
    })
}

/// Writes panels side by side.
fn save(out: &Path, name: &str, panels: &[Rgb8]) -> Result<(), Box<dyn Error>> {
    let panels: Vec<Rgb8> = panels
        .iter()
        .map(|p| {
            let whole = Rect {
                x: 0.0,
                y: 0.0,
                w: p.width() as f32,
                h: p.height() as f32,
            };
            let width = p.width() * PANEL / p.height();
            resize_rgb8(p, whole, width, PANEL, Kernel::Sharp)
        })
        .collect();
    let gap = 6;
    let width = panels.iter().map(|p| p.width() + gap).sum::<usize>() - gap;
    let mut sheet = Raster::filled(width, PANEL, [255; 3]);
    let mut left = 0;
    for panel in &panels {
        for y in 0..PANEL {
            for x in 0..panel.width() {
                sheet.set(left + x, y, panel.at(x, y));
            }
        }
        left += panel.width() + gap;
    }
    let path = out.join(format!("{name}.jpg"));
    std::fs::write(path, encode(&sheet, OutputFormat::Jpeg, 80, "")?)?;
    Ok(())
}
