//! Tests of definitions: the built-in ones, what a person's change, and every fault.

use super::*;
use crate::geometry::{Geometry, cut};
use crate::write::WriteOptions;
use proptest::prelude::*;

fn with(text: &str) -> Result<Catalog> {
    Catalog::with_texts(&[("a.toml".to_owned(), text.to_owned())])
}

fn fault(text: &str) -> String {
    with(text).map(|_| ()).unwrap_err().to_string()
}

const SENSOR: &str = "[type]\nname = \"sensor\"\nmedia-type = \"application/x-sensor+csv\"\ncodec = \"csv\"\n\
                      endings = [\"sensor\"]\n[storage]\ndelimiter = \";\"\n";

#[test]
fn every_codec_has_a_definition_with_all_that_is_required() {
    let catalog = Catalog::built_in();
    assert_eq!(catalog.types().len(), BUILT_IN.len(), "a definition does not parse");
    read::check_all(catalog.types()).unwrap();
    let codecs = crate::registry::FORMATS.map(Codec::Table).into_iter();
    let codecs = codecs.chain(SignalFormat::ALL.map(Codec::Arrays));
    let codecs = codecs.chain(crate::image::IMAGE_FORMATS.map(Codec::Image));
    for codec in codecs.chain(bytes::CODECS.map(Codec::Bytes)) {
        assert!(!codec.name().is_empty(), "{codec:?} has no definition, and no fuzz target");
    }
    for (media, entry) in catalog.types().iter().zip(BUILT_IN) {
        assert_eq!((media.codec, media.name.as_str()), (entry.codec, entry.name));
        assert_eq!(changes(&[media]), None);
        for key in Key::ALL {
            let about = key.about();
            let has = media.value(key).is_some();
            let fine = if key.is_about(media.codec) { has || !about.required } else { !has };
            assert!(fine, "{}: {}", media.name, about.name);
        }
    }
}

#[test]
fn gates_are_budgets_of_images() {
    let jpeg = |within: &str| with(&format!("[type]\nname = \"jpeg\"\n[coherence]\nwithin = {within:?}\n"));
    for fine in ["ssimulacra2=80", "psnr=38,butteraugli=1.5", "ssimulacra2=80,psnr=38"] {
        assert_eq!(jpeg(fine).unwrap().named("jpeg").unwrap().text(Key::Within), Some(fine));
    }
    let bad = [
        "ssimulacra2=100",
        "butteraugli=0",
        "ssimulacra2=80,ssimulacra2=70",
        "exact,ssimulacra2=80",
        "psnr=38,rmse=1",
        "ssimulacra2",
        "",
    ];
    for bad in bad {
        assert!(jpeg(bad).unwrap_err().to_string().contains("ssimulacra2=80 beside them"), "{bad}");
    }
    // A gate has no meaning for one part of an image, nor for arrays.
    assert!(
        fault(
            "[type]\nname = \"jpeg\"\n[coherence]\nwithin = \"psnr=38\"\npart-floor = \"ssimulacra2=80\"\n"
        )
        .contains("is no budget")
    );
    assert!(
        fault("[type]\nname = \"npy\"\n[coherence]\nwithin = \"ssimulacra2=80\"\n").contains("is no budget")
    );
}

#[test]
fn a_definition_changes_how_a_table_is_cut() {
    let parts = |catalog: &Catalog| {
        let media = catalog.named("parquet").unwrap();
        cut(3_000_000, None, &Geometry::of(media), |rows| rows.start * 10..rows.end * 10).len()
    };
    let usual = parts(&Catalog::built_in());
    let fewer = with("[type]\nname = \"parquet\"\n[transport]\nleast-parts = 2\n").unwrap();
    let more =
        with("[type]\nmedia-type = \"application/vnd.apache.parquet\"\n[transport]\npart-rows = 65536\n");
    let small = with("[type]\nname = \"parquet\"\n[transport]\npart-bytes = \"1MiB\"\n").unwrap();
    assert!(parts(&fewer) < usual && usual < parts(&more.unwrap()));
    assert_eq!(parts(&small), 46);
    let jsonl = |text: &str| {
        let catalog = with(text).unwrap();
        let media: &'static MediaType = Box::leak(Box::new(catalog.named("jsonl").unwrap().clone()));
        WriteOptions { media, ..WriteOptions::plain(Format::JsonLines) }
    };
    let slow = jsonl("[type]\nname = \"jsonl\"\n[transport]\nseamless-rows = 131072\n");
    assert_eq!(slow.part_rows(), Some(131_072));
}

