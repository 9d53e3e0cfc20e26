//! Provides the reading of definitions. Every fault is told with file, line, column and key, and with what
//! would be allowed.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::has_level;
use super::texts::check_text;
use super::{BUILT_IN, BuiltIn, Class, Codec, Key, Kind, MediaType, Model, Rule, Value, size};
use crate::error::{Error, Result};

/// Bytes of a definition at most: those of the program have 500.
const DEFINITION_BYTES_MAX: u64 = 64 << 10;

/// Characters of a name at most.
const NAME_CHARS_MAX: usize = 100;

/// Tables of a definition.
const TABLES: [&str; 6] = ["type", "transport", "storage", "runtime", "coherence", "rule"];

/// The text of a file.
pub(super) fn text_of(path: &Path) -> Result<String> {
    crate::file::text_of(path, "a definition", DEFINITION_BYTES_MAX)
}

/// A type that comes with the program.
pub(super) fn built_in(entry: &BuiltIn) -> Result<MediaType> {
    let empty = MediaType {
        name: String::new(),
        media_type: String::new(),
        endings: Vec::new(),
        codec: entry.codec,
        rules: Vec::new(),
        values: BTreeMap::new(),
        changed: BTreeMap::new(),
        places: BTreeMap::new(),
    };
    let text = Text { name: entry.name, text: entry.text };
    let mut media = text.onto(empty, &text.parse()?)?;
    media.changed.clear();
    media.places.clear();
    Ok(media)
}

/// Changes a type, or adds one.
pub(super) fn apply(types: &mut Vec<MediaType>, name: &str, text: &str) -> Result<()> {
    let text = Text { name, text };
    let table = text.parse()?;
    let about = text.table(&table, "type")?.ok_or_else(|| {
        text.error(0, "type", "is missing: it says which type this is, as media-type or name, or by codec")
    })?;
    let head = table.get_key_value("type").map_or(0, |(key, _)| key.span().start);
    let given = |key: &str| about.get(key).and_then(|value| value.get_ref().as_str());
    let by_name = |media: &MediaType| {
        given("media-type")
            .map_or(given("name") == Some(media.name.as_str()), |text| text == media.media_type)
    };
    if let Some(at) = types.iter().position(by_name) {
        let changed = text.onto(types[at].clone(), &table)?;
        if let Some(other) =
            types.iter().find(|other| changed.name != types[at].name && other.has_rule_for(&types[at].name))
        {
            let (name, other) = (&types[at].name, &other.name);
            let what =
                format!("a rule of {other} names {name:?}; keep this name, and give the type more endings");
            return Err(text.error(text.at(about, "name"), "type.name", &what));
        }
        types[at] = changed;
        return Ok(());
    }
    let Some(codec) = given("codec") else {
        let what = "is missing: no type has this name, and a new one says what reads and writes it";
        return Err(text.error(head, "type.codec", what));
    };
    if BUILT_IN.iter().any(|entry| entry.name == codec && matches!(entry.codec, Codec::Bytes(_))) {
        let what =
            "a wrapping of bytes is one type; change that one, or name a codec of tables, arrays or images";
        return Err(text.error(text.at(about, "codec"), "type.codec", what));
    }
    for needed in ["name", "media-type", "endings"] {
        if !about.contains_key(needed) {
            return Err(text.error(head, &format!("type.{needed}"), "is missing: a new type has its own"));
        }
    }
    let base = BUILT_IN.iter().position(|entry| entry.name == codec).map(|at| types[at].clone());
    let base = base.ok_or_else(|| {
        let names = BUILT_IN.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
        text.error(text.at(about, "codec"), "type.codec", &format!("{codec:?} is none of {names}"))
    })?;
    // Of a new type everything is new, and its codec is recorded first of all.
    let base = MediaType { name: String::new(), media_type: String::new(), endings: Vec::new(), ..base };
    types.push(text.onto(base, &table)?);
    Ok(())
}

/// Checks what no file can tell by itself.
pub(super) fn check_all(types: &[MediaType]) -> Result<()> {
    for (at, media) in types.iter().enumerate() {
        for other in &types[..at] {
            let names = [&media.name, &media.media_type].into_iter().chain(&media.endings);
            if let Some(twice) = names.into_iter().find(|name| other.answers(name)) {
                let (ours, theirs) = (&media.media_type, &other.media_type);
                // One of the two at least was told by a definition.
                let at = [media, other].into_iter().find_map(|media| media.place_of(twice));
                let at = at.map_or("media types".to_owned(), |(place, key)| format!("{place}: {key}"));
                return Err(Error::Misuse(format!(
                    "{at}: {twice:?} would be {ours} and {theirs}; give one of the two another name or ending"
                )));
            }
        }
        for rule in &media.rules {
            check_rule(types, media, rule)?;
        }
    }
    Ok(())
}

