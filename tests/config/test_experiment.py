"""An experiment file: what it expands to, what `--set` changes, and how each mistake is told."""

from pathlib import Path

import pytest

from probes.config import Experiment, read_experiment
from probes.errors import ConfigError

WORKED = """
question: At which layer is part of speech most easily read, and how much of that is memorised?
base:
  encoder: {name: bert-base-uncased, word: first}
  corpus: {reader: conllu, path: "ud-english-ewt/en_ewt-ud-*.conllu"}     # relative to PROBES_DATA
  task: {name: pos, controls: [word_type], draws: 5}
  fit: {probe: linear, solver: stack, l2: [1e-6, 1e-5, 1e-4]}
grid:
  encoder.twin: [null, {kind: untrained, seed: 0}, {kind: untrained, seed: 1}, {kind: untrained, seed: 2}]
"""
SMALL = "question: Which?\nbase:\n  corpus: {reader: grammar}\n  task: {name: pos}\n"


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "one.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def error_of(path: Path, *overrides: str) -> str:
    """The message of the mistake, without the folder that differs from test to test."""
    with pytest.raises(ConfigError) as caught:
        read_experiment(path, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(f"{path.parent}/", "")


def test_worked_example_expands_to_four_runs(write):
    experiment = read_experiment(write(WORKED, "layer_pos.yaml"))
    runs = experiment.expand()
    assert experiment.name == "layer_pos"
    assert [run.encoder.twin and (run.encoder.twin.kind, run.encoder.twin.seed) for run in runs] == [
        None,
        ("untrained", 0),
        ("untrained", 1),
        ("untrained", 2),
    ]
    assert {run.fit.l2 for run in runs} == {(1e-6, 1e-5, 1e-4)}
    assert len({run.run_id for run in runs}) == 4
    assert [run.slug for run in runs][:2] == ["bert-base-uncased", "bert-base-uncased-untrained-0"]


@pytest.mark.parametrize(("value", "twin"), [("null", None), ("{kind: random_blocks, seed: 7}", ("random_blocks", 7))])
def test_set_on_an_axis_collapses_it(write, value, twin):
    (run,) = read_experiment(write(WORKED), [f"encoder.twin={value}"]).expand()
    assert (run.encoder.twin and (run.encoder.twin.kind, run.encoder.twin.seed)) == twin


def test_last_axis_turns_fastest(write):
    grid = "grid:\n  encoder.word: [first, last]\n  seed: [0, 1, 2]\n"
    runs = read_experiment(write(SMALL + grid)).expand()
    assert [(run.encoder.word, run.seed) for run in runs] == [(w, s) for w in ("first", "last") for s in (0, 1, 2)]


@pytest.mark.parametrize(
    ("override", "found"),
    [
        ("seed=3", lambda run: run.seed == 3),
        ("fit.l2=[1e-5, 0]", lambda run: run.fit.l2 == (1e-5, 0.0)),
        ("fit.step_size=1e-3", lambda run: run.fit.step_size == (1e-3,)),
        ("encoder.num_layers=null", lambda run: run.encoder.num_layers is None),
        ("encoder.twin.seed=4", lambda run: run.encoder.twin.seed == 4),
        ("corpus.options.size=60", lambda run: run.corpus.options == {"size": 60}),
        ("corpus.options.name=a=b", lambda run: run.corpus.options == {"name": "a=b"}),
        ("task.controls=[word_type]", lambda run: run.task.controls == ("word_type",)),
        ("task={name: pos, draws: 2}", lambda run: run.task.draws == 2),
        ("encoder.revision=", lambda run: run.encoder.revision is None),
    ],
)
def test_set_reads_its_value_as_yaml(write, override, found):
    (run,) = read_experiment(write(SMALL), [override]).expand()
    assert found(run)


def test_later_set_wins_and_leaves_its_neighbours(write):
    path = write(SMALL.replace("{reader: grammar}", "{reader: grammar, options: {seed: 5, size: 9}}"))
    (run,) = read_experiment(path, ["corpus.options.size=1", "corpus.options.size=2"]).expand()
    assert run.corpus.options == {"seed": 5, "size": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question: a\nbase:\n  encoder: [x\n", "one.yaml:4: valid YAML was expected, but: expected ',' or ']', "),
        ("question: a\n\tbase: {}\n", "one.yaml:2: valid YAML was expected, but: found character '\\t' that cannot "),
    ],
)
def test_malformed_yaml_names_its_line(write, text, message):
    found = error_of(write(text))
    assert found.startswith(message)
    assert found.endswith(". Correct this line.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "- a\n",
            "one.yaml: keys 'question', 'base' and 'grid' were expected, but the file holds list. "
            "See experiments/quickstart.yaml for the form.",
        ),
        (
            "",
            "one.yaml: keys 'question', 'base' and 'grid' were expected, but the file holds NoneType. "
            "See experiments/quickstart.yaml for the form.",
        ),
        (
            f"{SMALL}gird: {{}}\n",
            "one.yaml: Unknown key 'gird'. Known keys at the top are 'grid', 'question', 'base', 'name'. "
            "Rename or remove it.",
        ),
        ("base: {}\n", "one.yaml: Key 'question' is needed and is not there. Add it."),
        ("1: 2\nquestion: a\nbase: {}\n", "one.yaml: Key '1' should be text, but is 1. Quote it."),
        ("question: a\nbase: 3\n", "one.yaml: Key 'base' should be a valid dictionary, but is 3. Change it."),
        (
            "question: a\nbase: {}\n",
            "one: Key 'corpus' is needed and is not there. Add it. Key 'task' is needed and is not there. Add it.",
        ),
        (
            SMALL + "  fit: {l2: [-1]}\n",
            "one: Key 'fit.l2.0' should be greater than or equal to 0, but is -1. Change it.",
        ),
        (SMALL + "  fit: {l2: [.nan]}\n", "one: Key 'fit.l2.0' should be a finite number, but is nan. Change it."),
        (
            SMALL + "  encoder: {word: fisrt}\n",
            "one: Key 'encoder.word' should be 'first', 'last' or 'mean', but is 'fisrt'. Change it.",
        ),
        (
            SMALL + "  fit: {epoch: 1}\n",
            "one: Unknown key 'fit.epoch'. Known keys inside 'fit' are 'epochs', 'select', 'dropout', 'patience', "
            "'schedule', 'min_steps', 'plateau_patience', 'precision', 'step_size', 'batch_rows', 'gap', "
            "'weight_decay', 'input_dropout', 'plateau_factor', 'betas', 'probe', 'hidden', 'solver', 'features', "
            "'optimizer', 'activation', 'init', 'l2', 'rank'. Rename or remove it.",
        ),
        (
            SMALL + "  encoder: {twin: {sed: 1}}\n",
            "one: Unknown key 'encoder.twin.sed'. Known keys inside 'encoder.twin' are 'seed', 'kind'. "
            "Rename or remove it.",
        ),
        (
            SMALL + "grid: {seed: []}\n",
            "one: axis 'seed' of the grid needs at least one value, but has none. Give values or remove the axis.",
        ),
        (
            SMALL + "grid: {encoder.wrd: [first]}\n",
            "one: grid: unknown key 'encoder.wrd'. Known keys are 'encoder.word', 'encoder.lost_words', "
            "'encoder.store_dtype', 'encoder.twin', 'encoder.device', 'encoder.revision', 'encoder.load_dtype', "
            "'encoder.num_layers', 'encoder.compute_dtype', 'encoder.attention', 'encoder.batch_pieces', "
            "'encoder.compile', 'encoder.length', 'encoder.max_pieces', 'encoder.name', 'encoder.pieces', "
            "'encoder.segments', 'encoder.sentence'. Rename it.",
        ),
        (
            SMALL + "  encoder: some-bert\ngrid: {encoder.word: [first]}\n",
            "one: grid: 'encoder.word' needs keys inside 'encoder', but that is 'some-bert'. "
            "Write it with its keys, as `probes settings` lists them.",
        ),
    ],
)
def test_mistake_in_the_file_is_one_message(write, text, message):
    assert error_of(write(text)) == message


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set expects key=value, but came 'seed'. Write for example --set seed=1."),
        ("=1", "--set expects key=value, but came '=1'. Write for example --set seed=1."),
        ("seed=[", "--set seed: a YAML value was expected, but came '['. Quote it."),
        (
            "encoder.twin.seed=1",
            "--set encoder.twin.seed: this key overlaps the axis 'encoder.twin' of experiment 'one'. "
            "Set the whole axis instead, for example --set 'encoder.twin=...'.",
        ),
        (
            "encoder={name: x}",
            "--set encoder: this key overlaps the axis 'encoder.twin' of experiment 'one'. "
            "Set the whole axis instead, for example --set 'encoder.twin=...'.",
        ),
        (
            "tsak.name=pos",
            "--set tsak.name: unknown key 'tsak.name'. Known keys are 'task', 'fit', 'seed', 'cache', 'corpus', "
            "'method', 'encoder'. Rename it.",
        ),
        (
            "seed.x=1",
            "--set seed.x: unknown key 'seed.x'. Known keys are 'seed', 'method', 'encoder', 'task', 'cache', "
            "'corpus', 'fit'. Rename it.",
        ),
        ("fit.l2=[]", "one: Key 'fit.l2' should have at least 1 item after validation, not 0, but is []. Change it."),
        ("seed=-1", "one: Key 'seed' should be greater than or equal to 0, but is -1. Change it."),
    ],
)
def test_mistake_in_set_is_one_message(write, override, message):
    assert error_of(write(WORKED), override) == message


