//! Provides the files that a glob matches where no shell expanded it. Each part of a pattern is matched with
//! names here, and not by the library's own walk, which passes over names that are no text.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::entered::{Entered, Identity, identity};
use super::matched;
use super::walk::{ENTRIES_MAX, beyond};
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

/// Whether a part of a glob that has the same mark in front itself matches a name.
pub fn is_named(pattern: &Path, name: &OsStr, front: &[u8]) -> bool {
    let mut parts = pattern.iter().filter(|part| part.as_bytes().starts_with(front));
    parts.any(|part| {
        let part = part.to_str().and_then(|part| Pattern::new(part).ok());
        part.is_some_and(|part| has_name(&part, name))
    })
}

/// The files that a pattern matches, in the order of their paths.
///
/// # Errors
/// No pattern; no file; a directory that cannot be read; more than [`ENTRIES_MAX`] files and directories, or
/// too many of these inside of each other.
pub fn expand(pattern: &Path) -> Result<Vec<PathBuf>> {
    let shown = pattern.display();
    let parts = parts(pattern)?;
    let mut expansion = Expansion::new(ENTRIES_MAX);
    expansion.add(Path::new(""), &parts)?;
    let (hidden, found): (Vec<PathBuf>, Vec<PathBuf>) =
        expansion.found.into_iter().partition(|file| is_hidden(pattern, file));
    if found.is_empty() {
        let hidden = report::listed(&hidden, "left out, since a dot alone matches one in front of a name");
        let hidden = hidden.map_or(String::new(), |note| format!("; {note}"));
        return Err(Failure::Usage(format!("{shown}: no file matches{hidden}")));
    }
    Ok(found)
}

/// Whether what a glob matched lies below a name with a dot in front, or has one, that the glob does not name
/// so: as shells have it, a dot alone matches that.
fn is_hidden(pattern: &Path, file: &Path) -> bool {
    let below = matched(pattern, file.to_owned()).below;
    let hidden = |name: &OsStr| name.as_bytes().starts_with(b".") && name != "..";
    below.iter().any(|name| hidden(name) && !is_named(pattern, name, b"."))
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
    let compiled =
        |text: &str| Pattern::new(text).map_err(|error| Failure::Usage(format!("{shown}: {error}")));
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

/// A search for the files of a pattern that is under way.
struct Expansion {
    /// The directories that `**` is in, each with the number of parts that were left for it.
    entered: Entered<(Identity, usize)>,
    found: BTreeSet<PathBuf>,
    /// Files and directories that were looked at, and how many may be.
    entries: usize,
    entries_max: usize,
}

impl Expansion {
    fn new(entries_max: usize) -> Self {
        Expansion { entered: Entered::new(), found: BTreeSet::new(), entries: 0, entries_max }
    }

    /// Adds what the rest of a pattern matches below a path: the path itself where nothing is left of it. A
    /// path without parts is the working directory.
    fn add(&mut self, path: &Path, parts: &[Part]) -> Result<()> {
        match parts.split_first() {
            None if path.is_dir() => Ok(()),
            None => {
                self.found.insert(path.to_owned());
                Ok(())
            }
            Some((Part::Fixed(name), rest)) => {
                let path = path.join(name);
                if path.symlink_metadata().is_ok() { self.add(&path, rest) } else { Ok(()) }
            }
            Some((Part::Names(pattern), rest)) => {
                let names = self.names(path)?;
                let mut matching = names.iter().filter(|name| has_name(pattern, name));
                matching.try_for_each(|name| self.add(&path.join(name), rest))
            }
            Some((Part::Directories, rest)) => self.enter(path, parts, rest),
        }
    }

    /// Adds what a pattern matches that begins with `**`: its rest in a directory, and all of it in those
    /// inside, unless the directory was entered above, by whatever path.
    fn enter(&mut self, path: &Path, parts: &[Part], rest: &[Part]) -> Result<()> {
        let dir = place(path);
        if !dir.is_dir() {
            return Ok(());
        }
        let here = (identity(dir).map_err(|error| Failure::io(dir, error))?, parts.len());
        if !self.entered.enter(dir, here)? {
            return Ok(());
        }
        self.add(path, rest)?;
        let names = self.names(path)?;
        let mut inside = names.iter().map(|name| path.join(name)).filter(|path| path.is_dir());
        inside.try_for_each(|path| self.enter(&path, parts, rest))?;
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

    #[test]
    fn a_glob_names_what_is_no_data_elsewhere() {
        let is_hidden = |pattern: &str, file: &str| is_hidden(Path::new(pattern), Path::new(file));
        assert!(is_hidden("a/*.csv", "a/.x.csv") && is_hidden("a/**/*.csv", "a/.b/x.csv"));
        assert!(!is_hidden("a/.*.csv", "a/.x.csv") && !is_hidden(".a/*.csv", ".a/x.csv"));
        assert!(!is_hidden("../*.csv", "../x.csv") && !is_hidden("./*.csv", "x.csv"));
        let is_named = |pattern: &str, name: &str| is_named(Path::new(pattern), OsStr::new(name), b"_");
        assert!(is_named("a/k=*/_*.csv", "_x.csv") && is_named("a/_temporary/*/x.csv", "_temporary"));
        assert!(!is_named("a/k=*/*.csv", "_x.csv") && !is_named("a/k=*/_y*.csv", "_x.csv"));
    }

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
        let below = |path: &PathBuf| path.strip_prefix(dir.path()).unwrap().as_os_str().as_bytes().to_vec();
        found.iter().map(below).collect()
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
    fn a_glob_that_is_compared_with_too_much_is_refused() {
        let dir = directory(&[b"a/1", b"a/2", b"b/1"]);
        let parts = parts(&dir.path().join("*/*")).unwrap();
        let looked = |entries_max| {
            let mut expansion = Expansion::new(entries_max);
            expansion.add(Path::new(""), &parts).map(|()| expansion.found.len())
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
