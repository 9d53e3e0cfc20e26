//! Provides the items of a file (ISO/IEC 14496-12, section 8.11, and ISO/IEC 23008-12): where their bytes
//! are, what they refer to, and their properties.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::damaged;
use crate::error::{Error, Place, Result};
use crate::image::boxes::{Fields, IsoBox};
use crate::limits::AVIF_ITEMS_MAX;

/// Reference from an auxiliary image to its master.
pub(super) const AUXILIARY: [u8; 4] = *b"auxl";
/// Reference from a derived image to its parts.
pub(super) const DERIVED: [u8; 4] = *b"dimg";
/// Reference from metadata to what they describe.
pub(super) const DESCRIBES: [u8; 4] = *b"cdsc";
/// Reference from colours to the opacity that they are premultiplied with.
pub(super) const PREMULTIPLIED: [u8; 4] = *b"prem";

/// What is known of an item.
#[derive(Debug, Default)]
pub(super) struct Item<'a> {
    /// What it is; zeros where nothing says so.
    pub kind: [u8; 4],
    /// The media type of an item `mime`.
    pub content_type: &'a [u8],
    /// Whether its bytes are in the box `idat`.
    inside: bool,
    /// Where its bytes are, and how many.
    extents: Vec<(u64, u64)>,
    /// Numbers of properties, from 0, and whether a reader has to know them.
    properties: Vec<(usize, bool)>,
    /// What it refers to, in order.
    references: Vec<([u8; 4], u32)>,
}

impl Item<'_> {
    /// Where its first bytes are, in the file or in the box `idat`.
    pub fn byte(&self) -> u64 {
        self.extents.first().map_or(0, |(byte, _)| *byte)
    }
}

/// The items of a file.
#[derive(Debug, Default)]
pub(super) struct Meta<'a> {
    /// The number of the one that is shown.
    pub primary: u32,
    /// All of them, by their numbers.
    pub items: BTreeMap<u32, Item<'a>>,
    properties: Vec<IsoBox<'a>>,
    inside: &'a [u8],
    file: &'a [u8],
}

impl<'a> Meta<'a> {
    /// Of the box `meta` in a file.
    pub fn read(file: &'a [u8], meta: &IsoBox<'a>) -> Result<Self> {
        let (_, _, fields) = meta.full()?;
        let mut found = Self { file, ..Self::default() };
        let mut primary = None;
        for part in meta.behind(&fields)? {
            match &part.kind {
                b"hdlr" => check_handler(&part)?,
                b"pitm" => {
                    let (version, _, mut fields) = part.full()?;
                    primary = Some(number(&mut fields, version >= 1)?);
                }
                b"iinf" => found.infos(&part)?,
                b"iloc" => found.locations(&part)?,
                b"iref" => found.references(&part)?,
                b"iprp" => found.properties(&part)?,
                b"idat" => found.inside = part.data,
                _ => {}
            }
        }
        found.primary = primary.ok_or_else(|| damaged(meta.byte, "no item is the primary one"))?;
        Ok(found)
    }