def test_missing_file_is_told_with_an_example(tmp_path):
    assert error_of(tmp_path / "none.yaml") == (
        "An experiment file was expected at none.yaml, but there is none. "
        "Give the path of a YAML file, such as experiments/quickstart.yaml."
    )


def test_file_that_is_not_utf8_is_told(tmp_path):
    (tmp_path / "one.yaml").write_bytes(b"\xff\xfe")
    expected = "one.yaml: UTF-8 was expected, but: invalid start byte. Save the file as UTF-8."
    assert error_of(tmp_path / "one.yaml") == expected


def test_expanding_leaves_the_base_as_it_was(write):
    experiment = read_experiment(write(WORKED))
    before = experiment.model_dump_json()
    experiment.expand()
    read_experiment(write(WORKED), ["encoder.word=last"])
    assert experiment.model_dump_json() == before


def test_experiment_round_trips_through_its_own_dump(write):
    experiment = read_experiment(write(WORKED))
    again = Experiment.model_validate(experiment.model_dump(mode="json"))
    assert again.expand() == experiment.expand()


def test_a_share_of_train_is_refused_where_a_method_would_not_read_it(write):
    found = error_of(write(SMALL), "task.train_share=0.5", "method.name=mix")
    assert "task.train_share is of curves, but came 0.5 with method 'mix'. Leave it out; the axis 'examples'" in found
    assert "less than or equal to 1" in error_of(write(SMALL), "task.train_share=2")
