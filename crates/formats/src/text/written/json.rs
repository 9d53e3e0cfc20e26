//! Provides the JSON form of patterns of dates as people write them.

use super::{ClockPattern, WrittenPattern};
use crate::text::HalfDayPattern;
use serde::{Deserialize, Serialize};

/// A pattern: the date in the notation of `strftime`, and the time of day.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::text) struct WrittenJson {
    date: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<ClockJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ClockJson {
    Day { padded: bool, seconds: bool, fraction: u8 },
    HalfDay { seconds: bool, padded: bool, space: bool, upper: bool },
}

impl From<WrittenPattern> for WrittenJson {
    fn from(pattern: WrittenPattern) -> Self {
        let clock = pattern.clock.map(|clock| match clock {
            ClockPattern::Day { padded, seconds, fraction } => ClockJson::Day { padded, seconds, fraction },
            ClockPattern::Half(HalfDayPattern { seconds, padded, space, upper }) => {
                ClockJson::HalfDay { seconds, padded, space, upper }
            }
        });
        WrittenJson { date: pattern.date_notation(), clock }
    }
}

impl WrittenJson {
    /// The pattern, or what is wrong with it.
    pub(in crate::text) fn pattern(self) -> Result<WrittenPattern, String> {
        let dated = WrittenPattern::of_date_notation(&self.date);
        let dated = dated.ok_or_else(|| format!("no date pattern {:?}", self.date))?;
        let clock = match self.clock {
            None => None,
            Some(ClockJson::Day { seconds, fraction, .. }) if fraction > 9 || (fraction > 0 && !seconds) => {
                return Err(format!("no time of day has {fraction} digits of a second here"));
            }
            Some(ClockJson::Day { padded, seconds, fraction }) => {
                Some(ClockPattern::Day { padded, seconds, fraction })
            }
            Some(ClockJson::HalfDay { seconds, padded, space, upper }) => {
                Some(ClockPattern::Half(HalfDayPattern { seconds, padded, space, upper }))
            }
        };
        Ok(WrittenPattern { clock, ..dated })
    }
}
