//! One test for each rule of the verdict: at its threshold, past it, and on pictures where they can be
//! made.

use crate::ENGINE;
use crate::pictures::{
    self, ASTRONAUT, OBAMA, OBAMA2, blurred, filled, jpeg, png, rotated, scaled, side_by_side,
};
use headshot_imaging::OutputFormat;
use headshot_imaging::analysis::landmarks::{BRIDGE, CHIN, FOREHEAD, Landmarks};
use headshot_imaging::analysis::quality::Quality;
use headshot_imaging::analysis::verdict::{Limit, RULES, Severity};
use headshot_imaging::decode::{Orientation, decode};
use headshot_imaging::encode::encode;
use headshot_imaging::filter::polygon;
use headshot_imaging::raster::{Raster, Rgb8};
use headshot_imaging::{Selfie, Verdict};
use std::sync::LazyLock;

static PRESIDENT: LazyLock<Selfie> = LazyLock::new(|| ENGINE.open(OBAMA).unwrap());

fn portrait() -> Rgb8 {
    decode(OBAMA).unwrap().pixels
}

fn verdict(picture: &Rgb8) -> Verdict {
    ENGINE.check(&jpeg(picture)).unwrap()
}

fn found(picture: &Rgb8, code: &str) {
    let v = verdict(picture);
    assert!(v.has(code), "{code} expected: {v:?}");
}

type Set = fn(&mut Quality, f32);

/// How each rule's value is set.
const SETTERS: &[(&str, Set)] = &[
    ("no_face", |q, v| q.presence = v),
    ("several_people", |q, v| q.second_face = v),
    ("face_cut", |q, v| q.face_cut = v),
    ("face_too_small", |q, v| q.eye_distance = v),
    ("no_skin_colour", |q, v| q.skin_chroma = v),
    ("unnatural_colour", |q, v| q.hue_off = v),
    ("one_tint", |q, v| q.colours = v),
    ("posterised", |q, v| q.posterised = v),
    ("pixelated", |q, v| q.evenness = v),
    ("damaged", |q, v| q.confetti = v),
    ("not_a_photo", |q, v| q.shading = v),
    ("painted", |q, v| q.texture = v),
    ("rough", |q, v| q.roughness = v),
    ("blurry", |q, v| q.sharpness = v),
    ("too_little_detail", |q, v| q.detail = v),
    ("motion_blur", |q, v| q.motion = v),
    ("too_dark", |q, v| q.clipped_low = v),
    ("overexposed", |q, v| q.clipped_high = v),
    ("eyes_closed", |q, v| q.eye_openness = v),
    ("sunglasses", |q, v| q.eye_visibility = v),
    ("face_covered", |q, v| q.covered = v),
    ("mouth_hidden", |q, v| q.mouth_visibility = v),
    ("face_turned_away", |q, v| q.yaw = -v),
    ("different_person", |q, v| q.stranger = v),
    ("people_differ", |q, v| q.undecided = v),
    ("looking_down", |q, v| q.pitch = v),
    ("upside_down", |q, v| q.upside_down = v),
    ("head_tilted", |q, v| q.roll = -v),
    ("head_cut", |q, v| q.headroom = v),
    ("harsh_side_light", |q, v| q.side_light = v),
    ("harsh_back_light", |q, v| {
        q.rim_light = 0.0;
        q.back_light = v;
    }),
    ("oversharpened", |q, v| q.detail = v),
    ("smoothed", |q, v| q.texture = v),
    ("document", |q, v| q.page = v),
    ("print", |q, v| q.print = v),
    ("hair_blends_in", |q, v| q.hair_contrast = v),
];

