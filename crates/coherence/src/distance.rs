//! The distance between two columns, cell by cell, and the signature that makes a distance finite at all.

use crate::cells::{Cells, Offsets, Values};
use crate::evidence::{ColumnEvidence, ColumnRule, EvidenceError};
use crate::numeric;
use crate::schema::{LogicalType, Schema};
use crate::sum::ExactSum;
use crate::tolerance::Tolerance;
use thiserror::Error;

/// Rows that are first tried as one block, so that equal columns are compared at the speed of memory.
const BLOCK_ROWS: usize = 4096;

/// Why two contents are infinitely far apart.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum SignatureMismatch {
    /// Different numbers of rows.
    #[error("the left has {left} rows and the right {right}")]
    Rows {
        /// Rows on the left.
        left: u64,
        /// Rows on the right.
        right: u64,
    },
    /// Byte strings of different lengths.
    #[error("the left has {left} bytes and the right {right}")]
    Bytes {
        /// Bytes on the left.
        left: u64,
        /// Bytes on the right.
        right: u64,
    },
    /// Arrays of one name and different shapes.
    #[error("array {name:?} is of shape {left:?} on the left and {right:?} on the right")]
    Shape {
        /// Name of the array.
        name: String,
        /// Shape on the left.
        left: Vec<u64>,
        /// Shape on the right.
        right: Vec<u64>,
    },
    /// Arrays of one name whose axes mean different things.
    #[error("array {name:?} is {left:?} on the left and {right:?} on the right")]
    Meaning {
        /// Name of the array.
        name: String,
        /// Meaning on the left.
        left: String,
        /// Meaning on the right.
        right: String,
    },
    /// Arrays of one name whose samples are declared to reach up to different peaks.
    #[error("array {name:?} is declared up to {left} on the left and up to {right} on the right")]
    Peak {
        /// Name of the array.
        name: String,
        /// Peak on the left.
        left: f64,
        /// Peak on the right.
        right: f64,
    },
    /// An array that the right does not have.
    #[error("array {name:?} is only on the left")]
    OnlyLeftArray {
        /// Its name.
        name: String,
    },
    /// An array that the left does not have.
    #[error("array {name:?} is only on the right")]
    OnlyRightArray {
        /// Its name.
        name: String,
    },
    /// Rows without a partner.
    #[error("rows only on the left: {left}, only on the right: {right}")]
    Alone {
        /// Rows that only the left has.
        left: u64,
        /// Rows that only the right has.
        right: u64,
    },
    /// Columns in the same place have different names, and neither name is elsewhere.
    #[error("column {place} is named {left:?} on the left and {right:?} on the right")]
    Name {
        /// Place of the column, from 1.
        place: usize,
        /// Name on the left.
        left: String,
        /// Name on the right.
        right: String,
    },
    /// A column that the right does not have.
    #[error("column {name:?} is only on the left")]
    OnlyLeft {
        /// Its name.
        name: String,
    },
    /// A column that the left does not have.
    #[error("column {name:?} is only on the right")]
    OnlyRight {
        /// Its name.
        name: String,
    },
    /// The columns that both have stand in another order.
    #[error("the columns of the right stand in another order: {}", .right.join(", "))]
    Order {
        /// Names of the columns that both have, in the order of the right.
        right: Vec<String>,
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

/// Which columns stand for each other, as indexes on both sides in the order of the left, and everything in
/// which the two signatures differ; the distance is finite only if that is nothing.
///
/// Columns belong together by name, wherever they stand; of those left over, the ones in the same place.
pub fn pair_columns(left: &Schema, right: &Schema) -> (Vec<(usize, usize)>, Vec<SignatureMismatch>) {
    let mut partners: Vec<Option<usize>> = vec![None; left.columns()];
    let mut taken = vec![false; right.columns()];
    for (index, field) in left.fields.iter().enumerate() {
        let named = |at: &usize| !taken[*at] && right.fields[*at].name == field.name;
        if let Some(at) = (0..taken.len()).find(named) {
            (partners[index], taken[at]) = (Some(at), true);
        }
    }
    let mut found = Vec::new();
    let by_name: Vec<usize> = partners.iter().flatten().copied().collect();
    for (index, field) in left.fields.iter().enumerate().filter(|(index, _)| partners[*index].is_none()) {
        let left = field.name.clone();
        if taken.get(index) == Some(&false) {
            let right = right.fields[index].name.clone();
            found.push((index, SignatureMismatch::Name { place: index + 1, left, right }));
        } else {
            found.push((index, SignatureMismatch::OnlyLeft { name: left }));
        }
    }
    for (index, mismatch) in &found {
        if matches!(mismatch, SignatureMismatch::Name { .. }) {
            (partners[*index], taken[*index]) = (Some(*index), true);
        }
    }
    let mut found: Vec<SignatureMismatch> = found.into_iter().map(|(_, mismatch)| mismatch).collect();
    let alone = right.fields.iter().zip(&taken).filter(|(_, taken)| !**taken);
    found.extend(alone.map(|(field, _)| SignatureMismatch::OnlyRight { name: field.name.clone() }));
    if !by_name.is_sorted() {
        let mut order = by_name;
        order.sort_unstable();
        let right = order.into_iter().map(|at| right.fields[at].name.clone()).collect();
        found.push(SignatureMismatch::Order { right });
    }
    let pairs = partners.iter().enumerate().filter_map(|(left, right)| right.map(|right| (left, right)));
    (pairs.collect(), found)
}

/// What the two cells of a pair are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// The same value.
    Equal,
    /// Different numbers, but within the tolerance.
    Within,
    /// Different.
    Differs,
}

