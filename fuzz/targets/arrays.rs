//! Fuzz target: the laws of `formats::oracle::arrays`.

#![no_main]

fuzz::target!(formats::oracle::arrays);
