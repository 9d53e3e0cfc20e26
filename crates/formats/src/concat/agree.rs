//! Provides the agreement of several sources about their columns, for each kind of source.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

use super::{Concat, ConcatOptions, Fill, Kind, Member, named};
use crate::annotation::{agreed, bare};
use crate::error::{Error, Place, Result};
use crate::jsonl::JsonProfile;
use crate::open::{Found, TypingRules, of_json};
use crate::registry::Format;
use crate::text::{DecimalMarks, shown_type};
use crate::typings::Typings;

pub(super) fn check_kinds(members: &[Member]) -> Result<()> {
    let kind = |format: Format| match format {
        Format::Csv | Format::Tsv => "delimited text",
        Format::JsonLines => "JSON Lines",
        _ => "a format that holds types",
    };
    let first = &members[0];
    let wanted = kind(first.opened.format);
    match members.iter().find(|member| kind(member.opened.format) != wanted) {
        None => Ok(()),
        Some(other) => {
            let (found, name) = (kind(other.opened.format), first.name.display());
            let what = format!("this is {found}, but {name} is {wanted}");
            let place = Place { path: Some(other.name.clone()), ..Place::default() };
            Err(Error::unsupported(place, what, "convert them with --out-dir to one format first"))
        }
    }
}

fn differs(member: &Member, column: &str, what: String, hint: &str) -> Error {
    let place = Place { path: Some(member.name.clone()), ..Place::default() };
    Error::unsupported(place.column(column), what, hint)
}

const UNITE: &str = "--union unites columns by name and fills missing ones with null";

/// The names of all columns, in order of first appearance; each member learns where its own are.
fn united_names(members: &mut [Member], options: &ConcatOptions) -> Result<Vec<String>> {
    let of = |member: &Member| -> Vec<String> {
        member.opened.table().schema().fields().iter().map(|field| field.name().clone()).collect()
    };
    let mut names = of(&members[0]);
    let first = members[0].name.display().to_string();
    for member in members.iter().skip(1).filter(|_| !options.union) {
        let found = of(member);
        let count = names.len().max(found.len());
        let Some(at) = (0..count).find(|at| names.get(*at) != found.get(*at)) else { continue };
        let position = at + 1;
        let (column, what) = match (names.get(at), found.get(at)) {
            (Some(want), Some(found)) => {
                (found, format!("column {position} is another one than in {first}, where it is {want:?}"))
            }
            (Some(want), None) => (want, format!("this column of {first} is missing")),
            (None, Some(found)) => (found, format!("{first} does not have this column")),
            (None, None) => continue,
        };
        return Err(differs(member, column, what, UNITE));
    }
    if !options.union {
        let all = (0..names.len()).map(Some).collect::<Vec<_>>();
        members.iter_mut().for_each(|member| member.columns.clone_from(&all));
        return Ok(names);
    }
    let mut positions: HashMap<String, usize> = HashMap::new();
    names.clear();
    for member in members.iter_mut() {
        let mut own: HashMap<String, usize> = HashMap::new();
        for (at, name) in of(member).into_iter().enumerate() {
            if own.insert(name.clone(), at).is_some() {
                let what = "this name stands for two columns".to_owned();
                return Err(differs(member, &name, what, "give each column a name of its own to unite them"));
            }
            positions.entry(name).or_insert_with_key(|name| {
                names.push(name.clone());
                names.len() - 1
            });
        }
    }
    for member in members.iter_mut() {
        member.columns = vec![None; names.len()];
        for (at, name) in of(member).iter().enumerate() {
            member.columns[positions[name]] = Some(at);
        }
    }
    Ok(names)
}

fn fills(members: &[Member], names: &[String]) -> Vec<Fill> {
    let mut fills = Vec::new();
    for member in members {
        let missing = names.iter().zip(&member.columns).filter(|(_, column)| column.is_none());
        fills.extend(missing.map(|(name, _)| Fill {
            source: member.name.clone(),
            column: name.clone(),
            rows: member.rows(),
        }));
    }
    fills
}

/// The rules for columns that sources have. The types of those that directories tell were given with them.
fn own_rules(rules: &TypingRules, names: &[String], options: &ConcatOptions) -> TypingRules {
    let mut rules = rules.clone();
    let told = |name: &String| options.path_columns.iter().any(|column| column.name == *name);
    rules.fixed.retain(|(name, _)| names.contains(name) || !told(name));
    rules
}

