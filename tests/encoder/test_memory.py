"""Memory does not grow with the corpus: neither while it is encoded, nor while it is read."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from probes.cache.layout import Layout
from tests.toy import CHECKOUT

MEASURE = """
import sys, threading, time
from collections.abc import Sequence
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
from probes.encoder.extract import extract
from probes.encoder.load import load_encoder
from probes.types import Corpus, Sentence

torch.set_num_threads(1)
WORDS = ["the", "dog", "cat", "sees", "runs", "big", "small", "often"]


class Lazy(Sequence):
    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, number):
        if not 0 <= number < self.size:
            raise IndexError(number)
        return Sentence(f"s{number}", (f"x{number}", *(WORDS[(number + i) % 8] for i in range(1 + number % 5))))


def anonymous():
    line = next(line for line in open("/proc/self/status") if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1000


largest, is_done = [0.0], threading.Event()
def watch():
    while not is_done.wait(0.005):
        largest[0] = max(largest[0], anonymous())

encoder = load_encoder(sys.argv[2])
extract(encoder, Corpus("first", {"train": Lazy(200)}), "word", folder=Path(sys.argv[3]) / "first")
threading.Thread(target=watch).start()
cache = extract(encoder, Corpus("lazy", {"train": Lazy(int(sys.argv[4]))}), "word", folder=Path(sys.argv[3]))
is_done.set()
print(largest[0], cache.num_bytes / 1e6, cache.manifest.splits["train"].rows)
"""


def measure(toy_bert: Path, folder: Path, size: int) -> tuple[float, float]:
    """Most anonymous memory while so many sentences are encoded, and the size of their cache, in MB."""
    command = [sys.executable, "-c", MEASURE, str(CHECKOUT), str(toy_bert), str(folder), str(size)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    memory, size_on_disk, _ = ran.stdout.split()
    return float(memory), float(size_on_disk)


@pytest.mark.slow
def test_memory_of_encoding_does_not_grow_with_the_corpus(toy_bert: Path, tmp_path: Path) -> None:
    small, _ = measure(toy_bert, tmp_path / "small", 2500)
    large, on_disk = measure(toy_bert, tmp_path / "large", 25000)
    assert on_disk > 75, "a cache that fitted into the allowance would prove nothing"
    assert large - small < 50


@pytest.mark.slow
def test_cache_larger_than_memory_can_be_read(tmp_path: Path) -> None:
    """A file of 13 layers with holes in it, larger than this machine's memory, and a row of every layer."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    layout = Layout(13, 1 + memory // (12 * 768 * 2), 768, "float16")
    assert layout.file_bytes > memory
    path = tmp_path / "train.safetensors"
    with path.open("wb") as file:
        file.truncate(layout.file_bytes)
        for layer in range(13):
            file.seek(layout.offset(layer, layout.num_rows - 1))
            file.write(np.full(768, layer + 1, dtype=np.float16).tobytes())
    rows = np.random.default_rng(0).integers(0, layout.num_rows - 1, size=256)
    for layer in range(13):
        view = layout.open_layer(path, layer)
        assert view[-1].tolist() == [layer + 1] * 768
        assert view[rows].shape == (256, 768)
        assert not view[rows].any()
