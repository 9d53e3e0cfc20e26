"""Options that would do nothing are refused where they are typed, and wait where they are defaults."""

import gzip
import subprocess
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import safetensors.numpy
from PIL import Image

import harness

DELIMITED = [
    ["--types", "value"], ["--type", "a=int64"], ["--null", "NA"], ["--delimiter", ";"], ["--quote", "'"],
    ["--escape", "\\"], ["--comment", "#"], ["--skip-lines", "1"], ["--header", "yes"], ["--ragged"],
    ["--decimal-comma"], ["--dates", "dmy"],
]
TEXT = [["--encoding", "utf-8"], ["--rejects", "bad.jsonl"]]


@pytest.fixture
def sources(isoform, sales, tmp_path):
    """The same table in three kinds of format."""
    for name in ("sales.parquet", "sales.jsonl"):
        isoform("convert", sales, tmp_path / name).expect(0)
    return {"csv": sales, "parquet": tmp_path / "sales.parquet", "jsonl": tmp_path / "sales.jsonl"}


@pytest.mark.parametrize("option", DELIMITED + TEXT + [["--presence"]], ids=lambda option: option[0])
def test_reading_options_are_about_the_source(isoform, sources, tmp_path, option):
    idle = {"parquet"} | ({"csv"} if option == ["--presence"] else set()) | ({"jsonl"} if option in DELIMITED else set())
    for kind in idle:
        before = harness.listing(tmp_path)
        done = isoform("convert", sources[kind], tmp_path / "out.arrow", *option).expect(2)
        assert option[0] in done.err and kind in done.err and "leave it away" in done.err, done.err
        assert harness.listing(tmp_path) == before
        isoform("plan", sources[kind], tmp_path / "out.arrow", *option).expect(2)
        if option[0] != "--rejects":
            assert option[0] in isoform("inspect", sources[kind], *option).expect(2).err


@pytest.mark.parametrize("option", [["--row-group-rows", "100"], ["--no-dictionary"]], ids=lambda option: option[0])
def test_writing_options_are_about_the_target(isoform, sales, tmp_path, option):
    for ending in ("csv", "tsv", "jsonl", "arrow", "arrows", "avro"):
        done = isoform("convert", sales, tmp_path / f"out.{ending}", *option).expect(2)
        assert option[0] in done.err and "Parquet" in done.err
    isoform("convert", sales, tmp_path / "out.parquet", *option).expect(0)
    isoform("convert", sales, "--out-dir", tmp_path / "out", "--to", "csv", *option).expect(2)


def test_a_level_is_of_a_codec_that_has_levels(isoform, sales, tmp_path):
    for name, codec in [
        ("a.csv", "none:3"), ("a.parquet", "snappy:3"), ("a.parquet", "none:1"), ("a.arrow", "zstd:3"),
        ("a.avro", "snappy:1"), ("a.bin", "none:3"), ("a.csv.lz4", "lz4:1"), ("a.csv", "gzip:10"),
    ]:
        assert "level" in isoform("convert", sales, tmp_path / name, "--compression", codec).expect(2).err, (name, codec)


def test_bytes_have_no_columns(isoform, tmp_path):
    source = tmp_path / "x.tar.gz"
    source.write_bytes(gzip.compress(b"anything\0"))
    for option in [["--null", "NA"], ["--metadata", "a=b"], ["--row-group-rows", "9"], ["--presence"], ["--ragged"]]:
        for command in (["convert", source, tmp_path / "x.tar.zst"], ["convert", source, "--out-dir", tmp_path / "o", "--to", "xz"]):
            done = isoform(*command, *option).expect(2)
            assert option[0] in done.err and "byte string" in done.err
    assert "--null" in isoform("compare", source, source, "--null", "NA").expect(2).err
    assert "--null" in isoform("inspect", source, "--null", "NA").expect(2).err


def test_one_source_that_an_option_is_about_is_enough(isoform, sources, tmp_path):
    out = ["--out-dir", tmp_path / "out", "--to", "arrow"]
    other = tmp_path / "other.csv"
    other.write_text("a;b\n1;2\n")
    isoform("convert", other, sources["parquet"], *out, "--delimiter", ";").expect(0)
    isoform("plan", other, sources["parquet"], *out, "--delimiter", ";").expect(0)
    assert "no source is" in isoform("convert", sources["jsonl"], sources["parquet"], *out, "--delimiter", ";").expect(2).err
    isoform("compare", sources["csv"], sources["parquet"], "--delimiter", ",", "--type", "store=text").expect(0)
    isoform("compare", sources["parquet"], sources["parquet"], "--delimiter", ",").expect(2)


