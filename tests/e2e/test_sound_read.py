"""Sounds in formats that are only read, judged by libsndfile, which decodes MP3 with mpg123, Vorbis with libvorbis
and Opus with libopus."""

import importlib.util
import pathlib
import random
import struct

import numpy as np
import pytest
import soundfile

RATE = 44100

# Which of six channels in the order of Vorbis is each in the usual one.
USUAL_ORDER = [0, 2, 1, 5, 3, 4]


def recordings():
    """Recordings that come with a package; nothing of it is run."""
    root = pathlib.Path(importlib.util.find_spec("pygame").submodule_search_locations[0])
    return root / "examples" / "data"


def music(seconds=3, channels=2, rate=RATE):
    """Tones that fade, with some noise, as floats of at most 1."""
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(1).normal(0, 0.01, (len(time), channels))
    tones = [np.sin(2 * np.pi * 220 * (c + 1) * time) * np.exp(-time) for c in range(channels)]
    return np.clip(np.stack(tones, axis=1) * 0.7 + noise, -1, 1)


def converted(isoform, source, made, *options):
    run = isoform("--json", "convert", source, made, *options).expect(0).json()
    assert run["verdict"] == "EXACT", run
    assert isoform("--json", "compare", source, made).expect(0).json()["equal"]
    isoform("verify", made, "--source", source).expect(0)
    return run


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_an_aiff_becomes_a_wav(isoform, tmp_path, subtype, channels):
    source, made = tmp_path / "x.aiff", tmp_path / "x.wav"
    soundfile.write(source, music(1, channels), RATE, subtype=subtype, format="AIFF")
    converted(isoform, source, made)
    dtype = "float64" if subtype in ("FLOAT", "DOUBLE") else "int32"
    assert np.array_equal(soundfile.read(made, dtype=dtype)[0], soundfile.read(source, dtype=dtype)[0])


@pytest.mark.parametrize("endian", ["BIG", "LITTLE"])
def test_an_aiff_of_either_order_is_one_sound(isoform, tmp_path, endian):
    source, made, plain = tmp_path / "x.aif", tmp_path / "x.flac", tmp_path / "plain.wav"
    soundfile.write(source, music(1), RATE, subtype="PCM_16", format="AIFF", endian=endian)
    soundfile.write(plain, music(1), RATE, subtype="PCM_16")
    converted(isoform, source, made)
    assert isoform("--json", "compare", source, plain).expect(0).json()["equal"]
    contents = {isoform("--json", "inspect", path).expect(0).json()["content"] for path in (source, made, plain)}
    assert len(contents) == 1


def chunk(name, value):
    return name + struct.pack(">I", len(value)) + value + b"\0" * (len(value) % 2)


def aiff(path, values, extra=b"", bits=16, rate=b"\x40\x0e\xac\x44" + bytes(6), kind=b"AIFF", coding=b""):
    common = struct.pack(">hIh", 1, len(values), bits) + rate + coding
    sound = bytes(8) + b"".join(struct.pack(">h", value) for value in values)
    body = kind + chunk(b"COMM", common) + extra + chunk(b"SSND", sound)
    path.write_bytes(b"FORM" + struct.pack(">I", len(body)) + body)
    return path


