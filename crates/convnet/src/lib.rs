//! Convolutions of 3 x 3 on feature maps, and the little else that a network of them needs.
//!
//! The general runtime lays each pixel's neighbours out in memory before it multiplies, which takes
//! longer than multiplying where there are few channels, as in U2-Net. Here the maps have a rim of
//! zeros, and the neighbours are read where they are; `kernel` says how.
//!
//! The vectors are those of the processor at hand (AVX-512, AVX2, NEON, or what the compiler makes
//! of plain arrays), chosen when the program runs. Each output is summed in one order, whatever
//! the vectors' width and the number of threads.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "positions in maps are far inside every range"
)]

mod convolution;
mod kernel;
mod maps;
mod onnx;

pub use convolution::{Activation, Convolution};
pub use maps::Maps;
pub use onnx::{Layer, ReadError, doubling_layers, layers};
