//! Provides the conversion of a sound into a format that codes it with loss, from the first sample to the
//! last: the least number of bits a second that keeps the budget is searched for, and the sound coded with
//! it.
//!
//! Nothing is predicted: every number of bits that is considered was coded, decoded and measured over the
//! whole sound. The stream is coded once more when it is written, and measured once more when it is read
//! back.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coherence::budget::OverBudget;
use coherence::content::{PartContent, SignalDigester};
use coherence::digest::Digest;
use coherence::evidence::Evidence;
use coherence::pieces::{PieceComparison, Pieces};
use coherence::signal::APPROXIMATE_RULES;
use formats::file::ObjectFile;
use formats::signal::{Encoding, Part, parts};
use formats::sound::{BITRATES, Coded, OpusCoder, OpusStream, OpusTarget, second_samples};
use formats::words::counted;

use super::super::journal::{Entry, Journal};
use super::super::staging::Staging;
use super::bitrate::Search;
use super::plan::{approximate_samples, rest_decides};
use super::prove::{measure as measure_part, missed_sound};
use super::seconds::Seconds;
use super::work::{Parts, digest, identity, stretches};
use super::{Opened, SignalJob};
use crate::failure::{Failure, Result, untold};
use crate::meter::Stage;
use crate::progress::Progress;

/// Seconds that a plan codes at most.
const TRIAL_SECONDS: u64 = 60;

/// How a sound was coded.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Bits a second that the encoder was asked for.
    pub bitrate: u32,
    /// Codings that were made to find that.
    pub codings: usize,
    /// Samples at the ends of the range, where the decoder cuts them.
    pub cut: u64,
}

impl Settings {
    /// What a person should know of samples that the decoder cut.
    pub fn note(&self) -> Option<String> {
        let samples = match self.cut {
            0 => return None,
            1 => "1 sample of the target lies".into(),
            cut => format!("{cut} samples of the target lie"),
        };
        Some(format!(
            "{samples} at an end of the range, where the decoder of 16 bits cuts them, as the certificate \
             does; a decoder in floating point that does not cut there is further from the source; a source \
             that is less loud, or FLAC, avoids that"
        ))
    }
}

/// A coding that was measured.
struct Tried {
    bitrate: f64,
    bytes: u64,
    pieces: Pieces,
}

/// Codes and writes a sound; what it decodes to is the content of the target.
pub fn run(
    (job, opened): (&SignalJob, &Opened),
    target: &OpusTarget,
    (staging, journal_path): (&mut Staging, &Path),
    progress: &Progress,
) -> Result<(Parts, Journal)> {
    // A run that is interrupted has nothing from which another could go on.
    staging.keep(false);
    let journal = Journal::begin(journal_path, &identity(job, opened), &[])?;
    let settings = match &opened.within {
        Some(seconds) => {
            let found = search(opened, target, seconds, progress)?;
            found.map_err(|missed| missed.told((job, opened), seconds))?
        }
        // Nothing is coded with as few bits as anything.
        None => Settings { bitrate: BITRATES.0, codings: 0, cut: 0 },
    };
    staging.truncate(0)?;
    let parts = parts(opened.arrays.signature(), job.part_samples());
    let mut append = |bytes: &[u8]| staging.append(bytes);
    let (made, sources) = write(opened, (target, settings.bitrate), &parts, &mut append, progress)?;
    let settings = Settings { cut: made.cut, ..settings };
    let entries = made.finish(staging.len())?;
    Ok((Parts { parts, entries, sources, reused: 0, coded: Some(settings) }, journal))
}

