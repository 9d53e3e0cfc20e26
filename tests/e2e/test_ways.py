"""Ways across models: sounds and arrays, arrays and tables, and conversions that are led over named types; judged by NumPy,
safetensors, gguf, libsndfile, pyarrow, pandas and Pillow."""

import gzip
import json
import os
import subprocess
import threading

import gguf
import numpy as np
import pandas as pd
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

import harness

DROP = ("--drop", "metadata")


def parameters(target):
    return harness.statement(harness.certificate_of(target))["predicate"]["conversion"]["parameters"]


def content(isoform, path):
    return isoform("inspect", path, "--json").expect(0).json()["content"]


def music(channels=2, seconds=1, rate=44100):
    time = np.arange(int(seconds * rate)) / rate
    return np.stack([0.6 * np.sin(2 * np.pi * 220 * (c + 1) * time) for c in range(channels)], axis=1)


@pytest.mark.parametrize("container", ["safetensors", "gguf"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
def test_a_sound_is_one_in_a_container_of_texts(isoform, tmp_path, container, subtype):
    source, held, back = tmp_path / "x.wav", tmp_path / f"x.{container}", tmp_path / "back.wav"
    soundfile.write(source, music(3), 44100, subtype=subtype)
    with soundfile.SoundFile(source, "r+") as file:
        file.title, file.artist = "Größe", "somebody"
    told = isoform("convert", source, held, "--json").expect(0).json()
    assert told["verdict"] == "EXACT"
    assert content(isoform, source) == content(isoform, held)
    isoform("convert", held, back).expect(0)
    assert np.array_equal(soundfile.read(back, dtype="float64")[0], soundfile.read(source, dtype="float64")[0])
    assert soundfile.info(back).subtype == soundfile.info(source).subtype
    with soundfile.SoundFile(back) as file:
        assert (file.title, file.artist, file.samplerate) == ("Größe", "somebody", 44100)
    assert content(isoform, source) == content(isoform, back)
    for target, origin in ((held, source), (back, held)):
        assert "decoded again, and equal" in isoform("verify", target, "--source", origin).expect(0).out
    isoform("compare", source, held).expect(0)
    if container == "safetensors":
        with safe_open(held, "numpy") as file:
            texts = file.metadata()
            assert file.get_tensor("sound").shape == (44100, 3)
        assert (texts["sound.rate"], texts["sound.channels"]) == ("44100", "FL FR FC")
        assert texts["sound.text:tag:TITLE"] == "Größe"
        assert texts["sound.peak"] == {"PCM_U8": "128", "PCM_16": "32768", "PCM_24": "8388608", "FLOAT": "1"}[subtype]
    else:
        fields = gguf.GGUFReader(held).fields
        assert bytes(fields["sound.rate"].parts[-1]) == b"44100"


def test_an_array_becomes_a_sound_at_a_rate(isoform, tmp_path):
    samples = (music() * 32767).astype(np.int16)
    np.save(tmp_path / "a.npy", samples)
    refused = isoform("convert", tmp_path / "a.npy", tmp_path / "a.wav").expect(9)
    assert "tells no rate" in refused.err and "--rate 44100" in refused.err
    for name in ("a.wav", "a.flac"):
        told = isoform("convert", tmp_path / "a.npy", tmp_path / name, "--rate", "48000", "--json").expect(0).json()
        assert told["verdict"] == "EXACT"
        found, rate = soundfile.read(tmp_path / name, dtype="int16")
        assert rate == 48000 and np.array_equal(found, samples)
        assert parameters(tmp_path / name)["rate"] == "48000"
        verified = isoform("verify", tmp_path / name, "--source", tmp_path / "a.npy").expect(0)
        assert "decoded again, and equal" in verified.out
    # One axis is one channel; one array of several is chosen.
    mono = (music(1)[:, 0]).astype(np.float32)
    np.savez(tmp_path / "many.npz", voice=mono, other=np.zeros(3))
    several = isoform("convert", tmp_path / "many.npz", tmp_path / "m.wav", "--rate", "8000").expect(9)
    assert "--include" in several.err
    isoform("convert", tmp_path / "many.npz", tmp_path / "m.wav", "--rate", "8000", "--include", "voice").expect(0)
    assert np.array_equal(soundfile.read(tmp_path / "m.wav", dtype="float32")[0], mono)
    isoform("verify", tmp_path / "m.wav", "--source", tmp_path / "many.npz").expect(0)
    # A recording goes into npy without its rate, and comes back with one that is told.
    isoform("convert", tmp_path / "a.wav", tmp_path / "b.npy").expect(9)
    isoform("convert", tmp_path / "a.wav", tmp_path / "b.npy", *DROP).expect(0)
    assert np.array_equal(np.load(tmp_path / "b.npy"), samples)


def test_what_is_no_sound_is_refused(isoform, tmp_path):
    def refused(array, words, *more, code=9):
        np.save(tmp_path / "a.npy", array)
        told = isoform("convert", tmp_path / "a.npy", tmp_path / "a.wav", "--rate", "8000", *more).expect(code)
        assert words in told.err, told.err
        assert not (tmp_path / "a.wav").exists()

    refused(np.zeros((2, 3, 4), np.int16), "is no sound")
    refused(np.zeros((2, 44100), np.int16), "array.T")
    refused(np.zeros((10, 2), np.uint8), "u8")
    refused(np.zeros((10, 2), np.float16), "--sample-type", code=2)
    save_file({"sound": np.full((4, 1), 4096, np.int16)}, tmp_path / "s.safetensors",
              {"sound.rate": "8000", "sound.channels": "FC", "sound.peak": "2048"})
    told = isoform("convert", tmp_path / "s.safetensors", tmp_path / "s.wav").expect(9)
    assert "beyond the 12 bits" in told.err
    soundfile.write(tmp_path / "x.wav", music(1), 44100, subtype="PCM_16")
    told = isoform("convert", tmp_path / "x.wav", tmp_path / "x.flac", "--rate", "48000")
    assert told.code != 0 and "resampling" in told.err
    isoform("convert", tmp_path / "x.wav", tmp_path / "x.flac", "--rate", "44100").expect(0)
    told = isoform("convert", tmp_path / "a.npy", tmp_path / "a.npz", "--rate", "48000").expect(2)
    assert "become sounds" in told.err


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_an_array_of_fewer_bits_than_its_type_becomes_a_sound_of_so_many(isoform, tmp_path, ending):
    samples = (music() * 8388607).astype(np.int32)
    np.save(tmp_path / "a.npy", samples)
    target = tmp_path / f"a.{ending}"
    isoform("convert", tmp_path / "a.npy", target, "--rate", "44100", "--bits", "24").expect(0)
    assert soundfile.info(target).subtype == "PCM_24" and parameters(target)["bits"] == "24"
    assert np.array_equal(soundfile.read(target, dtype="int32")[0] >> 8, samples)
    assert "equal to the target" in isoform("verify", target, "--source", tmp_path / "a.npy").expect(0).out
    beyond = isoform("convert", tmp_path / "a.npy", tmp_path / f"b.{ending}", "--rate", "44100", "--bits", "20").expect(9)
    assert "beyond the 20 bits" in beyond.err
    for array, bits, words in [(samples.astype(np.int16), "24", "1 to 16 bits"), (music().astype(np.float32), "16", "ends at 1")]:
        np.save(tmp_path / "b.npy", array)
        refused = isoform("convert", tmp_path / "b.npy", tmp_path / f"b.{ending}", "--rate", "8000", "--bits", bits).expect(2)
        assert words in refused.err
    assert "declares its range" in isoform("convert", target, tmp_path / "c.wav", "--bits", "16").expect(2).err
    assert "become sounds" in isoform("convert", target, tmp_path / "c.npy", "--bits", "24", *DROP).expect(2).err


@pytest.mark.parametrize("name", ["sample_rate", "sr"])
def test_a_number_beside_an_array_is_its_rate(isoform, tmp_path, name):
    samples = (music() * 32767).astype(np.int16)
    np.savez(tmp_path / "a.npz", audio=samples, **{name: np.array(22050)})
    target = tmp_path / "a.flac"
    isoform("convert", tmp_path / "a.npz", target).expect(0)
    found, rate = soundfile.read(target, dtype="int16")
    assert rate == 22050 and np.array_equal(found, samples)
    assert "equal to the target" in isoform("verify", target, "--source", tmp_path / "a.npz").expect(0).out
    other = isoform("convert", tmp_path / "a.npz", tmp_path / "b.flac", "--rate", "44100")
    assert other.code != 0 and "22050 samples a second" in other.err
    # Arrays stay what they are where no sound is made of them.
    isoform("convert", tmp_path / "a.npz", tmp_path / "a.safetensors").expect(0)
    with safe_open(tmp_path / "a.safetensors", "numpy") as held:
        assert sorted(held.keys()) == ["audio", name]
    np.savez(tmp_path / "no.npz", audio=samples, **{name: np.array(0.5)})
    assert "--include" in isoform("convert", tmp_path / "no.npz", tmp_path / "no.wav").expect(9).err


def test_several_sounds_are_not_one(isoform, tmp_path):
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, music(1), 44100, subtype="PCM_16")
    for target in ("c.flac", "c.npz", "c.png"):
        refused = isoform("convert", tmp_path / "a.wav", tmp_path / "b.wav", tmp_path / target).expect(2)
        assert "each by itself" in refused.err and "--out-dir" in refused.err


TABLES = ["csv", "jsonl", "parquet", "arrow", "avro"]


@pytest.mark.parametrize("ending", TABLES)
def test_arrays_are_columns(isoform, tmp_path, ending):
    rng = np.random.default_rng(3)
    columns = {
        "id": np.arange(70_000, dtype=np.int64),
        "price": rng.normal(size=70_000),
        "ok": rng.integers(0, 2, 70_000).astype(bool),
        "small": rng.integers(-9, 9, 70_000, dtype=np.int32),
    }
    source, target = tmp_path / "a.safetensors", tmp_path / f"a.{ending}"
    save_file(columns, source, {"columns": json.dumps(list(columns)), "author": "me"})
    told = isoform("convert", source, target, "--json").expect(0).json()
    assert told["verdict"] == "EXACT" and told["rows"] == 70_000
    assert told["chain"][0]["from"] == "application/x-safetensors"
    found = {"csv": pd.read_csv, "jsonl": lambda path: pd.read_json(path, lines=True, precise_float=True),
             "parquet": pd.read_parquet, "arrow": lambda path: ipc.open_file(path).read_pandas(), "avro": None}[ending]
    if found:
        table = found(target)
        assert list(table.columns) == list(columns)
        for name, values in columns.items():
            assert np.array_equal(table[name].to_numpy(), values), name
    if ending == "parquet":
        assert pq.read_schema(target).metadata[b"author"] == b"me"
    assert "decoded again, and equal" in isoform("verify", target, "--source", source).expect(0).out
    back = tmp_path / "back.safetensors"
    isoform("convert", target, back).expect(0)
    with safe_open(back, "numpy") as file:
        for name, values in columns.items():
            assert np.array_equal(file.get_tensor(name), values), name


def test_an_npz_loses_the_order_of_columns_and_not_their_names(isoform, tmp_path):
    (tmp_path / "n.csv").write_text("b,a\n1,2\n3,4\n")
    for ending, lost in [("npz", "the order of the columns"), ("npy", "the names of the columns")]:
        source, target = tmp_path / "n.csv", tmp_path / f"n.{ending}"
        assert f"{ending} cannot hold {lost}; leave it out with --drop metadata" in isoform("convert", source, target).expect(9).err
        assert f"dropped: {lost}" in isoform("convert", source, target, *DROP, "--json").expect(0).json()["notes"]
    assert {name: values.tolist() for name, values in np.load(tmp_path / "n.npz").items()} == {"a": [2, 4], "b": [1, 3]}
    # One array of rows and columns has no names of its own.
    isoform("convert", tmp_path / "n.csv", tmp_path / "n.npy", *DROP, "--force").expect(0)


def test_rows_and_columns_of_one_array(isoform, tmp_path):
    values = np.arange(30_000, dtype=np.uint16).reshape(10_000, 3)
    np.save(tmp_path / "a.npy", np.asfortranarray(values))
    isoform("convert", tmp_path / "a.npy", tmp_path / "a.csv").expect(0)
    found = pd.read_csv(tmp_path / "a.csv")
    assert list(found.columns) == ["column_1", "column_2", "column_3"] and np.array_equal(found.to_numpy(), values)
    isoform("compare", tmp_path / "a.npy", tmp_path / "a.csv").expect(0)
    lines = isoform("plan", tmp_path / "a.npy", tmp_path / "b.parquet").expect(0).out
    assert "by way of npy → arrow (exact) → parquet (exact)" in lines
    np.save(tmp_path / "v.npy", np.array([1.5, np.nan, -0.0]))
    isoform("convert", tmp_path / "v.npy", tmp_path / "v.parquet").expect(0)
    assert np.array_equal(pq.read_table(tmp_path / "v.parquet").column("column_1").to_numpy(), [1.5, np.nan, -0.0], equal_nan=True)
    # Names that were kept come back.
    (tmp_path / "t.csv").write_text("x,y\n1,2\n3,4\n")
    isoform("convert", tmp_path / "t.csv", tmp_path / "t.safetensors").expect(0)
    isoform("convert", tmp_path / "t.safetensors", tmp_path / "t2.csv").expect(0)
    assert (tmp_path / "t2.csv").read_text() == "x,y\n1,2\n3,4\n"


def test_arrays_that_are_no_table_are_refused(isoform, tmp_path):
    def refused(arrays, words, code=9, *more):
        np.savez(tmp_path / "a.npz", **arrays)
        told = isoform("convert", tmp_path / "a.npz", tmp_path / "a.csv", *more).expect(code)
        assert words in told.err, told.err
        assert not (tmp_path / "a.csv").exists()

    refused({"a": np.zeros(3), "b": np.zeros(4)}, "3 and 4 values")
    refused({"a": np.zeros((2, 2, 2))}, "no column")
    refused({"a": np.zeros((2, 200_000))}, "array.T")
    refused({"a": np.zeros(3)}, "--delimiter", 2, "--delimiter", ";")
    soundfile.write(tmp_path / "x.wav", music(1), 44100, subtype="PCM_16")
    assert "is a sound" in isoform("convert", tmp_path / "x.wav", tmp_path / "x.csv").expect(2).err
    half = {"h": np.arange(100, dtype=np.float16), "b": np.ones(100, np.float32)}
    save_file(half, tmp_path / "h.safetensors")
    isoform("convert", tmp_path / "h.safetensors", tmp_path / "h.parquet").expect(0)
    assert np.array_equal(pq.read_table(tmp_path / "h.parquet").column("h").to_numpy(), half["h"])
    isoform("convert", tmp_path / "h.safetensors", tmp_path / "bf.safetensors", "--sample-type", "bf16", "--within",
            "exact").expect(0)
    told = isoform("convert", tmp_path / "bf.safetensors", tmp_path / "bf.parquet", "--json").expect(0).json()
    assert any("bf16 becomes float32" in note for note in told["notes"])
    assert np.array_equal(pq.read_table(tmp_path / "bf.parquet").column("h").to_numpy(), half["h"].astype(np.float32))


def test_arrays_are_led_over_containers(isoform, tmp_path):
    weights = np.random.default_rng(1).normal(size=(64, 128)).astype(np.float32)
    np.save(tmp_path / "x.npy", weights)
    target = tmp_path / "x.gguf"
    told = isoform("convert", tmp_path / "x.npy", target, "--via", "safetensors", "--json").expect(0).json()
    assert told["verdict"] == "EXACT"
    assert [step["to"] for step in told["chain"]] == ["application/x-safetensors", "application/x-gguf"]
    assert all(step["within"] == "exact" and step["d"] == "0" for step in told["chain"])
    tensor = gguf.GGUFReader(target).tensors[0]
    assert np.array_equal(tensor.data.reshape(weights.shape), weights)
    assert parameters(target)["via"] == ["safetensors"]
    assert "decoded again, and equal" in isoform("verify", target, "--source", tmp_path / "x.npy").expect(0).out
    # No other files are left, and a second run skips what is done.
    out = tmp_path / "out"
    again = ("convert", tmp_path / "x.npy", "--out-dir", out, "--to", "gguf", "--via", "safetensors", "--json")
    assert isoform(*again).expect(0).json()["converted"] == 1
    assert isoform(*again).expect(0).json()["skipped"] == 1
    assert len(list(out.iterdir())) == 2


def test_a_sound_is_led_over_npz_with_its_rate(isoform, tmp_path):
    source, target = tmp_path / "x.wav", tmp_path / "y.wav"
    soundfile.write(source, music(1), 22050, subtype="PCM_16")
    told = isoform("convert", source, target, "--via", "npz", *DROP, "--json").expect(0).json()
    assert told["verdict"] == "EXACT" and len(told["chain"]) == 2
    assert soundfile.info(target).samplerate == 22050
    assert np.array_equal(soundfile.read(target)[0], soundfile.read(source)[0])
    isoform("verify", target, "--source", source).expect(0)
    # In a container of arrays the rate is beside it, as if it came from the npz.
    isoform("convert", source, tmp_path / "y.safetensors", "--via", "npz", *DROP).expect(0)
    with safe_open(tmp_path / "y.safetensors", "numpy") as found:
        assert found.get_tensor("sample_rate") == 22050 and found.get_tensor("sound").shape == (44100, 1)


def test_a_sample_type_that_changes_nothing_is_refused(isoform, tmp_path):
    (tmp_path / "x.csv").write_text("x,y\n" + "".join(f"0.{n},1.{n}\n" for n in range(10, 74)))
    budget = ("--within", "coherence=0.9")
    refused = isoform("convert", tmp_path / "x.csv", tmp_path / "x.gguf", "--sample-type", "q8_0", *budget).expect(2)
    assert "--sample-type q8_0" in refused.err and "vectors, as columns become" in refused.err
    isoform("convert", tmp_path / "x.csv", tmp_path / "x.gguf", "--sample-type", "f16", *budget).expect(0)
    soundfile.write(tmp_path / "x.wav", music(1), 44100, subtype="PCM_16")
    way = ("--via", "safetensors:f16", "--within", "snr=30")
    refused = isoform("convert", tmp_path / "x.wav", tmp_path / "y.wav", *way).expect(2)
    assert "--via safetensors" in refused.err and "samples of floating point, and there are none" in refused.err


def test_a_budget_is_divided_over_steps_that_narrow(isoform, tmp_path):
    weights = np.random.default_rng(2).normal(size=(256, 128)).astype(np.float32)
    save_file({"w": weights, "bias": weights[0].copy()}, tmp_path / "m.safetensors")
    target = tmp_path / "m.gguf"
    way = ("--via", "safetensors:bf16", "--sample-type", "q8_0")
    silent = isoform("convert", tmp_path / "m.safetensors", target, "--via", "safetensors:bf16").expect(2)
    assert "nobody said how much" in silent.err
    budget = ("--within", "coherence=0.98", "--part-floor", "coherence=0.97")
    told = isoform("convert", tmp_path / "m.safetensors", target, *way, *budget, "--json").expect(0).json()
    assert told["verdict"] == "BOUNDED" and told["distortion"]["coherence"] >= 0.98
    # A plan knows the shares, and not what the last step will lose.
    other = tmp_path / "p.gguf"
    plan = isoform("plan", tmp_path / "m.safetensors", other, *way, *budget, "--json").expect(0).json()["chain"]
    assert [step["within"] for step in plan] == [step["within"] for step in told["chain"]]
    assert [step["class"] for step in plan] == ["bounded", "bounded"] == [step["class"] for step in told["chain"]]
    assert plan[0]["d"] == told["chain"][0]["d"] and "d" not in plan[1] and float(told["chain"][1]["d"]) > 0
    text = isoform("plan", tmp_path / "m.safetensors", other, *way, *budget).expect(0).out
    for step in plan:
        assert f"(bounded, within {step['within']}" in text, text
    steps = parameters(target)["steps"]
    assert [step["to"] for step in steps] == ["application/x-safetensors", "application/x-gguf"]
    # Law T5: the shares are the whole, and the distance of the whole is at most the sum of those of its steps.
    shares = [1 - float(step["within"].split("=")[1]) for step in steps]
    assert sum(shares) == pytest.approx(0.02) and shares[0] > 0
    assert told["distortion"]["d"] <= sum(float(step["d"]) for step in steps) * (1 + 1e-12)
    found = {tensor.name: tensor for tensor in gguf.GGUFReader(target).tensors}
    values = gguf.dequantize(found["w"].data, found["w"].tensor_type).reshape(weights.shape)
    measured = np.sqrt(((values - weights).astype(np.float64) ** 2).sum())
    assert measured <= told["distortion"]["d"] * (1 + 1e-9)
    # The step into bf16 was taken: rounding to bf16 and then to blocks is what is found.
    bf16 = (weights.view(np.uint32) + 0x7FFF + ((weights.view(np.uint32) >> 16) & 1) & 0xFFFF0000).view(np.float32)
    blocks = gguf.dequantize(gguf.quantize(bf16, gguf.GGMLQuantizationType.Q8_0), gguf.GGMLQuantizationType.Q8_0)
    assert np.array_equal(values, blocks.reshape(weights.shape))
    isoform("verify", target, "--source", tmp_path / "m.safetensors").expect(0)
    line = isoform("plan", tmp_path / "m.safetensors", tmp_path / "p.gguf", *way, *budget).expect(0).out
    assert "safetensors (bounded, within coherence=0.99" in line and "gguf (bounded, within coherence=0.98" in line
    tight = isoform("convert", tmp_path / "m.safetensors", tmp_path / "t.gguf", *way, "--within", "coherence=0.9999")
    tight.expect(4)
    assert "times what --within allows" in tight.err and not (tmp_path / "t.gguf").exists()
    # A budget alone still chooses types for the last step, within what is left.
    chosen = isoform("convert", tmp_path / "m.safetensors", tmp_path / "c.gguf", "--via", "safetensors:bf16", *budget,
                     "--json").expect(0).json()
    assert chosen["allocation"] and chosen["distortion"]["coherence"] >= 0.98


def ramp():
    values = np.add.outer(np.arange(120), np.arange(160))[..., None] + np.array([0, 20, 40])
    return (values + np.random.default_rng(5).integers(0, 9, values.shape)).clip(0, 255).astype(np.uint8)


def test_images_are_led_over_arrays_and_images(isoform, tmp_path):
    Image.fromarray(ramp()).save(tmp_path / "p.png", dpi=(300, 300))
    target = tmp_path / "p.qoi"
    assert "density" in isoform("convert", tmp_path / "p.png", target, "--via", "npy").expect(9).err
    told = isoform("convert", tmp_path / "p.png", target, "--via", "npy", *DROP, "--json").expect(0).json()
    assert told["verdict"] == "EXACT" and any("pixel density" in note for note in told["notes"])
    assert [step["to"] for step in told["chain"]] == ["application/x-npy", "image/qoi"]
    isoform("verify", target, "--source", tmp_path / "p.png").expect(0)
    lossy = tmp_path / "p.webp"
    refused = isoform("convert", tmp_path / "p.png", tmp_path / "x.qoi", "--via", "jpeg", *DROP).expect(2)
    assert "nobody said how much" in refused.err
    missed = isoform("convert", tmp_path / "p.png", lossy, "--via", "jpeg", "--within", "psnr=70", *DROP).expect(4)
    assert "the step into jpeg" in missed.err and "dB is asked for" in missed.err, missed.err
    told = isoform("convert", tmp_path / "p.png", lossy, "--via", "jpeg", "--within", "rmse=6", *DROP, "--json")
    told = told.expect(0).json()
    first, last = told["chain"]
    assert first["within"] == "rmse=3" and last["within"] == "rmse=3"
    assert 0 < float(first["d"]) and told["distortion"]["d"] <= float(first["d"]) + float(last["d"])
    found = np.asarray(Image.open(lossy).convert("RGB")).astype(float)
    assert np.sqrt(((found - ramp()) ** 2).mean()) <= 6
    isoform("verify", lossy, "--source", tmp_path / "p.png").expect(0)


def test_a_step_that_narrows_an_image_has_a_share_of_the_budget(isoform, tmp_path):
    source, target = tmp_path / "f.tif", tmp_path / "g.tif"
    Image.fromarray(np.random.default_rng(5).random((64, 64)).astype("f4")).save(source)
    way = ("--via", "png", "--within")
    told = isoform("convert", source, target, *way, "rmse=0.01", "--json").expect(0).json()
    assert told["verdict"] == "BOUNDED" and 0 < told["distortion"]["rmse"] < 1e-5
    first, last = told["chain"]
    assert 0 < float(first["within"].removeprefix("rmse=")) < 1e-5 and float(first["d"]) > 0
    assert last["within"] == "exact" and float(last["d"]) == 0
    isoform("verify", target, "--source", source).expect(0)
    missed = isoform("convert", source, tmp_path / "h.tif", *way, "rmse=1e-9").expect(4).err
    assert "the step into png: the budget was missed" in missed
    # Two steps that lose something: the one that searches has what the other leaves.
    isoform("convert", source, tmp_path / "h.webp", *way, "rmse=0.2").expect(0)
    Image.fromarray(np.arange(4_096, dtype="u2").reshape(64, 64) * 15).save(tmp_path / "u.tif")
    refused = isoform("convert", tmp_path / "u.tif", tmp_path / "v.tif", "--via", "bmp", "--within", "rmse=300")
    assert "samples of type u16 are narrowed to it only by a conversion of their own" in refused.expect(2).err


def test_an_image_that_lost_something_on_the_way_is_written_without_loss(isoform, tmp_path):
    Image.fromarray(ramp()).save(tmp_path / "p.png")
    way = ("--via", "jpeg", "--within", "rmse=6", "--json")
    told = isoform("convert", tmp_path / "p.png", tmp_path / "p.qoi", *way).expect(0).json()
    assert told["verdict"] == "BOUNDED" and 0 < told["distortion"]["rmse"] <= 6
    assert [step["within"] for step in told["chain"]] == ["rmse=6", "exact"]
    isoform("verify", tmp_path / "p.qoi", "--source", tmp_path / "p.png").expect(0)


def test_a_picture_that_lost_something_becomes_an_array(isoform, tmp_path):
    Image.fromarray(ramp()).save(tmp_path / "p.png")
    target = tmp_path / "p.npy"
    isoform("convert", tmp_path / "p.png", target, "--via", "jpeg").expect(2)
    told = isoform("convert", tmp_path / "p.png", target, "--via", "jpeg", "--within", "rmse=4", "--json").expect(0).json()
    assert told["verdict"] == "BOUNDED" and 0 < told["distortion"]["rmse"] <= 4
    assert [step["within"] for step in told["chain"]] == ["rmse=4", "exact"]
    found = np.load(target)
    assert found.dtype == np.uint8 and found.shape == ramp().shape
    rmse = np.sqrt(((found.astype(float) - ramp()) ** 2).mean())
    assert rmse == pytest.approx(told["distortion"]["rmse"], rel=1e-9)
    isoform("verify", target, "--source", tmp_path / "p.png").expect(0)


@pytest.mark.parametrize("way", ["jpeg,png", "png,jpeg", "jpeg,npz,png"])
def test_floats_that_are_narrowed_after_a_search_become_an_array(isoform, tmp_path, way):
    """A search leaves a share to the steps behind it that narrow, whatever the target is."""
    values = (ramp()[..., 0] / 255).astype(np.float32)
    np.save(tmp_path / "f.npy", values)
    Image.fromarray(values).save(tmp_path / "f.tif")
    budget = ("--via", way, "--within", "rmse=0.05", *DROP)
    for source in ("f.npy", "f.tif"):
        for target in ("g.npy", "g.tif"):
            told = isoform("convert", tmp_path / source, tmp_path / target, *budget, "--force", "--json").expect(0).json()
            assert told["verdict"] == "BOUNDED" and 0 < told["distortion"]["rmse"] <= 0.05
            searched = next(step for step in told["chain"] if step["to"] == "image/jpeg")
            share = 0.05 if way == "png,jpeg" else 0.025
            assert float(searched["within"].removeprefix("rmse=")) == pytest.approx(share, rel=0.01)
            isoform("verify", tmp_path / target, "--source", tmp_path / source).expect(0)
    found = np.load(tmp_path / "g.npy").reshape(values.shape)
    assert np.sqrt(((found - values).astype(float) ** 2).mean()) <= 0.05
    # A sample type that is asked for at the end has its share as well.
    narrow = isoform("convert", tmp_path / "f.npy", tmp_path / "h.npy", *budget, "--sample-type", "f16", "--json")
    steps = narrow.expect(0).json()["chain"]
    assert steps[-1]["within"].startswith("rmse=") and float(steps[-1]["d"]) > 0
    assert sum(float(step["within"].removeprefix("rmse=")) for step in steps if step["within"] != "exact") <= 0.05 + 1e-9
    isoform("verify", tmp_path / "h.npy", "--source", tmp_path / "f.npy").expect(0)
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"0.{n},0.{n + 1}\n" for n in range(10, 80)))
    isoform("convert", tmp_path / "t.csv", tmp_path / "t.npy", *budget).expect(0)


