"""`probes run | encode`, and how a command ends."""

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probes.cli.app import Overrides, Results, app
from probes.cli.cache import cache_app
from probes.cli.script import run_script
from probes.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probes.result import Analysis, Record
    from probes.study.curve import Curve
    from probes.study.plan import Step

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON line a curve, and nothing else.")]

app.add_typer(cache_app, name="cache")


@app.command("run")
def run_command(
    files: Annotated[list[str], typer.Argument(help="Experiment files (YAML), and settings as KEY=VALUE.")],
    settings: Overrides = [],  # noqa: B006 - typer reads the default, nobody changes it
    results: Results = Path("results"),
    dry_run: Annotated[bool, typer.Option(help="Print what would be done, and do nothing.")] = False,
    refresh: Annotated[bool, typer.Option(help="Do finished runs again.")] = False,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Do only every N-th run, from the I-th (1 to N).")] = "1/1",
    as_json: AsJson = False,
) -> None:
    """Run experiments: encode, fit, score, write results, table and figure."""
    from probes.config import read_experiment
    from probes.study.plan import plan, take_shard

    _refuse_several_processes()
    # What a sweep of W&B appends to a command: a setting without --set, which no file is called.
    changes = [*settings, *(one for one in files if "=" in one and not Path(one).is_file())]
    experiments = [read_experiment(Path(file), changes) for file in files if file not in changes]
    if not experiments:
        raise ConfigError(
            f"An experiment file was expected, but came only {', '.join(changes)}. Name one, such as "
            f"experiments/quickstart.yaml."
        )
    for experiment in experiments:
        steps = take_shard(plan(experiment, results), shard)
        _refuse_several_curves_of_a_sweep(steps)
        if dry_run:
            _print_plan(steps)
        elif not steps:
            print(f"{experiment.name}: no run falls to shard {shard}", file=sys.stderr)
        elif steps[0].run.method is None:
            _run(steps, results, refresh=refresh, as_json=as_json)
        else:
            _analyse(steps, results, refresh=refresh, as_json=as_json)


def _refuse_several_processes() -> None:
    names = ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
    number = next((int(os.environ[name]) for name in names if name in os.environ), 1)
    if number > 1:
        raise ConfigError(
            f"`probes run` fits and writes results in one process, but was started as {number}. Share the encoding "
            f"with: torchrun --no-python probes encode FILE, then run this once; or share the runs with --shard."
        )


def _refuse_several_curves_of_a_sweep(steps: "list[Step]") -> None:
    if os.environ.get("WANDB_SWEEP_ID") and len(steps) > 1:
        raise ConfigError(
            f"In a sweep of W&B a run is one curve, but {steps[0].experiment.name} has {len(steps)} runs. "
            f"Give each axis of its grid one value, such as encoder.twin=null."
        )


def _run(steps: "list[Step]", results: Path, *, refresh: bool, as_json: bool) -> None:
    from probes.report.table import format_curve, format_summary
    from probes.study.publish import run_steps

    def finished(step: "Step", curve: "Curve") -> None:
        if as_json:
            print(json.dumps({"path": str(step.record_path), **_summary(curve.record)}), flush=True)

    start = time.perf_counter()
    published = run_steps(steps, results, refresh=refresh, notify=_notifier(as_json), finished=finished)
    if as_json:
        return
    curves, place = published.found, published.wandb_folder
    records, question = [curve.record for curve in curves], steps[0].experiment.question
    print(format_curve(records[0]) if len(records) == 1 else f"{question}\n{format_summary(records)}")
    _print_written(published.paths, place, time.perf_counter() - start, published.seconds)


def _analyse(steps: "list[Step]", results: Path, *, refresh: bool, as_json: bool) -> None:
    from probes.report.listing import format_analysis
    from probes.study.publish import run_analyses

    def finished(step: "Step", analysis: "Analysis") -> None:
        if as_json:
            summary = {"run_id": analysis.run_id, "method": analysis.method, "wall_seconds": analysis.wall_seconds}
            print(json.dumps({"path": str(step.record_path), **summary}), flush=True)

    start = time.perf_counter()
    published = run_analyses(steps, results, refresh=refresh, notify=_notifier(as_json), finished=finished)
    if as_json:
        return
    first, *others = published.found
    print(format_analysis(first))
    for other in others:
        print(f"{other.run_id[:6]}  {other.method} of {other.task}, {_title(other)}")
    _print_written(published.paths, published.wandb_folder, time.perf_counter() - start, published.seconds)


def _notifier(as_json: bool) -> "Callable[[str], None]":
    def notify(message: str) -> None:
        if not as_json:
            print(message, file=sys.stderr)

    return notify


def _print_written(paths: "Sequence[Path]", place: str, total: float, shown: float) -> None:
    written = ", ".join(map(str, paths)) + (f"; W&B: {os.path.relpath(place)}" if place else "")
    print(f"written: {written}; {total:.1f} s, of which report and W&B {shown:.1f} s")


def _title(record: "Record | Analysis") -> str:
    from probes.result.frame import twin_label

    return f"{record.config['encoder']['name']}, {twin_label(record)}"


def _summary(record: "Record") -> dict[str, Any]:
    accuracy = [score.value for score in record.select(variant="task")]
    return {
        "run_id": record.run_id,
        "layers": record.layers,
        "accuracy": accuracy,
        "best_layer": record.best_layer,
        "wall_seconds": record.wall_seconds,
    }


def _print_plan(steps: "list[Step]") -> None:
    from probes.study.plan import estimate_disk

    for step in steps:
        state = "is there" if step.is_written else "to do"
        print(f"{step.run.run_id[:6]}  {state:8}  {step.run.task.name}  {step.run.slug}  {step.record_path}")
    needed = estimate_disk(steps)
    print(f"caches: {needed.caches}, about {needed.num_bytes / 1e9:.2f} GB in {needed.folder}")


@app.command("encode")
def encode_command(
    file: Annotated[Path, typer.Argument(help="Experiment file (YAML).", show_default=False)],
    settings: Overrides = [],  # noqa: B006 - typer reads the default, nobody changes it
) -> None:
    """Fill the caches that an experiment needs, and fit nothing."""
    from probes.config import read_experiment
    from probes.encoder.extract import extract
    from probes.encoder.load import load_encoder
    from probes.study.beside import encoders_beside
    from probes.study.material import read_sentences
    from probes.task import unit_of

    runs = read_experiment(file, settings).expand()
    for number, run in enumerate(runs):
        encoder = load_encoder(run.encoder)
        also = encoders_beside(encoder, run, runs[number + 1 :])
        cache = extract(encoder, read_sentences(run), unit_of(run.task.name), also=also)
        if os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0")) == "0":  # one of many processes speaks
            print(f"{cache.folder}  {len(cache.layers)} layers  {cache.num_bytes / 1e9:.2f} GB")


def main() -> None:
    """Run the command line; a mistake of the caller is one message and exit code 2, never a traceback."""
    from probes.cli import look  # noqa: F401 - its commands stand after those that compute

    run_script(app)
