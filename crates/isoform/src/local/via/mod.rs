//! Provides content on its way over types that a person named: each step is written in that type and read
//! again, part by part in memory (an image whole), and what may be lost is divided over the steps.
//!
//! By law T5 the distance of a chain is at most the sum of those of its steps. So each step that may lose
//! something has a share of the budget, and all shares together are the whole. A step whose result is fixed
//! gets the share that it is measured to need; the others divide what is left. The finished target is
//! measured against the source, whatever the steps promise.

mod split;

use std::sync::Arc;

use coherence::budget::Budget;
use coherence::sample::SampleType;
use coherence::signal::Signature;
use formats::error::Place;
use formats::file::ObjectFile;
use formats::image::{self, Image, ImageFormat};
use formats::media::{Codec, Key, MediaType};
use formats::open::Opened;
use formats::signal::{
    Arrays, Declared, Encoding, Layout, Lost, SignalFormat, idle, in_words, of_image, of_table, through,
    to_image, to_sound, widest, with_rate_beside,
};
use formats::write::WriteOptions;
use serde_json::{Map, Value, json};

use super::image::pass;
use super::signal::compare;
use crate::failure::{Failure, Result, untold};
use crate::progress::Progress;
pub use split::{Split, share_text};

/// The parameter under which a certificate holds what the steps of a conversion did. It follows from the
/// conversion, and asks for nothing.
pub const STEPS: &str = "steps";

/// A type that the content is led over.
#[derive(Debug, Clone)]
pub struct Stop {
    /// The type.
    pub media: &'static MediaType,
    /// How it holds floating-point samples, where that was said.
    pub encoding: Option<Encoding>,
}

impl Stop {
    /// How it holds floating-point samples: as was said, or as a definition of the type says.
    pub fn asked(&self) -> Option<Encoding> {
        self.encoding.or_else(|| self.media.text(Key::SampleType)?.parse().ok())
    }

    /// Whether a step into it may lose something of samples of a type that came out of an image: a container
    /// of arrays holds them as they are, unless floating-point samples are to be held otherwise.
    pub fn loses(&self, sample: SampleType) -> bool {
        match self.media.codec {
            Codec::Image(format) => loses(format, sample),
            _ => sample.is_float() && self.asked().is_some(),
        }
    }

    /// Its name, with that.
    fn told(&self) -> String {
        let name = &self.media.name;
        self.asked().map_or(name.clone(), |encoding| format!("{name}:{encoding}"))
    }

    /// How a table is written in this type.
    pub fn written(&self) -> Option<WriteOptions> {
        let Codec::Table(format) = self.media.codec else { return None };
        Some(WriteOptions { media: self.media, ..WriteOptions::plain(format) })
    }
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The share of the budget that it had; 0 where nothing may be lost in it.
    pub share: f64,
    /// The distance between what went in and what came out.
    pub d: f64,
}

/// Steps as a certificate and a document tell them: those that were taken, and the one into the target, which
/// has what is left of the budget and this distance.
pub fn told(
    stops: &[Stop],
    to: &MediaType,
    (steps, left): (&[Step], Option<(f64, Budget)>),
    d: Option<f64>,
    parameters: &Map<String, Value>,
) -> Vec<Value> {
    let within = parameters.get("within").and_then(Value::as_str).unwrap_or("exact");
    let last = (left.map_or(0.0, |(share, _)| share), d);
    let step = |(media, (share, d)): (&MediaType, (f64, Option<f64>))| {
        let share = if share > 0.0 { share_text(within, share) } else { "exact".to_owned() };
        let mut step = json!({ "to": media.media_type, "within": share });
        if let Some(d) = d {
            step["d"] = json!(d.to_string());
        }
        step
    };
    let steps = steps.iter().map(|step| (step.share, Some(step.d))).chain([last]);
    stops.iter().map(|stop| stop.media).chain([to]).zip(steps).map(step).collect()
}

/// The parameters of a conversion with what its steps did.
pub fn record(parameters: &Map<String, Value>, steps: &[Value]) -> Map<String, Value> {
    let mut parameters = parameters.clone();
    if !steps.is_empty() {
        parameters.insert(STEPS.to_owned(), json!(steps));
    }
    parameters
}

/// Whether a step into a format may lose something of samples of a type, where a budget lets it.
pub fn loses(to: ImageFormat, sample: SampleType) -> bool {
    to.quality().is_some() || !to.exact().contains(&sample)
}

/// Fails where one of these types would make whole samples of ones of floating point, whose source declares
/// another range than that from 0 to 1: what declares it may be gone before that type is reached.
pub fn refuse_range(
    file: &ObjectFile,
    (sample, attributes): (SampleType, &[(String, Vec<u8>)]),
    mut types: impl Iterator<Item = Codec>,
) -> Result<()> {
    let refused = types.find_map(|codec| match codec {
        Codec::Image(format) => image::lost_range(format, sample, attributes)?.obstacle(format),
        _ => None,
    });
    match refused {
        None => Ok(()),
        Some(obstacle) => {
            let error = formats::Error::obstacles(Place::default(), vec![obstacle]);
            Err(error.in_file(file.path()).into())
        }
    }
}

