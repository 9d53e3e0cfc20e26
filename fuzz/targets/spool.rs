//! Fuzz target: the laws of `formats::oracle::spool`.

#![no_main]

fuzz::target!(formats::oracle::spool);
