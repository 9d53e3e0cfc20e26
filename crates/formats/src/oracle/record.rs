//! Provides the oracle of what targets and certificates record about their columns, which anyone can change:
//! the way of types through a format, and the styles of text.

use std::sync::Arc;

use super::{Held, choice, law, refusal, same};
use crate::carry::Carrier;
use crate::conformance::sample;
use crate::error::Error;
use crate::text::{ColumnFormatter, ColumnParser, ColumnTyping, RawField};
use crate::typings::{STYLES_KEY, Typings};

/// Fields that lie close to the borders between types.
const FIELDS: [&str; 12] = [
    "",
    "0",
    "-1",
    "007",
    "1.50",
    "1e9",
    "NaN",
    "true",
    "2024-02-29",
    "2024-02-29T23:59:60.5Z",
    "[1,null]",
    "é",
];

/// Text that stands where a record was written: of types if the first byte is even, else of styles.
pub fn record(bytes: &[u8]) -> Held {
    let (chosen, text) = choice(bytes);
    let Ok(text) = std::str::from_utf8(text) else { return Ok(()) };
    if chosen % 2 == 0 { types(text) } else { styles(text) }
}

fn types(text: &str) -> Held {
    let physical = sample(1, 5);
    let carrier = match Carrier::restore(&physical.schema(), text) {
        Ok(carrier) => carrier,
        Err(error) => return refusal(&error.in_file("record".as_ref())),
    };
    let logical = match carrier.from_physical(&physical) {
        Ok(logical) => logical,
        Err(error) => return refusal(&error),
    };
    same(&logical.num_rows(), &physical.num_rows(), "a record of types changes the number of rows")?;
    same(&logical.schema().fields().len(), &physical.num_columns(), "a record of types changes the columns")
}

fn styles(text: &str) -> Held {
    let schema = sample(1, 0).schema();
    let entry = (STYLES_KEY.to_owned(), text.to_owned());
    let schema = schema.as_ref().clone().with_metadata([entry].into());
    let Typings::Fields(typings) = Typings::of_metadata(&schema) else {
        // Advice that does not fit the columns is passed over; a single style may still be read.
        let Ok(json) = serde_json::from_str(text) else { return Ok(()) };
        return match ColumnTyping::from_json(&json) {
            Ok(typing) => style(&typing),
            Err(Error::Misuse(_) | Error::Unsupported { .. }) => Ok(()),
            Err(error) => refusal(&error.in_file("record".as_ref())),
        };
    };
    let record = Typings::Fields(typings.clone()).record(&schema);
    let record = record.map_err(|error| error.to_string())?.unwrap_or_default();
    let again = schema.with_metadata([(STYLES_KEY.to_owned(), record)].into());
    same(&Typings::of_metadata(&again), &Typings::Fields(typings.clone()), "a record changes styles")?;
    typings.iter().try_for_each(style)
}

/// A style from outside parses and formats without breaking, whatever it says.
fn style(typing: &ColumnTyping) -> Held {
    let Ok(mut parser) = ColumnParser::new(typing) else { return Ok(()) };
    let mut taken = 0;
    for text in FIELDS {
        for field in [RawField::plain(text.as_bytes()), RawField::quoted(text.as_bytes())] {
            taken += usize::from(parser.push(field).is_ok());
        }
    }
    let array = parser.finish().map_err(|error| format!("{typing:?}: {error}"))?;
    law(array.len() == taken, || format!("{taken} fields made {} values of {typing:?}", array.len()))?;
    let array = Arc::clone(&array);
    let Ok(formatter) = ColumnFormatter::new(typing, array.as_ref()) else { return Ok(()) };
    let mut text = Vec::new();
    (0..array.len()).for_each(|row| {
        formatter.write(row, &mut text);
    });
    Ok(())
}
