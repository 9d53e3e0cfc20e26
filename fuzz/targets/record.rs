//! Fuzz target: the laws of `formats::oracle::record`.

#![no_main]

fuzz::target!(formats::oracle::record);
