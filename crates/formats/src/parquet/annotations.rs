//! Provides what Parquet says of values besides their types: that bytes are a UUID or a shape, a text JSON or
//! one of some words, and such. Fields of a table say the first of these in their own way; for the rest a
//! table has no place.
//!
//! The library would do this too, but not where an Arrow schema in the footer leaves it open, and it refuses
//! files in which a repeated column without a list around it has such a word.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{ConvertedType, LogicalType};
use parquet::schema::types::{SchemaDescriptor, Type};

use crate::annotation::{Annotation, of_leaves, with_leaves};

/// The schema of a table with what the columns of its file say of their values.
pub(super) fn told(columns: &SchemaDescriptor, held: &SchemaRef) -> SchemaRef {
    let said: Vec<_> = columns.columns().iter().map(|leaf| said_of(leaf.self_type())).collect();
    if said.iter().all(Option::is_none) {
        return held.clone();
    }
    let fields = with_leaves(held.fields(), &mut said.into_iter());
    Arc::new(Schema::new_with_metadata(fields, held.metadata().clone()))
}

fn said_of(ty: &Type) -> Option<Annotation> {
    [Annotation::Uuid, Annotation::Json].into_iter().find(|said| word(ty) == Some(said.words().0))
}

/// The columns of a file for a table whose fields say something of their values; `None` where they are those
/// that the library makes.
pub(super) fn written(schema: &Schema) -> parquet::errors::Result<Option<SchemaDescriptor>> {
    let said = of_leaves(schema);
    if said.iter().all(Option::is_none) {
        return Ok(None);
    }
    let columns = ArrowSchemaConverter::new().convert(schema)?;
    let root = with_words(columns.root_schema(), &mut said.into_iter())?;
    Ok(Some(SchemaDescriptor::new(Arc::new(root))))
}

/// The same type with words for what is said of the leaves in it.
fn with_words(
    ty: &Type,
    said: &mut dyn Iterator<Item = Option<Annotation>>,
) -> parquet::errors::Result<Type> {
    let info = ty.get_basic_info();
    match ty {
        Type::GroupType { basic_info, fields } => {
            let fields = fields.iter().map(|field| with_words(field, said).map(Arc::new));
            let fields = fields.collect::<parquet::errors::Result<_>>()?;
            Ok(Type::GroupType { basic_info: basic_info.clone(), fields })
        }
        Type::PrimitiveType { physical_type, type_length, .. } => match said.next().flatten() {
            None => Ok(ty.clone()),
            Some(said) => Type::primitive_type_builder(info.name(), *physical_type)
                .with_repetition(info.repetition())
                .with_length(*type_length)
                .with_id(info.has_id().then(|| info.id()))
                .with_logical_type(Some(match said {
                    Annotation::Uuid => LogicalType::Uuid,
                    Annotation::Json => LogicalType::Json,
                }))
                .build(),
        },
    }
}

/// A note for each kind of annotation that is not kept, with the columns that have it.
pub(super) fn lost(root: &Type, schema: &Schema) -> Vec<String> {
    let mut found: Vec<(&str, Vec<String>)> = Vec::new();
    let mut kept = of_leaves(schema).into_iter();
    for field in root.get_fields() {
        gather(field, "", &mut kept, &mut found);
    }
    let notes = found
        .into_iter()
        .map(|(what, columns)| format!("Parquet says of {} that it is {what}: not kept", columns.join(", ")));
    notes.collect()
}

