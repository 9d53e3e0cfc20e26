//! Provides the distance between two images.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use coherence::distance::SignatureMismatch;
use coherence::evidence::{ColumnEvidence, ColumnRule, Evidence};
use coherence::signal::SignalComparison;
use formats::file::ObjectFile;
use formats::image::{self, Image, ImageFormat, Rehoused};

use super::decode;
use crate::failure::{Result, untold_of_images};

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
        let d_squared = self.evidence.d_squared().map_err(untold_of_images)?;
        let norm_squared = self.evidence.norm_squared().map_err(untold_of_images)?;
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
    let attributes = differing((&a, left_format), (&b, right_format));
    let mut comparison = SignalComparison::new(common, ColumnRule::Numeric { scale: 1.0 });
    if signature.is_empty() && a.samples == b.samples {
        // Also where they are too large to be squared.
        comparison.evidence = ColumnEvidence::equal(a.signature().samples().unwrap_or(u64::MAX));
    } else if signature.is_empty() {
        comparison.push(&a.samples, &b.samples).map_err(untold_of_images)?;
    }
    let (evidence, first) = (comparison.evidence, comparison.first_differing);
    let whole = Evidence { rows: evidence.cells, columns: vec![evidence.clone()] };
    let psnr_db = whole.psnr_db(image::peak(common)).map_err(untold_of_images)?;
    Ok(Compared { evidence, first, signature, attributes, psnr_db })
}

/// Keys of attributes that differ, or that one side alone has, where each side has them in the place that its
/// format has for them: the fewest as they are, as the format of either side has them, and as a TIFF has
/// both, which is where Exif data may have gone on the way from one to the other. Only what the format of the
/// other side has no place for is left out of account.
fn differing((a, a_format): (&Image, ImageFormat), (b, b_format): (&Image, ImageFormat)) -> Vec<String> {
    let found = [
        unequal(&a.attributes, &b.attributes),
        rehoused_unequal([(a, Some((b_format, b_format))), (b, None)]),
        rehoused_unequal([(a, None), (b, Some((a_format, a_format)))]),
        rehoused_unequal(
            [(a, b_format), (b, a_format)].map(|(image, other)| (image, Some((ImageFormat::Tiff, other)))),
        ),
    ];
    found.into_iter().min_by_key(BTreeSet::len).unwrap_or_default().into_iter().collect()
}

/// The same where the attributes of images are where a format has them, the first of two; the second is that
/// of the other image. What has no place there is a difference of Exif data.
fn rehoused_unequal(sides: [(&Image, Option<(ImageFormat, ImageFormat)>); 2]) -> BTreeSet<String> {
    let moved = sides.map(|(image, formats)| {
        let (samples, ignored, attributes) = (Vec::new(), Vec::new(), image.attributes.clone());
        let declared = None;
        let image = Image { samples, ignored, attributes, declared, ..*image };
        match formats {
            Some((format, other)) => image::rehoused_for(image, format, other),
            None => Rehoused { image, homeless: Vec::new(), near: Vec::new() },
        }
    });
    let [a, b] = moved.each_ref().map(|moved| &moved.image.attributes);
    let mut keys = unequal(a, b);
    if moved.iter().any(|moved| !moved.homeless.is_empty()) {
        keys.insert("exif".to_owned());
    }
    keys
}

/// Keys of attributes that one side has more often than the other, by what they say.
fn unequal(a: &[(String, Vec<u8>)], b: &[(String, Vec<u8>)]) -> BTreeSet<String> {
    let mut more: BTreeMap<(&str, Cow<'_, [u8]>), isize> = BTreeMap::new();
    for (attributes, by) in [(a, 1), (b, -1)] {
        for (key, value) in attributes {
            *more.entry((key.as_str(), image::meaning(key, value))).or_default() += by;
        }
    }
    more.into_iter().filter(|(_, more)| *more != 0).map(|((key, _), _)| key.to_owned()).collect()
}
