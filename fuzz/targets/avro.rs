//! Fuzz target: the laws of `formats::oracle::avro`.

#![no_main]

fuzz::target!(formats::oracle::avro);
