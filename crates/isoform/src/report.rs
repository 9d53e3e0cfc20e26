//! Provides what is printed: lines for people, or one JSON document of a versioned shape (`docs/json.md`).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use coherence::digest::{Digest, ObjectDigest};
use formats::words::counted;
use serde_json::{Value, json};

use crate::cli::Output;
use crate::failure::Failure;
use crate::local::Done;
use crate::local::signal::Distortion;

/// Names of files that a line lists at most, before it only counts them.
const NAMES_MAX: usize = 5;

/// Prints a result. A reader that closed its end early (`| head`) has what it wanted, so that is no error.
pub fn result(output: &Output, document: &Value, lines: &[String]) {
    either(output, || document.to_string(), || lines_of(lines));
}

/// The same of what may be large, of which only what is printed is made: a document, or lines.
pub fn either(output: &Output, document: impl FnOnce() -> String, lines: impl FnOnce() -> String) {
    if output.json {
        print(&(document() + "\n"));
    } else if !output.quiet {
        print(&lines());
    }
}

/// Where the certificate of a conversion is, for a person.
#[derive(Debug, Clone, Copy)]
pub enum Kept<'a> {
    /// In this file.
    At(&'a Path),
    /// Nowhere: the target went to standard output, and nobody named a file for it.
    Not,
}

impl std::fmt::Display for Kept<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kept::At(path) => write!(f, "{}", path.display()),
            Kept::Not => f.write_str("not kept; --certificate FILE keeps it"),
        }
    }
}

/// The document of a conversion: what it begins with, what every conversion tells, and what this kind of
/// conversion tells besides.
pub fn conversion(done: &Done, begin: Value, besides: Value) -> Value {
    let proven = json!({
        "certificate": done.certificate.to_string_lossy(),
        "keyId": done.key_id.to_string(),
        "verdict": done.verdict.name(),
        "content": done.content.to_string(),
    });
    let end = json!({
        "seconds": { "convert": done.times.0.as_secs_f64(), "verify": done.times.1.as_secs_f64() },
        "notes": done.notes,
    });
    let pieces = [begin, proven, besides, end].into_iter();
    let pieces = pieces.filter_map(|piece| match piece {
        Value::Object(piece) => Some(piece),
        _ => None,
    });
    Value::Object(pieces.flatten().collect())
}

/// The bytes from which a conversion came to which, and the seconds that it took, for a person.
pub fn passage(done: &Done) -> (String, String, f64) {
    let (from, to) = done.sizes;
    (bytes(from), bytes(to), (done.times.0 + done.times.1).as_secs_f64())
}

/// The lines that tell the digest of the content and where the certificate is.
pub fn sealed(done: &Done, kept: Kept<'_>) -> [String; 2] {
    [format!("  content {}", done.content), format!("  certificate {kept}")]
}

/// The lines of the notes.
pub fn notes(done: &Done) -> impl Iterator<Item = String> {
    done.notes.iter().map(note)
}

/// A line about something besides.
pub fn note(text: impl std::fmt::Display) -> String {
    format!("  note: {text}")
}

/// Lines as a terminal may be shown them.
pub fn lines_of(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{}\n", shown(line))).collect()
}

/// Text in which a terminal finds no command, no other line and no other direction to write in: names of
/// files and of columns come from others.
pub fn shown(text: &str) -> String {
    let turns = |char| matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char.is_control() || turns(char) {
            true => shown.extend(char.escape_default()),
            false => shown.push(char),
        }
    }
    shown
}

/// A path as a terminal may be shown it, for columns that are as wide as what they show.
pub fn shown_path(path: &Path) -> String {
    shown(&path.display().to_string())
}

/// A number as JSON has it; infinity and NaN as text.
pub fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| json!(value.to_string()), Value::Number)
}

/// A distance or an error as a person reads it, in four digits at least: only what is zero is told as `0`.
pub fn distance(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if (0.1..1e9).contains(&size) => shortened(&format!("{value:.4}")),
        _ => shortened(&format!("{value:.3e}")),
    }
}

/// What was measured of all errors, and the largest one, in words.
pub fn errors(rmse: f64, largest: f64) -> String {
    format!("root mean square error {}, largest error {}", distance(rmse), distance(largest))
}

/// A number with so many decimals. None is minus zero, which rounding makes of a little less than nothing.
pub fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-').filter(|digits| digits.bytes().all(|byte| matches!(byte, b'0' | b'.'))) {
        Some(zero) => zero.to_owned(),
        None => text,
    }
}

