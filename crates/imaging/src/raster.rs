//! Images in memory: one generic row-major raster, its sampling and its resizing.
//!
//! Coordinates: pixel `(x, y)` covers the square from `(x, y)` to `(x + 1, y + 1)`, so its centre
//! is at `(x + 0.5, y + 0.5)`. All real-valued positions in this crate follow that convention.

use fast_image_resize as fir;
use rayon::prelude::*;

/// A row-major image of pixels `P`, without padding.
#[derive(Debug, Clone, PartialEq)]
pub struct Raster<P> {
    width: usize,
    height: usize,
    data: Vec<P>,
}

/// One real channel: a mask, an alpha channel, a luma image. Values are usually 0..=1.
pub type Plane = Raster<f32>;
/// Three real channels, sRGB-encoded unless said otherwise, 0..=1.
pub type Rgb = Raster<[f32; 3]>;
/// Three bytes per pixel, sRGB.
pub type Rgb8 = Raster<[u8; 3]>;

/// A pixel that can be averaged: `f32` or a small array of them.
pub trait Sample: Copy + Send + Sync + Default {
    /// `self + other * weight`, channel by channel.
    #[must_use]
    fn mul_add(self, other: Self, weight: f32) -> Self;
}

impl Sample for f32 {
    #[inline]
    fn mul_add(self, other: Self, weight: f32) -> Self {
        self + other * weight
    }
}

impl<const N: usize> Sample for [f32; N]
where
    [f32; N]: Default,
{
    #[inline]
    fn mul_add(mut self, other: Self, weight: f32) -> Self {
        for (a, b) in self.iter_mut().zip(other) {
            *a += b * weight;
        }
        self
    }
}

/// A rectangle in source pixels; may reach outside the image it refers to.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl Rect {
    /// From left, top, right, bottom.
    pub fn from_edges(x0: f32, y0: f32, x1: f32, y1: f32) -> Self {
        Self {
            x: x0,
            y: y0,
            w: x1 - x0,
            h: y1 - y0,
        }
    }

    /// Right edge.
    pub fn right(&self) -> f32 {
        self.x + self.w
    }

    /// Bottom edge.
    pub fn bottom(&self) -> f32 {
        self.y + self.h
    }

    /// The same rectangle in an image enlarged by `factor`.
    #[must_use]
    pub fn scaled(&self, factor: f32) -> Self {
        Self {
            x: self.x * factor,
            y: self.y * factor,
            w: self.w * factor,
            h: self.h * factor,
        }
    }

    /// The part inside an image of `width` x `height`; at least one pixel large.
    #[must_use]
    pub fn clipped(&self, width: usize, height: usize) -> Self {
        let (w, h) = (width as f32, height as f32);
        let x0 = self.x.clamp(0.0, w - 1.0);
        let y0 = self.y.clamp(0.0, h - 1.0);
        let x1 = self.right().clamp(x0 + 1.0, w.max(x0 + 1.0));
        let y1 = self.bottom().clamp(y0 + 1.0, h.max(y0 + 1.0));
        Self::from_edges(x0, y0, x1, y1)
    }
}

