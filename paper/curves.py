"""Numbers of MiniLM's curves: every layer, what a block costs, and how far from their optimum probes ended."""

from collections.abc import Mapping

from kept import Kept, Numbers, percents

from probes.config import FitConfig
from probes.fit.gap import CONVERGED_GAP

# The strongest penalty of the grid that stands where nothing is said.
USUAL = max(FitConfig().l2)
# Curves of which the text gives numbers: experiment, task, vector of the sentence, kind of twin, what is scored.
CURVES: Mapping[str, tuple[str, str, str | None, str | None, str]] = {
    "pos": ("ewt_suite", "pos", None, None, "task"),
    "pos.control": ("ewt_suite", "pos", None, None, "word_type"),
    "pos.selectivity": ("ewt_suite", "pos", None, None, "selectivity"),
    "pos.twin": ("ewt_suite", "pos", None, "untrained", "task"),
    "label": ("ewt_suite", "dependency_label", None, None, "task"),
    "chunk": ("chunking", "chunk", None, None, "task"),
    "trec.mean": ("trec", "label", "mean", None, "task"),
    "trec.cls": ("trec", "label", "cls", None, "task"),
    "sst.mean": ("sst2", "label", "mean", None, "task"),
    "sst.cls": ("sst2", "label", "cls", None, "task"),
    "relation": ("semeval_relations", "relation", None, None, "task"),
    "words": ("ewt_suite", "word_content", None, None, "task"),
    "words.twin": ("ewt_suite", "word_content", None, "untrained", "task"),
    "length.four": ("legacy_jawahar2019", "sentence_length", None, None, "task"),
    "length.four.twin": ("legacy_jawahar2019", "sentence_length", None, "untrained", "task"),
    "length.four.norms": ("legacy_jawahar2019", "sentence_length", None, "kept_norms", "task"),
    "length.end": ("legacy_jawahar2019_epochs", "sentence_length", None, None, "task"),
    "length.end.twin": ("legacy_jawahar2019_epochs", "sentence_length", None, "untrained", "task"),
    "length.end.norms": ("legacy_jawahar2019_epochs", "sentence_length", None, "kept_norms", "task"),
}


def layer_numbers(kept: Kept) -> Numbers:
    """Curves of MiniLM: every layer, the layer that dev chose and its accuracy on test, and the highest.

    Of several twins of a kind the highest at each layer.
    """
    for key, (experiment, task, sentence, twin, variant) in CURVES.items():
        records = kept.records(experiment, task, sentence=sentence, twin=twin)
        record = records[0]
        values = [max(layer) for layer in zip(*(percents(one, variant) for one in records), strict=True)]
        yield from ((f"{key}.{layer}", f"{value:.1f}") for layer, value in zip(record.layers, values, strict=True))
        yield f"{key}.where", record.layers[record.best_layer]
        yield f"{key}.chosen", f"{values[record.best_layer]:.1f}"
        yield f"{key}.high", f"{max(values):.1f}"


def drop_numbers(kept: Kept) -> Numbers:
    """What the last block costs each vector of a question, and [CLS] of a review."""
    for vector in ("cls", "mean"):
        values = percents(kept.record("trec", "label", sentence=vector))
        yield f"drop.{vector}", f"{values[-2] - values[-1]:.0f}"
    values = percents(kept.record("sst2", "label", sentence="cls"))
    yield "drop.sst.cls", f"{values[-2] - values[-1]:.1f}"


def gap_numbers(kept: Kept) -> Numbers:
    """Linear probes of the task in these curves, and how many ended further from their optimum than is tolerated."""
    asked = dict.fromkeys((experiment, task, sentence, twin) for experiment, task, sentence, twin, _ in CURVES.values())
    runs = [
        run
        for experiment, task, sentence, twin in asked
        for run in kept.records(experiment, task, sentence=sentence, twin=twin)
    ]
    gaps = [row.gap for run in runs for row in run.probes if row.variant == "task" and row.gap is not None]
    yield "gap.fits", str(len(gaps))
    yield "gap.open", str(sum(gap > CONVERGED_GAP for gap in gaps))
    yield "gap.most", f"{max(gaps):.2f}"


def penalty_numbers(kept: Kept) -> Numbers:
    """Relations by each fit of `penalties`, at the layer that dev chose; and the best F1 of the edge probe."""
    for record in kept.every("penalties", "relation"):
        fit = record.config["fit"]
        key = f"penalty.{fit['solver']}.{'strong' if max(fit['l2']) > USUAL else 'usual'}"
        values = percents(record)
        yield f"{key}.chosen", f"{values[record.best_layer]:.1f}"
        yield f"{key}.where", record.layers[record.best_layer]
        (f1,) = record.select(variant="task", metric="relation_f1", layer=record.best_layer)
        yield f"{key}.f1", f"{100 * (f1.value or 0):.1f}"
    edge = kept.analysis("edge", "relation").select(variant="task", metric="relation_f1", at={"over": "layer"})
    yield "edge.f1.high", f"{100 * max(one.value or 0 for one in edge):.1f}"
