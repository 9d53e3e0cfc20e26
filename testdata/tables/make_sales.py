"""Makes sales.csv, the table that the README converts, and knows the value of every cell of it.

Run it to write the file anew: `python3 testdata/tables/make_sales.py`. The end-to-end tests import it: what
`rows()` says is the truth that a converted table is compared with, and it never passes through a CSV reader.
"""

import datetime
import decimal
import pathlib

ROWS = 1000
COLUMNS = [
    "order_id", "store", "ordered_on", "ordered_at", "customer", "product", "quantity", "unit_price",
    "discount", "weight_kg", "paid", "note",
]
CUSTOMERS = ["Åsa Öberg", "José Núñez", "Łukasz Żak", "O'Neill, Pat", "山田 太郎", "Zoë \"Zed\" Adams", "Ivan Petrov"]
PRODUCTS = ["bolt, M8", "nut", "3\" pipe", "washer\nset of 10", "glue (5 ml)", "naïve paint", "NULL modem", "rope"]
NOTES = [None, None, None, "", "call first", "fragile: \"glass\"", "line one\nline two", "a, b; c\td", " padded ", "☃"]


def numbers(seed):
    """Knuth's 64-bit linear congruential generator: the same numbers in every version of Python."""
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        yield state >> 33


def rows():
    """Each row as Python values; None is a null."""
    draw = numbers(20240229)
    for index in range(ROWS):
        when = datetime.datetime(2024, 1, 1) + datetime.timedelta(seconds=next(draw) % (366 * 86_400))
        quantity = next(draw) % 200
        discount = next(draw) % 120
        weight = round((next(draw) % 5_000_000) / 10 ** (next(draw) % 5 + 2), 6)
        yield [
            100_000 + index * 7,
            f"{next(draw) % 60:04}",
            when.date(),
            when,
            CUSTOMERS[next(draw) % len(CUSTOMERS)],
            PRODUCTS[next(draw) % len(PRODUCTS)],
            None if quantity >= 180 else quantity - 20,
            decimal.Decimal(next(draw) % 1_000_000).scaleb(-2),
            None if discount >= 100 else decimal.Decimal(discount).scaleb(-2),
            weight,
            next(draw) % 4 != 0,
            NOTES[next(draw) % len(NOTES)],
        ]


def field(column, value):
    """The text of one field. An empty string is quoted; a null is an unquoted token or nothing."""
    if value is None:
        return "NA" if column == "discount" else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return repr(value)
    text = str(value)
    if text == "" or any(c in text for c in ",\"\n\t"):
        return '"' + text.replace('"', '""') + '"'
    return text


def csv_bytes():
    """The whole file."""
    lines = [",".join(COLUMNS)]
    lines += [",".join(field(c, v) for c, v in zip(COLUMNS, row)) for row in rows()]
    return ("\n".join(lines) + "\n").encode()


if __name__ == "__main__":
    pathlib.Path(__file__).with_name("sales.csv").write_bytes(csv_bytes())
