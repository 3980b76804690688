"""A cache as files of other tools: the same numbers at the same sentence and word."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from probes.cache import Cache, adopt
from probes.cache.export import Form, export_cache
from probes.errors import CacheError
from probes.types import Corpus, Sentence

WORDS = {
    "train": {"a": ("the", "dog", "runs"), "b": (), "ü": ("Dog", "the")},
    "test": {"c": ("cat",), "d": ("the", "dog")},
}
CORPUS = Corpus("few", {split: [Sentence(*pair) for pair in named.items()] for split, named in WORDS.items()})
HDF5: tuple[Form, ...] = ("structural-probes", "neurox")
FORMS: tuple[Form, ...] = (*HDF5, "parquet")


def known(split: str, dtype: str = "float32", *, num_rows: int | None = None) -> np.ndarray:
    """[layer, row, dim]: the digits of every number are its split, layer, row and dim."""
    num_rows = sum(map(len, WORDS[split].values())) if num_rows is None else num_rows
    layer, row, dim = np.indices((3, num_rows, 4))
    return (1000 * list(WORDS).index(split) + 100 * layer + 10 * row + dim).astype(dtype)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return adopt({split: known(split) for split in WORDS}, CORPUS, name="known", folder=tmp_path)


@pytest.fixture
def half(tmp_path: Path) -> Cache:
    return adopt({split: known(split, "float16") for split in WORDS}, CORPUS, name="known", folder=tmp_path)


@pytest.fixture
def vectors(tmp_path: Path) -> Cache:
    """One row for each sentence, without a corpus."""
    ids = {split: list(named) for split, named in WORDS.items()}
    states = {split: known(split, num_rows=len(names)) for split, names in ids.items()}
    return adopt(states, ids, name="vectors", folder=tmp_path)


@pytest.mark.parametrize("form", HDF5)
@pytest.mark.parametrize("name", ["cache", "half"])
def test_hdf5_holds_the_states_of_each_sentence(
    name: str, form: Form, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    paths = export_cache(request.getfixturevalue(name), tmp_path / "out", form)
    assert paths == [tmp_path / "out" / "train.hdf5", tmp_path / "out" / "test.hdf5"]
    with h5py.File(paths[0]) as file:
        found = {number: file[number] for number in "012"}
        assert {part.dtype for part in found.values()} == {np.dtype("float32")}
        assert np.array_equal(found["0"], known("train")[:, :3])
        assert found["1"].shape == (3, 0, 4)
        assert np.array_equal(found["2"], known("train")[:, 3:])
        assert found["2"][1, 0, 2] == 132
        assert set(file) - {"sentence_to_index"} == set(found)
    with h5py.File(paths[1]) as file:
        assert file["1"][2, 1, 3] == 1223
        assert set(file) - {"sentence_to_index"} == {"0", "1"}


@pytest.mark.parametrize("form", HDF5)
def test_sentence_vectors_are_sentences_of_one_word(form: Form, vectors: Cache, tmp_path: Path) -> None:
    with h5py.File(export_cache(vectors, tmp_path / "out", form)[0]) as file:
        assert np.array_equal(file["2"], known("train")[:, 2:3])


def sentence_index(path: Path) -> Mapping[str, str]:
    """The index as NeuroX reads it."""
    with h5py.File(path) as file:
        stored = file["sentence_to_index"]
        assert stored.shape == (1,)
        assert h5py.check_string_dtype(stored.dtype).length is None
        return json.loads(stored[0])


def test_neurox_finds_sentences_by_their_words(cache: Cache, tmp_path: Path) -> None:
    train, test = export_cache(cache, tmp_path / "out", "neurox")
    assert sentence_index(train) == {"the dog runs": "0", "": "1", "Dog the": "2"}
    assert sentence_index(test) == {"cat": "0", "the dog": "1"}


def test_neurox_finds_running_text_and_pairs(vectors: Cache, tmp_path: Path) -> None:
    texts = [Sentence("ü", text="Last."), Sentence("a", text="Who came?", pair="Ann."), Sentence("b", text="“One”")]
    corpus = Corpus("texts", {**CORPUS.splits, "train": texts})
    train, _ = export_cache(vectors.with_corpus(corpus), tmp_path / "out", "neurox")
    assert sentence_index(train) == {"Who came? Ann.": "0", "“One”": "1", "Last.": "2"}


def test_neurox_finds_ids_where_there_is_no_corpus(vectors: Cache, tmp_path: Path) -> None:
    train, _ = export_cache(vectors, tmp_path / "out", "neurox")
    assert sentence_index(train) == {"a": "0", "b": "1", "ü": "2"}


def test_neurox_loses_no_sentence_whose_text_comes_again(tmp_path: Path) -> None:
    """NeuroX goes through the index from front to back and reads nothing else."""
    words = [("yes",), ("no", "!"), ("yes",), ("yes", "(Occurrence", "2)"), ("yes",)]
    corpus = Corpus("again", {"train": [Sentence(str(number), spoken) for number, spoken in enumerate(words)]})
    states = known("train", num_rows=8)
    cache = adopt({"train": states}, corpus, name="again", folder=tmp_path)
    [path] = export_cache(cache, tmp_path / "out", "neurox")
    index = sentence_index(path)
    with h5py.File(path) as file:
        read = [file[number][()] for number in index.values()]
    assert [part.shape[1] for part in read] == [1, 2, 1, 3, 1]
    assert np.array_equal(np.concatenate(read, axis=1), states)
    assert list(index)[:3] == ["yes", "no !", "yes (Occurrence 2)"]


@pytest.mark.parametrize(("name", "dtype"), [("cache", "float"), ("half", "halffloat")])
def test_parquet_holds_a_line_for_each_row(
    name: str, dtype: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    cache = request.getfixturevalue(name)
    paths = export_cache(cache, tmp_path / "out", "parquet")
    assert paths == [tmp_path / "out" / "train.parquet", tmp_path / "out" / "test.parquet"]
    for split, path in zip(WORDS, paths, strict=True):
        table = parquet.read_table(path)
        assert table.column_names == ["sentence_id", "word", "layer_emb", "layer_1", "layer_2"]
        kinds = [str(kind) for kind in table.schema.types]
        assert kinds == ["string", "int32", *[f"fixed_size_list<element: {dtype}>[4]"] * 3]
        for layer, column in enumerate(("layer_emb", "layer_1", "layer_2")):
            assert np.array_equal(np.array(table[column].to_pylist()), known(split)[layer])
    train = parquet.read_table(paths[0])
    assert train["sentence_id"].to_pylist() == ["a", "a", "a", "ü", "ü"]
    assert train["word"].to_pylist() == [0, 1, 2, 0, 1]


def test_parquet_is_written_in_groups_of_rows(tmp_path: Path) -> None:
    states = np.arange(2 * 10000 * 3, dtype=np.float32).reshape(2, 10000, 3)
    corpus = Corpus("long", {"train": [Sentence("x", ("word",) * 4000), Sentence("y", ("word",) * 6000)]})
    cache = adopt({"train": states}, corpus, name="long", folder=tmp_path)
    [path] = export_cache(cache, tmp_path / "out", "parquet")
    file = parquet.ParquetFile(path)
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    assert sizes == [4096, 4096, 1808]
    table = file.read()
    assert isinstance(table.schema.field("layer_1").type, pa.FixedSizeListType)
    values = table["layer_1"].combine_chunks().flatten().to_numpy().reshape(10000, 3)
    assert np.array_equal(values, states[1])
    assert table["sentence_id"].to_pylist() == ["x"] * 4000 + ["y"] * 6000
    assert table["word"].to_pylist() == [*range(4000), *range(6000)]


@pytest.mark.parametrize("form", HDF5)
@pytest.mark.parametrize("name", ["cache", "vectors"])
def test_adopted_again_it_is_the_same_cache(
    name: str, form: Form, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    cache = request.getfixturevalue(name)
    paths = dict(zip(cache.splits, export_cache(cache, tmp_path / "out", form), strict=True))
    ids = cache.corpus or {split: cache.index(split).ids for split in cache.splits}
    again = adopt(paths, ids, name=cache.manifest.encoder["name"], folder=tmp_path / "again")
    assert again.folder.name == cache.folder.name
    assert (again.splits, again.layers, again.vocabulary) == (cache.splits, cache.layers, cache.vocabulary)
    for split in cache.splits:
        for layer in range(len(cache.layers)):
            assert np.array_equal(again.layer(layer, split), cache.layer(layer, split))
        found, expected = again.index(split), cache.index(split)
        assert (found.unit, found.ids) == (expected.unit, expected.ids)
        for column in ("offsets", "word", "types"):
            assert np.array_equal(getattr(found, column), getattr(expected, column))


@pytest.mark.parametrize(("form", "name"), [("neurox", "test.hdf5"), ("parquet", "test.parquet")])
def test_file_that_exists_is_kept(form: Form, name: str, cache: Cache, tmp_path: Path) -> None:
    path = tmp_path / "out" / name
    path.parent.mkdir()
    path.write_text("mine")
    with pytest.raises(CacheError) as caught:
        export_cache(cache, path.parent, form)
    assert str(caught.value) == (
        f"{cache.folder.name} was to be exported to {path}, but there is such a file already. Remove it, or name "
        f"another folder."
    )
    assert list(path.parent.iterdir()) == [path]
    assert path.read_text() == "mine"


def test_unknown_form_is_refused(cache: Cache, tmp_path: Path) -> None:
    """In a process without checked annotations, as users have it."""
    code = (
        "import sys; from pathlib import Path; from probes.cache import open_cache; "
        "from probes.cache.export import export_cache; "
        "export_cache(open_cache(sys.argv[1]), Path(sys.argv[2]), 'parket')"
    )
    command = [sys.executable, "-c", code, cache.folder, tmp_path / "out"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stderr.splitlines()[-1] == (
        f"probes.errors.CacheError: {cache.folder.name} can be exported as 'parquet', 'structural-probes', 'neurox', "
        f"but came 'parket'. Choose one of these."
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", FORMS)
def test_place_that_cannot_be_written_is_refused(form: Form, cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(CacheError) as caught:
        export_cache(cache, tmp_path / "out", form)
    suffix = "parquet" if form == "parquet" else "hdf5"
    assert str(caught.value) == (
        f"{tmp_path}/out/train.{suffix} was to be written, but: File exists. Free space there, or name another folder."
    )


def test_interrupted_export_leaves_no_file(cache: Cache, tmp_path: Path) -> None:
    corpus = Corpus("less", {**CORPUS.splits, "test": CORPUS["test"][:1]})
    with pytest.raises(CacheError) as caught:
        export_cache(cache.with_corpus(corpus), tmp_path / "out", "neurox")
    assert str(caught.value) == (
        f"Corpus 'less' should have every sentence of split 'test' of {cache.folder.name}, but has no 'd'. Give the "
        f"corpus that the states are of."
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["train.hdf5"]


@pytest.mark.parametrize("form", HDF5)
def test_hdf5_without_h5py_says_what_to_install(
    form: Form, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(CacheError) as caught:
        export_cache(cache, tmp_path / "out", form)
    assert str(caught.value) == (
        f"h5py is needed for {tmp_path}/out/train.hdf5, but is not installed. Install it with: "
        f"pip install 'layerwise-probes[hdf5]'"
    )
    assert not (tmp_path / "out").exists()
