//! Provides the path that leads from the directory of a target to its source: a path as it was typed tells no
//! file where the working directory is another one.

use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};

use crate::local::effective::FROM_TARGET;
use crate::local::seal::placed;

/// Takes note of where a source lies as seen from its target; nothing of one whose path is no text.
pub(super) fn note(parameters: &mut Map<String, Value>, source: &Path, target: &Path) {
    if let Some(path) = from_target(source, target).to_str() {
        parameters.insert(FROM_TARGET.to_owned(), Value::from(path));
    }
}

/// Whether what is recorded leads from a target to this source.
pub(super) fn leads_to(parameters: &Map<String, Value>, source: &Path, target: &Path) -> bool {
    let recorded = parameters.get(FROM_TARGET).and_then(Value::as_str);
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
        assert!(!leads_to(&told, &at("mon/a.csv"), &at("out/a.parquet")));
        note(&mut told, &at("mon/a.csv"), &at("out/a.parquet"));
        assert_eq!(told[FROM_TARGET], "../mon/a.csv");
        assert!(leads_to(&told, &at("out/../link/a.csv"), &at("tue/../out/a.parquet")));
        assert!(!leads_to(&told, &at("tue/a.csv"), &at("out/a.parquet")));
        assert_eq!(from_target(&at("out/x/a.csv"), &at("out/new/a.parquet")), Path::new("../x/a.csv"));
    }
}
