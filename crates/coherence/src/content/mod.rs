//! The content digest: a Merkle tree over a canonical serialisation that no format has a part in.
//!
//! `docs/content-digest.md` is the byte-exact specification. Work is done by part: a [`TableDigester`] turns
//! batches and a [`BytesDigester`] bytes into leaf digests, [`PartContent::concat`] puts parts side by side,
//! and [`Model::root`] binds leaves, signature and counts. Batch boundaries, slicing and offset width leave
//! no trace in any digest.

mod bytes;
mod grid;
mod node;
mod signal;
mod stream;

pub use bytes::{BytesDigester, LEAF_BYTES};
pub use grid::{Grid, LeafAt};
pub use signal::{RUN_SAMPLES, SignalDigester};

use crate::cells::Cells;
use crate::digest::Digest;
use crate::merkle::{self, InclusionProof};
use crate::schema::{LogicalType, Schema};
use crate::signal::{Array, Signature};
use node::Node;
use thiserror::Error;

/// Rows in one chunk: the grid on which leaves of the content digest lie.
pub const CHUNK_ROWS: u64 = 65_536;

/// Model of a table: its rows, in order.
pub const TABLE_MODEL: &str = "table";

/// Model of a table in partitions: for each partition its rows, in order.
pub const PARTITIONED_MODEL: &str = "partitioned-table";

/// Name of the scheme, bound into every root.
pub const SCHEME: &str = "isoform-content/v1";

/// Prefix of the hash that makes a leaf from its streams.
const LEAF_PREFIX: u8 = 2;
/// Prefix of the hash that makes a content root from a tree root.
const ROOT_PREFIX: u8 = 3;
/// Prefix of the hash that makes a leaf from the path and the root of a partition.
const PARTITION_PREFIX: u8 = 6;

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
    /// Parts of different models, or of tables of different widths, do not stand side by side.
    #[error("a part of {found:?} does not continue one of {expected:?}")]
    Grids {
        /// Grid of the whole.
        expected: Grid,
        /// Grid of the part.
        found: Grid,
    },
    /// A part that is not the last has a broken chunk at its end.
    #[error("part {part} ends within a chunk, after {units} {}; only the last part may", .grid.unit())]
    Unaligned {
        /// Index of the part.
        part: usize,
        /// Units of all parts up to its end.
        units: u64,
        /// How the units lie on leaves.
        grid: Grid,
    },
    /// An array is not covered by whole parts.
    #[error("the parts hold {found} of the {expected} samples of array {name:?}, or cut beyond its end")]
    Array {
        /// Name of the array.
        name: String,
        /// Samples of the array.
        expected: u64,
        /// Samples of the parts up to its end.
        found: u64,
    },
    /// The arrays or attributes of a signature are doubled, or out of order.
    #[error("{what} {name:?} stands twice, or not in its place")]
    Order {
        /// `array` or `attribute`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// There is a part that nothing has room for.
    #[error("a part of {units} {unit} is left over")]
    Surplus {
        /// Units of the part.
        units: u64,
        /// What they are called.
        unit: &'static str,
    },
    /// The number of leaves is not chunks times arrays.
    #[error("{found} leaves where {expected} cover the content")]
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

/// What kind of content there is, with the signature that its root binds.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Rows of typed cells under a schema.
    Table(Schema),
    /// Named arrays of samples.
    Signal(Signature),
    /// A byte string, which has no signature but its length.
    Bytes,
}

