//! Provides why a field does not have the type that was given for its column, where it is looked at alone:
//! the reasons of a whole column speak of the other fields.

use super::agreed::Offence;
use super::explain::show;
use super::{Profile, initial};
use crate::text::float::read_leniently;
use crate::text::number::normalise_integer;
use crate::text::{BOOL_WORDS, Mark, RawField, shown_type};
use arrow_schema::DataType;

/// Bytes of a field at most that is looked at for what else it is.
const READ_BYTES_MAX: usize = 100;

impl Profile {
    /// Why a field that is not written as the given type is not of it, where it is something else.
    pub(super) fn why_alone(&self, field: &RawField<'_>) -> Option<String> {
        let fixed = self.rules.fixed.as_ref().filter(|_| self.rules.pattern.is_none())?;
        let text = field.bytes;
        if text.len() > READ_BYTES_MAX {
            return None;
        }
        let is = |word: &str| text.eq_ignore_ascii_case(word.as_bytes());
        let is_integer = normalise_integer(text).is_some();
        let is_number = is_integer || read_leniently::<f64>(text, Mark::Point).is_some();
        let has_exponent = is_number && text.iter().any(|byte| b"eE".contains(byte));
        let name = shown_type(fixed);
        let reason = match fixed {
            _ if initial(&self.rules.options, Some(fixed)) == 0 => return None,
            DataType::Float16 | DataType::Float32 | DataType::Float64 if is_integer => {
                return Some(format!("{} has more digits than {name} holds", shown(field)));
            }
            _ if fixed.is_numeric() && is_integer => return Some(beyond(field, fixed)),
            _ if fixed.is_integer() && has_exponent => "has an exponent",
            _ if fixed.is_numeric() && is_number => return None,
            _ if is_integer => "is an integer",
            _ if is_number => "is a number",
            DataType::Boolean => return None,
            _ if BOOL_WORDS[..3].iter().any(|(yes, no)| is(yes) || is(no)) => "is a truth value",
            _ => return None,
        };
        Some(format!("{} {reason}, so it is not of type {name}", shown(field)))
    }

    /// Why a field is not of the given type that its parser refuses.
    pub(super) fn why_refused(&self, field: &RawField<'_>, fixed: &DataType) -> String {
        let (shown, name) = (shown(field), shown_type(fixed));
        match fixed {
            DataType::Duration(_) => format!("{shown} is no duration that {name} holds"),
            _ if initial(&self.rules.options, Some(fixed)) == 0 => format!("{shown} is no text of {name}"),
            _ => beyond(field, fixed),
        }
    }
}

fn beyond(field: &RawField<'_>, fixed: &DataType) -> String {
    format!("{} is beyond what {} holds", shown(field), shown_type(fixed))
}

fn shown(field: &RawField<'_>) -> String {
    show(&Offence::new(0, field.bytes, field.quoted))
}
