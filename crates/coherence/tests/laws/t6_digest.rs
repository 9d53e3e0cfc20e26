//! T6: equal content digests mean that nothing differs, and how buffers hold values does not show in a
//! digest.

use crate::table::{self, Layout, Value};
use crate::{Outcome, assert_dies, hold, reference};
use coherence::cells::Cells;
use coherence::content::{self, Grid, LeafAt, LeafProof, PartContent, TableDigester};
use coherence::digest::Digest;
use coherence::distance::compare;
use coherence::evidence::ColumnRule;
use coherence::schema::{Field, LogicalType, Schema};
use proptest::collection::vec;
use proptest::prelude::*;

/// What digests a column laid out in some way and pushed in batches of these lengths.
trait Digesting {
    fn root(&self, schema: &Schema, cells: &[Value], layout: Layout, batches: &[usize]) -> Digest {
        let content = digest(schema, &[cells.to_vec()], layout, batches);
        content.root(schema).expect("leaves of the schema")
    }
}

fn digest(schema: &Schema, columns: &[Vec<Value>], layout: Layout, batches: &[usize]) -> PartContent {
    let pairs = schema.fields.iter().zip(columns);
    let owned: Vec<_> = pairs.map(|(field, cells)| table::build(&field.ty, cells, layout)).collect();
    let views: Vec<Cells<'_>> = owned.iter().map(table::Padded::cells).collect();
    let rows = views.first().map_or(0, Cells::len);
    let mut digester = TableDigester::new(schema);
    let (mut start, mut lengths) = (0, batches.iter().cycle());
    while start < rows {
        let len = lengths.next().map_or(rows, |len| *len).min(rows - start);
        let batch: Vec<_> = views.iter().map(|view| view.slice(start, len).expect("within")).collect();
        digester.push(&batch).expect("cells of the schema's types");
        start += len;
    }
    digester.finish()
}

fn law(digesting: &impl Digesting) -> Outcome {
    let pairs = table::types().prop_flat_map(|ty| {
        let row = (table::values(&ty), table::values(&ty), 0..20u8);
        (Just(ty), vec(row, 0..24))
    });
    let layouts = (table::layouts(), table::layouts(), vec(1..9usize, 1..4));
    hold(600, (pairs, layouts), |((ty, rows), (mine, theirs, batches))| {
        let left: Vec<Value> = rows.iter().map(|(left, _, _)| left.clone()).collect();
        let right: Vec<Value> =
            rows.into_iter().map(|(left, right, kind)| if kind == 0 { right } else { left }).collect();
        let schema = Schema::new(vec![Field::new("c", ty.clone())]);
        let a = digesting.root(&schema, &left, mine, &batches);
        let b = digesting.root(&schema, &right, theirs, &[usize::MAX]);
        let (left_cells, right_cells) = (table::build(&ty, &left, mine), table::build(&ty, &right, theirs));
        let comparison = compare(&ty, &left_cells.cells(), &right_cells.cells(), ColumnRule::Exact);
        let differing = comparison.expect("columns of one type").differing;
        prop_assert_eq!(a == b, differing == 0, "{} cells differ", differing);
        prop_assert_eq!(a, reference::root(&schema, &[left]));
        Ok(())
    })
}

struct Production;
impl Digesting for Production {}

/// Rewrites cells before the production code sees them: a fault in what it hashes.
struct Rewrites(fn(&LogicalType, &[Value]) -> Vec<Value>);
impl Digesting for Rewrites {
    fn root(&self, schema: &Schema, cells: &[Value], layout: Layout, batches: &[usize]) -> Digest {
        Production.root(schema, &(self.0)(&schema.fields[0].ty, cells), layout, batches)
    }
}