/// The same number without zeros at the end of its fraction.
pub fn shortened(number: &str) -> String {
    let (digits, exponent) = number.split_at(number.find('e').unwrap_or(number.len()));
    match digits.contains('.') {
        true => format!("{}{exponent}", digits.trim_end_matches('0').trim_end_matches('.')),
        false => number.to_owned(),
    }
}

/// The figures of a distance.
pub fn distortion(figures: &Distortion) -> Value {
    json!({
        "d": number(figures.d),
        "coherence": number(figures.coherence),
        "rmse": number(figures.rmse),
        "maxAbs": number(figures.max_abs),
        "snrDb": number(figures.snr_db),
        "psnrDb": figures.psnr_db.map(number),
    })
}

/// What every object is described by.
pub struct Described<'a> {
    /// The model of its content.
    pub model: &'a str,
    /// Where it is.
    pub path: &'a Path,
    /// Its media type.
    pub media_type: &'a str,
    /// Size and digests of its bytes.
    pub object: ObjectDigest,
    /// The digest of its content.
    pub root: Digest,
}

impl Described<'_> {
    /// The document, with what its model has besides, and the lines for people, the second being a summary.
    pub fn document_and_lines(&self, more: Value, summary: &str) -> (Value, Vec<String>) {
        let Self { model, path, media_type, object, root } = self;
        let mut document = json!({
            "schema": "isoform.inspect/v1",
            "model": model,
            "path": path.to_string_lossy(),
            "mediaType": media_type,
            "bytes": object.size,
            "sha256": object.sha256.to_string(),
            "blake3": object.blake3.to_string(),
            "content": root.to_string(),
        });
        if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
            document.extend(more);
        }
        let lines = vec![
            format!("{}: {media_type}, {}", path.display(), bytes(object.size)),
            format!("  {summary}"),
            format!("  sha256  {}", object.sha256),
            format!("  blake3  {}", object.blake3),
            format!("  content {root}"),
        ];
        (document, lines)
    }
}

/// What went wrong while results were printed.
static FAILED: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// Prints text on stdout. That it could not be printed is told by [`flush`].
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        FAILED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Whether all results were printed, as far as somebody wanted to read them.
///
/// # Errors
/// The first fault of standard output, such as a full disk.
pub fn flush() -> std::io::Result<()> {
    FAILED.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
}

/// Prints why a command failed: on stderr for people, as a document on stdout where JSON was asked for.
pub fn failure(output: &Output, failure: &Failure) {
    if output.json {
        failure_document(failure.code(), &failure.to_string());
    }
    let _ = std::io::stderr().write_all(failed(failure).as_bytes());
}

/// The lines that tell people of a failure.
pub fn failed(failure: &Failure) -> String {
    let (first, below) = failure.lines();
    lines_of(&[format!("isoform: {first}")]) + &lines_of(&below)
}

/// What is said of a file among others: its path, unless the message begins with that itself.
pub fn about(path: &Path, message: &str) -> String {
    let shown = path.display().to_string();
    // What follows is the end of the place, or more of it.
    match message.strip_prefix(&shown).is_some_and(|rest| rest.starts_with([':', ','])) {
        true => message.to_owned(),
        false => format!("{shown}: {message}"),
    }
}

/// Prints the document of a failure.
pub fn failure_document(code: u8, message: &str) {
    let error = json!({ "exitCode": code, "message": message });
    print(&format!("{}\n", json!({ "schema": "isoform.error/v1", "error": error })));
}

/// A line that counts files and names the first of them.
pub fn listed(paths: &[PathBuf], what: &str) -> Option<String> {
    listed_as(paths, ["file is", "files are"], what)
}

/// The same of directories.
pub fn listed_directories(paths: &[PathBuf], what: &str) -> Option<String> {
    listed_as(paths, ["directory is", "directories are"], what)
}

