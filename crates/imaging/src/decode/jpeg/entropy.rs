//! Is all of a JPEG's picture there, and in step?
//!
//! Decoders paint over what is missing, and go on after an error with whatever the bits then mean. A
//! person would get half a face, or one in other colours. So the codes of every scan are counted
//! here, without the arithmetic that makes pixels of them: each block must be there, end where it
//! may, and the scan must end with its last block. Of a progressive picture every bit of every
//! coefficient must have come.

use super::huffman::{Bits, Code};
use crate::decode::DecodeError;

/// Scans of one picture; real ones have up to a dozen. As many as the decoder takes.
const MAX_SCANS: usize = 100;

/// How bright or dark a block's mean can be, in the unit of its first coefficient: 8 times 128 for
/// samples of 8 bits, and a quarter more for encoders that overshoot on purpose.
const MAX_MEAN: i64 = 1280;

/// Not yet sent.
const NEVER: u8 = 255;

struct Component {
    id: u8,
    /// Blocks of one unit of an interleaved scan, across and down.
    unit: (usize, usize),
    /// Blocks that have pixels, across and down.
    blocks: (usize, usize),
    /// Blocks across, with those that only fill up the last unit.
    stride: usize,
    quantization: usize,
    /// By coefficient: the lowest bit that has come.
    sent: [u8; 64],
    /// By block, of a progressive picture: the coefficients that are not zero so far.
    filled: Vec<u64>,
    /// The first coefficient of the block before.
    mean: i64,
}

struct Frame {
    progressive: bool,
    units: (usize, usize),
    components: Vec<Component>,
}

/// What the segments before a scan have said.
#[derive(Default)]
pub(super) struct Picture {
    frame: Option<Frame>,
    /// Codes of first coefficients, then of the others, four each.
    codes: [[Option<Code>; 4]; 2],
    /// The step of the first coefficient in each of the four tables.
    steps: [i64; 4],
    interval: usize,
    scans: usize,
}

/// One scan's header.
struct Scan {
    /// Index of the component, and of its codes.
    parts: Vec<(usize, usize, usize)>,
    first: usize,
    last: usize,
    high: u8,
    low: u8,
}

impl Picture {
    /// A `DHT` segment.
    pub(super) fn codes(&mut self, mut rest: &[u8]) -> Result<(), DecodeError> {
        let broken = || DecodeError::malformed("a broken code table");
        while let Some((&place, tail)) = rest.split_first() {
            let counts = tail.get(..16).ok_or_else(broken)?;
            let total: usize = counts.iter().map(|&c| usize::from(c)).sum();
            let symbols = tail.get(16..16 + total).ok_or_else(broken)?;
            let slot = self
                .codes
                .get_mut(usize::from(place >> 4))
                .and_then(|kind| kind.get_mut(usize::from(place & 15)))
                .ok_or_else(broken)?;
            *slot = Some(Code::new(counts, symbols)?);
            rest = &tail[16 + total..];
        }
        Ok(())
    }

    /// A `DQT` segment.
    pub(super) fn quantization(&mut self, mut rest: &[u8]) {
        while let [place, tail @ ..] = rest {
            let wide = usize::from(place >> 4 != 0) + 1;
            let Some(step) = tail.get(..wide) else { return };
            if let Some(slot) = self.steps.get_mut(usize::from(place & 15)) {
                *slot = step.iter().fold(0, |n, &b| n << 8 | i64::from(b));
            }
            rest = tail.get(64 * wide..).unwrap_or_default();
        }
    }

    /// A `DRI` segment.
    pub(super) fn interval(&mut self, segment: &[u8]) {
        if let [high, low, ..] = segment {
            self.interval = usize::from(u16::from_be_bytes([*high, *low]));
        }
    }