/// Recursion is bounded, since the nesting of the schema is.
fn gather(
    ty: &Type,
    above: &str,
    kept: &mut dyn Iterator<Item = Option<Annotation>>,
    found: &mut Vec<(&'static str, Vec<String>)>,
) {
    let path = format!("{above}{}", ty.name());
    let kept_here = if ty.is_group() { None } else { kept.next().flatten() };
    let is_kept = |what: &&str| kept_here.is_some_and(|said| said.words().0 == *what);
    if let Some(what) = word(ty).filter(|what| !is_kept(what)) {
        match found.iter_mut().find(|(known, _)| *known == what) {
            Some((_, columns)) => columns.push(format!("{path:?}")),
            None => found.push((what, vec![format!("{path:?}")])),
        }
    }
    if ty.is_group() {
        ty.get_fields().iter().for_each(|field| gather(field, &format!("{path}."), kept, found));
    }
}

/// What a type says of its values, where that is more than a table knows by theirs.
fn word(ty: &Type) -> Option<&'static str> {
    let info = ty.get_basic_info();
    match (info.logical_type_ref(), info.converted_type()) {
        (Some(LogicalType::Uuid), _) => Some(Annotation::Uuid.words().0),
        (Some(LogicalType::Json), _) | (None, ConvertedType::JSON) => Some(Annotation::Json.words().0),
        (Some(LogicalType::Bson), _) | (None, ConvertedType::BSON) => Some("BSON"),
        (Some(LogicalType::Enum), _) | (None, ConvertedType::ENUM) => Some("one of some words"),
        (Some(LogicalType::Variant(_)), _) => Some("a VARIANT"),
        (Some(LogicalType::Geometry(_) | LogicalType::Geography(_)), _) => Some("a shape"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::RecordBatch;
    use arrow_schema::{DataType, Field};
    use parquet::basic::Type as PhysicalType;
    use parquet::data_type::{ByteArrayType, FixedLenByteArrayType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;
    use crate::limits::RECORD_BYTES_MAX;
    use crate::memory::object;
    use crate::parquet::ParquetSource;
    use crate::table::TableSource;

    /// A file of this schema whose one record has one value in each column.
    fn source(message: &str) -> ParquetSource {
        let schema = Arc::new(parse_message_type(message).unwrap());
        let columns = SchemaDescriptor::new(schema.clone());
        let mut bytes = Vec::new();
        let properties = Arc::new(WriterProperties::builder().build());
        let mut file = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
        let mut group = file.next_row_group().unwrap();
        for leaf in columns.columns() {
            let mut column = group.next_column().unwrap().unwrap();
            let (defined, repeated) = ([leaf.max_def_level()], [0]);
            let defined = (leaf.max_def_level() > 0).then_some(&defined[..]);
            let repeated = (leaf.max_rep_level() > 0).then_some(&repeated[..]);
            match leaf.physical_type() {
                PhysicalType::BYTE_ARRAY => {
                    let values = [b"[]".to_vec().into()];
                    column.typed::<ByteArrayType>().write_batch(&values, defined, repeated).unwrap();
                }
                _ => {
                    let values = [vec![7; 16].into()];
                    column.typed::<FixedLenByteArrayType>().write_batch(&values, defined, repeated).unwrap();
                }
            }
            column.close().unwrap();
        }
        group.close().unwrap();
        file.close().unwrap();
        ParquetSource::open(object(&[&bytes]).unwrap(), RECORD_BYTES_MAX).unwrap()
    }

    fn said(source: &ParquetSource) -> Vec<Option<Annotation>> {
        let batch: RecordBatch = source.batches(0..1).unwrap().next().unwrap().unwrap();
        assert_eq!(batch.num_rows(), 1);
        assert_eq!(&batch.schema(), source.schema());
        of_leaves(source.schema())
    }

    #[test]
    fn words_of_any_age_and_nesting_are_told() {
        let source = source(
            "message m {
                required fixed_len_byte_array(16) a (UUID);
                optional binary b (JSON);
                repeated fixed_len_byte_array(16) c (UUID);
                repeated binary d (JSON);
                optional group e (LIST) {
                    repeated group list { required fixed_len_byte_array(16) e (UUID); }
                }
                required fixed_len_byte_array(16) f;
            }",
        );
        let (uuid, json) = (Some(Annotation::Uuid), Some(Annotation::Json));
        assert_eq!(said(&source), [uuid, json, uuid, json, uuid, None]);
        assert!(matches!(source.schema().field(2).data_type(), DataType::List(_)));
        assert!(source.notes().is_empty());
    }

    #[test]
    fn words_that_a_table_does_not_have_are_named() {
        let source = source("message m { required binary a (BSON); optional binary b (ENUM); }");
        let notes = source.notes();
        assert_eq!(said(&source), [None, None]);
        assert!(notes.len() == 2 && notes[0].contains("\"a\" that it is BSON"), "{notes:?}");
    }

    #[test]
    fn columns_are_written_with_their_words_alone() {
        let uuid = |name: &str| Annotation::Uuid.tell(Field::new(name, DataType::FixedSizeBinary(16), true));
        let plain = Field::new("p", DataType::FixedSizeBinary(16), true);
        assert!(written(&Schema::new(vec![plain.clone()])).unwrap().is_none());
        let text = Field::new("j", DataType::Utf8, true);
        let pair = DataType::Struct(vec![text.clone().with_nullable(false), uuid("v")].into());
        let map = DataType::Map(Arc::new(Field::new("entries", pair, false)), false);
        let fields =
            vec![plain, uuid("u"), Annotation::Json.tell(text.clone()), Field::new("m", map, true), text];
        let columns = written(&Schema::new(fields.clone())).unwrap().unwrap();
        let library = ArrowSchemaConverter::new().convert(&Schema::new(fields)).unwrap();
        let words =
            [None, Some(LogicalType::Uuid), Some(LogicalType::Json), None, Some(LogicalType::Uuid), None];
        for ((column, made), said) in columns.columns().iter().zip(library.columns()).zip(words) {
            assert_eq!((column.path(), column.physical_type()), (made.path(), made.physical_type()));
            assert_eq!(column.max_def_level(), made.max_def_level());
            let usual = made.logical_type_ref().cloned();
            assert_eq!(column.logical_type_ref().cloned(), said.or(usual), "{}", column.path());
        }
    }
}
