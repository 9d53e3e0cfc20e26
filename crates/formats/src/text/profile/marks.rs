//! Provides the marks in the numbers of a table whose decimal mark nobody told. A point or a comma before
//! three digits may as well separate thousands, and other columns may show that it does.
//!
//! A column shows it by its numbers. They are counted beside what else it holds: one number in a column of
//! remarks decides nothing. Plain integers count neither way, and nor do numbers whose mark may be either.

use super::agreed::{Offence, Offences};
use super::explain::{joined, show};
use super::uses::{Field, Use};
use super::{Profile, Resolved};
use crate::text::{DecimalMarks, Form, Mark, Mode, TypingOptions, shown_type};
use arrow_schema::DataType;

/// Fields of other kinds for each number, up to which a column shows what its marks are.
const OTHERS_MAX: u64 = 9;

/// Numbers for each list or version, from which on that is a slip: lists of few entries and short versions
/// look like numbers.
const NUMBERS_PER_LIST: u64 = 100;

/// What the fields of a column show of the marks in their numbers.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    /// Whether that is asked: nobody told the decimal mark.
    asked: bool,
    /// Numbers by the use of their mark, as [`Use::index`] has them, and the first of each.
    counts: [u64; 8],
    first: Offences,
    lists: u64,
    others: u64,
}

impl Marks {
    /// Of no fields.
    pub(super) fn new(options: &TypingOptions) -> Self {
        let asked = !options.marks_told && options.mode != Mode::Text;
        Marks { asked, counts: [0; 8], first: Offences::default(), lists: 0, others: 0 }
    }

    /// Whether fields are of interest.
    #[inline]
    pub(super) fn are_asked(&self) -> bool {
        self.asked
    }

    /// Takes note of a field that is not null.
    #[inline]
    pub(super) fn see(&mut self, row: u64, text: &[u8]) {
        if !self.asked || text.is_empty() {
            return;
        }
        match Field::of(text) {
            Field::Integer => {}
            Field::Number(used, mark) => {
                let index = used.index(mark);
                if self.counts[index] == 0 {
                    self.first.see(1 << index, &Offence::new(row, text, false));
                }
                self.counts[index] += 1;
            }
            Field::List => self.lists += 1,
            Field::Other => self.others += 1,
        }
    }

    /// Adds what was seen in other rows.
    pub(super) fn merge(&mut self, other: &Marks) {
        self.counts.iter_mut().zip(other.counts).for_each(|(ours, theirs)| *ours += theirs);
        self.first.merge(&other.first);
        self.lists += other.lists;
        self.others += other.others;
    }

    fn count(&self, used: Use, mark: Mark) -> u64 {
        self.counts[used.index(mark)]
    }

    fn has(&self, used: Use, mark: Mark) -> bool {
        self.count(used, mark) > 0
    }

    /// The uses of marks in numbers which show that this one separates thousands. Beside lists and versions,
    /// those that look like numbers may be such too: then only numbers with both marks show it.
    fn showing(&self, mark: Mark) -> impl Iterator<Item = usize> {
        let certain = Use::ThousandsBeforeMark.index(mark);
        let others = [Use::Thousands.index(mark), Use::Decimal.index(mark.other())];
        let alone: u64 = others.iter().map(|index| self.counts[*index]).sum();
        let count = self.lists.saturating_mul(NUMBERS_PER_LIST);
        let others = others.into_iter().filter(move |_| count <= alone);
        std::iter::once(certain).chain(others).filter(|index| self.counts[*index] > 0)
    }

    /// The first number that has this mark once, and no other.
    fn first_with(&self, mark: Mark) -> Option<&Offence> {
        let uses = [Use::Grouping, Use::Decimal].map(|used| self.first.of(used.index(mark)));
        uses.into_iter().flatten().min_by_key(|first| first.row)
    }

    /// The first number which shows that this mark separates thousands, and whether the column has enough of
    /// them.
    fn shown(&self, mark: Mark) -> Option<(&Offence, bool)> {
        let count = |mark| self.showing(mark).map(|index| self.counts[index]).sum::<u64>();
        let first = self.showing(mark).filter_map(|index| self.first.of(index));
        let others = self.others.saturating_add(self.lists).saturating_add(count(mark.other()));
        let is_enough = others <= count(mark).saturating_mul(OTHERS_MAX);
        Some((first.min_by_key(|first| first.row)?, is_enough))
    }
}

/// What shows that a mark separates thousands.
#[derive(Debug, Clone)]
struct Shown {
    /// The position of a column, and its first number that does.
    column: usize,
    first: Offence,
    /// Whether the column has enough of them.
    is_enough: bool,
}

