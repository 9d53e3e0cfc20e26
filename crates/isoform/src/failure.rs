//! Provides the exit codes, and the one error of the program, which knows its code and the next step.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use coherence::dsse::shown;
use formats::words::counted;

use crate::local::standard::{is_standard_output, leads_into_system};
use crate::typed::giver;

/// Done and verified.
pub const DONE: u8 = 0;
/// Failed for another reason.
pub const OTHER: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// Finished, but some objects failed.
pub const SOME_FAILED: u8 = 3;
/// Verification failed, or the objects differ.
pub const DIFFERS: u8 = 4;
/// Temporary: try again.
pub const TEMPORARY: u8 = 5;
/// The target exists.
pub const EXISTS: u8 = 7;
/// Malformed or unsupported input.
pub const MALFORMED: u8 = 9;
/// The signature of a certificate is wrong.
pub const BAD_SIGNATURE: u8 = 10;
/// Interrupted by a signal.
pub const INTERRUPTED: u8 = 130;

/// Shorthand for results of this crate.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A source could not be read, or a target not be written, as a format.
    #[error("{}{}", told(.0), after(.0))]
    Format(#[from] formats::Error),
    /// A certificate could not be read or does not hold.
    #[error("{}: {error}; {}", .path.display(), another(.error))]
    Certificate {
        /// The certificate.
        path: PathBuf,
        /// What is wrong with it.
        error: coherence::certificate::CertificateError,
    },
    /// The content of a target is not that of its source.
    #[error("{0}")]
    Mismatch(String),
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The target exists and nobody said to replace it.
    #[error("{}: already exists; {}", .0.display(), instead(.0))]
    Exists(PathBuf),
    /// The target exists and is not what would be made now.
    #[error("{}: already exists, and {}; --force makes it anew", .0.display(), .1)]
    Stale(PathBuf, String),
    /// Something else lies where a certificate is to come, and nobody said to replace it.
    #[error(
        "{}: is no certificate, and lies where one is to come; move it away, or --force replaces it",
        .0.display()
    )]
    NoCertificate(PathBuf),
    /// A certificate lies where one is to come, and its target is not beside it.
    #[error(
        "{}: its target is not beside it, and may have another name now; give the certificate that of the \
         target, or --force replaces it",
        .0.display()
    )]
    WithoutTarget(PathBuf),
    /// The operating system refused.
    #[error("{}: {error}{}", .path.display(), next_step(.path, .error))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Something that may be over when it is tried again.
    #[error("{0}")]
    Temporary(String),
    /// It failed after a part of the target was out.
    #[error(
        "{cause}; {} on standard output before that, all of it verified; what follows is missing, and there \
             is no certificate", released(*.bytes, *.rows)
    )]
    Released {
        /// Bytes that are out.
        bytes: u64,
        /// Rows of the parts that are out whole, where they were counted.
        rows: Option<u64>,
        /// Why it failed.
        cause: Box<Failure>,
    },
    /// The target is finished, and the file of its bad records could not get its name.
    #[error("{cause}; the target is finished, and its bad records are in {}", .at.display())]
    SetAside {
        /// Where they are.
        at: PathBuf,
        /// Why it failed.
        cause: Box<Failure>,
    },
    /// A signal asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The same, with what became of targets.
    #[error("interrupted; {0}")]
    InterruptedTargets(&'static str),
    /// Something that cannot happen did.
    #[error("bug in isoform: {0}; please report it")]
    Bug(String),
    /// Any other reason.
    #[error("{0}")]
    Other(String),
}

/// Why something would fail, and the exit code that it would end with.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What is told.
    pub why: String,
    /// The exit code.
    pub code: u8,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Refusal { why: failure.to_string(), code: failure.code() }
    }
}

impl Failure {
    /// The same with another name for a file that nobody else knows.
    #[must_use]
    pub fn with_name(self, name: &str, of: &Path) -> Self {
        let named = |text: String| renamed(&text, &of.to_string_lossy(), name);
        match self {
            Self::Mismatch(text) => Self::Mismatch(named(text)),
            Self::Usage(text) => Self::Usage(named(text)),
            Self::Temporary(text) => Self::Temporary(named(text)),
            Self::Other(text) => Self::Other(named(text)),
            Self::Io { path, error } if path == of => Self::Io { path: name.into(), error },
            other => other,
        }
    }

    /// A refusal by the operating system about `path`.
    pub fn io(path: &Path, error: std::io::Error) -> Self {
        Failure::Io { path: path.to_owned(), error }
    }

    /// Something that cannot happen did.
    pub fn bug(what: impl Display) -> Self {
        Failure::Bug(what.to_string())
    }

