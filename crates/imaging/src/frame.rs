//! Framing: which part of the photo becomes the picture, levelled and at which size.

use crate::analysis::landmarks::{BRIDGE, CHIN, FOREHEAD, Landmarks};
use crate::matte::coarse::Coarse;
use crate::raster::{Kernel, Rect, Rgb, Rgb8, resize_rgb8};

/// How much of the person the picture shows.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// Head and shoulders: the head is half as high as the picture.
    #[default]
    Headshot,
    /// The head fills most of the picture.
    Close,
    /// Down to the chest.
    Half,
    /// Head and shoulders in a square.
    Square,
}

impl Crop {
    /// Every crop, the usual one first.
    pub const ALL: [Self; 4] = [Self::Headshot, Self::Close, Self::Half, Self::Square];

    /// The name, as the command line and recipes write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Headshot => "headshot",
            Self::Close => "close",
            Self::Half => "half",
            Self::Square => "square",
        }
    }

    /// Head height over picture height, and free space above the hair over picture height.
    fn proportions(self) -> (f32, f32) {
        match self {
            Self::Headshot => (0.50, 0.105),
            Self::Close => (0.62, 0.085),
            Self::Half => (0.38, 0.10),
            Self::Square => (0.56, 0.10),
        }
    }

    /// The size used unless the caller asks for another.
    pub fn default_size(self) -> Size {
        match self {
            Self::Square => Size {
                width: 1024,
                height: 1024,
            },
            _ => Size {
                width: 1024,
                height: 1280,
            },
        }
    }
}

/// Size of the finished picture in pixels. The aspect ratio decides the framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Size {
    /// Width, 64..=2560.
    pub width: usize,
    /// Height, 64..=2560.
    pub height: usize,
}

impl Size {
    /// Smallest accepted side.
    pub const MIN_SIDE: usize = 64;
    /// Largest accepted side.
    pub const MAX_SIDE: usize = 2560;

    /// Whether both sides are in range and the shape is not extreme.
    pub fn is_valid(self) -> bool {
        let range = Self::MIN_SIDE..=Self::MAX_SIDE;
        let (short, long) = (self.width.min(self.height), self.width.max(self.height));
        range.contains(&self.width) && range.contains(&self.height) && long <= short * 2
    }
}

/// Enlargement up to which a picture still looks sharp; beyond, it is delivered smaller.
pub const MAX_ENLARGEMENT: f32 = 1.15;

/// Tightest framing: the head may fill this part of the height when the photo leaves no choice.
const TIGHTEST: f32 = 0.80;

/// How much smaller a frame may become to end above what breaks the body.
const CLOSER: f32 = 0.75;

/// Tilt that is left alone: levelling costs sharpness and a straight head is never exactly zero.
const LEVEL_FROM: f32 = 1.5;
/// Largest correction, degrees.
const LEVEL_TO: f32 = 15.0;

/// The chosen part of the photo: an upright rectangle after turning the photo by `angle`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Size of the picture made from it.
    pub size: Size,
    /// Position of the picture's centre, in pixels of the analysed image.
    pub centre: (f32, f32),
    /// Pixels of the analysed image per pixel of the picture.
    pub step: f32,
    /// Rotation in radians that levels the head.
    pub angle: f32,
    /// Whether the photo was too narrow for the wished framing, so that the head is larger.
    pub tightened: bool,
    /// Whether the photo has too few pixels for the wished size, so that the picture is smaller.
    pub reduced: bool,
}

impl Frame {
    /// From a position in the picture to one in the analysed image.
    pub fn to_image(&self, x: f32, y: f32) -> (f32, f32) {
        let u = (x - self.size.width as f32 / 2.0) * self.step;
        let v = (y - self.size.height as f32 / 2.0) * self.step;
        let (sin, cos) = self.angle.sin_cos();
        (
            self.centre.0 + u * cos - v * sin,
            self.centre.1 + u * sin + v * cos,
        )
    }

