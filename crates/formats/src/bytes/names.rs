//! Provides what names say about byte strings: which ending is that of a wrapping, and whether a conversion
//! changes nothing but the wrapping.

use std::path::{Path, PathBuf};

use super::Codec;
use super::codec::HEAD_BYTES;
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::media::{self, Model, catalog};
use crate::registry::Format;

/// Endings that stand for two: that of an archive and that of what wraps it.
const JOINED: [(&str, &str, Codec); 5] = [
    ("tgz", "tar", Codec::Gzip),
    ("tbz2", "tar", Codec::Bzip2),
    ("tbz", "tar", Codec::Bzip2),
    ("txz", "tar", Codec::Xz),
    ("tzst", "tar", Codec::Zstd),
];

/// A name without the ending of a wrapping, in lower case, and the wrapping that the ending tells.
pub fn split(path: &Path) -> (String, Option<Codec>) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let Some((rest, ending)) = name.rsplit_once('.').filter(|(rest, _)| !rest.is_empty()) else {
        return (name, None);
    };
    if let Some((_, archive, codec)) = JOINED.iter().find(|(joined, ..)| *joined == ending) {
        return (format!("{rest}.{archive}"), Some(*codec));
    }
    match Codec::named(ending)
        .filter(|codec| *codec != Codec::Raw && codec.endings().iter().any(|known| known == ending))
    {
        Some(codec) => (rest.to_owned(), Some(codec)),
        None => (name, None),
    }
}

/// A name without the ending of a wrapping, as it is spelled.
pub fn unwrapped(path: &Path) -> PathBuf {
    let is = |joined: &str| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(joined));
    match JOINED.iter().find(|(joined, ..)| is(joined)) {
        Some((_, archive, _)) => path.with_extension(archive),
        None if split(path).1.is_some() => path.with_extension(""),
        None => path.to_owned(),
    }
}

/// The wrapping of a text: what its first bytes tell, of which there should be [`HEAD_BYTES`] where the
/// object has as many. Where they tell nothing, its name tells of brotli, which has no mark.
pub fn wrapping_of(start: &[u8], path: &Path) -> Codec {
    let named = || split(path).1;
    match (Codec::of_bytes(start), start) {
        (Some(codec), _) => codec,
        // Frames that are there to be skipped are of zstd and of lz4.
        (None, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) if named() != Some(Codec::Lz4) => Codec::Zstd,
        (None, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..]) => Codec::Lz4,
        _ if named() == Some(Codec::Brotli) => Codec::Brotli,
        _ => Codec::Raw,
    }
}

fn ending(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, ending)| ending)
}

/// The type of tables that a name tells without its wrapping, by its own name: one that was added may read
/// and write in another way what the format does.
fn table(name: &str) -> Option<&'static str> {
    let media = catalog().of_ending(ending(name)?, Model::Tables)?;
    matches!(media.codec, media::Codec::Table(_)).then_some(media.name.as_str())
}

/// Whether the names say that the bytes inside are kept and only what wraps them changes: the same kind of
/// table in another wrapping, or a target that is no table at all. What neither says is for tables to judge.
pub fn only_wrapping_changes(source: &Path, target: &Path) -> bool {
    let ((inner, from), (kept, to)) = (split(source), split(target));
    match (table(&kept), to) {
        (Some(kind), _) => from != to && table(&inner) == Some(kind),
        (None, Some(_)) => true,
        (None, None) => {
            let bin =
                ending(&kept).is_some_and(|ending| Codec::Raw.endings().iter().any(|known| known == ending));
            bin || (from.is_some() && ending(&inner) == ending(&kept))
        }
    }
}

/// The wrapping that a target's name tells; none is raw.
pub fn of_target(target: &Path) -> Codec {
    split(target).1.unwrap_or(Codec::Raw)
}

/// Whether a name is that of a table, wrapped or not.
pub fn is_table_name(path: &Path) -> bool {
    table(&split(path).0).is_some()
}

