//! Apache Arrow IPC, as a file with a footer and as a stream.

mod decode;
mod encode;

pub use decode::ArrowSource;
pub use encode::{ArrowEncoder, ArrowOptions, BodyCompression};

/// Name of the format in errors.
const NAME: &str = "Arrow IPC";

/// The bytes at both ends of a file.
const MAGIC: &[u8; 6] = b"ARROW1";

/// Marks the start of a message since format version 0.15.
const CONTINUATION: [u8; 4] = [0xff; 4];
