//! Enlarging small photos: where a picture needs more pixels of the person than the photo has, a
//! small network draws the photo's part twice or four times as large.
//!
//! The network sees seven pixels in each direction and sharpens the edges that it finds there. It
//! knows nothing of faces, so that it has nothing to put in their place.
//!
//! It runs on tiles of one size, which lie on one grid over the whole photo: a tile is the same
//! whoever asks for it, and the memory that the network needs does not grow with the photo.

mod doubler;

pub use doubler::Doubler;

use crate::frame::{Frame, MAX_ENLARGEMENT};
use crate::raster::{Raster, Rect, Rgb8};
use doubler::MARGIN;
use std::collections::BTreeMap;

/// Side of a tile before the network enlarges it, in pixels.
pub const TILE: usize = 64;
/// Side of the network's input.
const SIDE: usize = TILE + 2 * MARGIN;
/// Side of a tile after it.
const ENLARGED: usize = 2 * TILE;

/// Longer side up to which a picture gets restored pixels. Larger ones are made from the pixels that
/// one of this size would have: twice as many cost four times the work and show nothing more.
pub const USUAL_SIDE: usize = 1280;

/// Most passes of the network, each of which makes the photo twice as large.
const PASSES_MAX: usize = 2;

/// How many times larger the photo has to become for a picture: 1, which is not at all, 2 or 4.
/// `frame` has the wished size; the photo is `scale` times the analysed image.
pub fn times(frame: &Frame, scale: f32) -> u32 {
    let longer = frame.size.width.max(frame.size.height);
    let usual = (USUAL_SIDE as f32 / longer as f32).min(1.0);
    let enlargement = frame.enlargement(scale) * usual;
    let mut times = 1;
    while times < 1 << PASSES_MAX && enlargement > MAX_ENLARGEMENT * times as f32 {
        times *= 2;
    }
    times
}

/// A part of an enlarged photo.
#[derive(Debug, Clone)]
pub struct Part {
    /// The pixels.
    pub pixels: Rgb8,
    /// Left upper corner, in pixels of the enlarged photo.
    pub origin: (usize, usize),
}

/// The tiles of one photo that were made so far, by pass, column and row.
#[derive(Debug, Default)]
pub struct Tiles([BTreeMap<(usize, usize), Rgb8>; PASSES_MAX]);

impl Tiles {
    /// Adds those of another one.
    pub fn extend(&mut self, other: Self) {
        for (own, new) in self.0.iter_mut().zip(other.0) {
            own.extend(new);
        }
    }
}

/// A photo being restored.
pub struct Restorer<'a> {
    /// The network.
    pub net: &'a Doubler,
    /// The photo.
    pub photo: &'a Rgb8,
    /// Whether the person may be seen in a part of the photo. Elsewhere, where the backdrop comes,
    /// the network need not look.
    pub shows_person: &'a dyn Fn(Rect) -> bool,
    /// What was made before.
    pub tiles: &'a mut Tiles,
}

impl std::fmt::Debug for Restorer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restorer").finish_non_exhaustive()
    }
}

/// Columns and rows of whole pixels.
#[derive(Debug, Clone, Copy)]
struct Area {
    x0: usize,
    y0: usize,
    x1: usize,
    y1: usize,
}

