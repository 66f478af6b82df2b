//! Feature maps.

use rayon::prelude::*;

/// Feature maps of one size, each with a rim of zeros as wide as the next convolution reaches.
#[derive(Debug, Clone, PartialEq)]
pub struct Maps {
    channels: usize,
    width: usize,
    height: usize,
    rim: usize,
    data: Vec<f32>,
}

impl Maps {
    /// Maps of zeros. Every number is at least 1.
    pub(crate) fn zeros(channels: usize, (width, height): (usize, usize), rim: usize) -> Self {
        let (channels, width, height) = (channels.max(1), width.max(1), height.max(1));
        let len = channels * (width + 2 * rim) * (height + 2 * rim);
        Self {
            channels,
            width,
            height,
            rim,
            data: vec![0.0; len],
        }
    }

    /// Maps made value by value, from map, column and row. Every number is at least 1.
    pub fn generate(
        channels: usize,
        width: usize,
        height: usize,
        value: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let mut maps = Self::zeros(channels, (width, height), 1);
        maps.fill(|row, channel, y| {
            for (x, slot) in row.iter_mut().enumerate() {
                *slot = value(channel, x, y);
            }
        });
        maps
    }

    /// How many maps.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Width and height without the rim.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// All values without the rim, map by map and row by row.
    pub fn values(&self) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.channels * self.width * self.height);
        for channel in 0..self.channels {
            for y in 0..self.height {
                out.extend_from_slice(self.row(channel, y));
            }
        }
        out
    }

    pub(crate) fn rim(&self) -> usize {
        self.rim
    }

    /// Length of a row with its rim.
    pub(crate) fn stride(&self) -> usize {
        self.width + 2 * self.rim
    }

    /// Length of a map with its rim.
    fn plane(&self) -> usize {
        self.stride() * (self.height + 2 * self.rim)
    }

    /// Each map with its rim.
    pub(crate) fn planes(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact(self.plane())
    }

    /// Each map with its rim, writable.
    pub(crate) fn planes_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let plane = self.plane();
        self.data.chunks_exact_mut(plane)
    }

    /// A row of a map without the rim; both must exist.
    pub fn row(&self, channel: usize, y: usize) -> &[f32] {
        let from = channel * self.plane() + (y + self.rim) * self.stride() + self.rim;
        &self.data[from..from + self.width]
    }

    /// Writes every row: row, map, y.
    fn fill(&mut self, mut write: impl FnMut(&mut [f32], usize, usize)) {
        let (rim, width, height, stride) = (self.rim, self.width, self.height, self.stride());
        for (channel, plane) in self.planes_mut().enumerate() {
            let rows = plane.chunks_exact_mut(stride).skip(rim).take(height);
            for (y, row) in rows.enumerate() {
                write(&mut row[rim..rim + width], channel, y);
            }
        }
    }

    /// As [`Maps::fill`], maps in parallel.
    fn fill_in_parallel(&mut self, write: impl Fn(&mut [f32], usize, usize) + Sync) {
        let (rim, width, height, stride) = (self.rim, self.width, self.height, self.stride());
        let plane = self.plane();
        self.data
            .par_chunks_exact_mut(plane)
            .enumerate()
            .for_each(|(channel, plane)| {
                let rows = plane.chunks_exact_mut(stride).skip(rim).take(height);
                for (y, row) in rows.enumerate() {
                    write(&mut row[rim..rim + width], channel, y);
                }
            });
    }

    /// The same maps with a rim of another width.
    pub(crate) fn with_rim(&self, rim: usize) -> Self {
        let mut out = Self::zeros(self.channels, self.size(), rim);
        out.fill(|row, channel, y| row.copy_from_slice(self.row(channel, y)));
        out
    }

    /// Half as large, each value the largest of four; an odd last row or column stands alone.
    #[must_use]
    pub fn pooled(&self) -> Self {
        let size = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut out = Self::zeros(self.channels, size, 1);
        out.fill_in_parallel(|row, channel, y| {
            let upper = self.row(channel, 2 * y);
            let lower = self.row(channel, (2 * y + 1).min(self.height - 1));
            let columns = upper.chunks(2).zip(lower.chunks(2));
            for (value, (upper, lower)) in row.iter_mut().zip(columns) {
                let values = upper.iter().chain(lower);
                *value = values.copied().fold(f32::NEG_INFINITY, f32::max);
            }
        });
        out
    }

    /// Resized bilinearly; pixel centres lie at halves, and the edges continue.
    #[must_use]
    pub fn resized(&self, width: usize, height: usize) -> Self {
        let mut out = Self::zeros(self.channels, (width, height), 1);
        let between = |position: usize, from: usize, to: usize| {
            let at = (position as f32 + 0.5) * (from as f32 / to as f32) - 0.5;
            let at = at.clamp(0.0, (from - 1) as f32);
            let low = at as usize;
            (low, (low + 1).min(from - 1), at - low as f32)
        };
        let columns: Vec<_> = (0..width).map(|x| between(x, self.width, width)).collect();
        out.fill_in_parallel(|row, channel, y| {
            let (upper, lower, down) = between(y, self.height, height);
            let (upper, lower) = (self.row(channel, upper), self.row(channel, lower));
            let at = |x: usize| upper[x] + (lower[x] - upper[x]) * down;
            for (value, &(left, right, across)) in row.iter_mut().zip(&columns) {
                let left = at(left);
                *value = left + (at(right) - left) * across;
            }
        });
        out
    }

    /// Adds maps of the same number and size.
    ///
    /// # Panics
    ///
    /// When number or size differ, which is a bug of the caller.
    pub fn add(&mut self, other: &Self) {
        assert_eq!(
            (self.channels, self.size()),
            (other.channels, other.size()),
            "maps of one kind"
        );
        self.fill_in_parallel(|row, channel, y| {
            for (value, more) in row.iter_mut().zip(other.row(channel, y)) {
                *value += more;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(channels: usize, width: usize, height: usize, values: &[f32]) -> Maps {
        let at = |channel, x, y| values[(channel * height + y) * width + x];
        Maps::generate(channels, width, height, at)
    }

    fn maps(channels: usize, width: usize, height: usize) -> Maps {
        let values: Vec<f32> = (0..channels * width * height).map(|n| n as f32).collect();
        of(channels, width, height, &values)
    }

    #[test]
    fn values_come_back_whatever_the_rim() {
        let given = maps(2, 3, 4);
        assert_eq!(given.values(), given.with_rim(5).values());
        assert_eq!(given.values().len(), 24);
        assert_eq!(given.with_rim(5).with_rim(1), given);
    }

    #[test]
    fn pooling_takes_the_largest_of_four_and_what_is_left_at_odd_edges() {
        let pooled = maps(1, 3, 3).pooled();
        assert_eq!(
            (pooled.size(), pooled.values()),
            ((2, 2), vec![4.0, 5.0, 7.0, 8.0])
        );
        let negative = of(1, 2, 2, &[-4.0, -3.0, -2.0, -5.0]);
        assert_eq!(negative.pooled().values(), [-2.0]);
    }

    #[test]
    fn resizing_is_bilinear_between_centres() {
        let row = of(1, 2, 1, &[0.0, 4.0]);
        assert_eq!(row.resized(4, 1).values(), [0.0, 1.0, 3.0, 4.0]);
        let square = of(1, 2, 2, &[0.0, 4.0, 8.0, 12.0]);
        assert_eq!(square.resized(1, 1).values(), [6.0]);
        assert_eq!(square.resized(2, 2), square);
    }

    #[test]
    fn adding_is_by_place_whatever_the_rims() {
        let mut sum = maps(2, 3, 4);
        sum.add(&maps(2, 3, 4).with_rim(4));
        let doubled: Vec<f32> = maps(2, 3, 4).values().iter().map(|v| v * 2.0).collect();
        assert_eq!(sum.values(), doubled);
    }
}
