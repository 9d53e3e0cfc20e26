//! The slow and obvious reference: contents as universal numbers (real prime factorisations of real
//! integers), distances from their exponents, and the content digest written straight from its
//! specification.

use crate::table::Value;
use coherence::digest::Digest;
use coherence::schema::{Field, LogicalType, Schema};
use num_bigint::BigUint;
use num_rational::BigRational;
use std::collections::BTreeMap;

/// A coordinate: one for each cell (its presence), and one for each symbol that may stand in it.
type Coordinate = (usize, usize, Option<String>);

/// Numbers the primes by coordinate, the same for every content that is compared.
#[derive(Default)]
pub(crate) struct Primes {
    assigned: BTreeMap<Coordinate, u64>,
    last: u64,
}

impl Primes {
    fn of(&mut self, coordinate: Coordinate) -> u64 {
        if let Some(prime) = self.assigned.get(&coordinate) {
            return *prime;
        }
        self.last =
            (self.last + 1..).find(|n| *n > 1 && (2..*n).all(|d| n % d != 0)).expect("primes do not end");
        self.assigned.insert(coordinate, self.last);
        self.last
    }

    /// The universal number of a column of symbols. In units of the square root of one half, every cell has
    /// exponent 1 at its presence and at its symbol: unequal cells are 1 apart and each has norm 1.
    pub(crate) fn universal_number(&mut self, column: usize, first_row: usize, cells: &[String]) -> BigUint {
        let mut number = BigUint::from(1u8);
        for (row, symbol) in (first_row..).zip(cells) {
            number *= self.of((column, row, None));
            number *= self.of((column, row, Some(symbol.clone())));
        }
        number
    }

    /// The exponents of a number, found by dividing it.
    fn factorise(&self, number: &BigUint) -> BTreeMap<u64, i64> {
        let mut rest = number.clone();
        let mut exponents = BTreeMap::new();
        for prime in self.assigned.values() {
            while &rest % prime == BigUint::ZERO {
                rest /= *prime;
                *exponents.entry(*prime).or_default() += 1;
            }
        }
        assert_eq!(rest, BigUint::from(1u8), "a universal number has no prime beyond the coordinates");
        exponents
    }

    /// Twice the squared distance, from the exponents.
    pub(crate) fn twice_d_squared(&self, left: &BigUint, right: &BigUint) -> i64 {
        let (left, right) = (self.factorise(left), self.factorise(right));
        let all = self.assigned.values();
        all.map(|prime| {
            let exponent = |side: &BTreeMap<u64, i64>| side.get(prime).copied().unwrap_or(0);
            (exponent(&left) - exponent(&right)).pow(2)
        })
        .sum()
    }

    /// Twice the squared norm: the distance from the number 1, whose exponents are all 0.
    pub(crate) fn twice_norm_squared(&self, number: &BigUint) -> i64 {
        self.twice_d_squared(number, &BigUint::from(1u8))
    }
}

/// The text of a cell as a symbol: equal values, and only they, have equal texts.
pub(crate) fn symbol(ty: &LogicalType, value: &Value) -> String {
    format!("{:?}", canonical(ty, value))
}

/// The exact sum of terms, as a rational number.
pub(crate) fn exact_sum(terms: &[f64]) -> BigRational {
    let terms = terms.iter().map(|term| BigRational::from_float(*term).expect("terms are finite"));
    terms.fold(BigRational::from_integer(0.into()), |sum, term| sum + term)
}

/// The value with every NaN replaced by the one that stands for all.
fn canonical(ty: &LogicalType, value: &Value) -> Value {
    match (ty, value) {
        (LogicalType::Float { bits }, Value::Fixed(raw)) => {
            let (exponent_bits, fraction_bits) = match bits {
                16 => (5, 10),
                32 => (8, 23),
                _ => (11, 52),
            };
            let wide = raw.iter().rev().fold(0u64, |wide, byte| wide << 8 | u64::from(*byte));
            let exponent = wide >> fraction_bits & ((1 << exponent_bits) - 1);
            let fraction = wide & ((1 << fraction_bits) - 1);
            if exponent != (1 << exponent_bits) - 1 || fraction == 0 {
                return value.clone();
            }
            let quiet = (exponent << 1 | 1) << (fraction_bits - 1);
            Value::Fixed(quiet.to_le_bytes()[..raw.len()].to_vec())
        }
        (LogicalType::List(item) | LogicalType::FixedList { item, .. }, Value::List(items)) => {
            Value::List(items.iter().map(|value| canonical(item, value)).collect())
        }
        (LogicalType::Map { key, value: ty }, Value::List(entries)) => {
            let entry = entry_type(key, ty);
            Value::List(entries.iter().map(|value| canonical(&entry, value)).collect())
        }
        (LogicalType::Struct(fields), Value::Struct(values)) => {
            let pairs = fields.iter().zip(values);
            Value::Struct(pairs.map(|(field, value)| canonical(&field.ty, value)).collect())
        }
        _ => value.clone(),
    }
}

fn entry_type(key: &LogicalType, value: &LogicalType) -> LogicalType {
    LogicalType::Struct(vec![Field::new("key", key.clone()), Field::new("value", value.clone())])
}

