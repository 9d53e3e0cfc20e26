"""Runs the real binary and reads its results with readers that are not ours."""

import base64
import dataclasses
import datetime
import decimal
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import pyarrow as pa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLES = ROOT / "testdata" / "tables"
ENDING = ".isoform.sigstore.json"


def binary():
    """The program under test, named by ISOFORM_BIN."""
    path = os.environ.get("ISOFORM_BIN")
    if not path or not os.access(path, os.X_OK):
        raise RuntimeError("set ISOFORM_BIN to the built program; ./check does")
    return path


@dataclasses.dataclass
class Run:
    """What one call of the program did."""

    code: int
    out: str
    err: str

    def expect(self, code):
        assert self.code == code, f"exit {self.code}, expected {code}\nstdout: {self.out}\nstderr: {self.err}"
        return self

    def json(self):
        """Stdout as one JSON document; anything else beside it is an error."""
        return json.loads(self.out)


class Program:
    """The program with its own configuration directory and nothing of the caller's settings."""

    def __init__(self, config):
        self.config = pathlib.Path(config)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("ISOFORM_")}
        self.environment = clean | {"ISOFORM_CONFIG_DIR": str(config), "NO_COLOR": "1"}

    def command(self, *args):
        return [binary(), *map(str, args)]

    def __call__(self, *args, cwd=None, env=None, stdin=None, timeout=300):
        done = subprocess.run(
            self.command(*args), cwd=cwd, env=self.environment | (env or {}), input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True, timeout=timeout,
        )
        return Run(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *args):
        """The same, running."""
        return subprocess.Popen(
            self.command(*args), env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )


def until(condition, process, seconds=60):
    """Waits for something of a running process; false where the process ended before."""
    end = time.monotonic() + seconds
    while not (met := condition()) and process.poll() is None:
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.0005)
    return bool(met) and process.poll() is None


def handled(process, number):
    """Whether the program does something of its own with a signal: before that, one ends it, or what started it."""
    if os.path.realpath(f"/proc/{process.pid}/exe") != os.path.realpath(binary()):
        return False
    masks = [line.split(":")[1] for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
             if line.startswith(("SigCgt", "SigIgn"))]
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


def opened(process, path):
    """Whether a process has a file open."""
    try:
        links = list(pathlib.Path(f"/proc/{process.pid}/fd").iterdir())
        return any(os.path.realpath(link) == os.path.realpath(path) for link in links)
    except FileNotFoundError:
        return False


def killed_when(condition, start, again=lambda: None, turns=20):
    """Starts a process and kills it once a condition is met. One that ended before, since this process had to wait for
    its turn, is started again after `again` has removed what it made."""
    for _ in range(turns):
        process = start()
        met = until(condition, process)
        process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL and met:
            return
        again()
    raise AssertionError(f"{turns} runs ended before they could be killed")


def count_in(directory):
    """The number of files in a directory that a run makes, and removes at its end."""
    try:
        return len(list(directory.iterdir()))
    except FileNotFoundError:
        return 0


def preloaded(folder, text):
    """The environment of a program in which these functions, in C, stand before those of the system."""
    (folder / "own.c").write_text(text)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "own.so", folder / "own.c", "-ldl"], check=True)
    return {"LD_PRELOAD": str(folder / "own.so")}


def remove(target):
    """A target and its certificate, where they are."""
    for path in (pathlib.Path(target), certificate_of(target)):
        path.unlink(missing_ok=True)


def measured(isoform, *args):
    """One run: its exit code, its peak memory in bytes, and what it said. It is a child's child: a child begins with
    the memory of this process, and others do not count."""
    script = ("import resource, subprocess, sys; code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)"
              ".returncode; print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", script, *isoform.command(*args)], env=isoform.environment,
                          capture_output=True, text=True)
    code, kibibytes = map(int, done.stdout.split())
    return code, kibibytes * 1024, done.stderr


def bytes_read(isoform, *args):
    """One run: its exit code, and how many bytes it read, as the kernel counted them."""
    process = isoform.start(*args)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    counted = dict(line.split(": ") for line in pathlib.Path(f"/proc/{process.pid}/io").read_text().splitlines())
    return process.wait(), int(counted["rchar"])


def certificate_of(target):
    return pathlib.Path(f"{target}{ENDING}")


def statement(certificate):
    """The in-toto statement inside a certificate."""
    bundle = json.loads(pathlib.Path(certificate).read_bytes())
    return json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True))


