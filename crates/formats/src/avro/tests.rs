//! Checks Avro against the suite of all formats, random tables, damaged files, and a reader and writers of
//! others.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, Int32Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use proptest::prelude::*;

use super::*;
use crate::carry::samples::{Random, any_schema, assert_same, batch};
use crate::conformance::{self, Subject, file_of};
use crate::table::{TableEncoder, TableSource};
use crate::{Error, Result};

const CODECS: [Codec; 6] =
    [Codec::Null, Codec::Deflate(6), Codec::Snappy, Codec::Zstd(3), Codec::Bzip2(9), Codec::Xz(6)];

fn options(codec: Codec) -> AvroOptions {
    AvroOptions { codec, metadata: vec![("made by".into(), "test".into())] }
}

fn encode(rows: &RecordBatch, codec: Codec, parts: &[std::ops::Range<usize>]) -> Vec<u8> {
    let encoder = AvroEncoder::new(&rows.schema(), &options(codec)).unwrap();
    conformance::write(&encoder, rows, parts).unwrap()
}

fn read(bytes: &[u8]) -> Result<RecordBatch> {
    let source = AvroSource::open(file_of(bytes)?, usize::MAX)?;
    let all = 0..source.rows();
    rows_of(&source, all)
}

fn rows_of(source: &AvroSource, rows: std::ops::Range<u64>) -> Result<RecordBatch> {
    let count = rows.end - rows.start;
    let batches = source.batches(rows)?.collect::<Result<Vec<_>>>()?;
    assert_eq!(batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), count);
    assert!(batches.iter().all(|batch| batch.num_rows() <= crate::limits::BATCH_ROWS));
    let schema = source.schema();
    if schema.fields().is_empty() {
        let options = RecordBatchOptions::new().with_row_count(Some(count as usize));
        return Ok(RecordBatch::try_new_with_options(schema.clone(), Vec::new(), &options).unwrap());
    }
    Ok(arrow_select::concat::concat_batches(schema, &batches).unwrap())
}

#[test]
fn avro_passes_the_suite_of_all_formats() {
    for codec in CODECS {
        let subject = Subject {
            encoder: &|schema: &SchemaRef| {
                let encoder: Box<dyn TableEncoder> = Box::new(AvroEncoder::new(schema, &options(codec))?);
                Ok(encoder)
            },
            open: &|file, _| Ok(Box::new(AvroSource::open(file, usize::MAX)?)),
        };
        conformance::round_trip(&subject).unwrap();
        // A file that ends after a block is a whole file of fewer rows: the format has no count of them.
        assert!(conformance::damage(&subject, false).unwrap() > 1_000);
    }
}

#[test]
fn every_truncation_is_an_error_or_whole_blocks() {
    let mut random = Random(11);
    let schema = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Int64, true),
        Field::new("b", DataType::Utf8, true),
    ]));
    let rows = batch(&mut random, &schema, 30);
    for codec in CODECS {
        let bytes = encode(&rows, codec, &[0..10, 10..20, 20..30]);
        let mut whole = Vec::new();
        for cut in 0..bytes.len() {
            match read(&bytes[..cut]) {
                Ok(got) => {
                    assert_same(&rows.slice(0, got.num_rows()), &got).unwrap();
                    whole.push(got.num_rows());
                }
                Err(Error::Malformed { place, .. }) => assert!(place.byte.is_some(), "cut at {cut}"),
                Err(other) => panic!("cut at {cut}: {other}"),
            }
        }
        assert_eq!(whole, [0, 10, 20], "{codec:?}");
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/avro").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_file_in_bad_is_refused_without_a_panic() {
    let files = files("bad");
    assert!(files.len() >= 40, "only {} files", files.len());
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let error = match read(&std::fs::read(&path).unwrap()) {
            Ok(rows) => panic!("{name}: read {} rows", rows.num_rows()),
            Err(error) => error,
        };
        let expected = match name.as_str() {
            "codec-unknown" | "schema-recursive" | "schema-union" => {
                matches!(error, Error::Unsupported { .. })
            }
            "bomb-bzip2"
            | "bomb-deflate"
            | "bomb-xz"
            | "bomb-zstandard"
            | "rows-of-nothing-huge"
            | "schema-deep"
            | "schema-explosion" => {
                matches!(error, Error::Limit { .. })
            }
            _ => matches!(error, Error::Malformed { .. }),
        };
        assert!(expected, "{name}: {error:?}");
    }
}

