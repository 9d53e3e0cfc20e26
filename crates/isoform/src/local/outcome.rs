//! Provides [`Outcome`]: what a person is told of a table that was converted, and [`Done`]: what of anything.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coherence::certificate::{ColumnStyle, Verdict};
use coherence::digest::Digest;
use coherence::schema::Schema;
use coherence::verified::VerifiedWhole;
use formats::concat::Fill;
use formats::registry::Format;

use super::job::Job;
use super::seal::Sealed;
use super::source::Source;
use super::staging::certificate_path;

/// What every conversion tells, whatever it converted.
#[derive(Debug, Clone)]
pub struct Done {
    /// What was proven.
    pub verdict: Verdict,
    /// Bytes of source and target.
    pub sizes: (u64, u64),
    /// The content digest of the target.
    pub content: Digest,
    /// Where the certificate is.
    pub certificate: PathBuf,
    /// Who signed it.
    pub key_id: Digest,
    /// Time spent on reading and converting, and on verifying.
    pub times: (Duration, Duration),
    /// What a person should know besides.
    pub notes: Vec<String>,
}

impl Done {
    /// What was done where this was proven and sealed of a target with this name.
    pub(super) fn of(
        (whole, sealed): (&VerifiedWhole, &Sealed),
        target: &Path,
        sizes: (u64, u64),
        times: (Duration, Duration),
        notes: Vec<String>,
    ) -> Self {
        let (content, certificate) = (*whole.target_root(), certificate_path(target));
        Done { verdict: sealed.verdict, sizes, content, certificate, key_id: sealed.key_id, times, notes }
    }
}

/// What was done with a table.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What every conversion tells.
    pub done: Done,
    /// Rows of the table.
    pub rows: u64,
    /// Columns with their types and whether their text comes back.
    pub columns: Vec<(String, String, bool)>,
    /// Why the text of a column does not come back, by its name, where there is something to say.
    pub whys: HashMap<String, String>,
    /// How the sources are read, where that is as anybody would expect.
    pub plain: Vec<String>,
    /// Columns that are text by few fields or for want of a choice, with what keeps each from another type.
    pub missed: Vec<(String, String)>,
    /// Parts, and how many of them an earlier run had finished.
    pub parts: (usize, usize),
    /// Partitions, where the target is a directory of such.
    pub partitions: Option<u64>,
    /// Media types from and to.
    pub media_types: (&'static str, &'static str),
    /// Sources and their bytes.
    pub sources: Vec<(PathBuf, u64)>,
    /// Columns that single sources lack.
    pub fills: Vec<Fill>,
    /// Records that were set aside.
    pub set_aside: u64,
}

impl Outcome {
    /// What was done, as far as every way to make a table tells it alike: what was proven and sealed, of
    /// columns of this schema and these styles, in a target of so many bytes.
    pub(super) fn of(
        (job, source): (&Job, &Source),
        proven: (&VerifiedWhole, &Sealed),
        (schema, styles): (&Schema, &[ColumnStyle]),
        bytes: u64,
        times: (Duration, Duration),
    ) -> Self {
        let whole = proven.0;
        let objects = source.objects.iter();
        let notes = job.notes_on(&source.opened);
        Outcome {
            done: Done::of(proven, &job.target, (source.size(), bytes), times, notes),
            rows: whole.units(),
            columns: columns(schema, styles),
            whys: whys(source),
            plain: source.opened.plain.clone(),
            // Text that is written as it was read has lost nothing by its type.
            missed: match job.write.format {
                Format::Csv | Format::Tsv => Vec::new(),
                _ => source.opened.missed(),
            },
            parts: (whole.parts().len(), 0),
            partitions: whole.partitioned().map(|partitioned| partitioned.count),
            media_types: (source.media_type(), job.write.media.media_type.as_str()),
            sources: objects.map(|object| (object.path.clone(), object.digest.size)).collect(),
            fills: source.opened.fills().to_vec(),
            set_aside: source.set_aside(),
        }
    }
}

/// Why the texts of columns do not come back, by name.
fn whys(source: &Source) -> HashMap<String, String> {
    let fields = source.opened.table().schema().fields().iter().zip(source.opened.why());
    let told = fields.filter(|(_, why)| !why.lost.is_empty());
    told.map(|(field, why)| (field.name().clone(), why.lost.clone())).collect()
}

/// Columns with their types, and whether their text comes back.
fn columns(schema: &Schema, styles: &[ColumnStyle]) -> Vec<(String, String, bool)> {
    let fields = schema.fields.iter().zip(styles);
    fields.map(|(field, style)| (field.name.clone(), field.ty.to_string(), style.reversible)).collect()
}