/// The marks that separate thousands in a table, or may.
#[derive(Debug, Clone)]
pub(crate) struct Thousands {
    /// What shows it of points and of commas.
    shown: [Option<Shown>; 2],
    /// Whether a number shows that points are decimal marks.
    has_points: bool,
}

impl Thousands {
    /// As the profiles of all columns show it, with what each column was found to be.
    pub(crate) fn of(profiles: &[Profile], found: &[Resolved]) -> Self {
        let shown = |mark: Mark| {
            let all = profiles.iter().zip(found).enumerate().filter_map(|(column, (profile, found))| {
                let (first, is_enough) = match mark_of(found) {
                    // Two columns cannot have different decimal marks and both be right.
                    Some(other) if other == mark.other() => (profile.marks.first_with(other)?, true),
                    _ => profile.marks.shown(mark)?,
                };
                Some(Shown { column, first: first.clone(), is_enough })
            });
            // The first of those that have enough, or else of the others.
            all.reduce(|known, next| if next.is_enough && !known.is_enough { next } else { known })
        };
        let is_decimal = |profile: &Profile| profile.marks.has(Use::Decimal, Mark::Point);
        let has_points = profiles.iter().any(is_decimal);
        Thousands { shown: [shown(Mark::Point), shown(Mark::Comma)], has_points }
    }

    /// Whether more rows may show otherwise, though all of their fields fit what was found: numbers in a
    /// column of text, or in one that has the other mark.
    pub(crate) fn are_open(profiles: &[Profile], found: &[Resolved]) -> bool {
        let may_show = |mark: Mark| {
            let shows = |found: &Resolved| {
                found.typing.style.form == Form::Text || mark_of(found) == Some(mark.other())
            };
            found.iter().any(shows)
        };
        let open = |(profile, found): (&Profile, &Resolved)| {
            let asked = mark_of(found).filter(|mark| profile.may_group(*mark));
            asked.is_some_and(|mark| may_show(mark) || profile.has_either())
        };
        profiles.iter().zip(found).any(open)
    }
}

/// The decimal mark of a column that was found to be one of numbers with fractions.
fn mark_of(found: &Resolved) -> Option<Mark> {
    let is_number = matches!(found.typing.style.form, Form::Float(_) | Form::Decimal);
    is_number.then_some(found.typing.style.mark)
}

/// What is said of a column of numbers whose every mark may separate thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouped {
    /// What may be, what shows it, and which option decides otherwise.
    pub said: String,
    /// The row that shows it, counted from 0, if one does.
    pub row: Option<u64>,
    /// Whether it is text for that reason.
    pub is_text: bool,
}

impl Grouped {
    fn new(found: &Resolved, mark: Mark, shown: Option<&Shown>, names: &[&str]) -> Self {
        let marks = match mark {
            Mark::Point => "points",
            Mark::Comma => "commas",
        };
        let by = shown.map(|Shown { column, first, .. }| {
            let name = names.get(*column).copied().unwrap_or_default();
            format!(", as record {} of {name:?}, {},", first.row + 1, show(first))
        });
        let by = by.unwrap_or_default();
        let is_text = shown.is_some_and(|shown| shown.is_enough);
        let ty = match &found.typing.data_type {
            DataType::Decimal128(digits, scale) | DataType::Decimal256(digits, scale) => {
                format!("decimal({digits}, {scale})")
            }
            other => shown_type(other),
        };
        let option = if ty.contains(' ') { format!("'COLUMN={ty}'") } else { format!("COLUMN={ty}") };
        let said = match is_text {
            true => format!(
                "{marks} may separate thousands here{by} shows; --type {option} reads them as decimal marks"
            ),
            false => format!(
                "{marks} are read as decimal marks, though each may separate thousands{by}{}; \
                 --type COLUMN=text keeps the text",
                if by.is_empty() { "" } else { " suggests" }
            ),
        };
        Grouped { said, row: shown.map(|shown| shown.first.row), is_text }
    }
}

impl Profile {
    /// Whether no number shows that the mark is the decimal mark, where nobody told it.
    fn may_group(&self, mark: Mark) -> bool {
        self.marks.asked && self.rules.fixed.is_none() && !self.marks.has(Use::Decimal, mark)
    }

    /// Whether a point may as well be a decimal mark as separate thousands, whatever other columns show:
    /// where a semicolon delimits, commas may be decimal marks.
    fn has_either(&self) -> bool {
        self.rules.options.decimal_marks == DecimalMarks::Either
    }

