//! The conversion of an album: many photographs under one bound on all of them, each with the quality at
//! which the last byte spent on it removes as much distance as one spent on any other.
//!
//! First all photographs are encoded at common qualities, until the least is known with which one quality for
//! all keeps the bound. Then each is tried at qualities around the one that the allocation gives it, twice.
//! Every option was encoded, decoded and measured. What was chosen is then made and read back one by one,
//! each with a certificate of its own about its floor; the certificate of the album, which lies beside the
//! directory, proves the bound on all of them, and is made from the same proofs. Only then all get their
//! names.

mod options;
mod plan;
mod verify;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use coherence::allocation::Allocation;
use coherence::budget::Budget;
use coherence::certificate::{self, ColumnStyle, Verdict};
use coherence::claim::Claim;
use coherence::content::Model;
use coherence::digest::Digest;
use coherence::signal::Signature;
use coherence::verified::{Records, Verified, VerifiedWhole};
use formats::image::Settings;
use serde_json::{Map, Value};

use super::super::keys;
use super::super::publish::certify_directory;
use super::super::seal::{self, Sealed, seal};
use super::super::signal::Distortion;
use super::super::staging::certificate_path;
use super::super::{pool, process, shortfall};
use super::{ImageJob, ImageOutcome, Made, made};
use crate::failure::{Failure, Result, untold};
use crate::meter::Stage;
use crate::progress::Progress;
use options::Table;

pub use plan::{AlbumPlan, plan, refusal};
pub use verify::{check_album, check_files, is_current};

/// What is to be done.
pub struct Album {
    /// The directory of the targets.
    pub dir: PathBuf,
    /// The photographs, by the names of their targets. The budget of each is that of the album: its floor is
    /// kept by each, its whole bound by all.
    pub jobs: Vec<ImageJob>,
    /// Threads.
    pub workers: usize,
    /// Whether anything below EXACT is a failure.
    pub strict: bool,
    /// Effective parameters, for the certificate.
    pub parameters: Map<String, Value>,
}

/// How a photograph was written.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Its settings.
    pub settings: Settings,
    /// What became of it.
    pub outcome: ImageOutcome,
}

/// What was done.
pub struct AlbumOutcome {
    /// What was proven of all.
    pub verdict: Verdict,
    /// Each photograph.
    pub photographs: Vec<Chosen>,
    /// The price of coherence: bytes for one unit of squared distance.
    pub lambda: f64,
    /// Bytes by which the files may be above the least that the measured options allow.
    pub gap: f64,
    /// One quality for all that keeps the same bound and floors, and the bytes of all files with it.
    pub single: Option<(f64, u64)>,
    /// How many encodings were measured.
    pub encodes: usize,
    /// Figures of the distance of all.
    pub distortion: Distortion,
    /// Peak signal-to-noise ratio of all in dB.
    pub psnr_db: f64,
    /// Bytes of all sources and targets.
    pub sizes: (u64, u64),
    /// The content digest of the album.
    pub content: Digest,
    /// Where its certificate is.
    pub certificate: PathBuf,
    /// Time spent.
    pub time: Duration,
    /// What is to be said where the name of its certificate may not outlast a power failure.
    pub note: Option<String>,
}

/// Files that a thread has open beside the target that it makes: the source, and what is read back or the
/// key.
const FILES_OF_WORKER: usize = 2;

/// Refuses more photographs than may be open at once, as their finished targets are until all get their
/// names, where so many files will be open besides that are not yet.
fn refuse_too_many(album: &Album, besides: u64) -> Result<()> {
    let photographs = album.jobs.len();
    let needed = photographs + FILES_OF_WORKER * album.workers.min(photographs);
    match process::files_left().filter(|left| needed as u64 + besides > *left) {
        None => Ok(()),
        Some(left) => Err(Failure::Usage(format!(
            "an album of {photographs} photographs has up to {needed} files open at once, and only {left} \
             more may be; raise the limit (ulimit -Hn), or make several albums"
        ))),
    }
}

