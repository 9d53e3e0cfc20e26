//! Provides the files that a glob matches where no shell expanded it. Each part of a pattern is matched with
//! names here, and not by the library's own walk, which passes over names that are no text.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::entered::{Entered, Identity, identity};
use super::walk::{ENTRIES_MAX, beyond, is_no_data_name};
use crate::failure::{Failure, Result};
use crate::report;

/// Dots in front of names are looked at here, and told where they left something out.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

/// Whether a path has a part that matches names.
pub fn is_glob(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// A file that a glob matches.
#[derive(Debug)]
pub struct Match {
    /// Where it is.
    pub path: PathBuf,
    /// Whether every name that is no data in partitioned directories was matched by a part of the glob with
    /// the same mark in front.
    pub is_data: bool,
}

/// The files that a pattern matches, in the order of their paths.
///
/// # Errors
/// No pattern; no file; a directory that cannot be read; more than [`ENTRIES_MAX`] files and directories, or
/// too many of these inside of each other.
pub fn expand(pattern: &Path) -> Result<Vec<Match>> {
    let shown = pattern.display();
    let parts = parts(pattern)?;
    let mut expansion = Expansion::new(ENTRIES_MAX);
    expansion.add(Path::new(""), &parts, Named::All)?;
    let (hidden, found): (Vec<_>, Vec<_>) =
        expansion.found.into_iter().partition(|(_, named)| *named == Named::Hidden);
    if found.is_empty() {
        let hidden: Vec<PathBuf> = hidden.into_iter().map(|(path, _)| path).collect();
        let hidden = report::listed(&hidden, "left out, since a dot alone matches one in front of a name");
        let hidden = hidden.map_or(String::new(), |note| format!("; {note}"));
        return Err(Failure::Usage(format!("{shown}: no file matches{hidden}")));
    }
    let matched = found.into_iter().map(|(path, named)| Match { path, is_data: named == Named::All });
    Ok(matched.collect())
}

/// Whether the parts of a glob have the marks in front that the names have which they match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    /// All have them.
    All,
    /// One lacks the underscore of what is no data in partitioned directories.
    NoData,
    /// One lacks a dot: as shells have it, a dot alone matches that.
    Hidden,
}

impl Named {
    /// A name that a part of a glob matches, which `**` does without a text of its own.
    fn by(part: &str, name: &OsStr, is_file: bool) -> Self {
        match name.as_bytes().first() {
            Some(b'.') if !part.starts_with('.') => Named::Hidden,
            _ if is_no_data_name(name, is_file) && !part.starts_with('_') => Named::NoData,
            _ => Named::All,
        }
    }
}

/// Whether a name matches. What is no text in it is read as the character that stands for that.
fn has_name(pattern: &Pattern, name: &OsStr) -> bool {
    pattern.matches_with(&name.to_string_lossy(), MATCHING)
}

/// A part of a pattern, between slashes.
enum Part {
    /// The root, the directory above, or a name that is meant as it is.
    Fixed(OsString),
    /// Names that match.
    Names(Pattern),
    /// `**`: any directories inside of each other, also none.
    Directories,
}

/// The parts of a pattern.
fn parts(pattern: &Path) -> Result<Vec<Part>> {
    let shown = pattern.display();
    let text = pattern.to_str().ok_or_else(|| Failure::Usage(format!("{shown}: a glob must be UTF-8")))?;
    let compiled = |text: &str| {
        Pattern::new(&negated(text)).map_err(|error| Failure::Usage(format!("{shown}: {error}")))
    };
    compiled(text)?;
    let components = pattern.components().filter(|part| *part != Component::CurDir);
    let parts = components.map(|part| match part.as_os_str().to_str() {
        Some("**") => Ok(Part::Directories),
        Some(text) if is_glob(Path::new(text)) => compiled(text).map(Part::Names),
        _ => Ok(Part::Fixed(part.as_os_str().to_owned())),
    });
    let mut parts = parts.collect::<Result<Vec<_>>>()?;
    // Several are as good as one, which looks at each directory once.
    parts.dedup_by(|a, b| matches!((a, b), (Part::Directories, Part::Directories)));
    if text.ends_with('/') {
        // No file has a path with a slash at its end.
        parts.push(Part::Fixed(OsString::new()));
    }
    Ok(parts)
}

/// The pattern with `[!…]` where it has `[^…]`, which shells take for the same.
fn negated(pattern: &str) -> String {
    let (mut negated, mut rest) = (String::new(), pattern);
    while let Some((before, class)) = rest.split_once('[') {
        let (mark, class) = class.strip_prefix(['^', '!']).map_or(("", class), |class| ("!", class));
        // A bracket that comes first is one of the characters.
        let first = class.chars().next().map_or(0, char::len_utf8);
        let end = class[first..].find(']').map_or(class.len(), |end| first + end + 1);
        negated.extend([before, "[", mark, &class[..end]]);
        rest = &class[end..];
    }
    negated + rest
}

