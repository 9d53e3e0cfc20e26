//! Verification finds every way in which a finished file can fail to be its source.

use crate::table::{self, PLAIN, Value};
use coherence::claim::{Claim, ReadBack};
use coherence::content::{CHUNK_ROWS, LeafAt, Model, PartContent, TableDigester};
use coherence::digest::Digest;
use coherence::evidence::{ColumnRule, Evidence};
use coherence::schema::{Field, LogicalType, Schema};
use coherence::verified::{Mismatch, Records, Verified, VerifiedWhole, WholeError};

const COLUMNS: usize = 2;

pub(crate) fn schema() -> Schema {
    let byte = LogicalType::Int { bits: 8, signed: true };
    Schema::new(vec![Field::new("a", byte.clone()), Field::new("b", byte)])
}

/// The content of a part of one byte per cell.
fn content(rows: &[u8]) -> PartContent {
    let ty = LogicalType::Int { bits: 8, signed: true };
    let cells: Vec<Value> = rows.iter().map(|byte| Value::Fixed(vec![*byte])).collect();
    let owned = table::build(&ty, &cells, PLAIN);
    let mut digester = TableDigester::new(&schema());
    digester.push(&[owned.cells(), owned.cells()]).expect("cells of the schema's types");
    digester.finish()
}

fn leaves(rows: &[u8]) -> Vec<Digest> {
    content(rows).leaves
}

fn rows(part: u64, count: u64) -> Vec<u8> {
    (0..count).map(|row| (row * 7 + part * 3) as u8).collect()
}

fn claim(part: u64, rows: &[u8]) -> Claim {
    Claim::exact(part, content(rows), Digest::blake3(b"source"), Digest::blake3(rows))
}

fn read_back(rows: &[u8]) -> ReadBack {
    ReadBack::exact(content(rows), Digest::blake3(rows))
}

/// Parts of one chunk each and a shorter one at the end, all verified.
pub(crate) fn parts(tail: u64) -> Vec<Verified> {
    let sizes = [CHUNK_ROWS, CHUNK_ROWS, tail];
    let verify = |(part, size)| {
        let rows = rows(part, size);
        Verified::check(claim(part, &rows), &read_back(&rows)).expect("an honest part")
    };
    (0..).zip(sizes).map(verify).collect()
}

pub(crate) fn whole(tail: u64, set_aside: u64) -> VerifiedWhole {
    let counted = 2 * CHUNK_ROWS + tail + set_aside;
    let model = Model::Table(schema());
    VerifiedWhole::assemble(&model, parts(tail), Records { counted, set_aside }).expect("parts that tile")
}

#[test]
fn an_honest_part_passes_and_every_fault_is_named() {
    let honest = rows(0, 70_000);
    assert!(Verified::check(claim(0, &honest), &read_back(&honest)).is_ok());

    let dropped = &honest[1..];
    let doubled = [&honest[..5], &honest[4..]].concat();
    for faulty in [dropped, &doubled] {
        let found = Verified::check(claim(0, &honest), &read_back(faulty));
        assert!(matches!(found, Err(Mismatch::Units { part: 0, unit: "rows", claimed: 70_000, .. })));
    }

    let mut flipped = honest.clone();
    flipped[66_000] ^= 4;
    let found = Verified::check(claim(3, &honest), &read_back(&flipped)).err();
    assert_eq!(found, Some(Mismatch::Content { part: 3, at: LeafAt::Cells { chunk: 1, column: 0 } }));

    // The same content in other bytes: a file that is not the one written.
    let stale = ReadBack { result: Digest::blake3(b"another run"), ..read_back(&honest) };
    let found = Verified::check(claim(0, &honest), &stale);
    assert!(matches!(found, Err(Mismatch::Result { part: 0, .. })));

    let mut swapped = read_back(&honest);
    swapped.content.swap(0, 2);
    let found = Verified::check(claim(0, &honest), &swapped).err();
    assert_eq!(found, Some(Mismatch::Content { part: 0, at: LeafAt::Cells { chunk: 0, column: 0 } }));

    let mut short = read_back(&honest);
    short.content.pop();
    let found = Verified::check(claim(0, &honest), &short).err();
    assert_eq!(found, Some(Mismatch::Leaves { part: 0, expected: 4, found: 3 }));
}

