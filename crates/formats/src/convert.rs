//! Provides the pure conversion of one part and the reading back of its result. No file is written here.

use std::ops::Range;

use coherence::content::{PartContent, TableDigester};
use coherence::digest::Digest;
use coherence::rows::row_digests;
use coherence::schema::Schema;

use crate::cells;
use crate::error::{Error, Result};
use crate::table::{Encoded, TableEncoder, TableSource};

/// One part, converted: its bytes, and the content that was read while they were made.
#[derive(Debug)]
pub struct Converted {
    /// What goes into the target.
    pub encoded: Encoded,
    /// Leaves of the content digest, of the source side.
    pub content: PartContent,
}

/// Hears of each batch that is done, by its rows; an error of it stops the work.
pub type Watch<'a> = &'a (dyn Fn(u64) -> Result<()> + Sync);

/// Decodes `rows` of `source`, encodes them, and digests what was decoded.
pub fn convert_part(
    source: &dyn TableSource,
    rows: Range<u64>,
    encoder: &dyn TableEncoder,
    schema: &Schema,
    watch: Watch<'_>,
) -> Result<Converted> {
    let mut digester = TableDigester::new(schema);
    let mut part = encoder.part(rows.start)?;
    for batch in source.batches(rows.clone())? {
        let batch = batch?;
        push(&mut digester, &batch)?;
        part.push(&batch)?;
        watch(batch.num_rows() as u64)?;
    }
    let encoded = part.finish()?;
    let content = digester.finish();
    if content.units != rows.end - rows.start || encoded.rows != content.units {
        let want = rows.end - rows.start;
        let (decoded, encoded) = (content.units, encoded.rows);
        return Err(Error::Bug(format!(
            "part {rows:?}: wanted {want} rows, decoded {decoded}, encoded {encoded}"
        )));
    }
    Ok(Converted { encoded, content })
}

/// Decodes `rows` of `source` and digests them.
pub fn read_part(
    source: &dyn TableSource,
    rows: Range<u64>,
    schema: &Schema,
    watch: Watch<'_>,
) -> Result<PartContent> {
    let mut digester = TableDigester::new(schema);
    for batch in source.batches(rows)? {
        let batch = batch?;
        push(&mut digester, &batch)?;
        watch(batch.num_rows() as u64)?;
    }
    Ok(digester.finish())
}

/// The same, and the digest of each row, in order.
pub fn read_rows(
    source: &dyn TableSource,
    rows: Range<u64>,
    schema: &Schema,
    watch: Watch<'_>,
) -> Result<(PartContent, Vec<Digest>)> {
    let mut digester = TableDigester::new(schema);
    let mut digests = Vec::with_capacity(usize::try_from(rows.end - rows.start).unwrap_or(0));
    for batch in source.batches(rows)? {
        let batch = batch?;
        push(&mut digester, &batch)?;
        let rows = row_digests(schema, &cells::columns(&batch)?);
        digests.extend(rows.map_err(|error| Error::Bug(format!("digesting rows: {error}")))?);
        watch(batch.num_rows() as u64)?;
    }
    Ok((digester.finish(), digests))
}

/// Digests the rows of a batch.
pub(crate) fn push(digester: &mut TableDigester, batch: &arrow_array::RecordBatch) -> Result<()> {
    let columns = cells::columns(batch)?;
    digester.push(&columns).map_err(|error| Error::Bug(format!("digesting a batch: {error}")))
}
