"""Whatever goes wrong has its documented exit code, names its place, and leaves nothing behind."""

import gzip
import os
import re
import shutil
import socket

import pyarrow as pa
import pyarrow.parquet
import pytest

import harness

BAD = harness.TABLES / "bad"

# Every file of the folder: what its message must say, as a pattern. Records count from 1 without the header.
PLACES = {
    "unclosed_quote.csv": r"record 2\b|byte 14\b",
    "wrong_field_count.csv": r"record 2\b",
    "too_many_fields.csv": r"record 3\b",
    "text_after_quote.csv": r"record 2\b|byte 21\b",
    "invalid_utf8.csv": r"record 2\b|byte 19\b",
    "nul_byte.csv": r"record 2\b|byte 17\b",
    "empty.csv": r"empty",
    "cut_short.jsonl": r"record 2\b",
    "not_an_object.jsonl": r"record 3\b",
    "duplicate_key.jsonl": r"record 2\b",
    "too_deep.jsonl": r"record 2\b",
    "cut_short.csv.gz": r"byte|record|cut|truncated|end",
    "one_bit.csv.gz": r"byte|record|corrupt|checksum|gzip",
    "footer_only.parquet": r"footer",
    "not_parquet.parquet": r"footer|metadata|byte",
    "not_avro.avro": r"header|byte|end",
    "not_arrow.arrow": r"footer|byte",
    # A page of 300 MiB in 131 bytes, a buffer of 300 MiB in 9 kB, and one that claims a million gigabytes.
    "bomb_page.parquet": r"column \"text\", byte 4\b.* limit",
    "bomb_buffer.arrow": r"byte \d+.* limit",
    "lying_length.arrow": r"byte \d+.* limit",
    # Made by make_bad.py, which says what is wrong with each.
    "cut_short.parquet": r"byte 269\b.*truncated",
    "start_only.parquet": r"byte 36\b.*truncated",
    "footer_length_beyond.parquet": r"byte 285\b.*1073741824 bytes",
    "footer_length_zero.parquet": r"malformed Parquet",
    "footer_of_garbage.parquet": r"malformed Parquet",
    "footer_encrypted.parquet": r"byte 289\b.*encrypted",
    "rows_of_file.parquet": r"footer says 4 rows, its row groups 3",
    "rows_of_group.parquet": r"footer says 3 rows, its row groups 4",
    "values_of_column.parquet": r'column "id".*3 values, the column chunk 4',
    "offset_into_page.parquet": r'column "id", byte \d+\b.*page',
    "offset_negative.parquet": r'column "id".*at -1 ',
    "size_negative.parquet": r'column "id".*length -50\b',
    "page_header.parquet": r'column "id", byte 4\b.*no page',
    "page_size_huge.parquet": r'column "id", byte 4\b.*limit',
    "page_beyond_chunk.parquet": r'column "id", byte 4\b.*beyond its column chunk',
    "page_packed_badly.parquet": r"record 1\b.*snappy",
    "not_utf8.parquet": r"record 1\b.*UTF-8",
    "dictionary_index.parquet": r"record 1\b.*dictionary",
    "decimal_too_wide.parquet": r'column "price".*digits',
    "decimal_beyond_digits.parquet": r'column "eiprc".*digits',
    "footer_children.parquet": r"schema in the footer is no tree",
    "cut_short.arrow": r"byte 648\b.*truncated",
    "start_only.arrow": r"byte 34\b.*truncated",
    "footer_length_beyond.arrow": r"byte 664\b.*1073741824 bytes",
    "footer_of_garbage.arrow": r"byte 600\b",
    "block_beyond.arrow": r"byte 456\b.*outside",
    "block_by_eight.arrow": r"byte 192\b",
    "buffer_beyond.arrow": r"byte \d+",
    "decimal_of_no_digits.arrow": r"\"flaG\".*0 digits",
    "rows_of_batch.arrow": r"byte 184\b",
    "nulls_of_column.arrow": r"byte 184\b.*null_count 77",
    "not_utf8.arrow": r"byte 184\b.*utf-8",
    "offsets_down.arrow": r"byte 184\b.*offset",
    "offsets_beyond.arrow": r"byte 184\b.*1048576",
    "unpacked_size_huge.arrow": r"byte 136\b.*limit of 1000",
    "unpacked_size_small.arrow": r"byte 136\b",
    "dictionary_index.arrow": r"byte 360\b.*99",
    "union.arrow": r'column "either".*union',
    "no_time_of_day.arrow": r'column "time".*86400',
    "map_of_nulls.arrows": r'column "tags".*entries of a map.*Null',
    "cut_in_body.arrows": r"byte 176\b.*truncated",
    "cut_in_prefix.arrows": r"byte 440\b.*truncated",
    "bytes_after_end.arrows": r"byte 448\b",
    "no_schema.arrows": r"byte 0\b.*schema",
    "length_huge.arrows": r"byte 0\b.*truncated",
}


