//! T1 and T6: parts tile to the whole, and digests are equal exactly when nothing that they bind differs.

use super::sample::{self, canonical};
use super::{Production, Signals, array, signature};
use crate::{Outcome, assert_dies, hold};
use coherence::content::{ContentError, Grid, Model, PartContent, RUN_SAMPLES};
use coherence::digest::Digest;
use coherence::evidence::ColumnRule;
use coherence::sample::SampleType;
use coherence::signal::{Array, Signature};
use proptest::collection::vec;
use proptest::prelude::*;

const RUN: usize = RUN_SAMPLES as usize;

/// The specification, step by step and slowly.
fn reference_leaves(ty: SampleType, bytes: &[u8]) -> Vec<Digest> {
    let leaf = |run: &[u8]| {
        let length = ((run.len() / ty.width()) as u64).to_le_bytes();
        let stream = Digest::blake3(&canonical(ty, run));
        Digest::blake3(&[&[2][..], &length, &1u32.to_le_bytes(), stream.as_bytes()].concat())
    };
    bytes.chunks(RUN * ty.width()).map(leaf).collect()
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

fn number(count: usize) -> Vec<u8> {
    (count as u64).to_le_bytes().to_vec()
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [number(bytes.len()), bytes.to_vec()].concat()
}

fn reference_signature(signature: &Signature) -> Vec<u8> {
    let mut out = number(signature.arrays.len());
    for array in &signature.arrays {
        out.extend(text(array.name.as_bytes()));
        out.extend(text(array.sample.name().as_bytes()));
        out.extend(number(array.shape.len()));
        out.extend(array.shape.iter().flat_map(|axis| axis.to_le_bytes()));
        out.extend(text(array.meaning.as_bytes()));
        match array.peak {
            Some(peak) => out.extend([&[1][..], &peak.to_le_bytes()].concat()),
            None => out.extend([0; 9]),
        }
    }
    out.extend(number(signature.attributes.len()));
    for (key, value) in &signature.attributes {
        out.extend([text(key.as_bytes()), text(value)].concat());
    }
    out
}

fn reference_root(signature: &Signature, samples: &[&[u8]]) -> Digest {
    let arrays = signature.arrays.iter().zip(samples);
    let leaves: Vec<Digest> =
        arrays.clone().flat_map(|(array, bytes)| reference_leaves(array.sample, bytes)).collect();
    let samples = arrays.map(|(array, bytes)| bytes.len() / array.sample.width()).sum();
    let head = [vec![3], text(b"isoform-content/v1"), text(b"signal")].concat();
    let signature = text(&reference_signature(signature));
    let counts = [number(samples), number(leaves.len())].concat();
    Digest::blake3(&[head, signature, counts, reference_tree(&leaves).as_bytes().to_vec()].concat())
}

/// Bytes that differ from place to place, without being held in a strategy.
fn long(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0] ^ seed).collect()
}

/// The part from the samples of one array, or from those on both sides of the border of two.
fn part(signals: &impl Signals, bytes: &[&[u8]]) -> PartContent {
    signals.digest(SampleType::U8, &bytes.concat(), &[])
}

fn t1_law(signals: &impl Signals) -> Outcome {
    hold(5, (1..RUN - 1, 1..1000usize, any::<u8>()), |(tail, small, seed)| {
        let (a, b, d) = (long(RUN + tail, seed), long(small, !seed), long(2 * RUN, seed ^ 1));
        let one = |name: &str, bytes: &[u8]| array(name, SampleType::U8, &[bytes.len() as u64]);
        let whole = signature(&[one("a", &a), one("b", &b), one("c", &[]), one("d", &d)]);
        let tile = |parts: &[&[&[u8]]]| {
            let parts: Vec<PartContent> = parts.iter().map(|bytes| part(signals, bytes)).collect();
            signals.tile(&whole, &parts)
        };
        let (a, d) = ((&a[..RUN], &a[RUN..], &a[..RUN - 1], &a[RUN - 1..]), d.split_at(RUN));
        let b = b.as_slice();

        let joined = tile(&[&[a.0], &[a.1], &[b], &[d.0], &[d.1]]);
        let leaves = [&[a.0, a.1].concat(), b, &[d.0, d.1].concat()];
        let leaves: Vec<Digest> =
            leaves.iter().flat_map(|bytes| reference_leaves(SampleType::U8, bytes)).collect();
        prop_assert_eq!(joined.map(|content| content.leaves), Some(leaves));
        prop_assert!(tile(&[&[a.0, a.1], &[b], &[d.0, d.1]]).is_some());

        let broken_run = tile(&[&[a.2], &[a.3], &[b], &[d.0], &[d.1]]);
        let swapped_in_an_array = tile(&[&[a.1], &[a.0], &[b], &[d.0], &[d.1]]);
        let swapped_arrays = tile(&[&[b], &[a.0], &[a.1], &[d.0], &[d.1]]);
        let across_an_end = tile(&[&[a.0], &[a.1, b], &[d.0], &[d.1]]);
        let from_across_an_end = tile(&[&[a.0, a.1, b, d.0], &[d.1]]);
        let one_missing = tile(&[&[a.0], &[a.1], &[b], &[d.0]]);
        let one_missing_within = tile(&[&[a.0], &[a.1], &[d.0], &[d.1]]);
        let one_left_over = tile(&[&[a.0], &[a.1], &[b], &[d.0], &[d.1], &[b]]);
        let an_empty_one = tile(&[&[a.0], &[a.1], &[b], &[], &[d.0], &[d.1]]);
        let refused = [
            broken_run,
            swapped_in_an_array,
            swapped_arrays,
            across_an_end,
            from_across_an_end,
            one_missing,
            one_missing_within,
            one_left_over,
            an_empty_one,
        ];
        prop_assert_eq!(refused.iter().position(Option::is_some), None);
        Ok(())
    })
}