def sign(isoform, certificate, said):
    """Lets a certificate state something else, signed by the key of the program."""
    isoform("key", "show").expect(0)
    pem = (isoform.config / "signing-key.pem").read_bytes()
    # PKCS #8 with the public key behind the seed (RFC 5958), which the library does not read.
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    seed = der[der.index(b"\x04\x22\x04\x20") + 4 :][:32]
    key = Ed25519PrivateKey.from_private_bytes(seed)
    encoded = lambda encoding: key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    key_id = hashlib.sha256(encoded(serialization.Encoding.DER)).hexdigest()
    said["predicate"]["key"] = encoded(serialization.Encoding.PEM).decode()
    canonical = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    payload, bundle = canonical(said), json.loads(certificate.read_text())
    envelope = bundle["dsseEnvelope"]
    kind = envelope["payloadType"].encode()
    signature = key.sign(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    envelope["payload"] = base64.b64encode(payload).decode()
    envelope["signatures"] = [{"keyid": key_id, "sig": base64.b64encode(signature).decode()}]
    bundle["verificationMaterial"]["publicKey"]["hint"] = key_id
    certificate.write_bytes(canonical(bundle))


def piped(path, data):
    """A pipe with a name, which gives these bytes to whoever reads it first."""
    os.mkfifo(path)
    threading.Thread(target=lambda: path.write_bytes(data), daemon=True).start()
    return path


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def listing(folder):
    """Every name below a folder, hidden ones too."""
    return sorted(str(p.relative_to(folder)) for p in pathlib.Path(folder).rglob("*"))


def flip(path, offset, bit=0):
    """Changes one bit of a file."""
    data = bytearray(pathlib.Path(path).read_bytes())
    data[offset] ^= 1 << bit
    pathlib.Path(path).write_bytes(bytes(data))


def kind(data_type):
    """What a person would call a type: width, unit and precision do not matter here."""
    t = pa.types
    if t.is_dictionary(data_type):
        return kind(data_type.value_type)
    if t.is_decimal(data_type):
        return f"decimal({data_type.scale})"
    if t.is_timestamp(data_type):
        return "timestamp with zone" if data_type.tz else "timestamp"
    for name, test in [
        ("int", t.is_integer), ("float", t.is_floating), ("bool", t.is_boolean), ("date", t.is_date),
        ("time", t.is_time), ("null", t.is_null), ("binary", t.is_binary), ("text", t.is_string),
        ("text", t.is_large_string), ("text", t.is_string_view),
    ]:
        if test(data_type):
            return name
    return str(data_type)


def fields(data, delimiter=",", quote='"'):
    """A slow and obvious RFC 4180 reader that keeps what the csv module throws away: whether a field was quoted.

    Gives a list of records, each a list of (text, quoted).
    """
    text = data.decode("utf-8-sig")
    if quote not in text:
        lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
        return [[(field, False) for field in line.split(delimiter)] for line in lines]
    records, record, field, quoted, inside = [], [], [], False, False
    at = 0
    while at < len(text):
        c = text[at]
        if inside:
            if c == quote and text[at + 1 : at + 2] == quote:
                field.append(quote)
                at += 1
            elif c == quote:
                inside = False
            else:
                field.append(c)
        elif c == quote and not field and not quoted:
            quoted = inside = True
        elif c == delimiter:
            record.append(("".join(field), quoted))
            field, quoted = [], False
        elif c == "\n":
            if field and field[-1] == "\r" and not quoted:
                field.pop()
            record.append(("".join(field), quoted))
            records.append(record)
            record, field, quoted = [], [], False
        elif not (c == "\r" and quoted):
            field.append(c)
        at += 1
    assert not inside, "the file ends inside quotes"
    if record or field or quoted:
        record.append(("".join(field), quoted))
        records.append(record)
    return records


def value(text, quoted, kind_of_column, null_tokens=("NA",)):
    """The value of a field in a column of this kind, by rules written down here and nowhere else."""
    if text == "" and not quoted:
        return None
    if kind_of_column == "text":
        return text
    if text in null_tokens:
        return None
    if kind_of_column == "int":
        return int(text)
    if kind_of_column == "float":
        return float(text)
    if kind_of_column.startswith("decimal"):
        return decimal.Decimal(text)
    if kind_of_column == "bool":
        return {"true": True, "false": False}[text.lower()]
    if kind_of_column == "date":
        if text[0].isalpha():
            return datetime.datetime.strptime(text, "%b %d %Y").date()
        return datetime.date.fromisoformat(text.replace("/", "-"))
    if kind_of_column.startswith("timestamp"):
        return datetime.datetime.fromisoformat(re.sub("/", "-", text))
    raise AssertionError(f"no rule for {kind_of_column}")


def values(column):
    """A pyarrow column as Python values."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz))
    return column.to_pylist()
