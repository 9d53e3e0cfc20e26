//! Claims and read-backs: plain data that anyone can build, and that prove nothing by themselves.

use crate::digest::Digest;
use crate::evidence::Evidence;

/// What the converter of one part says it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Index of the part within the block, from 0.
    pub part: u64,
    /// Rows of the part.
    pub rows: u64,
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
    /// Rows decoded.
    pub rows: u64,
    /// Digest of the part's bytes as they were read.
    pub result: Digest,
    /// Leaves of the content decoded.
    pub content: Vec<Digest>,
    /// Distance between the source's content and the content decoded.
    pub evidence: Evidence,
}

impl Claim {
    /// A claim that nothing changed: the result decodes to these same leaves.
    pub fn exact(
        part: u64,
        rows: u64,
        source: Digest,
        result: Digest,
        content: Vec<Digest>,
        columns: usize,
    ) -> Self {
        let evidence = Evidence::equal(rows, columns);
        Self { part, rows, source, result, source_content: content.clone(), content, evidence }
    }
}

impl ReadBack {
    /// A read-back for an exact conversion, where equal leaves are all the evidence there is to find.
    pub fn exact(rows: u64, result: Digest, content: Vec<Digest>, columns: usize) -> Self {
        Self { rows, result, content, evidence: Evidence::equal(rows, columns) }
    }
}
