//! Provides the opening of sources as arrays: containers of arrays, images, and tables of numbers.

use std::path::Path;
use std::sync::Arc;

use formats::concat::ConcatOptions;
use formats::file::ObjectFile;
use formats::media::Codec;
use formats::open::OpenOptions;
use formats::signal::{Arrays, Layout, of_image, of_table};

use super::super::plan::retyped_on;
use super::super::{image, open_sources};
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// How a source is read as arrays.
pub struct Reading<'a> {
    /// How a table is read.
    pub table: &'a OpenOptions,
    /// How its columns become arrays.
    pub layout: Layout,
    /// Memory to stay under.
    pub memory: u64,
    /// Threads.
    pub workers: usize,
}

/// Arrays, and whether each value of them is the one that the source tells, in its spelling.
pub fn open(
    file: &Arc<ObjectFile>,
    codec: Codec,
    reading: &Reading<'_>,
    dir: &Path,
    progress: &Progress,
) -> Result<(Arrays, bool)> {
    let in_file = |error: formats::Error| Failure::Format(error.in_file(file.path()));
    match codec {
        Codec::Arrays(format) => Ok((formats::signal::open(file.clone(), format, dir)?, true)),
        Codec::Image(format) => {
            let image = image::decode(file, format, reading.memory)?;
            Ok((of_image(file.clone(), image).map_err(in_file)?, true))
        }
        Codec::Table(_) => {
            let paths = [file.path().to_owned()];
            let many = ConcatOptions::default();
            let mut opened = open_sources(&paths, &paths, reading.table, &many, progress)?;
            retyped_on(&mut opened, reading.workers)?;
            Ok(of_table(opened, reading.layout).map_err(in_file)?)
        }
        Codec::Bytes(_) => Err(Failure::Other(format!("{} holds no arrays", codec.name()))),
    }
}
