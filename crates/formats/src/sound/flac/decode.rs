//! Provides the samples of FLAC frames (RFC 9639, section 9.2).

use super::bits::BitReader;
use super::frame::{Channels, FrameHeader};

/// Why a frame has no samples.
pub(super) type Broken = &'static str;

const CUT: Broken = "a frame ends within its samples";

/// The samples of each channel of one frame; kept, so that its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// One run for each channel.
    pub channels: Vec<Vec<i64>>,
}

impl Decoded {
    /// Decodes a frame, which is these bytes with its header and its checksum.
    pub fn decode(&mut self, header: &FrameHeader, bits: u8, bytes: &[u8]) -> Result<(), Broken> {
        let body = bytes.get(header.len..bytes.len().saturating_sub(2)).ok_or(CUT)?;
        let mut reader = BitReader::new(body);
        let count = usize::from(header.channels.count());
        self.channels.resize_with(count, Vec::new);
        for (index, samples) in self.channels.iter_mut().enumerate() {
            let width = u32::from(bits) + u32::from(header.channels.is_side(index));
            samples.clear();
            subframe(&mut reader, width, header.frames as usize, samples)?;
        }
        reader.align().ok_or("bits after the samples of a frame are not zero")?;
        if reader.position() != body.len() {
            return Err("bytes follow the samples of a frame");
        }
        self.correlate(header.channels, bits)
    }

    /// Gives left and right back.
    fn correlate(&mut self, channels: Channels, bits: u8) -> Result<(), Broken> {
        if let [first, second] = self.channels.as_mut_slice() {
            let pairs = first.iter_mut().zip(second);
            match channels {
                Channels::Independent(_) => {}
                Channels::LeftSide => pairs.for_each(|(left, side)| *side = *left - *side),
                Channels::SideRight => pairs.for_each(|(side, right)| *side += *right),
                Channels::MidSide => pairs.for_each(|(mid, side)| {
                    let sum = *mid << 1 | (*side & 1);
                    (*mid, *side) = ((sum + *side) >> 1, (sum - *side) >> 1);
                }),
            }
        }
        let limit = 1i64 << (bits - 1);
        let fits = |samples: &Vec<i64>| {
            samples.iter().fold(true, |all, sample| all & (-limit <= *sample) & (*sample < limit))
        };
        if self.channels.iter().all(fits) { Ok(()) } else { Err("a sample has more bits than it may") }
    }
}

fn subframe(
    reader: &mut BitReader<'_>,
    width: u32,
    count: usize,
    samples: &mut Vec<i64>,
) -> Result<(), Broken> {
    if reader.take(1).ok_or(CUT)? != 0 {
        return Err("a channel of a frame begins with a one");
    }
    let kind = reader.take(6).ok_or(CUT)?;
    let wasted = match reader.take(1).ok_or(CUT)? {
        0 => 0,
        _ => reader.take_unary().ok_or(CUT)?.saturating_add(1),
    };
    let width = width.checked_sub(wasted).filter(|width| *width > 0);
    let width = width.ok_or("more bits of a sample are left out than it has")?;
    match kind {
        0 => samples.resize(count, reader.take_signed(width).ok_or(CUT)?),
        1 => read_plain(reader, width, count, samples)?,
        8..=12 => fixed(reader, width, count, kind as usize - 8, samples)?,
        32.. => linear(reader, width, count, kind as usize - 31, samples)?,
        _ => return Err("a channel of a frame is coded in a way that does not exist"),
    }
    if wasted > 0 {
        samples.iter_mut().for_each(|sample| *sample <<= wasted);
    }
    Ok(())
}

fn read_plain(
    reader: &mut BitReader<'_>,
    width: u32,
    count: usize,
    samples: &mut Vec<i64>,
) -> Result<(), Broken> {
    for _ in 0..count {
        samples.push(reader.take_signed(width).ok_or(CUT)?);
    }
    Ok(())
}

/// Samples beyond this cannot come out of any width; what sums to more is broken, and not added up further.
const SAMPLE_MAX: i64 = 1 << 40;

/// Reads the samples that a predictor begins with.
fn begin(
    reader: &mut BitReader<'_>,
    width: u32,
    (order, count): (usize, usize),
    samples: &mut Vec<i64>,
) -> Result<(), Broken> {
    if order > count {
        return Err("a frame has fewer samples than its predictor needs");
    }
    read_plain(reader, width, order, samples)
}

