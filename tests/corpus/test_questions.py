"""Labelled questions: every line becomes a text with its classes, and whatever is none is named."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.corpus.questions import read_questions
from probes.errors import CorpusError
from probes.types import Corpus, Sentence
from tests.corpus.damage import damaged

SAMPLE = "HUM:ind Who was Galileo ?\nENTY:dismed What is  \u00e7a : b ?\n"


def read(path: Path, text: str | bytes, encoding="latin-1") -> tuple[Sentence, ...]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode("latin-1"))
    return tuple(read_questions(str(path), encoding)["train"])


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "train.txt"


def test_a_line_is_a_text_with_its_coarse_and_its_fine_class(path):
    path.write_bytes(SAMPLE.encode("latin-1"))
    first = Sentence(
        id="train-1", text="Who was Galileo ?", group="train-1", attributes={"label": "HUM", "fine": "HUM:ind"}
    )
    second = Sentence(
        id="train-2", text="What is  ça : b ?", group="train-2", attributes={"label": "ENTY", "fine": "ENTY:dismed"}
    )
    assert read_questions(str(path)) == Corpus("train.txt", {"train": (first, second)})


def test_labels_without_colon_have_no_fine_class(path):
    sentences = read(path, "pos a fine film\nneg not: this\n")
    assert [(one.attributes, one.text) for one in sentences] == [
        ({"label": "pos"}, "a fine film"),
        ({"label": "neg"}, "not: this"),
    ]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SAMPLE.replace("\n", "\r\n").encode("latin-1"), "latin-1"),
        (SAMPLE.rstrip("\n").encode("latin-1"), "iso-8859-1"),
        (SAMPLE.encode(), "utf-8"),
        (SAMPLE.encode("utf-8-sig"), "utf-8"),
        (SAMPLE.encode("utf-8-sig"), "UTF8"),
        (SAMPLE.encode("utf-16"), "utf-16"),
    ],
    ids=["CRLF", "no end", "UTF-8", "byte order mark", "another name of UTF-8", "UTF-16"],
)
def test_what_surrounds_the_lines_changes_nothing(text, encoding, path):
    assert read(path, text, encoding) == read(path, SAMPLE)


def test_files_say_their_splits(tmp_path):
    for name in ("test.txt", "a-train.txt", "b-train.txt"):
        (tmp_path / name).write_text("HUM:ind Who ?\n")
    splits = read_questions(str(tmp_path)).splits
    ids = {split: [one.id for one in sentences] for split, sentences in splits.items()}
    assert ids == {"train": ["a-train-1", "b-train-1"], "test": ["test-1"]}


FINE = "Expected a label such as 'HUM:ind', as in line 1, and a space"
COARSE = "Expected a label such as 'HUM', as in line 1, and a space"
CORRECT = "Correct the label; all lines of a file have a colon, or none."
WRITE = "Write the text behind its label and a space, or remove the line."
WRONG = {
    "no colon": ("A:b q\nA q\n", f"2: {FINE}, but came 'A'. {CORRECT}"),
    "colon": ("A q\nA:b q\n", f"2: {COARSE}, but came 'A:b'. {CORRECT}"),
    "colon at the end": ("A q\nA: q\n", f"2: {COARSE}, but came 'A:'. {CORRECT}"),
    "no coarse class": ("A:b q\n:b q\n", f"2: {FINE}, but came ':b'. {CORRECT}"),
    "no fine class": ("A:b q\nA: q\n", f"2: {FINE}, but came 'A:'. {CORRECT}"),
    "a colon alone": (": q\n", f"1: {FINE}, but came ':'. {CORRECT}"),
    "two colons": ("A:b:c q\n", f"1: {FINE}, but came 'A:b:c'. {CORRECT}"),
    "space at the start": ("A:b q\n A:b q\n", f"2: {FINE}, but came ''. {CORRECT}"),
    "tab for a space": ("A:b\tq\n", f"1: {FINE}, but came 'A:b\\tq'. {CORRECT}"),
    "blank line": ("A:b q\n\nA:b q\n", f"2: {FINE}, but came ''. {CORRECT}"),
    "no text": ("A:b q\nA:b\n", f"2: Expected text behind 'A:b', but came none. {WRITE}"),
    "blank text": ("A:b \u00a0 \n", f"1: Expected text behind 'A:b', but came none. {WRITE}"),
    "empty file": ("", "1: Expected questions, but came an empty file. Fill the file, or remove it."),
    "NUL": ("A:b q\nA:b \0\n", "2: Expected text, but came a NUL character. Restore the file."),
    "UTF-8 with a mark": (
        "A:b q\n".encode("utf-8-sig"),
        "1: Expected text in latin-1, but came the byte order mark of UTF-8. Set option 'encoding' to 'utf-8'.",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_question_is_named_with_its_line(text, message, path):
    with pytest.raises(CorpusError) as caught:
        read(path, text)
    assert str(caught.value) == f"{path}:{message}"


def test_bytes_of_another_encoding_are_named_with_their_line(path):
    with pytest.raises(CorpusError) as caught:
        read(path, "A:b q\nA:b é\n", encoding="utf-8")
    assert str(caught.value) == f"{path}:2: Expected UTF-8, but came byte 0xe9. Save the file as UTF-8."


def test_half_a_character_is_refused_whatever_the_encoding(path):
    with pytest.raises(CorpusError) as caught:
        read(path, b"A:b q\nA:b +2AA-\n", encoding="utf-7")
    assert str(caught.value) == (
        f"{path}:2: Expected text, but came U+D800. Save the file as UTF-8, and name that encoding."
    )


@pytest.mark.parametrize("encoding", ["latin1x", "", "hex", "undefined", "a\0b"])
def test_an_encoding_is_one_of_text(encoding, path):
    with pytest.raises(CorpusError) as caught:
        read(path, SAMPLE, encoding)
    assert str(caught.value) == (
        f"Option 'encoding' should name the encoding of train.txt, but is {encoding!r}. "
        "Give one that Python knows and that can read the file, such as 'latin-1' or 'utf-8'."
    )


PIECES = (b"\n", b" ", b":", b"\r\n", b"\t", b"\n\n", b"A:b q\n", b"\0")


@given(
    data=damaged(SAMPLE.encode("latin-1"), PIECES),
    encoding=st.sampled_from(["latin-1", "utf-8", "utf-16", "utf-7", "punycode", "cp1252"]),
)
@settings(max_examples=200, deadline=None)
def test_bytes_are_an_error_or_a_corpus_without_loss(data, encoding, tmp_path_factory):
    try:
        sentences = read(tmp_path_factory.mktemp("files") / "train.txt", data, encoding)
    except CorpusError:
        return
    text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding).replace("\r\n", "\n")
    lines = [f"{one.attributes.get('fine', one.attributes['label'])} {one.text}" for one in sentences]
    assert lines == text.removesuffix("\n").split("\n")
    assert all(line.encode() for line in lines)


@pytest.mark.corpus
def test_trec_has_its_published_counts(corpus_data):
    corpus = read_questions(str(corpus_data / "trec-questions" / "t*.txt"))
    assert {split: len(sentences) for split, sentences in corpus.splits.items()} == {"train": 5452, "test": 500}
    sentences = [one for part in corpus.splits.values() for one in part]
    assert len({one.attributes["label"] for one in sentences}) == 6
    assert len({one.attributes["fine"] for one in sentences}) == 50
