//! Provides the command line as it was typed. What the words mean is decided by the commands.

use std::path::PathBuf;

use ::formats::registry::Wrapping;
use clap::{ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::with_switches;
use crate::typed::Typed;

/// Converts data from one representation to another and proves that the content survived.
#[derive(Debug, Parser)]
#[command(name = "isoform", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done and verified, 1 other failure, 2 usage, 3 some objects failed, \
    4 verification failed or objects differ, 5 temporary (try again), 7 target exists, \
    9 malformed or unsupported input, 10 bad signature, 130 interrupted.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to tell about it.
    #[command(flatten)]
    pub output: Output,
}

impl Cli {
    /// Reads what was typed, and remembers which options were.
    ///
    /// # Errors
    /// Values that an option does not take.
    pub fn from_typed(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut cli = Cli::from_arg_matches(matches)?;
        let typed = match &mut cli.command {
            Command::Convert(args) | Command::Plan(args) => &mut args.typed,
            Command::Compare(args) => &mut args.typed,
            Command::Inspect(args) => &mut args.typed,
            _ => return Ok(cli),
        };
        if let Some((name, matches)) = matches.subcommand()
            && let Some(plain) = with_switches(Cli::command()).find_subcommand(name)
        {
            *typed = Typed::of(plain, matches);
        }
        Ok(cli)
    }
}

/// How results are told.
#[derive(Debug, Clone, Args)]
pub struct Output {
    /// Print one JSON document on stdout and nothing else
    #[arg(long, global = true, env = "ISOFORM_JSON")]
    pub json: bool,
    /// Print only errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Tell more on stderr: how long the stages take and how the source is laid out; twice, each part
    #[arg(long, short, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Show progress: auto, on a terminal; always; never; json, as JSON lines on stderr
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", env = "ISOFORM_PROGRESS")]
    pub progress: When,
    /// Directory of definitions of media types (*.toml), which change those of the program or add to them
    #[arg(long, global = true, value_name = "DIR", env = "ISOFORM_MEDIA_TYPES")]
    pub media_types: Option<PathBuf>,
}

/// When to do something that depends on the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
    /// Always, one JSON document a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Convert tables, images, sounds, arrays or the wrapping of bytes, prove that the content survived, and
    /// sign a certificate
    Convert(Convert),
    /// Show what `convert` would do, and do nothing; the exit code is that of a conversion that would refuse
    #[command(override_usage = "isoform plan [OPTIONS] <SOURCE>... <TARGET>
       isoform plan [OPTIONS] <SOURCE>... --out-dir <DIR> --to <FORMAT>")]
    #[command(mut_arg("plan", |arg| arg.hide(true)))]
    Plan(Convert),
    /// Check a target against its certificate, and against its source where it is at hand
    Verify(Verify),
    /// Tell how far apart two tables, images, sounds, containers of arrays or byte strings are, and where
    Compare(Compare),
    /// Describe a file (a table, an image, a sound, arrays, bytes) or a certificate
    Inspect(Inspect),
    /// List formats and what can become what
    Formats(Formats),
    /// Show the signing key
    Key(Key),
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the program or of one command, or write all of them
    Man {
        /// The command, such as `convert` or `key show`; without it the page of the program
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
        /// Write the pages of the program and of all its commands into this directory
        #[arg(long, value_name = "DIR", conflicts_with = "command")]
        dir: Option<PathBuf>,
    },
}

