"""One conversion by one of the tools that people use today, in a process of its own.

    peers.py TOOL TABLE FROM TO SOURCE TARGET CODEC ROW_GROUP_ROWS

TABLE is one of columns.py; FROM and TO are csv, jsonl, parquet or arrow. Prints, before the work begins, the processor seconds spent so far
and the monotonic clock, so that the start of the interpreter and its imports can be left out. The target is
forced to disk, as `isoform` does. Every tool gets the types of the columns, keeps the order of the rows and uses
all processors.
"""

import json
import os
import resource
import sys
import time

from columns import TABLES, of_sql


def begin():
    """Tells what was spent before the work."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    started = {"cpu": spent.ru_utime + spent.ru_stime, "clock": time.monotonic()}
    print(json.dumps(started), flush=True)


def arrow_schema(columns, **others):
    import pyarrow as pa

    kinds = {
        "BIGINT": pa.int64(),
        "DECIMAL": pa.decimal128,
        "DOUBLE": pa.float64(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us"),
        "VARCHAR": pa.string(),
        "BOOLEAN": pa.bool_(),
    }
    return pa.schema(list(of_sql(columns, kinds | others).items()))


def json_schema(columns):
    """JSON has no decimals and no timestamps: these come as numbers and as text."""
    import pyarrow as pa

    return arrow_schema(columns, DECIMAL=lambda *_: pa.float64(), DATE=pa.string(), TIMESTAMP=pa.string())


def level(codec):
    return 3 if codec == "zstd" else None


def duckdb_tool(columns, source, target, how, to, codec, rows):
    import duckdb
    import pyarrow as pa

    begin()
    database = duckdb.connect()
    types = "{" + ", ".join(f"'{name}': '{ty}'" for name, ty in columns) + "}"
    table = {
        "csv": f"read_csv('{source}', columns={types}, header=true, delim=',', quote='\"')",
        "jsonl": f"read_json('{source}', columns={types}, format='newline_delimited')",
        "parquet": f"read_parquet('{source}')",
    }[how]
    if to == "arrow":
        result = database.sql(f"SELECT * FROM {table}")
        reader = result.to_arrow_reader(65536) if hasattr(result, "to_arrow_reader") else result.fetch_arrow_reader(65536)
        with pa.ipc.new_file(target, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
        return
    options = {
        "parquet": f"FORMAT parquet, COMPRESSION {codec}, ROW_GROUP_SIZE {rows}"
        + (", COMPRESSION_LEVEL 3" if codec == "zstd" else ""),
        "csv": "FORMAT csv, HEADER true",
        "jsonl": "FORMAT json",
    }[to]
    database.execute(f"COPY (SELECT * FROM {table}) TO '{target}' ({options})")


def polars_tool(columns, source, target, how, to, codec, rows):
    import polars as pl

    begin()
    kinds = {
        "BIGINT": pl.Int64,
        "DECIMAL": pl.Decimal,
        "DOUBLE": pl.Float64,
        "DATE": pl.Date,
        "TIMESTAMP": pl.Datetime("us"),
        "VARCHAR": pl.String,
        "BOOLEAN": pl.Boolean,
    }
    if how == "csv":
        frame = pl.scan_csv(source, schema=of_sql(columns, kinds))
    elif how == "jsonl":
        # Its reader of JSON does not parse decimals, dates and timestamps out of text.
        loose = {"DECIMAL": lambda *_: pl.Float64, "DATE": pl.String, "TIMESTAMP": pl.String}
        frame = pl.scan_ndjson(source, schema=of_sql(columns, kinds | loose))
        days = [name for name, ty in columns if ty == "DATE"]
        moments = [name for name, ty in columns if ty == "TIMESTAMP"]
        frame = frame.with_columns(
            *(pl.col(name).str.to_date("%Y-%m-%d") for name in days),
            *(pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S%.6f") for name in moments),
        )
    else:
        frame = pl.scan_parquet(source)
    if to == "parquet":
        frame.sink_parquet(target, compression=codec, compression_level=level(codec), row_group_size=rows)
    elif to == "arrow":
        frame.sink_ipc(target, compression="uncompressed")
    elif to == "csv":
        frame.sink_csv(target)
    else:
        frame.sink_ndjson(target)


def datafusion_tool(columns, source, target, how, to, codec, rows):
    import datafusion

    begin()
    config = datafusion.SessionConfig()
    config = config.set("datafusion.execution.parquet.max_row_group_size", str(rows))
    # Strings as views would come out as another type.
    config = config.set("datafusion.execution.parquet.schema_force_view_types", "false")
    config = config.set("datafusion.sql_parser.map_string_types_to_utf8view", "false")
    session = datafusion.SessionContext(config)
    if how == "csv":
        session.register_csv("source", source, schema=arrow_schema(columns), has_header=True)
    elif how == "jsonl":
        session.register_json("source", source, schema=json_schema(columns), file_extension=".jsonl")
    else:
        session.register_parquet("source", source)
    select = "*"
    if how == "jsonl":
        casts = {"DATE": 'CAST("{0}" AS DATE) AS "{0}"', "TIMESTAMP": "arrow_cast(\"{0}\", 'Timestamp(Microsecond, None)') AS \"{0}\""}
        select = ", ".join(casts.get(ty, '"{0}"').format(name) for name, ty in columns)
    if to == "arrow":
        # Its COPY to Arrow compresses, and cannot be told not to.
        import pyarrow as pa

        stream = session.sql("SELECT * FROM source").execute_stream()
        with pa.ipc.new_file(target, arrow_schema(columns)) as writer:
            for batch in stream:
                writer.write_batch(batch.to_pyarrow())
        return
    kind = {"parquet": "PARQUET", "csv": "CSV", "jsonl": "JSON"}[to]
    options = ""
    if to == "parquet":
        options = f"OPTIONS ('format.compression' '{codec}{'(3)' if codec == 'zstd' else ''}')"
    elif to == "csv":
        options = "OPTIONS ('format.has_header' 'true')"
    session.sql(f"COPY (SELECT {select} FROM source) TO '{target}' STORED AS {kind} {options}").collect()


def pyarrow_tool(columns, source, target, how, to, codec, rows):
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet as pq

    begin()
    schema = arrow_schema(columns)
    if how == "csv":
        reading = pa.csv.ReadOptions(block_size=8 << 20)
        parsing = pa.csv.ParseOptions(newlines_in_values=False)
        converting = pa.csv.ConvertOptions(column_types=schema, strings_can_be_null=True)
        batches = pa.csv.open_csv(source, reading, parsing, converting)
    elif how == "jsonl":
        # Its parser of JSON takes no decimals, and no dates out of text.
        reading = pa.json.ReadOptions(block_size=8 << 20)
        batches = pa.json.open_json(source, reading, pa.json.ParseOptions(explicit_schema=json_schema(columns)))
        schema = arrow_schema(columns, DECIMAL=lambda *_: pa.float64())
        batches = (batch.cast(schema) for batch in batches)
    else:
        batches = pq.ParquetFile(source).iter_batches(65536)
    if to == "parquet":
        with pq.ParquetWriter(target, schema, compression=codec, compression_level=level(codec)) as writer:
            waiting, count = [], 0
            for batch in batches:
                waiting.append(batch)
                count += batch.num_rows
                while count >= rows:
                    table = pa.Table.from_batches(waiting, schema)
                    writer.write_table(table.slice(0, rows), row_group_size=rows)
                    waiting, count = table.slice(rows).to_batches(), count - rows
            if count:
                writer.write_table(pa.Table.from_batches(waiting, schema), row_group_size=rows)
    elif to == "arrow":
        with pa.ipc.new_file(target, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    else:
        with pa.csv.CSVWriter(target, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)


def main():
    tool, table, how, to, source, target, codec, rows = sys.argv[1:]
    globals()[f"{tool}_tool"](TABLES[table], source, target, how, to, codec, int(rows))
    handle = os.open(target, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


main()