fn alone(ty: SampleType, bytes: &[u8]) -> Signature {
    signature(&[array("x", ty, &[(bytes.len() / ty.width()) as u64])])
}

fn samples_law(signals: &impl Signals) -> Outcome {
    hold(400, (sample::runs(40), vec(1..9usize, 1..4)), |((ty, left, right), pieces)| {
        let signature = alone(ty, &left);
        let (a, b) = (signals.digest(ty, &left, &pieces), signals.digest(ty, &right, &[]));
        let (a, b) = (signals.root(&signature, &a), signals.root(&signature, &b));
        for rule in [ColumnRule::Exact, ColumnRule::Numeric { scale: 1.0 }] {
            let differing = Production.compare((ty, rule), &left, &right, &pieces).evidence.differing;
            prop_assert_eq!(a == b, differing == 0);
        }
        prop_assert_eq!(a, reference_root(&signature, &[&left]));
        Ok(())
    })?;
    let types = proptest::sample::select(vec![SampleType::F8E4M3, SampleType::F16, SampleType::U16]);
    hold(4, (types, 0..RUN, 1..300_000usize, any::<u8>()), |(ty, samples, piece, seed)| {
        let whole = long((RUN - 1 + samples) * ty.width(), seed);
        let content = signals.digest(ty, &whole, &[piece]);
        prop_assert_eq!(
            signals.root(&alone(ty, &whole), &content),
            reference_root(&alone(ty, &whole), &[&whole])
        );
        Ok(())
    })
}

/// Everything that a signature says is bound, so that no two of these have one root.
fn signature_law(signals: &impl Signals) -> Outcome {
    hold(1, Just(()), |()| {
        let base = array("a", SampleType::U8, &[2, 3]);
        let with = |change: fn(&mut Array)| {
            let mut array = base.clone();
            change(&mut array);
            signature(&[array])
        };
        let attribute = |key: &str, value: &[u8]| Signature {
            attributes: vec![(key.to_owned(), value.to_vec())],
            ..signature(std::slice::from_ref(&base))
        };
        let signatures = [
            with(|_| {}),
            with(|array| array.name.clear()),
            with(|array| array.name = "b".to_owned()),
            with(|array| array.sample = SampleType::I8),
            with(|array| array.sample = SampleType::Bool),
            with(|array| array.shape = vec![3, 2]),
            with(|array| array.shape = vec![6]),
            with(|array| array.shape = vec![1, 6]),
            with(|array| array.meaning = "gray".to_owned()),
            with(|array| array.peak = Some(0.0)),
            with(|array| array.peak = Some(255.0)),
            attribute("icc", b""),
            attribute("icc", b"p"),
            attribute("ic", b"cp"),
            Signature { arrays: vec![base.clone(), array("b", SampleType::U8, &[0])], attributes: vec![] },
        ];
        let content = signals.digest(SampleType::U8, &[0, 1, 1, 0, 1, 0], &[]);
        let roots: Vec<Digest> =
            signatures.iter().map(|signature| signals.root(signature, &content)).collect();
        for (at, (signature, root)) in signatures.iter().zip(&roots).enumerate() {
            prop_assert_eq!(*root, reference_root(signature, &[&[0, 1, 1, 0, 1, 0], &[]]));
            prop_assert!(!roots[..at].contains(root), "{:?}", signature);
        }
        Ok(())
    })
}