#[test]
fn every_rule_holds_at_its_threshold_and_breaks_past_it() {
    let fine = ENGINE.check(OBAMA).unwrap();
    assert!(fine.findings.is_empty(), "{fine:?}");
    let fine = fine.quality.unwrap();
    let codes: Vec<&str> = SETTERS.iter().map(|(code, _)| *code).collect();
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.code).collect();
    assert_eq!(codes, rules);
    for (rule, (code, set)) in RULES.iter().zip(SETTERS) {
        let (limit, past) = match rule.limit {
            Limit::AtLeast(v) => (v, v * 0.999),
            Limit::AtMost(v) => (v, v * 1.001),
        };
        let judged = |value| {
            let mut quality = fine.clone();
            set(&mut quality, value);
            Verdict::of(quality)
        };
        assert!(judged(limit).findings.is_empty(), "{code} at {limit}");
        let broken = judged(past);
        assert_eq!(broken.findings.len(), 1, "{code} at {past}");
        assert_eq!(broken.findings[0].code, *code);
        assert!((broken.findings[0].threshold - limit).abs() < 1e-6);
        assert_eq!(broken.usable, rule.severity == Severity::Warning, "{code}");
        assert!(broken.score < judged(limit).score, "{code} costs no rank");
        assert!(!judged(f32::NAN).findings.is_empty(), "{code} of no number");
        assert!(rule.sentence.ends_with('.') && !rule.reason.is_empty());
    }
}

#[test]
fn measurements_of_an_earlier_engine_stay_without_new_findings() {
    let fine = ENGINE.check(OBAMA).unwrap().quality.unwrap();
    let mut stored = serde_json::to_value(fine).unwrap();
    for new in [
        "upside_down",
        "level_crown",
        "mouth_open",
        "mouth_visibility",
        "evenness",
        "confetti",
        "detail",
        "texture",
        "roughness",
        "posterised",
        "colours",
        "hue_off",
        "rim_light",
        "print",
        "page",
        "covered",
    ] {
        assert!(
            stored.as_object_mut().unwrap().remove(new).is_some(),
            "{new}"
        );
    }
    let read: Quality = serde_json::from_value(stored).unwrap();
    assert!(Verdict::of(read).findings.is_empty());
}

#[test]
fn paint_is_told_from_skin() {
    for file in [OBAMA, OBAMA2] {
        let picture = decode(file).unwrap().pixels;
        // A painter's first strokes leave something of the skin, those over them nothing.
        let once = pictures::oil(&picture, 8);
        found(&once, "smoothed");
        let often = pictures::oil(&pictures::oil(&once, 8), 8);
        let v = verdict(&often);
        assert!(!v.usable && v.has("painted") && !v.has("smoothed"), "{v:?}");
        // Compression alone is not paint.
        let squeezed = encode(&picture, OutputFormat::Jpeg, 50, "").unwrap();
        let v = ENGINE.check(&squeezed).unwrap();
        assert!(!v.has("painted"), "{v:?}");
    }
}

#[test]
fn strokes_all_over_the_face_are_refused() {
    found(&pictures::grainy(&portrait(), 80), "rough");
    let v = verdict(&pictures::grainy(&portrait(), 20));
    assert!(v.usable && !v.has("rough"), "{v:?}");
}

#[test]
fn a_portrait_on_its_head_is_refused() {
    for (name, file) in [
        ("obama", OBAMA),
        ("obama2", OBAMA2),
        ("astronaut", ASTRONAUT),
    ] {
        let upright = decode(file).unwrap().pixels;
        let v = verdict(&Orientation::Rotated180.apply(upright));
        assert!(!v.usable, "{name}: {v:?}");
        let turned = v.has("upside_down") || v.has("head_tilted") || v.has("no_face");
        assert!(turned, "{name}: {v:?}");
    }
}

#[test]
fn blue_green_and_magenta_faces_are_refused() {
    let good = portrait();
    for (name, colour) in [
        ("blue", good.map(|[r, g, b]| [b, g, r])),
        ("green", good.map(|[r, g, b]| [g, r, b])),
        ("magenta", good.map(|[r, g, b]| [r, g / 4, b.max(r)])),
    ] {
        let v = verdict(&colour);
        assert!(!v.usable && v.has("unnatural_colour"), "{name}: {v:?}");
    }
    // A warm bulb and a cold sky.
    let light = |k: [u16; 3]| {
        good.map(|p| {
            let lit = |c: usize| (u16::from(p[c]) * k[c] / 256).min(255) as u8;
            [lit(0), lit(1), lit(2)]
        })
    };
    for (name, lit) in [
        ("bulb", light([256, 214, 140])),
        ("sky", light([205, 230, 256])),
    ] {
        let v = verdict(&lit);
        assert!(v.usable && v.findings.is_empty(), "{name}: {v:?}");
    }
}

