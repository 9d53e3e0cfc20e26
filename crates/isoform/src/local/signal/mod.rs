//! The conversion of signals: named arrays of samples, in another container or in other sample types, within
//! a budget.

mod again;
mod allocate;
mod bitrate;
mod coded;
mod compare;
mod depth;
mod led;
mod opened;
mod plan;
mod prove;
mod seconds;
mod target;
mod tightest;
mod verify;
mod work;

use std::path::PathBuf;
use std::slice::from_ref;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use coherence::budget::Budget;
use coherence::certificate::ColumnStyle;
use coherence::content::Model;
use coherence::digest::ObjectDigest;
use coherence::signal::{APPROXIMATE_RULES, EXACT_RULES, Rules, Signature};
use coherence::verified::VerifiedWhole;
use formats::file::ObjectFile;
use formats::media::{Edge, Key, MediaType};
use formats::open::OpenOptions;
use formats::signal::{
    Arrays, Declared, Encoding, Layout, Lost, Plan as Chosen, Shards, SignalFormat, Stored, Writer, is_index,
    plan_beside as choose, samples_of_part, select, to_sound, widest, with_rate_beside, writer,
};
use formats::sound::OpusTarget;
use serde_json::{Map, Value, json};

use super::effective::{add_declared, add_dropped, add_reading, add_writing};
use super::journal;
use super::media::check_tau;
use super::pool::meanwhile;
use super::replace::Replace;
use super::seal::{self, Sealed, accepted, refuse_own_source, seal, verdict};
use super::staging::directory_of;
use super::via::{self, Stop};
use super::{Done, hash_object, memory, shortfall, source};
use crate::failure::{Failure, Result, untold};
use crate::meter::Stage;
use crate::progress::Progress;

use allocate::Wish;
pub use allocate::{Allocated, Objective};
pub use coded::Settings;
pub use compare::{Compared, ComparedArray, beyond_fractions, compare};
use led::Led;
pub use opened::{Reading, Wanted, open as open_source, wanted};
use opened::{Told, in_the_way, notes, refuse_for, refuse_type, without_budget};
pub use plan::{SignalPlan, plan};
use seconds::{Seconds, peak_of};
use target::{Target, refuse_own_shards, shard_places};
pub use tightest::{Place, Tightest};
pub use verify::{check_content, root_of};

/// The member of an array's style that tells the range that it declares.
pub const PEAK: &str = "peak";

/// The budget for samples of a range up to this peak, where they declare one; `None` where nothing may
/// differ.
pub type BudgetOf = dyn Fn(Option<f64>) -> Result<Option<Budget>> + Sync;

/// What is to be done.
pub struct SignalJob {
    /// The source.
    pub source: PathBuf,
    /// Media types of the source, which may be an image or a table of numbers too, and of the target.
    pub media: (&'static MediaType, &'static MediaType),
    /// Types that the content is led over, as a person named them.
    pub via: Vec<Stop>,
    /// The types that the content has on the way, in order.
    pub chain: Vec<Edge<'static>>,
    /// How a table is read.
    pub reading: OpenOptions,
    /// Whether null becomes NaN where columns of a table become arrays.
    pub null_is_nan: bool,
    /// The target.
    pub target: PathBuf,
    /// Its container.
    pub to: SignalFormat,
    /// How floating-point samples are to be held; where nothing is said, as they are, or within a budget as
    /// is smallest.
    pub encoding: Option<Encoding>,
    /// Whether a person asked for that in this conversion, so that it should change something.
    pub encoding_is_typed: bool,
    /// How far the result may be from the source.
    pub budget: Box<BudgetOf>,
    /// Whether that is any distance at all.
    pub lossy: bool,
    /// Whether a person asked for none.
    pub exact_asked: bool,
    /// What is made least within the budget.
    pub objective: Objective,
    /// Whether an array of a name is carried over.
    pub wanted: Wanted,
    /// What is told of a sound that an array becomes.
    pub declared: Declared,
    /// Whether what the target cannot hold besides the samples is left out.
    pub drop_attributes: bool,
    /// Whether a target that exists is replaced.
    pub replace: Replace,
    /// Whether finished parts of an interrupted run are used.
    pub resume: bool,
    /// Whether anything below EXACT is a failure.
    pub strict: bool,
    /// Threads that were asked for.
    pub threads: Option<usize>,
    /// Memory to stay under.
    pub memory: u64,
    /// Effective parameters, for the certificate.
    pub parameters: Map<String, Value>,
    /// What the encoder of a test does wrong, without telling.
    #[cfg(test)]
    pub lie: lies::Lie,
}

