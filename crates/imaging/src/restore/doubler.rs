//! The network that draws a picture twice as large: six convolutions, and one that makes four pixels
//! of each.

use headshot_convnet::{Activation, Convolution, Maps, doubling_layers, layers};

use crate::net::NetError;
use crate::raster::{Raster, Rgb8, byte};

/// Pixels that the network uses up at each edge of its input.
pub(super) const MARGIN: usize = 7;

/// What is below zero becomes a tenth.
const LEAKY: Activation = Activation::Leaky(0.1);

/// The network, its layers laid out for computing.
#[derive(Debug)]
pub struct Doubler(Vec<Convolution>);

impl Doubler {
    /// Reads the network's ONNX file.
    ///
    /// # Errors
    ///
    /// When it is of another network.
    pub fn from_onnx(name: &str, file: &[u8]) -> Result<Self, NetError> {
        let error = |detail: String| NetError {
            name: name.to_owned(),
            detail,
        };
        let mut own = Vec::new();
        for layer in layers(file).map_err(|e| error(e.to_string()))? {
            own.extend(Convolution::new(&layer, LEAKY));
        }
        for layer in doubling_layers(file).map_err(|e| error(e.to_string()))? {
            own.extend(Convolution::new(&layer, Activation::None));
        }
        let follow = |pair: &[Convolution]| pair[0].outputs() == pair[1].inputs();
        let fits = own.len() == MARGIN
            && own.windows(2).all(follow)
            && own[0].inputs() == 3
            && own[MARGIN - 1].outputs() == 12;
        fits.then_some(Self(own))
            .ok_or_else(|| error("it is not a network that doubles".to_owned()))
    }

    /// A picture twice as large, without seven pixels at each edge of what it was.
    pub fn doubled(&self, picture: &Rgb8) -> Rgb8 {
        let (width, height) = (picture.width(), picture.height());
        let mut maps = Maps::generate(3, width, height, |k, x, y| {
            f32::from(picture.at(x, y)[k]) * (1.0 / 255.0)
        });
        for layer in &self.0 {
            maps = layer.apply(&[&maps]);
        }
        let size = |side: usize| 2 * side.saturating_sub(2 * MARGIN);
        Raster::generate(size(width), size(height), |x, y| {
            let quarter = y % 2 * 2 + x % 2;
            [0, 1, 2].map(|k| byte(maps.row(k * 4 + quarter, MARGIN + y / 2)[MARGIN + x / 2]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::detect::planar;
    use crate::net::Network;
    use crate::weights::{PERSON, RESTORE};

    #[test]
    fn the_network_is_the_runtime_s() {
        const SIDE: usize = 78;
        const DOUBLED: usize = 2 * (SIDE - 2 * MARGIN);
        let picture = Rgb8::generate(SIDE, SIDE, |x, y| {
            let line = usize::from((x * 7 + y * 3) % 23 < 4) * 90;
            [x * 2 + line, y * 2 + line, x + y].map(|v| v as u8)
        });
        let ours = Doubler::from_onnx(RESTORE.name, RESTORE.bytes)
            .unwrap()
            .doubled(&picture);
        assert_eq!((ours.width(), ours.height()), (DOUBLED, DOUBLED));
        let pool = std::sync::Arc::new(rten::ThreadPool::with_num_threads(1));
        let theirs = Network::from_static(RESTORE.name, RESTORE.bytes, &pool).unwrap();
        let [theirs] = theirs.run(SIDE, planar(&picture.to_f32())).unwrap();
        assert_eq!(theirs.len(), 3 * DOUBLED * DOUBLED);
        for (place, p) in ours.data().iter().enumerate() {
            for k in 0..3 {
                let wanted = byte(theirs[k * DOUBLED * DOUBLED + place]);
                assert!(p[k].abs_diff(wanted) <= 1, "{place}, {k}");
            }
        }
    }

    #[test]
    fn another_network_is_refused() {
        assert!(Doubler::from_onnx(RESTORE.name, PERSON.bytes).is_err());
    }
}
