//! A convolution, laid out for the kernel.

use rayon::prelude::*;
use rten_simd::SimdOp;

use crate::kernel::{BLOCK, Band};
use crate::maps::Maps;
use crate::onnx::Layer;

/// What is done to each sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// Nothing.
    None,
    /// What is below zero becomes zero.
    Relu,
    /// What is below zero is multiplied by this.
    Leaky(f32),
}

/// Numbers of input that a task should read: they stay near the processor while every block of
/// outputs is made from them.
const NEAR: usize = 1 << 17;

/// A convolution of 3 x 3. Beyond the edges there are zeros.
#[derive(Debug, Clone)]
pub struct Convolution {
    inputs: usize,
    outputs: usize,
    dilation: usize,
    activation: Activation,
    /// For each block of outputs, by input and place, the block's weights side by side.
    weights: Vec<f32>,
    /// For each block of outputs.
    bias: Vec<f32>,
}

impl Convolution {
    /// Lays out a layer; `None` unless it is of 3 x 3 with as many numbers as it says.
    pub fn new(layer: &Layer, activation: Activation) -> Option<Self> {
        let &Layer {
            outputs,
            inputs,
            kernel,
            dilation,
            ..
        } = layer;
        let is_whole = kernel == [3, 3]
            && layer.weights.len() == outputs * inputs * 9
            && layer.bias.len() == outputs
            && outputs * inputs * dilation > 0;
        if !is_whole {
            return None;
        }
        let blocks = outputs.div_ceil(BLOCK);
        let mut weights = vec![0.0; blocks * inputs * 9 * BLOCK];
        for (output, given) in layer.weights.chunks_exact(inputs * 9).enumerate() {
            let (block, lane) = (output / BLOCK, output % BLOCK);
            let own = weights[block * inputs * 9 * BLOCK..].chunks_exact_mut(BLOCK);
            for (slot, &weight) in own.zip(given) {
                slot[lane] = weight;
            }
        }
        let mut bias = layer.bias.clone();
        bias.resize(blocks * BLOCK, 0.0);
        Some(Self {
            inputs,
            outputs,
            dilation,
            activation,
            weights,
            bias,
        })
    }

    /// Maps that it is made from.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Maps that it makes.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Makes maps of the same size from `given`, one after the other as if they were joined.
    ///
    /// # Panics
    ///
    /// When `given` has not [`Convolution::inputs`] maps of one size, which is a bug of the caller.
    pub fn apply(&self, given: &[&Maps]) -> Maps {
        self.apply_by(given, |band| band.dispatch())
    }