    /// The same without a next step where a certificate does not hold which nobody asked to verify.
    pub fn brief(&self) -> String {
        match self {
            Failure::Certificate { path, error } => format!("{}: {}", path.display(), brief(error)),
            other => other.to_string(),
        }
    }

    /// What is told, and the lines below it, as of several things that stand in the way. Names in them are as
    /// others gave them.
    pub fn lines(&self) -> (String, Vec<String>) {
        match self {
            Failure::Format(error @ formats::Error::Unsupported { .. }) => error.lines(),
            other => (other.to_string(), Vec::new()),
        }
    }

    /// The documented exit code.
    pub fn code(&self) -> u8 {
        use formats::Error;
        match self {
            Failure::Format(
                Error::Malformed { .. }
                | Error::Unsupported { .. }
                | Error::Limit { .. }
                | Error::Retype { .. },
            ) => MALFORMED,
            Failure::Format(Error::Misuse(_) | Error::Compression(_)) | Failure::Usage(_) => USAGE,
            Failure::Format(Error::Changed(_)) | Failure::Temporary(_) => TEMPORARY,
            Failure::Format(_) | Failure::Io { .. } | Failure::Bug(_) | Failure::Other(_) => OTHER,
            Failure::Certificate { error, .. } => certificate_code(error),
            Failure::Mismatch(_) => DIFFERS,
            Failure::Exists(_)
            | Failure::Stale(..)
            | Failure::NoCertificate(_)
            | Failure::WithoutTarget(_) => EXISTS,
            Failure::Released { cause, .. } | Failure::SetAside { cause, .. } => cause.code(),
            Failure::Interrupted | Failure::InterruptedTargets(_) => INTERRUPTED,
        }
    }
}

/// A text with another name for a path, where that does not go on as another one.
fn renamed(text: &str, path: &str, name: &str) -> String {
    let mut pieces = text.split(path);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let ends = piece.chars().next().is_none_or(|next| " :;,\"')".contains(next));
        out.push_str(if ends { name } else { path });
        out.push_str(piece);
    }
    out
}

/// That nothing can be said of how far contents are from each other: their numbers are too large to be
/// squared and summed.
pub fn untold(error: impl Display) -> Failure {
    without_distance(error, "leave --within away, or convert both images to npy and compare these")
}

/// The same where images are compared.
pub fn untold_of_images(error: impl Display) -> Failure {
    without_distance(error, "convert both images to npy and compare these")
}

fn without_distance(error: impl Display, next: &str) -> Failure {
    Failure::Mismatch(format!("no distance can be told: {error}; {next}"))
}

/// The next step where something has the name of a target: a link, a device, a pipe or a socket is never
/// replaced.
fn instead(path: &Path) -> &'static str {
    match path.symlink_metadata().map(|metadata| metadata.file_type()) {
        Ok(_) if leads_into_system(path) => into_system(path),
        Ok(kind) if kind.is_symlink() => "it is a symbolic link: give another name, or remove the link",
        Ok(kind) if !kind.is_file() && !kind.is_dir() => "it is no file: give another name",
        _ => "give another name, or --force to replace it",
    }
}

/// What is told of a target whose name leads to a device or a stream, which nobody should remove.
pub fn into_system(path: &Path) -> &'static str {
    match is_standard_output(path) {
        true => "it leads to a device or a stream: give another name; - is standard output",
        false => "it leads to a device or a stream: give another name",
    }
}

/// The next step where a certificate does not hold.
fn another(error: &coherence::certificate::CertificateError) -> String {
    use coherence::certificate::CertificateError;
    match error {
        CertificateError::WrongKey { .. } => "get one that this key signed, or name another key".into(),
        CertificateError::Unknown { tool: Some(tool), .. } if tool != OWN => {
            format!("its signature holds: {}", by_maker(tool))
        }
        CertificateError::Unknown { tool: Some(tool), .. } => by_maker(tool),
        CertificateError::Unknown { tool: None, .. } => {
            "its signature holds: verify with the program that made it".into()
        }
        _ => "it is damaged or was changed: get it again, or convert the source again".into(),
    }
}

/// This program, as certificates name it.
const OWN: &str = concat!("isoform ", env!("CARGO_PKG_VERSION"));

/// The next step where something is not known here that a certificate states, by a program of this name and
/// version.
pub fn by_maker(tool: &str) -> String {
    match tool == OWN {
        true => format!(
            "it says that this very version made it, {OWN}: it was changed, or is of another build; get it \
             again, or convert the source again"
        ),
        false => format!("verify with {}, which made it", shown(tool)),
    }
}

/// Why a certificate does not help, in few words.
pub fn brief(error: &coherence::certificate::CertificateError) -> String {
    use coherence::certificate::CertificateError;
    match error {
        CertificateError::Unknown { tool: Some(tool), .. } => {
            format!("states what is not known here ({} made it)", shown(tool))
        }
        CertificateError::Unknown { tool: None, .. } => "states what is not known here".into(),
        other => other.to_string(),
    }
}

