"""The loop over planned batches: what it refuses to write, and what it tells."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from probes.cache import Cache, verify_cache
from probes.encoder.extract import extract
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.predict import started_processes
from probes.errors import EncoderError
from probes.types import Corpus, Sentence
from tests.toy import make_corpus

Load = Callable[..., FrozenEncoder]
TRAIN = [Sentence("a", ("the", "dog", "sees")), Sentence("b", ("a", "big", "cat", "runs"))]
CORPUS = Corpus("bad", {"train": TRAIN, "test": [Sentence("fine", ("the", "cat")), Sentence("odd", ("a", "q", "dog"))]})


def poison(encoder: FrozenEncoder, word: str, value: float) -> FrozenEncoder:
    """Put a value into the embedding of one word."""
    piece = encoder.tokenizer.convert_tokens_to_ids(word)
    encoder.model.get_input_embeddings().weight[piece, 3] = value
    return encoder


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_state_that_is_no_number_is_named_and_leaves_no_cache(
    value: float, unit: str, load: Load, tmp_path: Path
) -> None:
    encoder = poison(load(sentence="mean"), "q", value)
    with pytest.raises(EncoderError) as caught:
        extract(encoder, CORPUS, unit, folder=tmp_path)
    assert str(caught.value) == (
        "States should be finite numbers, but sentence 'odd' of split 'test' has NaN or infinity at layer 0. "
        "Look at this sentence, or compute in float32. What was computed before stays for the next call."
    )
    assert list(tmp_path.glob("*/manifest.json")) == []


def test_first_layer_that_is_no_number_is_named(load: Load, tmp_path: Path) -> None:
    encoder = load(batch_pieces=6)

    def spoil(module: torch.nn.Module, given: tuple[torch.Tensor, ...], made: torch.Tensor) -> torch.Tensor:
        return made * torch.where(given[0].shape[1] == torch.tensor(6), torch.tensor(float("nan")), torch.tensor(1.0))

    encoder.model.encoder.layer[8].output.register_forward_hook(spoil)
    corpus = Corpus("bad", {"train": TRAIN[:1], "test": TRAIN[1:]})  # "b" alone has six pieces
    with pytest.raises(EncoderError, match=r"sentence 'b' of split 'test' has NaN or infinity at layer 9\."):
        extract(encoder, corpus, "word", folder=tmp_path)
    assert list(tmp_path.glob("*/manifest.json")) == []


def scale_embeddings(encoder: FrozenEncoder, largest: float) -> float:
    """Scale one dimension of the embedding output; returns the largest number the sentences then have."""
    norm = encoder.model.embeddings.LayerNorm
    norm.bias[5] = largest
    norm.weight[5] = 0.0
    return float(encoder([("a", "q", "dog")]).hidden_states[0].max())


def test_number_beyond_float16_is_named_and_leaves_no_cache(load: Load, tmp_path: Path) -> None:
    encoder = load()
    assert scale_embeddings(encoder, 65536.0) == 65536.0
    with pytest.raises(EncoderError) as caught:
        extract(encoder, CORPUS, "word", folder=tmp_path)
    assert str(caught.value) == (
        "States stored as float16 should stay within 65504, but sentence 'a' of split 'train' has 65536 at layer 0. "
        "Set encoder.store_dtype to float32."
    )
    assert list(tmp_path.glob("*/manifest.json")) == []


def test_number_that_float16_would_round_down_is_named(load: Load, tmp_path: Path) -> None:
    encoder = load()
    scale_embeddings(encoder, 65510.0)
    with pytest.raises(EncoderError, match=r"but sentence 'a' of split 'train' has 65510 at layer 0\."):
        extract(encoder, CORPUS, "word", folder=tmp_path)


def test_largest_float16_and_larger_float32_are_kept(load: Load, tmp_path: Path) -> None:
    exact, wide = load(), load(store_dtype="float32")
    scale_embeddings(exact, 65504.0)
    scale_embeddings(wide, 65536.0)
    assert set(extract(exact, CORPUS, "word", folder=tmp_path).layer(0, "test")[:, 5]) == {np.float16(65504)}
    assert set(extract(wide, CORPUS, "word", folder=tmp_path).layer(0, "test")[:, 5]) == {np.float32(65536)}


def test_every_row_is_written(toy: FrozenEncoder, tmp_path: Path) -> None:
    cache: Cache = extract(toy, CORPUS, "word", folder=tmp_path)
    for split in CORPUS.splits:
        for layer in range(13):
            assert (np.abs(cache.layer(layer, split)).max(axis=1) > 0).all()


def test_extraction_is_silent(toy: FrozenEncoder, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    extract(toy, CORPUS, "word", folder=tmp_path)
    assert capfd.readouterr() == ("", "")


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.gpu
@needs_gpu
def test_encoder_stays_on_its_device(load: Load, tmp_path: Path) -> None:
    encoder = load(device="cuda")
    cache = extract(encoder, CORPUS, "word", folder=tmp_path)
    assert encoder.device.type == "cuda"
    assert cache.manifest.environment["device"] == "cuda:0"


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-3), ("bfloat16", 1e-1)])
@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_gpu_gives_the_states_of_the_cpu(unit: str, dtype: str, tolerance: float, load: Load, tmp_path: Path) -> None:
    corpus = make_corpus(size=24)
    cpu, gpu = (
        extract(load(device=device, compute_dtype=dtype, word="mean", batch_pieces=64), corpus, unit, folder=tmp_path)
        for device in ("cpu", "cuda")
    )
    assert cpu.folder != gpu.folder
    assert verify_cache(gpu.folder) == []
    for split in corpus.splits:
        for layer in range(13):
            np.testing.assert_allclose(gpu.layer(layer, split), cpu.layer(layer, split), rtol=0, atol=tolerance)


def test_processes_are_those_that_were_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three ways of starting: alone, by torchrun on two nodes of four, by SLURM on two nodes of three."""
    for name in ("TORCHELASTIC_RUN_ID", "GROUP_RANK", "SLURM_NTASKS", "SLURM_JOB_NAME", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert started_processes() == {"devices": 1, "num_nodes": 1, "strategy": "auto"}
    with monkeypatch.context() as torchrun:
        for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}.items():
            torchrun.setenv(name, value)
        assert started_processes() == {"devices": 4, "num_nodes": 2, "strategy": "ddp"}
    for name, value in {"SLURM_NTASKS": "6", "SLURM_JOB_NAME": "encode"}.items():
        monkeypatch.setenv(name, value)
    assert started_processes() == {"devices": 1, "num_nodes": 1, "strategy": "auto"}  # a batch script without srun
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "6")
    monkeypatch.setenv("SLURM_STEP_NUM_NODES", "2")
    assert started_processes() == {"devices": 3, "num_nodes": 2, "strategy": "ddp"}
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    assert started_processes() == {"devices": 1, "num_nodes": 1, "strategy": "auto"}