/// Codes the parts of a sound into a stream, which goes to `append`; gives what it decodes to, and the
/// content of the parts in the source.
fn write<'a>(
    opened: &'a Opened,
    (target, bitrate): (&OpusTarget, u32),
    parts: &'a [Part],
    append: &mut dyn FnMut(&[u8]) -> Result<()>,
    progress: &Progress,
) -> Result<(Digests<'a>, Vec<PartContent>)> {
    let size = source_bytes(opened);
    progress.begin(Stage::Converting, size, size);
    let mut made = Digests::new(opened, parts);
    let mut sources = Vec::with_capacity(parts.len());
    let mut coder = OpusCoder::new(target, bitrate)?;
    let (mut out, mut coded) = (Vec::new(), Coded::default());
    let mut stream = OpusStream::begin(target, &coder, &mut out);
    let mut take = |coded: &mut Coded, out: &mut Vec<u8>| -> Result<()> {
        coded.packets.drain(..).for_each(|packet| stream.packet(&packet, out));
        append(out)?;
        out.clear();
        made.push(&coded.samples)?;
        coded.samples.clear();
        Ok(())
    };
    for part in parts {
        let mut source = SignalDigester::new(opened.arrays.signature().arrays[0].sample);
        let led = opened.led.is_some();
        read(opened, part, progress, |samples, held| {
            if !led {
                digest(&mut source, samples)?;
            }
            coder.push(held, &mut coded)?;
            take(&mut coded, &mut out)
        })?;
        sources.push(if led { content_of(opened, part)? } else { source.finish() });
    }
    coder.finish(&mut coded)?;
    take(&mut coded, &mut out)?;
    stream.finish(&mut out);
    append(&out)?;
    Ok((made, sources))
}

/// What the first seconds of a sound come to.
pub struct Trial {
    /// Those seconds, and all that there are.
    pub seconds: (f64, f64),
    /// Bytes of the stream that they are.
    pub bytes: u64,
    /// How long they took to be coded, with the search for the bits, and to be read back and measured.
    pub time: Duration,
    /// How far they are from the source.
    pub evidence: Evidence,
    /// Whether they keep the budget.
    pub kept: bool,
    /// What a person should know of samples that the decoder cuts.
    pub cut: Option<String>,
}

/// Codes the first seconds of a sound, as all of it would be, reads them back and measures them.
///
/// # Errors
/// A budget that the sound misses, whatever the seconds are like that follow, if any do.
pub fn trial((job, opened): (&SignalJob, &Opened), target: OpusTarget, progress: &Progress) -> Result<Trial> {
    let began = Instant::now();
    let signature = opened.arrays.signature();
    let (total, second) = (signature.samples().unwrap_or(0), second_samples(signature).unwrap_or(1));
    let samples = total.min(TRIAL_SECONDS * second);
    let target = target.of_first(samples / signature.arrays[0].shape[1].max(1));
    let (bitrate, kept) = match opened.within.map(|seconds| seconds.of_first(samples)) {
        None => (BITRATES.0, true),
        Some(seconds) => match search(opened, &target, &seconds, progress)? {
            Ok(found) => (found.bitrate, true),
            Err(missed) if samples < total && missed.is_open(opened, &seconds)? => (BITRATES.1, false),
            Err(missed) => return Err(missed.told((job, opened), &seconds)),
        },
    };
    let part = Part { array: 0, samples: 0..samples };
    let parts = if samples == 0 { &[] } else { std::slice::from_ref(&part) };
    let mut bytes = Vec::new();
    let mut append = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    let (made, _) = write(opened, (&target, bitrate), parts, &mut append, progress)?;
    let cut = Settings { bitrate, codings: 0, cut: made.cut }.note();
    let dir = std::env::temp_dir();
    let failed = |error| Failure::io(&dir, error);
    let mut file = tempfile::tempfile_in(&dir).map_err(failed)?;
    file.write_all(&bytes).map_err(failed)?;
    let file = Arc::new(ObjectFile::from_file(file, &dir.join("sample"))?);
    let found = formats::signal::open(file, job.to, &dir)?;
    let evidence = match samples {
        0 => Evidence::new(&opened.rules),
        _ => measure_part(opened, &found, (&part, &part), progress)?.0.evidence,
    };
    let seconds = (samples as f64 / second as f64, total as f64 / second as f64);
    Ok(Trial { seconds, bytes: bytes.len() as u64, time: began.elapsed(), evidence, kept, cut })
}

/// Bytes of the samples of the source.
fn source_bytes(opened: &Opened) -> u64 {
    let signature = opened.arrays.signature();
    let width = signature.arrays.first().map_or(1, |array| array.sample.width());
    signature.samples().unwrap_or(0).saturating_mul(width as u64)
}

/// The content of a part of the source.
fn content_of(opened: &Opened, part: &Part) -> Result<PartContent> {
    let mut digester = SignalDigester::new(opened.arrays.signature().arrays[0].sample);
    let (mut held, mut samples) = (Vec::new(), Vec::new());
    for stretch in stretches(part, opened.arrays.stretch(part.array)) {
        opened.arrays.read(&stretch, &mut held, &mut samples)?;
        digest(&mut digester, &samples)?;
    }
    Ok(digester.finish())
}