/// How a source is read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reading")]
pub struct Reading {
    /// Format of the source, which overrules its content and its name; a wrapping such as gzip, or raw, or
    /// bytes (as the name tells) makes the source a byte string, which is kept as it is
    #[arg(long, value_name = "FORMAT")]
    pub from: Option<String>,
    /// How CSV and TSV become typed: reversible (the field text can be given back), value (readings that lose
    /// the spelling are accepted), text (nothing is typed), or a file with the types of columns: lines of
    /// TOML such as id = "int64", or what inspect --json prints, which tells the order of day and month too;
    /// other columns are typed reversibly, or as a certificate beside the text tells. JSON Lines have the
    /// types of their values, or those that their certificate tells
    #[arg(long, value_name = "RULE|FILE", default_value = "reversible", env = "ISOFORM_TYPES")]
    pub types: String,
    /// Type of one column of CSV or TSV, as name=type; may be given several times. Dates, times and
    /// timestamps may have a pattern in terms of strftime: 'when=timestamp:%d.%m.%Y %H:%M'; uuid is a type
    #[arg(long = "type", value_name = "COLUMN=TYPE")]
    pub fixed: Vec<String>,
    /// Orders of day and month that a file of types tells of columns, as name=order.
    #[arg(skip)]
    pub orders: Vec<String>,
    /// Word that stands for null in text; may be given several times. One with a hyphen in front that is no
    /// number is given as --null=-WORD
    #[arg(long, value_name = "WORD", allow_negative_numbers = true)]
    pub null: Vec<String>,
    /// Field delimiter of CSV, one character or `tab`
    #[arg(long, value_name = "CHAR")]
    pub delimiter: Option<String>,
    /// Quote character of CSV, or `none`
    #[arg(long, value_name = "CHAR")]
    pub quote: Option<String>,
    /// Escape character inside quotes of CSV, where quotes are not doubled
    #[arg(long, value_name = "CHAR")]
    pub escape: Option<String>,
    /// Lines of CSV that begin with this are comments
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// Lines to skip before the header of CSV; by default the first if it is `sep=;`, which tells the
    /// delimiter, and else none
    #[arg(long, value_name = "N")]
    pub skip_lines: Option<u64>,
    /// Whether the first record of CSV names the columns; found out by default
    #[arg(long, value_name = "YES|NO")]
    pub header: Option<String>,
    /// Pad records of CSV that are too short with null; they come back with empty fields (VALUE-EXACT)
    #[arg(long)]
    pub ragged: bool,
    /// Whether numbers of CSV have a comma for the decimal mark; by default they may where `;` delimits
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new(),
        hide_possible_values = true
    )]
    pub decimal_comma: Option<bool>,
    /// Order of day and month in dates with slashes or hyphens and the year last: dmy or mdy
    #[arg(long, value_name = "ORDER")]
    pub dates: Option<String>,
    /// Keep where JSON Lines leaves keys out: a column that is null in some records and left out in others
    /// gets a column of truth values beside it, and converting back gives the same records
    #[arg(long)]
    pub presence: bool,
    /// Encoding of text: utf-8, utf-16le, utf-16be, latin-1, windows-1252, or `guess`: UTF-8 if all of it is,
    /// or else Windows-1252. A byte order mark tells UTF-16 by itself, and must not contradict what is named
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
}

/// How a target is written.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Writing")]
pub struct Writing {
    /// Format of the target, where its name does not tell; of text with a wrapping too, such as csv.xz
    #[arg(long, value_name = "FORMAT")]
    pub to: Option<String>,
    /// The wrapping that `to` named behind the format.
    #[arg(skip)]
    pub wrapping: Option<Wrapping>,
    /// Compression as codec or codec:level, such as zstd:3, snappy, gzip:6, xz:9, lz4, none
    #[arg(long, value_name = "CODEC", env = "ISOFORM_COMPRESSION")]
    pub compression: Option<String>,
    /// Rows in a row group of Parquet at most
    #[arg(long, value_name = "N")]
    pub row_group_rows: Option<u64>,
    /// Write no dictionaries
    #[arg(long)]
    pub no_dictionary: bool,
    /// Write a directory with one file for the rows that share the values of these columns, named as Hive
    /// does: DIR/region=EU/part-0.parquet
    #[arg(long, value_name = "COLUMN[,COLUMN]", value_delimiter = ',')]
    pub partition_by: Vec<String>,
    /// Add an entry KEY=VALUE to the target's metadata; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub metadata: Vec<String>,
}

