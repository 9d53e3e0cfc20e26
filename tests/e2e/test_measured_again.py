"""What a certificate says of a distance is measured again where the source is at hand, whoever signed it."""

import copy

import numpy as np
import pytest
import safetensors.numpy
import soundfile
from PIL import Image

import harness

RATE = 48_000
RANDOM = np.random.default_rng(7)


def arrays(folder):
    weights = {
        "a.weight": RANDOM.standard_normal((300, 64)).astype(np.float32),
        "b.weight": (RANDOM.standard_normal((64, 32)) * 1e-3).astype(np.float32),
        "b.order": np.arange(512, dtype=np.int64),
    }
    safetensors.numpy.save_file(weights, folder / "x.safetensors")
    return folder / "x.safetensors"


def one(folder):
    np.save(folder / "x.npy", RANDOM.standard_normal(1_500_000).astype(np.float32))
    return folder / "x.npy"


def sound(folder):
    time = np.arange(5 * RATE) / RATE
    waves = np.stack([np.sin(2 * np.pi * 330 * time) * time / 6, RANDOM.normal(0, 0.1, len(time))], axis=1)
    soundfile.write(folder / "x.wav", waves, RATE, subtype="FLOAT")
    return folder / "x.wav"


def table(folder):
    lines = [f"{number / 7:.6f}" for number in range(3000)]
    (folder / "x.csv").write_text("v\n" + "\n".join(lines) + "\n")
    return folder / "x.csv"


def picture(folder):
    Image.fromarray(RANDOM.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(folder / "x.png")
    return folder / "x.png"


CASES = [
    (arrays, "y.safetensors", ["--sample-type", "bf16", "--within", "coherence=0.99"], "part"),
    (arrays, "y.gguf", ["--sample-type", "q8_0", "--within", "coherence=0.98", "--include", "*.weight"], "part"),
    (arrays, "y.safetensors", ["--within", "coherence=0.995", "--part-floor", "coherence=0.97"], "part"),
    (arrays, "y.safetensors.index.json", ["--sample-type", "f16", "--within", "coherence=0.99"], "part"),
    (one, "y.safetensors", ["--sample-type", "f16", "--within", "snr=40"], "part"),
    (one, "y.gguf", ["--sample-type", "f16", "--within", "snr=40"], "part"),
    (sound, "y.flac", ["--sample-type", "i16", "--within", "snr=40"], "piece"),
    (sound, "y.opus", ["--within", "snr=8", "--part-floor", "snr=0.5", "--drop", "metadata"], "piece"),
    (table, "y.npy", ["--sample-type", "f16", "--within", "coherence=0.99", "--drop", "metadata"], "part"),
    (picture, "y.npy", ["--via", "jpeg", "--within", "rmse=40"], "part"),
]


@pytest.mark.parametrize("made, name, options, kind", CASES, ids=lambda value: getattr(value, "__name__", None))
def test_figures_are_those_of_the_files(isoform, tmp_path, made, name, options, kind):
    source, target = made(tmp_path), tmp_path / name
    isoform("convert", source, target, *options).expect(0)
    told = isoform("verify", target).expect(0).out
    assert "  distance: " in told and f" {kind}" in told and " measured again: d = " in told
    at = harness.certificate_of(target)
    said = harness.statement(at)
    honest = said["predicate"]["distortion"]
    assert float(honest["d"]) > 0
    changed = [{key: "0.001"} for key in ("d", "rmse", "maxAbs", "coherence", "norm", "epsilon", "n")]
    for change in [*changed, {"d": "0", "rmse": "0", "maxAbs": "0", "coherence": "1"}, {"worstPart": {"index": "9", "coherence": "1"}}]:
        other = copy.deepcopy(said)
        other["predicate"]["distortion"] |= change
        harness.sign(isoform, at, other)
        # Some of it contradicts itself, which is seen without the files.
        told = isoform("verify", target)
        assert told.code == 4 and f"{target}: " in told.err or told.code == 9 and "contradicts itself" in told.err, change
    for gate, limit, code in [("whole", "1e-9", 4), ("part", "1e-9", 4), ("whole", "NaN", 1), ("part", "-1", 1), ("part-median", "1", 1)]:
        other = copy.deepcopy(said)
        gates = [found for found in other["predicate"]["distortion"]["gates"] if not found["name"].startswith(gate)]
        other["predicate"]["distortion"]["gates"] = [{"name": gate, "limit": limit}, *gates]
        if gate == "part-median":
            other["predicate"]["distortion"]["gates"] += [{"name": "part", "limit": "1"}]
        harness.sign(isoform, at, other)
        told = isoform("verify", target)
        assert told.code in (code, 9) and f"{target}" in told.err, (gate, limit, told)
    for gate in ("whole-max-abs", "part-rmse"):
        other = copy.deepcopy(said)
        other["predicate"]["distortion"]["gates"].insert(0, {"name": gate, "limit": "0.001"})
        harness.sign(isoform, at, other)
        told = isoform("verify", target).err
        assert "hold two bounds on the same" in told or "contradicts itself" in told
    # Nothing is said of a distance that nobody can measure.
    harness.sign(isoform, at, said)
    source.rename(tmp_path / "away")
    assert "  distance: " not in isoform("verify", target).expect(0).out


def stepped(folder):
    Image.fromarray(RANDOM.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(folder / "x.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
    return folder / "x.png"


DROPPED = [
    *[(sound, name, options) for name, options in [
        ("y.npy", []), ("y.npz", []), ("y.safetensors", []), ("y.gguf", []), ("y.wav", ["--sample-type", "i16"]),
        ("y.flac", ["--sample-type", "i16"]), ("y.npy", ["--via", "wav"]), ("y.npy", ["--sample-type", "f16"]),
        ("y.wav", ["--sample-type", "f32"]),
    ]],
    *[(stepped, name, []) for name in ("y.jpg", "y.webp")],
    *[(arrays, name, options) for name, options in [("y.npz", []), ("y.gguf", []), ("y.safetensors", [])]],
    *[(table, name, []) for name in ("y.npy", "y.npz", "y.safetensors", "y.gguf")],
]


@pytest.mark.parametrize("made, name, options", DROPPED, ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("within", ["snr=30", "coherence=0.9", "rmse=4"])
def test_what_was_dropped_is_no_reason_to_refuse_an_own_certificate(isoform, tmp_path, made, name, options, within):
    """The pieces of a sound are seconds by the rate of the source, also where the target has none."""
    source, target = made(tmp_path), tmp_path / name
    done = isoform("convert", source, target, "--within", within, "--drop", "metadata", *options)
    done.expect(0)
    assert "decoded again" in isoform("verify", target).expect(0).out
