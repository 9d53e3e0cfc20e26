//! Provides what `inspect` tells of a sound: its rate, its channels, and how long it is.

use ::formats::sound::second_samples;
use ::formats::words::counted;
use coherence::signal::Signature;
use serde_json::{Value, json};

/// What is heard of a sound.
#[derive(Debug, PartialEq)]
pub struct Heard<'a> {
    /// Samples of a channel in a second.
    rate: u64,
    /// Names of the channels, separated by spaces, and how many there are.
    channels: (&'a str, u64),
    /// Samples of a channel.
    frames: u64,
}

impl<'a> Heard<'a> {
    /// The sound that a signal is; `None` where it is none.
    pub fn of(signature: &'a Signature) -> Option<Self> {
        let second = second_samples(signature)?;
        let [array] = signature.arrays.as_slice() else { return None };
        let [frames, channels] = *array.shape.as_slice() else { return None };
        Some(Self { rate: second.checked_div(channels)?, channels: (&array.meaning, channels), frames })
    }

    fn seconds(&self) -> f64 {
        self.frames as f64 / self.rate as f64
    }

    /// It for a document.
    pub fn document(&self) -> Value {
        let names: Vec<&str> = self.channels.0.split(' ').collect();
        json!({ "rate": self.rate, "channels": names, "seconds": self.seconds() })
    }

    /// It as a line.
    pub fn line(&self) -> String {
        let (names, channels) = self.channels;
        let (rate, channels, seconds) = (self.rate, counted(channels, "channel"), self.seconds());
        format!("  {rate} samples a second, {channels} ({}), {seconds:.3} s", names.escape_debug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coherence::sample::SampleType;
    use coherence::signal::Array;

    #[test]
    fn a_sound_is_told_by_rate_channels_and_length() {
        let array = Array {
            name: "sound".into(),
            sample: SampleType::I16,
            shape: vec![66_150, 2],
            meaning: "FL FR".into(),
            peak: Some(32768.0),
        };
        let attributes = vec![("sound.rate".to_owned(), b"44100".to_vec())];
        let mut signature = Signature { arrays: vec![array], attributes };
        let heard = Heard::of(&signature).unwrap();
        assert_eq!(heard.line(), "  44100 samples a second, 2 channels (FL FR), 1.500 s");
        assert_eq!(heard.document(), json!({ "rate": 44100, "channels": ["FL", "FR"], "seconds": 1.5 }));
        signature.attributes.clear();
        assert_eq!(Heard::of(&signature), None);
    }
}