#[test]
fn t6_equal_digests_mean_equal_contents() {
    law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

#[test]
fn t6_mutants_die() {
    let nulls_are_zero = Rewrites(|ty, cells| {
        let shown = |cell: &Value| {
            if *cell == Value::Null { table::zero(ty) } else { cell.clone() }
        };
        cells.iter().map(shown).collect()
    });
    let drops_a_row = Rewrites(|_, cells| cells[..cells.len().saturating_sub(1)].to_vec());
    let sorts = Rewrites(|_, cells| {
        let mut sorted = cells.to_vec();
        sorted.sort_by_key(|cell| format!("{cell:?}"));
        sorted
    });
    let runs_texts_together = Rewrites(|_, cells| match cells {
        [Value::Bytes(first), Value::Bytes(second), rest @ ..] => {
            let mut cells = vec![Value::Bytes([first.as_slice(), second].concat()), Value::Bytes(vec![])];
            cells.extend_from_slice(rest);
            cells
        }
        _ => cells.to_vec(),
    });
    struct SeesBatches;
    impl Digesting for SeesBatches {
        fn root(&self, schema: &Schema, cells: &[Value], layout: Layout, batches: &[usize]) -> Digest {
            let each =
                cells.chunks(batches[0]).map(|batch| Production.root(schema, batch, layout, batches).0);
            Digest::blake3(&each.collect::<Vec<_>>().concat())
        }
    }
    struct SeesPayloads;
    impl Digesting for SeesPayloads {
        fn root(&self, schema: &Schema, cells: &[Value], layout: Layout, batches: &[usize]) -> Digest {
            let ty = match &schema.fields[0].ty {
                LogicalType::Float { bits } => LogicalType::FixedBinary { size: u32::from(*bits) / 8 },
                other => other.clone(),
            };
            let schema = Schema::new(vec![Field::new("c", ty)]);
            Production.root(&schema, cells, layout, batches)
        }
    }
    assert_dies("null hashed as zero", law(&nulls_are_zero));
    assert_dies("a row dropped", law(&drops_a_row));
    assert_dies("rows in any order", law(&sorts));
    assert_dies("texts run together", law(&runs_texts_together));
    assert_dies("batch boundaries hashed", law(&SeesBatches));
    assert_dies("NaN payloads hashed", law(&SeesPayloads));
}

/// Cells that depend on the row alone, with nulls, over more than two chunks.
fn long_table() -> (Schema, Vec<Vec<Value>>) {
    let text = LogicalType::List(Box::new(LogicalType::Utf8));
    let fields = [
        ("i", LogicalType::Int { bits: 64, signed: true }),
        ("f", LogicalType::Float { bits: 64 }),
        ("b", LogicalType::Bool),
        ("t", LogicalType::Utf8),
        ("l", text),
    ];
    let fields = fields.into_iter().map(|(name, ty)| Field::new(name, ty)).collect();
    let rows = 0..2 * 65_536 + 777u64;
    let column = |cell: fn(u64) -> Value| rows.clone().map(cell).collect();
    let columns = vec![
        column(|row| Value::Fixed((row * row).to_le_bytes().to_vec())),
        column(|row| match row % 1000 {
            999 => Value::Null,
            998 => Value::Fixed((f64::NAN.to_bits() + row % 5).to_le_bytes().to_vec()),
            _ => Value::Fixed((row as f64).sqrt().to_le_bytes().to_vec()),
        }),
        column(|row| if row % 11 == 0 { Value::Null } else { Value::Bool(row % 3 == 0) }),
        column(|row| Value::Bytes(vec![b'x'; (row % 13) as usize])),
        column(|row| match row % 5 {
            0 => Value::Null,
            items => Value::List(vec![Value::Bytes(row.to_string().into_bytes()); items as usize % 3]),
        }),
    ];
    (Schema::new(fields), columns)
}

#[test]
fn t6_chunks_batches_and_proofs_of_a_long_table() {
    let (schema, columns) = long_table();
    let expected = reference::leaves(&schema, &columns);
    let rows = columns[0].len() as u64;
    let grid = Grid::Table { columns: 5 };
    let layout = Layout { wide: true, bit_offset: 3, padding: 2, explicit_validity: true, junk: 9 };
    for batches in [&[usize::MAX][..], &[8192], &[1, 100_000, 77]] {
        let content = digest(&schema, &columns, layout, batches);
        assert_eq!(content, PartContent { grid, units: rows, leaves: expected.clone() });
    }
    let root = reference::root(&schema, &columns);
    assert_eq!(content::content_root(&schema, rows, &expected), Ok(root));

    for chunk in 0..3 {
        for column in 0..5 {
            let leaf = expected[chunk as usize * 5 + column];
            let proof = LeafProof::new(&schema, rows, &expected, chunk, column).expect("a leaf");
            assert!(proof.verify(&schema, &root, (chunk, column), &leaf));
            assert!(!proof.verify(&schema, &root, (chunk, (column + 1) % 5), &leaf));
            assert!(!proof.verify(&schema, &root, (chunk, column), &Digest::default()));
            let other = LeafProof { rows: rows - 1, ..proof.clone() };
            assert!(!other.verify(&schema, &root, (chunk, column), &leaf));
        }
    }
    assert_eq!(LeafProof::new(&schema, rows, &expected, 0, 5), None);
    assert_eq!(LeafProof::new(&schema, rows, &expected, 3, 0), None);

    let mut changed = expected.clone();
    changed[7] = Digest::default();
    let at = LeafAt::Cells { chunk: 1, column: 2 };
    assert_eq!(grid.mismatches(&expected, &changed).next(), Some((2, at)));
    assert_eq!(grid.mismatches(&expected, &expected).next(), None);
}

/// Every parameter of every type, every name, the order and the counts show in the root.
#[test]
fn t6_schemas_are_bound() {
    hold(200, (table::types(), table::types(), "[ab]?", "[ab]?"), |(left, right, mine, theirs)| {
        let schema = |name: &str, ty: &LogicalType| Schema::new(vec![Field::new(name, ty.clone())]);
        let (a, b) = (schema(&mine, &left), schema(&theirs, &right));
        let root = |schema| content::content_root(schema, 0, &[]).expect("no rows have no leaves");
        prop_assert_eq!(root(&a) == root(&b), a == b);
        Ok(())
    })
    .unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

/// The vector in the specification is what the code computes.
#[test]
fn t6_the_published_vector_holds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/content-digest.md");
    let text = std::fs::read_to_string(path).expect("the specification is part of the repository");
    let fields = [
        ("id", LogicalType::Int { bits: 32, signed: true }),
        ("name", LogicalType::Utf8),
        ("x", LogicalType::List(Box::new(LogicalType::Float { bits: 64 }))),
    ];
    let schema = Schema::new(fields.into_iter().map(|(name, ty)| Field::new(name, ty)).collect());
    let id = |id: i32| Value::Fixed(id.to_le_bytes().to_vec());
    let name = |name: &str| Value::Bytes(name.as_bytes().to_vec());
    let x = |x: f64| Value::Fixed(x.to_le_bytes().to_vec());
    let columns = vec![
        vec![id(1), id(-2), id(3)],
        vec![name("a"), Value::Null, name("bcd")],
        vec![Value::List(vec![x(1.5), Value::Null]), Value::List(vec![]), Value::Null],
    ];
    let content = digest(&schema, &columns, table::PLAIN, &[2]);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut lines = vec![format!("schema = {}", hex(&schema.canonical_bytes()))];
    for (column, (field, cells)) in schema.fields.iter().zip(&columns).enumerate() {
        for (index, stream) in reference::streams(&field.ty, cells).iter().enumerate() {
            lines.push(format!("stream[{column}][{index}] = {}", hex(stream)).trim_end().to_owned());
        }
    }
    for (column, leaf) in content.leaves.iter().enumerate() {
        lines.push(format!("leaf[0][{column}] = {leaf}"));
    }
    lines.push(format!("root = {}", content.root(&schema).expect("leaves of the schema")));
    for line in &lines {
        assert!(text.lines().any(|there| there == line), "not in the specification:\n{}", lines.join("\n"));
    }
}
