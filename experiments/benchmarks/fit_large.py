"""A corpus larger than memory: 12 blocks x 768 dims x 1 M rows of synthetic states, under a memory limit of 4 GB.

States are noise plus a direction for each of 17 labels, float16, 20 GB on disk. Ours fits a linear probe to all 13
layers, once on the first tenth of the rows and once on all, so that rows per second can be compared; scikit-learn gets
one layer in a process of its own under the same limit. The limit is a memory control group (needs root), which counts
the pages of the map as well; where there is none, anonymous memory is limited and the report says so.

    python experiments/benchmarks/fit_large.py [--rows N] [--folder DIR] [--limit GB]
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _machine import table, write_report

from probes.config import FitConfig
from probes.fit.fit import fit_layers
from probes.fit.question import Question
from probes.types import Rows, Task

NUM_LAYERS, DIM, NUM_LABELS, BLOCK = 13, 768, 17, 65_536
GROUP = Path("/sys/fs/cgroup/memory/probes-benchmark")


def write_states(folder: Path, num_rows: int) -> np.ndarray:
    """One file a layer; returns the labels. Later layers hold more of the label."""
    stream = np.random.default_rng(0)
    labels = stream.integers(0, NUM_LABELS, num_rows)
    noise = stream.normal(size=(BLOCK, DIM)).astype(np.float32)
    directions = stream.normal(size=(NUM_LABELS, DIM)).astype(np.float32)
    for layer in range(NUM_LAYERS):
        with (folder / f"layer-{layer}").open("wb") as file:
            for start in range(0, num_rows, BLOCK):
                chosen = labels[start : start + BLOCK]
                # Another rotation of the noise for each block and layer: rows differ, and drawing them takes no time.
                block = np.roll(noise, (layer * 31 + start // BLOCK * 7) % DIM, axis=1)[: len(chosen)]
                file.write((block + directions[chosen] * (0.03 + 0.01 * layer)).astype(np.float16).tobytes())
    return labels


def limit_memory(gigabytes: float) -> str:
    """Put this process under a limit; says which."""
    limit = int(gigabytes * 2**30)
    try:
        GROUP.mkdir(exist_ok=True)
        (GROUP / "memory.limit_in_bytes").write_text(str(limit))
        (GROUP / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        return f"anonymous memory at most {gigabytes:g} GB"
    return f"control group with {gigabytes:g} GB, mapped pages included"


def fit_ours(folder: Path, labels: np.ndarray, num_rows: int) -> dict[str, Any]:
    """Seconds, rows per second and accuracy on rows that were not fitted."""
    layers = [
        np.memmap(folder / f"layer-{layer}", np.float16, "r", shape=(len(labels), DIM)) for layer in range(NUM_LAYERS)
    ]
    dev = np.arange(num_rows - num_rows // 50, num_rows)
    splits = {split: make_rows(labels, rows) for split, rows in (("train", np.arange(dev[0])), ("dev", dev))}
    task = Task("label", "sentence", tuple(str(label) for label in range(NUM_LABELS)), splits)
    config = FitConfig(l2=(1e-5,))
    start = time.perf_counter()
    (fitted,) = fit_layers({"train": layers, "dev": layers}, [Question(task, (), config)], seed=0)
    seconds = time.perf_counter() - start
    return {
        "rows": num_rows,
        "seconds": round(seconds, 1),
        "thousand_row_epochs_a_second": round(config.epochs * num_rows / seconds / 1000, 1),
        "peak_anonymous_mb": round(anonymous_peak()),
        "dev_accuracy": [round(100 * value, 1) for value in fitted.dev_accuracy[:, 0].tolist()],
    }


def make_rows(labels: np.ndarray, rows: np.ndarray) -> Rows:
    return Rows(rows[:, None], labels[rows], rows, np.full(len(rows), -1))


def anonymous_peak() -> float:
    """MB of anonymous memory now; batches and weights are held to the end, so it is near the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), float("nan"))


SKLEARN = """
import sys, time
import numpy as np
sys.path.insert(0, {here!r})
from fit_large import DIM, limit_memory
from _peers import fit_sklearn, standardise
labels = np.load({labels!r})
limit_memory({limit})
start = time.perf_counter()
fit_sklearn(standardise(np.memmap({layer!r}, np.float16, "r", shape=(len(labels), DIM))), labels, 1e-5)
print(time.perf_counter() - start)
"""


def fit_sklearn_alone(folder: Path, labels: np.ndarray, limit: float) -> str:
    """One layer under the same limit, for at most five minutes: its seconds, or how it ended."""
    np.save(folder / "labels.npy", labels)
    names = {"here": str(Path(__file__).parent), "labels": str(folder / "labels.npy"), "limit": limit}
    code = SKLEARN.format(layer=str(folder / "layer-6"), **names)
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return "not done after 300 s"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return f"ended with {done.returncode} {last}".strip()
    return f"{float(done.stdout):.1f} s for one layer"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", default=None, help="where 20 GB find room; a temporary folder by default")
    parser.add_argument("--limit", type=float, default=4.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        labels = write_states(folder, options.rows)
        peer = fit_sklearn_alone(folder, labels, options.limit)
        kind = limit_memory(options.limit)
        rows = [fit_ours(folder, labels, size) for size in (options.rows // 10, options.rows)]
    result = {"limit": kind, "layers": NUM_LAYERS, "dim": DIM, "scikit-learn, one layer": peer, "ours": rows}
    cells = [[row[name] for name in list(row)[:4]] for row in rows]
    lines = [f"Limit: {kind}. scikit-learn, one layer: {peer}.", ""]
    write_report("fit_large", result, lines + table(list(rows[0])[:4], cells))


if __name__ == "__main__":
    main()
