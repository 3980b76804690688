"""Column files: every line becomes a word with its annotation, and whatever is none is named."""

from pathlib import Path

import pytest
from hypothesis import given, settings

from probes.corpus.columns import read_columns
from probes.errors import CorpusError
from probes.types import Corpus, Sentence
from tests.corpus.damage import damaged

SAMPLE = "He PRP B-NP\nreckons VBZ B-VP\n. . O\n\nÇa FW I-NP\n\u2028 FW I-NP\n\n"


def read(path: Path, text: str | bytes, columns="xpos,chunk") -> tuple[Sentence, ...]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return tuple(read_columns(str(path), columns)["train"])


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "train.txt"


def test_lines_are_words_and_blank_lines_end_a_sentence(path):
    path.write_text(SAMPLE)
    first = Sentence(
        id="train-1",
        words=("He", "reckons", "."),
        group="train-1",
        columns={"xpos": ("PRP", "VBZ", "."), "chunk": ("B-NP", "B-VP", "O")},
    )
    second = Sentence(
        id="train-2",
        words=("Ça", "\u2028"),
        group="train-2",
        columns={"xpos": ("FW", "FW"), "chunk": ("I-NP", "I-NP")},
    )
    assert read_columns(str(path)) == Corpus("train.txt", {"train": (first, second)})


@pytest.mark.parametrize(
    "text",
    [
        SAMPLE.encode("utf-8-sig"),
        SAMPLE.replace("\n", "\r\n").encode(),
        SAMPLE.replace(" ", "\t").encode(),
        SAMPLE.rstrip("\n").encode(),
        ("\n\n" + SAMPLE.replace("\n\n", "\n \n\n\n")).encode(),
    ],
    ids=["byte order mark", "CRLF", "tabs", "no end", "more blank lines"],
)
def test_what_surrounds_the_values_changes_nothing(text, path):
    assert read(path, text) == read(path, SAMPLE)


def test_between_tabs_a_word_may_hold_spaces(path):
    assert read(path, "1 000\tCD\tO\n")[0].words == ("1 000",)


def test_columns_are_named_in_their_order(path):
    [sentence] = read(path, "EU NNP I-NP I-ORG\n", columns="xpos, chunk ,ner")
    assert sentence.columns == {"xpos": ("NNP",), "chunk": ("I-NP",), "ner": ("I-ORG",)}
    [sentence] = read(path, "EU NNP\n", columns="x")
    assert sentence.columns == {"x": ("NNP",)}


def test_a_document_reaches_until_the_next_one(path):
    start = "-DOCSTART- -X- -X- O\n\n"
    groups = [one.group for one in read(path, f"a A O\n\n{start}a A O\n\nb B O\n\n{start}{start}-DOCSTART-\nc C O\n")]
    assert groups == ["train-1", "train-document-1", "train-document-1", "train-document-4"]


def test_files_say_their_splits(tmp_path):
    for name in ("x-dev.txt", "x-test.txt", "a-train.txt", "b-train.txt"):
        (tmp_path / name).write_text(SAMPLE)
    splits = read_columns(str(tmp_path)).splits
    assert {split: [one.id for one in sentences][::2] for split, sentences in splits.items()} == {
        "train": ["a-train-1", "b-train-1"],
        "dev": ["x-dev-1"],
        "test": ["x-test-1"],
    }


THREE = "Expected 3 columns (word, xpos, chunk)"
SPACE = "Put one space or one tab between columns, and name all of them in option 'columns'."
CHUNK = "Expected a chunk B-X, I-X or O"
CORRECT = "Correct the chunk, or the order of names in option 'columns'."
NO_SENTENCE = "Expected sentences, but came a file without any. Fill the file, or remove it."
WRONG = {
    "two columns": ("a A O\nb B\n", f"2: {THREE}, but came 2 in 'b B'. {SPACE}"),
    "four columns": ("a A O O\n", f"1: {THREE}, but came 4 in 'a A O O'. {SPACE}"),
    "space at the end": ("a A O \n", f"1: {THREE}, but came an empty one in 'a A O '. {SPACE}"),
    "double space": ("a  O\n", f"1: {THREE}, but came an empty one in 'a  O'. {SPACE}"),
    "spaces and a tab": ("a A\tO\n", f"1: {THREE}, but came 2 in 'a A\\tO'. {SPACE}"),
    "a tab alone": ("a A O\n\t\n", f"2: {THREE}, but came an empty one in '\\t'. {SPACE}"),
    "a long line": ("a" * 99, f"1: {THREE}, but came 1 in '{'a' * 60}'. {SPACE}"),
    "other scheme": ("a A O\nb B E-NP\n", f"2: {CHUNK}, but came 'E-NP'. {CORRECT}"),
    "chunk without type": ("a A B-\n", f"1: {CHUNK}, but came 'B-'. {CORRECT}"),
    "chunk without hyphen": ("a A B\n", f"1: {CHUNK}, but came 'B'. {CORRECT}"),
    "lower case": ("a A o\n", f"1: {CHUNK}, but came 'o'. {CORRECT}"),
    "document inside": (
        "a A O\n-DOCSTART- -X- O\n",
        "2: Expected -DOCSTART- between sentences only, but came one inside a sentence. Put a blank line above it.",
    ),
    "empty file": ("", f"1: {NO_SENTENCE}"),
    "blank file": (" \n\n", f"1: {NO_SENTENCE}"),
    "documents only": ("-DOCSTART- -X- O\n\n", f"1: {NO_SENTENCE}"),
    "NUL": ("a A O\n\0 A O\n", "2: Expected text, but came a NUL character. Restore the file."),
    "Latin-1": ("é A O\n".encode("latin-1"), "1: Expected UTF-8, but came byte 0xe9. Save the file as UTF-8."),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_column_file_is_named_with_its_line(text, message, path):
    with pytest.raises(CorpusError) as caught:
        read(path, text)
    assert str(caught.value) == f"{path}:{message}"


@pytest.mark.parametrize("columns", ["", "xpos,", "xpos,xpos"])
def test_names_of_columns_are_there_once(columns, path):
    with pytest.raises(CorpusError) as caught:
        read(path, SAMPLE, columns)
    assert str(caught.value) == (
        f"Option 'columns' should name each column behind the word, and none twice, but is {columns!r}. "
        "Write names with commas between them, such as 'xpos,chunk'."
    )


PIECES = (b"\n", b" ", b"\t", b"\r\n", b"I-", b"\n\n", b"-DOCSTART-\n", b"\0")


@given(data=damaged(SAMPLE.encode(), PIECES))
@settings(max_examples=200, deadline=None)
def test_bytes_are_an_error_or_a_corpus_without_loss(data, tmp_path_factory):
    try:
        sentences = read(tmp_path_factory.mktemp("files") / "train.txt", data)
    except CorpusError:
        return
    lines = data.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    rows = [line.replace("\t", " ") for line in lines if line.strip(" ") and not line.startswith("-DOCSTART-")]
    assert rows == [
        " ".join(values) for one in sentences for values in zip(one.words, *one.columns.values(), strict=True)
    ]
    assert all(one.words for one in sentences)


@pytest.mark.corpus
def test_conll2000_has_its_published_counts(corpus_data):
    corpus = read_columns(str(corpus_data / "conll2000" / "t*.txt"))
    counts = {
        split: (len(sentences), sum(len(one.words) for one in sentences)) for split, sentences in corpus.splits.items()
    }
    assert counts == {"train": (8936, 211727), "test": (2012, 47377)}
