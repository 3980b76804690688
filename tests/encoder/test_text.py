"""One look at the texts: what identifies them, which are equal, and which cannot be read."""

from collections.abc import Sequence

import pytest

from probes.encoder.text import chunks, encoder_input, read_texts
from probes.errors import CorpusError
from probes.types import Corpus, Pair, Sentence


def corpus_of(*texts: str, **splits: Sequence[Sentence]) -> Corpus:
    sentences = [Sentence(f"s{number}", tuple(text.split(" "))) for number, text in enumerate(texts)]
    return Corpus("few", {"train": sentences, **splits})


def test_equal_texts_point_to_the_first_across_splits() -> None:
    corpus = corpus_of("the dog", "a cat", "the dog", test=[Sentence("t", ("a", "cat")), Sentence("u", ("a cat",))])
    assert read_texts(corpus, "word").first_of.tolist() == [0, 1, 0, 1, 4]
    assert read_texts(corpus, "sentence").first_of.tolist() == [0, 1, 0, 1, 1]
    assert read_texts(corpus, "word").sizes == {"train": 3, "test": 2}


def test_many_equal_texts_point_to_the_first() -> None:
    texts = [f"dog x{number % 7}" for number in range(100)]
    assert read_texts(corpus_of(*texts), "word").first_of.tolist() == [number % 7 for number in range(100)]


def test_pair_is_neither_its_words_nor_its_texts_joined() -> None:
    pair = Sentence("a", text="the dog", pair="a cat")
    others = [
        Sentence("b", text="the dog a cat"),
        Sentence("c", text="the dog"),
        Sentence("d", text="a cat", pair="the dog"),
    ]
    assert encoder_input(pair, "sentence") == Pair("the dog", "a cat")
    assert read_texts(Corpus("pairs", {"train": [pair, *others]}), "sentence").first_of.tolist() == [0, 1, 2, 3]


def test_hash_sees_texts_ids_order_splits_and_unit() -> None:
    one, two = Sentence("a", ("the", "dog")), Sentence("b", ("a", "cat"))
    same = {"train": [one, two]}
    others = [
        {"train": [two, one]},
        {"train": [one], "dev": [two]},
        {"dev": [one, two]},
        {"train": [one, Sentence("c", ("a", "cat"))]},
        {"train": [one, Sentence("b", ("a", "dog"))]},
        {"train": [one, Sentence("b", ("a cat",))]},
        {"train": [one, Sentence("b", ("A", "cat"))]},
        {"train": [one, Sentence("b", ("a\x00", "cat"))]},
        {"train": [one, Sentence("b", ("a\x00cat",))]},
        {"train": [one, Sentence("b", ("a", "\x00cat"))]},
    ]
    hashes = [read_texts(Corpus("x", splits), "word").hash for splits in [same, *others]]
    hashes.append(read_texts(Corpus("x", same), "sentence").hash)
    assert len(set(hashes)) == len(hashes)
    assert read_texts(Corpus("another name", {"train": (one, two)}), "word").hash == hashes[0]


def test_double_id_is_named() -> None:
    with pytest.raises(CorpusError) as caught:
        read_texts(corpus_of("the dog", "a", dev=[Sentence("t", ("x",)), Sentence("s1", ("cat",))]), "word")
    assert str(caught.value) == (
        "Every sentence of corpus 'few' should have an id of its own, but 's1' comes again in split 'dev'. "
        "Rename one of them."
    )
    assert caught.value.exit_code == 2


def test_corpus_without_splits_is_refused() -> None:
    with pytest.raises(CorpusError) as caught:
        read_texts(Corpus("none", {}), "word")
    assert str(caught.value) == "Corpus 'none' should have a split, but has none. Give it one, such as train."


def test_empty_split_is_named() -> None:
    with pytest.raises(CorpusError) as caught:
        read_texts(corpus_of("the dog", dev=[]), "word")
    assert str(caught.value) == (
        "Split 'dev' of corpus 'few' should have sentences, but is empty. Fill it or leave it out."
    )


@pytest.mark.parametrize(("unit", "missing"), [("word", "words"), ("sentence", "text")])
def test_sentence_with_nothing_to_read_is_named(unit: str, missing: str) -> None:
    with pytest.raises(CorpusError) as caught:
        read_texts(corpus_of("the dog", dev=[Sentence("empty")]), unit)
    assert str(caught.value) == (
        f"Every sentence of corpus 'few' should have a {unit} to read, but sentence 'empty' has no {missing}. "
        f"Remove it or fill it."
    )


def test_running_text_has_no_words_to_probe() -> None:
    with pytest.raises(CorpusError, match=r"sentence 'b' has no words\. Remove it or fill it\.$"):
        read_texts(Corpus("few", {"train": [Sentence("b", text="A cat runs.")]}), "word")


def test_second_text_alone_is_nothing_to_read() -> None:
    with pytest.raises(CorpusError, match=r"sentence 'b' has no text\. Remove it or fill it\.$"):
        read_texts(Corpus("few", {"train": [Sentence("b", pair="A cat runs.")]}), "sentence")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_chunks_are_all_sentences_in_order(size: int) -> None:
    sentences = [Sentence(str(number)) for number in range(7)]
    parts = list(chunks(sentences, size))
    assert [sentence for part in parts for sentence in part] == sentences
    assert all(len(part) == size for part in parts[:-1])
    assert list(chunks([], size)) == []
