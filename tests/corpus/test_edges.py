"""Edge-probing files: every target becomes a span, and whatever is none is named with its line."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings

from probes.corpus.edges import read_edges
from probes.errors import CorpusError
from probes.types import Corpus, Sentence, Span
from tests.corpus.damage import damaged

TARGETS = [{"span1": [0, 1], "span2": [2, 4], "label": "Cause(e1,e2)"}, {"span1": [3, 4], "label": ["NN"]}]
LINES = [
    {"text": "Fire led to smoke", "info": {"id": 1}, "targets": TARGETS},
    {"text": "Ça \u2028 !", "targets": [], "other": None},
]
SAMPLE = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in LINES)


def read(path: Path, text: str | bytes) -> Corpus:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_edges(str(path))


def row(text="a b c", **target) -> str:
    return json.dumps({"text": text, "targets": [{"span1": [0, 1], "label": "X"} | target]})


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "train.jsonl"


def test_targets_are_spans_over_the_words_of_the_text(path):
    first = Sentence(
        id="train-1",
        words=("Fire", "led", "to", "smoke"),
        group="train-1",
        spans=(Span("Cause(e1,e2)", (0, 1), (2, 4)), Span("NN", (3, 4))),
    )
    second = Sentence(id="train-2", words=("Ça", "\u2028", "!"), group="train-2")
    assert read(path, SAMPLE) == Corpus("train.jsonl", {"train": (first, second)})


def test_files_say_their_splits(tmp_path):
    for name in ("x-dev.jsonl", "x-test.jsonl", "a-train.jsonl", "b-train.jsonl"):
        (tmp_path / name).write_text(SAMPLE)
    splits = read_edges(str(tmp_path)).splits
    ids = {split: [one.id for one in sentences] for split, sentences in splits.items()}
    assert ids == {
        "train": ["a-train-1", "a-train-2", "b-train-1", "b-train-2"],
        "dev": ["x-dev-1", "x-dev-2"],
        "test": ["x-test-1", "x-test-2"],
    }


def test_a_byte_order_mark_and_other_line_ends_change_nothing(path):
    assert read(path, SAMPLE.replace("\n", "\r\n").encode("utf-8-sig")) == read(path, SAMPLE)


TWO = "Give the first word, counted from 0, and the one behind the last."
COUNT = "Count words from 0; the second number is the one behind the last word."
SINGLE = "Expected words with single spaces between them at 'text'"
ANEW = "Remove the space, and count the spans anew."
KEY = "Add the key, or rename one."
FILL = "Fill the value, or remove the line."
WRONG = {
    "no JSON": ("{}}", "Expected a JSON object, but came '{}}' (Extra data, column 3). "
                "Write one object a line, and nothing else."),
    "no text": ('{"targets": []}', f"Expected key 'text', but came the keys 'targets'. {KEY}"),
    "text is a list": ('{"text": ["a"]}', "Expected a string at 'text', but came [\"a\"]. Correct the value."),
    "empty text": (row(""), f"Expected text at 'text', but came \"\". {FILL}"),
    "blank text": (row("\u00a0"), f"Expected text at 'text', but came \"\u00a0\". {FILL}"),
    "double space": (row("a b  c"), f"{SINGLE}, but came one more space behind 'a b'. {ANEW}"),
    "space at the end": (row("a b "), f"{SINGLE}, but came one more space behind 'a b'. {ANEW}"),
    "space at the start": (row(" a"), f"{SINGLE}, but came one more space behind ''. {ANEW}"),
    "no targets": ('{"text": "a"}', f"Expected key 'targets', but came the keys 'text'. {KEY}"),
    "targets are an object": ('{"text": "a", "targets": {}}',
                              "Expected a list at 'targets', but came {}. Correct the value."),
    "target is a number": ('{"text": "a", "targets": [1]}',
                           "Expected objects in 'targets', but came 1. Correct the target."),
    "no span1": ('{"text": "a", "targets": [{"label": "X", "span2": [0, 1]}]}',
                 f"Expected key 'span1', but came the keys 'span2', 'label'. {KEY}"),
    "no label": ('{"text": "a", "targets": [{"span1": [0, 1]}]}',
                 f"Expected key 'label', but came the keys 'span1'. {KEY}"),
    "label is a number": (row(label=1), "Expected a string at 'label', but came 1. Correct the value."),
    "label is blank": (row(label=""), f"Expected text at 'label', but came \"\". {FILL}"),
    "no label in a list": (row(label=[]), "Expected one label at 'label', but came []. Write a target for each label."),
    "two labels": (row(label=["X", "Y"]),
                   "Expected one label at 'label', but came [\"X\", \"Y\"]. Write a target for each label."),
    "label in two lists": (row(label=[["X"]]), "Expected a string at 'label', but came [\"X\"]. Correct the value."),
    "span2 is null": (row(span2=None), "Expected a list at 'span2', but came null. Correct the value."),
    "three numbers": (row(span1=[0, 1, 2]), f"Expected two whole numbers at 'span1', but came [0, 1, 2]. {TWO}"),
    "fraction": (row(span1=[0, 1.0]), f"Expected two whole numbers at 'span1', but came [0, 1.0]. {TWO}"),
    "truth": (row(span2=[False, True]), f"Expected two whole numbers at 'span2', but came [false, true]. {TWO}"),
    "empty span": (row(span1=[1, 1]), f"Expected some of 3 words at 'span1', but came [1, 1]. {COUNT}"),
    "backward span": (row(span1=[2, 1]), f"Expected some of 3 words at 'span1', but came [2, 1]. {COUNT}"),
    "beyond the text": (row(span2=[2, 4]), f"Expected some of 3 words at 'span2', but came [2, 4]. {COUNT}"),
    "before the text": (row(span1=[-1, 1]), f"Expected some of 3 words at 'span1', but came [-1, 1]. {COUNT}"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_edge_is_named_with_its_line(line, message, path):
    with pytest.raises(CorpusError) as caught:
        read(path, f"{row()}\n{line}\n")
    assert str(caught.value) == f"{path}:2: {message}"


PIECES = (b"\n", b" ", b"[]", b"null", b"9", b'"', b"{}", b"\\ud800", b"\0")


@given(data=damaged(SAMPLE.encode(), PIECES, max_bytes=80))
@settings(max_examples=200, deadline=None)
def test_bytes_are_an_error_or_a_corpus_without_loss(data, tmp_path_factory):
    try:
        sentences = read(tmp_path_factory.mktemp("files") / "train.jsonl", data)["train"]
    except CorpusError:
        return
    rows = [json.loads(line) for line in data.decode("utf-8-sig").removesuffix("\n").split("\n")]
    assert [" ".join(one.words) for one in sentences] == [line["text"] for line in rows]
    assert [len(one.spans) for one in sentences] == [len(line["targets"]) for line in rows]
    assert all("".join((*one.words, *(span.label for span in one.spans))).encode() for one in sentences)


@pytest.mark.corpus
def test_semeval_has_its_published_counts(corpus_data):
    corpus = read_edges(str(corpus_data / "semeval2010-task8" / "*.jsonl"))
    assert {split: len(sentences) for split, sentences in corpus.splits.items()} == {"train": 8000, "test": 2717}
    spans = [span for sentences in corpus.splits.values() for one in sentences for span in one.spans]
    assert (len(spans), len({span.label for span in spans})) == (10717, 19)
    assert all(span.second for span in spans)