def test_the_chunks_of_an_aiff_are_kept_or_named(isoform, tmp_path):
    texts = chunk(b"NAME", "Größe".encode()) + chunk(b"AUTH", b"somebody") + chunk(b"(c) ", b"me")
    source = aiff(tmp_path / "x.aiff", range(400), texts + chunk(b"ANNO", b"a note"))
    made = tmp_path / "x.flac"
    converted(isoform, source, made)
    with soundfile.SoundFile(made) as found:
        assert (found.title, found.artist, found.copyright, found.comment) == ("Größe", "somebody", "me", "a note")
    marked = aiff(tmp_path / "marked.aiff", range(400), chunk(b"MARK", b"\0\0"))
    refused = isoform("convert", marked, tmp_path / "marked.flac")
    refused.expect(9)
    assert "aiff:MARK" in refused.err and "--drop metadata" in refused.err
    converted(isoform, marked, tmp_path / "marked.flac", "--drop", "metadata")
    # What stands in the way of its samples is told too.
    soundfile.write(tmp_path / "f.aiff", music(0.1), RATE, subtype="FLOAT", format="AIFF")
    whole = (tmp_path / "f.aiff").read_bytes() + chunk(b"MARK", b"\0\0")
    (tmp_path / "f.aiff").write_bytes(whole[:4] + struct.pack(">I", len(whole) - 8) + whole[8:])
    told = isoform("convert", tmp_path / "f.aiff", tmp_path / "f.flac").expect(9).err
    assert "2 things stand in the way" in told and "aiff:MARK" in told and "--within snr=90" in told, told


def test_what_an_aiff_can_hold_and_is_not_read(isoform, tmp_path):
    odd = aiff(tmp_path / "odd.aiff", range(9), rate=b"\x40\x0d\xad\xdd\x17\x46" + bytes(4))
    law = aiff(tmp_path / "law.aiff", range(9), kind=b"AIFC", coding=b"ulaw\0\0")
    more = aiff(tmp_path / "more.aiff", range(9))
    whole = more.read_bytes()
    more.write_bytes(whole.replace(struct.pack(">hIh", 1, 9, 16), struct.pack(">hIh", 1, 10, 16)))
    cut = tmp_path / "cut.aiff"
    cut.write_bytes(whole[:-5])
    for source, said in [(odd, "22254.545"), (law, '"ulaw"'), (more, "10 frames"), (cut, "byte 38")]:
        run = isoform("convert", source, tmp_path / "x.wav")
        run.expect(9)
        assert said in run.err and source.name in run.err, run.err
        assert not (tmp_path / "x.wav").exists()


def decoded(path):
    return soundfile.read(path, dtype="float32", always_2d=True)


def near(made, source, most):
    """Whether a result has the samples that libsndfile decodes, as many of them, and at the same rate. It leaves
    channels in the order of Vorbis, which has the middle before the right, and the bass last."""
    (found, rate), (expected, expected_rate) = decoded(made), decoded(source)
    assert rate == expected_rate and found.shape == expected.shape
    if found.shape[1] == 6:
        expected = expected[:, USUAL_ORDER]
    assert np.abs(found - expected).max() <= most


def near_opus(made, source):
    """The same of Opus. libsndfile has the decoder with floating point, isoform the one with whole numbers, which end
    at 16 bits. Both are right; their difference is 70 dB below the sound, and more."""
    (found, rate), (expected, expected_rate) = decoded(made), decoded(source)
    assert rate == expected_rate and found.shape == expected.shape
    if found.shape[1] == 6:
        expected = expected[:, USUAL_ORDER]
    expected = np.clip(expected, -1, 32767 / 32768).astype("f8")
    error = found - expected
    assert np.abs(error).max() <= 32 / 32768
    assert np.square(error).sum() <= np.square(expected).sum() * 1e-7


def page(head, body):
    """A page of an Ogg with the checksum that belongs to it."""
    head = head[:22] + bytes(4) + head[26:]
    checksum = 0
    for byte in head + body:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = checksum << 1 ^ (0x104C11DB7 if checksum >> 31 else 0)
    return head[:22] + struct.pack("<I", checksum) + head[26:] + body


def of_rate(source, path, rate):
    """An Opus whose header says that what was encoded had this rate, which is the one that libsndfile gives."""
    whole = source.read_bytes()
    head, body = whole[:28], whole[28:47]
    path.write_bytes(page(head, body[:12] + struct.pack("<I", rate) + body[16:]) + whole[47:])
    return path


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_an_mp3_is_what_mpg123_decodes(isoform, tmp_path, channels, rate):
    source, made = tmp_path / "x.mp3", tmp_path / "x.wav"
    soundfile.write(source, music(2, channels, rate), rate, format="MP3")
    run = converted(isoform, source, made, "--drop", "metadata")
    assert run["arrays"][0]["shape"] == [2 * rate, channels]
    near(made, source, 1e-5)