    /// From a position in the analysed image to one in the picture.
    pub fn to_picture(&self, x: f32, y: f32) -> (f32, f32) {
        let (dx, dy) = (x - self.centre.0, y - self.centre.1);
        let (sin, cos) = self.angle.sin_cos();
        (
            (dx * cos + dy * sin) / self.step + self.size.width as f32 / 2.0,
            (dy * cos - dx * sin) / self.step + self.size.height as f32 / 2.0,
        )
    }

    /// Pixels of the picture per pixel of the photo, which is `scale` times the analysed image.
    pub fn enlargement(&self, scale: f32) -> f32 {
        1.0 / (self.step * scale)
    }

    /// Reduces the picture when the photo, `scale` times the analysed image, has too few pixels for
    /// it: never a blown-up blur.
    #[must_use]
    pub fn within(self, scale: f32) -> Self {
        let enlargement = self.enlargement(scale);
        if enlargement <= MAX_ENLARGEMENT {
            return self;
        }
        let shrink = MAX_ENLARGEMENT / enlargement;
        let side = |s: usize| ((s as f32 * shrink).round() as usize).max(Size::MIN_SIDE);
        let size = Size {
            width: side(self.size.width),
            height: side(self.size.height),
        };
        let step = self.step * self.size.height as f32 / size.height as f32;
        Self {
            size,
            step,
            reduced: true,
            ..self
        }
    }

    /// The same frame in a photo whose first `x` columns and `y` rows, in pixels of the analysed
    /// image, are missing.
    #[must_use]
    pub fn without(self, x: f32, y: f32) -> Self {
        Self {
            centre: (self.centre.0 - x, self.centre.1 - y),
            ..self
        }
    }

    /// What [`Self::extract`] looks at, in pixels of the photo; reaches outside it where the frame does.
    pub fn around(&self, scale: f32) -> Rect {
        let (w, h) = (self.size.width, self.size.height);
        let step = self.step * scale;
        let corners = [
            (0.0, 0.0),
            (w as f32, 0.0),
            (0.0, h as f32),
            (w as f32, h as f32),
        ]
        .map(|(x, y)| self.to_image(x, y))
        .map(|(x, y)| (x * scale, y * scale));
        let fold = |f: fn(f32, f32) -> f32, pick: fn(&(f32, f32)) -> f32, start: f32| {
            corners.iter().map(pick).fold(start, f)
        };
        let margin = 4.0 * step.max(1.0);
        Rect::from_edges(
            fold(f32::min, |c| c.0, f32::MAX) - margin,
            fold(f32::min, |c| c.1, f32::MAX) - margin,
            fold(f32::max, |c| c.0, f32::MIN) + margin,
            fold(f32::max, |c| c.1, f32::MIN) + margin,
        )
    }

    /// Cuts the picture out of the upload, which is `scale` times the analysed image. Outside the
    /// photo the nearest edge is continued.
    pub fn extract(&self, source: &Rgb8, scale: f32) -> Rgb {
        let (w, h) = (self.size.width, self.size.height);
        let step = self.step * scale;
        let around = self.around(scale).clipped(source.width(), source.height());
        // Straight frames are resampled once, onto the picture's own grid; turned ones are first
        // reduced to a somewhat finer grid, so that turning costs no sharpness.
        let zoom = if self.angle == 0.0 {
            1.0 / step
        } else {
            (1.3 / step).min(1.0)
        };
        if self.angle == 0.0 {
            return self.extract_straight(source, scale);
        }
        let (pw, ph) = (
            (around.w * zoom).ceil() as usize,
            (around.h * zoom).ceil() as usize,
        );
        let part = resize_rgb8(source, around, pw, ph, Kernel::Sharp).to_f32();
        let (zx, zy) = (
            part.width() as f32 / around.w,
            part.height() as f32 / around.h,
        );
        Rgb::generate(w, h, |x, y| {
            let (sx, sy) = self.to_image(x as f32 + 0.5, y as f32 + 0.5);
            part.bicubic((sx * scale - around.x) * zx, (sy * scale - around.y) * zy)
                .map(|v| v.clamp(0.0, 1.0))
        })
    }