impl Restorer<'_> {
    /// The photo `times` as large, 2 or 4, where `area` lies, in pixels of the photo as it was.
    pub fn part(&mut self, area: Rect, times: u32) -> Part {
        let passes = if times > 2 { PASSES_MAX } else { 1 };
        let (w, h) = (self.photo.width(), self.photo.height());
        let inside = area.clipped(w, h);
        let edge = |v: f32, n: usize| (v.max(0.0) as usize).min(n) << passes;
        let area = Area {
            x0: edge(inside.x.floor(), w - 1),
            y0: edge(inside.y.floor(), h - 1),
            x1: edge(inside.right().ceil(), w),
            y1: edge(inside.bottom().ceil(), h),
        };
        self.cover(passes, area);
        Part {
            pixels: self.drawn(passes, area),
            origin: (area.x0, area.y0),
        }
    }

    /// Width and height of the photo after some passes.
    fn size(&self, passes: usize) -> (usize, usize) {
        (self.photo.width() << passes, self.photo.height() << passes)
    }

    /// Makes the tiles of a pass that `area`, in pixels after it, needs and that are missing.
    fn cover(&mut self, pass: usize, area: Area) {
        for row in area.y0 / ENLARGED..=(area.y1 - 1) / ENLARGED {
            for column in area.x0 / ENLARGED..=(area.x1 - 1) / ENLARGED {
                if !self.tiles.0[pass - 1].contains_key(&(column, row)) {
                    let tile = self.tile(pass, column, row);
                    self.tiles.0[pass - 1].insert((column, row), tile);
                }
            }
        }
    }

    /// Makes one tile from what the pass before left.
    fn tile(&mut self, pass: usize, column: usize, row: usize) -> Rgb8 {
        let (w, h) = self.size(pass - 1);
        let (left, top) = (column * TILE, row * TILE);
        let before = Area {
            x0: left.saturating_sub(MARGIN),
            y0: top.saturating_sub(MARGIN),
            x1: (left + TILE + MARGIN).min(w),
            y1: (top + TILE + MARGIN).min(h),
        };
        if pass > 1 {
            self.cover(pass - 1, before);
        }
        let known = self.drawn(pass - 1, before);
        // Beyond the photo's edges the nearest pixel is continued.
        let window = Raster::generate(SIDE, SIDE, |x, y| {
            let at = |n: usize, from: usize, known: usize| {
                n as i64 - MARGIN as i64 + from as i64 - known as i64
            };
            known.at_clamped(at(x, left, before.x0), at(y, top, before.y0))
        });
        let per_photo = 1.0 / (1 << (pass - 1)) as f32;
        let around = Rect {
            x: left as f32 - TILE as f32 / 2.0,
            y: top as f32 - TILE as f32 / 2.0,
            w: 2.0 * TILE as f32,
            h: 2.0 * TILE as f32,
        };
        if (self.shows_person)(around.scaled(per_photo)) {
            self.net.doubled(&window)
        } else {
            interpolated(&window)
        }
    }

    /// The photo after some passes, where `area` lies: all of its tiles are there.
    fn drawn(&self, passes: usize, area: Area) -> Rgb8 {
        let Area { x0, y0, x1, y1 } = area;
        if passes == 0 {
            return self.photo.crop(x0, y0, x1, y1);
        }
        let tiles = &self.tiles.0[passes - 1];
        Raster::generate_rows(x1 - x0, y1 - y0, [0; 3], |y, line| {
            let y = y0 + y;
            let mut x = x0;
            while x < x1 {
                let column = x / ENLARGED;
                let end = ((column + 1) * ENLARGED).min(x1);
                if let Some(tile) = tiles.get(&(column, y / ENLARGED)) {
                    let from = tile.row(y % ENLARGED);
                    line[x - x0..end - x0]
                        .copy_from_slice(&from[x % ENLARGED..x % ENLARGED + (end - x)]);
                }
                x = end;
            }
        })
    }
}

