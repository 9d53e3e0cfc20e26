//! Provides what there is to say of how columns are typed.

use crate::jsonl::{self, JsonText};
use crate::text::{ColumnTyping, Grouped, Profile, Resolved, Thousands, Unfit};

/// What there is to say of how a column is typed; empty where there is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Why {
    /// All of it: why it has its type, and why its text does not come back.
    pub said: String,
    /// The latter alone, where that is known apart.
    pub lost: String,
    /// Where it does not have the type that was given for it: what speaks against that.
    pub unfit: Option<Unfit>,
    /// Whether that is a field whatever the others are, so that its record can be set aside.
    pub is_alone: bool,
    /// Where the marks of its numbers may separate thousands: what is said of that.
    pub grouped: Option<Grouped>,
    /// Why values of it are kept as JSON text, where some are.
    pub as_json: Vec<JsonText>,
    /// Where it is text by few fields or for want of a choice: the row that keeps it from another type.
    pub missed: Option<u64>,
}

impl From<String> for Why {
    fn from(said: String) -> Self {
        Why { lost: said.clone(), said, ..Why::default() }
    }
}

/// How the columns of a text are typed by what was seen of them.
pub(crate) struct Found {
    pub(crate) typings: Vec<ColumnTyping>,
    pub(crate) why: Vec<Why>,
    /// Whether more rows may give other typings though all of their fields fit these.
    pub(crate) is_open: bool,
}

/// What profiles of all columns of a table, which have these names, give together.
pub(crate) fn resolve(profiles: &[Profile], names: &[&str]) -> Found {
    let found: Vec<Resolved> = profiles.iter().map(Profile::resolve).collect();
    let thousands = Thousands::of(profiles, &found);
    let is_open = Thousands::are_open(profiles, &found);
    let resolved = profiles.iter().zip(found).map(|(profile, found)| {
        let found = profile.unless_grouped(found, &thousands, names);
        let missed = profile.missed(&found);
        let Resolved { typing, why, lost, unfit, grouped } = found;
        let is_alone = unfit.as_ref().is_some_and(|unfit| profile.is_unfit_alone(unfit));
        (typing, Why { said: why, lost, unfit, is_alone, grouped, as_json: Vec::new(), missed })
    });
    let (typings, why) = resolved.unzip();
    Found { typings, why, is_open }
}

/// What there is to say of each column of JSON.
pub(crate) fn of_json(resolved: &jsonl::Resolved) -> Vec<Why> {
    let said = resolved.why_by_column().into_iter().zip(resolved.as_json_by_column());
    said.map(|(said, as_json)| Why { as_json, ..Why::from(said) }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::{ColumnParser, DecimalMarks, RawField, TypingOptions};

    const FIELDS: [&str; 23] = [
        "1.234",
        "12.345",
        "2.5",
        "0.125",
        "1.234.567",
        "1e5",
        "2,5",
        "1,234",
        "01,5",
        "12.345,50",
        "1,234.5",
        "1,2,3",
        "12.345,50 EUR",
        "2,5 %",
        " 2,5",
        "1 234,5",
        "1,5-",
        "nan",
        "7",
        "",
        "NA",
        "x",
        "1.2.3",
    ];

    const COLUMNS: usize = 3;

    const NAMES: [&str; COLUMNS] = ["a", "b", "c"];

    type Row = [&'static str; COLUMNS];

    /// Rows of columns that have few kinds of fields, as those of tables do.
    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let column = prop::collection::vec(prop::sample::select(&FIELDS[..]), 1..4);
        let columns = prop::collection::vec(column, COLUMNS);
        let picks = prop::collection::vec(prop::array::uniform3(any::<prop::sample::Index>()), 2..12);
        (columns, picks).prop_map(|(columns, picks)| {
            let row =
                |picks: [prop::sample::Index; COLUMNS]| [0, 1, 2].map(|at| *picks[at].get(&columns[at]));
            picks.into_iter().map(row).collect()
        })
    }

    fn observed(options: &TypingOptions, rows: &[(u64, Row)]) -> Vec<Profile> {
        let mut profiles = vec![Profile::with_options(options).unwrap(); COLUMNS];
        for (row, fields) in rows {
            for (profile, field) in profiles.iter_mut().zip(fields) {
                profile.observe(*row, RawField::plain(field.as_bytes()));
            }
        }
        profiles
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// However rows are cut, together they give the same types; and a sample that leaves nothing open
        /// gives those of all rows, unless a field that does not fit says otherwise.
        #[test]
        fn the_types_of_a_sample_are_those_of_all_rows(
            rows in rows(), cut in any::<u16>(), either in any::<bool>()
        ) {
            let decimal_marks = if either { DecimalMarks::Either } else { DecimalMarks::Point };
            let options = TypingOptions { decimal_marks, ..TypingOptions::default() };
            let rows: Vec<_> = (0..).zip(rows).collect();
            let (sample, rest): (Vec<_>, Vec<_>) = rows.iter().partition(|(row, _)| cut >> row & 1 == 0);
            let mut merged = observed(&options, &sample);
            let proposed = resolve(&merged, &NAMES);
            let more = observed(&options, &rest);
            merged.iter_mut().zip(&more).for_each(|(profile, more)| profile.merge(more));
            let all = resolve(&observed(&options, &rows), &NAMES);
            let found = resolve(&merged, &NAMES);
            prop_assert_eq!((&found.typings, &found.why), (&all.typings, &all.why));
            let fits = |(column, typing): (usize, &ColumnTyping)| {
                let mut parser = ColumnParser::new(typing).unwrap();
                rest.iter().all(|(row, fields)| {
                    parser.seek(*row);
                    parser.extend(std::iter::once(RawField::plain(fields[column].as_bytes()))).is_ok()
                })
            };
            if !proposed.is_open && proposed.typings.iter().enumerate().all(fits) {
                prop_assert_eq!(proposed.typings, all.typings);
            }
        }
    }
}