@pytest.mark.parametrize("shape", [(64, 96, 3), (64, 96)])
def test_arrays_are_led_over_images(isoform, tmp_path, shape):
    values = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    values = values if len(shape) == 2 else np.stack([values, values + 9, values + 30], axis=2)
    source = tmp_path / "a.npy"
    np.save(source, values)
    isoform("convert", source, tmp_path / "b.npz", "--via", "png").expect(0)
    with np.load(tmp_path / "b.npz") as found:
        assert np.array_equal(found["image"].reshape(shape), values)
    isoform("convert", source, tmp_path / "c.npy", "--via", "jpeg", "--within", "rmse=3").expect(0)
    rmse = np.sqrt(((np.load(tmp_path / "c.npy").reshape(shape).astype(float) - values) ** 2).mean())
    assert 0 < rmse <= 3
    for target in ("b.npz", "c.npy"):
        assert "decoded again" in isoform("verify", tmp_path / target, "--source", source).expect(0).out


def test_tables_are_led_over_tables(isoform, tmp_path):
    numbers = np.arange(200_000, dtype=np.int64)
    text = "a,b\n" + "\n".join(f"{n},{n * 3}" for n in numbers.tolist()) + "\n"
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(text.encode(), 1))
    target = tmp_path / "x.npy"
    told = isoform("convert", tmp_path / "x.csv.gz", target, "--via", "parquet", *DROP, "--json").expect(0).json()
    assert [step["to"] for step in told["chain"]] == [
        "text/csv", "application/vnd.apache.parquet", "application/vnd.apache.arrow.file", "application/x-npy"]
    assert np.array_equal(np.load(target), np.stack([numbers, numbers * 3], axis=1))
    isoform("verify", target, "--source", tmp_path / "x.csv.gz").expect(0)
    odd = "id,x\n007,1.10\n010,2.5\n"
    (tmp_path / "o.csv").write_text(odd)
    for way in ("parquet", "avro", "jsonl", "avro,arrow"):
        back = tmp_path / f"{way.replace(',', '-')}.csv"
        told = isoform("convert", tmp_path / "o.csv", back, "--via", way, "--json").expect(0).json()
        assert told["verdict"] == "EXACT" and back.read_text() == odd, way
        isoform("verify", back, "--source", tmp_path / "o.csv").expect(0)
    np.save(tmp_path / "v.npy", np.arange(5, dtype=np.int32))
    isoform("convert", tmp_path / "v.npy", tmp_path / "v.csv", "--via", "npz,parquet").expect(0)
    # An npz gives an array without a name the one that NumPy gives it, also on the way.
    assert (tmp_path / "v.csv").read_text() == "arr_0\n0\n1\n2\n3\n4\n"


