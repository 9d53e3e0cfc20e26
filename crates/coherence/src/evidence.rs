//! Evidence: what is known about the distance between a content and its conversion.
//!
//! Evidence of parts merges to evidence of the whole, in any order and grouping, to the same bits; the
//! division by a column's scale and by the norm comes last. A column (of a table), an array (of a signal)
//! and a byte string are all described by one [`ColumnEvidence`] each.

use crate::sum::{ExactSum, SumError};
use thiserror::Error;

/// How the cells of a column are measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ColumnRule {
    /// Every value is a symbol: two cells are equal or 1 apart.
    Exact,
    /// Every value is a symbol that must not differ, beside others that may: it takes no part in the norm nor
    /// in a mean, so that it hides nothing of what happens to those.
    Fixed,
    /// Finite values are numbers, and two of them `(a - b) / scale` apart; null and non-finite are symbols.
    Numeric {
        /// Root mean square of the finite values in the original source; greater than zero.
        scale: f64,
    },
}

/// Evidence that cannot be formed or merged.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum EvidenceError {
    /// The scale of a column is negative or not finite.
    #[error("a scale of {scale} is not a root mean square")]
    Scale {
        /// The scale given.
        scale: f64,
    },
    /// The two sides describe different numbers of columns.
    #[error("evidence about {left} columns does not merge with evidence about {right}")]
    Columns {
        /// Columns on this side.
        left: usize,
        /// Columns on the other.
        right: usize,
    },
    /// The two sides measured a column in different ways.
    #[error("column {column} was measured by different rules")]
    Rule {
        /// Index of the column.
        column: usize,
    },
    /// A count exceeds 64 bits.
    #[error("a count of cells is beyond 64 bits")]
    Count,
    /// A sum cannot be formed.
    #[error(transparent)]
    Sum(#[from] SumError),
}

/// What is known about one column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnEvidence {
    /// How it was measured.
    pub rule: ColumnRule,
    /// Cells compared.
    pub cells: u64,
    /// Cells whose two values are not the same, by however little.
    pub differing: u64,
    /// Cells of the source that are symbols: all of them in an exact column.
    pub symbols: u64,
    /// Differing cells where at least one side is a symbol.
    pub symbols_differing: u64,
    /// Sum of squared differences, in units of the column; a symbol counts as the number 0 here.
    pub sum_sq_diff: ExactSum,
    /// Sum of squares of the source, in units of the column.
    pub sum_sq: ExactSum,
    /// The largest absolute difference between two numbers, in units of the column.
    pub max_abs: f64,
}

/// What is known about a content: its rows (or samples, or bytes), and each of its columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Rows compared.
    pub rows: u64,
    /// Columns, in order.
    pub columns: Vec<ColumnEvidence>,
}

impl ColumnRule {
    /// A numeric column of this scale; where the scale is 0 there is nothing to approximate, and it is exact.
    pub fn numeric(scale: f64) -> Result<Self, EvidenceError> {
        if !scale.is_finite() || scale < 0.0 {
            return Err(EvidenceError::Scale { scale });
        }
        Ok(if scale == 0.0 { Self::Exact } else { Self::Numeric { scale } })
    }
}

impl ColumnEvidence {
    /// Evidence from no cells: the neutral element of [`ColumnEvidence::merge`].
    pub fn new(rule: ColumnRule) -> Self {
        Self {
            rule,
            cells: 0,
            differing: 0,
            symbols: 0,
            symbols_differing: 0,
            sum_sq_diff: ExactSum::new(),
            sum_sq: ExactSum::new(),
            max_abs: 0.0,
        }
    }

    /// Evidence of an exact column in which no cell differs.
    pub fn equal(cells: u64) -> Self {
        Self { cells, symbols: cells, ..Self::new(ColumnRule::Exact) }
    }

    /// Counts cells of symbols, and how many of them differ.
    pub fn add_symbols(&mut self, cells: u64, differing: u64) -> Result<(), EvidenceError> {
        self.cells = count(self.cells, cells)?;
        self.symbols = count(self.symbols, cells)?;
        self.differing = count(self.differing, differing)?;
        self.symbols_differing = count(self.symbols_differing, differing)?;
        Ok(())
    }

