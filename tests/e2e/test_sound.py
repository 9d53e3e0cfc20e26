"""Sounds: what libsndfile and the reference decoder of FLAC find in the results."""

import importlib.util
import pathlib
import struct
import subprocess
import wave

import numpy as np
import pytest
import soundfile

import harness

DROPS = ("--drop", "metadata")


def recordings():
    """Recordings that come with a package; nothing of it is run."""
    root = pathlib.Path(importlib.util.find_spec("pygame").submodule_search_locations[0])
    return root / "examples" / "data"


def chunk(name, value):
    return name + struct.pack("<I", len(value)) + value + b"\0" * (len(value) % 2)


def wav(path, samples, rate=44100, bits=16, tag=1, extra=b"", container=None):
    """A WAV of interleaved bytes, with other chunks before the samples."""
    channels, data = samples
    size = (container or bits) // 8
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * channels * size, channels * size, bits)
    body = b"WAVE" + chunk(b"fmt ", fmt) + extra + chunk(b"data", data)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def music(seconds=3, channels=2, rate=44100):
    """Tones that fade, with some noise, as floats of at most 1: a sound that predictors know and not quite."""
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(1).normal(0, 0.01, (len(time), channels))
    tones = [np.sin(2 * np.pi * 220 * (c + 1) * time) * np.exp(-time) for c in range(channels)]
    return np.clip(np.stack(tones, axis=1) * 0.7 + noise, -1, 1)


def flac_accepts(path):
    """Whether the reference decoder accepts a file, checksum of all samples included."""
    run = subprocess.run(["flac", "-t", "-s", path], capture_output=True, text=True)
    assert run.returncode == 0 and not run.stderr, run.stderr


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_whole_samples_survive_flac_and_come_back_as_they_were(isoform, tmp_path, bits, channels):
    subtype = {8: "PCM_U8", 16: "PCM_16", 24: "PCM_24", 32: "PCM_32"}[bits]
    source, made, back = tmp_path / "x.wav", tmp_path / "x.flac", tmp_path / "back.wav"
    soundfile.write(source, music(2, channels), 44100, subtype=subtype)
    run = isoform("--json", "convert", source, made).expect(0).json()
    assert run["verdict"] == "EXACT" and run["distortion"]["d"] == 0
    assert run["arrays"][0]["shape"] == [88200, channels]
    isoform("convert", made, back).expect(0)
    expected = soundfile.read(source, dtype="int32")[0]
    assert np.array_equal(soundfile.read(back, dtype="int32")[0], expected)
    assert isoform("--json", "compare", source, back).expect(0).json()["equal"]
    isoform("verify", made, "--source", source).expect(0)
    if bits < 32:
        # Versions of the reference decoder before 1.4 know no 32 bits.
        flac_accepts(made)
        assert np.array_equal(soundfile.read(made, dtype="int32")[0], expected)
    # One sound has one digest, whatever holds it.
    shown = [isoform("--json", "inspect", path).expect(0).json() for path in (source, made, back)]
    assert len({document["content"] for document in shown}) == 1
    for document in shown:
        heard = document["sound"]
        assert (heard["rate"], len(heard["channels"]), heard["seconds"]) == (44100, channels, 2)
        assert {"key": "sound.rate", "bytes": 5, "value": "44100"} in document["attributes"]
    assert f"44100 samples a second, {channels} channel" in isoform("inspect", made).expect(0).out


@pytest.mark.parametrize("name", ["house_lo.wav", "boom.wav", "whiff.wav"])
def test_recordings_survive(isoform, tmp_path, name):
    source, made = recordings() / name, tmp_path / "x.flac"
    assert isoform("--json", "convert", source, made).expect(0).json()["verdict"] == "EXACT"
    flac_accepts(made)
    assert np.array_equal(soundfile.read(source)[0], soundfile.read(made)[0])


def test_files_of_the_reference_encoder_are_read(isoform, tmp_path):
    source = tmp_path / "x.wav"
    soundfile.write(source, music(2), 44100, subtype="PCM_24")
    for options in (["-0"], ["-8", "-e", "-p"], ["-5", "--blocksize=1152", "--lax"], ["-l", "32", "--lax", "-b", "8192"]):
        packed, made = tmp_path / "packed.flac", tmp_path / "made.wav"
        subprocess.run(["flac", "-s", "-f", *options, source, "-o", packed], check=True)
        isoform("convert", packed, made, "--force").expect(0)
        assert isoform("--json", "compare", source, made).expect(0).json()["equal"]


