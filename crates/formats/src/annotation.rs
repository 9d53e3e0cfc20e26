//! Provides what fields say of their values besides the type, in the terms of Arrow's canonical extension
//! types: that 16 bytes are a UUID, or that a text is JSON. It is no content, so no digest covers it; formats
//! that have a word for it keep it.
//!
//! Other extension types are entries of fields as any, which nobody here looks into.

use std::sync::Arc;

use arrow_schema::extension::{EXTENSION_TYPE_METADATA_KEY, EXTENSION_TYPE_NAME_KEY};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};

/// The keys of a field that tell an extension type.
const KEYS: [&str; 2] = [EXTENSION_TYPE_NAME_KEY, EXTENSION_TYPE_METADATA_KEY];

/// The names of the extension types.
const UUID: &str = "arrow.uuid";
const JSON: &str = "arrow.json";

/// What is said of the values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Annotation {
    /// 16 bytes that are a UUID.
    Uuid,
    /// Text that is JSON.
    Json,
}

impl Annotation {
    /// What this field says of its values, if it is one of these and goes with its type.
    pub(crate) fn of(field: &Field) -> Option<Self> {
        let entry = |key| field.metadata().get(key).map(String::as_str);
        let (name, parameters) = (entry(EXTENSION_TYPE_NAME_KEY)?, entry(EXTENSION_TYPE_METADATA_KEY));
        let (said, has_none) = match (name, parameters.unwrap_or_default()) {
            (UUID, parameters) => (Annotation::Uuid, parameters.is_empty()),
            (JSON, parameters) => (Annotation::Json, parameters.is_empty() || parameters == "{}"),
            _ => return None,
        };
        (has_none && said.goes_with(field.data_type())).then_some(said)
    }

    /// The name of Arrow's extension type.
    fn extension(self) -> &'static str {
        match self {
            Annotation::Uuid => UUID,
            Annotation::Json => JSON,
        }
    }

    fn goes_with(self, data_type: &DataType) -> bool {
        match self {
            Annotation::Uuid => matches!(data_type, DataType::FixedSizeBinary(16)),
            Annotation::Json => {
                matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
            }
        }
    }

    /// The field with this said of its values, where it goes with their type and the field does not say that
    /// they are of another extension type.
    pub(crate) fn tell(self, field: Field) -> Field {
        let plain = match field.data_type() {
            DataType::Dictionary(_, value) => value,
            other => other,
        };
        if !self.goes_with(plain) || KEYS.iter().any(|key| field.metadata().contains_key(*key)) {
            return field;
        }
        let mut entries = field.metadata().clone();
        entries.insert(EXTENSION_TYPE_NAME_KEY.to_owned(), self.extension().to_owned());
        if self == Annotation::Json {
            // Some readers want its parameters, which are none.
            entries.insert(EXTENSION_TYPE_METADATA_KEY.to_owned(), String::new());
        }
        field.with_metadata(entries)
    }

    /// In words, of one column and of several.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Annotation::Uuid => ("a UUID", "UUIDs"),
            Annotation::Json => ("JSON", "JSON"),
        }
    }
}

/// Whether the values of this field are UUIDs.
pub(crate) fn is_uuid(field: &Field) -> bool {
    Annotation::of(field) == Some(Annotation::Uuid)
}

/// What a field says of its values besides their type, as a name; `None` where it says nothing that is known
/// here.
pub fn said_of(field: &Field) -> Option<&'static str> {
    Annotation::of(field).map(|said| match said {
        Annotation::Uuid => "uuid",
        Annotation::Json => "json",
    })
}

/// Whether a field has entries besides those that tell an annotation.
pub(crate) fn has_other_entries(field: &Field) -> bool {
    let is_known = |key: &String| Annotation::of(field).is_some() && KEYS.contains(&key.as_str());
    !field.metadata().keys().all(is_known)
}

/// What the leaves of a table say, in their order: fields that hold others are none.
pub(crate) fn of_leaves(schema: &Schema) -> Vec<Option<Annotation>> {
    let mut found = Vec::new();
    schema.fields().iter().for_each(|field| gather(field, &mut found));
    found
}