#[test]
fn files_of_another_writer_are_read() {
    let files = files("good");
    assert!(files.len() >= 6);
    for path in files.iter().filter(|path| path.to_string_lossy().contains("fastavro")) {
        let bytes = std::fs::read(path).unwrap();
        let source = AvroSource::open(file_of(&bytes).unwrap(), usize::MAX).unwrap();
        assert_eq!(source.metadata().collect::<Vec<_>>(), [("made.by", "fastavro")]);
        let rows = rows_of(&source, 0..source.rows()).unwrap();
        assert_eq!(rows.num_rows(), 25, "{}", path.display());
        let of = |name: &str| rows.column_by_name(name).unwrap().clone();
        assert_eq!(of("id").as_primitive::<Int64Type>().value(3), -3);
        assert_eq!(of("n").logical_null_count(), 9);
        assert_eq!(of("rev").as_string::<i32>().value(5), "v5é");
        assert_eq!(of("colour").as_string::<i32>().value(1), "green");
        assert!(of("again").is_null(1) && of("again").as_string::<i32>().value(5) == "green");
        assert_eq!(of("key").as_fixed_size_binary().value(7), [7; 4]);
        assert_eq!(of("uid").as_string::<i32>().value(1), "00000000-0000-0000-0000-000000000001");
        assert_eq!(of("amount").data_type(), &DataType::Decimal128(12, 2));
        assert_eq!(of("amount").as_primitive::<Decimal128Type>().value(2), -86);
        let micros = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("UTC".into()));
        assert_eq!(of("at").data_type(), &micros);
        assert_eq!(of("tags").as_list::<i32>().value(3).logical_null_count(), 1);
        assert_eq!(of("more").as_map().value_length(2), 2);
        assert_eq!(of("inner").logical_null_count(), 5);
        for (start, end) in [(0, 1), (7, 19), (24, 25), (13, 13)] {
            let some = rows_of(&source, start..end).unwrap();
            assert_same(&rows.slice(start as usize, (end - start) as usize), &some).unwrap();
        }
    }
}

/// What the `arrow-avro` crate reads in our bytes.
fn other_reader(bytes: &[u8]) -> RecordBatch {
    let reader = arrow_avro::reader::ReaderBuilder::new().build(Cursor::new(bytes)).unwrap();
    let schema = reader.schema();
    arrow_select::concat::concat_batches(&schema, &reader.map(|batch| batch.unwrap()).collect::<Vec<_>>())
        .unwrap()
}

#[test]
fn another_reader_sees_the_same_rows() {
    for codec in CODECS {
        let rows = conformance::sample(5, 3_000);
        let bytes = encode(&rows, codec, &[0..1_000, 1_000..3_000]);
        let encoder = AvroEncoder::new(&rows.schema(), &options(codec)).unwrap();
        let held = encoder.carrier().to_physical(&rows).unwrap();
        let theirs = other_reader(&bytes);
        for (index, field) in held.schema_ref().fields().iter().enumerate() {
            let theirs = arrow_cast::cast(theirs.column(index), field.data_type()).unwrap();
            assert_eq!(held.column(index).to_data(), theirs.to_data(), "{codec:?}, {}", field.name());
        }
    }
}

#[test]
fn tables_without_columns_keep_their_rows() {
    let options = RecordBatchOptions::new().with_row_count(Some(70_000));
    let rows = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options).unwrap();
    let back = read(&encode(&rows, Codec::Zstd(3), &[0..65_536, 65_536..70_000])).unwrap();
    assert_eq!(back.num_rows(), 70_000);
}

#[test]
fn options_are_checked() {
    let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, true)]));
    let wrong = [Codec::Deflate(10), Codec::Zstd(0), Codec::Zstd(23), Codec::Bzip2(0), Codec::Xz(10)];
    for codec in wrong {
        assert!(matches!(AvroEncoder::new(&schema, &options(codec)), Err(Error::Misuse(_))));
    }
    for key in ["avro.codec", "isoform.types"] {
        let options = AvroOptions { codec: Codec::Null, metadata: vec![(key.into(), String::new())] };
        assert!(matches!(AvroEncoder::new(&schema, &options), Err(Error::Misuse(_))));
    }
}

