"""The look at every sentence before anything is computed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from probes.encoder.frozen import FrozenEncoder
from probes.encoder.scan import CHUNK, Scan, scan_corpus
from probes.errors import CorpusError
from probes.types import Corpus, Sentence
from tests.reference.states import SlowReader
from tests.toy import make_corpus

Load = Callable[..., FrozenEncoder]
LOST = "\u200b"  # a zero-width space, which the normaliser removes


def corpus_of(*texts: str, **splits: Sequence[Sentence]) -> Corpus:
    sentences = [Sentence(f"s{number}", tuple(text.split(" "))) for number, text in enumerate(texts)]
    return Corpus("few", {"train": sentences, **splits})


def lists(arrays: Sequence[np.ndarray]) -> list[list[int]]:
    return [array.tolist() for array in arrays]


def test_rows_are_all_words_in_corpus_order(toy: FrozenEncoder) -> None:
    corpus = corpus_of("the dog sees", "a", test=[Sentence("t", ("cat", "runs"))])
    scan = scan_corpus(toy, corpus, "word")
    train, test = scan.index("train"), scan.index("test")
    assert (train.unit, train.ids, train.offsets.tolist(), train.word.tolist()) == (
        "word",
        ["s0", "s1"],
        [0, 3, 4],
        [0, 1, 2, 0],
    )
    assert (test.ids, test.offsets.tolist(), test.word.tolist()) == (["t"], [0, 2], [0, 1])
    assert scan.num_pieces == [5, 3, 4]


def test_types_are_words_as_the_encoder_sees_them(toy: FrozenEncoder) -> None:
    scan = scan_corpus(toy, corpus_of("The dog the CAT", "cat Dog"), "word")
    assert list(scan.vocabulary) == ["the", "dog", "cat"]
    assert lists(scan.types) == [[0, 1, 0, 2], [2, 1]]


def test_sentence_unit_has_one_row_each(toy: FrozenEncoder) -> None:
    corpus = Corpus("few", {"train": [Sentence("a", ("the", "dog")), Sentence("b", text="A cat runs.")]})
    scan = scan_corpus(toy, corpus, "sentence")
    index = scan.index("train")
    assert (index.offsets.tolist(), index.word.tolist(), index.types.tolist()) == ([0, 1, 2], [0, 0], [-1, -1])
    assert scan.num_pieces == [4, 6]
    assert scan.vocabulary == {}


def test_equal_texts_point_to_the_first_across_splits(toy: FrozenEncoder) -> None:
    corpus = corpus_of("the dog", "a cat", "the dog", test=[Sentence("t", ("a", "cat")), Sentence("u", ("a cat",))])
    assert scan_corpus(toy, corpus, "word").first_of == [0, 1, 0, 1, 4]
    assert scan_corpus(toy, corpus, "sentence").first_of == [0, 1, 0, 1, 1]


def test_chunks_do_not_show(toy: FrozenEncoder) -> None:
    texts = [f"dog x{number}" for number in range(CHUNK + 5)]
    scan = scan_corpus(toy, corpus_of(*texts), "word")
    assert len(scan.kept) == len(scan.ids["train"]) == CHUNK + 5
    assert scan.first_of == list(range(CHUNK + 5))
    assert scan.index("train").offsets[-1] == 2 * (CHUNK + 5)


def test_lost_word_is_named(toy: FrozenEncoder) -> None:
    with pytest.raises(CorpusError) as caught:
        scan_corpus(toy, corpus_of("the dog", f"a {LOST} cat"), "word")
    assert str(caught.value) == (
        f"The tokenizer of {toy.config.name!r} should give every word a piece, but loses word 2 of sentence 's1', "
        f"'\\u200b'. Correct the word, or set encoder.lost_words to drop."
    )
    assert caught.value.exit_code == 2


def test_too_long_sentence_is_named(load: Load) -> None:
    encoder = load(max_pieces=6)
    with pytest.raises(CorpusError) as caught:
        scan_corpus(encoder, corpus_of("the dog sees a", "the dog sees a cat"), "word")
    assert str(caught.value) == (
        f"Encoder {encoder.config.name!r} reads at most 6 pieces, but sentence 's1' of corpus 'few' has 7. "
        f"Split it, or set encoder.length to truncate."
    )


def test_double_id_is_named(toy: FrozenEncoder) -> None:
    with pytest.raises(CorpusError) as caught:
        scan_corpus(toy, corpus_of("the dog", dev=[Sentence("s0", ("cat",))]), "word")
    assert str(caught.value) == (
        "Every sentence of corpus 'few' should have an id of its own, but 's0' comes again in split 'dev'. "
        "Rename one of them."
    )


def test_empty_split_is_named(toy: FrozenEncoder) -> None:
    with pytest.raises(CorpusError) as caught:
        scan_corpus(toy, corpus_of("the dog", dev=[]), "word")
    assert str(caught.value) == (
        "Split 'dev' of corpus 'few' should have sentences, but is empty. Fill it or leave it out."
    )


@pytest.mark.parametrize(("unit", "missing"), [("word", "words"), ("sentence", "text")])
def test_sentence_with_nothing_to_read_is_named(unit: str, missing: str, toy: FrozenEncoder) -> None:
    with pytest.raises(CorpusError) as caught:
        scan_corpus(toy, corpus_of("the dog", dev=[Sentence("empty")]), unit)
    assert str(caught.value) == (
        f"Every sentence of corpus 'few' should have a {unit} to read, but sentence 'empty' has no {missing}. "
        f"Remove it or fill it."
    )


def test_running_text_has_no_words_to_probe(toy: FrozenEncoder) -> None:
    with pytest.raises(CorpusError, match=r"sentence 'b' has no words\. Remove it or fill it\.$"):
        scan_corpus(toy, Corpus("few", {"train": [Sentence("b", text="A cat runs.")]}), "word")


def test_lost_words_are_dropped_and_counted(load: Load) -> None:
    scan = scan_corpus(load(lost_words="drop"), corpus_of(f"{LOST} dog {LOST}", "the cat", LOST), "word")
    assert scan.lost == {"s0": [0, 2], "s2": [0]}
    assert lists(scan.kept) == [[1], [0, 1], []]
    assert scan.index("train").offsets.tolist() == [0, 1, 3, 3]
    assert scan.cut == {}


def test_word_cut_in_the_middle_has_no_row(load: Load) -> None:
    # Eight pieces fit, two of them special: "the", then "x12" as three, then "dogs" as two.
    for words, kept, cut in (
        ("the x12 dogs", [0, 1, 2], None),
        ("the x12 dogs a", [0, 1, 2], [3]),
        ("the the x12 dogs", [0, 1, 2], [3]),
        ("x123456789 dog", [], [0, 1]),
    ):
        scan = scan_corpus(load(length="truncate", max_pieces=8), corpus_of(words), "word")
        assert lists(scan.kept) == [kept]
        assert scan.cut == ({} if cut is None else {"s0": cut})
        assert scan.num_pieces[0] <= 8


@pytest.mark.parametrize("max_pieces", [4, 5, 8, 9, 12, 64])
def test_cut_words_agree_with_the_slow_reader(max_pieces: int, load: Load, toy_bert: Path) -> None:
    corpus = make_corpus(splits=["train"])
    scan = scan_corpus(load(length="truncate", max_pieces=max_pieces), corpus, "word")
    index = scan.index("train")
    owners = np.repeat(index.ids, np.diff(index.offsets)).tolist()
    expected = SlowReader(toy_bert, max_pieces).words(corpus, "train")
    assert list(zip(owners, index.word.tolist(), strict=True)) == expected


@pytest.mark.parametrize("max_pieces", [4, 7, 64])
def test_kept_cut_and_lost_words_are_all_words(max_pieces: int, load: Load) -> None:
    encoder = load(length="truncate", max_pieces=max_pieces, lost_words="drop")
    corpus = corpus_of(f"the {LOST} x123 dog", f"{LOST} dogs see", "a cat and a small dog often runs")
    scan = scan_corpus(encoder, corpus, "word")
    for number, sentence in enumerate(corpus["train"]):
        missing = [*scan.cut.get(sentence.id, []), *scan.lost.get(sentence.id, [])]
        assert sorted([*scan.kept[number].tolist(), *missing]) == list(range(len(sentence.words)))


def test_cut_text_of_a_sentence_vector_is_marked(load: Load) -> None:
    scan = scan_corpus(
        load(length="truncate", max_pieces=5), corpus_of("the dog sees a cat", "the dog sees"), "sentence"
    )
    assert scan.cut == {"s0": []}
    assert scan.num_pieces == [5, 5]


def _hash(encoder: FrozenEncoder, corpus: Corpus) -> str:
    scan: Scan = scan_corpus(encoder, corpus, "word")
    return scan.text_hash


def test_text_hash_sees_texts_ids_order_and_splits(toy: FrozenEncoder) -> None:
    one, two = Sentence("a", ("the", "dog")), Sentence("b", ("a", "cat"))
    same = Corpus("x", {"train": [one, two]})
    others = [
        {"train": [two, one]},
        {"train": [one], "dev": [two]},
        {"dev": [one, two]},
        {"train": [one, Sentence("c", ("a", "cat"))]},
        {"train": [one, Sentence("b", ("a", "dog"))]},
        {"train": [one, Sentence("b", ("a cat",))]},
        {"train": [one, Sentence("b", ("A", "cat"))]},
    ]
    hashes = [_hash(toy, same), *(_hash(toy, Corpus("x", splits)) for splits in others)]
    assert len(set(hashes)) == len(hashes)
    assert _hash(toy, Corpus("another name", {"train": (one, two)})) == hashes[0]