/// What is carried over of arrays, images and sounds, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Arrays, images and sounds")]
pub struct Signals {
    /// Type of floating-point samples in the target: bf16, f16, f32, f64, f8e4m3, f8e5m2, an integer type
    /// such as i8, or blocks that share a scale, q8_0 or q4_0; arrays of integers and truth values keep their
    /// type. Of sounds, whole or not, i8, i16, i24, i32, f32 or f64
    #[arg(long, value_name = "TYPE")]
    pub sample_type: Option<String>,
    /// Carry over only arrays whose names match, such as 'encoder.*'; may be given several times
    #[arg(long, value_name = "PATTERN")]
    pub include: Vec<String>,
    /// Leave out arrays whose names match; may be given several times
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// Quality of a lossy image, in the place of the search for the smallest file: for JPEG 1 to 100, WebP
    /// and AVIF 0 to 100; the budget must be kept all the same
    #[arg(long, value_name = "N")]
    pub quality: Option<f32>,
    /// Work spent on the size of an image: for PNG, TIFF and AVIF 0 to 9, JPEG 0 to 2, WebP 0 to 6
    #[arg(long, value_name = "N")]
    pub effort: Option<u8>,
    /// What is least within the budget: size, or the time that it takes (of images the effort, then the size)
    #[arg(long, value_name = "WHAT", default_value = "size")]
    pub minimise: Minimise,
    /// Samples of a channel in a second, for an array without a rate that becomes a sound
    #[arg(long, value_name = "HZ")]
    pub rate: Option<u32>,
    /// Bits of the whole samples of an array that becomes a sound, where these are fewer than those of their
    /// type: 24 for samples of 24 bits in an array of int32
    #[arg(long, value_name = "BITS")]
    pub bits: Option<u8>,
    /// What null becomes where columns of a table become arrays: nan. Without this it is refused
    #[arg(long, value_name = "WHAT")]
    pub nulls: Option<Nulls>,
    /// Leave out what the target cannot hold: metadata
    #[arg(long, value_name = "WHAT")]
    pub drop: Vec<Drop>,
}

/// What may be made least within a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Minimise {
    /// Bytes of the target.
    Size,
    /// Processor time of the conversion.
    Time,
}

/// What null may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Nulls {
    /// Not a number, in columns of floats; integers become such.
    Nan,
}

/// What may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Drop {
    /// What belongs to a signal besides its samples.
    Metadata,
}

/// What of the machine may be used.
#[derive(Debug, Clone, Args)]
pub struct Machine {
    /// Memory to stay under, such as 512MiB; from that on, one image may take up to 2304MiB
    #[arg(long, value_name = "SIZE", default_value = "512MiB", env = "ISOFORM_MEMORY")]
    pub memory: String,
    /// Whether that is the share of one of several threads, each of which holds an image.
    #[arg(skip)]
    pub shared: bool,
    /// Worker threads; by default one for each processor
    #[arg(long, value_name = "N", env = "ISOFORM_THREADS")]
    pub threads: Option<usize>,
}

/// Arguments of `convert` and `plan`.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "isoform convert [OPTIONS] <SOURCE>... <TARGET>
       isoform convert [OPTIONS] <SOURCE>... --out-dir <DIR> --to <FORMAT>")]
