//! Witnesses of verification. Only [`Verified::check`] makes a [`Verified`], only verified parts make a
//! [`VerifiedWhole`], and only a verified whole makes a certificate: an unverified one does not compile.

use crate::claim::{Claim, ReadBack};
use crate::content::{self, ContentError, PartContent};
use crate::digest::Digest;
use crate::evidence::{ColumnRule, Evidence, EvidenceError};
use crate::schema::Schema;
use thiserror::Error;

/// Where a claim and its read-back part ways. A mismatch is an outcome, found by looking, not a failure to
/// look.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum Mismatch {
    /// The count of rows changed.
    #[error("part {part}: {claimed} rows were claimed and {found} found")]
    Rows {
        /// Index of the part.
        part: u64,
        /// Rows claimed.
        claimed: u64,
        /// Rows found.
        found: u64,
    },
    /// A list of leaves does not cover the rows and columns.
    #[error("part {part}: {found} leaves where {expected} cover its rows and columns")]
    Leaves {
        /// Index of the part.
        part: u64,
        /// Leaves that rows and columns ask for.
        expected: u64,
        /// Leaves there are.
        found: u64,
    },
    /// The bytes read are not the bytes written.
    #[error("part {part}: the bytes read back have digest {found}, not {claimed}")]
    Result {
        /// Index of the part.
        part: u64,
        /// Digest claimed.
        claimed: Digest,
        /// Digest found.
        found: Digest,
    },
    /// The content decoded is not the content claimed.
    #[error("part {part}: the content of chunk {chunk}, column {column} is not what was claimed")]
    Content {
        /// Index of the part.
        part: u64,
        /// Chunk within the part.
        chunk: u64,
        /// Index of the column.
        column: usize,
    },
    /// A column that must not change changed.
    #[error("part {part}: chunk {chunk} of the exact column {column} changed")]
    Changed {
        /// Index of the part.
        part: u64,
        /// Chunk within the part.
        chunk: u64,
        /// Index of the column.
        column: usize,
    },
    /// The measured distance is not the distance claimed, or does not belong to these rows.
    #[error("part {part}: the evidence about column {column} is not what was claimed")]
    Evidence {
        /// Index of the part.
        part: u64,
        /// Index of the column.
        column: usize,
    },
}

/// A claim that was read back and found true. There is no other way to make one:
///
/// ```compile_fail,E0451
/// use coherence::{claim::Claim, verified::Verified};
/// fn forge(claim: Claim) -> Verified {
///     Verified { claim }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Verified {
    claim: Claim,
}

impl Verified {
    /// Compares a claim with what was read back. This is the only way to a [`Verified`].
    pub fn check(claim: Claim, found: &ReadBack) -> Result<Self, Mismatch> {
        let part = claim.part;
        if claim.rows != found.rows {
            return Err(Mismatch::Rows { part, claimed: claim.rows, found: found.rows });
        }
        let columns = claim.evidence.columns.len();
        let expected = content::leaf_count(claim.rows, columns).unwrap_or(u64::MAX);
        for leaves in [&claim.content, &claim.source_content, &found.content] {
            if leaves.len() as u64 != expected {
                return Err(Mismatch::Leaves { part, expected, found: leaves.len() as u64 });
            }
        }
        if let Some((chunk, column)) = content::first_mismatch(columns, &claim.content, &found.content) {
            return Err(Mismatch::Content { part, chunk, column });
        }
        if claim.result != found.result {
            return Err(Mismatch::Result { part, claimed: claim.result, found: found.result });
        }
        check_evidence(&claim, &found.evidence)?;
        Ok(Self { claim })
    }

    /// The claim, now known to be true.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }
}

/// Evidence must be what was measured, belong to these rows, and agree with the digests.
fn check_evidence(claim: &Claim, found: &Evidence) -> Result<(), Mismatch> {
    let part = claim.part;
    let columns = claim.evidence.columns.len();
    if found.columns.len() != columns || claim.evidence.rows != claim.rows || found.rows != claim.rows {
        return Err(Mismatch::Evidence { part, column: columns });
    }
    for (column, (claimed, found)) in claim.evidence.columns.iter().zip(&found.columns).enumerate() {
        if claimed != found || claimed.cells != claim.rows {
            return Err(Mismatch::Evidence { part, column });
        }
    }
    let mut changed = vec![false; columns];
    for (chunk, column) in content::mismatches(columns, &claim.source_content, &claim.content) {
        if claim.evidence.columns[column].rule == ColumnRule::Exact {
            return Err(Mismatch::Changed { part, chunk, column });
        }
        changed[column] = true;
    }
    // Equal digests mean that nothing differs, and unequal ones that something does.
    let differs = claim.evidence.columns.iter().map(|column| column.differing > 0);
    match differs.zip(changed).position(|(differs, changed)| differs != changed) {
        Some(column) => Err(Mismatch::Evidence { part, column }),
        None => Ok(()),
    }
}

