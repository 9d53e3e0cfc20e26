//! Provides the distance between two images.

use coherence::distance::SignatureMismatch;
use coherence::evidence::{ColumnEvidence, ColumnRule, Evidence};
use coherence::signal::SignalComparison;
use formats::file::ObjectFile;
use formats::image::{self, Image, ImageFormat};

use super::decode;
use crate::failure::{Failure, Result};

/// What was found.
pub struct Compared {
    /// Sample by sample, in the wider sample type of the two, or in fractions of 1 where one has these.
    pub evidence: ColumnEvidence,
    /// Index of the first sample that differs.
    pub first: Option<u64>,
    /// Why the distance is infinite, where it is.
    pub signature: Vec<SignatureMismatch>,
    /// Keys of attributes that differ, or that one side alone has.
    pub attributes: Vec<String>,
    /// Peak signal-to-noise ratio in dB.
    pub psnr_db: f64,
}

impl Compared {
    /// Whether the contents are the same.
    pub fn is_equal(&self) -> bool {
        self.signature.is_empty() && self.attributes.is_empty() && self.evidence.differing == 0
    }

    /// Distance and coherence.
    pub fn distance(&self) -> Result<(f64, f64)> {
        let failed = |error: coherence::evidence::EvidenceError| Failure::Other(error.to_string());
        let d_squared = self.evidence.d_squared().map_err(failed)?;
        let norm_squared = self.evidence.norm_squared().map_err(failed)?;
        Ok((d_squared.sqrt(), coherence::evidence::coherence(d_squared, norm_squared)))
    }
}

/// Decodes both images and measures them.
pub fn compare(
    (left, left_format): (&ObjectFile, ImageFormat),
    (right, right_format): (&ObjectFile, ImageFormat),
    memory: u64,
) -> Result<Compared> {
    let (a, b) = (decode(left, left_format, memory)?, decode(right, right_format, memory)?);
    let common = image::common(a.sample, b.sample);
    let (a, b) = (image::lifted(a, common)?, image::lifted(b, common)?);
    let signature = a.signature().mismatches(&b.signature());
    let same = is_rehoused(&a, &b, right_format) || is_rehoused(&b, &a, left_format);
    let attributes = if same { Vec::new() } else { differing(&a, &b) };
    let mut comparison = SignalComparison::new(common, ColumnRule::Numeric { scale: 1.0 });
    let failed = |error: &dyn std::fmt::Display| Failure::Other(format!("no distance can be told: {error}"));
    if signature.is_empty() {
        comparison.push(&a.samples, &b.samples).map_err(|error| failed(&error))?;
    }
    let (evidence, first) = (comparison.evidence, comparison.first_differing);
    let whole = Evidence { rows: evidence.cells, columns: vec![evidence.clone()] };
    let psnr_db = whole.psnr_db(image::peak(common)).map_err(|error| failed(&error))?;
    Ok(Compared { evidence, first, signature, attributes, psnr_db })
}

/// Whether another image has all attributes of this one, where its format has them, and no others.
fn is_rehoused(image: &Image, other: &Image, format: ImageFormat) -> bool {
    let (samples, ignored, attributes) = (Vec::new(), Vec::new(), image.attributes.clone());
    let (moved, homeless) = image::rehoused(Image { samples, ignored, attributes, ..*image }, format);
    homeless.is_empty() && moved.attributes == other.attributes
}

/// Keys of attributes that differ, or that one side alone has.
fn differing(a: &Image, b: &Image) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for (ours, theirs) in [(a, b), (b, a)] {
        let alone = ours.attributes.iter().filter(|entry| !theirs.attributes.contains(entry));
        keys.extend(alone.map(|(key, _)| key.clone()));
    }
    keys.sort();
    keys.dedup();
    keys
}