/// A search for the files of a pattern that is under way.
struct Expansion {
    /// The directories that `**` is in, each with the number of parts that were left for it.
    entered: Entered<(Identity, usize)>,
    /// Files, each named as much as by any way in which the pattern matches it.
    found: BTreeMap<PathBuf, Named>,
    /// Files and directories that were looked at, and how many may be.
    entries: usize,
    entries_max: usize,
}

impl Expansion {
    fn new(entries_max: usize) -> Self {
        Expansion { entered: Entered::new(), found: BTreeMap::new(), entries: 0, entries_max }
    }

    /// Adds what the rest of a pattern matches below a path, which was named so: the path itself where
    /// nothing is left of it. A path without parts is the working directory.
    fn add(&mut self, path: &Path, parts: &[Part], named: Named) -> Result<()> {
        match parts.split_first() {
            None if path.is_dir() => Ok(()),
            None => {
                let found = self.found.entry(path.to_owned()).or_insert(named);
                *found = named.min(*found);
                Ok(())
            }
            Some((Part::Fixed(name), rest)) => {
                let path = path.join(name);
                if path.symlink_metadata().is_ok() { self.add(&path, rest, named) } else { Ok(()) }
            }
            Some((Part::Names(pattern), rest)) => {
                let names = self.names(path)?;
                let mut matching = names.iter().filter(|name| has_name(pattern, name));
                let by = |name: &OsStr| named.max(Named::by(pattern.as_str(), name, rest.is_empty()));
                matching.try_for_each(|name| self.add(&path.join(name), rest, by(name)))
            }
            Some((Part::Directories, rest)) => self.enter(path, parts, rest, named),
        }
    }

    /// Adds what a pattern matches that begins with `**`: its rest in a directory, and all of it in those
    /// inside, unless the directory was entered above, by whatever path.
    fn enter(&mut self, path: &Path, parts: &[Part], rest: &[Part], named: Named) -> Result<()> {
        let dir = place(path);
        if !dir.is_dir() {
            return Ok(());
        }
        let here = (identity(dir).map_err(|error| Failure::io(dir, error))?, parts.len());
        if !self.entered.enter(dir, here)? {
            return Ok(());
        }
        self.add(path, rest, named)?;
        let names = self.names(path)?;
        let mut inside = names.iter().map(|name| (name, path.join(name))).filter(|(_, path)| path.is_dir());
        inside.try_for_each(|(name, path)| {
            self.enter(&path, parts, rest, named.max(Named::by("", name, false)))
        })?;
        self.entered.leave();
        Ok(())
    }

    /// The names in a directory; none in what is no directory.
    fn names(&mut self, path: &Path) -> Result<Vec<OsString>> {
        let dir = place(path);
        if !dir.is_dir() {
            return Ok(Vec::new());
        }
        let failed = |error| Failure::io(dir, error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            self.entries += 1;
            if self.entries > self.entries_max {
                let what = "the number of files and directories that a glob is compared with";
                return Err(beyond(dir, what, self.entries_max, "name directories with fewer in the glob"));
            }
            names.push(entry.map_err(failed)?.file_name());
        }
        Ok(names)
    }
}

