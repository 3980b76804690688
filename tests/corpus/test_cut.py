"""A dev split cut from train by group, and splits under other names."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.corpus.cut import cut_dev, rename_splits
from probes.errors import CorpusError
from probes.types import Corpus, Sentence


def sentences(*sizes: int) -> tuple[Sentence, ...]:
    """One sentence of each group in turn, until each group has its size."""
    turns = [(turn, group) for group, size in enumerate(sizes) for turn in range(size)]
    return tuple(Sentence(id=f"{group}-{turn}", text="a", group=f"g{group}") for turn, group in sorted(turns))


def corpus(*sizes: int, **others: tuple[Sentence, ...]) -> Corpus:
    return Corpus(name="letters", splits={"train": sentences(*sizes), **others})


def groups(part) -> set[str]:
    return {one.group for one in part}


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=8, max_size=20), share=st.floats(0.01, 0.25), seed=st.integers(0, 2**32)
)
def test_dev_has_its_share_in_whole_groups_and_no_group_more(sizes, share, seed):
    before = corpus(*sizes)
    after = cut_dev(before, share=share, seed=seed)
    train, dev = after["train"], after["dev"]
    assert not groups(train) & groups(dev)
    assert sorted([*train, *dev], key=before["train"].index) == list(before["train"])
    assert len(dev) / sum(sizes) >= share > (len(dev) - max(sizes)) / sum(sizes)


def test_sentences_keep_their_order():
    before = corpus(3, 3, 3, 3)
    after = cut_dev(before, share=0.5)
    for part in after.splits.values():
        assert list(part) == sorted(part, key=before["train"].index)


@pytest.mark.parametrize(("share", "num_dev"), [(0.07, 7), (0.1, 10), (0.101, 11), (0.29, 29), (0.9, 90)])
def test_share_of_groups_of_one_sentence_is_exact(share, num_dev):
    assert len(cut_dev(corpus(*[1] * 100), share=share)["dev"]) == num_dev


def test_share_that_is_not_given_is_a_tenth():
    assert len(cut_dev(corpus(*[1] * 100))["dev"]) == 10


def test_same_seed_cuts_the_same_and_another_one_does_not():
    before = corpus(*[1] * 50)
    assert cut_dev(before, seed=3) == cut_dev(before, seed=3) != cut_dev(before, seed=4)


def test_order_of_sentences_does_not_decide_which_groups_are_dev():
    before = corpus(2, 3, 1, 4, 2, 5, 1, 1)
    turned = Corpus(name="letters", splits={"train": before["train"][::-1]})
    assert groups(cut_dev(before, share=0.3)["dev"]) == groups(cut_dev(turned, share=0.3)["dev"])


def test_sentence_without_group_is_its_own():
    train = tuple(Sentence(id=f"s{number}", text="a") for number in range(4))
    assert len(cut_dev(Corpus(name="letters", splits={"train": train}), share=0.5)["dev"]) == 2


def test_other_splits_stay_and_dev_comes_after_train():
    test = sentences(1)
    after = cut_dev(Corpus(name="letters", splits={"test": test, "train": sentences(1, 1)}))
    assert (list(after.splits), after["test"], after.name) == (["train", "dev", "test"], test, "letters")


SHARE = "Give a fraction of train, such as 0.1."
WRONG = {
    "dev exists": (
        corpus(1, 1, dev=sentences(2)),
        0.1,
        "Dev should be cut only where it is missing, but corpus 'letters' has 2 sentences of it. "
        "Use these, or rename the split.",
    ),
    "no train": (
        Corpus(name="letters", splits={"test": (), "valid": ()}),
        0.1,
        "Dev is cut from train, but corpus 'letters' has 'valid', 'test' only. Rename a split to 'train', or add one.",
    ),
    "one group": (
        corpus(5),
        0.1,
        "Train of corpus 'letters' should have two groups or more, so that one can be dev, but has 1. "
        "Name finer groups, or give a dev split.",
    ),
    "empty train": (
        corpus(),
        0.1,
        "Train of corpus 'letters' should have two groups or more, so that one can be dev, but has 0. "
        "Name finer groups, or give a dev split.",
    ),
    "nothing left": (
        corpus(5, 5),
        0.6,
        "A share of 0.6 should leave groups of corpus 'letters' to train, but needs all 2 of them. "
        "Ask for a smaller share, or another seed.",
    ),
    **{
        f"share {share}": (
            corpus(1, 1),
            share,
            f"The share of dev should lie between 0 and 1, but is {share} for corpus 'letters'. {SHARE}",
        )
        for share in (0.0, 1.0, -0.1, 10.0, float("nan"))
    },
}


@pytest.mark.parametrize(("before", "share", "message"), WRONG.values(), ids=WRONG)
def test_dev_that_cannot_be_cut_is_explained(before, share, message):
    with pytest.raises(CorpusError) as caught:
        cut_dev(before, share=share)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("names", "after"),
    [
        ({"dev": "test"}, ["train", "test"]),
        ({"dev": "train", "train": "dev"}, ["dev", "train"]),
        ({"train": "train"}, ["train", "dev"]),
        ({}, ["train", "dev"]),
    ],
)
def test_splits_have_their_new_names_and_keep_order_and_sentences(names, after):
    before = corpus(2, dev=sentences(1))
    renamed = rename_splits(before, names)
    assert (list(renamed.splits), renamed.name) == (after, "letters")
    assert list(renamed.splits.values()) == list(before.splits.values())


def test_published_dev_becomes_test_and_dev_is_cut():
    after = cut_dev(rename_splits(corpus(*[1] * 10, dev=sentences(3)), {"dev": "test"}))
    assert {split: len(part) for split, part in after.splits.items()} == {"train": 9, "dev": 1, "test": 3}


def test_split_to_rename_has_to_exist():
    with pytest.raises(CorpusError) as caught:
        rename_splits(corpus(1, dev=()), {"tran": "test"})
    assert str(caught.value) == (
        "Corpus 'letters' has no split 'tran' to rename; its splits are 'train', 'dev'. Name one of these."
    )


@pytest.mark.parametrize("names", [{"dev": "train"}, {"train": "x", "dev": "x"}])
def test_two_splits_cannot_have_one_name(names):
    with pytest.raises(CorpusError) as caught:
        rename_splits(corpus(1, dev=()), names)
    assert str(caught.value) == (
        f"Each split of corpus 'letters' should have a name of its own, but train and dev would both be "
        f"{names['dev']!r}. Rename one of them to something else."
    )