pub struct Convert {
    /// The sources (files, directories, quoted globs, or - for standard input) and, last, the target (or -
    /// for standard output); with --out-dir all are sources
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Convert each source into a file of its own in this directory; what is done and still verified is
    /// skipped
    #[arg(long, value_name = "DIR")]
    pub out_dir: Option<PathBuf>,
    /// Read more sources from a file, or from standard input with -: one path a line, or NUL-separated
    #[arg(long, value_name = "FILE")]
    pub sources_from: Option<PathBuf>,
    /// Unite the columns of several sources by name, and fill missing ones with null
    #[arg(long)]
    pub union: bool,
    /// Add a text column of this name that holds the path of each row's source
    #[arg(long, value_name = "NAME")]
    pub source_column: Option<String>,
    /// Leave out the columns that directories named key=value tell (as Hive, Spark and DuckDB write them)
    /// where a directory, or what a quoted glob matches, becomes one target
    #[arg(long)]
    pub no_partition_columns: bool,
    /// Find the types of text by the values, also where a certificate beside it that your own key signed
    /// tells types and spellings
    #[arg(long)]
    pub no_certified_types: bool,
    /// Set bad records of CSV and JSON Lines aside into this file of JSON Lines instead of failing; the
    /// verdict is then PARTIAL
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Where the certificate goes when the target is standard output; without this none is kept
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Write to standard output part by part, each once it is verified, and not only when all are; for CSV,
    /// TSV, JSON Lines, arrow-stream and Avro. A failure then ends the output early and says how much is out
    #[arg(long)]
    pub stream: bool,
    /// Only show what would be done, as `plan` does
    #[arg(long)]
    pub plan: bool,
    /// Replace the target if it exists, and the files of --rejects and --certificate
    #[arg(long)]
    pub force: bool,
    /// Go on from the finished parts of an interrupted conversion. Give it from the start to keep the
    /// finished parts when Ctrl-C, SIGTERM or a closed terminal interrupts
    #[arg(long)]
    pub resume: bool,
    /// Fail on anything below EXACT
    #[arg(long)]
    pub strict: bool,
    /// How far the result may be from its source, as a whole and in each part: exact (the default),
    /// max-error=0.001, rmse=0.01, psnr=45 or snr=60 (dB), coherence=0.999; a number alone is psnr for
    /// images, snr for sounds and coherence for arrays, unless a definition of their type says otherwise;
    /// for images also gates, alone or beside a distance, with commas: ssimulacra2=80, butteraugli=1.5. It
    /// is measured on the finished file, and where it is missed nothing is written; tables and bytes know
    /// only exact
    #[arg(long, value_name = "BUDGET")]
    pub within: Option<String>,
    /// Lead the content over these types, in this order: each step is run, part by part in memory. The name
    /// of a container of arrays may be followed by a sample type that its floating-point samples get there,
    /// as in safetensors:bf16
    #[arg(long, value_name = "NAME[,NAME]", value_delimiter = ',')]
    pub via: Vec<String>,
    /// How far each part, second of a sound or tile of an image may be from its source, where that is more
    /// than --within allows the whole
    #[arg(long, value_name = "BUDGET")]
    pub part_floor: Option<String>,
    /// What is carried over of arrays and images.
    #[command(flatten)]
    pub signals: Signals,
    /// What may be used.
    #[command(flatten)]
    pub machine: Machine,
    /// Reading options.
    #[command(flatten)]
    pub reading: Reading,
    /// Writing options.
    #[command(flatten)]
    pub writing: Writing,
    /// The options that were typed.
    #[arg(skip)]
    pub typed: Typed,
}

/// Arguments of `verify`.
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// Targets, which may be directories of partitions; or directories whose targets are all verified, with
    /// those in the directories below
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<PathBuf>,
    /// The certificate, or a directory of certificates, where it is not beside the target
    #[arg(long, value_name = "PATH")]
    pub certificate: Option<PathBuf>,
    /// The id of the only key whose signature is accepted
    #[arg(long, value_name = "KEYID")]
    pub key: Option<String>,
    /// Where the source is now; for several sources once for each, in their order, or a directory in which
    /// each is found by its name and its bytes, also for several targets
    #[arg(long, value_name = "PATH")]
    pub source: Vec<PathBuf>,
    /// What may be used.
    #[command(flatten)]
    pub machine: Machine,
}

