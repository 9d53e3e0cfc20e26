//! Provides the later check of albums, and what a second run needs to know: whether anything changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use coherence::certificate::Certificate;
use coherence::content::{Model, PartContent};
use coherence::digest::ObjectDigest;
use coherence::sample::SampleType;
use coherence::signal::Signature;
use coherence::statement::{Predicate, SignalContent};
use formats::file::ObjectFile;
use formats::image::{self, Image, ImageFormat};
use formats::media::Codec;
use formats::words::counted;

use super::super::super::effective::asked;
use super::super::super::hash_object;
use super::super::super::keys::own_key_id;
use super::super::super::relative;
use super::super::super::replace::Replace;
use super::super::super::seal::{refuse_foreign_certificate, refuse_own_source, with_path};
use super::super::super::staging::certificate_path;
use super::super::super::survey::is_about;
use super::super::super::verify::{Checked, Evidence, NOT_AT_HAND, differs, read_certificate};
use super::super::verify::{Space, codec, in_samples};
use super::super::{ImageJob, content, decode, in_older_space, in_space};
use super::{Album, add, name_in};
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::Progress;

/// Whether all targets are what the certificate of the album says, made from these sources as this run would
/// make them.
pub fn is_current(album: &Album, progress: &Progress) -> Result<bool> {
    let at = certificate_path(&album.dir);
    let Ok(certificate) = read_certificate(&at, None) else { return Ok(false) };
    let predicate = &certificate.statement().predicate;
    let tool = &predicate.conversion.tool;
    let ours = tool.name == "isoform" && tool.version == env!("CARGO_PKG_VERSION");
    let as_many = predicate.source.len() == album.jobs.len();
    if !ours || !as_many || asked(&predicate.conversion.parameters) != asked(&album.parameters) {
        return Ok(false);
    }
    progress.begin(Stage::Checking, 0, 0);
    let listed = listed(&certificate);
    for (job, recorded) in album.jobs.iter().zip(&predicate.source) {
        let source = hash_object(&ObjectFile::open(&job.source)?, progress)?;
        let name = job.source.file_name().unwrap_or_default().to_string_lossy();
        let same = recorded.name == name && recorded.digest == (&source).into();
        if !same || !is_listed((&album.dir, &job.target), &listed, progress)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What may be in the place of each target and be replaced: what an earlier run made of the same photographs,
/// as they are or were.
///
/// # Errors
/// A target exists that is not, or something lies where a certificate is to come that is none, and is not to
/// be replaced; or the certificate of an earlier run is about files that this album does not make.
pub fn own_targets(album: &Album, progress: &Progress) -> Result<Vec<Replace>> {
    let at = certificate_path(&album.dir);
    let forced = album.jobs.iter().all(|job| job.replace.is_any());
    refuse_foreign_certificate(&album.dir, forced)?;
    album.jobs.iter().try_for_each(|job| refuse_own_source(&job.source, &album.dir))?;
    let certificate = read_certificate(&at, None).ok();
    let listed = certificate.as_ref().map(listed).unwrap_or_default();
    // A key that cannot be used is told where it is to sign.
    let own_key = own_key_id().ok().flatten();
    let is_own = |certificate: &Certificate| Some(certificate.key_id()) == own_key.as_ref();
    if certificate.as_ref().is_some_and(|certificate| !forced && !is_own(certificate)) {
        let why = "another key signed it; give another --out-dir to keep it".to_owned();
        return Err(Failure::Stale(at, why));
    }
    let told = certificate.as_ref().map(|own| own.statement().predicate.conversion.parameters.clone());
    let told = told.unwrap_or_default();
    let is_of = |job: &ImageJob| {
        relative::leads_to(&told, &name_in(&album.dir, &job.target), &job.source, &job.target)
    };
    if !forced {
        refuse_orphans(album, at, &listed)?;
    }
    let own = |job: &ImageJob| {
        let (target, force) = (&job.target, job.replace.is_any());
        refuse_foreign_certificate(target, force)?;
        if force || target.symlink_metadata().is_err() {
            return Ok(force.into());
        }
        // The state that is looked at below.
        let found = Replace::only(target)?;
        let is_made =
            || -> Result<bool> { Ok(is_of(job) && is_listed((&album.dir, target), &listed, progress)?) };
        let is_ours = is_made()? || is_left(job, &is_own, progress)?;
        if is_ours { Ok(found) } else { Err(Failure::Exists(target.clone())) }
    };
    album.jobs.iter().map(own).collect()
}

/// Whether a target is what a run like this one left that failed before the album had its certificate: its
/// own certificate is about its bytes, tells the same source and options, and is signed by one's own key.
fn is_left(job: &ImageJob, is_own: &dyn Fn(&Certificate) -> bool, progress: &Progress) -> Result<bool> {
    let found = read_certificate(&certificate_path(&job.target), None);
    let Some(certificate) = found.ok().filter(is_own) else { return Ok(false) };
    let Predicate { source, conversion, .. } = &certificate.statement().predicate;
    let alike = asked(&conversion.parameters) == with_path(&job.parameters, &job.source);
    let ([source], true) = (source.as_slice(), alike && job.target.is_file()) else { return Ok(false) };
    let hashed = |path: &Path| hash_object(&ObjectFile::open(path)?, progress);
    Ok(is_about(&certificate, &hashed(&job.target)?) && source.digest == (&hashed(&job.source)?).into())
}

/// Refuses to replace a certificate that is about files of the directory which this album does not make:
/// what was proven of them together would be lost.
fn refuse_orphans(
    album: &Album,
    at: PathBuf,
    listed: &BTreeMap<String, coherence::statement::DigestSet>,
) -> Result<()> {
    let made: BTreeSet<String> = album.jobs.iter().map(|job| name_in(&album.dir, &job.target)).collect();
    let is_there = |name: &String| album.dir.join(name).symlink_metadata().is_ok();
    let mut orphans = listed.keys().filter(|name| !made.contains(*name) && is_there(name));
    let Some(first) = orphans.next() else { return Ok(()) };
    let more = match orphans.count() {
        0 => String::new(),
        count => format!(" and {}", counted(count, "other file")),
    };
    let why = format!(
        "it is about {first}{more}, which this album does not hold; give another --out-dir to keep it"
    );
    Err(Failure::Stale(at, why))
}

/// The targets that a certificate lists, by their names in the directory.
fn listed(certificate: &Certificate) -> BTreeMap<String, coherence::statement::DigestSet> {
    let subjects = certificate.statement().subject.iter();
    subjects.map(|subject| (below(&subject.name).to_owned(), subject.digest.clone())).collect()
}

/// The name of a file without that of its directory.
fn below(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, file)| file)
}

