//! Provides the order of the columns of the whole: those of the sources, and behind them those that are
//! added, but for columns of directories of which it is known where they stood in the partitioned table.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};

use super::more::Added;
use super::{Concat, Kind, Member};
use crate::error::{Error, Result};
use crate::open::Why;

/// The columns of the whole, as others see them.
pub(super) struct Shown {
    /// Where each stands among those of the sources with the added ones behind them.
    pub(super) order: Vec<usize>,
    pub(super) schema: SchemaRef,
    /// Why each has its type; empty where there is nothing to say.
    pub(super) why: Vec<Why>,
}

impl Shown {
    /// No columns.
    pub(super) fn none() -> Self {
        Shown { order: Vec::new(), schema: Arc::new(Schema::empty()), why: Vec::new() }
    }

    /// A batch of the columns that are shown, made of those of the sources with the added ones behind them.
    pub(super) fn batch(&self, columns: &[arrow_array::ArrayRef], rows: usize) -> Result<RecordBatch> {
        let columns = self.order.iter().map(|column| columns[*column].clone()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|error| Error::Bug(format!("a batch of several sources: {error}")))
    }
}

/// The order of so many columns of sources and of those added behind them.
fn order(own: usize, added: &[Added]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..own).collect();
    let mut placed: Vec<(usize, usize)> =
        (own..).zip(added).filter_map(|(column, added)| Some((added.at?, column))).collect();
    placed.sort_unstable();
    for (at, column) in placed {
        order.insert(at.min(order.len()), column);
    }
    order.extend((own..).zip(added).filter(|(_, added)| added.at.is_none()).map(|(column, _)| column));
    order
}

impl Concat {
    /// Shows the columns as they are typed now.
    pub(super) fn show(&mut self) {
        let fields = self.schema.fields();
        let order = order(fields.len() - self.added.len(), &self.added);
        let shown: Vec<_> = order.iter().map(|column| fields[*column].clone()).collect();
        let schema = Arc::new(Schema::new_with_metadata(shown, self.schema.metadata().clone()));
        let why = match &self.kind {
            Kind::Fields { why, .. } | Kind::Json { why, .. } => {
                order.iter().map(|column| why.get(*column).cloned().unwrap_or_default()).collect()
            }
            Kind::Typed(_) => Vec::new(),
        };
        self.shown = Shown { order, schema, why };
    }

    /// That the field of a column in this row of the whole does not have the type of the column.
    pub(crate) fn misfit_at(&self, row: u64, column: usize) -> Option<Error> {
        let (member, own) = self.touched(&(row..row + 1)).into_iter().next()?;
        let column = member.columns.get(*self.shown.order.get(column)?).copied().flatten()?;
        Some(self.shown_error(member, member.opened.misfit_at(own.start, column)?))
    }

    /// The error of a member's row, naming the column as it is shown.
    pub(super) fn shown_error(&self, member: &Member, error: Error) -> Error {
        match error {
            Error::Retype { place, column } => {
                let own = member.columns.iter().position(|known| *known == Some(column)).unwrap_or(column);
                let shown = self.shown.order.iter().position(|known| *known == own);
                Error::Retype { place, column: shown.unwrap_or(own) }
            }
            other => other,
        }
        .in_file(&member.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::ColumnTyping;

    #[test]
    fn what_is_added_stands_where_it_stood_or_last() {
        let added = |places: &[Option<usize>]| -> Vec<Added> {
            let typing = ColumnTyping::named("int64").unwrap();
            places.iter().map(|at| Added::of("k", &typing, *at)).collect()
        };
        assert_eq!(order(3, &added(&[None, None])), [0, 1, 2, 3, 4]);
        assert_eq!(order(3, &added(&[Some(4), Some(0)])), [4, 0, 1, 2, 3]);
        assert_eq!(order(3, &added(&[Some(2), None, Some(1)])), [0, 5, 3, 1, 2, 4]);
        assert_eq!(order(1, &added(&[Some(9)])), [0, 1]);
        assert_eq!(order(2, &[]), [0, 1]);
    }
}
