//! The conversion of images: one image, whole, in another format; exactly, or in the smallest
//! encoding found that keeps a budget.

mod album;
mod compare;
mod ladder;
mod led;
pub mod pass;
mod plan;
mod room;
mod search;
mod space;
mod tiles;
mod verify;

use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use coherence::budget::Budget;
use coherence::certificate::{ColumnStyle, File};
use coherence::claim::{Claim, ReadBack};
use coherence::content::{Grid, Model, PartContent, SignalDigester};
use coherence::digest::{Digest, ObjectDigest};
use coherence::evidence::{ColumnEvidence, Evidence};
use coherence::gate::{Gate, Measured};
use coherence::pieces::Pieces;
use coherence::sample::SampleType;
use coherence::signal::{self, APPROXIMATE_RULES, EXACT_RULES, SignalComparison, Signature};
use coherence::verified::{Records, Verified, VerifiedWhole};
use formats::error::Obstacle;
use formats::file::ObjectFile;
use formats::image::{self, Image, ImageFormat, Settings};
use formats::media::{Codec, Edge, Key, MediaType};
use formats::signal::to_image;
use serde_json::{Map, Value, json};

use super::effective::{add_declared, add_dropped, add_writing};
use super::keys;
use super::media::check_tau;
use super::replace::Replace;
use super::seal::{self, Sealed, refuse_own_source, seal};
use super::signal::{Distortion, Tightest};
use super::staging::{Staging, directory_of};
use super::via::{self, Stop};
use super::{Done, hash_object, no_budget, shortfall, source};
use crate::failure::{Failure, Result, untold};
use crate::meter::Stage;
use crate::progress::Progress;

pub use album::{Album, AlbumOutcome, AlbumPlan, Chosen, check_album, convert as convert_album, is_current};
pub use album::{check_files as check_album_files, name_in, plan as plan_album, refusal as refusal_of_album};
pub use compare::{Compared, compare};
use led::Led;
pub use plan::{ImagePlan, Trial, plan};
use room::{room_for_gates, room_for_target};
use space::{Spaced, compared, in_older_space, in_space, in_space_beside};
use tiles::Floored;
pub use tiles::Worst;
pub use verify::{check_content, root_of};

/// A budget for an image that declares this peak; `None` where nothing may differ.
pub type BudgetOf = dyn Fn(f64) -> Result<Option<Budget>> + Sync;

/// What a format does that loses nothing, and which does.
const EXACTLY: &str = "without loss, such as png";

/// What is to be done.
pub struct ImageJob {
    /// The source.
    pub source: PathBuf,
    /// Media types of the source, which may be a container of arrays too, and of the target.
    pub media: (&'static MediaType, &'static MediaType),
    /// Types that it is led over before.
    pub via: Vec<Stop>,
    /// The types that the content has on the way, where it is led over others.
    pub chain: Vec<Edge<'static>>,
    /// The target.
    pub target: PathBuf,
    /// Its format.
    pub to: ImageFormat,
    /// How far the result may be from the source.
    pub budget: Box<BudgetOf>,
    /// Whether a person asked for no distance at all.
    pub exact_asked: bool,
    /// Gates to pass besides.
    pub gates: Vec<Gate>,
    /// How it is written, where that is decided.
    pub settings: Option<Settings>,
    /// Work spent on size, where that was asked for.
    pub effort: Option<u8>,
    /// Whether attributes that the target cannot hold are left out.
    pub drop_attributes: bool,
    /// Whether a target that exists is replaced.
    pub replace: Replace,
    /// Whether anything below EXACT is a failure.
    pub strict: bool,
    /// Memory to stay under.
    pub memory: u64,
    /// Effective parameters, for the certificate.
    pub parameters: Map<String, Value>,
    /// What the encoder of a test does instead, without telling.
    #[cfg(test)]
    pub lie: Option<fn(&Image, &Settings) -> Vec<u8>>,
}

