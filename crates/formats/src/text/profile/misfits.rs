//! Provides the fields that do not have the type that was given for their column, each looked at alone. What
//! fields must agree on besides, such as the order of day and month, is no fault of one of them.

use super::{Fresh, Profile};
use crate::text::{ColumnParser, RawField};

impl Fresh {
    /// The columns whose type was given, by position, each with its profile of no fields.
    pub(crate) fn given(&self) -> impl Iterator<Item = (usize, &Profile)> {
        self.all().filter(|(_, profile)| profile.rules.fixed.is_some())
    }
}

impl Profile {
    /// Which of these fields do not have the given type, by position in ascending order, each with the
    /// reason. This is a profile of no fields.
    pub(crate) fn misfits(&self, fields: &[RawField<'_>]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        self.sift(fields, 0, &mut found);
        found
    }

    /// Looks at these fields, the first of which has this position, at once, and at each half where together
    /// they do not fit: mostly all fit.
    fn sift(&self, fields: &[RawField<'_>], first: usize, found: &mut Vec<(usize, String)>) {
        match (self.misfit(fields), fields.len()) {
            (None, _) => {}
            (Some(why), 1) => found.push((first, self.why_alone(&fields[0]).unwrap_or(why))),
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
        if found.impossible {
            let undecided = self.rules.pattern.is_none() && profile.is_undecided_as(fixed);
            let why = found.why.strip_prefix("record 1: ").unwrap_or(&found.why);
            return (!undecided).then(|| why.to_owned());
        }
        let mut parser = ColumnParser::new(&found.typing).ok()?;
        let misfit = parser.push_all(fields).err()?;
        fields.get(misfit.row).map(|field| self.why_refused(field, fixed))
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
            ("binary", "0x00|zz", vec![1], "\"zz\" is no text of binary"),
            ("duration[s]", "5", vec![0], "\"5\" is no duration that duration[s] holds"),
            ("float64", "1.5|1e400|2", vec![1], "\"1e400\""),
        ] {
            let found = misfits(ty, texts);
            assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), bad, "{ty}: {found:?}");
            assert!(found[0].1.starts_with('"') && found[0].1.contains(why), "{ty}: {found:?}");
        }
    }

    #[test]
    fn a_field_alone_is_told_for_what_it_is() {
        for (ty, text, told) in [
            ("date", "5", "\"5\" is an integer, so it is not of type date"),
            ("time", "1.5", "\"1.5\" is a number, so it is not of type time[us]"),
            ("timestamp", "1e300", "\"1e300\" is a number, so it is not of type timestamp[us]"),
            ("bool", "-0", "\"-0\" is an integer, so it is not of type bool"),
            ("int64", "TRUE", "\"TRUE\" is a truth value, so it is not of type int64"),
            ("int64", "1e3", "\"1e3\" has an exponent, so it is not of type int64"),
            ("int64", "99999999999999999999", "\"99999999999999999999\" is beyond what int64 holds"),
            (
                "float64",
                "99999999999999999999",
                "\"99999999999999999999\" has more digits than float64 holds",
            ),
        ] {
            assert_eq!(misfits(ty, text), [(0, told.to_owned())], "{ty}");
        }
        for ty in ["binary", "int8", "date", "date:%d.%m.%Y", "float64"] {
            let long = misfits(ty, &"12e".repeat(1_000_000));
            assert!(long[0].1.len() < 200 && long[0].1.contains('…'), "{long:?}");
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
