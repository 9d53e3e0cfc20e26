//! Runs the conformance suite over the table of formats.

use arrow_schema::SchemaRef;
use formats::conformance::{Subject, damage, round_trip};
use formats::listen::Listener;
use formats::open::open_target;
use formats::registry::{FORMATS, Format};
use formats::typings::Typings;
use formats::write::{Encoder, WriteOptions, encoder};

#[test]
fn every_format_passes_the_suite() {
    for format in FORMATS {
        let options = WriteOptions::plain(format);
        let subject = Subject {
            encoder: &|schema: &SchemaRef| match encoder(schema, &Typings::Native, &options)? {
                Encoder::Binary(encoder) => Ok(encoder),
                Encoder::Csv(encoder) => Ok(Box::new(encoder)),
                Encoder::Json(encoder) => Ok(Box::new(encoder)),
            },
            open: &|file, schema| {
                open_target(
                    file,
                    &options,
                    &encoder(schema, &Typings::Native, &options)?,
                    &Listener::default(),
                )
            },
        };
        round_trip(&subject).unwrap_or_else(|error| panic!("{format:?}: {error}"));
        let refused = damage(&subject, matches!(format, Format::Parquet | Format::ArrowFile));
        let refused = refused.unwrap_or_else(|error| panic!("{format:?}: {error}"));
        assert!(refused > 100, "{format:?} refused only {refused} damaged files");
    }
}
