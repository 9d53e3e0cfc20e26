//! Fuzz target: the laws of `formats::oracle::sound`.

#![no_main]

fuzz::target!(formats::oracle::sound);
