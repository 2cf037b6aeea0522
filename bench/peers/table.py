"""Reads a table with pandas again and again, with either of its engines. Prints microseconds a row of the faster one: of the
first read, and the median of those behind the first five.

    python table.py csv|parquet PATH
    python table.py make PATH.csv PATH.parquet    (writes the same table as Parquet)
"""

import json
import statistics
import sys
import time

import pandas as pd

kind, path = sys.argv[1:3]


WARMUP, TIMED = 5, 5


def timed(read):
    times = []
    for _ in range(WARMUP + TIMED):
        start = time.perf_counter()
        rows = len(read())
        times.append((time.perf_counter() - start) * 1e6 / rows)
    return statistics.median(times[WARMUP:]), times[0]


def tell(what, *ways):
    warm, first = map(min, zip(*map(timed, ways)))
    print(json.dumps({f"a row of {what}, µs": warm, f"a row of {what}, first read of a process, µs": first}))


if kind == "make":
    pd.read_csv(path).to_parquet(sys.argv[3], compression="snappy", index=False, row_group_size=50_000)
    print("{}")
elif kind == "csv":
    c = lambda: pd.read_csv(path, engine="c", dtype={"kind": "category"})
    tell("CSV", c, lambda: pd.read_csv(path, engine="pyarrow"))
else:
    tell("Parquet", lambda: pd.read_parquet(path, engine="pyarrow"))