impl SignalJob {
    /// How the columns of a table become arrays.
    fn layout(&self) -> Layout {
        let floats = self.encoding.is_some_and(|encoding| encoding.sample().is_float());
        Layout {
            single: self.to == SignalFormat::Npy || self.to.is_sound(),
            floats,
            null_is_nan: self.null_is_nan,
        }
    }

    /// Samples of a part at most.
    fn part_samples(&self) -> u64 {
        self.media.1.whole(Key::PartSamples)
    }
}

/// What was done.
#[derive(Debug, Clone)]
pub struct SignalOutcome {
    /// What every conversion tells.
    pub done: Done,
    /// The arrays, as the source has them.
    pub signature: Signature,
    /// How the target holds each.
    pub stored: Vec<Encoding>,
    /// Figures of the distance.
    pub distortion: Distortion,
    /// The worst second, where a sound had a budget.
    pub worst: Option<Worst>,
    /// The part of several that comes closest to missing its floor.
    pub tightest: Option<Tightest>,
    /// How encodings were chosen, where they were.
    pub allocated: Option<Allocated>,
    /// What the steps did, where the content was led over other types.
    pub steps: Vec<Value>,
    /// How it was coded, where that was searched for.
    pub coded: Option<Settings>,
    /// Parts, and how many of them an earlier run had finished.
    pub parts: (usize, usize),
}

/// How far a target is from its source.
#[derive(Debug, Clone, Copy)]
pub struct Distortion {
    /// Distance.
    pub d: f64,
    /// `1 - d / norm`.
    pub coherence: f64,
    /// Root mean square error.
    pub rmse: f64,
    /// Largest error of a sample.
    pub max_abs: f64,
    /// Signal-to-noise ratio in dB; infinite where nothing differs.
    pub snr_db: f64,
    /// Peak signal-to-noise ratio in dB, where a range is declared.
    pub psnr_db: Option<f64>,
}

/// The second of a sound that has the least coherence.
#[derive(Debug, Clone, Copy)]
pub struct Worst {
    /// When it begins and ends, in seconds.
    pub times: (f64, f64),
    /// Its coherence.
    pub coherence: f64,
}

impl Distortion {
    /// The figures of a whole.
    pub fn of(whole: &VerifiedWhole) -> Result<Self> {
        let evidence = whole.evidence();
        let peak = match whole.model() {
            Model::Signal(signature) => peak_of(signature),
            _ => None,
        };
        Ok(Self {
            d: evidence.d_squared().map_err(untold)?.sqrt(),
            coherence: evidence.coherence().map_err(untold)?,
            rmse: evidence.rmse().map_err(untold)?,
            max_abs: evidence.max_abs(),
            snr_db: evidence.snr_db().map_err(untold)?,
            psnr_db: peak.map(|peak| evidence.psnr_db(peak)).transpose().map_err(untold)?,
        })
    }
}

/// An open source, and how the target holds it.
struct Opened {
    file: Arc<ObjectFile>,
    arrays: Arrays,
    /// What has become of the arrays, where they are led over other types.
    led: Option<Led>,
    stored: Vec<Stored>,
    allocated: Option<Allocated>,
    budget: Option<Budget>,
    seconds: Option<Seconds>,
    /// The same within what steps before the last leave of the budget.
    within: Option<Seconds>,
    rules: Rules,
    workers: usize,
    notes: Vec<String>,
    /// Where it is held without loss since no smaller type keeps the budget: which came closest.
    unmet: Option<String>,
    /// Attributes that were left out, on the way too.
    dropped: Vec<String>,
    /// Whether the arrays hold all that the source tells of their values, and how it was read.
    told: Told,
    #[cfg(test)]
    lie: lies::Lie,
}

impl Opened {
    /// What the target is made of.
    fn input(&self) -> &Arrays {
        self.led.as_ref().map_or(&self.arrays, |led| &led.arrays)
    }

    /// The source itself, and the files beside it in which its arrays lie.
    fn files(&self) -> impl Iterator<Item = &Arc<ObjectFile>> {
        std::iter::once(&self.file).chain(self.arrays.files())
    }

    fn encodings(&self) -> Vec<Encoding> {
        self.stored.iter().map(|stored| stored.encoding).collect()
    }
}

