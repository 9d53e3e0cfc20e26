//! Provides the names of the targets of many sources.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use ::formats::bytes::{Codec as Wrapping, names};
use ::formats::media::{Codec, catalog};
use ::formats::registry::Format;

use crate::cli::Convert;
use crate::commands::sources::Source;
use crate::failure::{Failure, Result};

/// The target of each source: its name with other endings, as far below the directory of the targets as the
/// source lies below the one that was typed. Beside them are those that several sources would become.
///
/// # Errors
/// Besides names that make no target, that no source has a target of its own.
pub fn targets(args: &Convert, dir: &Path, sources: &[Source]) -> Result<(Vec<PathBuf>, Clashes)> {
    let Some(to) = &args.writing.to else {
        return Err(Failure::Usage(
            "--out-dir: the format of the targets is missing; add --to FORMAT".into(),
        ));
    };
    let mut taken: BTreeMap<PathBuf, Vec<&Path>> = BTreeMap::new();
    let mut targets = Vec::with_capacity(sources.len());
    let rename = naming(args, to)?;
    for Source { path, folder, .. } in sources {
        let shown = path.display();
        let name = path.file_name().filter(|name| *name != "-");
        let name =
            name.ok_or_else(|| Failure::Usage(format!("{shown}: has no name that a target could have")))?;
        let target = dir.join(folder).join(rename(name));
        taken.entry(target.clone()).or_default().push(path);
        targets.push(target);
    }
    let clashing =
        taken.iter().filter_map(|(target, sources)| Some((target.clone(), clash(target, sources)?)));
    let clashes: Clashes = clashing.collect();
    match clashes.values().next() {
        Some(why) if clashes.len() == taken.len() => Err(Failure::Usage(why.clone())),
        _ => Ok((targets, clashes)),
    }
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