    fn extract_straight(&self, source: &Rgb8, scale: f32) -> Rgb {
        let (w, h) = (self.size.width, self.size.height);
        let step = self.step * scale;
        let (left, top) = self.to_image(0.0, 0.0);
        let wanted = Rect {
            x: left * scale,
            y: top * scale,
            w: w as f32 * step,
            h: h as f32 * step,
        };
        let inside = wanted.clipped(source.width(), source.height());
        let x0 = (((inside.x - wanted.x) / step).round().max(0.0) as usize).min(w - 1);
        let y0 = (((inside.y - wanted.y) / step).round().max(0.0) as usize).min(h - 1);
        let pw = ((inside.w / step).round() as usize).clamp(1, w - x0);
        let ph = ((inside.h / step).round() as usize).clamp(1, h - y0);
        let part = resize_rgb8(source, inside, pw, ph, Kernel::Sharp);
        Rgb::generate(w, h, |x, y| {
            let px = x.saturating_sub(x0).min(pw - 1);
            let py = y.saturating_sub(y0).min(ph - 1);
            part.at(px, py).map(|v| f32::from(v) * (1.0 / 255.0))
        })
    }
}

/// Height of the hair's top in the analysed image: the first row above the forehead where the
/// person ends. At most 1.1 face heights above the forehead.
pub fn crown(coarse: &Coarse, landmarks: &Landmarks) -> f32 {
    let (fw, fh) = (landmarks.face_width(), landmarks.face_height());
    let (cx, top) = landmarks.point(FOREHEAD);
    let highest = top - fh * 1.1;
    let step = (fh / 200.0).max(0.25);
    let mut y = top;
    while y > highest && y > 0.0 {
        let person = (-4i8..=4)
            .map(|i| coarse.at(cx + fw * 0.09 * f32::from(i), y))
            .fold(0.0, f32::max);
        if person < 0.5 {
            break;
        }
        y -= step;
    }
    y.max(0.0)
}

/// What framing needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Size of the analysed image.
    pub image: (usize, usize),
    /// The face.
    pub landmarks: &'a Landmarks,
    /// The person.
    pub coarse: &'a Coarse,
}

/// Chooses the frame: head height and free space as the crop wants them, the face in the middle,
/// the head level; pushed inside the photo where the body meets its edge, then tightened, and only
/// then turned less. The frame has the wished size, whatever the photo has: see [`Frame::within`].
pub fn choose(subject: &Subject<'_>, crop: Crop, size: Size) -> Frame {
    let roll = subject.landmarks.pose().roll;
    let full = if roll.abs() < LEVEL_FROM {
        0.0
    } else {
        roll.clamp(-LEVEL_TO, LEVEL_TO)
    };
    // With the whole head from side to side, unless there is no such frame: hair can be wider. And
    // above what is held before the body, unless that leaves no frame either.
    let wishes = [(true, true), (true, false), (false, false)];
    let best = wishes.into_iter().find_map(|(whole, unbroken)| {
        best_levelled(subject, crop, size, full, Wishes { whole, unbroken })
    });
    best.unwrap_or_else(|| last_resort(subject, size))
}

/// The frame that is levelled most, from `full` degrees on, unless levelling tightens it.
fn best_levelled(
    subject: &Subject<'_>,
    crop: Crop,
    size: Size,
    full: f32,
    wishes: Wishes,
) -> Option<Frame> {
    let mut best: Option<(Frame, f32)> = None;
    for part in [1.0f32, 0.66, 0.33, 0.0] {
        let head = Head::of(subject, (full * part).to_radians());
        let Some((frame, tightness)) = largest(subject, &head, crop, size, wishes) else {
            continue;
        };
        if tightness > 0.8 {
            return Some(frame);
        }
        if best.as_ref().is_none_or(|b| tightness > b.1 + 0.05) {
            best = Some((frame, tightness));
        }
        if full == 0.0 {
            break;
        }
    }
    best.map(|b| b.0)
}

