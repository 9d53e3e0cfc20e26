//! The content of a table in partitions: which rows each has, and in which order.

use crate::table::{self, Layout, Value};
use crate::{Outcome, assert_dies, hold};
use coherence::claim::{Claim, ReadBack};
use coherence::content::{Model, TableDigester};
use coherence::digest::Digest;
use coherence::rows::{Sequence, SequenceDigester, row_digests};
use coherence::schema::{Field, LogicalType, Schema};
use coherence::verified::{Partition, Records, Verified, VerifiedWhole, WholeError};
use proptest::collection::vec;
use proptest::prelude::*;

fn schema() -> Schema {
    Schema::new(vec![Field::new("t", LogicalType::Utf8), Field::new("u", LogicalType::Utf8)])
}

fn texts() -> impl Strategy<Value = Vec<(String, String)>> {
    vec(("[ab]{0,2}", "[ab]{0,2}"), 0..6)
}

fn digests(rows: &[(String, String)], layout: Layout) -> Vec<Digest> {
    let column = |of: fn(&(String, String)) -> &String| {
        let cells: Vec<Value> = rows.iter().map(|row| Value::Bytes(of(row).clone().into_bytes())).collect();
        table::build(&LogicalType::Utf8, &cells, layout)
    };
    let (t, u) = (column(|row| &row.0), column(|row| &row.1));
    row_digests(&schema(), &[t.cells(), u.cells()]).expect("cells of the schema's types")
}

trait Sequencing {
    fn sequence(&self, rows: &[(String, String)], layout: Layout, batch: usize) -> Digest;
}

struct Production;

impl Sequencing for Production {
    fn sequence(&self, rows: &[(String, String)], layout: Layout, batch: usize) -> Digest {
        let mut digester = SequenceDigester::new(&schema());
        rows.chunks(batch).for_each(|rows| digester.push(&digests(rows, layout)));
        let found = digester.finish();
        assert_eq!(found.rows, rows.len() as u64);
        found.digest
    }
}

/// A mutant that changes the rows on their way in.
impl<F: Fn(&[(String, String)]) -> Vec<(String, String)>> Sequencing for F {
    fn sequence(&self, rows: &[(String, String)], layout: Layout, batch: usize) -> Digest {
        Production.sequence(&self(rows), layout, batch)
    }
}

/// Equal rows in equal order have equal digests, and no others have; batches and layouts leave no trace.
fn law(of: &dyn Sequencing) -> Outcome {
    let cases = (texts(), texts(), table::layouts(), table::layouts(), 1..4usize, 1..4usize);
    hold(400, cases, |(left, right, one, other, many, few)| {
        prop_assert_eq!(of.sequence(&left, one, many), of.sequence(&left, other, few));
        prop_assert_eq!(of.sequence(&left, one, many) == of.sequence(&right, other, many), left == right);
        let mut moved = left.clone();
        moved.reverse();
        prop_assert_eq!(of.sequence(&left, one, many) == of.sequence(&moved, one, many), left == moved);
        let mut longer = left.clone();
        longer.push((String::new(), String::new()));
        prop_assert_ne!(of.sequence(&left, one, many), of.sequence(&longer, one, many));
        Ok(())
    })
}

#[test]
fn sequences_are_their_rows_in_order() {
    law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
    let sorts = |rows: &[(String, String)]| {
        let mut rows = rows.to_vec();
        rows.sort();
        rows
    };
    let runs_together = |rows: &[(String, String)]| -> Vec<(String, String)> {
        rows.iter().map(|(t, u)| (format!("{t}{u}"), String::new())).collect()
    };
    let drops_empty = |rows: &[(String, String)]| -> Vec<(String, String)> {
        rows.iter().filter(|(t, u)| !t.is_empty() || !u.is_empty()).cloned().collect()
    };
    struct SeesBatches;
    impl Sequencing for SeesBatches {
        fn sequence(&self, rows: &[(String, String)], layout: Layout, batch: usize) -> Digest {
            let each = rows.chunks(batch).map(|rows| Production.sequence(rows, layout, batch).0);
            Digest::blake3(&each.collect::<Vec<_>>().concat())
        }
    }
    assert_dies("rows in any order", law(&sorts));
    assert_dies("texts run together", law(&runs_together));
    assert_dies("empty rows dropped", law(&drops_empty));
    assert_dies("batch boundaries hashed", law(&SeesBatches));
}