#[test]
fn a_claim_may_not_excuse_itself() {
    let honest = rows(0, 100);
    let mut other = honest.clone();
    other[9] = 77;

    // A source of other content, with a claim that the result is what it is.
    let admitted = Claim { source_content: leaves(&other), ..claim(0, &honest) };
    let found = Verified::check(admitted, &read_back(&honest)).err();
    assert_eq!(found, Some(Mismatch::Changed { part: 0, at: LeafAt::Cells { chunk: 0, column: 0 } }));

    // Evidence that was not measured.
    let mut better = read_back(&honest);
    better.evidence.columns[1].differing = 1;
    let found = Verified::check(claim(0, &honest), &better).err();
    assert_eq!(found, Some(Mismatch::Evidence { part: 0, array: 1 }));

    // Evidence about fewer rows than the part has.
    let mut fewer = (claim(0, &honest), read_back(&honest));
    fewer.0.evidence = Evidence::equal(99, COLUMNS);
    fewer.1.evidence = Evidence::equal(99, COLUMNS);
    assert!(matches!(Verified::check(fewer.0, &fewer.1), Err(Mismatch::Evidence { .. })));

    // An approximate column that changed, with evidence that it did not.
    let rules = [ColumnRule::Exact, ColumnRule::Numeric { scale: 1.0 }];
    let mut evidence = Evidence::new(&rules);
    evidence.rows = 100;
    evidence.columns[0].add_symbols(100, 0).expect("small counts");
    for value in &honest {
        evidence.columns[1].add_numbers(f64::from(*value as i8), 0.0, true).expect("small numbers");
    }
    let mut source_content = leaves(&honest);
    source_content[1] = leaves(&other)[1];
    let silent = Claim { source_content, evidence: evidence.clone(), ..claim(0, &honest) };
    let found = Verified::check(silent, &ReadBack { evidence, ..read_back(&honest) }).err();
    assert_eq!(found, Some(Mismatch::Evidence { part: 0, array: 1 }));
}

#[test]
fn only_parts_that_tile_make_a_whole() {
    let records = |counted| Records { counted, set_aside: 0 };
    let all = 2 * CHUNK_ROWS + 10;
    let model = Model::Table(schema());
    let assemble = |parts, records| VerifiedWhole::assemble(&model, parts, records).map(|_| ());
    assert_eq!(assemble(parts(10), records(all)), Ok(()));
    assert_eq!(assemble(parts(10), Records { counted: all + 2, set_aside: 2 }), Ok(()));
    assert_eq!(assemble(vec![], records(0)), Ok(()));

    let mut swapped = parts(10);
    swapped.swap(0, 1);
    assert_eq!(assemble(swapped, records(all)), Err(WholeError::Order { expected: 0, found: 1 }));
    let mut doubled = parts(10);
    doubled.insert(1, doubled[0].clone());
    assert_eq!(assemble(doubled, records(all)), Err(WholeError::Order { expected: 1, found: 0 }));
    let mut missing = parts(10);
    missing.remove(1);
    assert_eq!(assemble(missing, records(all)), Err(WholeError::Order { expected: 1, found: 2 }));
    let mut cut = parts(10);
    cut.pop();
    let count = WholeError::Count { unit: "rows", counted: all, set_aside: 0, units: 2 * CHUNK_ROWS };
    assert_eq!(assemble(cut, records(all)), Err(count));

    let mut unaligned = parts(10);
    unaligned.truncate(2);
    let rows = rows(0, 10);
    let short = Verified::check(claim(0, &rows), &read_back(&rows)).expect("an honest part");
    unaligned[0] = short;
    assert!(matches!(assemble(unaligned, records(CHUNK_ROWS + 10)), Err(WholeError::Content(_))));
}

#[test]
fn a_whole_has_the_roots_of_its_content() {
    let whole = whole(10, 0);
    let all: Vec<u8> = [rows(0, CHUNK_ROWS), rows(1, CHUNK_ROWS), rows(2, 10)].concat();
    let root = coherence::content::content_root(&schema(), all.len() as u64, &leaves(&all));
    assert_eq!(root, Ok(*whole.target_root()));
    assert!(whole.is_equal());
    assert_eq!(whole.evidence(), &Evidence::equal(all.len() as u64, COLUMNS));
}
