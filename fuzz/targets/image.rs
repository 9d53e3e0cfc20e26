//! Fuzz target: the laws of `formats::oracle::image`.

#![no_main]

fuzz::target!(formats::oracle::image);