#[test]
fn rows_are_found_in_a_file_of_many_blocks() {
    let values = Int32Array::from_iter_values((0..1_500_000).map(|v: i32| v.wrapping_mul(-1_640_531_535)));
    let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Int32, false)]));
    let rows = RecordBatch::try_new(schema, vec![Arc::new(values)]).unwrap();
    let bytes = encode(&rows, Codec::Null, &[0..655_360, 655_360..1_500_000]);
    let source = AvroSource::open(file_of(&bytes).unwrap(), usize::MAX).unwrap();
    let mut last = 0;
    for start in (0..1_500_000).step_by(131_072) {
        let end = (start + 131_072).min(1_500_000);
        let range = source.byte_range(start..end);
        assert!(range.start >= last && range.end <= bytes.len() as u64 && range.start < range.end);
        last = range.start;
        let part = rows_of(&source, start + 17..end).unwrap();
        assert_same(&rows.slice(start as usize + 17, (end - start - 17) as usize), &part).unwrap();
    }
    source.check_structure().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn random_tables_come_back_from_random_parts(seed in any::<u64>(), count in 0usize..400) {
        let mut random = Random(seed);
        let schema = Arc::new(any_schema(&mut random));
        let rows = batch(&mut random, &schema, count);
        let (a, b) = (random.below(count + 1), random.below(count + 1));
        let parts = [0..a.min(b), a.min(b)..a.max(b), a.max(b)..count];
        let codec = CODECS[random.below(4)];
        let bytes = encode(&rows, codec, &parts);
        prop_assert_eq!(&bytes, &encode(&rows, codec, &parts));
        let source = AvroSource::open(file_of(&bytes).unwrap(), usize::MAX).unwrap();
        source.check_structure().unwrap();
        prop_assert_eq!(source.rows(), count as u64);
        assert_same(&rows, &rows_of(&source, 0..count as u64).unwrap()).unwrap();
        let (from, to) = (a.min(b), a.max(b));
        let some = rows_of(&source, from as u64..to as u64).unwrap();
        assert_same(&rows.slice(from, to - from), &some).unwrap();
    }

    #[test]
    fn flipped_bits_never_panic(seed in any::<u64>()) {
        let mut random = Random(seed);
        let schema = Arc::new(any_schema(&mut random));
        let rows = batch(&mut random, &schema, 12);
        let bytes = encode(&rows, CODECS[random.below(4)], &[0..5, 5..12]);
        for _ in 0..60 {
            let mut flipped = bytes.clone();
            let at = random.below(bytes.len());
            flipped[at] ^= 1 << random.below(8);
            if let Err(Error::Bug(what)) = read(&flipped) {
                prop_assert!(false, "flip in byte {}: {}", at, what);
            }
        }
    }
}

#[test]
fn a_row_that_readers_would_refuse_is_a_limit() {
    let text = |bytes: usize| -> RecordBatch {
        let text: arrow_array::ArrayRef = Arc::new(arrow_array::StringArray::from(vec!["x".repeat(bytes)]));
        RecordBatch::try_from_iter([("text", text)]).unwrap()
    };
    let encoder = AvroEncoder::new(&text(1).schema(), &options(Codec::Null)).unwrap();
    let mut part = encoder.part(7).unwrap();
    part.push(&text(1)).unwrap();
    let error = part.push(&text(crate::limits::AVRO_BLOCK_BYTES_MAX)).unwrap_err();
    assert!(matches!(&error, Error::Limit { place, .. } if place.row == Some(9)), "{error}");
}

#[test]
fn two_fields_of_one_name_are_refused() {
    let record = |fields: &str| format!(r#"{{"type":"record","name":"r","fields":[{fields}]}}"#);
    let a = r#"{"name":"a","type":"int"}"#;
    let inside = format!(r#"{{"name":"b","type":{{"type":"record","name":"s","fields":[{a},{a}]}}}}"#);
    for (fields, column) in [(format!("{a},{a}"), "a"), (inside, "b.a")] {
        let error = super::schema::parse(&record(&fields)).unwrap_err();
        assert!(matches!(&error, Error::Malformed { place, .. } if place.column.as_deref() == Some(column)));
        assert!(error.to_string().contains("two fields of this name"), "{error}");
    }
}
