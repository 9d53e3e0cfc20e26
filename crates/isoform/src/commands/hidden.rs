//! Provides the refusal of targets whose wrapping hides another format than that of their source: what is
//! packed are the bytes of the source, whatever the name inside the wrapping says.

use std::path::{Path, PathBuf};

use ::formats::bytes::names;
use ::formats::file::ObjectFile;
use ::formats::image::ImageFormat;
use ::formats::media::Codec;
use ::formats::registry::{Format, Wrapping};
use ::formats::signal::SignalFormat;
use formats::words::argument;

use super::image;
use crate::failure::{Failure, Result};
use crate::local::standard::is_plain_file;

/// Endings of formats that are neither read nor written, in which nobody expects another one.
const FOREIGN: [&str; 44] = [
    "json", "geojson", "xml", "html", "htm", "yaml", "yml", "toml", "xls", "xlsx", "xlsb", "ods", "orc",
    "sqlite", "sqlite3", "duckdb", "h5", "hdf5", "nc", "mat", "pkl", "pickle", "pt", "pth", "onnx", "rds",
    "dta", "sav", "pdf", "docx", "pptx", "svg", "heic", "heif", "psd", "jp2", "exr", "m4a", "aac", "wma",
    "mp4", "mkv", "zip", "7z",
];

/// Refuses to pack a source under a name that without its wrapping tells another format. What has no format
/// that names or bytes tell may be called anything.
///
/// # Errors
/// That it is refused, with the conversions to make instead; a source that cannot be read.
pub fn refuse(source: &Path, target: &Path) -> Result<()> {
    let inside = names::unwrapped(target);
    let Some(asked) = of_name(&inside) else { return refuse_foreign(source, &inside, target) };
    let told = of_source(source)?;
    let Some(from) = told.first().filter(|_| !told.contains(&asked)) else { return Ok(()) };
    let steps = steps(source, *from, &inside, target);
    let steps: Vec<String> = steps.windows(2).map(|pair| command(&pair[0], &pair[1])).collect();
    Err(Failure::Usage(format!(
        "{}: the name tells {} inside its wrapping, and the source is {}, whose bytes would be packed as \
         they are; convert it first: {}",
        target.display(),
        asked.name(),
        from.name(),
        steps.join(", then ")
    )))
}

/// Refuses to pack a source of a known format under the name of one that is not written.
fn refuse_foreign(source: &Path, inside: &Path, target: &Path) -> Result<()> {
    let ending = inside.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let told = if FOREIGN.contains(&&*ending) { of_source(source)? } else { Vec::new() };
    let Some(from) = told.first() else { return Ok(()) };
    let codec = names::of_target(target);
    let named = |ending: &str| {
        let wrapping = codec.endings().first().map_or(String::new(), |wrapping| format!(".{wrapping}"));
        argument(&inside.with_extension(format!("{ending}{wrapping}")))
    };
    let lines = match (ending.as_str(), from) {
        ("json" | "geojson", Codec::Table(format)) if *format != Format::JsonLines => {
            format!(", or {} for a record in each line", named("jsonl"))
        }
        _ => String::new(),
    };
    Err(Failure::Usage(format!(
        "{}: the name tells {ending} inside its wrapping, which is not written, and the source is {}, whose \
         bytes would be packed as they are; name it {}{lines}, or add --to {} to have them under this name",
        target.display(),
        from.name(),
        named(from.media().endings.first().map_or("", String::as_str)),
        codec.name()
    )))
}

/// The format that a name tells, which has no wrapping.
fn of_name(path: &Path) -> Option<Codec> {
    let table = || Format::of_name(path).filter(|(_, wrapping)| *wrapping == Wrapping::Raw);
    let image = || image::of_name(path).map(Codec::Image);
    let arrays = SignalFormat::of_name(path).map(Codec::Arrays);
    arrays.or_else(image).or_else(|| table().map(|(format, _)| Codec::Table(format)))
}

/// The formats that the name of a source tells and, where it is not wrapped, its first bytes.
fn of_source(source: &Path) -> Result<Vec<Codec>> {
    let mut told = Vec::new();
    if names::split(source).1.is_none() && is_plain_file(source) {
        let file = ObjectFile::open(source)?;
        told.extend(ImageFormat::of_file(&file)?.map(Codec::Image));
        told.extend(SignalFormat::of_file(&file)?.map(Codec::Arrays));
    }
    told.extend(of_name(&names::unwrapped(source)));
    Ok(told)
}

