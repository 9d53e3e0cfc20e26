"""Sounds within a budget: figures that numpy finds again in the files, and seconds that keep their floor."""

import math
import re
import struct
import subprocess

import numpy as np
import pytest
import soundfile

import harness

RATE = 48000


def tones(seconds=3, channels=2, seed=1):
    """Tones with some noise, as floats whose last bits are no whole samples."""
    time = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).normal(0, 0.01, (len(time), channels))
    waves = [0.6 * np.sin(2 * np.pi * 220 * (c + 1) * time) for c in range(channels)]
    return np.stack(waves, axis=1) + noise


def floats(path, samples):
    soundfile.write(path, samples.astype("float32"), RATE, subtype="FLOAT")
    return path


def values(path):
    """Samples as doubles over a range up to 1: whole ones are divided by its end."""
    return soundfile.read(path, dtype="float64", always_2d=True)[0]


def figures(source, target, peak=1.0):
    """What a distance is, by numpy alone."""
    ours, theirs = values(source) * peak, values(target) * peak
    assert ours.shape == theirs.shape
    difference = ours - theirs
    d, norm = np.sqrt(np.sum(difference**2)), np.sqrt(np.sum(ours**2))
    return {
        "d": d,
        "coherence": 1 - d / norm,
        "rmse": d / np.sqrt(ours.size),
        "maxAbs": np.abs(difference).max(),
        "snrDb": -20 * np.log10(d / norm),
        "psnrDb": 20 * np.log10(peak * np.sqrt(ours.size) / d),
    }


def seconds_of(samples):
    return [samples[at : at + RATE] for at in range(0, len(samples), RATE)]


def agree(found, expected):
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-9), key


def convert(isoform, source, target, *options, code=0):
    return isoform("--json", "convert", source, target, *options).expect(code)