/// What the leaves within a type say, in their order.
pub(crate) fn of_leaves_in(data_type: &DataType) -> Vec<Option<Annotation>> {
    let mut found = Vec::new();
    inside(data_type).into_iter().for_each(|field| gather(field, &mut found));
    found
}

fn is_leaf(field: &Field) -> bool {
    inside(field.data_type()).is_empty() && !matches!(field.data_type(), DataType::Struct(_))
}

fn gather(field: &Field, found: &mut Vec<Option<Annotation>>) {
    match is_leaf(field) {
        true => found.push(Annotation::of(field)),
        false => inside(field.data_type()).into_iter().for_each(|inner| gather(inner, found)),
    }
}

/// The fields directly within a type, of any kind of nesting.
pub(crate) fn inside(data_type: &DataType) -> Vec<&Field> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => vec![item],
        DataType::Map(entries, _) => vec![entries],
        DataType::Struct(fields) => fields.iter().map(|field| field.as_ref()).collect(),
        _ => Vec::new(),
    }
}

/// The same type with other fields directly within it.
pub(crate) fn with_inside(data_type: &DataType, change: &mut dyn FnMut(&FieldRef) -> FieldRef) -> DataType {
    match data_type {
        DataType::List(item) => DataType::List(change(item)),
        DataType::LargeList(item) => DataType::LargeList(change(item)),
        DataType::ListView(item) => DataType::ListView(change(item)),
        DataType::LargeListView(item) => DataType::LargeListView(change(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(change(item), *size),
        DataType::Map(entries, sorted) => DataType::Map(change(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(change).collect()),
        other => other.clone(),
    }
}

/// The type alone, without the entries of the fields within it.
pub(crate) fn bare(data_type: &DataType) -> DataType {
    with_inside(data_type, &mut |field| {
        Arc::new(Field::new(field.name(), bare(field.data_type()), field.is_nullable()))
    })
}

/// The type with nothing said of the fields within it but that they are UUIDs, which text spells in their own
/// way.
pub(crate) fn spelled(data_type: &DataType) -> DataType {
    with_inside(data_type, &mut |field| {
        let plain = Field::new(field.name(), spelled(field.data_type()), field.is_nullable());
        Arc::new(if is_uuid(field) { Annotation::Uuid.tell(plain) } else { plain })
    })
}

/// The schema without what its fields say of their values, nested ones too.
pub(crate) fn unsaid(schema: &Schema) -> Schema {
    let unsaid = |field: &FieldRef| Field::new(field.name(), bare(field.data_type()), field.is_nullable());
    Schema::new(schema.fields().iter().map(unsaid).collect::<Vec<_>>())
}

/// A field as far as another one of its type says the same of the values, in it and in the fields within it;
/// and what only one of the two says.
pub(crate) fn agreed(one: &Field, other: &Field, lost: &mut Vec<String>) -> Field {
    let mut entries = one.metadata().clone();
    let of = |field: &Field| KEYS.map(|key| field.metadata().get(key).cloned());
    // Parameters that are none are also told as empty ones.
    let says_same = match Annotation::of(one) {
        Some(said) => Annotation::of(other) == Some(said),
        None => of(one) == of(other),
    };
    if !says_same {
        for field in [one, other] {
            let name = field.metadata().get(EXTENSION_TYPE_NAME_KEY);
            let words = Annotation::of(field).map(|said| said.words().0.to_owned()).or(name.cloned());
            if let Some(words) = words.filter(|words| !lost.contains(words)) {
                lost.push(words);
            }
        }
        KEYS.iter().for_each(|key| drop(entries.remove(*key)));
    }
    let mut others = inside(other.data_type()).into_iter();
    let data_type = with_inside(one.data_type(), &mut |field| match others.next() {
        Some(other) => Arc::new(agreed(field, other, lost)),
        None => field.clone(),
    });
    one.clone().with_data_type(data_type).with_metadata(entries)
}

/// Fields of which each says what `said` tells of it, by its place.
pub(crate) fn with_leaves(fields: &Fields, said: &mut dyn Iterator<Item = Option<Annotation>>) -> Fields {
    fn told(field: &FieldRef, said: &mut dyn Iterator<Item = Option<Annotation>>) -> FieldRef {
        if !is_leaf(field) {
            let data_type = with_inside(field.data_type(), &mut |inner| told(inner, said));
            return Arc::new(field.as_ref().clone().with_data_type(data_type));
        }
        match said.next().flatten() {
            Some(said) => Arc::new(said.tell(field.as_ref().clone())),
            None => field.clone(),
        }
    }
    fields.iter().map(|field| told(field, said)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid(name: &str) -> Field {
        Annotation::Uuid.tell(Field::new(name, DataType::FixedSizeBinary(16), true))
    }

    #[test]
    fn an_annotation_goes_with_its_type() {
        let entries = uuid("u").metadata().clone();
        let field = |data_type| Field::new("u", data_type, true).with_metadata(entries.clone());
        assert!(is_uuid(&field(DataType::FixedSizeBinary(16))));
        for other in [DataType::FixedSizeBinary(15), DataType::Binary, DataType::Utf8] {
            assert!(!is_uuid(&field(other.clone())) && has_other_entries(&field(other.clone())));
            assert!(Annotation::Uuid.tell(Field::new("u", other, true)).metadata().is_empty());
        }
        let json = Annotation::Json.tell(Field::new("j", DataType::LargeUtf8, true));
        assert_eq!(Annotation::of(&json), Some(Annotation::Json));
        assert!(!has_other_entries(&json));
        let mut entries = json.metadata().clone();
        entries.insert("unit".into(), "m".into());
        assert!(has_other_entries(&json.with_metadata(entries)));
    }

    #[test]
    fn parameters_that_it_does_not_have_are_none() {
        for (said, parameters, valid) in [
            (Annotation::Uuid, "", true),
            (Annotation::Uuid, "{}", false),
            (Annotation::Uuid, "x", false),
            (Annotation::Json, "{}", true),
            (Annotation::Json, "5", false),
        ] {
            let mut types = [DataType::FixedSizeBinary(16), DataType::Utf8].into_iter();
            let ty = types.find(|ty| said.goes_with(ty)).unwrap();
            let field = said.tell(Field::new("f", ty, true));
            let mut entries = field.metadata().clone();
            entries.insert(EXTENSION_TYPE_METADATA_KEY.into(), parameters.into());
            let field = field.with_metadata(entries);
            assert_eq!(Annotation::of(&field).is_some(), valid, "{said:?} {parameters:?}");
            assert_eq!(has_other_entries(&field), !valid);
        }
    }

    #[test]
    fn other_extension_types_are_left_alone() {
        let entries = [(EXTENSION_TYPE_NAME_KEY.to_owned(), "geoarrow.wkb".to_owned())];
        let field = Field::new("g", DataType::FixedSizeBinary(16), true).with_metadata(entries.into());
        assert_eq!(Annotation::of(&field), None);
        assert_eq!(Annotation::Uuid.tell(field.clone()), field);
    }

    #[test]
    fn only_what_both_say_is_agreed() {
        let list = |item: Field| Field::new("l", DataType::List(Arc::new(item)), true);
        let plain = Field::new("u", DataType::FixedSizeBinary(16), true);
        let mut lost = Vec::new();
        assert_eq!(agreed(&list(uuid("u")), &list(uuid("u")), &mut lost), list(uuid("u")));
        assert!(lost.is_empty());
        assert_eq!(agreed(&list(uuid("u")), &list(plain.clone()), &mut lost), list(plain.clone()));
        assert_eq!(agreed(&plain, &uuid("u"), &mut lost), plain);
        assert_eq!(lost, ["a UUID"]);
        let mut entries = uuid("u").metadata().clone();
        entries.insert(EXTENSION_TYPE_METADATA_KEY.into(), String::new());
        let other = uuid("u").with_metadata(entries);
        assert_eq!(agreed(&uuid("u"), &other, &mut Vec::new()), uuid("u"));
    }

    #[test]
    fn leaves_are_told_in_their_order() {
        let plain = Field::new("u", DataType::FixedSizeBinary(16), true);
        let inside = DataType::Struct(vec![Field::new("n", DataType::Int8, true), plain.clone()].into());
        let schema = Schema::new(vec![plain, Field::new("s", inside, true)]);
        let said = [None, None, Some(Annotation::Uuid)];
        let told = Schema::new(with_leaves(schema.fields(), &mut said.into_iter()));
        assert_eq!(of_leaves(&told), said);
        assert_eq!(unsaid(&told), schema);
    }
}
