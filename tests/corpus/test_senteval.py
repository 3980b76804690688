"""SentEval's probing files: every line becomes a sentence of its split, and a malformed one is named."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings

from probes.corpus.senteval import FILES, read_senteval
from probes.errors import CorpusError
from probes.types import Corpus, Sentence
from tests.corpus.damage import damaged

SAMPLE = "te\tNNS\tthe dogs run .\ntr\tNN\tthe dog runs .\nva\tNN\tit 's one .\ntr\tNNS\tthey do\n"


def read(path: Path, content: str | bytes) -> Corpus:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_senteval(str(path))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "subj_number.txt"


def sentence(number: int, label: str, *words: str) -> Sentence:
    name = f"subj_number-{number}"
    return Sentence(id=name, words=words, group=name, attributes={"label": label})


def test_each_line_is_a_sentence_of_the_split_that_it_says(path):
    corpus = read(path, SAMPLE)
    assert (list(corpus.splits), corpus.name) == (["train", "dev", "test"], "subj_number.txt")
    assert corpus.splits == {
        "train": (sentence(2, "NN", "the", "dog", "runs", "."), sentence(4, "NNS", "they", "do")),
        "dev": (sentence(3, "NN", "it", "'s", "one", "."),),
        "test": (sentence(1, "NNS", "the", "dogs", "run", "."),),
    }


def test_a_split_that_no_line_says_is_not_there(path):
    assert list(read(path, "va\t0\ta\n").splits) == ["dev"]


def test_words_are_what_stands_between_spaces(path):
    assert read(path, "tr\t0\t a  b \u00a0c \n")["train"] == (sentence(1, "0", "a", "b", "c"),)


@pytest.mark.parametrize(
    "content",
    [SAMPLE.encode("utf-8-sig"), SAMPLE.replace("\n", "\r\n").encode(), SAMPLE.rstrip("\n").encode()],
    ids=["byte order mark", "CRLF", "no end of the last line"],
)
def test_what_surrounds_the_lines_changes_nothing(content, path):
    assert read(path, content) == read(path, SAMPLE)


@pytest.mark.parametrize("name", [*FILES.values(), "train-of-thought.tsv"])
def test_the_file_may_have_any_name(name, tmp_path, monkeypatch):
    (tmp_path / name).write_text(SAMPLE)
    monkeypatch.setenv("PROBES_DATA", str(tmp_path))
    assert read_senteval(name).name == name


def test_ten_tasks_have_an_official_file():
    assert len(FILES) == len(set(FILES.values())) == 10


THREE = "Write split, label and words with a tab between them."
CODE = "Correct the first column."
WRONG = {
    "empty": ("", "1: Expected sentences, but came a file without any. Fill the file, or remove it."),
    "two columns": ("tr\t0\ta\ntr\ta b\n", f"2: Expected 3 columns, but came 2 in 'tr\\ta b'. {THREE}"),
    "four columns": ("tr\t0\ta\tb\n", f"1: Expected 3 columns, but came 4 in 'tr\\t0\\ta\\tb'. {THREE}"),
    "blank line": ("tr\t0\ta\n\ntr\t0\tb\n", f"2: Expected 3 columns, but came 1 in ''. {THREE}"),
    "unknown split": ("val\t0\ta\n", f"1: Expected a split ('va', 'te', 'tr'), but came 'val'. {CODE}"),
    "upper case": ("tr\t0\ta\nTR\t0\ta\n", f"2: Expected a split ('te', 'tr', 'va'), but came 'TR'. {CODE}"),
    "no label": ("tr\t \ta\n", "1: Expected a label, but came ' '. Label the sentence, or remove it."),
    "no words": ("tr\t0\t \u2028\n", "1: Expected words, but came ' \\u2028'. Add them, or remove the line."),
    "Latin-1": ("tr\t0\té\n".encode("latin-1"), "1: Expected UTF-8, but came byte 0xe9. Save the file as UTF-8."),
    "NUL": ("tr\t0\ta\ntr\t0\ta\0b\n", "2: Expected text, but came a NUL character. Restore the file."),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_what_is_not_senteval_is_named_with_its_line(content, message, path):
    with pytest.raises(CorpusError) as caught:
        read(path, content)
    assert str(caught.value) == f"{path}:{message}"


def test_two_tasks_are_not_one_corpus(tmp_path, monkeypatch):
    for name in FILES.values():
        (tmp_path / name).write_text(SAMPLE)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError) as caught:
        read_senteval("*_number.txt")
    assert str(caught.value) == (
        "SentEval has one file a task, but '*_number.txt' names 2: obj_number.txt, subj_number.txt, …. "
        "Name one; the official ones are 'obj_number.txt', 'subj_number.txt', 'odd_man_out.txt', "
        "'top_constituents.txt', 'word_content.txt', 'tree_depth.txt', 'past_present.txt', "
        "'coordination_inversion.txt', 'sentence_length.txt', 'bigram_shift.txt'."
    )


PIECES = (b"\t", b"\n", b"\r\n", b"\r", b"tr", b"\0", b"\xff", b" ", b"\xc2\xa0", b"")


@settings(max_examples=100, deadline=None)
@given(content=damaged(SAMPLE.encode(), PIECES, max_edits=4))
def test_edited_file_is_refused_or_every_line_becomes_a_sentence(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "task.txt"
        try:
            corpus = read(path, content)
        except CorpusError as error:
            if not str(error).startswith(f"{path}:"):
                raise
            return
    sentences = [one for part in corpus.splits.values() for one in part]
    num_lines = content.count(b"\n") + (not content.endswith(b"\n"))
    assert len(sentences) == len({one.id for one in sentences}) == num_lines
    assert all(word.strip() == word != "" for one in sentences for word in one.words)
    assert all(one.words and one.attributes["label"].strip() for one in sentences)
