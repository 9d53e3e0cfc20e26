//! Provides the content digest of tables.

/// Rows in one chunk: the grid on which leaves of the content digest lie.
pub const CHUNK_ROWS: u64 = 65_536;
