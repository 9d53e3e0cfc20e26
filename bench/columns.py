"""The columns of the tables of the benchmark."""

# Name, type in SQL, for all tools alike.
TABLES = {
    "mixed": [
        ("id", "BIGINT"),
        ("customer", "BIGINT"),
        ("quantity", "BIGINT"),
        ("price", "DECIMAL(6,2)"),
        ("score", "DOUBLE"),
        ("day", "DATE"),
        ("at", "TIMESTAMP"),
        ("city", "VARCHAR"),
        ("status", "VARCHAR"),
        ("name", "VARCHAR"),
        ("note", "VARCHAR"),
        ("active", "BOOLEAN"),
    ],
    "lineitem": [
        ("l_orderkey", "BIGINT"),
        ("l_partkey", "BIGINT"),
        ("l_suppkey", "BIGINT"),
        ("l_linenumber", "BIGINT"),
        ("l_quantity", "BIGINT"),
        ("l_extendedprice", "DECIMAL(18,2)"),
        ("l_discount", "DECIMAL(18,2)"),
        ("l_tax", "DECIMAL(18,2)"),
        ("l_returnflag", "VARCHAR"),
        ("l_linestatus", "VARCHAR"),
        ("l_shipdate", "DATE"),
        ("l_commitdate", "DATE"),
        ("l_receiptdate", "DATE"),
        ("l_shipinstruct", "VARCHAR"),
        ("l_shipmode", "VARCHAR"),
        ("l_comment", "VARCHAR"),
    ],
}

# What tells the rows of a table apart.
KEYS = {"mixed": ["id"], "lineitem": ["l_orderkey", "l_linenumber"]}


def of_sql(columns, kinds):
    """The types of the columns, in the terms of a tool: `kinds` by the names in SQL, a decimal by a function of its
    digits and those behind the point."""
    def kind(sql):
        if sql.startswith("DECIMAL("):
            return kinds["DECIMAL"](*map(int, sql[len("DECIMAL("):-1].split(",")))
        return kinds[sql]

    return {name: kind(sql) for name, sql in columns}
