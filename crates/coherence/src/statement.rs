//! The signed statement as JSON holds it: in-toto v1 with this project's predicate.
//!
//! These are shapes for the edge alone. Counts and measures are decimal strings, because readers of JSON keep
//! numbers exact only up to 2^53.

use crate::digest::{Digest, ObjectDigest};
use crate::members::Members;
pub use crate::parameters::{Parameters, RowsOfExceptions};
pub use crate::style::Style;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Type of the statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// Type of the predicate.
pub const PREDICATE_TYPE: &str = "urn:isoform:conversion:v1";

/// Objects, and what is stated about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// The files made.
    pub subject: Vec<Subject>,
    /// [`PREDICATE_TYPE`].
    pub predicate_type: String,
    /// What is stated.
    pub predicate: Predicate,
}

/// A file made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// File name, without its folder; for a file of a directory, the path from where the directory lies.
    pub name: String,
    /// Digests of its bytes.
    pub digest: DigestSet,
}

/// Digests of the same bytes, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestSet {
    /// SHA-256.
    pub sha256: String,
    /// BLAKE3.
    pub blake3: String,
}

/// Everything stated about one conversion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// What was asked for, of which tool.
    pub conversion: Conversion,
    /// The files read.
    pub source: Vec<Source>,
    /// The contents on both sides.
    pub content: Content,
    /// How far apart they are.
    pub distortion: Distortion,
    /// How that is known.
    pub verification: Verification,
    /// Where it ran.
    pub execution: Execution,
    /// The signer's public key, PEM.
    pub key: String,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Conversion {
    /// The program.
    pub tool: Tool,
    /// Media type read.
    pub from: String,
    /// Media type written.
    pub to: String,
    /// Options that decide the result.
    pub parameters: Parameters,
    /// RFC 3339 time.
    pub started_on: String,
    /// RFC 3339 time.
    pub finished_on: String,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
}

/// A file read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// File name, without its folder.
    pub name: String,
    /// Digests of its bytes.
    pub digest: DigestSet,
    /// Media type.
    pub media_type: String,
    /// Bytes.
    pub size: String,
}

/// The contents of source and target; `model` says which of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "camelCase", try_from = "Members")]
pub enum Content {
    /// Rows of typed cells.
    Table(TableContent),
    /// Rows of typed cells, in partitions.
    #[serde(rename = "partitioned-table")]
    Partitioned(TableContent),
    /// Named arrays of samples.
    Signal(SignalContent),
    /// A byte string.
    Bytes(BytesContent),
}

/// Tables on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TableContent {
    /// Name of the digest scheme.
    pub scheme: String,
    /// How a `partitioned-table` is partitioned; absent for a `table`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub partitions: Option<Partitions>,
    /// Content root of the source.
    pub source: String,
    /// Content root of the target.
    pub target: String,
    /// True when the two roots are the same.
    pub equal: bool,
    /// Rows.
    pub rows: String,
    /// Columns.
    pub columns: String,
    /// Type of each column, in order.
    pub type_map: Vec<TypedColumn>,
}

/// How a table is partitioned. Its content is, for each partition, the rows of the source with these values
/// in the source's order; the order of rows of different partitions is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partitions {
    /// Names of the partitioning columns, in the order of the directories.
    pub columns: Vec<String>,
    /// Number of partitions.
    pub count: String,
}

/// Byte strings on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BytesContent {
    /// Name of the digest scheme.
    pub scheme: String,
    /// Content root of the source.
    pub source: String,
    /// Content root of the target.
    pub target: String,
    /// True when the two roots are the same.
    pub equal: bool,
    /// Bytes of the content, as they are without any wrapping.
    pub bytes: String,
}

/// Signals on both sides. The target's samples are taken in the sample types of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalContent {
    /// Name of the digest scheme.
    pub scheme: String,
    /// Content root of the source.
    pub source: String,
    /// Content root of the target.
    pub target: String,
    /// True when the two roots are the same.
    pub equal: bool,
    /// Samples of all arrays.
    pub samples: String,
    /// The arrays, by name.
    pub arrays: Vec<SignalArray>,
    /// What else is content, such as a colour profile, by key.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub attributes: Vec<SignalAttribute>,
}

impl SignalContent {
    /// Whether an attribute of this key and value is a part of what was certified.
    pub fn holds(&self, key: &str, value: &[u8]) -> bool {
        let digest = Digest::blake3(value).to_string();
        self.attributes.iter().any(|attribute| attribute.key == key && attribute.blake3 == digest)
    }
}

/// One array of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalArray {
    /// Its name; empty where the format names none.
    pub name: String,
    /// Type of its samples in the source.
    #[serde(rename = "type")]
    pub ty: String,
    /// Lengths of its axes, the slowest first.
    pub shape: Vec<String>,
    /// What its axes mean; absent where nothing is said.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub meaning: String,
    /// How the target holds the samples.
    pub style: Style,
}

/// What belongs to a signal besides its samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalAttribute {
    /// What it is.
    pub key: String,
    /// BLAKE3 of its value.
    pub blake3: String,
}

impl Content {
    /// The tables, in partitions or not.
    pub fn table(&self) -> Option<&TableContent> {
        match self {
            Self::Table(table) | Self::Partitioned(table) => Some(table),
            Self::Signal(_) | Self::Bytes(_) => None,
        }
    }

