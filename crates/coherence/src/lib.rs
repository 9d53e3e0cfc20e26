//! Laws about content: distance, evidence, digests, claims, certificates.
//!
//! This crate knows no format, no network, no clock, no file and no source of randomness: every function
//! here is a function of its arguments. Column data come in as borrowed views ([`cells::Cells`]); what goes
//! out are digests ([`content`]), evidence ([`evidence`]) and, at the very edge, signed JSON
//! ([`certificate`]).

pub mod allocation;
pub mod budget;
pub mod byte_distance;
pub mod canonical;
pub mod cells;
pub mod certificate;
pub mod claim;
mod consistency;
pub mod content;
pub mod digest;
pub mod distance;
mod distortion;
pub mod dsse;
pub mod evidence;
pub mod found;
pub mod gate;
pub mod key;
mod members;
pub mod merkle;
pub mod multiset;
mod numeric;
pub mod oracle;
mod parameters;
mod part_table;
pub mod pieces;
pub mod rows;
pub mod sample;
pub mod schema;
pub mod signal;
mod stated;
pub mod statement;
mod style;
pub mod sum;
pub mod tiles;
pub mod tolerance;
pub mod verified;
