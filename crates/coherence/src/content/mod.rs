//! The content digest of tables: a Merkle tree over a canonical serialisation that no format has a part in.
//!
//! `docs/content-digest.md` is the byte-exact specification. Work is done by part: a [`TableDigester`] turns
//! batches into leaf digests, [`PartContent::concat`] puts parts side by side, and [`content_root`] binds
//! leaves, schema and counts. Batch boundaries, slicing and offset width leave no trace in any digest.

mod node;
mod stream;

use crate::cells::Cells;
use crate::digest::Digest;
use crate::merkle::{self, InclusionProof};
use crate::schema::{LogicalType, Schema};
use node::Node;
use thiserror::Error;

/// Rows in one chunk: the grid on which leaves of the content digest lie.
pub const CHUNK_ROWS: u64 = 65_536;

/// Name of the scheme, bound into every root.
pub const SCHEME: &str = "isoform-content/v1";

/// Prefix of the hash that makes a leaf from its streams.
const LEAF_PREFIX: u8 = 2;
/// Prefix of the hash that makes a content root from a tree root.
const ROOT_PREFIX: u8 = 3;

/// Column data that do not fit the schema, or parts that do not fit together.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ContentError {
    /// A batch has another number of columns than the schema.
    #[error("a batch has {found} columns where the schema has {expected}")]
    Columns {
        /// Columns of the schema.
        expected: usize,
        /// Columns of the batch.
        found: usize,
    },
    /// The columns of one batch differ in length.
    #[error("column {column} has {found} rows where the batch has {expected}")]
    Rows {
        /// Index of the column.
        column: usize,
        /// Rows of the first column.
        expected: usize,
        /// Rows of this column.
        found: usize,
    },
    /// The layout of a column is not that of its type.
    #[error("column {column} does not hold values of type {expected}")]
    Layout {
        /// Index of the column.
        column: usize,
        /// Type that the schema gives.
        expected: LogicalType,
    },
    /// A part that is not the last has a broken chunk at its end.
    #[error("part {part} has {rows} rows; only the last part may end within a chunk of {CHUNK_ROWS}")]
    Unaligned {
        /// Index of the part.
        part: usize,
        /// Its rows.
        rows: u64,
    },
    /// The number of leaves is not chunks times columns.
    #[error("{found} leaves where {expected} cover the rows and columns")]
    Leaves {
        /// Leaves that the counts ask for.
        expected: u64,
        /// Leaves there are.
        found: u64,
    },
}

/// True when the layout of the cells is that of the type, all the way down.
pub fn fits(ty: &LogicalType, cells: &Cells<'_>) -> bool {
    Node::new(ty).fits(cells)
}

/// Number of chunks that hold this many rows.
pub fn chunks(rows: u64) -> u64 {
    rows.div_ceil(CHUNK_ROWS)
}

/// Number of leaves of a table: chunks times columns. `None` when the product does not fit.
pub fn leaf_count(rows: u64, columns: usize) -> Option<u64> {
    chunks(rows).checked_mul(u64::try_from(columns).ok()?)
}

/// Leaf digests of consecutive rows that begin at a chunk boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartContent {
    /// Number of rows.
    pub rows: u64,
    /// Number of columns.
    pub columns: usize,
    /// One digest for each (chunk, column): chunks in order, columns in order within a chunk.
    pub leaves: Vec<Digest>,
}

impl PartContent {
    /// Puts parts side by side, in order.
    pub fn concat<'a>(
        columns: usize,
        parts: impl IntoIterator<Item = &'a PartContent>,
    ) -> Result<Self, ContentError> {
        let mut whole = Self { rows: 0, columns, leaves: Vec::new() };
        for (index, part) in parts.into_iter().enumerate() {
            if part.columns != columns {
                return Err(ContentError::Columns { expected: columns, found: part.columns });
            }
            check_leaves(part.rows, columns, &part.leaves)?;
            if !whole.rows.is_multiple_of(CHUNK_ROWS) && part.rows > 0 {
                return Err(ContentError::Unaligned { part: index.saturating_sub(1), rows: whole.rows });
            }
            whole.rows += part.rows;
            whole.leaves.extend_from_slice(&part.leaves);
        }
        Ok(whole)
    }

    /// The content root of a table that consists of this part alone.
    pub fn root(&self, schema: &Schema) -> Result<Digest, ContentError> {
        content_root(schema, self.rows, &self.leaves)
    }
}

