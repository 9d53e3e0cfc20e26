//! Provides predictors: the five fixed ones, and linear ones of up to 8 samples that are found from the
//! autocorrelation (Levinson, Durbin).

use archmage::autoversion;

use super::bits::BitWriter;

/// Samples that a linear predictor looks at, at most.
const ORDER_MAX: usize = 8;
const LAGS: usize = ORDER_MAX + 1;

/// Samples that are worked on side by side, as vectors hold them. Sums of floating point are taken in as many
/// lanes whatever the processor has, so that they are the same on all of them.
const LANES: usize = 8;
/// The same for floating point of double precision.
const SUMS: usize = 4;

/// A window over the samples of a frame: flat in its middle half, and falling like a cosine beside it
/// (Tukey).
#[derive(Debug, Default)]
pub(super) struct Window(Vec<f64>);

impl Window {
    /// Makes it as long as a frame.
    pub fn resize(&mut self, frames: usize) {
        if self.0.len() == frames {
            return;
        }
        let slope = (frames / 4).max(1);
        let at = |index: usize| {
            let from_end = index.min(frames - 1 - index);
            match from_end < slope {
                true => 0.5 - 0.5 * (std::f64::consts::PI * from_end as f64 / slope as f64).cos(),
                false => 1.0,
            }
        };
        self.0 = (0..frames).map(at).collect();
    }
}

/// The fixed predictor with the least remainder, and the bits that the remainder takes, about.
pub(super) fn fixed_order(samples: &[i32]) -> (usize, f64) {
    let (sums, count) = fixed_sums(samples);
    let mut best = (0, sums[0]);
    for (order, sum) in sums.into_iter().enumerate() {
        if sum < best.1 {
            best = (order, sum);
        }
    }
    // What numbers of this mean magnitude take when each is as likely as a Laplace distribution has it.
    let mean = best.1 / (count as f64).max(1.0);
    (best.0, samples.len() as f64 * (std::f64::consts::LN_2 * mean).log2().max(0.0))
}

/// Sums of the magnitudes of the remainders of all orders, and over how many samples: not the first four, and
/// not the last ones that are fewer than lanes.
#[autoversion(v3)]
fn fixed_sums(samples: &[i32]) -> ([f64; 5], usize) {
    const BEFORE: usize = 4;
    let mut sums = [[0f32; LANES]; 5];
    let mut at = 0;
    while let Some(run) = samples.get(at..).and_then(|rest| rest.first_chunk::<{ BEFORE + LANES }>()) {
        for lane in 0..LANES {
            // Differences of four orders have up to 37 bits; where floats round them, the choice is no worse
            // for it.
            let (a, b, c) = (run[lane + 4] as f32, run[lane + 3] as f32, run[lane + 2] as f32);
            let (d, e) = (run[lane + 1] as f32, run[lane] as f32);
            let (ab, bc, cd, de) = (a - b, b - c, c - d, d - e);
            let (abc, bcd, cde) = (ab - bc, bc - cd, cd - de);
            let (abcd, bcde) = (abc - bcd, bcd - cde);
            sums[0][lane] += a.abs();
            sums[1][lane] += ab.abs();
            sums[2][lane] += abc.abs();
            sums[3][lane] += abcd.abs();
            sums[4][lane] += (abcd - bcde).abs();
        }
        at += LANES;
    }
    (sums.map(|lanes| lanes.iter().map(|sum| f64::from(*sum)).sum()), at)
}

/// Whether a remainder may be written: the least number is not allowed.
fn fits(value: i64) -> bool {
    value > i64::from(i32::MIN) && value <= i64::from(i32::MAX)
}

/// The remainder of a fixed predictor of samples of this many bits; false where it has more than 32 bits.
pub(super) fn fixed_residual(samples: &[i32], width: u32, order: usize, residual: &mut Vec<i32>) -> bool {
    // The weights of no predictor here sum up to more than 16.
    let narrow = width + 4 <= 32;
    let predictor = Linear { order, precision: 4, shift: 0, weights: FIXED[order] };
    match narrow {
        true => narrow_residual(samples, &predictor, residual),
        false => return wide_residual(samples, &predictor, residual),
    }
    true
}

/// The weights of the fixed predictors, by their orders.
const FIXED: [[i32; ORDER_MAX]; 5] = [
    [0; ORDER_MAX],
    [1, 0, 0, 0, 0, 0, 0, 0],
    [2, -1, 0, 0, 0, 0, 0, 0],
    [3, -3, 1, 0, 0, 0, 0, 0],
    [4, -6, 4, -1, 0, 0, 0, 0],
];