def test_a_recording_of_the_package_in_flac_is_read(isoform, tmp_path):
    source, made = recordings() / "house_lo.flac", tmp_path / "x.wav"
    isoform("convert", source, made, "--drop", "metadata").expect(0)
    assert np.array_equal(soundfile.read(source, dtype="int32")[0], soundfile.read(made, dtype="int32")[0])


def test_floating_point_is_content_and_flac_refuses_it(isoform, tmp_path):
    for subtype, name in [("FLOAT", "f32"), ("DOUBLE", "f64")]:
        source, made = tmp_path / f"{name}.wav", tmp_path / f"{name}-made.wav"
        soundfile.write(source, music(1), 48000, subtype=subtype)
        run = isoform("--json", "convert", source, made).expect(0).json()
        assert run["verdict"] == "EXACT" and run["arrays"][0]["sampleType"] == name
        assert np.array_equal(soundfile.read(source)[0], soundfile.read(made)[0])
        refused = isoform("convert", source, tmp_path / "x.flac")
        refused.expect(2)
        assert name in refused.err and "--within snr=90" in refused.err


def test_tags_and_chunks_are_kept_or_named(isoform, tmp_path):
    info = b"INFO" + chunk(b"INAM", "Größe\0".encode()) + chunk(b"IART", b"somebody\0")
    extra = chunk(b"LIST", info) + chunk(b"bext", b"\1\2\3")
    source, made, back = tmp_path / "x.wav", tmp_path / "x.flac", tmp_path / "back.wav"
    pcm = (music(1) * 32767).astype("<i2").tobytes()
    wav(source, (2, pcm), extra=extra)
    isoform("convert", source, made).expect(0)
    flac_accepts(made)
    with soundfile.SoundFile(made) as found:
        assert (found.title, found.artist) == ("Größe", "somebody")
    isoform("convert", made, back).expect(0)
    assert back.read_bytes() == source.read_bytes()
    # What a WAV has no place for is named, and dropped only where that was asked for.
    tagged = tmp_path / "tagged.flac"
    tagged.write_bytes(made.read_bytes())
    subprocess.run(["metaflac", "--set-tag=MOOD=calm", tagged], check=True)
    refused = isoform("convert", tagged, tmp_path / "y.wav")
    refused.expect(9)
    assert "tag:MOOD" in refused.err and "--drop metadata" in refused.err
    run = isoform("--json", "convert", tagged, tmp_path / "y.wav", "--drop", "metadata").expect(0).json()
    assert "dropped: tag:MOOD" in run["notes"]


@pytest.mark.parametrize("extra, keys", [
    (chunk(b"LIST", b"INFO" + chunk(b"ISFT", b"Lavf58.29.100\0") + chunk(b"INAM", b"Title\0")), ["tag:ENCODER", "tag:TITLE"]),
    (2 * chunk(b"LIST", b"INFO" + chunk(b"INAM", b"Title\0")), ["riff:LIST", "tag:TITLE"]),
    (chunk(b"LIST", b"adtlx") + chunk(b"bext", b"abc"), ["riff:LIST", "riff:bext"]),
    (chunk(b"JUNK", b"hello!") + chunk(b"PAD ", b"") + chunk(b"FLLR", b"x") + chunk(b"fact", b"1234"), []),
])
def test_chunks_that_the_reference_encoder_carries_along_are_what_they_are_in_a_wav(isoform, tmp_path, extra, keys):
    source, carried, made, back = (tmp_path / name for name in ("x.wav", "x.flac", "made.wav", "back.flac"))
    wav(source, (1, b"\1\0\2\0\3\0\4\0"), extra=extra)
    subprocess.run(["flac", "-s", "--keep-foreign-metadata", source, "-o", carried], check=True)
    isoform("convert", carried, made).expect(0)
    isoform("convert", carried, back).expect(0)
    shown = [isoform("--json", "inspect", path).expect(0).json() for path in (source, carried, made, back)]
    assert len({document["content"] for document in shown}) == 1
    found = [attribute["key"] for attribute in shown[1]["attributes"]]
    assert found == sorted([*keys, "sound.rate"])
    isoform("verify", made, "--source", carried).expect(0)


