//! Claims and certificates about signals: what may be approximated is measured, and nothing else may change.

use super::{Production, Signals, array, signature};
use crate::certificates::{contradicted, facts, read, signer};
use coherence::budget::{Bound, Budget};
use coherence::certificate::{BuildError, ColumnStyle, Facts, Verdict, part_table, sign};
use coherence::claim::{Claim, ReadBack};
use coherence::content::{ContentError, Grid, LeafAt, Model, RUN_SAMPLES};
use coherence::digest::Digest;
use coherence::dsse::Malformed;
use coherence::evidence::ColumnRule;
use coherence::gate::{Gate, Measure, Measured};
use coherence::sample::SampleType;
use coherence::signal::{self, APPROXIMATE_RULES, Array, EXACT_RULES, Rules, Signature};
use coherence::verified::{Mismatch, Records, Verified, VerifiedWhole, WholeError};
use serde_json::{Value, json};

const FLOATS: SampleType = SampleType::F32;

fn bytes(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A claim about one part and what is found when it is read again, under the rule of a column.
fn conversion(
    part: u64,
    (rules, column): (Rules, usize),
    ty: SampleType,
    source: &[u8],
    target: &[u8],
) -> (Claim, ReadBack) {
    let content = Production.digest(ty, target, &[]);
    let found = Production.compare((ty, rules[column]), source, target, &[]).evidence;
    let evidence = signal::evidence(rules, found);
    let result = Digest::blake3(target);
    let read = ReadBack {
        grid: Grid::Signal,
        units: content.units,
        result,
        content: content.leaves.clone(),
        evidence: evidence.clone(),
    };
    let claim = Claim {
        part,
        grid: Grid::Signal,
        units: content.units,
        source: Digest::blake3(source),
        result,
        source_content: Production.digest(ty, source, &[]).leaves,
        content: content.leaves,
        evidence,
    };
    (claim, read)
}

pub(super) fn check(
    part: u64,
    column: (Rules, usize),
    ty: SampleType,
    source: &[u8],
    target: &[u8],
) -> Result<Verified, Mismatch> {
    let (claim, read) = conversion(part, column, ty, source, target);
    Verified::check(claim, &read)
}

const APPROXIMATE: (Rules, usize) = (APPROXIMATE_RULES, 0);
const FIXED: (Rules, usize) = (APPROXIMATE_RULES, 1);
const EXACT: (Rules, usize) = (EXACT_RULES, 0);

#[test]
fn numbers_that_may_move_are_accepted_with_what_was_measured() {
    let (source, target) = (bytes(&[1.0, 2.0, f32::NAN]), bytes(&[1.0, 2.5, f32::NAN]));
    let verified = check(0, APPROXIMATE, FLOATS, &source, &target).expect("an honest part");
    assert_eq!(verified.claim().evidence.d_squared(), Ok(0.25));
    for exact in [EXACT, FIXED] {
        assert!(check(0, exact, FLOATS, &source, &source).is_ok());
    }
    // No reader sees the payload of a NaN, and no digest.
    let other_nan = [&bytes(&[1.0, 2.0])[..], &0xffc0_0001u32.to_le_bytes()].concat();
    assert!(check(0, EXACT, FLOATS, &source, &other_nan).is_ok());
    // Zeros that differ by their sign are at distance 0, and not the same.
    let (zero, negative) = (bytes(&[0.0]), bytes(&[-0.0]));
    let verified = check(0, APPROXIMATE, FLOATS, &zero, &negative).expect("an honest part");
    assert_eq!(verified.claim().evidence.d_squared(), Ok(0.0));
    assert_ne!(verified.claim().source_content, verified.claim().content);
    let at = LeafAt::Samples { from: 0 };
    assert_eq!(check(0, EXACT, FLOATS, &zero, &negative).err(), Some(Mismatch::Changed { part: 0, at }));
}

#[test]
fn symbols_and_fixed_arrays_may_not_change() {
    let symbols =
        |source: &[f32], target: &[f32]| check(3, APPROXIMATE, FLOATS, &bytes(source), &bytes(target)).err();
    let changed = |differing| Some(Mismatch::Symbols { part: 3, differing });
    assert_eq!(symbols(&[1.0, f32::NAN], &[1.0, 0.0]), changed(1));
    assert_eq!(symbols(&[1.0, 0.0], &[f32::INFINITY, f32::NAN]), changed(2));
    assert_eq!(symbols(&[f32::INFINITY], &[f32::NEG_INFINITY]), changed(1));

    let run = RUN_SAMPLES as usize;
    let source = vec![7; run + 5];
    let mut target = source.clone();
    target[run + 1] = 8;
    for exact in [EXACT, FIXED] {
        let at = LeafAt::Samples { from: RUN_SAMPLES };
        let found = check(0, exact, SampleType::U8, &source, &target).err();
        assert_eq!(found, Some(Mismatch::Changed { part: 0, at }));
    }
}

#[test]
fn a_claim_about_samples_may_not_excuse_itself() {
    let (source, target) = (bytes(&[1.0, 2.0]), bytes(&[1.0, 2.5]));
    let evidence = |array| Some(Mismatch::Evidence { part: 0, array });
    let altered = |column: (Rules, usize), change: fn(&mut Claim, &mut ReadBack)| {
        let (mut claim, mut read) = conversion(0, column, FLOATS, &source, &target);
        change(&mut claim, &mut read);
        Verified::check(claim, &read).err()
    };
    // A distance other than the one measured.
    let smaller = |claim: &mut Claim, _: &mut ReadBack| {
        claim.evidence.columns[0].sum_sq_diff = coherence::sum::ExactSum::new();
    };
    assert_eq!(altered(APPROXIMATE, smaller), evidence(0));
    // Other samples than those that the evidence is about.
    let silent = |claim: &mut Claim, read: &mut ReadBack| {
        let (honest, _) = conversion(0, APPROXIMATE, FLOATS, &bytes(&[1.0, 2.0]), &bytes(&[1.0, 2.0]));
        (claim.evidence, read.evidence) = (honest.evidence.clone(), honest.evidence);
    };
    assert_eq!(altered(APPROXIMATE, silent), evidence(0));
    // Evidence about a sample more, or in both columns.
    let more = |claim: &mut Claim, read: &mut ReadBack| {
        for evidence in [&mut claim.evidence, &mut read.evidence] {
            evidence.columns[0].add_numbers(1.0, 0.0, true).expect("finite");
        }
    };
    assert_eq!(altered(APPROXIMATE, more), evidence(0));
    let both = |claim: &mut Claim, read: &mut ReadBack| {
        for evidence in [&mut claim.evidence, &mut read.evidence] {
            evidence.columns[1].add_symbols(1, 0).expect("small counts");
        }
    };
    assert_eq!(altered(APPROXIMATE, both), evidence(1));
    let narrow = |claim: &mut Claim, _: &mut ReadBack| drop(claim.evidence.columns.pop());
    assert_eq!(altered(APPROXIMATE, narrow), evidence(2));
    let shorter = |_: &mut Claim, read: &mut ReadBack| read.units -= 1;
    let units = Mismatch::Units { part: 0, unit: "samples", claimed: 2, found: 1 };
    assert_eq!(altered(APPROXIMATE, shorter), Some(units));
}

/// An image of two runs and a tail that may be approximated, and a mask that may not.
fn image() -> Signature {
    let image = Array { peak: Some(255.0), ..array("image", SampleType::U8, &[2, RUN_SAMPLES + 3]) };
    let mask = Array { peak: Some(255.0), ..array("mask", SampleType::U8, &[5]) };
    Signature { attributes: vec![("icc".to_owned(), b"profile".to_vec())], ..signature(&[image, mask]) }
}

fn verified_parts(rules: Rules, error: u8) -> Vec<Verified> {
    let run = RUN_SAMPLES as usize;
    let source: Vec<u8> = (0..2 * (run + 3)).map(|at| (at % 200) as u8).collect();
    let target: Vec<u8> =
        source.iter().enumerate().map(|(at, v)| v + error * u8::from(at % 4 == 0)).collect();
    let cuts = [0..run, run..2 * run, 2 * run..source.len()];
    let part = |(part, cut): (u64, std::ops::Range<usize>)| {
        check(part, (rules, 0), SampleType::U8, &source[cut.clone()], &target[cut]).expect("an honest part")
    };
    let mut parts: Vec<Verified> = (0..).zip(cuts).map(part).collect();
    let fixed = usize::from(rules != EXACT_RULES);
    parts.push(check(3, (rules, fixed), SampleType::U8, &[255; 5], &[255; 5]).expect("an honest part"));
    parts
}

fn whole(rules: Rules, error: u8) -> VerifiedWhole {
    let records = Records { counted: 2 * RUN_SAMPLES + 11, set_aside: 0 };
    VerifiedWhole::assemble(&Model::Signal(image()), verified_parts(rules, error), records)
        .expect("parts that tile")
}

fn stated(budget: Budget) -> Facts {
    let styles = vec![ColumnStyle { reversible: true, ..ColumnStyle::default() }; 2];
    Facts { styles, budget, ..facts(true) }
}

#[test]
fn only_parts_that_tile_the_arrays_make_a_whole() {
    let samples = 2 * RUN_SAMPLES + 11;
    let model = Model::Signal(image());
    let assemble = |parts, counted| {
        VerifiedWhole::assemble(&model, parts, Records { counted, set_aside: 0 }).map(|whole| whole.units())
    };
    assert_eq!(assemble(verified_parts(APPROXIMATE_RULES, 2), samples), Ok(samples));
    let (counted, units) = (samples + 1, samples);
    let count = WholeError::Count { unit: "samples", counted, set_aside: 0, units };
    assert_eq!(assemble(verified_parts(APPROXIMATE_RULES, 2), counted), Err(count));
    let mut short = verified_parts(APPROXIMATE_RULES, 2);
    short.pop();
    let missing = ContentError::Array { name: "mask".to_owned(), expected: 5, found: 0 };
    assert_eq!(assemble(short, samples), Err(WholeError::Content(missing)));
    // What one part measures as a number cannot be a symbol in another.
    let mut mixed = verified_parts(APPROXIMATE_RULES, 0);
    mixed[3] = verified_parts(EXACT_RULES, 0).remove(3);
    assert!(matches!(assemble(mixed, samples), Err(WholeError::Evidence(_))));
}

#[test]
fn a_certificate_of_a_signal_names_what_was_measured() {
    let lossy = whole(APPROXIMATE_RULES, 2);
    assert!(!lossy.is_equal());
    let budget = Budget::within(Bound::Rmse(1.5));
    let bundle = sign(&lossy, stated(budget), &signer(1)).expect("within the budget");
    assert_eq!(read(&bundle.to_bytes()), Ok(Verdict::Bounded));
    let predicate =
        serde_json::from_slice::<Value>(bundle.unverified_payload()).expect("JSON")["predicate"].take();
    let content = &predicate["content"];
    assert_eq!(content["model"], "signal");
    assert_eq!(content["samples"], (2 * RUN_SAMPLES + 11).to_string());
    assert_eq!(content["arrays"][0]["shape"], json!(["2", (RUN_SAMPLES + 3).to_string()]));
    assert_eq!(content["arrays"][1]["name"], "mask");
    assert_eq!(content["attributes"][0]["blake3"], Digest::blake3(b"profile").to_string());
    assert_eq!(content["source"], lossy.source_root().to_string());
    // A quarter of the samples of the image are 2 away; the mask takes no part in the mean.
    let image = 2 * (RUN_SAMPLES + 3);
    let d_squared = (4 * image.div_ceil(4)) as f64;
    let distortion = &predicate["distortion"];
    assert_eq!(distortion["d"], d_squared.sqrt().to_string());
    assert_eq!(distortion["n"], image.to_string());
    assert_eq!(distortion["rmse"], (d_squared / image as f64).sqrt().to_string());
    assert_eq!(distortion["maxAbs"], "2");
    assert_eq!(distortion["epsilon"], (1.5 * (image as f64).sqrt()).to_string());
    let psnr = 20.0 * (255.0 / (d_squared / image as f64).sqrt()).log10();
    assert_eq!(distortion["psnrDb"], psnr.to_string());
    assert_eq!(distortion["gates"][0], json!({"limit": "1.5", "name": "whole-rmse"}));
    assert_eq!(predicate["verification"]["checks"][1]["name"], "count-samples");
    let lines = String::from_utf8(part_table(&lossy).expect("safe numbers")).expect("UTF-8");
    assert_eq!(lines.lines().count(), 4);
    assert!(lines.lines().all(|line| line.contains("\"samples\":")));

    let same = sign(&whole(EXACT_RULES, 0), stated(Budget::ZERO), &signer(1)).expect("nothing differs");
    assert_eq!(read(&same.to_bytes()), Ok(Verdict::Exact));
    let unmoved =
        sign(&whole(APPROXIMATE_RULES, 0), stated(Budget::ZERO), &signer(1)).expect("nothing differs");
    assert_eq!(read(&unmoved.to_bytes()), Ok(Verdict::Exact));
}

#[test]
fn what_is_over_the_budget_is_not_signed() {
    let lossy = whole(APPROXIMATE_RULES, 2);
    let signed = |budget| sign(&lossy, stated(budget), &signer(1));
    for within in [Bound::MaxAbs(2.0), Bound::Rmse(1.2), Bound::Rate(0.1)] {
        assert!(signed(Budget::within(within)).is_ok(), "{within:?}");
    }
    for beyond in [Bound::ZERO, Bound::MaxAbs(1.9), Bound::Rmse(0.9), Bound::Rate(0.001)] {
        assert!(matches!(signed(Budget::within(beyond)), Err(BuildError::OverBudget(_))), "{beyond:?}");
        let whole_only = Budget { part: Bound::MaxAbs(2.0), ..Budget::within(beyond) };
        assert!(matches!(signed(whole_only), Err(BuildError::OverBudget(_))), "{beyond:?}");
    }
    let styles = Facts { styles: vec![], ..stated(Budget::within(Bound::MaxAbs(2.0))) };
    let refused = sign(&lossy, styles, &signer(1)).err();
    assert_eq!(refused, Some(BuildError::Styles { expected: 2, found: 0 }));
}

fn gated(found: f64) -> Facts {
    let gate = Gate { measure: Measure::Ssimulacra2, limit: 80.0 };
    let gates = vec![Measured { gate, found, by: "a test".into() }];
    Facts { gates, ..stated(Budget::within(Bound::MaxAbs(2.0))) }
}

#[test]
fn a_gate_is_stated_beside_the_distance_and_only_where_it_is_passed() {
    let lossy = whole(APPROXIMATE_RULES, 2);
    let bundle = sign(&lossy, gated(81.5), &signer(1)).expect("a gate that is passed");
    assert_eq!(read(&bundle.to_bytes()), Ok(Verdict::Bounded));
    let stated = serde_json::from_slice::<Value>(bundle.unverified_payload()).expect("JSON");
    let gate = json!({"by": "a test", "found": "81.5", "limit": "80", "name": "ssimulacra2"});
    assert_eq!(stated["predicate"]["distortion"]["gates"][2], gate);
    let missed = BuildError::Gate { name: "ssimulacra2", found: 79.5, limit: 80.0 };
    assert_eq!(sign(&lossy, gated(79.5), &signer(1)).err(), Some(missed));
}

#[test]
fn a_signed_contradiction_about_a_gate_is_refused() {
    let bundle = sign(&whole(APPROXIMATE_RULES, 2), gated(81.5), &signer(1)).expect("a gate that is passed");
    let changes = [
        ("limit", json!("82")),
        ("found", json!("NaN")),
        ("found", json!("good")),
        ("found", Value::Null),
        ("name", json!("beauty")),
    ];
    for (key, value) in changes {
        let found = contradicted(&bundle.to_bytes(), |predicate| {
            predicate["distortion"]["gates"][2][key] = value.clone();
        });
        let refused = matches!(found, Malformed::Contradiction { .. } | Malformed::Unexpected { .. });
        assert!(refused, "{key} {value}: {found:?}");
    }
}

#[test]
fn a_signed_contradiction_about_a_signal_is_refused() {
    let budget = Budget::within(Bound::MaxAbs(2.0));
    let bundle = sign(&whole(APPROXIMATE_RULES, 2), stated(budget), &signer(1)).expect("within the budget");
    type Change = fn(&mut Value);
    let contradictions: [Change; 8] = [
        |predicate| predicate["distortion"]["d"] = json!("1e9"),
        |predicate| predicate["distortion"]["epsilon"] = json!("1"),
        |predicate| predicate["distortion"]["epsilon"] = json!("nothing"),
        |predicate| predicate["verification"]["verdict"] = json!("EXACT"),
        |predicate| predicate["content"]["equal"] = json!(true),
        |predicate| predicate["content"]["samples"] = json!("5"),
        |predicate| predicate["content"]["arrays"][0]["name"] = json!("musk"),
        |predicate| {
            predicate["content"]["attributes"] =
                json!([{"key": "b", "blake3": ""}, {"key": "a", "blake3": ""}])
        },
    ];
    for change in contradictions {
        let found = contradicted(&bundle.to_bytes(), change);
        assert!(matches!(found, Malformed::Contradiction { .. }), "{found:?}");
    }
    let malformed: [Change; 4] = [
        |predicate| predicate["content"]["samples"] = json!("many"),
        |predicate| predicate["content"]["samples"] = json!("+2097163"),
        |predicate| predicate["content"]["arrays"][0]["type"] = json!("f128"),
        |predicate| predicate["content"]["arrays"][1]["shape"][0] = json!("05"),
    ];
    for change in malformed {
        let found = contradicted(&bundle.to_bytes(), change);
        assert!(matches!(found, Malformed::Unexpected { .. }), "{found:?}");
    }
}

#[test]
fn exact_claims_about_signals_need_no_more_than_their_content() {
    let content = Production.digest(SampleType::U8, &[1, 2, 3], &[]);
    let (source, result) = (Digest::blake3(b"source"), Digest::blake3(b"result"));
    let claim = Claim::exact(0, content.clone(), source, result);
    assert_eq!(claim.evidence.columns[0].rule, ColumnRule::Exact);
    assert_eq!(claim.evidence.columns[0].cells, 3);
    assert!(Verified::check(claim, &ReadBack::exact(content, result)).is_ok());
}
