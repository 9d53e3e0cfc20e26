//! Provides the fields that do not have the type that was given for their column, each looked at alone. What
//! fields must agree on besides, such as the order of day and month, is no fault of one of them.

use std::fmt;

use super::agreed::Offence;
use super::explain::show;
use super::resolve::Candidate;
use super::{Fresh, Profile, Resolved, Rules, initial};
use crate::text::types::UUID;
use crate::text::{ColumnParser, ColumnTyping, Form, RawField, shown_type};
use arrow_schema::DataType;

/// What speaks against the type that was given for a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// What is the matter, beginning with the field, where it is one.
    pub why: String,
    /// The field.
    field: Option<Offence>,
}

impl Unfit {
    /// One field is unfit.
    pub(super) fn new(field: &Offence, why: fmt::Arguments<'_>) -> Self {
        Unfit { why: why.to_string(), field: Some(field.clone()) }
    }

    /// No field is, but all of them are.
    pub(super) fn of_all(why: String) -> Self {
        Unfit { why, field: None }
    }

    /// The row of the field, counted from 0.
    pub fn row(&self) -> Option<u64> {
        self.field.as_ref().map(|field| field.row)
    }

    /// What is the matter, after the record.
    pub(super) fn placed(&self) -> String {
        match self.row() {
            Some(row) => format!("record {}: {}", row + 1, self.why),
            None => self.why.clone(),
        }
    }
}

impl Fresh {
    /// The columns whose type was given, by position, each with its profile of no fields.
    pub(crate) fn given(&self) -> impl Iterator<Item = (usize, &Profile)> {
        self.all().filter(|(_, profile)| profile.rules.fixed.is_some())
    }
}

impl Rules {
    /// Whether the type that was given is that of UUIDs.
    fn is_uuid(&self) -> bool {
        self.options.fixed.as_deref().is_some_and(|name| name.trim() == UUID)
    }

    /// What a message calls the type that was given.
    pub(super) fn named(&self, fixed: &DataType) -> String {
        if self.is_uuid() { UUID.to_owned() } else { shown_type(fixed) }
    }
}

impl Profile {
    /// The typing of a fixed type that no remaining candidate has.
    pub(super) fn unchecked(&self, fixed: &DataType) -> Resolved {
        let form = ColumnTyping::default_for(fixed).map_or(Form::Text, |typing| typing.style.form);
        let form = if self.rules.is_uuid() { Form::Uuid } else { form };
        let tried = initial(&self.rules.options, Some(fixed)) != 0;
        let unfit = tried.then(|| match self.is_undecided_as(fixed) {
            true => self.ambiguous(),
            false => self.unfit_for(fixed),
        });
        let why = unfit.as_ref().map(Unfit::placed).unwrap_or_default();
        let candidate = Candidate::new(fixed.clone(), form);
        Resolved { unfit, ..self.resolved(candidate, why) }
    }