    /// Counts cells with a finite number on each side, from the squares of the source's numbers and of the
    /// differences, each rounded once; where no cell differs, the latter may be left out.
    pub fn add_number_block(
        &mut self,
        squares: &[f64],
        squared_differences: &[f64],
        differing: u64,
        max_abs: f64,
    ) -> Result<(), EvidenceError> {
        self.sum_sq.add_all(squares)?;
        self.sum_sq_diff.add_all(squared_differences)?;
        self.cells = count(self.cells, squares.len() as u64)?;
        self.differing = count(self.differing, differing)?;
        self.max_abs = self.max_abs.max(max_abs);
        Ok(())
    }

    /// Counts cells with a whole number on each side, from the sums of the squares of the source's numbers
    /// and of the differences, both below 2^53.
    pub fn add_whole_block(
        &mut self,
        cells: u64,
        (sum_sq, sum_sq_diff): (u64, u64),
        differing: u64,
        max_abs: u32,
    ) -> Result<(), EvidenceError> {
        self.sum_sq.add(sum_sq as f64)?;
        self.sum_sq_diff.add(sum_sq_diff as f64)?;
        self.cells = count(self.cells, cells)?;
        self.differing = count(self.differing, differing)?;
        self.max_abs = self.max_abs.max(max_abs.into());
        Ok(())
    }

    /// Counts one cell with a finite number on each side. `difference` is a - b, rounded once.
    pub fn add_numbers(&mut self, source: f64, difference: f64, same: bool) -> Result<(), EvidenceError> {
        self.sum_sq_diff.add(difference * difference)?;
        self.sum_sq.add(source * source)?;
        self.cells = count(self.cells, 1)?;
        self.differing = count(self.differing, u64::from(!same))?;
        self.max_abs = self.max_abs.max(difference.abs());
        Ok(())
    }

    /// Counts one cell where exactly one side is a number: the axes of numbers and symbols are at right
    /// angles.
    pub fn add_number_and_symbol(
        &mut self,
        number: f64,
        number_in_source: bool,
    ) -> Result<(), EvidenceError> {
        self.sum_sq_diff.add(number * number)?;
        if number_in_source {
            self.sum_sq.add(number * number)?;
        } else {
            self.symbols = count(self.symbols, 1)?;
        }
        self.cells = count(self.cells, 1)?;
        self.differing = count(self.differing, 1)?;
        self.symbols_differing = count(self.symbols_differing, 1)?;
        Ok(())
    }

    /// The same evidence about numbers in units of a scale that was not known before: in a column whose scale
    /// turns out to be 0 every value is a symbol.
    pub fn with_scale(mut self, scale: f64) -> Result<Self, EvidenceError> {
        self.rule = ColumnRule::numeric(scale)?;
        if self.rule == ColumnRule::Exact {
            (self.symbols, self.symbols_differing) = (self.cells, self.differing);
        }
        Ok(self)
    }

    /// Adds evidence about other cells of the same column.
    pub fn merge(&mut self, other: &Self) -> Result<(), EvidenceError> {
        if self.rule != other.rule {
            return Err(EvidenceError::Rule { column: 0 });
        }
        self.cells = count(self.cells, other.cells)?;
        self.differing = count(self.differing, other.differing)?;
        self.symbols = count(self.symbols, other.symbols)?;
        self.symbols_differing = count(self.symbols_differing, other.symbols_differing)?;
        self.sum_sq_diff.merge(&other.sum_sq_diff);
        self.sum_sq.merge(&other.sum_sq);
        self.max_abs = self.max_abs.max(other.max_abs);
        Ok(())
    }

    /// Squared distance of the column.
    pub fn d_squared(&self) -> Result<f64, EvidenceError> {
        Ok(self.symbols_differing as f64 + self.scaled(&self.sum_sq_diff)?)
    }

    /// Squared norm of the source's column.
    pub fn norm_squared(&self) -> Result<f64, EvidenceError> {
        match self.rule {
            ColumnRule::Fixed => Ok(0.0),
            _ => Ok(self.symbols as f64 + self.scaled(&self.sum_sq)?),
        }
    }

    /// Root mean square of the source's numbers: the scale for the rest of a chain of conversions.
    pub fn rms(&self) -> Result<f64, EvidenceError> {
        let numbers = self.cells - self.symbols.min(self.cells);
        if numbers == 0 {
            return Ok(0.0);
        }
        Ok((self.sum_sq.to_f64()? / numbers as f64).sqrt())
    }