/// What was done.
#[derive(Debug, Clone)]
pub struct ImageOutcome {
    /// What every conversion tells.
    pub done: Done,
    /// The content, as it was compared.
    pub signature: Signature,
    /// How it was written.
    pub settings: Settings,
    /// How often it was encoded to find that.
    pub encodes: usize,
    /// Figures of the distance.
    pub distortion: Distortion,
    /// Peak signal-to-noise ratio in dB; infinite where nothing differs.
    pub psnr_db: f64,
    /// The tile that comes closest to missing its floor, and the one with the least coherence.
    pub tiles: (Option<Tightest>, Option<Worst>),
    /// Gates, and what was found.
    pub gates: Vec<Measured>,
    /// What the steps did, where it was led over other types.
    pub steps: Vec<Value>,
}

/// An open source.
struct Opened {
    file: Arc<ObjectFile>,
    /// The source in the space of comparison: with the channels and attributes that the target has, and the
    /// samples of the source.
    image: Image,
    /// What has become of it, where it is led over other types.
    led: Option<Led>,
    budget: Option<Budget>,
    /// The tiles that keep its floor, where there is one.
    tiles: Option<Floored>,
    notes: Vec<String>,
    /// Attributes that were left out, on the way too.
    dropped: Vec<String>,
}

/// The part of the memory that the samples of an image may take: decoders and encoders of others hold as much
/// again each while they work, and the source stays beside what was made of it.
fn share(format: ImageFormat, memory: u64) -> u64 {
    (memory as f64 / format.media().number(Key::MemoryPerByte).max(1.0)) as u64
}

