//! Provides the later check of images: of a target alone, and against its source where that is at hand.

use std::path::PathBuf;
use std::sync::Arc;

use coherence::content::Model;
use coherence::digest::Digest;
use coherence::sample::SampleType;
use coherence::statement::{Predicate, SignalContent};
use formats::file::ObjectFile;
use formats::image::{self, Image, ImageFormat};
use formats::media::{self, Codec};
use serde_json::{Map, Value};

use super::super::verify::{Checked, NOT_AT_HAND, differs};
use super::{content, decode, in_space};
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// The root of the content of an image.
pub fn root_of(image: &Image) -> Result<Digest> {
    let content = content(image)?;
    let root = Model::Signal(image.signature()).root(content.units, &content.leaves);
    root.map_err(|error| Failure::Other(format!("bug in isoform: {error}")))
}

/// Decodes the target, and the source where there is one, and compares both with what was certified. Returns
/// the number of samples.
pub fn check_content(
    file: &Arc<ObjectFile>,
    (predicate, certified): (&Predicate, &SignalContent),
    source: Option<&PathBuf>,
    memory: u64,
    checks: &mut Vec<Checked>,
    progress: &Progress,
) -> Result<u64> {
    let sample = certified.arrays.first().and_then(|array| array.ty.parse::<SampleType>().ok());
    let sample = sample.ok_or_else(|| differs(file.path()))?;
    let parameters = &predicate.conversion.parameters;
    let to = format(&predicate.conversion.to, parameters)?;
    let target = image::lifted(decode(file, to, memory)?, sample)?;
    progress.advance(file.len())?;
    if root_of(&target)?.to_string() != certified.target {
        return Err(differs(file.path()));
    }
    let (width, height) = (target.width, target.height);
    let text = format!("all {width} × {height} pixels were decoded; their digest is that of the certificate");
    checks.push(Checked { name: "content", found: text });
    let text = match source {
        None => NOT_AT_HAND.into(),
        Some(path) => {
            let decoded =
                decode(&ObjectFile::open(path)?, format(&predicate.conversion.from, parameters)?, memory)?;
            let drops = parameters.contains_key("drop");
            let theirs = in_space(&decoded, to, drops)?.0;
            if root_of(&theirs)?.to_string() != certified.source {
                return Err(differs(path));
            }
            let (d, psnr) = (&predicate.distortion.d, predicate.distortion.psnr_db.as_deref());
            match certified.equal {
                true => format!("{}: decoded again, and equal to the target", path.display()),
                false => format!(
                    "{}: decoded again, and what was certified: the target is at d = {d}, PSNR {} dB",
                    path.display(),
                    psnr.unwrap_or("unknown")
                ),
            }
        }
    };
    checks.push(Checked { name: "source", found: text });
    Ok(target.signature().samples().unwrap_or(0))
}

fn format(media_type: &str, parameters: &Map<String, Value>) -> Result<ImageFormat> {
    match media::recorded(media_type, parameters).map(|found| found.codec) {
        Some(Codec::Image(format)) => Ok(format),
        _ => Err(Failure::Other(format!("{media_type} is no image that this program can read"))),
    }
}
