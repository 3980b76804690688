"""Reading a cache of 13 layers of 768 dims: a random batch, a whole layer beside `numpy.fromfile`, every checksum.

python experiments/benchmarks/read.py [--rows N]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _machine import table, write_report

from probes.cache import Cache, adopt, verify_cache
from probes.cache.layout import states_path

LAYER, BATCH_ROWS = 7, 256


def median_ms(run: Callable[[], object], times: int) -> float:
    """Median wall time in milliseconds, after one call that is not counted."""
    run()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))


def interleaved_ms(one: Callable[[], object], other: Callable[[], object], times: int) -> tuple[float, float]:
    """The same for two that are called in turn."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for run, into in zip((one, other), seconds, strict=True):
            start = time.perf_counter()
            run()
            into.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds[0][1:])), 1000 * float(np.median(seconds[1][1:]))


def make(folder: Path, num_rows: int) -> Cache:
    states = np.random.default_rng(0).standard_normal((13, num_rows, 768), dtype=np.float32).astype(np.float16)
    ids = {"train": [f"row-{number}" for number in range(num_rows)]}
    return adopt({"train": states}, ids, name="read", folder=folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    num_rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(dir=".") as folder:
        cache = make(Path(folder), num_rows)
        path, layout = states_path(cache.folder, "train"), cache.layout("train")
        stream = np.random.default_rng(1)

        def batch() -> np.ndarray:
            view = cache.layer(LAYER, "train")
            return view[np.sort(stream.integers(0, num_rows, size=BATCH_ROWS))]

        def whole() -> np.ndarray:
            return np.array(cache.layer(LAYER, "train"))

        def from_file() -> np.ndarray:
            count = num_rows * layout.dim
            return np.fromfile(path, dtype=np.float16, count=count, offset=layout.offset(LAYER, 0))

        ours, numpy = interleaved_ms(whole, from_file, times=15)
        rows = [
            (f"random batch of {BATCH_ROWS} rows of one layer, opening it included", f"{median_ms(batch, 500):.2f} ms"),
            (f"a layer of {num_rows:,} rows ({layout.layer_bytes / 1e6:.0f} MB) into memory", f"{ours:.1f} ms"),
            ("the same bytes by numpy.fromfile", f"{numpy:.1f} ms"),
            ("ratio", f"{ours / numpy:.2f}"),
            (
                f"verify all {cache.num_bytes / 1e9:.2f} GB",
                f"{median_ms(lambda: verify_cache(cache.folder), 3):.0f} ms",
            ),
        ]
        write_report("read", {"rows": dict(rows)}, table(("warm, median", ""), rows))


if __name__ == "__main__":
    main()
