//! U2-Net, small or large: a U of small Us, each of which looks at its input at several sizes.

use headshot_convnet::{Activation, Convolution, Layer, Maps, layers};

use crate::net::NetError;
use crate::raster::{Plane, Rgb};

/// How many levels the Us of the outer U have, downwards and up again. [`FLAT`] ones keep their
/// size and look further instead.
const DOWN: [usize; 6] = [7, 6, 5, 4, FLAT, FLAT];
const UP: [usize; 5] = [FLAT, 4, 5, 6, 7];
const FLAT: usize = 0;
/// Levels of a flat one.
const FLAT_LEVELS: usize = 4;

/// The network, its layers laid out for computing.
#[derive(Debug)]
pub struct U2Net {
    down: Vec<Inner>,
    up: Vec<Inner>,
    /// What each level thinks, the largest first.
    sides: Vec<Convolution>,
    /// How much each of them counts, and what is added.
    weights: Vec<f32>,
    bias: f32,
}

/// One of the small Us.
#[derive(Debug)]
struct Inner {
    entry: Convolution,
    /// Each on half the size of the one before, but for the last.
    down: Vec<Convolution>,
    /// From the last but one back to the first.
    up: Vec<Convolution>,
    is_flat: bool,
}

/// Takes a file's layers one after the other.
struct Reader<L>(L);

impl<L: Iterator<Item = Layer>> Reader<L> {
    fn next(&mut self, inputs: usize, activation: Activation) -> Option<Convolution> {
        let convolution = Convolution::new(&self.0.next()?, activation)?;
        (convolution.inputs() == inputs).then_some(convolution)
    }

    fn inner(&mut self, levels: usize, inputs: usize) -> Option<Inner> {
        let is_flat = levels == FLAT;
        let levels = if is_flat { FLAT_LEVELS } else { levels };
        let mut relu = |inputs| self.next(inputs, Activation::Relu);
        let entry = relu(inputs)?;
        let mut down = vec![relu(entry.outputs())?];
        let first = down[0].outputs();
        for _ in 1..levels {
            down.push(relu(first)?);
        }
        let up: Option<Vec<Convolution>> = (1..levels).map(|_| relu(2 * first)).collect();
        let up = up?;
        let sizes = down.iter().chain(&up[..levels - 2]);
        let fits = sizes.into_iter().all(|c| c.outputs() == first)
            && up.last().map(Convolution::outputs) == Some(entry.outputs());
        fits.then_some(Inner {
            entry,
            down,
            up,
            is_flat,
        })
    }

    fn network(mut self) -> Option<U2Net> {
        let mut down: Vec<Inner> = Vec::new();
        for levels in DOWN {
            let inputs = down.last().map_or(3, Inner::outputs);
            down.push(self.inner(levels, inputs)?);
        }
        let mut up: Vec<Inner> = Vec::new();
        for (levels, beside) in UP.into_iter().zip(down.iter().rev().skip(1)) {
            let below = up.last().or(down.last()).map_or(0, Inner::outputs);
            up.push(self.inner(levels, below + beside.outputs())?);
        }
        let mut sides = Vec::new();
        for inner in up.iter().rev().chain(down.last()) {
            sides.push(self.next(inner.outputs(), Activation::None)?);
        }
        let last = self.0.next()?;
        let fits = last.kernel == [1, 1]
            && last.weights.len() == sides.len()
            && sides.iter().all(|side| side.outputs() == 1)
            && self.0.next().is_none();
        let &[bias] = last.bias.as_slice() else {
            return None;
        };
        fits.then_some(U2Net {
            down,
            up,
            sides,
            weights: last.weights,
            bias,
        })
    }
}

impl U2Net {
    /// Reads the published ONNX file, of the small network or the large one.
    ///
    /// # Errors
    ///
    /// When it is neither.
    pub fn from_onnx(name: &str, file: &[u8]) -> Result<Self, NetError> {
        let error = |detail: String| NetError {
            name: name.to_owned(),
            detail,
        };
        let layers = layers(file).map_err(|e| error(e.to_string()))?;
        let network = Reader(layers.into_iter()).network();
        network.ok_or_else(|| error("it is not a U2-Net".to_owned()))
    }

