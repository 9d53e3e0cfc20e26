//! Other people's bytes to content and back: split, decode, encode, join.
//!
//! This crate knows the layout of bytes that others defined and the shape of the content in them. It knows
//! no node, no price, no terminal and no clock, and it never prints.

mod annotation;
pub mod avro;
mod binary;
pub mod bytes;
pub mod carry;
pub mod cells;
pub mod compare;
pub mod concat;
pub mod conformance;
pub mod convert;
pub mod csv;
pub mod error;
pub mod file;
pub mod geometry;
mod guard;
pub mod image;
pub mod ipc;
pub mod jsonl;
mod layout;
pub mod limits;
pub mod listen;
pub mod media;
mod memory;
pub mod metadata;
pub mod normal;
pub mod open;
pub mod oracle;
pub mod parquet;
pub mod partition;
mod passage;
pub mod pieces;
pub mod recognise;
pub mod registry;
mod reopen;
pub mod set_aside;
pub mod signal;
pub mod sound;
pub mod spool;
mod spread;
pub mod table;
pub mod text;
pub mod typings;
mod under;
pub mod words;
pub mod write;

pub use error::{Error, Place, Result};
