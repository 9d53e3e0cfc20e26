//! Provides the opening of sources as arrays: containers of arrays, images, and tables of numbers; and the
//! choice of arrays by their names.

use std::path::Path;
use std::sync::Arc;

use coherence::certificate::Verdict;
use coherence::signal::Signature;
use formats::error::{Obstacle, Place};
use formats::file::ObjectFile;
use formats::image::Declared;
use formats::media::{Codec, Key};
use formats::open::OpenOptions;
use formats::signal::{
    Arrays, Layout, Lost, Plan, SignalFormat, idle, in_words, may_lose, of_image, of_table, open_wanted,
};
use formats::sound::OpusTarget;
use glob::Pattern;
use serde_json::{Map, Value};

use super::super::memory;
use super::super::plan::retyped_on;
use super::super::{image, no_budget, open_table};
use super::SignalJob;
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// How a source is read as arrays.
pub struct Reading<'a> {
    /// How a table is read.
    pub table: &'a OpenOptions,
    /// How its columns become arrays.
    pub layout: Layout,
    /// Memory to stay under.
    pub memory: u64,
    /// Threads.
    pub workers: usize,
    /// Which arrays of a container are read: others may be of types that cannot be.
    pub wanted: &'a dyn Fn(&str) -> bool,
}

/// Whether an array of a name is carried over.
pub type Wanted = Box<dyn Fn(&str) -> bool + Sync>;

/// Takes an array whose name some pattern includes, and none excludes; all names where none includes.
///
/// # Errors
/// A text that is no pattern, with the option that it was given to.
pub fn wanted(include: &[String], exclude: &[String]) -> Result<Wanted> {
    let patterns = |option: &str, texts: &[String]| {
        let read = |text: &String| {
            Pattern::new(text).map_err(|error| Failure::Usage(format!("{option} {text}: {error}")))
        };
        texts.iter().map(read).collect::<Result<Vec<Pattern>>>()
    };
    let (include, exclude) = (patterns("--include", include)?, patterns("--exclude", exclude)?);
    Ok(Box::new(move |name| {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
        (include.is_empty() || any(&include)) && !any(&exclude)
    }))
}

/// What is known of arrays besides them.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// What they do not keep of the columns of a table.
    pub lost: Vec<Lost>,
    /// How the source was read, where it is a table.
    pub read_as: Vec<Map<String, Value>>,
}

impl Told {
    /// That of a source which holds them itself.
    pub(super) const SAME: Self = Self { lost: Vec::new(), read_as: Vec::new() };

    /// Whether each value of them is the one that the source tells, in its spelling.
    pub fn same(&self) -> bool {
        self.lost.is_empty()
    }

    /// Why a verdict says no more than it does, where that is what is not kept.
    pub(super) fn why(&self, verdict: Verdict) -> Option<String> {
        Lost::in_words(&self.lost).filter(|_| verdict == Verdict::ValueExact)
    }
}

/// Arrays, and what is known of them.
pub fn open(
    file: &Arc<ObjectFile>,
    codec: Codec,
    reading: &Reading<'_>,
    dir: &Path,
    progress: &Progress,
) -> Result<(Arrays, Told)> {
    let in_file = |error: formats::Error| Failure::Format(error.in_file(file.path()));
    match codec {
        Codec::Arrays(format) => Ok((open_wanted(file.clone(), format, dir, reading.wanted)?, Told::SAME)),
        Codec::Image(format) => {
            let image = image::decode(file, format, memory::of_image(reading.memory))?;
            Ok((of_image(file.clone(), image).map_err(in_file)?, Told::SAME))
        }
        Codec::Table(_) => {
            let mut opened = open_table(file, reading.table, progress)?;
            retyped_on(&mut opened, reading.workers)?;
            let read_as = opened.read_as();
            let (arrays, lost) = of_table(opened, reading.layout, reading.wanted).map_err(in_file)?;
            Ok((arrays, Told { lost, read_as }))
        }
        Codec::Bytes(_) => Err(Failure::Other(format!("{} holds no arrays", codec.name()))),
    }
}

/// What a person should know of what is not carried over.
pub(super) fn notes(left_out: &[String], chosen: &Plan, to: SignalFormat) -> Vec<String> {
    let mut notes = Vec::new();
    if !left_out.is_empty() {
        notes.push(format!("left out: {}", left_out.join(", ")));
    }
    if !chosen.dropped.is_empty() {
        let arrays = &chosen.source.signature().arrays;
        let words: Vec<String> = chosen.dropped.iter().map(|key| in_words(key, to, arrays)).collect();
        notes.push(format!("dropped: {}", words.join(", ")));
    }
    notes.extend(chosen.source.declared().map(Declared::not_in_arrays));
    notes.extend(chosen.source.ignored().iter().map(|what| format!("not content: {what}")));
    notes
}

/// What stands in the way of a conversion into a format that codes a sound, whatever is done about the rest:
/// what of the sound it cannot hold, and that nobody said how much may be lost.
pub(super) fn in_the_way(job: &SignalJob, sound: &Signature) -> Vec<Obstacle> {
    if !job.to.is_coded() {
        return Vec::new();
    }
    OpusTarget::obstacles(sound).into_iter().chain(without_budget(job)).collect()
}

/// Refuses what anything stands in the way of; that nobody gave a budget, alone, is a matter of the command.
pub(super) fn refuse_for(job: &SignalJob, all: Vec<Obstacle>) -> Result<()> {
    match all.as_slice() {
        [] => Ok(()),
        [only] if without_budget(job).as_ref() == Some(only) => {
            let Obstacle { what, hint } = only;
            Err(Failure::Usage(format!("{}: {what}; {hint}", job.target.display())))
        }
        _ => Err(formats::Error::obstacles(Place::default(), all).in_file(&job.source).into()),
    }
}

/// That nobody said how much may be lost, where a format always loses something.
pub(super) fn without_budget(job: &SignalJob) -> Option<Obstacle> {
    let what = format!("{} always loses something, and {}", job.to.name(), no_budget(job.exact_asked));
    let hint = "add a budget such as --within snr=20, or choose a format without loss, such as flac";
    (job.to.is_coded() && !job.lossy).then(|| Obstacle { what, hint: hint.to_owned() })
}

/// Refuses a sample type where there is nothing to hold in it, and one that may lose something where nobody
/// said how much.
pub(super) fn refuse_type(job: &SignalJob, chosen: &Plan) -> Result<()> {
    refuse_idle_type(job, chosen)?;
    refuse_narrow_type(job, chosen)
}

/// A sample type that a person asked for, where there is nothing to hold in it.
fn refuse_idle_type(job: &SignalJob, chosen: &Plan) -> Result<()> {
    let Some(asked) = job.encoding.filter(|_| job.encoding_is_typed) else { return Ok(()) };
    match idle(asked, chosen.source.signature(), &chosen.stored) {
        None => Ok(()),
        Some(why) => Err(Failure::Usage(format!("--sample-type {asked}: {why}; leave it away"))),
    }
}

/// Refuses a sample type that lacks values which samples of these types may have, where nobody said how much
/// may be lost, be it nothing.
fn refuse_narrow_type(job: &SignalJob, chosen: &Plan) -> Result<()> {
    let told = job.lossy || job.exact_asked || job.media.1.is_changed(Key::Within);
    match job.encoding.filter(|_| !told && may_lose(chosen)) {
        None => Ok(()),
        Some(narrow) => Err(Failure::Usage(format!(
            "--sample-type {narrow}: may lose something, and nobody said how much; add a budget such as \
             --within coherence=0.99, or --within exact to fail unless nothing is lost"
        ))),
    }
}