/// Reads a part of what is coded, and gives its samples as they are and as they are coded.
fn read(
    opened: &Opened,
    part: &Part,
    progress: &Progress,
    mut take: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    let input = opened.input();
    let array = &input.signature().arrays[part.array];
    let encoding = opened.stored[part.array].encoding;
    let plain = encoding == Encoding::Plain(array.sample);
    let (mut held, mut samples, mut encoded) = (Vec::new(), Vec::new(), Vec::new());
    for stretch in stretches(part, input.stretch(part.array)) {
        input.read(&stretch, &mut held, &mut samples)?;
        progress.advance(samples.len() as u64)?;
        encoded.clear();
        if !plain {
            encoding.encode(array.sample, &samples, &mut encoded);
        }
        take(&samples, if plain { &samples } else { &encoded })?;
    }
    Ok(())
}

/// The least bits a second that keep the budget; or that none do.
fn search(
    opened: &Opened,
    target: &OpusTarget,
    seconds: &Seconds,
    progress: &Progress,
) -> Result<std::result::Result<Settings, Missed>> {
    let mut search = Search::new(opened.arrays.signature().arrays[0].shape[1]);
    // The one of the fewest bytes that keeps the budget, and the one of the most bits that misses it.
    let (mut best, mut closest): (Option<Tried>, Option<Tried>) = (None, None);
    loop {
        let tried = measure(opened, target, seconds, search.bitrate(), progress)?;
        let strain = tried.pieces.strain().map_err(untold)?;
        let keeps = tried.pieces.check(&seconds.budget).is_ok();
        let replaced = match keeps {
            true => best.as_ref().is_none_or(|best| tried.bytes <= best.bytes),
            false => closest.as_ref().is_none_or(|closest| closest.bitrate < tried.bitrate),
        };
        if replaced {
            *if keeps { &mut best } else { &mut closest } = Some(tried);
        }
        if !search.take(keeps, strain) {
            break;
        }
    }
    let codings = search.codings();
    match (best, closest) {
        (Some(best), _) => Ok(Ok(Settings { bitrate: best.bitrate as u32, codings, cut: 0 })),
        (None, Some(closest)) => match closest.pieces.check(&seconds.budget) {
            Err(why) => Ok(Err(Missed { why, closest, codings })),
            Ok(()) => Err(Failure::bug("a budget was kept and missed")),
        },
        (None, None) => Err(Failure::bug("nothing was coded")),
    }
}

/// A budget that no number of bits keeps.
struct Missed {
    /// What was missed by the coding that comes closest.
    why: OverBudget,
    closest: Tried,
    codings: usize,
}

impl Missed {
    /// Whether seconds that follow may make up for it.
    fn is_open(&self, opened: &Opened, seconds: &Seconds) -> Result<bool> {
        let (pieces, budget) = (&self.closest.pieces, &seconds.budget);
        match self.why {
            // Where a sound goes on, its last samples are coded with those that follow.
            OverBudget::Part { part, .. } if part as u64 + 1 == pieces.count() => Ok(true),
            _ => rest_decides(&self.why, budget, &pieces.evidence(), approximate_samples(opened)),
        }
    }

    /// Tells where it was missed, and by how much.
    fn told(&self, of: (&SignalJob, &Opened), seconds: &Seconds) -> Failure {
        let (bits, codings) = (self.closest.bitrate, counted(self.codings, "coding"));
        let at = format!("with {bits} bits a second, the most of {codings}, ");
        let hint = "take a wider budget, or a format without loss, such as flac";
        let whole = of.1.arrays.signature().samples() == Some(seconds.total());
        let all = if whole { "the whole" } else { "what was tried" };
        missed_sound(of, &self.why, (seconds, &self.closest.pieces), (&at, all, hint))
    }
}

