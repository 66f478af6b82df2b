//! The bits of a scan, and the prefix codes in them.

use crate::decode::DecodeError;

/// Bits that are looked up at once.
const FAST: u32 = 9;

/// A prefix code of a JPEG: symbols of 8 bits, codes of 1 to 16.
pub(super) struct Code {
    /// By the next [`FAST`] bits: length times 256 plus symbol, zero where the code is longer.
    fast: Vec<u16>,
    /// By length: the first code that is longer, and what leads from a code to its symbol.
    longer: [(u32, i32); 17],
    symbols: Vec<u8>,
}

impl Code {
    /// From how many codes there are of each length, and their symbols in order.
    pub(super) fn new(counts: &[u8], symbols: &[u8]) -> Result<Self, DecodeError> {
        let broken = || DecodeError::malformed("an impossible code table");
        let mut fast = vec![0u16; 1 << FAST];
        let mut longer = [(0u32, 0i32); 17];
        let (mut code, mut index) = (0u32, 0usize);
        for (length, &count) in (1u32..=16).zip(counts) {
            longer[length as usize].1 = index as i32 - code as i32;
            for _ in 0..count {
                let &symbol = symbols.get(index).ok_or_else(broken)?;
                if code >= 1 << length {
                    return Err(broken());
                }
                if length <= FAST {
                    let from = (code << (FAST - length)) as usize;
                    let entry = (length as u16) << 8 | u16::from(symbol);
                    fast[from..from + (1 << (FAST - length))].fill(entry);
                }
                code += 1;
                index += 1;
            }
            longer[length as usize].0 = code;
            code <<= 1;
        }
        Ok(Self {
            fast,
            longer,
            symbols: symbols.to_vec(),
        })
    }
}

/// Reads bits up to the next marker; a stuffed zero is no marker.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            held: 0,
            count: 0,
        }
    }

    /// Holds at least 32 bits afterwards, unless a marker or the end is near.
    #[inline]
    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else {
                return;
            };
            if byte == 0xff {
                if self.bytes.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.at += 1;
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// The next `n` bits, at most 16, as a number.
    #[inline]
    pub(super) fn take(&mut self, n: u32) -> Result<u32, DecodeError> {
        if self.count < n {
            self.fill();
            if self.count < n {
                return Err(self.ended());
            }
        }
        self.count -= n;
        Ok((self.held >> self.count) as u32 & ((1 << n) - 1))
    }

    /// The next symbol.
    #[inline]
    pub(super) fn symbol(&mut self, code: &Code) -> Result<u8, DecodeError> {
        if self.count < 16 {
            self.fill();
        }
        let ahead = if self.count >= 16 {
            (self.held >> (self.count - 16)) as u32 & 0xffff
        } else {
            ((self.held << (16 - self.count)) as u32) & 0xffff
        };
        let entry = code.fast[(ahead >> (16 - FAST)) as usize];
        let (length, symbol) = if entry == 0 {
            (FAST + 1..=16)
                .find_map(|length| {
                    let (end, shift) = code.longer[length as usize];
                    let word = ahead >> (16 - length);
                    let index = usize::try_from(word as i32 + shift).ok()?;
                    (word < end).then_some((length, *code.symbols.get(index)?))
                })
                .ok_or_else(|| {
                    if self.count < 16 {
                        self.ended()
                    } else {
                        DecodeError::malformed("a code that is in no table")
                    }
                })?
        } else {
            (u32::from(entry >> 8), entry as u8)
        };
        if length > self.count {
            return Err(self.ended());
        }
        self.count -= length;
        Ok(symbol)
    }

    /// The data is used up: the picture's end is missing, or a part in its middle.
    fn ended(&self) -> DecodeError {
        match self.bytes.get(self.at + 1) {
            None | Some(0xd9) => DecodeError::Truncated,
            Some(_) => DecodeError::malformed("a part of the picture is missing"),
        }
    }

    /// Goes to the marker behind the data and returns its place. The last bits of a byte, and whole
    /// bytes of zeros or ones, are padding; anything else is a picture that went out of step.
    pub(super) fn finish(&mut self) -> Result<usize, DecodeError> {
        loop {
            self.fill();
            self.count -= self.count % 8;
            if self.count == 0 {
                break;
            }
            while self.count > 0 {
                self.count -= 8;
                if !matches!((self.held >> self.count) as u8, 0 | 0xff) {
                    return Err(DecodeError::malformed(
                        "more data than the picture has room for",
                    ));
                }
            }
        }
        // A marker may be preceded by fill bytes.
        while self.bytes.get(self.at + 1) == Some(&0xff) {
            self.at += 1;
        }
        match self.bytes.get(self.at + 1) {
            Some(_) => Ok(self.at),
            None => Err(DecodeError::Truncated),
        }
    }

    /// Passes the restart marker with this number.
    pub(super) fn restart(&mut self, number: u8) -> Result<(), DecodeError> {
        let at = self.finish()?;
        if self.bytes[at + 1] != 0xd0 + number {
            return Err(self.ended());
        }
        self.at = at + 2;
        Ok(())
    }
}
