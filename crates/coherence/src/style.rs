//! Provides [`Style`]: how a certificate tells that something is written.

use crate::dsse::parse;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// How a column or an array is written: an object of JSON. It is held as its text, which takes a tenth of
/// what the tree of its values would, since a certificate may tell of a hundred thousand columns.
#[derive(Clone, Debug)]
pub struct Style(Box<str>);

impl Style {
    /// The text, with the members in the order in which they were given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The members of the object.
    pub fn members(&self) -> Map<String, Value> {
        parse(self.0.as_bytes()).unwrap_or_default()
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.members().remove(name)
    }
}

impl From<Map<String, Value>> for Style {
    fn from(members: Map<String, Value>) -> Self {
        Style(Value::Object(members).to_string().into())
    }
}

impl Default for Style {
    fn default() -> Self {
        Style("{}".into())
    }
}

impl PartialEq for Style {
    fn eq(&self, other: &Self) -> bool {
        // The order of members is no part of what they tell.
        self.0 == other.0 || self.members() == other.members()
    }
}

impl Eq for Style {}

impl Serialize for Style {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.members().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Style {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Style::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn style(value: &Value) -> Style {
        Style::from(value.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn a_style_is_the_object_that_it_was_made_of() {
        let deep = (0..300).fold(json!(1), |inner, _| json!([inner]));
        for value in [json!({}), json!({ "b": "\u{1}\"", "a": [1, null] }), json!({ "deep": deep })] {
            let style = style(&value);
            assert_eq!(
                (Value::Object(style.members()), style.as_str()),
                (value.clone(), &*value.to_string())
            );
            assert_eq!(serde_json::to_value(&style).unwrap(), value);
        }
        assert_eq!(style(&json!({})), Style::default());
    }

    #[test]
    fn the_order_of_members_makes_no_difference() {
        let (one, other) = (style(&json!({ "a": 1, "b": 2 })), style(&json!({ "b": 2, "a": 1 })));
        assert_eq!(one, other);
        assert_ne!(one, style(&json!({ "a": 1, "b": 3 })));
        assert_eq!((one.get("b"), one.get("c")), (Some(json!(2)), None));
    }
}
