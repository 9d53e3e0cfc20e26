//! Provides the samples of FLAC frames (RFC 9639, section 9.2).

use super::bits::BitReader;
use super::frame::{Channels, FrameHeader};

/// Why a frame has no samples.
pub(super) type Broken = &'static str;

const CUT: Broken = "a frame ends within its samples";
const BEYOND: Broken = "a sample has more bits than it may";

/// A sample while its frame is decoded: of 32 bits, or of 64 where a difference of channels may have 33.
pub(super) trait Word: Copy + Default + Into<i64> {
    /// A number that fits, or else its lower bits.
    fn of(value: i64) -> Self;
    /// Its lower 32 bits.
    fn low(self) -> u32;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    /// Half of it, rounded up.
    fn half(self) -> Self;
}

macro_rules! word {
    ($type:ty) => {
        impl Word for $type {
            #[inline(always)]
            fn of(value: i64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn low(self) -> u32 {
                self as u32
            }
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            #[inline(always)]
            fn half(self) -> Self {
                self.wrapping_add(1) >> 1
            }
        }
    };
}
word!(i32);
word!(i64);

/// Bits of a sample up to which those of 32 bits are enough, whatever a damaged frame adds up.
pub(super) const NARROW_BITS: u8 = 24;

/// The samples of each channel of one frame; kept, so that its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Decoded<W> {
    /// One run for each channel.
    pub channels: Vec<Vec<W>>,
    residual: Vec<i32>,
}

impl<W: Word> Decoded<W> {
    /// Decodes a frame, which is these bytes with its header and its checksum.
    pub fn decode(&mut self, header: &FrameHeader, bits: u8, bytes: &[u8]) -> Result<(), Broken> {
        let body = bytes.get(header.len..bytes.len().saturating_sub(2)).ok_or(CUT)?;
        let mut reader = BitReader::new(body);
        let count = usize::from(header.channels.count());
        self.channels.resize_with(count, Vec::new);
        for (index, samples) in self.channels.iter_mut().enumerate() {
            let width = u32::from(bits) + u32::from(header.channels.is_side(index));
            samples.clear();
            let count = header.frames as usize;
            Subframe { reader: &mut reader, width, count, samples, residual: &mut self.residual }.read()?;
        }
        reader.align().ok_or("bits after the samples of a frame are not zero")?;
        if reader.position() != body.len() {
            return Err("bytes follow the samples of a frame");
        }
        if let [first, second] = self.channels.as_mut_slice() {
            correlate(header.channels, first, second);
        }
        let limit = 1i64 << (bits - 1);
        match self.channels.iter().all(|samples| within(samples, limit)) {
            true => Ok(()),
            false => Err(BEYOND),
        }
    }
}

/// Gives left and right back.
#[inline(always)]
fn correlate<W: Word>(channels: Channels, first: &mut [W], second: &mut [W]) {
    let pairs = first.iter_mut().zip(second);
    match channels {
        Channels::Independent(_) => {}
        Channels::LeftSide => pairs.for_each(|(left, side)| *side = left.minus(*side)),
        Channels::SideRight => pairs.for_each(|(side, right)| *side = side.plus(*right)),
        Channels::MidSide => pairs.for_each(|(mid, side)| {
            // Half of the sum was rounded down where the difference is odd.
            let left = mid.plus(side.half());
            (*mid, *side) = (left, left.minus(*side));
        }),
    }
}

/// Whether all samples are from `-limit` on and below `limit`.
#[inline(always)]
fn within<W: Word>(samples: &[W], limit: i64) -> bool {
    samples.iter().fold(true, |all, sample| {
        let sample: i64 = (*sample).into();
        all & (-limit <= sample) & (sample < limit)
    })
}

/// One channel of a frame.
struct Subframe<'a, 'b, W> {
    reader: &'a mut BitReader<'b>,
    /// Bits of a sample.
    width: u32,
    /// Samples of it.
    count: usize,
    /// The samples.
    samples: &'a mut Vec<W>,
    /// Memory for what remains of them after prediction.
    residual: &'a mut Vec<i32>,
}

impl<W: Word> Subframe<'_, '_, W> {
    fn read(mut self) -> Result<(), Broken> {
        if self.reader.take(1).ok_or(CUT)? != 0 {
            return Err("a channel of a frame begins with a one");
        }
        let kind = self.reader.take(6).ok_or(CUT)?;
        let wasted = match self.reader.take(1).ok_or(CUT)? {
            0 => 0,
            _ => self.reader.take_unary().ok_or(CUT)?.saturating_add(1),
        };
        let width = self.width.checked_sub(wasted).filter(|width| *width > 0);
        self.width = width.ok_or("more bits of a sample are left out than it has")?;
        match kind {
            0 => {
                let sample = self.reader.take_signed(self.width).ok_or(CUT)?;
                self.samples.resize(self.count, W::of(sample));
            }
            1 => self.plain(self.count)?,
            8..=12 => self.fixed(kind as usize - 8)?,
            32.. => self.linear(kind as usize - 31)?,
            _ => return Err("a channel of a frame is coded in a way that does not exist"),
        }
        if wasted > 0 {
            self.samples.iter_mut().for_each(|sample| *sample = W::of((*sample).into() << wasted));
        }
        Ok(())
    }