fn wide_residual(samples: &[i32], predictor: &Linear, residual: &mut Vec<i32>) -> bool {
    let order = predictor.order;
    residual.clear();
    let mut all = true;
    for at in order..samples.len() {
        let before = samples[at - order..at].iter().rev().zip(&predictor.weights);
        let products = before.map(|(sample, weight)| i64::from(*sample).wrapping_mul(i64::from(*weight)));
        let sum = products.fold(0, i64::wrapping_add) >> predictor.shift;
        let value = i64::from(samples[at]).wrapping_sub(sum);
        all &= fits(value);
        residual.push(value as i32);
    }
    all
}

/// A linear predictor with whole weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Linear {
    /// Samples that it looks at.
    pub order: usize,
    precision: u32,
    shift: u32,
    weights: [i32; ORDER_MAX],
}

impl Linear {
    /// The predictor that is expected to leave least; `None` where there is none.
    pub fn find(samples: &[i32], width: u32, window: &Window, memory: &mut Vec<f64>) -> Option<Self> {
        let most = ORDER_MAX.min(samples.len().checked_sub(1)?);
        let correlation = autocorrelation(samples, window, memory);
        if correlation[0] <= 0.0 || most == 0 {
            return None;
        }
        let precision = precision(samples.len(), width);
        let (weights, errors) = levinson(&correlation);
        // Bits by which a sample is expected to remain, from the mean square error of a Laplace
        // distribution.
        let scale = 0.5 / samples.len() as f64;
        let bits = |order: usize| {
            let error = errors[order - 1];
            let each = if error > 0.0 { (0.5 * (scale * error).log2()).max(0.0) } else { 0.0 };
            each * (samples.len() - order) as f64 + (order as u32 * (width + precision)) as f64
        };
        let best = (1..=most).min_by(|a, b| bits(*a).total_cmp(&bits(*b)))?;
        Self::quantised(&weights[best - 1][..best], precision)
    }

    /// Weights as whole numbers; what rounding takes from one is given to the next.
    fn quantised(weights: &[f64], precision: u32) -> Option<Self> {
        let largest = weights.iter().fold(0f64, |largest, weight| largest.max(weight.abs()));
        if !(largest > 0.0 && largest.is_finite()) {
            return None;
        }
        // The largest weight keeps below half of 2^precision.
        let shift = i64::from(precision) - 2 - largest.log2().floor() as i64;
        let shift = u32::try_from(shift.min(15)).ok()?;
        let limit = f64::from(1 << (precision - 1));
        let mut found = Self { order: weights.len(), precision, shift, weights: [0; ORDER_MAX] };
        let mut error = 0.0;
        for (whole, weight) in found.weights.iter_mut().zip(weights) {
            error += weight * f64::from(1 << shift);
            let rounded = error.round().clamp(-limit, limit - 1.0);
            error -= rounded;
            *whole = rounded as i32;
        }
        Some(found)
    }

    /// What remains of the samples; false where that has more than 32 bits.
    pub fn residual(&self, samples: &[i32], width: u32, residual: &mut Vec<i32>) -> bool {
        // Whether the sum of all products surely has 31 bits and a sign.
        if width + self.precision + (self.order as u32).next_power_of_two().ilog2() <= 32 {
            narrow_residual(samples, self, residual);
            return true;
        }
        wide_residual(samples, self, residual)
    }

    /// Bits before the remainder.
    pub fn head_bits(&self, width: u32) -> u32 {
        8 + 9 + self.order as u32 * (width + self.precision)
    }

    /// Writes the weights.
    pub fn write(&self, writer: &mut BitWriter) {
        writer.put(self.precision - 1, 4);
        writer.put(self.shift, 5);
        for weight in &self.weights[..self.order] {
            writer.put_signed(i64::from(*weight), self.precision);
        }
    }
}

/// Bits of a weight, as the reference encoder has them.
fn precision(frames: usize, width: u32) -> u32 {
    match width {
        ..16 => (2 + width / 2).max(5),
        16 | 17 => match frames {
            ..=192 => 7,
            193..=384 => 8,
            385..=576 => 9,
            577..=1152 => 10,
            1153..=2304 => 11,
            2305..=4608 => 12,
            _ => 13,
        },
        _ => match frames {
            ..=384 => 13,
            385..=1152 => 14,
            _ => 15,
        },
    }
}

