"""One conversion by one of the tools that people use today, in a process of its own.

    peers.py TOOL FROM TO SOURCE TARGET CODEC ROW_GROUP_ROWS

FROM and TO are csv, jsonl, parquet or arrow. Prints, before the work begins, the processor seconds spent so far
and the monotonic clock, so that the start of the interpreter and its imports can be left out. The target is
forced to disk, as `isoform` does. Every tool gets the types of the columns, keeps the order of the rows and uses
all processors.
"""

import json
import os
import resource
import sys
import time

from columns import COLUMNS


def begin():
    """Tells what was spent before the work."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    started = {"cpu": spent.ru_utime + spent.ru_stime, "clock": time.monotonic()}
    print(json.dumps(started), flush=True)


def arrow_schema():
    import pyarrow as pa

    types = {
        "BIGINT": pa.int64(),
        "DECIMAL(6,2)": pa.decimal128(6, 2),
        "DOUBLE": pa.float64(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us"),
        "VARCHAR": pa.string(),
        "BOOLEAN": pa.bool_(),
    }
    return pa.schema([(name, types[ty]) for name, ty in COLUMNS])


def json_schema():
    """JSON has no decimals and no timestamps: these come as numbers and as text."""
    import pyarrow as pa

    types = {"DECIMAL(6,2)": pa.float64(), "DATE": pa.string(), "TIMESTAMP": pa.string()}
    sql = dict(COLUMNS)
    return pa.schema([(field.name, types.get(sql[field.name], field.type)) for field in arrow_schema()])


def level(codec):
    return 3 if codec == "zstd" else None


def duckdb_tool(source, target, how, to, codec, rows):
    import duckdb
    import pyarrow as pa

    begin()
    database = duckdb.connect()
    columns = "{" + ", ".join(f"'{name}': '{ty}'" for name, ty in COLUMNS) + "}"
    table = {
        "csv": f"read_csv('{source}', columns={columns}, header=true, delim=',', quote='\"')",
        "jsonl": f"read_json('{source}', columns={columns}, format='newline_delimited')",
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


def polars_tool(source, target, how, to, codec, rows):
    import polars as pl

    begin()
    types = {
        "BIGINT": pl.Int64,
        "DECIMAL(6,2)": pl.Decimal(6, 2),
        "DOUBLE": pl.Float64,
        "DATE": pl.Date,
        "TIMESTAMP": pl.Datetime("us"),
        "VARCHAR": pl.String,
        "BOOLEAN": pl.Boolean,
    }
    if how == "csv":
        frame = pl.scan_csv(source, schema={name: types[ty] for name, ty in COLUMNS})
    elif how == "jsonl":
        # Its reader of JSON does not parse decimals, dates and timestamps out of text.
        loose = {"DECIMAL(6,2)": pl.Float64, "DATE": pl.String, "TIMESTAMP": pl.String}
        frame = pl.scan_ndjson(source, schema={name: loose.get(ty, types[ty]) for name, ty in COLUMNS})
        frame = frame.with_columns(
            pl.col("day").str.to_date("%Y-%m-%d"), pl.col("at").str.to_datetime("%Y-%m-%d %H:%M:%S%.6f")
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


def datafusion_tool(source, target, how, to, codec, rows):
    import datafusion

    begin()
    config = datafusion.SessionConfig()
    config = config.set("datafusion.execution.parquet.max_row_group_size", str(rows))
    # Strings as views would come out as another type.
    config = config.set("datafusion.execution.parquet.schema_force_view_types", "false")
    config = config.set("datafusion.sql_parser.map_string_types_to_utf8view", "false")
    session = datafusion.SessionContext(config)
    if how == "csv":
        session.register_csv("source", source, schema=arrow_schema(), has_header=True)
    elif how == "jsonl":
        session.register_json("source", source, schema=json_schema(), file_extension=".jsonl")
    else:
        session.register_parquet("source", source)
    select = "*"
    if how == "jsonl":
        casts = {"DATE": 'CAST("{0}" AS DATE) AS "{0}"', "TIMESTAMP": "arrow_cast(\"{0}\", 'Timestamp(Microsecond, None)') AS \"{0}\""}
        select = ", ".join(casts.get(ty, '"{0}"').format(name) for name, ty in COLUMNS)
    if to == "arrow":
        # Its COPY to Arrow compresses, and cannot be told not to.
        import pyarrow as pa

        stream = session.sql("SELECT * FROM source").execute_stream()
        with pa.ipc.new_file(target, arrow_schema()) as writer:
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


def pyarrow_tool(source, target, how, to, codec, rows):
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet as pq

    begin()
    schema = arrow_schema()
    if how == "csv":
        reading = pa.csv.ReadOptions(block_size=8 << 20)
        parsing = pa.csv.ParseOptions(newlines_in_values=False)
        converting = pa.csv.ConvertOptions(column_types=schema, strings_can_be_null=True)
        batches = pa.csv.open_csv(source, reading, parsing, converting)
    elif how == "jsonl":
        # Its parser of JSON takes no decimals, and no dates out of text.
        reading = pa.json.ReadOptions(block_size=8 << 20)
        batches = pa.json.open_json(source, reading, pa.json.ParseOptions(explicit_schema=json_schema()))
        schema = pa.schema([field if field.name in ("day", "at") else json_schema().field(field.name) for field in schema])
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
    tool, how, to, source, target, codec, rows = sys.argv[1:]
    globals()[f"{tool}_tool"](source, target, how, to, codec, int(rows))
    handle = os.open(target, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


main()
