"""The corpus `planted`: drawn words whose labels are functions of what is known about them."""

from collections.abc import Iterator

import numpy as np

from probes.errors import CorpusError
from probes.planted import LONGEST, MEAN_LENGTH, NUM_WORDS, SHORTEST, word_bits, word_names, word_shares
from probes.seed import generator
from probes.types import Corpus, Sentence, Tree

_SMALLEST = 30
SENTENCES_IN_GROUP = 5


def generate_planted(size: int = 3000, seed: int = 0) -> Corpus:
    """Train, dev and test of about 80, 10 and 10 % of `size` sentences of 4 to 12 words, five a document.

    Columns: `context` is the source bit of the word before, `parity` whether that equals the word's own bit (the first
    word has neither), `word` the kind of the word, `position` whether it is one of the first four, `length` whether the
    sentence has more than eight words, `absent` a coin.
    The first word always has role 1 and is the root; each other word of this role hangs on it, every word without on
    the nearest one before that has it. Raises CorpusError for fewer than 30 sentences.
    """
    if size < _SMALLEST:
        raise CorpusError(
            f"The corpus 'planted' needs at least {_SMALLEST} sentences to fill train, dev and test, but got "
            f"size={size} in generate_planted(). Ask for size={_SMALLEST} or more."
        )
    sentences = tuple(_draw(size, seed))
    held = size // 10
    splits = {
        "train": sentences[: size - 2 * held],
        "dev": sentences[size - 2 * held : size - held],
        "test": sentences[size - held :],
    }
    return Corpus("planted", splits)


def _draw(size: int, seed: int) -> Iterator[Sentence]:
    stream, names, shares = generator(seed, "corpus.planted", size), word_names(), word_shares()
    source, own, kind, role = word_bits()
    of_role = role * shares / (role @ shares)
    for number in range(size):
        others = stream.choice(NUM_WORDS, size=int(stream.integers(SHORTEST, LONGEST + 1)) - 1, p=shares)
        words = np.array([stream.choice(NUM_WORDS, p=of_role), *others])
        context = source[words[:-1]]
        columns = {
            "context": ("_", *map(str, context)),
            "parity": ("_", *map(str, (context == own[words[1:]]).astype(int))),
            "word": tuple(map(str, kind[words])),
            "position": tuple(str(int(place < SHORTEST)) for place in range(len(words))),
            "length": (str(int(len(words) > MEAN_LENGTH)),) * len(words),
            "absent": tuple(map(str, stream.integers(2, size=len(words)))),
        }
        # Structural probes ask which words are punctuation: none.
        columns["upos"] = ("X",) * len(words)
        heads = attach(role[words])
        yield Sentence(
            f"planted-{number:06d}",
            tuple(names[word] for word in words),
            group=f"planted-{number // SENTENCES_IN_GROUP}",
            columns=columns,
            tree=Tree(heads, tuple("root" if head == 0 else "dep" for head in heads)),
        )


def attach(role: np.ndarray) -> tuple[int, ...]:
    """The head of every word, counted from 1, 0 for the first word, which is the root.

    >>> attach(np.array([1, 0, 1, 0, 1]))
    (0, 1, 1, 3, 1)
    """
    heads, last = [0], 1
    for place, has_role in enumerate(role[1:].tolist(), start=2):
        heads.append(1 if has_role else last)
        last = place if has_role else last
    return tuple(heads)
