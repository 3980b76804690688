"""Edge-probing files (Tenney et al. 2019): JSON lines with labelled spans, and labelled pairs of spans."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from probes.corpus.jsonl import field, read_jsonl, show, text_field
from probes.corpus.locate import read_splits
from probes.corpus.text import claim_id, line_error
from probes.types import Corpus, Range, Sentence, Span


def read_edges(path: str) -> Corpus:
    """One sentence a line, with a span for each of its targets; the names of the files say their splits.

    A line is `{"text": "Dogs bark", "targets": [{"span1": [0, 1], "span2": [1, 2], "label": "nsubj"}]}`: words with
    single spaces between them, spans from the first word to the one behind the last, `span2` only where a target has
    two. A label may be a list of one. A sentence without targets stays, with no spans. Other keys are not read.
    Raises CorpusError with file and line for whatever is something else.
    """
    places: dict[str, str] = {}
    return read_splits(path, lambda file: _read_file(file, places))


def _read_file(path: Path, places: dict[str, str]) -> Iterator[Sentence]:
    for number, row in read_jsonl(path):
        sentence_id = f"{path.stem}-{number}"
        claim_id(places, sentence_id, path, number, "Give each file a name of its own.")
        words = _words(path, number, row)
        targets = field(path, number, row, "targets", list)
        spans = tuple(_span(path, number, target, len(words)) for target in targets)
        yield Sentence(id=sentence_id, words=words, group=sentence_id, spans=spans)


def _words(path: Path, number: int, row: dict[str, Any]) -> tuple[str, ...]:
    text = text_field(path, number, row, "text")
    words = tuple(text.split(" "))
    if "" in words:
        before = " ".join(words[: words.index("")])
        expected, came = "words with single spaces between them at 'text'", f"one more space behind {before[-40:]!r}"
        # To take it out here would move the words that the spans count.
        raise line_error(path, number, expected, came, "Remove the space, and count the spans anew.")
    return words


def _span(path: Path, number: int, target: Any, num_words: int) -> Span:
    if not isinstance(target, dict):
        raise line_error(path, number, "objects in 'targets'", show(target), "Correct the target.")
    return Span(
        label=_label(path, number, target),
        first=_range(path, number, target, "span1", num_words),
        second=_range(path, number, target, "span2", num_words) if "span2" in target else None,
    )


def _label(path: Path, number: int, target: dict[str, Any]) -> str:
    label = target.get("label")
    if not isinstance(label, list):
        return text_field(path, number, target, "label")
    if len(label) != 1:
        advice = "Write a target for each label."
        raise line_error(path, number, "one label at 'label'", show(label), advice)
    return text_field(path, number, {"label": label[0]}, "label")


def _range(path: Path, number: int, target: dict[str, Any], name: str, num_words: int) -> Range:
    span = field(path, number, target, name, list)
    # Not isinstance(), by which true is a whole number.
    if len(span) != 2 or any(type(position) is not int for position in span):
        advice = "Give the first word, counted from 0, and the one behind the last."
        raise line_error(path, number, f"two whole numbers at {name!r}", show(span), advice)
    start, stop = span
    if not 0 <= start < stop <= num_words:
        expected = f"some of {num_words} words at {name!r}"
        advice = "Count words from 0; the second number is the one behind the last word."
        raise line_error(path, number, expected, show(span), advice)
    return start, stop