#[test]
fn t1_and_t6_hold_for_signals() {
    for law in [t1_law(&Production), samples_law(&Production), signature_law(&Production)] {
        law.unwrap_or_else(|counterexample| panic!("{counterexample}"));
    }
}

#[test]
fn t1_mutants_for_signals_die() {
    struct AcceptsAnything;
    impl Signals for AcceptsAnything {
        fn tile(&self, _: &Signature, parts: &[PartContent]) -> Option<PartContent> {
            let leaves = parts.iter().flat_map(|part| part.leaves.clone()).collect();
            Some(PartContent { grid: Grid::Signal, units: parts.iter().map(|part| part.units).sum(), leaves })
        }
    }
    struct SeesOneArray;
    impl Signals for SeesOneArray {
        fn tile(&self, _: &Signature, parts: &[PartContent]) -> Option<PartContent> {
            PartContent::concat(Grid::Signal, parts).ok()
        }
    }
    struct CountsSamples;
    impl Signals for CountsSamples {
        fn tile(&self, signature: &Signature, parts: &[PartContent]) -> Option<PartContent> {
            let whole = AcceptsAnything.tile(signature, parts)?;
            let runs = |array: &Array| array.samples().map_or(0, |samples| samples.div_ceil(RUN_SAMPLES));
            let leaves: u64 = signature.arrays.iter().map(runs).sum();
            (signature.samples() == Some(whole.units) && leaves == whole.leaves.len() as u64).then_some(whole)
        }
    }
    struct Reverses;
    impl Signals for Reverses {
        fn tile(&self, signature: &Signature, parts: &[PartContent]) -> Option<PartContent> {
            let mut whole = Production.tile(signature, parts)?;
            whole.leaves.reverse();
            Some(whole)
        }
    }
    assert_dies("parts not looked at", t1_law(&AcceptsAnything));
    assert_dies("all arrays taken for one", t1_law(&SeesOneArray));
    assert_dies("samples counted, and not where they lie", t1_law(&CountsSamples));
    assert_dies("leaves in another order", t1_law(&Reverses));
}

#[test]
fn t6_mutants_for_signals_die() {
    struct KeepsPayloads;
    impl Signals for KeepsPayloads {
        fn digest(&self, ty: SampleType, bytes: &[u8], pieces: &[usize]) -> PartContent {
            let plain = [SampleType::U8, SampleType::U16, SampleType::U32, SampleType::U64];
            let plain = plain.into_iter().find(|plain| plain.width() == ty.width()).unwrap_or(ty);
            Production.digest(plain, bytes, pieces)
        }
    }
    struct OneZero;
    impl Signals for OneZero {
        fn digest(&self, ty: SampleType, bytes: &[u8], pieces: &[usize]) -> PartContent {
            let mut bytes = bytes.to_vec();
            for sample in bytes.chunks_mut(ty.width()).filter(|_| ty.is_float()) {
                if sample.ends_with(&[0x80]) && sample.iter().filter(|byte| **byte != 0).count() == 1 {
                    sample.fill(0);
                }
            }
            Production.digest(ty, &bytes, pieces)
        }
    }
    struct ForgetsTheLastSample;
    impl Signals for ForgetsTheLastSample {
        fn digest(&self, ty: SampleType, bytes: &[u8], pieces: &[usize]) -> PartContent {
            let mut content = Production.digest(ty, bytes, pieces);
            let kept = bytes.len() / ty.width() - usize::from(!bytes.is_empty());
            content.leaves = Production.digest(ty, &bytes[..kept * ty.width()], pieces).leaves;
            content.leaves.resize(content.units.div_ceil(RUN_SAMPLES) as usize, Digest::blake3(&[]));
            content
        }
    }
    struct SeesPieces;
    impl Signals for SeesPieces {
        fn digest(&self, ty: SampleType, bytes: &[u8], pieces: &[usize]) -> PartContent {
            let mut content = Production.digest(ty, bytes, pieces);
            let piece = pieces.first().map_or(0, |piece| *piece as u8);
            content.leaves.iter_mut().for_each(|leaf| leaf.0[0] ^= piece);
            content
        }
    }
    struct Binds(fn(&mut Signature));
    impl Signals for Binds {
        fn root(&self, signature: &Signature, content: &PartContent) -> Digest {
            let mut bound = signature.clone();
            (self.0)(&mut bound);
            let (units, leaves) = (content.units, content.leaves.len() as u64);
            let tree = coherence::merkle::root(&content.leaves);
            coherence::content::bind_root("signal", &bound.canonical_bytes(), units, leaves, &tree)
        }
    }
    assert_dies("payloads of NaN hashed", samples_law(&KeepsPayloads));
    assert_dies("-0.0 hashed as 0.0", samples_law(&OneZero));
    assert_dies("the last sample not hashed", samples_law(&ForgetsTheLastSample));
    assert_dies("pieces hashed", samples_law(&SeesPieces));
    type Forget = fn(&mut Signature);
    let forgets: [(&str, Forget); 7] = [
        ("the name not bound", |signature| signature.arrays[0].name.clear()),
        ("the sample type not bound", |signature| signature.arrays[0].sample = SampleType::U8),
        ("the shape not bound", |signature| {
            signature.arrays[0].shape = vec![signature.arrays[0].samples().unwrap_or(0)];
        }),
        ("the meaning not bound", |signature| signature.arrays[0].meaning.clear()),
        ("the peak not bound", |signature| signature.arrays[0].peak = None),
        ("attributes not bound", |signature| signature.attributes.clear()),
        ("arrays without samples not bound", |signature| signature.arrays.truncate(1)),
    ];
    for (mutant, forget) in forgets {
        assert_dies(mutant, signature_law(&Binds(forget)));
    }
}