/// Delimited texts of which one certificate tells the types of all columns: each has all of them, in its
/// order.
pub(super) fn told_fields(
    mut members: Vec<Member>,
    options: &ConcatOptions,
    rules: &TypingRules,
) -> Result<Concat> {
    let fields = members[0].opened.table().schema().fields();
    let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let Typings::Fields(typings) = joined(&members, &|member| member.opened.typings()) else {
        return Err(Error::Bug("one certificate tells different styles".into()));
    };
    let rules = own_rules(rules, &names, options);
    let fresh = rules.profiles(names.iter().map(String::as_str))?;
    let all: Vec<_> = (0..names.len()).map(Some).collect();
    members.iter_mut().for_each(|member| member.columns.clone_from(&all));
    let why = members[0].opened.why().to_vec();
    let kind = Kind::Fields { fresh, typings: Vec::new(), why: Vec::new(), whole: true, open: false };
    let mut concat = Concat::of(members, Arc::new(Schema::empty()), kind, Vec::new());
    concat.take_fields(&names, Found { typings, why, is_open: false }, true);
    Ok(concat)
}

pub(super) fn fields(
    mut members: Vec<Member>,
    options: &ConcatOptions,
    rules: &TypingRules,
) -> Result<Concat> {
    let names = united_names(&mut members, options)?;
    let mut rules = own_rules(rules, &names, options);
    // As of one source alone.
    if members.iter().all(|member| member.opened.marks_found) {
        rules.all.decimal_marks = DecimalMarks::Either;
    }
    let fresh = rules.profiles(names.iter().map(String::as_str))?;
    let fills = fills(&members, &names);
    let mut merged = fresh.profiles();
    let kind = Kind::Fields { fresh, typings: Vec::new(), why: Vec::new(), whole: false, open: false };
    let mut concat = Concat::of(members, Arc::new(Schema::empty()), kind, fills);
    // The first and the last chunk of each source propose the types.
    let ends = |member: &Member| -> Vec<usize> {
        let last = member.opened.chunks().saturating_sub(1);
        if last == 0 { vec![0] } else { vec![0, last] }
    };
    let sampled: Vec<(usize, usize)> = concat
        .members
        .iter()
        .enumerate()
        .flat_map(|(at, member)| ends(member).into_iter().map(move |chunk| (at, chunk)))
        .collect();
    let total: usize = concat.members.iter().map(|member| member.opened.chunks().max(1)).sum();
    for (at, chunk) in &sampled {
        let more = concat.observe(*at, *chunk)?;
        concat.merge_fields(&mut merged, *at, &more);
    }
    concat.set_fields(&names, &merged, sampled.len() == total);
    Ok(concat)
}

pub(super) fn json(mut members: Vec<Member>, options: &ConcatOptions) -> Result<Concat> {
    let mut merged = JsonProfile::new();
    let mut own_names = Vec::new();
    for member in &members {
        let mut own = JsonProfile::new();
        for chunk in 0..member.opened.chunks() {
            let more = member.opened.observe_json(chunk, member.rows_before);
            own.merge(&more.map_err(|error| named(error, member))?)?;
        }
        let resolved = own.resolve(false);
        let names = resolved.schema.fields().iter().map(|field| field.name().clone());
        own_names.push(names.collect::<Vec<_>>());
        merged.merge(&own)?;
    }
    // Columns that tell where keys are left out are of the whole: a source needs no such of its own.
    let named = merged.resolve(false).schema;
    let names: Vec<String> = named.fields().iter().map(|field| field.name().clone()).collect();
    let resolved = merged.resolve(members.iter().any(|member| member.opened.keeps_presence()));
    let mut fills = Vec::new();
    for (member, own) in members.iter_mut().zip(&own_names) {
        for name in names.iter().filter(|name| !own.contains(name)) {
            if !options.union {
                let what = "no record of this source has this column, and others have".to_owned();
                return Err(differs(member, name, what, UNITE));
            }
            let rows = member.opened.table().rows();
            fills.push(Fill { source: member.name.clone(), column: name.clone(), rows });
        }
        member.columns = (0..resolved.schema.fields().len()).map(Some).collect();
        member.opened.retype_json(member.rows_before, &resolved);
    }
    let why = of_json(&resolved);
    let kind = Kind::Json { why, typings: resolved.typings };
    Ok(Concat::of(members, resolved.schema, kind, fills))
}