/// Compares two columns, batch by batch or pair by pair.
#[derive(Clone, Debug)]
pub struct ColumnComparison {
    /// What is known so far.
    pub evidence: ColumnEvidence,
    /// Differing cells that are within the tolerance.
    pub within: u64,
    tolerance: Tolerance,
    left: LogicalType,
    right: LogicalType,
    /// Sum of squares and count of numbers in cells of the left that have no partner.
    alone: (ExactSum, u64),
}

impl ColumnComparison {
    /// A comparison under this rule.
    ///
    /// An exact rule needs the same layout on both sides; a numeric rule takes any two types of numbers.
    pub fn new(left: &LogicalType, right: &LogicalType, rule: ColumnRule) -> Result<Self, DistanceError> {
        if let ColumnRule::Numeric { .. } = rule {
            for ty in [left, right] {
                numeric::exponent(ty).ok_or_else(|| DistanceError::NotNumeric(ty.clone()))?;
            }
        }
        Ok(Self {
            evidence: ColumnEvidence::new(rule),
            within: 0,
            tolerance: Tolerance::default(),
            left: left.clone(),
            right: right.clone(),
            alone: (ExactSum::new(), 0),
        })
    }

    /// A comparison of numbers that lets them differ by a tolerance; [`ColumnComparison::finish`] finds the
    /// scale of the column.
    pub fn within(
        left: &LogicalType,
        right: &LogicalType,
        tolerance: Tolerance,
    ) -> Result<Self, DistanceError> {
        Ok(Self { tolerance, ..Self::new(left, right, ColumnRule::Numeric { scale: 1.0 })? })
    }

    /// Takes the next cells of both sides, and tells each pair, by index, that differs beyond the tolerance.
    pub fn push(
        &mut self,
        left: &Cells<'_>,
        right: &Cells<'_>,
        mut differs: impl FnMut(usize),
    ) -> Result<(), DistanceError> {
        if left.len() != right.len() {
            return Err(DistanceError::Length { left: left.len(), right: right.len() });
        }
        if let ColumnRule::Numeric { .. } = self.evidence.rule {
            for row in 0..left.len() {
                if self.push_numbers(left, row, right, row)? == Pair::Differs {
                    differs(row);
                }
            }
            return Ok(());
        }
        if !same_layout(left, right) {
            return Err(DistanceError::Layout);
        }
        for start in (0..left.len()).step_by(BLOCK_ROWS) {
            let end = left.len().min(start + BLOCK_ROWS);
            let mut differing = 0;
            if !surely_equal(left, right, start..end, start) {
                for row in (start..end).filter(|row| !cells_equal(left, *row, right, *row)) {
                    differing += 1;
                    differs(row);
                }
            }
            self.evidence.add_symbols((end - start) as u64, differing)?;
        }
        Ok(())
    }

