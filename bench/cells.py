"""Prints one line for each file: a sum over the cells of its rows, under the types of the benchmark.

    cells.py FILE…

Equal lines mean equal cells in any order of rows; each row has its number in it (`id`).
"""

import sys

import duckdb
import pyarrow.dataset

from columns import COLUMNS

JSON = "{" + ", ".join(f"'{name}': '{ty}'" for name, ty in COLUMNS) + "}"


def cells(path):
    database = duckdb.connect()
    if path.endswith(".arrow"):
        database.register("source", pyarrow.dataset.dataset(path, format="ipc"))
        table = "source"
    elif path.endswith(".csv"):
        table = f"read_csv('{path}', columns={JSON}, header=true, delim=',', quote='\"')"
    elif path.endswith(".jsonl"):
        table = f"read_json('{path}', columns={JSON}, format='newline_delimited')"
    else:
        table = f"read_parquet('{path}')"
    casts = [f'CAST("{name}" AS {ty})' for name, ty in COLUMNS]
    sums = [f"sum(hash({cast}, \"id\")::HUGEINT % 1000000007)" for cast in casts]
    counts = [f'count("{name}")' for name, _ in COLUMNS]
    return database.execute(f"SELECT count(*), {', '.join(sums + counts)} FROM {table}").fetchone()


for argument in sys.argv[1:]:
    print(cells(argument))