/// Memory of one worker: a part of the target, waiting once more for its turn, and the stretches that are
/// looked at; of packed parts both, which the media type tells.
fn worker_bytes(stored: &[Stored], source: &Signature, to: &MediaType) -> u64 {
    let widest = stored.iter().map(|stored| stored.encoding.sample().width()).max().unwrap_or(1) as u64;
    let asked = to.whole(Key::PartSamples);
    let longest = source.arrays.iter().map(|array| samples_of_part(array, asked)).max().unwrap_or(1);
    to.memory(longest.saturating_mul(widest)) + (16 << 20)
}

/// What makes a target.
enum Making {
    /// Parts that are made apart, and what stands around them.
    Parts(Box<dyn Writer>),
    /// Several such files and their index.
    Shards(Shards),
    /// A stream that is coded from its first sample to its last.
    Coded(OpusTarget),
}

fn open(job: &SignalJob, progress: &Progress) -> Result<(Opened, Making)> {
    if !job.via.is_empty() {
        // No step over another type is taken in vain.
        refuse_for(job, without_budget(job).into_iter().collect())?;
    }
    let dir = directory_of(&job.target);
    let file = source::file(&job.source, dir, progress)?.0;
    let in_file = |error: formats::Error| Failure::Format(error.in_file(file.path()));
    let reading = Reading {
        table: &job.reading,
        layout: job.layout(),
        memory: job.memory,
        workers: memory::workers(job.threads, job.memory, memory::READER_BYTES)?,
        wanted: &*job.wanted,
    };
    let (arrays, told, led) = led::open(job, &file, &reading, progress)?;
    arrays.files().iter().try_for_each(|file| refuse_own_source(file.path(), &job.target))?;
    let (arrays, left_out) = select(arrays, &*job.wanted).map_err(in_file)?;
    let sound = |arrays| match job.to {
        SignalFormat::Npz => with_rate_beside(arrays),
        to if to.is_sound() => to_sound(arrays, job.declared),
        _ => Ok(arrays),
    };
    let first = sound(arrays).map_err(in_file)?;
    let last = led.as_ref().map(|led| sound(led.arrays.clone())).transpose().map_err(in_file)?;
    let input = last.unwrap_or_else(|| first.clone());
    let wide = widest(&input, job.to).filter(|_| job.lossy);
    let (asked, drop) = (job.encoding.or(wide), job.drop_attributes);
    let beside = in_the_way(job, input.signature());
    let mut chosen = choose(input, job.to, (asked, job.lossy), drop, beside.clone()).map_err(in_file)?;
    refuse_for(job, beside)?;
    refuse_type(job, &chosen)?;
    let (mut notes, mut dropped) = (notes(&left_out, &chosen, job.to), std::mem::take(&mut chosen.dropped));
    let worker = worker_bytes(&chosen.stored, chosen.source.signature(), job.media.1);
    let workers = memory::workers_of(job.threads, job.memory, (0, worker), "")?;
    let workers = job.media.1.threads(workers);
    let signature = first.signature();
    let budget = (job.budget)(peak_of(signature))?;
    let seconds = budget.as_ref().and_then(|budget| Seconds::of(signature, budget));
    let budget = seconds.map_or(budget, |seconds| Some(seconds.budget));
    // Steps before the last leave it a share of the budget.
    let left = led.as_ref().map_or(budget, |led| led.left.map(|(_, budget)| budget));
    let within = seconds.zip(left).map(|(seconds, budget)| seconds.within(budget));
    let (allocated, unmet) = allocated(job, &mut chosen, (left, within), workers, progress)?;
    let encodings: Vec<Encoding> = chosen.stored.iter().map(|stored| stored.encoding).collect();
    let signature = chosen.source.signature();
    let making = making(job, signature, &encodings).map_err(in_file)?;
    refuse_own_shards(job, &making, std::iter::once(&file).chain(first.files()))?;
    let (input, stored) = (chosen.source.clone(), &mut chosen.stored);
    let led = led.map(|led| led.chosen(input, stored, &mut notes, &mut dropped));
    let arrays = match &led {
        None => chosen.source,
        Some(led) => via::with_attributes_of(first, led.arrays.signature()),
    };
    let rules = if budget.is_some() { APPROXIMATE_RULES } else { EXACT_RULES };
    let stored = chosen.stored;
    // Where every sample is kept no second can miss its floor, and none is measured.
    let seconds = seconds.filter(|_| stored.iter().all(|stored| stored.approximate));
    #[rustfmt::skip]
    let opened = Opened {
        file, arrays, led, stored, allocated, budget, seconds, within, rules, workers, notes, unmet, dropped,
        told,
        #[cfg(test)]
        lie: job.lie,
    };
    Ok((opened, making))
}

