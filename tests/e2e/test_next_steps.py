"""Errors name the place and the next step, and have the documented exit code."""

import gzip
import json
import os
import random
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image

import harness

TABLE = "id,unit price,name\n" + "".join(f"{n},{n}.5,word {n}\n" for n in range(2000))
DAMAGED = "the file is damaged: get it again"
ASIDE = "--rejects FILE"

# A text, the exit code 9, and what the message must hold.
TEXTS = {
    "nan.jsonl": ('{"a":1}\n{"a":NaN}\n', ["record 2", 'column "a"', "byte 13", "JSON has no NaN", "write null", ASIDE]),
    "infinity.jsonl": ('{"a":-Infinity}\n', ["record 1", "no infinity", ASIDE]),
    "nan_in_list.jsonl": ('{"a":[1,NaN]}\n', ["record 1", "JSON has no NaN"]),
    "none.jsonl": ('{"a":None}\n', ["record 1", "JSON writes null for None"]),
    "true.jsonl": ('{"a":True}\n', ["JSON writes true for True"]),
    "quotes.jsonl": ("{'a':1}\n", ["record 1", "double quotes"]),
    "string.jsonl": ("{\"a\":'x'}\n", ["double quotes"]),
    "comment.jsonl": ('{"a":1}\n// c\n', ["record 2", "no comments"]),
    "short.jsonl": ('{"a":1}\n{"a":', ["record 2", "ends too early", ASIDE]),
    "word.jsonl": ('{"a":tru}\n', ["a value was expected", ASIDE]),
    "open.csv": ('a,b\n1,"x\n2,y\n', ["record 1", "byte 6", "--quote"]),
    "short.csv": ("a,b\n1,2\n3\n", ["record 2", "--ragged", ASIDE]),
    "nul.csv": ("a,b\nx\0,1\n", ["record 1", "byte 5", "--encoding", ASIDE]),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_bad_text_is_told_with_place_and_next_step(isoform, tmp_path, name):
    text, parts = TEXTS[name]
    (tmp_path / name).write_text(text)
    done = isoform("convert", tmp_path / name, tmp_path / "out.parquet").expect(9)
    for part in [name, *parts]:
        assert part in done.err, done.err
    assert harness.listing(tmp_path) == [name]


@pytest.mark.parametrize("ending", ["parquet", "arrow", "arrows", "avro", "csv.gz", "csv.zst"])
@pytest.mark.parametrize("keep", [0.5, 0.95])
def test_a_binary_file_that_is_cut_says_where_and_what_to_do(isoform, tmp_path, ending, keep):
    (tmp_path / "in.csv").write_text(TABLE)
    good, bad = tmp_path / f"good.{ending}", tmp_path / f"bad.{ending}"
    isoform("convert", tmp_path / "in.csv", good).expect(0)
    data = good.read_bytes()
    bad.write_bytes(data[:int(len(data) * keep)])
    target = tmp_path / ("out.parquet" if ending.startswith("csv") else "out.csv")
    done = isoform("convert", bad, target).expect(9)
    assert bad.name in done.err and "byte " in done.err and DAMAGED in done.err, done.err
    assert len(done.err.strip().splitlines()) == 1 and "\\n" not in done.err


# What libraries say in their own code.
OF_CODE = re.compile(r"Parquet (argument )?error|External|unwrap|not implemented|panic|gave up: |EOF:|NYI:|Arrow:")


@pytest.mark.parametrize("ending", ["parquet", "arrow", "arrows"])
def test_a_flipped_bit_is_told_with_its_place_and_not_in_words_of_libraries(isoform, tmp_path, ending):
    rows = range(40)
    table = pa.table({"i": list(rows), "s": [f"t{n % 7}" for n in rows], "n": [[n, None] for n in rows]})
    whole, bad = tmp_path / f"whole.{ending}", tmp_path / f"bad.{ending}"
    match ending:
        case "parquet":
            pq.write_table(table, whole, compression="zstd")
        case _:
            make = pa.ipc.new_file if ending == "arrow" else pa.ipc.new_stream
            with make(str(whole), table.schema) as writer:
                writer.write_table(table)
    data, draw, refused = whole.read_bytes(), random.Random(5), 0
    # A footer of Parquet has half of the places, since it is where everything is told.
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little") if ending == "parquet" else 0
    for _ in range(120):
        at, bit = draw.randrange(draw.choice([0, footer]), len(data)), draw.randrange(8)
        bad.write_bytes(data)
        harness.flip(bad, at, bit=bit)
        done = isoform("convert", bad, tmp_path / "out.jsonl", "--force")
        told = f"byte {at}, bit {bit}: {done.err}"
        assert done.code in (0, 9), told
        if done.code == 9:
            refused += 1
            assert re.search(r"byte \d|record \d|column \"", done.err) and not OF_CODE.search(done.err), told
    assert refused > 20


def test_a_damaged_column_chunk_of_parquet_is_named(isoform, tmp_path):
    table = pa.table({"i": list(range(3000)), "s": [f"text {n * n % 997}" for n in range(3000)]})
    bad = tmp_path / "bad.parquet"
    for columns in [0, 300]:
        # With many columns, some are decoded after others.
        for number in range(columns):
            table = table.append_column(f"c{number}", table["i"])
        pq.write_table(table, bad, row_group_size=1000, use_dictionary=False, compression="zstd")
        chunk = pq.read_metadata(bad).row_group(1).column(1)
        harness.flip(bad, chunk.data_page_offset + chunk.total_compressed_size - 9)
        done = isoform("convert", bad, tmp_path / "out.arrow").expect(9)
        assert 'column "s"' in done.err and f"byte {chunk.data_page_offset}:" in done.err, done.err
        assert re.search(r"record \d+,", done.err) and not OF_CODE.search(done.err), done.err


def test_lists_of_a_damaged_column_chunk_do_not_lead_into_the_next(isoform, tmp_path):
    """Levels that begin more or fewer rows than the row group has are refused, and never taken for other rows."""
    whole, bad, target = tmp_path / "whole.parquet", tmp_path / "bad.parquet", tmp_path / "out.arrow"
    table = pa.table({"n": [[n] * (n % 4) for n in range(200)]})
    pq.write_table(table, whole, row_group_size=100, compression="none", use_dictionary=False)
    start, refused = pq.read_metadata(whole).row_group(0).column(0).data_page_offset, 0
    for at in range(start + 60, start + 100, 3):
        bad.write_bytes(whole.read_bytes())
        harness.flip(bad, at, bit=at % 8)
        done = isoform("convert", bad, target, "--force")
        assert done.code in (0, 9), f"byte {at - start} of the chunk: {done.err}"
        if done.code == 9:
            refused += "row group has 100" in done.err
        else:
            assert pa.ipc.open_file(str(target)).read_all().to_pylist() == pq.read_table(bad).to_pylist(), at
    assert refused >= 3


EMPTY = {"csv": ["jsonl"], "png": ["tif", "jsonl"], "jpg": ["png"], "gz": ["zst", "jsonl"], "zst": ["gz"], "npz": ["npy", "jsonl"],
         **{ending: ["jsonl"] for ending in ("parquet", "arrow", "avro", "csv.xz", "csv.br", "jsonl.gz", "jsonl.zst", "parquet.gz")},
         **{ending: ["npz"] for ending in ("npy", "gguf", "safetensors")},
         **{ending: ["npy"] for ending in ("wav", "flac", "aiff", "opus", "ogg", "mp3")}}


@pytest.mark.parametrize("ending, target", [(ending, target) for ending, targets in EMPTY.items() for target in targets])
def test_an_empty_file_is_told_as_such(isoform, tmp_path, ending, target):
    (tmp_path / f"e.{ending}").write_bytes(b"")
    done = isoform("convert", tmp_path / f"e.{ending}", tmp_path / f"out.{target}").expect(9)
    assert f"e.{ending}" in done.err and "byte 0" in done.err and "; " in done.err, done.err
    assert ("not even a header" if ending == "csv" else "there are no bytes at all") in done.err, done.err
    assert "--from" not in done.err, done.err
    assert harness.listing(tmp_path) == [f"e.{ending}"]


def test_a_changed_checksum_and_bytes_behind_a_member_are_told(isoform, tmp_path):
    data = bytearray(gzip.compress(TABLE.encode()))
    (tmp_path / "tail.csv.gz").write_bytes(bytes(data) + b"junk")
    data[-6] ^= 1
    (tmp_path / "sum.csv.gz").write_bytes(data)
    for name in ["tail.csv.gz", "sum.csv.gz"]:
        done = isoform("convert", tmp_path / name, tmp_path / "out.parquet").expect(9)
        assert name in done.err and "byte " in done.err and DAMAGED in done.err, done.err


def test_a_name_that_promises_another_format_leads_to_from(isoform, tmp_path):
    (tmp_path / "in.parquet").write_text("a,b\n1,2\n")
    assert "--from" in isoform("convert", tmp_path / "in.parquet", tmp_path / "out.csv").expect(9).err


def test_links_in_a_circle_and_directories_are_told(isoform, tmp_path):
    os.symlink("loop.csv", tmp_path / "loop.csv")
    done = isoform("convert", tmp_path / "loop.csv", tmp_path / "out.parquet").expect(1)
    assert "loop.csv" in done.err and "lead back to themselves" in done.err
    (tmp_path / "empty").mkdir()
    assert "name a file in it" in isoform("convert", tmp_path / "empty", tmp_path / "out.parquet").expect(2).err


# A variable, its value, and what the message must hold beside its name.
VARIABLES = [
    ("ISOFORM_COMPRESSION", "zstdd", ["none, snappy", "zstd[:1-22]"]),
    ("ISOFORM_COMPRESSION", "zstd:99", ["none, snappy", "zstd[:1-22]"]),
    ("ISOFORM_COMPRESSION", "zstd:x", ["zstd:3"]),
    ("ISOFORM_MEDIA_TYPES", "nowhere", ["nowhere", "name a directory of definitions"]),
    ("ISOFORM_MEMORY", "1K", ["128MiB"]),
    ("ISOFORM_MEMORY", "lots", ["512MiB"]),
    ("ISOFORM_THREADS", "0", ["at least one"]),
    ("ISOFORM_TYPES", "txet", ["reversible, value, text"]),
]


@pytest.mark.parametrize("variable, value, parts", VARIABLES)
def test_a_bad_variable_is_named(isoform, tmp_path, variable, value, parts):
    (tmp_path / "in.csv").write_text("a\n1\n")
    done = isoform("convert", tmp_path / "in.csv", tmp_path / "out.parquet", env={variable: value}).expect(2)
    for part in [variable, *parts]:
        assert part in done.err, done.err


OPTIONS = [
    (["--type", "unit_price=float64"], 'did you mean "unit price"?'),
    (["--type", "zzzz=float64"], 'it has "id", "unit price", "name"'),
    (["--type", "id=int64", "--type", "id=text"], "leave one of them away"),
    (["--compression", "zstd:0"], "--compression: parquet has no \"zstd:0\" at this level"),
    (["--compression", "gzip:10"], "gzip[:0-9]"),
]


@pytest.mark.parametrize("options, told", OPTIONS)
def test_an_option_that_does_not_fit_says_what_does(isoform, tmp_path, options, told):
    (tmp_path / "in.csv").write_text(TABLE)
    done = isoform("convert", tmp_path / "in.csv", tmp_path / "out.parquet", *options).expect(2)
    assert told in done.err, done.err


def test_columns_of_partitions_and_keys_that_are_not_there_have_near_names(isoform, tmp_path):
    (tmp_path / "in.csv").write_text(TABLE)
    (tmp_path / "other.csv").write_text(TABLE)
    done = isoform("convert", tmp_path / "in.csv", tmp_path / "out", "--to", "parquet", "--partition-by", "NAME").expect(2)
    assert 'did you mean "name"?' in done.err
    done = isoform("compare", tmp_path / "in.csv", tmp_path / "other.csv", "--key", "namee").expect(2)
    assert 'did you mean "name"?' in done.err
    done = isoform("compare", tmp_path / "in.csv", tmp_path / "other.csv", "--key", "idd").expect(2)
    assert 'it has "id", ' in done.err


def test_the_nearest_name_of_a_format_is_offered(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    for said, told in [("parqet", 'did you mean "parquet"?'), ("webpp", 'did you mean "webp"?'), ("something", "the formats are csv, ")]:
        assert told in isoform("convert", tmp_path / "a.csv", tmp_path / "x", "--to", said).expect(2).err


def test_what_is_offered_can_be_done(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    read, written = ["--from", "zip"], ["--to", "zip"]
    for options, target in [(read, ["x.parquet"]), (written, ["x"]), (written, ["--out-dir", "out"])]:
        told = isoform("convert", "a.csv", *target, *options, cwd=tmp_path).expect(2).err
        assert "did you mean" not in told and "the formats are csv, " in told
        assert (", mp3, " in told) == (options == read), "only what is written can be a target"


def test_a_type_that_a_directory_does_not_fit_leads_to_another_type(isoform, tmp_path):
    (tmp_path / "all" / "k=1").mkdir(parents=True)
    (tmp_path / "all" / "k=1" / "a.csv").write_text("a\n1\n")
    done = isoform("convert", tmp_path / "all", tmp_path / "x.parquet", "--type", "k=date").expect(9)
    assert 'column "k": its directory tells "1", which is no date; give the column another type with --type' in done.err
    isoform("convert", tmp_path / "all", tmp_path / "x.parquet", "--type", "k=text").expect(0)


def test_values_of_several_kinds_are_told_of(isoform, tmp_path):
    source = tmp_path / "a.jsonl"
    source.write_text('{"t":"x","n":{"m":1}}\n{"t":1776,"n":{"m":"y"}}\n')
    told = isoform("convert", source, tmp_path / "a.parquet").expect(0).out
    assert '"t", "n": values of several kinds, kept as JSON text, in which strings have quotes' in told
    assert "record 2 has a number, record 1 a string" in isoform("inspect", source, "--why", "t").expect(0).out
    # A key may look like the path of what is in another.
    source.write_text('{"a":1,"a.b":1,"c":[1],"c[0]":"x"}\n{"a":2,"a.b":"x","c":[2],"c[0]":3}\n')
    told = isoform("convert", source, tmp_path / "c.parquet").expect(0).out
    assert '"a.b", "c[0]": values of several kinds' in told
    assert "JSON text" not in isoform("inspect", source, "--why", "a").expect(0).out
    source.write_text('{"t":"x"}\n{"t":"1776"}\n')
    assert "JSON text" not in isoform("convert", source, tmp_path / "b.parquet").expect(0).out


def test_columns_that_are_kept_as_json_text_are_told_of_for_their_own_reason(isoform, tmp_path):
    source = tmp_path / "a.jsonl"
    keys = json.dumps({f"k{key}": 1 for key in range(4097)})
    source.write_text('{"n":1e999,"k":%s,"e":[{}],"m":{"a":1,"b":"x"}}\n{"n":2,"k":{},"e":[{}],"m":{"a":"y","b":"x"}}\n' % keys)
    notes = isoform("--json", "inspect", source).expect(0).json()["notes"]
    assert sorted(note.split(";")[0] for note in notes) == [
        '"e": objects of which all are empty, kept as JSON text', '"k": objects of more than 4,096 keys, kept as JSON text',
        '"m": values of several kinds, kept as JSON text, in which strings have quotes',
        '"n": numbers that no type gives back, kept as JSON text',
    ]
    # Words of a source are no reasons.
    (tmp_path / "b.csv").write_text("a\n1\n2\nkept as JSON text\n")
    assert "kept as JSON text" not in isoform("inspect", tmp_path / "b.csv").expect(0).out


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "own.csv"])
def test_a_link_to_standard_output_as_target_leads_to_its_name(isoform, tmp_path, name):
    (tmp_path / "a.csv").write_text("a\n1\n")
    os.symlink("/dev/stdout", tmp_path / "own.csv")
    os.symlink("b.csv", tmp_path / "other.csv")
    (tmp_path / "b.csv").write_text("")
    for code, options in [(7, []), (2, ["--force"])]:
        done = isoform("convert", "a.csv", name, "--to", "csv", *options, cwd=tmp_path).expect(code)
        assert "- is standard output" in done.err and "remove" not in done.err, done.err
        assert "remove the link" in isoform("convert", "a.csv", "other.csv", *options, cwd=tmp_path).expect(code).err
    assert isoform("convert", "a.csv", "-", "--to", "csv", cwd=tmp_path).expect(0).out == "a\n1\n"


@pytest.mark.parametrize("name, to, system", [
    ("relative.csv", "../" * 40 + "dev/stdout", "; - is standard output"), ("two.csv", "one.csv", "; - is standard output"),
    ("/dev/stdin", None, ""), ("/dev/stderr", None, None), ("pipe.csv", "pipe", ""), ("null.csv", "/dev/null", ""),
    ("through.csv", "/proc/self/cwd/b.csv", False), ("nowhere.csv", "missing", False),
])
def test_links_are_followed_to_what_they_lead_to(isoform, tmp_path, name, to, system):
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "b.csv").write_text("")
    os.mkfifo(tmp_path / "pipe")
    os.symlink("/dev/stdout", tmp_path / "one.csv")
    if to:
        os.symlink(to, tmp_path / name)
    for code, options in [(7, []), (2, ["--force"])]:
        told = isoform("convert", "a.csv", name, "--to", "csv", *options, cwd=tmp_path).expect(code).err
        if system is False:
            assert "is a symbolic link" in told and "remove the link" in told, told
        else:
            assert "it leads to a device or a stream: give another name" in told and "remove" not in told, told
            assert system is None or told.strip().endswith("give another name" + system), told


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/stderr", "one.csv"])
def test_what_an_option_asks_for_goes_into_a_file(isoform, tmp_path, name):
    (tmp_path / "a.csv").write_text("a\n1\n")
    os.symlink("/dev/stdout", tmp_path / "one.csv")
    for target, option in [("x.parquet", "--rejects"), ("-", "--certificate")]:
        for force in [[], ["--force"]]:
            done = isoform("convert", "a.csv", target, "--to", "parquet", option, name, *force, cwd=tmp_path).expect(2)
            assert done.err == f"isoform: {option} {name}: leads to a device or a stream; give the name of a file\n"


