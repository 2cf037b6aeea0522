import statistics
import time


def measure(run, warmup, repeats):
    """The median duration of a call in milliseconds, after warming up."""
    for _ in range(warmup):
        run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)
