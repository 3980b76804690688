"""Vectors of runs to come that one pass of the encoder gives as well."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from probes.config import Run
from probes.errors import ProbesError
from probes.study.material import material_key
from probes.task import unit_of

if TYPE_CHECKING:
    from probes.encoder.frozen import FrozenEncoder


def encoders_beside(encoder: "FrozenEncoder", run: Run, later: Iterable[Run]) -> Iterator["FrozenEncoder"]:
    """The encoder of a run with the other vectors that later runs ask of the same texts: first piece or mean, say.

    None for a twin whose cache is not kept (`cache.keep: pretrained`): that setting is for small disks, and holds one
    of them at a time. An encoder that cannot be loaded is left to its own run, which tells why. Each is loaded when it
    is asked for.
    """
    from probes.encoder.load import (  # here: a cache that was adopted is probed without transformers
        load_beside,
        share_states,
    )

    if run.cache.keep == "pretrained" and run.encoder.twin is not None:
        return
    texts = _texts(run)
    wanted = {other.encoder.model_dump_json(): other.encoder for other in later if _texts(other) == texts}
    wanted.pop(run.encoder.model_dump_json(), None)
    for config in wanted.values():
        try:
            one = load_beside(encoder, config)
            one.pooling(unit_of(run.task.name))  # it, too, may be an error of that run
        except ProbesError:
            continue
        if share_states(encoder, one):
            yield one


def _texts(run: Run) -> str:
    """Equal for runs whose encoders read the same pieces in the same batches."""
    encoder = run.encoder.model_copy(update={"word": None, "sentence": None})
    return f"{encoder.model_dump_json()} {material_key(run)} {unit_of(run.task.name)}"