/// The files to go over: the content without its wrapping, unless that is a text and recognised inside it;
/// the format that the target tells; the target.
fn steps(source: &Path, from: Codec, inside: &Path, target: &Path) -> Vec<PathBuf> {
    let plain = names::unwrapped(source);
    let recognised = matches!(from, Codec::Table(_)) && Format::of_name(source).is_some();
    let unwrapped = Some(plain).filter(|plain| plain != source && !recognised);
    let files = std::iter::once(source.to_owned()).chain(unwrapped);
    files.chain([inside.to_owned(), target.to_owned()]).collect()
}

fn command(from: &Path, to: &Path) -> String {
    format!("isoform convert {} {}", argument(from), argument(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    /// What is said of packing a file of these bytes; nothing where it may be.
    fn said(name: &str, bytes: &[u8], target: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join(name);
        std::fs::write(&source, bytes).unwrap();
        let told = refuse(&source, Path::new(target)).err()?.to_string();
        Some(told.replace(&format!("{}/", dir.path().display()), ""))
    }

    #[test]
    fn names_that_hide_another_format_are_refused() {
        let told = said("a.png", PNG, "b.webp.gz").unwrap();
        assert!(told.contains("tells webp inside its wrapping, and the source is png"), "{told}");
        assert!(
            told.ends_with("isoform convert a.png b.webp, then isoform convert b.webp b.webp.gz"),
            "{told}"
        );
        // What is inside a wrapping is known by the name alone.
        let told = said("a.png.gz", b"\x1f\x8b", "b.webp.zst").unwrap();
        assert!(told.contains("convert a.png.gz a.png, then isoform convert a.png b.webp, then"), "{told}");
        let told = said("a.csv.gz", b"\x1f\x8b", "b.npy.xz").unwrap();
        assert!(told.contains("first: isoform convert a.csv.gz b.npy, then"), "{told}");
        let told = said("my a.csv", b"a\n1\n", "x y.npy.gz").unwrap();
        assert!(
            told.ends_with("'my a.csv' 'x y.npy', then isoform convert 'x y.npy' 'x y.npy.gz'"),
            "{told}"
        );
        assert!(said("a.csv", b"a\n1\n", "b.npy.gz").is_some());
        assert!(said("a", PNG, "b.jpg.br").is_some());
    }

    #[test]
    fn names_of_formats_that_are_not_written_hide_no_known_one() {
        let told = said("a.csv", b"a\n1\n", "s.json.gz").unwrap();
        assert!(
            told.contains("s.json.gz: the name tells json inside its wrapping, which is not written"),
            "{told}"
        );
        assert!(
            told.contains("the source is csv") && told.contains("name it s.csv.gz, or s.jsonl.gz for"),
            "{told}"
        );
        assert!(told.ends_with("or add --to gzip to have them under this name"), "{told}");
        let told = said("a.csv.gz", b"\x1f\x8b", "s.xlsx.zst").unwrap();
        assert!(told.contains("name it s.csv.zst, or add --to zstd"), "{told}");
        let told = said("a.png", PNG, "s.pdf.br").unwrap();
        assert!(told.contains("name it s.png.br, or add --to brotli"), "{told}");
        for target in ["a.json.gz", "b.json.xz"] {
            assert_eq!(said("a.json", b"{}\n", target), None, "{target}");
        }
    }

    #[test]
    fn names_that_tell_the_format_of_the_source_or_none_are_taken() {
        for target in ["a.png.gz", "a.gz", "a.tgz", "a.unknown.xz", "a.tar.zst"] {
            assert_eq!(said("a.png", PNG, target), None, "{target}");
        }
        assert_eq!(said("a", PNG, "a.png.gz"), None);
        assert_eq!(said("broken.png", b"nothing", "broken.png.gz"), None);
        assert_eq!(said("a.log", b"text\n", "a.npy.gz"), None);
        assert_eq!(said("a.png.gz", b"\x1f\x8b", "a.png.zst"), None);
        assert_eq!(said("a.jpg", b"\xff\xd8\xff", "a.jpeg.gz"), None);
    }
}
