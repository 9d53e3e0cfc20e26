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
    Error::malformed(NAME, Place::default(), error.to_string())
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
