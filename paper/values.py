"""Every number that the paper's text names: a key and how it is written."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from curves import drop_numbers, gap_numbers, layer_numbers, penalty_numbers
from kept import MINILM, Kept, Numbers, percents
from multiverse import claims_numbers, unit_numbers

import probes


def own_numbers(kept: Kept) -> Numbers:
    """The training of our encoder."""
    held_out = {row["name"]: row for row in kept.json("pretrain/held_out.json")["rows"]}
    training = kept.json("pretrain/over_training.json")
    last = training["loss"][-1]
    yield "own.read", f"{last['pieces'] / 1e6:.0f}"
    yield "own.minutes", f"{last['seconds'] / 60:.0f}"
    yield "own.corpus", f"{training['corpus_pieces'] / 1e6:.1f}"
    for key, name in (("unigram", "unigram"), ("bigram", "bigram"), ("nats", "pkg:probes/weights/bert-12x128")):
        yield f"own.{key}", f"{held_out[name]['nats']:.2f}"


def encode_numbers(kept: Kept) -> Numbers:
    """Encoding beside peers."""
    found = kept.json("benchmarks/encode.json")["encoders"]["MiniLM, EWT train"]
    median, ratios = found["median"], found["ratios"]
    yield "enc.sentences", f"{found['sentences']:,}"
    yield "enc.ours32", f"{median['b ours float32']:.0f}"
    yield "enc.loop32", f"{median['c loop of 32 float32']:.0f}"
    yield "enc.ours16", f"{median['b ours bfloat16']:.1f}"
    yield "enc.over32", f"{ratios['ours / bare, float32']:.2f}"
    unit = kept.json("benchmarks/precision.json")["units"]["[CLS], sentence length"]["accuracy"]
    apart = max(abs(one - other) for one, other in zip(unit["float32"], unit["bfloat16"], strict=True))
    yield "precision.cls", f"{100 * apart:.1f}"
    times = kept.json("benchmarks/vectors.json")["times_as_fast"].values()
    yield "vectors.times", f"{min(times):.1f} to {max(times):.1f}"


def fit_numbers(kept: Kept) -> Numbers:
    """Fitting beside peers."""
    found = kept.json("benchmarks/fit.json")
    rows = {row["what"]: row for row in found["rows"]}
    named = {
        "sklearn": "(a) scikit-learn",
        "lightning": "(b) a Lightning Trainer a layer",
        "stack": "(d) ours, stack",
        "exact": "(e) ours, exact",
    }
    for key, what in named.items():
        seconds = rows[what]["median_seconds"]
        yield f"fit.{key}", f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"
    yield "fit.stack32", f"{rows['ours, stack, float32']['median_seconds']:.1f}"
    stack = rows[named["stack"]]["accuracy"]
    for key, what in (
        ("fit.apart", named["sklearn"]),
        ("fit.exact.apart", named["exact"]),
        ("fit.stack32.apart", "ours, stack, float32"),
    ):
        pairs = zip(rows[what]["accuracy"], stack, strict=True)
        yield key, f"{max(abs(one - other) for one, other in pairs):.2f}"
    for key, what in (("fit.above", named["stack"]), ("fit.sklearn.above", named["sklearn"])):
        pairs = zip(rows[what]["objective"], rows[named["exact"]]["objective"], strict=True)
        above = [ours - least for ours, least in pairs]
        yield from ((f"{key}.low", f"{min(above):.3f}"), (f"{key}.high", f"{max(above):.3f}"))
    yield "fit.times", f"{rows[named['sklearn']]['median_seconds'] / rows[named['stack']]['median_seconds']:.0f}"
    yield "fit.rows", f"{found['train_rows']:,}"
    yield "fit.seventy", f"{found['ratios']['ours, stack, 70 probes']:.1f}"
    yield "fit.path", f"{found['path']['stack_times_faster']:.0f}"


def planted_numbers(kept: Kept) -> Numbers:
    """How each reading of probes does on encoders whose truth is known."""
    found = kept.json("planted/score.json")
    for row in found["rates"]:
        if row["of"]:
            yield f"planted.{row['reading']}.{row['kind']}", f"{100 * row['found'] / row['of']:.0f}"
            yield f"planted.of.{row['kind']}", str(row["of"])
    for row in found["expected_layer"]:
        value, *bounds = row["value"], row["low"], row["high"]
        shown = "undefined" if value is None else f"{value:.2f}"
        yield f"planted.mix.{row['encoder']}", shown
        yield f"planted.mix.{row['encoder']}.interval", "" if value is None else "{:.2f} to {:.2f}".format(*bounds)
    for row in found["methods"]:
        yield f"planted.{row['reading']}.there", f"{row['found']} of {row['of']}"
        yield f"planted.{row['reading']}.elsewhere", f"{row['false']} of {row['of_false']}"
    trees = found["tree"]
    yield "planted.tree", f"{100 * min(row['uuas'] for row in trees if row['is_there']):.0f}"
    yield "planted.tree.absent", f"{100 * max(row['uuas'] for row in trees if not row['is_there']):.0f}"
    yield "planted.tree.chain", f"{100 * trees[0]['chain']:.0f}"
    for key, is_used in (("used", True), ("unused", False)):
        effects = [abs(row["effect"]) for row in found["use"] if row["is_used"] == is_used]
        yield f"planted.{key}", f"{100 * max(effects):.0f}"


def exact_numbers(kept: Kept) -> Numbers:
    """What is computed from released scores and from the treebank alone, without a published number."""
    for row in kept.json("reproduction/exact.json"):
        if row["what"].startswith("expected layer of "):
            name = row["what"].removeprefix("expected layer of ").split(",")[0]
            yield f"expected.{name}", f"{row['ours']:.2f}"
        elif row["what"].startswith("UUAS of a chain"):
            yield f"chain.{'with' if ', with p' in row['what'] else 'without'}", f"{row['ours']:.1f}"
        elif row["what"].startswith("compression "):
            yield "released.compression", f"{row['ours']:.1f}"


def verdict_numbers(kept: Kept) -> Numbers:
    for key, body in kept.of_encoders("reproduction").items():
        verdicts: Sequence[Mapping[str, Any]] = body["verdicts"]
        yield f"verdict.{key}.held", str(sum(row["held"] is True for row in verdicts))
        yield f"verdict.{key}.asked", str(sum(row["held"] is not None for row in verdicts))
        yield "verdict.hash", body["predictions"][:12]
        for row in verdicts:
            if row["twins"]:
                yield f"verdict.{key}.{row['id']}", row["shown"].split(" ")[0]
                yield f"verdict.{key}.{row['id']}.twins", row["twins"]


def own_layer_numbers(kept: Kept) -> Numbers:
    """Curves of our encoder: its own, the distances to its twins behind every block, and its head on BLiMP."""
    gaps = []
    for key, task in (("pos", "pos"), ("label", "dependency_label")):
        own, *twins = kept.with_twins("own_bert", task)
        yield from (
            (f"own.{key}.{name}", f"{value:.1f}") for name, value in zip(own.layers, percents(own), strict=True)
        )
        for twin in map(percents, twins):
            gaps += [one - other for one, other in zip(percents(own)[1:], twin[1:], strict=True)]
    (blimp,) = probes.read_analyses("likelihood", kept.root)
    for layer in (1, len(blimp.layers) - 1):
        (found,) = blimp.select(variant="likelihood", metric="accuracy", layer=layer, at={"phenomenon": "all"})
        yield f"own.blimp.{layer}", f"{100 * (found.value or 0):.1f}"
    yield "own.gap.low", f"{min(gaps):.0f}"
    yield "own.gap.high", f"{max(gaps):.0f}"


def floor_numbers(kept: Kept) -> Numbers:
    """What needs no vector."""
    for key, experiment, task, sentence, floor in (
        ("sst.bag", "sst2", "label", "mean", "bag_of_words"),
        ("pos.words", "ewt_suite", "pos", None, "word_majority"),
    ):
        (found,) = kept.record(experiment, task, sentence=sentence).select(variant=floor, layer=None, metric="accuracy")
        yield key, f"{100 * (found.value or 0):.1f}"


def method_numbers(kept: Kept) -> Numbers:
    """What methods say of an untrained encoder, and of numbers in other units."""
    for key, twin in (("tree", None), ("tree.twin", "untrained")):
        trees = kept.analysis("structure", "tree_distance", twin=twin)
        rank = max(map(int, trees.notes["ranks"]))
        for layer in range(len(trees.layers)):
            (found,) = trees.select(variant="task", metric="uuas", layer=layer, split="test", at={"rank": rank})
            yield f"{key}.{trees.layers[layer]}", f"{100 * (found.value or 0):.1f}"
    (chain,) = kept.analysis("structure", "tree_distance").select(variant="chain", metric="uuas", split="test")
    yield "tree.chain", f"{100 * (chain.value or 0):.1f}"
    code = kept.analysis("online", "pos")
    for key, metric in (("code", "compression"), ("code.mixed", "compression_mixed_units")):
        found = [one.value or 0 for one in code.select(variant="task", metric=metric, split="train")]
        yield key, f"{max(found):.1f}"
    for key, twin in (("information", None), ("information.twin", "untrained")):
        beyond = kept.analyses("information", "pos", twin=twin)
        found = [one.select(variant="task", metric="conditional_v_information_bits", split="test") for one in beyond]
        yield key, f"{max(one.value or 0 for part in found for one in part):.2f}"
    mixes = kept.analysis("mix", "pos", twin="untrained")
    (nothing,) = mixes.select(metric="expected_layer", split="test", at={"score": "accuracy"})
    for key, value in (("mix.twin", nothing.value), ("mix.twin.low", nothing.low), ("mix.twin.high", nothing.high)):
        yield key, f"{value:.1f}"


def norm_numbers(kept: Kept) -> Numbers:
    """Dimensions that the last norm of a layer has switched off."""
    layers = kept.json("geometry/layer_norms.json")[MINILM]
    dead = {layer: one["dead"] for layer, one in enumerate(layers) if one["dead"]}
    yield "dead.count", str(sum(map(len, dead.values())))
    yield "dead.power", f"{min(math.floor(math.log10(one['min'])) for one in layers)}"
    yield "dead.layers", ", ".join(map(str, dead))


NUMBERS: tuple[Callable[[Kept], Numbers], ...] = (
    own_numbers,
    encode_numbers,
    fit_numbers,
    layer_numbers,
    drop_numbers,
    gap_numbers,
    penalty_numbers,
    own_layer_numbers,
    floor_numbers,
    method_numbers,
    norm_numbers,
    planted_numbers,
    claims_numbers,
    unit_numbers,
    exact_numbers,
    verdict_numbers,
)
