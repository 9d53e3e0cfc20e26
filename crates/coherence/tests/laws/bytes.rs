//! The laws for byte strings: T1, T2, T3 and T6, and the claims about them.

use crate::reference::Primes;
use crate::{Outcome, assert_dies, hold};
use coherence::byte_distance::{BytesComparison, length_mismatch};
use coherence::claim::{Claim, ReadBack};
use coherence::content::{BytesDigester, Grid, LEAF_BYTES, LeafAt, Model, PartContent};
use coherence::digest::Digest;
use coherence::evidence::{ColumnEvidence, ColumnRule};
use coherence::verified::{Mismatch, Records, Verified, VerifiedWhole, WholeError};
use proptest::collection::vec;
use proptest::prelude::*;

/// What digests, measures and joins byte strings.
trait Bytes {
    fn digest(&self, bytes: &[u8], pieces: &[usize]) -> PartContent {
        let mut digester = BytesDigester::new();
        let (mut rest, mut lengths) = (bytes, pieces.iter().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(lengths.next().map_or(rest.len(), |n| *n).min(rest.len()));
            digester.push(piece);
            rest = more;
        }
        digester.finish()
    }

    fn root(&self, content: &PartContent) -> Digest {
        Model::Bytes.root(content.units, &content.leaves).expect("leaves that cover the bytes")
    }

    fn join(&self, left: &PartContent, right: &PartContent) -> Option<PartContent> {
        PartContent::concat(Grid::Bytes, [left, right]).ok()
    }

    fn compare(&self, left: &[u8], right: &[u8]) -> BytesComparison {
        let mut comparison = BytesComparison::new();
        comparison.push(left, right).expect("strings of one length");
        comparison
    }

    fn merge(&self, left: &ColumnEvidence, right: &ColumnEvidence) -> ColumnEvidence {
        let mut merged = left.clone();
        merged.merge(right).expect("exact evidence merges");
        merged
    }
}

struct Production;
impl Bytes for Production {}

/// The specification, step by step and slowly.
fn reference_leaves(bytes: &[u8]) -> Vec<Digest> {
    let leaf = |run: &[u8]| {
        let length = (run.len() as u64).to_le_bytes();
        let stream = Digest::blake3(run);
        Digest::blake3(&[&[2][..], &length, &1u32.to_le_bytes(), stream.as_bytes()].concat())
    };
    bytes.chunks(LEAF_BYTES as usize).map(leaf).collect()
}

fn reference_tree(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::blake3(&[]),
        [leaf] => Digest::blake3(&[&[0][..], leaf.as_bytes()].concat()),
        _ => {
            let half = leaves.len().next_power_of_two() / 2;
            let (left, right) = (reference_tree(&leaves[..half]), reference_tree(&leaves[half..]));
            Digest::blake3(&[&[1][..], left.as_bytes(), right.as_bytes()].concat())
        }
    }
}

fn reference_root(bytes: &[u8]) -> Digest {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let leaves = reference_leaves(bytes);
    let counts = [(bytes.len() as u64).to_le_bytes(), (leaves.len() as u64).to_le_bytes()].concat();
    let head = [vec![3], text("isoform-content/v1"), text("bytes"), text("")].concat();
    Digest::blake3(&[head, counts, reference_tree(&leaves).as_bytes().to_vec()].concat())
}

/// A string that differs from place to place, without being held in a strategy.
fn long(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0] ^ seed).collect()
}

/// Strings of one length of which the second is mostly the first.
fn pairs() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    vec((any::<u8>(), any::<u8>(), 0..4u8), 0..40).prop_map(|bytes| {
        bytes.into_iter().map(|(left, right, kind)| (left, if kind == 0 { right } else { left })).unzip()
    })
}

fn t1_law(bytes: &impl Bytes) -> Outcome {
    hold(6, (1..3 * LEAF_BYTES as usize, any::<u8>()), |(tail, seed)| {
        let whole = long(LEAF_BYTES as usize + tail, seed);
        let (left, right) = whole.split_at(LEAF_BYTES as usize);
        let (left, right) = (bytes.digest(left, &[]), bytes.digest(right, &[]));
        let joined = bytes.join(&left, &right);
        prop_assert_eq!(joined.map(|content| content.leaves), Some(reference_leaves(&whole)));
        // A part that ends within a run can only be the last.
        if !right.units.is_multiple_of(LEAF_BYTES) {
            prop_assert_eq!(bytes.join(&right, &left), None);
        }
        Ok(())
    })
}