def target_for(name):
    return "out.csv" if name.endswith((".parquet", ".avro", ".arrow", ".arrows")) else "out.parquet"


def test_the_list_is_the_folder():
    assert sorted(PLACES) == sorted(p.name for p in BAD.iterdir())


@pytest.mark.parametrize("name", PLACES)
def test_bad_input(isoform, tmp_path, name):
    source = shutil.copy(BAD / name, tmp_path / name)
    done = isoform("convert", source, tmp_path / target_for(name)).expect(9)
    assert name in done.err and re.search(PLACES[name], done.err), done.err
    assert "panicked" not in done.err and done.out == ""
    assert harness.listing(tmp_path) == [name]


@pytest.mark.parametrize("ending, byte", [("gz", 0), ("zst", 0), ("zst", 1), ("xz", 2), ("bz2", 8), ("lz4", 3)])
def test_a_wrapping_with_damaged_first_bytes_is_told_as_such(isoform, sales, tmp_path, ending, byte):
    source, target = tmp_path / f"in.csv.{ending}", tmp_path / "out.parquet"
    isoform("convert", sales, source).expect(0)
    harness.flip(source, byte, bit=2)
    for more in ((), ("--from", "csv"), ("--rejects", tmp_path / "bad.jsonl")):
        told = isoform("convert", source, target, *more).expect(9).err
        assert "the bytes do not begin like it, and are no text in UTF-8; get the file again" in told, told
        assert f"in.csv.{ending}, byte 0: " in told and "Latin-1" not in told
    # Text that somebody named so is read as what it is.
    for text, option in (("a,b\n1,é\n".encode(), ()), ("a,b\n1,é\n".encode("latin-1"), ("--encoding", "latin1"))):
        source.write_bytes(text)
        isoform("convert", source, target, "--force", *option).expect(0)
        assert pyarrow.parquet.read_table(target).to_pylist() == [{"a": 1, "b": "é"}]


def test_a_damaged_lz4_frame_is_told_in_words(isoform, sales, tmp_path):
    source = tmp_path / "in.csv.lz4"
    isoform("convert", sales, source).expect(0)
    data, told = source.read_bytes(), set()
    for byte in (5, 11, 14, 20, 40, 100, len(data) - 2):
        source.write_bytes(data)
        harness.flip(source, byte, bit=5)
        done = isoform("convert", source, tmp_path / "out.parquet").expect(9).err
        assert not re.search(r"[a-z][A-Z]|[{(]", done.split("malformed lz4:")[1]), done
        told.add(done.split("malformed lz4:")[1])
    assert len(told) >= 3, told


def test_a_damaged_row_group_is_told_with_its_own_first_record(isoform, tmp_path):
    good, bad = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    table = pyarrow.table({"i": list(range(400)), "s": [str(row % 9) for row in range(400)]})
    pyarrow.parquet.write_table(table, good, compression="none", row_group_size=100, use_dictionary=False)
    for group in (0, 2, 3):
        at = pyarrow.parquet.read_metadata(good).row_group(group).column(1).data_page_offset
        bad.write_bytes(good.read_bytes())
        with bad.open("r+b") as file:
            file.seek(at + 40)
            file.write(b"\xff" * 4)
        told = isoform("convert", bad, tmp_path / "out.arrow").expect(9).err
        assert f'record {group * 100 + 1}, column "s", byte {at}: ' in told and "the next 100 rows" in told, told