def test_a_list_of_tags_beside_comments_that_tell_them_stays_a_chunk(isoform, tmp_path):
    source, carried, made = tmp_path / "x.wav", tmp_path / "x.flac", tmp_path / "made.wav"
    wav(source, (1, b"\1\0"), extra=chunk(b"LIST", b"INFO" + chunk(b"INAM", b"old\0")))
    subprocess.run(["flac", "-s", "--keep-foreign-metadata", "-T", "TITLE=new", source, "-o", carried], check=True)
    isoform("convert", carried, made).expect(0)
    for path in (carried, made):
        told = {each["key"]: each.get("value") for each in isoform("--json", "inspect", path).expect(0).json()["attributes"]}
        assert set(told) == {"riff:LIST", "sound.rate", "tag:TITLE"} and told["tag:TITLE"] == "new"


def test_layouts_of_channels_are_content(isoform, tmp_path):
    fmt = struct.pack("<HHIIHHHHIH", 0xFFFE, 2, 8000, 32000, 4, 16, 22, 16, 0x600, 1)
    fmt += bytes.fromhex("000000001000800000aa00389b71")
    body = b"WAVE" + chunk(b"fmt ", fmt) + chunk(b"data", bytes(400))
    source, made = tmp_path / "x.wav", tmp_path / "x.flac"
    source.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    isoform("convert", source, made).expect(0)
    flac_accepts(made)
    tags = subprocess.run(["metaflac", "--export-tags-to=-", made], capture_output=True, text=True).stdout
    assert "WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x0600" in tags
    usual = wav(tmp_path / "usual.wav", (2, bytes(400)), rate=8000)
    different = isoform("--json", "compare", made, usual)
    different.expect(4)
    assert "SL SR" in " ".join(different.json()["signature"])


def test_a_sound_of_two_rates_differs(isoform, tmp_path):
    slow = wav(tmp_path / "slow.wav", (1, bytes(200)), rate=8000)
    fast = wav(tmp_path / "fast.wav", (1, bytes(200)), rate=16000)
    different = isoform("--json", "compare", slow, fast)
    different.expect(4)
    assert different.json()["attributes"] == ["sound.rate"]


def test_tags_of_one_name_count_with_their_number_and_order(isoform, tmp_path):
    source = wav(tmp_path / "x.wav", (1, bytes(200)))

    def tagged(*artists):
        made = tmp_path / f"{'-'.join(artists)}.flac"
        tags = [word for artist in artists for word in ("-T", f"ARTIST={artist}")]
        subprocess.run(["flac", "-s", "-f", *tags, source, "-o", made], check=True)
        return made

    (tmp_path / "same.flac").write_bytes(tagged("a", "b").read_bytes())
    isoform("compare", tagged("a", "b"), tmp_path / "same.flac").expect(0)
    for left, right in [(("a",), ("a", "a")), (("a", "b"), ("b", "a"))]:
        different = isoform("--json", "compare", tagged(*left), tagged(*right)).expect(4).json()
        assert different["attributes"] == ["tag:ARTIST"]


@pytest.mark.parametrize("behind, keys", [
    (chunk(b"be\1t", b"abcd"), ["riff:be\1t"]), (chunk(b"cue ", b"\xff" * 601), ["riff:cue "]), (bytes(16), []),
])
@pytest.mark.parametrize("frames", [1000, 1001])
def test_chunks_behind_the_samples_hide_no_sound_from_libsndfile(isoform, tmp_path, behind, keys, frames):
    values = np.random.default_rng(1).integers(0, 256, frames).astype(np.uint8)
    plain, source, made = tmp_path / "plain.wav", tmp_path / "x.wav", tmp_path / "made.wav"
    data = wav(plain, (1, values.tobytes()), bits=8).read_bytes() + behind
    source.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    isoform("convert", source, made).expect(0)
    isoform("verify", made, "--source", source).expect(0)
    assert np.array_equal(soundfile.read(made, dtype="int16")[0], soundfile.read(source, dtype="int16")[0])
    size = struct.unpack("<I", made.read_bytes()[4:8])[0]
    assert size == made.stat().st_size - 8
    told = isoform("--json", "inspect", made).expect(0).json()["attributes"]
    assert [each["key"] for each in told] == [*keys, "sound.rate"]


def test_samples_with_fewer_bits_than_their_bytes_have(isoform, tmp_path):
    values = np.arange(-200, 200, dtype="<i4") * 16
    data = b"".join(struct.pack("<i", value)[:3] for value in values)
    source, made, back = tmp_path / "x.wav", tmp_path / "x.flac", tmp_path / "back.wav"
    wav(source, (1, data), bits=20, container=24)
    isoform("convert", source, made).expect(0)
    flac_accepts(made)
    bits = subprocess.run(["metaflac", "--show-bps", made], capture_output=True, text=True).stdout
    assert bits.strip() == "20"
    isoform("convert", made, back).expect(0)
    assert back.read_bytes().endswith(data)


