//! Witnesses of verification. Only [`Verified::check`] makes a [`Verified`], only verified parts make a
//! [`VerifiedWhole`], and only a verified whole makes a certificate: an unverified one does not compile.

use crate::budget::{Budget, OverBudget};
use crate::claim::{Claim, ReadBack, equal};
use crate::content::{self, ContentError, Grid, LeafAt, Model, PartContent};
use crate::digest::Digest;
use crate::evidence::{ColumnRule, Evidence, EvidenceError};
use crate::pieces::Pieces;
use crate::rows::Sequence;
use crate::schema::Schema;
use thiserror::Error;

/// Where a claim and its read-back part ways. A mismatch is an outcome, found by looking, not a failure to
/// look.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum Mismatch {
    /// The content is of another model or width.
    #[error("part {part}: {claimed:?} was claimed and {found:?} found")]
    Grid {
        /// Index of the part.
        part: u64,
        /// Grid claimed.
        claimed: Grid,
        /// Grid found.
        found: Grid,
    },
    /// The count of units changed.
    #[error("part {part}: {claimed} {unit} were claimed and {found} found")]
    Units {
        /// Index of the part.
        part: u64,
        /// What the units are called.
        unit: &'static str,
        /// Units claimed.
        claimed: u64,
        /// Units found.
        found: u64,
    },
    /// A list of leaves does not cover the content.
    #[error("part {part}: {found} leaves where {expected} cover its content")]
    Leaves {
        /// Index of the part.
        part: u64,
        /// Leaves that the content asks for.
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
    #[error("part {part}: the content of {at} is not what was claimed")]
    Content {
        /// Index of the part.
        part: u64,
        /// Place within the part.
        at: LeafAt,
    },
    /// Content that must not change changed.
    #[error("part {part}: {at} must not change, and changed")]
    Changed {
        /// Index of the part.
        part: u64,
        /// Place within the part.
        at: LeafAt,
    },
    /// Something that is no finite number became another thing, or a number became one.
    #[error("part {part}: {differing} samples are no finite number on one side only, or another one")]
    Symbols {
        /// Index of the part.
        part: u64,
        /// How many.
        differing: u64,
    },
    /// The measured distance is not the distance claimed, or does not belong to this content.
    #[error("part {part}: the evidence about array {array} is not what was claimed")]
    Evidence {
        /// Index of the part.
        part: u64,
        /// Index of the array: the column of a table, 0 for a byte string; for a signal 0 for what may be
        /// approximated and 1 for all else.
        array: usize,
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
        let (grid, unit) = (claim.grid, claim.grid.unit());
        if grid != found.grid {
            return Err(Mismatch::Grid { part, claimed: grid, found: found.grid });
        }
        if claim.units != found.units {
            return Err(Mismatch::Units { part, unit, claimed: claim.units, found: found.units });
        }
        let expected = grid.leaf_count(claim.units).unwrap_or(u64::MAX);
        for leaves in [&claim.content, &claim.source_content, &found.content] {
            if leaves.len() as u64 != expected {
                return Err(Mismatch::Leaves { part, expected, found: leaves.len() as u64 });
            }
        }
        if let Some((_, at)) = grid.mismatches(&claim.content, &found.content).next() {
            return Err(Mismatch::Content { part, at });
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

/// Evidence must be what was measured, belong to this content, and agree with the digests.
fn check_evidence(claim: &Claim, found: &Evidence) -> Result<(), Mismatch> {
    let part = claim.part;
    let columns = claim.grid.evidence_columns();
    let counts = [claim.evidence.columns.len(), found.columns.len()];
    if counts != [columns; 2] || claim.evidence.rows != claim.units || found.rows != claim.units {
        return Err(Mismatch::Evidence { part, array: columns });
    }
    // A part of a signal lies in one array, and so in one of the two columns.
    let of_signal = (claim.grid == Grid::Signal)
        .then(|| claim.evidence.columns.iter().position(|column| column.cells > 0).unwrap_or(0));
    for (array, (claimed, found)) in claim.evidence.columns.iter().zip(&found.columns).enumerate() {
        let cells = if of_signal.is_none_or(|only| only == array) { claim.units } else { 0 };
        if claimed != found || claimed.cells != cells {
            return Err(Mismatch::Evidence { part, array });
        }
        let numeric = matches!(claimed.rule, ColumnRule::Numeric { .. });
        if of_signal.is_some() && numeric && claimed.symbols_differing > 0 {
            return Err(Mismatch::Symbols { part, differing: claimed.symbols_differing });
        }
    }
    let mut changed = vec![false; columns];
    for (array, at) in claim.grid.mismatches(&claim.source_content, &claim.content) {
        let array = of_signal.unwrap_or(array);
        if matches!(claim.evidence.columns[array].rule, ColumnRule::Exact | ColumnRule::Fixed) {
            return Err(Mismatch::Changed { part, at });
        }
        changed[array] = true;
    }
    // Equal digests mean that nothing differs, and unequal ones that something does.
    let differs = claim.evidence.columns.iter().map(|column| column.differing > 0);
    match differs.zip(changed).position(|(differs, changed)| differs != changed) {
        Some(array) => Err(Mismatch::Evidence { part, array }),
        None => Ok(()),
    }
}

/// What a count of the source apart from its conversion found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records {
    /// Units in the source: records of a table, samples of a signal, content bytes of a byte string.
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
    /// The parts hold more or less than the source.
    #[error("{counted} {unit} were counted in the source, {set_aside} set aside, and the parts hold {units}")]
    Count {
        /// What the units are called.
        unit: &'static str,
        /// Units counted in the source.
        counted: u64,
        /// Records set aside.
        set_aside: u64,
        /// Units of all parts.
        units: u64,
    },
    /// Leaves do not fit the signature or the grid.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The evidence of the parts does not merge.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// A partition does not hold exactly the rows that belong to it, in their order.
    #[error("partition {path}: its rows are not those of the source that belong to it")]
    Partition {
        /// Path of the partition.
        path: String,
    },
    /// Pieces do not make the whole.
    #[error("what was measured of the pieces is not what was measured of the parts")]
    Pieces,
    /// Partitions are doubled, or out of order.
    #[error("partition {path} stands twice, or not in its place")]
    Partitions {
        /// Path of the partition.
        path: String,
    },
}

/// One partition of a table: the rows that share the values of its partitioning columns.
#[derive(Clone, Debug)]
pub struct Partition {
    /// Its path below the target, which tells those values.
    pub path: String,
    /// Its rows, verified by themselves.
    pub whole: VerifiedWhole,
    /// The rows of the source that belong to it, in the order of the source.
    pub source: Sequence,
    /// The rows that were read from the finished target, with the values that the path tells.
    pub target: Sequence,
}

/// How a table that is held in partitions is partitioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitioned {
    /// Names of the partitioning columns, in order.
    pub columns: Vec<String>,
    /// Number of partitions.
    pub count: u64,
}

/// A whole block whose every part was verified, with nothing missing.
#[derive(Clone, Debug)]
pub struct VerifiedWhole {
    model: Model,
    records: Records,
    parts: Vec<Verified>,
    evidence: Evidence,
    content: PartContent,
    source_root: Digest,
    target_root: Digest,
    partitioned: Option<Partitioned>,
    pieces: Option<Pieces>,
}

impl VerifiedWhole {
    /// Puts verified parts together, in order, and checks that they tile the source.
    pub fn assemble(model: &Model, parts: Vec<Verified>, records: Records) -> Result<Self, WholeError> {
        let grid = model.grid();
        for (expected, part) in (0..).zip(&parts) {
            if part.claim.part != expected {
                return Err(WholeError::Order { expected, found: part.claim.part });
            }
        }
        let content = tile(model, &parts, |claim| &claim.content)?;
        let source = tile(model, &parts, |claim| &claim.source_content)?;
        let Records { counted, set_aside } = records;
        if content.units.checked_add(set_aside) != Some(counted) {
            return Err(WholeError::Count { unit: grid.unit(), counted, set_aside, units: content.units });
        }
        let mut merged = match parts.first() {
            None => equal(grid, 0),
            Some(part) => part.claim.evidence.clone(),
        };
        for part in parts.iter().skip(1) {
            merged.merge(&part.claim.evidence)?;
        }
        Ok(Self {
            source_root: model.root(source.units, &source.leaves)?,
            target_root: model.root(content.units, &content.leaves)?,
            model: model.clone(),
            records,
            parts,
            evidence: merged,
            content,
            partitioned: None,
            pieces: None,
        })
    }

    /// Puts verified partitions together, in the order of their paths, and checks that they tile the source:
    /// each holds exactly the rows of the source that belong to it, in the source's order, and none is left.
    ///
    /// The content of the whole is that of its partitions under their paths. The order of rows of different
    /// partitions is not part of it.
    pub fn of_partitions(
        schema: &Schema,
        columns: Vec<String>,
        partitions: Vec<Partition>,
        records: Records,
    ) -> Result<Self, WholeError> {
        let model = Model::Table(schema.clone());
        let grid = model.grid();
        let (mut rows, mut parts) = (0u64, Vec::new());
        let mut evidence = Evidence::equal(0, schema.columns());
        let (mut source, mut target) = (Vec::new(), Vec::new());
        let count = partitions.len() as u64;
        let mut last: Option<String> = None;
        for Partition { path, whole, source: theirs, target: ours } in partitions {
            if last.as_ref().is_some_and(|last| *last >= path) {
                return Err(WholeError::Partitions { path });
            }
            if theirs != ours || whole.units() != theirs.rows || whole.model != model {
                return Err(WholeError::Partition { path });
            }
            rows = rows.saturating_add(whole.units());
            evidence.merge(&whole.evidence)?;
            source.push(content::partition_leaf(&path, &whole.source_root));
            target.push(content::partition_leaf(&path, &whole.target_root));
            for mut part in whole.parts {
                part.claim.part = parts.len() as u64;
                parts.push(part);
            }
            last = Some(path);
        }
        let Records { counted, set_aside } = records;
        if rows.checked_add(set_aside) != Some(counted) {
            return Err(WholeError::Count { unit: grid.unit(), counted, set_aside, units: rows });
        }
        Ok(Self {
            source_root: content::partitions_root(schema, rows, &source),
            target_root: content::partitions_root(schema, rows, &target),
            model,
            records,
            parts,
            evidence,
            content: PartContent { grid, units: rows, leaves: Vec::new() },
            partitioned: Some(Partitioned { columns, count }),
            pieces: None,
        })
    }

    /// The same with pieces, which have the floor of a budget in place of the parts. What was measured of
    /// them must be, to the bit, what was measured of the parts.
    pub fn in_pieces(self, pieces: Pieces) -> Result<Self, WholeError> {
        match pieces.make(&self.evidence) {
            true => Ok(Self { pieces: Some(pieces), ..self }),
            false => Err(WholeError::Pieces),
        }
    }

    /// The pieces that have a floor in place of the parts, where there are such.
    pub fn pieces(&self) -> Option<&Pieces> {
        self.pieces.as_ref()
    }

    /// The piece with the least coherence, or the part where there are no pieces; of several the first.
    pub fn least(&self) -> Result<Option<(u64, f64)>, EvidenceError> {
        if let Some(pieces) = &self.pieces {
            return Ok(pieces.least().map(|piece| (piece.index, piece.coherence)));
        }
        let mut worst: Option<(u64, f64)> = None;
        for part in &self.parts {
            let coherence = part.claim.evidence.coherence()?;
            if worst.is_none_or(|(_, least)| coherence < least) {
                worst = Some((part.claim.part, coherence));
            }
        }
        Ok(worst)
    }

    /// Checks the bound on the whole and the floor of every piece, or of every part where there are none.
    pub fn check(&self, budget: &Budget) -> Result<(), OverBudget> {
        match &self.pieces {
            Some(pieces) => pieces.check(budget),
            None => budget.check(self.parts.iter().map(|part| &part.claim.evidence)),
        }
    }

    /// How the table is partitioned, where it is held in partitions.
    pub fn partitioned(&self) -> Option<&Partitioned> {
        self.partitioned.as_ref()
    }

    /// Number of units: rows, samples or bytes.
    pub fn units(&self) -> u64 {
        self.content.units
    }

    /// What the independent scan counted.
    pub fn records(&self) -> Records {
        self.records
    }

    /// The model and signature that both contents have.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[Verified] {
        &self.parts
    }

    /// The merged evidence of all parts.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Leaves of the target; none of a table in partitions, whose parts lie on grids of their own.
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

/// Lays the leaves of all parts side by side.
fn tile(
    model: &Model,
    parts: &[Verified],
    leaves: fn(&Claim) -> &Vec<Digest>,
) -> Result<PartContent, ContentError> {
    let contents: Vec<PartContent> = parts
        .iter()
        .map(|part| PartContent {
            grid: part.claim.grid,
            units: part.claim.units,
            leaves: leaves(&part.claim).clone(),
        })
        .collect();
    model.tile(&contents)
}