    /// A `SOF` segment, whose size has been checked.
    pub(super) fn frame(&mut self, kind: u8, segment: &[u8]) -> Result<(), DecodeError> {
        let broken = || DecodeError::malformed("a broken frame header");
        if !matches!(kind, 0xc0..=0xc2) {
            return Err(DecodeError::malformed("a rare kind of JPEG"));
        }
        if self.frame.is_some() {
            return Err(DecodeError::malformed("two frames"));
        }
        let (head, parts) = segment.split_at_checked(6).ok_or_else(broken)?;
        let height = usize::from(u16::from_be_bytes([head[1], head[2]]));
        let width = usize::from(u16::from_be_bytes([head[3], head[4]]));
        let count = usize::from(head[5]);
        let parts = parts.get(..count * 3).ok_or_else(broken)?;
        let sampling = |p: &[u8]| (usize::from(p[1] >> 4), usize::from(p[1] & 15));
        let (mut across, mut down) = (1, 1);
        for part in parts.chunks_exact(3) {
            let (h, v) = sampling(part);
            if !(1..=4).contains(&h) || !(1..=4).contains(&v) {
                return Err(broken());
            }
            (across, down) = (across.max(h), down.max(v));
        }
        if !(1..=4).contains(&count) {
            return Err(broken());
        }
        let units = (width.div_ceil(8 * across), height.div_ceil(8 * down));
        let progressive = kind == 0xc2;
        let component = |part: &[u8]| {
            let unit = sampling(part);
            let stride = units.0 * unit.0;
            Component {
                id: part[0],
                unit,
                blocks: (
                    (width * unit.0).div_ceil(8 * across),
                    (height * unit.1).div_ceil(8 * down),
                ),
                stride,
                quantization: usize::from(part[2] & 3),
                sent: [NEVER; 64],
                filled: vec![
                    0;
                    if progressive {
                        stride * units.1 * unit.1
                    } else {
                        0
                    }
                ],
                mean: 0,
            }
        };
        self.frame = Some(Frame {
            progressive,
            units,
            components: parts.chunks_exact(3).map(component).collect(),
        });
        Ok(())
    }

    /// A `SOS` segment and the data behind it, which begins at `data`. Returns the place of the
    /// marker that ends it.
    pub(super) fn scan(
        &mut self,
        segment: &[u8],
        bytes: &[u8],
        data: usize,
    ) -> Result<usize, DecodeError> {
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(DecodeError::malformed("too many scans"));
        }
        let frame = self
            .frame
            .as_mut()
            .ok_or_else(|| DecodeError::malformed("no frame header"))?;
        let scan = Scan::read(segment, frame)?;
        Walk {
            bits: Bits::new(bytes, data),
            codes: &self.codes,
            steps: self.steps,
            interval: self.interval,
            run: 0,
        }
        .through(frame, &scan)
    }

    /// At the end of the picture: has everything come?
    pub(super) fn complete(&self) -> Result<(), DecodeError> {
        let whole = self.frame.as_ref().is_some_and(|frame| {
            let sent = frame.components.iter().flat_map(|c| &c.sent);
            sent.into_iter().all(|&bit| bit == 0)
        });
        whole.then_some(()).ok_or(DecodeError::Truncated)
    }
}

