//! Provides the path that leads from the directory of a target to its source: a path as it was typed tells no
//! file where the working directory is another one.

use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};

use super::effective::FROM_TARGET;
use super::seal::placed;

/// Takes note of where a source lies as seen from its target; nothing of one whose path is no text.
pub fn note(parameters: &mut Map<String, Value>, source: &Path, target: &Path) {
    if let Some(path) = from_target(source, target).to_str() {
        parameters.insert(FROM_TARGET.to_owned(), Value::from(path));
    }
}

/// The same of several sources with their targets, each of which has its own name in one directory.
pub fn note_all<'a>(
    parameters: &mut Map<String, Value>,
    pairs: impl Iterator<Item = (String, &'a Path, &'a Path)>,
) {
    let path = |(name, source, target): (String, &Path, &Path)| {
        Some((name, Value::from(from_target(source, target).to_str()?)))
    };
    parameters.insert(FROM_TARGET.to_owned(), Value::Object(pairs.filter_map(path).collect()));
}

/// Whether what is recorded of a target, or of one that has this name among several, leads to this source.
pub fn leads_to(parameters: &Map<String, Value>, name: &str, source: &Path, target: &Path) -> bool {
    let recorded = match parameters.get(FROM_TARGET) {
        Some(Value::Object(all)) => all.get(name),
        recorded => recorded,
    };
    let recorded = recorded.and_then(Value::as_str);
    recorded.is_some_and(|recorded| Path::new(recorded) == from_target(source, target))
}

fn from_target(source: &Path, target: &Path) -> PathBuf {
    let (source, target) = (placed(source), placed(target));
    let dir = target.parent().unwrap_or(Path::new(""));
    let shared = source.components().zip(dir.components()).take_while(|(a, b)| a == b).count();
    let up = dir.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(source.components().skip(shared)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_told_from_others_of_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["mon", "tue", "out"] {
            std::fs::create_dir(at(folder)).unwrap();
        }
        std::os::unix::fs::symlink(at("mon"), at("link")).unwrap();
        let mut told = Map::new();
        let (source, target) = (at("mon/a.csv"), at("out/a.parquet"));
        assert!(!leads_to(&told, "a.parquet", &source, &target));
        note(&mut told, &source, &target);
        assert_eq!(told[FROM_TARGET], "../mon/a.csv");
        assert!(leads_to(&told, "a.parquet", &at("out/../link/a.csv"), &at("tue/../out/a.parquet")));
        assert!(!leads_to(&told, "a.parquet", &at("tue/a.csv"), &target));
        note_all(&mut told, [("a.parquet".to_owned(), source.as_path(), target.as_path())].into_iter());
        assert!(leads_to(&told, "a.parquet", &source, &target));
        assert!(!leads_to(&told, "b.parquet", &source, &target));
        assert!(!leads_to(&told, "a.parquet", &at("tue/a.csv"), &target));
        assert_eq!(from_target(&at("out/x/a.csv"), &at("out/new/a.parquet")), Path::new("../x/a.csv"));
    }
}
