"""Splits that a corpus was published without, or under other names."""

from collections import Counter
from collections.abc import Mapping

from probes.errors import CorpusError, list_names
from probes.seed import generator
from probes.types import Corpus


def cut_dev(corpus: Corpus, *, share: float = 0.1, seed: int = 0) -> Corpus:
    """The corpus with a dev split that is cut from train, whole groups at a time.

    Groups are drawn until at least `share` of the sentences of train is there; which ones depends on the seed and the
    names of the groups, not on their order. Sentences keep theirs. Raises CorpusError if there is a dev split already
    or nothing to cut it from.
    """
    _check(corpus, share)
    sizes = Counter(sentence.cluster for sentence in corpus["train"])
    if len(sizes) < 2:
        raise CorpusError(
            f"Train of corpus {corpus.name!r} should have two groups or more, so that one can be dev, but has "
            f"{len(sizes)}. Name finer groups, or give a dev split."
        )
    chosen = _draw(sizes, share=share, seed=seed)
    if len(chosen) == len(sizes):
        raise CorpusError(
            f"A share of {share} should leave groups of corpus {corpus.name!r} to train, but needs all {len(sizes)} "
            f"of them. Ask for a smaller share, or another seed."
        )
    train = tuple(sentence for sentence in corpus["train"] if sentence.cluster not in chosen)
    dev = tuple(sentence for sentence in corpus["train"] if sentence.cluster in chosen)
    others = {split: sentences for split, sentences in corpus.splits.items() if split != "train"}
    return Corpus(name=corpus.name, splits={"train": train, "dev": dev, **others})


def rename_splits(corpus: Corpus, names: Mapping[str, str]) -> Corpus:
    """The corpus with other names for its splits, old to new; those that are not mentioned keep theirs.

    For data whose published dev is reported as test, as that of SST-2. Raises CorpusError for an unknown name, or one
    that two splits would have.

    >>> corpus = Corpus("sst2", {"train": (), "dev": ()})
    >>> list(rename_splits(corpus, {"dev": "test"}).splits)
    ['train', 'test']
    """
    for old in names:
        if old not in corpus.splits:
            raise CorpusError(
                f"Corpus {corpus.name!r} has no split {old!r} to rename; its splits are "
                f"{list_names(old, corpus.splits)}. Name one of these."
            )
    counts = Counter(names.get(split, split) for split in corpus.splits)
    doubled = [name for name, count in counts.items() if count > 1]
    if doubled:
        holders = [split for split in corpus.splits if names.get(split, split) == doubled[0]]
        raise CorpusError(
            f"Each split of corpus {corpus.name!r} should have a name of its own, but {' and '.join(holders)} would "
            f"both be {doubled[0]!r}. Rename one of them to something else."
        )
    return Corpus(
        name=corpus.name, splits={names.get(split, split): sentences for split, sentences in corpus.splits.items()}
    )


def _check(corpus: Corpus, share: float) -> None:
    if "dev" in corpus.splits:
        raise CorpusError(
            f"Dev should be cut only where it is missing, but corpus {corpus.name!r} has {len(corpus['dev'])} "
            f"sentences of it. Use these, or rename the split."
        )
    if "train" not in corpus.splits:
        raise CorpusError(
            f"Dev is cut from train, but corpus {corpus.name!r} has {list_names('train', corpus.splits)} only. "
            f"Rename a split to 'train', or add one."
        )
    if not 0 < share < 1:
        raise CorpusError(
            f"The share of dev should lie between 0 and 1, but is {share} for corpus {corpus.name!r}. "
            f"Give a fraction of train, such as 0.1."
        )


def _draw(sizes: Mapping[str, int], *, share: float, seed: int) -> set[str]:
    """Groups in a random order, as many as are needed for the share."""
    names = sorted(sizes)
    total, taken = sum(sizes.values()), 0
    chosen: set[str] = set()
    for position in generator(seed, "corpus.cut").permutation(len(names)):
        # A quotient, for 0.07 * 100 is above 7 while 7 / 100 is 0.07.
        if taken / total >= share:
            break
        chosen.add(names[position])
        taken += sizes[names[position]]
    return chosen
