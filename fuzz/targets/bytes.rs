//! Fuzz target: the laws of `formats::oracle::bytes`.

#![no_main]

fuzz::target!(formats::oracle::bytes);
