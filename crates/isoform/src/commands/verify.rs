//! `verify`.

mod reading;

use std::path::{Path, PathBuf};

use ::formats::file::ObjectFile;
use ::formats::words::{argument, some_of};
use coherence::certificate::Certificate;
use coherence::digest::{Digest, ObjectDigest};
use serde_json::{Value, json};

use super::sources::files_below;
use super::{certified, options, within};
use crate::cli::{Output, Verify};
use crate::failure::{DONE, Failure, Result, SOME_FAILED};
use crate::local::among::Among;
use crate::local::at_hand::{Said, find_sources};
use crate::local::effective::of_sources;
use crate::local::memory::parse_size;
use crate::local::rejects;
use crate::local::staging::{CERTIFICATE_ENDING, certificate_path};
use crate::local::survey::{Survey, is_about, target_of};
use crate::local::verify::{
    Checked, Evidence, missing, read_certificate, read_named_certificate, set_aside, verify,
};
use crate::local::{hash_object, without_slash};
use crate::meter::Stage;
use crate::progress::Progress;
use crate::report;
use reading::{misread, recorded_reading};

/// Checks one target, or several, or all in directories.
pub fn run(args: &Verify, output: &Output) -> Result<u8> {
    let pinned = args.key.as_deref().map(|key| {
        key.parse::<Digest>()
            .map_err(|error| Failure::Usage(format!("--key: {error}; see `isoform key show`")))
    });
    let check = Check {
        args,
        pinned: pinned.transpose()?,
        said: said(&args.source)?,
        workers: options::workers(&args.machine)?,
        memory: parse_size(&args.machine.memory)?,
        progress: Progress::new(output)?,
    };
    match args.targets.as_slice() {
        [only] if !is_survey(args, only) => {
            let evidence = check.one(&without_slash(only), Ahead::default())?;
            check.progress.finish();
            report::result(output, &document(&evidence), &lines(&evidence));
            Ok(DONE)
        }
        several => check.several(several, output),
    }
}

/// Where sources are said to be: below the paths, if one of these is a directory.
fn said(paths: &[PathBuf]) -> Result<Said> {
    if !paths.iter().any(|path| path.is_dir()) {
        return Ok(if paths.is_empty() { Said::Nothing } else { Said::Files(paths.to_vec()) });
    }
    let mut files = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => files.extend(files_below(path)?),
            false => files.push(path.clone()),
        }
    }
    Ok(Said::Among(Among::new(paths, files)))
}

/// Whether a path names a directory whose targets are meant, and not one that is a target itself.
fn is_survey(args: &Verify, path: &Path) -> bool {
    let own = certificate_path(&without_slash(path));
    path.is_dir() && !own.is_file() && args.certificate.as_ref().is_none_or(|named| named.is_dir())
}

/// What every check shares.
struct Check<'a> {
    args: &'a Verify,
    pinned: Option<Digest>,
    said: Said,
    workers: usize,
    memory: u64,
    progress: Progress,
}

/// Bytes of targets that are still to be checked, with their sources, by stage.
#[derive(Debug, Default, Clone, Copy)]
struct Ahead {
    checking: u64,
    verifying: u64,
}

impl Ahead {
    /// One target: its recorded sources are hashed, and both sides decoded.
    fn of(target: &Path, certificate: &Certificate) -> Self {
        let own = target.metadata().ok().filter(|found| found.is_file()).map_or(0, |found| found.len());
        let recorded = certificate.statement().predicate.source.iter();
        let size = recorded.filter_map(|source| source.size.parse::<u64>().ok()).sum();
        Ahead { checking: size, verifying: u64::saturating_add(own, size) }
    }

    fn stages(self) -> [(Stage, u64); 2] {
        [(Stage::Checking, self.checking), (Stage::Verifying, self.verifying)]
    }

    fn and(self, other: Ahead) -> Ahead {
        let sum = u64::saturating_add;
        Ahead {
            checking: sum(self.checking, other.checking),
            verifying: sum(self.verifying, other.verifying),
        }
    }

    fn without(self, other: Ahead) -> Ahead {
        let difference = u64::saturating_sub;
        Ahead {
            checking: difference(self.checking, other.checking),
            verifying: difference(self.verifying, other.verifying),
        }
    }
}

