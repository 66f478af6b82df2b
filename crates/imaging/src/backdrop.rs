//! What stands behind the person: rendered studio walls and scenes, a brand colour, or an image.

mod draw;
mod scenes;
mod wall;

use crate::raster::{Kernel, Raster, Rect, Rgb, Rgb8, luma, resize_rgb, resize_rgb8};

/// A backdrop.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backdrop {
    /// Light grey studio wall.
    #[default]
    Grey,
    /// Deep blue studio wall.
    Navy,
    /// Dark grey studio wall.
    Charcoal,
    /// White studio wall.
    White,
    /// Warm sand-coloured wall.
    Beige,
    /// Dark green-blue wall.
    Teal,
    /// An office with bookcase and window, out of focus.
    Office,
    /// Foliage in the sun, out of focus.
    Outdoor,
    /// Paper of one colour (24-bit sRGB) with a hardly visible fall-off of light.
    Color([u8; 3]),
    /// An image of the organization, named by the SHA-256 of its file.
    Image(String),
}

impl Backdrop {
    /// The rendered ones, in the order in which a shoot uses them.
    pub const RENDERED: [Self; 8] = [
        Self::Grey,
        Self::Navy,
        Self::Office,
        Self::White,
        Self::Charcoal,
        Self::Beige,
        Self::Outdoor,
        Self::Teal,
    ];

    /// Parses a name or `#RRGGBB`, as the command line writes it.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(hex) = text.strip_prefix('#') {
            let valid = hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit());
            let value = u32::from_str_radix(hex, 16).ok().filter(|_| valid)?;
            let [_, r, g, b] = value.to_be_bytes();
            return Some(Self::Color([r, g, b]));
        }
        Self::RENDERED.into_iter().find(|b| b.name() == text)
    }

    /// The name, as [`Backdrop::parse`] reads it.
    pub fn name(&self) -> String {
        match self {
            Self::Grey => "grey".to_owned(),
            Self::Navy => "navy".to_owned(),
            Self::Charcoal => "charcoal".to_owned(),
            Self::White => "white".to_owned(),
            Self::Beige => "beige".to_owned(),
            Self::Teal => "teal".to_owned(),
            Self::Office => "office".to_owned(),
            Self::Outdoor => "outdoor".to_owned(),
            Self::Color([r, g, b]) => format!("#{r:02X}{g:02X}{b:02X}"),
            Self::Image(digest) => format!("image:{digest}"),
        }
    }
}

/// A logo with transparency, drawn into the upper right corner behind the person.
pub type Logo = Raster<[u8; 4]>;

/// A rendered backdrop, ready for any picture of its aspect ratio.
#[derive(Debug, Clone)]
pub struct Scene {
    /// sRGB-encoded. Rendered scenes are out of focus anyway and kept at quarter size; images and
    /// scenes with a logo are kept at full size.
    pub pixels: Rgb,
    /// The light it throws on the person's edge: the same, strongly blurred, small.
    pub ambient: Rgb,
}

impl Scene {
    fn new(pixels: Rgb) -> Self {
        const AMBIENT_HEIGHT: usize = 160;
        let h = AMBIENT_HEIGHT.min(pixels.height());
        let w = (pixels.width() * h).div_ceil(pixels.height());
        let ambient = resize_rgb(&pixels, w, h, Kernel::Box).gauss(h as f32 * 0.012);
        Self { pixels, ambient }
    }

    /// Renders a named or coloured backdrop for a picture of `width` x `height`. The same `seed`
    /// gives the same books and leaves. `None` for [`Backdrop::Image`], which needs its pixels.
    pub fn render(backdrop: &Backdrop, width: usize, height: usize, seed: u64) -> Option<Self> {
        let (w, h) = (width.div_ceil(4), height.div_ceil(4));
        let pixels = match backdrop {
            Backdrop::Office => scenes::office(w, h, seed),
            Backdrop::Outdoor => scenes::outdoor(w, h, seed),
            Backdrop::Color(rgb) => wall::paper(w, h, *rgb),
            Backdrop::Image(_) => return None,
            other => wall::studio(other, w, h, seed),
        };
        Some(Self::new(pixels))
    }

    /// Fits an image so that it covers `width` x `height`, with a mild lens blur.
    pub fn from_image(image: &Rgb8, width: usize, height: usize) -> Self {
        let (iw, ih) = (image.width() as f32, image.height() as f32);
        let scale = (iw / width as f32).min(ih / height as f32);
        let (w, h) = (width as f32 * scale, height as f32 * scale);
        let area = Rect {
            x: (iw - w) / 2.0,
            y: (ih - h) / 2.0,
            w,
            h,
        };
        let fitted = resize_rgb8(image, area, width, height, Kernel::Sharp).to_f32();
        Self::new(draw::lens_blur(&fitted, height as f32 * 0.006))
    }

    /// Lays a logo into the upper right corner, at most a sixth of the width wide and a sixth of the
    /// height high. A small one stays as it is.
    #[must_use]
    pub fn with_logo(&self, logo: &Logo, width: usize, height: usize) -> Self {
        let mut pixels = self.pixels.stretched(width, height);
        // Whole, whatever its shape: at most a sixth of each side.
        let (lw, lh) = fitted((logo.width(), logo.height()), (width / 6, height / 6));
        let colour = logo.map(|p| {
            let a = f32::from(p[3]) / 255.0;
            let [r, g, b] = [p[0], p[1], p[2]].map(|v| f32::from(v) / 255.0 * a);
            [r, g, b, a]
        });
        let (fx, fy) = (
            logo.width() as f32 / lw as f32,
            logo.height() as f32 / lh as f32,
        );
        let reduced = colour.box_mean((fx.max(fy) / 2.0) as usize);
        let margin = width / 24;
        for y in 0..lh {
            for x in 0..lw {
                let [r, g, b, a] = reduced.bilinear((x as f32 + 0.5) * fx, (y as f32 + 0.5) * fy);
                let (px, py) = (width - margin.min(width - lw) - lw + x, margin + y);
                if py < height {
                    let under = pixels.at(px, py);
                    let mix = |under: f32, over: f32| under * (1.0 - a) + over;
                    pixels.set(
                        px,
                        py,
                        [mix(under[0], r), mix(under[1], g), mix(under[2], b)],
                    );
                }
            }
        }
        Self {
            pixels,
            ambient: self.ambient.clone(),
        }
    }

    /// Without colour, for black-and-white pictures.
    #[must_use]
    pub fn desaturated(&self) -> Self {
        let grey = |p: [f32; 3]| [luma(p); 3];
        Self {
            pixels: self.pixels.map(grey),
            ambient: self.ambient.map(grey),
        }
    }
}

/// The largest size of this shape that is within `most` and not larger than it was.
fn fitted((w, h): (usize, usize), most: (usize, usize)) -> (usize, usize) {
    let fit = (most.0 as f32 / w.max(1) as f32)
        .min(most.1 as f32 / h.max(1) as f32)
        .min(1.0);
    let side = |n: usize| ((n as f32 * fit).round() as usize).max(1);
    (side(w), side(h))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_keeps_its_shape() {
        assert_eq!(fitted((600, 200), (170, 213)), (170, 57));
        assert_eq!(fitted((200, 600), (170, 213)), (71, 213));
        assert_eq!(fitted((20, 10), (170, 213)), (20, 10));
        assert_eq!(fitted((4_000, 1), (170, 213)), (170, 1));
    }
}