/// What makes a target of arrays that are held so.
fn making(job: &SignalJob, signature: &Signature, stored: &[Encoding]) -> formats::Result<Making> {
    if is_index(&job.target) {
        let bytes_max = job.media.1.whole(Key::ShardBytes);
        return Ok(Making::Shards(Shards::new(signature, stored, &job.target, bytes_max)?));
    }
    Ok(match job.to.is_coded() {
        true => Making::Coded(OpusTarget::new(signature, stored)?),
        #[cfg(test)]
        false => Making::Parts(lies::told(job.lie, writer(job.to, signature, stored)?)),
        #[cfg(not(test))]
        false => Making::Parts(writer(job.to, signature, stored)?),
    })
}

/// Chooses how the target holds each array, within what steps before it leave of a budget; and says which
/// smaller type came closest, where a sound is held without loss as none keeps it.
fn allocated(
    job: &SignalJob,
    chosen: &mut Chosen,
    (left, within): (Option<Budget>, Option<Seconds>),
    workers: usize,
    progress: &Progress,
) -> Result<(Option<Allocated>, Option<String>)> {
    let open = job.encoding.is_none() && chosen.stored.iter().any(|stored| stored.approximate);
    let (source, stored) = (&chosen.source, &mut chosen.stored);
    Ok(match (left.filter(|_| open), &within) {
        (None, _) => (None, None),
        _ if job.to.is_coded() => (None, None),
        (Some(_), Some(seconds)) if job.to.is_sound() => {
            let to = (job.to, job.part_samples());
            let closest = depth::choose(source, stored, to, seconds, workers, progress)?;
            (None, closest.and_then(|closest| closest.told(job, source.signature(), seconds)))
        }
        (Some(budget), _) => {
            let (budget, objective) = (&budget, job.objective);
            let wish = Wish { to: job.to, part_samples: job.part_samples(), budget, objective };
            (Some(allocate::encodings(source, stored, &wish, workers, progress)?), None)
        }
    })
}

/// Converts, reads back, compares, signs, publishes.
pub fn convert(job: &SignalJob, progress: &Progress) -> Result<SignalOutcome> {
    let started = (SystemTime::now(), Instant::now());
    refuse_own_source(&job.source, &job.target)?;
    let mut target = Target::begin(job)?;
    seal::refuse_other_sources(&job.target, job.replace.is_any(), from_ref(&job.source), Some(progress))?;
    let (opened, making) = open(job, progress)?;
    let size = opened.files().map(|file| file.len()).sum();
    // Samples are hashed while they are converted, so that there is nothing to read before.
    progress.begin(Stage::Reading, size, 0);
    progress.begin(Stage::Converting, size, size * 2);
    let hash = || opened.files().map(|file| hash_object(file, progress)).collect::<Result<Vec<_>>>();
    let (source, made) = meanwhile(hash, || target.make((job, &opened), making, progress))?;
    let ((parts, mut journal), source) = (made?, source?);
    let converted = started.1.elapsed();
    let made = target.path();
    progress.begin(Stage::Verifying, size, size + target.len());
    target.sync()?;
    let proof = prove::read_back(job, &opened, &parts, source::digest_of(&source), &made, progress);
    if let Err(Failure::Mismatch(_)) = proof {
        // Parts that are not what they should be are of no use to a later run.
        target.give_up();
        journal.iter_mut().for_each(|journal| journal.keep(false));
    }
    let proof = proof?;
    let steps = match &opened.led {
        None => Vec::new(),
        Some(led) => led.finished(job, &opened, &made, progress)?,
    };
    check_tau(job.media.1, proof.whole.evidence())?;
    opened.files().try_for_each(|file| file.check_unchanged())?;
    let parameters = via::record(&job.parameters, &steps);
    let sealed = sealed(job, (&opened, &parameters), &source, (&proof, parts.coded), started.0)?;
    let vain = journal::in_vain(job.resume, parts.reused, target.damaged());
    // Nothing fails once the target has its name.
    let tightest = tightest::tightest(&opened, &parts, &proof.whole)?;
    let distortion = Distortion::of(&proof.whole)?;
    let said = target.publish(&proof.whole, &sealed.certificate)?;
    let cut = parts.coded.and_then(|coded| coded.note());
    let times = (converted, started.1.elapsed() - converted);
    let (proven, sizes) = ((&proof.whole, &sealed), (size, proof.bytes()));
    let unmet = opened.unmet.as_deref().map(|closest| shortfall::without_loss(closest, sizes));
    let why = opened.told.why(sealed.verdict);
    let told = unmet.into_iter().chain(why).chain(cut).chain(vain).chain(said);
    Ok(SignalOutcome {
        tightest,
        signature: opened.arrays.signature().clone(),
        stored: opened.encodings(),
        distortion,
        worst: worst(&opened, &proof.whole),
        allocated: opened.allocated,
        steps,
        coded: parts.coded,
        parts: (parts.entries.len(), parts.reused),
        done: Done::of(proven, &job.target, sizes, times, opened.notes.into_iter().chain(told).collect()),
    })
}