impl<P: Copy + Send + Sync> Raster<P> {
    /// An image of one colour. Both sides are at least 1.
    pub fn filled(width: usize, height: usize, value: P) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Self {
            width,
            height,
            data: vec![value; width * height],
        }
    }

    /// Wraps pixels; `None` when their number is not `width * height` or is zero.
    pub fn from_pixels(width: usize, height: usize, data: Vec<P>) -> Option<Self> {
        let count = width.checked_mul(height)?;
        (count > 0 && count == data.len()).then_some(Self {
            width,
            height,
            data,
        })
    }

    /// Makes each pixel from its column and row, rows in parallel.
    pub fn generate(width: usize, height: usize, pixel: impl Fn(usize, usize) -> P + Sync) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let mut data = Vec::with_capacity(width * height);
        (0..width * height)
            .into_par_iter()
            .with_min_len(4096)
            .map(|i| pixel(i % width, i / width))
            .collect_into_vec(&mut data);
        Self {
            width,
            height,
            data,
        }
    }

    /// Fills whole rows, rows in parallel: for filters that share work along a row.
    pub fn generate_rows(
        width: usize,
        height: usize,
        blank: P,
        fill: impl Fn(usize, &mut [P]) + Sync,
    ) -> Self {
        let mut out = Self::filled(width, height, blank);
        let width = out.width;
        out.data
            .par_chunks_mut(width)
            .enumerate()
            .for_each(|(y, row)| fill(y, row));
        out
    }

    /// As [`Raster::generate_rows`], with a place to work in that tasks hand from row to row.
    pub fn generate_rows_with<T>(
        width: usize,
        height: usize,
        blank: P,
        place: impl Fn() -> T + Send + Sync,
        fill: impl Fn(&mut T, usize, &mut [P]) + Send + Sync,
    ) -> Self {
        let mut out = Self::filled(width, height, blank);
        let width = out.width;
        out.data
            .par_chunks_mut(width)
            .enumerate()
            .for_each_init(place, |place, (y, row)| fill(place, y, row));
        out
    }

    /// Pixels per row, never zero.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows, never zero.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All pixels, row by row.
    pub fn data(&self) -> &[P] {
        &self.data
    }

    /// All pixels, row by row, writable.
    pub fn data_mut(&mut self) -> &mut [P] {
        &mut self.data
    }

    /// The pixel at `(x, y)`, which must lie inside.
    #[inline]
    pub fn at(&self, x: usize, y: usize) -> P {
        self.data[y * self.width + x]
    }

    /// Overwrites the pixel at `(x, y)`, which must lie inside.
    #[inline]
    pub fn set(&mut self, x: usize, y: usize, value: P) {
        self.data[y * self.width + x] = value;
    }

    /// The pixel at `(x, y)` after moving the position inside.
    #[inline]
    pub fn at_clamped(&self, x: i64, y: i64) -> P {
        let x = x.clamp(0, self.width as i64 - 1) as usize;
        let y = y.clamp(0, self.height as i64 - 1) as usize;
        self.data[y * self.width + x]
    }

    /// One row.
    pub fn row(&self, y: usize) -> &[P] {
        &self.data[y * self.width..(y + 1) * self.width]
    }

    /// A new image, each pixel made from the one here.
    pub fn map<Q: Copy + Send + Sync>(&self, f: impl Fn(P) -> Q + Sync) -> Raster<Q> {
        let mut data = Vec::with_capacity(self.data.len());
        self.data
            .par_iter()
            .with_min_len(4096)
            .map(|&p| f(p))
            .collect_into_vec(&mut data);
        Raster {
            width: self.width,
            height: self.height,
            data,
        }
    }

    /// A new image from two of the same size.
    ///
    /// # Panics
    ///
    /// When the sizes differ, which is a bug of the caller.
    pub fn zip<Q, R>(&self, other: &Raster<Q>, f: impl Fn(P, Q) -> R + Sync) -> Raster<R>
    where
        Q: Copy + Send + Sync,
        R: Copy + Send + Sync,
    {
        assert_eq!(
            (self.width, self.height),
            (other.width, other.height),
            "sizes differ"
        );
        let mut data = Vec::with_capacity(self.data.len());
        self.data
            .par_iter()
            .with_min_len(4096)
            .zip(&other.data)
            .map(|(&a, &b)| f(a, b))
            .collect_into_vec(&mut data);
        Raster {
            width: self.width,
            height: self.height,
            data,
        }
    }

    /// Copies the rectangle of whole pixels `x0..x1`, `y0..y1`, which must lie inside.
    #[must_use]
    pub fn crop(&self, x0: usize, y0: usize, x1: usize, y1: usize) -> Self {
        let mut data = Vec::with_capacity((x1 - x0) * (y1 - y0));
        for y in y0..y1 {
            data.extend_from_slice(&self.row(y)[x0..x1]);
        }
        Self {
            width: x1 - x0,
            height: y1 - y0,
            data,
        }
    }

    /// Mirrored left to right.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        let mut out = self.clone();
        for row in out.data.chunks_exact_mut(self.width) {
            row.reverse();
        }
        out
    }
}

impl Rgb8 {
    /// As [`Raster::bicubic`], of bytes.
    #[inline]
    pub fn bicubic_rgb8(&self, x: f32, y: f32) -> [u8; 3] {
        let (x, y) = (x - 0.5, y - 0.5);
        let (ix, iy) = (x.floor(), y.floor());
        let (wx, wy) = (catmull_rom(x - ix), catmull_rom(y - iy));
        let mut sum = [0.0; 3];
        for (dy, &vy) in (-1i64..).zip(&wy) {
            for (dx, &vx) in (-1i64..).zip(&wx) {
                let p = self.at_clamped(ix as i64 + dx, iy as i64 + dy);
                sum = sum.mul_add(p.map(f32::from), vx * vy);
            }
        }
        sum.map(|v| v.round().clamp(0.0, 255.0) as u8)
    }
}

impl<P: Sample> Raster<P> {
    /// Bilinear sample at the real position `(x, y)`; outside, the nearest edge pixel.
    #[inline]
    pub fn bilinear(&self, x: f32, y: f32) -> P {
        let x = (x - 0.5).clamp(0.0, (self.width - 1) as f32);
        let y = (y - 0.5).clamp(0.0, (self.height - 1) as f32);
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        P::default()
            .mul_add(self.at(x0, y0), (1.0 - fx) * (1.0 - fy))
            .mul_add(self.at(x1, y0), fx * (1.0 - fy))
            .mul_add(self.at(x0, y1), (1.0 - fx) * fy)
            .mul_add(self.at(x1, y1), fx * fy)
    }

