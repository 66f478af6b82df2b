//! The innermost loops.
//!
//! Maps lie in memory with their rims, row after row. So the neighbour of a pixel in a given direction
//! is at a fixed distance, wherever the pixel is, and a run of pixels has its neighbours in a run, too.
//! A tile is such a run of a few vectors, for the maps of a block: all its sums stay in registers
//! until they are complete. Each vector that is read serves every map of the block, each weight every
//! vector. Runs go on over the rims at the rows' ends; what is summed there is thrown away.

#![expect(
    clippy::inline_always,
    reason = "what is not inlined is compiled without the processor's vectors; see rten-simd"
)]

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use crate::convolution::Activation;

/// Maps that are made together.
pub(crate) const BLOCK: usize = 8;

/// Some rows of the maps of a block.
pub(crate) struct Band<'a> {
    /// The inputs, with rims as wide as the dilation.
    pub(crate) planes: &'a [&'a [f32]],
    /// Where the first row begins in a plane, not counting the upper rim.
    pub(crate) first: usize,
    /// Length of a row with its rims.
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    /// Length of a row without its rims.
    pub(crate) width: usize,
    /// By plane and place, [`BLOCK`] of them.
    pub(crate) weights: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) activation: Activation,
    /// The same rows of each output, with their rims at both sides.
    pub(crate) pieces: Vec<&'a mut [f32]>,
}

impl SimdOp for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let outputs = self.pieces.len();
        // As many sums as fit into the registers, of which AVX-512 and NEON have 32.
        if outputs == 1 {
            self.run::<I, 1, 4>(isa, 0);
        } else if isa.f32().len() == 8 {
            for half in (0..outputs).step_by(4) {
                self.run::<I, 4, 3>(isa, half);
            }
        } else {
            self.run::<I, BLOCK, 3>(isa, 0);
        }
        self.clear_rims();
    }
}

impl Band<'_> {
    /// Makes `MAPS` of the block's outputs from `from` on, tiles of `VECTORS` vectors.
    #[inline(always)]
    fn run<I: Isa, const MAPS: usize, const VECTORS: usize>(&mut self, isa: I, from: usize) {
        let lanes = isa.f32().len();
        let rows = self.pieces.first().map_or(0, |p| p.len() / self.stride);
        let length = rows.saturating_sub(1) * self.stride + self.width;
        let wide = VECTORS * lanes;
        if rows == 0 {
        } else if length >= wide {
            for at in runs(length, wide) {
                self.tile::<I, MAPS, VECTORS>(isa, from, at);
            }
        } else if length >= lanes {
            for at in runs(length, lanes) {
                self.tile::<I, MAPS, 1>(isa, from, at);
            }
        } else {
            for at in 0..length {
                self.pixel::<MAPS>(from, at);
            }
        }
    }

    #[inline(always)]
    fn tile<I: Isa, const MAPS: usize, const VECTORS: usize>(
        &mut self,
        isa: I,
        from: usize,
        at: usize,
    ) {
        let ops = isa.f32();
        let lanes = ops.len();
        let mut sums = [[ops.zero(); VECTORS]; MAPS];
        for (map, sums) in sums.iter_mut().enumerate() {
            *sums = [ops.splat(self.bias[from + map]); VECTORS];
        }
        let (step, dilation) = (self.stride * self.dilation, self.dilation);
        let start = self.first + at;
        for (plane, weights) in self.planes.iter().zip(self.weights.chunks_exact(9 * BLOCK)) {
            for (row, weights) in weights.chunks_exact(3 * BLOCK).enumerate() {
                let near = &plane[start + row * step..][..VECTORS * lanes + 2 * dilation];
                for (column, weights) in weights.chunks_exact(BLOCK).enumerate() {
                    let values = ops.load_many::<VECTORS>(&near[column * dilation..]);
                    for (sums, &weight) in sums.iter_mut().zip(&weights[from..from + MAPS]) {
                        let weight = ops.splat(weight);
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum = ops.mul_add(value, weight, *sum);
                        }
                    }
                }
            }
        }
        let slope = match self.activation {
            Activation::None => 1.0,
            Activation::Relu => 0.0,
            Activation::Leaky(slope) => slope,
        };
        let slope = ops.splat(slope);
        for (piece, sums) in self.pieces[from..].iter_mut().zip(sums) {
            let out = piece[self.dilation + at..].chunks_mut(lanes);
            for (out, sum) in out.zip(sums) {
                ops.store(ops.max(sum, ops.mul(sum, slope)), out);
            }
        }
    }

    /// As [`Band::tile`], for rows too short for one vector.
    fn pixel<const MAPS: usize>(&mut self, from: usize, at: usize) {
        let (step, dilation) = (self.stride * self.dilation, self.dilation);
        for map in from..(from + MAPS).min(self.pieces.len()) {
            let mut sum = self.bias[map];
            let weights = self.weights.chunks_exact(9 * BLOCK);
            for (plane, weights) in self.planes.iter().zip(weights) {
                for (place, weights) in weights.chunks_exact(BLOCK).enumerate() {
                    let near = self.first + at + place / 3 * step + place % 3 * dilation;
                    sum = plane[near].mul_add(weights[map], sum);
                }
            }
            self.pieces[map][dilation + at] = match self.activation {
                Activation::None => sum,
                Activation::Relu => sum.max(0.0),
                Activation::Leaky(slope) => sum.max(sum * slope),
            };
        }
    }

    /// Zeros at both sides of every row, where runs went over.
    #[inline(always)]
    fn clear_rims(&mut self) {
        for piece in &mut self.pieces {
            for row in piece.chunks_exact_mut(self.stride) {
                row[..self.dilation].fill(0.0);
                row[self.dilation + self.width..].fill(0.0);
            }
        }
    }
}

/// Where runs of `wide` begin that cover `length`, at least as long; the last one may overlap.
#[inline(always)]
fn runs(length: usize, wide: usize) -> impl Iterator<Item = usize> {
    (0..length.div_ceil(wide)).map(move |run| (run * wide).min(length - wide))
}