#[test]
fn a_toned_grey_portrait_is_refused() {
    let toned = |dark: [u16; 3], bright: [u16; 3]| {
        portrait().map(|[r, g, b]| {
            let l = (u16::from(r) * 3 + u16::from(g) * 6 + u16::from(b)) / 10;
            [0, 1, 2].map(|k| ((dark[k] * (255 - l) + bright[k] * l) / 255) as u8)
        })
    };
    for picture in [
        toned([20, 14, 8], [245, 225, 195]),
        toned([30, 15, 5], [235, 180, 120]),
    ] {
        let v = verdict(&picture);
        assert!(!v.usable && v.has("one_tint"), "{v:?}");
    }
}

#[test]
fn a_posterised_portrait_is_refused() {
    let steps = portrait().map(|p| p.map(|v| v / 64 * 85));
    let v = ENGINE.check(&png(&steps)).unwrap();
    assert!(!v.usable && v.has("posterised"), "{v:?}");
}

#[test]
fn a_portrait_in_flat_colours_is_refused() {
    let flat = blurred(&portrait(), 3).map(|p| p.map(|v| v / 48 * 48 + 7));
    let v = verdict(&flat);
    assert!(!v.usable && v.has("not_a_photo"), "{v:?}");
}

#[test]
fn an_enlarged_small_photo_is_refused() {
    let good = portrait();
    let tiny = scaled(&good, 228, 284);
    let large = scaled(&tiny, 1824, 2272);
    let v = verdict(&large);
    assert!(!v.usable && v.has("too_little_detail"), "{v:?}");
    let soft = blurred(&scaled(&good, 2730, 3411), 9);
    let v = verdict(&soft);
    assert!(!v.usable && v.has("too_little_detail"), "{v:?}");
    // The portrait itself, enlarged three times, still shows enough.
    let v = verdict(&scaled(&good, 2730, 3411));
    assert!(v.usable, "{v:?}");
}

#[test]
fn a_picture_of_a_document_is_refused() {
    let scan = pictures::page(&scaled(&portrait(), 420, 525));
    let v = verdict(&scan);
    assert!(v.has("document") && !v.usable, "{v:?}");
    assert!(v.has("print"), "{v:?}");
    // A portrait on an empty page, cut through hair and chin.
    let good = portrait();
    let (forehead, chin) = (
        PRESIDENT.landmarks.point(FOREHEAD),
        PRESIDENT.landmarks.point(CHIN),
    );
    let height = PRESIDENT.landmarks.face_height();
    let bare = Raster::generate(good.width(), good.height(), |x, y| {
        let (u, v) = (x as f32, y as f32);
        let beside = (u - forehead.0).abs() > height * 0.7;
        if beside || v < forehead.1 - height * 0.1 || v > chin.1 + height * 0.02 {
            [236, 233, 226]
        } else {
            good.at(x, y)
        }
    });
    found(&bare, "document");
}

/// Print on a wall: the person in front of it is no page's.
#[test]
fn print_behind_a_person_is_warned_of() {
    let good = portrait();
    let landmarks = &PRESIDENT.landmarks;
    let nose = landmarks.point(BRIDGE).0;
    let wall = Raster::generate(good.width(), good.height(), |x, y| {
        let beside = (x as f32 - nose).abs() > landmarks.face_width() * 1.2;
        let line = (60..90).contains(&y) || (130..160).contains(&y);
        match () {
            () if beside && y < 260 && line && x % 12 < 6 => [30, 30, 60],
            () if beside && y < 260 => [226, 232, 228],
            () => good.at(x, y),
        }
    });
    let v = verdict(&wall);
    assert!(v.has("print") && v.usable && !v.has("document"), "{v:?}");
}

