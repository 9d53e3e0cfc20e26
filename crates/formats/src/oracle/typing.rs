//! Provides the oracle of typing: type and style give back the text of every field, and how the fields were
//! cut and merged does not decide what they are.

use super::{Held, choice, law, same};
use crate::text::{
    ColumnFormatter, ColumnParser, ColumnTyping, DateOrder, DecimalMarks, Mode, Profile, RawField,
    TypingOptions,
};

/// A column of one field a line, under options that the first byte chooses. A line in quotes is a quoted
/// field.
pub fn typing(bytes: &[u8]) -> Held {
    let (chosen, text) = choice(bytes);
    let Ok(text) = std::str::from_utf8(text) else { return Ok(()) };
    let fields: Vec<RawField<'_>> = text.split('\n').map(field).collect();
    let options = options(chosen);
    let profile = |rows: std::ops::Range<usize>| -> Result<Profile, String> {
        let mut profile = Profile::with_options(&options).map_err(|error| error.to_string())?;
        rows.for_each(|row| profile.observe(row as u64, fields[row]));
        Ok(profile)
    };
    let resolved = profile(0..fields.len())?.resolve();
    let cut = fields.len() / 2;
    let (mut late, early) = (profile(cut..fields.len())?, profile(0..cut)?);
    late.merge(&early);
    same(&late.resolve(), &resolved, "how a column was cut decides its type")?;
    let typing = resolved.typing;
    let json = typing.to_json().map_err(|error| format!("a typing without JSON: {error}"))?;
    let again = ColumnTyping::from_json(&json).map_err(|error| format!("the JSON of a typing: {error}"))?;
    same(&again, &typing, "JSON changes a typing")?;
    let given_back = written(&typing, &fields)?;
    if !typing.reversible {
        return Ok(());
    }
    for (row, (field, (text, is_value))) in fields.iter().zip(given_back).enumerate() {
        let is = |word: &str| word.as_bytes() == field.bytes;
        let refused = typing.style.refused.iter().any(|word| is(word));
        let null = !field.quoted && (is(typing.style.null_text()) || refused);
        law(field.bytes == text && is_value != null, || {
            let (was, is) = (String::from_utf8_lossy(field.bytes), String::from_utf8_lossy(&text));
            format!("the field in row {row} was {was:?} and came back as {is:?} under {typing:?}")
        })?;
    }
    Ok(())
}

fn field(line: &str) -> RawField<'_> {
    match line.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => RawField::quoted(inner.as_bytes()),
        None => RawField::plain(line.as_bytes()),
    }
}

fn options(chosen: u8) -> TypingOptions {
    let tokens: &[&str] = [&[][..], &[], &["NA"], &["", "-", "0"]][usize::from(chosen >> 6)];
    TypingOptions {
        mode: [Mode::Reversible, Mode::Value, Mode::Text, Mode::Reversible][usize::from(chosen & 3)],
        null_tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
        date_order: [DateOrder::Unknown, DateOrder::DayFirst, DateOrder::MonthFirst]
            [usize::from(chosen >> 2 & 3) % 3],
        decimal_marks: [DecimalMarks::Point, DecimalMarks::Comma, DecimalMarks::Either]
            [usize::from(chosen >> 4 & 3) % 3],
        marks_told: false,
        fixed: None,
    }
}

/// The fields after they were parsed and formatted: text, and whether it is a value.
fn written(typing: &ColumnTyping, fields: &[RawField<'_>]) -> Result<Vec<(Vec<u8>, bool)>, String> {
    let mut parser = ColumnParser::new(typing).map_err(|error| format!("no parser: {error}"))?;
    let parsed = parser.push_all(fields);
    parsed
        .map_err(|misfit| format!("row {} does not fit what it was resolved to: {typing:?}", misfit.row))?;
    let array = parser.finish().map_err(|error| format!("no array: {error}"))?;
    same(array.data_type(), &typing.data_type, "the array has another type than its typing")?;
    let formatter = ColumnFormatter::new(typing, array.as_ref());
    let formatter = formatter.map_err(|error| format!("no formatter: {error}"))?;
    let write = |row| {
        let mut text = Vec::new();
        let is_value = formatter.write(row, &mut text);
        (text, is_value)
    };
    Ok((0..array.len()).map(write).collect())
}
