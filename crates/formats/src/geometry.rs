//! Provides the rule by which a table is cut into parts. It sees counts and sizes of the data and nothing
//! else, so that the same source gives the same parts on every machine, whatever its threads and memory.

use std::ops::Range;

use crate::limits::{CHUNK_ROWS, PART_ROWS_MAX};
use crate::media::{Key, MediaType};

/// What decides where parts begin, besides the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Source bytes behind one part at most, unless a single chunk is larger.
    pub part_bytes: u64,
    /// Rows of a part at most.
    pub part_rows: u64,
    /// Parts that a table is cut into at least, as far as it has chunks: enough to keep several threads busy,
    /// and so many that a run which was stopped after four fifths of them can go on from at least seven
    /// tenths.
    pub least_parts: u64,
}

impl Geometry {
    /// How a table is cut that is only read: two parts in flight for each of a few threads fit into the
    /// default memory, and nothing shows where they began.
    pub const READING: Self = Self { part_bytes: 128 << 20, part_rows: PART_ROWS_MAX, least_parts: 8 };

    /// How a table is cut for a target of this type.
    pub fn of(media: &MediaType) -> Self {
        Self {
            part_bytes: media.whole(Key::PartBytes),
            // A type without the key has parts of one size only.
            part_rows: media.whole(Key::PartRows).max(media.whole(Key::SeamlessRows)).max(CHUNK_ROWS),
            least_parts: media.whole(Key::LeastParts),
        }
    }
}

/// Cuts `rows` rows, of which `byte_range` tells the source bytes, into parts of whole chunks.
///
/// `rows_asked` is the row-group size that a person asked for; it is rounded up to whole chunks, since the
/// leaves of the content digest must lie within one part. An empty table is one empty part.
pub fn cut(
    rows: u64,
    rows_asked: Option<u64>,
    geometry: &Geometry,
    byte_range: impl Fn(Range<u64>) -> Range<u64>,
) -> Vec<Range<u64>> {
    let chunks = rows.div_ceil(CHUNK_ROWS);
    let part_chunks = match rows_asked {
        Some(asked) => asked.div_ceil(CHUNK_ROWS).max(1),
        None => (geometry.part_rows / CHUNK_ROWS).max(1),
    };
    // Chunks are shared out evenly, among no more parts than are wanted or have room: each part costs a
    // choice of encodings, dictionaries and a row group. An eighth of the room is for what one part has more
    // than another.
    let shares = match rows_asked {
        Some(_) => 1,
        None => {
            let all = byte_range(0..rows);
            let by_bytes = all.end.saturating_sub(all.start).div_ceil((geometry.part_bytes / 8 * 7).max(1));
            let wanted = geometry.least_parts.max(2);
            wanted.max(chunks.div_ceil(part_chunks)).max(by_bytes).min(chunks)
        }
    };
    let share = |row: u64| row / CHUNK_ROWS * shares / chunks;
    let mut parts = Vec::new();
    let mut start = 0;
    while start < rows {
        let mut end = (start + CHUNK_ROWS).min(rows);
        while end < rows && (end - start) / CHUNK_ROWS < part_chunks && share(end) == share(start) {
            let next = (end + CHUNK_ROWS).min(rows);
            let bytes = byte_range(start..next);
            if bytes.end - bytes.start > geometry.part_bytes {
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
    use crate::registry::Format;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_tile_the_rows_on_the_grid(rows in 0u64..40_000_000, width in 1u64..4_000, asked in proptest::option::of(1u64..3_000_000)) {
            let geometry = Geometry::of(Format::Parquet.media());
            let parts = cut(rows, asked, &geometry, |r| r.start * width..r.end * width);
            let mut at = 0;
            for part in &parts {
                prop_assert_eq!(part.start, at);
                prop_assert_eq!(part.start % CHUNK_ROWS, 0);
                let rows = part.end - part.start;
                prop_assert!(rows <= CHUNK_ROWS || rows * width <= geometry.part_bytes);
                at = part.end;
            }
            prop_assert_eq!(at, rows);
            if asked.is_none() {
                let wanted = geometry.least_parts.min(rows.div_ceil(CHUNK_ROWS));
                prop_assert!(parts.len() as u64 >= wanted);
                // No more where as many would do.
                if rows * width <= wanted * geometry.part_bytes / 2 && rows <= wanted * geometry.part_rows {
                    prop_assert_eq!(parts.len() as u64, wanted.max(1));
                }
            }
        }
    }

    #[test]
    fn no_part_has_more_than_one_chunk_more_than_another() {
        let geometry = Geometry::of(Format::Parquet.media());
        for (rows, width, parts_wanted) in [(1_400_000, 143, 20), (7_000_000, 143, 20), (70_000_000, 143, 86)]
        {
            let parts = cut(rows, None, &geometry, |r| r.start * width..r.end * width);
            assert_eq!(parts.len(), parts_wanted, "{rows}");
            let chunks = parts.iter().map(|part| (part.end - part.start).div_ceil(CHUNK_ROWS));
            let (least, most) = (chunks.clone().min().unwrap(), chunks.max().unwrap());
            assert!(most - least <= 1, "{least} {most}");
        }
    }

    #[test]
    fn a_middling_table_is_cut_for_several_threads() {
        let parts = cut(700_000, None, &Geometry::READING, |r| r.start * 140..r.end * 140);
        assert!(parts.len() >= 4, "{parts:?}");
    }
}