@pytest.mark.parametrize("kind, told, to", [
    ("npy", "holds arrays", "parquet"), ("wav", "is a sound", "flac"), ("png", "is an image", "webp"),
])
def test_files_that_are_no_tables_do_not_become_one_table(isoform, tmp_path, kind, told, to):
    """The advice is followed, and works."""
    folder = tmp_path / "all"
    folder.mkdir()
    for name in ("a", "b"):
        write_of(kind, folder / f"{name}.{kind}")
    (tmp_path / "c.csv").write_text("a\n1\n")
    listed = [folder / f"a.{kind}", folder / f"b.{kind}"]
    commands = [listed, [*listed, "--from", kind], [tmp_path / "c.csv", listed[0]], *([[folder], [folder, "--from", kind]] if kind == "npy" else [])]
    for word, paths in [(word, paths) for word in ("convert", "plan") for paths in commands]:
        sources, more = [path for path in paths if path not in ("--from", kind)], ["--from", kind] if kind in paths else []
        done = isoform(word, *sources, tmp_path / "x.parquet", *more).expect(2)
        assert f"a.{kind}: {told}, and several sources become one target only as rows of a table" in done.err, done.err
        assert f"with --out-dir DIR --to FORMAT, such as {to}" in done.err, done.err
    isoform("convert", *listed, "--out-dir", tmp_path / "out", "--to", to).expect(0)
    if kind == "npy":
        (folder / "b.npy").unlink()
        isoform("convert", folder, tmp_path / "x.parquet").expect(0)


