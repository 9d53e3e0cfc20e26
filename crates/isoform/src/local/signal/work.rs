//! Provides the first half of a conversion of signals: each part read, digested, cast and appended, with a
//! journal.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use coherence::content::{PartContent, SignalDigester};
use coherence::digest::Digest;
use formats::signal::{Encoding, Part, Writer, Written, parts};
use serde_json::Value;

use super::super::effective::asked;
use super::super::journal::{Entry, Journal, changed};
use super::super::pool;
use super::super::staging::Staging;
use super::coded::Settings;
use super::{Opened, SignalJob};
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// What a run over the parts needs.
pub struct Work<'a> {
    /// What is to be done.
    pub job: &'a SignalJob,
    /// The source.
    pub opened: &'a Opened,
    /// What writes the target.
    pub writer: Box<dyn Writer>,
    /// Where progress is told.
    pub progress: &'a Progress,
}

/// The finished target, not yet proven.
#[derive(Default)]
pub struct Parts {
    /// The parts, in the order in which they lie in the target.
    pub parts: Vec<Part>,
    /// One entry for each; its content is that of the source, or that of the target where it was coded from
    /// first to last.
    pub entries: Vec<Entry>,
    /// The content of each in the source.
    pub sources: Vec<PartContent>,
    /// How many of them an earlier run had finished.
    pub reused: usize,
    /// How it was coded, where that was searched for.
    pub coded: Option<Settings>,
}

/// What a thread made of a part.
pub struct Made {
    /// The content of the part in the source.
    pub source: PartContent,
    /// BLAKE3 of the samples as the target holds them.
    pub digest: Digest,
    /// The samples as the target holds them, and what is written for them; `None` where an earlier run has
    /// written that.
    pub bytes: Option<(Vec<u8>, Written)>,
}

impl Work<'_> {
    /// Writes a whole file into its temporary, going on from an earlier run where that was asked for and
    /// there is a journal.
    pub fn run(self, staging: &mut Staging, journal_path: Option<&Path>) -> Result<(Parts, Option<Journal>)> {
        let Work { job, opened, mut writer, progress } = self;
        let identity = identity(job, opened);
        let parts = in_order(parts(opened.arrays.signature(), job.part_samples()), writer.order());
        let found = journal_path.map(Journal::read).transpose()?.flatten();
        let done = match found.filter(|_| job.resume && writer.can_go_on()) {
            None => Vec::new(),
            Some((found, entries)) if found == identity => {
                let start = entries.first().map_or(0, |entry| entry.bytes.start);
                staging.still_there(start, entries)?
            }
            Some(_) => return Err(changed(&job.target)),
        };
        let begin = |path| Journal::begin(path, &identity, &done);
        let mut journal = journal_path.map(begin).transpose()?;
        journal.iter_mut().for_each(|journal| journal.keep(job.resume));
        let (stored, workers) = (&opened.stored, opened.workers);
        let mut begun = Begun { order: writer.order().to_vec(), next: 0 };
        let (mut entries, mut sources) = (Vec::with_capacity(parts.len()), Vec::with_capacity(parts.len()));
        if done.is_empty() {
            staging.truncate(0)?;
        }
        let packing = writer.packing();
        let spare: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
        let spares = || spare.lock().unwrap_or_else(PoisonError::into_inner);
        let make = |index: usize| {
            let (part, before) = (&parts[index], done.get(index));
            let kept = before.is_none().then(|| spares().pop().unwrap_or_default());
            let mut made = convert(opened, stored[part.array].encoding, part, kept, progress)?;
            if let (Some(packing), Some((held, written))) = (&packing, &mut made.bytes) {
                *written = packing.pack(part, held)?;
            }
            match before.is_none_or(|entry| (&entry.content, entry.digest) == (&made.source, made.digest)) {
                true => Ok(made),
                false => Err(changed(&job.target)),
            }
        };
        pool::in_order(workers, parts.len(), make, |index, made| {
            let around = begun.until(writer.as_mut(), parts[index].array)?;
            sources.push(made.source.clone());
            let Some((held, written)) = made.bytes else {
                let entry = done[index].clone();
                writer.passed(entry.bytes.end - entry.bytes.start);
                // What stands around reused parts is there already; what follows the last of them is not.
                if index + 1 == done.len() {
                    staging.truncate(entry.bytes.end)?;
                }
                entries.push(entry);
                return Ok(());
            };
            staging.append(&around)?;
            writer.data(&held, &written)?;
            let start = staging.len();
            staging.append(if packing.is_some() { &written.bytes } else { &held })?;
            let (bytes, digest) = (start..staging.len(), made.digest);
            let entry = Entry { part: index, bytes, digest, sidecar: Vec::new(), content: made.source };
            journal.iter_mut().try_for_each(|journal| journal.add(&entry))?;
            entries.push(entry);
            spares().push(held);
            Ok(())
        })?;
        let rest = begun.rest(writer.as_mut())?;
        staging.append(&rest)?;
        staging.append(&writer.finish()?)?;
        if let Some(patch) = writer.patch() {
            staging.patch(&patch)?;
        }
        Ok((Parts { parts, entries, sources, reused: done.len(), coded: None }, journal))
    }
}

