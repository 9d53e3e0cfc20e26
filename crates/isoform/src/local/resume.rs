//! Provides what a conversion may take over from an interrupted one: whether its journal is of the same
//! conversion, and how far the columns had been typed when it was written.

use std::path::Path;

use coherence::digest::Digest;
use formats::typings::text_of;
use formats::write::Encoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Job;
use super::effective::asked;
use super::journal::{Entry, Journal};
use super::source::Source;
use crate::failure::{Failure, Result};

/// The shape of the journal; a journal of another shape is not read.
const SHAPE: &str = "isoform-journal/v3";

/// What a journal must share with a run to be of use to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The shape of the journal.
    shape: String,
    /// Digest of the sources.
    source: String,
    /// Digest of the program and the options.
    options: String,
    /// Digest of the styles under which the columns are read and written, as far as parts depend on them.
    typing: String,
    /// Whether all fields were profiled, and not only a sample.
    profiled: bool,
    /// Whether the styles in the metadata of a binary source were followed.
    advised: bool,
}

impl Identity {
    /// That of a run over this source, with this encoder.
    pub fn of(source: &Source, encoder: &Encoder, job: &Job) -> Result<Self> {
        let opened = &source.opened;
        let typing = match job.write.styles_come_last() {
            true => text_of(&opened.styles_of_values()?),
            false => text_of(&opened.styles()?) + &text_of(&opened.styles_for(encoder)?),
        };
        Ok(Self::under(&typing, source, job))
    }

    /// That of a run over this source whose parts depend on these styles.
    pub fn under(typing: &str, source: &Source, job: &Job) -> Self {
        Identity {
            shape: SHAPE.into(),
            source: source.digest().to_string(),
            options: options_of(job),
            typing: Digest::blake3(typing.as_bytes()).to_string(),
            profiled: !source.opened.can_retype(),
            advised: source.opened.follows_advice(),
        }
    }

    /// Digest of the styles.
    pub fn typing(&self) -> &str {
        &self.typing
    }

    /// Whether parts of the one are of use to the other. How far the columns had been typed is told by what
    /// they were typed as.
    pub fn is_like(&self, other: &Identity) -> bool {
        Identity { profiled: other.profiled, ..self.clone() } == *other
    }

    /// The line that a journal begins with.
    pub fn line(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Failure::bug)
    }

    /// The identity in such a line, unless it is of another shape.
    pub fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok().filter(|found: &Identity| found.shape == SHAPE)
    }
}

fn options_of(job: &Job) -> String {
    let parameters = Value::Object(asked(&job.parameters));
    let text = format!("{} {} {parameters}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    Digest::blake3(text.as_bytes()).to_string()
}

/// Types the source as far as the interrupted run had: parts that it wrote under another typing would be of
/// no use. `profile` is to look at all fields.
///
/// # Errors
/// The interrupted conversion was of another source, or had other options.
pub fn catch_up(
    found: &Identity,
    job: &Job,
    source: &mut Source,
    profile: impl FnOnce(&mut Source) -> Result<()>,
) -> Result<()> {
    let shown = job.target.display();
    let refused = |what: &str| {
        let next = "convert without --resume to begin anew";
        Err(Failure::Usage(format!("{shown}: {what} since the conversion was interrupted; {next}")))
    };
    if found.source != source.digest().to_string() {
        return refused("its source changed");
    }
    if found.options != options_of(job) {
        return refused("the options or the version of isoform changed");
    }
    if found.profiled && source.opened.can_retype() {
        profile(source)?;
    }
    if !found.advised {
        source.opened.forget_advice();
    }
    Ok(())
}

/// The finished parts of an interrupted run that was typed like this one.
pub fn finished(path: &Path, identity: &Identity, job: &Job) -> Result<Vec<Entry>> {
    let found = if job.resume { Journal::read(path)? } else { None };
    let same =
        |(line, _): &(String, Vec<Entry>)| Identity::parse(line).is_some_and(|found| found.is_like(identity));
    Ok(found.filter(same).map(|(_, entries)| entries).unwrap_or_default())
}
