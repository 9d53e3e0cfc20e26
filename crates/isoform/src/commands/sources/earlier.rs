//! Provides what an earlier run made for one target, as the certificate tells it. Nothing else of such a name
//! is taken for that: what is no source may be replaced.

use std::path::{Path, PathBuf};

use ::formats::file::ObjectFile;
use coherence::certificate::Certificate;

use crate::local::rejects::Recorded;
use crate::local::staging::{PART_ENDING, beside, certificate_path};
use crate::local::survey::is_about;
use crate::local::verify::read_certificate;
use crate::local::{has_certified_files, hash_untold, without_slash};

/// What an earlier run made for one target.
#[derive(Debug)]
pub struct Earlier {
    /// The target and its certificate, where they are.
    target: Option<PathBuf>,
    at: Option<PathBuf>,
    certificate: Certificate,
    /// Whether the target is as it was certified, once that was looked at.
    holds: Option<bool>,
    rejects: Option<Recorded>,
}

impl Earlier {
    /// What the certificate beside a target tells, if there is one that can be read. Where a target that
    /// exists is not replaced, the run is refused in any case, and its bytes, which may be many, are not
    /// looked at.
    pub fn beside(target: &Path, replaced: bool) -> Option<Self> {
        let target = without_slash(target);
        let certificate = read_certificate(&certificate_path(&target), None).ok()?;
        let rejects = Recorded::of(&certificate.statement().predicate.conversion.parameters);
        let at = certificate_path(&target).canonicalize().ok();
        let holds = (!replaced).then_some(true);
        Some(Earlier { target: target.canonicalize().ok(), at, certificate, holds, rejects })
    }

    /// Whether that run made this file or directory. A target that was changed since is not what it made, and
    /// neither is a rejects file.
    pub fn made(&mut self, path: &Path) -> bool {
        let real = path.canonicalize().ok();
        match real.is_some() && (real == self.target || real == self.at) {
            true => self.holds(),
            false => self.rejects.as_ref().is_some_and(|rejects| rejects.is_at(path)),
        }
    }

    /// Whether that run read a file of one of these names.
    pub fn read_one_of(&self, files: &[PathBuf]) -> bool {
        let sources = &self.certificate.statement().predicate.source;
        let is_name = |name: &str| sources.iter().any(|source| source.name == name);
        files.iter().filter_map(|file| file.file_name()).any(|name| is_name(&name.to_string_lossy()))
    }

    fn holds(&mut self) -> bool {
        let (target, certificate) = (self.target.as_deref(), &self.certificate);
        *self.holds.get_or_insert_with(|| target.is_some_and(|target| is_made(target, certificate)))
    }
}

/// Whether a target has the bytes that its certificate is about; or the finished temporary beside it has
/// them, of a run that ended after the certificate had got its name.
fn is_made(target: &Path, certificate: &Certificate) -> bool {
    if target.is_dir() {
        return has_certified_files(target, certificate);
    }
    is_as_certified(target, certificate)
        || beside(target, PART_ENDING).is_ok_and(|part| is_as_certified(&part, certificate))
}

fn is_as_certified(target: &Path, certificate: &Certificate) -> bool {
    if !target.is_file() {
        return false;
    }
    let object = ObjectFile::open(target).map_err(Into::into).and_then(|file| hash_untold(&file));
    object.is_ok_and(|object| is_about(certificate, &object))
}
