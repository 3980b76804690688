"""Heads of an encoder whose attention was planted: found where they are, and nowhere in an untrained one."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from probes.config import Run, parse
from probes.encoder.attention import DIRECTIONS, STATISTICS
from probes.errors import ConfigError, CorpusError, EncoderError, TaskError
from probes.method import Findings, Subject, check_method, find_method
from probes.method.heads import METHOD, HeadsSettings
from probes.types import Corpus, Sentence, Tree
from tests.reference.attention import slow_heads
from tests.toy import make_corpus, make_tokenizer

WORDS = ("the", "dog", "cat", "big", "small", "often", "a", "and")
RELATIONS = {"cat": "obj", "dog": "nsubj", "the": "det"}
DIM_OF_HEAD = 16
Plant = Callable[..., Path]


def plant(model: BertModel, tokenizer: PreTrainedTokenizerFast, at: tuple[int, int], words: tuple[str, str]) -> None:
    """Let a head attend from the first word, or from every word if there is none, to the second."""
    block, head = at
    layers: Any = model.encoder.layer
    attention = layers[block].attention.self
    row = head * DIM_OF_HEAD
    source, target = (tokenizer.convert_tokens_to_ids(word) if word else None for word in words)
    states = model.embeddings(torch.arange(len(tokenizer))[:, None])[:, 0]
    if source is None:
        attention.query.bias[row] = 200.0
    else:
        attention.query.weight[row] = 200.0 * states[source] / states[source].norm() ** 2
    attention.key.weight[row] = states[target] / states[target].norm() ** 2


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    """A BERT of two blocks and two heads that passes its embeddings through, with heads that attend as asked."""

    def make(heads: dict[tuple[int, int], tuple[str, str]]) -> Path:
        tokenizer = make_tokenizer()
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=2 * DIM_OF_HEAD,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=64,
        )
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            model = BertModel(config).eval()
            for name, parameter in model.named_parameters():
                if "LayerNorm" not in name:
                    parameter.zero_()
            # At right angles, also after LayerNorm takes the mean out: a head meant for one word ignores all others.
            basis = torch.linalg.qr(torch.cat([torch.ones(32, 1), torch.randn(32, 31)], dim=1)).Q[:, 1:].T
            model.embeddings.word_embeddings.weight[:31] = basis
            for at, words in heads.items():
                plant(model, tokenizer, at, words)
        folder = tmp_path_factory.mktemp("planted")
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


def make_sentence(number: int, split: str, root: str = "sees") -> Sentence:
    """All words hang on the verb, which stands anywhere; two verbs, of which one is the root."""
    stream = np.random.default_rng([number, *split.encode()])
    words = ["sees", "runs", *stream.permutation(WORDS)[:5].tolist()]
    words = stream.permutation(words).tolist()
    place = words.index(root)
    relations = tuple("root" if word == root else RELATIONS.get(word, "obl") for word in words)
    heads = tuple(0 if word == root else place + 1 for word in words)
    return Sentence(f"{split}-{number}", tuple(words), group=f"{split}-{number // 2}", tree=Tree(heads, relations))


def verb_corpus(size: int = 40, **roots: str) -> Corpus:
    return Corpus(
        "verbs",
        {
            split: tuple(make_sentence(number, split, roots.get(split, "sees")) for number in range(size))
            for split in ("dev", "test")
        },
    )


def analyse(
    folder: Path, corpus: Corpus, *, task: dict[str, Any] | None = None, encoder: dict[str, Any] | None = None
) -> Findings:
    data = {
        "encoder": {"name": str(folder), "attention": "eager", **(encoder or {})},
        "corpus": {"reader": "conllu", "path": "x"},
        "task": task or {"name": "dependency_label"},
    }
    subject = Subject(run=parse(Run, data, where="test"), corpus=corpus)
    return METHOD.apply(subject, HeadsSettings())


def pick(findings: Findings, variant: str, metric: str = "accuracy", **at: Any) -> list[Any]:
    layer = at.pop("layer", None)
    return [
        one
        for one in findings.rows
        if (one.variant, one.metric) == (variant, metric)
        and at.items() <= one.at.items()
        and (layer is None or one.layer == layer)
    ]


@pytest.fixture(scope="module")
def to_verb(planted: Plant) -> Findings:
    """Head 2 of block 2 attends to the verb from every word."""
    return analyse(planted({(1, 1): ("", "sees")}), verb_corpus())


@pytest.fixture(scope="module")
def toy_findings(toy_bert: Path) -> Findings:
    return analyse(toy_bert, verb_corpus(), encoder={"num_layers": 2})


@pytest.mark.parametrize("relation", ["all", "obl", "obj", "nsubj", "det"])
def test_planted_head_is_found(to_verb: Findings, relation: str) -> None:
    (best,) = pick(to_verb, "best_head", relation=relation)
    assert (best.layer, best.value, best.low, best.high) == (2, 1.0, 1.0, 1.0)
    assert best.at == {"relation": relation, "among": "encoder", "head": "2-2", "direction": "dependent_to_head"}
    (offset,) = pick(to_verb, "offset", relation=relation)
    assert offset.value < 0.4
    (lead,) = pick(to_verb, "best_head", "accuracy_over_offset", relation=relation)
    assert lead.value == pytest.approx(1 - offset.value)
    assert (lead.low, lead.high) == pytest.approx((1 - offset.high, 1 - offset.low))
    first, second = pick(to_verb, "best_head_of_layer", relation=relation)
    assert (first.layer, second.layer, second.value) == (1, 2, 1.0)
    assert first.value < 0.6


def test_untrained_head_is_not_found(planted: Plant) -> None:
    folder = planted({(1, 1): ("", "sees")})
    twin = analyse(folder, verb_corpus(), encoder={"twin": {"kind": "untrained", "seed": 0}})
    (best,) = pick(twin, "best_head", relation="all")
    assert best.value < 0.4


def test_head_that_attends_to_its_dependent_is_found_in_the_other_direction(planted: Plant) -> None:
    findings = analyse(planted({(0, 1): ("sees", "cat")}), verb_corpus())
    (best,) = pick(findings, "best_head", relation="obj")
    assert (best.at["head"], best.at["direction"], best.value) == ("1-2", "head_to_dependent", 1.0)
    for relation in ("nsubj", "det"):
        assert pick(findings, "best_head", relation=relation)[0].value < 0.6


def test_head_is_chosen_on_dev_and_scored_on_test(planted: Plant) -> None:
    encoder = planted({(1, 0): ("", "sees"), (1, 1): ("", "runs")})
    findings = analyse(encoder, verb_corpus(dev="sees", test="runs"))
    (best,) = pick(findings, "best_head", relation="all")
    assert (best.at["head"], best.split) == ("2-1", "test")
    # On test it finds the word that hangs on `runs` by being it: none. `sees` itself has no use for its own verb.
    assert best.value < 0.3
    same = analyse(encoder, verb_corpus(dev="runs", test="runs"))
    assert pick(same, "best_head", relation="all")[0].value == 1.0


def test_offset_is_chosen_on_dev_and_scored_on_test(planted: Plant) -> None:
    """On dev most verbs follow, on test they all come before."""
    after, before = ("dog", "sees"), ("sees", "dog")
    orders = {"dev": [after] * 20 + [before] * 10, "test": [before] * 20}
    splits = {
        split: tuple(
            Sentence(f"{split}-{number}", words, tree=Tree((2, 0), ("nsubj", "root")))
            if words == after
            else Sentence(f"{split}-{number}", words, tree=Tree((0, 1), ("root", "nsubj")))
            for number, words in enumerate(part)
        )
        for split, part in orders.items()
    }
    for relation in ("all", "nsubj"):
        (offset,) = pick(analyse(planted({}), Corpus("orders", splits)), "offset", relation=relation)
        assert (offset.at["offset"], offset.value) == (1, 0.0)
    turned = {"dev": splits["test"], "test": splits["dev"]}
    (offset,) = pick(analyse(planted({}), Corpus("orders", turned)), "offset", relation="nsubj")
    assert (offset.at["offset"], offset.value) == (-1, pytest.approx(1 / 3))


def test_accuracies_are_those_of_one_sentence_at_a_time(toy_bert: Path, toy_findings: Findings) -> None:
    """Every head, direction and relation on dev and test by loops; then the choice."""
    from probes.config import EncoderConfig
    from probes.encoder.load import load_encoder

    encoder = load_encoder(EncoderConfig(name=str(toy_bert), attention="eager", num_layers=2))
    right: dict[str, Counter[Any]] = {"dev": Counter(), "test": Counter()}
    for split, sentences in verb_corpus().splits.items():
        for one in sentences:
            for block, heads in enumerate(slow_heads(encoder, one), start=1):
                for head, slow in enumerate(heads, start=1):
                    count(right[split], one, f"{block}-{head}", slow)
    for relation in ("all", "obl", "obj", "nsubj", "det"):
        size = pick(toy_findings, "best_head", relation=relation)[0].n
        for chosen in pick(toy_findings, "best_head_of_layer", relation=relation):
            key = (relation, chosen.at["head"], chosen.at["direction"])
            rivals = {k: v for k, v in right["dev"].items() if k[0] == relation and k[1][0] == str(chosen.layer)}
            assert right["dev"][key] == max(rivals.values())
            assert chosen.value == pytest.approx(right["test"][key] / size)
        (best,) = pick(toy_findings, "best_head", relation=relation)
        rivals = [v for k, v in right["dev"].items() if k[0] == relation]
        assert right["dev"][relation, best.at["head"], best.at["direction"]] == max(rivals)


def count(right: Counter[Any], one: Sentence, name: str, slow: Any) -> None:
    assert one.tree is not None
    for word, (head, relation) in enumerate(zip(one.tree.heads, one.tree.relations, strict=True)):
        for direction, ask in zip(DIRECTIONS, (slow.attends_most, slow.attended_most_by), strict=True):
            for key in ("all", relation):
                right[key, name, direction] += int(head > 0 and ask(word) == head - 1)


def test_statistics_are_those_of_one_sentence_at_a_time(toy_bert: Path, toy_findings: Findings) -> None:
    from probes.config import EncoderConfig
    from probes.encoder.load import load_encoder

    encoder = load_encoder(EncoderConfig(name=str(toy_bert), attention="eager", num_layers=2))
    totals: dict[Any, np.ndarray] = {}
    for one in verb_corpus()["test"]:
        for block, heads in enumerate(slow_heads(encoder, one), start=1):
            for head, slow in enumerate(heads, start=1):
                for metric, sums in slow.statistics().items():
                    key = metric, block, f"{block}-{head}"
                    totals[key] = totals.get(key, np.zeros(2)) + sums
    rows = {(one.metric, one.layer, one.at["head"]): one for one in toy_findings.rows if one.variant == "head"}
    assert rows.keys() == totals.keys()
    for key, one in rows.items():
        assert one.value == pytest.approx(totals[key][0] / totals[key][1], rel=1e-4)
        assert (one.n, one.groups) == (totals[key][1], 20)
    for metric in STATISTICS:
        for mean in pick(toy_findings, "mean", metric):
            of_heads = [rows[key].value or 0.0 for key in rows if key[:2] == (metric, mean.layer)]
            assert mean.value == pytest.approx(np.mean(of_heads))
            assert mean.low < mean.value < mean.high or metric in ("entropy_bits", "distance_words")


def test_planted_attention_has_known_shares(to_verb: Findings) -> None:
    """Flat heads: one share for each of the 9 pieces of a sentence; the planted one gives all to the verb."""
    for metric in ("cls_share", "sep_share", "self_share", "previous_share", "next_share"):
        assert pick(to_verb, "head", metric, head="1-1")[0].value == pytest.approx(1 / 9, abs=1e-6)
        assert pick(to_verb, "mean", metric, layer=1)[0].value == pytest.approx(1 / 9, abs=1e-6)
    assert pick(to_verb, "head", "entropy_bits", head="2-1")[0].value == pytest.approx(np.log2(9), abs=1e-5)
    assert pick(to_verb, "head", "entropy_bits", head="2-2")[0].value == pytest.approx(0, abs=1e-3)
    assert pick(to_verb, "head", "self_share", head="2-2")[0].value == pytest.approx(1 / 7, abs=1e-4)


def test_rows_have_words_and_groups_of_test(to_verb: Findings) -> None:
    corpus = verb_corpus()
    words = [
        (relation, one.group)
        for one in corpus["test"]
        for relation in (one.tree.relations if one.tree else ())
        if relation != "root"
    ]
    counts = Counter(relation for relation, _ in words)
    assert pick(to_verb, "best_head", relation="all")[0].n == sum(counts.values())
    names = list(dict.fromkeys(one.at["relation"] for one in to_verb.rows if "relation" in one.at))
    assert names == ["all", *sorted(counts, key=lambda relation: (-counts[relation], relation))]
    for relation, number in counts.items():
        groups = len({group for name, group in words if name == relation})
        assert groups < 20 or relation == "obl"
        for variant in ("best_head", "offset", "best_head_of_layer"):
            rows = pick(to_verb, variant, relation=relation)
            assert {(one.n, one.groups, one.split) for one in rows} == {(number, groups, "test")}


def keep_objects(corpus: Corpus, number: int) -> Corpus:
    """So many objects in dev; the others are called otherwise."""
    dev, seen = [], 0
    for one in corpus["dev"]:
        assert one.tree is not None
        seen += "cat" in one.words
        changed = {"obj": "obl"} if seen > number else {}
        tree = Tree(one.tree.heads, tuple(changed.get(relation, relation) for relation in one.tree.relations))
        dev.append(Sentence(one.id, one.words, group=one.group, tree=tree))
    return Corpus("rare", {**corpus.splits, "dev": tuple(dev)})


def test_rare_relations_are_told_and_count_under_all(planted: Plant) -> None:
    corpus, encoder = verb_corpus(), planted({(1, 1): ("", "sees")})
    ten = analyse(encoder, keep_objects(corpus, 10))
    assert ten.notes["relations_left_out"] == {}
    assert pick(ten, "best_head", relation="obj")
    findings = analyse(encoder, keep_objects(corpus, 9))
    on_test = sum("cat" in one.words for one in corpus["test"])
    assert on_test >= 10
    assert findings.notes["relations_left_out"] == {"obj": {"dev": 9, "test": on_test}}
    assert pick(findings, "best_head", relation="obj") == []
    assert pick(findings, "best_head", relation="all")[0].n == 6 * 40
    assert findings.notes["words"]["test"] == {
        "scored": 240,
        "root": 40,
        "punct": 0,
        "without_pieces": 0,
        "lost": 0,
        "cut": 0,
    }
    assert findings.notes["candidates"] == 2 * 2 * 2


def test_interval_contains_the_value_and_is_seeded(toy_bert: Path, toy_findings: Findings) -> None:
    again = analyse(toy_bert, verb_corpus(), encoder={"num_layers": 2})
    assert again.rows == toy_findings.rows
    for one in pick(toy_findings, "best_head"):
        assert one.low <= one.value <= one.high
        assert one.detectable > 0


def test_every_panel_has_rows_and_one_value_at_a_place(to_verb: Findings) -> None:
    for panel in to_verb.panels:

        def read(one: Any, key: str) -> Any:
            return getattr(one, key) if key in ("variant", "layer") else one.at.get(key)

        shown = [
            one
            for one in to_verb.rows
            if one.metric == panel.metric and all(read(one, key) == value for key, value in panel.where.items())
        ]
        assert shown
        places = [(read(one, panel.lines), read(one, panel.x)) for one in shown]
        assert len(places) == len(set(places))


def test_method_is_found_by_name_and_has_no_settings() -> None:
    assert find_method("heads") is METHOD
    run = parse(
        Run,
        {"corpus": {"reader": "conllu", "path": "x"}, "task": {"name": "pos"}, "method": {"name": "heads"}},
        where="test",
    )
    assert run.method is not None
    assert check_method(run.method) == (METHOD, HeadsSettings())


def test_no_states_are_cached(planted: Plant) -> None:
    data = {
        "encoder": {"name": str(planted({})), "attention": "eager"},
        "corpus": {"reader": "conllu", "path": "x"},
        "task": {"name": "dependency_label"},
    }
    subject = Subject(run=parse(Run, data, where="test"), corpus=verb_corpus())
    METHOD.apply(subject, HeadsSettings())
    assert not subject.has_read_cache


def check_error(kind: type[Exception], call: Callable[[], Any], message: str) -> None:
    with pytest.raises(kind) as error:
        call()
    assert str(error.value) == message


def test_another_task_is_refused(toy_bert: Path) -> None:
    check_error(
        ConfigError,
        lambda: analyse(toy_bert, verb_corpus(), task={"name": "pos"}),
        "Method 'heads' scores attention against the relations of a treebank, which is task 'dependency_label', but "
        "the run asks for 'pos'. Set task.name to dependency_label.",
    )


def test_controls_are_refused(toy_bert: Path) -> None:
    check_error(
        ConfigError,
        lambda: analyse(toy_bert, verb_corpus(), task={"name": "dependency_label", "controls": ["word_type"]}),
        "Method 'heads' fits nothing that a control could measure, but task.controls names 'word_type'. "
        "Leave them out; an untrained twin is its comparison.",
    )


def test_sdpa_is_refused(toy_bert: Path) -> None:
    check_error(
        EncoderError,
        lambda: analyse(toy_bert, verb_corpus(), encoder={"attention": "sdpa"}),
        f"Attention maps need encoder.attention: eager, but encoder {str(toy_bert)!r} was loaded with 'sdpa', which "
        "never forms them. Set encoder.attention to eager.",
    )


def test_missing_split_is_named(toy_bert: Path) -> None:
    corpus = verb_corpus()
    with pytest.raises(CorpusError, match="Corpus 'verbs' has no split 'dev'"):
        analyse(toy_bert, Corpus("verbs", {"test": corpus["test"]}))


def test_split_without_arcs_is_refused(toy_bert: Path) -> None:
    def only_roots(sentences: Sequence[Sentence]) -> tuple[Sentence, ...]:
        return tuple(Sentence(one.id, one.words[:1], tree=Tree((0,), ("root",))) for one in sentences)

    corpus = verb_corpus(size=4)
    check_error(
        TaskError,
        lambda: analyse(toy_bert, Corpus("roots", {"dev": corpus["dev"], "test": only_roots(corpus["test"])})),
        "Method 'heads' needs words with a head in split 'test', punctuation marks aside, but there are none. "
        "Check the trees there.",
    )


def test_corpus_with_flat_trees_runs(toy_bert: Path) -> None:
    findings = analyse(toy_bert, make_corpus(["dev", "test"], size=8), encoder={"num_layers": 1})
    assert {one.at.get("relation") for one in findings.rows} == {None, "all", "dep"}
