//! Partitions are the rows of their values, and names are those of others.

use super::*;
use crate::cells::{columns, logical_schema};
use crate::table::{Batches, TableSource};
use arrow_array::{BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::Field;
use coherence::rows::row_digests;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// A table in memory, in batches of a few rows.
struct Memory(RecordBatch, usize);

impl TableSource for Memory {
    fn schema(&self) -> &SchemaRef {
        self.0.schema_ref()
    }

    fn rows(&self) -> u64 {
        self.0.num_rows() as u64
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        rows
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        let (start, end) = (rows.start as usize, rows.end as usize);
        let starts = (start..end).step_by(self.1);
        Ok(Box::new(starts.map(move |at| Ok(self.0.slice(at, self.1.min(end - at))))))
    }

    fn check_structure(&self) -> Result<()> {
        Ok(())
    }
}

type Row = (Option<String>, i64, Option<bool>);

fn table(rows: &[Row]) -> RecordBatch {
    let region = StringArray::from_iter(rows.iter().map(|row| row.0.clone()));
    let value = Int64Array::from_iter_values(rows.iter().map(|row| row.1));
    let paid = BooleanArray::from_iter(rows.iter().map(|row| row.2));
    let fields = vec![
        Field::new("re gion", DataType::Utf8, true),
        Field::new("value", DataType::Int64, true),
        Field::new("paid", DataType::Boolean, true),
    ];
    let columns: Vec<ArrayRef> = vec![Arc::new(region), Arc::new(value), Arc::new(paid)];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn digests(source: &dyn TableSource) -> Vec<coherence::digest::Digest> {
    let schema = logical_schema(source.schema()).unwrap();
    let batches = source.batches(0..source.rows()).unwrap().map(|batch| batch.unwrap());
    batches.flat_map(|batch| row_digests(&schema, &columns(&batch).unwrap()).unwrap()).collect()
}

/// The rows of each path, as temporaries and paths give them back.
fn round_trip(
    source: &Memory,
    partitioning: &Partitioning,
) -> BTreeMap<String, Vec<coherence::digest::Digest>> {
    let schema = logical_schema(source.schema()).unwrap();
    let encoder = rows_encoder(source.schema()).unwrap();
    let wanted: Vec<u64> = (0..source.rows()).step_by(3).collect();
    let (all, encoded) = (0..source.rows(), Some(encoder.get()));
    let groups = group(source, all, partitioning, encoded, &wanted, &schema, &|_| Ok(())).unwrap();
    let (mut found, mut placed, in_source) = (BTreeMap::new(), Vec::new(), digests(source));
    for (group, (row, place)) in
        groups.iter().flat_map(|group| group.places.iter().map(move |at| (group, at)))
    {
        assert_eq!(group.rows[*place as usize], in_source[*row as usize], "a row stands where it is told");
        placed.push(*row);
    }
    placed.sort_unstable();
    assert_eq!(placed, wanted);
    for group in groups {
        let mut file = tempfile::tempfile().unwrap();
        let bytes = [
            encoder.get().header().unwrap(),
            group.bytes.concat().unwrap(),
            encoder.get().footer(&[]).unwrap(),
        ];
        std::io::Write::write_all(&mut file, &bytes.concat()).unwrap();
        let file = ObjectFileOf(file);
        let rows = open_rows(file.open()).unwrap();
        assert_eq!(digests(rows.as_ref()), group.rows, "the temporary holds the rows that were digested");
        // What a target is: without the columns of the path, and with them again.
        let batches = rows.batches(0..rows.rows()).unwrap().map(|batch| batch.unwrap());
        let batches: Vec<_> = batches.map(|batch| batch.project(&partitioning.rest()).unwrap()).collect();
        let inside = arrow_select::concat::concat_batches(batches[0].schema_ref(), &batches).unwrap();
        let keyed = keyed_source(Box::new(Memory(inside, 2)), partitioning, &group.path).unwrap();
        found.insert(group.path, digests(&keyed));
    }
    found
}

struct ObjectFileOf(std::fs::File);

impl ObjectFileOf {
    fn open(self) -> Arc<crate::file::ObjectFile> {
        Arc::new(crate::file::ObjectFile::from_file(self.0, std::path::Path::new("rows")).unwrap())
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let few = proptest::option::of("[a-c]{0,1}");
    let any_text = proptest::option::of("\\PC{0,3}");
    let region = prop_oneof![few, any_text];
    proptest::collection::vec((region, any::<i64>(), any::<Option<bool>>()), 1..40)
}

proptest! {
    /// Each row is in the partition that its values name, in the order of the source, and no other row is.
    #[test]
    fn a_partition_is_the_rows_of_its_values(rows in rows(), batch in 1usize..7, both in any::<bool>()) {
        let source = Memory(table(&rows), batch);
        let names: &[&str] = if both { &["paid", "re gion"] } else { &["re gion"] };
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let partitioning = Partitioning::new(source.schema(), &names).unwrap();
        let found = round_trip(&source, &partitioning);
        let mut wanted: BTreeMap<(Option<Option<bool>>, Option<String>), Vec<_>> = BTreeMap::new();
        for (row, digest) in rows.iter().zip(digests(&source)) {
            wanted.entry((both.then_some(row.2), row.0.clone())).or_default().push(digest);
        }
        let mut wanted: Vec<_> = wanted.into_values().collect();
        let mut found: Vec<_> = found.into_values().collect();
        wanted.sort();
        found.sort();
        prop_assert_eq!(&found, &wanted);
        let listed = paths(&source, 0..source.rows(), &partitioning, &|_| Ok(())).unwrap();
        prop_assert_eq!(listed.len(), wanted.len());
    }
}

#[test]
fn paths_are_as_others_write_them() {
    let batch =
        table(&[(Some("a/b".into()), 1, Some(true)), (None, 2, None), (Some(String::new()), 3, None)]);
    let names = ["re gion".to_owned(), "paid".to_owned()];
    let source = Memory(batch, 8);
    let partitioning = Partitioning::new(source.schema(), &names).unwrap();
    let found = paths(&source, 0..3, &partitioning, &|_| Ok(())).unwrap();
    let null = "__HIVE_DEFAULT_PARTITION__";
    assert_eq!(found[0], "re gion=a%2Fb/paid=true");
    assert_eq!(found[1], format!("re gion={null}/paid={null}"));
    assert_eq!(found[2], format!("re gion=/paid={null}"));
}

#[test]
fn every_type_of_names_comes_back() {
    let decimals = Decimal128Array::from(vec![Some(-150), None]).with_precision_and_scale(9, 2).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("date", Arc::new(Date32Array::from(vec![Some(-1), None]))),
        ("decimal", Arc::new(decimals)),
        (
            "at",
            Arc::new(
                arrow_array::TimestampNanosecondArray::from(vec![Some(1), Some(-1)]).with_timezone("UTC"),
            ),
        ),
        ("time", Arc::new(arrow_array::Time64MicrosecondArray::from(vec![1, 2]))),
        ("id", Arc::new(arrow_array::UInt64Array::from(vec![u64::MAX, 0]))),
        ("value", Arc::new(Int64Array::from(vec![1, 2]))),
    ];
    let source = Memory(
        RecordBatch::try_from_iter_with_nullable(columns.iter().map(|(n, a)| (*n, a.clone(), true))).unwrap(),
        8,
    );
    for (name, _) in &columns[..5] {
        let partitioning = Partitioning::new(source.schema(), &[(*name).to_owned()]).unwrap();
        let found: Vec<_> = round_trip(&source, &partitioning).into_values().flatten().collect();
        let mut wanted = digests(&source);
        wanted.sort();
        let mut found = found;
        found.sort();
        assert_eq!(found, wanted, "{name}");
        let all: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let record = partitioning.record(0).unwrap();
        let again = Partitioning::recorded(&all, &partitioning.names(), &[record]).unwrap();
        assert_eq!(again.columns(), partitioning.columns());
    }
}

#[test]
fn what_makes_no_partitions_is_refused() {
    let schema = Schema::new(vec![
        Field::new("a", DataType::Utf8, true),
        Field::new("f", DataType::Float64, true),
        Field::new("twice", DataType::Utf8, true),
        Field::new("twice", DataType::Utf8, true),
    ]);
    let refused = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Partitioning::new(&schema, &names).unwrap_err().to_string()
    };
    assert!(refused(&["b"]).contains("no such column"));
    assert!(refused(&["f"]).contains("float64"));
    assert!(refused(&["a", "a"]).contains("twice"));
    assert!(refused(&["twice"]).contains("several"));
    let one = Schema::new(vec![Field::new("a", DataType::Utf8, true)]);
    assert!(Partitioning::new(&one, &["a".to_owned()]).unwrap_err().to_string().contains("none in files"));
    let values = |text: &str| {
        let source = Memory(table(&[(Some(text.to_owned()), 1, None)]), 8);
        let partitioning = Partitioning::new(source.schema(), &["re gion".to_owned()]).unwrap();
        paths(&source, 0..1, &partitioning, &|_| Ok(())).map_err(|error| error.to_string())
    };
    assert!(values("__HIVE_DEFAULT_PARTITION__").unwrap_err().contains("nulls"));
    assert!(values(&"x".repeat(250)).unwrap_err().contains("255"));
}

#[test]
fn foreign_paths_are_errors() {
    let schema =
        Schema::new(vec![Field::new("n", DataType::Int32, true), Field::new("v", DataType::Utf8, true)]);
    let partitioning = Partitioning::new(&schema, &["n".to_owned()]).unwrap();
    for path in ["n=x", "m=1", "n", "n=1/v=2", "n=%4", "", "n="] {
        assert!(partitioning.values(path).is_err() || path == "n=", "{path}");
    }
    assert_eq!(partitioning.values("n=7").unwrap()[0].len(), 1);
}