/// Converts, reads back, compares, signs, publishes.
pub fn convert(album: &Album, progress: &Progress) -> Result<AlbumOutcome> {
    let started = (SystemTime::now(), Instant::now());
    if album.jobs.is_empty() {
        return Err(Failure::Usage("an album has at least one photograph".into()));
    }
    refuse_too_many(album, 0)?;
    let replace = verify::own_targets(album, progress)?;
    keys::signing_key()?;
    let mut table = Table::new(album, progress)?;
    let (found, single) = table.search(album, progress)?;
    let Allocation { chosen, lambda, gap, .. } = found;
    table.check_tau(album, &chosen)?;
    table.check_strict(album, &chosen)?;
    let jobs = album.jobs.iter().zip(&chosen).enumerate().map(|(photo, (job, choice))| ImageJob {
        settings: Some(table.settings(photo, *choice)),
        via: Vec::new(),
        chain: Vec::new(),
        budget: table.floor(photo),
        replace: replace[photo],
        source: job.source.clone(),
        target: job.target.clone(),
        gates: job.gates.clone(),
        parameters: job.parameters.clone(),
        ..*job
    });
    let jobs: Vec<ImageJob> = jobs.collect();
    let size = table.bytes();
    progress.begin(Stage::Converting, size, size);
    let mut all: Vec<Made> = Vec::with_capacity(jobs.len());
    let make = |photo: usize| made(&jobs[photo], &progress.aside());
    pool::in_order(album.workers, jobs.len(), make, |photo, made| {
        progress.advance(made.outcome.done.sizes.0)?;
        table.check_same(photo, chosen[photo], &made.proof.whole)?;
        all.push(made);
        Ok(())
    })?;
    let (whole, sealed) = sealed(album, &all, table.budget(), started.0)?;
    // What is to be replaced may have been changed by somebody else while all this was done; and what is
    // changed from here on stays, with all that would get their names after it.
    let replace = verify::own_targets(album, &progress.aside())?;
    // Nothing asks from here on whether to stop, so that an interruption leaves all of the names or none.
    let photographs = all.into_iter().zip(&chosen).zip(replace).enumerate();
    let photographs = photographs.map(|(photo, ((mut made, choice), replace))| {
        let (settings, done) = (made.outcome.settings, &mut made.outcome.done);
        let unmet = table.unmet(photo, *choice);
        done.notes.extend(unmet.map(|closest| shortfall::without_loss(&closest, done.sizes)));
        Ok(Chosen { settings, outcome: made.publish(replace)? })
    });
    let photographs = photographs.collect::<Result<Vec<Chosen>>>()?;
    let forced = album.jobs.iter().all(|job| job.replace.is_any());
    let unsynced = certify_directory(&album.dir, forced, &whole, &sealed.certificate)?;
    let sizes = photographs.iter().map(|photo: &Chosen| photo.outcome.done.sizes);
    let sizes = sizes.fold((0, 0), |sum, sizes| (sum.0 + sizes.0, sum.1 + sizes.1));
    let psnr_db = whole.evidence().psnr_db(table.peak());
    Ok(AlbumOutcome {
        verdict: sealed.verdict,
        lambda,
        gap,
        single,
        encodes: table.encodes(),
        distortion: Distortion::of(&whole)?,
        psnr_db: psnr_db.map_err(untold)?,
        sizes,
        content: *whole.target_root(),
        certificate: certificate_path(&album.dir),
        time: started.1.elapsed(),
        photographs,
        note: unsynced,
    })
}

/// The proof of the album from those of its photographs, and its certificate.
fn sealed(
    album: &Album,
    made: &[Made],
    budget: Budget,
    started: SystemTime,
) -> Result<(VerifiedWhole, Sealed)> {
    let root = album.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut signature, mut parts) = (Signature::default(), Vec::new());
    let (mut sources, mut targets, mut styles) = (Vec::new(), Vec::new(), Vec::<ColumnStyle>::new());
    for (index, (Made { proof, .. }, job)) in (0..).zip(made.iter().zip(&album.jobs)) {
        let Model::Signal(of_photo) = proof.whole.model() else { return Err(Failure::bug("no signal")) };
        let name = name_in(&album.dir, &job.target);
        add(&mut signature, &name, of_photo);
        for part in proof.whole.parts() {
            let claim = Claim { part: index, ..part.claim().clone() };
            parts.push(Verified::check(claim, &proof.read).map_err(Failure::bug)?);
        }
        let (source, target) = &proof.files;
        sources.push(source.clone());
        targets.push(certificate::File { name: format!("{root}/{name}"), ..target.clone() });
        styles.push(proof.style.clone());
    }
    let records = Records { counted: signature.samples().unwrap_or(u64::MAX), set_aside: 0 };
    let whole = VerifiedWhole::assemble(&Model::Signal(signature), parts, records);
    let whole = whole.map_err(|error| Failure::Mismatch(error.to_string()))?;
    let mut facts = seal::facts(sources, targets, &album.parameters, styles, started);
    facts.budget = budget;
    let sealed = seal(&whole, facts, album.strict)?;
    Ok((whole, sealed))
}

/// Adds a photograph to the signature of its album: its array under the name of its file, and its attributes
/// under that name and their key.
pub(super) fn add(album: &mut Signature, name: &str, photo: &Signature) {
    for array in &photo.arrays {
        album.arrays.push(coherence::signal::Array { name: name.to_owned(), ..array.clone() });
    }
    let keys = photo.attributes.iter().map(|(key, value)| (format!("{name}/{key}"), value.clone()));
    album.attributes.extend(keys);
    // The sort is stable: texts with one key stay in the order of the file.
    album.attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
}

/// The name of a target within its album: its path below the directory.
pub fn name_in(dir: &Path, target: &Path) -> String {
    target.strip_prefix(dir).unwrap_or(target).to_string_lossy().into_owned()
}