#[test]
fn sizes_depend_on_the_level_where_they_say_so() {
    let catalog = with("[type]\nname = \"zstd\"\n[transport]\npart-bytes = { 1 = \"1MiB\", 9 = \"4MiB\" }\n");
    let catalog = catalog.unwrap();
    let zstd = catalog.named("zst").unwrap();
    let at = |level| zstd.at_level(Key::PartBytes, level) >> 20;
    assert_eq!([at(1), at(8), at(9), at(22)], [1, 1, 4, 4]);
    assert_eq!(zstd.memory(8), 32);
}

#[test]
fn a_new_type_has_what_its_codec_has_and_its_own() {
    let catalog = with(SENSOR).unwrap();
    let sensor = catalog.named("application/x-sensor+csv").unwrap();
    assert_eq!(sensor.codec, Codec::Table(Format::Csv));
    assert_eq!(catalog.of_ending("SENSOR", Model::Tables).unwrap().name, "sensor");
    assert_eq!(catalog.of_ending("sensor", Model::Arrays), None);
    assert!(sensor.is_changed(Key::Delimiter) && !sensor.is_changed(Key::PartRows));
    assert_eq!(sensor.whole(Key::PartRows), 1_048_576);
    assert_eq!(edge(sensor, catalog.named("parquet").unwrap()).unwrap().class, Class::Reversible);
    let record = changes(&[sensor]).unwrap();
    let parameters = serde_json::Map::from_iter([("mediaTypes".to_owned(), record)]);
    let found = recorded("application/x-sensor+csv", &parameters).unwrap();
    assert_eq!(found, Recorded { codec: Codec::Table(Format::Csv), delimiter: b';', part_samples: 0 });
    assert_eq!(recorded("application/x-sensor+csv", &serde_json::Map::new()), None);
    let tsv = recorded("text/tab-separated-values", &serde_json::Map::new()).unwrap();
    assert_eq!(tsv.delimiter, b'\t');
}

#[test]
fn a_rule_refuses_and_may_not_promise_more_than_is_kept() {
    let catalog =
        with("[type]\nname = \"csv\"\n[[rule]]\nto = \"avro\"\nclass = \"refused\"\nwhy = \"house rule\"\n");
    let catalog = catalog.unwrap();
    let named = |name: &str| catalog.named(name).unwrap();
    assert_eq!(edge(named("csv"), named("avro")).unwrap().class, Class::Refused);
    assert_eq!(named("csv").rule_to(named("avro")).unwrap().why.as_deref(), Some("house rule"));
    // Another way is found around it.
    let around = chain(&catalog, &[named("csv"), named("avro")]).unwrap();
    assert!(around.len() == 2 && around.iter().all(|step| step.class != Class::Refused));
    let told = fault("[type]\nname = \"jpeg\"\n[[rule]]\nto = \"npy\"\nclass = \"reversible\"\n");
    assert!(
        told.starts_with("a.toml, line 5, column 9: rule.class:") && told.contains("exact at best"),
        "{told}"
    );
    let told = fault("[type]\nname = \"png\"\n[[rule]]\nto = \"csv\"\nclass = \"exact\"\n");
    assert!(told.contains("no conversion of png to csv"), "{told}");
    assert!(
        fault("[type]\nname = \"png\"\n[[rule]]\nto = \"cvs\"\nclass = \"refused\"\n").contains("no type")
    );
}

#[test]
fn chains_are_the_cheapest_and_the_same_every_time() {
    let catalog = Catalog::built_in();
    let named = |name: &str| catalog.named(name).unwrap();
    let told = |stops: &[&str]| {
        let stops: Vec<&MediaType> = stops.iter().map(|name| named(name)).collect();
        chain(&catalog, &stops)
            .map(|steps| steps.iter().map(|step| step.to.name.as_str()).collect::<Vec<_>>())
    };
    assert_eq!(told(&["csv", "parquet"]), Some(vec!["parquet"]));
    assert_eq!(told(&["csv", "npy"]), Some(vec!["arrow", "npy"]));
    assert_eq!(told(&["png", "npy", "png"]), Some(vec!["npy", "png"]));
    assert_eq!(told(&["npy", "safetensors", "gguf"]), Some(vec!["safetensors", "gguf"]));
    assert_eq!(told(&["npy", "csv"]), Some(vec!["arrow", "csv"]));
    assert_eq!(told(&["npy", "npz", "parquet"]), Some(vec!["npz", "arrow", "parquet"]));
    // Everything leads to everything, but not over any number of steps.
    assert_eq!(told(&["csv", "parquet"].repeat(5)), None);
    assert_eq!(told(&["csv", "mp3"]), None, "what is only read");
    // A price decides.
    let dear =
        with("[type]\nname = \"arrow\"\n[[rule]]\nto = \"npy\"\nclass = \"bounded\"\ncost = 100\n").unwrap();
    let stops = ["csv", "npy"].map(|name| dear.named(name).unwrap());
    assert_eq!(chain(&dear, &stops).unwrap()[0].to.name, "arrow-stream");
}