/// What an independent scan of the source counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records {
    /// Records in the source.
    pub counted: u64,
    /// Records among them that were set aside, and are not in the target.
    pub set_aside: u64,
}

/// Parts that do not make a whole.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum WholeError {
    /// Parts are missing, doubled or out of order.
    #[error("part {found} stands where part {expected} should")]
    Order {
        /// Index that the place asks for.
        expected: u64,
        /// Index of the part that stands there.
        found: u64,
    },
    /// The parts hold more or fewer rows than the source has records.
    #[error(
        "the source has {counted} records, {set_aside} of them set aside, and the parts hold {rows} rows"
    )]
    Count {
        /// Records counted by the independent scan.
        counted: u64,
        /// Records set aside.
        set_aside: u64,
        /// Rows of all parts.
        rows: u64,
    },
    /// Leaves do not fit the schema or the grid.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The evidence of the parts does not merge.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// A whole block whose every part was verified, with nothing missing.
#[derive(Clone, Debug)]
pub struct VerifiedWhole {
    schema: Schema,
    records: Records,
    parts: Vec<Verified>,
    evidence: Evidence,
    content: PartContent,
    source_root: Digest,
    target_root: Digest,
}

impl VerifiedWhole {
    /// Puts verified parts together, in order, and checks that they tile the source.
    pub fn assemble(schema: &Schema, parts: Vec<Verified>, records: Records) -> Result<Self, WholeError> {
        let columns = schema.columns();
        for (expected, part) in (0..).zip(&parts) {
            if part.claim.part != expected {
                return Err(WholeError::Order { expected, found: part.claim.part });
            }
        }
        let content = tile(columns, &parts, |claim| &claim.content)?;
        let source = tile(columns, &parts, |claim| &claim.source_content)?;
        let Records { counted, set_aside } = records;
        if content.rows.checked_add(set_aside) != Some(counted) {
            return Err(WholeError::Count { counted, set_aside, rows: content.rows });
        }
        let mut merged = match parts.first() {
            None => Evidence::equal(0, columns),
            Some(part) => part.claim.evidence.clone(),
        };
        for part in parts.iter().skip(1) {
            merged.merge(&part.claim.evidence)?;
        }
        Ok(Self {
            source_root: content::content_root(schema, source.rows, &source.leaves)?,
            target_root: content::content_root(schema, content.rows, &content.leaves)?,
            schema: schema.clone(),
            records,
            parts,
            evidence: merged,
            content,
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.content.rows
    }

    /// What the independent scan counted.
    pub fn records(&self) -> Records {
        self.records
    }

    /// The schema that both contents have.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[Verified] {
        &self.parts
    }

    /// The merged evidence of all parts.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Leaves of the target.
    pub fn leaves(&self) -> &[Digest] {
        &self.content.leaves
    }

    /// Content root of the source.
    pub fn source_root(&self) -> &Digest {
        &self.source_root
    }

    /// Content root of the target.
    pub fn target_root(&self) -> &Digest {
        &self.target_root
    }

    /// True when source and target have the same content.
    pub fn is_equal(&self) -> bool {
        self.source_root == self.target_root
    }
}

/// Lays the leaves of all parts side by side. Only the last part may end within a chunk.
fn tile(
    columns: usize,
    parts: &[Verified],
    leaves: fn(&Claim) -> &Vec<Digest>,
) -> Result<PartContent, ContentError> {
    let contents: Vec<PartContent> = parts
        .iter()
        .map(|part| PartContent {
            rows: part.claim.rows,
            columns: part.claim.evidence.columns.len(),
            leaves: leaves(&part.claim).clone(),
        })
        .collect();
    PartContent::concat(columns, &contents)
}