thread_local! {
    /// The buffers of a thread for stretches of samples, which it uses again for each part: fresh memory must
    /// be cleared by the system, which costs more than filling it.
    pub static STRETCHES: Cell<[Vec<u8>; 4]> = Cell::default();
}

/// Which arrays the writer was told of. Arrays without samples have no part, but stand in the file.
struct Begun {
    order: Vec<usize>,
    next: usize,
}

impl Begun {
    fn until(&mut self, writer: &mut dyn Writer, array: usize) -> Result<Vec<u8>> {
        let mut around = Vec::new();
        while self.order[..self.next].last() != Some(&array) {
            around.extend(writer.begin(self.order[self.next])?);
            self.next += 1;
        }
        Ok(around)
    }

    fn rest(&mut self, writer: &mut dyn Writer) -> Result<Vec<u8>> {
        let mut around = Vec::new();
        while let Some(array) = self.order.get(self.next) {
            around.extend(writer.begin(*array)?);
            self.next += 1;
        }
        Ok(around)
    }
}

/// Parts of the arrays that a writer wants, in the order in which it wants them.
fn in_order(parts: Vec<Part>, order: &[usize]) -> Vec<Part> {
    let places: HashMap<usize, usize> = order.iter().copied().zip(0..).collect();
    let mut parts: Vec<Part> = parts.into_iter().filter(|part| places.contains_key(&part.array)).collect();
    parts.sort_by_key(|part| (places[&part.array], part.samples.start));
    parts
}

/// Whether the samples of an array are written as they are read.
pub fn as_they_are(opened: &Opened, array: usize) -> bool {
    opened.led.is_none() && opened.input().encoding(array) == opened.stored[array].encoding
}

/// Reads a part stretch by stretch; digests its content, and the samples as the target holds them.
/// What is written is put into the buffer, where there is one, in place of what it holds.
pub fn convert(
    opened: &Opened,
    to: Encoding,
    part: &Part,
    kept: Option<Vec<u8>>,
    progress: &Progress,
) -> Result<Made> {
    let (arrays, input) = (&opened.arrays, opened.input());
    let sample = arrays.signature().arrays[part.array].sample;
    let (led, led_sample) = (opened.led.is_some(), input.signature().arrays[part.array].sample);
    let same = as_they_are(opened, part.array);
    let (mut source, mut written) = (SignalDigester::new(sample), blake3::Hasher::new());
    let [mut held, mut samples, ..] = STRETCHES.take();
    let keep = kept.is_some();
    let mut bytes = kept.unwrap_or_default();
    bytes.clear();
    // What grows is moved, and moved into memory that the system must clear.
    let size = to.bytes(part.samples.end - part.samples.start).filter(|_| keep).unwrap_or(0);
    bytes.reserve_exact(usize::try_from(size).unwrap_or(0));
    for stretch in stretches(part, arrays.stretch(part.array).max(input.stretch(part.array))) {
        arrays.read(&stretch, &mut held, &mut samples)?;
        progress.advance(samples.len() as u64)?;
        digest(&mut source, &samples)?;
        if led {
            input.read(&stretch, &mut held, &mut samples)?;
        }
        let start = bytes.len();
        match to {
            Encoding::Plain(_) if same => bytes.extend_from_slice(&samples),
            _ if same => bytes.extend_from_slice(&held),
            _ => to.encode(led_sample, &samples, &mut bytes),
        }
        #[cfg(test)]
        opened.lie.samples.iter().for_each(|lie| lie(&mut bytes[start..]));
        written.update(&bytes[start..]);
        if !keep {
            bytes.clear();
        }
    }
    STRETCHES.set([held, samples, Vec::new(), Vec::new()]);
    let digest = Digest(*written.finalize().as_bytes());
    Ok(Made { source: source.finish(), digest, bytes: keep.then(|| (bytes, Written::default())) })
}

/// A part in stretches of at most `samples` samples.
pub fn stretches(part: &Part, samples: u64) -> impl Iterator<Item = Part> + '_ {
    let step = usize::try_from(samples.max(1)).unwrap_or(usize::MAX);
    part.samples.clone().step_by(step).map(move |from| Part {
        array: part.array,
        samples: from..part.samples.end.min(from.saturating_add(samples)),
    })
}

/// Digests whole samples.
pub fn digest(digester: &mut SignalDigester, samples: &[u8]) -> Result<()> {
    match digester.push(samples) {
        true => Ok(()),
        false => Err(Failure::bug("a run of samples ends within one")),
    }
}

/// What a journal must share with a run to be of use to it, besides the content of the finished parts, which
/// is compared with that of the source.
pub fn identity(job: &SignalJob, opened: &Opened) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let parameters = Value::Object(asked(&job.parameters));
    let (arch, from, to) = (std::env::consts::ARCH, &job.media.0.name, job.to.name());
    let signature = Digest::blake3(&opened.arrays.signature().canonical_bytes());
    let text = format!("{version} {arch} {from} {to} {parameters} {signature}");
    format!("isoform-journal/v3 signal {}", Digest::blake3(text.as_bytes()))
}