#[test]
fn t6_arrays_and_attributes_have_one_order() {
    let root = |signature: &Signature| Model::Signal(signature.clone()).root(0, &[]);
    let empty = |name: &str| array(name, SampleType::F32, &[4, 0, u64::MAX]);
    assert!(root(&signature(&[empty(""), empty("a"), empty("b")])).is_ok());
    for names in [["b", "a"], ["a", "a"]] {
        let found = root(&signature(&names.map(empty)));
        assert_eq!(found, Err(ContentError::Order { what: "array", name: "a".to_owned() }));
    }
    let keys = |keys: [&str; 2]| {
        let attributes = keys.map(|key| (key.to_owned(), vec![])).to_vec();
        root(&Signature { arrays: vec![], attributes })
    };
    assert_eq!(keys(["b", "a"]), Err(ContentError::Order { what: "attribute", name: "a".to_owned() }));
    // A key may stand twice, as texts of an image do.
    assert!(keys(["a", "a"]).is_ok());
    let endless = signature(&[array("a", SampleType::U8, &[u64::MAX, 2])]);
    assert!(matches!(root(&endless), Err(ContentError::Leaves { .. })));
}

/// The vector in the specification is what the code computes.
#[test]
fn t6_the_published_vector_for_signals_holds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/content-digest.md");
    let page = std::fs::read_to_string(path).expect("the specification is part of the repository");
    let image =
        Array { meaning: "rgb".to_owned(), peak: Some(255.0), ..array("image", SampleType::U8, &[1, 2, 3]) };
    let signal = Signature {
        attributes: vec![("icc".to_owned(), b"profile".to_vec())],
        ..signature(&[image, array("weight", SampleType::F32, &[3])])
    };
    let weights = [1.5f32.to_bits(), (-0.0f32).to_bits(), 0xffc0_0001].map(u32::to_le_bytes).concat();
    let samples = [&[0, 1, 2, 253, 254, 255][..], &weights];
    let parts: Vec<PartContent> = signal
        .arrays
        .iter()
        .zip(samples)
        .map(|(array, bytes)| Production.digest(array.sample, bytes, &[]))
        .collect();
    let whole = Production.tile(&signal, &parts).expect("parts that tile");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let arrays = signal.arrays.iter().zip(samples);
    let streams = arrays.map(|(array, bytes)| hex(&canonical(array.sample, bytes)));
    let mut lines = vec![format!("signal signature = {}", hex(&signal.canonical_bytes()))];
    lines.extend(streams.enumerate().map(|(at, stream)| format!("signal stream[{at}] = {stream}")));
    lines.extend(whole.leaves.iter().enumerate().map(|(at, leaf)| format!("signal leaf[{at}] = {leaf}")));
    lines.push(format!("signal root = {}", Production.root(&signal, &whole)));
    let none = Production.tile(&Signature::default(), &[]).expect("nothing to tile");
    lines.push(format!("signal root of nothing = {}", Production.root(&Signature::default(), &none)));
    for line in &lines {
        assert!(page.lines().any(|there| there == line), "not in the specification:\n{}", lines.join("\n"));
    }
}
