//! Provides what a profile sees and concludes of a column whose pattern was given.

use arrow_schema::DataType;

use super::agreed::{Offence, earlier};
use super::explain::show;
use super::resolve::Candidate;
use super::{Profile, Resolved, Unfit};
use crate::text::default::unit_digits;
use crate::text::{Form, GivenPattern, RawField};

/// The first fields that speak against a pattern.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    /// One that it reads, and writes in another way.
    other: Option<Offence>,
    /// One that it does not read.
    unfit: Option<Offence>,
}

impl Given {
    /// Takes note of a field that is not null.
    pub(super) fn see(&mut self, pattern: &GivenPattern, ty: &DataType, row: u64, field: RawField<'_>) {
        let reads = |lenient| match ty {
            DataType::Time32(unit) | DataType::Time64(unit) | DataType::Timestamp(unit, _) => {
                pattern.read_units(field.bytes, unit_digits(*unit), lenient)
            }
            _ => pattern.read_days(field.bytes, lenient),
        };
        if self.unfit.is_some() || reads(false).is_some() {
            return;
        }
        let first = if reads(true).is_some() { &mut self.other } else { &mut self.unfit };
        first.get_or_insert_with(|| Offence::new(row, field.bytes, field.quoted));
    }

    /// Takes note of what another profile has seen in other rows.
    pub(super) fn merge(&mut self, other: &Self) {
        self.other = earlier(self.other.take(), other.other.as_ref());
        self.unfit = earlier(self.unfit.take(), other.unfit.as_ref());
    }
}

impl Profile {
    /// The typing under a pattern.
    pub(super) fn resolve_given(&self, pattern: &GivenPattern, ty: &DataType) -> Resolved {
        let candidate = Candidate::new(ty.clone(), Form::Given(pattern.clone()));
        let told = |offence: &Offence, what: &str| {
            Unfit::new(offence, format_args!("{} {what} {:?}", show(offence), pattern.as_str()))
        };
        match (&self.given.unfit, &self.given.other) {
            (Some(unfit), _) => {
                let unfit = told(unfit, pattern.misfit(&unfit.text));
                Resolved { unfit: Some(unfit.clone()), ..self.resolved(candidate, unfit.placed()) }
            }
            (None, Some(other)) => {
                let why = told(other, "is not as it would be written by").placed();
                Resolved { lost: why.clone(), why, ..self.lossy(candidate) }
            }
            (None, None) => self.resolved(candidate, String::new()),
        }
    }
}
