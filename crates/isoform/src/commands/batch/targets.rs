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
/// source lies below the one that was typed. No two may be the same.
pub fn targets(args: &Convert, dir: &Path, sources: &[Source]) -> Result<Vec<PathBuf>> {
    let Some(to) = &args.writing.to else {
        return Err(Failure::Usage(
            "--out-dir: the format of the targets is missing; add --to FORMAT".into(),
        ));
    };
    let mut taken: BTreeMap<PathBuf, &Path> = BTreeMap::new();
    let mut targets = Vec::with_capacity(sources.len());
    let rename = naming(args, to)?;
    for Source { path, folder, .. } in sources {
        let shown = path.display();
        let name = path.file_name().filter(|name| *name != "-");
        let name =
            name.ok_or_else(|| Failure::Usage(format!("{shown}: has no name that a target could have")))?;
        let target = dir.join(folder).join(rename(name));
        if let Some(other) = taken.insert(target.clone(), path) {
            let (other, target) = (other.display(), target.display());
            return Err(Failure::Usage(format!(
                "{other} and {shown} would both become {target}; convert them into directories of their own"
            )));
        }
        targets.push(target);
    }
    Ok(targets)
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
}
