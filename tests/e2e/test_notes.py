"""Notes say what a person may not expect: of how a text is read, and of columns that are text by little."""

import pytest

PLAIN = ["delimiter ',': each of the first 3 records has 2 fields", "header: \"id\" stands above a column of values"]


def notes_of(isoform, source, target, *options):
    """The notes of a conversion, as lines and as a document has them."""
    lines = isoform("convert", source, target, *options, "--force").expect(0).out.splitlines()
    document = isoform("convert", source, target, *options, "--force", "--json").expect(0).json()
    return [line.removeprefix("  note: ") for line in lines if line.startswith("  note: ")], document["notes"]


def test_what_anybody_would_expect_of_a_csv_is_told_to_those_who_ask(isoform, tmp_path):
    source, target = tmp_path / "a.csv", tmp_path / "a.parquet"
    source.write_text("id,word\n1,x\n2,y\n")
    assert notes_of(isoform, source, target) == ([], PLAIN)
    told = isoform("convert", source, target, "--force", "-v").expect(0)
    assert all(note in told.err for note in PLAIN) and "note:" not in told.out
    for command in (["plan", source, tmp_path / "b.parquet"], ["inspect", source]):
        assert all(f"note: {note}" in isoform(*command).expect(0).out for note in PLAIN)
        assert isoform(*command, "--json").expect(0).json()["notes"] == PLAIN
    (tmp_path / "b.tsv").write_text("id\tword\n1\tx\n2\ty\n")
    assert notes_of(isoform, tmp_path / "b.tsv", target)[0] == []
    several = notes_of(isoform, source, tmp_path / "b.tsv", target)
    assert several[0] == [] and [str(source) in note for note in several[1]][:1] == [True]
    batch = isoform("convert", source, tmp_path / "b.tsv", "--out-dir", tmp_path / "out", "--to", "arrow").expect(0).out
    assert "delimiter" not in batch and "header" not in batch
    # A row has what was found and not why.
    source.write_text("word;other\nx;y\n")
    row = isoform("convert", source, "--out-dir", tmp_path / "rows", "--to", "arrow").expect(0).out.splitlines()[1]
    assert row.endswith("  delimiter ';'; header: the default"), row


@pytest.mark.parametrize("text, note", [
    ("id;word\n1;x\n2;y\n", "delimiter ';'"), ("id|word\n1|x\n2|y\n", "delimiter '|'"),
    ("x,a;b\n1,2;y\n3,4;z\n", "would fit as well"), ("id\n1\n2\n", "one column"),
    ("a,b\nx,y\n", "header: the default"), ("1,x\n2,y\n", "no header: \"1\""), ("a,b\n", "header: there is only one record"),
])
def test_a_choice_is_told(isoform, tmp_path, text, note):
    source = tmp_path / "a.csv"
    source.write_text(text)
    lines, document = notes_of(isoform, source, tmp_path / "a.arrow")
    assert [note in line for line in lines] == [True] and lines[0] in document


def test_a_column_that_is_text_by_little_is_named_with_record_and_option(isoform, tmp_path):
    source, target = tmp_path / "a.csv", tmp_path / "a.parquet"
    rows = [f"{i},{i % 12 + 1:02d}/{(i + 3) % 12 + 1:02d}/2024,{i}.25,{1000 + i},0{i},name {i},v{i}" for i in range(1, 900)]
    rows[736] = rows[736].replace(",1737,", ",09005,")
    source.write_text("id,day,price,code,zip,name,v\n" + "\n".join(rows) + "\n")
    [line], _ = notes_of(isoform, source, target)
    assert line.startswith('columns that stay text: "day" (record 1: "02/05/2024": every date fits both orders'), line
    assert "--dates dmy or --dates mdy" in line and '"code" (record 737: "09005" has leading zeros' in line, line
    assert not any(f'"{name}"' in line for name in ("id", "price", "zip", "name", "v")), line
    assert notes_of(isoform, source, target, "--dates", "dmy")[0][0].startswith('"code" stays text: record 737: ')
    assert any(line == note for note in isoform("inspect", source, "--json").expect(0).json()["notes"])
    # Text that becomes text has lost nothing.
    assert notes_of(isoform, source, tmp_path / "b.tsv")[0] == []
    assert notes_of(isoform, source, target, "--types", "text")[0] == []
    row = isoform("convert", source, "--out-dir", tmp_path / "out", "--to", "arrow").expect(0).out.splitlines()[1]
    assert row.endswith('"day", "code" stay text, see inspect --why'), row


@pytest.mark.parametrize("fields, told", [
    (["12,50", "1,25"], "--decimal-comma reads it"), (["31.12.24", "01.01.25"], "%d.%m.%y"),
    (["1", "NA", "N/A", "3"], "second spelling of null in a column of int64"), (["1,250", "12"], "separators of thousands"),
])
def test_a_choice_that_an_option_makes_is_told_of_few_rows_too(isoform, tmp_path, fields, told):
    source = tmp_path / "a.csv"
    source.write_text("id,v\n" + "".join(f'{i},"{field}"\n' if "," in field else f"{i},{field}\n" for i, field in enumerate(fields)))
    [line], document = notes_of(isoform, source, tmp_path / "a.parquet")
    assert line.startswith('"v" stays text: record ') and told in line and line in document, line


def test_a_record_far_behind_the_sample_is_not_called_the_first(isoform, tmp_path):
    source = tmp_path / "a.csv"
    lines = [f"{i},{i % 1000}" for i in range(300_000)]
    for at in (100_000, 299_999, 299_000):
        lines[at] = f"{at},x"
    source.write_text("id,v\n" + "\n".join(lines) + "\n")
    [line], _ = notes_of(isoform, source, tmp_path / "a.parquet")
    assert 'record 100001: "x"' in line or "a record after the first 65536" in line, line
    [planned] = [note for note in isoform("inspect", source, "--json").expect(0).json()["notes"] if "stays text" in note]
    assert 'record 100001: "x"' in planned


def test_a_guess_says_to_which_encoding_it_came_and_why(isoform, tmp_path):
    source, target = tmp_path / "a.csv", tmp_path / "a.parquet"
    cases = [
        ("id,v\n1,x\n2,\xe9\n".encode("latin-1"), "encoding windows-1252: byte 11, in line 3, is no UTF-8"),
        ("id,v\r1,x\r2,\xe9\r".encode("latin-1"), "encoding windows-1252: byte 11, in line 3, is no UTF-8"),
        ("id,v\r\n1,x\r\n2,\xe9\r\n".encode("latin-1"), "encoding windows-1252: byte 13, in line 3, is no UTF-8"),
        ("id,v\n1,x\n2,\xe9\n".encode(), "encoding utf-8: all of the text is"),
        ("\ufeffid,v\n1,x\n2,\xe9\n".encode("utf-16-le"), "encoding utf-16le: its byte order mark says so"),
    ]
    for data, note in cases:
        source.write_bytes(data)
        lines, document = notes_of(isoform, source, target, "--encoding", "guess")
        assert note in document and lines == ([note] if "1252" in note else []), (lines, document)
    lines = tmp_path / "a.jsonl"
    lines.write_bytes('{"v":"\xe9"}\n'.encode("latin-1"))
    assert notes_of(isoform, lines, target, "--encoding", "guess")[0] == ["encoding windows-1252: byte 6, in line 1, is no UTF-8"]
