//! Fuzz target: the laws of `formats::oracle::jsonl`.

#![no_main]

fuzz::target!(formats::oracle::jsonl);