/// What a frame should do, where the photo has one that does.
#[derive(Debug, Clone, Copy)]
struct Wishes {
    /// Show the head from side to side.
    whole: bool,
    /// End above what takes a piece out of the body.
    unbroken: bool,
}

/// The largest fitting frame at the head's angle, and its height over the wished height.
fn largest(
    subject: &Subject<'_>,
    head: &Head,
    crop: Crop,
    size: Size,
    wishes: Wishes,
) -> Option<(Frame, f32)> {
    let (ratio, free) = crop.proportions();
    let free = if head.cut { 0.0 } else { free };
    let aspect = size.width as f32 / size.height as f32;
    let wished = head.height / ratio;
    let mut height = wished;
    let mut step = 0;
    let smallest = head.height / TIGHTEST;
    let smallest = if wishes.unbroken {
        smallest.max(wished * CLOSER)
    } else {
        smallest
    };
    while height >= smallest {
        let width = height * aspect;
        // A picture may be off-centre by a tenth, and by more once it had to be tightened anyway.
        let reach = if step < 20 { 0.10 } else { 0.20 };
        let mut frames = (0..=20i8).map(|k| {
            // 0, 1, -1, 2, -2 ... hundredths of the reach's tenth.
            let sign = if k % 2 == 0 { -1.0 } else { 1.0 };
            let shift = sign * f32::from((k + 1) / 2) * 0.1 * reach * width;
            Frame {
                size,
                centre: head.place(height, free, shift),
                step: height / size.height as f32,
                angle: head.angle,
                tightened: height < wished * 0.97,
                reduced: false,
            }
        });
        // What breaks the body is not looked for again further aside: there it would only be hidden.
        let fitting = frames.find(|frame| {
            !(cuts_body(subject, frame) || wishes.whole && head.is_cut_by(subject, frame))
        });
        if let Some(frame) = fitting
            && !(wishes.unbroken && head.body_is_broken_by(subject, &frame))
        {
            return Some((frame, height / wished));
        }
        height *= 0.98;
        step += 1;
    }
    None
}

/// The head in coordinates turned by the levelling angle around its own middle.
struct Head {
    pivot: (f32, f32),
    angle: f32,
    /// Crown to chin.
    height: f32,
    /// Crown and horizontal middle, relative to the pivot, in turned coordinates.
    top: f32,
    middle: f32,
    cut: bool,
}

impl Head {
    fn of(subject: &Subject<'_>, angle: f32) -> Self {
        let l = subject.landmarks;
        let pivot = l.point(BRIDGE);
        let turned = |p: (f32, f32)| {
            let (dx, dy) = (p.0 - pivot.0, p.1 - pivot.1);
            let (sin, cos) = angle.sin_cos();
            (dx * cos + dy * sin, dy * cos - dx * sin)
        };
        let chin = turned(l.point(CHIN)).1;
        let crown = crown(subject.coarse, l);
        let fh = l.face_height();
        // Towering hair must not shrink the face: the head counts as at most 1.7 faces high.
        let top = turned((l.point(FOREHEAD).0, crown))
            .1
            .max(chin - fh * 1.7)
            .min(chin - fh * 1.15);
        let sides = f32::midpoint(turned(l.point(234)).0, turned(l.point(454)).0);
        let middle = sides * 0.7 + turned(l.point(1)).0 * 0.3;
        Self {
            pivot,
            angle,
            height: chin - top,
            top,
            middle,
            cut: crown < 1.0,
        }
    }

    /// Whether a side of the frame goes through the head although the photo shows more of it.
    fn is_cut_by(&self, subject: &Subject<'_>, frame: &Frame) -> bool {
        const POINTS: usize = 40;
        let chin = subject.landmarks.point(CHIN).1;
        let (width, height) = (frame.size.width as f32, frame.size.height as f32);
        (0..=POINTS).any(|i| {
            let y = i as f32 / POINTS as f32 * height;
            [0.0, width].into_iter().any(|x| {
                let (sx, sy) = frame.to_image(x, y);
                let inside = sx > 0.0 && sx < subject.image.0 as f32;
                // Below the ears there are long hair and shoulders.
                inside && sy < chin - self.height * 0.2 && subject.coarse.at(sx, sy) > 0.5
            })
        })
    }

