//! Provides the columns that the directories of several files tell by their names, `key=value`, where no file
//! holds them.
//!
//! The values of a column are typed by one decision over all of them: int64 where all are integers in their
//! one spelling, date where all are ISO dates, and text otherwise.

use std::path::Path;

use arrow_array::{ArrayRef, new_null_array};
use arrow_schema::DataType;
use serde_json::{Value, json};

use super::{hive, is_text};
use crate::error::{Error, Place, Result};
use crate::text::{ColumnParser, ColumnTyping, Form, RawField, Style};

/// A column that directories tell.
#[derive(Debug, Clone, PartialEq)]
pub struct PathColumn {
    /// Its name.
    pub name: String,
    /// How the names of directories are read.
    pub typing: ColumnTyping,
    /// Its place among all columns, where that is known; else it stands behind those of the files.
    pub at: Option<usize>,
    /// How text spelled its values before they were keys, where that is known; not part of the record.
    pub spelled: Option<ColumnTyping>,
}

impl PathColumn {
    /// The record of it in a certificate.
    pub fn to_json(&self) -> Value {
        let mut json = json!({ "name": self.name, "type": self.typing.type_name() });
        if let Some(at) = self.at {
            json["at"] = json!(at.to_string());
        }
        json
    }

    /// The column of such a record.
    ///
    /// # Errors
    /// A name that is missing, or a type that is none.
    pub fn from_json(json: &Value) -> Result<Self> {
        let text = |member: &str| json.get(member).and_then(Value::as_str);
        let wrong = || Error::Misuse("the record of a column that directories tell is broken".into());
        let (name, ty) = text("name").zip(text("type")).ok_or_else(wrong)?;
        let at = text("at").map(|at| at.parse().map_err(|_| wrong())).transpose()?;
        Ok(PathColumn { name: name.to_owned(), typing: ColumnTyping::named(ty)?, at, spelled: None })
    }
}

/// A key, and the bytes of its value; `None` is null.
type Told = (String, Option<Vec<u8>>);

/// The option that leaves these columns out.
const LEAVE_OUT: &str = "leave the columns out with --no-partition-columns";

/// The keys that the directories of a file tell, outermost first.
pub fn told_keys(file: &Path) -> Vec<String> {
    told(file).into_iter().map(|(key, _)| key).collect()
}

/// The columns that all of these files have in their directories. Each is given with the part of its path in
/// which they count, and `known` may say how a column was typed when it was written.
///
/// # Errors
/// Files whose directories tell different columns, one column twice, or one without a name.
pub fn path_columns(
    files: &[(&Path, &Path)],
    known: &dyn Fn(&str) -> Option<ColumnTyping>,
) -> Result<Vec<PathColumn>> {
    let Some((first, below)) = files.first() else { return Ok(Vec::new()) };
    if let Some((file, name)) = files.iter().find_map(|(file, below)| Some((file, nameless(below)?))) {
        let what = format!("its directory {name:?} tells the value of a column without a name");
        return Err(Error::unsupported(of_file(file), what, format!("rename it, or {LEAVE_OUT}")));
    }
    let names = told_keys(below);
    let mut values: Vec<Vec<Option<Vec<u8>>>> = vec![Vec::new(); names.len()];
    for (file, below) in files {
        let told = told(below);
        if !told.iter().map(|(key, _)| key).eq(&names) {
            let keys: Vec<String> = told.into_iter().map(|(key, _)| key).collect();
            let (found, wanted, first) = (listed(&keys), listed(&names), first.display());
            let what = format!("its directories tell {found}, and those of {first} tell {wanted}");
            return Err(Error::unsupported(of_file(file), what, LEAVE_OUT));
        }
        values.iter_mut().zip(told).for_each(|(column, (_, value))| column.push(value));
    }
    if let Some((at, name)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        let what = format!("directory {} tells it a second time", at + 1);
        return Err(Error::unsupported(of_file(first).column(name), what, LEAVE_OUT));
    }
    let column = |(name, values): (String, Vec<_>)| {
        let typing = typing_of(&values, known(&name));
        PathColumn { name, typing, at: None, spelled: None }
    };
    Ok(names.into_iter().zip(values).map(column).collect())
}

/// The values that the directories of a file tell of these columns, if they end in such.
pub(crate) fn values_of(file: &Path, columns: &[PathColumn]) -> Option<Vec<Option<Vec<u8>>>> {
    let told = told(file);
    let told = &told[told.len().checked_sub(columns.len())?..];
    let same = told.iter().zip(columns).all(|((key, _), column)| *key == column.name);
    same.then(|| told.iter().map(|(_, value)| value.clone()).collect())
}

