//! Provides the parameters of a certificate that tell what was in effect besides what was asked for: how each
//! source was read, and how the target was written. They follow from options and sources, so runs are
//! compared without them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coherence::dsse::shown;
use coherence::statement::{Content, Predicate, SignalContent};
use formats::image::Declared;
use formats::media::catalog;
use serde_json::{Map, Value, json};

use super::via::STEPS;
use crate::failure::{Failure, Result};

/// How sources were read: one entry where all were read alike, else one for each.
const READING: &str = "reading";

/// How the target was written.
const WRITING: &str = "writing";

/// What a target does not have of its source, since a person allowed it.
const DROPPED: &str = "dropped";

/// The path that leads from the directory of a target of many to its source; of an album those of all, by the
/// names of the targets.
pub const FROM_TARGET: &str = "sourceFromTarget";

/// Adds how the target was written.
pub fn add_writing(parameters: &mut Map<String, Value>, writing: Map<String, Value>) {
    parameters.insert(WRITING.to_owned(), Value::Object(writing));
}

/// Adds to how a target was written what it does not have of its source, since a person allowed it.
pub fn add_dropped(writing: &mut Map<String, Value>, dropped: &[String]) {
    if !dropped.is_empty() {
        writing.insert(DROPPED.to_owned(), json!(dropped));
    }
}

/// Fails where this record of how a target was written tells that something else of its source was left out
/// than these keys.
pub fn check_dropped(record: &Map<String, Value>, found: &[String], path: &Path) -> Result<()> {
    let told = record.get(DROPPED).and_then(Value::as_array).into_iter().flatten();
    let told: BTreeSet<&str> = told.map(|key| key.as_str().unwrap_or_default()).collect();
    let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    if told == found {
        return Ok(());
    }
    let named = |keys: BTreeSet<&str>| match keys.is_empty() {
        true => "nothing".to_owned(),
        false => shown(&keys.into_iter().collect::<Vec<_>>().join(", ")),
    };
    let (path, told, found) = (path.display(), named(told), named(found));
    Err(Failure::Mismatch(format!(
        "{path}: its certificate tells that {told} was dropped, and it lacks {found} of its source"
    )))
}

/// The same of all that a certificate tells of its target: of an image also in the record of its array.
/// Certificates of earlier versions tell nothing of how a target was written.
pub fn check_all_dropped(
    (parameters, content): (&Map<String, Value>, &SignalContent),
    found: &[String],
    path: &Path,
) -> Result<()> {
    let Some(writing) = parameters.get(WRITING).and_then(Value::as_object) else { return Ok(()) };
    let styles = content.arrays.iter().map(|array| array.style.members());
    let mut styles = styles.filter(|style| style.contains_key(DROPPED));
    styles.try_for_each(|style| check_dropped(&style, found, path))?;
    check_dropped(writing, found, path)
}

/// Whether the parameters of a conversion tell that this was left out.
pub fn tells_dropped(parameters: &Map<String, Value>, key: &str) -> bool {
    let told = parameters.get(WRITING).and_then(|writing| writing.get(DROPPED)).and_then(Value::as_array);
    told.is_some_and(|told| told.iter().any(|told| told == key))
}

/// Adds to how a target holds an array which layout its image declares, and whether the target declares it
/// too.
pub fn add_declared(style: &mut Map<String, Value>, declared: &Declared, kept: bool) {
    style.insert("declared".to_owned(), json!(declared.to_string()));
    style.insert("declaredKept".to_owned(), json!(kept));
}

/// Adds how each source was read; nothing where nothing is to be told.
pub fn add_reading(parameters: &mut Map<String, Value>, mut reading: Vec<Map<String, Value>>) {
    if reading.windows(2).all(|pair| pair[0] == pair[1]) {
        reading.truncate(1);
    }
    if reading.iter().any(|entry| !entry.is_empty()) {
        parameters.insert(READING.to_owned(), json!(reading));
    }
}

/// The parameters that are about each source, where they differ, or about all: what is recorded of how it was
/// read stands in the place of what was asked for. Certificates of earlier versions tell only this.
pub fn of_sources(parameters: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let recorded = parameters.get(READING).and_then(Value::as_array).into_iter().flatten();
    let with = |entry: &Map<String, Value>| {
        let mut all = parameters.clone();
        all.extend(entry.clone());
        all
    };
    let each: Vec<_> = recorded.filter_map(Value::as_object).map(with).collect();
    if each.is_empty() { Vec::from([parameters.clone()]) } else { each }
}

/// What follows from the words for null and the marks that a version knows, as well as from the sources.
const OF_A_VERSION: [&str; 2] = ["nullTokens", "decimalMarks"];

/// The name of the type of a source among what tells how it was read.
const FROM: &str = "from";

/// Whether both name types, and of different codecs: a definition may have named one otherwise.
fn are_other_codecs(told: &Value, found: &Value) -> bool {
    let codec = |name: &Value| catalog().named(name.as_str()?).map(|media| media.codec);
    codec(told).zip(codec(found)).is_some_and(|(told, found)| told != found)
}

