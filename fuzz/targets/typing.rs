//! Fuzz target: the laws of `formats::oracle::typing`.

#![no_main]

fuzz::target!(formats::oracle::typing);