    /// Catmull-Rom sample at the real position `(x, y)`: sharper than bilinear, may overshoot.
    #[inline]
    pub fn bicubic(&self, x: f32, y: f32) -> P {
        let (x, y) = (x - 0.5, y - 0.5);
        let (ix, iy) = (x.floor(), y.floor());
        let (wx, wy) = (catmull_rom(x - ix), catmull_rom(y - iy));
        let mut sum = P::default();
        for (dy, &vy) in (-1i64..).zip(&wy) {
            let mut line = P::default();
            for (dx, &vx) in (-1i64..).zip(&wx) {
                line = line.mul_add(self.at_clamped(ix as i64 + dx, iy as i64 + dy), vx);
            }
            sum = sum.mul_add(line, vy);
        }
        sum
    }

    /// Bilinear enlargement or mild reduction. For strong reduction use [`resize_plane`] and its
    /// siblings, which average.
    #[must_use]
    pub fn stretched(&self, width: usize, height: usize) -> Self {
        let stretch = Stretch::new(self, width, height);
        Self::generate_rows_with(width, height, P::default(), Vec::new, |line, y, row| {
            stretch.fill(y, line, row);
        })
    }
}

/// Bilinear enlargement row by row: the same values as [`Raster::bilinear`] at a fraction of the
/// cost, because a row's vertical weights and all rows' horizontal ones are shared.
#[derive(Debug)]
pub struct Stretch<'a, P> {
    source: &'a Raster<P>,
    /// Left neighbour of each column, and how far it is to the right one.
    columns: Vec<(u32, f32)>,
    vertical: f32,
}

impl<'a, P: Sample> Stretch<'a, P> {
    /// Prepares the enlargement of `source` to `width` x `height`.
    pub fn new(source: &'a Raster<P>, width: usize, height: usize) -> Self {
        let last = source.width - 1;
        let horizontal = source.width as f32 / width.max(1) as f32;
        let columns = (0..width)
            .map(|x| {
                let position = ((x as f32 + 0.5) * horizontal - 0.5).clamp(0.0, last as f32);
                let left = position as u32;
                (left, position - left as f32)
            })
            .collect();
        Self {
            source,
            columns,
            vertical: source.height as f32 / height.max(1) as f32,
        }
    }

    /// Lays row `y` into `line`, at the source's width, for [`Stretch::at`]: for callers that need
    /// few of a row's pixels, or one at a time.
    pub fn line(&self, y: usize, line: &mut Vec<P>) {
        let last = self.source.height - 1;
        let position = ((y as f32 + 0.5) * self.vertical - 0.5).clamp(0.0, last as f32);
        let top = position as usize;
        let t = position - top as f32;
        let (upper, lower) = (self.source.row(top), self.source.row((top + 1).min(last)));
        line.clear();
        line.extend(
            upper
                .iter()
                .zip(lower)
                .map(|(&u, &l)| P::default().mul_add(u, 1.0 - t).mul_add(l, t)),
        );
        // The last pixel has itself as its right neighbour.
        line.extend(line.last().copied());
    }

    /// The pixel in column `x` of the row in `line`.
    #[inline]
    pub fn at(&self, line: &[P], x: usize) -> P {
        let (left, t) = self.columns[x];
        let pair = &line[left as usize..left as usize + 2];
        P::default().mul_add(pair[0], 1.0 - t).mul_add(pair[1], t)
    }

    /// Writes row `y` of the enlarged image; `line` is room for [`Stretch::line`].
    pub fn fill(&self, y: usize, line: &mut Vec<P>, out: &mut [P]) {
        self.line(y, line);
        for (x, o) in out.iter_mut().enumerate() {
            *o = self.at(line, x);
        }
    }
}

fn catmull_rom(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [
        0.5 * (-t + 2.0 * t2 - t3),
        0.5 * (2.0 - 5.0 * t2 + 3.0 * t3),
        0.5 * (t + 4.0 * t2 - 3.0 * t3),
        0.5 * (t3 - t2),
    ]
}

impl Rgb8 {
    /// To real channels, 0..=1.
    pub fn to_f32(&self) -> Rgb {
        self.map(|p| p.map(|v| f32::from(v) * (1.0 / 255.0)))
    }
}

impl Rgb {
    /// To bytes, rounded to nearest.
    pub fn to_u8(&self) -> Rgb8 {
        self.map(|p| p.map(byte))
    }