/// The line, with the words for one of them and for several.
fn listed_as(paths: &[PathBuf], nouns: [&str; 2], what: &str) -> Option<String> {
    let names: Vec<_> = paths.iter().take(NAMES_MAX).map(|path| path.display().to_string()).collect();
    let more = match paths.len().saturating_sub(NAMES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = nouns[usize::from(paths.len() != 1)];
    (!names.is_empty()).then(|| format!("{} {noun} {what}: {}{more}", paths.len(), names.join(", ")))
}

/// The line that tells how many of all parts an interrupted run had finished.
pub fn reused((all, reused): (usize, usize)) -> String {
    let were = if reused == 1 { "was" } else { "were" };
    format!("  {reused} of {} {were} reused", counted(all, "part"))
}

/// A number of bytes as a person reads it.
pub fn bytes(n: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use formats::error::{Obstacle, Place};

    use super::*;

    #[test]
    fn no_distance_but_zero_is_told_as_zero() {
        let told = [2.0, 2f64.sqrt(), 0.5, 0.099, 2.3e-5, 1.23456e-300, 1234.56789, 2.5e12, -0.25];
        let told: Vec<String> = told.into_iter().map(distance).collect();
        let expected =
            ["2", "1.4142", "0.5", "9.9e-2", "2.3e-5", "1.235e-300", "1234.5679", "2.5e12", "-0.25"];
        assert_eq!(told, expected);
        assert_eq!([0.0, -0.0, f64::INFINITY, f64::NAN].map(distance), ["0", "0", "inf", "NaN"]);
        // Those that are told differ from what they are by a thousandth at most.
        for exponent in -60..60 {
            let number = 1.00049 * 2f64.powi(exponent);
            let told: f64 = distance(number).parse().unwrap();
            assert!((told / number - 1.0).abs() < 1e-3, "{number}");
        }
    }

    #[test]
    fn a_terminal_gets_no_commands() {
        assert_eq!(shown("a\u{1b}[2J\n\u{9b}b\u{202e}"), r"a\u{1b}[2J\n\u{9b}b\u{202e}");
        let plain = "é → \u{646}\u{645} \\ 👩\u{200d}🔬";
        assert_eq!(shown(plain), plain);
        assert_eq!(lines_of(&["a\nb".into(), "c".into()]), "a\\nb\nc\n");
    }

    #[test]
    fn only_what_is_told_in_lines_has_lines() {
        let one = |what: &str| Obstacle { what: what.to_owned(), hint: "do it".to_owned() };
        let all = vec![one("a\n  b\u{1b}"), one("c")];
        let told = failed(&Failure::Format(formats::Error::obstacles(Place::default(), all)));
        let lines: Vec<&str> = told.lines().collect();
        let first = "isoform: 2 things stand in the way; see to each of them:";
        assert_eq!(lines, [first, r"  a\n  b\u{1b}; do it", "  c; do it"]);
        assert_eq!(failed(&Failure::Other("a\n  b".into())), "isoform: a\\n  b\n");
    }

    #[test]
    fn a_file_is_named_once() {
        assert_eq!(about(Path::new("a.png"), "no profile"), "a.png: no profile");
        assert_eq!(about(Path::new("a.png"), "a.png: no profile"), "a.png: no profile");
        assert_eq!(about(Path::new("a.csv"), "a.csv, record 2: cut"), "a.csv, record 2: cut");
        assert_eq!(about(Path::new("a.png"), "a.png.gz: no profile"), "a.png: a.png.gz: no profile");
    }

    #[test]
    fn what_every_conversion_tells_stands_between_and_behind_what_each_tells() {
        let done = Done {
            verdict: coherence::certificate::Verdict::Exact,
            sizes: (3_000_000, 2_000),
            content: Digest::blake3(b"content"),
            certificate: PathBuf::from("a.sigstore.json"),
            key_id: Digest::blake3(b"key"),
            times: (std::time::Duration::from_secs(2), std::time::Duration::from_millis(500)),
            notes: vec!["first".to_owned(), "second".to_owned()],
        };
        let document = conversion(&done, json!({ "model": "bytes", "target": 1 }), json!({ "parts": 7 }));
        let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
        let wanted =
            ["model", "target", "certificate", "keyId", "verdict", "content", "parts", "seconds", "notes"];
        assert_eq!(keys, wanted);
        assert_eq!(document["verdict"], "EXACT");
        assert_eq!(document["certificate"], "a.sigstore.json");
        assert_eq!(document["seconds"], json!({ "convert": 2.0, "verify": 0.5 }));
        assert_eq!(passage(&done), (bytes(3_000_000), bytes(2_000), 2.5));
        let lines = sealed(&done, Kept::At(&done.certificate)).into_iter().chain(notes(&done));
        let lines: Vec<String> = lines.skip(1).collect();
        assert_eq!(lines, ["  certificate a.sigstore.json", "  note: first", "  note: second"]);
    }
}