    /// Reads samples as they are.
    fn plain(&mut self, count: usize) -> Result<(), Broken> {
        for _ in 0..count {
            self.samples.push(W::of(self.reader.take_signed(self.width).ok_or(CUT)?));
        }
        Ok(())
    }

    fn fixed(&mut self, order: usize) -> Result<(), Broken> {
        self.begin(order)?;
        self.remainder(order)?;
        match order {
            1 => self.restore(0, [1]),
            2 => self.restore(0, [2, -1]),
            3 => self.restore(0, [3, -3, 1]),
            4 => self.restore(0, [4, -6, 4, -1]),
            _ => self.restore(0, []),
        }
    }

    fn linear(&mut self, order: usize) -> Result<(), Broken> {
        self.begin(order)?;
        let precision = self.reader.take(4).ok_or(CUT)? + 1;
        let shift = self.reader.take_signed(5).ok_or(CUT)?;
        if precision == 16 || shift < 0 {
            return Err("a predictor has a precision or shift that is not allowed");
        }
        let mut weights = [0i64; 32];
        for weight in &mut weights[..order] {
            *weight = self.reader.take_signed(precision).ok_or(CUT)?;
        }
        self.remainder(order)?;
        let shift = shift as u32;
        macro_rules! of_order {
            ($($order:literal)*) => {
                match order {
                    $($order => {
                        self.restore::<$order>(shift, *weights.first_chunk().unwrap_or(&[0; $order]))
                    })*
                    _ => self.restore_any(shift, &weights[..order]),
                }
            };
        }
        of_order!(1 2 3 4 5 6 7 8 9 10 11 12)
    }

    /// Reads the samples that a predictor begins with.
    fn begin(&mut self, order: usize) -> Result<(), Broken> {
        if order > self.count {
            return Err("a frame has fewer samples than its predictor needs");
        }
        self.plain(order)
    }

    /// Reads what remains of the samples after prediction, in partitions that each have a Rice parameter.
    fn remainder(&mut self, order: usize) -> Result<(), Broken> {
        let wide = match self.reader.take(2).ok_or(CUT)? {
            0 => 4,
            1 => 5,
            _ => return Err("a residual is coded in a way that does not exist"),
        };
        let partitions = self.reader.take(4).ok_or(CUT)?;
        let each = self.count >> partitions;
        if each << partitions != self.count || each < order {
            return Err("a residual has partitions that do not fit the frame");
        }
        self.residual.resize(self.count - order, 0);
        let mut rest = self.residual.as_mut_slice();
        for partition in 0..1usize << partitions {
            let (values, after) = rest.split_at_mut(if partition == 0 { each - order } else { each });
            rest = after;
            let parameter = self.reader.take(wide).ok_or(CUT)?;
            if parameter < (1 << wide) - 1 {
                match self.reader.take_rice(parameter, values).ok_or(CUT)? {
                    true => continue,
                    false => return Err("a residual has more bits than it may"),
                }
            }
            let width = self.reader.take(5).ok_or(CUT)?;
            for value in values {
                *value = if width == 0 { 0 } else { self.reader.take_signed(width).ok_or(CUT)? as i32 };
            }
        }
        Ok(())
    }

    /// Adds to what remains of each sample what those before it predict.
    fn restore<const ORDER: usize>(&mut self, shift: u32, weights: [i64; ORDER]) -> Result<(), Broken> {
        let known = self.samples.len();
        self.samples.resize(self.count, W::of(0));
        let (known, samples) = self.samples.split_at_mut(known);
        // The last sample stands first.
        let mut before = [0i64; ORDER];
        known.iter().rev().zip(&mut before).for_each(|(sample, before)| *before = (*sample).into());
        let limit = 1i64 << (self.width - 1);
        let outside = !(2 * limit - 1);
        let mut beyond = 0;
        for (sample, residual) in samples.iter_mut().zip(&*self.residual) {
            // The sample that was known last is added last, since everything waits for it. Where one is
            // beyond its bits the sums may wrap, and the frame is refused.
            let mut sum = 0i64;
            for at in (0..ORDER).rev() {
                sum = sum.wrapping_add(before[at].wrapping_mul(weights[at]));
            }
            let found = i64::from(*residual).wrapping_add(sum.wrapping_shr(shift));
            beyond |= found.wrapping_add(limit) & outside;
            for at in (1..ORDER).rev() {
                before[at] = before[at - 1];
            }
            if let Some(first) = before.first_mut() {
                *first = found;
            }
            *sample = W::of(found);
        }
        if beyond == 0 { Ok(()) } else { Err(BEYOND) }
    }

    fn restore_any(&mut self, shift: u32, weights: &[i64]) -> Result<(), Broken> {
        let limit = 1i64 << (self.width - 1);
        for residual in &*self.residual {
            let before = self.samples.iter().rev().map(|sample| (*sample).into());
            let sum = before.zip(weights).map(|(sample, weight): (i64, _)| sample * weight).sum::<i64>();
            let sample = i64::from(*residual) + (sum >> shift);
            if !(-limit..limit).contains(&sample) {
                return Err(BEYOND);
            }
            self.samples.push(W::of(sample));
        }
        Ok(())
    }
}
