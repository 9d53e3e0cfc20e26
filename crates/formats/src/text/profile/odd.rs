//! Provides the fields of a column that do not have one style, as long as they are few enough to be kept as
//! exceptions to it.
//!
//! They are few if there are at most [`EXCEPTIONS_MAX`] and, where they must be rare, in every prefix of the
//! column at most one in [`ROWS_PER_EXCEPTION`] rows and one more. Both bounds, once broken, stay broken
//! whatever else the column holds, so the outcome does not depend on the grouping; exceptions after the one
//! that broke them are not needed and forgotten.

use super::agreed::Offence;
use crate::limits::EXCEPTIONS_MAX;
use crate::text::{Exception, Exceptions};

/// Rows from the top that must stand before each further exception. Were they fewer, a column of version
/// numbers, say, would become one of numbers, since `1.10` has the value of `1.1`.
pub(super) const ROWS_PER_EXCEPTION: u64 = 100;

/// The fields that do not have one style, in the order of their rows, up to the one that is too many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Odd {
    fields: Vec<Offence>,
    /// Whether the last field is too many.
    broken: bool,
    /// Whether they may stand as close as they like: nothing but their style is in doubt.
    anywhere: bool,
}

impl Odd {
    /// Exceptions that need not be rare.
    pub(super) fn anywhere() -> Self {
        Odd { anywhere: true, ..Odd::default() }
    }

    /// Adds one, which must not stand in the row of another.
    pub(super) fn push(&mut self, field: Offence) {
        if self.broken {
            return;
        }
        if self.fields.last().is_none_or(|last| last.row < field.row) {
            self.broken = self.is_too_many(self.fields.len() + 1, field.row);
            self.fields.push(field);
        } else {
            *self = self.union(&Odd { fields: vec![field], ..Odd::default() });
        }
    }

    /// Whether a field in this row is one exception too many, being the `count`-th.
    fn is_too_many(&self, count: usize, row: u64) -> bool {
        let crowded = row < ROWS_PER_EXCEPTION * (count as u64 - 1);
        count > EXCEPTIONS_MAX || (crowded && !self.anywhere)
    }

    /// Those of both, under the rule of the first.
    pub(super) fn union(&self, other: &Odd) -> Odd {
        let (mut ours, mut theirs) = (self.fields.iter().peekable(), other.fields.iter().peekable());
        let mut all = Odd { anywhere: self.anywhere, ..Odd::default() };
        while !all.broken {
            let ours_first = match (ours.peek(), theirs.peek()) {
                (Some(a), Some(b)) => a.row < b.row,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            let next = if ours_first { ours.next() } else { theirs.next() };
            if let Some(field) = next.filter(|field| all.fields.last().is_none_or(|l| l.row < field.row)) {
                all.push(field.clone());
            }
        }
        all
    }

    /// Adds those of the same style in other rows.
    pub(super) fn merge(&mut self, other: &Odd) {
        if !other.fields.is_empty() {
            *self = self.union(other);
        }
    }

    /// Whether they are too many.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// How many are known.
    pub(super) fn count(&self) -> usize {
        self.fields.len()
    }

    /// The first.
    pub(super) fn first(&self) -> Option<&Offence> {
        self.fields.first()
    }

    /// The field that is too many.
    pub(super) fn end(&self) -> Option<&Offence> {
        self.fields.last().filter(|_| self.broken)
    }

    /// All of them; `None` if they are too many.
    pub(super) fn exceptions(&self) -> Option<Exceptions> {
        if self.broken {
            return None;
        }
        let exception = |field: &Offence| {
            let text = String::from_utf8(field.text.to_vec()).ok()?;
            Some(Exception { row: field.row, text })
        };
        Exceptions::new(self.fields.iter().map(exception).collect::<Option<_>>()?)
    }
}

/// Adds to each the ones of the same style in other rows.
pub(super) fn merge_all(ours: &mut [Odd], theirs: &[Odd]) {
    for (ours, theirs) in ours.iter_mut().zip(theirs) {
        ours.merge(theirs);
    }
}
