//! Provides the pairing of columns: which ones are compared, under which types, with which tolerance.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use coherence::distance::{ColumnComparison, DistanceError, SignatureMismatch, pair_columns};
use coherence::evidence::{ColumnRule, EvidenceError};
use coherence::schema::{LogicalType, Schema};
use coherence::tolerance::Tolerance;

use super::common::{cast_to, common_type};
use super::{CompareOptions, Side, Tolerances, Which};
use crate::annotation::{Annotation, is_uuid};
use crate::cells::{logical_schema, logical_type};
use crate::error::{Error, Place, Result};
use crate::table::Batches;
use crate::words::instead_of;

/// Two columns that are compared.
#[derive(Clone, Debug)]
pub(super) struct ColumnPair {
    pub(super) name: String,
    /// Index of the column on each side.
    pub(super) at: [usize; 2],
    /// Type under which each side is read; the same one, unless numbers are compared with a tolerance.
    pub(super) types: [DataType; 2],
    /// Whether the tables have other types.
    pub(super) cast: bool,
    /// Whether one of the tables says that these are UUIDs: then all are shown so.
    uuids: bool,
    pub(super) tolerance: Option<Tolerance>,
}

/// What is compared with what.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) columns: Vec<ColumnPair>,
    /// Indexes among `columns` of those that make the key, in its order.
    pub(super) key: Vec<usize>,
    /// In what the columns of the two tables differ.
    pub(super) signature: Vec<SignatureMismatch>,
    schemas: [SchemaRef; 2],
}

impl Plan {
    /// Pairs the columns of two tables.
    ///
    /// # Errors
    /// A key or a tolerance for a column that both sides do not have; a tolerance for what are no numbers.
    pub fn new(left: Side<'_>, right: Side<'_>, options: &CompareOptions) -> Result<Self> {
        let schemas = [left.table.schema(), right.table.schema()];
        let logical = [logical_schema(schemas[0])?, logical_schema(schemas[1])?];
        check_names(&logical, options)?;
        let (pairs, signature) = pair_columns(&logical[0], &logical[1]);
        let mut columns = Vec::with_capacity(pairs.len());
        for (a, b) in pairs {
            let types = [schemas[0].field(a).data_type(), schemas[1].field(b).data_type()];
            let name = &logical[0].fields[a].name;
            let in_key = options.key.contains(name);
            let tolerance = tolerance(name, &types, in_key, &options.tolerances)?;
            let cast = logical[0].fields[a].ty != logical[1].fields[b].ty;
            let types = match cast && tolerance.is_none() {
                true => [(); 2].map(|()| common_type(types[0], types[1])),
                false => types.map(DataType::clone),
            };
            let uuids = is_uuid(schemas[0].field(a)) || is_uuid(schemas[1].field(b));
            columns.push(ColumnPair { name: name.clone(), at: [a, b], types, cast, uuids, tolerance });
        }
        let place = |name: &String| columns.iter().position(|column| column.name == *name);
        let key = options.key.iter().filter_map(place).collect();
        let schemas = [0, 1].map(|side| {
            let field = |column: &ColumnPair| {
                let field = Field::new(&column.name, column.types[side].clone(), true);
                if column.uuids { Annotation::Uuid.tell(field) } else { field }
            };
            Arc::new(ArrowSchema::new(columns.iter().map(field).collect::<Vec<_>>()))
        });
        Ok(Plan { columns, key, signature, schemas })
    }

    /// The logical schema under which the rows of a side are seen.
    pub fn schema(&self, which: Which) -> Result<Schema> {
        logical_schema(self.arrow_schema(which))
    }

    pub(super) fn arrow_schema(&self, which: Which) -> &SchemaRef {
        &self.schemas[which as usize]
    }

    /// The compared columns of some rows, under the types of the plan.
    pub(super) fn read<'a>(&'a self, side: Side<'a>, which: Which, rows: Range<u64>) -> Result<Batches<'a>> {
        let mut at = rows.start;
        let named = |error: Error| error.in_file(side.path);
        let project = move |batch: Result<RecordBatch>| {
            let batch = batch.map_err(named)?;
            let first = at;
            at += batch.num_rows() as u64;
            self.project(&batch, which, first).map_err(named)
        };
        Ok(Box::new(side.table.batches(rows).map_err(named)?.map(project)))
    }

