//! The engine on real and on hostile photos: one binary, so that the networks load once.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::many_single_char_names,
    reason = "pixel positions and values"
)]
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod decoding;
mod exchange;
mod hostile;
mod identity;
mod judging;
mod matting;
mod perspective;
mod pictures;
mod restoring;
mod shooting;

use headshot_imaging::{Engine, Options};
use std::sync::LazyLock;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(Options::default()).unwrap());
