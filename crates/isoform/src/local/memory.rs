//! Provides the reading of sizes, and how many workers fit into the memory that was given.

use std::path::Path;

use formats::bytes::{Codec, ahead};
use formats::error::Place;
use formats::limits::{PIECES_SPILL_BYTES_MIN, RECORD_COPIES, ROW_COPIES};
use formats::media::{Key, MediaType, size};
use formats::registry::Format;
use formats::table::TableSource;

use crate::failure::{Failure, Result};
use crate::typed::giver;

/// Memory that one worker needs that only reads: a part of 128 MiB of text, with batches and buffers.
pub const READER_BYTES: u64 = 160 << 20;

/// Bytes of a piece of the source that the memory of a worker covers.
const HELD_FREE_BYTES: u64 = 16 << 20;

/// Memory that is given unless a person says otherwise.
const USUAL_BYTES: u64 = 512 << 20;

/// Memory that one image may take where the usual or more is given: its pixels are held whole, and encoders
/// and models of sight hold them many times over. SSIMULACRA 2 of 12 megapixels needs it, and AVIF of 44.
const IMAGE_BYTES: u64 = 2304 << 20;

/// Memory that the program needs besides its workers.
pub const BASE_BYTES: u64 = 64 << 20;

/// Memory that a conversion of tables can be given at least: more than 122 MB were not seen of those of short
/// rows, whatever their size.
const TABLE_BYTES_MIN: u64 = 128 << 20;

/// Memory that a comparison needs besides the rows that it holds: two tables are decoded at once.
const COMPARE_BASE_BYTES: u64 = 96 << 20;

/// Rows that a comparison holds at least, within what it needs anyway.
const HELD_BYTES_MIN: u64 = 4 << 20;

/// Freed memory that is not given back yet when other memory is asked for, and the gaps between what is held.
pub const KEPT_BYTES: u64 = 48 << 20;

/// What is known of one column: how its text is typed, its evidence, its entries in footer and certificate.
/// With 100,000 columns 7 to 9 kB of each were seen.
const COLUMN_BYTES: u64 = 8 << 10;

/// What is known of one key of JSON Lines while its type is found, by all threads together: 4.5 kB were seen.
const KEY_BYTES: u64 = 4_608;

/// Bytes of encoded parts that may be held at least: fewer are not worth a temporary.
const PIECES_BYTES_MIN: u64 = PIECES_SPILL_BYTES_MIN as u64;

/// Memory for batches, dictionaries and compression of one worker at most.
const BUFFER_BYTES: u64 = 48 << 20;

/// Reads `512MiB`, `2GB`, `1073741824`.
pub fn parse_size(text: &str) -> Result<u64> {
    let told = || format!("{}: {text:?} is no size; write it as 512MiB or 2GB", giver("memory"));
    size(text).ok_or_else(|| Failure::Usage(told()))
}

/// Memory for one image that is worked on alone, where so much is given for all: who gives less than the
/// usual means images too.
pub fn of_image(memory: u64) -> u64 {
    if memory < USUAL_BYTES { memory } else { memory.max(IMAGE_BYTES) }
}

/// Memory that one worker needs for a target of this type: a part, encoded, waiting once more for its turn,
/// with batches and buffers.
pub fn worker(media: &MediaType) -> u64 {
    media.memory(media.whole(Key::PartBytes))
}

/// The same beside a large piece of a source of this format. That of text is a record, and what becomes of
/// it: then parts go on in temporaries. Of a page or a block little more is decoded at once than of small
/// ones.
pub fn worker_beside(media: &MediaType, format: Format) -> u64 {
    match format {
        _ if format.is_text() => HELD_FREE_BYTES,
        Format::Parquet | Format::Avro => BUFFER_BYTES.min(worker(media)),
        _ => worker(media),
    }
}

