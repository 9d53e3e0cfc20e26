//! Provides the coding of samples as FLAC frames: for each channel the constant, fixed or linear predictor
//! whose remainder is smallest, and for two channels the best of left, right, middle and side.
//!
//! The choices are those of the reference encoder at its default level: blocks of 4,096, predictors of up
//! to 8 samples found from the autocorrelation under a Tukey window, and up to 32 partitions.

use super::bits::{BitWriter, crc16};
use super::frame::{Channels, FrameHeader};
use super::predict::{Linear, Window, fixed_order, fixed_residual};
use super::rice::{Coding, code};

/// Samples of each channel in a frame, but for the last one.
pub(super) const BLOCK_FRAMES: usize = 4096;

/// How a channel is coded.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    Constant,
    Plain,
    Fixed(usize),
    Linear(Linear),
}

/// One channel, the way to code it, and the memory for that.
#[derive(Debug, Default)]
struct Candidate {
    samples: Vec<i32>,
    /// Bits of a sample, without those that are zero in all of them.
    width: u32,
    wasted: u32,
    method: Option<Method>,
    residual: Vec<i32>,
    coding: Coding,
    other_residual: Vec<i32>,
    windowed: Vec<f64>,
    bits: u64,
}

/// Codes frames, one after another, with memory that is used again.
#[derive(Debug)]
pub(super) struct FrameEncoder {
    channels: usize,
    bits: u8,
    rate: u32,
    window: Window,
    /// The channels as they are, and then middle and side.
    candidates: Vec<Candidate>,
}

impl FrameEncoder {
    /// Codes frames of this many channels, whose samples have from 4 to 32 bits.
    pub fn new(channels: u8, bits: u8, rate: u32) -> Self {
        let mut candidates = Vec::new();
        candidates.resize_with(if channels == 2 { 4 } else { usize::from(channels) }, Candidate::default);
        Self { channels: channels.into(), bits, rate, window: Window::default(), candidates }
    }

    /// The frame with a number, of interleaved samples for which there is at least one of each channel.
    pub fn encode(&mut self, samples: &[i32], number: u64, out: &mut Vec<u8>) {
        let count = self.channels;
        let stereo = count == 2;
        let frames = samples.len() / count;
        self.candidates.iter_mut().for_each(|candidate| candidate.samples.clear());
        match self.candidates.as_mut_slice() {
            [left, right, ..] if stereo => {
                let pairs = samples.as_chunks::<2>().0;
                left.samples.extend(pairs.iter().map(|pair| pair[0]));
                right.samples.extend(pairs.iter().map(|pair| pair[1]));
            }
            all => {
                for (index, candidate) in all.iter_mut().enumerate() {
                    candidate.samples.extend(samples.iter().skip(index).step_by(count));
                }
            }
        }
        let width = u32::from(self.bits);
        // The difference of two samples of 32 bits has 33, which is beyond these integers.
        let correlated = stereo && width < 32;
        if correlated && let [left, right, middle, side] = self.candidates.as_mut_slice() {
            let pairs = || left.samples.iter().zip(&right.samples);
            middle.samples.extend(pairs().map(|(left, right)| left.wrapping_add(*right) >> 1));
            side.samples.extend(pairs().map(|(left, right)| left.wrapping_sub(*right)));
        }
        self.window.resize(frames);
        let looked_at = if correlated { 4 } else { count };
        for (index, candidate) in self.candidates.iter_mut().take(looked_at).enumerate() {
            candidate.choose(width + u32::from(correlated && index == 3), &self.window);
        }
        let bits = |index: usize| self.candidates[index].bits;
        let pairings = [
            (Channels::Independent(count as u8), 0, 1),
            (Channels::LeftSide, 0, 3),
            (Channels::SideRight, 3, 1),
            (Channels::MidSide, 2, 3),
        ];
        let best = pairings.into_iter().min_by_key(|(_, first, second)| match correlated {
            true => bits(*first) + bits(*second),
            false => 0,
        });
        let (channels, first, second) = best.unwrap_or((Channels::Independent(count as u8), 0, 1));
        let header = FrameHeader {
            variable: false,
            number,
            frames: frames as u32,
            rate: self.rate,
            bits: self.bits,
            channels,
            len: 0,
        };
        let start = out.len();
        out.extend(header.bytes());
        let mut writer = BitWriter::after(std::mem::take(out));
        for index in 0..count {
            let index = if stereo { [first, second][index] } else { index };
            self.candidates[index].write(&mut writer);
        }
        *out = writer.finish();
        let crc = crc16(0, &out[start..]);
        out.extend(crc.to_be_bytes());
    }
}

impl Candidate {
    /// Finds the way that takes fewest bits.
    fn choose(&mut self, width: u32, window: &Window) {
        (self.width, self.wasted) = (width, 0);
        let first = self.samples.first().copied().unwrap_or(0);
        if self.samples.iter().all(|sample| *sample == first) {
            (self.method, self.bits) = (Some(Method::Constant), u64::from(8 + width));
            return;
        }
        let used = self.samples.iter().fold(0, |used, sample| used | sample);
        self.wasted = used.trailing_zeros();
        self.width -= self.wasted;
        if self.wasted > 0 {
            self.samples.iter_mut().for_each(|sample| *sample >>= self.wasted);
        }
        self.method = Some(Method::Plain);
        self.bits = self.samples.len() as u64 * u64::from(self.width);
        let (order, estimate) = fixed_order(&self.samples);
        if let Some(linear) = Linear::find(&self.samples, self.width, window, &mut self.windowed)
            && linear.residual(&self.samples, self.width, &mut self.residual)
        {
            self.coding = code(&self.residual, linear.order);
            let bits = u64::from(linear.head_bits(self.width)) + self.coding.bits;
            if bits < self.bits {
                (self.method, self.bits) = (Some(Method::Linear(linear)), bits);
            }
        }
        // The estimate is what a remainder of this mean takes at least, about.
        if estimate < self.bits as f64
            && fixed_residual(&self.samples, self.width, order, &mut self.other_residual)
        {
            let coding = code(&self.other_residual, order);
            let bits = 8 + order as u64 * u64::from(self.width) + coding.bits;
            if bits < self.bits {
                (self.method, self.bits) = (Some(Method::Fixed(order)), bits);
                self.coding = coding;
                std::mem::swap(&mut self.residual, &mut self.other_residual);
            }
        }
    }

    fn write(&self, writer: &mut BitWriter) {
        let kind = match self.method {
            Some(Method::Constant) => 0,
            Some(Method::Fixed(order)) => 8 + order as u32,
            Some(Method::Linear(linear)) => 31 + linear.order as u32,
            Some(Method::Plain) | None => 1,
        };
        writer.put(kind << 1 | u32::from(self.wasted > 0), 8);
        if self.wasted > 0 {
            writer.put_unary(self.wasted - 1);
        }
        let mut plain = |samples: &[i32]| {
            samples.iter().for_each(|sample| writer.put_signed(i64::from(*sample), self.width));
        };
        match self.method {
            Some(Method::Constant) => plain(&self.samples[..1]),
            Some(Method::Plain) | None => plain(&self.samples),
            Some(Method::Fixed(order)) => {
                plain(&self.samples[..order]);
                self.coding.write(&self.residual, order, writer);
            }
            Some(Method::Linear(linear)) => {
                plain(&self.samples[..linear.order]);
                linear.write(writer);
                self.coding.write(&self.residual, linear.order, writer);
            }
        }
    }
}