/// That a target has no certificate beside it: it may be one itself.
fn uncertified(target: &Path) -> Failure {
    let (shown, of) = (target.display(), target_of(target));
    let is_of_one = of != target && target.file_name().is_some_and(|name| name != CERTIFICATE_ENDING);
    Failure::Other(match (target.exists(), is_of_one && target.is_file()) {
        (_, true) if of.exists() => {
            let (of, named) = (of.display(), argument(&of));
            format!("{shown}: is the certificate of {of}; name that: isoform verify {named}")
        }
        (_, true) => format!(
            "{shown}: is the certificate of {}, which is not there; if that has another name now: \
             isoform verify NAME --certificate {}",
            of.display(),
            argument(target)
        ),
        (true, _) => format!(
            "{shown}: no certificate beside it; name its certificate with --certificate, or the directory \
             where that may be"
        ),
        (false, _) => format!("{shown}: no such file; give the name of a target or directory"),
    })
}

/// What is to be checked of one argument.
enum Work {
    Target(PathBuf),
    Directory(PathBuf, Survey),
}

/// What was found out about several targets.
#[derive(Default)]
struct Tally {
    documents: Vec<Value>,
    text: Vec<String>,
    /// What is wrong with each that failed.
    errors: Vec<String>,
    /// Tables that have no certificate.
    uncertified: Vec<PathBuf>,
    /// Links that are called like tables and lead nowhere.
    dangling: Vec<PathBuf>,
    /// Temporaries of conversions that run, or were interrupted.
    leftovers: Vec<PathBuf>,
}