/// How much is out.
fn released(bytes: u64, rows: Option<u64>) -> String {
    let bytes = counted(bytes, "byte");
    match rows.filter(|rows| *rows > 0) {
        Some(rows) => format!("{} ({bytes})", counted(rows, "row")),
        None => bytes,
    }
}

/// The next step after a refusal by the operating system about `path`.
fn next_step(path: &Path, error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match error.kind() {
        kind if kind != ErrorKind::IsADirectory && path == std::env::temp_dir() => {
            "; temporary files are made here: set TMPDIR to a directory with room for them"
        }
        ErrorKind::NotFound => "; check the name",
        ErrorKind::PermissionDenied => "; ask for permission, or name another file or directory",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free space, or write to another disk",
        ErrorKind::ReadOnlyFilesystem => "; write to another disk",
        ErrorKind::IsADirectory => "; name a file in it",
        ErrorKind::NotADirectory => "; a part of the path is a file: check the name",
        _ if rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP) => {
            "; symbolic links lead back to themselves: name the file itself"
        }
        _ if rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::MFILE) => {
            "; convert fewer sources at once, or raise the limit (ulimit -Hn)"
        }
        _ => "",
    }
}

/// An error of a format, with the variable of the environment that gave a compression.
fn told(error: &formats::Error) -> String {
    match error {
        formats::Error::Compression(what) => format!("{}: {what}", giver("compression")),
        other => other.to_string(),
    }
}

/// The next step after an error of a format that does not tell it.
fn after(error: &formats::Error) -> String {
    match error {
        formats::Error::Io { path, error } => next_step(path, error).to_owned(),
        other => other.next_step().map(|next| format!("; {next}")).unwrap_or_default(),
    }
}

/// A file that is no bundle is malformed. A bundle whose statement is not one that a key can have signed is
/// a matter of the signature: what was signed was changed.
fn certificate_code(error: &coherence::certificate::CertificateError) -> u8 {
    use coherence::certificate::CertificateError;
    use coherence::dsse::Malformed;
    match error {
        CertificateError::Malformed(
            Malformed::Json { document: "statement", .. }
            | Malformed::NotCanonical { document: "statement" }
            | Malformed::Key
            | Malformed::KeyNames,
        ) => BAD_SIGNATURE,
        CertificateError::Malformed(_) | CertificateError::Unknown { .. } => MALFORMED,
        _ => BAD_SIGNATURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_not_the_beginning_of_another() {
        let told = |text| renamed(text, "/tmp/-", "-");
        assert_eq!(told("/tmp/-: is a table; not /tmp/-"), "-: is a table; not -");
        assert_eq!(told("/tmp/-a.csv, /tmp/-.csv, \"/tmp/-\""), "/tmp/-a.csv, /tmp/-.csv, \"-\"");
    }

    #[test]
    fn a_distance_that_cannot_be_told_is_no_proof_and_has_a_way_on() {
        let failure = untold("the sum is too large");
        assert_eq!(failure.code(), DIFFERS);
        let told = failure.to_string();
        assert!(told.starts_with("no distance can be told: the sum is too large; "), "{told}");
        assert!(told.contains("--within") && told.contains("npy"), "{told}");
        let told = untold_of_images("the sum is too large").to_string();
        assert!(!told.contains("--within") && told.contains("npy"), "{told}");
    }

    #[test]
    fn a_bug_says_what_to_do_whoever_found_it() {
        let ours = Failure::bug("two and two are five");
        let theirs = Failure::from(formats::Error::Bug("two and two are five".into()));
        assert_eq!(ours.to_string(), "bug in isoform: two and two are five; please report it");
        assert_eq!((ours.to_string(), ours.code()), (theirs.to_string(), OTHER));
        assert_eq!(theirs.code(), OTHER);
    }

    #[test]
    fn only_what_would_be_replaced_is_offered_to_be() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        let advises = |path: &Path| Failure::Exists(path.to_owned()).to_string().contains("--force");
        assert!(advises(&file) && !advises(&link) && !advises(Path::new("/dev/null")));
    }

    #[test]
    fn a_failure_after_a_part_was_out_has_its_own_code_and_says_how_much() {
        let after = |rows| Failure::Released { bytes: 7, rows, cause: Box::new(Failure::Interrupted) };
        assert_eq!(after(None).code(), INTERRUPTED);
        assert!(after(None).to_string().starts_with("interrupted; 7 bytes on standard output before that,"));
        assert!(after(Some(0)).to_string().starts_with("interrupted; 7 bytes on standard output before"));
        assert!(after(Some(1)).to_string().starts_with("interrupted; 1 row (7 bytes) on standard output"));
    }
}
