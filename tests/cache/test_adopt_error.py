"""States, ids and words that do not fit together: one message each."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from probes.cache import adopt
from probes.errors import CacheError
from probes.types import Corpus, Sentence
from tests.cache.test_adopt import MANY_IDS, known, many, write_hdf5


def message(caught: pytest.ExceptionInfo[CacheError], folder: Path) -> str:
    return str(caught.value).replace(str(folder), "FOLDER")


ONE = {"arrays": {"x": known("train")}, "ids": {"x": ["a", "b"]}, "words": {"x": [("q", "r"), ("s", "t", "u")]}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"arrays": {"y": known("train"), "z": known("train")}},
            "There should be states for the splits of the ids, and one split at least, but the ids have 'x' and the "
            "states 'y', 'z'. Give both for the same splits.",
        ),
        (
            {"words": {}},
            "There should be words for the splits of the ids, and one split at least, but the ids have 'x' and the "
            "words none. Give both for the same splits.",
        ),
        (
            {"arrays": {}, "ids": {}, "words": None},
            "There should be states for the splits of the ids, and one split at least, but the ids have none and the "
            "states none. Give both for the same splits.",
        ),
        (
            {"words": {"x": [("q", "r")]}},
            "Split 'x' should have words for each of its 2 ids, but has them for 1 sentences. Give words and ids of "
            "the same sentences.",
        ),
        (
            {"ids": Corpus("mine", {"x": [Sentence("a", ("q",) * 5)]})},
            "Corpus 'mine' has words of its own, but `words` came too. Leave `words` out, or give the ids alone.",
        ),
        (
            {"ids": {"x": ["a", "a"]}},
            "Every sentence should have an id of its own, but 'a' comes again in split 'x'. Rename one of them.",
        ),
        (
            {"ids": {"w": ["b"], "x": ["a", "b"]}, "words": {"w": [("q",)], **ONE["words"]}},
            "Every sentence should have an id of its own, but 'b' comes again in split 'x'. Rename one of them.",
        ),
        (
            {"words": {"x": ["q r", ("s", "t", "u")]}},
            "The words of sentence 'a' in split 'x' should be a sequence of strings, but came the text 'q r'. Split "
            "it into words.",
        ),
        (
            {"ids": {"x": []}, "words": None},
            "Split 'x' should have sentences, but has no ids. Fill it or leave it out.",
        ),
        (
            {"arrays": {"x": known("train")[:, :0]}},
            "Split 'x' should have states, but has no rows. Fill it or leave it out.",
        ),
        (
            {"arrays": {"x": known("train")[0]}},
            "The array of split 'x' should be [layer, row, dim] with at least one layer and one dim, but has the "
            "shape [5, 4]. Stack the layers of a split along the first axis.",
        ),
        *(
            (
                {"arrays": {"x": states}},
                f"The array of split 'x' should be [layer, row, dim] with at least one layer and one dim, but has the "
                f"shape {list(states.shape)}. Stack the layers of a split along the first axis.",
            )
            for states in (known("train")[:0], known("train")[..., :0])
        ),
        (
            {"arrays": {"x": known("train", "int64")}},
            "The array of split 'x' should be of dtype float16, float32, float64, but is of int64. Convert it to one "
            "of these.",
        ),
        (
            {"arrays": {"x": known("train").tolist()}},
            "The states of split 'x' should be a NumPy array or the path of a file, but came list. Turn them into an "
            "array [layer, row, dim], or name a file.",
        ),
        (
            {"arrays": {"x": known("train")[:, :4]}},
            "The states of split 'x' should have 5 rows, one for each word, or 2, one for each sentence, but have 4. "
            "Give the ids and words of these states.",
        ),
        (
            {"words": None},
            "The states of split 'x' should have 0 rows, one for each word, or 2, one for each sentence, but have 5. "
            "Give the ids and words of these states.",
        ),
        (
            {
                "arrays": {"x": known("train"), "w": known("train")[:, :1]},
                "ids": {"x": ["a", "b"], "w": ["c"]},
                "words": {**ONE["words"], "w": [("q", "r")]},
            },
            "All splits should have one row for each word, or all one for each sentence, but split 'x' has one for "
            "each word and split 'w' one for each sentence. Adopt them as two caches.",
        ),
        *(
            (
                {
                    "arrays": {"x": known("train"), "w": other},
                    "ids": {"x": ["a", "b"], "w": ["c"]},
                    "words": {**ONE["words"], "w": [("q",) * 5]},
                },
                f"All splits should have states of one kind, but split 'x' has 3 layers of 4 dims in float32 and split "
                f"'w' has {kind}. Adopt only states of one encoder together.",
            )
            for other, kind in (
                (known("train")[:2], "2 layers of 4 dims in float32"),
                (known("train")[..., :3], "3 layers of 3 dims in float32"),
                (known("train", "float16"), "3 layers of 4 dims in float16"),
            )
        ),
        (
            {"name": "…"},
            "The name of states should have a letter from a to z or a digit, but is '…'. Choose another.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change: Mapping[str, Any], expected: str, tmp_path: Path) -> None:
    with pytest.raises(CacheError) as caught:
        adopt(**{"name": "known", **ONE, **change}, folder=tmp_path)
    assert str(caught.value) == expected
    assert list(tmp_path.iterdir()) == []


def test_ids_that_are_no_strings_are_refused() -> None:
    """In a process without checked annotations, as users have it."""
    code = "import numpy as np; from probes.cache import adopt; adopt({'x': np.zeros((1, 1, 1))}, {'x': [7]}, name='n')"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stderr.splitlines()[-1] == (
        "probes.errors.CacheError: Ids should be strings, but split 'x' has 7. Convert them with str()."
    )


@pytest.mark.parametrize(
    ("value", "dtype", "shown"),
    [
        (np.nan, "float32", "nan in sentence 'b'"),
        (-np.inf, "float16", "-inf in sentence 'b'"),
        (1e39, "float64", "inf in sentence 'b'"),
    ],
)
def test_states_that_are_not_finite_are_refused(value: float, dtype: str, shown: str, tmp_path: Path) -> None:
    states = known("train", dtype)
    states[2, 3, 1] = value
    with pytest.raises(CacheError) as caught:
        adopt({**ONE["arrays"], "x": states}, ONE["ids"], words=ONE["words"], name="known", folder=tmp_path)
    stored = "float16" if dtype == "float16" else "float32"
    assert str(caught.value) == (
        f"All states should be finite as {stored}, but layer 2 of split 'x' has {shown}. Leave it out, or compute it "
        f"again."
    )
    states[2, 3, 1] = 3e4  # large, and finite in every dtype
    assert (
        adopt({"x": states}, ONE["ids"], words=ONE["words"], name="known", folder=tmp_path).layer(2, "x")[3, 1] == 3e4
    )


def test_state_that_is_not_finite_in_a_later_block_is_found(tmp_path: Path) -> None:
    states = np.asarray(many()["train"]).copy()
    states[1, 8200, 0] = np.nan
    with pytest.raises(CacheError) as caught:
        adopt({"x": states}, {"x": MANY_IDS["train"]}, name="many", folder=tmp_path)
    assert str(caught.value) == (
        "All states should be finite as float32, but layer 1 of split 'x' has nan in sentence 'a8200'. Leave it out, "
        "or compute it again."
    )


def write_sentences(path: Path, **parts: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        for name, part in parts.items():
            file[name.removeprefix("_")] = part


FILES: dict[str, Callable[[Path], Any]] = {
    "text.txt": lambda path: path.write_text("1 2 3"),
    "gone.npy": lambda path: None,
    "text.npy": lambda path: path.write_text("1 2 3"),
    "text.safetensors": lambda path: path.write_text("1 2 3"),
    "text.hdf5": lambda path: path.write_text("1 2 3"),
    "pickle.npy": lambda path: np.save(path, np.array([{}], dtype=object), allow_pickle=True),
    "flat.npy": lambda path: np.save(path, known("train")[0]),
    "whole.npy": lambda path: np.save(path, known("train", "int32")),
    "named.safetensors": lambda path: save_file({"layer_0": np.ones((5, 4)), "layer_2": np.ones((5, 4))}, path),
    "none.safetensors": lambda path: save_file({}, path),
    "mixed.safetensors": lambda path: save_file({"layer_0": np.ones((5, 4)), "layer_1": np.ones((5, 3))}, path),
    "whole.safetensors": lambda path: save_file({"layer_0": np.ones((5, 4), dtype=np.int8)}, path),
    "none.hdf5": lambda path: write_sentences(path),
    "gap.hdf5": lambda path: write_sentences(path, _0=known("train"), _2=known("train")),
    "mixed.hdf5": lambda path: write_sentences(path, _0=known("train")[:, :2], _1=known("train")[:2, 2:]),
    "flat.hdf5": lambda path: write_sentences(path, _0=known("train")[:, :2], _1=known("train")[0, 2:]),
    "more.hdf5": lambda path: write_hdf5(path, known("train"), [2, 2, 1]),
    "other.hdf5": lambda path: write_hdf5(path, known("train"), [3, 2]),
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "text.txt",
            "The states of split 'x' should be in a file that ends in .npy, .safetensors, .hdf5, .h5, but "
            "FOLDER/text.txt ends otherwise. Name a file of these kinds.",
        ),
        (
            "gone.npy",
            "The states of split 'x' should be in a file that ends in .npy, .safetensors, .hdf5, .h5, but "
            "FOLDER/gone.npy is not there. Name a file of these kinds.",
        ),
        (
            "flat.npy",
            "FOLDER/flat.npy should be [layer, row, dim] with at least one layer and one dim, but has the shape [5, "
            "4]. Stack the layers of a split along the first axis.",
        ),
        (
            "whole.npy",
            "FOLDER/whole.npy should be of dtype float16, float32, float64, but is of int32. Convert it to one of "
            "these.",
        ),
        (
            "named.safetensors",
            "FOLDER/named.safetensors should hold the tensors 'layer_0', 'layer_1' and so on, and no others, but holds "
            "'layer_0', 'layer_2'. Write one tensor [row, dim] for each layer.",
        ),
        (
            "none.safetensors",
            "FOLDER/none.safetensors should hold the tensors 'layer_0', 'layer_1' and so on, and no others, but holds "
            "none. Write one tensor [row, dim] for each layer.",
        ),
        (
            "mixed.safetensors",
            "All tensors of FOLDER/mixed.safetensors should have one shape and one dtype, but 'layer_0' has "
            "[5, 4, 'F64'] and 'layer_1' has [5, 3, 'F64']. Write one tensor [row, dim] for each layer.",
        ),
        (
            "whole.safetensors",
            "FOLDER/whole.safetensors should be of dtype float16, float32, float64, but is of I8. Convert it to one of "
            "these.",
        ),
        (
            "none.hdf5",
            "FOLDER/none.hdf5 should hold one data set for each sentence, named '0', '1' and so on, but '0' is "
            "missing. Name them in the order of the ids.",
        ),
        (
            "gap.hdf5",
            "FOLDER/gap.hdf5 should hold one data set for each sentence, named '0', '1' and so on, but '1' is "
            "missing. Name them in the order of the ids.",
        ),
        (
            "mixed.hdf5",
            "All data sets of FOLDER/mixed.hdf5 should be of one kind, but '0' has 3 layers of 4 dims in float32 and "
            "'1' has 2 layers of 4 dims in float32. Write all sentences with one encoder.",
        ),
        (
            "flat.hdf5",
            "Data set '1' of FOLDER/flat.hdf5 should be [layer, row, dim] with at least one layer and one dim, but has "
            "the shape [3, 4]. Stack the layers of a split along the first axis.",
        ),
        (
            "more.hdf5",
            "The states of split 'x' should be of 2 sentences, as many as there are ids, but are of 3. Give the ids of "
            "these states.",
        ),
        (
            "other.hdf5",
            "Sentence 'a' of split 'x' should have 2 rows, but the states at its place, 0, have 3. Give ids and words "
            "in the order of the states.",
        ),
    ],
)
def test_file_that_does_not_fit_is_refused(name: str, expected: str, tmp_path: Path) -> None:
    FILES[name](tmp_path / name)
    with pytest.raises(CacheError) as caught:
        adopt({"x": tmp_path / name}, ONE["ids"], words=ONE["words"], name="known", folder=tmp_path / "caches")
    assert message(caught, tmp_path) == expected


@pytest.mark.parametrize("name", ["text.npy", "text.safetensors", "text.hdf5", "pickle.npy"])
def test_file_that_cannot_be_read_is_refused(name: str, tmp_path: Path) -> None:
    FILES[name](tmp_path / name)
    with pytest.raises(CacheError) as caught:
        adopt({"x": tmp_path / name}, ONE["ids"], words=ONE["words"], name="known", folder=tmp_path / "caches")
    reason = str(caught.value.__cause__).replace(str(tmp_path), "FOLDER")
    assert reason
    assert message(caught, tmp_path) == (
        f"FOLDER/{name} should be a {Path(name).suffix} file with the states of split 'x', but cannot be read: "
        f"{reason}. Write it again."
    )


def test_hdf5_without_h5py_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FILES["other.hdf5"](tmp_path / "other.hdf5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(CacheError) as caught:
        adopt({"x": tmp_path / "other.hdf5"}, ONE["ids"], words=ONE["words"], name="known", folder=tmp_path)
    assert message(caught, tmp_path) == (
        "h5py is needed for FOLDER/other.hdf5, but is not installed. Install it with: "
        "pip install 'layerwise-probes[hdf5]'"
    )
