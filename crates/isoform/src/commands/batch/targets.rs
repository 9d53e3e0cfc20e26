//! Provides the names of the targets of many sources.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use ::formats::bytes::{Codec as Wrapping, names};
use ::formats::media::{Codec, catalog};
use ::formats::registry::Format;

use super::claims::{Clashes, Pair, clashes};
use crate::cli::Convert;
use crate::commands::sources::Source;
use crate::failure::{Failure, Result};
use crate::local::seal::{placed, real};

/// The targets of many sources.
pub struct Targets {
    /// Each source with its target.
    pub pairs: Vec<Pair>,
    /// Targets that cannot be made beside the others.
    pub clashes: Clashes,
    /// Sources that were named again, under whatever path, and have one target.
    pub again: Vec<PathBuf>,
}

/// The target of each source: its name with other endings, as far below the directory of the targets as the
/// source lies below the one that was typed.
///
/// # Errors
/// Names that make no target.
pub fn targets(args: &Convert, dir: &Path, sources: &[Source]) -> Result<Targets> {
    let Some(to) = &args.writing.to else {
        return Err(Failure::Usage(
            "--out-dir: the format of the targets is missing; add --to FORMAT".into(),
        ));
    };
    let rename = naming(args, to)?;
    let named = sources.iter().map(|Source { path, folder, .. }| {
        let name = path.file_name().filter(|name| *name != "-").ok_or_else(|| {
            let shown = path.display();
            Failure::Usage(format!("{shown}: has no name that a target could have"))
        })?;
        Ok((path.clone(), dir.join(folder).join(rename(name))))
    });
    let (pairs, again) = without_repeated(named.collect::<Result<_>>()?);
    Ok(Targets { clashes: clashes(&pairs, args.force), pairs, again })
}

/// The same targets, each file once that is to become the same one several times; and such files.
fn without_repeated(mut pairs: Vec<Pair>) -> (Vec<Pair>, Vec<PathBuf>) {
    let (mut first, mut again) = (BTreeMap::new(), BTreeSet::new());
    pairs.retain(|(source, target)| match first.entry((placed(target), real(source))) {
        Entry::Vacant(free) => {
            free.insert(source.clone());
            true
        }
        Entry::Occupied(first) => {
            again.insert(first.get().clone());
            false
        }
    });
    (pairs, again.into_iter().collect())
}

/// The name of a target by that of its source.
type Naming = Box<dyn Fn(&OsStr) -> OsString>;

/// How targets of this format are called.
fn naming(args: &Convert, to: &str) -> Result<Naming> {
    if let Some(codec) = Wrapping::named(to) {
        let ending = match codec {
            Wrapping::Raw => String::new(),
            packed => format!(".{}", packed.endings()[0]),
        };
        return Ok(Box::new(move |name| {
            let mut name = names::unwrapped(Path::new(name)).into_os_string();
            name.push(&ending);
            name
        }));
    }
    let media = catalog().named(to);
    let first = media.and_then(|media| media.endings.first()).map_or("", String::as_str).to_owned();
    if let Some(Codec::Image(_) | Codec::Arrays(_)) = media.map(|media| media.codec) {
        return Ok(Box::new(move |name| Path::new(name).with_extension(&first).into_os_string()));
    }
    let format = Format::named_target(to)?;
    let codec = args.writing.compression.as_deref().map(|text| text.split(':').next().unwrap_or(text));
    let packed = codec.filter(|_| format.is_text()).and_then(Wrapping::named);
    let packed = args.writing.wrapping.or(packed);
    let packed = packed.filter(|packed| *packed != Wrapping::Raw).and_then(|packed| packed.endings().first());
    let wrapping = packed.map_or(String::new(), |ending| format!(".{ending}"));
    Ok(Box::new(move |name| {
        let mut name = stem(name);
        name.push(format!(".{first}{wrapping}"));
        name
    }))
}

/// A name without the endings that tell a format of tables and its wrapping.
fn stem(name: &OsStr) -> OsString {
    let path = Path::new(name);
    match Format::of_name(path) {
        Some(_) => names::unwrapped(path).with_extension("").into_os_string(),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_called_like_their_sources() {
        let stem = |name: &str| stem(OsStr::new(name)).into_string().unwrap();
        assert_eq!(stem("b.csv"), "b");
        assert_eq!(stem("b.2024.CSV.GZ"), "b.2024");
        assert_eq!(stem("b.jsonl.zst"), "b");
        assert_eq!(stem("b.tsv.bgz"), "b");
        assert_eq!(stem("no-ending"), "no-ending");
        assert_eq!(stem("notes.v1"), "notes.v1");
    }

    #[test]
    fn a_file_that_is_named_again_has_one_target() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        for name in ["a.csv", "sub/a.csv"] {
            std::fs::write(at(name), "v\n1\n").unwrap();
        }
        std::os::unix::fs::symlink(at("a.csv"), at("link.csv")).unwrap();
        let found = |named: &[(&str, &str)]| {
            let pairs = named.iter().map(|(source, target)| (at(source), PathBuf::from(target)));
            let (pairs, again) = without_repeated(pairs.collect());
            (pairs.len(), clashes(&pairs, false).len(), again)
        };
        let again =
            [("a.csv", "o/a"), ("sub/../a.csv", "o/a"), ("a.csv", "o/a"), ("gone", "o/g"), ("gone", "o/g")];
        assert_eq!(found(&again), (2, 0, Vec::from([at("a.csv"), at("gone")])));
        assert_eq!(
            found(&[("a.csv", "o/a"), ("link.csv", "o/link"), ("a.csv", "o/sub/a")]),
            (3, 0, Vec::new())
        );
        let clash = [("a.csv", "o/a"), ("sub/a.csv", "o/a"), ("link.csv", "o/a")];
        assert_eq!(found(&clash), (2, 1, Vec::from([at("a.csv")])));
    }
}