def test_ways_that_make_no_sense_are_refused(isoform, tmp_path):
    np.save(tmp_path / "a.npy", np.arange(64, dtype=np.float32).reshape(2, 32))
    (tmp_path / "t.csv").write_text("a\n1\n")

    def refused(source, target, via, words, *more, code=2):
        told = isoform("convert", tmp_path / source, tmp_path / target, "--via", via, *more).expect(code)
        assert words in told.err, told.err
        assert not (tmp_path / target).exists()

    refused("a.npy", "a.npz", "gzip", "wrapping")
    refused("a.npy", "a.npz", "nonsense", "is no type")
    refused("a.npy", "a.npz", "npy:bf16", "does not hold", "--within", "coherence=0.9")
    refused("t.csv", "t.parquet", "png", "over other tables")
    refused("t.csv", "t.parquet", "npy", "over other tables")
    refused("a.npy", "a.csv", "safetensors:f16", "converted exactly", "--within", "exact")
    refused("t.csv", "t.csv.gz", "gzip", "wrapping")


def test_a_directory_gives_what_becomes_the_target(isoform, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a", "b"):
        np.save(folder / f"{name}.npy", np.arange(12, dtype=np.uint8).reshape(3, 4))
    (folder / "notes.md").write_text("none of these\n")
    for to in ("png", "csv"):
        done = isoform("convert", folder, "--out-dir", out, "--to", to, "--json").expect(0).json()
        assert done["converted"] == 2
    assert {"a.png", "a.npy.csv"} <= set(harness.listing(out))


def test_a_pipe_is_what_its_name_or_an_option_tells(isoform, tmp_path):
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "x.png")
    soundfile.write(tmp_path / "x.wav", music(), 44100)
    np.save(tmp_path / "x.npy", np.arange(12, dtype=np.uint8).reshape(3, 4))
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3,4\n")
    ways = [("png", "webp", "png"), ("wav", "flac", "wav"), ("npy", "npz", "npy"), ("npy", "parquet", None), ("csv", "safetensors", "npy")]
    (tmp_path / "pipes").mkdir()
    for number, (ending, to, example) in enumerate(ways):
        source, target = tmp_path / f"x.{ending}", tmp_path / f"{number}.{to}"
        pipe = tmp_path / "pipes" / f"{number}.{ending}"
        os.mkfifo(pipe)
        writer = threading.Thread(target=lambda: pipe.write_bytes(source.read_bytes()), daemon=True)
        writer.start()
        isoform("convert", pipe, target).expect(0)
        writer.join()
        isoform("convert", source, tmp_path / f"file{number}.{to}").expect(0)
        assert target.read_bytes() == (tmp_path / f"file{number}.{to}").read_bytes()
        # A pipe of no name, and standard input.
        nameless = tmp_path / "pipes" / f"{number}.unknown"
        os.mkfifo(nameless)
        for untold in ([nameless, "-"] if example else []):
            told = isoform("convert", untold, tmp_path / f"no.{to}").expect(2).err
            assert f"becomes {to} only where its format is said: add --from, such as --from {example}" in told, told
    with open(tmp_path / "x.png", "rb") as data:
        done = subprocess.run(isoform.command("convert", "-", tmp_path / "in.webp", "--from", "png"), stdin=data,
                              env=isoform.environment, capture_output=True)
    assert done.returncode == 0, done
    isoform("verify", tmp_path / "in.webp", "--source", tmp_path / "x.png").expect(0)
    # A table on standard input is read once, whatever it becomes.
    isoform("convert", "-", tmp_path / "in.safetensors", "--from", "csv", stdin=(tmp_path / "x.csv").read_bytes()).expect(0)
    assert (tmp_path / "in.safetensors").read_bytes() == (tmp_path / "file4.safetensors").read_bytes()
    told = isoform("convert", "/dev/null", tmp_path / "no.webp").expect(2).err
    assert "neither a file nor a pipe" in told and not list(tmp_path.glob("no.*"))