/// Arguments of `compare`.
#[derive(Debug, Clone, Args)]
pub struct Compare {
    /// One table, image, sound, container of arrays or byte string; the tables of a directory are one, with
    /// the columns that its paths tell
    pub left: PathBuf,
    /// The other one
    pub right: PathBuf,
    /// Compare rows whose cells in these columns are equal, wherever they stand; names with commas between
    /// them, and the option may be given several times. A key that occurs twice on a side is an error
    #[arg(long, value_name = "COLUMNS")]
    pub key: Vec<String>,
    /// Compare as multisets: both sides have the same rows, equally often, in any order
    #[arg(long)]
    pub unordered: bool,
    /// Let numbers differ by up to a bound: 0.01, or rel:1e-6 times the larger of the two. It is for all
    /// columns of numbers that are not named and not in the key, or for one as in price=0.01; may be given
    /// several times. Text is compared exactly; --type COLUMN=float64 reads it as numbers
    #[arg(long, value_name = "[COLUMN=]BOUND", allow_negative_numbers = true)]
    pub tolerance: Vec<String>,
    /// Rows of each kind to show at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub show: usize,
    /// What may be used.
    #[command(flatten)]
    pub machine: Machine,
    /// Reading options.
    #[command(flatten)]
    pub reading: Reading,
    /// The options that were typed.
    #[arg(skip)]
    pub typed: Typed,
}

/// Arguments of `inspect`.
#[derive(Debug, Clone, Args)]
pub struct Inspect {
    /// A table, an image, a sound, a container of arrays, a byte string or a certificate
    pub path: PathBuf,
    /// Tell why this column has its type
    #[arg(long, value_name = "COLUMN")]
    pub why: Option<String>,
    /// Find the types of text by the values, also where a certificate beside it that your own key signed
    /// tells types and spellings
    #[arg(long)]
    pub no_certified_types: bool,
    /// What may be used.
    #[command(flatten)]
    pub machine: Machine,
    /// Reading options.
    #[command(flatten)]
    pub reading: Reading,
    /// The options that were typed.
    #[arg(skip)]
    pub typed: Typed,
}

/// Arguments of `formats`.
#[derive(Debug, Clone, Args)]
pub struct Formats {
    /// Tell of this format alone
    #[arg(value_name = "FORMAT", conflicts_with = "graph")]
    pub format: Option<String>,
    /// Print the graph of conversions instead, as dot (the language of Graphviz) or svg
    #[arg(long, value_name = "FORM", num_args = 0..=1, default_missing_value = "dot")]
    pub graph: Option<Graph>,
}

/// How the graph of conversions is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Graph {
    /// The language of Graphviz.
    Dot,
    /// A drawing.
    Svg,
}

/// Arguments of `key`.
#[derive(Debug, Clone, Args)]
pub struct Key {
    /// What to do with it.
    #[command(subcommand)]
    pub command: KeyCommand,
}

/// What to do with the key.
#[derive(Debug, Clone, Subcommand)]
pub enum KeyCommand {
    /// Print the id of the key, or the public key
    Show {
        /// Print the public key as PEM
        #[arg(long)]
        pem: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_null_may_be_negative_numbers_and_no_options() {
        let parsed = |more: &[&str]| {
            let words = ["isoform", "convert", "a", "b"].iter().chain(more);
            with_switches(Cli::command())
                .try_get_matches_from(words)
                .and_then(|found| Cli::from_typed(&found))
        };
        let cli =
            parsed(&["--null", "-999", "--null", "-1.5e3", "--null=-NA", "--null", "-", "--quiet"]).unwrap();
        let Command::Convert(convert) = cli.command else { panic!("convert was typed") };
        assert_eq!(convert.reading.null, ["-999", "-1.5e3", "-NA", "-"]);
        assert!(cli.output.quiet);
        assert!(parsed(&["--null", "--quiet"]).is_err() && parsed(&["--null", "-q"]).is_err());
    }
}
