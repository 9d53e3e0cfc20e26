//! Checks the table of types against what the formats do.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use proptest::prelude::*;

use super::samples::{Random, any_schema, any_type, around, assert_same, batch, map, scalar_types};
use super::*;
use crate::avro::{AvroEncoder, AvroOptions, AvroSource};
use crate::conformance;
use crate::normal;
use crate::table::TableSource;

const BINARY: [&str; 4] = ["parquet", "arrow", "arrow-stream", "avro"];

fn text<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}

/// Writes a physical batch with the library of the format and reads it back in the plain form.
fn written(format: &str, held: &RecordBatch) -> Result<RecordBatch, String> {
    let schema = held.schema();
    let batches: Vec<RecordBatch> = match format {
        "parquet" => {
            let mut writer =
                ::parquet::arrow::ArrowWriter::try_new(Vec::new(), schema.clone(), None).map_err(text)?;
            writer.write(held).map_err(text)?;
            let bytes = bytes::Bytes::from(writer.into_inner().map_err(text)?);
            let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes);
            let reader = reader.and_then(|reader| reader.build()).map_err(text)?;
            return joined(
                normal::schema(&arrow_array::RecordBatchReader::schema(&reader)).map_err(text)?,
                reader,
            );
        }
        "arrow" => {
            let mut writer = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &schema).map_err(text)?;
            writer.write(held).and_then(|()| writer.finish()).map_err(text)?;
            let bytes = writer.into_inner().map_err(text)?;
            let reader = arrow_ipc::reader::FileReader::try_new(Cursor::new(bytes), None).map_err(text)?;
            reader.collect::<Result<_, _>>().map_err(text)?
        }
        _ => {
            let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &schema).map_err(text)?;
            writer.write(held).and_then(|()| writer.finish()).map_err(text)?;
            let bytes = writer.into_inner().map_err(text)?;
            let reader = arrow_ipc::reader::StreamReader::try_new(Cursor::new(bytes), None).map_err(text)?;
            reader.collect::<Result<_, _>>().map_err(text)?
        }
    };
    let plain = normal::schema(batches[0].schema_ref()).map_err(text)?;
    joined(plain, batches.into_iter().map(Ok))
}

fn joined(
    plain: SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, arrow_schema::ArrowError>>,
) -> Result<RecordBatch, String> {
    let batches =
        batches.map(|read| read.map_err(text).and_then(|read| normal::batch(&read, &plain).map_err(text)));
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    if plain.fields().is_empty() {
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        return RecordBatch::try_new_with_options(plain, Vec::new(), &options).map_err(text);
    }
    arrow_select::concat::concat_batches(&plain, &batches).map_err(text)
}

/// Through the format and back, restored from the record alone.
fn through(format: &str, rows: &RecordBatch) -> Result<RecordBatch, String> {
    if format == "avro" {
        let encoder = AvroEncoder::new(&rows.schema(), &AvroOptions::default()).map_err(text)?;
        let bytes =
            conformance::write(&encoder, rows, std::slice::from_ref(&(0..rows.num_rows()))).map_err(text)?;
        let source =
            AvroSource::open(conformance::file_of(&bytes).map_err(text)?, usize::MAX).map_err(text)?;
        let read = source
            .batches(0..source.rows())
            .map_err(text)?
            .collect::<crate::Result<Vec<_>>>()
            .map_err(text)?;
        return joined(source.schema().clone(), read.into_iter().map(Ok));
    }
    let carrier = Carrier::plan(format, &rows.schema()).map_err(text)?;
    let held = carrier.to_physical(rows).map_err(text)?;
    let read = written(format, &held)?;
    match carrier.record() {
        Some(record) => {
            Carrier::restore(&read.schema(), &record).and_then(|c| c.from_physical(&read)).map_err(text)
        }
        None => Ok(read),
    }
}

