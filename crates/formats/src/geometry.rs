//! Provides the rule by which a table is cut into parts. It sees counts and sizes of the data and nothing
//! else, so that the same source gives the same parts on every machine, whatever its threads and memory.

use std::ops::Range;

use crate::limits::{CHUNK_ROWS, PART_ROWS_MAX};

/// Source bytes behind one part at most, unless a single chunk is larger: two parts in flight for each of a
/// few threads, encoded, fit into the default memory.
pub const PART_BYTES_MAX: u64 = 128 << 20;

/// Parts that a table is cut into at least, as far as it has chunks: enough to keep several threads busy, and
/// so many that a run which was stopped after four fifths of them can go on from at least seven tenths.
const PARTS_WANTED: u64 = 8;

/// Cuts `rows` rows, of which `byte_range` tells the source bytes, into parts of whole chunks.
///
/// `rows_asked` is the row-group size that a person asked for; it is rounded up to whole chunks, since the
/// leaves of the content digest must lie within one part. An empty table is one empty part.
pub fn cut(
    rows: u64,
    rows_asked: Option<u64>,
    byte_range: impl Fn(Range<u64>) -> Range<u64>,
) -> Vec<Range<u64>> {
    let part_rows = match rows_asked {
        Some(asked) => asked.max(1).div_ceil(CHUNK_ROWS) * CHUNK_ROWS,
        None => {
            // The largest size that still gives as many parts as are wanted.
            let chunks = rows.div_ceil(CHUNK_ROWS).saturating_sub(1) / (PARTS_WANTED - 1);
            chunks.clamp(1, PART_ROWS_MAX / CHUNK_ROWS) * CHUNK_ROWS
        }
    };
    let mut parts = Vec::new();
    let mut start = 0;
    while start < rows {
        let mut end = (start + CHUNK_ROWS).min(rows);
        while end < rows && end - start < part_rows {
            let next = (end + CHUNK_ROWS).min(rows);
            let bytes = byte_range(start..next);
            if bytes.end - bytes.start > PART_BYTES_MAX {
                break;
            }
            end = next;
        }
        parts.push(start..end);
        start = end;
    }
    if parts.is_empty() {
        parts.push(0..0);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_tile_the_rows_on_the_grid(rows in 0u64..40_000_000, width in 1u64..4_000, asked in proptest::option::of(1u64..3_000_000)) {
            let parts = cut(rows, asked, |r| r.start * width..r.end * width);
            let mut at = 0;
            for part in &parts {
                prop_assert_eq!(part.start, at);
                prop_assert_eq!(part.start % CHUNK_ROWS, 0);
                let rows = part.end - part.start;
                prop_assert!(rows <= CHUNK_ROWS || rows * width <= PART_BYTES_MAX);
                at = part.end;
            }
            prop_assert_eq!(at, rows);
            if asked.is_none() {
                prop_assert!(parts.len() as u64 >= PARTS_WANTED.min(rows.div_ceil(CHUNK_ROWS)));
            }
        }
    }

    #[test]
    fn a_middling_table_is_cut_for_several_threads() {
        let parts = cut(700_000, None, |r| r.start * 140..r.end * 140);
        assert!(parts.len() >= 4, "{parts:?}");
    }
}
