//! A picture can be coded so that several processors may decode it: the slice's header then says
//! where each row of blocks begins, and the decoder jumps there, whatever has become of the row
//! before. A damaged row would be painted over and nobody told. Here these places are taken out of
//! the header, so that each row begins where the one before it has ended: a row that goes out of step
//! takes the others with it, and the last one misses the picture's end, which the decoder does tell.

use crate::decode::DecodeError;
use heic_rs::context::Context;
use heic_rs::meta::iloc::Construction;

/// Bits of a header in which the places are looked for; real ones begin within the first hundred.
const HEADER_BITS: usize = 256;
/// Chroma offsets beyond this are in no picture.
const CHROMA_OFFSET_MAX: i64 = 12;

/// A part of a file that is replaced by one of the same length.
pub(super) struct Patch {
    at: usize,
    bytes: Vec<u8>,
}

impl Patch {
    pub(super) fn apply(&self, file: &mut [u8]) {
        if let Some(place) = file.get_mut(self.at..self.at + self.bytes.len()) {
            place.copy_from_slice(&self.bytes);
        }
    }
}

/// What has to be replaced so that rows follow on each other.
pub(super) fn patches(file: &[u8], context: &Context<'_>) -> Result<Vec<Patch>, DecodeError> {
    let primary = context.meta.primary;
    let items = match context.grid(primary) {
        Ok(Some((_, tiles))) => tiles,
        _ => vec![primary],
    };
    let mut out = Vec::new();
    for item in items {
        let Ok(props) = context.props(item) else {
            continue;
        };
        let Some(config) = &props.hvcc else { continue };
        let identity = props.nclx.is_some_and(|n| n.matrix.is_identity());
        if identity && config.chroma_format != 3 {
            return Err(DecodeError::malformed("an impossible coding of colours"));
        }
        let mut in_rows = false;
        for set in config.parameter_sets() {
            if set.first().is_some_and(|b| b >> 1 & 0x3f == 34) {
                in_rows |= by_rows(set)?;
            }
        }
        let (Ok((_, height)), Some(place)) =
            (context.coded_size(item, &props), extent(context, item))
        else {
            continue;
        };
        if in_rows {
            out.extend(slices(file, place, config.length_size, height as usize));
        }
    }
    Ok(out)
}

/// Where an item lies that is in one piece: its first byte and its length.
fn extent(context: &Context<'_>, item: u32) -> Option<(usize, usize)> {
    let place = context.meta.location(item)?;
    let [one] = place.extents[..] else {
        return None;
    };
    let at = usize::try_from(place.base_offset.checked_add(one.offset)?).ok()?;
    let length = usize::try_from(one.length).ok()?;
    (place.construction == Construction::File).then_some((at, length))
}

fn slices(file: &[u8], (at, length): (usize, usize), prefix: u8, height: usize) -> Vec<Patch> {
    let mut out = Vec::new();
    let prefix = usize::from(prefix);
    let end = at.saturating_add(length).min(file.len());
    let mut at = at;
    while let Some(head) = file.get(at..at + prefix).filter(|_| at < end) {
        let size = head.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
        let Some(unit) = file.get(at + prefix..(at + prefix).saturating_add(size)) else {
            break;
        };
        if (16..=23).contains(&(unit.first().map_or(0, |b| b >> 1 & 0x3f)))
            && let Some(bytes) = chained(unit, height)
        {
            out.push(Patch {
                at: at + prefix,
                bytes,
            });
        }
        at += prefix + size;
    }
    out
}

/// A unit's bits without the threes that keep them from looking like a start code.
struct Bits {
    bytes: Vec<u8>,
    /// By byte: where it was in the unit.
    origin: Vec<usize>,
    at: usize,
}