    /// Luma (Rec. 601 weights on the encoded values).
    pub fn luma(&self) -> Plane {
        self.map(luma)
    }
}

/// To a byte, rounded to nearest; what is outside 0..=1 becomes the nearer end.
#[inline]
pub fn byte(v: f32) -> u8 {
    // Over `i32`, which one instruction converts to; a byte takes a comparison for each end.
    (v.clamp(0.0, 1.0) * 255.0 + 0.5) as i32 as u8
}

/// Luma of an encoded pixel, Rec. 601 weights.
#[inline]
pub fn luma(p: [f32; 3]) -> f32 {
    0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]
}

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Plain averaging: cheapest, for analysis copies.
    Box,
    /// Triangle filter: for network inputs.
    Triangle,
    /// Lanczos 3 when shrinking, Catmull-Rom when enlarging: for pictures.
    Sharp,
}

/// Resizes the part `area` of an image to `width` x `height` bytes.
pub fn resize_rgb8(src: &Rgb8, area: Rect, width: usize, height: usize, kernel: Kernel) -> Rgb8 {
    resize(src, area, (width, height), kernel)
}

/// Resizes a whole colour image.
pub fn resize_rgb(src: &Rgb, width: usize, height: usize, kernel: Kernel) -> Rgb {
    resize(src, whole(src), (width, height), kernel)
}

/// Resizes a whole plane.
pub fn resize_plane(src: &Plane, width: usize, height: usize, kernel: Kernel) -> Plane {
    resize(src, whole(src), (width, height), kernel)
}

fn whole<P>(src: &Raster<P>) -> Rect {
    Rect {
        x: 0.0,
        y: 0.0,
        w: src.width as f32,
        h: src.height as f32,
    }
}

/// Pixels that the resizing library knows.
trait Resizable: bytemuck::Pod + Default {
    const TYPE: fir::PixelType;
}

impl Resizable for [u8; 3] {
    const TYPE: fir::PixelType = fir::PixelType::U8x3;
}

impl Resizable for [f32; 3] {
    const TYPE: fir::PixelType = fir::PixelType::F32x3;
}

impl Resizable for f32 {
    const TYPE: fir::PixelType = fir::PixelType::F32;
}

/// At least one pixel wide and high.
fn resize<P: Resizable>(
    src: &Raster<P>,
    area: Rect,
    (width, height): (usize, usize),
    kernel: Kernel,
) -> Raster<P> {
    let (width, height) = (width.max(1), height.max(1));
    let bytes = resize_bytes(
        bytemuck::cast_slice(&src.data),
        (src.width, src.height),
        P::TYPE,
        area,
        (width, height),
        kernel,
    );
    let data = match bytes {
        Some(bytes) => bytes
            .chunks_exact(size_of::<P>())
            .map(bytemuck::pod_read_unaligned)
            .collect(),
        None => vec![P::default(); width * height],
    };
    Raster {
        width,
        height,
        data,
    }
}

/// The one call into the resizing library. `None` only when a side is zero or larger than `u32`,
/// which the decode limits exclude.
fn resize_bytes(
    src: &[u8],
    size: (usize, usize),
    pixel: fir::PixelType,
    area: Rect,
    target: (usize, usize),
    kernel: Kernel,
) -> Option<Vec<u8>> {
    let source =
        fir::images::ImageRef::new(size.0.try_into().ok()?, size.1.try_into().ok()?, src, pixel)
            .ok()?;
    let (w, h) = (u32::try_from(target.0).ok()?, u32::try_from(target.1).ok()?);
    let mut out = fir::images::Image::new(w, h, pixel);
    let area = area.clipped(size.0, size.1);
    let enlarges = area.w < target.0 as f32;
    let filter = match (kernel, enlarges) {
        (Kernel::Box, false) => fir::FilterType::Box,
        (Kernel::Box | Kernel::Triangle, _) => fir::FilterType::Bilinear,
        (Kernel::Sharp, false) => fir::FilterType::Lanczos3,
        (Kernel::Sharp, true) => fir::FilterType::CatmullRom,
    };
    let right = f64::from(area.right()).min(size.0 as f64);
    let bottom = f64::from(area.bottom()).min(size.1 as f64);
    let options = fir::ResizeOptions::new()
        .resize_alg(fir::ResizeAlg::Convolution(filter))
        .crop(
            f64::from(area.x),
            f64::from(area.y),
            right - f64::from(area.x),
            bottom - f64::from(area.y),
        );
    fir::Resizer::new()
        .resize(&source, &mut out, &options)
        .ok()?;
    Some(out.into_vec())
}

/// Smooth step from 0 at `a` to 1 at `b`.
#[inline]
pub fn smoothstep(a: f32, b: f32, x: f32) -> f32 {
    let t = ((x - a) / (b - a)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
