//! Apache Parquet: reading by row range, and encoding parts that can be placed anywhere in a file.

mod annotations;
mod choose;
mod coarse;
mod decode;
mod encode;
mod footer;
mod groups;
mod lists;
mod pages;
mod thrift;
mod wide;

pub use decode::ParquetSource;
pub use encode::{Codec, ParquetEncoder, ParquetOptions};

use parquet::errors::ParquetError;

use crate::error::{Error, Place};
use crate::pieces;

/// Name of the format in errors.
const NAME: &str = "Parquet";

/// A fault that the library reports while it reads is a fault of the bytes.
fn malformed(error: ParquetError) -> Error {
    Error::malformed(NAME, Place::default(), told(&error))
}

/// What the library says, without the names that it gives kinds of errors.
fn told(error: &dyn std::fmt::Display) -> String {
    const KINDS: [&str; 6] =
        ["Parquet argument error: ", "Parquet error: ", "Arrow: ", "External: ", "EOF: ", "NYI: "];
    let text = error.to_string();
    let mut rest = text.as_str();
    while let Some(after) = KINDS.iter().find_map(|kind| rest.strip_prefix(kind)) {
        rest = after;
    }
    rest.to_owned()
}

/// A fault that the library reports while it writes is a fault of ours: what cannot be written is refused
/// before.
fn write_failed(error: ParquetError) -> Error {
    let bug = |error: &dyn std::fmt::Display| Error::Bug(format!("writing Parquet: {error}"));
    match error {
        // Only what lies in a temporary can fail in this way.
        ParquetError::External(error) => match error.downcast::<std::io::Error>() {
            Ok(error) => Error::io(pieces::directory(), *error),
            Err(error) => bug(&error),
        },
        error => bug(&error),
    }
}
