//! The laws for signals. What is put to them is a trait whose every operation has a production form.

mod budget;
mod claims;
mod content;
mod distance;
mod pieces;
mod sample;
mod tiles;

use coherence::content::{Model, PartContent, SignalDigester};
use coherence::digest::Digest;
use coherence::evidence::{ColumnEvidence, ColumnRule};
use coherence::sample::SampleType;
use coherence::signal::{Array, SignalComparison, Signature};

/// What digests, measures and joins signals.
trait Signals {
    /// The content of samples that arrive in pieces of these numbers of samples, over and over.
    fn digest(&self, ty: SampleType, bytes: &[u8], pieces: &[usize]) -> PartContent {
        let mut digester = SignalDigester::new(ty);
        for (piece, _) in pairs(ty, bytes, bytes, pieces) {
            assert!(digester.push(piece), "whole samples");
        }
        digester.finish()
    }

    fn root(&self, signature: &Signature, content: &PartContent) -> Digest {
        let model = Model::Signal(signature.clone());
        model.root(content.units, &content.leaves).expect("leaves that cover the samples")
    }

    fn tile(&self, signature: &Signature, parts: &[PartContent]) -> Option<PartContent> {
        Model::Signal(signature.clone()).tile(parts).ok()
    }

    fn compare(
        &self,
        (ty, rule): (SampleType, ColumnRule),
        left: &[u8],
        right: &[u8],
        pieces: &[usize],
    ) -> SignalComparison {
        let mut comparison = SignalComparison::new(ty, rule);
        for (left, right) in pairs(ty, left, right, pieces) {
            comparison.push(left, right).expect("equally many samples, whose squares are finite");
        }
        comparison
    }

    fn merge(&self, left: &ColumnEvidence, right: &ColumnEvidence) -> ColumnEvidence {
        let mut merged = left.clone();
        merged.merge(right).expect("evidence of one rule merges");
        merged
    }
}

struct Production;
impl Signals for Production {}

/// Two runs of samples of one length, cut alike.
fn pairs<'a>(
    ty: SampleType,
    mut left: &'a [u8],
    mut right: &'a [u8],
    pieces: &[usize],
) -> Vec<(&'a [u8], &'a [u8])> {
    let mut found = Vec::new();
    let mut lengths = pieces.iter().cycle();
    while !left.is_empty() {
        let bytes = lengths.next().map_or(left.len(), |samples| samples * ty.width()).min(left.len());
        found.push((&left[..bytes], &right[..bytes]));
        (left, right) = (&left[bytes..], &right[bytes..]);
    }
    found
}

fn array(name: &str, sample: SampleType, shape: &[u64]) -> Array {
    Array { name: name.to_owned(), sample, shape: shape.to_vec(), meaning: String::new(), peak: None }
}

fn signature(arrays: &[Array]) -> Signature {
    Signature { arrays: arrays.to_vec(), attributes: Vec::new() }
}
