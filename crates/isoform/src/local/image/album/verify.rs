//! Provides the later check of albums, and what a second run needs to know: whether anything changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use coherence::certificate::Certificate;
use coherence::content::{Model, PartContent};
use coherence::digest::{Digest, ObjectDigest};
use coherence::found::Found;
use coherence::sample::SampleType;
use coherence::signal::Signature;
use coherence::statement::{DigestSet, Predicate, SignalContent};
use coherence::verified::VerifiedWhole;
use formats::file::ObjectFile;
use formats::image::{self, Image, ImageFormat};
use formats::media::Codec;
use formats::words::counted;

use super::super::super::effective::{asked, check_dropped};
use super::super::super::hash_object;
use super::super::super::keys::own_key_id;
use super::super::super::relative;
use super::super::super::replace::Replace;
use super::super::super::seal::{refuse_foreign_certificate, refuse_own_source, with_path};
use super::super::super::staging::certificate_path;
use super::super::super::survey::is_about;
use super::super::super::verify::{
    Checked, Evidence, NOT_AT_HAND, as_stated, check_companions, differs, read_certificate, unknown_bounds,
};
use super::super::verify::{Space, codec, in_samples, part, whole};
use super::super::{ImageJob, Spaced, approximated, content, decode, in_older_space, in_space};
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
fn refuse_orphans(album: &Album, at: PathBuf, listed: &BTreeMap<String, DigestSet>) -> Result<()> {
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
fn listed(certificate: &Certificate) -> BTreeMap<String, DigestSet> {
    let subjects = certificate.statement().subject.iter();
    subjects.map(|subject| (below(&subject.name).to_owned(), subject.digest.clone())).collect()
}

/// The name of a file without that of its directory.
fn below(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, file)| file)
}

fn is_listed(
    (dir, target): (&Path, &Path),
    listed: &BTreeMap<String, DigestSet>,
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
    let target = |name: &String| -> Result<Image> {
        let image = decode(&ObjectFile::open(&dir.join(name))?, to, memory)?;
        let sample = types.get(name.as_str()).copied().unwrap_or(image.sample);
        Ok(image::lifted(image, sample)?)
    };
    let found = match sources {
        [] => {
            let mut all = Contents::default();
            listed.keys().try_for_each(|name| all.push(name, &target(name)?))?;
            Sides { target: all.root()?, whole: None }
        }
        sources => {
            let about = (dir, predicate, certified, &listed);
            beside_sources(about, (to, &types, &target), sources, memory)?
        }
    };
    if found.target != certified.target {
        return Err(differs(dir));
    }
    passed("content", format!("all of {photographs} was decoded; its digest is that of the certificate"));
    let of_sources = match (&found.whole, sources.first()) {
        (Some(whole), _) => as_certified(predicate, whole, dir)?,
        (None, Some(first)) => return Err(other_content(first)),
        (None, None) => NOT_AT_HAND.into(),
    };
    passed("source", of_sources);
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
    listed: &BTreeMap<String, DigestSet>,
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

/// What an album and its sources hold.
struct Sides {
    /// The root of the content of the album.
    target: String,
    /// All photographs, each measured against its source; `None` where these hold something else than was
    /// certified.
    whole: Option<VerifiedWhole>,
}

/// The failure of sources that hold something else than was certified.
fn other_content(first: &Path) -> Failure {
    let shown = first.display();
    Failure::Mismatch(format!("{shown} and others: their content is not the one that was certified"))
}

/// The photograph of this name in an album.
type Decoded<'a> = dyn Fn(&String) -> Result<Image> + 'a;

/// Decodes the sources beside the album, and measures each photograph.
fn beside_sources(
    (dir, predicate, certified, listed): (&Path, &Predicate, &SignalContent, &BTreeMap<String, DigestSet>),
    (to, types, target): (ImageFormat, &BTreeMap<&str, SampleType>, &Decoded<'_>),
    sources: &[PathBuf],
    memory: u64,
) -> Result<Sides> {
    let drops = predicate.conversion.parameters.contains_key("drop");
    let decoded = |path: &PathBuf, name: &String| -> Result<Image> {
        let file = ObjectFile::open(path)?;
        let image = decode(&file, super::super::format_of(&file)?, memory)?;
        let sample = types.get(name.as_str()).copied().unwrap_or(image.sample);
        in_samples(image, sample)
    };
    let digest = |text: &str| text.parse::<Digest>().map_err(Failure::bug);
    let sides = |space: Space| -> Result<Sides> {
        let (mut signature, mut theirs, mut ours) =
            (Signature::default(), Contents::default(), Contents::default());
        let (mut parts, mut lacking) = (Vec::new(), Vec::new());
        let files = predicate.source.iter().zip(sources);
        for (index, ((name, file), (recorded, path))) in (0..).zip(listed.iter().zip(files)) {
            let Spaced { image: source, dropped, .. } = space(decoded(path, name)?, to, drops)?;
            let made = target(name)?;
            lacking.push((dir.join(name), dropped));
            ours.push(name, &made)?;
            theirs.push(name, &source)?;
            if source.signature() == made.signature() {
                add(&mut signature, name, &source.signature());
                let digests = (index, digest(&recorded.digest.blake3)?, digest(&file.blake3)?);
                let evidence = approximated(&source, &made)?;
                parts.push(part(digests, (&source, &made), evidence)?);
            }
        }
        let same = theirs.root()? == certified.source && parts.len() == listed.len();
        let whole = if same { Some(whole(signature, parts)?) } else { None };
        let told = certified.arrays.iter().map(|array| &array.style).zip(lacking).filter(|_| same);
        told.into_iter()
            .try_for_each(|(told, (made, dropped))| check_dropped(&told.members(), &dropped, &made))?;
        Ok(Sides { target: ours.root()?, whole })
    };
    let found = sides(in_space)?;
    match found.whole {
        Some(_) => Ok(found),
        // What the older rule refuses was not certified by it.
        None => Ok(sides(in_older_space).unwrap_or(found)),
    }
}

/// Checks what is certified of the distance of an album, whose parts are its photographs.
fn as_certified(predicate: &Predicate, whole: &VerifiedWhole, dir: &Path) -> Result<String> {
    let stated = &predicate.distortion;
    let budget = stated.budget().map_err(|error| unknown_bounds(predicate, dir, &error))?;
    check_companions(&budget, 0.0, 0, dir)?;
    let what = "its photographs are not as far from their sources as was certified";
    as_stated(predicate, &Found::measured(whole, &budget), (dir, what))?;
    whole.check(&budget).map_err(|error| {
        let shown = dir.display();
        Failure::Mismatch(format!("{shown}: the bounds that were certified do not hold: {error}"))
    })?;
    let (count, d) = (whole.parts().len(), &stated.d);
    let psnr = stated.psnr_db.as_deref().unwrap_or("unknown");
    Ok(format!(
        "{count} were decoded again, and are what was certified: the album is at d = {d}, PSNR {psnr} dB"
    ))
}

/// The content of images under their names.
#[derive(Default)]
struct Contents {
    signature: Signature,
    parts: Vec<PartContent>,
}

impl Contents {
    fn push(&mut self, name: &str, image: &Image) -> Result<()> {
        add(&mut self.signature, name, &image.signature());
        self.parts.push(content(image)?);
        Ok(())
    }

    fn root(self) -> Result<String> {
        let model = Model::Signal(self.signature);
        let whole = model.tile(&self.parts).map_err(Failure::bug)?;
        Ok(model.root(whole.units, &whole.leaves).map_err(Failure::bug)?.to_string())
    }
}
