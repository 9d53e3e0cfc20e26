//! Provides what kind of conversion was asked for, with all that is to be done: of bytes, of an image, of
//! arrays or of a table.

use std::path::{Path, PathBuf};

use ::formats::file::ObjectFile;
use ::formats::recognise::hidden;
use ::formats::registry::Format;
use coherence::digest::ObjectDigest;
use serde_json::{Map, Value};

use super::sources::{Sources, paths};
use super::{bytes, certified, convert, image, signal};
use crate::cli::Convert;
use crate::failure::Result;
use crate::local::Job;
use crate::local::bytes::BytesJob;
use crate::local::image::ImageJob;
use crate::local::replace::Replace;
use crate::local::signal::SignalJob;
use crate::local::standard::is_plain_file;
use crate::progress::Progress;

/// A conversion, by what it keeps.
pub enum Kind {
    /// The bytes inside a wrapping.
    Bytes(Box<BytesJob>),
    /// The samples and attributes of an image.
    Image(Box<ImageJob>),
    /// Arrays of samples, among which are sounds.
    Signal(Box<SignalJob>),
    /// Rows of typed cells.
    Table(Box<Job>),
}

impl Kind {
    /// The first of them that sources and target are: only the wrapping changes, or both sides are images, or
    /// one is a container of arrays; what is left is a table, whose refusals then tell what is missing.
    ///
    /// # Errors
    /// Options that this kind does not have; sources that cannot be looked at.
    pub fn of(args: &Convert, sources: &Sources, target: &Path) -> Result<Self> {
        if let Some(job) = bytes::job(args, sources, target)? {
            return Ok(Kind::Bytes(Box::new(job)));
        }
        let paths = paths(&sources.found);
        refuse_hidden(args, &paths)?;
        if let Some(job) = image::job(args, &paths, target)? {
            return Ok(Kind::Image(Box::new(job)));
        }
        if let Some(job) = signal::job(args, &paths, target)? {
            return Ok(Kind::Signal(Box::new(job)));
        }
        Ok(Kind::Table(Box::new(convert::job(args, sources, target)?)))
    }

    /// The same with the types that a certificate beside the source of a table tells, and the digests of the
    /// source where these were needed for it.
    ///
    /// # Errors
    /// A source that cannot be read; an interruption.
    pub fn followed(self, args: &Convert, progress: &Progress) -> Result<(Self, Option<ObjectDigest>)> {
        match self {
            Kind::Table(job) => {
                let (job, object) = certified::followed_and_hashed(*job, args, progress)?;
                Ok((Kind::Table(Box::new(job)), object))
            }
            other => Ok((other, None)),
        }
    }

    /// The same for another target.
    #[must_use]
    pub fn with_target(mut self, target: PathBuf) -> Self {
        match &mut self {
            Kind::Bytes(job) => job.target = target,
            Kind::Image(job) => job.target = target,
            Kind::Signal(job) => job.target = target,
            Kind::Table(job) => job.target = target,
        }
        self
    }

    /// The same where this may be in the place of the target.
    #[must_use]
    pub fn replacing(mut self, replace: Replace) -> Self {
        match &mut self {
            Kind::Bytes(job) => job.replace = replace,
            Kind::Image(job) => job.replace = replace,
            Kind::Signal(job) => job.replace = replace,
            Kind::Table(job) => job.replace = replace,
        }
        self
    }

    /// What its certificate will record besides what follows from the run.
    pub fn parameters_mut(&mut self) -> &mut Map<String, Value> {
        match self {
            Kind::Bytes(job) => &mut job.parameters,
            Kind::Image(job) => &mut job.parameters,
            Kind::Signal(job) => &mut job.parameters,
            Kind::Table(job) => &mut job.parameters,
        }
    }

    /// What its certificate will record of the options.
    pub fn parameters(&self) -> &Map<String, Value> {
        match self {
            Kind::Bytes(job) => &job.parameters,
            Kind::Image(job) => &job.parameters,
            Kind::Signal(job) => &job.parameters,
            Kind::Table(job) => &job.parameters,
        }
    }
}

/// Refuses sources whose wrapping hides what is read without one alone. A person who says that it is text has
/// the last word.
fn refuse_hidden(args: &Convert, sources: &[PathBuf]) -> Result<()> {
    let said = args.reading.from.as_deref().and_then(|name| Format::named(name).ok());
    if said.is_some_and(Format::is_text) {
        return Ok(());
    }
    for path in sources.iter().filter(|path| is_plain_file(path)) {
        if let Some(error) = hidden(&ObjectFile::open(path)?)? {
            return Err(error.in_file(path).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::commands::sources::Source;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const NPY: &[u8] = b"\x93NUMPY\x01\0";

    /// The kind of a conversion of a file that holds these bytes and lies so below what was typed.
    fn kind(below: &str, bytes: &[u8], target: &str) -> Kind {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let typed = Cli::try_parse_from(["isoform", "convert", "SOURCE", target]).unwrap();
        let Command::Convert(args) = typed.command else { panic!("convert was typed") };
        let found = vec![Source { path, folder: PathBuf::new(), below: below.into() }];
        Kind::of(&args, &Sources { found, ..Sources::default() }, Path::new(target)).unwrap()
    }

    #[test]
    fn the_first_kind_that_both_sides_are_is_meant() {
        assert!(matches!(kind("a.csv", b"a\n1\n", "b.csv.gz"), Kind::Bytes(_)));
        assert!(matches!(kind("k=1/a.csv", b"a\n1\n", "b.csv.gz"), Kind::Table(_)));
        assert!(matches!(kind("a.csv", b"a\n1\n", "b.parquet"), Kind::Table(_)));
        assert!(matches!(kind("a.png", PNG, "b.webp"), Kind::Image(_)));
        assert!(matches!(kind("a.png", PNG, "b.npy"), Kind::Signal(_)));
        assert!(matches!(kind("a.npy", NPY, "b.npz"), Kind::Signal(_)));
    }

    #[test]
    fn another_target_changes_nothing_else() {
        let kind = kind("a.csv", b"a\n1\n", "b.parquet");
        let parameters = kind.parameters().clone();
        let moved = kind.with_target("-".into());
        assert_eq!(*moved.parameters(), parameters);
        assert!(matches!(moved, Kind::Table(job) if job.target == Path::new("-")));
    }
}
