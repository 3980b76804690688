"""An encoder whose states depend on padding is found out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertModel

from probes.encoder import check
from probes.encoder.check import TOLERANCE, check_invariance
from probes.encoder.extract import extract
from probes.encoder.frozen import FrozenEncoder
from probes.errors import EncoderError
from tests.toy import make_corpus

Load = Callable[..., FrozenEncoder]
WORDS = [("the", "dog", "sees"), ("a", "cat")]


class MasklessBert(BertModel):
    """Attends to padding as if it were text."""

    def forward(self, *, attention_mask: torch.Tensor, **given: Any) -> Any:
        return super().forward(attention_mask=torch.ones_like(attention_mask), **given)


@pytest.fixture(scope="module")
def maskless(toy: FrozenEncoder, toy_bert: Path) -> FrozenEncoder:
    model = MasklessBert.from_pretrained(toy_bert, add_pooling_layer=False).eval()
    return replace(toy, model=model)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"attention": "eager"},
        {"compute_dtype": "bfloat16"},
        {"compute_dtype": "float16", "load_dtype": "float16"},
        {"load_dtype": "bfloat16"},
    ],
)
@pytest.mark.parametrize("texts", [WORDS, ["the dog sees", "a cat"]])
def test_encoder_that_heeds_its_mask_passes(settings: dict[str, str], texts: list[Any], load: Load) -> None:
    check_invariance(load(**settings), texts)


@pytest.mark.parametrize("texts", [WORDS, ["the dog sees", "a cat"], [("dog",)], ["the"]])
def test_encoder_that_ignores_its_mask_is_refused(texts: list[Any], maskless: FrozenEncoder) -> None:
    with pytest.raises(EncoderError, match=r"^The states of a text should not depend on padding, but those of "):
        check_invariance(maskless, texts)


def test_message_names_the_layer_that_moves_most(maskless: FrozenEncoder) -> None:
    alone = maskless([WORDS[1]]).hidden_states
    # The longest text three times over stands beside the shortest.
    beside = maskless([WORDS[1], WORDS[0] * 3]).hidden_states
    num_pieces = alone[0].shape[1]
    pairs = zip(alone, beside, strict=True)
    moved = [float(((a[0] - b[0, :num_pieces]).norm(dim=1) / a[0].norm(dim=1)).max()) for a, b in pairs]
    layer = maskless.layers[moved.index(max(moved))]
    with pytest.raises(EncoderError) as caught:
        check_invariance(maskless, WORDS)
    assert str(caught.value) == (
        f"The states of a text should not depend on padding, but those of {maskless.config.name!r} move by "
        f"{max(moved):.1%} at layer {layer} when the text stands beside a longer one (float32 allows 0.01%). "
        f"This encoder ignores its attention mask, or gives NaN; do not probe it."
    )
    assert max(moved) > 1000 * TOLERANCE["float32"]


@pytest.mark.parametrize("asked", ["highest", "high", "medium"])
def test_mask_is_checked_with_all_digits_whatever_precision_products_have(
    asked: str, toy: FrozenEncoder, maskless: FrozenEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    states, seen = check._states, []
    monkeypatch.setattr(
        check, "_states", lambda *given: seen.append(torch.get_float32_matmul_precision()) or states(*given)
    )
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(asked)
    try:
        check_invariance(toy, WORDS)
        with pytest.raises(EncoderError, match=r"float32 allows 0\.01%\).*ignores its attention mask"):
            check_invariance(maskless, WORDS)
        assert torch.get_float32_matmul_precision() == asked
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen == ["highest"] * 4


def test_texts_that_fill_the_limit_are_checked_too(maskless: FrozenEncoder) -> None:
    with pytest.raises(EncoderError, match="ignores its attention mask"):
        check_invariance(maskless, [("dog",) * 80, ("cat",) * 90])


def test_text_without_pieces_is_checked_beside_another(maskless: FrozenEncoder) -> None:
    with pytest.raises(EncoderError, match="ignores its attention mask"):
        check_invariance(maskless, [("\u200b",), ("the", "dog")])


def test_encoder_that_gives_nan_is_refused(load: Load) -> None:
    encoder = load()
    encoder.model.encoder.layer[4].output.dense.bias.fill_(float("nan"))
    with pytest.raises(EncoderError, match=r"move by nan% at layer 5 when .* or gives NaN; do not probe it\.$"):
        check_invariance(encoder, WORDS)


@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_failed_check_leaves_no_cache(unit: str, maskless: FrozenEncoder, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="ignores its attention mask"):
        extract(maskless, make_corpus(), unit, folder=tmp_path / "caches")
    assert not (tmp_path / "caches").exists()