def left_justified(path, values, bits):
    """A WAV in the extensible layout whose samples lie at the upper end of their bytes, as Microsoft has it."""
    size, middle = (bits + 7) // 8, 128 if bits <= 8 else 0
    data = b"".join(((value << 8 * size - bits) + middle).to_bytes(size, "little", signed=size > 1) for value in values)
    coding = struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    fmt = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 48000, 48000 * size, size, 8 * size, 22, bits, 4) + coding
    body = b"WAVE" + chunk(b"fmt ", fmt) + chunk(b"data", data)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


@pytest.mark.parametrize("bits", [4, 7, 9, 12, 18, 20, 24, 30])
def test_every_width_of_a_flac_becomes_the_wav_that_its_reference_decoder_makes(isoform, tmp_path, bits):
    source, packed, expected = (tmp_path / name for name in ("x.wav", "x.flac", "expected.wav"))
    end = 1 << bits - 1
    values = [-end, end - 1, 0, -1, *np.random.default_rng(bits).integers(-end, end, 9000).tolist()]
    left_justified(source, values, bits)
    # Beyond 8, 12, 16, 20 and 24 bits, frames name no width, which the reference encoder calls lax.
    subprocess.run(["flac", "-s", "--lax", source, "-o", packed], check=True)
    subprocess.run(["flac", "-s", "-d", packed, "-o", expected], check=True)
    run = isoform("--json", "convert", packed, tmp_path / "made.wav").expect(0).json()
    assert run["verdict"] == "EXACT"
    assert (tmp_path / "made.wav").read_bytes() == expected.read_bytes() == source.read_bytes()
    again = isoform("convert", source, tmp_path / "again.flac")
    if bits in (12, 20, 24):
        again.expect(0)
        flac_accepts(tmp_path / "again.flac")
        subprocess.run(["flac", "-s", "-d", "-f", tmp_path / "again.flac", "-o", expected], check=True)
        assert expected.read_bytes() == source.read_bytes()
    else:
        assert "which holds all of them" in again.expect(9).err


def test_long_sounds_are_cut_and_have_a_seek_table(isoform, tmp_path):
    source, made = tmp_path / "x.wav", tmp_path / "x.flac"
    # Ten minutes of a loop: several parts, and a repetition that does not fit the frames.
    loop = (music(7.3) * 32767).astype("<i2").tobytes()
    wav(source, (2, loop * 60))
    run = isoform("--json", "convert", source, made).expect(0).json()
    assert run["parts"]["total"] > 5
    flac_accepts(made)
    points = subprocess.run(["metaflac", "--list", "--block-type=SEEKTABLE", made], capture_output=True, text=True)
    assert "seek points: 44" in points.stdout
    # Seeking reads the frame that the table points to.
    with soundfile.SoundFile(made) as found, soundfile.SoundFile(source) as expected:
        for place in (0, 4095, 441_000, 10_000_001, found.frames - 7):
            found.seek(place)
            expected.seek(place)
            assert np.array_equal(found.read(5000, dtype="int16"), expected.read(5000, dtype="int16"))


def test_threads_change_nothing(isoform, tmp_path):
    source = tmp_path / "x.wav"
    wav(source, (2, (music(60) * 32767).astype("<i2").tobytes()))
    made = []
    for threads in (1, 2):
        target = tmp_path / f"{threads}.flac"
        isoform("convert", source, target, "--threads", str(threads)).expect(0)
        made.append(target.read_bytes())
    assert made[0] == made[1]


