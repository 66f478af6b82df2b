//! Files for tests: portraits, and what is none.

use headshot_imaging::OutputFormat;
use headshot_imaging::encode::encode;
use headshot_imaging::raster::Raster;

/// A usable selfie.
pub(crate) const SELFIE: &[u8] = include_bytes!("../../../imaging/portraits/obama.jpg");
/// A usable selfie of the same person.
pub(crate) const SELFIE_AGAIN: &[u8] = include_bytes!("../../../imaging/portraits/obama2.jpg");
/// A usable selfie of another person.
pub(crate) const OTHER: &[u8] = include_bytes!("../../../imaging/portraits/astronaut.png");

pub(crate) fn noise() -> Vec<u8> {
    let mut state = 1_u32;
    let pixel = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [_, blue, green, red] = state.to_le_bytes();
        [red, green, blue]
    };
    let pixels = std::iter::repeat_with(pixel).take(640 * 480).collect();
    let picture = Raster::from_pixels(640, 480, pixels).expect("as many pixels");
    encode(&picture, OutputFormat::Jpeg, 90, "").expect("a JPEG")
}

/// A grey PNG of this size whose data is `pixels`, a zlib stream.
pub(crate) fn png(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let header = [
        &width.to_be_bytes(),
        &height.to_be_bytes(),
        [8, 0, 0, 0, 0].as_slice(),
    ];
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [
        (b"IHDR", header.concat().as_slice()),
        (b"IDAT", pixels),
        (b"IEND", &[]),
    ] {
        let length = u32::try_from(data.len()).expect("a short chunk");
        let body = [kind.as_slice(), data].concat();
        file.extend(length.to_be_bytes());
        file.extend(&body);
        file.extend(crc32(&body).to_be_bytes());
    }
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let carry = 0_u32.wrapping_sub(crc & 1);
            (crc >> 1) ^ (0xEDB8_8320 & carry)
        })
    };
    !bytes.iter().fold(!0, step)
}

/// A zlib stream of this many zeros (to the next 258): one literal, then only repetitions.
pub(crate) fn zeros(count: usize) -> Vec<u8> {
    let mut bits = Bits {
        bytes: vec![0x78, 0x01],
        used: 8,
    };
    // The last block, with the fixed codes.
    bits.push("1");
    bits.push("10");
    bits.push("00110000");
    for _ in 0..count / 258 {
        // 258 bytes, from one byte back.
        bits.push("11000101");
        bits.push("00000");
    }
    bits.push("0000000");
    bits.bytes
}

/// Bits in the order of a deflate stream: from the lowest of each byte.
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn push(&mut self, code: &str) {
        for bit in code.bytes() {
            if self.used == 8 {
                self.bytes.push(0);
                self.used = 0;
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= (bit - b'0') << self.used;
            }
            self.used += 1;
        }
    }
}
