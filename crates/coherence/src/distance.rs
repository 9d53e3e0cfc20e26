//! The distance between two columns, cell by cell, and the signature that makes a distance finite at all.

use crate::cells::{Cells, Offsets, Values};
use crate::evidence::{ColumnEvidence, ColumnRule, EvidenceError};
use crate::numeric;
use crate::schema::{LogicalType, Schema};
use thiserror::Error;

/// Rows that are first tried as one block, so that equal columns are compared at the speed of memory.
const BLOCK_ROWS: usize = 4096;

/// Why two contents are infinitely far apart.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SignatureMismatch {
    /// Different numbers of rows.
    #[error("one side has {left} rows and the other {right}")]
    Rows {
        /// Rows on this side.
        left: u64,
        /// Rows on the other.
        right: u64,
    },
    /// Byte strings of different lengths.
    #[error("one side has {left} bytes and the other {right}")]
    Bytes {
        /// Bytes on this side.
        left: u64,
        /// Bytes on the other.
        right: u64,
    },
    /// Different numbers of columns.
    #[error("one side has {left} columns and the other {right}")]
    Columns {
        /// Columns on this side.
        left: usize,
        /// Columns on the other.
        right: usize,
    },
    /// Columns in the same place have different names.
    #[error("column {column} is named {left:?} on one side and {right:?} on the other")]
    Name {
        /// Index of the column.
        column: usize,
        /// Name on this side.
        left: String,
        /// Name on the other.
        right: String,
    },
}

/// Columns that cannot be compared.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum DistanceError {
    /// The two sides have different numbers of cells.
    #[error("{left} cells do not compare with {right}")]
    Length {
        /// Cells on this side.
        left: usize,
        /// Cells on the other.
        right: usize,
    },
    /// The two sides are laid out differently, so that equality has no meaning: convert one of them first.
    #[error("values of different layouts do not compare")]
    Layout,
    /// The rule is for numbers and the column holds something else.
    #[error("values of type {0} are not numbers")]
    NotNumeric(LogicalType),
    /// The evidence cannot be formed.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// Everything in which two signatures differ; the distance is finite only if this is empty.
pub fn signature_mismatches(left: (&Schema, u64), right: (&Schema, u64)) -> Vec<SignatureMismatch> {
    let mut found = Vec::new();
    if left.1 != right.1 {
        found.push(SignatureMismatch::Rows { left: left.1, right: right.1 });
    }
    let (mine, theirs) = (&left.0.fields, &right.0.fields);
    if mine.len() != theirs.len() {
        found.push(SignatureMismatch::Columns { left: mine.len(), right: theirs.len() });
    }
    for (column, (mine, theirs)) in mine.iter().zip(theirs).enumerate() {
        if mine.name != theirs.name {
            let (left, right) = (mine.name.clone(), theirs.name.clone());
            found.push(SignatureMismatch::Name { column, left, right });
        }
    }
    found
}

/// Compares two columns batch by batch.
#[derive(Clone, Debug)]
pub struct ColumnComparison {
    /// What is known so far.
    pub evidence: ColumnEvidence,
    /// The first rows whose cells differ, in order, up to the limit.
    pub first_differing: Vec<u64>,
    limit: usize,
    left: LogicalType,
    right: LogicalType,
    next_row: u64,
}

impl ColumnComparison {
    /// A comparison under this rule that remembers up to `limit` differing rows, counted from `first_row`.
    ///
    /// An exact rule needs the same layout on both sides; a numeric rule takes any two types of numbers.
    pub fn new(
        left: &LogicalType,
        right: &LogicalType,
        rule: ColumnRule,
        first_row: u64,
        limit: usize,
    ) -> Result<Self, DistanceError> {
        if let ColumnRule::Numeric { .. } = rule {
            for ty in [left, right] {
                numeric::exponent(ty).ok_or_else(|| DistanceError::NotNumeric(ty.clone()))?;
            }
        }
        Ok(Self {
            evidence: ColumnEvidence::new(rule),
            first_differing: Vec::new(),
            limit,
            left: left.clone(),
            right: right.clone(),
            next_row: first_row,
        })
    }

