"""`probes run | encode | report | compare | settings`, and how a command ends."""

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probes.cli.cache import cache_app
from probes.errors import ConfigError, ProbesError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from probes.result import Analysis, Record
    from probes.study.curve import Curve, CurveGroup
    from probes.study.plan import Step

FAILED = 1
INTERRUPTED = 130

Overrides = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; `probes settings` lists the keys."),
]
Results = Annotated[Path, typer.Option(help="Folder of results.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON line a curve, and nothing else.")]

app = typer.Typer(
    help="Layer-wise probing of frozen BERT-like encoders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
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
    print(format_curve(curves[0].record) if len(curves) == 1 else steps[0].experiment.question)
    print(f"\n{format_summary([curve.record for curve in curves])}\n")
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
    from probes.study.material import read_sentences
    from probes.task import unit_of

    for run in read_experiment(file, settings).expand():
        cache = extract(load_encoder(run.encoder), read_sentences(run), unit_of(run.task.name))
        if os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0")) == "0":  # one of many processes speaks
            print(f"{cache.folder}  {len(cache.layers)} layers  {cache.num_bytes / 1e9:.2f} GB")


@app.command("report")
def report_command(
    files: Annotated[list[Path], typer.Argument(help="Experiment files or names; all by default.")] = [],  # noqa: B006
    results: Results = Path("results"),
) -> None:
    """Rebuild tables, figures and the page from the results folder alone."""
    from probes.study.analyses import holds_analyses, read_analyses
    from probes.study.curves import read_results
    from probes.study.publish import report, report_analyses
    from probes.study.site import write_site

    names = [file.stem for file in files] or sorted(path.name for path in (results / "runs").glob("*/"))
    if not names:
        raise ConfigError(f"Results were expected in {results / 'runs'}, but there are none. Run an experiment first.")
    for name in names:
        if holds_analyses(name, results):
            paths = report_analyses(list(read_analyses(name, results)), results)
        else:
            paths = report(list(read_results(name, results)), results)
        print("\n".join(map(str, paths)))
    print(write_site(results))


@app.command("show")
def show_command(
    file: Annotated[Path, typer.Argument(help="Experiment file (YAML), or the JSON of a curve.", show_default=False)],
    text: Annotated[str, typer.Argument(help="A sentence, or the path of a file with one a line.", show_default=False)],
    settings: Overrides = [],  # noqa: B006 - typer reads the default, nobody changes it
    results: Results = Path("results"),
    twins: Annotated[bool, typer.Option(help="Show untrained twins too.")] = False,
    as_html: Annotated[Path | None, typer.Option("--html", metavar="PATH", help="Write an HTML file too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line a curve, and nothing else.")] = False,
) -> None:
    """Ask the fitted probes of every layer about a sentence; where layers disagree is marked."""
    from rich.console import Console

    from probes.report.shown import html_page, to_terminal
    from probes.study.show import show_text

    every = list(show_text(file, text, settings, results, with_twins=twins))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    for shown in every:
        if as_json:
            print(json.dumps(shown.to_dict(), ensure_ascii=False), flush=True)
        else:
            console.print(to_terminal(shown))
    if as_html is not None:
        as_html.parent.mkdir(parents=True, exist_ok=True)
        as_html.write_text(html_page(every), encoding="utf-8")


@app.command("compare")
def compare_command(
    first: Annotated[str, typer.Argument(help="A curve's JSON file, or EXPERIMENT:NAME such as layer_pos:pretrained.")],
    second: Annotated[str, typer.Argument(help="The curve to subtract, in the same form.")],
    results: Results = Path("results"),
) -> None:
    """Print the paired difference of two curves, layer by layer, with intervals and p-values."""
    from probes.study.curves import read_curve, read_results

    def find(name: str) -> "Curve | CurveGroup":
        if name.endswith(".json"):
            return read_curve(name)
        experiment, _, key = name.partition(":")
        return read_results(experiment, results)[key or "pretrained"]

    print(find(first) - find(second))


@app.command("settings")
def settings_command(
    schema: Annotated[bool, typer.Option(help="Print the JSON schema that editors complete YAML from.")] = False,
    method: Annotated[str | None, typer.Option(help="List the options of one method instead.")] = None,
) -> None:
    """List every key of an experiment with its meaning and default."""
    from probes.config import Run, describe
    from probes.config.schema import experiment_schema

    if schema:
        print(json.dumps(experiment_schema(), indent=1))
        return
    if method is not None:
        from probes.method import find_method

        listed = describe(find_method(method).settings, "method.options.")
    else:
        listed = describe(Run)
    for key, text, default in listed:
        given = "needed" if default is ... else f"default: {json.dumps(default)}"
        print(f"{key}  ({given})\n    {' '.join(text.split())}")


def main() -> None:
    """Run the command line; a mistake of the caller is one message and exit code 2, never a traceback."""
    try:
        app()
    except ProbesError as error:
        print(f"probes: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(f"probes: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
