"""A corpus from Python lists."""

from collections.abc import Sequence
from typing import Any

from probes.errors import CorpusError
from probes.types import Corpus, Pair, Sentence


def from_lists(
    sentences: Sequence[str | Pair | Sequence[str]],
    labels: Sequence[Any],
    splits: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    name: str = "lists",
) -> Corpus:
    """A corpus from sentences with their labels and the split of each.

    A sentence given as words takes one label a word (task `word_label`) or one label (task `label`); one given as
    a string, or as a `Pair` of texts that are read together, takes one label. Labels are strings. Raises
    CorpusError for lists of different lengths.

    >>> corpus = from_lists([["a", "dog"], ["runs"]], [["DET", "NOUN"], ["VERB"]], ["train", "test"])
    >>> corpus["train"][0].columns["label"]
    ('DET', 'NOUN')
    """
    given = {"labels": labels, "splits": splits, "groups": groups if groups is not None else splits}
    for what, values in given.items():
        if len(values) != len(sentences):
            raise CorpusError(
                f"from_lists expects one of {what} for each of {len(sentences)} sentences, but came {len(values)}. "
                f"Make the lists equally long."
            )
    made: dict[str, list[Sentence]] = {}
    for number, (text, label, split) in enumerate(zip(sentences, labels, splits, strict=True)):
        group = groups[number] if groups is not None else ""
        made.setdefault(split, []).append(_sentence(f"{name}-{number}", text, label, group))
    return Corpus(name=name, splits={split: tuple(part) for split, part in made.items()})


def _sentence(sentence_id: str, text: str | Pair | Sequence[str], label: Any, group: str) -> Sentence:
    text, pair = text if isinstance(text, Pair) else (text, "")
    words = () if isinstance(text, str) else tuple(text)
    columns, attributes = {}, {}
    if isinstance(label, str):
        attributes["label"] = label
    elif isinstance(label, Sequence) and all(isinstance(one, str) for one in label):
        columns["label"] = tuple(label)
    else:
        raise CorpusError(
            f"The label of sentence {sentence_id!r} should be a string or a list of strings, but is {label!r}. "
            f"Turn labels into strings with str()."
        )
    if columns and not words:
        raise CorpusError(
            f"Sentence {sentence_id!r} has a list of labels, so a list of words was expected, but came the text "
            f"{text!r}. Split it into words, or give one label."
        )
    return Sentence(
        id=sentence_id,
        words=words,
        text=text if isinstance(text, str) else "",
        group=group or sentence_id,
        columns=columns,
        attributes=attributes,
        pair=pair,
    )