fn is_listed(
    (dir, target): (&Path, &Path),
    listed: &BTreeMap<String, coherence::statement::DigestSet>,
    progress: &Progress,
) -> Result<bool> {
    let Some(digest) = listed.get(&name_in(dir, target)) else { return Ok(false) };
    if !target.is_file() {
        return Ok(false);
    }
    let object: ObjectDigest = hash_object(&ObjectFile::open(target)?, progress)?;
    Ok(*digest == (&object).into())
}

/// Checks the files and the content of an album, and its sources where they are at hand.
pub fn check_album(
    dir: &Path,
    (certificate_at, certificate): (&Path, &Certificate),
    certified: &SignalContent,
    sources: &[PathBuf],
    memory: u64,
    progress: &Progress,
) -> Result<Evidence> {
    let predicate = &certificate.statement().predicate;
    let mut checks =
        vec![Checked { name: "signature", found: format!("valid, by key {}", certificate.key_id()) }];
    let mut passed = |name, found: String| checks.push(Checked { name, found });
    progress.begin(Stage::Verifying, 0, 0);
    let listed = listed(certificate);
    let to = target_format(dir, predicate)?;
    let photographs = counted(check_files(dir, certificate, progress)?, "photograph");
    passed("bytes", format!("{photographs}; the digests are those of the certificate"));
    let types: BTreeMap<&str, SampleType> = certified
        .arrays
        .iter()
        .filter_map(|array| Some((array.name.as_str(), array.ty.parse().ok()?)))
        .collect();
    let target = |name: &String| -> Result<(String, Image)> {
        let image = decode(&ObjectFile::open(&dir.join(name))?, to, memory)?;
        let sample = types.get(name.as_str()).copied().unwrap_or(image.sample);
        Ok((name.clone(), image::lifted(image, sample)?))
    };
    let names: Vec<String> = listed.keys().cloned().collect();
    let root = root(names.iter().map(target))?;
    if root != certified.target {
        return Err(differs(dir));
    }
    passed("content", format!("all of {photographs} was decoded; its digest is that of the certificate"));
    passed("source", check_sources(predicate, (certified, &types), (to, &names), sources, memory)?);
    Ok(Evidence {
        target: dir.to_owned(),
        certificate: certificate_at.to_owned(),
        key_id: *certificate.key_id(),
        key_pinned: false,
        verdict: certificate.verdict(),
        counted: ("samples", certified.samples.parse().unwrap_or(0)),
        content: certified.target.clone(),
        sources: sources.to_vec(),
        checks,
    })
}

