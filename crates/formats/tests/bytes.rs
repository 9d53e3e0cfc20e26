//! Runs the conformance suite over the table of formats of byte strings.

use formats::bytes::CODECS;
use formats::bytes::conformance::{bomb, concatenation, damage, round_trip};

#[test]
fn every_codec_gives_back_what_it_was_given() {
    for codec in CODECS {
        round_trip(codec).unwrap_or_else(|error| panic!("{codec:?}: {error}"));
    }
}

#[test]
fn every_codec_reads_all_members_and_nothing_else() {
    for codec in CODECS {
        concatenation(codec).unwrap_or_else(|error| panic!("{codec:?}: {error}"));
    }
}

#[test]
fn every_codec_notices_damage() {
    for codec in CODECS {
        let unseen = damage(codec).unwrap_or_else(|error| panic!("{codec:?}: {error}"));
        // Bits without meaning: time, flags and system of gzip; reserved bits and unused last bits of others.
        assert!(unseen < 200, "{codec:?}: {unseen} flipped bits went unseen");
    }
}

#[test]
fn every_codec_streams_a_bomb() {
    for codec in CODECS {
        bomb(codec).unwrap_or_else(|error| panic!("{codec:?}: {error}"));
    }
}