/// One partition with these rows on both sides.
fn partition(path: &str, rows: &[(&str, &str)]) -> Partition {
    let rows: Vec<(String, String)> = rows.iter().map(|(t, u)| ((*t).to_owned(), (*u).to_owned())).collect();
    let mut sequence = SequenceDigester::new(&schema());
    sequence.push(&digests(&rows, table::PLAIN));
    let column = |of: fn(&(String, String)) -> &String| {
        let cells: Vec<Value> = rows.iter().map(|row| Value::Bytes(of(row).clone().into_bytes())).collect();
        table::build(&LogicalType::Utf8, &cells, table::PLAIN)
    };
    let (t, u) = (column(|row| &row.0), column(|row| &row.1));
    let mut digester = TableDigester::new(&schema());
    digester.push(&[t.cells(), u.cells()]).expect("cells of the schema's types");
    let content = digester.finish();
    let (count, bytes) = (rows.len() as u64, Digest::blake3(path.as_bytes()));
    let claim = Claim::exact(0, content.clone(), Digest::blake3(b"source"), bytes);
    let verified = Verified::check(claim, &ReadBack::exact(content, bytes)).expect("an honest part");
    let records = Records { counted: count, set_aside: 0 };
    let whole = VerifiedWhole::assemble(&Model::Table(schema()), vec![verified], records)
        .expect("one part that tiles");
    Partition { path: path.to_owned(), whole, source: sequence.finish(), target: sequence.finish() }
}

fn whole(partitions: Vec<Partition>, counted: u64) -> Result<VerifiedWhole, WholeError> {
    let records = Records { counted, set_aside: 0 };
    VerifiedWhole::of_partitions(&schema(), vec!["t".into()], partitions, records)
}

#[test]
fn partitions_that_tile_the_source_make_a_whole() {
    let (a, b) = (partition("t=a", &[("a", "1"), ("a", "2")]), partition("t=b", &[("b", "3")]));
    let honest = whole(vec![a.clone(), b.clone()], 3).expect("partitions that tile");
    assert!(honest.is_equal() && honest.units() == 3);
    assert_eq!(honest.partitioned().map(|found| found.count), Some(2));
    let parts: Vec<u64> = honest.parts().iter().map(|part| part.claim().part).collect();
    assert_eq!(parts, [0, 1]);

    // The paths and the order inside a partition are content.
    let renamed = Partition { path: "t=c".into(), ..b.clone() };
    let renamed = whole(vec![a.clone(), renamed], 3).expect("partitions that tile");
    let moved =
        whole(vec![partition("t=a", &[("a", "2"), ("a", "1")]), b.clone()], 3).expect("partitions that tile");
    assert_ne!(honest.target_root(), renamed.target_root());
    assert_ne!(honest.target_root(), moved.target_root());
}

#[test]
fn every_fault_of_partitions_is_found() {
    let (a, b) = (partition("t=a", &[("a", "1"), ("a", "2")]), partition("t=b", &[("b", "3")]));
    let fault = |partitions: Vec<Partition>, counted| whole(partitions, counted).err();
    let counted =
        |counted, rows| Some(WholeError::Count { unit: "rows", counted, set_aside: 0, units: rows });
    assert_eq!(fault(vec![a.clone()], 3), counted(3, 2), "a partition is missing");
    assert_eq!(fault(vec![a.clone(), b.clone()], 4), counted(4, 3), "a row is missing");
    let twice = Some(WholeError::Partitions { path: "t=a".into() });
    assert_eq!(fault(vec![a.clone(), a.clone(), b.clone()], 5), twice, "a partition is doubled");
    assert_eq!(fault(vec![b.clone(), a.clone()], 3), twice, "partitions are out of order");
    let wrong = Some(WholeError::Partition { path: "t=b".into() });
    let other: Sequence = partition("t=b", &[("b", "4")]).target;
    let changed = Partition { target: other, ..b.clone() };
    assert_eq!(fault(vec![a.clone(), changed], 3), wrong, "rows of the target are others");
    let changed = Partition { source: other, ..b.clone() };
    assert_eq!(fault(vec![a.clone(), changed], 3), wrong, "rows of the source are others");
    let longer = partition("t=b", &[("b", "3"), ("b", "3")]);
    let changed = Partition { whole: longer.whole, ..b };
    assert_eq!(fault(vec![a, changed], 4), wrong, "the file holds a row twice");
}