    /// Whether the person is much narrower at the frame's lower edge than just above it: something
    /// that is not the person, held or leant upon, takes a piece out of an arm there.
    fn body_is_broken_by(&self, subject: &Subject<'_>, frame: &Frame) -> bool {
        /// How far above the lower edge is looked, and what may be missing on a side, in head heights.
        const ABOVE: f32 = 0.35;
        const MISSING: f32 = 0.12;
        const ROWS: usize = 12;
        const COLUMNS: usize = 80;
        let (width, height) = (frame.size.width as f32, frame.size.height as f32);
        let head = self.height / frame.step;
        let column = |i: usize| (i as f32 + 0.5) / COLUMNS as f32 * width;
        let extent = |row: usize| {
            let y = height - head * ABOVE * row as f32 / ROWS as f32 - 1.0;
            let is_person = |i: &usize| {
                let (sx, sy) = frame.to_image(column(*i), y);
                subject.coarse.at(sx, sy) > 0.5
            };
            let left = (0..COLUMNS).find(is_person)?;
            let right = (0..COLUMNS).rev().find(is_person)?;
            Some((column(left), column(right)))
        };
        let Some(lowest) = extent(0) else {
            return false;
        };
        (1..=ROWS)
            .filter_map(extent)
            .any(|(left, right)| (lowest.0 - left).max(right - lowest.1) > head * MISSING)
    }

    /// The centre of a frame, in the analysed image.
    fn place(&self, height: f32, free: f32, shift: f32) -> (f32, f32) {
        let u = self.middle + shift;
        let v = self.top - free * height + height / 2.0;
        let (sin, cos) = self.angle.sin_cos();
        (
            self.pivot.0 + u * cos - v * sin,
            self.pivot.1 + u * sin + v * cos,
        )
    }
}

/// Whether the frame shows a place outside the photo to which the body would continue.
fn cuts_body(subject: &Subject<'_>, frame: &Frame) -> bool {
    const POINTS: usize = 40;
    const BODY: f32 = 0.30;
    let (w, h) = (subject.image.0 as f32, subject.image.1 as f32);
    let (fw, fh) = (frame.size.width as f32, frame.size.height as f32);
    let tolerance = 0.75;
    (0..=POINTS).any(|i| {
        let t = i as f32 / POINTS as f32;
        [(t * fw, fh), (0.0, t * fh), (fw, t * fh), (t * fw, 0.0)]
            .iter()
            .any(|&(x, y)| {
                let (sx, sy) = frame.to_image(x, y);
                let outside =
                    sx < -tolerance || sy < -tolerance || sx > w + tolerance || sy > h + tolerance;
                outside && {
                    // Just inside the photo's edge, where the network still sees something.
                    let inset = subject.coarse.area.w / 256.0;
                    let cx = sx.clamp(inset, w - inset);
                    let cy = sy.clamp(inset, h - inset);
                    subject.coarse.at(cx, cy) > BODY
                }
            })
    })
}

/// Nothing fits: the tightest straight frame, moved inside the photo as far as it goes.
fn last_resort(subject: &Subject<'_>, size: Size) -> Frame {
    let (w, h) = (subject.image.0 as f32, subject.image.1 as f32);
    let head = Head::of(subject, 0.0);
    let aspect = size.width as f32 / size.height as f32;
    let height = (head.height / TIGHTEST).min(h).min(w / aspect);
    let (cx, cy) = head.place(height, 0.05, 0.0);
    let half = (height * aspect / 2.0, height / 2.0);
    Frame {
        size,
        centre: (
            cx.clamp(half.0, (w - half.0).max(half.0)),
            cy.clamp(half.1, (h - half.1).max(half.1)),
        ),
        step: height / size.height as f32,
        angle: 0.0,
        tightened: true,
        reduced: false,
    }
}
