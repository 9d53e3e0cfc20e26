//! Provides how the sources of a target are read again, as its certificate tells it, and what is told where
//! they cannot be.

use std::path::{Path, PathBuf};

use ::formats::media::{self, Codec};
use ::formats::open::OpenOptions;
use coherence::certificate::Certificate;
use coherence::dsse::shown;
use serde_json::{Map, Value};

use super::super::options;
use crate::failure::{Failure, Result, by_maker};
use crate::local::effective::{asked, check_reading};
use crate::local::open_sources;
use crate::local::verify::recorded_paths;
use crate::progress::Progress;

/// How the sources are read by these parameters of a certificate, each by its own or all by the only ones.
///
/// # Errors
/// The certificate tells what no option can be. Nobody typed that, so it is not told as an option.
pub fn recorded_reading(
    (at, certificate): (&Path, &Certificate),
    each: Vec<Map<String, Value>>,
    memory: u64,
) -> Result<Vec<OpenOptions>> {
    let unknown = |why: &str| {
        let (at, tool) = (at.display(), &certificate.statement().predicate.conversion.tool);
        Failure::Other(format!(
            "{at}: tells that a source was read in a way that is not known here ({}); {}",
            shown(why.trim_start_matches("--")),
            by_maker(&format!("{} {}", tool.name, tool.version))
        ))
    };
    let conversion = &certificate.statement().predicate.conversion;
    let dir = options::temporary_dir();
    let from = media::recorded(&conversion.from, &conversion.parameters);
    let each = each.into_iter().map(|parameters| {
        let mut recorded = options::recorded_reading(&parameters);
        if let (Some(Codec::Table(format)), true) = (from.map(|from| from.codec), recorded.from.is_none()) {
            // A type that only its definition knew is found by no name.
            recorded.from = parameters.contains_key("mediaTypes").then(|| format.name().to_owned());
        }
        options::reading(&recorded, &dir, memory).map_err(|failure| match failure {
            Failure::Usage(why) => unknown(&why),
            other => other,
        })
    });
    each.collect()
}

/// What is to be told where sources that have the bytes which were certified could not be read as the
/// certificate tells, or hold something else so: that it tells of another reading than the options lead to
/// which it records.
///
/// # Errors
/// The same failure, where that is not the reason.
pub fn misread(
    (at, certificate): (&Path, &Certificate),
    sources: &[PathBuf],
    memory: u64,
    progress: &Progress,
    failure: Failure,
) -> Result<Failure> {
    let predicate = &certificate.statement().predicate;
    let is_of_source = matches!(failure, Failure::Mismatch(_) | Failure::Format(_));
    if sources.is_empty() || !is_of_source || predicate.content.table().is_none() {
        return Err(failure);
    }
    let parameters = asked(&predicate.conversion.parameters);
    let found = || {
        let mut reading = recorded_reading((at, certificate), vec![parameters.clone()], memory)?;
        let many = options::recorded_many(&parameters, &mut reading)?;
        let names = recorded_paths(predicate, sources);
        Ok(open_sources(sources, &names, &reading, &many, progress)?.read_as())
    };
    match found().map(|found| check_reading(at, predicate, sources, &found)) {
        Ok(Err(misread)) => Ok(misread),
        Err(Failure::Interrupted) => Err(Failure::Interrupted),
        _ => Err(failure),
    }
}