def test_a_pipe_is_judged_when_its_format_is_known(isoform, sources):
    data = sources["parquet"].read_bytes()
    out = ["--to", "arrow", "--null", "NA"]
    assert "--null" in isoform("convert", "-", "-", *out, stdin=data).expect(2).err


def test_defaults_wait_for_what_they_are_about(isoform, sources, tmp_path):
    (tmp_path / "isoform.toml").write_text(
        '[convert]\nnull = ["NA"]\ntypes = "value"\npresence = true\nrow-group-rows = 65536\ndelimiter = ","\n')
    for kind, source in sources.items():
        isoform("convert", source, tmp_path / f"from_{kind}.avro", cwd=tmp_path).expect(0)
    isoform("convert", sources["jsonl"], tmp_path / "env.arrow", env={"ISOFORM_TYPES": "text"}).expect(0)
    # What only says what holds anyway is no request.
    isoform("convert", sources["parquet"], tmp_path / "same.arrow", "--types", "reversible", "--ragged=false").expect(0)


def test_defaults_about_signals_wait_for_signals(isoform, sales, tmp_path):
    (tmp_path / "isoform.toml").write_text(
        '[convert]\nwithin = "psnr=33"\ndrop = ["metadata"]\npart-floor = "psnr=30"\nquality = 80\neffort = 1\n'
        'sample-type = "bf16"\nminimise = "time"\nrate = 8000\nbits = 24\ninclude = ["a*"]\nexclude = ["b"]\nnulls = "nan"\n')
    for target in ("out.parquet", "out.csv.gz", "out.csv.zst"):
        isoform("convert", sales, tmp_path / target, cwd=tmp_path).expect(0)
    isoform("convert", sales, tmp_path / "out.avro", "--quality", "80", cwd=tmp_path).expect(2)


def test_a_default_compression_waits_for_a_target_that_has_it(isoform, sales, tmp_path):
    for compression, targets in [("snappy", ("a.arrow", "a.csv", "a.jsonl.gz", "a.parquet")), ("zstd:9", ("b.arrow", "b.csv"))]:
        for target in targets:
            isoform("convert", sales, tmp_path / target, env={"ISOFORM_COMPRESSION": compression}).expect(0)
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes() == open(sales, "rb").read()
    isoform("convert", sales, tmp_path / "c.arrow", "--compression", "snappy").expect(2)


def test_wrapped_text_needs_no_name(isoform, sales, tmp_path):
    text = open(sales, "rb").read()
    wrapped = gzip.compress(text)
    target = tmp_path / "out.parquet"
    isoform("convert", "-", target, stdin=wrapped).expect(0)
    isoform("compare", sales, target).expect(0)
    for name in ("data", "table.dat", "x.gz", "x.2024"):
        (tmp_path / name).write_bytes(wrapped)
        isoform("convert", tmp_path / name, target, "--force").expect(0)
        isoform("compare", sales, target).expect(0)
    lines = b'{"a":1}\n{"a":null}\n'
    isoform("convert", "-", target, "--force", stdin=gzip.compress(lines)).expect(0)
    assert pyarrow.parquet.read_table(target).to_pydict() == {"a": [1, None]}
    isoform("convert", tmp_path / "out.parquet", tmp_path / "out.jsonl.zst").expect(0)
    (tmp_path / "nameless").write_bytes((tmp_path / "out.jsonl.zst").read_bytes())
    isoform("convert", tmp_path / "nameless", target, "--force").expect(0)
    assert pyarrow.parquet.read_table(target).to_pydict() == {"a": [1, None]}
    isoform("convert", "-", target, "--force", stdin=gzip.compress("a,b\n1,ä\n".encode("utf-16"))).expect(0)
    assert pyarrow.parquet.read_table(target).to_pydict() == {"a": [1], "b": ["ä"]}


