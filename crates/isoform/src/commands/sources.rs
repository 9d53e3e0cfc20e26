//! Provides the list of sources: paths, directories, globs that no shell expanded, and lists in files.

mod earlier;
mod entered;
mod globs;
mod walk;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ::formats::Place;
use ::formats::bytes::Codec;
use ::formats::image::ImageFormat;
use ::formats::partition::told_keys;
use ::formats::registry::Format;
use ::formats::signal::SignalFormat;

use super::image;
use crate::cli::Convert;
use crate::failure::{Failure, Result};
use crate::local::opened;
use crate::local::standard::{is_pipe, is_standard};
use crate::report;
use globs::{Match, expand, is_glob};
pub use walk::{Made, files_below};
use walk::{Walked, is_certificate, walk};

/// Bytes of a list of sources that are read at most.
const LIST_BYTES_MAX: u64 = 256 << 20;

/// What is said of files that are left out for their kind.
pub const OTHER_KIND: &str = "of another kind than the sources, and left out";

/// The sources and the target that were typed: the last path is the target, as with `cp`.
pub fn and_target(args: &Convert) -> Result<(Sources, PathBuf)> {
    let missing = |what: &str| {
        let usage = "convert SOURCE... TARGET, or SOURCE... --out-dir DIR --to FORMAT";
        Failure::Usage(format!("{what} is missing: {usage}; see --help"))
    };
    let (target, sources) = args.paths.split_last().ok_or_else(|| missing("the target"))?;
    if sources.is_empty() && args.sources_from.is_none() {
        return Err(missing("the target"));
    }
    let made = Made::Target { path: target, replaced: args.force };
    let look = Look { made, wanted: Wanted::Tables, keyed: !args.no_partition_columns };
    let sources = all(sources, args.sources_from.as_deref(), look)?;
    if sources.found.len() > 1 && target.is_dir() && args.writing.partition_by.is_empty() {
        let shown = target.display();
        return Err(Failure::Usage(format!(
            "{shown}: is a directory; several sources become one file, or one file each with --out-dir"
        )));
    }
    Ok((sources, target.clone()))
}

/// Which files of a directory are sources.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Those with the ending of a table.
    Tables,
    /// Those with the ending of an image.
    Images,
    /// Those with the ending of a container of arrays.
    Arrays,
    /// Those with the ending of a sound.
    Sounds,
    /// All.
    All,
}

impl Wanted {
    /// What can become a target of this format.
    pub fn for_target(to: Option<&str>) -> Self {
        match to {
            Some(to) if Codec::named(to).is_some() => Self::All,
            Some(to) if ImageFormat::named(to).is_some() => Self::Images,
            Some(to) if SignalFormat::named(to).is_some_and(SignalFormat::is_sound) => Self::Sounds,
            Some(to) if SignalFormat::named(to).is_some() => Self::Arrays,
            _ => Self::Tables,
        }
    }

    /// What else becomes such a target, where a directory has none of its own kind: the first that is there.
    fn leading_here(self) -> &'static [Self] {
        match self {
            Self::Images | Self::Sounds | Self::Tables => &[Self::Arrays],
            Self::Arrays => &[Self::Sounds, Self::Images, Self::Tables],
            Self::All => &[],
        }
    }

    fn has(self, path: &Path) -> bool {
        match self {
            Self::Tables => Format::of_name(path).is_some(),
            Self::Images => image::of_name(path).is_some(),
            Self::Arrays => SignalFormat::of_name(path).is_some_and(|format| !format.is_sound()),
            Self::Sounds => SignalFormat::of_name(path).is_some_and(SignalFormat::is_sound),
            Self::All => true,
        }
    }
}

/// How directories and globs are looked at.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// What the run makes.
    pub made: Made<'a>,
    /// Which files are sources.
    pub wanted: Wanted,
    /// Whether directories are partitions where their names tell keys: then not every name is of data.
    pub keyed: bool,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// The directory that it lies in below the one that was typed; empty for one that was typed itself.
    pub folder: PathBuf,
    /// Its path below the directory, or the fixed part of the glob, that was typed; the name alone of one
    /// that was typed itself.
    pub below: PathBuf,
}