    /// How much each pixel of a picture stands out, 0..=1. Its colours are normalised as the network
    /// wants them.
    pub fn saliency(&self, picture: &Rgb) -> Plane {
        let (width, height) = (picture.width(), picture.height());
        let mut below = Maps::generate(3, width, height, |k, x, y| picture.at(x, y)[k]);
        let mut beside: Vec<Maps> = Vec::new();
        for (level, inner) in self.down.iter().enumerate() {
            if level > 0 {
                below = below.pooled();
            }
            below = inner.apply(&[&below]);
            beside.push(below.clone());
        }
        // The deepest level has nothing beside it.
        let mut levels = vec![below.clone()];
        for (inner, beside) in self.up.iter().zip(beside.iter().rev().skip(1)) {
            let (width, height) = beside.size();
            below = inner.apply(&[&below.resized(width, height), beside]);
            levels.push(below.clone());
        }
        let mut sums = Plane::filled(width, height, self.bias);
        let thought = levels.iter().rev().zip(&self.sides).zip(&self.weights);
        for ((maps, side_layer), &weight) in thought {
            let seen = side_layer.apply(&[maps]).resized(width, height);
            sums = Plane::generate(width, height, |x, y| {
                sums.at(x, y) + weight * seen.row(0, y)[x]
            });
        }
        sums.map(|v| 1.0 / (1.0 + (-v).exp()))
    }
}

impl Inner {
    fn outputs(&self) -> usize {
        self.entry.outputs()
    }

    fn apply(&self, given: &[&Maps]) -> Maps {
        let entry = self.entry.apply(given);
        let mut beside: Vec<Maps> = Vec::new();
        let bottom = self.down.len() - 1;
        let mut below = entry.clone();
        for (level, layer) in self.down.iter().enumerate() {
            // The last one looks at the same size, from further away.
            below = if level == 0 || level == bottom || self.is_flat {
                layer.apply(&[&below])
            } else {
                layer.apply(&[&below.pooled()])
            };
            beside.push(below.clone());
        }
        beside.pop();
        for (layer, beside) in self.up.iter().zip(beside.iter().rev()) {
            let (width, height) = beside.size();
            below = if below.size() == beside.size() {
                layer.apply(&[&below, beside])
            } else {
                layer.apply(&[&below.resized(width, height), beside])
            };
        }
        below.add(&entry);
        below
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::detect::planar;
    use crate::weights::DETAIL_SMALL;

    #[test]
    fn the_network_is_the_runtime_s() {
        const SIDE: usize = 320;
        let picture = Rgb::generate(SIDE, SIDE, |x, y| {
            let disc = x.abs_diff(150).pow(2) + y.abs_diff(170).pow(2) < 9000;
            let stripe = (x * 7 % 31) as f32 / 31.0 - 1.0;
            [stripe + f32::from(u8::from(disc)), stripe, -stripe]
        });
        let file = DETAIL_SMALL.verified().unwrap();
        let ours = U2Net::from_onnx(DETAIL_SMALL.name, file).unwrap();
        let ours = ours.saliency(&picture);
        let pool = std::sync::Arc::new(rten::ThreadPool::with_num_threads(2));
        let theirs = crate::net::Network::from_static(DETAIL_SMALL.name, file, &pool).unwrap();
        let [theirs] = theirs.run(SIDE, planar(&picture)).unwrap();
        assert_eq!(ours.data().len(), theirs.len());
        let off = ours.data().iter().zip(&theirs).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f32::max) < 1e-3);
        let span = theirs.iter().copied().fold(0.0, f32::max);
        assert!(span > 0.2, "something stands out: {span}");
    }

    #[test]
    fn another_network_is_refused() {
        for file in [
            &b"not ONNX"[..],
            crate::weights::PERSON.bytes,
            crate::weights::RESTORE.bytes,
        ] {
            let error = U2Net::from_onnx("u2netp", file).unwrap_err();
            assert_eq!(error.name, "u2netp");
        }
    }
}