    /// As [`Convolution::apply`], each band by `make`.
    fn apply_by(&self, given: &[&Maps], make: impl Fn(Band<'_>) + Sync) -> Maps {
        let size = given.first().map_or((0, 0), |maps| maps.size());
        assert!(
            given.iter().all(|maps| maps.size() == size)
                && given.iter().map(|maps| maps.channels()).sum::<usize>() == self.inputs,
            "{} maps of one size",
            self.inputs
        );
        let rim = self.dilation;
        let fitted: Vec<Option<Maps>> = given
            .iter()
            .map(|maps| (maps.rim() != rim).then(|| maps.with_rim(rim)))
            .collect();
        let planes: Vec<&[f32]> = given
            .iter()
            .zip(&fitted)
            .flat_map(|(maps, fitted)| fitted.as_ref().unwrap_or(maps).planes())
            .collect();
        let mut out = Maps::zeros(self.outputs, size, rim);
        self.fill(&planes, &mut out, make);
        out
    }

    fn fill(&self, planes: &[&[f32]], out: &mut Maps, make: impl Fn(Band<'_>) + Sync) {
        let (rim, stride) = (out.rim(), out.stride());
        let (width, height) = out.size();
        let rows = (NEAR / (self.inputs * stride)).clamp(1, height);
        let mut bands: Vec<Vec<Vec<&mut [f32]>>> = Vec::new();
        bands.resize_with(height.div_ceil(rows), || {
            let mut blocks = Vec::new();
            blocks.resize_with(self.outputs.div_ceil(BLOCK), Vec::new);
            blocks
        });
        for (output, plane) in out.planes_mut().enumerate() {
            let inner = &mut plane[rim * stride..(rim + height) * stride];
            for (band, piece) in bands.iter_mut().zip(inner.chunks_mut(rows * stride)) {
                band[output / BLOCK].push(piece);
            }
        }
        let tasks: Vec<(usize, usize, Vec<&mut [f32]>)> = bands
            .into_iter()
            .enumerate()
            .flat_map(|(band, blocks)| {
                let numbered = blocks.into_iter().enumerate();
                numbered.map(move |(block, pieces)| (band, block, pieces))
            })
            .collect();
        let weights = self.inputs * 9 * BLOCK;
        tasks.into_par_iter().for_each(|(band, block, pieces)| {
            make(Band {
                planes,
                first: band * rows * stride,
                stride,
                dilation: self.dilation,
                width,
                weights: &self.weights[block * weights..(block + 1) * weights],
                bias: &self.bias[block * BLOCK..(block + 1) * BLOCK],
                activation: self.activation,
                pieces,
            });
        });
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_wrap, reason = "sizes of tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rten_simd::isa::GenericIsa;

    /// Small numbers without a pattern that a fault could repeat.
    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        let mut state = seed as u64 * 2 + 1;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    fn maps(channels: usize, (width, height): (usize, usize), values: &[f32]) -> Maps {
        let at = |channel, x, y| values[(channel * height + y) * width + x];
        Maps::generate(channels, width, height, at)
    }

    fn layer(inputs: usize, outputs: usize, dilation: usize) -> Layer {
        Layer {
            outputs,
            inputs,
            kernel: [3, 3],
            dilation,
            weights: numbers(outputs * inputs * 9, 3),
            bias: numbers(outputs, 4),
        }
    }

    /// What a convolution is, in double precision.
    fn plain(layer: &Layer, values: &[f32], (width, height): (usize, usize)) -> Vec<f64> {
        let at = |channel: usize, x: i64, y: i64| {
            let inside = (0..width as i64).contains(&x) && (0..height as i64).contains(&y);
            let index = || (channel * height + y as usize) * width + x as usize;
            if inside {
                f64::from(values[index()])
            } else {
                0.0
            }
        };
        let mut out = Vec::new();
        for output in 0..layer.outputs {
            for place in 0..width * height {
                let (x, y) = ((place % width) as i64, (place / width) as i64);
                let mut sum = f64::from(layer.bias[output]);
                for input in 0..layer.inputs {
                    for near in 0..9 {
                        let weight = layer.weights[(output * layer.inputs + input) * 9 + near];
                        let step = |n: usize| (n as i64 - 1) * layer.dilation as i64;
                        let value = at(input, x + step(near % 3), y + step(near / 3));
                        sum += f64::from(weight) * value;
                    }
                }
                out.push(sum);
            }
        }
        out
    }

    fn activated(activation: Activation, sum: f64) -> f64 {
        match activation {
            Activation::None => sum,
            Activation::Relu => sum.max(0.0),
            Activation::Leaky(slope) => sum.max(sum * f64::from(slope)),
        }
    }

    fn close(ours: &Maps, truth: &[f64], activation: Activation) {
        let values = ours.values();
        assert_eq!(values.len(), truth.len());
        for (place, (&value, &sum)) in values.iter().zip(truth).enumerate() {
            let wanted = activated(activation, sum);
            let off = (f64::from(value) - wanted).abs();
            assert!(off < 1e-4, "place {place}: {value} instead of {wanted}");
        }
    }

    fn activation() -> impl Strategy<Value = Activation> {
        prop_oneof![
            Just(Activation::None),
            Just(Activation::Relu),
            Just(Activation::Leaky(0.1)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(160))]

        /// Sizes around one vector, one tile and several bands, of every set of vectors that this
        /// processor has.
        #[test]
        fn it_is_the_convolution(
            size in (1usize..90, 1usize..40),
            channels in (1usize..14, 1usize..20),
            dilation in 1usize..5,
            activation in activation(),
        ) {
            let layer = layer(channels.0, channels.1, dilation);
            let values = numbers(channels.0 * size.0 * size.1, 5);
            let maps = maps(channels.0, size, &values);
            let convolution = Convolution::new(&layer, activation).unwrap();
            let truth = plain(&layer, &values, size);
            close(&convolution.apply(&[&maps]), &truth, activation);
            let portable = |band: Band<'_>| band.eval(GenericIsa::new());
            close(&convolution.apply_by(&[&maps], portable), &truth, activation);
            #[cfg(target_arch = "x86_64")]
            if let Some(isa) = rten_simd::isa::Avx2Isa::new() {
                let made = convolution.apply_by(&[&maps], |band| band.eval(isa));
                close(&made, &truth, activation);
            }
            #[cfg(target_arch = "x86_64")]
            if let Some(isa) = rten_simd::isa::Avx512Isa::new() {
                let made = convolution.apply_by(&[&maps], |band| band.eval(isa));
                close(&made, &truth, activation);
            }
        }
    }

    #[test]
    fn joined_maps_and_maps_after_each_other_are_the_same() {
        let values = numbers(5 * 30 * 20, 6);
        let whole = maps(5, (30, 20), &values);
        let (first, second) = values.split_at(2 * 30 * 20);
        let first = maps(2, (30, 20), first);
        let second = maps(3, (30, 20), second);
        let convolution = Convolution::new(&layer(5, 9, 2), Activation::Relu).unwrap();
        let joined = convolution.apply(&[&first, &second]);
        assert_eq!(joined, convolution.apply(&[&whole]));
        // With the rim that another dilation has left.
        let next = Convolution::new(&layer(9, 4, 1), Activation::Relu).unwrap();
        let truth = plain(&layer(9, 4, 1), &joined.values(), (30, 20));
        close(&next.apply(&[&joined]), &truth, Activation::Relu);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let maps = maps(16, (200, 150), &numbers(16 * 200 * 150, 7));
        let convolution = Convolution::new(&layer(16, 24, 1), Activation::None).unwrap();
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build()
                .unwrap()
                .install(|| convolution.apply(&[&maps]))
        };
        assert_eq!(with(1), with(3));
    }

    #[test]
    fn a_layer_of_another_kind_is_not_taken() {
        let whole = layer(2, 3, 1);
        assert!(Convolution::new(&whole, Activation::None).is_some());
        for other in [
            Layer {
                kernel: [1, 1],
                ..whole.clone()
            },
            Layer {
                weights: whole.weights[1..].to_vec(),
                ..whole.clone()
            },
            Layer {
                bias: whole.bias[1..].to_vec(),
                ..whole.clone()
            },
            Layer {
                dilation: 0,
                ..whole.clone()
            },
        ] {
            assert!(
                Convolution::new(&other, Activation::None).is_none(),
                "{other:?}"
            );
        }
    }
}