/// Bytes of a record of text that one worker can hold: an eighth of the memory, or less where the program
/// itself takes a large part of it.
pub fn record_bytes_max(memory: u64) -> usize {
    let held = memory.saturating_sub(BASE_BYTES).max(HELD_FREE_BYTES);
    usize::try_from((held / RECORD_COPIES).min(memory / 8)).unwrap_or(usize::MAX)
}

/// Different keys that the records of JSON Lines may have where types are found by them.
pub fn keys_max(memory: u64) -> usize {
    let held = memory.saturating_sub(BASE_BYTES).max(HELD_FREE_BYTES);
    usize::try_from(held / KEY_BYTES).unwrap_or(usize::MAX)
}

/// Bytes of a row of a format that holds types that one worker can hold.
pub fn row_bytes_max(memory: u64) -> usize {
    usize::try_from(memory).unwrap_or(usize::MAX) / ROW_COPIES
}

/// Memory of a conversion at most, by the same figures that [`workers`] goes by: each worker holds a part
/// while it is decoded and two of them encoded, no more than `worker_bytes`, what wraps it, and a piece of
/// `held` bytes of the source.
pub fn peak(
    columns: usize,
    workers: usize,
    (worker_bytes, wrapping): (u64, u64),
    (encoded_part, decoded_part): (u64, u64),
    held: u64,
) -> u64 {
    let buffers = BUFFER_BYTES.min(8 * decoded_part);
    let worker = (2 * encoded_part + 2 * decoded_part + buffers).min(worker_bytes);
    let held = if held <= HELD_FREE_BYTES { 0 } else { held };
    BASE_BYTES
        + KEPT_BYTES
        + columns as u64 * COLUMN_BYTES
        + workers.max(1) as u64 * (worker + wrapping + held)
}

/// Columns that a table may have within `memory`; a few are covered by what the program needs anyway.
///
/// # Errors
/// The memory that so many need, and how many there may be.
pub fn fits_columns(columns: usize, memory: u64) -> std::result::Result<(), (u64, u64)> {
    let (taken, other) = (columns as u64 * COLUMN_BYTES, BASE_BYTES + KEPT_BYTES);
    match memory.saturating_sub(other).max(HELD_FREE_BYTES) {
        free if taken <= free => Ok(()),
        free => Err((other + taken, free / COLUMN_BYTES)),
    }
}

/// Workers that fit, where each needs `worker` bytes: as many as asked for, as far as `memory` allows, and
/// at least one.
pub fn workers(asked: Option<usize>, memory: u64, worker: u64) -> Result<usize> {
    let wanted = wanted(asked)?;
    check_least(memory, BASE_BYTES)?;
    let fit = ((memory - BASE_BYTES) / worker.max(1)).max(1);
    Ok(wanted.min(usize::try_from(fit).unwrap_or(usize::MAX)))
}

/// Workers that fit where tables are converted into this type, with so many bytes for what wraps it.
///
/// # Errors
/// Memory that has no room for even one wrapping.
pub fn table_workers(asked: Option<usize>, memory: u64, to: &MediaType, wrapping: u64) -> Result<usize> {
    check_least(memory, TABLE_BYTES_MIN)?;
    let wrapped = workers_of(asked, memory, (0, wrapping), ", or take a lower level")?;
    workers(Some(wrapped), memory, worker(to) + wrapping)
}

fn check_least(memory: u64, least: u64) -> Result<()> {
    let mib = least >> 20;
    match memory >= least {
        true => Ok(()),
        false => {
            let giver = giver("memory");
            Err(Failure::Usage(format!("{giver}: {mib}MiB is the least that a conversion can run in")))
        }
    }
}