#[test]
fn a_mask_is_refused_and_a_beard_is_not() {
    let good = portrait();
    let l = &PRESIDENT.landmarks;
    // From a cheek to the other, over the bridge of the nose, and along the jaw.
    let below = |point: usize, colour: [u8; 3]| {
        let jaw = [
            454, 361, 397, 365, 378, 377, 152, 148, 149, 136, 172, 132, 234,
        ];
        let edge = jaw.into_iter().chain([point]);
        let outline: Vec<(f32, f32)> = edge.map(|i| l.point(i)).collect();
        let shape = polygon(good.width(), good.height(), &outline);
        Raster::generate(good.width(), good.height(), |x, y| {
            if shape.at(x, y) > 0.5 {
                colour
            } else {
                good.at(x, y)
            }
        })
    };
    for colour in [[236, 238, 240], [24, 24, 26], [90, 150, 200]] {
        found(&below(6, colour), "face_covered");
    }
    // Black hair below the nose.
    let v = verdict(&below(2, [24, 20, 18]));
    assert!(!v.has("face_covered"), "{v:?}");
    for bare in [OBAMA, OBAMA2, ASTRONAUT] {
        let v = ENGINE.check(bare).unwrap();
        assert!(!v.has("face_covered"), "{v:?}");
    }
}

#[test]
fn whatever_is_before_an_eye_or_the_mouth_is_told() {
    let l = &PRESIDENT.landmarks;
    let (left, right, apart) = l.eyes();
    let good = portrait();
    // An ellipse of one colour, with the grain of a photo; its half axes in distances of the eyes.
    let before = |(cx, cy): (f32, f32), (a, b): (f32, f32), colour: [u8; 3]| {
        let grain = pictures::grainy(&filled(good.width(), good.height(), colour), 8);
        Raster::generate(good.width(), good.height(), |x, y| {
            let (u, v) = ((x as f32 - cx) / a, (y as f32 - cy) / b);
            if u.hypot(v) < apart {
                grain.at(x, y)
            } else {
                good.at(x, y)
            }
        })
    };
    // A patch, a bandage, fingers.
    for colour in [[16, 15, 15], [226, 225, 222], [190, 130, 100]] {
        for eye in [left, right] {
            found(&before(eye, (0.33, 0.28), colour), "sunglasses");
        }
    }
    let mouth = (
        f32::midpoint(l.point(13).0, l.point(14).0),
        f32::midpoint(l.point(13).1, l.point(14).1),
    );
    found(&before(mouth, (0.7, 0.42), [190, 130, 100]), "mouth_hidden");
    for bare in [OBAMA, OBAMA2, ASTRONAUT] {
        let v = ENGINE.check(bare).unwrap();
        assert!(v.findings.is_empty(), "{v:?}");
    }
}

#[test]
fn light_from_one_side_or_from_behind_is_warned_of() {
    let good = portrait();
    let face = &PRESIDENT.landmarks;
    let nose = face.point(1).0;
    let dimmed = |p: [u8; 3], to: f32| p.map(|v| (f32::from(v) * to) as u8);
    let side = Raster::generate(good.width(), good.height(), |x, y| {
        let dark = x as f32 > nose;
        dimmed(good.at(x, y), if dark { 0.45 } else { 1.0 })
    });
    found(&side, "harsh_side_light");

    let behind = window(&good, face, 0.0);
    found(&behind, "harsh_back_light");
    // White rims beside a face in the shade, before a window.
    let rims = window(&good, face, 0.06);
    found(&rims, "harsh_back_light");
    for quiet in [OBAMA, OBAMA2, ASTRONAUT] {
        let v = ENGINE.check(quiet).unwrap();
        assert!(!v.has("harsh_back_light"), "{v:?}");
    }
}

/// The face in the shade; around the head white, that reaches `rim` face widths into its sides. With
/// a rim only every fifth column is as bright as a window.
fn window(picture: &Rgb8, face: &Landmarks, rim: f32) -> Rgb8 {
    let (top, chin) = (face.point(FOREHEAD), face.point(CHIN));
    let (cx, cy) = (f32::midpoint(top.0, chin.0), f32::midpoint(top.1, chin.1));
    let (w, h) = (face.face_width(), face.face_height());
    Raster::generate(picture.width(), picture.height(), |x, y| {
        let (u, v) = ((x as f32 - cx) / w, (y as f32 - cy) / h);
        let head = (u / 0.62).hypot((v + 0.08) / 0.72);
        let below = v > 0.45;
        let lit = rim > 0.0 && (u / (0.5 + rim)).hypot(v / 0.53) > 0.9 && u.abs() > 0.2 && v > 0.0;
        if head > 1.0 && !below && (rim == 0.0 || x % 5 == 0) || lit && !below {
            [252, 253, 255]
        } else {
            picture.at(x, y).map(|c| (f32::from(c) * 0.6) as u8)
        }
    })
}

