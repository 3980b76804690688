"""Finding the files of a corpus by file, folder or pattern, here and under PROBES_DATA."""

import pytest

from probes.corpus.locate import find_splits
from probes.errors import CorpusError

NAMES = ("en-ud-train.conllu", "en-ud-dev.conllu", "en-ud-test.conllu")
KNOWN = "'train', 'training', 'valid', 'validation', 'test', 'dev', 'devel'"


@pytest.fixture
def treebank(tmp_path, monkeypatch):
    """A folder `bank` in an empty data folder; the working directory is another empty one."""
    folder = tmp_path / "data" / "bank"
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).touch()
    (folder / "README.md").touch()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("PROBES_DATA", raising=False)
    return folder


def names(found) -> dict[str, list[str]]:
    return {split: [path.name for path in files] for split, files in found.items()}


ALL = {"train": [NAMES[0]], "dev": [NAMES[1]], "test": [NAMES[2]]}


@pytest.mark.parametrize("pattern", ["bank/*.conllu", "bank/en-ud-*", "bank", "*/*.conllu"])
def test_relative_patterns_are_found_under_probes_data(treebank, monkeypatch, pattern):
    monkeypatch.setenv("PROBES_DATA", str(treebank.parent))
    assert names(find_splits(pattern)) == ALL
    assert list(find_splits(pattern)) == ["train", "dev", "test"]


@pytest.mark.parametrize("pattern", ["bank/*.conllu", "bank", "./bank", "../data/bank"])
def test_relative_patterns_are_found_in_the_working_directory(treebank, monkeypatch, pattern):
    monkeypatch.chdir(treebank.parent)
    assert names(find_splits(pattern)) == ALL


def test_working_directory_itself_is_a_folder(treebank, monkeypatch):
    monkeypatch.chdir(treebank)
    assert names(find_splits(".")) == ALL


def test_working_directory_comes_before_probes_data(treebank, monkeypatch):
    monkeypatch.setenv("PROBES_DATA", str(treebank.parent))
    (treebank.parents[1] / "here" / "bank").mkdir()
    (treebank.parents[1] / "here" / "bank" / "own-train.conllu").touch()
    assert names(find_splits("bank")) == {"train": ["own-train.conllu"]}


@pytest.mark.parametrize("part", ["", "*.conllu", "en-ud-[dt]*"])
def test_absolute_patterns_need_no_root(treebank, part):
    assert names(find_splits(f"{treebank}/{part}")) == ALL


def test_one_file_is_one_split(treebank):
    assert names(find_splits(str(treebank / NAMES[2]))) == {"test": [NAMES[2]]}


def test_name_with_the_marks_of_a_pattern_is_found_as_it_is(treebank):
    (treebank / "odd [x]-test.conllu").touch()
    assert names(find_splits(str(treebank / "odd [x]-test.conllu"))) == {"test": ["odd [x]-test.conllu"]}


def test_home_is_expanded(treebank, monkeypatch):
    monkeypatch.setenv("HOME", str(treebank.parent))
    assert names(find_splits("~/bank/*.conllu")) == ALL


def test_several_files_of_a_split_stand_in_the_order_of_their_names(treebank):
    (treebank / "de_gsd.train.tsv").touch()
    found = names(find_splits(f"{treebank}/*train*"))
    assert found == {"train": ["de_gsd.train.tsv", "en-ud-train.conllu"]}


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("a-training.x", "train"),
        ("devel.x", "dev"),
        ("validation_1.x", "dev"),
        ("A-TEST.x", "test"),
        ("valid.x", "dev"),
    ],
)
def test_split_is_the_part_of_the_name_that_says_so(treebank, name, split):
    (treebank / "one").mkdir()
    (treebank / "one" / name).touch()
    assert names(find_splits(f"{treebank}/one/*")) == {split: [name]}


@pytest.mark.parametrize(
    ("name", "found"),
    [("corpus.x", "says none"), ("train-test.x", "says test and train"), ("contest.x", "says none")],
)
def test_name_without_one_split_is_an_error(treebank, name, found):
    (treebank / "one").mkdir()
    (treebank / "one" / name).touch()
    with pytest.raises(CorpusError) as caught:
        find_splits(f"{treebank}/one/*.x")
    expected = f"The name of a corpus file should say its split ({KNOWN}), but {name} {found}. Rename it."
    assert str(caught.value) == expected
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("pattern", ["nothing/*.conllu", "nothing", "bank/*.tsv"])
def test_nothing_found_names_the_places(treebank, monkeypatch, pattern):
    monkeypatch.setenv("PROBES_DATA", str(treebank.parent))
    with pytest.raises(CorpusError) as caught:
        find_splits(pattern)
    assert str(caught.value) == (
        f"Corpus files were expected at {pattern!r}, but there are none in {treebank.parents[1] / 'here'} and "
        f"{treebank.parent}. Correct the path, or set PROBES_DATA to the folder that holds your corpora."
    )


def test_nothing_found_at_an_absolute_path_names_its_folder(treebank):
    with pytest.raises(CorpusError) as caught:
        find_splits(f"{treebank}/*.tsv")
    assert str(caught.value) == (
        f"Corpus files were expected at '{treebank}/*.tsv', but there are none in {treebank}. "
        f"Correct the path, or set PROBES_DATA to the folder that holds your corpora."
    )