    /// Name of the digest scheme.
    pub fn scheme(&self) -> &str {
        match self {
            Self::Table(table) | Self::Partitioned(table) => &table.scheme,
            Self::Signal(signal) => &signal.scheme,
            Self::Bytes(bytes) => &bytes.scheme,
        }
    }

    /// Content root of the source.
    pub fn source(&self) -> &str {
        match self {
            Self::Table(table) | Self::Partitioned(table) => &table.source,
            Self::Signal(signal) => &signal.source,
            Self::Bytes(bytes) => &bytes.source,
        }
    }

    /// Content root of the target.
    pub fn target(&self) -> &str {
        match self {
            Self::Table(table) | Self::Partitioned(table) => &table.target,
            Self::Signal(signal) => &signal.target,
            Self::Bytes(bytes) => &bytes.target,
        }
    }

    /// True when the two roots are said to be the same.
    pub fn equal(&self) -> bool {
        match self {
            Self::Table(table) | Self::Partitioned(table) => table.equal,
            Self::Signal(signal) => signal.equal,
            Self::Bytes(bytes) => bytes.equal,
        }
    }
}

/// The type that the values of a column have on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypedColumn {
    /// Name of the column.
    pub name: String,
    /// Logical type.
    #[serde(rename = "type")]
    pub ty: String,
    /// How text spells the values.
    pub style: Style,
    /// True when converting back gives the same field text.
    pub reversible: bool,
}

/// Distance between the contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Distortion {
    /// Distance measured.
    pub d: String,
    /// Distance allowed.
    pub epsilon: String,
    /// Norm of the source.
    pub norm: String,
    /// Cells, samples or bytes that the distance is over: of arrays of which only some may differ, the
    /// samples of those.
    pub n: String,
    /// Root mean square error: `d / √n`.
    pub rmse: String,
    /// Peak signal-to-noise ratio in dB; `inf` when nothing differs, absent where there is no peak.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub psnr_db: Option<String>,
    /// Largest absolute difference between two numbers.
    pub max_abs: String,
    /// `1 - d / norm`.
    pub coherence: String,
    /// The part, or piece, with the least coherence; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub worst_part: Option<WorstPart>,
    /// The pieces that had the bounds of the parts; absent where the parts had them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pieces: Option<Pieces>,
    /// Bounds that were checked.
    pub gates: Vec<Gate>,
}

/// What had the bounds of the parts: runs of samples, such as the seconds of a sound, or tiles of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pieces {
    /// Samples of each; the last may have fewer, and so may tiles at the right and lower edge.
    pub samples: String,
    /// How many there are.
    pub count: String,
    /// Pixels of a side of a tile; absent of runs. Tiles are counted from the upper left corner, row by row.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub side: Option<String>,
}

/// The part, or piece, with the least coherence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorstPart {
    /// Its index.
    pub index: String,
    /// Its coherence.
    pub coherence: String,
}

/// A bound that was checked and held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// `whole` or `part`; with what is measured after a dash, where that is no rate of the norm:
    /// `whole-rmse`, `part-max-abs`. `part-absolute-rmse`, which a part may have whatever its norm; in its
    /// place `part-absolute`, a distance, in certificates of earlier versions. Or what a gate measures:
    /// `ssimulacra2`, `butteraugli`.
    pub name: String,
    /// Greatest value allowed; of `ssimulacra2` the least.
    pub limit: String,
    /// What was measured, of a gate; the distance stands beside its bounds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<String>,
    /// The program that measured a gate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
}

/// How the distance is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// [`crate::certificate::Verdict`], in capitals.
    pub verdict: String,
    /// Counts of parts.
    pub parts: PartCounts,
    /// Expected coherence.
    pub tau: Tau,
    /// Largest probability that some part misses its floor undetected.
    pub undetected: String,
    /// What was checked, by whom.
    pub checks: Vec<Check>,
    /// The table of all parts.
    pub table: PartTable,
}

/// Counts of parts, by what was done to verify them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartCounts {
    /// All parts.
    pub total: String,
    /// Decoded whole.
    pub decoded: String,
    /// Decoded in samples.
    pub sampled: String,
    /// Converted more than once.
    pub replicated: String,
    /// Found wrong at first.
    pub mismatched: String,
    /// Done again.
    pub redone: String,
}

/// Expected coherence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tau {
    /// Asked for.
    pub requested: String,
    /// Reached.
    pub reached: String,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What was done.
    pub name: String,
    /// Key of who did it.
    pub by: String,
    /// To how much of the whole.
    pub scope: String,
    /// `PASSED`, or `WARNED` for records that were set aside.
    pub result: String,
}

/// Where the table of all parts is to be recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartTable {
    /// Digest of the table's bytes.
    pub digest: TableDigest,
}

/// Digest of the table of parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableDigest {
    /// BLAKE3.
    pub blake3: String,
}

/// Where the conversion ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Execution {
    /// `local`.
    pub mode: String,
    /// Nodes that took part.
    pub nodes: Vec<Value>,
    /// What it cost.
    pub cost: Map<String, Value>,
}

impl From<&ObjectDigest> for DigestSet {
    fn from(object: &ObjectDigest) -> Self {
        Self { sha256: object.sha256.to_string(), blake3: object.blake3.to_string() }
    }
}
