"""Shards, names of files and disk, known before anything is done."""

from pathlib import Path

import pytest

from probes.cache import list_caches, open_cache
from probes.config import read_experiment
from probes.errors import ConfigError, TaskError, list_names
from probes.study.plan import estimate_disk, plan, take_shard
from tests.toy import CHECKOUT, KNOWN_TASKS

LAYER_POS = CHECKOUT / "experiments" / "layer_pos.yaml"


@pytest.fixture
def steps(study):
    return plan(read_experiment(LAYER_POS, study.overrides), study.results)


def test_steps_name_their_files(steps, study):
    assert sorted(step.record_path for step in steps) == study.runs
    assert all(step.is_written for step in steps)
    assert steps[0].outcomes_path == study.results / "outcomes" / f"{steps[0].run.run_id}.safetensors"


@pytest.mark.parametrize("whole", [1, 2, 3, 4, 7])
def test_shards_cover_every_run_once(steps, whole):
    parts = [take_shard(steps, f"{part}/{whole}") for part in range(1, whole + 1)]
    taken = [step.run.run_id for part in parts for step in part]
    assert sorted(taken) == sorted(step.run.run_id for step in steps)


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/", "/2", "a/b", "-1/2", "1/2/3", ""])
def test_shard_that_is_none_is_told(steps, shard):
    with pytest.raises(ConfigError) as caught:
        take_shard(steps, shard)
    assert str(caught.value) == f"--shard expects I/N with I from 1 to N, but came {shard!r}. Write for example 2/8."


def test_disk_estimate_is_within_two_percent_of_what_the_caches_hold(study, steps):
    needed = estimate_disk(steps)
    assert needed.caches == 4
    caches = {curve.record.fingerprints.cache for curve in study.curves}
    held = [open_cache(folder).num_bytes for folder in list_caches() if folder.name[-16:] in caches]
    assert needed.num_bytes == pytest.approx(sum(held), rel=0.02)


def test_runs_that_share_a_cache_count_it_once(study):
    overrides = (*study.overrides, "encoder.twin=null")
    experiment = read_experiment(LAYER_POS, overrides)
    experiment = experiment.model_copy(update={"grid": {**experiment.grid, "seed": [0, 1, 2]}})
    assert estimate_disk(plan(experiment, Path("results"))).caches == 1


def test_unknown_task_is_told_before_anything_is_read(study):
    with pytest.raises(TaskError) as caught:
        plan(read_experiment(LAYER_POS, (*study.overrides, "task.name=pso")), study.results)
    assert str(caught.value) == (
        f"Unknown task 'pso'. Known tasks are {list_names('pso', KNOWN_TASKS)}. "
        "Choose one of these, or offer your own as an entry point 'probes.tasks'."
    )
    assert caught.value.exit_code == 2