impl Bits {
    fn of(unit: &[u8], most: usize) -> Self {
        let (mut bytes, mut origin, mut zeros) = (Vec::new(), Vec::new(), 0);
        for (i, &b) in unit.iter().enumerate().skip(2).take(most) {
            if zeros >= 2 && b == 3 {
                zeros = 0;
                continue;
            }
            zeros = if b == 0 { zeros + 1 } else { 0 };
            bytes.push(b);
            origin.push(i);
        }
        Self {
            bytes,
            origin,
            at: 0,
        }
    }

    fn bits(&mut self, n: usize) -> Option<u64> {
        let mut value = 0;
        for _ in 0..n {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.bits(1)? == 1)
    }

    /// An Exp-Golomb code.
    fn number(&mut self) -> Option<u64> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 32 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.bits(zeros)?)
    }

    /// The same with a sign.
    fn signed(&mut self) -> Option<i64> {
        let n = i64::try_from(self.number()?).ok()?;
        Some(if n % 2 == 1 { n / 2 + 1 } else { -(n / 2) })
    }
}

/// Whether a picture parameter set says that rows are coded to be decoded at the same time.
fn by_rows(set: &[u8]) -> Result<bool, DecodeError> {
    let read = || {
        let mut r = Bits::of(set, usize::MAX);
        r.number()?;
        r.number()?;
        r.bits(7)?;
        r.number()?;
        r.number()?;
        r.signed()?;
        r.bits(2)?;
        if r.flag()? {
            r.number()?;
        }
        let offsets = [r.signed()?, r.signed()?];
        r.bits(4)?;
        let tiles = r.flag()?;
        Some((offsets, r.flag()? && !tiles))
    };
    match read() {
        Some((offsets, rows)) if offsets.iter().all(|o| o.abs() <= CHROMA_OFFSET_MAX) => Ok(rows),
        _ => Err(DecodeError::malformed("a broken picture parameter set")),
    }
}

/// The slice without the places of its rows, as long as before; `None` where they are not found.
fn chained(unit: &[u8], height: usize) -> Option<Vec<u8>> {
    // No row takes more than four bytes of the header.
    let mut r = Bits::of(unit, HEADER_BITS / 8 + 4 * height.div_ceil(16) + 8);
    for start in 0..HEADER_BITS {
        r.at = start;
        let Some(data) = places(&mut r, unit.len(), height) else {
            continue;
        };
        let mut bits: Vec<bool> = Vec::new();
        r.at = 0;
        while r.at < start {
            bits.push(r.flag()?);
        }
        // No places; then the bit that ends a header.
        bits.extend([true, true]);
        let mut out = unit.get(..2)?.to_vec();
        let mut zeros = 0;
        for byte in bits.chunks(8) {
            let value = (0..8).fold(0, |n, i| n << 1 | u8::from(byte.get(i) == Some(&true)));
            if zeros >= 2 && value <= 3 {
                out.push(3);
                zeros = 0;
            }
            zeros = if value == 0 { zeros + 1 } else { 0 };
            out.push(value);
        }
        out.extend(unit.get(data..)?);
        // What was saved becomes zeros behind the data, which nobody reads.
        let fits = out.len() <= unit.len();
        out.resize(unit.len(), 0);
        return fits.then_some(out);
    }
    None
}

/// Whether the places of all rows stand here, and the header ends behind them: then where the data
/// begins in the unit.
fn places(r: &mut Bits, length: usize, height: usize) -> Option<usize> {
    let count = usize::try_from(r.number()?).ok()?;
    let rows = [16, 32, 64].map(|block| height.div_ceil(block));
    if count == 0 || !rows.contains(&(count + 1)) {
        return None;
    }
    let width = usize::try_from(r.number()?).ok().filter(|&n| n < 32)? + 1;
    let mut sum = 0usize;
    for _ in 0..count {
        sum += usize::try_from(r.bits(width)?).ok()? + 1;
    }
    let ends = r.flag()?;
    while !r.at.is_multiple_of(8) {
        if r.flag()? {
            return None;
        }
    }
    let &data = r.origin.get(r.at / 8)?;
    let rest = length.checked_sub(data)?;
    (ends && sum < rest && sum >= rest / 8).then_some(data)
}
