//! Provides what is told of a field that does not have the type that was given for its column.

use super::{Opened, Table};
use crate::error::Error;
use crate::text::shown_type;

const OTHER_TYPE: &str = "give another type with --type, or none to have it found";

/// Characters of a field that are told.
const SHOWN_CHARS: usize = 40;

impl Opened {
    /// What is to be said of a field that does not fit, where its column was typed by all of its fields: the
    /// type was given by a person, or told by a certificate. Other errors are given back.
    pub fn misfit(&self, error: Error) -> Error {
        let Error::Retype { place, column } = error else {
            let from_encoder =
                matches!(error, Error::Limit { .. } | Error::Unsupported { .. }) && !self.has_many();
            return if from_encoder { error.in_file(self.file.path()) } else { error };
        };
        if let Some(certified) = self.certified().filter(|told| told.tells(column)) {
            return certified.misfit(*place).in_file(self.file.path());
        }
        let why = self.why().get(column);
        let unfit = why.and_then(|why| why.unfit.as_ref());
        // The parser may have met another field first, which has the type and not the layout of the others.
        let seen = unfit.and_then(|unfit| self.misfit_at(unfit.row()?, column));
        let place = match seen {
            Some(Error::Retype { place, .. }) => place,
            _ => place,
        };
        let told = match unfit {
            Some(unfit) => unfit.why.clone(),
            None => self.no_value(place.row, column),
        };
        let what = format!("the column does not have the type that was given for it ({told})");
        // A record that is unfit for itself would not be here if such were set aside.
        let hint = match unfit.is_none() || why.is_some_and(|why| why.is_alone) {
            true => format!("{OTHER_TYPE}, or set records aside (--rejects)"),
            false => OTHER_TYPE.to_owned(),
        };
        Error::unsupported(*place, what, hint).in_file(self.file.path())
    }

    /// What is told where only the parser found it, of a record counted from 1.
    fn no_value(&self, record: Option<u64>, column: usize) -> String {
        let ty = shown_type(self.table().schema().field(column).data_type());
        let field = match (&self.table, record) {
            (Table::Csv { table, .. }, Some(record)) => table.field_at(record.saturating_sub(1), column),
            _ => None,
        };
        let shown = field.map_or("a field".to_owned(), |field| {
            let cut: String = field.chars().take(SHOWN_CHARS).collect();
            if cut.len() < field.len() { format!("\"{cut}…\"") } else { format!("{cut:?}") }
        });
        format!("{shown} is no value of {ty}, or beyond what it holds")
    }

    /// That the field of a column in this row, counted from 0, does not have the type of the column, where it
    /// is a field of delimited text.
    pub(crate) fn misfit_at(&self, row: u64, column: usize) -> Option<Error> {
        match &self.table {
            Table::Csv { table, .. } => table.misfit_at(row, column),
            Table::Many(table) => table.misfit_at(row, column),
            Table::Through(passage) => passage.inner().misfit_at(row, column),
            _ => None,
        }
    }
}