/// Whether the directories of a file tell what those of a path that was recorded for it, as text, told of
/// this many columns. Directories further out told none of them, and where fewer are left, these alone are
/// compared.
pub fn tell_alike(file: &Path, recorded: &Path, columns: usize) -> bool {
    let (found, recorded) = (told(Path::new(&*file.to_string_lossy())), told(recorded));
    let (further_out, taken) = recorded.split_at(recorded.len().saturating_sub(columns));
    let among = |pairs: &[Told], key: &str| pairs.iter().any(|(other, _)| other == key);
    let is_no_column = |key: &str| among(further_out, key) && !among(taken, key);
    let mut pairs = found.iter().rev().zip(taken.iter().rev());
    pairs.all(|(found, taken)| found == taken || is_no_column(&found.0))
}

/// One row with the value of a directory; `None` where it is no value of the type.
pub(crate) fn one_row(value: Option<&[u8]>, typing: &ColumnTyping) -> Result<Option<ArrayRef>> {
    let Some(bytes) = value else { return Ok(Some(new_null_array(&typing.data_type, 1))) };
    let field = match is_text(&typing.data_type) {
        true if std::str::from_utf8(bytes).is_err() => return Ok(None),
        true => RawField::quoted(bytes),
        // An empty field would be null, which has a name of its own.
        false if bytes.is_empty() => return Ok(None),
        false => RawField::plain(bytes),
    };
    let mut parser = ColumnParser::new(typing)?;
    match parser.push(field) {
        Ok(()) => parser.finish().map(Some),
        Err(_) => Ok(None),
    }
}

/// The directory of a file that has no name for its column.
fn nameless(file: &Path) -> Option<String> {
    let mut names = file.parent()?.iter();
    let name = names.find(|name| name.as_encoded_bytes().starts_with(b"="))?;
    Some(name.to_string_lossy().into_owned())
}

/// The directories of a file that are named `key=value`. An escape that is none stands for itself.
fn told(file: &Path) -> Vec<Told> {
    let decoded = |name: &[u8]| hive::decode(name).unwrap_or_else(|| name.to_vec());
    let pair = |name: &[u8]| {
        let at = memchr::memchr(b'=', name).filter(|at| *at > 0)?;
        let (key, value) = (&name[..at], &name[at + 1..]);
        let key = String::from_utf8_lossy(&decoded(key)).into_owned();
        Some((key, (value != hive::NULL_NAME.as_bytes()).then(|| decoded(value))))
    };
    let names = file.parent().into_iter().flat_map(Path::iter);
    names.filter_map(|name| pair(name.as_encoded_bytes())).collect()
}

/// How a column of these values is read: as the known one, if all are of its type and that has a name.
fn typing_of(values: &[Option<Vec<u8>>], known: Option<ColumnTyping>) -> ColumnTyping {
    let known = known.and_then(|typing| ColumnTyping::named(&typing.type_name()?).ok());
    let fits = |typing: &ColumnTyping| {
        values.iter().all(|value| matches!(one_row(value.as_deref(), typing), Ok(Some(_))))
    };
    let found =
        [DataType::Int64, DataType::Date32].into_iter().filter(|_| values.iter().any(Option::is_some));
    let found = found.filter_map(|data_type| ColumnTyping::default_for(&data_type).ok());
    let text = || ColumnTyping::new(DataType::Utf8, Style::new(Form::Text), true);
    known.into_iter().chain(found).find(fits).unwrap_or_else(text)
}

fn of_file(file: &Path) -> Place {
    Place { path: Some(file.to_owned()), ..Place::default() }
}