/// Fails where a certificate tells that sources were read otherwise than they are read now. What it does not
/// tell is passed over, and so is what is not known here.
pub fn check_reading(
    at: &Path,
    predicate: &Predicate,
    sources: &[PathBuf],
    found: &[Map<String, Value>],
) -> Result<()> {
    let Some(recorded) = predicate.conversion.parameters.get(READING) else { return Ok(()) };
    let wrong = |what: String| {
        let at = at.display();
        Err(Failure::Mismatch(format!("{at}: {what}; get it again, or convert the source again")))
    };
    let entries: Vec<_> = recorded.as_array().into_iter().flatten().filter_map(Value::as_object).collect();
    if entries.len() != 1 && entries.len() != found.len() {
        return wrong(format!("{READING} does not tell how each source was read, or all"));
    }
    let tool = &predicate.conversion.tool;
    let ours = tool.name == "isoform" && tool.version == env!("CARGO_PKG_VERSION");
    for (index, found) in found.iter().enumerate() {
        let told = entries.get(index).or(entries.first()).into_iter().flat_map(|entry| entry.iter());
        let mut told = told.filter(|(key, _)| ours || !OF_A_VERSION.contains(&key.as_str()));
        let differing = told.find_map(|(key, told)| {
            let found = found.get(key).filter(|found| *found != told)?;
            if key == FROM && !are_other_codecs(told, found) {
                return None;
            }
            Some((key, shown(&told.to_string()), shown(&found.to_string())))
        });
        if let Some((key, told, found)) = differing {
            let source = sources.get(index).map(|source| source.display().to_string());
            let of = source.map_or(String::new(), |source| format!("{source} is read by "));
            return wrong(format!("{READING} tells {key} {told}, and {of}{found}"));
        }
    }
    Ok(())
}

/// What follows from options and sources, and asks for nothing.
const FOLLOWING: [&str; 4] = [READING, WRITING, FROM_TARGET, STEPS];

/// The parameters without what follows from them.
pub fn asked(parameters: &Map<String, Value>) -> Map<String, Value> {
    let mut asked = parameters.clone();
    asked.retain(|key, _| !FOLLOWING.contains(&key.as_str()));
    asked
}

/// Options that let through what is refused without them and change nothing else, with the value that does.
const LENIENT: [(&str, Option<&str>); 3] = [("drop", None), ("ragged", None), ("encoding", Some("guess"))];

/// Whether what a certificate tells was made as a run makes it that was asked for this: the options are the
/// same but for those that only let more through, where all came through without them.
pub fn is_made_so(
    made: &Predicate,
    mut recorded: Map<String, Value>,
    mut wanted: Map<String, Value>,
) -> bool {
    for (option, value) in LENIENT {
        let given = wanted.get(option);
        if !recorded.contains_key(option) && value.is_none_or(|value| given == Some(&json!(value))) {
            wanted.remove(option);
        }
    }
    if !wanted.contains_key("drop") && !lacks_something(made) {
        recorded.remove("drop");
    }
    recorded == wanted
}

/// Whether a target does not have something of its source.
fn lacks_something(made: &Predicate) -> bool {
    let writing = made.conversion.parameters.get(WRITING).and_then(Value::as_object);
    let styles = match &made.content {
        Content::Signal(signal) => signal.arrays.as_slice(),
        _ => &[],
    };
    writing.is_some_and(|told| told.contains_key(DROPPED))
        || styles.iter().any(|array| array.style.get(DROPPED).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn what_is_recorded_stands_in_the_place_of_what_was_asked_for() {
        let asked_for = map(json!({ "encoding": "guess", "types": "reversible" }));
        assert_eq!(of_sources(&asked_for), std::slice::from_ref(&asked_for));
        let entry = |encoding: &str| map(json!({ "encoding": encoding, "comment": null }));
        let mut all = asked_for.clone();
        add_reading(&mut all, vec![entry("utf-8"), entry("utf-8")]);
        add_writing(&mut all, map(json!({ "to": "parquet" })));
        assert_eq!(all["reading"].as_array().unwrap().len(), 1);
        let [only] = of_sources(&all).try_into().unwrap();
        assert_eq!((&only["encoding"], &only["types"]), (&json!("utf-8"), &json!("reversible")));
        assert_eq!(asked(&all), asked_for);
        let mut all = asked_for.clone();
        add_reading(&mut all, vec![entry("utf-8"), entry("windows-1252")]);
        let encodings: Vec<_> = of_sources(&all).into_iter().map(|of| of["encoding"].clone()).collect();
        assert_eq!(encodings, ["utf-8", "windows-1252"]);
        let mut all = asked_for.clone();
        add_reading(&mut all, vec![Map::new()]);
        assert_eq!(all, asked_for);
    }
}
