//! Provides the notation of patterns: that of `strftime`, as far as a text can be checked against its value.

use std::sync::Arc;

use super::{GivenPattern, Part, Piece};
use crate::error::{Error, Result};
use crate::text::parse_type;
use arrow_schema::DataType;

/// The directives that there are.
const KNOWN: &str = "%Y %y %m %-m %b %^b %B %^B %d %-d %a %A %H %-H %I %-I %M %S %f %3f %6f %9f %p %P \
                                         %F %D %T %R %%";

/// Directives that stand for several.
const SEVERAL: [(&str, &str); 4] = [("F", "%Y-%m-%d"), ("D", "%m/%d/%y"), ("T", "%H:%M:%S"), ("R", "%H:%M")];

impl GivenPattern {
    /// The pattern of this notation.
    ///
    /// # Errors
    /// What is wrong with it: an unknown directive, a part that is told twice or cannot be found in a text.
    pub fn parse(notation: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        pieces_of(notation, &mut pieces)?;
        check(&pieces)?;
        Ok(GivenPattern { notation: notation.into(), pieces: Arc::from(pieces) })
    }
}

/// A type and the pattern after its colon, as in `timestamp[ms]:%d.%m.%Y %H:%M`; the type alone without one.
///
/// # Errors
/// No such type, or a pattern that is none or does not go with the type.
pub fn parse_given(text: &str) -> Result<(DataType, Option<GivenPattern>)> {
    // A colon within brackets is of a zone, such as +02:00.
    let bracketed = text.find([':', '[', '(']).filter(|at| text.as_bytes()[*at] != b':');
    let from = bracketed.and_then(|_| text.find([']', ')'])).unwrap_or(0);
    let Some(at) = text[from..].find(':').map(|at| from + at) else {
        return Ok((parse_type(text)?, None));
    };
    let (name, notation) = (&text[..at], &text[at + 1..]);
    let data_type = parse_type(name)?;
    let pattern = GivenPattern::parse(notation);
    let pattern = pattern.and_then(|p| p.check(&data_type).map(|()| p).map_err(str::to_owned));
    let pattern =
        pattern.map_err(|what| Error::Misuse(format!("the pattern {notation:?} for {name}: {what}")))?;
    Ok((data_type, Some(pattern)))
}

fn pieces_of(notation: &str, pieces: &mut Vec<Piece>) -> Result<(), String> {
    let mut rest = notation;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix('%') {
            let flagged = after.strip_prefix(['-', '^', '3', '6', '9']).unwrap_or(after);
            let end = after.len() - flagged.len() + flagged.chars().next().map_or(0, char::len_utf8);
            let (directive, after) = after.split_at(end);
            match SEVERAL.iter().find(|(short, _)| *short == directive) {
                Some((_, long)) => pieces_of(long, pieces)?,
                None => pieces.push(piece(directive).ok_or_else(|| {
                    format!("%{directive} is no directive here; the directives are {KNOWN}")
                })?),
            }
            rest = after;
            continue;
        }
        let (letter, after) = rest.split_at(first.len_utf8());
        match pieces.last_mut() {
            Some(Piece::Letters(letters)) => letters.extend_from_slice(letter.as_bytes()),
            _ => pieces.push(Piece::Letters(letter.as_bytes().to_vec())),
        }
        rest = after;
    }
    Ok(())
}

fn piece(directive: &str) -> Option<Piece> {
    Some(match directive {
        "Y" => Piece::Year,
        "y" => Piece::ShortYear,
        "m" => Piece::Number(Part::Month, true),
        "-m" => Piece::Number(Part::Month, false),
        "b" | "^b" | "B" | "^B" => {
            Piece::Month { full: directive.ends_with('B'), upper: directive.starts_with('^') }
        }
        "d" => Piece::Number(Part::Day, true),
        "-d" => Piece::Number(Part::Day, false),
        "a" | "A" => Piece::Weekday { full: directive == "A" },
        "H" => Piece::Number(Part::Hour, true),
        "-H" => Piece::Number(Part::Hour, false),
        "I" => Piece::Number(Part::HalfHour, true),
        "-I" => Piece::Number(Part::HalfHour, false),
        "M" => Piece::Number(Part::Minute, true),
        "S" => Piece::Number(Part::Second, true),
        "f" | "6f" => Piece::Fraction(6),
        "3f" => Piece::Fraction(3),
        "9f" => Piece::Fraction(9),
        "p" => Piece::Half { upper: true },
        "P" => Piece::Half { upper: false },
        "%" => Piece::Letters(b"%".to_vec()),
        _ => return None,
    })
}

/// Whether a piece tells the part of this name.
type Tells = fn(&Piece) -> bool;

const PARTS: [(&str, Tells); 10] = [
    ("year", |piece| matches!(piece, Piece::Year | Piece::ShortYear)),
    ("month", |piece| matches!(piece, Piece::Month { .. } | Piece::Number(Part::Month, _))),
    ("day", |piece| matches!(piece, Piece::Number(Part::Day, _))),
    ("weekday", |piece| matches!(piece, Piece::Weekday { .. })),
    ("hour", |piece| matches!(piece, Piece::Number(Part::Hour | Part::HalfHour, _))),
    ("minute", |piece| matches!(piece, Piece::Number(Part::Minute, _))),
    ("second", |piece| matches!(piece, Piece::Number(Part::Second, _))),
    ("fraction of a second", |piece| matches!(piece, Piece::Fraction(_))),
    ("half of the day", |piece| matches!(piece, Piece::Half { .. })),
    ("hour of twelve", |piece| matches!(piece, Piece::Number(Part::HalfHour, _))),
];

fn check(pieces: &[Piece]) -> Result<(), String> {
    let counts = PARTS.map(|(_, tells)| pieces.iter().filter(|piece| tells(piece)).count());
    if let Some((_, (part, _))) = counts.iter().zip(PARTS).find(|(count, _)| **count > 1) {
        return Err(format!("the {part} is told twice"));
    }
    let [year, month, day, weekday, hour, minute, second, fraction, half, of_twelve] = counts.map(|n| n > 0);
    let missing = match () {
        () if (year || month || day || weekday) && !(year && month && day) => {
            "a date has a year, a month and a day"
        }
        () if half && !of_twelve => "%p goes with %I",
        () if of_twelve && !half => "%I goes with %p",
        () if minute && !hour => "minutes go with hours",
        () if second && !minute => "seconds go with minutes",
        () if fraction && !second => "fractions of a second go with seconds",
        () => "",
    };
    if !missing.is_empty() {
        return Err(missing.to_owned());
    }
    let free = |piece: &Piece| matches!(piece, Piece::Number(_, false));
    match pieces.windows(2).any(|pair| free(&pair[0]) && pair[1].may_begin_with_digit()) {
        true => {
            Err("where a number without padding ends cannot be told from the digits behind it".to_owned())
        }
        false => Ok(()),
    }
}
