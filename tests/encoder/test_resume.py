"""Extraction that is interrupted anywhere goes on where it stopped, and ends with the same bytes."""

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from probes.cache import Cache, list_caches, lock_cache
from probes.cache.home import working_folder
from probes.encoder.batch import PlannedBatches
from probes.encoder.extract import extract
from probes.encoder.frozen import FrozenEncoder
from probes.errors import CacheError
from tests.toy import make_corpus
from tests.watch import fail_after

Load = Callable[..., FrozenEncoder]
CORPUS = make_corpus(size=24)
fork = multiprocessing.get_context("fork")


def contents(cache: Cache) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.folder.iterdir()}


@pytest.fixture
def encoder(load: Load, monkeypatch: pytest.MonkeyPatch) -> FrozenEncoder:
    """The toy with small batches, of which the corpus has about forty."""
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")  # its threads do not survive a fork
    return load(batch_pieces=16)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the batches that go through an encoder."""
    numbers: list[int] = []
    real = PlannedBatches.__getitem__

    def note(self: PlannedBatches, position: int) -> dict[str, Any]:
        batch = real(self, position)
        numbers.append(batch["number"])
        return batch

    monkeypatch.setattr(PlannedBatches, "__getitem__", note)
    return numbers


def told(messages: list[str]) -> int:
    """How many batches were said to be there already."""
    return sum(int(message.split(": ")[1].split(" of ")[0]) for message in messages)


def extract_in_child(encoder: FrozenEncoder, folder: Path) -> Any:
    child = fork.Process(target=extract, args=(encoder, CORPUS, "word"), kwargs={"folder": folder})
    child.start()
    return child


def test_killed_at_twenty_random_moments_it_ends_with_the_same_bytes(
    encoder: FrozenEncoder, computed: list[int], tmp_path: Path
) -> None:
    whole = extract(encoder, CORPUS, "word", folder=tmp_path / "whole")
    num_batches, expected = len(computed), contents(whole)
    assert sorted(computed) == list(range(num_batches))
    start = time.perf_counter()
    child = extract_in_child(encoder, tmp_path / "timed")
    child.join()
    longest, moments = time.perf_counter() - start, np.random.default_rng(0)
    parts = set()
    for number in range(20):
        folder = tmp_path / str(number)
        child = extract_in_child(encoder, folder)
        time.sleep(float(moments.uniform(0, longest)))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        is_whole = any(folder.glob("*/manifest.json"))
        computed.clear()
        messages: list[str] = []
        cache = extract(encoder, CORPUS, "word", folder=folder, notify=messages.append)
        assert contents(cache) == expected
        assert len(computed) == (0 if is_whole else num_batches - told(messages))
        assert [path.name for path in folder.glob(".working*")] == []
        parts.add(len(computed))
    assert len(parts) > 2, "the moments have to differ for this test to mean anything"


def test_killed_after_the_cache_had_its_name_nothing_is_left_by_the_next_call(
    encoder: FrozenEncoder, computed: list[int], tmp_path: Path
) -> None:
    cache = extract(encoder, CORPUS, "word", folder=tmp_path)
    expected, working = contents(cache), working_folder(cache.folder)
    (working / "scratch").mkdir(parents=True)
    computed.clear()
    lock = lock_cache(cache.folder, pytest.fail)
    assert contents(extract(encoder, CORPUS, "word", folder=tmp_path)) == expected
    assert working.is_dir(), "its maker may be alive"
    lock.release()
    assert contents(extract(encoder, CORPUS, "word", folder=tmp_path)) == expected
    assert not working.exists()
    assert computed == []


def test_killed_again_and_again_it_gets_there(encoder: FrozenEncoder, computed: list[int], tmp_path: Path) -> None:
    expected = contents(extract(encoder, CORPUS, "word", folder=tmp_path / "whole"))
    num_batches = len(computed)
    there = []
    for number in range(3):
        child = extract_in_child(encoder, tmp_path / "cut")
        while len(list((tmp_path / "cut").glob(".working-*/journal-*.bin"))) == 0:
            time.sleep(0.001)
        (journal,) = (tmp_path / "cut").glob(".working-*/journal-0.bin")
        record = 8 * (1 + 3 * 13)
        while journal.stat().st_size < 4 * (number + 1) * record:
            time.sleep(0.001)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        there.append(journal.stat().st_size // record)
    computed.clear()
    messages: list[str] = []
    cache = extract(encoder, CORPUS, "word", folder=tmp_path / "cut", notify=messages.append)
    assert there == sorted(there)
    assert told(messages) == there[-1] > 0
    assert len(computed) == num_batches - there[-1]
    assert contents(cache) == expected


def test_batch_that_was_damaged_meanwhile_is_computed_again(
    encoder: FrozenEncoder, computed: list[int], tmp_path: Path
) -> None:
    expected = contents(extract(encoder, CORPUS, "word", folder=tmp_path / "whole"))
    calls = list(computed)
    computed.clear()
    fail_after(encoder, 20)
    with pytest.raises(RuntimeError, match="stop"):
        extract(encoder, CORPUS, "word", folder=tmp_path / "cut")
    (states,) = (tmp_path / "cut").glob(".working-*/cache/dev.safetensors")
    content = np.frombuffer(states.read_bytes(), dtype=np.uint8).copy()
    written = int(np.flatnonzero(content[2000:])[0]) + 2000
    content[written] ^= 1
    states.write_bytes(content.tobytes())
    del encoder.model.__dict__["forward"]
    first = set(computed[:-1])
    computed.clear()
    cache = extract(encoder, CORPUS, "word", folder=tmp_path / "cut", notify=lambda message: None)
    assert len(first & set(computed)) == 1
    assert len(computed) == len(calls) - len(first) + 1
    assert contents(cache) == expected


def test_file_size_limit_in_the_middle_is_one_message_and_loses_nothing(
    encoder: FrozenEncoder, computed: list[int], tmp_path: Path
) -> None:
    expected = contents(extract(encoder, CORPUS, "word", folder=tmp_path / "whole"))
    size = max(len(content) for content in expected.values())

    def run(result: Any) -> None:
        def limit(module: torch.nn.Module, given: Any) -> None:
            passes.append(1)
            if len(passes) == 12:  # two of them are the check's
                resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))

        passes: list[int] = []
        encoder.model.register_forward_pre_hook(limit)
        try:
            extract(encoder, CORPUS, "word", folder=tmp_path / "cut")
        except CacheError as error:
            result.put(str(error))

    result = fork.SimpleQueue()
    child = fork.Process(target=run, args=(result,))
    child.start()
    message = result.get()
    child.join()
    (working,) = (tmp_path / "cut").glob(".working-*")
    assert message.endswith(
        f" was to be written in {working}, but: File too large. "
        f"The batches before it stay; make room and call again to go on from there."
    )
    assert list((tmp_path / "cut").glob("*/manifest.json")) == []
    messages: list[str] = []
    computed.clear()
    cache = extract(encoder, CORPUS, "word", folder=tmp_path / "cut", notify=messages.append)
    assert told(messages) >= 5
    assert contents(cache) == expected


def test_disk_too_small_is_refused_before_anything_is_computed(
    encoder: FrozenEncoder, computed: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROBES_CACHE_LIMIT", "0.1MB")
    with pytest.raises(CacheError, match=r"may take 0\.00 GB \(PROBES_CACHE_LIMIT\), but they take"):
        extract(encoder, CORPUS, "word", folder=tmp_path)
    assert computed == []
    assert list(tmp_path.glob("*/manifest.json")) == []


def test_cache_that_another_call_finished_is_opened(encoder: FrozenEncoder, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    first = extract(encoder, CORPUS, "word")
    assert extract(encoder, CORPUS, "word").folder == first.folder
    assert list_caches() == [first.folder]