/// Of these workers those that fit, where each holds a piece of `held` bytes of the source. Small ones are
/// covered by what a worker is given anyway.
///
/// # Errors
/// Not even one fits: the memory that is needed.
pub fn workers_holding(
    workers: usize,
    memory: u64,
    worker: u64,
    held: u64,
) -> std::result::Result<usize, u64> {
    if held <= HELD_FREE_BYTES {
        return Ok(workers);
    }
    let worker = worker.saturating_add(held);
    match memory.saturating_sub(BASE_BYTES) / worker {
        0 => Err(BASE_BYTES.saturating_add(worker)),
        fit => Ok(workers.min(usize::try_from(fit).unwrap_or(usize::MAX))),
    }
}

/// Of these workers those that fit, where each works on this table and needs `worker` bytes beside it.
///
/// # Errors
/// Not even one fits: what is too large, and the memory that it needs.
pub fn workers_of_table(
    table: &dyn TableSource,
    format: Format,
    path: &Path,
    (workers, memory, worker): (usize, u64, u64),
) -> Result<usize> {
    let fitting = workers_holding(workers, memory, worker, table.held_bytes());
    if format.is_text() {
        // A record that no worker can hold was refused when the text was scanned.
        return Ok(fitting.unwrap_or(1));
    }
    fitting.map_err(|needed| {
        let (needed, max) = (needed.div_ceil(1 << 20), held_max(memory, worker));
        let (what, pieces) = match format {
            Format::Parquet => ("the size of a page, which is held whole,", "pages"),
            Format::Avro => ("the size of a block, which is held whole,", "blocks"),
            _ => ("the size of a record batch, which is held whole,", "batches"),
        };
        let hint =
            format!("read it with --memory {needed}MiB, or write the file again with smaller {pieces}");
        let place = Box::new(Place { path: Some(path.to_owned()), ..Place::default() });
        formats::Error::Limit { place, what, max, hint }.into()
    })
}

/// The same of a table that is only read.
pub fn readers_of_table(
    table: &dyn TableSource,
    format: Format,
    path: &Path,
    (workers, memory): (usize, u64),
) -> Result<usize> {
    workers_of_table(table, format, path, (workers, memory, HELD_FREE_BYTES))
}

/// Of what `workers` leave that hold pieces of `held` bytes of the source, what encoded parts may hold: the
/// rest is for the batches, dictionaries and compression of each worker. By default it is all that they ever
/// hold.
pub fn for_pieces(memory: u64, workers: usize, held: u64) -> usize {
    let held = if held <= HELD_FREE_BYTES { 0 } else { held.saturating_mul(workers.max(1) as u64) };
    let free = memory.saturating_sub(BASE_BYTES.saturating_add(held));
    usize::try_from((free.saturating_sub(BUFFER_BYTES) / 2).max(PIECES_BYTES_MIN)).unwrap_or(usize::MAX)
}

/// The largest piece that one worker can hold.
pub fn held_max(memory: u64, worker: u64) -> u64 {
    memory.saturating_sub(BASE_BYTES.saturating_add(worker)).max(HELD_FREE_BYTES)
}

/// Workers of which each needs `worker` bytes, beside `shared` bytes for all: as many as asked for, as far as
/// `memory` allows.
///
/// # Errors
/// Not even one fits; `otherwise` is what a person may do but give more memory, in words.
pub fn workers_of(
    asked: Option<usize>,
    memory: u64,
    (shared, worker): (u64, u64),
    otherwise: &str,
) -> Result<usize> {
    let wanted = wanted(asked)?;
    let fit = memory.saturating_sub(BASE_BYTES.saturating_add(shared)) / worker.max(1);
    if fit == 0 {
        let least = BASE_BYTES.saturating_add(shared).saturating_add(worker).div_ceil(1 << 20);
        return Err(Failure::Usage(format!(
            "{}: this conversion needs {least}MiB; give more{otherwise}",
            giver("memory")
        )));
    }
    Ok(wanted.min(usize::try_from(fit).unwrap_or(usize::MAX)))
}

