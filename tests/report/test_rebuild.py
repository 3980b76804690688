"""Tables and figures come from results alone: without W&B, without a model, to the same bytes."""

import shutil
import subprocess
import sys
from pathlib import Path

from probes.study.curves import read_results
from probes.study.publish import report

REBUILD = """
import sys
from pathlib import Path
from probes.report.figure import draw_curves
from probes.report.table import write_tables
from probes.result import read_record
from probes.result.frame import shown_order
results, place = Path(sys.argv[1]), Path(sys.argv[2])
records = sorted(map(read_record, (results / "runs" / "layer_pos").glob("*.json")), key=shown_order)
write_tables(records, place / "tables")
for suffix in (".pdf", ".png"):
    draw_curves(records, place / "figures" / f"layer_pos{suffix}")
assert not {"torch", "wandb", "transformers"} & sys.modules.keys(), "results are enough"
"""


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for part in ("tables", "figures") for path in (folder / part).iterdir()]
    return {path.name: path.read_bytes() for path in files}


def test_report_rebuilds_to_the_same_bytes_from_results_alone(study, tmp_path):
    """In another process, which sees no W&B folder, no cache and no encoder."""
    shutil.copytree(study.results / "runs", tmp_path / "results" / "runs")
    command = [sys.executable, "-c", REBUILD, str(tmp_path / "results"), str(tmp_path / "again")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    again = contents(tmp_path / "again")
    assert again.keys() == {"layer_pos.md", "layer_pos.csv", "layer_pos.pdf", "layer_pos.png"}
    assert again == contents(study.results)


def test_report_does_not_depend_on_the_order_of_the_curves(study, tmp_path):
    curves = list(read_results("layer_pos", study.results))
    report(curves[::-1], tmp_path)
    assert contents(tmp_path) == contents(study.results)