def write_of(kind, path):
    if kind == "npy":
        np.save(path, np.arange(6.0).reshape(3, 2))
    elif kind == "wav":
        soundfile.write(path, np.zeros(80), 8000, subtype="PCM_16")
    else:
        Image.new("RGB", (3, 2)).save(path)


def test_a_target_whose_source_was_changed_is_said_to_be_whole(isoform, tmp_path):
    source, target, kept = tmp_path / "a.csv", tmp_path / "a.parquet", tmp_path / "kept.csv"
    source.write_text("a\n1\n")
    kept.write_text("a\n1\n")
    isoform("convert", source, target).expect(0)
    source.write_text("a\n2\n")
    told = isoform("verify", target).expect(4).err
    for part in [f"{target}: its own bytes and its signature are as certified", f"{source} is not the source", "another digest",
                 "--source FILE", "convert again with --force"]:
        assert part in told, told
    told = isoform("verify", tmp_path).expect(3).out
    assert "its own bytes and its signature are as certified" in told, told
    # What is advised works.
    isoform("verify", target, "--source", kept).expect(0)
    told = isoform("verify", target, "--source", source).expect(4).err
    assert "is not the source" in told and "as certified" not in told
    # A target that is damaged too is told as that.
    damaged = target.read_bytes()
    harness.flip(target, 20)
    told = isoform("verify", target).expect(4).err
    assert "not the bytes that were certified" in told and "as certified, but" not in told
    target.write_bytes(damaged)
    isoform("convert", source, target, "--force").expect(0)
    isoform("verify", target).expect(0)


