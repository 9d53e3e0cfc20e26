//! Provides the first look at a text, which proposes its types.

use std::thread::{Builder, scope};

use super::{Dialect, Scan, TextPart, observe};
use crate::error::{Error, Result};
use crate::spool::TextFile;
use crate::text::{Fresh, Profile, merge};

/// Chunks of a text that the first proposal looks at.
pub(crate) const SAMPLE_CHUNKS: usize = 2;

/// Profiles of the first chunk and of others, at which another thread looks where there may be one: it is the
/// only work of that moment, and the same for any larger text.
pub(crate) fn sample(
    text: &TextFile,
    dialect: &Dialect,
    scan: &Scan,
    fresh: &Fresh,
    workers: usize,
) -> Result<Vec<Profile>> {
    let parts = scan.sample(SAMPLE_CHUNKS);
    let (first, others) = parts.split_at(parts.len().min(1));
    let look = |parts: &[TextPart]| {
        let mut merged = None;
        parts
            .iter()
            .try_for_each(|part| observe(text, dialect, part, fresh).map(|seen| merge(&mut merged, seen)))?;
        Ok(merged)
    };
    let seen = scope(|scope| {
        let beside =
            (workers > 1).then(|| Builder::new().spawn_scoped(scope, || look(others)).ok()).flatten();
        let first = look(first);
        let others = match beside {
            Some(beside) => {
                beside.join().unwrap_or_else(|_| Err(Error::Bug("a thread that took a sample died".into())))
            }
            None => look(others),
        };
        [first, others]
    });
    let mut merged = None;
    for seen in seen {
        seen?.into_iter().for_each(|seen| merge(&mut merged, seen));
    }
    Ok(merged.unwrap_or_else(|| fresh.profiles()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::csv::{CsvOptions, ScanOptions, detect, scan};
    use crate::file::ObjectFile;
    use crate::limits::CHUNK_ROWS;
    use crate::open::TypingRules;
    use crate::spool::{SpoolOptions, open_text};

    #[test]
    fn one_thread_and_several_see_the_first_chunk_and_the_last() {
        let mut file = tempfile::tempfile().unwrap();
        let rows = 3 * CHUNK_ROWS;
        let text: String =
            (0..rows).map(|row| if row + 1 < rows { format!("{row}\n") } else { "1.5\n".into() }).collect();
        file.write_all(b"n\n").and_then(|()| file.write_all(text.as_bytes())).unwrap();
        let object = Arc::new(ObjectFile::from_file(file, Path::new("a.csv")).unwrap());
        let directory = std::env::temp_dir();
        let text = open_text(&object, SpoolOptions::new(&directory)).unwrap();
        let dialect = detect(&text, &CsvOptions::default(), None).unwrap();
        let scan = scan(&text, &dialect, ScanOptions::default()).unwrap();
        let fresh = TypingRules::default().profiles(["n"].into_iter()).unwrap();
        let seen = |workers| sample(&text, &dialect, &scan, &fresh, workers).unwrap();
        let typed = |profiles: &[Profile]| format!("{:?}", profiles[0].resolve().typing.data_type);
        let first = observe(&text, &dialect, &scan.sample(SAMPLE_CHUNKS)[0], &fresh).unwrap();
        assert_ne!(typed(&seen(1)), typed(&first), "the last row is seen");
        assert_eq!(format!("{:?}", seen(1)), format!("{:?}", seen(2)));
    }
}
