//! Provides the JSON form of typings.
use super::ColumnTyping;
use crate::error::Result;
use serde_json::{Map, Value};
impl ColumnTyping {
    /// temp
    pub fn to_json(&self) -> Map<String, Value> {
        let mut m = Map::new();
        m.insert("type".into(), super::type_name(&self.data_type).into());
        m.insert("form".into(), format!("{:?}", self.style.form).into());
        m
    }
    /// temp
    pub fn from_json(map: &Map<String, Value>) -> Result<Self> {
        let ty = map.get("type").and_then(Value::as_str).unwrap_or("text");
        ColumnTyping::default_for(&super::parse_type(ty)?)
    }
}
