//! Fuzz target: the laws of `formats::oracle::any`.

#![no_main]

fuzz::target!(formats::oracle::any);