impl Source {
    /// One that was typed itself.
    pub fn alone(path: PathBuf) -> Self {
        let below = path.file_name().map(PathBuf::from).unwrap_or_default();
        Source { path, folder: PathBuf::new(), below }
    }
}

/// Their paths.
pub fn paths(sources: &[Source]) -> Vec<PathBuf> {
    sources.iter().map(|source| source.path.clone()).collect()
}

/// The sources of a conversion.
#[derive(Debug, Default)]
pub struct Sources {
    /// Those that are converted, in order.
    pub found: Vec<Source>,
    /// Files of directories that are of another kind, and are not converted.
    pub left_out: Vec<PathBuf>,
    /// What partitioned directories have beside their data.
    pub no_data: Vec<PathBuf>,
    /// Files of other directories whose names hide them.
    pub hidden: Vec<PathBuf>,
    /// What an earlier run made for the same target.
    pub made: Vec<PathBuf>,
    /// What an earlier run made where the targets are to lie.
    pub certified: Vec<PathBuf>,
}

impl Sources {
    /// One that was typed itself.
    pub fn alone(path: &Path) -> Self {
        Sources { found: Vec::from([Source::alone(path.to_owned())]), ..Sources::default() }
    }

    /// What is to be said of files in directories that are left out.
    pub fn notes(&self) -> Vec<String> {
        let others = report::listed(&self.left_out, OTHER_KIND);
        others.into_iter().chain(self.notes_of_data()).collect()
    }

    /// The same without those of another kind.
    pub fn notes_of_data(&self) -> Vec<String> {
        let what = "left out, since names with a dot or an underscore in front are no data in partitioned \
                    directories";
        let hidden = listed(&self.hidden, "left out, since names with a dot in front are hidden");
        let made = listed(&self.made, "left out, as made for this target by an earlier run");
        let certified = "left out, as made by an earlier run, whose certificate is beside; what is named \
                         itself is a source";
        let certified = listed(&self.certified, certified);
        listed(&self.no_data, what).chain(hidden).chain(made).chain(certified).collect()
    }

    /// The same behind an error.
    fn besides(&self) -> String {
        self.notes_of_data().into_iter().map(|note| format!("; {note}")).collect()
    }

    /// Leaves unsaid what is one of these targets, of which more is said elsewhere.
    pub fn pass_over<'a>(&mut self, targets: impl Iterator<Item = &'a Path>) {
        let targets: BTreeSet<PathBuf> = targets.filter_map(|target| target.canonicalize().ok()).collect();
        self.certified.retain(|path| !path.canonicalize().is_ok_and(|path| targets.contains(&path)));
    }

    /// Adds the files below a directory: those that are wanted or, where there are none, those of a kind that
    /// becomes one.
    fn add_directory(&mut self, dir: &Path, look: Look<'_>) -> Result<()> {
        let mut walked = walk(dir, look.made)?;
        let is_keyed = look.wanted == Wanted::Tables && look.keyed;
        let no_data = if is_keyed { walked.take_no_data(dir) } else { Vec::new() };
        let mut kinds = std::iter::once(&look.wanted).chain(look.wanted.leading_here());
        let Some(kind) = kinds.find(|kind| walked.files.iter().any(|file| kind.has(file))) else {
            return Err(no_source(dir, look, walked, no_data));
        };
        let (sources, others): (Vec<PathBuf>, Vec<PathBuf>) =
            walked.files.into_iter().partition(|file| kind.has(file));
        let hidden = walked.hidden.into_iter().filter(|path| *kind != Wanted::All && kind.has(path));
        self.hidden.extend(hidden.filter(|path| path.is_file()));
        self.found.extend(sources.into_iter().map(|file| in_directory(dir, file)));
        self.left_out.extend(others.into_iter().filter(|file| !is_certificate(file)));
        self.no_data.extend(no_data);
        self.made.extend(walked.made);
        self.certified.extend(walked.certified.into_iter().filter(|path| path.is_dir() || kind.has(path)));
        Ok(())
    }

    /// Adds the files that a glob matches, but for what is no data in partitioned directories, unless the
    /// glob names it so.
    fn add_glob(&mut self, pattern: &Path, look: Look<'_>) -> Result<()> {
        let found = expand(pattern)?.into_iter();
        let mut found: Vec<(Source, bool)> =
            found.map(|Match { path, is_data }| (matched(pattern, path), is_data)).collect();
        let tells = found.iter().any(|(source, _)| !told_keys(&source.below).is_empty());
        if look.wanted == Wanted::Tables && look.keyed && tells {
            let no_data = found.extract_if(.., |(_, is_data)| !*is_data);
            self.no_data.extend(no_data.map(|(source, _)| source.path));
        }
        self.found.extend(found.into_iter().map(|(source, _)| source));
        Ok(())
    }
}

