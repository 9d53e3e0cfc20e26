//! The content digest of signals: one leaf for each run of 1 Mi samples of each array.

use archmage::autoversion;

use super::stream::Stream;
use super::{Grid, PartContent, leaf_digest};
use crate::digest::Digest;
use crate::sample::{Sample, SampleType, with_sample};

/// Samples in one run: the grid on which leaves of an array lie.
pub const RUN_SAMPLES: u64 = 1 << 20;

/// Samples that are looked at together for NaN.
const BLOCK_SAMPLES: usize = 4096;

/// Computes the leaves of a part of one array from samples that arrive in pieces. The first sample must begin
/// a run of the array.
#[derive(Debug)]
pub struct SignalDigester {
    sample: SampleType,
    leaf: Stream,
    leaf_samples: u64,
    samples: u64,
    leaves: Vec<Digest>,
}

impl SignalDigester {
    /// A digester that has seen no samples.
    pub fn new(sample: SampleType) -> Self {
        Self { sample, leaf: Stream::default(), leaf_samples: 0, samples: 0, leaves: Vec::new() }
    }

    /// Takes the next samples, little-endian; false, and nothing taken, where the bytes end within one.
    #[must_use]
    pub fn push(&mut self, mut bytes: &[u8]) -> bool {
        let width = self.sample.width();
        if !bytes.len().is_multiple_of(width) {
            return false;
        }
        while !bytes.is_empty() {
            let room = usize::try_from(RUN_SAMPLES - self.leaf_samples).unwrap_or(usize::MAX);
            let (run, rest) = bytes.split_at((room * width).min(bytes.len()));
            match self.sample.canonical_nan() {
                None => self.leaf.update(run),
                Some(nan) => push_run(self.sample, &mut self.leaf, run, nan),
            }
            let samples = (run.len() / width) as u64;
            self.leaf_samples += samples;
            self.samples += samples;
            if self.leaf_samples == RUN_SAMPLES {
                self.close_leaf();
            }
            bytes = rest;
        }
        true
    }

    /// The content of all samples pushed.
    pub fn finish(mut self) -> PartContent {
        if self.leaf_samples > 0 {
            self.close_leaf();
        }
        PartContent { grid: Grid::Signal, units: self.samples, leaves: self.leaves }
    }

    fn close_leaf(&mut self) {
        let stream = self.leaf.finish();
        self.leaves.push(leaf_digest(self.leaf_samples, &[stream]));
        self.leaf_samples = 0;
    }
}

/// Appends samples of floating point, with every NaN made the same.
#[autoversion(v3)]
fn push_run(sample: SampleType, stream: &mut Stream, bytes: &[u8], nan: &[u8]) {
    with_sample!(sample, push_floats(stream, bytes, nan));
}

/// The same of one type: samples as they lie where none of them is NaN.
#[inline(always)]
fn push_floats<S: Sample<Bytes = [u8; W]>, const W: usize>(stream: &mut Stream, bytes: &[u8], nan: &[u8]) {
    let is_nan = |raw: &[u8; W]| S::read(*raw).is_nan();
    for samples in bytes.as_chunks::<W>().0.chunks(BLOCK_SAMPLES) {
        // The fold has no early exit, so that it runs as vector instructions.
        if !samples.iter().fold(false, |any, raw| any | is_nan(raw)) {
            stream.update(samples.as_flattened());
            continue;
        }
        for raw in samples {
            stream.update(if is_nan(raw) { nan } else { raw });
        }
    }
}