/// Fails unless the leaves cover exactly these rows and columns.
pub(crate) fn check_leaves(rows: u64, columns: usize, leaves: &[Digest]) -> Result<(), ContentError> {
    let expected = leaf_count(rows, columns).unwrap_or(u64::MAX);
    let found = leaves.len() as u64;
    if expected == found { Ok(()) } else { Err(ContentError::Leaves { expected, found }) }
}

/// The digest of a table: binds the scheme, the schema, the counts and every leaf.
pub fn content_root(schema: &Schema, rows: u64, leaves: &[Digest]) -> Result<Digest, ContentError> {
    check_leaves(rows, schema.columns(), leaves)?;
    let tree = merkle::root(leaves);
    Ok(bind_root("table", &schema.canonical_bytes(), rows, leaves.len() as u64, &tree))
}

/// Binds a tree root to a content model, its signature bytes and its counts.
pub fn bind_root(model: &str, signature: &[u8], units: u64, leaves: u64, tree: &Digest) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[ROOT_PREFIX]);
    for text in [SCHEME.as_bytes(), model.as_bytes(), signature] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    hasher.update(&units.to_le_bytes());
    hasher.update(&leaves.to_le_bytes());
    hasher.update(tree.as_bytes());
    Digest(*hasher.finalize().as_bytes())
}

/// The digest of one leaf from the digests of its streams.
pub fn leaf_digest(units: u64, streams: &[Digest]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[LEAF_PREFIX]);
    hasher.update(&units.to_le_bytes());
    hasher.update(&(streams.len() as u32).to_le_bytes());
    for stream in streams {
        hasher.update(stream.as_bytes());
    }
    Digest(*hasher.finalize().as_bytes())
}

/// Proof that the leaf of one (chunk, column) belongs to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafProof {
    /// Rows of the table.
    pub rows: u64,
    /// Place of the leaf in the tree, and the path to the top.
    pub inclusion: InclusionProof,
}

impl LeafProof {
    /// Proves the leaf at (chunk, column); `None` when there is no such leaf.
    pub fn new(schema: &Schema, rows: u64, leaves: &[Digest], chunk: u64, column: usize) -> Option<Self> {
        check_leaves(rows, schema.columns(), leaves).ok()?;
        let index = place(schema, chunk, column)?;
        Some(Self { rows, inclusion: InclusionProof::new(leaves, usize::try_from(index).ok()?)? })
    }

    /// True when `leaf` stands at (chunk, column) in the table with this schema and root.
    pub fn verify(
        &self,
        schema: &Schema,
        root: &Digest,
        (chunk, column): (u64, usize),
        leaf: &Digest,
    ) -> bool {
        let count = leaf_count(self.rows, schema.columns());
        if place(schema, chunk, column) != Some(self.inclusion.index) || count != Some(self.inclusion.leaves)
        {
            return false;
        }
        let Some(tree) = self.inclusion.root(leaf) else {
            return false;
        };
        let signature = schema.canonical_bytes();
        bind_root("table", &signature, self.rows, self.inclusion.leaves, &tree) == *root
    }
}

fn place(schema: &Schema, chunk: u64, column: usize) -> Option<u64> {
    let columns = schema.columns();
    if column >= columns {
        return None;
    }
    chunk.checked_mul(columns as u64)?.checked_add(column as u64)
}

/// The first (chunk, column) whose leaves differ, or that only one side has.
pub fn first_mismatch(columns: usize, left: &[Digest], right: &[Digest]) -> Option<(u64, usize)> {
    mismatches(columns, left, right).next()
}

