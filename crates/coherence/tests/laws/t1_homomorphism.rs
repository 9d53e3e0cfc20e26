//! T1: the coordinates of a union of parts are the sum of the parts' coordinates.

use crate::reference::{self, Primes};
use crate::table::{self, PLAIN, Value};
use crate::{Outcome, assert_dies, hold};
use coherence::content::{PartContent, TableDigester};
use coherence::evidence::Evidence;
use coherence::multiset::MultisetDigester;
use coherence::schema::{Field, LogicalType, Schema};
use proptest::prelude::*;

/// What turns parts into coordinates and joins them.
trait Tiling {
    fn join(&self, left: &PartContent, right: &PartContent) -> Option<PartContent> {
        PartContent::concat(left.grid, [left, right]).ok()
    }

    fn norm_squared(&self, parts: &[Evidence]) -> f64 {
        let mut whole = parts[0].clone();
        parts[1..].iter().for_each(|part| whole.merge(part).expect("parts of one column merge"));
        whole.norm_squared().expect("small norms")
    }

    fn multiset(&self, schema: &Schema, parts: &[&[Value]]) -> coherence::digest::Digest {
        let mut whole = MultisetDigester::new(schema);
        for part in parts {
            let mut digester = MultisetDigester::new(schema);
            let owned = table::build(&schema.fields[0].ty, part, PLAIN);
            digester.push(&[owned.cells()]).expect("cells of the schema's type");
            assert!(whole.merge(&digester));
        }
        whole.finish()
    }
}

fn digest(schema: &Schema, cells: &[Value]) -> PartContent {
    let owned = table::build(&schema.fields[0].ty, cells, PLAIN);
    let mut digester = TableDigester::new(schema);
    digester.push(&[owned.cells()]).expect("cells of the schema's type");
    digester.finish()
}

/// Numbers of parts multiply, so exponents add; and what production keeps of them adds alike.
fn law(tiling: &impl Tiling) -> Outcome {
    hold(48, (table::columns(0..12), 0..12usize), |((ty, cells), cut)| {
        let (left, right) = cells.split_at(cut.min(cells.len()));
        let symbols: Vec<String> = cells.iter().map(|cell| reference::symbol(&ty, cell)).collect();
        let mut primes = Primes::default();
        let whole = primes.universal_number(0, 0, &symbols);
        let first = primes.universal_number(0, 0, &symbols[..left.len()]);
        let second = primes.universal_number(0, left.len(), &symbols[left.len()..]);
        prop_assert_eq!(&first * &second, whole.clone());

        let parts = [left.len(), right.len()].map(|rows| Evidence::equal(rows as u64, 1));
        prop_assert_eq!(2.0 * tiling.norm_squared(&parts), primes.twice_norm_squared(&whole) as f64);

        let schema = Schema::new(vec![Field::new("c", ty)]);
        let together = tiling.multiset(&schema, &[&cells]);
        prop_assert_eq!(tiling.multiset(&schema, &[left, right]), together);
        prop_assert_eq!(tiling.multiset(&schema, &[right, left]), together);
        Ok(())
    })?;
    hold(3, (1..1000usize, any::<u8>()), |(tail, seed)| {
        let cell = |row: usize| {
            if row % 7 == 3 { Value::Null } else { Value::Fixed(vec![row as u8 ^ seed]) }
        };
        let cells: Vec<Value> = (0..65_536 + tail).map(cell).collect();
        let schema = Schema::new(vec![Field::new("c", LogicalType::Int { bits: 8, signed: true })]);
        let (left, right) = (digest(&schema, &cells[..65_536]), digest(&schema, &cells[65_536..]));
        let whole = digest(&schema, &cells);
        prop_assert_eq!(tiling.join(&left, &right), Some(whole.clone()));
        prop_assert_eq!(&whole.leaves, &reference::leaves(&schema, &[cells]));
        // A part that ends within a chunk can only be the last.
        prop_assert_eq!(tiling.join(&right, &left), None);
        Ok(())
    })
}

struct Production;
impl Tiling for Production {}

#[test]
fn t1_homomorphism() {
    law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

#[test]
fn t1_mutants_die() {
    struct Swaps;
    impl Tiling for Swaps {
        fn join(&self, left: &PartContent, right: &PartContent) -> Option<PartContent> {
            let mut joined = PartContent::concat(left.grid, [left, right]).ok()?;
            joined.leaves.reverse();
            Some(joined)
        }
    }
    struct AcceptsBrokenChunks;
    impl Tiling for AcceptsBrokenChunks {
        fn join(&self, left: &PartContent, right: &PartContent) -> Option<PartContent> {
            let leaves = [left.leaves.clone(), right.leaves.clone()].concat();
            Some(PartContent { grid: left.grid, units: left.units + right.units, leaves })
        }
    }
    struct Averages;
    impl Tiling for Averages {
        fn norm_squared(&self, parts: &[Evidence]) -> f64 {
            Production.norm_squared(parts) / parts.len() as f64
        }
    }
    struct BindsOrder;
    impl Tiling for BindsOrder {
        fn multiset(&self, schema: &Schema, parts: &[&[Value]]) -> coherence::digest::Digest {
            let each: Vec<_> = parts.iter().map(|part| Production.multiset(schema, &[part]).0).collect();
            coherence::digest::Digest::blake3(&each.concat())
        }
    }
    assert_dies("parts swapped", law(&Swaps));
    assert_dies("a broken chunk in the middle", law(&AcceptsBrokenChunks));
    assert_dies("norms averaged", law(&Averages));
    assert_dies("a multiset that knows its order", law(&BindsOrder));
}
