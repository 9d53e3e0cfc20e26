//! Provides what a path is that a person typed: standard input or output, or a file that can be looked at.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Links that are followed from one name at most, as by the system.
const LINKS_MAX: usize = 40;

/// Whether this path means standard input, or standard output.
pub fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// Whether this is a pipe with a name, which can be read only once.
pub fn is_pipe(path: &Path) -> bool {
    !is_standard(path) && path.metadata().is_ok_and(|found| found.file_type().is_fifo())
}

/// Whether this is a file whose beginning can be looked at before it is read: no standard input, pipe or
/// directory.
pub fn is_plain_file(path: &Path) -> bool {
    !is_standard(path) && path.is_file()
}

/// Whether a name is a link that belongs to the system, such as `/dev/stdout`, or leads over links to one, or
/// to a device, a pipe or a socket.
pub fn leads_into_system(path: &Path) -> bool {
    // Shared memory is for files of anybody.
    let of_system =
        |path: &Path| path.starts_with("/proc") || path.starts_with("/dev") && !path.starts_with("/dev/shm");
    let mut at = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(to) = at.read_link() else { break };
        let dir = at.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(dir) = dir.canonicalize() else { break };
        if of_system(&dir) {
            return true;
        }
        at = dir.join(to);
    }
    path.is_symlink() && path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Whether a name leads to what standard output is.
pub fn is_standard_output(path: &Path) -> bool {
    match (path.metadata(), Path::new("/dev/stdout").metadata()) {
        (Ok(found), Ok(output)) => (found.dev(), found.ino()) == (output.dev(), output.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_looked_at_before_they_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let (file, pipe) = (dir.path().join("-"), dir.path().join("pipe"));
        std::fs::write(&file, "a\n").unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(is_plain_file(&file) && !is_standard(&file));
        assert!(is_standard(Path::new("-")) && !is_standard(Path::new("./-")));
        for path in [Path::new("-"), dir.path(), &pipe, &dir.path().join("missing")] {
            assert!(!is_plain_file(path), "{}", path.display());
        }
    }

    #[test]
    fn links_are_followed_to_what_belongs_to_the_system() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        let up = "../".repeat(root.path().canonicalize().unwrap().components().count());
        let relative = format!("{up}dev/stdout");
        let through = format!("/proc/self/root{}", at("file").canonicalize().unwrap().display());
        for (name, to, leads) in [
            ("one", "/dev/stdout", true),
            ("two", "one", true),
            ("relative", relative.as_str(), true),
            ("to pipe", "pipe", true),
            ("null", "/dev/null", true),
            ("to file", "file", false),
            ("through", through.as_str(), false),
            ("nowhere", "missing", false),
            ("round", "round", false),
            ("to directory", ".", false),
        ] {
            symlink(to, at(name)).unwrap();
            assert_eq!(leads_into_system(&at(name)), leads, "{name}");
        }
        for (name, leads) in [("/dev/stdout", true), ("/dev/fd/1", true), ("/dev/null", false)] {
            assert_eq!(leads_into_system(Path::new(name)), leads, "{name}");
        }
        assert!(!leads_into_system(&at("file")) && !leads_into_system(&at("pipe")));
    }
}