/// The worst second of a sound that had a budget.
fn worst(opened: &Opened, whole: &VerifiedWhole) -> Option<Worst> {
    let (seconds, least) = (opened.seconds?, whole.pieces()?.least()?);
    Some(Worst { times: seconds.times(least.index), coherence: least.coherence })
}

/// What decides the bytes of a target: of arrays of several sample types each tells its own.
fn writing(job: &SignalJob, opened: &Opened, coded: Option<Settings>) -> Map<String, Value> {
    let mut writing = Map::from_iter([("to".to_owned(), json!(job.to.name()))]);
    let encodings = opened.encodings();
    if let Some((first, others)) = encodings.split_first()
        && others.iter().all(|other| other == first)
    {
        writing.insert("sampleType".to_owned(), json!(first.name()));
    }
    if opened.allocated.is_some() {
        writing.insert("minimise".to_owned(), json!(job.objective.name()));
    }
    writing.extend(coded.map(|coded| ("bitrate".to_owned(), json!(coded.bitrate.to_string()))));
    add_dropped(&mut writing, &opened.dropped);
    writing
}

fn sealed(
    job: &SignalJob,
    (opened, parameters): (&Opened, &Map<String, Value>),
    source: &[ObjectDigest],
    (proof, coded): (&prove::Proof, Option<Settings>),
    started: SystemTime,
) -> Result<Sealed> {
    let arrays = opened.stored.iter().zip(&opened.arrays.signature().arrays);
    let styles = arrays.map(|(stored, array)| {
        let sample = ("sampleType".to_owned(), json!(stored.encoding.name()));
        let peak = array.peak.map(|peak| (PEAK.to_owned(), json!(peak.to_string())));
        let bitrate = coded.map(|coded| ("bitrate".to_owned(), json!(coded.bitrate.to_string())));
        let mut style = Map::from_iter([sample].into_iter().chain(peak).chain(bitrate));
        if let Some(declared) = opened.arrays.declared() {
            add_declared(&mut style, declared, false);
        }
        let lost = Lost::of_array(&opened.told.lost, &array.name);
        style.extend(lost.map(|lost| (lost.key().to_owned(), json!(lost.columns))));
        ColumnStyle { style: style.into(), reversible: lost.is_none() }
    });
    let paths = std::iter::once(job.source.as_path());
    let paths = paths.chain(opened.arrays.files().iter().map(|file| file.path()));
    let files = paths.zip(source).map(|(path, digest)| seal::file(path, *digest, &job.media.0.media_type));
    let beside = proof.beside.iter().map(|(path, object)| (path.as_path(), *object));
    let targets = std::iter::once((job.target.as_path(), proof.object)).chain(beside);
    let targets = targets.map(|(path, object)| seal::file(path, object, &job.media.1.media_type));
    let mut parameters = seal::with_path(parameters, &job.source);
    add_reading(&mut parameters, opened.told.read_as.clone());
    add_writing(&mut parameters, writing(job, opened, coded));
    let mut facts = seal::facts(files.collect(), targets.collect(), &parameters, styles.collect(), started);
    facts.budget = opened.budget.unwrap_or(Budget::ZERO);
    let verdict = verdict(&proof.whole, &facts)?;
    accepted(verdict, job.strict, opened.told.why(verdict).as_deref())?;
    seal(&proof.whole, facts, false)
}

#[cfg(test)]
mod lies;
