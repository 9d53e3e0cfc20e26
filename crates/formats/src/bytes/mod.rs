//! Byte strings and the formats that wrap them: gzip, BGZF, zstd, xz, bzip2, lz4, brotli, and none at all.
//!
//! [`codec::CODECS`] is the table of them. A [`reader::BytesReader`] gives the content of an object as one
//! stream, whatever members, frames or streams it is made of, and an [`ahead::Ahead`] the same decoded by
//! several threads; an [`encode::Encoder`] makes the members of a target from runs of content. Nothing here
//! holds more of the content than one piece, but for what threads decode ahead.

pub mod ahead;
pub(crate) mod bgzf;
pub(crate) mod brotli;
mod bzip2;
pub mod codec;
pub mod conformance;
pub mod encode;
mod gzip;
mod input;
mod lz4;
pub mod names;
pub mod reader;
pub(crate) mod xz;
mod zstd;

pub use ahead::Ahead;
pub(crate) use bgzf::are_blocks;
pub use codec::{CODECS, Codec};
pub use encode::{Encoder, Outlet, Settings};
pub use reader::{BytesReader, Totals};