fn t2_law(bytes: &impl Bytes) -> Outcome {
    hold(200, (pairs(), 0..40usize), |((left, right), cut)| {
        let symbols = |bytes: &[u8]| bytes.iter().map(u8::to_string).collect::<Vec<_>>();
        let mut primes = Primes::default();
        let a = primes.universal_number(0, 0, &symbols(&left));
        let b = primes.universal_number(0, 0, &symbols(&right));
        let whole = bytes.compare(&left, &right);
        let d_squared = whole.evidence.d_squared().expect("a small count");
        prop_assert_eq!(2.0 * d_squared, primes.twice_d_squared(&a, &b) as f64);
        let norm_squared = whole.evidence.norm_squared().expect("a small count");
        prop_assert_eq!(2.0 * norm_squared, primes.twice_norm_squared(&a) as f64);
        let first = left.iter().zip(&right).position(|(a, b)| a != b);
        prop_assert_eq!(whole.first_differing, first.map(|at| at as u64));
        let cut = cut.min(left.len());
        let head = bytes.compare(&left[..cut], &right[..cut]).evidence;
        let tail = bytes.compare(&left[cut..], &right[cut..]).evidence;
        let sum = head.d_squared().expect("small") + tail.d_squared().expect("small");
        prop_assert_eq!(sum, d_squared);
        Ok(())
    })
}

fn t3_law(bytes: &impl Bytes) -> Outcome {
    hold(200, (pairs(), pairs(), pairs()), |(a, b, c)| {
        let [a, b, c] = [a, b, c].map(|(left, right)| bytes.compare(&left, &right).evidence);
        let neutral = ColumnEvidence::new(ColumnRule::Exact);
        let joined = bytes.merge(&bytes.merge(&a, &b), &c);
        prop_assert_eq!(&bytes.merge(&a, &bytes.merge(&b, &c)), &joined);
        prop_assert_eq!(&bytes.merge(&c, &bytes.merge(&b, &a)), &joined);
        prop_assert_eq!(&bytes.merge(&a, &neutral), &a);
        prop_assert_eq!(joined.differing, a.differing + b.differing + c.differing);
        Ok(())
    })
}

fn t6_law(bytes: &impl Bytes) -> Outcome {
    hold(200, (pairs(), vec(1..9usize, 1..4)), |((left, right), pieces)| {
        let (a, b) = (bytes.digest(&left, &pieces), bytes.digest(&right, &[]));
        let differing = bytes.compare(&left, &right).evidence.differing;
        prop_assert_eq!(bytes.root(&a) == bytes.root(&b), differing == 0);
        prop_assert_eq!(bytes.root(&a), reference_root(&left));
        Ok(())
    })?;
    hold(4, (0..2 * LEAF_BYTES as usize, 1..300_000usize, any::<u8>()), |(len, piece, seed)| {
        let whole = long(LEAF_BYTES as usize - 1 + len, seed);
        prop_assert_eq!(bytes.root(&bytes.digest(&whole, &[piece])), reference_root(&whole));
        let zeros = vec![0; whole.len()];
        let longer = vec![0; whole.len() + 1];
        prop_assert_ne!(bytes.root(&bytes.digest(&zeros, &[])), bytes.root(&bytes.digest(&longer, &[])));
        Ok(())
    })
}

#[test]
fn t1_to_t6_hold_for_bytes() {
    for law in [t1_law(&Production), t2_law(&Production), t3_law(&Production), t6_law(&Production)] {
        law.unwrap_or_else(|counterexample| panic!("{counterexample}"));
    }
}

