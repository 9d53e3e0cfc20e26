//! Provides what several sources need of each single one: profiles of its text, and typings found elsewhere.

use crate::error::Result;
use crate::jsonl::{self, JsonProfile};
use crate::open::{Opened, Table};
use crate::text::{ColumnTyping, Fresh, Profile};

impl Opened {
    /// Number of chunks of a text.
    pub(crate) fn chunks(&self) -> usize {
        match &self.table {
            Table::Csv { table, .. } => table.chunks(),
            Table::Json { table, .. } => table.chunks(),
            Table::Certified { .. } | Table::Binary(_) | Table::Many(_) | Table::Through(_) => 0,
        }
    }

    /// Profiles of one chunk of delimited text, whose records are numbered after `rows` others.
    pub(crate) fn observe_fields(&self, chunk: usize, rows: u64, fresh: &Fresh) -> Result<Vec<Profile>> {
        match &self.table {
            Table::Csv { table, .. } if chunk < table.chunks() => {
                table.observe_chunk_after(rows, chunk, fresh)
            }
            _ => Ok(fresh.profiles()),
        }
    }

    /// The profile of one chunk of JSON Lines, whose records are numbered after `rows` others.
    pub(crate) fn observe_json(&self, chunk: usize, rows: u64) -> Result<JsonProfile> {
        match &self.table {
            Table::Json { table, .. } => table.observe_chunk_after(rows, chunk),
            _ => Ok(JsonProfile::new()),
        }
    }

    /// Whether the difference between null and a key that is left out is kept.
    pub(crate) fn keeps_presence(&self) -> bool {
        matches!(self.table, Table::Json { presence: true, .. })
    }

    /// Takes typings of delimited text that were found elsewhere, for a table in which `rows` others stand
    /// first.
    pub(crate) fn retype_fields(&mut self, rows: u64, typings: Vec<ColumnTyping>) {
        if let Table::Csv { table, .. } = &mut self.table {
            table.retype_after(rows, typings);
        }
    }

    /// Takes a schema of JSON Lines that was found elsewhere, for a table in which `rows` others stand first.
    pub(crate) fn retype_json(&mut self, rows: u64, resolved: &jsonl::Resolved) {
        if let Table::Json { table, .. } = &mut self.table {
            table.retype_after(rows, resolved);
        }
    }
}