/// How an object is wrapped: as was said; else as its name says, which its first bytes must not deny; else
/// not at all. The text is for the person where the bytes look like more than the name says.
pub fn of_source(file: &ObjectFile, said: Option<Codec>) -> Result<(Codec, Option<String>)> {
    if let Some(codec) = said {
        return Ok((codec, None));
    }
    let mut head = [0; HEAD_BYTES];
    let count = file.read_at(&mut head, 0)?;
    let found = Codec::of_bytes(&head[..count]);
    match (split(file.path()).1, found) {
        (None, None) => Ok((Codec::Raw, None)),
        (None, Some(found)) => {
            let name = found.name();
            let note = format!("it begins like {name} and is kept as it is; --from {name} unwraps it");
            Ok((Codec::Raw, Some(note)))
        }
        (Some(named), None) => Ok((named, None)),
        // Each of the two is also the other.
        (Some(Codec::Gzip | Codec::Bgzf), Some(found @ (Codec::Gzip | Codec::Bgzf))) => Ok((found, None)),
        (Some(named), Some(found)) if named == found => Ok((named, None)),
        (Some(named), Some(found)) => {
            let (named, found) = (named.name(), found.name());
            let what = format!("the name says {named}, and the bytes begin like {found}; say it with --from");
            let place = Place { path: Some(file.path().to_owned()), ..Place::at_byte(0) };
            Err(Error::malformed("file", place, what))
        }
    }
}

/// Whether an object is a table by what its bytes and its name tell, without opening it as one.
pub fn is_table(file: &ObjectFile) -> Result<bool> {
    let mut head = [0; HEAD_BYTES];
    let count = file.read_at(&mut head, 0)?;
    Ok(Format::of_bytes(&head[..count]).is_some() || Format::of_name(file.path()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_their_wrapping() {
        let split = |name: &str| split(Path::new(name));
        assert_eq!(split("a/x.tar.gz"), ("x.tar".into(), Some(Codec::Gzip)));
        assert_eq!(split("x.TGZ"), ("x.tar".into(), Some(Codec::Gzip)));
        assert_eq!(split("x.bin"), ("x.bin".into(), None));
        assert_eq!(split("gz"), ("gz".into(), None));
        assert_eq!(split(".gz"), (".gz".into(), None));
        assert_eq!(split("x.xz.br"), ("x.xz".into(), Some(Codec::Brotli)));
    }

    #[test]
    fn unwrapped_names_keep_their_spelling() {
        let unwrapped = |name: &str| unwrapped(Path::new(name)).display().to_string();
        assert_eq!(unwrapped("A/X.Log.GZ"), "A/X.Log");
        assert_eq!(unwrapped("X.tgz"), "X.tar");
        assert_eq!(unwrapped("X.tar"), "X.tar");
    }

    #[test]
    fn what_changes_only_its_wrapping_is_bytes() {
        let bytes = |from: &str, to: &str| only_wrapping_changes(Path::new(from), Path::new(to));
        for (from, to) in [
            ("x.tar.gz", "x.tar.zst"),
            ("x.bin", "x.bin.xz"),
            ("access.log.gz", "access.log.zst"),
            ("x.csv.gz", "x.csv.zst"),
            ("x.csv", "x.csv.xz"),
            ("x.csv.gz", "x.csv"),
            ("x.tgz", "x.tar"),
            ("x.gz", "x"),
            ("x.parquet", "x.parquet.zst"),
            ("x.csv", "x.gz"),
            ("data", "data.br"),
            ("x.zst", "x.bin"),
        ] {
            assert!(bytes(from, to), "{from} → {to}");
        }
        for (from, to) in [
            ("x.csv.gz", "x.parquet"),
            ("x.csv", "y.csv"),
            ("x.csv.gz", "y.csv.gz"),
            ("x.csv.gz", "x.jsonl.zst"),
            ("x.csv", "x.tsv.gz"),
            ("x.csv", "x.unknown"),
            ("x.log", "y.log"),
            ("x.csv.gz", "x.unknown"),
        ] {
            assert!(!bytes(from, to), "{from} → {to}");
        }
    }
}
