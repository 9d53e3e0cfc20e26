//! Fuzz target: the laws of `formats::oracle::parquet`.

#![no_main]

fuzz::target!(formats::oracle::parquet);