/// Checks the files of an album, of which there must be no others, and counts them.
pub fn check_files(dir: &Path, certificate: &Certificate, progress: &Progress) -> Result<usize> {
    let listed = listed(certificate);
    refuse_others(dir, dir, target_format(dir, &certificate.statement().predicate)?, &listed)?;
    for name in listed.keys() {
        if !is_listed((dir, &dir.join(name)), &listed, progress)? {
            let shown = dir.display();
            return Err(Failure::Mismatch(format!(
                "{shown}: {name} is missing, or its bytes are not those that were certified"
            )));
        }
    }
    Ok(listed.len())
}

/// The format of an album's files.
fn target_format(dir: &Path, predicate: &Predicate) -> Result<ImageFormat> {
    match codec(&predicate.conversion.to, &predicate.conversion.parameters)? {
        Codec::Image(format) => Ok(format),
        _ => Err(differs(dir)),
    }
}

/// An image of the format that the certificate does not list would be taken for one of the album of `root`.
/// Hidden directories are no part of it.
fn refuse_others(
    root: &Path,
    dir: &Path,
    to: ImageFormat,
    listed: &BTreeMap<String, coherence::statement::DigestSet>,
) -> Result<()> {
    let failed = |error| Failure::io(dir, error);
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, is_dir) = (entry.path(), entry.file_type().map_err(failed)?.is_dir());
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if is_dir {
            refuse_others(root, &path, to, listed)?;
            continue;
        }
        let name = name_in(root, &path);
        let image = path.extension().and_then(|ending| ImageFormat::named(ending.to_str()?));
        if image == Some(to) && !listed.contains_key(&name) {
            let shown = root.display();
            return Err(Failure::Mismatch(format!(
                "{shown}: holds {name}, which the certificate does not list"
            )));
        }
    }
    Ok(())
}

/// Decodes the sources, where they are at hand, and compares their content with what was certified.
fn check_sources(
    predicate: &Predicate,
    (certified, types): (&SignalContent, &BTreeMap<&str, SampleType>),
    (to, names): (ImageFormat, &[String]),
    sources: &[PathBuf],
    memory: u64,
) -> Result<String> {
    if sources.is_empty() {
        return Ok(NOT_AT_HAND.into());
    }
    let drops = predicate.conversion.parameters.contains_key("drop");
    let decoded = |(path, name): (&PathBuf, &String)| -> Result<(String, Image)> {
        let file = ObjectFile::open(path)?;
        let image = decode(&file, super::super::format_of(&file)?, memory)?;
        let sample = types.get(name.as_str()).copied().unwrap_or(image.sample);
        Ok((name.clone(), in_samples(image, sample)?))
    };
    let same = |space: Space| -> Result<bool> {
        let compared = |source| {
            let (name, image) = decoded(source)?;
            Ok((name, space(image, to, drops)?.image))
        };
        Ok(root(sources.iter().zip(names).map(compared))? == certified.source)
    };
    // What the older rule refuses was not certified by it.
    if !same(in_space)? && !same(in_older_space).unwrap_or(false) {
        let shown = sources[0].display();
        return Err(Failure::Mismatch(format!(
            "{shown} and others: their content is not the one that was certified"
        )));
    }
    let (d, psnr) = (&predicate.distortion.d, predicate.distortion.psnr_db.as_deref().unwrap_or("unknown"));
    let count = sources.len();
    Ok(format!(
        "{count} were decoded again, and are what was certified: the album is at d = {d}, PSNR {psnr} dB"
    ))
}

/// The root of the content of images under their names.
fn root(images: impl Iterator<Item = Result<(String, Image)>>) -> Result<String> {
    let (mut signature, mut parts): (Signature, Vec<PartContent>) = (Signature::default(), Vec::new());
    for found in images {
        let (name, image) = found?;
        add(&mut signature, &name, &image.signature());
        parts.push(content(&image)?);
    }
    let model = Model::Signal(signature);
    let whole = model.tile(&parts).map_err(Failure::bug)?;
    Ok(model.root(whole.units, &whole.leaves).map_err(Failure::bug)?.to_string())
}
