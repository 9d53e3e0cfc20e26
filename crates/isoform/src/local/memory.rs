//! Provides the reading of sizes, and how many workers fit into the memory that was given.

use crate::failure::{Failure, Result};

/// Memory that one worker needs: a part of 128 MiB of text, encoded (a third of that as a rule), waiting once
/// more for its turn, with batches and buffers.
const WORKER_BYTES: u64 = 160 << 20;

/// Memory that the program needs besides its workers.
const BASE_BYTES: u64 = 64 << 20;

/// Reads `512MiB`, `2GB`, `1073741824`.
pub fn parse_size(text: &str) -> Result<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => 0,
    };
    let size = text[..digits].parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).filter(|_| factor > 0);
    size.ok_or_else(|| Failure::Usage(format!("{text:?} is no size; write it as 512MiB or 2GB")))
}

/// Workers that fit: as many as asked for, as far as `memory` allows, and at least one.
pub fn workers(asked: Option<usize>, memory: u64) -> Result<usize> {
    if memory < BASE_BYTES {
        let least = BASE_BYTES >> 20;
        return Err(Failure::Usage(format!(
            "--memory: {least}MiB is the least that a conversion can run in"
        )));
    }
    if asked == Some(0) {
        return Err(Failure::Usage("--threads: at least one is needed".into()));
    }
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let fit = ((memory - BASE_BYTES) / WORKER_BYTES).max(1);
    Ok(asked.unwrap_or(processors).min(usize::try_from(fit).unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn workers_fit_into_memory() {
        assert_eq!(workers(Some(16), 512 << 20).unwrap(), 2);
        assert_eq!(workers(Some(16), 64 << 20).unwrap(), 1);
        assert_eq!(workers(Some(1), 8 << 30).unwrap(), 1);
        assert!(workers(Some(1), 1 << 20).is_err());
        assert!(workers(Some(0), 8 << 30).is_err());
    }
}
