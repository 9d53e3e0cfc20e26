"""Prints one line for each file: a sum over the cells of its rows, under the types of the benchmark.

    cells.py TABLE FILE…

Equal lines mean equal cells in any order of rows; each row has a key in it. TABLE is one of columns.py.
"""

import sys

import duckdb
import pyarrow.dataset

from columns import KEYS, TABLES


def cells(columns, key, path):
    types = "{" + ", ".join(f"'{name}': '{ty}'" for name, ty in columns) + "}"
    database = duckdb.connect()
    if path.endswith(".arrow"):
        database.register("source", pyarrow.dataset.dataset(path, format="ipc"))
        table = "source"
    elif path.endswith(".csv"):
        table = f"read_csv('{path}', columns={types}, header=true, delim=',', quote='\"')"
    elif path.endswith(".jsonl"):
        table = f"read_json('{path}', columns={types}, format='newline_delimited')"
    else:
        table = f"read_parquet('{path}')"
    casts = [f'CAST("{name}" AS {ty})' for name, ty in columns]
    sums = [f"sum(hash({cast}, {key})::HUGEINT % 1000000007)" for cast in casts]
    counts = [f'count("{name}")' for name, _ in columns]
    return database.execute(f"SELECT count(*), {', '.join(sums + counts)} FROM {table}").fetchone()


table = sys.argv[1]
key = ", ".join(f'"{name}"' for name in KEYS[table])
for argument in sys.argv[2:]:
    print(cells(TABLES[table], key, argument))
