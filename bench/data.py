"""The tables that the benchmark converts, made from a seed.

    data.py DIRECTORY SIZE_MB SEED [TABLE]

Writes mixed.parquet (snappy), mixed.csv and mixed.jsonl with the same cells: twelve columns of integers, decimals,
floats, dates, timestamps, strings of few and of many values, and booleans, half of them with nulls. SIZE_MB is the
size of the CSV. Files that are there already are kept.

With the TABLE `lineitem` it is that table of TPC-H, as tpchgen-cli makes it, for which there is no seed.
"""

import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from columns import TABLES

# Bytes of a row as CSV; measured, so that a size can be asked for.
ROW_BYTES = 141.4
# The same of lineitem at a scale of 1, in MB.
LINEITEM_MB = 747.0
BLOCK_ROWS = 122_880

CITIES = [f"{stem}{end}" for stem in ("Nor", "Alt", "Grün", "Port ", "San ", "Kings", "Oak", "Mil", "Ash", "Riv")
          for end in ("stadt", "ville", "ton", " Bay", "field", "burg", "ham", "wick", "dale", "mouth")]
STATUSES = ["new", "paid", "shipped", "returned", "cancelled"]
WORDS = ["the", "order", "came", "late", "but", "whole", "box", "damaged", "please", "call, then ring", "again",
         "blue", "large", "gift", "for", "two", "\"fragile\"", "thanks", "left", "at door"]
NAMES = ["ada", "alan", "barbara", "claude", "donald", "edsger", "emmy", "grace", "john", "katherine", "leslie",
         "margaret", "niklaus", "radia", "sofya", "tony"]


def block(rng, start, rows):
    """Rows `start` to `start + rows`."""
    def nulls(share):
        return rng.random(rows) < share

    def words(values, count=None):
        return pc.take(pa.array(values), pa.array(rng.integers(0, len(values), rows)))

    moment = np.datetime64("2021-03-01T00:00:00", "us") + np.cumsum(rng.integers(0, 20_000_000, rows))
    moment = moment + np.timedelta64(start * 10_000_000, "us")
    cents = pa.array(rng.integers(100, 1_000_000, rows)).cast(pa.decimal128(19, 0))
    price = pc.multiply(cents, pa.scalar(1, pa.decimal128(1, 0))).cast(pa.decimal128(21, 0))
    price = pa.Array.from_buffers(pa.decimal128(21, 2), rows, price.buffers()).cast(pa.decimal128(6, 2))
    people = pc.binary_join_element_wise(words(NAMES), pa.array(rng.integers(0, 4_000_000, rows)).cast(pa.string()), ".")
    note = pc.binary_join_element_wise(words(WORDS), words(WORDS), words(WORDS), words(WORDS), " ")
    missing = pa.scalar(None, pa.string())
    score = rng.normal(0, 100, rows)
    return pa.record_batch({
        "id": pa.array(np.arange(start + 1, start + rows + 1)),
        "customer": pa.array(rng.integers(10_000_000, 15_000_000, rows)),
        "quantity": pa.array(rng.integers(1, 60, rows), mask=nulls(0.05)),
        "price": price,
        "score": pa.array(score, mask=nulls(0.02)),
        "day": pa.array((np.datetime64("2019-01-01") + rng.integers(0, 2_000, rows)).astype("datetime64[D]")),
        "at": pa.array(moment, pa.timestamp("us")),
        "city": words(CITIES),
        "status": pc.if_else(pa.array(nulls(0.1)), missing, words(STATUSES)),
        "name": people,
        "note": pc.if_else(pa.array(nulls(0.1)), missing, note),
        "active": pa.array(rng.random(rows) < 0.7, mask=nulls(0.05)),
    })


def lineitem(directory, size):
    """Makes the table of TPC-H as CSV, and with the same cells as Parquet and as JSON Lines."""
    source = directory / "lineitem.csv"
    if not source.exists():
        new = directory / "new"
        scale = f"{size / LINEITEM_MB:.4f}"
        program = Path(sys.executable).with_name("tpchgen-cli")
        subprocess.run([program, "csv", "-s", scale, "--tables", "lineitem", "--output-dir", new], check=True)
        (new / "lineitem.csv").rename(source)
        new.rmdir()
    types = "{" + ", ".join(f"'{name}': '{ty}'" for name, ty in TABLES["lineitem"]) + "}"
    rows = f"SELECT * FROM read_csv('{source}', columns={types}, header=true, delim=',', quote='\"')"
    for name, options in [("lineitem.parquet", "FORMAT parquet, COMPRESSION snappy"), ("lineitem.jsonl", "FORMAT json")]:
        target = directory / name
        if not target.exists():
            new = directory / (name + ".new")
            duckdb.execute(f"COPY ({rows}) TO '{new}' ({options})")
            new.rename(target)


def main():
    directory, size, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    directory.mkdir(parents=True, exist_ok=True)
    if sys.argv[4:] == ["lineitem"]:
        return lineitem(directory, size)
    table = directory / "mixed.parquet"
    if not table.exists():
        rows = int(size * 1e6 / ROW_BYTES)
        rng = np.random.default_rng(seed)
        new = table.with_suffix(".new")
        first = block(np.random.default_rng(0), 0, 1)
        with pq.ParquetWriter(new, first.schema, compression="snappy") as writer:
            for start in range(0, rows, BLOCK_ROWS):
                writer.write_batch(block(rng, start, min(BLOCK_ROWS, rows - start)))
        new.rename(table)
    text = "strftime(\"at\", '%Y-%m-%d %H:%M:%S.%f')"
    for name, options in [("mixed.csv", "FORMAT csv, HEADER true"), ("mixed.jsonl", "FORMAT json")]:
        target = directory / name
        if not target.exists():
            new = directory / (name + ".new")
            rows = f"SELECT * REPLACE ({text} AS \"at\") FROM read_parquet('{table}')"
            duckdb.execute(f"COPY ({rows}) TO '{new}' ({options})")
            new.rename(target)


main()
