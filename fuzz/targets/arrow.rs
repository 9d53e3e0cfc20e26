//! Fuzz target: the laws of `formats::oracle::arrow`.

#![no_main]

fuzz::target!(formats::oracle::arrow);