/// The whole of an image file.
fn bytes_of(file: &ObjectFile, max: u64) -> Result<Vec<u8>> {
    if file.len() > max {
        let hint = "give it more memory (--memory)".to_owned();
        let what = "the bytes of an image file";
        let place = Box::new(formats::error::Place::default());
        let error = formats::Error::Limit { place, what, max, hint };
        return Err(error.in_file(file.path()).into());
    }
    let mut bytes = vec![0; usize::try_from(file.len()).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// The format that the first bytes of a file tell.
fn format_of(file: &ObjectFile) -> Result<ImageFormat> {
    ImageFormat::of_file(file)?
        .ok_or_else(|| Failure::Mismatch(format!("{}: does not begin like an image", file.path().display())))
}

/// The image in a file.
pub fn decode(file: &ObjectFile, format: ImageFormat, memory: u64) -> Result<Image> {
    let max = share(format, memory);
    let bytes = bytes_of(file, max)?;
    let decoded = image::decode(format, &bytes, max);
    decoded.map_err(|error| Failure::Format(error.in_file(file.path())))
}

/// The image in a file of images or of arrays; what is packed is unpacked into a temporary in `dir`.
pub fn decode_any(file: &Arc<ObjectFile>, codec: Codec, memory: u64, dir: &Path) -> Result<Image> {
    match codec {
        Codec::Image(format) => decode(file, format, memory),
        Codec::Arrays(format) => {
            let arrays = formats::signal::open(file.clone(), format, dir)?;
            let max = (memory as f64 / codec.media().number(Key::MemoryPerByte).max(1.0)) as u64;
            to_image(&arrays, max).map_err(|error| Failure::Format(error.in_file(file.path())))
        }
        other => Err(Failure::Other(format!("{} holds no image", other.name()))),
    }
}

/// That nobody said how much may be lost, where a format loses something of samples of this type, or does not
/// have them.
fn without_budget(job: &ImageJob, sample: SampleType) -> Option<Obstacle> {
    let to = job.to;
    let (why, other) = match to.samples().contains(&sample) {
        _ if to.exact().contains(&sample) => return None,
        false => (format!("has no samples of type {sample}"), "that has them, such as tiff"),
        true if to.lossless() => (format!("loses something of samples of type {sample}"), EXACTLY),
        true => ("always loses something".to_owned(), EXACTLY),
    };
    let what = format!("{} {why}, and {}", to.name(), no_budget(job.exact_asked));
    let hint = format!("add a budget such as --within psnr=40, or choose a format {other}");
    Some(Obstacle { what, hint })
}

fn open(job: &ImageJob, progress: &Progress) -> Result<Opened> {
    let file = source::file(&job.source, directory_of(&job.target), progress)?.0;
    progress.begin(Stage::Reading, file.len(), file.len());
    let in_file = |failure: Failure| match failure {
        Failure::Format(error) => Failure::Format(error.in_file(file.path())),
        other => other,
    };
    let (decoded, led) = led::lead(job, &file, progress)?;
    let sample = decoded.sample;
    let budget = (job.budget)(image::peak(sample))?;
    let lacking = without_budget(job, sample).filter(|_| budget.is_none());
    room_for_target(job, &decoded)?;
    let space = in_space_beside(decoded, job.to, job.drop_attributes, lacking.clone());
    let Spaced { image, mut notes, mut dropped } = space.map_err(in_file)?;
    notes.extend(image.ignored.iter().map(|what| format!("not content: {what}")));
    let led = led.map(|led| led.in_space(job, &mut notes, &mut dropped)).transpose()?;
    room_for_gates(job, &image)?;
    if let Some(Obstacle { what, hint }) = lacking {
        return Err(Failure::Usage(format!("{}: {what}; {hint}", job.target.display())));
    }
    let (budget, tiles) = floored(&image, budget, job.media.1);
    Ok(Opened { file, image, led, budget, tiles, notes, dropped })
}

/// A budget with the companion of its floor, and the tiles of an image that keep this.
fn floored(image: &Image, budget: Option<Budget>, to: &MediaType) -> (Option<Budget>, Option<Floored>) {
    let tiles = budget.and_then(|budget| Floored::of(&image.signature(), budget, to.whole(Key::TileSide)));
    (tiles.map_or(budget, |tiles| Some(tiles.budget)), tiles)
}

/// Digests the samples of an image.
fn content(image: &Image) -> Result<PartContent> {
    let mut digester = SignalDigester::new(image.sample);
    match digester.push(&image.samples) {
        true => Ok(digester.finish()),
        false => Err(Failure::bug("an image ends within a sample")),
    }
}

/// What was found of an image that was made of another.
struct Measures {
    evidence: Evidence,
    /// Its content, in the samples of the source.
    content: PartContent,
    /// What was found of its tiles, where these have a floor; together it is the evidence of the whole.
    tiles: Option<Pieces>,
}

/// The distance between a source and what was made of it.
fn measure(source: &Image, made: &Image, opened: &Opened) -> Result<Measures> {
    if made.signature() != source.signature() {
        return Err(Failure::Mismatch(
            "the image that was written does not have the size, channels or attributes of its source; \
             nothing was written: please report this"
                .into(),
        ));
    }
    let content = content(made)?;
    if opened.budget.is_none() {
        let equal = ColumnEvidence::equal(content.units);
        return Ok(Measures { evidence: signal::evidence(EXACT_RULES, equal), content, tiles: None });
    }
    if let Some(tiles) = opened.tiles {
        let tiles = tiles.measured(source, made)?;
        return Ok(Measures { evidence: tiles.evidence(), content, tiles: Some(tiles) });
    }
    Ok(Measures { evidence: approximated(source, made)?, content, tiles: None })
}

/// What is found of an image and of what was made of it, whose samples may differ.
fn approximated(source: &Image, made: &Image) -> Result<Evidence> {
    let mut comparison = SignalComparison::new(source.sample, APPROXIMATE_RULES[0]);
    comparison.push(&source.samples, &made.samples).map_err(untold)?;
    Ok(signal::evidence(APPROXIMATE_RULES, comparison.evidence))
}

/// What was proven of one image, for the album that it belongs to.
struct Proven {
    whole: VerifiedWhole,
    read: ReadBack,
    /// Source and target.
    files: (File, File),
    style: ColumnStyle,
}

/// A target that is proven, and has no name yet.
struct Made {
    outcome: ImageOutcome,
    proof: Proven,
    staging: Staging,
    certificate: Vec<u8>,
}

impl Made {
    /// Gives certificate and target their names, which others have only as is said here.
    fn publish(mut self, replace: Replace) -> Result<ImageOutcome> {
        self.staging.may_replace(replace);
        let unsynced = self.staging.publish(&self.proof.whole, &self.certificate)?;
        self.outcome.done.notes.extend(unsynced);
        Ok(self.outcome)
    }
}

/// Converts, reads back, compares, signs, publishes.
pub fn convert(job: &ImageJob, progress: &Progress) -> Result<ImageOutcome> {
    seal::refuse_other_sources(&job.target, job.replace.is_any(), from_ref(&job.source), Some(progress))?;
    made(job, progress)?.publish(job.replace)
}

/// The same but publishing.
fn made(job: &ImageJob, progress: &Progress) -> Result<Made> {
    let started = (SystemTime::now(), Instant::now());
    refuse_own_source(&job.source, &job.target)?;
    let mut staging = Staging::open(&job.target, job.replace)?;
    keys::signing_key()?;
    let opened = open(job, progress)?;
    let source = hash_object(&opened.file, progress)?;
    progress.begin(Stage::Converting, opened.file.len(), 0);
    let (found, steps) = encoded(job, &opened, progress)?;
    staging.truncate(0)?;
    staging.append(&found.bytes)?;
    staging.sync()?;
    let converted = started.1.elapsed();
    progress.begin(Stage::Verifying, opened.file.len(), staging.len());
    let (whole, object, read) = read_back(&opened, &found, source.blake3, staging.path(), progress)?;
    check_tau(job.media.1, whole.evidence())?;
    opened.file.check_unchanged()?;
    let files = (
        seal::file(&job.source, source, &job.media.0.media_type),
        seal::file(&job.target, object, &job.media.1.media_type),
    );
    let mut style = style(&found, &opened);
    add_dropped(&mut style, &opened.dropped);
    let style = ColumnStyle { style: style.into(), reversible: true };
    let parameters = via::record(&job.parameters, &steps);
    let sealed = sealed(job, &opened, (&found, &parameters), &files, (&whole, &style), started.0)?;
    let signature = opened.image.signature();
    let peak = image::peak(opened.image.sample);
    let psnr_db = whole.evidence().psnr_db(peak);
    let times = (converted, started.1.elapsed() - converted);
    let sizes = (source.size, object.size);
    let told_tiles =
        (tiles::tightest(opened.tiles, whole.pieces()), tiles::worst(opened.tiles, whole.pieces()));
    let unmet = found.unmet.map(|closest| shortfall::without_loss(&closest, sizes));
    let notes = opened.notes.into_iter().chain(unmet).collect();
    let outcome = ImageOutcome {
        done: Done::of((&whole, &sealed), &job.target, sizes, times, notes),
        gates: found.gates,
        steps,
        settings: found.settings,
        encodes: found.encodes,
        distortion: Distortion::of(&whole)?,
        psnr_db: psnr_db.map_err(untold)?,
        tiles: told_tiles,
        signature,
    };
    let proof = Proven { whole, read, files, style };
    Ok(Made { outcome, proof, staging, certificate: sealed.certificate })
}

/// Reads the finished temporary as if it were anybody's, and compares. Its bytes must be those that were
/// decoded and measured, so that what was found of these is found of the file.
fn read_back(
    opened: &Opened,
    found: &search::Found,
    source: Digest,
    path: &Path,
    progress: &Progress,
) -> Result<(VerifiedWhole, ObjectDigest, ReadBack)> {
    let file = ObjectFile::open(path)?;
    let object = hash_object(&file, progress)?;
    let (units, evidence) = (found.content.units, found.evidence.clone());
    let claim = Claim {
        part: 0,
        grid: Grid::Signal,
        units,
        source,
        result: Digest::blake3(&found.bytes),
        source_content: content(&opened.image)?.leaves,
        content: found.content.leaves.clone(),
        evidence: evidence.clone(),
    };
    let read = ReadBack {
        grid: Grid::Signal,
        units,
        result: object.blake3,
        content: found.content.leaves.clone(),
        evidence,
    };
    let mismatch = |error: &dyn std::fmt::Display| {
        Failure::Mismatch(format!("{error}; nothing was written: please report this"))
    };
    let verified = Verified::check(claim, &read).map_err(|error| mismatch(&error))?;
    let signature = opened.image.signature();
    let records = Records { counted: signature.samples().unwrap_or(u64::MAX), set_aside: 0 };
    let whole = VerifiedWhole::assemble(&Model::Signal(signature), vec![verified], records);
    let whole = whole.and_then(|whole| match &found.tiles {
        Some(tiles) => whole.in_pieces(tiles.clone()),
        None => Ok(whole),
    });
    let whole = whole.map_err(|error| mismatch(&error))?;
    file.check_unchanged()?;
    Ok((whole, object, read))
}

/// How the target holds the samples, for the certificate; these are compared as samples of the source.
fn style(found: &search::Found, opened: &Opened) -> Map<String, Value> {
    let (settings, sample, source) = (&found.settings, found.sample, &opened.image);
    let mut style = Map::from_iter([
        ("sampleType".to_owned(), json!(sample.name())),
        ("lossless".to_owned(), json!(settings.lossless)),
    ]);
    if let Some(declared) = &source.declared {
        let written = opened.led.as_ref().map_or(source, |led| &led.image);
        let is_there = declared.is_held(written.declared.as_ref());
        add_declared(&mut style, declared, is_there && image::keeps_declared(written, settings.format));
    }
    if sample != source.sample {
        style.insert("comparison".to_owned(), json!(compared(source.sample)));
    }
    if let Some(quality) = settings.quality.filter(|_| !settings.lossless) {
        style.insert("quality".to_owned(), json!(quality.to_string()));
        style.insert("subsampled".to_owned(), json!(settings.subsampled));
    }
    style.extend(settings.effort.map(|effort| ("effort".to_owned(), json!(effort.to_string()))));
    style.extend(settings.layout.name(settings.format).map(|layout| ("layout".to_owned(), json!(layout))));
    style
}

fn sealed(
    job: &ImageJob,
    opened: &Opened,
    (found, parameters): (&search::Found, &Map<String, Value>),
    (source, target): &(File, File),
    (whole, style): (&VerifiedWhole, &ColumnStyle),
    started: SystemTime,
) -> Result<Sealed> {
    let (sources, targets, styles) = (vec![source.clone()], vec![target.clone()], vec![style.clone()]);
    let mut parameters = seal::with_path(parameters, &job.source);
    let mut writing = style.style.members();
    writing.insert("to".to_owned(), json!(job.to.name()));
    add_writing(&mut parameters, writing);
    let mut facts = seal::facts(sources, targets, &parameters, styles, started);
    facts.budget = opened.budget.unwrap_or(Budget::ZERO);
    // They were measured on samples whose digest the finished file has been shown to have.
    facts.gates = found.gates.clone();
    seal(whole, facts, job.strict)
}

/// The encoding that becomes the target, and what the steps before did.
fn encoded(job: &ImageJob, opened: &Opened, progress: &Progress) -> Result<(search::Found, Vec<Value>)> {
    let (mut found, steps) = match &opened.led {
        None => (search::encoding(job, opened, progress)?, Vec::new()),
        Some(led) => led.encoding(job, opened, progress)?,
    };
    found.settings = found.settings.in_effect(opened.image.channels);
    Ok((found, steps))
}

#[cfg(test)]
mod tests;