    /// Takes the next cells of both sides.
    pub fn push(&mut self, left: &Cells<'_>, right: &Cells<'_>) -> Result<(), DistanceError> {
        if left.len() != right.len() {
            return Err(DistanceError::Length { left: left.len(), right: right.len() });
        }
        match self.evidence.rule {
            ColumnRule::Exact => self.push_exact(left, right)?,
            ColumnRule::Numeric { .. } => self.push_numeric(left, right)?,
        }
        self.next_row += left.len() as u64;
        Ok(())
    }

    fn push_exact(&mut self, left: &Cells<'_>, right: &Cells<'_>) -> Result<(), DistanceError> {
        if !same_layout(left, right) {
            return Err(DistanceError::Layout);
        }
        for start in (0..left.len()).step_by(BLOCK_ROWS) {
            let end = left.len().min(start + BLOCK_ROWS);
            let mut differing = 0;
            if !surely_equal(left, right, start..end, start) {
                for row in (start..end).filter(|row| !cells_equal(left, *row, right, *row)) {
                    differing += 1;
                    self.remember(row);
                }
            }
            self.evidence.add_symbols((end - start) as u64, differing)?;
        }
        Ok(())
    }

    fn push_numeric(&mut self, left: &Cells<'_>, right: &Cells<'_>) -> Result<(), DistanceError> {
        for row in 0..left.len() {
            let a = numeric::number(&self.left, left, row)?;
            let b = numeric::number(&self.right, right, row)?;
            let same = match (a, b) {
                (Some(a), Some(b)) => {
                    let same = a.same(b);
                    self.evidence.add_numbers(a.to_f64(), a.minus(b), same)?;
                    same
                }
                (Some(a), None) => {
                    self.evidence.add_number_and_symbol(a.to_f64(), true)?;
                    false
                }
                (None, Some(b)) => {
                    self.evidence.add_number_and_symbol(b.to_f64(), false)?;
                    false
                }
                (None, None) => {
                    let same = numeric::symbol(left, row) == numeric::symbol(right, row);
                    self.evidence.add_symbols(1, u64::from(!same))?;
                    same
                }
            };
            if !same {
                self.remember(row);
            }
        }
        Ok(())
    }

    fn remember(&mut self, row: usize) {
        if self.first_differing.len() < self.limit {
            self.first_differing.push(self.next_row + row as u64);
        }
    }
}

/// Compares two whole columns of the same type.
pub fn compare(
    ty: &LogicalType,
    left: &Cells<'_>,
    right: &Cells<'_>,
    rule: ColumnRule,
    limit: usize,
) -> Result<ColumnComparison, DistanceError> {
    let mut comparison = ColumnComparison::new(ty, ty, rule, 0, limit)?;
    comparison.push(left, right)?;
    Ok(comparison)
}

fn same_layout(left: &Cells<'_>, right: &Cells<'_>) -> bool {
    match (left.values(), right.values()) {
        (Values::Null, Values::Null) | (Values::Bool(_), Values::Bool(_)) => true,
        (Values::Fixed { width, .. }, Values::Fixed { width: other, .. }) => width == other,
        (Values::Float { width, .. }, Values::Float { width: other, .. }) => width == other,
        (Values::Bytes { .. }, Values::Bytes { .. }) => true,
        (Values::List { child, .. }, Values::List { child: other, .. }) => same_layout(child, other),
        (Values::FixedList { size, child }, Values::FixedList { size: wanted, child: other }) => {
            size == wanted && same_layout(child, other)
        }
        (Values::Struct(fields), Values::Struct(others)) => {
            let mut pairs = fields.iter().zip(others);
            fields.len() == others.len() && pairs.all(|(field, other)| same_layout(field, other))
        }
        _ => false,
    }
}

