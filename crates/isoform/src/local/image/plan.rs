//! Provides what a conversion of an image will come to.

use std::time::{Duration, Instant};

use coherence::certificate::Verdict;
use coherence::sample::SampleType;
use coherence::signal::Signature;
use formats::image::Settings;
use formats::image::sight::SIGHT_PIXEL_BYTES;
use formats::media::Key;
use serde_json::Value;

use super::super::media::check_tau;
use super::super::memory::BASE_BYTES;
use super::super::shortfall;
use super::super::signal::Tightest;
use super::{ImageJob, Opened, encoded, open, search, tiles};
use crate::failure::Result;
use crate::meter::Stage;
use crate::progress::Progress;

/// What a conversion will come to, since everything was done but writing.
pub struct Trial {
    /// Bytes of the target.
    pub bytes: u64,
    /// How it is written.
    pub settings: Settings,
    /// The type of its samples.
    pub sample: SampleType,
    /// What would be proven.
    pub verdict: Verdict,
    /// How often it was encoded to find that.
    pub encodes: usize,
    /// The tile that comes closest to missing its floor.
    pub tightest: Option<Tightest>,
    /// Memory that is taken at most.
    pub memory: u64,
    /// Time that it took.
    pub time: Duration,
    /// What a person should know of how it is written.
    pub note: Option<String>,
}

/// What would be done.
pub struct ImagePlan {
    /// The content, as it would be compared.
    pub signature: Signature,
    /// Whether it is sure before anything is encoded that every sample is kept.
    pub exact: bool,
    /// What the steps before the last do, where it is led over other types.
    pub steps: Vec<Value>,
    /// Bytes of the source.
    pub size: u64,
    /// Whether the target exists.
    pub exists: bool,
    /// What a person should know besides.
    pub notes: Vec<String>,
    opened: Opened,
    /// When the source was begun to be opened.
    began: Instant,
}

/// Opens the source and says what a conversion would do.
pub fn plan(job: &ImageJob, progress: &Progress) -> Result<ImagePlan> {
    let began = Instant::now();
    let mut opened = open(job, progress)?;
    let lossless = search::settings(job, opened.budget.is_some()).lossless;
    let kept = lossless && opened.led.is_none() && job.to.exact().contains(&opened.image.sample);
    Ok(ImagePlan {
        signature: opened.image.signature(),
        exact: kept || opened.budget.is_none(),
        steps: opened.led.as_ref().map_or(Vec::new(), |led| led.planned(job)),
        size: opened.file.len(),
        exists: job.target.symlink_metadata().is_ok(),
        notes: std::mem::take(&mut opened.notes),
        opened,
        began,
    })
}

impl ImagePlan {
    /// Makes the encoding that a conversion would write, and says what it takes.
    ///
    /// # Errors
    /// What would keep the conversion from writing it, such as a budget that no encoding keeps, or the least
    /// coherence of the target's type.
    pub fn trial(&self, job: &ImageJob, progress: &Progress) -> Result<Trial> {
        let opened = &self.opened;
        progress.begin(Stage::Converting, opened.file.len(), 0);
        let (found, _) = encoded(job, opened, progress)?;
        check_tau(job.media.1, &found.evidence)?;
        let kept = found.evidence.differing() == 0;
        let held = opened.image.samples.len() as f64;
        let widest = [job.media.0, job.media.1].map(|media| media.number(Key::MemoryPerByte));
        let pixels = u64::from(opened.image.width) * u64::from(opened.image.height);
        let seen = if job.gates.is_empty() { 0 } else { pixels * SIGHT_PIXEL_BYTES };
        let memory = (held * widest[0].max(widest[1])) as u64 + seen + opened.file.len() + BASE_BYTES;
        let (bytes, time) = (found.bytes.len() as u64, self.began.elapsed());
        Ok(Trial {
            bytes,
            settings: found.settings,
            sample: found.sample,
            verdict: if kept { Verdict::Exact } else { Verdict::Bounded },
            encodes: found.encodes,
            tightest: tiles::tightest(opened.tiles, found.tiles.as_ref()),
            memory,
            time,
            note: found.unmet.map(|closest| shortfall::without_loss(&closest, (opened.file.len(), bytes))),
        })
    }
}
