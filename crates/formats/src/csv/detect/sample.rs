//! Provides the beginning of a text that detection looks at, as long as it must be to hold a few records.

use super::read_from;
use crate::Result;
use crate::csv::dialect::Dialect;
use crate::csv::rows::Rows;
use crate::csv::split::{Fault, Rules, Step};
use crate::spool::ReadAt;

/// Bytes that are read at first: thousands of records, read in no time.
pub(super) const SAMPLE_BYTES: usize = 256 << 10;

/// Bytes at most, unless not even one record is whole within them.
const SAMPLE_BYTES_MAX: usize = 16 << 20;

/// Records that are enough, where the first bytes hold fewer.
const RECORDS_MIN: u32 = 10;

/// Records that are looked at: what more of them would say costs memory for each.
const RECORDS_MAX: usize = 1 << 16;

/// The contents of a field, and whether it is quoted.
pub(super) type Cut<'a> = (&'a [u8], bool);

/// The beginning of a text.
pub(super) struct Sample {
    pub(super) bytes: Vec<u8>,
    /// Whether it is all of the text.
    pub(super) whole: bool,
}

impl Sample {
    /// The bytes of `source` from `start` on, at most `bytes` of them.
    pub(super) fn read<S: ReadAt + ?Sized>(source: &S, start: u64, bytes: usize) -> Result<Self> {
        let bytes = read_from(source, start, bytes)?;
        let whole = start + bytes.len() as u64 >= source.len();
        Ok(Sample { bytes, whole })
    }

    /// Whether more bytes would tell little more under this dialect, or are too many to ask.
    pub(super) fn is_enough(&self, dialect: &Dialect) -> bool {
        let records_min = if self.bytes.len() < SAMPLE_BYTES_MAX { RECORDS_MIN } else { 1 };
        self.whole || self.rows(&Rules::free(dialect, RECORDS_MAX)).0.records >= records_min
    }

    /// Hands each record to `each`: where it begins, and the contents of fields and whether they are quoted.
    /// Says whether some record was broken.
    pub(super) fn cut(&self, dialect: &Dialect, each: &mut dyn FnMut(usize, &[Cut<'_>])) -> bool {
        let rules = Rules::free(dialect, RECORDS_MAX);
        let (mut rows, broken) = self.rows(&rules);
        let mut copy = Vec::new();
        let data = if rows.escaped.is_empty() {
            &self.bytes
        } else {
            copy.extend_from_slice(&self.bytes);
            rows.unescape(&rules, &mut copy);
            &copy
        };
        let mut fields = Vec::new();
        for (i, row) in rows.rows.iter().enumerate() {
            let next = rows.rows.get(i + 1).map_or(rows.fields.len(), |next| next.first as usize);
            fields.clear();
            fields.extend(
                rows.fields[row.first as usize..next]
                    .iter()
                    .map(|field| (&data[field.start()..field.end()], field.quoted())),
            );
            each(row.start as usize, &fields);
        }
        broken
    }

    /// Where the whole records stand, and whether some record was broken.
    fn rows(&self, rules: &Rules) -> (Rows, bool) {
        let mut rows = Rows::default();
        let mut from = 0;
        let mut broken = false;
        loop {
            match rules.cut(&self.bytes, from, self.whole, &mut rows) {
                Step::Bad { next, fault: Fault::Stray { .. } | Fault::FieldCount(_), .. } => {
                    broken = true;
                    from = next;
                }
                Step::More { .. } | Step::End | Step::Full { .. } => return (rows, broken),
                Step::Unclosed { .. } | Step::TooLong { .. } => return (rows, true),
            }
        }
    }
}
