//! Provides arrays that were led over other types before they are written.

use std::path::Path;
use std::sync::Arc;

use coherence::budget::Budget;
use formats::file::ObjectFile;
use formats::media::Codec;
use formats::signal::{Arrays, Stored};
use serde_json::Value;

use super::super::memory::of_image;
use super::super::via::{Content, Split, Step, Stop, Way, refuse_range, told};
use super::super::{image, open_table, retyped_on};
use super::{Opened, Reading, SignalJob, Told, compare, directory_of, open_source};
use crate::failure::{Failure, Result, untold};
use crate::progress::Progress;

/// What has become of arrays on the way.
pub struct Led {
    /// The arrays that the target is made of.
    pub arrays: Arrays,
    /// What is left of the budget for the step into the target, and which share that is.
    pub left: Option<(f64, Budget)>,
    steps: Vec<Step>,
    notes: Vec<String>,
    dropped: Vec<String>,
    /// Whether samples that are no floats may differ, since an image lost something.
    pictures: bool,
}

/// The arrays of a source, what is known of them, and what has become of them where they are led over other
/// types.
pub fn open(
    job: &SignalJob,
    file: &Arc<ObjectFile>,
    reading: &Reading<'_>,
    progress: &Progress,
) -> Result<(Arrays, Told, Option<Led>)> {
    let (codec, dir) = (job.media.0.codec, directory_of(&job.target));
    if job.via.is_empty() {
        let (arrays, told) = open_source(file, codec, reading, dir, progress)?;
        return Ok((arrays, told, None));
    }
    let content = content(job, file, reading, progress)?;
    let read_as = match &content {
        Content::Table(opened) => opened.read_as(),
        _ => Vec::new(),
    };
    let declared = match &content {
        Content::Arrays { first, .. } => {
            let signature = first.signature();
            signature.arrays.first().map(|array| (array.sample, signature.attributes.as_slice()))
        }
        Content::Image { first, .. } => Some((first.sample, first.attributes.as_slice())),
        Content::Table(_) => None,
    };
    if let Some(declared) = declared {
        refuse_range(file, declared, job.via.iter().map(|stop| stop.media.codec))?;
    }
    let lossy = |codec: Codec| matches!(codec, Codec::Image(format) if format.quality().is_some());
    let peak = match &content {
        Content::Arrays { first, .. } => super::peak_of(first.signature()),
        _ => None,
    };
    let budget = (job.budget)(peak)?;
    let pictures = budget.is_some() && job.via.iter().any(|stop| lossy(stop.media.codec));
    let mut way = Way {
        file: file.clone(),
        layout: reading.layout,
        wanted: reading.wanted,
        declared: job.declared,
        drop: job.drop_attributes,
        memory: job.memory,
        workers: reading.workers,
        to: Stop { media: job.media.1, encoding: job.encoding },
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
    let (first, arrays) = way.arrays(content, job.layout().single)?;
    let mut samples = arrays.signature().arrays.iter().map(|array| array.sample);
    let keeps = pictures && !samples.any(|sample| way.to.loses(sample));
    let left = if keeps { None } else { way.last()? };
    let Way { steps, notes, dropped, lost, .. } = way;
    let led = Led { arrays, left, steps, notes, dropped, pictures };
    Ok((first, Told { lost, read_as }, Some(led)))
}

/// What a source holds, before it is led anywhere.
fn content(
    job: &SignalJob,
    file: &Arc<ObjectFile>,
    reading: &Reading<'_>,
    progress: &Progress,
) -> Result<Content> {
    let dir = directory_of(&job.target);
    match job.media.0.codec {
        Codec::Arrays(format) => {
            let arrays = formats::signal::open_wanted(file.clone(), format, dir, &*job.wanted)?;
            let (arrays, _) = formats::signal::select(arrays, &*job.wanted)?;
            Ok(Content::Arrays { first: Box::new(arrays.clone()), last: Box::new(arrays) })
        }
        Codec::Image(format) => {
            let decoded = image::decode(file, format, of_image(job.memory) / 2)?;
            Ok(Content::Image { first: Box::new(decoded.clone()), last: Box::new(decoded) })
        }
        Codec::Table(_) => {
            let mut opened = open_table(file, reading.table, progress)?;
            retyped_on(&mut opened, reading.workers)?;
            Ok(Content::Table(Box::new(opened)))
        }
        Codec::Bytes(_) => Err(Failure::Other(format!("{} holds no arrays", job.media.0.name))),
    }
}

impl Led {
    /// The same with what was chosen of it for the target.
    pub fn chosen(
        self,
        arrays: Arrays,
        stored: &mut [Stored],
        notes: &mut Vec<String>,
        dropped: &mut Vec<String>,
    ) -> Self {
        notes.extend(self.notes.iter().cloned());
        dropped.extend(self.dropped.iter().cloned());
        if self.pictures {
            stored.iter_mut().for_each(|stored| stored.approximate = true);
        }
        Self { arrays, ..self }
    }

    /// Steps, with a last one that is not yet taken: what it loses is known only where it has no share.
    pub fn planned(&self, job: &SignalJob) -> Vec<Value> {
        self.told(job, self.left.is_none().then_some(0.0))
    }

    fn told(&self, job: &SignalJob, d: Option<f64>) -> Vec<Value> {
        told(&job.via, job.media.1, (&self.steps, self.left), d, &job.parameters)
    }

    /// What the steps did, the last of them measured on the finished target.
    pub fn finished(
        &self,
        job: &SignalJob,
        opened: &Opened,
        target: &Path,
        progress: &Progress,
    ) -> Result<Vec<Value>> {
        let file = Arc::new(ObjectFile::open(target)?);
        let found = formats::signal::open(file, job.to, directory_of(&job.target))?;
        let compared = compare(&self.arrays, &found, opened.workers, progress)?;
        let d_squared = compared.d_squared().ok_or_else(|| untold("its square is too large"))?;
        Ok(self.told(job, Some(d_squared.sqrt())))
    }
}
