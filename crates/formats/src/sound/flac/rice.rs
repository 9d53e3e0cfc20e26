//! Provides the coding of what remains after prediction: in partitions, each with the Rice parameter that
//! takes fewest bits.

use archmage::autoversion;

use super::bits::BitWriter;

/// Logarithm of the number of partitions at most.
const PARTITIONS_LOG_MAX: u32 = 5;

/// The least Rice parameter that four bits do not hold.
const WIDE: u32 = 15;

/// How a remainder is coded.
#[derive(Debug, Default, Clone)]
pub(super) struct Coding {
    /// Logarithm of the number of partitions.
    log: u32,
    parameters: Vec<u32>,
    /// Bits that it takes, about.
    pub bits: u64,
}

/// The best coding of a remainder of a frame, after a predictor of this order. The frame is the remainder
/// and the samples before it.
pub(super) fn code(residual: &[i32], order: usize) -> Coding {
    let frames = residual.len() + order;
    let fits = |log: &u32| frames.is_multiple_of(1 << log) && frames >> log > order;
    let most = (0..=PARTITIONS_LOG_MAX).rev().find(fits).unwrap_or(0);
    let mut sums = folded_sums(residual, frames >> most, order);
    let mut best: Option<Coding> = None;
    for log in (0..=most).rev() {
        let each = frames >> log;
        let mut coding = Coding { log, parameters: Vec::with_capacity(sums.len()), bits: 6 };
        for (partition, sum) in sums.iter().enumerate() {
            let count = (if partition == 0 { each - order } else { each }) as u64;
            let (parameter, bits) = parameter(*sum, count);
            coding.parameters.push(parameter);
            coding.bits += bits;
        }
        let wide = coding.parameters.iter().any(|parameter| *parameter >= WIDE);
        coding.bits += sums.len() as u64 * if wide { 5 } else { 4 };
        if best.as_ref().is_none_or(|best| coding.bits < best.bits) {
            best = Some(coding);
        }
        sums = sums.chunks(2).map(|pair| pair.iter().sum()).collect();
    }
    best.unwrap_or_default()
}

#[inline(always)]
pub(super) fn fold(value: i32) -> u32 {
    (value << 1 ^ value >> 31) as u32
}

/// The sums of the folded numbers of partitions of `each` samples, of which the first `order` have none.
#[autoversion(v3)]
fn folded_sums(residual: &[i32], each: usize, order: usize) -> Vec<u64> {
    let mut sums = Vec::with_capacity(1 << PARTITIONS_LOG_MAX);
    let (mut partition, mut rest) = residual.split_at(each - order);
    loop {
        let mut sum = 0;
        for values in partition.chunks(256) {
            // Two halves of 32 bits, so that vectors hold many of them.
            let (mut low, mut high) = (0u32, 0u32);
            for value in values {
                let folded = fold(*value);
                low = low.wrapping_add(folded & 0xffff);
                high = high.wrapping_add(folded >> 16);
            }
            sum += u64::from(low) + (u64::from(high) << 16);
        }
        sums.push(sum);
        if rest.is_empty() {
            return sums;
        }
        (partition, rest) = rest.split_at(each.min(rest.len()));
    }
}

/// The parameter that is best for folded numbers of this sum, and the bits that it takes, about: the lower
/// bits of a number are taken to be half of their greatest value in the mean.
fn parameter(sum: u64, count: u64) -> (u32, u64) {
    let bits = |parameter: u32| {
        let below = count * ((1u64 << parameter) - 1) / 2;
        count * u64::from(parameter + 1) + (sum.saturating_sub(below) >> parameter)
    };
    let mean = sum / count.max(1);
    let guess = (mean + 1).ilog2().min(29);
    let near = guess.saturating_sub(1)..=guess + 1;
    near.map(|parameter| (parameter, bits(parameter))).min_by_key(|found| found.1).unwrap_or((0, 0))
}

impl Coding {
    /// Writes a remainder.
    pub fn write(&self, residual: &[i32], order: usize, writer: &mut BitWriter) {
        let wide = self.parameters.iter().any(|parameter| *parameter >= WIDE);
        writer.put(u32::from(wide), 2);
        writer.put(self.log, 4);
        let each = (residual.len() + order) >> self.log;
        let mut rest = residual;
        for (partition, parameter) in self.parameters.iter().enumerate() {
            let (values, after) = rest.split_at(if partition == 0 { each - order } else { each });
            writer.put(*parameter, if wide { 5 } else { 4 });
            writer.put_rice(values, *parameter);
            rest = after;
        }
    }
}
