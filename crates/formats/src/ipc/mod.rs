//! Apache Arrow IPC, as a file with a footer and as a stream.

mod decode;
mod encode;

pub use decode::ArrowSource;
pub use encode::{ArrowEncoder, ArrowOptions, BodyCompression};

use arrow_ipc::{Field, Schema};

use crate::carry::Refusal;
use crate::error::{Place, Result};
use crate::limits::DEPTH_MAX;

/// Name of the format in errors.
const NAME: &str = "Arrow IPC";

/// The bytes at both ends of a file.
const MAGIC: &[u8; 6] = b"ARROW1";

/// Marks the start of a message since format version 0.15.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Refuses integers that are wider than Arrow has types for, as Polars writes them: the library stops at
/// them.
pub(crate) fn refuse_wide(schema: Schema<'_>) -> Result<()> {
    let wide = schema.fields().into_iter().flatten().find(is_wide);
    wide.map_or(Ok(()), |field| {
        let what = "integers of more than 64 bits";
        let loses = "the digits that 64 bits do not hold";
        let instead = "write the column as decimals of up to 38 digits, or as text, in the source";
        let place = Place::default().column(field.name().unwrap_or_default());
        Err(Refusal::new("a table", what, loses, instead).at(place))
    })
}

/// Whether a field, or one inside of it, holds such integers.
fn is_wide(field: &Field<'_>) -> bool {
    let wide = field.type_as_int().is_some_and(|int| int.bitWidth() > 64);
    wide || field.children().into_iter().flatten().any(|child| is_wide(&child))
}

/// How the metadata of a message is checked: it may nest twice as deep as a column may, so that what is too
/// deep is told as that, and the rest is for what stands around the fields of a schema.
pub(crate) fn verifier() -> flatbuffers::VerifierOptions {
    flatbuffers::VerifierOptions { max_depth: 2 * DEPTH_MAX + 8, ..Default::default() }
}