    /// Takes one cell of each side.
    pub fn pair(
        &mut self,
        left: &Cells<'_>,
        row: usize,
        right: &Cells<'_>,
        other: usize,
    ) -> Result<Pair, DistanceError> {
        if let ColumnRule::Numeric { .. } = self.evidence.rule {
            return self.push_numbers(left, row, right, other);
        }
        let equal = cells_equal(left, row, right, other);
        self.evidence.add_symbols(1, u64::from(!equal))?;
        Ok(if equal { Pair::Equal } else { Pair::Differs })
    }

    /// Takes a cell of the left that has no partner: it belongs to the scale of the column.
    pub fn alone(&mut self, left: &Cells<'_>, row: usize) -> Result<(), DistanceError> {
        if let ColumnRule::Numeric { .. } = self.evidence.rule
            && let Some(number) = numeric::number(&self.left, left, row)?
        {
            let number = number.to_f64();
            self.alone.0.add(number * number).map_err(EvidenceError::from)?;
            self.alone.1 += 1;
        }
        Ok(())
    }

    /// The evidence; where numbers were compared, in units of the root mean square of the left's numbers.
    pub fn finish(self) -> Result<ColumnEvidence, DistanceError> {
        if let ColumnRule::Exact = self.evidence.rule {
            return Ok(self.evidence);
        }
        let (mut squares, alone) = self.alone;
        squares.merge(&self.evidence.sum_sq);
        let numbers = self.evidence.cells - self.evidence.symbols + alone;
        let squares = squares.to_f64().map_err(EvidenceError::from)?;
        let scale = if numbers == 0 { 0.0 } else { (squares / numbers as f64).sqrt() };
        Ok(self.evidence.with_scale(scale)?)
    }

    fn push_numbers(
        &mut self,
        left: &Cells<'_>,
        row: usize,
        right: &Cells<'_>,
        other: usize,
    ) -> Result<Pair, DistanceError> {
        let a = numeric::number(&self.left, left, row)?;
        let b = numeric::number(&self.right, right, other)?;
        match (a, b) {
            (Some(a), Some(b)) => {
                let (same, difference) = (a.same(b), a.minus(b));
                self.evidence.add_numbers(a.to_f64(), difference, same)?;
                if !same && self.tolerance.allows(a.to_f64(), b.to_f64(), difference) {
                    self.within += 1;
                    return Ok(Pair::Within);
                }
                return Ok(if same { Pair::Equal } else { Pair::Differs });
            }
            (Some(a), None) => self.evidence.add_number_and_symbol(a.to_f64(), true)?,
            (None, Some(b)) => self.evidence.add_number_and_symbol(b.to_f64(), false)?,
            (None, None) => {
                let same = numeric::symbol(left, row) == numeric::symbol(right, other);
                self.evidence.add_symbols(1, u64::from(!same))?;
                if same {
                    return Ok(Pair::Equal);
                }
            }
        }
        Ok(Pair::Differs)
    }
}

/// Compares two whole columns of the same type.
pub fn compare(
    ty: &LogicalType,
    left: &Cells<'_>,
    right: &Cells<'_>,
    rule: ColumnRule,
) -> Result<ColumnEvidence, DistanceError> {
    let mut comparison = ColumnComparison::new(ty, ty, rule)?;
    comparison.push(left, right, |_| {})?;
    Ok(comparison.evidence)
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
