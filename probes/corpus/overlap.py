"""Texts that stand in two splits: what a probe may remember instead of read."""

import json
from collections.abc import Iterator
from hashlib import blake2b

from probes.corpus.locate import SPLIT_NAMES
from probes.types import Corpus, Sentence

ORDER = tuple(dict.fromkeys(SPLIT_NAMES.values()))  # train, dev, test


def count_overlaps(corpus: Corpus) -> dict[str, int]:
    """How many sentences of each split stand in an earlier one too, in the order train, dev, test.

    Two sentences are the same if their words, or their text, and that of their pair, differ in case and white space
    only. A sentence counts as often as it occurs in the later split.

    >>> splits = {"train": (Sentence("a", text="A dog"),), "dev": (Sentence("b", text="a  dog "),)}
    >>> count_overlaps(Corpus("dogs", splits))
    {'dev in train': 1}
    """
    keys = {split: [_key(sentence) for sentence in corpus.splits[split]] for split in _ordered(corpus)}
    seen = {split: set(part) for split, part in keys.items()}
    return {
        f"{later} in {earlier}": sum(key in seen[earlier] for key in keys[later])
        for position, later in enumerate(keys)
        for earlier in list(keys)[:position]
    }


def _ordered(corpus: Corpus) -> Iterator[str]:
    """Train, dev and test where they exist, then the others as the corpus has them."""
    yield from (split for split in ORDER if split in corpus.splits)
    yield from (split for split in corpus.splits if split not in ORDER)


def _key(sentence: Sentence) -> bytes:
    # 16 bytes a sentence stay in memory, not its text.
    text = " ".join(sentence.words) if sentence.words else sentence.text
    return blake2b(json.dumps([_normalise(text), _normalise(sentence.pair)]).encode(), digest_size=16).digest()


def _normalise(text: str) -> str:
    return " ".join(text.lower().split())
