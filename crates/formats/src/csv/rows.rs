//! Provides the table of where the fields of a batch stand.

use super::split::Rules;

/// Set where the field was quoted.
pub(super) const QUOTED: u32 = 1 << 31;
/// Set where its contents hold escaped bytes.
pub(super) const ESCAPED: u32 = 1 << 30;
/// Set where the record has no such field, and one was filled in.
pub(super) const ABSENT: u32 = 1 << 29;
/// The bits of the end.
const END: u32 = ABSENT - 1;

/// Where one field's contents stand, relative to the start of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldRef {
    start: u32,
    /// End and the three flags: eight bytes a field keep a batch in the processor's cache.
    end_and_flags: u32,
}

impl FieldRef {
    #[inline(always)]
    pub(super) fn new(start: usize, end: usize, flags: u32) -> Self {
        debug_assert!(start <= end && end <= END as usize, "a batch is far below 512 MiB");
        FieldRef { start: start as u32, end_and_flags: end as u32 | flags }
    }

    #[inline(always)]
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    #[inline(always)]
    pub(super) fn end(self) -> usize {
        (self.end_and_flags & END) as usize
    }

    /// End of a record whose last field this is, without the line end.
    pub(super) fn record_end(self) -> usize {
        self.end() + usize::from(self.quoted())
    }

    pub(super) fn is_absent(self) -> bool {
        self.end_and_flags & ABSENT != 0
    }

    #[inline(always)]
    pub(super) fn quoted(self) -> bool {
        self.end_and_flags & QUOTED != 0
    }
}

/// One whole record of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Where the record begins, relative to the start of its batch.
    pub(super) start: u32,
    /// Index of its first field.
    pub(super) first: u32,
    /// Its number among the records since the start of the batch, bad ones included.
    pub(super) record: u32,
}

/// The records of one batch, row after row.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) fields: Vec<FieldRef>,
    pub(super) rows: Vec<Row>,
    /// Indices of fields that hold escaped bytes.
    pub(super) escaped: Vec<u32>,
    /// Records seen, bad ones included.
    pub(super) records: u32,
}

impl Rows {
    pub(super) fn clear(&mut self) {
        self.fields.clear();
        self.rows.clear();
        self.escaped.clear();
        self.records = 0;
    }

    /// Lists the fields that hold escaped bytes anew, after fields were moved.
    pub(super) fn find_escaped(&mut self) {
        let fields = self.fields.iter().enumerate();
        self.escaped.clear();
        self.escaped.extend(fields.filter(|(_, f)| f.end_and_flags & ESCAPED != 0).map(|(i, _)| i as u32));
    }

    /// Removes quotes and escapes inside of fields, in place: contents only become shorter.
    pub(super) fn unescape(&mut self, rules: &Rules, data: &mut [u8]) {
        for index in self.escaped.drain(..) {
            let field = &mut self.fields[index as usize];
            let (start, end) = (field.start(), field.end());
            let find = |rest: &[u8]| match rules.escape {
                Some(escape) => memchr::memchr2(rules.quote, escape, rest),
                None => memchr::memchr(rules.quote, rest),
            };
            let (mut to, mut from) = (start, start);
            while let Some(before) = find(&data[from..end]) {
                let at = from + before;
                // The first of a pair goes; what it stands before stays, whatever it is.
                let kept = at + usize::from(at + 1 < end);
                data.copy_within(from..at, to);
                data[to + before] = data[kept];
                to += before + 1;
                from = kept + 1;
            }
            data.copy_within(from..end, to);
            *field = FieldRef::new(start, to + end - from, QUOTED);
        }
    }
}