@pytest.mark.parametrize("ending, within, chosen", [
    ("flac", "snr=40", "i8"),
    ("flac", "snr=60", "i16"),
    ("flac", "max-error=0.000001", "i24"),
    ("flac", "coherence=0.9999999", "i24"),
    ("wav", "snr=60", "i16"),
    ("wav", "psnr=110", "i24"),
    ("wav", "rmse=1e-9", "f32"),
])
def test_the_fewest_bits_that_keep_a_budget_are_found(isoform, tmp_path, ending, within, chosen):
    source, made = floats(tmp_path / "x.wav", tones()), tmp_path / f"made.{ending}"
    run = convert(isoform, source, made, "--within", within).json()
    assert run["arrays"][0]["sampleType"] == "f32" and run["arrays"][0]["targetSampleType"] == chosen
    if chosen == "f32":
        assert run["verdict"] == "EXACT"
        return
    assert run["verdict"] == "BOUNDED"
    bits = int(chosen[1:])
    expected = np.clip(np.rint(values(source) * 2.0 ** (bits - 1)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    assert np.array_equal(values(made) * 2.0 ** (bits - 1), expected)
    agree(run["distortion"], figures(source, made))
    compared = isoform("--json", "compare", source, made).expect(4).json()
    agree({**compared, "maxAbs": compared["arrays"][0]["maxAbs"]}, {
        key: value for key, value in figures(source, made).items() if key in ("d", "coherence", "snrDb", "maxAbs")
    })
    isoform("verify", made, "--source", source).expect(0)
    if ending == "flac":
        done = subprocess.run(["flac", "-t", "-s", made], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("subtype, sample, peak", [("PCM_24", "i16", 2.0**23), ("FLOAT", "i16", 1), ("DOUBLE", "f32", 1)])
def test_a_sample_type_is_kept_within_a_budget(isoform, tmp_path, subtype, sample, peak):
    source, made = tmp_path / "x.wav", tmp_path / "made.wav"
    soundfile.write(source, tones(1), RATE, subtype=subtype)
    refused = isoform("convert", source, made, "--sample-type", sample).expect(2)
    assert "--within" in refused.err and not made.exists()
    run = convert(isoform, source, made, "--sample-type", sample, "--within", "snr=60").json()
    assert run["arrays"][0]["targetSampleType"] == sample
    agree(run["distortion"], figures(source, made, peak))
    # The other way every sample is held, so it comes back as it is.
    wide = tmp_path / "wide.wav"
    back = {"PCM_24": "i24", "FLOAT": "f32", "DOUBLE": "f64"}[subtype]
    run = convert(isoform, made, wide, "--sample-type", back, "--within", "exact").json()
    assert run["verdict"] == "EXACT"
    assert np.array_equal(values(made), values(wide))
    # Since it holds all of them, nobody has to say that nothing may be lost.
    run = convert(isoform, made, tmp_path / "free.wav", "--sample-type", back).json()
    assert run["verdict"] == "EXACT" and np.array_equal(values(made), values(tmp_path / "free.wav"))
    compared = isoform("--json", "compare", made, wide).expect(0).json()
    assert compared["equal"] and compared["d"] == 0


def test_clipping_is_an_error_like_any_other(isoform, tmp_path):
    loud = tones(1)
    loud[1000] = 1.5
    source, made = floats(tmp_path / "x.wav", loud), tmp_path / "made.flac"
    convert(isoform, source, made, "--within", "max-error=0.001", code=4)
    assert not made.exists()
    run = convert(isoform, source, made, "--within", "max-error=0.6").json()
    assert run["distortion"]["maxAbs"] >= 0.5
    agree(run["distortion"], figures(source, made))


def test_what_is_no_number_is_refused(isoform, tmp_path):
    broken = tones(1)
    broken[77, 0] = np.nan
    source, made = floats(tmp_path / "x.wav", broken), tmp_path / "made.flac"
    missed = isoform("convert", source, made, "--within", "max-error=2").expect(4)
    assert "no finite number" in missed.err and not made.exists()


def ruined(seconds=6, where=3):
    """A loud sound with one quiet second, which few bits ruin and a mean hides."""
    sound = tones(seconds)
    sound[where * RATE : (where + 1) * RATE] *= 0.01
    return sound


def test_every_second_keeps_its_floor(isoform, tmp_path):
    source, made = floats(tmp_path / "x.wav", ruined()), tmp_path / "made.flac"
    # A mean alone is content with few bits; the quiet second is not.
    loose = convert(isoform, source, made, "--within", "snr=40", "--part-floor", "rmse=1").json()
    assert loose["arrays"][0]["targetSampleType"] == "i8"
    run = convert(isoform, source, tmp_path / "kept.flac", "--within", "snr=40").json()
    assert run["arrays"][0]["targetSampleType"] == "i16"
    for name, told in [("made.flac", loose), ("kept.flac", run)]:
        ours, theirs = seconds_of(values(source)), seconds_of(values(tmp_path / name))
        each = [1 - np.sqrt(np.sum((a - b) ** 2) / np.sum(a**2)) for a, b in zip(ours, theirs)]
        assert (told["worst"]["from"], told["worst"]["to"]) == (3, 4)
        assert told["worst"]["coherence"] == pytest.approx(min(each), rel=1e-9)
    assert min(each) >= 0.99
    stated = harness.statement(harness.certificate_of(tmp_path / "kept.flac"))["predicate"]["distortion"]
    assert stated["pieces"] == {"count": "6", "samples": str(2 * RATE)}
    assert stated["worstPart"]["index"] == "3"
    limits = {gate["name"]: float(gate["limit"]) for gate in stated["gates"]}
    assert limits["part-absolute-rmse"] == 0.5 / 2**15


def test_a_second_that_misses_its_floor_is_named(isoform, tmp_path):
    source, made = floats(tmp_path / "x.wav", ruined()), tmp_path / "made.wav"
    options = ["--sample-type", "i8", "--within", "snr=30"]
    missed = isoform("convert", source, made, *options).expect(4)
    assert "from 0:03 to 0:04" in missed.err and "coherence" in missed.err
    assert not made.exists() and not harness.certificate_of(made).exists()


def test_a_second_of_silence_has_no_ratio(isoform, tmp_path):
    sound = tones(4)
    sound[RATE : 2 * RATE] = 0
    # Noise of a tenth of a step of 16 bits, of which nothing is left.
    sound[2 * RATE : 3 * RATE] = np.random.default_rng(5).normal(0, 0.1 / 32768, (RATE, 2))
    source, made = floats(tmp_path / "x.wav", sound), tmp_path / "made.flac"
    run = convert(isoform, source, made, "--within", "snr=60").json()
    assert run["arrays"][0]["targetSampleType"] == "i16"
    assert run["worst"]["coherence"] < 0.1
    # A floor that is no ratio excuses nothing.
    run = convert(isoform, source, tmp_path / "b.flac", "--within", "snr=60", "--part-floor", "rmse=1e-7").json()
    assert run["arrays"][0]["targetSampleType"] == "i24"


def test_a_short_last_second_is_held_like_others(isoform, tmp_path):
    # Ten milliseconds at three steps of 16 bits, which 8 bits lose.
    last = np.random.default_rng(5).normal(0, 3 / 32768, (RATE // 100, 2))
    source, made = floats(tmp_path / "x.wav", np.concatenate([tones(2), last])), tmp_path / "made.flac"
    run = convert(isoform, source, made, "--within", "snr=40").json()
    assert run["arrays"][0]["targetSampleType"] == "i16"
    for ours, theirs in zip(seconds_of(values(source)), seconds_of(values(made))):
        step = 0.5 / 2**15 * math.sqrt(ours.size)
        assert np.linalg.norm(ours - theirs) <= max(0.01 * np.linalg.norm(ours), step)


def test_seconds_do_not_depend_on_the_cut(isoform, tmp_path):
    # Several parts of work, none of which ends where a second does; the last second is a short one.
    quiet = np.tile(tones(5), (30, 1))[: 149 * RATE + 777] * 0.001
    sound = np.sin(np.arange(len(quiet)) / 50)[:, None] * 0.5 + quiet
    sound[100 * RATE : 101 * RATE] = quiet[100 * RATE : 101 * RATE]
    source = floats(tmp_path / "x.wav", sound)
    made = []
    for threads in ("1", "2"):
        target = tmp_path / f"{threads}.flac"
        run = convert(isoform, source, target, "--within", "snr=50", "--threads", threads).json()
        assert run["parts"]["total"] > 2
        assert (run["worst"]["from"], run["worst"]["to"]) == (100, 101)
        stated = harness.statement(harness.certificate_of(target))["predicate"]["distortion"]
        made.append((target.read_bytes(), stated))
    assert made[0] == made[1]
    assert made[0][1]["pieces"]["count"] == "150"


def test_plan_tells_the_bits_and_writes_nothing(isoform, tmp_path):
    source, made = floats(tmp_path / "x.wav", tones(1)), tmp_path / "made.flac"
    plan = isoform("--json", "plan", source, made, "--within", "snr=60").expect(0).json()
    assert plan["arrays"][0]["targetSampleType"] == "i16" and not made.exists()
    refused = isoform("plan", source, made).expect(2)
    assert "--within" in refused.err


def test_a_sound_that_no_fewer_bits_keep_says_why_it_is_without_loss(isoform, tmp_path):
    source, made = tmp_path / "x.wav", tmp_path / "made.flac"
    soundfile.write(source, tones(2), RATE, subtype="PCM_24")
    run = isoform("--json", "convert", source, made, "--within", "snr=130").expect(0).json()
    [note] = [note for note in run["notes"] if note.startswith("without loss, as nothing smaller that was tried keeps the budget: ")]
    assert re.search(r"as i16 the sound.* is at SNR \d+\.\d+ dB where at least 130 dB is asked for", note), note
    assert run["verdict"] == "EXACT" and "larger" not in note
    harness.remove(made)
    assert note in isoform("--json", "plan", source, made, "--within", "snr=130").expect(0).json()["notes"]
    fewer = isoform("--json", "convert", source, made, "--within", "snr=50").expect(0).json()
    assert fewer["verdict"] == "BOUNDED" and not any("without loss" in note for note in fewer["notes"])


def test_samples_of_a_width_that_flac_does_not_tell_are_widened(isoform, tmp_path):
    values_of = np.arange(-500, 500, dtype="<i2") * 4
    source, made = tmp_path / "x.wav", tmp_path / "x.flac"
    fmt = struct.pack("<HHIIHHHHIH", 0xFFFE, 1, 8000, 16000, 2, 16, 22, 14, 4, 1)
    fmt += bytes.fromhex("000000001000800000aa00389b71")
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", 2000) + values_of.tobytes()
    source.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    refused = isoform("convert", source, made).expect(9)
    assert "--sample-type i16 --within exact" in refused.err
    run = convert(isoform, source, made, "--sample-type", "i16", "--within", "exact").json()
    assert run["verdict"] == "EXACT"
    assert np.array_equal(soundfile.read(made, dtype="int16")[0], values_of)


def test_widths_that_few_programs_read_are_held_where_they_are_asked_for(isoform, tmp_path):
    source, made, back = floats(tmp_path / "x.wav", tones(1)), tmp_path / "x.flac", tmp_path / "back.wav"
    for bits in (12, 20):
        options = ["--sample-type", f"i{bits}", "--within", "snr=50", "--force"]
        assert convert(isoform, source, made, *options).json()["arrays"][0]["targetSampleType"] == f"i{bits}"
        subprocess.run(["flac", "-s", "-d", "-f", made, "-o", back], check=True)
        found = soundfile.read(back, dtype="int32")[0] >> (32 - bits)
        assert np.array_equal(found, np.rint(values(source) * 2.0 ** (bits - 1)))
        # Once libsndfile reads them, they can be tried within a budget too.
        with pytest.raises(soundfile.LibsndfileError):
            soundfile.info(made)
    # 12 bits would keep it.
    assert convert(isoform, source, made, "--within", "snr=50", "--force").json()["arrays"][0]["targetSampleType"] == "i16"


def test_a_width_that_flac_has_not_is_refused_with_those_that_it_has(isoform, tmp_path):
    source, made = floats(tmp_path / "x.wav", tones(1)), tmp_path / "x.flac"
    refused = isoform("convert", source, made, "--sample-type", "i14", "--within", "snr=50").expect(9)
    assert "it has i8, i12, i16, i20, i24, i32; give one of these" in refused.err and "--within" not in refused.err


def test_a_bound_is_told_in_the_measure_that_was_asked_for(isoform, tmp_path):
    source, made = floats(tmp_path / "x.wav", tones(1)), tmp_path / "x.wav.flac"
    for within, words in [("psnr=80", "PSNR"), ("snr=80", "SNR"), ("coherence=0.9999", "coherence")]:
        missed = isoform("convert", source, made, "--sample-type", "i8", "--within", within).expect(4)
        least = within.split("=")[1]
        assert re.search(rf"is at {words} \d+(\.\d+)?( dB)? where at least {least}( dB)? is asked for", missed.err), missed.err


def test_times_are_told_in_milliseconds(isoform, tmp_path):
    samples = tones(2)[: RATE + 20545]
    samples[RATE:] *= 0.01
    source = floats(tmp_path / "x.wav", samples)
    told = isoform("convert", source, tmp_path / "x.flac", "--sample-type", "i16", "--within", "snr=30").expect(0)
    assert "the tightest, from 1 s to 1.428 s, has" in told.out, told.out


@pytest.mark.parametrize("within, measure", [("snr=30", "SNR"), ("coherence=0.99", "coherence")])
def test_a_part_that_the_absolute_floor_alone_excuses_is_said_to_be_so(isoform, tmp_path, within, measure):
    noise = np.random.default_rng(2).normal(0, 0.1, RATE)
    options = ["--sample-type", "i16", "--within", within, "--force"]
    excused = rf"whose error is below the absolute floor, has {measure} (-?[0-9.]+)"
    for quiet, limit in [(noise * 1e-6, 0.001), (noise * 1e-4, 3)]:
        source, made = floats(tmp_path / "x.wav", np.concatenate([noise, quiet])), tmp_path / "x.flac"
        told = isoform("convert", source, made, *options).expect(0).out
        found = re.search(rf"from 1 s to 2 s, {excused}", told)
        assert found and not found[1].startswith("-") and float(found[1]) < limit, told
    source = floats(tmp_path / "x.wav", np.concatenate([noise, noise * 0.9]))
    assert "absolute floor" not in isoform("convert", source, made, *options).expect(0).out


def test_a_missed_budget_is_at_no_minus_zero(isoform, tmp_path):
    source = floats(tmp_path / "x.wav", np.random.default_rng(2).normal(0, 1e-6, 2 * RATE))
    missed = isoform("convert", source, tmp_path / "x.flac", "--sample-type", "i16", "--within", "snr=30").expect(4).err
    assert "SNR 0 dB where at least 30 dB is asked for" in missed and "snr 0.00 dB" in missed


@pytest.mark.parametrize("within, word, unit", [
    ("psnr=60", "PSNR", " dB"), ("snr=30", "SNR", " dB"), ("coherence=0.99", "coherence", ""),
    ("rmse=0.01", "root mean square error", ""), ("max-error=0.01", "largest error", ""),
])
def test_what_was_reached_is_told_in_the_measure_that_was_asked_for(isoform, tmp_path, within, word, unit):
    samples = tones(2)
    samples[RATE:] *= 0.1
    source, made = floats(tmp_path / "x.wav", samples), tmp_path / "x.flac"
    options = ["--sample-type", "i16", "--within", within]
    told = isoform("convert", source, made, *options).expect(0).out
    whole, worst = re.findall(rf"(?i){word} ([0-9.e-]+){unit}", told)
    run = convert(isoform, source, made, *options, "--force").json()
    measure = {"psnr": "psnrDb", "snr": "snrDb", "coherence": "coherence", "rmse": "rmse", "max-error": "maxAbs"}
    expected = run["distortion"][measure[within.split("=")[0]]]
    assert float(whole) == pytest.approx(expected, rel=1e-3)
    assert f"{word} {worst}{unit}" in told.split("every second keeps its bound; the tightest, ")[1], told
    # Numpy finds the same second, by the same figure.
    tightest, errors = run["tightest"], values(source) - values(made)
    parts = list(zip(seconds_of(values(source)), seconds_of(errors)))
    found = {
        "rmse": [np.sqrt(np.mean(error**2)) for _, error in parts],
        "maxAbs": [np.abs(error).max() for _, error in parts],
        "coherence": [1 - np.sqrt(np.sum(error**2) / np.sum(part**2)) for part, error in parts],
    }[tightest["measure"]]
    extreme = min(found) if tightest["measure"] == "coherence" else max(found)
    assert tightest["found"] == pytest.approx(extreme, rel=1e-9)
    assert (tightest["from"], tightest["to"]) == (found.index(extreme), found.index(extreme) + 1)


@pytest.mark.parametrize("ending", ["npy", "npz", "safetensors"])
def test_whole_samples_keep_any_budget_in_an_array(isoform, tmp_path, ending):
    source, target = tmp_path / "in.wav", tmp_path / f"out.{ending}"
    soundfile.write(source, tones(), RATE, subtype="PCM_16")
    done = isoform("convert", source, target, "--within", "snr=30", "--drop", "metadata", "--json").expect(0).json()
    assert done["distortion"]["coherence"] == 1
    isoform("verify", target, "--source", source).expect(0)
    found = isoform("compare", source, target).expect(0)
    assert ("no place for it: sound.rate" in found.out) == (ending == "npy")
    isoform("compare", target, source).expect(0)
    if ending == "npz":
        with np.load(target) as held:
            np.savez(tmp_path / "alone.npz", sound=held["sound"])
        found = isoform("compare", source, tmp_path / "alone.npz").expect(0)
        assert "no place for it: sound.rate" in found.out


def test_arrays_with_a_rate_beside_them_are_compared_as_the_sound_that_they_become(isoform, tmp_path):
    def converted(name, *options, **arrays):
        source, made = tmp_path / f"{name}.npz", tmp_path / f"{name}.flac"
        np.savez(source, **arrays)
        return source, made, convert(isoform, source, made, *options).json()

    def compared(left, right, code):
        told = isoform("--json", "compare", left, right).expect(code).json()
        assert [array["name"] for array in told["arrays"]] == ["sound"] and told["signature"] == []
        return told

    samples = np.random.default_rng(8).integers(-32768, 32768, RATE).astype(np.int16)
    source, made, run = converted("whole", audio=samples, sample_rate=RATE)
    assert run["verdict"] == "EXACT"
    # Arrays tell no range: 24 bits in samples of 32 are what the sound says.
    wide, narrow, run = converted("wide", "--bits", "24", audio=samples.astype(np.int32) * 200, sr=RATE)
    assert run["verdict"] == "EXACT"
    for pair in [(source, made), (made, source), (wide, narrow), (narrow, wide)]:
        assert compared(*pair, 0)["d"] == 0
    floats_of, made_of, run = converted("float", "--within", "snr=40", x=tones(1)[:, :1].astype(np.float32), fs=RATE)
    assert run["verdict"] == "BOUNDED"
    assert compared(floats_of, made_of, 4)["snrDb"] == pytest.approx(run["distortion"]["snrDb"], rel=1e-9)
    # What differs is told as of sounds.
    np.savez(tmp_path / "slow.npz", audio=samples, sample_rate=RATE // 2)
    assert compared(tmp_path / "slow.npz", made, 4)["attributes"] == ["sound.rate"]
    samples[7] ^= 1
    np.savez(tmp_path / "other.npz", audio=samples, sample_rate=RATE)
    told = compared(made, tmp_path / "other.npz", 4)
    assert (told["d"], told["arrays"][0]["firstDiffering"]) == (1, 7)


def test_every_second_keeps_its_floor_over_another_type(isoform, tmp_path):
    # Eight bits would do for the whole; the quiet second needs more.
    samples = tones(2)
    samples[RATE:] *= 0.004
    source = floats(tmp_path / "source.wav", samples)
    options = ("--via", "safetensors:f16", "--within", "snr=40", "--drop", "metadata")
    for ending in ("wav", "flac"):
        told = convert(isoform, source, tmp_path / f"a.{ending}", *options).json()
        assert told["verdict"] == "BOUNDED" and len(told["chain"]) == 2
        found = values(tmp_path / f"a.{ending}")
        for ours, theirs in zip(seconds_of(values(source)), seconds_of(found)):
            assert 10 * math.log10(np.sum(ours**2) / np.sum((ours - theirs) ** 2)) >= 40
        # What half precision rounds is in the result.
        assert told["chain"][0]["d"] != "0"
        isoform("verify", tmp_path / f"a.{ending}").expect(0)
    missed = convert(isoform, source, tmp_path / "b.flac", *options, "--sample-type", "i8", code=4)
    assert "from 0:01 to 0:02" in missed.err and not (tmp_path / "b.flac").exists()


@pytest.mark.parametrize("via", ["flac", "safetensors", "safetensors:bf16"])
def test_opus_is_made_over_another_type(isoform, tmp_path, via):
    source = tmp_path / "a.wav"
    if ":" in via:
        floats(source, tones(1.5))
    else:
        soundfile.write(source, tones(1.5), RATE, subtype="PCM_16")
    options = ("--via", via, "--within", "snr=15", "--drop", "metadata")
    told = convert(isoform, source, tmp_path / "a.opus", *options).json()
    assert told["verdict"] == "BOUNDED" and told["distortion"]["snrDb"] >= 15
    assert (told["chain"][0]["d"] == "0") == (":" not in via)
    isoform("verify", tmp_path / "a.opus").expect(0)
    assert "no step on the way" in convert(isoform, source, tmp_path / "b.wav", "--via", "opus", *options[2:], code=2).err
