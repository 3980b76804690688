"""The changed half of a corpus: which sentences are changed is left to chance, how many is not."""

from collections.abc import Callable, Sequence

import numpy as np

from probes.errors import CorpusError, list_names
from probes.seed import generator
from probes.types import Corpus, Sentence

ORIGINAL = "original"
FEWEST_WORDS, MOST_WORDS = 5, 50

Change = Callable[[str, Sentence, np.random.Generator], tuple[str, ...] | None]
"""The words of a sentence of this split once they are changed; None where they cannot be."""


def change_half(corpus: Corpus, change: Change, *, name: str, label: str, needs: str, seed: int) -> Corpus:
    """The usable sentences of each split, half of them changed and labelled so.

    Where their number is odd, the originals have one more. Every usable sentence is changed first and the
    half drawn afterwards, so both halves are of the same kind. Each split has its own random stream. Raises
    CorpusError where a split has no usable sentence; `needs` says what one would have.
    """
    splits = {}
    for split, sentences in corpus.splits.items():
        stream = generator(seed, f"corpus.{name}.{split}")
        versions = [(sentence, change(split, sentence, stream)) for sentence in sentences]
        usable = [(sentence, words) for sentence, words in versions if words is not None]
        if not usable:
            raise CorpusError(
                f"The derived corpus {name!r} needs sentences with {needs}, but split {split!r} of corpus "
                f"{corpus.name!r} has none among {len(versions)}. Leave the split out, or derive from another corpus."
            )
        chosen = set(stream.permutation(len(usable))[: len(usable) // 2].tolist())
        splits[split] = tuple(
            _labelled(sentence, words, label) if number in chosen else _labelled(sentence, sentence.words, ORIGINAL)
            for number, (sentence, words) in enumerate(usable)
        )
    return Corpus(f"{corpus.name}+{name}", splits)


def check_annotation(name: str, corpus: Corpus, *, columns: Sequence[str], has_tree: bool = False) -> None:
    """Raise CorpusError unless every sentence has these columns and, if asked for, a tree."""
    for sentence in (one for sentences in corpus.splits.values() for one in sentences):
        for column in columns:
            if column not in sentence.columns:
                raise CorpusError(
                    f"The derived corpus {name!r} needs the column {column!r}, but sentence {sentence.id!r} of "
                    f"corpus {corpus.name!r} has {list_names(column, sentence.columns)}. Use a corpus that is "
                    f"annotated so."
                )
        if has_tree and sentence.tree is None:
            raise CorpusError(
                f"The derived corpus {name!r} needs dependency trees, but sentence {sentence.id!r} of corpus "
                f"{corpus.name!r} has none. Use a treebank."
            )


def has_usual_length(sentence: Sentence) -> bool:
    """Whether there are 5 to 50 words: fewer give no context to judge by, more are cut by many encoders."""
    return FEWEST_WORDS <= len(sentence.words) <= MOST_WORDS


def _labelled(sentence: Sentence, words: tuple[str, ...], label: str) -> Sentence:
    genre = {name: value for name, value in sentence.attributes.items() if name == "genre"}
    return Sentence(id=sentence.id, words=words, group=sentence.group, attributes={"label": label, **genre})
