//! Provides images that were led over other types before they are written.

use std::sync::Arc;

use coherence::budget::Budget;
use formats::file::ObjectFile;
use formats::image::sight::Viewer;
use formats::image::{self, Image};
use formats::media::Codec;
use formats::signal::{Declared, Layout};
use serde_json::Value;

use super::super::memory;
use super::super::via::{Content, Split, Step, Stop, Way, loses, refuse_range, told};
use super::search::{self, Found};
use super::{ImageJob, Measures, Opened, decode_any, directory_of, floored, in_space, measure, share};
use crate::failure::{Failure, Result, untold};
use crate::progress::Progress;

/// What has become of an image on the way.
pub struct Led {
    /// The image that the target is made of.
    pub image: Image,
    /// What is left of the budget for the step into the target, and which share that is.
    left: Option<(f64, Budget)>,
    steps: Vec<Step>,
    notes: Vec<String>,
    dropped: Vec<String>,
}

/// The image of a source, and what has become of it where it is led over other types.
pub fn lead(job: &ImageJob, file: &Arc<ObjectFile>, progress: &Progress) -> Result<(Image, Option<Led>)> {
    let (codec, dir) = (job.media.0.codec, directory_of(&job.target));
    let decoded = decode_any(file, codec, job.memory, dir)?;
    if job.via.is_empty() {
        return Ok((decoded, None));
    }
    let sample = decoded.sample;
    let types = job.via.iter().map(|stop| stop.media.codec).chain([Codec::Image(job.to)]);
    refuse_range(file, (sample, &decoded.attributes), types)?;
    let (budget, _) = floored(&decoded, (job.budget)(image::peak(sample))?, job.media.1);
    let content = match codec {
        Codec::Arrays(format) => {
            let arrays = formats::signal::open(file.clone(), format, dir)?;
            Content::Arrays { first: Box::new(arrays.clone()), last: Box::new(arrays) }
        }
        _ => Content::Image { first: Box::new(decoded.clone()), last: Box::new(decoded) },
    };
    let mut way = Way {
        file: file.clone(),
        layout: Layout { single: true, floats: false, null_is_nan: false },
        wanted: &|_| true,
        declared: Declared::default(),
        drop: job.drop_attributes,
        memory: job.memory,
        workers: memory::workers(None, job.memory, memory::READER_BYTES)?,
        to: Stop { media: job.media.1, encoding: None },
        split: Split::new(budget),
        steps: Vec::new(),
        notes: Vec::new(),
        dropped: Vec::new(),
        lost: Vec::new(),
        exact_asked: job.exact_asked,
        parameters: &job.parameters,
        progress,
    };
    let content = way.lead(content, &job.via)?;
    let (first, last) = way.image(content)?;
    let keeps = !loses(job.to, sample) && !loses(job.to, last.sample);
    let left = if keeps { None } else { way.last()? };
    let Way { steps, notes, dropped, .. } = way;
    Ok((first, Some(Led { image: last, left, steps, notes, dropped })))
}

impl Led {
    /// The same in the space in which it is compared.
    pub fn in_space(
        self,
        job: &ImageJob,
        notes: &mut Vec<String>,
        dropped: &mut Vec<String>,
    ) -> Result<Self> {
        notes.extend(self.notes.iter().cloned());
        dropped.extend(self.dropped.iter().cloned());
        let image = in_space(self.image, job.to, job.drop_attributes)?.image;
        Ok(Self { image, ..self })
    }

    /// Steps, with a last one that is not yet taken: what it loses is known only where it has no share.
    pub fn planned(&self, job: &ImageJob) -> Vec<Value> {
        self.told(job, self.left.is_none().then_some(0.0))
    }

    fn told(&self, job: &ImageJob, d: Option<f64>) -> Vec<Value> {
        told(&job.via, job.media.1, (&self.steps, self.left), d, &job.parameters)
    }

    /// The encoding of what has become of the image, within what is left of the budget, measured against the
    /// source; and what the steps did.
    pub fn encoding(
        &self,
        job: &ImageJob,
        opened: &Opened,
        progress: &Progress,
    ) -> Result<(Found, Vec<Value>)> {
        let budget = self.left.map(|(_, budget)| budget);
        let (file, image) = (opened.file.clone(), self.image.clone());
        let tiles = opened.tiles.zip(budget).map(|(tiles, budget)| tiles.within(budget));
        let last = Opened { file, image, led: None, budget, tiles, notes: Vec::new(), dropped: Vec::new() };
        let found = search::encoding(job, &last, progress)?;
        let d = found.evidence.d_squared().map_err(untold)?.sqrt();
        let made = image::decode(job.to, &found.bytes, share(job.to, job.memory))
            .map_err(|error| Failure::Mismatch(format!("what was encoded does not decode: {error}")))?;
        let made = image::lifted(made, opened.image.sample)?;
        let Measures { evidence, content, tiles } = measure(&opened.image, &made, opened)?;
        let measures: Vec<_> = job.gates.iter().map(|gate| gate.measure).collect();
        let gates = search::seen(&Viewer::new(&opened.image, &measures)?, &job.gates, &made)?;
        let found = Found { evidence, content, tiles, gates, ..found };
        match opened.budget {
            Some(budget) if !found.keeps(&budget) => Err(search::missed(job, opened, &budget, &found)),
            _ => Ok((found, self.told(job, Some(d)))),
        }
    }
}
