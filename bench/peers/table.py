"""Reads a table with pandas, once to warm up and then timed, with either of its engines. Prints microseconds a row of the
faster one.

    python table.py csv|parquet PATH
    python table.py make PATH.csv PATH.parquet    (writes the same table as Parquet)
"""

import json
import sys
import time

import pandas as pd

kind, path = sys.argv[1:3]


def timed(read):
    read()
    start = time.perf_counter()
    rows = len(read())
    return (time.perf_counter() - start) * 1e6 / rows


if kind == "make":
    pd.read_csv(path).to_parquet(sys.argv[3], compression="snappy", index=False, row_group_size=50_000)
    print("{}")
elif kind == "csv":
    ways = [lambda: pd.read_csv(path, engine="c", dtype={"kind": "category"}), lambda: pd.read_csv(path, engine="pyarrow")]
    print(json.dumps({"a row of CSV, µs": min(map(timed, ways))}))
else:
    print(json.dumps({"a row of Parquet, µs": timed(lambda: pd.read_parquet(path, engine="pyarrow"))}))