/// True when whole buffers show that `range` on the left equals as many cells from `other` on the right.
/// False means only that cells must be looked at one by one.
fn surely_equal(left: &Cells<'_>, right: &Cells<'_>, range: std::ops::Range<usize>, other: usize) -> bool {
    let (start, end) = (range.start, range.end);
    if start >= end || matches!(left.values(), Values::Null) {
        return true;
    }
    let other_end = other + (end - start);
    let valid = |cells: &Cells<'_>, start, end| cells.validity().is_none_or(|bits| bits.all_set(start, end));
    if !valid(left, start, end) || !valid(right, other, other_end) {
        return false;
    }
    match (left.values(), right.values()) {
        (Values::Bool(a), Values::Bool(b)) => (0..end - start).step_by(64).all(|at| {
            let count = (end - start - at).min(64);
            a.word(start + at, count) == b.word(other + at, count)
        }),
        // Equal bytes are equal values, NaN included; unequal NaNs are left to the slow way.
        (Values::Fixed { width, bytes: a }, Values::Fixed { bytes: b, .. })
        | (Values::Float { width, bytes: a }, Values::Float { bytes: b, .. }) => {
            a[start * width..end * width] == b[other * width..other_end * width]
        }
        (Values::Bytes { offsets: a, data }, Values::Bytes { offsets: b, data: other_data }) => {
            same_lengths(a, b, start..end, other)
                && data[a.get(start)..a.get(end)] == other_data[b.get(other)..b.get(other_end)]
        }
        (Values::List { offsets: a, child }, Values::List { offsets: b, child: others }) => {
            same_lengths(a, b, start..end, other)
                && surely_equal(child, others, a.get(start)..a.get(end), b.get(other))
        }
        (Values::FixedList { size, child }, Values::FixedList { child: others, .. }) => {
            surely_equal(child, others, start * size..end * size, other * size)
        }
        (Values::Struct(fields), Values::Struct(others)) => fields
            .iter()
            .zip(others)
            .all(|(field, field_other)| surely_equal(field, field_other, range.clone(), other)),
        _ => false,
    }
}

fn same_lengths(a: &Offsets<'_>, b: &Offsets<'_>, range: std::ops::Range<usize>, other: usize) -> bool {
    let (from_a, from_b) = (a.get(range.start), b.get(other));
    (1..=range.len()).all(|step| a.get(range.start + step) - from_a == b.get(other + step) - from_b)
}

/// True when two cells of one layout hold the same value: null equals null, NaN equals NaN, -0.0 is not 0.0.
pub fn cells_equal(left: &Cells<'_>, row: usize, right: &Cells<'_>, other: usize) -> bool {
    match (left.is_null(row), right.is_null(other)) {
        (true, true) => return true,
        (false, false) => {}
        _ => return false,
    }
    match (left.values(), right.values()) {
        (Values::Bool(a), Values::Bool(b)) => a.get(row) == b.get(other),
        (Values::Fixed { width, bytes: a }, Values::Fixed { width: other_width, bytes: b }) => {
            a[row * width..(row + 1) * width] == b[other * other_width..(other + 1) * other_width]
        }
        (Values::Float { width, bytes: a }, Values::Float { width: other_width, bytes: b }) => {
            let (a, b) =
                (&a[row * width..(row + 1) * width], &b[other * other_width..(other + 1) * other_width]);
            a == b || (numeric::float(a).is_nan() && numeric::float(b).is_nan())
        }
        (Values::Bytes { offsets: a, data }, Values::Bytes { offsets: b, data: other_data }) => {
            data[a.get(row)..a.get(row + 1)] == other_data[b.get(other)..b.get(other + 1)]
        }
        (Values::List { offsets: a, child }, Values::List { offsets: b, child: others }) => {
            let (from, to, at, end) = (a.get(row), a.get(row + 1), b.get(other), b.get(other + 1));
            to - from == end - at && (from..to).zip(at..end).all(|(i, j)| cells_equal(child, i, others, j))
        }
        (Values::FixedList { size, child }, Values::FixedList { size: other_size, child: others }) => {
            size == other_size
                && (0..*size).all(|item| cells_equal(child, row * size + item, others, other * size + item))
        }
        (Values::Struct(fields), Values::Struct(others)) => {
            let mut pairs = fields.iter().zip(others);
            fields.len() == others.len() && pairs.all(|(field, twin)| cells_equal(field, row, twin, other))
        }
        _ => false,
    }
}