def test_what_is_wrapped_and_no_text_says_what_it_is(isoform, sales, tmp_path):
    target = tmp_path / "out.arrow"
    isoform("convert", sales, tmp_path / "s.parquet").expect(0)
    inside = gzip.compress((tmp_path / "s.parquet").read_bytes())
    done = isoform("convert", "-", target, stdin=inside).expect(9)
    assert "parquet inside gzip" in done.err and "--from gzip" in done.err
    done = isoform("convert", "-", target, stdin=gzip.compress(gzip.compress(b"a,b\n1,2\n"))).expect(9)
    assert "another wrapping" in done.err
    for nothing in (b"", b"\0\1\2" * 50, gzip.compress(b"\0\1\2" * 50), gzip.compress(b"")):
        assert "--from" in isoform("convert", "-", target, stdin=nothing).expect(9).err
    cut = gzip.compress(open(sales, "rb").read())[:-20]
    assert "cut short" in isoform("convert", "-", target, stdin=cut).expect(9).err
    assert not target.exists()


def test_what_cannot_be_parsed_is_a_document_too(isoform):
    done = isoform("convert", "--no-such-option", "--json").expect(2)
    found = done.json()
    assert found["schema"] == "isoform.error/v1" and found["error"]["exitCode"] == 2
    assert "--no-such-option" in found["error"]["message"] and "--no-such-option" in done.err


@pytest.mark.parametrize("variable, value", [
    ("ISOFORM_MEMORY", "lots"), ("ISOFORM_THREADS", "x"), ("ISOFORM_THREADS", "0"), ("ISOFORM_PROGRESS", "x"),
    ("ISOFORM_JSON", "x"), ("ISOFORM_TYPES", "zz"), ("ISOFORM_MEMORY", "64MiB"),
])
def test_a_wrong_value_names_what_gave_it(isoform, sales, tmp_path, variable, value):
    option = "--" + variable.removeprefix("ISOFORM_").lower()
    told = isoform("convert", sales, tmp_path / "x.parquet", env={variable: value}).expect(2).err
    assert variable in told and option not in told
    told = isoform("convert", sales, tmp_path / "x.parquet", f"{option}={value}", env={variable: value}).expect(2).err
    assert option in told and variable not in told


def test_help_comes_whatever_the_configuration_says(isoform, sales, tmp_path):
    (tmp_path / "isoform.toml").write_text("threads = [")
    assert "Usage" in isoform("convert", "--help", cwd=tmp_path).expect(0).out
    assert "isoform" in isoform("--version", cwd=tmp_path).expect(0).out
    assert "isoform.toml, line 1" in isoform("inspect", sales, cwd=tmp_path).expect(2).err


def test_the_comma_of_decimals_is_told_and_can_be_refused(isoform, tmp_path):
    source, target = tmp_path / "a.csv", tmp_path / "a.parquet"
    source.write_text("name;price;count\nx;1,50;1\ny;2,25;2\n")
    kinds = lambda found: [column["type"] for column in found["columns"]]
    for options, types, said in [
        ((), ["text", "decimal(18, 2)", "int64"], True),
        (("--decimal-comma",), ["text", "decimal(18, 2)", "int64"], False),
        (("--decimal-comma=false",), ["text", "text", "int64"], False),
    ]:
        found = isoform("convert", source, target, *options, "--json", "--force").expect(0).json()
        assert kinds(found) == types
        assert ['"price"' in note for note in found["notes"] if "is the decimal mark of" in note] == ([True] if said else [])
        isoform("verify", target, "--source", source).expect(0)


def test_a_name_that_does_not_tell_its_compression_is_told_of(isoform, sales, tmp_path):
    for name, codec, ending in (("a.jsonl", "gzip", "gz"), ("a.csv", "zstd:3", "zst"), ("b.txt", "gzip", "gz")):
        to = ("--to", "csv") if name.endswith("txt") else ()
        told = isoform("convert", sales, tmp_path / name, "--compression", codec, *to, "--json").expect(0).json()
        assert any(f"call it {name}.{ending}" in note for note in told["notes"]), told["notes"]
    for name, ending in [("d.csv", "xz"), ("d", "bgz")]:
        told = isoform("convert", sales, tmp_path / name, "--to", f"csv.{ending}", "--json").expect(0).json()
        assert any(f"call it {name}.{ending}" in note for note in told["notes"]), told["notes"]
    for name, codec in (("a.csv.gz", "gzip"), ("a.parquet", "zstd"), ("c.csv", "none")):
        told = isoform("convert", sales, tmp_path / name, "--compression", codec, "--json").expect(0).json()
        assert not any("call it" in note for note in told["notes"]), told["notes"]
    assert "dir/csv.xz" in isoform("convert", sales, tmp_path / "e", "--to", "dir/csv.xz").expect(2).err
    told = isoform("convert", sales, tmp_path / "e.csv.xz", "--to", "csv.xz", "--json").expect(0).json()
    assert not any("call it" in note for note in told["notes"]), told["notes"]
    parted = ("--to", "csv", "--compression", "gzip", "--partition-by", "store", "--json")
    told = isoform("convert", sales, tmp_path / "parted", *parted).expect(0).json()
    assert not any("call it" in note for note in told["notes"]), told["notes"]


