"""Hidden states on disk: what identifies them, how they are written, how they are read.

A cache is a folder `<encoder>-<hash of its identity>`:

- `manifest.json`: identity, encoder, layers, splits, what was cut or lost by id, hashes of the files; sealed.
- `<split>.safetensors`: one array [row, dim] a layer, `layer_0` the output of the embeddings, rows in corpus order.
- `<split>.index.safetensors`, `<split>.ids.json`, `vocabulary.json`: whose the rows are.
- `batches.safetensors`: the rows that each batch filled, and the checksums of what it wrote.

While it is made, it is `.working-<name>/cache`, beside the tokenised corpus (`scratch`), one journal a process, and
`owner.json`; the lock is `.locks/<name>.lock`. Only a whole cache has its name.
"""

from probes.cache.adopt import adopt
from probes.cache.batch import Batches, block_batches
from probes.cache.export import export_cache
from probes.cache.home import (
    caches_folder,
    days_unused,
    folder_bytes,
    list_caches,
    list_unfinished,
    probes_home,
    remove_cache,
    working_name,
)
from probes.cache.identity import identity_hash, library_versions
from probes.cache.layout import Layout
from probes.cache.lock import clear_working, is_held, lock_cache, try_lock
from probes.cache.manifest import Manifest, SplitSize
from probes.cache.store import Cache, inspect_cache, open_cache
from probes.cache.verify import verify_cache
from probes.cache.write import CacheWriter

__all__ = [
    "Batches",
    "Cache",
    "CacheWriter",
    "Layout",
    "Manifest",
    "SplitSize",
    "adopt",
    "block_batches",
    "caches_folder",
    "clear_working",
    "days_unused",
    "export_cache",
    "folder_bytes",
    "identity_hash",
    "inspect_cache",
    "is_held",
    "library_versions",
    "list_caches",
    "list_unfinished",
    "lock_cache",
    "open_cache",
    "probes_home",
    "remove_cache",
    "try_lock",
    "verify_cache",
    "working_name",
]
