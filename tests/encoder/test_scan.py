"""The corpus through the tokenizer: rows, windows, and what will be missing."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from tokenizers import processors

from probes.encoder import scanner
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.scan import SUMMARY_NAME, Scan, read_scan
from probes.encoder.scanner import CHUNK, scan_corpus
from probes.encoder.text import read_texts
from probes.errors import CorpusError
from probes.types import Corpus, Pair, Sentence
from tests.reference.states import SlowReader
from tests.toy import make_corpus

Load = Callable[..., FrozenEncoder]
Scanner = Callable[..., Scan]
LOST = "\u200b"  # a zero-width space, which the normaliser removes


def corpus_of(*texts: str, **splits: Sequence[Sentence]) -> Corpus:
    sentences = [Sentence(f"s{number}", tuple(text.split(" "))) for number, text in enumerate(texts)]
    return Corpus("few", {"train": sentences, **splits})


@pytest.fixture
def scan(tmp_path: Path) -> Scanner:
    def run(encoder: FrozenEncoder, corpus: Corpus, unit: str = "word") -> Scan:
        return scan_corpus(encoder, corpus, unit, read_texts(corpus, unit), tmp_path / "scratch")

    return run


def kept(scan: Scan, split: str = "train") -> list[list[int]]:
    """Words of each sentence that have a row."""
    index = scan.index(split)
    return [index.word[start:end].tolist() for start, end in zip(index.offsets, index.offsets[1:], strict=False)]


def windows(scan: Scan, encoder: FrozenEncoder) -> list[list[str]]:
    """Pieces of each window."""
    parts = zip(scan.piece_offsets, scan.piece_offsets[1:], strict=False)
    return [encoder.tokenizer.convert_ids_to_tokens(scan.columns["piece"][a:b].tolist()) for a, b in parts]


def test_rows_are_all_words_in_corpus_order(toy: FrozenEncoder, scan: Scanner) -> None:
    found = scan(toy, corpus_of("the dog sees", "a", test=[Sentence("t", ("cat", "runs"))]))
    train, test = found.index("train"), found.index("test")
    assert (train.unit, train.ids, train.offsets.tolist()) == ("word", ["s0", "s1"], [0, 3, 4])
    assert (test.ids, test.offsets.tolist(), test.word.tolist()) == (["t"], [0, 2], [0, 1])
    assert train.word.tolist() == [0, 1, 2, 0]
    assert np.diff(found.piece_offsets).tolist() == [5, 3, 4]
    assert found.columns["first"].tolist() == found.columns["last"].tolist() == [1, 2, 3, 1, 1, 2]


def test_pieces_are_those_of_the_tokenizer(toy: FrozenEncoder, scan: Scanner) -> None:
    corpus = make_corpus(["train"])
    by_tokenizer = toy.tokenize([sentence.words for sentence in corpus["train"]])["input_ids"]
    expected = [toy.tokenizer.convert_ids_to_tokens(ids) for ids in by_tokenizer]
    first = [number for number, other in enumerate(read_texts(corpus, "word").first_of) if number == other]
    assert windows(scan(toy, corpus), toy) == [expected[number] for number in first]


def test_types_are_words_as_the_encoder_sees_them(toy: FrozenEncoder, scan: Scanner) -> None:
    found = scan(toy, corpus_of("The dog the CAT", "cat Dog"))
    assert found.vocabulary == ["the", "dog", "cat"]
    assert found.index("train").types.tolist() == [0, 1, 0, 2, 2, 1]


@pytest.mark.parametrize(("how", "last"), [("cls", [0, 0]), ("mean", [3, 5])])
def test_sentence_unit_has_one_row_each(how: str, last: list[int], load: Load, scan: Scanner) -> None:
    corpus = Corpus("few", {"train": [Sentence("a", ("the", "dog")), Sentence("b", text="A cat runs.")]})
    found = scan(load(sentence=how), corpus, "sentence")
    index = found.index("train")
    assert (index.offsets.tolist(), index.word.tolist(), index.types.tolist()) == ([0, 1, 2], [0, 0], [-1, -1])
    assert (found.columns["first"].tolist(), found.columns["last"].tolist()) == ([0, 0], last)
    assert found.vocabulary == []


def test_pair_is_two_segments(toy: FrozenEncoder, scan: Scanner) -> None:
    found = scan(toy, Corpus("few", {"train": [Sentence("a", text="the dog", pair="a cat runs")]}), "sentence")
    assert windows(found, toy) == [["[CLS]", "the", "dog", "[SEP]", "a", "cat", "runs", "[SEP]"]]
    assert found.columns["segment"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    (encoding,) = toy.cut_into_pieces([Pair("the dog", "a cat runs")])
    assert encoding.type_ids == toy.tokenize([Pair("the dog", "a cat runs")])["token_type_ids"][0]


def test_only_the_first_of_equal_texts_has_windows_and_all_have_rows(toy: FrozenEncoder, scan: Scanner) -> None:
    found = scan(toy, corpus_of("the dog", "a", "the dog", test=[Sentence("t", ("a",))]))
    assert found.columns["window_sentence"].tolist() == [0, 1]
    assert kept(found) == [[0, 1], [0], [0, 1]]
    assert kept(found, "test") == [[0]]


def test_chunks_do_not_show(toy: FrozenEncoder, scan: Scanner) -> None:
    texts = [f"dog x{number}" for number in range(2 * CHUNK + 5)]
    found = scan(toy, corpus_of(*texts))
    assert found.index("train").offsets[-1] == 2 * len(texts)
    assert found.columns["window_sentence"].tolist() == list(range(len(texts)))


def test_scan_is_read_again_as_it_was_written(toy: FrozenEncoder, scan: Scanner, tmp_path: Path) -> None:
    found = scan(toy, make_corpus(size=9))
    again = read_scan(tmp_path / "scratch", "word")
    assert again is not None
    assert (again.ids, again.vocabulary, again.cut, again.lost) == (found.ids, found.vocabulary, found.cut, found.lost)
    assert all(np.array_equal(again.columns[name], found.columns[name]) for name in found.columns)


def test_scan_that_was_interrupted_is_none(toy: FrozenEncoder, scan: Scanner, tmp_path: Path) -> None:
    scan(toy, corpus_of("the dog"))
    with pytest.raises(CorpusError):
        scan(toy, corpus_of("the dog", LOST))
    assert not (tmp_path / "scratch" / SUMMARY_NAME).exists()
    assert read_scan(tmp_path / "scratch", "word") is None


def test_half_of_a_summary_is_no_scan(toy: FrozenEncoder, scan: Scanner, tmp_path: Path) -> None:
    scan(toy, corpus_of("the dog"))
    path = tmp_path / "scratch" / SUMMARY_NAME
    path.write_bytes(path.read_bytes()[:-5])
    assert read_scan(tmp_path / "scratch", "word") is None


def test_a_summary_has_its_name_when_it_is_whole(
    toy: FrozenEncoder, scan: Scanner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(summary: dict, file: IO[str], **given: bool) -> None:
        file.write("{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("json.dump", fail)
    with pytest.raises(OSError, match="No space"):
        scan(toy, corpus_of("the dog"))
    assert not (tmp_path / "scratch" / SUMMARY_NAME).exists()


def test_lost_word_is_named(toy: FrozenEncoder, scan: Scanner) -> None:
    with pytest.raises(CorpusError) as caught:
        scan(toy, corpus_of("the dog", f"a {LOST} cat"))
    assert str(caught.value) == (
        f"The tokenizer of {toy.config.name!r} should give every word a piece, but loses word 2 of sentence 's1', "
        f"'\\u200b'. Correct the word, or set encoder.lost_words to drop."
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("unit", "also"), [("word", " or window"), ("sentence", "")])
def test_too_long_sentence_is_named(unit: str, also: str, load: Load, scan: Scanner) -> None:
    encoder = load(max_pieces=6)
    with pytest.raises(CorpusError) as caught:
        scan(encoder, corpus_of("the dog sees a", "the dog sees a cat"), unit)
    assert str(caught.value) == (
        f"Encoder {encoder.config.name!r} reads at most 6 pieces, but sentence 's1' of corpus 'few' has 7. "
        f"Split it, or set encoder.length to truncate{also}."
    )


def test_lost_words_are_dropped_and_counted(load: Load, scan: Scanner) -> None:
    found = scan(load(lost_words="drop"), corpus_of(f"{LOST} dog {LOST}", "the cat", LOST))
    assert found.lost == {"s0": [0, 2], "s2": [0]}
    assert kept(found) == [[1], [0, 1], []]
    assert found.cut == {}
    assert found.columns["window_sentence"].tolist() == [0, 1]  # nothing is taken from the third


def test_word_cut_in_the_middle_has_no_row(load: Load, scan: Scanner) -> None:
    # Eight pieces fit, two of them special: "the", then "x12" as three, then "dogs" as two.
    for words, expected, cut in (
        ("the x12 dogs", [0, 1, 2], None),
        ("the x12 dogs a", [0, 1, 2], [3]),
        ("the the x12 dogs", [0, 1, 2], [3]),
        ("x123456789 dog", [], [0, 1]),
    ):
        found = scan(load(length="truncate", max_pieces=8), corpus_of(words))
        assert kept(found) == [expected]
        assert found.cut == ({} if cut is None else {"s0": cut})
        assert max(np.diff(found.piece_offsets), default=0) <= 8


@pytest.mark.parametrize("max_pieces", [4, 5, 8, 9, 12, 64])
def test_cut_words_agree_with_the_slow_reader(max_pieces: int, load: Load, toy_bert: Path, scan: Scanner) -> None:
    corpus = make_corpus(splits=["train"])
    index = scan(load(length="truncate", max_pieces=max_pieces), corpus).index("train")
    owners = np.repeat(index.ids, np.diff(index.offsets)).tolist()
    expected = SlowReader(toy_bert, max_pieces).words(corpus, "train")
    assert list(zip(owners, index.word.tolist(), strict=True)) == expected


@pytest.mark.parametrize("length", ["truncate", "window"])
@pytest.mark.parametrize("max_pieces", [7, 8, 64])
def test_kept_cut_and_lost_words_are_all_words(max_pieces: int, length: str, load: Load, scan: Scanner) -> None:
    encoder = load(length=length, max_pieces=max_pieces, lost_words="drop")
    corpus = corpus_of(f"the {LOST} x1 dog", f"{LOST} dogs see", "a cat and a small dog often runs")
    found = scan(encoder, corpus)
    for sentence, words in zip(corpus["train"], kept(found), strict=True):
        missing = [*found.cut.get(sentence.id, []), *found.lost.get(sentence.id, [])]
        assert sorted([*words, *missing]) == list(range(len(sentence.words)))
    assert length == "truncate" or not found.cut


def test_windows_are_read_with_their_own_ends(load: Load, scan: Scanner) -> None:
    encoder = load(length="window", max_pieces=6)
    found = scan(encoder, corpus_of("a the dog sees the big cat", "a cat"))
    assert windows(found, encoder) == [
        ["[CLS]", "a", "the", "dog", "sees", "[SEP]"],
        ["[CLS]", "dog", "sees", "the", "big", "[SEP]"],
        ["[CLS]", "sees", "the", "big", "cat", "[SEP]"],
        ["[CLS]", "a", "cat", "[SEP]"],
    ]
    assert found.columns["window_rows"].tolist() == [3, 2, 2, 2]
    assert found.columns["first"].tolist() == [1, 2, 3, 2, 3, 3, 4, 1, 2]
    assert found.columns["window_sentence"].tolist() == [0, 0, 0, 1]


def test_word_too_long_for_any_window_is_named(load: Load, scan: Scanner) -> None:
    with pytest.raises(CorpusError) as caught:
        scan(load(length="window", max_pieces=8), corpus_of("the dog", "a x123456789 dog"))
    assert str(caught.value) == (
        "Every word should fit into one window, but in sentence 's1' of corpus 'few' word 2 has 10 pieces, too many "
        "for windows of 6 that overlap by half. Shorten the word, or set encoder.length to truncate."
    )


def test_cut_text_of_a_sentence_vector_is_marked(load: Load, scan: Scanner) -> None:
    encoder = load(length="truncate", max_pieces=5)
    found = scan(encoder, corpus_of("the dog sees a cat", "the dog sees"), "sentence")
    assert found.cut == {"s0": []}
    assert windows(found, encoder) == [["[CLS]", "the", "dog", "sees", "[SEP]"]] * 2


def test_cutting_one_text_does_not_cut_those_beside_it(load: Load, scan: Scanner, monkeypatch) -> None:
    """The next chunk is tokenised in another thread, and whether to cut is a state of a tokenizer."""
    monkeypatch.setattr(scanner, "CHUNK", 2)
    encoder = load(length="truncate", max_pieces=5)
    texts = ["the dog sees a cat" if number % 2 else "the dog sees" for number in range(40)]
    found = scan(encoder, corpus_of(*[f"{text} x{number}" for number, text in enumerate(texts)]), "sentence")
    assert len(found.cut) == 40
    assert encoder.tokenizer.backend_tokenizer.truncation is None


def test_text_without_pieces_is_named(load: Load, scan: Scanner) -> None:
    encoder = load()
    encoder.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A", pair="$A $B", special_tokens=[]
    )
    with pytest.raises(CorpusError) as caught:
        scan(encoder, Corpus("few", {"train": [Sentence("a", text="the dog"), Sentence("b", text=LOST)]}), "sentence")
    assert str(caught.value) == (
        f"The tokenizer of {encoder.config.name!r} should give every text a piece, but gives none to sentence 'b' of "
        f"corpus 'few'. Remove it or fill it."
    )


def test_cut_pair_keeps_both_texts(load: Load, scan: Scanner) -> None:
    encoder = load(length="truncate", max_pieces=7)
    pair = Sentence("a", text="a cat sees the dog", pair="the dog runs")
    found = scan(encoder, Corpus("few", {"train": [pair]}), "sentence")
    assert windows(found, encoder) == [["[CLS]", "a", "cat", "[SEP]", "the", "dog", "[SEP]"]]
    assert found.cut == {"a": []}