/// A rule may not promise more than the codec keeps.
fn check_rule(types: &[MediaType], media: &MediaType, rule: &Rule) -> Result<()> {
    for name in &rule.to {
        let known = types.iter().any(|other| other.name == *name);
        if !known && Model::ALL.iter().all(|model| model.name() != name) {
            let what = format!("{name:?} is no type; a rule names types, or tables, arrays, images or bytes");
            return Err(Error::Misuse(format!("{}: rule.to: {what}", rule.at)));
        }
        let of_model = |other: &&MediaType| other.codec.is_written() && other.codec.model().name() == name;
        let met = types.iter().filter(|other| other.name == *name || of_model(other));
        for other in met {
            let best = possible(media.codec, other.codec);
            let kept = match rule.class {
                Class::Refused => true,
                Class::Reversible => best == Class::Reversible,
                Class::Exact | Class::Bounded => best != Class::Refused,
            };
            if !kept {
                let (ours, theirs) = (&media.name, &other.name);
                let what = match best {
                    Class::Refused => format!("there is no conversion of {ours} to {theirs}: refused is all"),
                    best => format!("{ours} to {theirs} is {} at best", best.name()),
                };
                let class = rule.class.name();
                return Err(Error::Misuse(format!(
                    "{}: rule.class: {class:?} is not kept: {what}",
                    rule.class_at
                )));
            }
        }
    }
    Ok(())
}

/// What the program's own rules say of two codecs.
fn possible(from: Codec, to: Codec) -> Class {
    let own = BUILT_IN.iter().find(|entry| entry.codec == from && to.is_written()).map(built_in);
    let Some(Ok(own)) = own else { return Class::Refused };
    let about = |rule: &&Rule| rule.to.iter().any(|name| name == to.name() || name == to.model().name());
    own.rules.iter().rev().find(about).map_or(Class::Refused, |rule| rule.class)
}

/// A definition and its name, for messages.
struct Text<'a> {
    name: &'a str,
    text: &'a str,
}

type Table<'a> = DeTable<'a>;