impl Scan {
    fn read(segment: &[u8], frame: &mut Frame) -> Result<Self, DecodeError> {
        let broken = || DecodeError::malformed("a broken scan header");
        let (&count, rest) = segment.split_first().ok_or_else(broken)?;
        let (list, rest) = rest
            .split_at_checked(usize::from(count) * 2)
            .ok_or_else(broken)?;
        let &[first, last, bits, ..] = rest else {
            return Err(broken());
        };
        let mut parts: Vec<(usize, usize, usize)> = Vec::new();
        for pair in list.chunks_exact(2) {
            let index = frame.components.iter().position(|c| c.id == pair[0]);
            let index = index.ok_or_else(broken)?;
            if parts.iter().any(|&(other, ..)| other == index) {
                return Err(broken());
            }
            let (mean, others) = (usize::from(pair[1] >> 4), usize::from(pair[1] & 15));
            parts.push((index, mean & 3, others & 3));
        }
        let mut scan = Self {
            parts,
            first: usize::from(first),
            last: usize::from(last),
            high: bits >> 4,
            low: bits & 15,
        };
        if !frame.progressive {
            (scan.first, scan.last, scan.high, scan.low) = (0, 63, 0, 0);
        }
        let together = scan.first == 0 && scan.last > 0 && frame.progressive;
        let several = scan.first > 0 && scan.parts.len() > 1;
        let refines = scan.high == 0 || scan.high == scan.low + 1;
        if scan.parts.is_empty()
            || scan.last > 63
            || scan.first > scan.last
            || scan.low > 13
            || together
            || several
            || !refines
        {
            return Err(broken());
        }
        let before = if scan.high == 0 { NEVER } else { scan.high };
        for &(index, ..) in &scan.parts {
            let component = &mut frame.components[index];
            for sent in &mut component.sent[scan.first..=scan.last] {
                if *sent != before {
                    return Err(DecodeError::malformed(
                        "scans that do not follow on each other",
                    ));
                }
                *sent = scan.low;
            }
            component.mean = 0;
        }
        Ok(scan)
    }
}

/// On the way through one scan's data.
struct Walk<'a> {
    bits: Bits<'a>,
    codes: &'a [[Option<Code>; 4]; 2],
    steps: [i64; 4],
    interval: usize,
    /// Blocks to come in which nothing new begins.
    run: usize,
}

impl<'a> Walk<'a> {
    fn through(mut self, frame: &mut Frame, scan: &Scan) -> Result<usize, DecodeError> {
        let progressive = frame.progressive;
        let alone = match scan.parts[..] {
            [(index, ..)] => Some(frame.components[index].blocks),
            _ => None,
        };
        let (across, down) = alone.unwrap_or(frame.units);
        let mut until_restart = self.interval;
        let mut number = 0;
        for y in 0..down {
            for x in 0..across {
                if self.interval > 0 {
                    if until_restart == 0 {
                        self.restart(frame, number)?;
                        number = (number + 1) % 8;
                        until_restart = self.interval;
                    }
                    until_restart -= 1;
                }
                for &(index, mean, others) in &scan.parts {
                    let component = &mut frame.components[index];
                    let (h, v) = if alone.is_some() {
                        (1, 1)
                    } else {
                        component.unit
                    };
                    for block in 0..h * v {
                        if !progressive {
                            self.mean(component, mean, 0)?;
                            self.others(others)?;
                            continue;
                        }
                        let place = (y * v + block / h) * component.stride + x * h + block % h;
                        self.part(component, scan, (mean, others), place)?;
                    }
                }
            }
        }
        if self.run > 0 {
            return Err(DecodeError::malformed(
                "more data than the picture has room for",
            ));
        }
        self.bits.finish()
    }

    fn restart(&mut self, frame: &mut Frame, number: u8) -> Result<(), DecodeError> {
        if self.run > 0 {
            return Err(DecodeError::malformed(
                "more data than the picture has room for",
            ));
        }
        for component in &mut frame.components {
            component.mean = 0;
        }
        self.bits.restart(number)
    }

