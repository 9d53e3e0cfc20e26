//! Provides what a target of arrays is made in: one temporary or, for a model in several files, a directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coherence::verified::VerifiedWhole;
use formats::file::ObjectFile;
use formats::signal::{Shards, is_index};

use super::super::journal::{self, Journal};
use super::super::seal::refuse_same_file;
use super::super::shards::Sharded;
use super::super::staging::Staging;
use super::work::{Parts, Work};
use super::{Making, Opened, SignalJob, coded};
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// What is to become the target.
pub enum Target {
    /// One file, and where its journal is.
    File(Box<Staging>, PathBuf),
    /// Several with their index, and the count of their bytes.
    Shards(Sharded, u64),
}

impl Target {
    /// Makes the temporary of a target, and locks it.
    pub fn begin(job: &SignalJob) -> Result<Self> {
        if is_index(&job.target) {
            return Ok(Target::Shards(Sharded::make(&job.target, job.replace.is_any())?, 0));
        }
        let (staging, journal) = journal::begin(&job.target, job.replace, job.resume)?;
        Ok(Target::File(Box::new(staging), journal))
    }

    /// Writes all of it.
    pub fn make(
        &mut self,
        (job, opened): (&SignalJob, &Opened),
        making: Making,
        progress: &Progress,
    ) -> Result<(Parts, Option<Journal>)> {
        match (self, making) {
            (Target::File(staging, journal), Making::Parts(writer)) => {
                let work = Work { job, opened, writer, progress };
                let (parts, journal) = work.run(staging, Some(journal))?;
                Ok((parts, journal))
            }
            (Target::File(staging, journal), Making::Coded(target)) => {
                let (parts, journal) = coded::run((job, opened), &target, (staging, journal), progress)?;
                Ok((parts, Some(journal)))
            }
            (Target::Shards(sharded, bytes), Making::Shards(shards)) => {
                let (parts, made) = make_shards((job, opened), sharded, &shards, progress)?;
                *bytes = made;
                Ok((parts, None))
            }
            _ => Err(Failure::bug("an index of one file")),
        }
    }

    /// Waits until the bytes are on the disk, where those of several files are since each was made.
    pub fn sync(&mut self) -> Result<()> {
        match self {
            Target::File(staging, _) => staging.sync(),
            Target::Shards(..) => Ok(()),
        }
    }

    /// The finished target, under the name of its temporary.
    pub fn path(&self) -> PathBuf {
        match self {
            Target::File(staging, _) => staging.path().to_owned(),
            Target::Shards(sharded, _) => sharded.index(),
        }
    }

    /// Count of the bytes that were made.
    pub fn len(&self) -> u64 {
        match self {
            Target::File(staging, _) => staging.len(),
            Target::Shards(_, bytes) => *bytes,
        }
    }

    /// Finished parts of an earlier run that are not as it had noted them, and were made again.
    pub fn damaged(&self) -> usize {
        match self {
            Target::File(staging, _) => staging.damaged(),
            Target::Shards(..) => 0,
        }
    }

    /// Leaves nothing for a later run.
    pub fn give_up(&mut self) {
        if let Target::File(staging, _) = self {
            staging.keep(false);
        }
    }

    /// Makes certificate and target visible under their names; gives what is to be said of that.
    pub fn publish(self, proof: &VerifiedWhole, certificate: &[u8]) -> Result<Vec<String>> {
        match self {
            Target::File(staging, _) => Ok(staging.publish(proof, certificate)?.into_iter().collect()),
            Target::Shards(sharded, _) => sharded.publish(proof, certificate),
        }
    }
}

/// Writes one file after the other, and their index; gives the count of their bytes too.
fn make_shards(
    (job, opened): (&SignalJob, &Opened),
    sharded: &mut Sharded,
    shards: &Shards,
    progress: &Progress,
) -> Result<(Parts, u64)> {
    let names = shards.files.iter().map(|file| file.name.clone()).collect();
    sharded.named(names)?;
    let stored = opened.encodings();
    let (mut all, mut bytes) = (Parts::default(), shards.index.len() as u64);
    for (at, file) in shards.files.iter().enumerate() {
        let writer = shards.writer(at, opened.input().signature(), &stored)?;
        let mut staging = sharded.file(&file.name)?;
        let (made, _) = Work { job, opened, writer, progress }.run(&mut staging, None)?;
        staging.sync()?;
        bytes += staging.len();
        all.parts.extend(made.parts);
        all.entries.extend(made.entries);
        all.sources.extend(made.sources);
    }
    sharded.write_index(&shards.index)?;
    Ok((all, bytes))
}

/// Fails where a file of several would take the place of a source.
pub(super) fn refuse_own_shards<'a>(
    job: &SignalJob,
    making: &Making,
    mut sources: impl Iterator<Item = &'a Arc<ObjectFile>>,
) -> Result<()> {
    let places = shard_places(job, making);
    let refuse = |path: &Path| places.iter().try_for_each(|at| refuse_same_file("target", path, at));
    sources.try_for_each(|source| refuse(source.path()))
}

/// Where the files will be that an index tells of; none where the target is one file.
pub(super) fn shard_places(job: &SignalJob, making: &Making) -> Vec<PathBuf> {
    match making {
        Making::Shards(shards) => {
            shards.files.iter().map(|file| job.target.with_file_name(&file.name)).collect()
        }
        _ => Vec::new(),
    }
}