    /// Which of these fields do not have the given type, by position in ascending order, each with the
    /// reason. This is a profile of no fields.
    pub(crate) fn misfits(&self, fields: &[RawField<'_>]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        self.sift(fields, 0, &mut found);
        found
    }

    /// Whether it is a field that does not have the given type whatever the others of its column are.
    pub(crate) fn is_unfit_alone(&self, unfit: &Unfit) -> bool {
        let Rules { options, fixed, pattern, .. } = self.rules.as_ref();
        let fresh = Profile::with_parts(options.clone(), fixed.clone(), pattern.clone());
        let field = unfit.field.as_ref();
        let field = field.map(|Offence { text, quoted, .. }| RawField { bytes: text, quoted: *quoted });
        field.is_some_and(|field| fresh.misfit(&[field]).is_some())
    }

    /// Looks at these fields, the first of which has this position, at once, and at each half where together
    /// they do not fit: mostly all fit.
    fn sift(&self, fields: &[RawField<'_>], first: usize, found: &mut Vec<(usize, String)>) {
        match (self.misfit(fields), fields.len()) {
            (None, _) => {}
            (Some(why), 1) => found.push((first, why)),
            (Some(_), count) => {
                let (left, right) = fields.split_at(count / 2);
                self.sift(left, first, found);
                self.sift(right, first + left.len(), found);
            }
        }
    }

    /// Why these fields do not all have the given type.
    fn misfit(&self, fields: &[RawField<'_>]) -> Option<String> {
        let fixed = self.rules.fixed.as_ref()?;
        let mut profile = self.clone();
        (0..).zip(fields).for_each(|(row, field)| profile.observe(row, *field));
        let found = profile.resolve();
        if let Some(unfit) = found.unfit {
            let undecided = self.rules.pattern.is_none() && profile.is_undecided_as(fixed);
            return (!undecided).then_some(unfit.why);
        }
        let mut parser = ColumnParser::new(&found.typing).ok()?;
        let misfit = parser.push_all(fields).err()?;
        let field = fields.get(misfit.row)?;
        let (shown, name) = (show(&Offence::new(0, field.bytes, field.quoted)), self.rules.named(fixed));
        Some(match initial(&self.rules.options, Some(fixed)) {
            0 => format!("{shown} is no value of type {name}"),
            _ => format!("{shown} is beyond what {name} holds"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::TypingOptions;

    /// The misfits among fields with a bar between them.
    fn misfits(ty: &str, texts: &str) -> Vec<(usize, String)> {
        let options = TypingOptions { fixed: Some(ty.into()), ..TypingOptions::default() };
        let fields: Vec<_> = texts.split('|').map(|text| RawField::plain(text.as_bytes())).collect();
        Profile::with_options(&options).unwrap().misfits(&fields)
    }

    #[test]
    fn fields_that_do_not_have_the_type_are_found_with_their_reasons() {
        for (ty, texts, bad, why) in [
            ("int64", "1|x||3|007|-5|y", vec![1, 6], "\"x\" is neither a number"),
            ("int8", "127|128|-128", vec![1], "\"128\" is beyond what int8 holds"),
            ("bool", "true|2", vec![1], "\"2\" is an integer"),
            ("date", "2024-01-31|2024-02-30|NA", vec![1], "\"2024-02-30\" is no date of the calendar"),
            ("date:%d.%m.%Y", "1.2.2024|31.12.2024|2024-01-31", vec![2], "does not fit the pattern"),
            ("date:%d.%m.%Y", "31.12.2024|31.02.2024", vec![1], "is no day or time that there is"),
            ("date:%a %d.%m.%Y", "Wed 31.01.2024|Tue 31.01.2024", vec![1], "another day of the week"),
            (
                "timestamp[ns]:%F %T",
                "2024-01-31 10:00:00|2500-01-01 00:00:00",
                vec![1],
                "beyond what the type",
            ),
            ("binary", "0x00|zz", vec![1], "\"zz\" is no value of type binary"),
            ("uuid", "82358803-ec46-4c5e-b67c-2234a2d38e66||0x", vec![2], "is no value of type uuid"),
            ("date", "2024-01-31|5", vec![1], "\"5\" is an integer, so it is not of type date"),
            (
                "int64",
                "1|99999999999999999999",
                vec![1],
                "\"99999999999999999999\" is an integer of more than 64",
            ),
            ("float64", "1.5|1e400|2", vec![1], "\"1e400\""),
        ] {
            let found = misfits(ty, texts);
            assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), bad, "{ty}: {found:?}");
            assert!(found[0].1.starts_with('"') && found[0].1.contains(why), "{ty}: {found:?}");
        }
    }

    #[test]
    fn the_field_that_speaks_against_a_type_is_told_and_whether_it_is_unfit_alone() {
        for (ty, texts, row, alone) in [
            ("date:%d.%m.%Y", "1.2.2024|31.02.2024", Some(1), true),
            ("date", "2020.01.31|1500.01.31", Some(1), true),
            ("date", "31.01.2024|2024-01-31", Some(1), false),
            ("float64", "1,5|2.5", Some(1), false),
            ("date", "01/02/2024|03/04/2024", None, false),
        ] {
            let decimal_marks = crate::text::DecimalMarks::Either;
            let options = TypingOptions { fixed: Some(ty.into()), decimal_marks, ..TypingOptions::default() };
            let mut profile = Profile::with_options(&options).unwrap();
            let fields = texts.split('|').map(|text| RawField::plain(text.as_bytes()));
            (0..).zip(fields).for_each(|(row, field)| profile.observe(row, field));
            let unfit = profile.resolve().unfit.unwrap();
            assert_eq!((unfit.row(), profile.is_unfit_alone(&unfit)), (row, alone), "{ty}: {unfit:?}");
        }
    }

    #[test]
    fn what_fields_must_agree_on_is_no_fault_of_one() {
        for (ty, texts) in [
            ("date", "01/02/2024|03/04/2024"),
            ("date", "31/01/2024|01/31/2024"),
            ("date", "2024-01-31|31.01.2024"),
            ("bool", "true|no"),
        ] {
            assert!(misfits(ty, texts).is_empty(), "{ty}: {texts:?}");
        }
    }
}