#[test]
fn faults_are_told_with_line_column_key_and_what_is_allowed() {
    let parquet = "[type]\nname = \"parquet\"\n";
    for (text, place, key, allowed) in [
        ("[types]\n", "line 1, column 2", "types", "the tables are type, transport"),
        ("[transport]\n", "line 1, column 1", "type", "is missing"),
        ("[type]\nname = \"x\"\n", "line 1, column 2", "type.codec", "what reads and writes it"),
        (
            "[type]\nname = \"x\"\ncodec = \"zip\"\nmedia-type = \"a/b\"\nendings = [\"x\"]\n",
            "",
            "type.codec",
            "csv",
        ),
        ("[type]\nname = \"x\"\ncodec = \"xz\"\n", "", "type.codec", "one type"),
        ("[type]\nname = \"x\"\ncodec = \"csv\"\n", "", "type.media-type", "has its own"),
        ("[type]\nname = \"csv\"\ncodec = \"tsv\"\n", "line 3, column 9", "type.codec", "\"csv\""),
        ("[type]\nname = \"csv\"\ncolor = 1\n", "line 3, column 1", "type.color", "endings"),
        ("[type]\nname = \"csv\"\nendings = [\"A b\"]\n", "line 3, column 12", "type.endings", "lower case"),
        ("[type]\nname = \"csv\"\nendings = []\n", "line 3, column 11", "type.endings", "list of texts"),
        (
            &format!("{parquet}[transport]\npart-row = 1\n"),
            "line 4, column 1",
            "transport.part-row",
            "part-rows",
        ),
        (
            &format!("{parquet}[transport]\npart-rows = 1000\n"),
            "line 4, column 13",
            "part-rows",
            "multiple of 65536",
        ),
        (&format!("{parquet}[transport]\npart-bytes = \"1KB\"\n"), "line 4, column 14", "part-bytes", "8MiB"),
        (
            &format!("{parquet}[transport]\nseamless-rows = 65536\n"),
            "line 4, column 1",
            "seamless",
            "nothing for",
        ),
        (
            &format!("{parquet}[storage]\ncompression = \"zip\"\n"),
            "line 4, column 15",
            "compression",
            "codec:level",
        ),
        (&format!("{parquet}[storage]\ncompression = \"zstd:99\"\n"), "", "compression", "codec:level"),
        (
            &format!("{parquet}[storage]\ndictionary = 1\n"),
            "line 4, column 14",
            "dictionary",
            "true or false",
        ),
        (&format!("{parquet}[runtime]\nthreads = 0\n"), "line 4, column 11", "threads", "between 1 and 1024"),
        (&format!("{parquet}[runtime]\nmemory-per-byte = 0.5\n"), "", "memory-per-byte", "between 1 and 64"),
        (&format!("{parquet}[coherence]\nwithin = \"exact\"\n"), "", "within", "arrays and images"),
        (
            "[type]\nname = \"png\"\n[coherence]\nwithin = \"good\"\n",
            "line 4, column 10",
            "within",
            "psnr=45",
        ),
        ("[type]\nname = \"png\"\n[coherence]\ntau = 2\n", "line 4, column 7", "tau", "between 0 and 1"),
        ("[type]\nname = \"xz\"\n[storage]\nlevel = 10\n", "line 4, column 9", "level", "no level"),
        ("[type]\nname = \"lz4\"\n[storage]\nlevel = 1\n", "line 4, column 1", "level", "with levels"),
        ("[type]\nname = \"npy\"\n[storage]\nsample-type = \"bf16\"\n", "", "sample-type", "holds"),
        (
            "[type]\nname = \"xz\"\n[transport]\nframing = \"two\"\n",
            "line 4, column 11",
            "framing",
            "`parts` or `one`",
        ),
        (
            "[type]\nname = \"lz4\"\n[transport]\nframing = \"one\"\n",
            "line 4, column 1",
            "framing",
            "gzip, zstd",
        ),
        (
            "[type]\nname = \"xz\"\n[runtime]\nreader-bytes = 1.5\n",
            "line 4, column 16",
            "reader-bytes",
            "a size",
        ),
        (
            "[type]\nname = \"png\"\n[storage]\neffort = \"9\"\n",
            "line 4, column 10",
            "effort",
            "between 0 and 9",
        ),
        ("[type]\nname = \"csv\"\n[storage]\ndelimiter = \"ab\"\n", "", "delimiter", "one ASCII character"),
        (
            "[type]\nname = \"csv\"\n[storage]\ndelimiter = \"\\u0000\"\n",
            "line 4, column 13",
            "storage.delimiter",
            "or NUL",
        ),
        ("[type]\nname = \"csv\"\n[[rule]]\nto = \"csv\"\n", "line 3, column 1", "rule", "class"),
        (
            "[type]\nname = \"csv\"\n[[rule]]\nto = \"csv\"\nclass = \"good\"\n",
            "line 5",
            "rule.class",
            "reversible",
        ),
        ("[type]\nname = \"csv\"\nname = \"b\"\n", "line 3", "", "duplicate"),
        ("rule = 1\n[type]\nname = \"csv\"\n", "line 1", "rule", "[[rule]]"),
    ] {
        let told = fault(text);
        let fine =
            told.starts_with("a.toml, ") && [place, key, allowed].iter().all(|part| told.contains(part));
        assert!(fine, "{text}: {told}");
    }
    for (from, to, place) in [
        ("[\"sensor\"]", "[\"parquet\"]", "a.toml, line 5, column 11: type.endings: \"parquet\" would be"),
        ("\"sensor\"", "\"csv\"", "a.toml, line 2, column 8: type.name: \"csv\" would be"),
    ] {
        let told = fault(&SENSOR.replacen(from, to, 1));
        assert!(told.contains("another name") && told.starts_with(place), "{told}");
    }
    // The rules of other types call it so.
    let told = fault("[type]\nmedia-type = \"application/vnd.apache.arrow.file\"\nname = \"ipc\"\n");
    let place = "a.toml, line 3, column 8: type.name: a rule of npy names \"arrow\"";
    assert!(told.starts_with(place), "{told}");
    // Rules are checked once all types are known.
    for (rule, place) in [
        (
            "to = [\"arrow\", \"none\"]\nclass = \"exact\"",
            "a.toml, line 4, column 6: rule.to: \"none\" is no type",
        ),
        (
            "class = \"reversible\"\nto = \"npy\"",
            "a.toml, line 4, column 9: rule.class: \"reversible\" is not kept",
        ),
    ] {
        let told = fault(&format!("[type]\nname = \"npy\"\n[[rule]]\n{rule}\n"));
        assert!(told.starts_with(place), "{told}");
    }
}

