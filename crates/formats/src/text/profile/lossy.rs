//! Provides what there is to say of columns whose values are kept and whose texts are not.

use super::Profile;
use super::agreed::Offence;
use super::bits::{self, WORDS};
use super::explain::show;
use super::loose::{End, first_end, hard};
use crate::text::{ColumnTyping, Form, shown_type};

impl Profile {
    /// What a reading that is not reversible loses.
    pub(super) fn why_lossy(&self, typing: &ColumnTyping) -> String {
        let kinds = match typing.style.form {
            Form::Bool { .. } => &[WORDS.all()][..],
            Form::Integer => &[bits::INT64, bits::UINT64, bits::INT128, bits::INT256],
            Form::Decimal => &[bits::INT256, bits::DECIMAL],
            Form::Float(_) => &[bits::FLOAT],
            _ => &[bits::TIMESTAMP, bits::TRIMMED, bits::WRITTEN],
        };
        // The last of the ways in which such values are written that the fields did not have.
        let ends = kinds.iter().filter_map(|kind| self.kind_end(*kind));
        let end = ends.max_by_key(|end| end.offence.row);
        let Some(End { offence, .. }) = first_end(end, hard(self.nulls.broken.clone())) else {
            return String::new();
        };
        if self.nulls.broken.as_ref() == Some(&offence) {
            return why_second(&offence);
        }
        let place = format!("record {}: {}", offence.row + 1, show(&offence));
        let ((reason, _), name) = (self.describe(&offence), shown_type(&typing.data_type));
        format!("{place} {reason}, so it is not how {name} is written: its value is kept, its text is not")
    }
}

/// What is lost where this is a second spelling of null.
pub(super) fn why_second(second: &Offence) -> String {
    let place = format!("record {}: {}", second.row + 1, show(second));
    format!("{place} is a second spelling of null, which is not kept apart from the first")
}