#[test]
fn t1_to_t6_mutants_for_bytes_die() {
    struct AcceptsBrokenRuns;
    impl Bytes for AcceptsBrokenRuns {
        fn join(&self, left: &PartContent, right: &PartContent) -> Option<PartContent> {
            let leaves = [left.leaves.clone(), right.leaves.clone()].concat();
            Some(PartContent { grid: Grid::Bytes, units: left.units + right.units, leaves })
        }
    }
    struct Swaps;
    impl Bytes for Swaps {
        fn join(&self, left: &PartContent, right: &PartContent) -> Option<PartContent> {
            let mut joined = Production.join(left, right)?;
            joined.leaves.reverse();
            Some(joined)
        }
    }
    struct CountsBits;
    impl Bytes for CountsBits {
        fn compare(&self, left: &[u8], right: &[u8]) -> BytesComparison {
            let mut found = Production.compare(left, right);
            let bits = left.iter().zip(right).map(|(a, b)| u64::from((a ^ b).count_ones())).sum();
            (found.evidence.differing, found.evidence.symbols_differing) = (bits, bits);
            found
        }
    }
    struct ForgetsTheLastByte;
    impl Bytes for ForgetsTheLastByte {
        fn compare(&self, left: &[u8], right: &[u8]) -> BytesComparison {
            let len = left.len().saturating_sub(1);
            Production.compare(&left[..len], &right[..len])
        }
        fn digest(&self, bytes: &[u8], pieces: &[usize]) -> PartContent {
            Production.digest(&bytes[..bytes.len().saturating_sub(1)], pieces)
        }
    }
    struct KeepsTheLarger;
    impl Bytes for KeepsTheLarger {
        fn merge(&self, left: &ColumnEvidence, right: &ColumnEvidence) -> ColumnEvidence {
            if left.differing >= right.differing { left.clone() } else { right.clone() }
        }
    }
    struct SeesPieces;
    impl Bytes for SeesPieces {
        fn root(&self, content: &PartContent) -> Digest {
            Digest::blake3(format!("{content:?}").as_bytes())
        }
    }
    struct BindsNoLength;
    impl Bytes for BindsNoLength {
        fn root(&self, content: &PartContent) -> Digest {
            coherence::content::bind_root("bytes", &[], 0, 0, &coherence::merkle::root(&content.leaves))
        }
    }
    assert_dies("a broken run in the middle", t1_law(&AcceptsBrokenRuns));
    assert_dies("parts swapped", t1_law(&Swaps));
    assert_dies("bits counted instead of bytes", t2_law(&CountsBits));
    assert_dies("the last byte not compared", t2_law(&ForgetsTheLastByte));
    assert_dies("evidence not added", t3_law(&KeepsTheLarger));
    assert_dies("the last byte not hashed", t6_law(&ForgetsTheLastByte));
    assert_dies("a digest of another form", t6_law(&SeesPieces));
    assert_dies("a root without its length", t6_law(&BindsNoLength));
}

#[test]
fn claims_about_bytes_are_checked_and_tile() {
    let whole = long(2 * LEAF_BYTES as usize + 10, 1);
    let (head, tail) = whole.split_at(2 * LEAF_BYTES as usize);
    let source = Digest::blake3(b"source");
    let content = |bytes: &[u8]| Production.digest(bytes, &[]);
    let claim = |part, bytes: &[u8]| Claim::exact(part, content(bytes), source, Digest::blake3(bytes));
    let read = |bytes: &[u8]| ReadBack::exact(content(bytes), Digest::blake3(bytes));
    let verified = |part, bytes: &[u8]| Verified::check(claim(part, bytes), &read(bytes)).expect("honest");

    let mut flipped = head.to_vec();
    flipped[LEAF_BYTES as usize + 5] ^= 1;
    let found = Verified::check(claim(0, head), &read(&flipped)).err();
    assert_eq!(found, Some(Mismatch::Content { part: 0, at: LeafAt::Bytes { from: LEAF_BYTES } }));
    let found = Verified::check(claim(0, head), &read(&head[1..])).err();
    assert!(matches!(found, Some(Mismatch::Units { unit: "bytes", .. })));
    let mut table = read(&[]);
    table.grid = Grid::Table { columns: 1 };
    let found = Verified::check(claim(0, &[]), &table).err();
    assert!(matches!(found, Some(Mismatch::Grid { .. })));

    let parts = || vec![verified(0, head), verified(1, tail)];
    let records = |counted| Records { counted, set_aside: 0 };
    let all = whole.len() as u64;
    let proven = VerifiedWhole::assemble(&Model::Bytes, parts(), records(all)).expect("parts that tile");
    assert_eq!(proven.target_root(), &reference_root(&whole));
    assert_eq!(proven.units(), all);
    let short = VerifiedWhole::assemble(&Model::Bytes, parts(), records(all + 1)).map(|_| ());
    assert_eq!(short, Err(WholeError::Count { unit: "bytes", counted: all + 1, set_aside: 0, units: all }));
    let swapped = vec![verified(0, tail), verified(1, head)];
    let unaligned = VerifiedWhole::assemble(&Model::Bytes, swapped, records(all)).map(|_| ());
    assert!(matches!(unaligned, Err(WholeError::Content(_))));
}

#[test]
fn lengths_are_the_signature() {
    assert_eq!(length_mismatch(3, 3), None);
    assert!(length_mismatch(3, 4).is_some());
}

/// The vector in the specification is what the code computes.
#[test]
fn t6_the_published_vector_for_bytes_holds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/content-digest.md");
    let text = std::fs::read_to_string(path).expect("the specification is part of the repository");
    let content = Production.digest(b"isoform\n", &[]);
    let empty = Production.root(&Production.digest(b"", &[]));
    let lines = [
        format!("bytes leaf[0] = {}", content.leaves[0]),
        format!("bytes root = {}", Production.root(&content)),
        format!("bytes root of nothing = {empty}"),
    ];
    for line in &lines {
        assert!(text.lines().any(|there| there == line), "not in the specification:\n{}", lines.join("\n"));
    }
}