impl Model {
    /// Its name in roots and certificates.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Table(_) => TABLE_MODEL,
            Self::Signal(_) => "signal",
            Self::Bytes => "bytes",
        }
    }

    /// How its units lie on leaves.
    pub fn grid(&self) -> Grid {
        match self {
            Self::Table(schema) => Grid::Table { columns: schema.columns() },
            Self::Signal(_) => Grid::Signal,
            Self::Bytes => Grid::Bytes,
        }
    }

    /// The digest of a whole content: binds the scheme, the model, its signature, the counts and every leaf.
    pub fn root(&self, units: u64, leaves: &[Digest]) -> Result<Digest, ContentError> {
        self.check_leaves(units, leaves)?;
        let signature = match self {
            Self::Table(schema) => schema.canonical_bytes(),
            Self::Signal(signature) => signature.canonical_bytes(),
            Self::Bytes => Vec::new(),
        };
        let tree = merkle::root(leaves);
        Ok(bind_root(self.name(), &signature, units, leaves.len() as u64, &tree))
    }

    /// Lays the leaves of parts side by side, in order. Only the last part of an array may end within a run
    /// of it; a table and a byte string are one array each.
    pub fn tile<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a PartContent>,
    ) -> Result<PartContent, ContentError> {
        let Self::Signal(signature) = self else { return PartContent::concat(self.grid(), parts) };
        let mut parts = parts.into_iter().peekable();
        let mut whole = PartContent { grid: Grid::Signal, units: 0, leaves: Vec::new() };
        for array in &signature.arrays {
            let samples = array.samples().unwrap_or(u64::MAX);
            let mut of_array = Vec::new();
            let mut left = samples;
            while left > 0
                && let Some(part) = parts.next_if(|part| 0 < part.units && part.units <= left)
            {
                left -= part.units;
                of_array.push(part);
            }
            let array_content = PartContent::concat(Grid::Signal, of_array)?;
            whole.units += array_content.units;
            whole.leaves.extend(array_content.leaves);
            if left > 0 {
                let (name, found) = (array.name.clone(), samples - left);
                return Err(ContentError::Array { name, expected: samples, found });
            }
        }
        match parts.next() {
            None => Ok(whole),
            Some(part) => Err(ContentError::Surplus { units: part.units, unit: Grid::Signal.unit() }),
        }
    }

    /// Fails unless the leaves cover exactly these units.
    fn check_leaves(&self, units: u64, leaves: &[Digest]) -> Result<(), ContentError> {
        let Self::Signal(signature) = self else { return self.grid().check_leaves(units, leaves) };
        signature.check_order()?;
        let runs = |array: &Array| Some(array.samples()?.div_ceil(RUN_SAMPLES));
        let expected = signature.arrays.iter().try_fold(0u64, |sum, array| sum.checked_add(runs(array)?));
        let (expected, found) = (expected.unwrap_or(u64::MAX), leaves.len() as u64);
        match expected == found && signature.samples() == Some(units) {
            true => Ok(()),
            false => Err(ContentError::Leaves { expected, found }),
        }
    }
}

/// Leaf digests of consecutive units (rows, bytes) that begin at a chunk boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartContent {
    /// How the units lie on leaves.
    pub grid: Grid,
    /// Number of units.
    pub units: u64,
    /// One digest for each (chunk, array): chunks in order, arrays in order within a chunk.
    pub leaves: Vec<Digest>,
}

impl PartContent {
    /// Puts parts side by side, in order.
    pub fn concat<'a>(
        grid: Grid,
        parts: impl IntoIterator<Item = &'a PartContent>,
    ) -> Result<Self, ContentError> {
        let mut whole = Self { grid, units: 0, leaves: Vec::new() };
        for (index, part) in parts.into_iter().enumerate() {
            if part.grid != grid {
                return Err(ContentError::Grids { expected: grid, found: part.grid });
            }
            grid.check_leaves(part.units, &part.leaves)?;
            if !whole.units.is_multiple_of(grid.chunk_units()) && part.units > 0 {
                let (part, units) = (index.saturating_sub(1), whole.units);
                return Err(ContentError::Unaligned { part, units, grid });
            }
            whole.units += part.units;
            whole.leaves.extend_from_slice(&part.leaves);
        }
        Ok(whole)
    }

    /// The content root of a table that consists of this part alone.
    pub fn root(&self, schema: &Schema) -> Result<Digest, ContentError> {
        content_root(schema, self.units, &self.leaves)
    }
}

/// The digest of a table.
pub fn content_root(schema: &Schema, rows: u64, leaves: &[Digest]) -> Result<Digest, ContentError> {
    Model::Table(schema.clone()).root(rows, leaves)
}

/// The leaf of one partition: binds its path and the content root of its rows, all columns included.
pub fn partition_leaf(path: &str, root: &Digest) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[PARTITION_PREFIX]);
    hasher.update(&(path.len() as u64).to_le_bytes());
    hasher.update(path.as_bytes());
    hasher.update(root.as_bytes());
    Digest(*hasher.finalize().as_bytes())
}

/// The digest of a table in partitions, from their leaves in the order of their paths.
pub fn partitions_root(schema: &Schema, rows: u64, leaves: &[Digest]) -> Digest {
    let tree = merkle::root(leaves);
    bind_root(PARTITIONED_MODEL, &schema.canonical_bytes(), rows, leaves.len() as u64, &tree)
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
        Grid::Table { columns: schema.columns() }.check_leaves(rows, leaves).ok()?;
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
        let count = Grid::Table { columns: schema.columns() }.leaf_count(self.rows);
        if place(schema, chunk, column) != Some(self.inclusion.index) || count != Some(self.inclusion.leaves)
        {
            return false;
        }
        let Some(tree) = self.inclusion.root(leaf) else {
            return false;
        };
        let signature = schema.canonical_bytes();
        bind_root(TABLE_MODEL, &signature, self.rows, self.inclusion.leaves, &tree) == *root
    }
}

fn place(schema: &Schema, chunk: u64, column: usize) -> Option<u64> {
    let columns = schema.columns();
    if column >= columns {
        return None;
    }
    chunk.checked_mul(columns as u64)?.checked_add(column as u64)
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
        PartContent { grid: Grid::Table { columns }, units: self.rows, leaves: leaves.collect() }
    }
}
