"""Small corpora in every form that an experiment reads, written to files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from probes.config import CorpusConfig
from probes.corpus.grammar import generate
from probes.types import Corpus
from tests.toy import make_tiny_corpus, write_treebank

WORDS = ["the", "big", "dog", "sees", "a", "small", "cat", "and", "the", "old", "owl", "often", "runs", "home"]
GENRES = ("weblog", "email")


def write_small_corpus(config: CorpusConfig, folder: Path) -> list[str]:
    """A corpus that the reader of `config` reads; returns the overrides that lead to it."""
    folder.mkdir(parents=True, exist_ok=True)
    if config.reader == "grammar":
        return [f"corpus.options.size={200 if not config.options else 1500}"]
    if config.beside:
        beside = "{grammar: {reader: grammar, options: {size: 200}}}"
        return [f"corpus.path={write_annotated_treebank(folder)}", f"corpus.beside={beside}"]
    if config.reader == "conllu" and not config.options:
        return [f"corpus.path={write_treebank(make_tiny_corpus(), folder)}/*.conllu"]
    return [f"corpus.path={WRITERS[config.reader](folder)}"]


def write_annotated_treebank(folder: Path, corpus: Corpus | None = None) -> str:
    """The built-in corpus as CoNLL-U with all its annotation; ten sentences a document, two genres."""
    for split, sentences in (corpus or generate(size=1500)).splits.items():
        lines = []
        for number, one in enumerate(sentences):
            if number % 10 == 0:
                lines.append(f"# newdoc id = {GENRES[number // 10 % 2]}-{split}-{number}")
            lines.append(f"# sent_id = {one.id}")
            assert one.tree is not None
            feats = [_vary(value) if number % 3 == 0 else value for value in one.columns["feats"]]
            columns = (one.columns["lemma"], one.columns["upos"], one.columns["upos"], feats)
            rows = zip(one.words, *columns, one.tree.heads, one.tree.relations, strict=True)
            for place, (word, lemma, upos, xpos, feats, head, relation) in enumerate(rows, start=1):
                cells = (str(place), word, lemma, upos, xpos, feats, str(head), relation, "_", "_")
                lines.append("\t".join(cells))
            lines.append("")
        (folder / f"small-ud-{split}.conllu").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"{folder}/*.conllu"


def _vary(feats: str) -> str:
    """Values that the grammar never makes: every feature then has two at least."""
    for old, new in (("Mood=Ind", "Mood=Imp"), ("Degree=Pos", "Degree=Cmp"), ("Case=Nom", "Case=Acc")):
        feats = feats.replace(old, new)
    return feats


def _draw(seed: int, size: int) -> list[list[str]]:
    stream = np.random.default_rng(seed)
    return [stream.choice(WORDS, size=int(stream.integers(4, 9))).tolist() for _ in range(size)]


def _write_edges(folder: Path) -> str:
    for seed, (split, size) in enumerate((("train", 60), ("test", 30))):
        rows = []
        for number, words in enumerate(_draw(seed, size)):
            label = ("Cause(e1,e2)", "Cause(e2,e1)", "Other")[number % 3]
            target = {"span1": [0, 1], "span2": [2, 4], "label": label}
            rows.append(json.dumps({"text": " ".join(words), "info": {"id": number}, "targets": [target]}))
        (folder / f"{split}.jsonl").write_text("\n".join(rows) + "\n")
    return f"{folder}/*.jsonl"


def _write_pairs(folder: Path) -> str:
    for paradigm in range(4):
        rows = [
            json.dumps(
                {
                    "sentence_good": " ".join(words),
                    "sentence_bad": " ".join(reversed(words)),
                    "linguistics_term": "order",
                    "UID": f"paradigm_{paradigm}",
                    "pairID": str(number),
                }
            )
            for number, words in enumerate(_draw(paradigm, 12))
        ]
        (folder / f"paradigm_{paradigm}.jsonl").write_text("\n".join(rows) + "\n")
    return str(folder)


def _write_columns(folder: Path) -> str:
    tags = ("B-NP", "I-NP", "B-VP", "O")
    for seed, (split, size) in enumerate((("train", 40), ("test", 20))):
        sentences = [
            "\n".join(f"{word} T{place % 3} {tags[place % 4]}" for place, word in enumerate(words))
            for words in _draw(seed, size)
        ]
        (folder / f"{split}.txt").write_text("\n\n".join(sentences) + "\n")
    return f"{folder}/*.txt"


def _write_table(folder: Path) -> str:
    for seed, (split, size) in enumerate((("train", 60), ("dev", 20))):
        rows = [f"{number % 2}\t{' '.join(words)}" for number, words in enumerate(_draw(seed, size))]
        (folder / f"{split}.tsv").write_text("\n".join(["label\ttext_a", *rows]) + "\n")
    return f"{folder}/*.tsv"


def _write_questions(folder: Path) -> str:
    for seed, (split, size) in enumerate((("train", 80), ("test", 20))):
        labels = ("DESC:manner", "HUM:ind")
        rows = [f"{labels[number % 2]} {' '.join(words)} ?" for number, words in enumerate(_draw(seed, size))]
        (folder / f"{split}.txt").write_text("\n".join(rows) + "\n", encoding="latin-1")
    return f"{folder}/*.txt"


WRITERS: dict[str, Callable[[Path], str]] = {
    "conllu": write_annotated_treebank,
    "edges": _write_edges,
    "pairs": _write_pairs,
    "columns": _write_columns,
    "table": _write_table,
    "questions": _write_questions,
}
