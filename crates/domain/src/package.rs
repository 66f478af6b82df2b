//! Packages: what a shoot costs and gives (contract: data-lifecycle.md, dashboard.md).

use crate::credits::Credits;
use crate::words::words;

words! {
    /// An organization's package.
    Package {
        /// A whole credit for a shoot.
        Normal = "normal",
        /// A quarter of a credit for a shoot with a quarter of the photos.
        Lite = "lite",
    }
}

impl Package {
    /// What one person's shoot costs.
    pub const fn cost(self) -> Credits {
        match self {
            Self::Normal => Credits::whole(1),
            Self::Lite => Credits::from_hundredths(25),
        }
    }

    /// How many photos a shoot gives on a server that makes `usual`; at least one.
    pub const fn photos(self, usual: usize) -> usize {
        match self {
            Self::Normal => usual,
            Self::Lite if usual < 8 => 1,
            Self::Lite => usual / 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lite_shoot_is_a_quarter() {
        assert_eq!(Package::Lite.cost().to_string(), "0.25");
        assert_eq!(Package::Normal.cost(), Credits::whole(1));
        for (usual, photos) in [(40, 10), (8, 2), (7, 1), (1, 1)] {
            assert_eq!(Package::Lite.photos(usual), photos);
            assert_eq!(Package::Normal.photos(usual), usual);
        }
        assert_eq!("lite".parse(), Ok(Package::Lite));
    }
}
