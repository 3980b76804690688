"""Plain text: every line that is not blank becomes a sentence, and blank lines part documents."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.corpus.plain import read_plain
from probes.errors import CorpusError
from probes.types import Corpus, Sentence


def read(path: Path, content: str | bytes) -> Corpus:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_plain(str(path))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "books.txt"


def test_blank_lines_part_documents(path):
    corpus = read(path, "\n\nOne . \n\tTwo .\n \n\nThree .\n")
    assert corpus == Corpus(
        name="books.txt",
        splits={
            "train": (
                Sentence(id="books-1", text="One .", group="books-document-1"),
                Sentence(id="books-2", text="Two .", group="books-document-1"),
                Sentence(id="books-3", text="Three .", group="books-document-2"),
            )
        },
    )


@pytest.mark.parametrize("content", ["a\nb\n", "\n\na\nb", "a\nb\n\n \n"])
def test_without_blank_lines_between_them_sentences_are_their_own_groups(content, path):
    assert [one.group for one in read(path, content)["train"]] == ["books-1", "books-2"]


def test_files_that_say_no_split_are_all_train(tmp_path):
    for name in "ba":
        (tmp_path / f"{name}.txt").write_text(f"from {name}\n")
    corpus = read_plain(f"{tmp_path}/*.txt")
    assert {split: [one.text for one in part] for split, part in corpus.splits.items()} == {
        "train": ["from a", "from b"]
    }


def test_files_that_say_their_splits_are_those(tmp_path):
    for name in ("test", "train", "dev"):
        (tmp_path / f"{name}.txt").write_text(f"from {name}\n")
    corpus = read_plain(str(tmp_path))
    assert [(split, part[0].text) for split, part in corpus.splits.items()] == [
        (split, f"from {split}") for split in ("train", "dev", "test")
    ]


def test_documents_of_two_files_stay_apart(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text("one\n\ntwo\n")
    groups = [one.group for one in read_plain(f"{tmp_path}/*.txt")["train"]]
    assert groups == ["a-document-1", "a-document-2", "b-document-1", "b-document-2"]


def test_one_file_that_says_no_split_beside_others_is_refused(tmp_path):
    for name in ("train", "other"):
        (tmp_path / f"{name}.txt").write_text("a\n")
    with pytest.raises(CorpusError) as caught:
        read_plain(f"{tmp_path}/*.txt")
    assert str(caught.value) == (
        "The name of a corpus file should say its split ('train', 'training', 'valid', 'validation', 'test', 'dev', "
        "'devel'), but other.txt says none. Rename it."
    )


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfa\n\nb\n", b"a\r\n\r\nb\r\n", b"a\n\nb"],
    ids=["byte order mark", "CRLF", "no end of the last line"],
)
def test_what_surrounds_the_lines_changes_nothing(content, path):
    assert read(path, content) == read(path, "a\n\nb\n")


@pytest.mark.parametrize("text", ["a\u2028b", "a\x85b", "a\rb", '"', "#", "a\tb", "a  b"])
def test_a_sentence_may_be_any_text_in_a_line(text, path):
    assert [one.text for one in read(path, f"{text}\nb\n")["train"]] == [text, "b"]


NOTHING = "1: Expected sentences, but came a file without any. Fill the file, or remove it."
WRONG = {
    "empty": ("", NOTHING),
    "blank lines only": ("\n \n\u2028\n", NOTHING),
    "Latin-1": ("a\né\n".encode("latin-1"), "2: Expected UTF-8, but came byte 0xe9. Save the file as UTF-8."),
    "NUL": ("a\n\nb\0\n", "3: Expected text, but came a NUL character. Restore the file."),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_what_is_not_text_is_named_with_its_line(content, message, path):
    with pytest.raises(CorpusError) as caught:
        read(path, content)
    assert str(caught.value) == f"{path}:{message}"


LINES = st.sampled_from([b"a", b"\n", b"\r\n", b"\r", b" ", b"\0", b"\xff", b"\xc3\xa9", b"\xe2\x80\xa8"])


@settings(max_examples=100, deadline=None)
@given(content=st.lists(LINES | st.binary(max_size=4), max_size=12).map(b"".join))
def test_file_is_refused_or_every_line_of_text_becomes_a_sentence(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.txt"
        try:
            sentences = read(path, content)["train"]
        except CorpusError as error:
            if not str(error).startswith(f"{path}:"):
                raise
            return
    lines = [line.strip() for line in content.decode("utf-8-sig").split("\n")]
    assert [one.text for one in sentences] == [line for line in lines if line]
    assert len({one.id for one in sentences}) == len(sentences)