    /// What the column was found to be, in a table with these names of columns; text where its marks may
    /// separate thousands as some do in its table.
    pub(crate) fn unless_grouped(&self, found: Resolved, thousands: &Thousands, names: &[&str]) -> Resolved {
        let asked =
            mark_of(&found).filter(|mark| self.may_group(*mark) && self.marks.has(Use::Grouping, *mark));
        let Some(mark) = asked else { return found };
        let shown = thousands.shown[mark as usize].as_ref();
        if shown.is_none() && (mark == Mark::Comma || !self.has_either() || thousands.has_points) {
            return found;
        }
        let grouped = Grouped::new(&found, mark, shown, names);
        match grouped.is_text {
            true => Resolved { grouped: Some(grouped.clone()), ..self.complete(self.as_text(grouped.said)) },
            false => {
                let why = joined([found.why, grouped.said.clone()]);
                Resolved { grouped: Some(grouped), why, ..found }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::resolve;
    use crate::text::{DecimalMarks, RawField};

    /// Profiles of columns, of rows with bars between their fields.
    fn profiled(options: &TypingOptions, rows: &[&str]) -> Vec<Profile> {
        let columns = rows[0].split('|').count();
        let mut profiles = vec![Profile::with_options(options).unwrap(); columns];
        for (row, fields) in (0..).zip(rows) {
            for (profile, field) in profiles.iter_mut().zip(fields.split('|')) {
                profile.observe(row, RawField::plain(field.as_bytes()));
            }
        }
        profiles
    }

    /// Names of columns.
    const NAMES: [&str; 3] = ["a", "b", "c"];

    /// What the columns are: text, numbers, text since a mark may separate thousands, or numbers although it
    /// may; and whether more rows may change it.
    fn typed(profiles: &[Profile]) -> (String, bool) {
        let found = resolve(profiles, &NAMES);
        let kinds = found.typings.iter().zip(&found.why).map(|(typing, why)| match &why.grouped {
            Some(grouped) => {
                let mark = if grouped.said.starts_with("points") { "Point" } else { "Comma" };
                format!("{mark}{}", if grouped.is_text { "" } else { "?" })
            }
            None if typing.style.form == Form::Text => "text".to_owned(),
            None => "number".to_owned(),
        });
        (kinds.collect::<Vec<_>>().join(" "), found.is_open)
    }

    fn options(decimal_marks: DecimalMarks) -> TypingOptions {
        TypingOptions { decimal_marks, ..TypingOptions::default() }
    }

    #[test]
    fn marks_that_separate_thousands_elsewhere_are_no_decimal_marks() {
        let (either, point) = (options(DecimalMarks::Either), options(DecimalMarks::Point));
        for (options, rows, types) in [
            (&either, &["1.200|12.345,50", "3.450|950,10"][..], "Point text"),
            (&either, &["1,200|12,345.50", "3,450|950.10"], "Comma text"),
            (&point, &["1.200|12.345,50", "3.450|950,10"], "Point text"),
            (&point, &["1.234|2,5", "2.345|3"], "Point text"),
            (&point, &["1.234|1.234.567", "2.345|3"], "Point text"),
            (&either, &["1.000|01,5"], "Point text"),
            (&either, &["1.234|2,5", "2.345|k. A."], "Point text"),
            (&point, &["1.234|2,5", "2.345|k. A."], "Point text"),
            (&either, &["1.234|2,5"], "Point number"),
            (&either, &["1,234|2.5"], "Comma number"),
            (&either, &["1.234|1,234"], "Point Comma"),
            (&either, &["1.234|x", "2.345|12.345,50 EUR"], "Point text"),
            (&point, &["1.234|x", "2.345|ab 12.345,50 EUR"], "Point text"),
            (&either, &["1,234|2.5|2,5"], "Comma number number"),
            (&either, &["1e5|2,5", "1.234|2,5"], "Point number"),
            // One use that cannot separate thousands says that none does.
            (&either, &["1.234|2,5", "2.5|3,5"], "number number"),
            (&either, &["1.234|2,5", "0.345|3,5"], "number number"),
            (&either, &["1234.567|2,5", "2.345|3,5"], "number number"),
            (&either, &["1.234e5|2,5", "2.345|3,5"], "number number"),
            // Nothing is shown by lists, versions, coordinates and numbers that may be either.
            (&point, &["1.234|1,2", "2.345|1,2,3"], "number text"),
            (&point, &["1.234|1,234", "2.345|x"], "number text"),
            (&point, &["1.234|1,234,567.8", "2.345|5,000"], "number text"),
            (&point, &["1.234|48.137,11.575", "2.345|52.52,13.405"], "number text"),
            (&point, &["1.234|1,2", "2.345|1, 2"], "number text"),
            (&either, &["1,234|2.5", "2,345|3.1.4"], "number text"),
            (&point, &["1.234|1.2.3", "2.345|31.12.2024"], "number text"),
            (&point, &["1.234|10.000.000.1"], "number text"),
            (&point, &["1.234|12.345"], "number number"),
            // White space, signs and units do not hide numbers; codes and versions are none.
            (&point, &["1.234|1.234.567", "2.345| 3"], "Point text"),
            (&either, &["1.234| 2,5", "2.345| 3,5"], "Point text"),
            (&either, &["1.234|2,5\u{a0}", "2.345|3,5 "], "Point text"),
            (&either, &["1.234|2,50 EUR"], "Point text"),
            (&either, &["1.234|2,5%", "2.345|10 %"], "Point text"),
            (&either, &["1.234|-€ 2,50"], "Point text"),
            (&point, &["1.234|1.234,50-"], "Point text"),
            (&point, &["1.234|1 234,50", "2.345|1'234.567"], "Point text"),
            (&either, &["1,234|v2.5"], "number text"),
            (&either, &["1,234|A-2.5"], "number text"),
            // Where commas may be decimal marks, points before three digits alone leave it open.
            (&either, &["1.234|x"], "Point? text"),
            (&either, &["1.234|1.2.3"], "Point? text"),
            (&either, &["1.234|12.345"], "Point? Point?"),
            (&either, &["1.234|2.5"], "number number"),
            (&either, &["1,234|x"], "number text"),
        ] {
            assert_eq!(typed(&profiled(options, rows)).0, types, "{rows:?}");
        }
    }

    #[test]
    fn few_numbers_among_other_fields_decide_nothing() {
        let point = options(DecimalMarks::Point);
        for (shown, other, others, types) in [
            ("2,5", "x", 9, "Point text"),
            ("2,5", "x", 10, "Point? text"),
            ("12.345,50 EUR", "x", 10, "Point? text"),
            ("2,5", "", 10, "Point text"),
            ("2,5", "7", 10, "Point text"),
            ("2,5", "2.5", 9, "Point text"),
            ("2,5", "2.5", 10, "Point? text"),
            ("1,2,3", "2,5", 99, "number text"),
            ("1,2,3", "2,5", 100, "Point text"),
        ] {
            let others = std::iter::repeat_n(format!("1.234|{other}"), others);
            let rows: Vec<String> = std::iter::once(format!("1.234|{shown}")).chain(others).collect();
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            assert_eq!(typed(&profiled(&point, &rows)).0, types, "{shown} among {other}");
        }
    }

    #[test]
    fn what_shows_it_is_told() {
        let profiles = profiled(&options(DecimalMarks::Point), &["1.234|7|x", "2.345|2,5|12,5"]);
        let found = resolve(&profiles, &NAMES);
        assert_eq!(
            found.why[0].said,
            "points may separate thousands here, as record 2 of \"b\", \"2,5\", shows; \
             --type 'COLUMN=decimal(18, 3)' reads them as decimal marks"
        );
        let rows: Vec<&str> = std::iter::repeat_n("1.234|x", 20).chain(["1.234|2,5"]).collect();
        let found = resolve(&profiled(&options(DecimalMarks::Point), &rows), &NAMES);
        assert_eq!(
            found.why[0].said,
            "points are read as decimal marks, though each may separate thousands, as record 21 of \"b\", \
             \"2,5\", suggests; --type COLUMN=text keeps the text"
        );
    }

    #[test]
    fn where_a_person_told_the_mark_or_the_type_it_holds() {
        let told = TypingOptions { marks_told: true, ..options(DecimalMarks::Point) };
        assert_eq!(typed(&profiled(&told, &["1.200|12.345,50"])), ("number text".to_owned(), false));
        let fixed = TypingOptions { fixed: Some("float64".into()), ..options(DecimalMarks::Either) };
        let mut profiles = profiled(&options(DecimalMarks::Either), &["1.200|12.345,50"]);
        profiles[0] = profiled(&fixed, &["1.200"]).remove(0);
        assert_eq!(typed(&profiles), ("number text".to_owned(), false));
    }

    #[test]
    fn rows_that_lack_the_field_are_not_forgotten() {
        let mut profiles = profiled(&options(DecimalMarks::Either), &["1.234|2,5"]);
        profiles[0].observe_absent(1);
        let found = resolve(&profiles, &NAMES);
        assert!(found.why[0].grouped.is_some() && !found.typings[0].reversible, "{:?}", found.why[0]);
        assert!(found.why[0].lost.contains("record 2 has no such field"), "{:?}", found.why[0]);
    }
}
