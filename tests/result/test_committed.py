"""The results in this checkout are of this schema, and their tables are those that they give."""

from pathlib import Path

import pytest

from probes.report.listing import write_listing
from probes.report.table import write_tables
from probes.result import read_analysis, read_record
from probes.result.frame import shown_order
from probes.study.analyses import holds_analyses

RESULTS = Path(__file__).resolve().parents[2] / "results"
EXPERIMENTS = sorted(path.name for path in (RESULTS / "runs").iterdir() if path.is_dir())


def test_there_are_committed_results() -> None:
    assert "layer_pos" in EXPERIMENTS


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_tables_are_those_of_the_records(experiment: str, tmp_path: Path) -> None:
    paths = sorted((RESULTS / "runs" / experiment).glob("*.json"))
    if holds_analyses(experiment, RESULTS):
        markdown, _ = write_listing(sorted(map(read_analysis, paths), key=shown_order), tmp_path)
    else:
        markdown, _ = write_tables(sorted(map(read_record, paths), key=shown_order), tmp_path)
    assert markdown.read_bytes() == (RESULTS / "tables" / markdown.name).read_bytes()


def test_trained_encoder_is_above_its_control_its_floors_and_its_twins_at_every_layer() -> None:
    records = [read_record(path) for path in (RESULTS / "runs" / "layer_pos").glob("*.json")]
    twins = [record for record in records if record.config["encoder"]["twin"]]
    (trained,) = [record for record in records if not record.config["encoder"]["twin"]]
    assert len(twins) == 3
    (floor,) = trained.select(variant="word_majority")
    for layer, score in enumerate(trained.select(variant="task")):
        below = [trained.select(variant="word_type", layer=layer)[0], floor]
        below += [twin.select(variant="task", layer=layer)[0] for twin in twins]
        assert all((score.low or 0) > (other.high or 1) for other in below), layer