#[test]
fn the_documentation_has_every_key() {
    let text = include_str!("../../../../docs/media-types.md");
    let rows = Key::ALL.map(|key| {
        let about = key.about();
        let kind = match about.kind {
            Kind::Bytes(_) => "size".to_owned(),
            Kind::BytesByLevel(1) => "size, or sizes by level".to_owned(),
            Kind::BytesByLevel(_) => "size in whole MiB, or such sizes by level".to_owned(),
            Kind::Whole(least, most, 1) => format!("{least} to {most}"),
            Kind::Whole(least, most, of) => format!("{least} to {most}, a multiple of {of}"),
            Kind::Number(least, most) => format!("number from {least} to {most}"),
            Kind::Truth => "true, false".to_owned(),
            Kind::Text => "text".to_owned(),
        };
        let needed = if about.required { "" } else { " (none by default)" };
        format!("| `{}` | {kind}{needed} | {} | {} |", about.name, about.words, about.effect)
    });
    let table = rows.join("\n");
    assert!(text.contains(&table), "docs/media-types.md should hold:\n{table}");
}

#[test]
fn the_graph_is_drawn_as_it_is_kept() {
    let catalog = Catalog::built_in();
    let kept = |name: &str| {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/media-types");
        std::fs::read_to_string(root.join(name)).unwrap_or_default()
    };
    assert_eq!(dot(&catalog), kept("graph.dot"), "isoform formats --graph=dot prints the new one");
    assert_eq!(svg(&catalog), kept("graph.svg"), "isoform formats --graph=svg prints the new one");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}", at in 0usize..400, byte in any::<u8>()) {
        let _ = with(&text);
        let mut changed = SENSOR.as_bytes().to_vec();
        let at = at % changed.len();
        changed[at] = byte;
        let _ = with(&String::from_utf8_lossy(&changed));
    }

    #[test]
    fn sizes_are_read_as_they_are_written(count in 0u64..1 << 20) {
        prop_assert_eq!(size(&format!("{count}MiB")), Some(count << 20));
        prop_assert_eq!(size(&format!("{count} kB")), Some(count * 1000));
    }
}