/// Of these threads those that may unwrap an object ahead within `free` bytes; one where no two fit.
pub fn unwrapping(threads: usize, free: u64, codec: Codec) -> usize {
    let fit = ahead::thread_bytes(codec).map_or(1, |thread| free / thread.max(1));
    threads.min(usize::try_from(fit).unwrap_or(usize::MAX)).max(1)
}

/// Threads that were asked for, or as many as there are processors.
pub fn wanted(asked: Option<usize>) -> Result<usize> {
    if asked == Some(0) {
        return Err(Failure::Usage(format!("{}: at least one is needed", giver("threads"))));
    }
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(asked.unwrap_or(processors))
}

/// Bytes of rows that a comparison holds at once. What batches take beyond their values, while they are held
/// and while they are cut, is less than that once more.
pub fn held(memory: u64) -> Result<usize> {
    let Some(above) = memory.checked_sub(COMPARE_BASE_BYTES) else {
        let least = COMPARE_BASE_BYTES >> 20;
        return Err(Failure::Usage(format!(
            "{}: {least}MiB is the least that a comparison can run in",
            giver("memory")
        )));
    };
    Ok(usize::try_from((above / 2).max(HELD_BYTES_MIN)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_image_is_excepted_where_the_usual_memory_is_given_and_more_never_is_less() {
        let mib = |mib: u64| mib << 20;
        assert_eq!(
            [64, 511, 512, 1024, 4096].map(|given| of_image(mib(given)) >> 20),
            [64, 511, 2304, 2304, 4096]
        );
        assert_eq!(parse_size("512MiB").unwrap(), USUAL_BYTES);
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(parse_size("512MiB").unwrap(), 512 << 20);
        assert_eq!(parse_size("2 GB").unwrap(), 2_000_000_000);
        assert_eq!(parse_size("7").unwrap(), 7);
        for bad in ["", "MiB", "1.5GiB", "1TB", "-1", "99999999999GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_workers_need_is_bounded_by_what_they_are_given() {
        assert_eq!(
            peak(0, 2, (READER_BYTES, 0), (1 << 40, 1 << 40), 0),
            BASE_BYTES + KEPT_BYTES + 2 * READER_BYTES
        );
        assert!(peak(12, 2, (READER_BYTES, 0), (1 << 40, 1 << 40), 0) <= 512 << 20);
        assert_eq!(peak(1, 1, (READER_BYTES, 0), (0, 0), 0), BASE_BYTES + KEPT_BYTES + COLUMN_BYTES);
        assert!(peak(0, 1, (READER_BYTES, 0), (10, 10), 0) < peak(0, 2, (READER_BYTES, 0), (10, 10), 0));
        let held = peak(0, 1, (READER_BYTES, 0), (1 << 40, 1 << 40), 288 << 20);
        assert_eq!(held, BASE_BYTES + KEPT_BYTES + READER_BYTES + (288 << 20));
    }

    #[test]
    fn encoded_parts_hold_what_large_pieces_of_the_source_leave() {
        assert_eq!(for_pieces(512 << 20, 2, 0), 200 << 20);
        assert_eq!(for_pieces(512 << 20, 2, 16 << 20), 200 << 20);
        assert!(for_pieces(512 << 20, 1, 288 << 20) < 70 << 20);
        assert_eq!([128, 256].map(|mib| for_pieces(mib << 20, 1, 0) >> 20), [8, 72]);
        assert_eq!(for_pieces(64 << 20, 1, u64::MAX), 8 << 20);
    }

    #[test]
    fn a_record_may_have_an_eighth_where_seven_of_it_fit_beside_the_program() {
        let mib = |mib: u64| record_bytes_max(mib << 20) as u64 >> 10;
        assert_eq!([512, 1024].map(mib), [64 << 10, 128 << 10]);
        assert_eq!([128, 256].map(mib), [64 * 1024 / 7, 192 * 1024 / 7]);
        assert!(record_bytes_max(0) == 0 && mib(96) < mib(128));
    }

    #[test]
    fn keys_are_bounded_where_a_table_may_have_fewer_columns_than_any() {
        assert_eq!([64, 128].map(|mib| keys_max(mib << 20)), [3_640, 14_563]);
        assert!(keys_max(512 << 20) > formats::limits::COLUMNS_MAX);
    }

    #[test]
    fn workers_fit_into_memory() {
        assert_eq!(workers(Some(16), 512 << 20, READER_BYTES).unwrap(), 2);
        assert_eq!(workers(Some(16), 64 << 20, READER_BYTES).unwrap(), 1);
        assert_eq!(workers(Some(1), 8 << 30, READER_BYTES).unwrap(), 1);
        assert!(workers(Some(1), 63 << 20, READER_BYTES).is_err());
        let parquet = formats::registry::Format::Parquet.media();
        assert_eq!(table_workers(Some(16), 128 << 20, parquet, 0).unwrap(), 1);
        assert_eq!(table_workers(Some(16), 1 << 30, parquet, 0).unwrap(), 6);
        assert_eq!(table_workers(Some(16), 1 << 30, parquet, 100 << 20).unwrap(), 3);
        assert!(table_workers(Some(1), 127 << 20, parquet, 0).is_err());
        let refused = table_workers(Some(4), 128 << 20, parquet, 100 << 20).unwrap_err().to_string();
        assert!(
            refused.contains("this conversion needs 164MiB; give more, or take a lower level"),
            "{refused}"
        );
        assert!(workers(Some(0), 8 << 30, READER_BYTES).is_err());
        assert_eq!(workers_of(Some(16), 512 << 20, (16 << 20, 80 << 20), "").unwrap(), 5);
        assert_eq!(workers_holding(2, 512 << 20, READER_BYTES, 16 << 20), Ok(2));
        assert_eq!(workers_holding(2, 512 << 20, READER_BYTES, 100 << 20), Ok(1));
        assert_eq!(workers_holding(2, 512 << 20, READER_BYTES, 1 << 30), Err((64 + 160 + 1024) << 20));
        assert!(workers_holding(9, u64::MAX, READER_BYTES, u64::MAX).is_err());
        let told =
            workers_of(Some(1), 128 << 20, (16 << 20, 80 << 20), ", or take less").unwrap_err().to_string();
        assert!(told.ends_with("MiB; give more, or take less"), "{told}");
        assert_eq!(worker_beside(parquet, Format::ArrowFile), worker(parquet));
        assert_eq!(worker_beside(parquet, Format::Avro), BUFFER_BYTES);
        assert_eq!(held(512 << 20).unwrap(), 208 << 20);
        assert_eq!(held(96 << 20).unwrap(), 4 << 20);
        assert!(held(95 << 20).is_err());
    }

    #[test]
    fn threads_that_unwrap_fit_into_memory() {
        let threads = |mib: u64, codec| unwrapping(16, mib << 20, codec);
        assert_eq!([0, 16, 33, 34, 51].map(|mib| threads(mib, Codec::Gzip)), [1, 1, 1, 2, 3]);
        assert_eq!([99, 100, 448].map(|mib| threads(mib, Codec::Xz)), [1, 2, 8]);
        assert_eq!([1 << 20, 1 << 30].map(|mib| threads(mib, Codec::Lz4)), [16, 16]);
        assert_eq!([Codec::Brotli, Codec::Raw].map(|codec| threads(1 << 20, codec)), [1, 1]);
    }

    #[test]
    fn columns_fit_or_the_memory_for_them_is_told() {
        fits_columns(2_000, BASE_BYTES).unwrap();
        let (needed, max) = fits_columns(100_000, 512 << 20).unwrap_err();
        assert_eq!(max, 51_200);
        fits_columns(max as usize, 512 << 20).unwrap();
        fits_columns(max as usize + 1, 512 << 20).unwrap_err();
        fits_columns(100_000, needed).unwrap();
        fits_columns(100_000, needed - 1).unwrap_err();
    }
}