def test_sources_of_one_target_that_were_changed(isoform, tmp_path):
    for name, text in (("a.csv", "a,b\n1,1\n"), ("b.csv", "a,b\n2,1\n")):
        (tmp_path / name).write_text(text)
    isoform("convert", "a.csv", "b.csv", "ab.parquet", cwd=tmp_path).expect(0)
    isoform("convert", "a.csv", "b.csv", "parts", "--to", "parquet", "--partition-by", "a", cwd=tmp_path).expect(0)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "b.csv").write_text("a,b\n2,1\n")
    (tmp_path / "b.csv").write_text("a,b\n3,1\n")
    (tmp_path / "old" / "a.csv").write_text("a,b\n1,1\n")
    for name, part in [("ab.parquet", "its own bytes and its signature are"), ("parts", "parts: its files and its signature are")]:
        told = isoform("verify", name, cwd=tmp_path).expect(4).err
        assert f"{part} as certified, but" in told and "b.csv is not the source" in told and "--source DIR" in told, told
        isoform("verify", name, "--source", "old", cwd=tmp_path).expect(0)


def test_a_certificate_that_is_to_be_verified_leads_to_its_target(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    isoform("convert", "a.csv", "an a.parquet", cwd=tmp_path).expect(0)
    certificate = "an a.parquet.isoform.sigstore.json"
    advised = "is the certificate of an a.parquet; name that: isoform verify 'an a.parquet'"
    assert advised in isoform("verify", certificate, cwd=tmp_path).expect(1).err
    told = isoform("verify", "an a.parquet", certificate, cwd=tmp_path).expect(3).out
    assert advised in told and "1 of 2 targets hold" in told, told
    (tmp_path / "an a.parquet").rename(tmp_path / "b.parquet")
    told = isoform("verify", certificate, cwd=tmp_path).expect(1).err
    assert "an a.parquet, which is not there" in told and f"isoform verify NAME --certificate '{certificate}'" in told, told
    isoform("verify", "b.parquet", "--certificate", certificate, cwd=tmp_path).expect(0)
    (tmp_path / ".isoform.sigstore.json").write_bytes((tmp_path / certificate).read_bytes())
    told = isoform("verify", ".isoform.sigstore.json", cwd=tmp_path).expect(1).err
    assert "no certificate beside it" in told, "a name without a target's"
    assert "no such file" in isoform("verify", f"x{certificate}", cwd=tmp_path).expect(1).err
    assert "no certificate beside it" in isoform("verify", "a.csv", cwd=tmp_path).expect(1).err


def test_a_target_whose_name_tells_no_format_is_told_which_there_are(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    for name in ["s.json", "S.JSON", "s.xlsx", "json", "s"]:
        told = isoform("convert", "a.csv", name, cwd=tmp_path).expect(2).err
        assert f"{name}: the name tells no format" in told and "csv, tsv, jsonl, parquet, arrow, arrow-stream, avro" in told, told
        assert ("--to jsonl writes one record a line" in told) == (name.lower() == "s.json"), told
    isoform("convert", "a.csv", "s.json", "--to", "jsonl", cwd=tmp_path).expect(0)
    assert (tmp_path / "s.json").read_text() == '{"a":1}\n'


def test_a_json_array_is_no_delimited_text_whatever_its_name_says(isoform, tmp_path):
    for name, text in [("a.txt", '[{"a":1},{"a":2}]\n'), ("a.csv", '\ufeff [\n {"a":1}\n]\n'), ("a.log", '[{"a":1}]')]:
        (tmp_path / name).write_text(text, encoding="utf-8")
        told = isoform("convert", name, "x.parquet", cwd=tmp_path).expect(9).err
        assert f"{name}: this is a JSON array of records; write one record on each line first: jq -c '.[]'" in told, told
        assert ("or say --from csv" in told) == (name != "a.log"), told
    isoform("convert", "a.txt", "x.parquet", "--from", "csv", "--header", "no", cwd=tmp_path).expect(0)
    (tmp_path / "other.csv").write_text('[a],{"b"\n1,2\n')
    isoform("convert", "other.csv", "y.parquet", cwd=tmp_path).expect(0)


def test_records_of_json_in_a_file_without_a_known_name_lead_to_from_jsonl(isoform, tmp_path):
    (tmp_path / "lines.json").write_text('{"a":1}\n{"a":2}\n')
    (tmp_path / "mark.log").write_text('\ufeff\n {"a":1}\n', encoding="utf-8")
    (tmp_path / "text.log").write_text("one\ntwo\n")
    for name, is_json in [("lines.json", True), ("mark.log", True), ("text.log", False)]:
        told = isoform("convert", name, "x.parquet", cwd=tmp_path).expect(9).err
        assert "neither the bytes nor the name tell a format; name the format with --from" in told
        assert ("--from: jsonl where each line is one record" in told) == is_json, told
    isoform("convert", "lines.json", "x.parquet", "--from", "jsonl", cwd=tmp_path).expect(0)
    assert pq.read_table(tmp_path / "x.parquet").to_pydict() == {"a": [1, 2]}


def test_what_is_no_budget_of_an_image_is_told_with_its_gates(isoform, tmp_path):
    Image.new("RGB", (16, 16), (90, 20, 30)).save(tmp_path / "a.png")
    for said in ["ssim=0.9", "psnr40", "psnr=40,ssim=0.9"]:
        told = isoform("convert", "a.png", "a.webp", "--within", said, cwd=tmp_path).expect(2).err
        assert "ssimulacra2=80" in told and "butteraugli=1.5" in told, told
    floor = ["--within", "psnr=40", "--part-floor", "ssim=0.9"]
    told = isoform("convert", "a.png", "a.webp", *floor, cwd=tmp_path).expect(2).err
    assert "budgets are" in told and "ssimulacra2" not in told, told


def test_strings_of_json_lines_get_their_type_in_a_second_step(isoform, tmp_path):
    lines, text, typed = tmp_path / "in put.jsonl", tmp_path / "in put.csv", tmp_path / "typed.parquet"
    lines.write_text('{"at":"2024-01-02 09:05:00Z","n":1.50,"l":[1,2]}\n{"at":null,"n":2.25,"l":[]}\n')
    option = ["--type", "at=timestamp[us, UTC]"]
    for command in (["convert", lines, typed], ["plan", lines, typed], ["inspect", lines]):
        err = isoform(*command, *option).expect(2).err
        assert "leave it away" in err and f"isoform convert '{lines}' 'in put.csv'" in err and "with --type" in err, err
    isoform("convert", lines, text).expect(0)
    isoform("convert", text, typed, *option).expect(0)
    assert pq.read_schema(typed).types == [pa.timestamp("us", "UTC"), pa.decimal128(18, 2), pa.list_(pa.int64())]
