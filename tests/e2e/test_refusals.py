"""What a format refuses of a column is told with the file, the column, its type, what would be lost and the way on."""

import pyarrow as pa
import pyarrow.ipc
import pytest

import harness

DENSE = pa.UnionArray.from_dense(pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()),
                                 [pa.array([1]), pa.array(["x"])])
SPARSE = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["x", "y"])])
TWICE = pa.StructArray.from_arrays([pa.array([1, 2]), pa.array([3, 4])], ["a", "a"])
TEXT = ["csv", "tsv"]
ALL = TEXT + ["jsonl", "avro", "parquet", "arrow", "arrow-stream"]
MEMBERS = "which of several types each value has"

# Column, its array, who refuses it, and what the message must hold beside the column.
REFUSED = {
    "dense union": ("u", DENSE, ALL, ["union<int64, utf8>", MEMBERS]),
    "sparse union": ("u", SPARSE, ALL, ["union<int64, utf8>", MEMBERS]),
    "union in a list": ("l", pa.ListArray.from_arrays([0, 1, 2], DENSE), ALL, ["list<union<int64, utf8>>", MEMBERS]),
    "union in a struct": ("s", pa.StructArray.from_arrays([SPARSE], ["x"]), ALL,
                          ["struct<x: union<int64, utf8>>", MEMBERS]),
    "NUL": ("t", pa.array(["b", "a\0b"]), TEXT, ["record 2", "utf8", "the text behind it"]),
    "no name": ("", pa.array([1, 2]), TEXT, ["int64", "find it by"]),
    "NUL in a name": ("a\0b", pa.array([1, 2]), TEXT, ["int64", "the rest of the name"]),
    "fields of one name": ("s", TWICE, ["jsonl"], ['"a"', "int64", "which of them"]),
    "fields of one name in a list": ("l", pa.ListArray.from_arrays([0, 1, 2], TWICE), ["jsonl"],
                                     ['"a"', "int64", "which of them"]),
    "far seconds": ("t", pa.array([1, 2**62], pa.timestamp("s")), ["avro", "parquet"],
                    ["record 2", "timestamp[s]", "the value"]),
}


def written(path, table):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


@pytest.mark.parametrize("case, target", [(case, to) for case, row in REFUSED.items() for to in row[2]])
def test_a_refused_column_is_told_with_type_loss_and_way_on(isoform, tmp_path, case, target):
    name, array, _, parts = REFUSED[case]
    source = written(tmp_path / "in.arrow", pa.table([pa.array([7, 8]), array], names=["id", name]))
    done = isoform("convert", source, tmp_path / "out", "--to", target).expect(9)
    column = name.replace("\0", "\\0")
    for part in ["in.arrow", f'column "{column}"', "would lose", "no option accepts that: ", *parts]:
        assert part in done.err, done.err
    assert harness.listing(tmp_path) == ["in.arrow"]


def test_all_columns_in_the_way_are_told_at_once(isoform, tmp_path):
    both = pa.table([DENSE, SPARSE, pa.array([1, 2])], names=["u", "v", "w"])
    told = isoform("convert", written(tmp_path / "in.arrow", both), tmp_path / "out.csv").expect(9).err
    assert "2 things stand in the way" in told and '"u"' in told and '"v"' in told and '"w"' not in told
    again = pa.table([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "a", ""])
    told = isoform("convert", written(tmp_path / "in.arrow", again), tmp_path / "out.csv").expect(9).err
    assert 'column "a": csv cannot carry a second column of its name' in told and 'column "":' in told


@pytest.mark.parametrize("unit, value, told", [("s", 90_000, "time32[s]"), ("ns", 2**62, "time64[ns]")])
def test_no_time_of_day_is_told_with_its_row_and_type(isoform, tmp_path, unit, value, told):
    width = pa.int32() if unit == "s" else pa.int64()
    kind = pa.time32(unit) if unit == "s" else pa.time64(unit)
    times = pa.array([1] * 100_000 + [value], width).view(kind)
    source = written(tmp_path / "in.arrow", pa.table({"t": times}))
    told_of = isoform("convert", source, tmp_path / "out.parquet").expect(9).err
    assert f'record 100001, column "t"' in told_of and told in told_of and "Invalid argument" not in told_of
