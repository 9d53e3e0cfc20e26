//! Laws about content: distance, evidence, digests, claims, certificates.
//!
//! This crate knows no format, no network, no clock and no file.

pub mod content;
