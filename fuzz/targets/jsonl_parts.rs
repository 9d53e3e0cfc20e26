//! Fuzz target: the laws of `formats::oracle::jsonl_parts`.

#![no_main]

fuzz::target!(formats::oracle::jsonl_parts);
