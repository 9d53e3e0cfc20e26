//! Fuzz target: the laws of `coherence::oracle::certificate`.

#![no_main]

fuzz::target!(coherence::oracle::certificate);
