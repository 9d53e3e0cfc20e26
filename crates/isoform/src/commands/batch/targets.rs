//! Provides the names of the targets of many sources.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use ::formats::bytes::{Codec as Wrapping, names};
use ::formats::media::{Codec, catalog};
use ::formats::registry::Format;

use crate::cli::Convert;
use crate::commands::sources::Source;
use crate::failure::{Failure, Result};

/// The targets of many sources.
pub struct Targets {
    /// Each source with its target.
    pub pairs: Vec<(PathBuf, PathBuf)>,
    /// Targets that several of them would become.
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
    Ok(without_repeated(named.collect::<Result<_>>()?))
}

/// The same targets, each file once that is to become the same one several times.
fn without_repeated(mut pairs: Vec<(PathBuf, PathBuf)>) -> Targets {
    let (mut first, mut again) = (BTreeMap::new(), BTreeSet::new());
    pairs.retain(|(source, target)| {
        let file = source.canonicalize().unwrap_or_else(|_| source.clone());
        match first.entry((target.clone(), file)) {
            Entry::Vacant(free) => {
                free.insert(source.clone());
                true
            }
            Entry::Occupied(first) => {
                again.insert(first.get().clone());
                false
            }
        }
    });
    let mut taken: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
    for (source, target) in &pairs {
        taken.entry(target).or_default().push(source);
    }
    let clashing =
        taken.iter().filter_map(|(target, sources)| Some((target.to_path_buf(), clash(target, sources)?)));
    Targets { clashes: clashing.collect(), pairs, again: again.into_iter().collect() }
}

/// Targets that several sources would become, with what is to be said of that.
pub type Clashes = BTreeMap<PathBuf, String>;

/// That several sources would become a target, if they are several.
fn clash(target: &Path, sources: &[&Path]) -> Option<String> {
    let [first, second, more @ ..] = sources else { return None };
    let (first, second, target) = (first.display(), second.display(), target.display());
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    Some(format!(
        "several sources would become {target} ({first}, {second}{more}); convert them into directories of \
         their own"
    ))
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
    let format = Format::named(to)?;
    let codec = args.writing.compression.as_deref().map(|text| text.split(':').next().unwrap_or(text));
    let wrapping = match codec.filter(|_| format.is_text()) {
        Some("gzip") => ".gz",
        Some("zstd") => ".zst",
        _ => "",
    };
    Ok(Box::new(move |name| {
        let mut name = stem(name);
        name.push(format!(".{first}{wrapping}"));
        name
    }))
}

/// A name without the endings that tell a format of tables and its wrapping.
fn stem(name: &OsStr) -> OsString {
    let mut path = PathBuf::from(name);
    if Format::of_name(&path).is_some() {
        let wrapped = path.extension().is_some_and(|ending| {
            ["gz", "zst", "zstd"].iter().any(|known| ending.eq_ignore_ascii_case(known))
        });
        path.set_extension("");
        if wrapped {
            path.set_extension("");
        }
    }
    path.into_os_string()
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
            let Targets { pairs, clashes, again } = without_repeated(pairs.collect());
            (pairs.len(), clashes.len(), again)
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

    #[test]
    fn a_clash_names_two_sources_and_counts_the_others() {
        let told = |sources: &[&str]| {
            let sources: Vec<&Path> = sources.iter().map(Path::new).collect();
            clash(Path::new("o/p.webp"), &sources)
        };
        assert_eq!(told(&["p.png"]), None);
        assert!(told(&["p.jpg", "p.png"]).unwrap().contains("become o/p.webp (p.jpg, p.png);"));
        assert!(told(&["p.jpg", "p.png", "p.bmp"]).unwrap().contains("(p.jpg, p.png and 1 more);"));
    }
}