def test_a_step_over_a_sound_without_such_samples_says_what_leads_on(isoform, tmp_path):
    """With a budget or without one: it is for the target."""
    source = tmp_path / "x.wav"
    soundfile.write(source, music(), 44100, subtype="FLOAT")
    for budget in ((), ("--within", "snr=50")):
        told = isoform("convert", source, tmp_path / "y.wav", "--via", "flac", *budget).expect(2).err
        assert "--via flac: has no samples of type f32" in told and "lead it over wav" in told, told
    isoform("convert", source, tmp_path / "y.flac", "--via", "wav", "--within", "snr=50").expect(0)
    isoform("convert", source, tmp_path / "z.flac", "--within", "snr=50").expect(0)
    isoform("convert", tmp_path / "z.flac", tmp_path / "z.wav").expect(0)


def test_a_step_over_an_image_without_such_samples_says_what_leads_on(isoform, tmp_path):
    source = tmp_path / "x.npy"
    np.save(source, np.random.default_rng(2).random((16, 16, 3)).astype(np.float32))
    for over in ("png", "jpeg"):
        told = isoform("convert", source, tmp_path / "y.npy", "--via", over).expect(2).err
        assert f"the step into {over} loses something of samples of type f32" in told, told
        assert "a budget such as --within snr=30, or lead over a format that keeps them, such as tiff" in told, told
    isoform("convert", source, tmp_path / "y.npy", "--via", "png", "--within", "snr=30").expect(0)
    isoform("convert", source, tmp_path / "z.npy", "--via", "tiff").expect(0)
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    told = isoform("convert", tmp_path / "x.png", tmp_path / "y.webp", "--via", "jpeg").expect(2).err
    assert "keeps them, such as png" in told, told