def test_standard_output_is_called_by_its_name(isoform, tmp_path):
    image, weights = tmp_path / "a.png", tmp_path / "w.safetensors"
    Image.new("RGB", (20, 20), (9, 8, 7)).save(image)
    safetensors.numpy.save_file({"a": np.ones((2, 3), "f4")}, weights)
    for source, to, code in [
        (image, "jpg", 2), (image, "foo", 2), (weights, "foo", 2), (weights, "safetensors.index.json", 2),
    ]:
        for command in ("convert", "plan"):
            told = isoform(command, source, "-", "--to", to).expect(code).err
            assert str(tempfile.gettempdir()) + "/-" not in told and ".tmp" not in told, told
    told = isoform("convert", weights, "-", "--to", "safetensors.index.json").expect(2).err
    assert "standard output is one" in told and "--to safetensors" in told
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    out = subprocess.run(isoform.command("convert", tmp_path / "t.csv", "-", "--to", "jsonl.gz"), capture_output=True, env=isoform.environment)
    assert gzip.decompress(out.stdout) == b'{"a":1,"b":2}\n'


def test_a_delimiter_that_does_not_fit_is_named_with_its_giver(isoform, tmp_path):
    source, target = tmp_path / "a.csv", tmp_path / "a.parquet"
    source.write_text("id,price\n1,12.50\n2,3.00\n3,1.25\n")
    told = isoform("convert", source, target, "--delimiter", "3").expect(9).err
    assert "with '3' given as the delimiter; ',' fits the first records" in told and "--rejects" not in told, told
    (tmp_path / "isoform.toml").write_text("delimiter = 3\n")
    told = isoform("convert", source, target, cwd=tmp_path).expect(9).err
    assert "'3' given as the delimiter by isoform.toml, line 1" in told, told
    told = isoform("inspect", source, cwd=tmp_path).expect(9).err
    assert "given as the delimiter by isoform.toml, line 1" in told, told
    (tmp_path / "isoform.toml").unlink()
    # A delimiter that fits, and a record that does not.
    source.write_text("id;price\n1;12.50\n2;3.00;x\n")
    told = isoform("convert", source, target, "--delimiter", ";").expect(9).err
    assert "with ';' given as the delimiter" in told and "--rejects FILE" in told, told
    # One that makes one column of all is noted.
    source.write_text("id,price\n1,12.50\n2,3.00\n3,1.25\n")
    notes = isoform("convert", source, target, "--delimiter", ";", "--json").expect(0).json()["notes"]
    assert "delimiter ';': given, and ',' fits each of the first records" in notes, notes


def test_what_delimits_a_target_is_told(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("id\n1\n")
    isoform("convert", tmp_path / "a.csv", tmp_path / "a.parquet").expect(0)
    told = isoform("convert", tmp_path / "a.parquet", tmp_path / "b.csv", "--delimiter", ";").expect(2).err
    assert "storage.delimiter" in told and "--media-types" in told


def test_an_unknown_column_of_a_file_of_types_is_told_of_it(isoform, sales, tmp_path):
    (tmp_path / "t.toml").write_text('nope = "int64"\n')
    told = isoform("convert", sales, tmp_path / "a.parquet", "--types", tmp_path / "t.toml").expect(2).err
    assert "--types: nope=" in told and "--type " not in told, told
    told = isoform("convert", sales, tmp_path / "a.parquet", "--type", "nope=int64").expect(2).err
    assert "--type nope=" in told, told