def elder(layer, channels, checked, frames=40, seed=1):
    """Frames of noise of Layer I or II at 48,000 samples a second: some bands, in the quantisers that all of them have."""
    draw, out = random.Random(seed), b""
    for _ in range(frames):
        text = []
        put = lambda value, bits: text.append(f"{value:0{bits}b}")
        head = bytes([0xFF, (0xFF if layer == 1 else 0xFD) - checked, 0xA4, 0x04 if channels == 2 else 0xC4])
        told = range(32) if layer == 1 else range(27)
        widths = [4] * 32 if layer == 1 else [4] * 11 + [3] * 12 + [2] * 4
        coded = {(band, channel): draw.randrange(2, 8) for band in range(3) for channel in range(channels)}
        for band in told:
            for channel in range(channels):
                put(coded.get((band, channel), 0), widths[band])
        scales = {place: [] for place in coded}
        if layer == 2:
            kinds = {place: draw.randrange(4) for place in coded}
            for place in coded:
                put(kinds[place], 2)
        summed = "".join(text)
        for place in coded:
            for _ in range(1 if layer == 1 else [3, 2, 1, 2][kinds[place]]):
                put(draw.randrange(6, 30), 6)
        for _ in range(12):
            for place, width in coded.items():
                for _ in range(1 if layer == 1 else 3):
                    put(draw.randrange(2 ** (width + 1) - 1), width + 1)
        length = 4 * (12 * 320000 // 48000) if layer == 1 else 144 * 192000 // 48000
        sum = 0xFFFF
        for bit in "".join(f"{byte:08b}" for byte in head[2:4]) + summed:
            sum = (sum << 1 ^ (0x8005 if sum >> 15 != int(bit) else 0)) & 0xFFFF
        body = "".join(text).ljust(8 * (length - (6 if checked else 4)), "0")
        frame = head + (sum.to_bytes(2, "big") if checked else b"") + int(body, 2).to_bytes(len(body) // 8, "big")
        assert len(frame) == length
        out += frame
    return out


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("layer", [1, 2])
def test_the_elder_layers_are_what_mpg123_decodes(isoform, tmp_path, layer, channels, checked):
    source, made = tmp_path / f"x.mp{layer}", tmp_path / "x.wav"
    data = elder(layer, channels, checked)
    source.write_bytes(data)
    run = converted(isoform, source, made)
    assert run["arrays"][0]["shape"] == [40 * (384 if layer == 1 else 1152), channels]
    near(made, source, 1e-4)
    if checked:
        twentieth = 20 * len(data) // 40
        source.write_bytes(data[:twentieth + 6] + bytes([data[twentieth + 6] ^ 16]) + data[twentieth + 7:])
        told = isoform("convert", source, made, "--force").expect(9).err
        assert f"byte {twentieth}: malformed mp3: the checksum of this frame" in told


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_vorbis_is_what_libvorbis_decodes(isoform, tmp_path, channels):
    source, made = tmp_path / "x.ogg", tmp_path / "x.wav"
    soundfile.write(source, music(2, channels), RATE, format="OGG", subtype="VORBIS")
    run = converted(isoform, source, made, "--drop", "metadata")
    assert run["arrays"][0]["shape"] == [2 * RATE, channels]
    near(made, source, 1e-4)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_an_opus_is_what_libopus_decodes(isoform, tmp_path, channels):
    source = tmp_path / "x.opus"
    soundfile.write(source, music(2, channels, 48000), 48000, format="OGG", subtype="OPUS")
    for made in (tmp_path / "x.wav", tmp_path / "x.flac"):
        run = converted(isoform, source, made, "--drop", "metadata")
        assert run["arrays"][0]["shape"] == [96000, channels] and run["arrays"][0]["sampleType"] == "i16"
        near_opus(made, source)


@pytest.mark.parametrize("name, most", [("house_lo.mp3", 1e-5), ("house_lo.ogg", 1e-4)])
def test_recordings_are_what_libsndfile_decodes(isoform, tmp_path, name, most):
    source, made = recordings() / name, tmp_path / "x.wav"
    converted(isoform, source, made, "--drop", "metadata")
    near(made, source, most)


def test_a_recording_in_opus_is_what_libopus_decodes(isoform, tmp_path):
    # The recording had 12,000 samples a second; its header says so, and a reader of Opus gives 48,000 all the same.
    recording, made = recordings() / "house_lo.opus", tmp_path / "x.wav"
    converted(isoform, recording, made, "--drop", "metadata")
    near_opus(made, of_rate(recording, tmp_path / "same.opus", 48000))


def test_an_mp3_goes_into_a_flac_within_a_budget(isoform, tmp_path):
    source, made = recordings() / "house_lo.mp3", tmp_path / "x.flac"
    refused = isoform("convert", source, made, "--drop", "metadata")
    refused.expect(2)
    assert "f32" in refused.err
    options = ("--drop", "metadata", "--within", "snr=60")
    assert isoform("--json", "plan", source, made, *options).expect(0).json()["arrays"]
    run = isoform("--json", "convert", source, made, *options).expect(0).json()
    assert run["verdict"] == "BOUNDED"
    (found, _), (expected, _) = decoded(made), decoded(source)
    error = np.square(found.astype("f8") - expected).sum()
    assert error <= np.square(expected.astype("f8")).sum() * 1e-6


def test_tags_of_an_mp3_are_those_of_a_flac(isoform, tmp_path):
    found = isoform("--json", "inspect", recordings() / "metadata.mp3").expect(0).json()
    told = [item["key"] for item in found["attributes"]]
    assert {"tag:TITLE", "tag:ARTIST", "tag:ALBUM", "tag:COPYRIGHT", "tag:TRACKNUMBER"} <= set(told)
    assert told.count("tag:COMMENT") == 2


def test_a_target_that_is_only_read_is_refused(isoform, tmp_path):
    source = tmp_path / "x.wav"
    soundfile.write(source, music(1), RATE)
    for name in ("x.mp3", "x.ogg", "x.aiff"):
        run = isoform("convert", source, tmp_path / name)
        run.expect(2)
        assert "is read here, and not written" in run.err and "wav, flac, opus" in run.err, run.err
        assert not (tmp_path / name).exists()


def test_formats_are_known_by_their_bytes(isoform, tmp_path):
    kinds = {"house_lo.mp3": "audio/mpeg", "house_lo.ogg": "audio/ogg", "house_lo.opus": "audio/opus"}
    for name, kind in kinds.items():
        unnamed = tmp_path / name.replace(".", "-")
        unnamed.write_bytes((recordings() / name).read_bytes())
        assert isoform("--json", "inspect", unnamed).expect(0).json()["mediaType"] == kind


@pytest.mark.parametrize("name", ["house_lo.ogg", "house_lo.opus"])
def test_damage_of_an_ogg_is_an_error_with_its_place(isoform, tmp_path, name):
    whole = (recordings() / name).read_bytes()
    middle = len(whole) // 2
    for broken in (
        whole[:middle],
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        whole[: whole.index(b"OggS", middle)] + whole[whole.index(b"OggS", whole.index(b"OggS", middle) + 4) :],
        whole + whole,
        whole + b"more",
    ):
        source = tmp_path / name
        source.write_bytes(broken)
        run = isoform("convert", source, tmp_path / "x.wav", "--drop", "metadata")
        run.expect(9)
        assert "byte " in run.err and name in run.err, run.err
        assert not (tmp_path / "x.wav").exists()


def test_damage_of_an_mp3_is_an_error_with_its_place(isoform, tmp_path):
    source = tmp_path / "x.mp3"
    soundfile.write(source, music(2), RATE, format="MP3")
    whole = source.read_bytes()
    frames = [at for at in range(len(whole) - 1) if whole[at] == 0xFF and whole[at + 1] & 0xFE == 0xFA]
    middle = frames[len(frames) // 2]
    flipped = lambda data, at: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    # Of the first frame: its name, that of the encoder, and how many samples are no sound.
    first = [36, whole.index(b"LAME") + 2, whole.index(b"LAME") + 21]
    for broken in (
        whole[: middle + 20],
        whole[:middle],
        whole[:middle] + b"\0" + whole[middle + 1 :],
        flipped(whole, middle + 90),
        *(flipped(whole, at) for at in first),
        *(flipped(flipped(whole, middle + 90), at) for at in first),
        whole[: frames[1]] + bytes(64) + whole[frames[1] :],
    ):
        source.write_bytes(broken)
        run = isoform("convert", source, tmp_path / "x.wav", "--drop", "metadata")
        run.expect(9)
        assert "byte " in run.err and "x.mp3" in run.err, run.err
        assert not (tmp_path / "x.wav").exists()


def frames_of(data):
    """Where the frames of an MP3 of MPEG 1 begin, up to its end."""
    at, found, rates = 0, [], [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
    while at + 4 <= len(data):
        found.append(at)
        hertz = [44100, 48000, 32000][data[at + 2] >> 2 & 3]
        at += 144_000 * rates[data[at + 2] >> 4] // hertz + (data[at + 2] >> 1 & 1)
    return found


def test_a_piece_of_a_stream_is_what_mpg123_decodes(isoform, tmp_path):
    whole, piece, made = tmp_path / "whole.mp3", tmp_path / "x.mp3", tmp_path / "x.wav"
    soundfile.write(whole, music(3), RATE, format="MP3")
    data = whole.read_bytes()
    frames = frames_of(data)
    # A frame that needs bytes of those before it.
    first = next(at for at in frames[20:] if data[at + 4] << 1 | data[at + 5] >> 7 > 0)
    count = len([at for at in frames if at >= first])
    for begin, end, length, told in [
        (first, None, count, "they are silent"),
        (first - 30, None, count, "bytes before the first frame"),
        (first, -5, count - 1, "a last frame that is cut"),
    ]:
        piece.write_bytes(data[begin:end])
        run = converted(isoform, piece, made, "--force")
        assert run["arrays"][0]["shape"] == [length * 1152, 2]
        assert any(told in note for note in run["notes"]), run["notes"]
        found, expected = soundfile.read(made)[0], soundfile.read(piece)[0]
        # libsndfile guesses how long such a file is, and reads no more than that.
        size = min(len(found), len(expected))
        assert size > 10 * 1152 and np.abs(found[:size] - expected[:size]).max() < 1e-4
        isoform("verify", made, "--source", piece).expect(0)


def test_a_gap_in_a_piece_of_a_stream_is_an_error_with_its_place(isoform, tmp_path):
    whole, piece = tmp_path / "whole.mp3", tmp_path / "x.mp3"
    soundfile.write(whole, music(3), RATE, format="MP3")
    data = whole.read_bytes()
    frames = frames_of(data)
    first = frames[20]
    # Behind the first frame, among all, and before the last ones.
    for at in (frames[21], frames[40], frames[-4], frames[-2]):
        piece.write_bytes(data[first:at] + b"junk!" + data[at:])
        run = isoform("convert", piece, tmp_path / "x.wav")
        assert run.code != 0 and f"byte {at - first}: malformed mp3: no frame begins here" in run.err, run.err


def test_an_hour_is_decoded_in_little_memory(isoform, tmp_path):
    source, made = tmp_path / "x.ogg", tmp_path / "x.wav"
    with soundfile.SoundFile(source, "w", 8000, 1, format="OGG", subtype="VORBIS") as file:
        for _ in range(3600):
            file.write(np.zeros(8000))
    run = converted(isoform, source, made, "--drop", "metadata", "--memory", "256MiB")
    assert run["arrays"][0]["shape"] == [3600 * 8000, 1]
