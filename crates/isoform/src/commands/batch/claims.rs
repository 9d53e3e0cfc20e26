//! Provides the places that many targets would have, with their certificates and temporaries. Targets that
//! would have one place are not made, nor is one that would have that of the certificate of another one, or
//! take that of a source, or is called as a temporary; the others are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::local::seal::{placed, real};
use crate::local::staging::{certificate_path, refuse_name_of_temporary, temporaries};
use crate::local::survey::target_of;

/// A source with its target.
pub type Pair = (PathBuf, PathBuf);

/// Targets that cannot be made beside the others, with what is to be said of that.
pub type Clashes = BTreeMap<PathBuf, String>;

/// The targets that clash. One that exists and is not to be replaced takes no place from a source, since
/// nothing is written.
pub fn clashes(pairs: &[Pair], replace: bool) -> Clashes {
    let claims = Claims::of(pairs);
    let against = |place: &Path, alike: &[&Pair], pair: &Pair| {
        let written = replace || pair.1.symlink_metadata().is_err();
        let hidden = refuse_name_of_temporary(&pair.1).err();
        hidden
            .map(|failure| failure.to_string())
            .or_else(|| several(&pair.1, alike))
            .or_else(|| claims.certified(place, pair))
            .or_else(|| claims.taken(place, pair).filter(|_| written))
    };
    let mut found = Clashes::new();
    for (place, alike) in &claims.targets {
        for pair in alike {
            found.extend(against(place, alike, pair).map(|why| (pair.1.clone(), why)));
        }
    }
    found
}

/// Who has which place: a directory under the one name that the system has for it, so that no link hides
/// another way to it, and a name in it.
struct Claims<'a> {
    /// By the places of the targets.
    targets: BTreeMap<PathBuf, Vec<&'a Pair>>,
    /// The files that are sources, by their places and those of links to them that were named.
    sources: BTreeMap<PathBuf, PathBuf>,
}

impl<'a> Claims<'a> {
    fn of(pairs: &'a [Pair]) -> Self {
        let (mut targets, mut sources) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
        for pair in pairs {
            let (source, target) = pair;
            let file = real(source);
            targets.entry(placed(target)).or_default().push(pair);
            sources.insert(placed(source), file.clone());
            sources.insert(file.clone(), file);
        }
        Claims { targets, sources }
    }

    /// That a target would be where the certificate of another one comes.
    fn certified(&self, place: &Path, (source, target): &Pair) -> Option<String> {
        let of = target_of(place);
        let (other, _) = self.targets.get(&of).filter(|_| of != place)?.first()?;
        let (source, target, other) = (source.display(), target.display(), other.display());
        Some(format!(
            "{target}: is what {source} would become, and the certificate of what {other} would become; \
             convert it by itself into another directory"
        ))
    }

    /// That a target, its certificate, or a temporary of either, would replace the source of another one. Of
    /// its own source more is said where it is converted.
    fn taken(&self, place: &Path, (source, target): &Pair) -> Option<String> {
        let is_other = |place: &Path| self.sources.get(place).is_some_and(|file| *file != real(source));
        let what = if is_other(place) {
            target.display().to_string()
        } else if is_other(&certificate_path(place)) {
            format!("{}, the certificate of the target,", certificate_path(target).display())
        } else {
            let mut temporaries = temporaries(target).into_iter().flatten();
            let temporary = temporaries.find(|temporary| is_other(&placed(temporary)))?;
            format!("{}, a temporary of the target {},", temporary.display(), target.display())
        };
        Some(format!("{what} would replace a source of this run; convert into another directory"))
    }
}