/// Content: as it was when nothing was lost yet, and as it has become. Both have the same arrays.
pub enum Content {
    /// A table, which no step changes.
    Table(Box<Opened>),
    /// Arrays.
    Arrays {
        /// As they were.
        first: Box<Arrays>,
        /// As they are.
        last: Box<Arrays>,
    },
    /// An image.
    Image {
        /// As it was, with the channels and attributes of what it is now.
        first: Box<Image>,
        /// As it is.
        last: Box<Image>,
    },
}

/// How content is led.
pub struct Way<'a> {
    /// The source, of whose name errors tell.
    pub file: Arc<ObjectFile>,
    /// How columns become arrays; whether they become one array is decided by the type that they become.
    pub layout: Layout,
    /// Which columns become arrays, where each becomes one.
    pub wanted: &'a dyn Fn(&str) -> bool,
    /// What is told of a sound that arrays become.
    pub declared: Declared,
    /// Whether attributes that a type cannot hold are left out.
    pub drop: bool,
    /// Memory to stay under.
    pub memory: u64,
    /// Threads.
    pub workers: usize,
    /// The target.
    pub to: Stop,
    /// The budget, and what is left of it.
    pub split: Split,
    /// What was done.
    pub steps: Vec<Step>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Attributes that were left out.
    pub dropped: Vec<String>,
    /// What was not kept of the columns of a table.
    pub lost: Vec<Lost>,
    /// Whether a person asked for no distance at all.
    pub exact_asked: bool,
    /// Parameters of the conversion, which tell how the budget was asked for.
    pub parameters: &'a Map<String, Value>,
    /// Where progress is told.
    pub progress: &'a Progress,
}

