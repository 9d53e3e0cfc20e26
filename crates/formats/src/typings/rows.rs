//! Provides what becomes of exceptions to styles, which are kept by row, where the rows of a table stand
//! elsewhere: in several files, or in one behind others.

use std::ops::Range;

use coherence::statement::Style;

use super::{FIELD, JSON, Typings, json_typing};
use crate::error::{Error, Result};
use crate::jsonl;
use crate::text::{ColumnTyping, Exception, Exceptions};

impl Typings {
    /// The same where the rows of these columns are not known any more: exceptions to their styles are
    /// dropped, and columns that had some no longer give back their text.
    #[must_use]
    pub fn without_rows(mut self, columns: &[usize]) -> Self {
        if let Typings::Fields(all) | Typings::Both(all, _) = &mut self {
            for at in columns {
                all.get_mut(*at).into_iter().for_each(|typing| {
                    typing.reversible &= std::mem::take(&mut typing.style.exceptions).is_empty();
                });
            }
        }
        if let Typings::Json(all) | Typings::Both(_, all) = &mut self {
            for at in columns {
                all.get_mut(*at).into_iter().for_each(jsonl::Typing::forget_rows);
            }
        }
        self
    }

    /// The rows that have exceptions, ascending, each once.
    pub fn rows_of_exceptions(&self) -> Vec<u64> {
        let mut rows = Vec::new();
        self.clone().each(&mut |all| rows.extend(all.iter().map(|odd| odd.row)));
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// The same for a table that has some of the rows, in their order: each pair is the number of a row here
    /// and there. Exceptions of other rows are those of other tables.
    #[must_use]
    pub fn moved(&self, rows: &[(u64, u64)]) -> Self {
        let mut typings = self.clone();
        typings.each(&mut |all| *all = moved(all, rows));
        typings
    }

    /// The same for the rows behind so many.
    pub(crate) fn behind(&self, before: u64) -> Self {
        let mut typings = self.clone();
        typings.each(&mut |all| {
            let rows = all.within(before..u64::MAX).iter();
            let moved = rows.map(|odd| Exception { row: odd.row - before, text: odd.text.clone() });
            *all = Exceptions::new(moved.collect()).unwrap_or_default();
        });
        typings
    }

    /// The typings of several tables as one, each with its rows in the whole; `None` where they differ in
    /// more than exceptions, or have more of these than a column may have.
    pub(crate) fn joined(tables: &[(Range<u64>, Typings)]) -> Option<Self> {
        let (mut common, mut found): (Option<Typings>, Vec<Vec<Exception>>) = (None, Vec::new());
        for (rows, typings) in tables {
            let alike = typings.moved(&[]);
            if *common.get_or_insert_with(|| alike.clone()) != alike {
                return None;
            }
            let mut at = 0;
            typings.clone().each(&mut |all| {
                if at == found.len() {
                    found.push(Vec::new());
                }
                let own = all.within(0..rows.end - rows.start).iter();
                found[at]
                    .extend(own.map(|odd| Exception { row: rows.start + odd.row, text: odd.text.clone() }));
                at += 1;
            });
        }
        let (mut typings, mut found) = (common?, found.into_iter());
        let mut fit = true;
        typings.each(&mut |all| match Exceptions::new(found.next().unwrap_or_default()) {
            Some(joined) => *all = joined,
            None => fit = false,
        });
        fit.then_some(typings)
    }

    /// Visits the exceptions of every column, and of what is nested in it, in an order of its own.
    fn each(&mut self, visit: &mut dyn FnMut(&mut Exceptions)) {
        if let Typings::Fields(all) | Typings::Both(all, _) = self {
            all.iter_mut().for_each(|typing| visit(&mut typing.style.exceptions));
        }
        if let Typings::Json(all) | Typings::Both(_, all) = self {
            all.iter_mut().for_each(|typing| typing.each_exceptions(visit));
        }
    }
}

/// The records of columns of a table that has some of the rows, as [`Typings::moved`] tells them.
///
/// # Errors
/// Records that are none.
pub fn moved_styles(styles: &[Style], rows: &[(u64, u64)]) -> Result<Vec<Style>> {
    styles.iter().map(|style| visited(style, &mut |all| *all = moved(all, rows))).collect()
}

/// The records of columns as they are written today: what a record leaves out is what an absent member means.
///
/// # Errors
/// Records that are none.
pub fn normal_styles(styles: &[Style]) -> Result<Vec<Style>> {
    styles.iter().map(|style| visited(style, &mut |_| {})).collect()
}

/// The rows that have exceptions by the records of columns, ascending, each once.
///
/// # Errors
/// Records that are none.
pub fn rows_of_styles(styles: &[Style]) -> Result<Vec<u64>> {
    let mut rows = Vec::new();
    for style in styles {
        visited(style, &mut |all| rows.extend(all.iter().map(|odd| odd.row)))?;
    }
    rows.sort_unstable();
    rows.dedup();
    Ok(rows)
}

/// The record of a column, all of whose exceptions were visited.
fn visited(style: &Style, visit: &mut dyn FnMut(&mut Exceptions)) -> Result<Style> {
    let mut style = style.members();
    if let Some(field) = style.get_mut(FIELD) {
        let mut typing = ColumnTyping::from_json(field)?;
        visit(&mut typing.style.exceptions);
        *field = typing.to_json()?;
    }
    if let Some(json) = style.get_mut(JSON) {
        let typing = serde_json::from_value(json.take());
        let mut typing: jsonl::Typing = typing.map_err(|error| Error::Misuse(error.to_string()))?;
        typing.each_exceptions(visit);
        *json = json_typing(&typing)?;
    }
    Ok(style.into())
}

/// Those of these rows, where they stand now.
fn moved(all: &Exceptions, rows: &[(u64, u64)]) -> Exceptions {
    let there = |odd: &Exception| {
        let at = rows.binary_search_by_key(&odd.row, |(here, _)| *here).ok()?;
        Some(Exception { row: rows[at].1, text: odd.text.clone() })
    };
    Exceptions::new(all.iter().filter_map(there).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;

    use super::*;

    /// A column of numbers in which these rows have exceptions, and one of objects of such.
    fn typings(rows: &[u64]) -> Typings {
        let odd = |row: &u64| Exception { row: *row, text: format!("{row}.50") };
        let exceptions = Exceptions::new(rows.iter().map(odd).collect()).unwrap();
        let mut field = ColumnTyping::default_for(&DataType::Float64).unwrap();
        field.style.exceptions = exceptions.clone();
        let inside = jsonl::Typing { exceptions, ..jsonl::Typing::of(&DataType::Float64) };
        let outside = jsonl::Typing { children: vec![inside], ..jsonl::Typing::of(&DataType::Null) };
        Typings::Both(vec![field], vec![outside])
    }

    fn texts(typings: &Typings) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        typings.clone().each(&mut |all| found.extend(all.iter().map(|odd| (odd.row, odd.text.clone()))));
        found
    }

    fn twice(odd: &[(u64, &str)]) -> Vec<(u64, String)> {
        odd.iter().chain(odd).map(|(row, text)| (*row, (*text).to_owned())).collect()
    }

    #[test]
    fn exceptions_go_with_their_rows() {
        let all = typings(&[3, 7, 9]);
        assert_eq!(all.rows_of_exceptions(), [3, 7, 9]);
        let moved = all.moved(&[(2, 0), (3, 4), (9, 5)]);
        assert_eq!(texts(&moved), twice(&[(4, "3.50"), (5, "9.50")]));
        assert_eq!(texts(&all.moved(&[])), []);
    }

    #[test]
    fn records_are_moved_as_typings_are() {
        let (all, rows) = (typings(&[3, 7, 9]), [(7, 1), (9, 2)]);
        let schema = arrow_schema::Schema::new(vec![arrow_schema::Field::new("x", DataType::Float64, true)]);
        let records = |typings: &Typings| -> Vec<_> {
            typings.styles(&schema).unwrap().into_iter().map(|column| column.style).collect()
        };
        assert_eq!(moved_styles(&records(&all), &rows).unwrap(), records(&all.moved(&rows)));
    }

    #[test]
    fn tables_behind_each_other_have_the_exceptions_of_all() {
        let tables = [(0..5, typings(&[1, 2, 5])), (5..8, typings(&[])), (8..9, typings(&[0]))];
        let found = Typings::joined(&tables).unwrap();
        assert_eq!(texts(&found), twice(&[(1, "1.50"), (2, "2.50"), (8, "0.50")]));
        assert_eq!(texts(&found.behind(2)), twice(&[(0, "2.50"), (6, "0.50")]));
        let many: Vec<u64> = (0..600).collect();
        assert_eq!(Typings::joined(&[(0..600, typings(&many)), (600..1200, typings(&many))]), None);
        let Typings::Both(fields, json) = typings(&[1]) else { panic!("they are of fields") };
        let other = [(0..5, Typings::Both(fields, json.clone())), (5..6, Typings::Json(json))];
        assert_eq!(Typings::joined(&other), None);
    }

    #[test]
    fn columns_without_their_rows_lose_texts() {
        let Typings::Both(fields, json) = typings(&[1]).without_rows(&[0]) else {
            panic!("they are of fields")
        };
        assert!(!fields[0].reversible && !json[0].is_reversible());
        let Typings::Both(fields, json) = typings(&[]).without_rows(&[0]) else {
            panic!("they are of fields")
        };
        assert!(fields[0].reversible && json[0].is_reversible());
    }
}
