//! Provides the conversion to standard output: into a temporary first, and out only when it is verified, all
//! of it or, with --stream, each part.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::convert::{lines, stages};
use super::kind::Kind;
use super::sources::{self, Sources};
use super::{bytes, certified, image, signal};
use crate::cli::{Convert, Output};
use crate::failure::{DONE, Failure, Result};
use crate::local::bytes::convert as convert_bytes;
use crate::local::image::convert as convert_image;
use crate::local::seal::{refuse_own_temporary, refuse_same_file};
use crate::local::signal::convert as convert_signal;
use crate::local::staging::{self, NEW_ENDING, beside, certificate_path, refuse_existing, refuse_system};
use crate::local::standard::is_standard;
use crate::local::streamed::{self, Released, Streamed, can_stream};
use crate::local::{Job, convert, refuse_early, rejects, released};
use crate::meter::Stage;
use crate::progress::Progress;
use crate::report::{self, Kept};
use ::formats::signal::is_index;
use ::formats::words::counted;

/// Bytes of the verified target that are read at once.
const BLOCK_BYTES: usize = 256 << 10;

/// Refuses what cannot be done with standard output.
fn refuse(args: &Convert, sources: &[PathBuf]) -> Result<()> {
    if !args.writing.partition_by.is_empty() {
        let text = "--partition-by: standard output is no directory; give the target a name";
        return Err(Failure::Usage(text.into()));
    }
    if args.writing.to.is_none() {
        return Err(Failure::Usage("-: standard output has no name that tells a format; add --to".into()));
    }
    if args.writing.to.as_ref().is_some_and(|to| is_index(Path::new(&format!("model.{to}")))) {
        let text = "-: a model in several files has an index and those beside it, and standard output is \
                    one; give the target a name, or write --to safetensors";
        return Err(Failure::Usage(text.into()));
    }
    if args.resume {
        return Err(Failure::Usage("--resume: what went to standard output cannot be gone on with".into()));
    }
    if let Some(path) = &args.certificate {
        if is_standard(path) {
            let text = "--certificate -: the target goes to standard output; give the certificate a file";
            return Err(Failure::Usage(text.into()));
        }
        refuse_system("--certificate", path)?;
        let temporary = beside(path, NEW_ENDING)?;
        for source in sources {
            refuse_same_file("file of --certificate", source, path)?;
            refuse_own_temporary(source, &temporary)?;
        }
        args.rejects.as_ref().map_or(Ok(()), |rejects| rejects::refuse_kept(rejects, path))?;
        refuse_existing(path, args.force)?;
    }
    Ok(())
}

/// What a conversion to standard output does.
///
/// # Errors
/// What cannot be done with standard output; with --stream, all but a table in a format that can be let out
/// part by part.
pub fn kind(args: &Convert, sources: &Sources) -> Result<Kind> {
    refuse(args, &sources::paths(&sources.found))?;
    match args.stream {
        true => table(args, sources).map(Kind::Table),
        false => let_out(args, sources),
    }
}

fn let_out(args: &Convert, sources: &Sources) -> Result<Kind> {
    let target = std::env::temp_dir().join("-");
    let kind = Kind::of(args, sources, &target).map_err(|failure| failure.with_name("-", &target))?;
    Ok(kind.with_target("-".into()))
}

/// The job of a table that is let out part by part.
fn table(args: &Convert, sources: &Sources) -> Result<Box<Job>> {
    let Kind::Table(job) = let_out(args, sources)? else {
        let text = "--stream is for tables; leave it away, and the bytes come once all are verified";
        return Err(Failure::Usage(text.into()));
    };
    if !can_stream(job.write.format) {
        let name = job.write.format.name();
        return Err(Failure::Usage(format!(
            "--stream: {name} is known to be whole only by its end; leave --stream away, or write csv, tsv, \
             jsonl, arrow-stream or avro"
        )));
    }
    if job.write.is_one_member() {
        let text = "--stream: a wrapping of one member (transport.framing) is known to be whole only by its \
                    end; leave --stream away";
        return Err(Failure::Usage(text.into()));
    }
    Ok(job)
}

/// Converts to standard output.
pub fn run(args: &Convert, typed: &Sources, output: &Output) -> Result<u8> {
    if output.json {
        let text = "--json and the target - both want standard output; give the target a name";
        return Err(Failure::Usage(text.into()));
    }
    let sources = &sources::paths(&typed.found);
    refuse(args, sources)?;
    if args.stream {
        return by_parts(args, typed, output);
    }
    let failed = |error: std::io::Error| Failure::io(&std::env::temp_dir(), error);
    let dir = tempfile::tempdir().map_err(failed)?;
    let target = dir.path().join("-");
    let progress = Progress::new(output)?;
    let certificate = certificate_to_keep(args)?;
    progress.announce(&stages(sources));
    let out = (Path::new("-"), args.certificate.as_deref().map_or(Kept::Not, Kept::At));
    let made = made(args, typed, (&target, out), &progress);
    let mut told = made.map_err(|failure| failure.with_name("-", &target))?;
    progress.begin(Stage::Releasing, 0, 0);
    if !release(&target, &progress)? {
        progress.finish();
        let text = "the reader closed standard output before the end; what it took was verified; there is no \
                    certificate";
        return closed_early(args, text.to_owned(), output);
    }
    // Not before: what never came out needs no certificate.
    if let Some(certificate) = certificate {
        let at = certificate_path(&target);
        let unsynced = certificate.publish(&std::fs::read(&at).map_err(|error| Failure::io(&at, error))?)?;
        told.extend(unsynced.map(report::note));
    }
    progress.finish();
    tell(output, &told);
    Ok(DONE)
}

