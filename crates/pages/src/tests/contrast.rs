//! Every pair of text and surface passes 4.5:1 in light and dark, computed from the tokens.

const TOKENS: &str = include_str!("../../assets/css/tokens.css");

/// Relative luminance of `--name` in the light and the dark scheme.
fn luminances(name: &str) -> [f64; 2] {
    let start = format!("--{name}: light-dark(");
    let line = TOKENS
        .lines()
        .find_map(|line| line.trim().strip_prefix(start.as_str()));
    let line = line.unwrap_or_else(|| panic!("no token {name}"));
    let mut colors = line.split("oklch(").skip(1).map(|color| {
        let numbers = color.split(')').next().unwrap().split_whitespace();
        let [lightness, chroma, hue] =
            numbers.map(|n| n.parse().unwrap()).collect::<Vec<f64>>()[..]
        else {
            panic!("{name}: {color}");
        };
        luminance(lightness, chroma, hue)
    });
    [colors.next().unwrap(), colors.next().unwrap()]
}

/// OKLCH to linear sRGB, clipped as a screen would, to WCAG relative luminance.
fn luminance(lightness: f64, chroma: f64, hue: f64) -> f64 {
    let (a, b) = (
        chroma * hue.to_radians().cos(),
        chroma * hue.to_radians().sin(),
    );
    let long = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let medium = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let short = (lightness - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
    let red = 4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short;
    let green = -1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short;
    let blue = -0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701 * short;
    let [red, green, blue] = [red, green, blue].map(|x| x.clamp(0.0, 1.0));
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn assert_contrast(text: &str, surface: &str, least: f64) {
    let pairs = luminances(text)
        .into_iter()
        .zip(luminances(surface))
        .zip(["light", "dark"]);
    for ((one, other), scheme) in pairs {
        let ratio = (one.max(other) + 0.05) / (one.min(other) + 0.05);
        assert!(
            ratio >= least,
            "--{text} on --{surface}, {scheme}: {ratio:.2}"
        );
    }
}

#[test]
fn text_is_readable_on_every_surface() {
    for surface in ["n1", "n2", "n3", "n4"] {
        for text in ["n9", "n10", "n11", "accent"] {
            assert_contrast(text, surface, 4.5);
        }
    }
}

#[test]
fn each_meaning_is_readable_on_its_own_surface_and_on_panels() {
    for meaning in ["good", "warn", "bad", "info", "accent"] {
        assert_contrast(meaning, &format!("{meaning}-surface"), 4.5);
        assert_contrast(meaning, "n2", 4.5);
        assert_contrast(meaning, "n3", 4.5);
    }
}

#[test]
fn buttons_are_readable_also_when_pointed_at() {
    for surface in ["accent", "accent-strong"] {
        assert_contrast("on-accent", surface, 4.5);
    }
    for surface in ["bad-strong", "bad"] {
        assert_contrast("on-bad", surface, 4.5);
    }
}

#[test]
fn frames_of_fields_and_marks_are_visible() {
    for surface in ["n1", "n2"] {
        assert_contrast("n8", surface, 3.0);
        assert_contrast("accent", surface, 3.0);
    }
    assert_contrast("bad-strong", "n2", 3.0);
    assert_contrast("chart", "n2", 3.0);
}
