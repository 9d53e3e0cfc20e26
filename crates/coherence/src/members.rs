//! Provides the reading of a content whose model is told among its members, whatever their order.

use crate::statement::{
    BytesContent, Content, Partitions, SignalArray, SignalAttribute, SignalContent, TableContent, TypedColumn,
};
use serde::{Deserialize, Deserializer};

/// The members of a content before it is known of which model they are: what is read without knowing that is
/// held as values that take many times what their text does.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Members {
    model: String,
    scheme: String,
    source: String,
    target: String,
    equal: bool,
    #[serde(default, deserialize_with = "present")]
    partitions: Option<Partitions>,
    #[serde(default, deserialize_with = "present")]
    rows: Option<String>,
    #[serde(default, deserialize_with = "present")]
    columns: Option<String>,
    #[serde(default, deserialize_with = "present")]
    type_map: Option<Vec<TypedColumn>>,
    #[serde(default, deserialize_with = "present")]
    samples: Option<String>,
    #[serde(default, deserialize_with = "present")]
    arrays: Option<Vec<SignalArray>>,
    #[serde(default, deserialize_with = "present")]
    attributes: Option<Vec<SignalAttribute>>,
    #[serde(default, deserialize_with = "present")]
    bytes: Option<String>,
}

/// A member that is there.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl TryFrom<Members> for Content {
    type Error = String;

    fn try_from(members: Members) -> Result<Self, String> {
        let Members { model, scheme, source, target, equal, .. } = members;
        let is_table = matches!(model.as_str(), "table" | "partitioned-table");
        let foreign = [
            ("partitions", members.partitions.is_some() && !is_table),
            ("rows", members.rows.is_some() && !is_table),
            ("columns", members.columns.is_some() && !is_table),
            ("typeMap", members.type_map.is_some() && !is_table),
            ("samples", members.samples.is_some() && model != "signal"),
            ("arrays", members.arrays.is_some() && model != "signal"),
            ("attributes", members.attributes.is_some() && model != "signal"),
            ("bytes", members.bytes.is_some() && model != "bytes"),
        ];
        if let Some((name, _)) = foreign.into_iter().find(|(_, is_foreign)| *is_foreign) {
            return Err(format!("unknown field `{name}` of a content of model `{model}`"));
        }
        let missing = |name: &str| format!("missing field `{name}`");
        match model.as_str() {
            "table" | "partitioned-table" => {
                let table = TableContent {
                    scheme,
                    partitions: members.partitions,
                    source,
                    target,
                    equal,
                    rows: members.rows.ok_or_else(|| missing("rows"))?,
                    columns: members.columns.ok_or_else(|| missing("columns"))?,
                    type_map: members.type_map.ok_or_else(|| missing("typeMap"))?,
                };
                Ok(if model == "table" { Content::Table(table) } else { Content::Partitioned(table) })
            }
            "signal" => Ok(Content::Signal(SignalContent {
                scheme,
                source,
                target,
                equal,
                samples: members.samples.ok_or_else(|| missing("samples"))?,
                arrays: members.arrays.ok_or_else(|| missing("arrays"))?,
                attributes: members.attributes.unwrap_or_default(),
            })),
            "bytes" => {
                let bytes = members.bytes.ok_or_else(|| missing("bytes"))?;
                Ok(Content::Bytes(BytesContent { scheme, source, target, equal, bytes }))
            }
            _ => Err(format!(
                "unknown variant `{model}`, expected one of `table`, `partitioned-table`, `signal`, `bytes`"
            )),
        }
    }
}