/// That several sources would become a target, if they are several.
fn several(target: &Path, pairs: &[&Pair]) -> Option<String> {
    let [(first, _), (second, _), more @ ..] = pairs else { return None };
    let (first, second, target) = (first.display(), second.display(), target.display());
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    Some(format!(
        "several sources would become {target} ({first}, {second}{more}); convert them into directories of \
         their own"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with these files, and with `link`, which leads to its directory `d`.
    fn directory(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        std::os::unix::fs::symlink("d", dir.path().join("link")).unwrap();
        for file in files {
            std::fs::write(dir.path().join(file), file).unwrap();
        }
        dir
    }

    /// What is said of each target, for pairs in a directory.
    fn told(dir: &tempfile::TempDir, pairs: &[(&str, &str)], replace: bool) -> Vec<(String, String)> {
        let at = |name: &str| dir.path().join(name);
        let pairs: Vec<Pair> = pairs.iter().map(|(source, target)| (at(source), at(target))).collect();
        let root = format!("{}/", dir.path().display());
        let below = |text: &str| text.replace(&root, "");
        let found = clashes(&pairs, replace).into_iter();
        found.map(|(target, why)| (below(&target.to_string_lossy()), below(&why))).collect()
    }

    #[test]
    fn a_clash_names_two_sources_and_counts_the_others() {
        let told = |sources: &[&str]| {
            let pairs = sources.iter().map(|source| (PathBuf::from(source), PathBuf::from("o/p.webp")));
            let pairs: Vec<Pair> = pairs.collect();
            several(Path::new("o/p.webp"), &pairs.iter().collect::<Vec<_>>())
        };
        assert_eq!(told(&["p.png"]), None);
        assert!(told(&["p.jpg", "p.png"]).unwrap().contains("become o/p.webp (p.jpg, p.png);"));
        assert!(told(&["p.jpg", "p.png", "p.bmp"]).unwrap().contains("(p.jpg, p.png and 1 more);"));
    }

    #[test]
    fn a_directory_has_one_place_whatever_leads_to_it() {
        let dir = directory(&["a", "b"]);
        assert!(told(&dir, &[("a", "d/a"), ("b", "link/b"), ("a", "new/a")], true).is_empty());
        let found = told(&dir, &[("a", "d/x"), ("b", "link/x")], true);
        assert_eq!(found.iter().map(|(target, _)| target.as_str()).collect::<Vec<_>>(), ["d/x", "link/x"]);
        assert!(found.iter().all(|(target, why)| why.contains(&format!("become {target} (a, b)"))));
        // Also where it is not there yet.
        assert_eq!(told(&dir, &[("a", "link/new/x"), ("b", "d/new/x")], false).len(), 2);
    }

    #[test]
    fn no_target_has_the_place_of_the_certificate_of_another() {
        let dir = directory(&["a.gz", "c.gz", "z.gz"]);
        let pairs = [("a.gz", "d/a"), ("c.gz", "link/a.isoform.sigstore.json"), ("z.gz", "d/z")];
        let [(target, why)] = told(&dir, &pairs, false).try_into().unwrap();
        assert_eq!(target, "link/a.isoform.sigstore.json");
        assert!(why.starts_with("link/a.isoform.sigstore.json: is what c.gz"), "{why}");
        assert!(why.contains("certificate of what a.gz would become"), "{why}");
    }

    #[test]
    fn no_target_is_called_as_a_temporary() {
        let dir = directory(&["a.gz", ".a.isoform-part.gz"]);
        let pairs = [("a.gz", "d/a"), (".a.isoform-part.gz", "d/.a.isoform-part")];
        let [(target, why)] = told(&dir, &pairs, true).try_into().unwrap();
        assert_eq!(target, "d/.a.isoform-part");
        assert!(why.contains("is a name for temporaries"), "{why}");
    }

    #[test]
    fn no_target_has_the_place_of_another_source() {
        let dir = directory(&["a", "d/x", "d/y.isoform.sigstore.json"]);
        std::os::unix::fs::symlink("d/x", dir.path().join("way")).unwrap();
        for source in ["d/x", "way"] {
            let pairs = [("a", "link/x"), (source, "d/other")];
            assert!(told(&dir, &pairs, false).is_empty(), "nothing is written, since it is not replaced");
            let found = told(&dir, &pairs, true);
            let why = "link/x would replace a source of this run; convert into another directory";
            assert_eq!(found, [("link/x".to_owned(), why.to_owned())]);
        }
        let found = told(&dir, &[("a", "d/y"), ("d/y.isoform.sigstore.json", "d/other")], false);
        assert!(found.len() == 1 && found[0].1.starts_with("d/y.isoform.sigstore.json, the certificate"));
        for name in [".y.isoform-part", ".y.isoform-journal", ".y.isoform.sigstore.json.isoform-new"] {
            std::fs::write(dir.path().join("d").join(name), name).unwrap();
            let of_source = format!("d/{name}");
            let [(target, why)] =
                told(&dir, &[("a", "link/y"), (&of_source, "d/other")], false).try_into().unwrap();
            assert_eq!(target, "link/y");
            assert!(why.starts_with(&format!("link/{name}, a temporary of the target link/y,")), "{why}");
        }
        // Its own source is looked at by the conversion, with its temporaries.
        assert!(told(&dir, &[("d/x", "link/x"), ("d/y.isoform.sigstore.json", "d/y")], true).is_empty());
    }
}
