"""The columns of the benchmark table."""

# Name, type in SQL, for all tools alike.
COLUMNS = [
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
]