/// A tile without the network.
fn interpolated(window: &Rgb8) -> Rgb8 {
    let at = |n: usize| MARGIN as f32 + f32::midpoint(n as f32, 0.5);
    Raster::generate(ENLARGED, ENLARGED, |x, y| window.bicubic_rgb8(at(x), at(y)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;
    use crate::weights::RESTORE;

    fn net() -> Doubler {
        Doubler::from_onnx(RESTORE.name, RESTORE.bytes).unwrap()
    }

    /// Lines and slow changes, so that every place differs.
    fn photo(width: usize, height: usize) -> Rgb8 {
        Raster::generate(width, height, |x, y| {
            let line = usize::from((x * 7 + y * 3) % 23 < 4) * 90;
            [x % 160 + line, y % 160 + line, (x + y) % 250].map(|v| v as u8)
        })
    }

    fn part(photo: &Rgb8, area: Rect, times: u32) -> Part {
        Restorer {
            net: &net(),
            photo,
            shows_person: &|_| true,
            tiles: &mut Tiles::default(),
        }
        .part(area, times)
    }

    fn frame(width: usize, height: usize, step: f32) -> Frame {
        Frame {
            size: Size { width, height },
            centre: (0.0, 0.0),
            step,
            angle: 0.0,
            tightened: false,
            reduced: false,
        }
    }

    #[test]
    fn a_photo_grows_only_when_a_usual_picture_needs_more_than_it_has() {
        let limit = 1.0 / MAX_ENLARGEMENT;
        for (needed, expected) in [
            (limit * 1.001, 1),
            (limit * 0.999, 2),
            (limit * 0.501, 2),
            (limit * 0.499, 4),
            (limit * 0.1, 4),
        ] {
            assert_eq!(times(&frame(1024, 1280, needed), 1.0), expected, "{needed}");
            // The analysed image is smaller than the photo.
            assert_eq!(times(&frame(1024, 1280, needed / 3.0), 3.0), expected);
        }
        // A larger picture does not ask for more than the usual one of the same part.
        assert_eq!(times(&frame(2048, 2560, limit * 0.501), 1.0), 1);
        assert_eq!(times(&frame(2048, 2560, limit * 0.499), 1.0), 2);
        assert_eq!(times(&frame(320, 400, limit * 1.001), 1.0), 1);
    }

    #[test]
    fn a_part_is_the_same_whatever_is_asked_for_with_it() {
        let photo = photo(100, 70);
        let whole = Rect::from_edges(0.0, 0.0, 100.0, 70.0);
        for times in [2u32, 4] {
            let n = times as usize;
            let all = part(&photo, whole, times);
            assert_eq!((all.pixels.width(), all.pixels.height()), (100 * n, 70 * n));
            for area in [
                Rect::from_edges(60.2, 61.0, 91.7, 68.0),
                Rect::from_edges(-20.0, 50.0, 3.0, 400.0),
            ] {
                let some = part(&photo, area, times);
                let (x, y) = some.origin;
                let (w, h) = (some.pixels.width(), some.pixels.height());
                assert!(
                    some.pixels == all.pixels.crop(x, y, x + w, y + h),
                    "{area:?}"
                );
            }
        }
    }

    #[test]
    fn a_tile_made_alone_and_its_neighbours_fit_together() {
        // A flat photo has no seams, and keeps its colour.
        let flat = Rgb8::filled(150, 80, [180, 120, 60]);
        let all = part(&flat, Rect::from_edges(0.0, 0.0, 150.0, 80.0), 2);
        for p in all.pixels.data() {
            for (a, b) in p.iter().zip([180u8, 120, 60]) {
                assert!(a.abs_diff(b) <= 2, "{p:?}");
            }
        }
        // A tile's pixels do not depend on where the grid lies: the same photo, moved by 20 pixels.
        let wide = photo(230, 100);
        let moved = wide.crop(20, 0, 230, 100);
        let a = part(&wide, Rect::from_edges(0.0, 0.0, 230.0, 100.0), 2).pixels;
        let b = part(&moved, Rect::from_edges(0.0, 0.0, 210.0, 100.0), 2).pixels;
        let worst = (20..400)
            .flat_map(|x| (0..200).map(move |y| (x, y)))
            .flat_map(|(x, y)| [0, 1, 2].map(|k| a.at(x + 40, y)[k].abs_diff(b.at(x, y)[k])))
            .max();
        assert!(worst <= Some(1), "{worst:?}");
    }

    #[test]
    fn tiles_are_made_once_and_only_where_they_are_needed() {
        let (photo, net) = (photo(300, 300), net());
        let mut tiles = Tiles::default();
        let asked = std::cell::RefCell::new(0);
        let shows_person = |_: Rect| {
            *asked.borrow_mut() += 1;
            false
        };
        let mut restorer = Restorer {
            net: &net,
            photo: &photo,
            shows_person: &shows_person,
            tiles: &mut tiles,
        };
        let corner = Rect::from_edges(10.0, 10.0, 64.0, 64.0);
        for _ in 0..2 {
            restorer.part(corner, 2);
            assert_eq!(*asked.borrow(), 1);
        }
        restorer.part(Rect::from_edges(10.0, 10.0, 64.5, 64.0), 2);
        assert_eq!(*asked.borrow(), 2);
        assert!(tiles.0[1].is_empty());
        for tile in tiles.0[0].values() {
            assert_eq!((tile.width(), tile.height()), (ENLARGED, ENLARGED));
        }
    }

    #[test]
    fn the_smallest_photo_can_be_restored() {
        let dot = Rgb8::filled(1, 1, [9, 8, 7]);
        let part = part(&dot, Rect::from_edges(0.0, 0.0, 1.0, 1.0), 4);
        assert_eq!((part.pixels.width(), part.pixels.height()), (4, 4));
    }
}