@pytest.mark.parametrize("ending", ["parquet", "arrow", "arrows", "avro"])
def test_binary_files_cut_or_changed_are_refused_or_read_as_they_are(isoform, sales, tmp_path, ending):
    """A cut file is an error. A changed bit is an error, or a table that converts and verifies: never a crash."""
    good, bad, out = tmp_path / f"good.{ending}", tmp_path / f"bad.{ending}", tmp_path / "out.csv"
    isoform("convert", sales, good).expect(0)
    data = good.read_bytes()
    for tenth in range(1, 10):
        bad.write_bytes(data[: len(data) * tenth // 10])
        done = isoform("convert", bad, out)
        assert done.code == 9 and "panicked" not in done.err, (tenth, done)
        bad.write_bytes(data)
        harness.flip(bad, len(data) * tenth // 10, bit=tenth % 8)
        done = isoform("convert", bad, out, "--force")
        assert done.code in (0, 9) and "panicked" not in done.err, (tenth, done)
        for made in (out, harness.certificate_of(out)):
            made.unlink(missing_ok=True)
    assert all(not name.startswith((".", "out")) for name in harness.listing(tmp_path))


@pytest.mark.parametrize("arguments", [
    [],
    ["transmogrify"],
    ["convert"],
    ["convert", "only-one.csv"],
    ["convert", "{sales}", "out.parquet", "--no-such-option"],
    ["convert", "{sales}", "{out}", "--compression", "zip-drive"],
    ["convert", "{sales}", "{out}", "--threads", "none"],
    ["convert", "{sales}", "{out}", "--memory", "much"],
    ["convert", "{sales}", "{out}", "--within", "roughly"],
    ["convert", "{sales}", "{out}", "--to", "clay-tablet"],
    ["convert", "{sales}", "{out}", "--type", "store"],
    ["convert", "{sales}", "{out}", "--delimiter", "ab"],
    ["convert", "{sales}", "{folder}/out.unknown"],
    ["verify"],
    ["key"],
])
def test_usage(isoform, sales, tmp_path, arguments):
    before = harness.listing(tmp_path)
    names = {"sales": sales, "out": tmp_path / "out.parquet", "folder": tmp_path}
    done = isoform(*(a.format(**names) for a in arguments)).expect(2)
    assert done.out == "" and done.err
    assert harness.listing(tmp_path) == before


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["convert", "--help"], ["verify", "--help"]])
def test_help_is_no_error(isoform, arguments):
    done = isoform(*arguments).expect(0)
    assert done.out and not done.err


def test_an_existing_target_is_kept(isoform, sales, tmp_path):
    target = tmp_path / "out.parquet"
    target.write_text("precious")
    done = isoform("convert", sales, target).expect(7)
    assert target.read_text() == "precious" and "--force" in done.err
    assert harness.listing(tmp_path) == ["out.parquet", "sales.csv"]
    isoform("convert", sales, target, "--force").expect(0)
    assert pyarrow.parquet.read_metadata(target).num_rows == 1000


def test_a_failed_forced_conversion_keeps_the_old_target(isoform, tmp_path):
    target = tmp_path / "out.parquet"
    target.write_text("precious")
    isoform("convert", BAD / "unclosed_quote.csv", target, "--force").expect(9)
    assert target.read_text() == "precious"


def test_a_missing_source(isoform, tmp_path):
    done = isoform("convert", tmp_path / "none.csv", tmp_path / "out.parquet").expect(1)
    assert "none.csv" in done.err and harness.listing(tmp_path) == []


def test_a_missing_folder(isoform, sales, tmp_path):
    isoform("convert", sales, tmp_path / "nowhere" / "out.parquet").expect(1)
    assert harness.listing(tmp_path) == ["sales.csv"]


def test_the_target_is_the_source(isoform, sales):
    data = open(sales, "rb").read()
    for options in ([], ["--force"]):
        assert isoform("convert", sales, sales, *options).code in (2, 7)
        assert open(sales, "rb").read() == data


def test_the_target_is_the_source_by_another_name(isoform, sales, tmp_path):
    data = open(sales, "rb").read()
    link = tmp_path / "link.csv"
    link.symlink_to(sales)
    for options in ([], ["--force"]):
        assert isoform("convert", sales, link, *options).code != 0 or os.path.realpath(link) != str(sales)
        assert open(sales, "rb").read() == data


def test_a_directory_as_target(isoform, sales, tmp_path):
    folder = tmp_path / "folder.parquet"
    folder.mkdir()
    assert isoform("convert", sales, folder).code in (2, 7)
    assert harness.listing(tmp_path) == ["folder.parquet", "sales.csv"]


def test_a_full_disk(isoform, sales):
    if os.path.exists("/dev/full"):
        assert isoform("convert", sales, "/dev/full", "--to", "parquet").code not in (0, 101)
        assert os.path.exists("/dev/full")


def test_a_socket_is_no_table(isoform, tmp_path, monkeypatch):
    path = tmp_path / "s.csv"
    # By a relative name: that of a socket may have 107 bytes at most.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
        assert isoform("convert", path, tmp_path / "out.parquet").code in (1, 2, 9)


def test_a_pipe_is_read_or_refused_but_never_waited_for(isoform, tmp_path):
    path = tmp_path / "p.csv"
    os.mkfifo(path)
    done = isoform("convert", path, tmp_path / "out.parquet", timeout=20)
    assert done.code == 5 and harness.listing(tmp_path) == ["p.csv"]


def test_a_name_that_is_not_utf8(isoform, sales, tmp_path):
    import subprocess

    odd = os.fsencode(tmp_path) + b"/caf\xe9.csv"
    shutil.copy(os.fsencode(sales), odd)
    command = [os.fsencode(a) for a in isoform.command("convert")] + [odd, os.fsencode(tmp_path) + b"/out.parquet"]
    done = subprocess.run(command, env=isoform.environment, capture_output=True)
    assert done.returncode in (0, 2) and b"panicked" not in done.stderr


def test_a_very_wide_table_and_a_very_long_field(isoform, tmp_path):
    wide, long, target = tmp_path / "wide.csv", tmp_path / "long.csv", tmp_path / "out.parquet"
    wide.write_text(",".join(f"c{i}" for i in range(100_001)) + "\n" + ",".join("1" * 100_001) + "\n")
    done = isoform("convert", wide, target).expect(9)
    assert "column" in done.err
    long.write_bytes(b"id,text\n1," + b"x" * (100 << 20) + b"\n")
    done = isoform("convert", long, target).expect(9)
    assert re.search("record 1|byte", done.err) and "limit" in done.err
    assert harness.listing(tmp_path) == ["long.csv", "wide.csv"]


def of_a_long_value(path, mebibytes):
    """A table whose second row holds a value of so many bytes."""
    texts = pa.array(["a", "b" * (mebibytes << 20)], pa.large_string())
    pa.parquet.write_table(pa.table({"id": [1, 2], "text": texts}), path, use_dictionary=False)


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_a_value_that_text_could_not_be_read_back_with(isoform, tmp_path, name):
    """It is found while it is written, and is no mismatch of the target."""
    source, roomy = tmp_path / "in.parquet", ("--memory", "1GiB")
    of_a_long_value(source, 70)
    kind = ("--to", name.removeprefix("out."))
    for command in (["convert", source, tmp_path / name], ["plan", source, tmp_path / name],
                    ["convert", source, "-", *kind, "--stream"]):
        told = isoform(*command, *roomy).expect(9).err
        assert "in.parquet, record 2" in told and "above the limit of 67108864" in told, told
    assert harness.listing(tmp_path) == ["in.parquet"]


def test_a_row_that_memory_does_not_hold(isoform, tmp_path):
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    of_a_long_value(source, 40)
    for command in ("convert", "plan"):
        told = isoform(command, source, target, "--memory", "256MiB").expect(9).err
        assert 'in.parquet, record 2, column "text"' in told, told
    assert harness.listing(tmp_path) == ["in.parquet"]
    enough = re.search(r"give it (--memory \w+)", told)[1].split()
    isoform("convert", source, target, *enough).expect(0)


@pytest.mark.parametrize("name, text, step", [
    ("a.json", '[{"a":1},{"a":2}]\n', "jq -c '.[]' FILE"),
    ("a.jsonl", '[{"a":1},{"a":2}]\n', "jq -c '.[]' FILE"),
    ("a.jsonl", '[\n{"a":1},\n{"a":2}\n]\n', "jq -c '.[]' FILE"),
    ("a.jsonl", '{"a":1},\n{"a":2}\n', "| jq -c '.[]'"),
])
def test_json_that_is_not_in_lines_is_told_the_next_step(isoform, tmp_path, name, text, step):
    (tmp_path / name).write_text(text)
    assert step in isoform("convert", tmp_path / name, tmp_path / "out.parquet").expect(9).err
    assert harness.listing(tmp_path) == [name]


@pytest.mark.parametrize("text, place", [
    (b'a,"b"x\n1,2\n', r"h.csv, byte 5: malformed CSV: text follows"),
    (b"a,\xff\n1,2\n", r"h.csv, byte 2: malformed CSV: invalid UTF-8"),
])
def test_a_broken_header_is_not_called_a_record(isoform, tmp_path, text, place):
    source = tmp_path / "h.csv"
    source.write_bytes(text)
    assert re.search(place, isoform("convert", source, tmp_path / "out.parquet").expect(9).err)
    told = isoform("convert", source, tmp_path / "out.parquet", "--header", "no").expect(9).err
    assert "h.csv, record 1, byte" in told


@pytest.mark.parametrize("ending", ["parquet", "avro", "csv"])
def test_as_many_columns_as_there_may_be(isoform, tmp_path, ending):
    """Each column costs some kB, and not a writer and a reader of a column of Parquet each (16 GB)."""
    wide, target = tmp_path / "wide.csv", tmp_path / f"out.{ending}"
    lines = [",".join(f"c{i}" for i in range(20_000))]
    lines += [",".join(str(i * row % 977) for i in range(20_000)) for row in range(40)]
    wide.write_text("\n".join(lines) + "\n")
    code, memory, err = harness.measured(isoform, "convert", wide, target)
    assert code == 0 and memory < 512 << 20, (memory, err)
    isoform("compare", wide, target).expect(0)


def test_columns_that_memory_does_not_hold_are_refused_with_what_would(isoform, tmp_path):
    wide = tmp_path / "wide.csv"
    wide.write_text("\n".join(",".join(f"{word}{i}" for i in range(60_000)) for word in ("c", "")) + "\n")
    for command in ("convert", "plan"):
        told = isoform(command, wide, tmp_path / "out.avro").expect(9).err
        assert "51200" in told, told
    enough = re.search(r"give it (--memory \w+)", told)[1].split()
    isoform("convert", wide, tmp_path / "out.avro", *enough).expect(0)


def test_a_bomb_does_not_explode(isoform, tmp_path):
    """A gigabyte of zeros in a megabyte of gzip holds no record end: refused, without a gigabyte of memory."""
    import gzip

    bomb = tmp_path / "bomb.csv.gz"
    with gzip.open(bomb, "wb", compresslevel=6) as file:
        for _ in range(300):
            file.write(b"0" * (1 << 20))
    code, memory, err = harness.measured(isoform, "convert", bomb, tmp_path / "out.parquet")
    assert code == 9 and "panicked" not in err
    assert memory < 512 << 20
    assert harness.listing(tmp_path) == ["bomb.csv.gz"]


def test_rows_without_columns_are_refused(isoform, tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.parquet"
    source.write_text("{}\n{}\n")
    done = isoform("convert", source, target).expect(9)
    assert "2 rows without a single column" in done.err and not target.exists()


def test_delimited_text_without_columns_is_refused(isoform, tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.csv"
    source.write_text("")
    for command in ("convert", "plan"):
        done = isoform(command, source, target).expect(9)
        assert str(source) in done.err and "without columns" in done.err and "another format" in done.err
    assert harness.listing(tmp_path) == ["in.jsonl"]


def test_json_numbers_are_not_rounded(isoform, tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.parquet"
    source.write_text('{"n":12345678901234567890}\n{"n":1}\n')
    isoform("convert", source, target).expect(0)
    assert pyarrow.parquet.read_table(target).column("n").to_pylist() == [12345678901234567890, 1]


def test_every_kind_of_arrow_column_is_carried_or_refused_by_name(isoform, tmp_path):
    """Nothing is dropped in silence: each target holds every column, or the refusal names the column."""
    source = tmp_path / "in.parquet"
    table = pa.table({
        "i8": pa.array([1, None], pa.int8()), "u64": pa.array([2**64 - 1, 0], pa.uint64()),
        "f32": pa.array([float("nan"), -0.0], pa.float32()), "bin": pa.array([b"\0\xff", b""], pa.binary()),
        "when": pa.array([1, 2], pa.timestamp("us", "Europe/Berlin")), "time": pa.array([1, 2], pa.time64("us")),
        "list": pa.array([[1, None], []], pa.list_(pa.int32())), "struct": pa.array([{"a": 1}, None]),
        "dict": pa.array(["x", "y"]).dictionary_encode(), "nothing": pa.nulls(2),
    })
    pyarrow.parquet.write_table(table, source)
    for ending in ("csv", "jsonl", "arrow", "arrows", "avro", "tsv"):
        target = tmp_path / f"out.{ending}"
        done = isoform("convert", source, target)
        assert done.code in (0, 9), (ending, done)
        if done.code == 9:
            assert any(f'"{name}"' in done.err for name in table.column_names), (ending, done.err)
        else:
            back = tmp_path / f"back-{ending}.parquet"
            isoform("convert", target, back).expect(0)
            assert pyarrow.parquet.read_table(back).column_names == table.column_names, ending


@pytest.mark.parametrize("names", ["in.jpg out.png", "in.npy out.png", "in.wav out.flac", "in.safetensors out.gguf"])
def test_what_is_not_there_or_not_what_its_name_says_is_told(isoform, tmp_path, names):
    source, target = (tmp_path / name for name in names.split())
    assert "No such file" in isoform("convert", source, target).expect(1).err
    for data in (b"", b"\x00\x01\x02\x03 nothing known"):
        source.write_bytes(data)
        done = isoform("convert", source, target).expect(9)
        assert source.name in done.err and "byte 0" in done.err
    assert "--from" in isoform("convert", "-", target, stdin=b"").expect(2).err
    assert not target.exists()


def test_a_parquet_schema_that_nests_without_end_is_refused(isoform, tmp_path):
    # Groups of one child each: repetition, name and number of children of a schema element; then a leaf.
    groups = 100_000
    group, leaf = bytes.fromhex("3500 180161 1502 00"), bytes.fromhex("1502 2500 180161 00")
    count = bytes([(groups + 1) & 127 | 128, (groups + 1) >> 7 & 127 | 128, (groups + 1) >> 14])
    footer = bytes.fromhex("1502 19fc") + count + group * groups + leaf + bytes.fromhex("1600 190c 00")
    source = tmp_path / "deep.parquet"
    source.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    assert "nesting" in isoform("inspect", source).expect(9).err


def test_skipped_lines_end_as_the_first_one_does(isoform, tmp_path):
    source, target = tmp_path / "a.csv", tmp_path / "a.arrow"
    source.write_bytes(b'junk\ra,b\r1,"x\ny"\r')
    isoform("convert", source, target, "--skip-lines", "1").expect(0)
    assert pa.ipc.open_file(target).read_all().to_pylist() == [{"a": 1, "b": "x\ny"}]


def test_a_table_of_long_texts_becomes_an_arrow_file_that_memory_holds(isoform, tmp_path):
    source, target, back = tmp_path / "a.csv", tmp_path / "a.arrow", tmp_path / "b.csv"
    with open(source, "w") as file:
        file.write("id,text\n")
        for row in range(9_000):
            file.write(f"{row},{chr(97 + row % 26) * 10_000}\n")
    isoform("convert", source, target).expect(0)
    with pa.OSFile(str(target)) as file:
        assert pa.ipc.open_file(file).num_record_batches >= 3
    isoform("convert", target, back, "--memory", "300MiB").expect(0)
    assert back.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("name, text", [("in.csv", "id,name\n1,üü\n2\n"), ("in.jsonl", '{"a": "üü"}\n{"a": }\n')])
def test_bytes_are_counted_as_the_file_has_them(isoform, tmp_path, name, text):
    source, target = tmp_path / name, tmp_path / "out.parquet"

    def told(data, *options):
        source.write_bytes(data)
        done = isoform("convert", source, target, *options).expect(9)
        return int(re.search(r"byte (\d+)", done.err)[1])

    plain = told(text.replace("ü", "u").encode())
    for data in (text.encode("latin-1"), gzip.compress(text.encode("latin-1"))):
        assert told(data, "--encoding", "latin-1") == told(data, "--encoding", "guess") == plain
    assert told(text.encode("utf-16-be"), "--encoding", "utf-16be") == 2 * plain
    assert told(b"\xff\xfe" + text.encode("utf-16-le")) == 2 + 2 * plain
    assert told(text.encode()) == plain + 2
    assert told(text.encode("utf-8-sig")) == plain + 5
