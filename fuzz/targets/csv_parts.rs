//! Fuzz target: the laws of `formats::oracle::csv_parts`.

#![no_main]

fuzz::target!(formats::oracle::csv_parts);