/// Makes the target as a file, and tells what was done.
fn made(
    args: &Convert,
    typed: &Sources,
    (target, out): (&Path, (&Path, Kept<'_>)),
    progress: &Progress,
) -> Result<Vec<String>> {
    let (kind, _) = Kind::of(args, typed, target)?.followed(args, progress)?;
    Ok(match kind {
        Kind::Bytes(job) => bytes::lines(&job, &convert_bytes(&job, progress)?, out),
        Kind::Image(job) => image::lines(&job, &convert_image(&job, progress)?, out),
        Kind::Signal(job) => signal::lines(&job, &convert_signal(&job, progress)?, out),
        Kind::Table(job) => lines(&job, &convert(&job, progress)?, out),
    })
}

/// The file of --certificate, where there is to be one.
fn certificate_to_keep(args: &Convert) -> Result<Option<staging::Kept>> {
    args.certificate.as_ref().map(|path| staging::Kept::begin(path, args.force)).transpose()
}

/// Lines about what was done, which must not stand in the output.
fn tell(output: &Output, lines: &[String]) {
    if !output.quiet {
        let _ = std::io::stderr().write_all(report::lines_of(lines).as_bytes());
    }
}

/// Converts and lets out part by part.
fn by_parts(args: &Convert, sources: &Sources, output: &Output) -> Result<u8> {
    let job = *table(args, sources)?;
    refuse_early(&job)?;
    let progress = Progress::new(output)?;
    let kept = certificate_to_keep(args)?;
    progress.announce(&stages(&job.sources)[..2]);
    let job = certified::followed(job, args, &progress)?;
    let streamed = streamed::convert(&job, &mut released::Output::standard()?, &progress)?;
    progress.finish();
    match streamed {
        Streamed::Whole(outcome, certificate) => {
            let (mut at, mut unsynced) = (Kept::Not, None);
            if let (Some(kept), Some(path)) = (kept, &args.certificate) {
                unsynced = kept.publish(&certificate)?;
                at = Kept::At(path);
            }
            let told = lines(&job, &outcome, (&job.target, at)).into_iter();
            tell(output, &told.chain(unsynced.map(report::note)).collect::<Vec<_>>());
        }
        Streamed::Closed(released) => return closed_early(args, closed(released), output),
    }
    Ok(DONE)
}

/// Ends where the reader took no more than it wanted: that is no failure, unless a certificate was asked for,
/// which nothing but the whole target can have.
fn closed_early(args: &Convert, told: String, output: &Output) -> Result<u8> {
    match &args.certificate {
        None => {
            tell(output, &[told]);
            Ok(DONE)
        }
        Some(path) => Err(Failure::Other(format!(
            "--certificate {}: {told}; read all of the output, or leave --certificate away",
            path.display()
        ))),
    }
}

/// That the reader took no more than what is out, with the rows of the parts that are out whole.
fn closed(Released { bytes, rows }: Released) -> String {
    let bytes = counted(bytes, "byte");
    let out = match rows {
        0 => bytes,
        rows => format!("{bytes} ({} in whole parts)", counted(rows, "row")),
    };
    format!("the reader closed standard output after {out}, all verified; there is no certificate")
}

/// Lets out the verified target, and tells whether all of it came out.
///
/// # Errors
/// Once something is out, [`Failure::Released`] around those of copying it.
fn release(target: &Path, progress: &Progress) -> Result<bool> {
    let mut out = released::Output::standard()?;
    let mut bytes = 0;
    copied(target, &mut out, &mut bytes, progress).map_err(|failure| match bytes {
        0 => failure,
        bytes => Failure::Released { bytes, rows: None, cause: Box::new(failure) },
    })
}

/// Copies the verified target, counts the bytes that are out, and tells whether these are all.
fn copied(target: &Path, out: &mut dyn Write, bytes: &mut u64, progress: &Progress) -> Result<bool> {
    let mut file = File::open(target).map_err(|error| Failure::io(target, error))?;
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let count = file.read(&mut block).map_err(|error| Failure::io(target, error))?;
        if count == 0 {
            return Ok(true);
        }
        if !released::write(out, &block[..count], bytes, progress)? {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_of_whole_parts_alone() {
        let told = |bytes, rows| closed(Released { bytes, rows });
        assert!(
            told(65536, 0).starts_with("the reader closed standard output after 65536 bytes, all verified")
        );
        assert!(
            told(700_000, 65536).contains("after 700000 bytes (65536 rows in whole parts), all verified")
        );
    }
}