/// What remains of samples of which the sums of all products have 32 bits.
#[autoversion(v3)]
fn narrow_residual(samples: &[i32], predictor: &Linear, residual: &mut Vec<i32>) {
    residual.resize(samples.len() - predictor.order, 0);
    macro_rules! of_order {
        ($($order:literal)*) => {
            match predictor.order {
                $($order => subtract::<$order>(samples, predictor, residual),)*
                _ => residual.copy_from_slice(samples),
            }
        };
    }
    of_order!(1 2 3 4 5 6 7 8);
}

#[inline(always)]
fn subtract<const ORDER: usize>(samples: &[i32], predictor: &Linear, residual: &mut [i32]) {
    const RUN: usize = ORDER_MAX + LANES;
    let shift = predictor.shift;
    let weights: &[i32; ORDER] = predictor.weights.first_chunk().unwrap_or(&[0; ORDER]);
    // Widths were checked; sums that wrap need no branch, so that vectors hold several of them.
    let mut at = 0;
    while let Some(run) = samples.get(at..).and_then(|rest| rest.first_chunk::<RUN>()) {
        let mut found = [0i32; LANES];
        for (lane, found) in found.iter_mut().enumerate() {
            let mut sum = 0i32;
            for (by, weight) in weights.iter().enumerate() {
                sum = sum.wrapping_add(run[ORDER_MAX - 1 - by + lane].wrapping_mul(*weight));
            }
            *found = run[ORDER_MAX + lane].wrapping_sub(sum.wrapping_shr(shift));
        }
        residual[ORDER_MAX - ORDER + at..][..LANES].copy_from_slice(&found);
        at += LANES;
    }
    // The first and the last ones, which fill no lanes.
    for at in (ORDER..ORDER_MAX.min(samples.len())).chain(ORDER_MAX + at..samples.len()) {
        let before = samples[at - ORDER..at].iter().rev().zip(weights);
        let sum = before.fold(0i32, |sum, (sample, weight)| sum.wrapping_add(sample.wrapping_mul(*weight)));
        residual[at - ORDER] = samples[at].wrapping_sub(sum.wrapping_shr(shift));
    }
}

/// The autocorrelation of the samples under the window, at all lags that matter.
#[autoversion(v3)]
fn autocorrelation(samples: &[i32], window: &Window, held: &mut Vec<f64>) -> [f64; LAGS] {
    const RUN: usize = ORDER_MAX + SUMS;
    held.clear();
    held.resize(ORDER_MAX, 0.0);
    held.extend(samples.iter().zip(&window.0).map(|(sample, weight)| f64::from(*sample) * weight));
    held.resize(ORDER_MAX + samples.len().next_multiple_of(SUMS), 0.0);
    let mut sums = [[0f64; SUMS]; LAGS];
    let mut at = 0;
    while let Some(run) = held.get(at..).and_then(|rest| rest.first_chunk::<RUN>()) {
        for (lag, sums) in sums.iter_mut().enumerate() {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum += run[ORDER_MAX + lane] * run[ORDER_MAX + lane - lag];
            }
        }
        at += SUMS;
    }
    sums.map(|lanes| lanes.iter().sum())
}

/// The weights of the best predictor of each order, and what it leaves.
fn levinson(correlation: &[f64; LAGS]) -> ([[f64; ORDER_MAX]; ORDER_MAX], [f64; ORDER_MAX]) {
    let mut found = [[0.0; ORDER_MAX]; ORDER_MAX];
    let mut errors = [0.0; ORDER_MAX];
    let mut weights = [0f64; ORDER_MAX];
    let mut error = correlation[0];
    for order in 0..ORDER_MAX {
        if error <= 0.0 {
            // Everything is predicted already.
            (found[order], errors[order]) = (weights, 0.0);
            continue;
        }
        let predicted: f64 = (0..order).map(|at| weights[at] * correlation[order - at]).sum();
        let reflection = (correlation[order + 1] - predicted) / error;
        let before = weights;
        weights[order] = reflection;
        for at in 0..order {
            weights[at] = before[at] - reflection * before[order - 1 - at];
        }
        error *= 1.0 - reflection * reflection;
        (found[order], errors[order]) = (weights, error);
    }
    (found, errors)
}