    fn scaled(&self, sum: &ExactSum) -> Result<f64, EvidenceError> {
        match self.rule {
            ColumnRule::Exact | ColumnRule::Fixed => Ok(0.0),
            // Dividing twice keeps a very small or large scale from leaving the range when squared.
            ColumnRule::Numeric { scale } => finite(sum.to_f64()? / scale / scale),
        }
    }
}

impl Evidence {
    /// Evidence from no rows: the neutral element of [`Evidence::merge`].
    pub fn new(rules: &[ColumnRule]) -> Self {
        Self { rows: 0, columns: rules.iter().map(|rule| ColumnEvidence::new(*rule)).collect() }
    }

    /// Evidence that nothing differs in this many rows and exact columns.
    pub fn equal(rows: u64, columns: usize) -> Self {
        Self { rows, columns: vec![ColumnEvidence::equal(rows); columns] }
    }

    /// Adds evidence about other rows of the same columns. After an error, part may have been added.
    pub fn merge(&mut self, other: &Self) -> Result<(), EvidenceError> {
        if self.columns.len() != other.columns.len() {
            return Err(EvidenceError::Columns { left: self.columns.len(), right: other.columns.len() });
        }
        self.rows = count(self.rows, other.rows)?;
        for (column, (mine, theirs)) in self.columns.iter_mut().zip(&other.columns).enumerate() {
            mine.merge(theirs).map_err(|error| match error {
                EvidenceError::Rule { .. } => EvidenceError::Rule { column },
                other => other,
            })?;
        }
        Ok(())
    }

    /// Number of cells that a mean is over: all but the fixed ones.
    pub fn measured(&self) -> u64 {
        let measured = self.columns.iter().filter(|column| column.rule != ColumnRule::Fixed);
        measured.fold(0, |sum, column| sum.saturating_add(column.cells))
    }

    /// Number of cells that differ, by however little.
    pub fn differing(&self) -> u64 {
        self.columns.iter().fold(0, |sum, column| sum.saturating_add(column.differing))
    }

    /// Squared distance, in units of the norm.
    pub fn d_squared(&self) -> Result<f64, EvidenceError> {
        self.columns.iter().try_fold(0.0, |sum, column| finite(sum + column.d_squared()?))
    }

    /// Squared norm of the source.
    pub fn norm_squared(&self) -> Result<f64, EvidenceError> {
        self.columns.iter().try_fold(0.0, |sum, column| finite(sum + column.norm_squared()?))
    }

    /// `1 - d / norm`; where the norm is 0, 1 if nothing differs and 0 otherwise.
    pub fn coherence(&self) -> Result<f64, EvidenceError> {
        Ok(coherence(self.d_squared()?, self.norm_squared()?))
    }

    /// Root mean square error over all measured cells; 0 where there are none.
    pub fn rmse(&self) -> Result<f64, EvidenceError> {
        let cells = self.measured();
        Ok(if cells == 0 { 0.0 } else { (self.d_squared()? / cells as f64).sqrt() })
    }

    /// Peak signal-to-noise ratio in dB for values up to `peak`; infinite where nothing differs.
    pub fn psnr_db(&self, peak: f64) -> Result<f64, EvidenceError> {
        Ok(20.0 * (peak / self.rmse()?).log10())
    }

    /// Signal-to-noise ratio in dB; infinite where the distance is 0, whatever the norm.
    pub fn snr_db(&self) -> Result<f64, EvidenceError> {
        match self.d_squared()? {
            0.0 => Ok(f64::INFINITY),
            // Nothing is at minus zero.
            d_squared => Ok(-10.0 * (d_squared / self.norm_squared()?).log10() + 0.0),
        }
    }

    /// The largest absolute difference between two numbers of any column.
    pub fn max_abs(&self) -> f64 {
        self.columns.iter().fold(0.0, |max, column| max.max(column.max_abs))
    }
}

/// `1 - d / norm` from the squares of both.
pub fn coherence(d_squared: f64, norm_squared: f64) -> f64 {
    if norm_squared > 0.0 {
        1.0 - (d_squared / norm_squared).sqrt()
    } else if d_squared == 0.0 {
        1.0
    } else {
        0.0
    }
}

fn count(left: u64, right: u64) -> Result<u64, EvidenceError> {
    left.checked_add(right).ok_or(EvidenceError::Count)
}

fn finite(value: f64) -> Result<f64, EvidenceError> {
    if value.is_finite() { Ok(value) } else { Err(EvidenceError::Sum(SumError::Overflow)) }
}