fn fixed(
    reader: &mut BitReader<'_>,
    width: u32,
    count: usize,
    order: usize,
    samples: &mut Vec<i64>,
) -> Result<(), Broken> {
    begin(reader, width, (order, count), samples)?;
    residual(reader, order, count, samples)?;
    match order {
        1 => restore(samples, 0, [1]),
        2 => restore(samples, 0, [2, -1]),
        3 => restore(samples, 0, [3, -3, 1]),
        4 => restore(samples, 0, [4, -6, 4, -1]),
        _ => Ok(()),
    }
}

fn linear(
    reader: &mut BitReader<'_>,
    width: u32,
    count: usize,
    order: usize,
    samples: &mut Vec<i64>,
) -> Result<(), Broken> {
    begin(reader, width, (order, count), samples)?;
    let precision = reader.take(4).ok_or(CUT)? + 1;
    let shift = reader.take_signed(5).ok_or(CUT)?;
    if precision == 16 || shift < 0 {
        return Err("a predictor has a precision or shift that is not allowed");
    }
    let mut weights = [0i64; 32];
    for weight in &mut weights[..order] {
        *weight = reader.take_signed(precision).ok_or(CUT)?;
    }
    residual(reader, order, count, samples)?;
    let shift = shift as u32;
    macro_rules! of_order {
        ($($order:literal)*) => {
            match order {
                $($order => {
                    let weights = weights.first_chunk().unwrap_or(&[0; $order]);
                    restore::<$order>(samples, shift, *weights)
                })*
                _ => restore_any(samples, shift, &weights[..order]),
            }
        };
    }
    of_order!(1 2 3 4 5 6 7 8 9 10 11 12)
}

/// Adds to each sample what those before it predict.
#[inline]
fn restore<const ORDER: usize>(samples: &mut [i64], shift: u32, weights: [i64; ORDER]) -> Result<(), Broken> {
    let mut before = [0i64; ORDER];
    for (at, sample) in samples.iter_mut().enumerate() {
        if at >= ORDER {
            let sum = before.iter().zip(&weights).fold(0i64, |sum, (sample, weight)| {
                // Neither product nor sum comes near 64 bits.
                sum.wrapping_add(sample.wrapping_mul(*weight))
            });
            *sample = sample.wrapping_add(sum >> shift);
            if sample.unsigned_abs() > SAMPLE_MAX as u64 {
                return Err("a sample has more bits than it may");
            }
        }
        before.copy_within(..ORDER - 1, 1);
        before[0] = *sample;
    }
    Ok(())
}

fn restore_any(samples: &mut [i64], shift: u32, weights: &[i64]) -> Result<(), Broken> {
    for at in weights.len()..samples.len() {
        let (before, rest) = samples.split_at_mut(at);
        let sum = before.iter().rev().zip(weights).map(|(sample, weight)| sample * weight).sum::<i64>();
        rest[0] += sum >> shift;
        if rest[0].unsigned_abs() > SAMPLE_MAX as u64 {
            return Err("a sample has more bits than it may");
        }
    }
    Ok(())
}

/// What remains of the samples after prediction, in partitions that each have a Rice parameter.
fn residual(
    reader: &mut BitReader<'_>,
    order: usize,
    count: usize,
    samples: &mut Vec<i64>,
) -> Result<(), Broken> {
    let wide = match reader.take(2).ok_or(CUT)? {
        0 => 4,
        1 => 5,
        _ => return Err("a residual is coded in a way that does not exist"),
    };
    let partitions = reader.take(4).ok_or(CUT)?;
    let each = count >> partitions;
    if each << partitions != count || each < order {
        return Err("a residual has partitions that do not fit the frame");
    }
    for partition in 0..1usize << partitions {
        let parameter = reader.take(wide).ok_or(CUT)?;
        let values = if partition == 0 { each - order } else { each };
        if parameter == (1 << wide) - 1 {
            let width = reader.take(5).ok_or(CUT)?;
            for _ in 0..values {
                let value = if width == 0 { 0 } else { reader.take_signed(width).ok_or(CUT)? };
                samples.push(value);
            }
            continue;
        }
        for _ in 0..values {
            let upper = u64::from(reader.take_unary().ok_or(CUT)?);
            let folded = upper << parameter | u64::from(reader.take(parameter).ok_or(CUT)?);
            if folded > u64::from(u32::MAX) {
                return Err("a residual has more bits than it may");
            }
            samples.push((folded >> 1) as i64 ^ -((folded & 1) as i64));
        }
    }
    Ok(())
}