    fn project(&self, batch: &RecordBatch, which: Which, first: u64) -> Result<RecordBatch> {
        let side = which as usize;
        let column = |pair: &ColumnPair| -> Result<ArrayRef> {
            let array = batch.column(pair.at[side]);
            match pair.cast {
                true => cast_to(array, &pair.types[side], batch.schema_ref().field(pair.at[side]), first),
                false => Ok(array.clone()),
            }
        };
        let columns = self.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = self.arrow_schema(which).clone();
        let made = RecordBatch::try_new_with_options(schema, columns, &options);
        made.map_err(|error| Error::Bug(format!("the compared columns: {error}")))
    }

    pub(super) fn comparisons(&self) -> Result<Vec<ColumnComparison>> {
        let comparison = |pair: &ColumnPair| {
            let (left, right) = (logical_type(&pair.types[0])?, logical_type(&pair.types[1])?);
            let made = match pair.tolerance {
                Some(tolerance) => ColumnComparison::within(&left, &right, tolerance),
                None => ColumnComparison::new(&left, &right, ColumnRule::Exact),
            };
            made.map_err(|error| wrong(&error, &pair.name))
        };
        self.columns.iter().map(comparison).collect()
    }
}

/// What went wrong when the cells of a column were compared.
pub(super) fn wrong(error: &DistanceError, name: &str) -> Error {
    match error {
        DistanceError::Evidence(EvidenceError::Sum(_)) => Error::unsupported(
            Place::default().column(name),
            "the squares of its numbers are beyond those of 64-bit floating point",
            "compare the column without a tolerance",
        ),
        error => Error::Bug(format!("comparing column {name:?}: {error}")),
    }
}

fn check_names(logical: &[Schema; 2], options: &CompareOptions) -> Result<()> {
    let named = options.key.iter().map(|name| ("--key", name));
    let named = named.chain(options.tolerances.columns.keys().map(|name| ("--tolerance", name)));
    for (option, name) in named {
        for (schema, side) in logical.iter().zip(["left", "right"]) {
            let names: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
            match names.iter().filter(|other| *other == name).count() {
                1 => {}
                0 => {
                    let instead = instead_of(name, &names);
                    return Err(Error::Misuse(format!(
                        "{option}: the {side} table has no column {name:?}; {instead}"
                    )));
                }
                _ => {
                    return Err(Error::Misuse(format!(
                        "{option}: the {side} table has more than one column {name:?}"
                    )));
                }
            }
        }
    }
    Ok(())
}

fn tolerance(
    name: &str,
    types: &[&DataType; 2],
    in_key: bool,
    tolerances: &Tolerances,
) -> Result<Option<Tolerance>> {
    let mut numbers = true;
    for ty in types {
        let ty = logical_type(ty)?;
        numbers &= match ty {
            LogicalType::Decimal { precision, .. } => precision <= 38,
            ty => matches!(ty, LogicalType::Int { .. } | LogicalType::Float { .. }),
        };
    }
    match tolerances.columns.get(name) {
        Some(_) if in_key => {
            Err(Error::Misuse(format!("--tolerance: column {name:?} is part of the key, which is exact")))
        }
        Some(_) if !numbers => {
            let (left, right) = (logical_type(types[0])?, logical_type(types[1])?);
            let (left, right) = (left.to_string(), right.to_string());
            let found = if left == right { left } else { format!("{left} and {right}") };
            let hint = match found.contains("text") {
                true => format!("; where its text is that of numbers, --type {name}=float64 reads them"),
                false => String::new(),
            };
            Err(Error::Misuse(format!(
                "--tolerance: column {name:?} holds {found}; only integers, floating point and decimals of \
                 up to 38 digits can differ by a tolerance{hint}"
            )))
        }
        Some(tolerance) => Ok(Some(*tolerance)),
        None => Ok(tolerances.general.filter(|_| numbers && !in_key)),
    }
}
