"""A cache as files that other tools read."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np

from probes.cache.batch import block_batches
from probes.cache.home import WORKING_PREFIX
from probes.cache.source import SENTENCES_NAME, import_h5py
from probes.cache.store import Cache
from probes.errors import CacheError, list_names
from probes.types import RowIndex

Form = Literal["neurox", "structural-probes", "parquet"]

BLOCK_SENTENCES = 256


def export_cache(cache: Cache, folder: Path, form: Form) -> list[Path]:
    """One file for each split, in their order; a file has its name only when it is whole.

    `structural-probes`: HDF5 with a float32 data set [layer, word, dim] for each sentence, named by its position;
    a sentence without rows has one of no words.
    `neurox`: the same, and a JSON object from the text of each sentence to its position. The text is the words with
    spaces between them, the running text, or without a corpus the id. NeuroX reads no sentence that is not in there,
    so the second of the same text is `text (Occurrence 2)`, as NeuroX writes it.
    `parquet`: a table of rows with sentence_id, word, and layer_emb, layer_1 and so on as lists of fixed size.
    Raises CacheError for another form, a file that exists, and a place that cannot be written.
    """
    if form not in WRITERS:
        raise CacheError(
            f"{cache.folder.name} can be exported as {list_names(form, WRITERS)}, but came {form!r}. "
            f"Choose one of these."
        )
    suffix, write = WRITERS[form]
    paths = {split: folder / f"{split}{suffix}" for split in cache.splits}
    for path in paths.values():
        if path.exists():
            raise CacheError(
                f"{cache.folder.name} was to be exported to {path}, but there is such a file already. "
                f"Remove it, or name another folder."
            )
    if suffix == ".hdf5":
        import_h5py(next(iter(paths.values())))
    for split, path in paths.items():
        _write_whole(path, lambda part, split=split: write(cache, split, part))
    return list(paths.values())


def _write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file under another name, then give it its own."""
    part = path.with_name(f"{WORKING_PREFIX}{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        part.rename(path)
    except OSError as error:
        raise CacheError(
            f"{path} was to be written, but: {error.strerror or error}. Free space there, or name another folder."
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _write_structural_probes(cache: Cache, split: str, path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        _put_sentences(file, cache, split)


def _write_neurox(cache: Cache, split: str, path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        _put_sentences(file, cache, split)
        positions = json.dumps(_number_texts(_texts(cache, split)))
        file.create_dataset(SENTENCES_NAME, data=[positions], dtype=h5py.string_dtype())


def _put_sentences(file: Any, cache: Cache, split: str) -> None:
    offsets = cache.index(split).offsets
    views: list[np.ndarray] = []
    for number in range(len(offsets) - 1):
        if number % BLOCK_SENTENCES == 0:
            views = _open_layers(cache, split)
        rows = slice(offsets[number], offsets[number + 1])
        file.create_dataset(str(number), data=np.stack([view[rows] for view in views]), dtype=np.float32)


def _open_layers(cache: Cache, split: str) -> list[np.ndarray]:
    """Views of all layers, to be opened anew for each block: what was read of them counts as our memory."""
    return [cache.layer(layer, split) for layer in range(len(cache.layers))]


def _number_texts(texts: Iterable[str]) -> dict[str, str]:
    """The position of each text, as a string; a text that comes again is told apart by how often it came.

    >>> _number_texts(["Yes .", "No .", "Yes .", "Yes ."])
    {'Yes .': '0', 'No .': '1', 'Yes . (Occurrence 2)': '2', 'Yes . (Occurrence 3)': '3'}
    """
    positions: dict[str, str] = {}
    occurrences: Counter[str] = Counter()
    for number, text in enumerate(texts):
        name = text
        while name in positions:
            occurrences[text] += 1
            name = f"{text} (Occurrence {occurrences[text] + 1})"
        positions[name] = str(number)
    return positions


def _texts(cache: Cache, split: str) -> Iterator[str]:
    """What stands for each sentence of a split, joined by id."""
    ids = cache.index(split).ids
    if cache.corpus is None:
        yield from ids
        return
    texts = {sentence.id: sentence.plain.strip() for sentence in cache.corpus[split]}
    for sentence_id in ids:
        if sentence_id not in texts:
            raise CacheError(
                f"Corpus {cache.corpus.name!r} should have every sentence of split {split!r} of {cache.folder.name}, "
                f"but has no {sentence_id!r}. Give the corpus that the states are of."
            )
        yield texts[sentence_id]


def _write_parquet(cache: Cache, split: str, path: Path) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    index, layout = cache.index(split), cache.layout(split)
    kind = pa.list_(pa.from_numpy_dtype(np.dtype(layout.dtype)), layout.dim)
    layers = [(f"layer_{name}", kind) for name in cache.layers]
    schema = pa.schema([("sentence_id", pa.string()), ("word", pa.int32()), *layers])
    batches = block_batches({split: layout})
    # States hardly repeat: a dictionary of them would be tried, and given up.
    with ParquetWriter(path, schema, use_dictionary=False) as writer:
        for batch in range(len(batches)):
            [(start, size)] = batches.ranges(batch)
            values = [pa.array(view[start : start + size].reshape(-1)) for view in _open_layers(cache, split)]
            states = [pa.FixedSizeListArray.from_arrays(value, layout.dim) for value in values]
            names, word = _sentence_ids(index, start, size), index.word[start : start + size]
            columns = [pa.array(names, pa.string()), pa.array(word), *states]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _sentence_ids(index: RowIndex, start: int, size: int) -> list[str]:
    """The id of the sentence of each of `size` rows from `start`."""
    sentences = np.searchsorted(index.offsets, np.arange(start, start + size), side="right") - 1
    return [index.ids[int(number)] for number in sentences]


WRITERS: dict[str, tuple[str, Callable[[Cache, str, Path], None]]] = {
    "neurox": (".hdf5", _write_neurox),
    "structural-probes": (".hdf5", _write_structural_probes),
    "parquet": (".parquet", _write_parquet),
}