#[test]
fn a_tilted_and_a_cut_head_are_told() {
    let good = portrait();
    found(&rotated(&good, 40.0), "head_tilted");
    let top = (PRESIDENT.landmarks.point(FOREHEAD).1 - 6.0) as usize;
    let cut = Raster::generate(good.width(), good.height() - top, |x, y| {
        good.at(x, y + top)
    });
    found(&cut, "head_cut");
}

#[test]
fn a_head_that_a_page_cuts_is_told() {
    let good = portrait();
    assert!(verdict(&good).findings.is_empty());
    let landmarks = &PRESIDENT.landmarks;
    let height = landmarks.face_height();
    // Through the hair, with the page around.
    let top = landmarks.point(FOREHEAD).1 - height * 0.1;
    let page = Raster::generate(good.width(), good.height(), |x, y| {
        let beside = (x as f32 - landmarks.point(FOREHEAD).0).abs() > height;
        if beside || (y as f32) < top {
            [236, 233, 226]
        } else {
            good.at(x, y)
        }
    });
    let v = verdict(&page);
    assert!(v.has("head_cut") && v.usable, "{v:?}");
    let quality = v.quality.unwrap();
    assert!(quality.headroom > 0.2, "the photo's own edge is far away");
    // At the limit and past it.
    for (level, is_cut) in [(0.65, false), (0.651, true)] {
        let quality = Quality {
            level_crown: level,
            ..quality.clone()
        };
        assert_eq!(Verdict::of(quality).has("head_cut"), is_cut, "{level}");
    }
}

#[test]
fn two_people_cheek_to_cheek_are_refused() {
    // Both faces to the same width, with nothing between them but a little hair.
    let head = |file: &[u8]| {
        let selfie = ENGINE.open(file).unwrap();
        let picture = decode(file).unwrap().pixels;
        let face = &selfie.landmarks;
        let (w, h) = (face.face_width(), face.face_height());
        let (left, top) = (
            face.point(234).0 - w * 0.1,
            face.point(FOREHEAD).1 - h * 0.4,
        );
        let size = ((w * 1.2) as usize, (h * 2.0) as usize);
        let part = Raster::generate(size.0, size.1, |x, y| {
            picture.at_clamped(left as i64 + x as i64, top as i64 + y as i64)
        });
        scaled(&part, 300, 600)
    };
    let pair = side_by_side(&head(OBAMA), &head(OBAMA2));
    let mut canvas = filled(1000, 900, [120, 130, 140]);
    for y in 0..pair.height() {
        for x in 0..pair.width() {
            canvas.set(200 + x, 150 + y, pair.at(x, y));
        }
    }
    let v = verdict(&canvas);
    assert!(!v.usable && v.has("several_people"), "{v:?}");
}

#[test]
fn blocks_are_refused_whatever_made_them() {
    let picture = portrait();
    let (w, h) = (picture.width(), picture.height());
    for blocks in [2, 3, 4, 7] {
        let mosaic = Rgb8::generate(w, h, |x, y| {
            picture.at(x / blocks * blocks, y / blocks * blocks)
        });
        found(&mosaic, "pixelated");
    }
    // Larger pixels, but new ones between them.
    let enlarged = scaled(&scaled(&picture, w / 2, h / 2), w, h);
    assert!(!verdict(&enlarged).has("pixelated"));
}

/// As a lossless WebP is read in which a bit was flipped.
#[test]
fn places_of_coloured_noise_are_damage() {
    let mut picture = portrait();
    let noise = pictures::noise(picture.width(), picture.height());
    for y in picture.height() * 3 / 4..picture.height() {
        for x in 0..picture.width() {
            picture.set(x, y, noise.at(x, y));
        }
    }
    let judged = ENGINE.check(&png(&picture)).unwrap();
    assert!(judged.has("damaged"), "{judged:?}");
    assert!(!ENGINE.check(&png(&portrait())).unwrap().has("damaged"));
}

#[test]
fn a_dark_photo_is_told_to_be_dark() {
    let dark = portrait().map(|p| p.map(|v| v / 9));
    let judged = ENGINE.check(&png(&dark)).unwrap();
    assert!(
        judged.has("too_dark") && !judged.has("one_tint"),
        "{judged:?}"
    );
}
