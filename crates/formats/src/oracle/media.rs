//! Provides the oracle of definitions of media types: a refusal names the file, and what is accepted is told
//! to a certificate and found in it again.

use serde_json::Map;

use super::{Held, law};
use crate::media::{Catalog, changes, recorded};

/// A file of definitions.
pub fn media_types(bytes: &[u8]) -> Held {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(()) };
    let catalog = match Catalog::with_texts(&[("a.toml".to_owned(), text.to_owned())]) {
        Ok(catalog) => catalog,
        Err(error) => {
            let told = error.to_string();
            return law(told.contains("a.toml"), || format!("a refusal without its file: {told}"));
        }
    };
    for media in catalog.types() {
        let Some(changed) = changes(&[media]) else { continue };
        let parameters = Map::from_iter([("mediaTypes".to_owned(), changed)]);
        let found = recorded(&media.media_type, &parameters);
        law(found.is_some_and(|found| found.codec == media.codec), || {
            format!("{} is not found in what a certificate tells of it", media.name)
        })?;
    }
    Ok(())
}