impl Check<'_> {
    /// Checks one target, after which `rest` lies ahead.
    fn one(&self, target: &Path, rest: Ahead) -> Result<Evidence> {
        let (at, certificate) = self.find_certificate(target)?;
        self.under(target, &at, &certificate, rest)
    }

    fn under(&self, target: &Path, at: &Path, certificate: &Certificate, rest: Ahead) -> Result<Evidence> {
        if target.symlink_metadata().is_err() {
            return Err(missing(target, at, certificate, &self.progress)?);
        }
        let parameters = &certificate.statement().predicate.conversion.parameters;
        let mut reading = recorded_reading((at, certificate), of_sources(parameters), self.memory)?;
        let many = options::recorded_many(parameters, &mut reading)?;
        let whole = Ahead::of(target, certificate);
        self.progress.left(&whole.and(rest).stages());
        let found = find_sources(certificate, target, &self.said, &self.progress)?;
        let sources = found.paths;
        if sources.is_empty() {
            let own = Ahead { checking: 0, verifying: whole.verifying - whole.checking };
            self.progress.left(&own.and(rest).stages());
        } else {
            let told = certified::recorded(certificate, at)?;
            reading.iter_mut().for_each(|reading| reading.certified.clone_from(&told));
        }
        let reading = (reading.as_slice(), &many);
        let machine = (self.workers, self.memory);
        let checked = verify(target, at, certificate, &sources, reading, machine, &self.progress);
        let mut evidence = checked.map_err(|failure| {
            match misread((at, certificate), &sources, self.memory, &self.progress, failure) {
                // It is so only where the target itself is as certified.
                Ok(misread) => {
                    let alone = verify(target, at, certificate, &[], reading, machine, &self.progress);
                    alone.err().unwrap_or(misread)
                }
                Err(failure) => failure,
            }
        })?;
        within::check_stated(at, &certificate.statement().predicate)?;
        evidence.key_pinned = self.pinned.is_some();
        if let Some(lacking) = found.lacking {
            let source = evidence.checks.iter_mut().find(|check| check.name == "source");
            source.into_iter().for_each(|check| check.found.clone_from(&lacking));
        }
        evidence.checks.extend(set_aside(certificate));
        evidence.checks.extend(rejects::checked(target, at, certificate)?);
        Ok(evidence)
    }

    /// The certificate that was named; or the one beside the target; or, in a directory that was named, the
    /// one that is about the target's bytes.
    fn find_certificate(&self, target: &Path) -> Result<(PathBuf, Certificate)> {
        let shown = target.display();
        match &self.args.certificate {
            Some(dir) if dir.is_dir() && target.is_dir() => {
                let dir = dir.display();
                let text = "the target is a directory, and its certificate is not found by one digest";
                Err(Failure::Usage(format!("--certificate {dir}: {text}; name the file")))
            }
            Some(dir) if dir.is_dir() => {
                let object = self.hashed(target)?;
                let Survey { certificates, unread, .. } = Survey::of(dir)?;
                let found = certificates.into_iter().find_map(|path| {
                    let certificate = read_certificate(&path, self.pinned.as_ref()).ok()?;
                    is_about(&certificate, &object).then_some((path, certificate))
                });
                match (found, unread.into_iter().next()) {
                    (Some(found), _) => Ok(found),
                    // It may be where nothing could be read.
                    (None, Some((_, failure))) => Err(failure),
                    (None, None) => {
                        let dir = dir.display();
                        Err(Failure::Other(format!(
                            "{shown}: no certificate in {dir} is about these bytes; name another place with \
                             --certificate, or convert the source again"
                        )))
                    }
                }
            }
            named => {
                let path = named.clone().unwrap_or_else(|| certificate_path(target));
                if named.is_none() && !path.exists() {
                    return Err(uncertified(target));
                }
                let pinned = self.pinned.as_ref();
                let certificate = match named {
                    Some(path) => read_named_certificate(path, pinned, &self.progress)?,
                    None => read_certificate(&path, pinned)?,
                };
                Ok((path, certificate))
            }
        }
    }

    fn several(&self, targets: &[PathBuf], output: &Output) -> Result<u8> {
        let surveys = targets.iter().any(|target| is_survey(self.args, target));
        let Verify { certificate, source, .. } = self.args;
        if !source.iter().all(|path| path.is_dir()) {
            let text =
                "--source is about one target, unless it is a directory in which the sources of all are";
            return Err(Failure::Usage(format!("{text} found by name; verify that target by itself")));
        }
        if certificate.as_ref().is_some_and(|path| surveys || !path.is_dir()) {
            let text = "--certificate is about one target; verify that one by itself";
            return Err(Failure::Usage(text.into()));
        }
        let work = targets.iter().map(|target| match is_survey(self.args, target) {
            true => Ok(Work::Directory(target.clone(), Survey::of(target)?)),
            false => Ok(Work::Target(without_slash(target))),
        });
        let work = work.collect::<Result<Vec<_>>>()?;
        let mut rest = work.iter().map(|work| self.ahead(work)).fold(Ahead::default(), Ahead::and);
        self.progress.left(&rest.stages());
        let mut tally = Tally::default();
        for work in work {
            match work {
                Work::Directory(dir, survey) => self.directory(&dir, survey, &mut rest, &mut tally)?,
                Work::Target(target) => {
                    rest = rest.without(self.expected(&target, None));
                    tally.take(&target, self.one(&target, rest))?;
                }
            }
        }
        self.progress.finish();
        let (total, failed) = (tally.documents.len(), tally.errors.len());
        tally.text.push(some_of(total - failed, total, "target", "hold"));
        let named = [
            (&tally.uncertified, "without a certificate"),
            (&tally.dangling, "passed over, as what the link leads to is not there"),
            (
                &tally.leftovers,
                "left by conversions that still run or were interrupted; converting again, with --force \
                 where the target is there, removes them",
            ),
        ];
        tally.text.extend(named.iter().filter_map(|(paths, what)| report::listed(paths, what)));
        let paths = |paths: &[PathBuf]| paths.iter().map(|path| path.to_string_lossy().into()).collect();
        let [uncertified, dangling, leftovers]: [Vec<String>; 3] =
            [&tally.uncertified, &tally.dangling, &tally.leftovers].map(|found| paths(found));
        let whole = json!({
            "schema": "isoform.verify-directory/v1", "targets": tally.documents, "failed": failed,
            "uncertified": uncertified, "dangling": dangling, "leftovers": leftovers,
        });
        if output.quiet {
            tally.errors.iter().for_each(|error| self.progress.line(&format!("isoform: {error}")));
        }
        report::result(output, &whole, &tally.text);
        Ok(if failed == 0 { DONE } else { SOME_FAILED })
    }

    /// What checking will come to, as far as certificates tell before it begins.
    fn ahead(&self, work: &Work) -> Ahead {
        match work {
            Work::Target(target) => self.expected(target, None),
            Work::Directory(_, survey) => {
                let each = survey.certificates.iter().map(|at| self.expected(&target_of(at), Some(at)));
                each.fold(Ahead::default(), Ahead::and)
            }
        }
    }

    /// The same for one target; nothing where it has no certificate that can be read.
    fn expected(&self, target: &Path, at: Option<&Path>) -> Ahead {
        let at = at.map_or_else(|| certificate_path(target), Path::to_owned);
        let certificate = read_certificate(&at, self.pinned.as_ref());
        certificate.map_or(Ahead::default(), |certificate| Ahead::of(target, &certificate))
    }

    /// Every target that a certificate below a directory is about: the one beside it, or else the one among
    /// the tables without a certificate that has its bytes.
    fn directory(&self, dir: &Path, survey: Survey, rest: &mut Ahead, tally: &mut Tally) -> Result<()> {
        let Survey { certificates, mut bare, dangling, leftovers, unread } = survey;
        if certificates.is_empty() && unread.is_empty() {
            let shown = dir.display();
            return Err(Failure::Other(format!(
                "{shown}: no certificates in this directory; they end in {CERTIFICATE_ENDING}"
            )));
        }
        let mut digests: Vec<Option<ObjectDigest>> = vec![None; bare.len()];
        for at in certificates {
            let target = target_of(&at);
            *rest = rest.without(self.expected(&target, Some(&at)));
            let found = read_certificate(&at, self.pinned.as_ref()).and_then(|certificate| {
                let renamed = match target.symlink_metadata() {
                    Ok(_) => None,
                    Err(_) => self.renamed(&bare, &mut digests, &certificate)?,
                };
                let target = renamed.map(|index| bare[index].clone()).unwrap_or_else(|| target.clone());
                self.under(&target, &at, &certificate, *rest)
            });
            tally.take(&target, found)?;
        }
        let verified =
            |path: &PathBuf| tally.documents.iter().any(|d| d["target"] == *path.to_string_lossy());
        bare.retain(|path| !verified(path));
        tally.uncertified.extend(bare);
        tally.dangling.extend(dangling);
        tally.leftovers.extend(leftovers);
        unread.into_iter().try_for_each(|(path, failure)| tally.take(&path, Err(failure)))
    }

    /// Which of the tables without a certificate is the one that a certificate is about. One that cannot be
    /// read may be it, which is told where no other is.
    fn renamed(
        &self,
        bare: &[PathBuf],
        digests: &mut [Option<ObjectDigest>],
        certificate: &Certificate,
    ) -> Result<Option<usize>> {
        let mut unread = None;
        for (index, (path, digest)) in bare.iter().zip(digests).enumerate() {
            if digest.is_none() {
                match self.hashed(path) {
                    Ok(object) => *digest = Some(object),
                    Err(Failure::Interrupted) => return Err(Failure::Interrupted),
                    Err(failure) => unread = unread.or(Some(failure)),
                }
            }
            if digest.as_ref().is_some_and(|object| is_about(certificate, object)) {
                return Ok(Some(index));
            }
        }
        unread.map_or(Ok(None), Err)
    }

    /// The digests of a file.
    fn hashed(&self, path: &Path) -> Result<ObjectDigest> {
        hash_object(&ObjectFile::open(path)?, &self.progress)
    }
}