/// The streams of one leaf, each whole in memory.
pub(crate) fn streams(ty: &LogicalType, cells: &[Value]) -> Vec<Vec<u8>> {
    let canonical: Vec<Value> = cells.iter().map(|cell| canonical(ty, cell)).collect();
    let mut out = Vec::new();
    put_streams(ty, &canonical.iter().collect::<Vec<_>>(), &mut out);
    out
}

fn put_streams(ty: &LogicalType, cells: &[&Value], out: &mut Vec<Vec<u8>>) {
    if *ty == LogicalType::Null {
        return;
    }
    let valid: Vec<&Value> = cells.iter().copied().filter(|cell| **cell != Value::Null).collect();
    let any_null = valid.len() < cells.len();
    let flags: Vec<bool> = cells.iter().map(|cell| **cell != Value::Null).collect();
    out.push(if any_null { pack(&flags) } else { Vec::new() });
    let items = || -> Vec<&Value> {
        let each = valid.iter().map(|cell| match cell {
            Value::List(items) | Value::Struct(items) => items.iter(),
            other => panic!("{other:?} has no items"),
        });
        each.flatten().collect()
    };
    let lengths = || {
        let length = |cell: &&Value| match cell {
            Value::Bytes(bytes) => bytes.len(),
            Value::List(items) => items.len(),
            other => panic!("{other:?} has no length"),
        };
        valid.iter().flat_map(|cell| (length(cell) as u32).to_le_bytes()).collect()
    };
    let bytes = || -> Vec<u8> {
        let each = valid.iter().map(|cell| match cell {
            Value::Fixed(bytes) | Value::Bytes(bytes) => bytes.as_slice(),
            other => panic!("{other:?} has no bytes"),
        });
        each.collect::<Vec<_>>().concat()
    };
    match ty {
        LogicalType::Bool => {
            out.push(pack(&valid.iter().map(|cell| **cell == Value::Bool(true)).collect::<Vec<_>>()));
        }
        LogicalType::Utf8 | LogicalType::Binary => out.extend([lengths(), bytes()]),
        LogicalType::List(item) => {
            out.push(lengths());
            put_streams(item, &items(), out);
        }
        LogicalType::Map { key, value } => {
            out.push(lengths());
            put_streams(&entry_type(key, value), &items(), out);
        }
        LogicalType::FixedList { item, .. } => put_streams(item, &items(), out),
        LogicalType::Struct(fields) => {
            for (index, field) in fields.iter().enumerate() {
                let column = valid.iter().map(|cell| match cell {
                    Value::Struct(values) => &values[index],
                    other => panic!("{other:?} has no fields"),
                });
                put_streams(&field.ty, &column.collect::<Vec<_>>(), out);
            }
        }
        _ => out.push(bytes()),
    }
}

fn pack(flags: &[bool]) -> Vec<u8> {
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    flags.chunks(8).map(byte).collect()
}

/// The digest of one leaf.
pub(crate) fn leaf(ty: &LogicalType, cells: &[Value]) -> Digest {
    let streams = streams(ty, cells);
    let mut bytes = vec![2];
    bytes.extend((cells.len() as u64).to_le_bytes());
    bytes.extend((streams.len() as u32).to_le_bytes());
    for stream in streams {
        bytes.extend(Digest::blake3(&stream).0);
    }
    Digest::blake3(&bytes)
}

/// The leaves of a whole table, column by column and row by row in memory.
pub(crate) fn leaves(schema: &Schema, columns: &[Vec<Value>]) -> Vec<Digest> {
    let rows = columns.first().map_or(0, Vec::len);
    let mut leaves = Vec::new();
    for start in (0..rows).step_by(65_536) {
        let end = rows.min(start + 65_536);
        for (field, column) in schema.fields.iter().zip(columns) {
            leaves.push(leaf(&field.ty, &column[start..end]));
        }
    }
    leaves
}

/// The content root of a whole table.
pub(crate) fn root(schema: &Schema, columns: &[Vec<Value>]) -> Digest {
    let rows = columns.first().map_or(0, Vec::len);
    let leaves = leaves(schema, columns);
    let mut bytes = vec![3];
    for text in [b"isoform-content/v1".as_slice(), b"table", &schema.canonical_bytes()] {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text);
    }
    bytes.extend((rows as u64).to_le_bytes());
    bytes.extend((leaves.len() as u64).to_le_bytes());
    bytes.extend(tree(&leaves).0);
    Digest::blake3(&bytes)
}

fn tree(leaves: &[Digest]) -> Digest {
    if leaves.is_empty() {
        return Digest::blake3(b"");
    }
    if let [leaf] = leaves {
        return Digest::blake3(&[&[0], leaf.0.as_slice()].concat());
    }
    let mut split = 1;
    while split * 2 < leaves.len() {
        split *= 2;
    }
    let (left, right) = (tree(&leaves[..split]), tree(&leaves[split..]));
    Digest::blake3(&[&[1], left.0.as_slice(), right.0.as_slice()].concat())
}
