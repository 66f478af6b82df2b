//! Randomness as a parameter.

use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's generator. The only source that production code uses.
#[derive(Debug, Default, Clone, Copy)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(
        clippy::expect_used,
        reason = "without randomness no secret may be made; stop here"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives random bytes");
    }
}

/// A repeatable sequence for tests and samples (`SplitMix64`). Never a source of secrets.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// Starts the sequence that belongs to `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// `length` characters of `alphabet`, each equally likely (rejection sampling, no modulo bias).
///
/// `alphabet` holds 2 to 256 ASCII characters.
pub fn characters(entropy: &dyn Entropy, alphabet: &[u8], length: usize) -> String {
    let limit = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    let mut buffer = [0u8; 64];
    while text.len() < length {
        entropy.fill(&mut buffer);
        let fair = buffer
            .iter()
            .map(|byte| usize::from(*byte))
            .filter(|byte| *byte < limit);
        let missing = length - text.len();
        text.extend(
            fair.take(missing)
                .map(|byte| char::from(alphabet[byte % alphabet.len()])),
        );
    }
    text
}

/// `N` random bytes.
pub fn bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut buffer = [0u8; N];
    entropy.fill(&mut buffer);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_have_the_asked_length_and_alphabet() {
        for length in [0, 1, 63, 64, 65, 200] {
            let text = characters(&SeededEntropy::new(1), b"abc", length);
            assert_eq!(text.len(), length);
            assert!(text.bytes().all(|byte| b"abc".contains(&byte)));
        }
    }

    #[test]
    fn every_character_is_about_equally_likely() {
        let text = characters(&SeededEntropy::new(7), b"0123456789", 100_000);
        for digit in b'0'..=b'9' {
            let count = text.bytes().filter(|byte| *byte == digit).count();
            assert!(
                (9_500..10_500).contains(&count),
                "{} came {count} times",
                char::from(digit)
            );
        }
    }
}
