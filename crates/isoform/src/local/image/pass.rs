//! Provides an image on its way through a format: encoded in memory, exactly or as small as a budget allows,
//! and decoded again.

use std::path::PathBuf;
use std::sync::Arc;

use coherence::budget::Budget;
use coherence::evidence::Evidence;
use formats::file::ObjectFile;
use formats::image::{self, IMAGE_FORMATS, Image, ImageFormat};
use formats::media::MediaType;
use serde_json::{Map, Value};

use super::super::no_budget;
use super::{ImageJob, Opened, Spaced, in_space, search, share};
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// What is asked of a step.
pub struct Asked {
    /// The type.
    pub media: &'static MediaType,
    /// Its format.
    pub to: ImageFormat,
    /// How far the result may be from what goes in; `None` where nothing may differ.
    pub budget: Option<Budget>,
    /// Whether a person asked for no distance at all.
    pub exact_asked: bool,
    /// Whether attributes that the format cannot hold are left out.
    pub drop: bool,
    /// Parameters of the conversion, which tell how the budget was asked for.
    pub parameters: Map<String, Value>,
}

/// What came out of a step.
pub struct Passed {
    /// The source, with the channels and attributes of what came out.
    pub first: Image,
    /// What came out, in the samples of the source.
    pub last: Image,
    /// How far what came out is from what went in.
    pub evidence: Evidence,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Attributes that were left out.
    pub dropped: Vec<String>,
}

/// Leads an image through a format.
///
/// # Errors
/// A budget that no encoding keeps; a format that always loses something, where nothing may be lost; channels
/// or attributes that the format cannot hold.
pub fn through(
    (first, last): (Image, Image),
    file: &Arc<ObjectFile>,
    asked: &Asked,
    memory: u64,
    progress: &Progress,
) -> Result<Passed> {
    let Spaced { image: first, notes, dropped } = in_space(first, asked.to, asked.drop)?;
    let last = in_space(last, asked.to, asked.drop)?.image;
    let name = asked.to.name();
    if asked.budget.is_none() && !asked.to.exact().contains(&last.sample) {
        let (sample, why) = (last.sample, no_budget(asked.exact_asked));
        let keeps = |format: &ImageFormat| format.is_written() && format.exact().contains(&sample);
        let other = IMAGE_FORMATS.into_iter().find(keeps).map_or_else(String::new, |format| {
            format!(", or lead over a format that keeps them, such as {}", format.name())
        });
        return Err(Failure::Usage(format!(
            "--via {name}: the step into {name} loses something of samples of type {sample}, and {why}; give \
             a budget such as --within snr=30{other}"
        )));
    }
    let job = ImageJob {
        source: file.path().to_owned(),
        media: (asked.media, asked.media),
        target: PathBuf::new(),
        to: asked.to,
        budget: Box::new(|_| Ok(None)),
        exact_asked: asked.exact_asked,
        gates: Vec::new(),
        settings: None,
        effort: None,
        drop_attributes: asked.drop,
        replace: false.into(),
        strict: false,
        memory,
        via: Vec::new(),
        chain: Vec::new(),
        parameters: asked.parameters.clone(),
        #[cfg(test)]
        lie: None,
    };
    let (budget, tiles) = super::floored(&last, asked.budget, asked.media);
    let (file, none) = (file.clone(), Vec::new());
    let opened = Opened { file, image: last, led: None, budget, tiles, notes: none.clone(), dropped: none };
    let found = search::encoding(&job, &opened, progress)?;
    let made = image::decode(asked.to, &found.bytes, share(asked.to, memory))
        .map_err(|error| Failure::Mismatch(format!("what was encoded does not decode: {error}")))?;
    let made = image::lifted(made, opened.image.sample)?;
    if asked.budget.is_none() && found.content.leaves != super::content(&opened.image)?.leaves {
        return Err(Failure::Mismatch(format!("an image does not survive {name}; nothing was written")));
    }
    Ok(Passed { first, last: made, evidence: found.evidence, notes, dropped })
}