/// Every (chunk, column) whose leaves differ, or that only one side has, in order.
pub fn mismatches<'a>(
    columns: usize,
    left: &'a [Digest],
    right: &'a [Digest],
) -> impl Iterator<Item = (u64, usize)> + 'a {
    let columns = columns.max(1);
    (0..left.len().max(right.len()))
        .filter(|index| left.get(*index) != right.get(*index))
        .map(move |index| ((index / columns) as u64, index % columns))
}

/// Computes the leaves of one column from cells that arrive in pieces.
#[derive(Debug)]
pub struct ColumnDigester {
    ty: LogicalType,
    node: Node,
    rows_in_chunk: u64,
    leaves: Vec<Digest>,
}

impl ColumnDigester {
    /// A digester for a column of this type, at the beginning of a chunk.
    pub fn new(ty: &LogicalType) -> Self {
        Self { ty: ty.clone(), node: Node::new(ty), rows_in_chunk: 0, leaves: Vec::new() }
    }

    /// Takes the next cells; false, and nothing taken, when their layout is not that of the type.
    #[must_use]
    pub fn push(&mut self, cells: &Cells<'_>) -> bool {
        if !self.node.fits(cells) {
            return false;
        }
        let mut start = 0;
        while start < cells.len() {
            let room = usize::try_from(CHUNK_ROWS - self.rows_in_chunk).unwrap_or(usize::MAX);
            let end = start + room.min(cells.len() - start);
            self.node.push(cells, start, end);
            self.rows_in_chunk += (end - start) as u64;
            if self.rows_in_chunk == CHUNK_ROWS {
                self.close_chunk();
            }
            start = end;
        }
        true
    }

    /// The leaves of the column, in order.
    pub fn finish(mut self) -> Vec<Digest> {
        if self.rows_in_chunk > 0 {
            self.close_chunk();
        }
        self.leaves
    }

    fn close_chunk(&mut self) {
        let mut streams = Vec::new();
        self.node.finish(&mut streams);
        self.leaves.push(leaf_digest(self.rows_in_chunk, &streams));
        self.rows_in_chunk = 0;
    }
}

/// Computes the leaves of a part from batches of any length. The first row must begin a chunk of the table.
#[derive(Debug)]
pub struct TableDigester {
    columns: Vec<ColumnDigester>,
    rows: u64,
}

impl TableDigester {
    /// A digester for tables of this schema.
    pub fn new(schema: &Schema) -> Self {
        let columns = schema.fields.iter().map(|field| ColumnDigester::new(&field.ty)).collect();
        Self { columns, rows: 0 }
    }

    /// Takes the next rows. After an error the digester has taken part of the batch and is of no more use.
    pub fn push(&mut self, batch: &[Cells<'_>]) -> Result<(), ContentError> {
        if batch.len() != self.columns.len() {
            return Err(ContentError::Columns { expected: self.columns.len(), found: batch.len() });
        }
        let rows = batch.first().map_or(0, Cells::len);
        if let Some((column, cells)) = batch.iter().enumerate().find(|(_, cells)| cells.len() != rows) {
            return Err(ContentError::Rows { column, expected: rows, found: cells.len() });
        }
        for (column, (digester, cells)) in self.columns.iter_mut().zip(batch).enumerate() {
            if !digester.push(cells) {
                return Err(ContentError::Layout { column, expected: digester.ty.clone() });
            }
        }
        self.rows += rows as u64;
        Ok(())
    }

    /// The content of all rows pushed.
    pub fn finish(self) -> PartContent {
        let columns = self.columns.len();
        let by_column: Vec<Vec<Digest>> = self.columns.into_iter().map(ColumnDigester::finish).collect();
        let chunk_count = by_column.first().map_or(0, Vec::len);
        let leaves = (0..chunk_count).flat_map(|chunk| by_column.iter().map(move |leaves| leaves[chunk]));
        PartContent { rows: self.rows, columns, leaves: leaves.collect() }
    }
}