impl<'a> Text<'a> {
    fn parse(&self) -> Result<Table<'a>> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            Error::Misuse(format!("{}: {}", self.place(at), error.message()))
        })?;
        let table = table.into_inner();
        for key in table.keys() {
            if !TABLES.contains(&key.get_ref().as_ref()) {
                let known = TABLES.join(", ");
                let what = format!("is no table of a definition; the tables are {known}");
                return Err(self.error(key.span().start, key.get_ref(), &what));
            }
        }
        Ok(table)
    }

    /// File, line and column.
    fn place(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("{}, line {line}, column {column}", self.name)
    }

    /// Where the value of a key begins.
    fn at(&self, table: &Table<'a>, key: &str) -> usize {
        table.get(key).map_or(0, |value| value.span().start)
    }

    fn error(&self, at: usize, key: &str, what: &str) -> Error {
        Error::Misuse(format!("{}: {key}: {what}", self.place(at)))
    }

    fn table<'t>(&self, table: &'t Table<'a>, name: &str) -> Result<Option<&'t Table<'a>>> {
        match table.get(name) {
            None => Ok(None),
            Some(value) => {
                value.get_ref().as_table().map(Some).ok_or_else(|| {
                    self.error(value.span().start, name, &format!("is a table; write [{name}]"))
                })
            }
        }
    }

    /// A type with what a definition says of it.
    fn onto(&self, mut media: MediaType, table: &Table<'a>) -> Result<MediaType> {
        if let Some(about) = self.table(table, "type")? {
            self.names(&mut media, about)?;
        }
        for name in ["transport", "storage", "runtime", "coherence"] {
            for (key, value) in self.table(table, name)?.into_iter().flatten() {
                let full = format!("{name}.{}", key.get_ref());
                let at = key.span().start;
                let Some(known) = Key::named(name, key.get_ref()) else {
                    let keys = Key::ALL.into_iter().filter(|key| key.is_about(media.codec));
                    let keys = keys.map(|key| key.about().name).filter(|key| key.starts_with(name));
                    let keys = keys.collect::<Vec<_>>().join(", ");
                    return Err(self.error(at, &full, &format!("is no key; the keys here are {keys}")));
                };
                if !known.is_about(media.codec) {
                    let (words, codec) = (known.about().words, media.codec.name());
                    let what = format!("is about {words}, and would do nothing for the codec {codec}");
                    return Err(self.error(at, &full, &what));
                }
                let value = self.value(known, media.codec, value)?;
                if media.values.get(&known) != Some(&value) {
                    media.changed.insert(full, shown(&value));
                    media.values.insert(known, value);
                }
            }
        }
        self.rules(&mut media, table)?;
        Ok(media)
    }

    fn names(&self, media: &mut MediaType, about: &Table<'a>) -> Result<()> {
        for (key, value) in about {
            let at = value.span().start;
            let full = format!("type.{}", key.get_ref());
            let text = || match value.get_ref().as_str() {
                Some(text) if is_name(text) => Ok(text.to_owned()),
                _ => Err(self.error(at, &full, "is a text in lower case, without spaces, such as \"csv\"")),
            };
            let before = (media.name.clone(), media.media_type.clone(), media.endings.clone());
            match key.get_ref().as_ref() {
                "name" => media.name = text()?,
                "media-type" => media.media_type = text()?,
                "codec" if text()? == media.codec.name() => continue,
                "codec" => {
                    let own = media.codec.name();
                    return Err(self.error(
                        at,
                        &full,
                        &format!("is {own:?} for this type, and cannot change"),
                    ));
                }
                "endings" => media.endings = self.texts(value, &full)?,
                _ => {
                    let what = "is no key; the keys here are name, media-type, codec and endings";
                    return Err(self.error(key.span().start, &full, what));
                }
            }
            media.places.insert(full.clone(), self.place(at));
            if before != (media.name.clone(), media.media_type.clone(), media.endings.clone()) {
                media.changed.insert(full, value_text(self.text, value));
            }
        }
        Ok(())
    }

    /// One name or several.
    fn texts(&self, value: &Spanned<DeValue<'a>>, key: &str) -> Result<Vec<String>> {
        let what = "is a text or a list of texts, in lower case and without spaces";
        let one = |value: &Spanned<DeValue<'a>>| match value.get_ref().as_str() {
            Some(text) if is_name(text) => Ok(text.to_owned()),
            _ => Err(self.error(value.span().start, key, what)),
        };
        match value.get_ref().as_array() {
            Some(list) if list.is_empty() => Err(self.error(value.span().start, key, what)),
            Some(list) => list.iter().map(one).collect(),
            None => Ok(vec![one(value)?]),
        }
    }

    fn value(&self, key: Key, codec: Codec, value: &Spanned<DeValue<'a>>) -> Result<Value> {
        let about = key.about();
        let wrong = |what: &str| Err(self.error(value.span().start, about.name, what));
        let whole = || value.get_ref().as_integer().and_then(|found| integer(found.as_str(), found.radix()));
        match about.kind {
            Kind::Truth => match value.get_ref().as_bool() {
                Some(truth) => Ok(Value::Truth(truth)),
                None => wrong("is true or false"),
            },
            Kind::Number(least, most) => {
                let float = value.get_ref().as_float().and_then(|found| found.as_str().parse::<f64>().ok());
                let number = float.or_else(|| whole().map(|whole| whole as f64));
                match number.filter(|number| (least..=most).contains(number)) {
                    Some(number) => Ok(Value::Number(number)),
                    None => wrong(&format!("is a number between {least} and {most}")),
                }
            }
            Kind::Whole(least, most, multiple) => match whole() {
                Some(found) if key == Key::Level => match codec {
                    Codec::Bytes(codec) if has_level(codec, found) => Ok(Value::Whole(found)),
                    _ => wrong("is no level of this codec; see isoform formats"),
                },
                Some(found) if (least..=most).contains(&found) && found.is_multiple_of(multiple) => {
                    Ok(Value::Whole(found))
                }
                _ if multiple == 1 => wrong(&format!("is a whole number between {least} and {most}")),
                _ => wrong(&format!("is a multiple of {multiple} between {least} and {most}")),
            },
            Kind::Bytes(multiple) => Ok(Value::Whole(self.size(about.name, value, multiple)?)),
            Kind::BytesByLevel(multiple) => match value.get_ref().as_table() {
                None => Ok(Value::Whole(self.size(about.name, value, multiple)?)),
                Some(steps) => self.steps(about.name, codec, steps, multiple),
            },
            Kind::Text => match value.get_ref().as_str() {
                None => wrong("is a text"),
                Some(text) => match check_text(key, codec, text) {
                    Ok(()) => Ok(Value::Text(text.to_owned())),
                    Err(what) => wrong(&format!("{text:?} {what}")),
                },
            },
        }
    }

    fn size(&self, key: &str, value: &Spanned<DeValue<'a>>, multiple: u64) -> Result<u64> {
        let found = match value.get_ref() {
            DeValue::String(text) => size(text),
            DeValue::Integer(found) => integer(found.as_str(), found.radix()),
            _ => None,
        };
        let fits = |size: &u64| size.is_multiple_of(multiple) && (multiple == 1 || *size > 0);
        found.filter(fits).filter(|size| *size <= 1 << 40).ok_or_else(|| {
            let of = if multiple == 1 { String::new() } else { format!(", a multiple of {multiple} bytes") };
            self.error(value.span().start, key, &format!("is a size such as \"8MiB\"{of}, at most 1024GiB"))
        })
    }

    fn steps(&self, key: &str, codec: Codec, steps: &Table<'a>, multiple: u64) -> Result<Value> {
        let mut found = Vec::new();
        for (level, size) in steps {
            let number = level.get_ref().parse::<u64>().ok().filter(|number| match codec {
                Codec::Bytes(codec) => has_level(codec, *number),
                _ => false,
            });
            let Some(number) = number else {
                let what = format!("{:?} is no level of the codec {}", level.get_ref(), codec.name());
                return Err(self.error(level.span().start, key, &what));
            };
            found.push((number, self.size(key, size, multiple)?));
        }
        found.sort_unstable();
        Ok(Value::Steps(found))
    }

    fn rules(&self, media: &mut MediaType, table: &Table<'a>) -> Result<()> {
        let Some(value) = table.get("rule") else { return Ok(()) };
        let Some(list) = value.get_ref().as_array() else {
            return Err(self.error(value.span().start, "rule", "is a list of tables; write [[rule]]"));
        };
        for value in list.iter() {
            let Some(rule) = value.get_ref().as_table() else {
                return Err(self.error(value.span().start, "rule", "is a table; write [[rule]]"));
            };
            let rule = self.rule(value.span().start, rule)?;
            let told = format!("{} → {}", rule.class.name(), rule.to.join(", "));
            let told = rule.cost.map_or(told.clone(), |cost| format!("{told}, cost {cost}"));
            media.changed.insert(format!("rule.{:03}", media.rules.len()), told);
            media.rules.push(rule);
        }
        Ok(())
    }

    fn rule(&self, start: usize, table: &Table<'a>) -> Result<Rule> {
        let (mut to, mut class, mut cost, mut why) = (Vec::new(), None, None, None);
        for (key, value) in table {
            let at = value.span().start;
            let full = format!("rule.{}", key.get_ref());
            let text = value.get_ref().as_str();
            match key.get_ref().as_ref() {
                "to" => to = self.texts(value, &full)?,
                "class" => {
                    let found = Class::ALL.into_iter().find(|class| Some(class.name()) == text);
                    let names = Class::ALL.map(Class::name).join(", ");
                    let what = format!("is one of {names}");
                    class = Some(found.ok_or_else(|| self.error(at, &full, &what))?);
                }
                "cost" => {
                    let found = match value.get_ref() {
                        DeValue::Float(found) => found.as_str().parse::<f64>().ok(),
                        DeValue::Integer(found) => found.as_str().parse::<f64>().ok(),
                        _ => None,
                    };
                    let found = found.filter(|cost| (0.0..=1e6).contains(cost));
                    cost = Some(found.ok_or_else(|| self.error(at, &full, "is a number between 0 and 1e6"))?);
                }
                "why" => why = Some(text.ok_or_else(|| self.error(at, &full, "is a text"))?.to_owned()),
                _ => {
                    let what = "is no key; the keys here are to, class, cost and why";
                    return Err(self.error(key.span().start, &full, what));
                }
            }
        }
        match class {
            Some(class) if !to.is_empty() => {
                let at = |key: &str| self.place(self.at(table, key));
                Ok(Rule { to, class, cost, why, at: at("to"), class_at: at("class") })
            }
            _ => Err(self.error(start, "rule", "says what it is about (to) and what survives (class)")),
        }
    }
}

/// A whole number as TOML writes it.
fn integer(text: &str, radix: u32) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches('+'), radix).ok()
}

fn is_name(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-._/".contains(c);
    !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.chars().all(fine)
}

/// A value as certificates tell it.
fn shown(value: &Value) -> String {
    match value {
        Value::Whole(whole) => whole.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Truth(truth) => truth.to_string(),
        Value::Text(text) => text.clone(),
        Value::Steps(steps) => {
            let steps: Vec<String> = steps.iter().map(|(level, size)| format!("{level}: {size}")).collect();
            steps.join(", ")
        }
    }
}

/// A value as it is written.
fn value_text(text: &str, value: &Spanned<DeValue<'_>>) -> String {
    text.get(value.span()).unwrap_or("").trim_matches('"').to_owned()
}
