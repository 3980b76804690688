"""States that someone else made: an array or a file, read in blocks of consecutive rows."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open

from probes.cache.batch import block_batches
from probes.cache.layout import Layout
from probes.errors import CacheError, list_names
from probes.types import RowIndex

# A dtype that may come, and the one that is stored for it.
STORED = {"float16": "float16", "float32": "float32", "float64": "float32"}
SAFETENSORS_DTYPES = {"F16": "float16", "F32": "float32", "F64": "float64"}
# The data set by which NeuroX finds a sentence; it holds no states.
SENTENCES_NAME = "sentence_to_index"


@dataclass(frozen=True)
class Source:
    """The states of one split, wherever they are; nothing is held open between two blocks."""

    layout: Layout
    """Layers, rows and dims, and the dtype of `read`."""
    load: Callable[[int, int], np.ndarray]
    """Rows from the first number up to the second, as they come: [layer, row, dim]."""
    sizes: Int[np.ndarray, " sentence"] | None = None
    """Rows of each sentence, where the source tells one sentence from the next."""

    def read(self, start: int, stop: int) -> Float[np.ndarray, "layer row dim"]:
        """Rows `start` to `stop` of every layer; a float64 beyond float32 comes as infinity."""
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(self.load(start, stop), dtype=self.layout.dtype)


def open_sources(arrays: Mapping[str, Any], splits: Iterable[str]) -> dict[str, Source]:
    """The states of every split; raises CacheError unless all are there and of one kind."""
    check_splits(splits, arrays, what="states")
    sources = {split: _open_source(arrays[split], split) for split in splits}
    first, layout = next((split, source.layout) for split, source in sources.items())
    for split, source in sources.items():
        one = source.layout
        if one.num_rows == 0:
            raise CacheError(f"Split {split!r} should have states, but has no rows. Fill it or leave it out.")
        if _kind(one) != _kind(layout):
            raise CacheError(
                f"All splits should have states of one kind, but split {first!r} has {_kind(layout)} and split "
                f"{split!r} has {_kind(one)}. Adopt only states of one encoder together."
            )
    return sources


def check_splits(expected: Iterable[str], given: Mapping[str, Any], *, what: str) -> None:
    """Raise CacheError unless something is given for just these splits, and for one at least."""
    expected = list(expected)
    if not expected or set(expected) != set(given):
        raise CacheError(
            f"There should be {what} for the splits of the ids, and one split at least, but the ids have "
            f"{_list(expected)} and the {what} {_list(given)}. Give both for the same splits."
        )


def _open_source(states: Any, split: str) -> Source:
    """The states of a split from an array [layer, row, dim] or a file; raises CacheError for anything else."""
    if isinstance(states, np.ndarray):
        layout = _layout(states.shape, states.dtype.name, where=f"The array of split {split!r}")
        return Source(layout, lambda start, stop: states[:, start:stop])
    if not isinstance(states, (str, Path)):
        raise CacheError(
            f"The states of split {split!r} should be a NumPy array or the path of a file, but came "
            f"{type(states).__name__}. Turn them into an array [layer, row, dim], or name a file."
        )
    path = Path(states)
    if path.suffix not in READERS or not path.is_file():
        raise CacheError(
            f"The states of split {split!r} should be in a file that ends in {', '.join(READERS)}, but {path} "
            f"{'ends otherwise' if path.suffix not in READERS else 'is not there'}. Name a file of these kinds."
        )
    try:
        return READERS[path.suffix](path)
    except (OSError, ValueError, SafetensorError) as error:
        raise CacheError(
            f"{path} should be a {path.suffix} file with the states of split {split!r}, but cannot be read: "
            f"{error}. Write it again."
        ) from error


def hash_states(split: str, source: Source, index: RowIndex) -> str:
    """Hash of every byte of the states, the same for any size of blocks; raises CacheError for one not finite."""
    digests = [sha256() for _ in range(source.layout.num_layers)]
    batches = block_batches({split: source.layout})
    for batch in range(len(batches)):
        for start, size in batches.ranges(batch):
            states = source.read(start, start + size)
            if not np.isfinite(states).all():
                layer, row, dim = np.argwhere(~np.isfinite(states))[0].tolist()
                sentence_id = index.ids[int(np.searchsorted(index.offsets, start + row, side="right")) - 1]
                raise CacheError(
                    f"All states should be finite as {states.dtype}, but layer {layer} of split {split!r} has "
                    f"{states[layer, row, dim]} in sentence {sentence_id!r}. Leave it out, or compute it again."
                )
            for digest, rows in zip(digests, states, strict=True):
                digest.update(rows)
    return sha256(b"".join(digest.digest() for digest in digests)).hexdigest()


def import_h5py(path: Path) -> Any:
    """The library that reads and writes HDF5; raises CacheError if it is not installed."""
    try:
        import h5py
    except ImportError:
        raise CacheError(
            f"h5py is needed for {path}, but is not installed. Install it with: pip install 'layerwise-probes[hdf5]'"
        ) from None
    return h5py


def _from_npy(path: Path) -> Source:
    def load(start: int, stop: int) -> np.ndarray:
        # Mapped anew for each block: pages of a map that stays would count as this process's memory.
        return np.lib.format.open_memmap(path, mode="r")[:, start:stop]

    whole = np.lib.format.open_memmap(path, mode="r")
    return Source(_layout(whole.shape, whole.dtype.name, where=str(path)), load)


def _from_safetensors(path: Path) -> Source:
    with safe_open(path, framework="np") as file:
        found = list(file.keys())
        names = [f"layer_{layer}" for layer in range(len(found))]
        if not found or set(found) != set(names):
            raise CacheError(
                f"{path} should hold the tensors 'layer_0', 'layer_1' and so on, and no others, but holds "
                f"{list_names('layer_0', found)}. Write one tensor [row, dim] for each layer."
            )
        layers = [file.get_slice(name) for name in names]
        shapes = [(*layer.get_shape(), str(layer.get_dtype())) for layer in layers]
    for name, shape in zip(names, shapes, strict=True):
        if shape != shapes[0]:
            raise CacheError(
                f"All tensors of {path} should have one shape and one dtype, but 'layer_0' has {list(shapes[0])} and "
                f"{name!r} has {list(shape)}. Write one tensor [row, dim] for each layer."
            )
    *shape, dtype = shapes[0]
    layout = _layout((len(names), *shape), SAFETENSORS_DTYPES.get(dtype, dtype), where=str(path))

    def load(start: int, stop: int) -> np.ndarray:
        with safe_open(path, framework="np") as file:
            return np.stack([file.get_slice(name)[start:stop] for name in names])

    return Source(layout, load)


def _from_hdf5(path: Path) -> Source:
    h5py = import_h5py(path)
    with h5py.File(path, "r") as file:
        first, sizes = _measure(file, path)
    offsets = np.concatenate([[0], np.cumsum(sizes)])

    def load(start: int, stop: int) -> np.ndarray:
        before, after = np.searchsorted(offsets, start, side="right") - 1, np.searchsorted(offsets, stop, side="left")
        with h5py.File(path, "r") as file:
            parts = [
                file[str(number)][:, max(start - offsets[number], 0) : stop - offsets[number]]
                for number in range(before, after)
                if sizes[number]
            ]
        return np.concatenate(parts, axis=1)

    return Source(Layout(first.num_layers, int(offsets[-1]), first.dim, first.dtype), load, sizes)


def _measure(file: Any, path: Path) -> tuple[Layout, Int[np.ndarray, " sentence"]]:
    """Shape of the states of the first sentence of an HDF5 file, and the rows of each."""
    first = _data_set(file, 0, path)
    sizes = np.zeros(len(file) - (SENTENCES_NAME in file), dtype=np.int64)
    for number in range(len(sizes)):
        one = _data_set(file, number, path)
        if _kind(one) != _kind(first):
            raise CacheError(
                f"All data sets of {path} should be of one kind, but '0' has {_kind(first)} and '{number}' has "
                f"{_kind(one)}. Write all sentences with one encoder."
            )
        sizes[number] = one.num_rows
    return first, sizes


def _data_set(file: Any, number: int, path: Path) -> Layout:
    """Shape of the states of one sentence."""
    found = file.get(str(number))
    if not hasattr(found, "dtype"):  # a group has none
        raise CacheError(
            f"{path} should hold one data set for each sentence, named '0', '1' and so on, but '{number}' is missing. "
            f"Name them in the order of the ids."
        )
    return _layout(found.shape, found.dtype.name, where=f"Data set '{number}' of {path}")


READERS: dict[str, Callable[[Path], Source]] = {
    ".npy": _from_npy,
    ".safetensors": _from_safetensors,
    ".hdf5": _from_hdf5,
    ".h5": _from_hdf5,
}


def _layout(shape: tuple[int, ...], dtype: str, *, where: str) -> Layout:
    """Shape and stored dtype of states that came as [layer, row, dim]; raises CacheError if they are something else."""
    if len(shape) != 3 or shape[0] == 0 or shape[2] == 0:
        raise CacheError(
            f"{where} should be [layer, row, dim] with at least one layer and one dim, but has the shape "
            f"{list(shape)}. Stack the layers of a split along the first axis."
        )
    if dtype not in STORED:
        raise CacheError(
            f"{where} should be of dtype {', '.join(STORED)}, but is of {dtype}. Convert it to one of these."
        )
    num_layers, num_rows, dim = shape
    return Layout(num_layers, num_rows, dim, STORED[dtype])


def _kind(layout: Layout) -> str:
    return f"{layout.num_layers} layers of {layout.dim} dims in {layout.dtype}"


def _list(splits: Iterable[str]) -> str:
    return ", ".join(repr(split) for split in splits) or "none"