/// Like [`through`], with a panic of a library as an error.
fn checked(format: &str, rows: &RecordBatch) -> Result<(), String> {
    let read =
        crate::guard::guarded("format", || through(format, rows).map_err(Error::Misuse)).map_err(text)?;
    assert_same(rows, &read)
}

fn every_type() -> Vec<DataType> {
    let mut types = scalar_types();
    types.extend(scalar_types().iter().flat_map(around));
    types.extend(around(&map(DataType::Utf8, DataType::Int8)));
    types.extend(around(&DataType::List(Arc::new(Field::new("item", DataType::UInt64, true)))));
    types
}

#[test]
fn every_type_comes_back_exactly_from_every_format() {
    let mut random = Random(7);
    let mut failures = Vec::new();
    for format in BINARY {
        for data_type in every_type() {
            for nullable in [true, false] {
                if data_type == DataType::Null && !nullable {
                    continue;
                }
                let schema = Arc::new(Schema::new(vec![Field::new("c", data_type.clone(), nullable)]));
                for rows in [0, 40] {
                    let rows = batch(&mut random, &schema, rows);
                    if let Err(what) = checked(format, &rows) {
                        let what: String = what.chars().take(300).collect();
                        failures.push(format!(
                            "{format}, {data_type}, nullable {nullable}, {} rows: {what}",
                            rows.num_rows()
                        ));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_samples_cover_every_row_of_the_table() {
    let seen: BTreeSet<String> = every_type().iter().filter_map(table::class).collect();
    let rows: BTreeSet<String> =
        types().unwrap().into_iter().map(str::to_owned).filter(|row| row != "union").collect();
    assert_eq!(seen, rows);
}

#[test]
fn direct_cells_change_nothing() {
    for format in formats().unwrap() {
        for data_type in scalar_types() {
            let schema = Arc::new(Schema::new(vec![Field::new("c", data_type.clone(), true)]));
            let carrier = Carrier::plan(format, &schema).unwrap();
            let mapped = matches!(table::get().unwrap().cell(format, &data_type).unwrap(), Support::As(_));
            assert_eq!(carrier.is_direct(), !mapped, "{format}, {data_type}");
            assert_eq!(carrier.physical() == carrier.logical(), !mapped);
        }
    }
}

#[test]
fn unions_are_refused_with_column_loss_and_option() {
    let fields = arrow_schema::UnionFields::from_fields(vec![Field::new("a", DataType::Int8, true)]);
    let union = DataType::Union(fields, arrow_schema::UnionMode::Sparse);
    let schema = Arc::new(Schema::new(vec![Field::new(
        "u",
        DataType::List(Arc::new(Field::new("item", union, true))),
        true,
    )]));
    for format in formats().unwrap() {
        if matches!(format, "csv" | "tsv" | "jsonl") {
            continue;
        }
        let error = Carrier::plan(format, &schema).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Unsupported { .. }));
        assert!(
            text.contains("\"u\"") && text.contains("lose") && text.contains("split the column"),
            "{text}"
        );
    }
}

#[test]
fn values_beyond_a_mapping_are_refused_with_their_column() {
    let at = arrow_array::TimestampSecondArray::from(vec![Some(1), None, Some(i64::MAX)]);
    let schema = Arc::new(Schema::new(vec![Field::new("when", at.data_type().clone(), true)]));
    let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(at)]).unwrap();
    let error = Carrier::plan("avro", &schema).unwrap().to_physical(&rows).unwrap_err();
    assert!(matches!(&error, Error::Unsupported { place, .. } if place.column.as_deref() == Some("when")));
}

#[test]
fn records_that_do_not_describe_the_file_are_refused() {
    let schema = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Int32, true),
        Field::new("b", DataType::Utf8, true),
    ]));
    let field = |data_type: &str| format!(r#"{{"name":"a","type":{data_type},"nullable":true}}"#);
    let record = |index: &str, field: &str| {
        format!(r#"{{"version":1,"columns":[{{"index":{index},"field":{field}}}]}}"#)
    };
    let good = record("0", &field("\"int8\""));
    assert_eq!(Carrier::restore(&schema, &good).unwrap().logical().field(0).data_type(), &DataType::Int8);
    let deep = format!(
        "{}{}{}",
        "{\"list\":{\"name\":\"x\",\"nullable\":true,\"type\":".repeat(70),
        "\"int8\"",
        "}}".repeat(70)
    );
    let bad = [
        String::new(),
        "{}".into(),
        "[".repeat(1_000_000),
        good.replace("\"version\":1", "\"version\":2"),
        good.replace("\"version\":1", "\"version\":1,\"more\":0"),
        record("2", &field("\"int8\"")),
        record("-1", &field("\"int8\"")),
        record("0", &field("\"utf8\"")),
        record("1", &field("\"uint64\"")),
        record("0", &field("\"int7\"")),
        record("0", &field("\"decimal128(99,1)\"")),
        record("0", &field("{\"list\":3}")),
        record("0", &field(&deep)),
        record("0", "{\"name\":\"a\"}"),
        r#"{"version":1,"columns":[{"index":0},{"index":0}]}"#.into(),
    ];
    for record in bad {
        let error = Carrier::restore(&schema, &record);
        assert!(matches!(error, Err(Error::Malformed { .. })), "{record:.200}");
    }
}

#[test]
fn columns_nested_to_the_limit_are_carried() {
    let mut inner = DataType::UInt64;
    for level in 0..crate::limits::DEPTH_MAX - 2 {
        let field = Arc::new(Field::new("ä", inner, true));
        inner = if level % 2 == 0 { DataType::Struct(vec![field].into()) } else { DataType::List(field) };
    }
    let schema = Arc::new(Schema::new(vec![Field::new("deep", inner, true)]));
    let rows = batch(&mut Random(3), &schema, 20);
    checked("avro", &rows).unwrap();
}

#[test]
fn the_committed_page_is_made_from_the_table() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/types.md");
    let page = page::markdown().unwrap();
    if std::env::var_os("ISOFORM_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, page, "run the test again with ISOFORM_WRITE_DOCS=1 to write docs/types.md");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn physical_rows_go_back_for_any_schema(seed in any::<u64>(), rows in 0usize..60) {
        let mut random = Random(seed);
        let schema = Arc::new(any_schema(&mut random));
        let rows = batch(&mut random, &schema, rows);
        for format in formats().unwrap() {
            let carrier = Carrier::plan(format, &schema).unwrap();
            let held = carrier.to_physical(&rows).unwrap();
            prop_assert_eq!(&carrier.physical().fields(), &held.schema_ref().fields());
            let back = carrier.from_physical(&held).unwrap();
            prop_assert_eq!(back.schema(), schema.clone());
            assert_same(&rows, &back).unwrap();
            if let Some(record) = carrier.record() {
                let restored = Carrier::restore(carrier.physical(), &record).unwrap();
                let back = restored.from_physical(&held).unwrap();
                assert_same(&rows, &back).unwrap();
                prop_assert_eq!(restored.record().unwrap(), record);
            }
        }
    }

    #[test]
    fn names_for_avro_are_identifiers_and_distinct(
        names in proptest::collection::vec("[a-c0 _é]{0,3}", 0..12),
    ) {
        let fields: Fields = names.iter().map(|name| Field::new(name, DataType::Int32, true)).collect();
        let made = physical_names(&fields, Names::Identifier);
        let distinct: HashSet<_> = made.iter().collect();
        prop_assert_eq!(distinct.len(), made.len());
        prop_assert!(made.iter().all(|name| is_identifier(name)));
    }

    #[test]
    fn any_type_survives_its_record(seed in any::<u64>()) {
        let field = Arc::new(Field::new("x", any_type(&mut Random(seed), 4), true));
        let text = record::write(std::iter::once((0, &field)));
        let read = record::parse(&text).unwrap();
        prop_assert_eq!(&read[0].1, field.as_ref());
    }
}
