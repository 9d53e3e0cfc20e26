//! Provides [`Parameters`]: the options of a conversion as a certificate has them.

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

/// Member that is held apart from the others.
const ROWS_OF_EXCEPTIONS: &str = "rowsOfExceptions";

/// Rows by the paths of partitions: pairs of the number in the table and in the partition.
pub type RowsOfExceptions = BTreeMap<String, Vec<(u64, u64)>>;

/// Options that decide a result, by name, and what a certificate tells beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Every member but one.
    pub members: Map<String, Value>,
    /// `rowsOfExceptions`, of which there may be as many as rows: as values of JSON they would take twenty
    /// times as much. Absent where it is empty.
    pub rows_of_exceptions: RowsOfExceptions,
}

impl Deref for Parameters {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Map<String, Value> {
        &self.members
    }
}

impl From<Map<String, Value>> for Parameters {
    fn from(members: Map<String, Value>) -> Self {
        Parameters { members, ..Parameters::default() }
    }
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, member) in &self.members {
            map.serialize_entry(name, member)?;
        }
        if !self.rows_of_exceptions.is_empty() {
            map.serialize_entry(ROWS_OF_EXCEPTIONS, &self.rows_of_exceptions)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Parameters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
        let mut found = Parameters::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == ROWS_OF_EXCEPTIONS {
                let none = |error| {
                    A::Error::custom(format_args!("{ROWS_OF_EXCEPTIONS} is no record of rows: {error}"))
                };
                found.rows_of_exceptions = map.next_value().map_err(none)?;
                // It would be left out where it is written again.
                if found.rows_of_exceptions.is_empty() {
                    return Err(A::Error::custom(format_args!("{ROWS_OF_EXCEPTIONS} is empty")));
                }
            } else {
                found.members.insert(name, map.next_value()?);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_of_exceptions_are_a_member_like_others() {
        let written = json!({ "a": [1], "rowsOfExceptions": { "k=1": [[3, 0], [9, 2]] }, "z": "x" });
        let found = Parameters::deserialize(&written).unwrap();
        assert_eq!(found.get("a"), Some(&json!([1])));
        assert_eq!((found.len(), found.rows_of_exceptions["k=1"].as_slice()), (2, &[(3, 0), (9, 2)][..]));
        assert_eq!(serde_json::to_value(&found).unwrap(), written);
        for other in [json!({}), json!([]), json!({ "k=1": [[1]] }), json!({ "k=1": [[-1, 0]] })] {
            Parameters::deserialize(&json!({ "rowsOfExceptions": other })).unwrap_err();
        }
    }
}
