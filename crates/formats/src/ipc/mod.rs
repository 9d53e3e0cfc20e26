//! Apache Arrow IPC, as a file with a footer and as a stream.

mod decode;
mod encode;

pub use decode::ArrowSource;
pub use encode::{ArrowEncoder, ArrowOptions, BodyCompression};

use crate::limits::DEPTH_MAX;

/// Name of the format in errors.
const NAME: &str = "Arrow IPC";

/// The bytes at both ends of a file.
const MAGIC: &[u8; 6] = b"ARROW1";

/// Marks the start of a message since format version 0.15.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// How the metadata of a message is checked: it may nest twice as deep as a column may, so that what is too
/// deep is told as that, and the rest is for what stands around the fields of a schema.
pub(crate) fn verifier() -> flatbuffers::VerifierOptions {
    flatbuffers::VerifierOptions { max_depth: 2 * DEPTH_MAX + 8, ..Default::default() }
}
