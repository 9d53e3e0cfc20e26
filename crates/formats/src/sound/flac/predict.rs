//! Provides predictors: the five fixed ones, and linear ones of up to 8 samples that are found from the
//! autocorrelation (Levinson, Durbin).

use super::bits::BitWriter;

/// Samples that a linear predictor looks at, at most.
const ORDER_MAX: usize = 8;
const LAGS: usize = ORDER_MAX + 1;

/// A window over the samples of a frame: flat in its middle half, and falling like a cosine beside it
/// (Tukey).
#[derive(Debug, Default)]
pub(super) struct Window(Vec<f32>);

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
        self.0 = (0..frames).map(|index| at(index) as f32).collect();
    }
}

/// The fixed predictor with the least remainder, and the bits that the remainder takes, about.
pub(super) fn fixed_order(samples: &[i32]) -> (usize, f64) {
    let mut sums = [0f64; 5];
    if samples.len() <= 4 {
        return (0, 0.0);
    }
    for block in samples.windows(4 + 256).step_by(256) {
        fixed_sums(block, &mut sums);
    }
    let left = (samples.len() - 4) % 256;
    if left > 0 {
        fixed_sums(&samples[samples.len() - 4 - left..], &mut sums);
    }
    let count = (samples.len() - 4) as f64;
    let mut best = (0, sums[0]);
    for (order, sum) in sums.into_iter().enumerate() {
        if sum < best.1 {
            best = (order, sum);
        }
    }
    // What numbers of this mean magnitude take when each is as likely as a Laplace distribution has it.
    let mean = best.1 / count;
    (best.0, count * (std::f64::consts::LN_2 * mean).log2().max(0.0))
}

/// Adds the magnitudes of the remainders of all orders, but for the first four samples.
fn fixed_sums(samples: &[i32], sums: &mut [f64; 5]) {
    // Differences of four orders have up to 37 bits; where floats round them, the choice is no worse for
    // it.
    let mut found = [0f32; 5];
    for window in samples.windows(5) {
        let [e, d, c, b, a] =
            [window[0] as f32, window[1] as f32, window[2] as f32, window[3] as f32, window[4] as f32];
        let (ab, bc, cd, de) = (a - b, b - c, c - d, d - e);
        let (abc, bcd, cde) = (ab - bc, bc - cd, cd - de);
        let (abcd, bcde) = (abc - bcd, bcd - cde);
        found[0] += a.abs();
        found[1] += ab.abs();
        found[2] += abc.abs();
        found[3] += abcd.abs();
        found[4] += (abcd - bcde).abs();
    }
    sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += f64::from(found));
}

/// Whether a remainder may be written: the least number is not allowed.
fn fits(value: i64) -> bool {
    value > i64::from(i32::MIN) && value <= i64::from(i32::MAX)
}

/// The remainder of a fixed predictor; false where it has more than 32 bits.
pub(super) fn fixed_residual(samples: &[i32], order: usize, residual: &mut Vec<i32>) -> bool {
    match order {
        0 => wide_residual(samples, 0, &[], residual),
        1 => wide_residual(samples, 0, &[1], residual),
        2 => wide_residual(samples, 0, &[2, -1], residual),
        3 => wide_residual(samples, 0, &[3, -3, 1], residual),
        _ => wide_residual(samples, 0, &[4, -6, 4, -1], residual),
    }
}

fn wide_residual(samples: &[i32], shift: u32, weights: &[i64], residual: &mut Vec<i32>) -> bool {
    residual.clear();
    let mut all = true;
    for at in weights.len()..samples.len() {
        let before = samples[at - weights.len()..at].iter().rev();
        let products = before.zip(weights).map(|(sample, weight)| i64::from(*sample).wrapping_mul(*weight));
        let value = i64::from(samples[at]).wrapping_sub(products.fold(0, i64::wrapping_add) >> shift);
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
    pub fn find(samples: &[i32], width: u32, window: &Window) -> Option<Self> {
        let most = ORDER_MAX.min(samples.len().checked_sub(1)?);
        let correlation = autocorrelation(samples, window);
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
            let shift = self.shift;
            macro_rules! of_order {
                ($($order:literal)*) => {
                    match self.order {
                        $($order => narrow_residual::<$order>(
                            samples, shift, *self.weights.first_chunk().unwrap_or(&[0; $order]), residual,
                        ),)*
                        _ => residual.clear(),
                    }
                };
            }
            of_order!(1 2 3 4 5 6 7 8);
            return true;
        }
        wide_residual(samples, self.shift, &self.weights.map(i64::from)[..self.order], residual)
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

fn narrow_residual<const ORDER: usize>(
    samples: &[i32],
    shift: u32,
    weights: [i32; ORDER],
    residual: &mut Vec<i32>,
) {
    residual.clear();
    residual.extend(samples.array_windows_of::<ORDER>().zip(&samples[ORDER..]).map(|(before, sample)| {
        // Widths were checked; sums that wrap need no branch, so that vectors hold several of them.
        let product = |at: usize| before[ORDER - 1 - at].wrapping_mul(weights[at]);
        let sum = (0..ORDER).fold(0i32, |sum, at| sum.wrapping_add(product(at)));
        sample.wrapping_sub(sum.wrapping_shr(shift))
    }));
}

/// Runs of a fixed length, each one sample further than the one before.
trait ArrayWindows {
    fn array_windows_of<const ORDER: usize>(&self) -> impl Iterator<Item = &[i32; ORDER]>;
}

impl ArrayWindows for [i32] {
    fn array_windows_of<const ORDER: usize>(&self) -> impl Iterator<Item = &[i32; ORDER]> {
        self.windows(ORDER).filter_map(|window| window.first_chunk())
    }
}

/// The autocorrelation of the samples under the window, at all lags that matter.
fn autocorrelation(samples: &[i32], window: &Window) -> [f64; LAGS] {
    const LANES: usize = 2;
    let mut held = Vec::with_capacity(samples.len() + LAGS + LANES);
    held.resize(LAGS, 0f64);
    held.extend(
        samples.iter().zip(&window.0).map(|(sample, weight)| f64::from(*sample) * f64::from(*weight)),
    );
    held.resize(held.len().next_multiple_of(LANES) + LAGS % LANES, 0.0);
    let mut sums = [[0f64; LANES]; LAGS];
    let mut at = LAGS;
    while at + LANES <= held.len() {
        let run: &[f64] = &held[at - LAGS..at + LANES];
        if let Some(run) = run.first_chunk::<{ LAGS + LANES }>() {
            for (lag, sums) in sums.iter_mut().enumerate() {
                for (lane, sum) in sums.iter_mut().enumerate() {
                    *sum += run[LAGS + lane] * run[LAGS + lane - lag];
                }
            }
        }
        at += LANES;
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