impl Way<'_> {
    /// Leads content over all stops.
    pub fn lead(&mut self, mut content: Content, stops: &[Stop]) -> Result<Content> {
        for (index, stop) in stops.iter().enumerate() {
            let stepped = self.step(content, stop, &stops[index..]);
            content = stepped.map_err(|failure| self.named(failure, stop))?;
        }
        Ok(content)
    }

    fn named(&self, failure: Failure, stop: &Stop) -> Failure {
        let name = stop.told();
        match failure {
            Failure::Format(error) => Failure::Format(error.in_file(self.file.path())),
            Failure::Mismatch(text) => Failure::Mismatch(format!("the step into {name}: {text}")),
            other => other,
        }
    }

    /// The first of these stops, which are all that are left.
    fn step(&mut self, content: Content, stop: &Stop, left: &[Stop]) -> Result<Content> {
        match stop.media.codec {
            Codec::Arrays(format) => self.through_arrays(content, format, stop),
            Codec::Image(format) => self.through_image(content, format, stop.media, left),
            Codec::Table(_) => match (content, stop.written()) {
                (Content::Table(opened), Some(options)) => {
                    self.steps.push(Step { share: 0.0, d: 0.0 });
                    Ok(Content::Table(Box::new(opened.by_way_of(options)?)))
                }
                _ => Err(refused(stop.media, "arrays and images do not go over tables to other arrays")),
            },
            Codec::Bytes(_) => Err(refused(stop.media, "it is a wrapping of bytes")),
        }
    }

    fn through_arrays(&mut self, content: Content, format: SignalFormat, stop: &Stop) -> Result<Content> {
        let (mut first, mut last) = self.arrays(content, format == SignalFormat::Npy)?;
        if format.is_sound() {
            (first, last) = (to_sound(first, self.declared)?, to_sound(last, self.declared)?);
            refuse_narrowing(&last, format, stop.media)?;
        } else if format == SignalFormat::Npz {
            (first, last) = (with_rate_beside(first)?, with_rate_beside(last)?);
        }
        let before = last.clone();
        let led = through(last, format, stop.asked(), self.drop)?;
        if let Some(asked) = stop.encoding
            && let Some(why) = idle(asked, before.signature(), &led.stored)
        {
            return Err(refused(stop.media, &format!("a sample type ({asked}) {why}")));
        }
        let arrays = &before.signature().arrays;
        let words = led.dropped.iter().map(|key| in_words(key, format, arrays));
        self.notes.extend(words.map(|words| format!("dropped on the way: {words}")));
        self.dropped.extend(led.dropped);
        let narrowed =
            led.stored.iter().enumerate().any(|(array, stored)| stored.encoding != before.encoding(array));
        let step = match narrowed {
            false => Step { share: 0.0, d: 0.0 },
            true => {
                let found = compare(&before, &led.arrays, self.workers, self.progress)?;
                // Only these may differ, and only they are what a distance is about.
                let weighed = found.arrays.iter().filter(|array| array.weighs);
                self.split.fixed(weighed.map(|array| &array.evidence))?
            }
        };
        self.steps.push(step);
        Ok(Content::Arrays {
            first: Box::new(with_attributes_of(first, led.arrays.signature())),
            last: Box::new(led.arrays),
        })
    }

    fn through_image(
        &mut self,
        content: Content,
        to: ImageFormat,
        media: &'static MediaType,
        left: &[Stop],
    ) -> Result<Content> {
        let (first, last) = self.image(content)?;
        self.refuse_axes(&first, left)?;
        let (within, sample) = (self.split.has_budget(), last.sample);
        let lossy = within && to.quality().is_some();
        let narrows = within && !lossy && !to.exact().contains(&sample);
        if narrows && !sample.is_float() {
            let why =
                format!("samples of type {sample} are narrowed to it only by a conversion of their own");
            return Err(refused(media, &why));
        }
        let given = if lossy { self.split.searching(&last, self.open(&left[1..], sample))? } else { None };
        let budget = if narrows { self.split.last()? } else { given }.map(|(_, budget)| budget);
        let parameters = self.parameters.clone();
        let (exact_asked, drop) = (self.exact_asked, self.drop);
        let asked = pass::Asked { media, to, budget, exact_asked, drop, parameters };
        let passed = pass::through((first, last), &self.file, &asked, self.memory / 2, self.progress)?;
        let step = match narrows {
            // The first column is that of samples that may differ.
            true => self.split.fixed(passed.evidence.columns.iter().take(1))?,
            false => {
                let d = passed.evidence.d_squared().map_err(untold)?.sqrt();
                Step { share: given.map_or(0.0, |(share, _)| share), d }
            }
        };
        self.steps.push(step);
        self.notes.extend(passed.notes);
        self.dropped.extend(passed.dropped);
        Ok(Content::Image { first: Box::new(passed.first), last: Box::new(passed.last) })
    }

    /// Refuses an image, before anything is made of it, that one of the formats which are next holds in other
    /// channels, where it becomes an array behind them: the same colours, but other axes.
    fn refuse_axes(&self, image: &Image, left: &[Stop]) -> Result<()> {
        for (index, stop) in left.iter().enumerate() {
            let Codec::Image(format) = stop.media.codec else { break };
            let mut behind = left[index + 1..].iter().chain([&self.to]);
            let (from, to) = (image.channels, image::nearest_channels(format, image));
            if to != from && behind.any(|stop| matches!(stop.media.codec, Codec::Arrays(_))) {
                let (from, to) = (from.name(), to.name());
                let why = format!("it holds {from} as {to}, and arrays tell the one from the other");
                return Err(refused(stop.media, &why));
            }
        }
        Ok(())
    }

    /// How many steps may lose something of samples of a type: one that searches, those after it, and the one
    /// into the target.
    fn open(&self, after: &[Stop], sample: SampleType) -> usize {
        1 + after.iter().chain([&self.to]).filter(|stop| stop.loses(sample)).count()
    }

    /// Content as arrays: the columns of a table as one, where `single` says so.
    pub fn arrays(&mut self, content: Content, single: bool) -> Result<(Arrays, Arrays)> {
        Ok(match content {
            Content::Arrays { first, last } => (*first, *last),
            Content::Image { first, mut last } => {
                self.notes.extend(last.declared.take().map(|declared| declared.not_in_arrays()));
                (of_image(self.file.clone(), *first)?, of_image(self.file.clone(), *last)?)
            }
            Content::Table(opened) => {
                let layout = Layout { single, ..self.layout };
                let (arrays, lost) = of_table(*opened, layout, self.wanted)?;
                self.lost = lost;
                (arrays.clone(), arrays)
            }
        })
    }

    /// Content as an image.
    pub fn image(&mut self, content: Content) -> Result<(Image, Image)> {
        let (first, last) = match content {
            Content::Image { first, last } => return Ok((*first, *last)),
            other => self.arrays(other, true)?,
        };
        Ok((to_image(&first, self.memory / 8)?, to_image(&last, self.memory / 8)?))
    }

    /// The budget of the step into the target, and its share.
    pub fn last(&self) -> Result<Option<(f64, Budget)>> {
        self.split.last()
    }
}

/// Arrays with those of their attributes that others have too.
pub fn with_attributes_of(arrays: Arrays, others: &Signature) -> Arrays {
    let signature = arrays.signature();
    let all: Vec<usize> = (0..signature.arrays.len()).collect();
    let held = signature.attributes.iter().enumerate();
    let held: Vec<usize> =
        held.filter(|(_, entry)| others.attributes.contains(entry)).map(|(index, _)| index).collect();
    arrays.narrowed(&all, &held)
}

/// Refuses a format that has no samples of the type of a sound: its bits are chosen for a target alone.
fn refuse_narrowing(sound: &Arrays, format: SignalFormat, media: &MediaType) -> Result<()> {
    let (Some(_), [array]) = (widest(sound, format), sound.signature().arrays.as_slice()) else {
        return Ok(());
    };
    let (name, sample) = (&media.name, array.sample);
    Err(Failure::Usage(format!(
        "--via {name}: has no samples of type {sample}, and whatever the budget is, a sound gets other \
         samples in the target alone; lead it over wav, or convert it to {name} first and that to the target"
    )))
}

fn refused(media: &MediaType, why: &str) -> Failure {
    Failure::Usage(format!("--via {}: {why}; leave it away", media.name))
}