/// That a directory has no file that is wanted, with what was left out of it.
fn no_source(dir: &Path, look: Look<'_>, walked: Walked, no_data: Vec<PathBuf>) -> Failure {
    let Walked { files, mut hidden, made, mut certified } = walked;
    for paths in [&mut hidden, &mut certified] {
        paths.retain(|path| path.is_dir() || look.wanted.has(path));
    }
    let others = [(Wanted::Images, "images", "webp"), (Wanted::Sounds, "sounds", "flac")];
    let others = others.iter().find(|(kind, ..)| files.iter().any(|file| kind.has(file)));
    let left = Sources { no_data, hidden, made, certified, ..Sources::default() };
    let (shown, besides) = (dir.display(), left.besides());
    Failure::Usage(match (others, look.made) {
        (None, _) => {
            format!("{shown}: no file in it has the ending of a format{besides}; name a file in it")
        }
        (Some((_, files, _)), Made::Nothing) => {
            format!("{shown}: holds no tables but {files}{besides}; name one of them")
        }
        (Some((_, files, to)), _) => format!(
            "{shown}: holds {files}, which are converted each by itself, with --out-dir DIR --to FORMAT, \
             such as {to}{besides}"
        ),
    })
}

/// Lines that count files and directories, and name the first of them.
fn listed(paths: &[PathBuf], what: &str) -> impl Iterator<Item = String> + use<> {
    let (dirs, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.iter().cloned().partition(|path| path.is_dir());
    [report::listed(&files, what), report::listed_directories(&dirs, what)].into_iter().flatten()
}

/// All sources, in order: directories are walked in the order of names, past what this run made before.
pub fn all(typed: &[PathBuf], list: Option<&Path>, look: Look<'_>) -> Result<Sources> {
    let mut paths = typed.to_vec();
    if let Some(list) = list {
        paths.extend(read_list(list)?);
    }
    let mut sources = Sources::default();
    for path in &paths {
        if path.is_dir() {
            sources.add_directory(path, look)?;
        } else if is_glob(path) && path.symlink_metadata().is_err() {
            sources.add_glob(path, look)?;
        } else {
            sources.found.push(Source::alone(path.clone()));
        }
    }
    if sources.found.is_empty() {
        return Err(Failure::Usage(format!("there is no source{}", sources.besides())));
    }
    if sources.found.iter().filter(|source| is_standard(&source.path)).count() > 1 {
        return Err(Failure::Usage("standard input can be a source only once".into()));
    }
    Ok(sources)
}

/// The files that one side of a comparison is: it alone, or the tables of a directory.
pub fn of_side(path: &Path) -> Result<Sources> {
    match path.is_dir() {
        true => {
            let look = Look { made: Made::Nothing, wanted: Wanted::Tables, keyed: true };
            all(&[path.to_owned()], None, look)
        }
        false => Ok(Sources::alone(path)),
    }
}

/// A file that was found in a directory.
fn in_directory(dir: &Path, file: PathBuf) -> Source {
    let below = file.strip_prefix(dir).unwrap_or(&file).to_owned();
    let folder = below.parent().map(Path::to_owned).unwrap_or_default();
    Source { path: file, folder, below }
}

/// A file that a glob matched.
fn matched(pattern: &Path, file: PathBuf) -> Source {
    let fixed: PathBuf = pattern.components().take_while(|part| !is_glob(part.as_ref())).collect();
    // What is matched is named without a dot in front.
    let fixed = fixed.strip_prefix(".").unwrap_or(&fixed);
    let named = file.strip_prefix(".").unwrap_or(&file);
    let below = named.strip_prefix(fixed).unwrap_or(named).to_owned();
    Source { path: file, folder: PathBuf::new(), below }
}

/// Refuses standard input where a file is looked at more than once and nothing is kept of it.
pub fn refuse_stdin(paths: &[&Path]) -> Result<()> {
    match paths.iter().any(|path| is_standard(path)) {
        false => Ok(()),
        true => Err(Failure::Usage(
            "-: standard input is a source of convert alone; write it into a file, and name that".into(),
        )),
    }
}

/// Why a source is nothing that becomes a target of this format: it cannot be looked at, or it does not begin
/// as its name says, or like anything that does.
pub fn unrecognised(path: &Path, to: &str) -> Failure {
    let shown = path.display();
    if is_standard(path) || is_pipe(path) {
        return untold(path, to);
    }
    match path.metadata() {
        Err(error) => return Failure::io(path, error),
        Ok(metadata) if !metadata.is_file() => {
            return Failure::Usage(format!(
                "{shown}: is neither a file nor a pipe; copy it into a file first"
            ));
        }
        Ok(_) => {}
    }
    let named = image::of_name(path).map(ImageFormat::name);
    match named.or_else(|| SignalFormat::of_name(path).map(SignalFormat::name)) {
        Some(name) => {
            let place = Place { path: Some(path.to_owned()), ..Place::at_byte(0) };
            let what = match path.metadata() {
                Ok(metadata) if metadata.len() == 0 => "there are no bytes at all",
                _ => "it does not begin so, as its name says; if it is something else, say so with --from",
            };
            ::formats::Error::malformed(name, place, what).into()
        }
        None => Failure::Usage(format!(
            "{shown}: does not begin like anything that becomes {to}; isoform formats lists what does"
        )),
    }
}

/// That neither a name nor an option tells what comes out of standard input or of a pipe, whose beginning is
/// read with the rest.
fn untold(path: &Path, to: &str) -> Failure {
    let shown = path.display();
    let what = if is_standard(path) { "standard input" } else { "a pipe of this name" };
    let example = match SignalFormat::named(to) {
        None => "png",
        Some(format) if format.is_sound() => "wav",
        Some(_) => "npy",
    };
    Failure::Usage(format!(
        "{shown}: {what} becomes {to} only where its format is said: add --from, such as --from {example}"
    ))
}

/// One path a line, or NUL-separated where there is a NUL.
fn read_list(list: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Failure::io(list, error);
    let mut bytes = Vec::new();
    let reader: Box<dyn Read> = match is_standard(list) {
        true => Box::new(std::io::stdin()),
        false => Box::new(opened(list)?),
    };
    reader.take(LIST_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(paths_of(&bytes))
}

fn paths_of(bytes: &[u8]) -> Vec<PathBuf> {
    let separator = if bytes.contains(&0) { 0 } else { b'\n' };
    let lines = bytes.split(|byte| *byte == separator);
    let lines = lines.map(|line| match separator {
        0 => line,
        _ => line.strip_suffix(b"\r").unwrap_or(line),
    });
    lines.filter(|line| !line.is_empty()).map(|line| PathBuf::from(OsStr::from_bytes(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_is_told_of_directories_and_globs() {
        let file = || PathBuf::from("a/b/k=1/x.csv");
        let found = in_directory(Path::new("a/b/"), file());
        assert_eq!(
            (found.folder.as_path(), found.below.as_path()),
            (Path::new("k=1"), Path::new("k=1/x.csv"))
        );
        let below = |pattern: &str| matched(Path::new(pattern), file()).below;
        assert_eq!(below("a/b/k=*/x.csv"), Path::new("k=1/x.csv"));
        assert_eq!(below("./a/*/*/x.csv"), Path::new("b/k=1/x.csv"));
        assert_eq!(below("a/b/k=1/*.csv"), Path::new("x.csv"));
        assert_eq!(Source::alone(file()).below, Path::new("x.csv"));
    }

    #[test]
    fn lists_are_lines_or_separated_by_nul() {
        let paths =
            |text: &[u8]| paths_of(text).into_iter().map(|p| p.display().to_string()).collect::<Vec<_>>();
        assert_eq!(paths(b"a b.csv\r\n\nc.csv"), ["a b.csv", "c.csv"]);
        assert_eq!(paths(b"a\nb.csv\0c.csv\0"), ["a\nb.csv", "c.csv"]);
        assert!(paths(b"").is_empty());
    }
}