/// Where a path is, which may have no parts.
fn place(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with these files, whose names need not be text.
    fn directory(files: &[&[u8]]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(OsStr::from_bytes(file));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "v\n1\n").unwrap();
        }
        dir
    }

    /// What a pattern matches below the directory, as bytes.
    fn below(dir: &tempfile::TempDir, pattern: &str) -> Vec<Vec<u8>> {
        let found = expand(&dir.path().join(pattern)).unwrap_or_default();
        let below = |path: &Path| path.strip_prefix(dir.path()).unwrap().as_os_str().as_bytes().to_vec();
        found.iter().map(|found| below(&found.path)).collect()
    }

    #[test]
    fn names_that_are_no_text_match_in_every_part() {
        let files: [&[u8]; 4] = [b"a1/1.csv", b"a1/2\xff.csv", b"a\xff/3.csv", b"b/a\xff/4.csv"];
        let dir = directory(&files);
        let [one, two, three, four] = files.map(<[u8]>::to_vec);
        assert_eq!(below(&dir, "a*/*.csv"), [one.clone(), two.clone(), three.clone()]);
        assert_eq!(below(&dir, "a1/?.csv"), std::slice::from_ref(&one));
        assert_eq!(below(&dir, "a?/[0-3]*.csv"), [one.clone(), two.clone(), three.clone()]);
        assert_eq!(below(&dir, "**/*.csv"), [one, two, three.clone(), four.clone()]);
        assert_eq!(below(&dir, "**/a\u{fffd}/*"), Vec::<Vec<u8>>::new());
        assert_eq!(below(&dir, "**/a?/[34].csv"), [three, four]);
    }

    #[test]
    fn directories_of_any_depth_are_entered_once() {
        let files: [&[u8]; 4] = [b"a/b/x.csv", b"a/x.csv", b"a/y.txt", b"x.csv"];
        let dir = directory(&files);
        let [deep, middle, _, top] = files.map(<[u8]>::to_vec);
        let all = [deep.clone(), middle.clone(), top];
        assert_eq!(below(&dir, "**/x.csv"), all);
        assert_eq!(below(&dir, "**/**/x.csv"), all);
        assert_eq!(below(&dir, "**/*/**/x.csv"), [deep.clone(), middle]);
        assert_eq!(below(&dir, "./*/b/x.csv"), [deep]);
        assert_eq!(below(&dir, "a/b*/../x.csv"), [b"a/b/../x.csv".to_vec()]);
        for without_files in ["a/**", "a/*.txt/", "a*/", "*/x.csv/y"] {
            assert_eq!(below(&dir, without_files), Vec::<Vec<u8>>::new());
        }
        std::os::unix::fs::symlink("..", dir.path().join("a/up")).unwrap();
        assert_eq!(below(&dir, "**/x.csv"), all);
    }

    #[test]
    fn hidden_names_match_a_dot_alone() {
        let dir = directory(&[b".a.csv", b"b/.c/d.csv", b"e.csv"]);
        assert_eq!(below(&dir, "**/*.csv"), [b"e.csv".to_vec()]);
        assert_eq!(below(&dir, ".*.csv"), [b".a.csv".to_vec()]);
        assert_eq!(below(&dir, "b/.*/*.csv"), [b"b/.c/d.csv".to_vec()]);
        let failure = expand(&dir.path().join("b/*/*.csv")).unwrap_err().to_string();
        assert!(failure.contains("no file matches") && failure.contains("d.csv"), "{failure}");
    }

    #[test]
    fn a_mark_in_front_is_matched_by_that_of_its_own_part() {
        let dir =
            directory(&[b".h/x/.b.csv", b".h/x/a.csv", b"_t/k=1/_x.csv", b"_t/k=1/y.csv", b"_k=2/_t/z.csv"]);
        assert_eq!(below(&dir, ".*/x/*.csv"), [b".h/x/a.csv".to_vec()]);
        assert_eq!(below(&dir, "**/x/.*.csv"), Vec::<Vec<u8>>::new());
        assert_eq!(below(&dir, ".h/**/.*.csv"), [b".h/x/.b.csv".to_vec()]);
        assert_eq!(below(&dir, "**/.*/**/a.csv"), [b".h/x/a.csv".to_vec()]);
        let is_data = |pattern: &str| {
            let found = expand(&dir.path().join(pattern)).unwrap();
            found.iter().map(|found| found.is_data).collect::<Vec<_>>()
        };
        assert_eq!(is_data("_*/k=*/*.csv"), [false, true]);
        assert_eq!(is_data("_*/k=*/_*.csv"), [true]);
        assert_eq!(is_data("*/k=*/*.csv"), [false, false]);
        assert_eq!(is_data("**/k=*/_*.csv"), [false]);
        assert_eq!(is_data("_t/*/y.csv"), [true]);
        // A key is data, and what is matched in several ways is named as by the best of them.
        assert_eq!(is_data("*/_t/z.csv"), [true]);
        assert_eq!(is_data("**/_*/**/z.csv"), [true]);
    }

    #[test]
    fn a_circumflex_negates_as_an_exclamation_mark() {
        let dir = directory(&[b"w1.csv", b"w2.csv", b"w^.csv", b"w].csv"]);
        let [one, two, mark, bracket] =
            ["w1.csv", "w2.csv", "w^.csv", "w].csv"].map(|name| name.as_bytes().to_vec());
        for pattern in ["w[^1].csv", "w[!1].csv"] {
            assert_eq!(below(&dir, pattern), [two.clone(), bracket.clone(), mark.clone()]);
        }
        assert_eq!(below(&dir, "w[^]2^].csv"), std::slice::from_ref(&one));
        assert_eq!(below(&dir, "w[1^].csv"), [one, mark]);
        for (pattern, written) in [("a[[^]", "a[[^]"), ("[]^][^^]ü[^ü-z]", "[]^][!^]ü[!ü-z]"), ("a[^", "a[!")]
        {
            assert_eq!(negated(pattern), written);
        }
    }

    #[test]
    fn a_glob_that_is_compared_with_too_much_is_refused() {
        let dir = directory(&[b"a/1", b"a/2", b"b/1"]);
        let parts = parts(&dir.path().join("*/*")).unwrap();
        let looked = |entries_max| {
            let mut expansion = Expansion::new(entries_max);
            expansion.add(Path::new(""), &parts, Named::All).map(|()| expansion.found.len())
        };
        assert_eq!(looked(5).unwrap(), 3);
        assert!(looked(4).unwrap_err().to_string().contains("compared with"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["a**/x.csv", "a[.csv"] {
            assert!(expand(Path::new(pattern)).unwrap_err().to_string().starts_with(pattern));
        }
    }
}
