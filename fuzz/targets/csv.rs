//! Fuzz target: the laws of `formats::oracle::csv`.

#![no_main]

fuzz::target!(formats::oracle::csv);
