//! Apache Avro object container files: reading by row range, and encoding parts that can be placed anywhere.
//!
//! The container, the values and the schema are read and written here and not by a library, because a
//! reader for the files of others must notice a block whose bytes and count disagree, must bound what
//! decompression makes, and must keep rows that take no bytes. Other readers and writers serve as judges in
//! the tests.

mod codec;
mod column;
mod container;
mod cursor;
mod encode;
mod schema;
mod schema_json;
mod source;
mod values;

#[cfg(test)]
mod tests;

pub use codec::Codec;
pub use encode::{AvroEncoder, AvroOptions};
pub use source::AvroSource;

/// Name of the format in errors.
const NAME: &str = "Avro";