/// Sources of which one certificate tells the columns: each has all of them, in its order.
pub(super) fn certified(mut members: Vec<Member>) -> Concat {
    let first = &members[0].opened;
    let schema = first.table().schema().clone();
    let typings = joined(&members, &|member| member.opened.typings());
    let all: Vec<_> = (0..schema.fields().len()).map(Some).collect();
    members.iter_mut().for_each(|member| member.columns.clone_from(&all));
    Concat::of(members, schema, Kind::Typed(typings), Vec::new())
}

/// How the columns of sources that have the same ones stand in text, if all agree on that but for exceptions.
fn joined(members: &[Member], of: &dyn Fn(&Member) -> Typings) -> Typings {
    let rows = |member: &Member| member.rows_before..member.rows_before + member.rows();
    let each: Vec<_> = members.iter().map(|member| (rows(member), of(member))).collect();
    Typings::joined(&each).unwrap_or(Typings::Native)
}

/// The longer of two ways to hold the same values: offsets of 32 and of 64 bits.
fn long(a: &DataType, b: &DataType) -> Option<DataType> {
    match (a, b) {
        (DataType::Utf8, DataType::LargeUtf8) | (DataType::LargeUtf8, DataType::Utf8) => {
            Some(DataType::LargeUtf8)
        }
        (DataType::Binary, DataType::LargeBinary) | (DataType::LargeBinary, DataType::Binary) => {
            Some(DataType::LargeBinary)
        }
        _ => None,
    }
}

pub(super) fn typed(mut members: Vec<Member>, options: &ConcatOptions) -> Result<Concat> {
    let names = united_names(&mut members, options)?;
    let mut united: Vec<Field> = Vec::with_capacity(names.len());
    let mut unsaid: Vec<(&String, Vec<String>)> = Vec::new();
    for (column, name) in names.iter().enumerate() {
        let mut lost = Vec::new();
        united.push(one_field(&members, column, name, &mut lost)?);
        if !lost.is_empty() {
            unsaid.push((name, lost));
        }
    }
    // Only what all sources say of themselves is true of the whole.
    let all = || members.iter().map(|member| member.opened.table().schema().metadata());
    let mut metadata = members[0].opened.table().schema().metadata().clone();
    metadata.retain(|key, value| all().all(|other| other.get(key) == Some(value)));
    let dropped = all().flat_map(|of_one| of_one.keys()).filter(|key| !metadata.contains_key(*key));
    let mut notes: Vec<String> =
        crate::metadata::disagreed(dropped.map(String::as_str)).into_iter().collect();
    let unsaid = unsaid.into_iter().map(|(name, lost)| {
        format!("not all sources say of {name:?} that it is {}: not kept", lost.join(" or "))
    });
    notes.extend(unsaid);
    let schema = Arc::new(Schema::new_with_metadata(united, metadata));
    let fills = fills(&members, &names);
    let in_order = |member: &Member| member.columns.iter().copied().eq((0..names.len()).map(Some));
    let kind = Kind::Typed(match members.iter().all(in_order) {
        true => joined(&members, &|member| Typings::of_metadata(member.opened.table().schema())),
        false => Typings::Native,
    });
    members.iter_mut().for_each(|member| member.opened.notes.extend(notes.iter().cloned()));
    Ok(Concat::of(members, schema, kind, fills))
}

/// A column of the sources that have it, which says of its values what all of them do; `lost` is what only
/// some say.
fn one_field(members: &[Member], column: usize, name: &str, lost: &mut Vec<String>) -> Result<Field> {
    let mut known: Option<Field> = None;
    let mut nullable = false;
    for member in members {
        let own = member.columns[column].map(|at| member.opened.table().schema().field(at));
        nullable |= own.is_none_or(Field::is_nullable);
        let Some(own) = own else { continue };
        let Some(before) = known.take() else {
            known = Some(own.clone());
            continue;
        };
        if bare(before.data_type()) == bare(own.data_type()) {
            known = Some(agreed(&before, own, lost));
            continue;
        }
        let Some(long) = long(before.data_type(), own.data_type()) else {
            let (found, want) = (shown_type(&bare(own.data_type())), shown_type(&bare(before.data_type())));
            let what = format!("its type is {found}, and {want} in the sources before");
            return Err(differs(member, name, what, "convert the sources to one type first"));
        };
        known = Some(agreed(&before, own, lost).with_data_type(long));
    }
    let field = known.ok_or_else(|| Error::Bug(format!("no source has column {name:?}")))?;
    Ok(field.with_nullable(nullable))
}
