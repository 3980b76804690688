"""Hidden states on disk: what identifies them, how they are written, how they are read."""

from probes.cache.home import caches_folder, list_caches, probes_home, remove_cache
from probes.cache.identity import identity_hash, library_versions
from probes.cache.manifest import Manifest, SplitSize
from probes.cache.store import Cache, open_cache
from probes.cache.write import CacheWriter

__all__ = [
    "Cache",
    "CacheWriter",
    "Manifest",
    "SplitSize",
    "caches_folder",
    "identity_hash",
    "library_versions",
    "list_caches",
    "open_cache",
    "probes_home",
    "remove_cache",
]