/// Codes the whole sound with so many bits a second, decodes that, and measures it.
fn measure(
    opened: &Opened,
    target: &OpusTarget,
    seconds: &Seconds,
    bitrate: f64,
    progress: &Progress,
) -> Result<Tried> {
    let size = source_bytes(opened);
    progress.begin(Stage::Reading, size, size);
    let sample = opened.input().signature().arrays[0].sample;
    let mut coder = OpusCoder::new(target, bitrate as u32)?;
    let (mut coded, mut waiting, mut lifted) = (Coded::default(), Vec::new(), Vec::new());
    let mut comparison = PieceComparison::new(sample, APPROXIMATE_RULES, seconds.samples, 0);
    let (mut pieces, mut bytes) = (seconds.pieces(), 0);
    let encoding = opened.stored[0].encoding;
    let mut take = |coded: &mut Coded, waiting: &mut Vec<u8>| -> Result<()> {
        bytes += coded.packets.drain(..).map(|packet| packet.len() as u64).sum::<u64>();
        lifted.clear();
        encoding.decode(&coded.samples, sample, &mut lifted);
        coded.samples.clear();
        // What comes out is some packets behind what goes in.
        comparison.push(&waiting[..lifted.len()], &lifted).map_err(untold)?;
        waiting.drain(..lifted.len());
        for (index, evidence) in comparison.take_complete() {
            pieces.add(index, &evidence).map_err(untold)?;
        }
        Ok(())
    };
    let all = Part { array: 0, samples: 0..seconds.total() };
    read(opened, &all, progress, |samples, held| {
        waiting.extend_from_slice(samples);
        coder.push(held, &mut coded)?;
        take(&mut coded, &mut waiting)
    })?;
    coder.finish(&mut coded)?;
    take(&mut coded, &mut waiting)?;
    for (index, evidence) in comparison.finish() {
        pieces.add(index, &evidence).map_err(untold)?;
    }
    Ok(Tried { bitrate, bytes, pieces })
}

/// Digests what comes out of the decoder, part by part: as it is held, and in the samples of the source.
struct Digests<'a> {
    opened: &'a Opened,
    parts: &'a [Part],
    content: SignalDigester,
    held: blake3::Hasher,
    /// Samples of the part that came.
    came: u64,
    /// Samples at the ends of their range so far.
    cut: u64,
    done: Vec<(PartContent, Digest)>,
    lifted: Vec<u8>,
}

impl<'a> Digests<'a> {
    fn new(opened: &'a Opened, parts: &'a [Part]) -> Self {
        let content = SignalDigester::new(opened.arrays.signature().arrays[0].sample);
        let (held, done) = (blake3::Hasher::new(), Vec::with_capacity(parts.len()));
        Self { opened, parts, content, held, came: 0, cut: 0, done, lifted: Vec::new() }
    }

    fn push(&mut self, mut held: &[u8]) -> Result<()> {
        let ends = [i16::MIN, i16::MAX].map(i16::to_le_bytes);
        self.cut += held.as_chunks::<2>().0.iter().filter(|sample| ends.contains(sample)).count() as u64;
        let encoding = self.opened.stored[0].encoding;
        let sample = self.opened.arrays.signature().arrays[0].sample;
        let width = encoding.sample().width();
        while let Some(part) = self.parts.get(self.done.len()).filter(|_| !held.is_empty()) {
            let left = part.samples.end - part.samples.start - self.came;
            let count = left.min((held.len() / width) as u64);
            let (now, rest) = held.split_at(count as usize * width);
            self.lifted.clear();
            encoding.decode(now, sample, &mut self.lifted);
            digest(&mut self.content, &self.lifted)?;
            self.held.update(now);
            (held, self.came) = (rest, self.came + count);
            if count == left {
                let content = std::mem::replace(&mut self.content, SignalDigester::new(sample));
                let bytes = std::mem::take(&mut self.held);
                self.done.push((content.finish(), Digest(*bytes.finalize().as_bytes())));
                self.came = 0;
            }
        }
        Ok(())
    }

    /// What is known of each part; none of them has bytes of its own in a file of so many.
    fn finish(self, bytes: u64) -> Result<Vec<Entry>> {
        if self.done.len() != self.parts.len() {
            return Err(Failure::bug("a sound was coded with fewer samples"));
        }
        let entry = |(part, (content, digest)): (usize, (PartContent, Digest))| Entry {
            part,
            bytes: 0..bytes,
            digest,
            sidecar: Vec::new(),
            content,
        };
        Ok(self.done.into_iter().enumerate().map(entry).collect())
    }
}
