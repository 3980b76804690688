"""A run that fails leaves nothing half-written behind, and the runs before it stay."""

import pytest

from probes.cache import list_caches
from probes.encoder import extract as extract_module
from probes.encoder.frozen import FrozenEncoder
from probes.errors import EncoderError, FitError
from probes.result import write_record
from probes.study import execute as execute_module
from probes.study.face import run
from tests.toy import CHECKOUT

LAYER_POS = CHECKOUT / "experiments" / "layer_pos.yaml"
PARTS = ("extract", "build_task", "fit_questions", "collect", "assemble", "save_outcomes", "write_record")


pytestmark = pytest.mark.usefixtures("no_report")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("part", PARTS)
def test_failure_in_any_part_leaves_no_record(study, place, monkeypatch, part):
    def fail(*arguments, **settings):
        raise FitError(f"{part} failed")

    home = extract_module if part == "extract" else execute_module
    monkeypatch.setattr(home, part, fail)
    with pytest.raises(FitError, match=f"{part} failed"):
        run(LAYER_POS, overrides=(*study.overrides, "encoder.twin=null"), results=place / "results")
    left = [path for path in (place / "results").rglob("*") if path.is_file()]
    allowed = {".safetensors"} if part == "write_record" else set()
    assert {path.suffix for path in left} == allowed, "outcomes without a record are not a result"
    assert not (place / "wandb").exists()


def fail_to_write(record, path):
    raise OSError("no space")


def test_run_that_failed_can_be_done_again(study, place, monkeypatch):
    overrides = (*study.overrides, "encoder.twin=null")
    monkeypatch.setattr(execute_module, "write_record", fail_to_write)
    with pytest.raises(OSError, match="no space"):
        run(LAYER_POS, overrides=overrides, results=place / "results")
    monkeypatch.setattr(execute_module, "write_record", write_record)
    (curve,) = run(LAYER_POS, overrides=overrides, results=place / "results")
    assert curve.is_new
    assert curve.record.scores == study.curves["pretrained"].record.scores


def test_failure_in_the_middle_of_encoding_leaves_no_cache_and_loses_no_batch(study, place, monkeypatch):
    forward, calls = FrozenEncoder.forward, []

    def fail_late(self, batch):
        calls.append(1)
        if len(calls) > 4:  # two to check that padding changes nothing, then batches
            raise EncoderError("the encoder failed")
        return forward(self, batch)

    monkeypatch.setattr(FrozenEncoder, "forward", fail_late)
    overrides = (*study.overrides, "encoder.twin=null", "encoder.batch_pieces=64")
    with pytest.raises(EncoderError, match="the encoder failed"):
        run(LAYER_POS, overrides=overrides, results=place / "results")
    assert len(calls) == 5
    assert list_caches() == []
    monkeypatch.setattr(FrozenEncoder, "forward", forward)
    told = []
    run(LAYER_POS, overrides=overrides, results=place / "again", notify=told.append)
    assert [message for message in told if "2 of " in message and message.endswith(" batches are there already")]
    assert not (place / "results").exists()


def test_runs_before_a_failure_are_kept(study, place, monkeypatch):
    fit, calls = execute_module.fit_questions, []

    def fail_second(*arguments, **settings):
        calls.append(1)
        if len(calls) == 2:
            raise FitError("the second fit failed")
        return fit(*arguments, **settings)

    published = []
    monkeypatch.setattr("probes.study.publish.mirror", lambda curves, results: published.extend(curves) or "")
    monkeypatch.setattr(execute_module, "fit_questions", fail_second)
    with pytest.raises(FitError, match="the second fit failed"):
        run(LAYER_POS, overrides=study.overrides, results=place / "results")
    (kept,) = (place / "results" / "runs" / "layer_pos").iterdir()
    assert kept.name == study.runs[0].name
    assert published[0].record.run_id.startswith(kept.stem[-6:])
    assert len(published) == 1, "what was done is shown though a later run failed"
    assert len(list_caches()) == 2, "states that were computed whole are used again"