def test_folders_of_sounds(isoform, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for name in ("a", "b"):
        wav(album / f"{name}.wav", (1, bytes(range(200))))
    (album / "notes.npy").write_bytes(b"no sound")
    for fate in ("converted", "skipped"):
        run = isoform("--json", "convert", album, "--out-dir", tmp_path / "out", "--to", "flac").expect(0).json()
        assert [item["outcome"] for item in run["sources"]] == [fate, fate]
    flac_accepts(tmp_path / "out" / "a.flac")


def test_a_sound_is_an_array_too(isoform, tmp_path):
    source, made = tmp_path / "x.wav", tmp_path / "x.npy"
    data = (music(1) * 32767).astype("<i2")
    wav(source, (2, data.tobytes()))
    refused = isoform("convert", source, made)
    refused.expect(9)
    assert "sound.rate" in refused.err
    isoform("convert", source, made, "--drop", "metadata").expect(0)
    assert np.array_equal(np.load(made), data)
    isoform("verify", made, "--source", source).expect(0)


def test_an_empty_sound(isoform, tmp_path):
    source, made, back = wav(tmp_path / "x.wav", (2, b"")), tmp_path / "x.flac", tmp_path / "back.wav"
    isoform("convert", source, made).expect(0)
    isoform("convert", made, back).expect(0)
    with wave.open(str(back)) as found:
        assert (found.getnframes(), found.getnchannels()) == (0, 2)


def broken(tmp_path):
    """Files that are wrong, each with what its error must say."""
    good = wav(tmp_path / "good.wav", (2, (music(1) * 32767).astype("<i2").tobytes()))
    whole = good.read_bytes()
    packed = tmp_path / "good.flac"
    subprocess.run(["flac", "-s", "-f", good, "-o", packed], check=True)
    flac = packed.read_bytes()
    middle = len(flac) // 2
    flipped = flac[:middle] + bytes([flac[middle] ^ 4]) + flac[middle + 1 :]
    return {
        "cut.wav": (whole[:5000], "byte 36"),
        "half-frame.wav": (whole[:40] + struct.pack("<I", 6) + whole[44:50], "within a frame"),
        "no-data.wav": (whole[:36], '"data"'),
        "no-format.wav": (b"RIFF" + struct.pack("<I", 12) + b"WAVE" + chunk(b"data", b""), '"fmt "'),
        "no-channels.wav": (whole[:22] + b"\0\0" + whole[24:], "byte 20"),
        "adpcm.wav": (whole[:20] + b"\2\0" + whole[22:], "0x0002"),
        "stray-bits.wav": (whole[:34] + struct.pack("<H", 12) + whole[36:], "12 bits"),
        "cut.flac": (flac[:-100], "byte"),
        "flipped.flac": (flipped, "byte"),
        "no-frames.flac": (flac[:42], "byte"),
        "cut-metadata.flac": (flac[:30], "byte"),
        "more-after.flac": (flac + b"\0" * 50, "byte"),
        "no-info.flac": (b"fLaC\x84\0\0\0", "STREAMINFO"),
    }


def test_broken_files_end_with_a_place(isoform, tmp_path):
    for name, (content, said) in broken(tmp_path).items():
        path, target = tmp_path / name, tmp_path / f"{name}.out.wav"
        path.write_bytes(content)
        run = isoform("convert", path, target)
        run.expect(9)
        assert said in run.err and name in run.err, (name, run.err)
        assert not target.exists()


def test_hours_of_silence_take_little_memory(isoform, tmp_path):
    silence = tmp_path / "silence.flac"
    command = ["flac", "-s", "-f", "--force-raw-format", "--endian=little", "--sign=signed", "--channels=8"]
    command += ["--bps=16", "--sample-rate=8000", "-", "-o", silence]
    subprocess.run(command, input=bytes(16 * 8000 * 600), check=True)
    assert silence.stat().st_size < 200_000
    made = tmp_path / "x.wav"
    run = isoform("--json", "convert", silence, made, "--memory", "256MiB").expect(0).json()
    assert run["verdict"] == "EXACT" and made.stat().st_size > 70_000_000


@pytest.mark.parametrize("name", ["x.wav", "x.flac"])
def test_the_rate_stands_beside_a_sound_in_npz(isoform, tmp_path, name):
    samples = (music(1) * 32767).astype(np.int16)
    soundfile.write(tmp_path / name, samples, 22050, subtype="PCM_16")
    told = isoform("convert", tmp_path / name, tmp_path / "x.npz", *(DROPS if name == "x.flac" else ()), "--json")
    assert told.expect(0).json()["verdict"] == "EXACT"
    with np.load(tmp_path / "x.npz") as found:
        assert int(found["sample_rate"]) == 22050 and found["sample_rate"].shape == ()
        assert np.array_equal(found["sound"], samples)
    isoform("verify", tmp_path / "x.npz", "--source", tmp_path / name).expect(0)
    isoform("convert", tmp_path / "x.npz", tmp_path / "back.wav").expect(0)
    found, rate = soundfile.read(tmp_path / "back.wav", dtype="int16")
    assert rate == 22050 and np.array_equal(found, samples)
