"""Every byte of a cache against what was written."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from probes.cache.batch import borders, stored_checksums
from probes.cache.layout import states_path
from probes.cache.store import Cache, inspect_cache
from probes.errors import CacheError


def verify_cache(folder: Path) -> list[str]:
    """What is wrong with a cache, a line each, with the name of the file; empty for a cache as it was written.

    Manifest and sizes first, then every small file by its SHA-256, then all states by the checksums of their
    batches and the header of their files.
    """
    try:
        cache = inspect_cache(folder)
        for name in cache.manifest.files:
            cache.read_file(cache.folder / name)
        return [*_headers(cache), *_states(cache)]
    except (CacheError, OSError) as error:
        return [str(error)]


def _headers(cache: Cache) -> Iterator[str]:
    for split in cache.splits:
        path, header = states_path(cache.folder, split), cache.layout(split).header
        with path.open("rb") as file:
            if file.read(len(header)) != header:
                yield f"{path}: its header should be as it was written, but was changed"


def _states(cache: Cache) -> Iterator[str]:
    batches, written = cache.batches()
    limits = borders({split: cache.layout(split) for split in cache.splits})
    views = {split: [cache.layer(layer, split) for layer in range(len(cache.layers))] for split in cache.splits}
    damaged: dict[tuple[int, int], list[int]] = {}
    for batch in range(len(batches)):
        found = stored_checksums(views, batches.rows(batch), limits)
        for split, layer in np.argwhere(found != written[batch]).tolist():
            damaged.setdefault((split, layer), []).append(batch)
    for (split, layer), numbers in sorted(damaged.items()):
        rows = np.concatenate([batches.rows(number) for number in numbers]) - limits[split]
        index = cache.index(cache.splits[split])
        rows = rows[(rows >= 0) & (rows < index.offsets[-1])]
        first = index.ids[int(np.searchsorted(index.offsets, rows.min(), side="right")) - 1]
        yield (
            f"{states_path(cache.folder, cache.splits[split])}: layer {cache.layers[layer]} should be as it was "
            f"written, but {len(numbers)} of {len(batches)} batches were changed, that of sentence {first!r} among them"
        )
