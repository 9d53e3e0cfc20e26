//! Claims and read-backs: plain data that anyone can build, and that prove nothing by themselves.

use crate::content::{Grid, PartContent};
use crate::digest::Digest;
use crate::evidence::{ColumnEvidence, Evidence};
use crate::signal::{self, EXACT_RULES};

/// What the converter of one part says it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Index of the part within the block, from 0.
    pub part: u64,
    /// How the units of the content lie on leaves.
    pub grid: Grid,
    /// Units of the part: rows, samples or bytes.
    pub units: u64,
    /// Digest of the part's bytes in the source.
    pub source: Digest,
    /// Digest of the part's bytes in the result.
    pub result: Digest,
    /// Leaves of the content that was decoded from the source.
    pub source_content: Vec<Digest>,
    /// Leaves of the content that the result must decode to.
    pub content: Vec<Digest>,
    /// Distance between the two contents.
    pub evidence: Evidence,
}

/// What was found when the result of one part was read again from the finished file.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadBack {
    /// How the units of the content lie on leaves.
    pub grid: Grid,
    /// Units decoded: rows, samples or bytes.
    pub units: u64,
    /// Digest of the part's bytes as they were read.
    pub result: Digest,
    /// Leaves of the content decoded.
    pub content: Vec<Digest>,
    /// Distance between the source's content and the content decoded.
    pub evidence: Evidence,
}

impl Claim {
    /// A claim that nothing changed: the result decodes to this same content.
    pub fn exact(part: u64, content: PartContent, source: Digest, result: Digest) -> Self {
        let PartContent { grid, units, leaves } = content;
        let evidence = equal(grid, units);
        Self { part, grid, units, source, result, source_content: leaves.clone(), content: leaves, evidence }
    }
}

impl ReadBack {
    /// A read-back for an exact conversion, where equal leaves are all the evidence there is to find.
    pub fn exact(content: PartContent, result: Digest) -> Self {
        let PartContent { grid, units, leaves } = content;
        Self { grid, units, result, content: leaves, evidence: equal(grid, units) }
    }
}

/// Evidence that nothing differs in this many units.
pub(crate) fn equal(grid: Grid, units: u64) -> Evidence {
    match grid {
        Grid::Signal => signal::evidence(EXACT_RULES, ColumnEvidence::equal(units)),
        Grid::Table { .. } | Grid::Bytes => Evidence::equal(units, grid.arrays()),
    }
}
