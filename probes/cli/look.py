"""`probes report | compare | show | settings`: what is there, and what can be asked."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probes.cli.app import Overrides, Results, app
from probes.errors import ConfigError

if TYPE_CHECKING:
    from probes.study.curve import Curve
    from probes.study.curves import CurveGroup


@app.command("report")
def report_command(
    files: Annotated[list[Path], typer.Argument(help="Experiment files or names; all by default.")] = [],  # noqa: B006
    results: Results = Path("results"),
    methods: Annotated[bool, typer.Option(help="Print a methods paragraph, BibTeX and a checklist instead.")] = False,
) -> None:
    """Rebuild tables, figures and the page from the results folder alone."""
    from probes.report.methods import write_methods
    from probes.study.analyses import holds_analyses, read_analyses
    from probes.study.curves import read_results
    from probes.study.publish import report, report_analyses
    from probes.study.site import write_site

    names = [file.stem for file in files] or sorted(path.name for path in (results / "runs").glob("*/"))
    if not names:
        raise ConfigError(f"Results were expected in {results / 'runs'}, but there are none. Run an experiment first.")
    for name in names:
        is_method = holds_analyses(name, results)
        if methods:
            found = read_analyses(name, results) if is_method else [one.record for one in read_results(name, results)]
            print(write_methods(list(found)))
        elif is_method:
            print("\n".join(map(str, report_analyses(list(read_analyses(name, results)), results))))
        else:
            print("\n".join(map(str, report(list(read_results(name, results)), results))))
    if not methods:
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