/// Names of columns, as a message lists them.
fn listed(keys: &[String]) -> String {
    match keys {
        [] => "no column".into(),
        keys => keys.iter().map(|key| format!("{key:?}")).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn columns(files: &[&str]) -> Result<Vec<(String, DataType)>> {
        let files: Vec<_> = files.iter().map(|file| (Path::new(*file), Path::new(*file))).collect();
        let found = path_columns(&files, &|_| None)?;
        Ok(found.into_iter().map(|column| (column.name, column.typing.data_type)).collect())
    }

    fn types(values: &[&str]) -> DataType {
        let files: Vec<String> = values.iter().map(|value| format!("k={value}/part-0.csv")).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        columns(&files).unwrap().remove(0).1
    }

    #[test]
    fn a_column_is_typed_by_all_of_its_values() {
        assert_eq!(types(&["1", "-20", hive::NULL_NAME]), DataType::Int64);
        assert_eq!(types(&["1", "02"]), DataType::Utf8);
        assert_eq!(types(&["1", ""]), DataType::Utf8);
        assert_eq!(types(&["2024-02-29", hive::NULL_NAME]), DataType::Date32);
        assert_eq!(types(&["2024-02-29", "2023-02-29"]), DataType::Utf8);
        assert_eq!(types(&["true", "false"]), DataType::Utf8);
        assert_eq!(types(&["9223372036854775808"]), DataType::Utf8);
        assert_eq!(types(&[hive::NULL_NAME]), DataType::Utf8);
    }

    #[test]
    fn a_known_type_is_taken_where_all_values_are_of_it() {
        let known = |_: &str| ColumnTyping::default_for(&DataType::Boolean).ok();
        let of = |file| {
            path_columns(&[(Path::new(file), Path::new(file))], &known).unwrap().remove(0).typing.data_type
        };
        assert_eq!(of("k=true/x.csv"), DataType::Boolean);
        assert_eq!(of("k=7/x.csv"), DataType::Int64);
    }

    #[test]
    fn keys_and_values_are_decoded() {
        let found = told(Path::new("out/a%3Db=x%20y/plain/=none/c=50%/d=__HIVE_DEFAULT_PARTITION__/e=f=g"));
        let value = |text: &str| Some(text.as_bytes().to_vec());
        // The last name is that of the file.
        let wanted = [("a=b", value("x y")), ("c", value("50%")), ("d", None)];
        assert_eq!(found, wanted.map(|(key, value)| (key.to_owned(), value)));
    }

    #[test]
    fn files_have_to_agree() {
        let told = |files: &[&str]| columns(files).unwrap_err().to_string();
        assert_eq!(columns(&["a.csv", "x/b.csv"]).unwrap(), []);
        let depths = told(&["a=1/b=2/x.csv", "a=1/y.csv"]);
        assert!(depths.starts_with("a=1/y.csv: ") && depths.contains("--no-partition-columns"), "{depths}");
        assert!(told(&["a=1/b=2/x.csv", "b=2/a=1/y.csv"]).contains(r#"tell "b", "a""#));
        assert!(told(&["a=1/x.csv", "y.csv"]).contains("tell no column"));
        assert!(told(&["a=1/a=2/x.csv"]).contains("second time"));
        let nameless = told(&["a=1/x.csv", "a=1/=2/y.csv"]);
        assert!(nameless.starts_with("a=1/=2/y.csv: ") && nameless.contains("\"=2\""), "{nameless}");
    }

    #[test]
    fn columns_are_recorded() {
        for name in ["int64", "date", "text", "decimal128(9, 2)", "uuid"] {
            let typing = ColumnTyping::named(name).unwrap();
            for at in [None, Some(0), Some(17)] {
                let column = PathColumn { name: "a=b".into(), typing: typing.clone(), at, spelled: None };
                assert_eq!(column.to_json()["type"], name);
                assert_eq!(PathColumn::from_json(&column.to_json()).unwrap(), column);
            }
        }
        assert!(PathColumn::from_json(&json!({ "name": "a", "type": "none such" })).is_err());
        assert!(PathColumn::from_json(&json!({ "name": "a" })).is_err());
        assert!(PathColumn::from_json(&json!({ "name": "a", "type": "text", "at": "x" })).is_err());
    }

    #[test]
    fn only_directories_that_told_columns_are_compared() {
        let alike =
            |file: &str, columns| tell_alike(Path::new(file), Path::new("run=1/k=1/j=x/a.csv"), columns);
        for file in ["run=2/k=1/j=x/a.csv", "j=x/a.csv", "a.csv", "m/k=%31/n/j=x/a.csv", "run=2/j=x/a.csv"] {
            assert!(alike(file, 2), "{file}");
        }
        for file in ["run=1/k=2/j=x/a.csv", "run=1/k=1/j=y/a.csv", "run=1/l=1/j=x/a.csv", "k=1/a.csv"] {
            assert!(!alike(file, 2), "{file}");
        }
        assert!(!alike("run=2/k=1/j=x/a.csv", 3) && alike("run=2/k=2/j=2/a.csv", 0));
        // A column has the name of what lies further out.
        assert!(!tell_alike(Path::new("k=2/a.csv"), Path::new("k=9/set/k=1/a.csv"), 1));
        let no_text = Path::new(OsStr::from_bytes(b"r=\xff/k=\xfe/a.csv"));
        assert!(tell_alike(no_text, Path::new(&*no_text.to_string_lossy()), 2));
    }

    #[test]
    fn the_last_directories_tell_the_columns() {
        let columns = [PathColumn {
            name: "k".into(),
            typing: ColumnTyping::named("int64").unwrap(),
            at: None,
            spelled: None,
        }];
        assert_eq!(values_of(Path::new("run=5/k=1/x.csv"), &columns), Some(vec![Some(b"1".to_vec())]));
        assert_eq!(values_of(Path::new("k=1/run=5/x.csv"), &columns), None);
        assert_eq!(values_of(Path::new("x.csv"), &columns), None);
    }
}