impl Tally {
    fn take(&mut self, target: &Path, found: Result<Evidence>) -> Result<()> {
        match found {
            Ok(evidence) => {
                self.documents.push(document(&evidence));
                self.text.extend(lines(&evidence));
            }
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(failure) => {
                let message = failure.to_string();
                self.errors.push(report::about(target, &message));
                self.text.push(format!("{}: FAILED: {message}", target.display()));
                let error = json!({ "exitCode": failure.code(), "message": message });
                self.documents.push(json!({ "target": target.to_string_lossy(), "error": error }));
            }
        }
        Ok(())
    }
}

fn document(evidence: &Evidence) -> Value {
    let checks = evidence.checks.iter().map(|check| json!({ "name": check.name, "found": check.found }));
    json!({
        "schema": "isoform.verify/v1",
        "target": evidence.target.to_string_lossy(),
        "certificate": evidence.certificate.to_string_lossy(),
        "keyId": evidence.key_id.to_string(),
        "keyPinned": evidence.key_pinned,
        "verdict": evidence.verdict.name(),
        (evidence.counted.0): evidence.counted.1,
        "content": evidence.content,
        "source": evidence.sources.first().map(|path| path.to_string_lossy()),
        "sources": evidence.sources.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        "checks": checks.collect::<Vec<_>>(),
    })
}

fn lines(evidence: &Evidence) -> Vec<String> {
    let mut lines = vec![format!("{}: {} holds", evidence.target.display(), evidence.verdict.name())];
    lines.extend(evidence.checks.iter().map(|Checked { name, found }| format!("  {name}: {found}")));
    lines
}