    /// An item.
    pub fn item(&self, number: u32) -> Result<&Item<'a>> {
        self.items.get(&number).ok_or_else(|| damaged(0, &format!("there is no item {number}")))
    }

    /// Bytes of the file.
    pub fn file_bytes(&self) -> usize {
        self.file.len()
    }

    /// The bytes of an item. Those of all extents are at most as many as the file has.
    pub fn data(&self, item: &Item<'a>) -> Result<Cow<'a, [u8]>> {
        let from = if item.inside { self.inside } else { self.file };
        let piece = |&(begin, length): &(u64, u64)| {
            let begin = usize::try_from(begin).ok()?;
            from.get(begin..begin.checked_add(usize::try_from(length).ok()?)?)
        };
        let outside =
            |extent: &(u64, u64)| damaged(extent.0, "the bytes of an item do not lie within the file");
        if let [extent] = item.extents.as_slice() {
            return piece(extent).map(Cow::Borrowed).ok_or_else(|| outside(extent));
        }
        let mut all = Vec::new();
        for extent in &item.extents {
            all.extend(piece(extent).ok_or_else(|| outside(extent))?);
            if all.len() > self.file.len() {
                return Err(damaged(extent.0, "the extents of an item lie over each other"));
            }
        }
        Ok(Cow::Owned(all))
    }

    /// The properties of an item, in their order, and whether a reader has to know them.
    pub fn of(&self, item: &Item<'a>) -> impl Iterator<Item = (IsoBox<'a>, bool)> {
        item.properties.iter().filter_map(|(at, essential)| Some((*self.properties.get(*at)?, *essential)))
    }

    /// The first property of an item of this kind.
    pub fn property(&self, item: &Item<'a>, kind: &[u8; 4]) -> Option<IsoBox<'a>> {
        self.of(item).map(|(property, _)| property).find(|property| property.kind == *kind)
    }

    /// What an item refers to in this way.
    pub fn targets<'i>(&self, item: &'i Item<'a>, kind: [u8; 4]) -> impl Iterator<Item = u32> + use<'a, 'i> {
        item.references.iter().filter(move |(known, _)| *known == kind).map(|(_, to)| *to)
    }

    fn infos(&mut self, part: &IsoBox<'a>) -> Result<()> {
        let (version, _, mut fields) = part.full()?;
        number(&mut fields, version >= 1)?;
        for info in part.behind(&fields)? {
            if info.kind != *b"infe" {
                continue;
            }
            let (version, _, mut fields) = info.full()?;
            if version < 2 {
                return Err(damaged(info.byte, "an item has no type"));
            }
            let id = number(&mut fields, version > 2)?;
            if fields.u16()? != 0 {
                return Err(protected(info.byte));
            }
            let kind = fields.take(4)?;
            fields.text()?;
            let content_type = if kind == b"mime" { fields.text()? } else { &[] };
            let item = self.entry(id, info.byte)?;
            item.kind.copy_from_slice(kind);
            item.content_type = content_type;
        }
        Ok(())
    }

    fn entry(&mut self, id: u32, byte: u64) -> Result<&mut Item<'a>> {
        if self.items.len() >= AVIF_ITEMS_MAX && !self.items.contains_key(&id) {
            return Err(Error::Limit {
                place: Box::new(Place::at_byte(byte)),
                what: "the number of items in an AVIF",
                max: AVIF_ITEMS_MAX as u64,
                hint: "write it again with fewer tiles".to_owned(),
            });
        }
        Ok(self.items.entry(id).or_default())
    }

    fn locations(&mut self, part: &IsoBox<'a>) -> Result<()> {
        let (version, _, mut fields) = part.full()?;
        let sizes = fields.u16()?;
        let width = |shift: u16| usize::from(sizes >> shift & 0xf);
        let (offset, length, base) = (width(12), width(8), width(4));
        let index = if version == 0 { 0 } else { width(0) };
        if version > 2 || [offset, length, base, index].iter().any(|width| ![0, 4, 8].contains(width)) {
            return Err(damaged(part.byte, "the places of items are laid out in an unknown way"));
        }
        for _ in 0..number(&mut fields, version == 2)? {
            let byte = fields.byte();
            let id = number(&mut fields, version == 2)?;
            let method = if version == 0 { 0 } else { fields.u16()? & 0xf };
            if method > 1 || fields.u16()? != 0 {
                let what = "an item whose bytes are in another file or item is not read";
                return Err(Error::unsupported(Place::at_byte(byte), what, "write it as one file first"));
            }
            let base = fields.uint(base)?;
            let count = fields.u16()?;
            let item = self.entry(id, byte)?;
            item.inside = method == 1;
            item.extents.clear();
            for _ in 0..count {
                fields.uint(index)?;
                let begin = fields.uint(offset)?.checked_add(base);
                let begin = begin.ok_or_else(|| damaged(byte, "an item lies beyond every file"))?;
                item.extents.push((begin, fields.uint(length)?));
            }
        }
        Ok(())
    }

    fn references(&mut self, part: &IsoBox<'a>) -> Result<()> {
        let (version, _, fields) = part.full()?;
        for list in part.behind(&fields)? {
            let mut fields = list.fields();
            let from = number(&mut fields, version > 0)?;
            let count = fields.u16()?;
            let item = self.entry(from, list.byte)?;
            for _ in 0..count {
                item.references.push((list.kind, number(&mut fields, version > 0)?));
            }
        }
        Ok(())
    }

    fn properties(&mut self, part: &IsoBox<'a>) -> Result<()> {
        for inner in part.children()? {
            match &inner.kind {
                b"ipco" => self.properties = inner.children()?,
                b"ipma" => self.associations(&inner)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn associations(&mut self, part: &IsoBox<'a>) -> Result<()> {
        let (version, flags, mut fields) = part.full()?;
        let wide = flags & 1 == 1;
        for _ in 0..fields.u32()? {
            let byte = fields.byte();
            let id = number(&mut fields, version > 0)?;
            let count = fields.u8()?;
            let item = self.entry(id, byte)?;
            for _ in 0..count {
                let value = fields.uint(1 + usize::from(wide))?;
                let top = if wide { 0x8000 } else { 0x80 };
                // Properties are counted from 1; 0 is none.
                if let Some(at) = (value & (top - 1)).checked_sub(1) {
                    item.properties.push((at as usize, value & top != 0));
                }
            }
        }
        Ok(())
    }
}

/// A number of two bytes, or of four.
fn number(fields: &mut Fields<'_>, wide: bool) -> Result<u32> {
    Ok(fields.uint(if wide { 4 } else { 2 })? as u32)
}

fn check_handler(part: &IsoBox<'_>) -> Result<()> {
    let (_, _, mut fields) = part.full()?;
    fields.u32()?;
    match fields.take(4)? {
        b"pict" => Ok(()),
        _ => Err(damaged(part.byte, "what it describes is no image")),
    }
}

fn protected(byte: u64) -> Error {
    let what = "an item that is protected is not read";
    Error::unsupported(Place::at_byte(byte), what, "take its protection away first")
}
