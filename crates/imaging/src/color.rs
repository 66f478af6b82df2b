//! Colour spaces: sRGB transfer, CIE Lab (D65), and tables that make them cheap.

use std::sync::LazyLock;

/// Linear light from an sRGB-encoded value, 0..=1.
#[inline]
pub fn to_linear(v: f32) -> f32 {
    if v <= 0.04045 {
        v / 12.92
    } else {
        ((v + 0.055) / 1.055).powf(2.4)
    }
}

/// sRGB-encoded value from linear light; negative light becomes 0.
#[inline]
pub fn to_encoded(v: f32) -> f32 {
    let v = v.max(0.0);
    if v <= 0.003_130_8 {
        v * 12.92
    } else {
        1.055 * v.powf(1.0 / 2.4) - 0.055
    }
}

const TABLE: usize = 4096;

static LINEAR: LazyLock<Vec<f32>> = LazyLock::new(|| {
    (0..=TABLE)
        .map(|i| to_linear(i as f32 / TABLE as f32))
        .collect()
});

/// Indexed by the square root of linear light, so that shadows are sampled finely.
static ENCODED: LazyLock<Vec<f32>> = LazyLock::new(|| {
    (0..=TABLE)
        .map(|i| to_encoded((i as f32 / TABLE as f32 * ENCODED_SPAN).powi(2)))
        .collect()
});

const ENCODED_SPAN: f32 = 1.5;

/// [`to_linear`] by table with interpolation; error below 1e-5. Input is clamped to 0..=1.
#[inline]
pub fn to_linear_fast(v: f32) -> f32 {
    look_up(&LINEAR, v.clamp(0.0, 1.0) * TABLE as f32)
}

/// [`to_encoded`] by table with interpolation; error below 1e-4. Light is clamped to 0..=2.25.
#[inline]
pub fn to_encoded_fast(v: f32) -> f32 {
    let root = v.max(0.0).sqrt().min(ENCODED_SPAN);
    look_up(&ENCODED, root * (TABLE as f32 / ENCODED_SPAN))
}

#[inline]
fn look_up(table: &[f32], position: f32) -> f32 {
    let i = (position as usize).min(TABLE - 1);
    let t = position - i as f32;
    table[i] + (table[i + 1] - table[i]) * t
}

/// CIE Lab (D65 white) of an sRGB-encoded colour: L 0..=100, a and b about -110..=110.
pub fn lab(p: [f32; 3]) -> [f32; 3] {
    let [r, g, b] = p.map(to_linear);
    let x = (0.412_4 * r + 0.357_6 * g + 0.180_5 * b) / 0.950_47;
    let y = 0.212_6 * r + 0.715_2 * g + 0.072_2 * b;
    let z = (0.019_3 * r + 0.119_2 * g + 0.950_5 * b) / 1.088_83;
    let f = |t: f32| {
        if t > 0.008_856 {
            t.cbrt()
        } else {
            7.787 * t + 16.0 / 116.0
        }
    };
    let (fx, fy, fz) = (f(x), f(y), f(z));
    [116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)]
}

/// Hue angle in degrees and chroma of a Lab colour.
pub fn hue_chroma(lab: [f32; 3]) -> (f32, f32) {
    (lab[2].atan2(lab[1]).to_degrees(), lab[1].hypot(lab[2]))
}

/// The sRGB-encoded colour of a 24-bit hexadecimal number.
pub fn hex(rgb: u32) -> [f32; 3] {
    [16, 8, 0].map(|shift| (rgb >> shift & 0xff) as f32 / 255.0)
}