    fn code(&self, kind: usize, number: usize) -> Result<&'a Code, DecodeError> {
        self.codes[kind][number]
            .as_ref()
            .ok_or_else(|| DecodeError::malformed("a code table is missing"))
    }

    /// The first coefficient, as a difference to the one of the block before.
    #[inline]
    fn mean(&mut self, c: &mut Component, code: usize, low: u8) -> Result<(), DecodeError> {
        let size = u32::from(self.bits.symbol(self.code(0, code)?)?);
        if size > 15 {
            return Err(DecodeError::malformed("an impossible brightness"));
        }
        if size > 0 {
            let value = i64::from(self.bits.take(size)?);
            let negative = value < 1 << (size - 1);
            c.mean += if negative {
                value + 1 - (1 << size)
            } else {
                value
            };
        }
        let step = self.steps[c.quantization];
        if (c.mean.abs() - 1).max(0) * (step << low) > MAX_MEAN {
            return Err(DecodeError::malformed("an impossible brightness"));
        }
        Ok(())
    }

    /// The other coefficients of a block that comes at once.
    #[inline]
    fn others(&mut self, code: usize) -> Result<(), DecodeError> {
        let code = self.code(1, code)?;
        let mut k = 1;
        while k < 64 {
            let symbol = self.bits.symbol(code)?;
            let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size > 0 {
                k += zeros + 1;
                self.bits.take(size)?;
            } else if zeros == 15 {
                k += 16;
            } else {
                break;
            }
        }
        within(k, 64)
    }

    /// What one scan of a progressive picture says of one block.
    fn part(
        &mut self,
        component: &mut Component,
        scan: &Scan,
        (mean, others): (usize, usize),
        place: usize,
    ) -> Result<(), DecodeError> {
        match (scan.first, scan.high) {
            (0, 0) => self.mean(component, mean, scan.low),
            (0, _) => self.bits.take(1).map(drop),
            (_, high) => {
                let filled = component
                    .filled
                    .get_mut(place)
                    .ok_or_else(|| DecodeError::malformed("a block outside the picture"))?;
                if high == 0 {
                    self.begin(filled, scan, others)
                } else {
                    self.refine(filled, scan, others)
                }
            }
        }
    }

    /// The upper bits of some coefficients.
    fn begin(&mut self, filled: &mut u64, scan: &Scan, code: usize) -> Result<(), DecodeError> {
        if self.run > 0 {
            self.run -= 1;
            return Ok(());
        }
        let code = self.code(1, code)?;
        let mut k = scan.first;
        while k <= scan.last {
            let symbol = self.bits.symbol(code)?;
            let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size > 0 {
                k += zeros;
                within(k, scan.last)?;
                self.bits.take(size)?;
                *filled |= 1 << k;
                k += 1;
            } else if zeros == 15 {
                k += 16;
            } else {
                self.run = (1 << zeros) - 1 + self.bits.take(zeros as u32)? as usize;
                break;
            }
        }
        within(k, scan.last + 1)
    }

    /// One more bit of some coefficients, and those that only now are not zero.
    fn refine(&mut self, filled: &mut u64, scan: &Scan, code: usize) -> Result<(), DecodeError> {
        let code = self.code(1, code)?;
        let before = *filled;
        let mut k = scan.first;
        while self.run == 0 && k <= scan.last {
            let symbol = self.bits.symbol(code)?;
            let (mut zeros, size) = (usize::from(symbol >> 4), symbol & 15);
            match size {
                0 if zeros < 15 => {
                    self.run = (1 << zeros) + self.bits.take(zeros as u32)? as usize;
                    break;
                }
                0 => {}
                1 => drop(self.bits.take(1)?),
                _ => return Err(DecodeError::malformed("an impossible coefficient")),
            }
            while k <= scan.last {
                if before >> k & 1 == 1 {
                    self.bits.take(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            if size == 1 {
                within(k, scan.last)?;
                *filled |= 1 << k;
            }
            k += 1;
        }
        if self.run > 0 {
            self.run -= 1;
            let rest = (scan.first.max(k)..=scan.last).filter(|&k| before >> k & 1 == 1);
            for _ in 0..if before == 0 { 0 } else { rest.count() } {
                self.bits.take(1)?;
            }
        }
        Ok(())
    }
}

#[inline]
fn within(k: usize, end: usize) -> Result<(), DecodeError> {
    if k > end {
        return Err(DecodeError::malformed("a block with too many coefficients"));
    }
    Ok(())
}
