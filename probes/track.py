"""W&B: a mirror of local results, one run a curve; offline unless the user is logged in."""

import netrc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from probes.errors import ConfigError
from probes.result import COLUMNS, Analysis, Finding, Record, Score

if TYPE_CHECKING:
    import wandb

MODES = ("online", "offline", "disabled")
DEFAULT_HOST = "https://api.wandb.ai"
PROJECT = "probes"


def choose_mode() -> str:
    """`WANDB_MODE` where it is set; else `online` for a user who is logged in, `offline` for all others.

    Raises ConfigError for a mode that does not exist. Looks whether there is a key, never at what it is.
    """
    mode = os.environ.get("WANDB_MODE", "")
    if mode and mode not in MODES:
        raise ConfigError(
            f"WANDB_MODE should be one of {', '.join(MODES)}, but is {mode!r}. Correct it in the environment."
        )
    return mode or ("online" if _is_logged_in() else "offline")


def log_curve(record: Record, figure: Path | None = None) -> str:
    """Write one curve as one W&B run with id `run_id`; returns the run's folder ("" when disabled).

    One history row a layer, with `layer` as the step of every metric; a table of all scores; the figure; a chart of the
    loss on dev by epoch, a line a layer, where the fit had epochs. The same curve again, offline, is a new folder with
    the same id.
    """
    rows = [layer_row(record, layer) for layer in range(len(record.layers))]
    best = max(score.value or 0.0 for score in record.select(variant="task", split="dev"))
    summary = {"best_layer": record.best_layer, "best_dev_accuracy": best}
    return _log(record, rows, ("scores", COLUMNS, _cells(record.scores)), figure, **summary)


@contextmanager
def mirror_training(
    run_id: str, name: str, *, group: str, config: dict[str, Any]
) -> Iterator[Callable[[dict[str, float]], Any]]:
    """A run that is written while a training goes on: what is given takes a row of its own, by its `step`.

    A training that goes on after it was killed wants an id of its own, since W&B may still hold the first.
    """
    mode = choose_mode()
    if mode == "disabled":
        yield lambda row: None
        return
    run = _init(mode, os.environ.get("WANDB_DIR") or os.getcwd(), id=run_id, name=name, group=group, config=config)
    run.define_metric("step")
    run.define_metric("*", step_metric="step")
    try:
        yield run.log
    finally:
        run.finish()


def log_analysis(analysis: Analysis, figure: Path | None = None) -> str:
    """Write one analysis as one W&B run with id `run_id`; returns the run's folder ("" when disabled).

    One history row a layer with what belongs to it, a table of all findings, the figure.
    """
    rows = [finding_row(analysis, layer) for layer in range(len(analysis.layers))]
    cells = [[*row, str(one.at)] for row, one in zip(_cells(analysis.findings), analysis.findings, strict=True)]
    return _log(analysis, rows, ("findings", (*COLUMNS, "at"), cells), figure)


def _log(
    record: Record | Analysis,
    rows: list[dict[str, Any]],
    table: tuple[str, Sequence[str], list[Any]],
    figure: Path | None,
    **summary: Any,
) -> str:
    """One run: its rows of history, a table by its name with columns and cells, the figure and the summary."""
    import wandb

    mode = choose_mode()
    if mode == "disabled":
        return ""
    folder = os.environ.get("WANDB_DIR") or os.getcwd()
    run = _start(record, mode, folder)
    run.define_metric("layer")
    run.define_metric("*", step_metric="layer")
    name, columns, cells = table
    # Every call of log() is a row of the history, so table and figure ride with the last layer.
    rows[-1][name] = wandb.Table(columns=list(columns), data=cells)
    if figure is not None:
        rows[-1]["figure"] = wandb.Image(str(figure))
    if isinstance(record, Record) and (lines := training_lines(record)):
        epochs, losses = zip(*lines.values(), strict=True)
        rows[-1]["fit"] = wandb.plot.line_series(
            xs=list(epochs), ys=list(losses), keys=list(lines), title="loss on dev by epoch", xname="epoch"
        )
    with _stage_in(folder):
        for row in rows:
            run.log(row)
    run.summary.update(summary)
    place = str(Path(run.dir).parent)
    run.finish()
    return place


def finding_row(analysis: Analysis, layer: int) -> dict[str, Any]:
    """What W&B shows of one layer of an analysis."""
    row: dict[str, Any] = {"layer": layer}
    for one in analysis.findings:
        is_shown = one.layer in (None, layer) and one.subset == "all" and one.draw is None
        if not is_shown or one.value is None:
            continue
        coordinates = "".join(f"/{key}={value}" for key, value in one.at.items())
        name = f"{one.variant}/{one.metric}{coordinates}"
        row[name] = one.value
        if one.layer is not None and one.low is not None:
            row |= {f"{name}_low": one.low, f"{name}_high": one.high}
    return row


def _start(record: Record | Analysis, mode: str, folder: str) -> "wandb.Run":
    return _init(
        mode,
        folder,
        # The agent of a sweep has given its run an id, under which it waits for it.
        id=os.environ.get("WANDB_RUN_ID") if os.environ.get("WANDB_SWEEP_ID") else record.run_id,
        name=_name(record),
        group=record.experiment,
        tags=[record.task, record.config["corpus"]["reader"]],
        config={**record.config, "fingerprints": record.fingerprints.model_dump()},
    )


def _init(mode: str, folder: str, **names: Any) -> "wandb.Run":
    import wandb

    # Nothing about the machine, its user or its code leaves it: only what stands in the record.
    settings = wandb.Settings(
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        save_code=False,
        disable_git=True,
        disable_code=True,
        console="off",
        host="",
        silent=True,
    )
    return wandb.init(
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        **names,
        mode=mode,  # type: ignore[arg-type]
        dir=folder,
        resume="allow" if mode == "online" else None,
        reinit="create_new",
        settings=settings,
    )


def layer_row(record: Record, layer: int) -> dict[str, Any]:
    """What W&B shows of one layer: task, controls, selectivity and floors on test."""
    row: dict[str, Any] = {"layer": layer}
    wanted = [score for score in record.scores if score.subset == "all" and score.draw is None]
    for score in wanted:
        if score.layer not in (None, layer) or score.value is None:
            continue
        name = f"{score.split if score.variant == 'task' else score.variant}/{score.metric}"
        name = name.removesuffix("/accuracy") if score.variant.startswith("selectivity") else name
        row[name] = score.value
        if score.layer is not None and score.low is not None:
            row |= {f"{name}_low": score.low, f"{name}_high": score.high}
    return row


def training_lines(record: Record) -> dict[str, tuple[list[int], list[float]]]:
    """For each layer the epochs of its probe and the mean loss on dev after them."""
    lines: dict[str, tuple[list[int], list[float]]] = {}
    for one in record.training:
        if one.dev_loss is not None:
            epochs, losses = lines.setdefault(f"layer {record.layers[one.layer]}", ([], []))
            epochs.append(one.epoch)
            losses.append(one.dev_loss)
    return lines


@contextmanager
def _stage_in(folder: str) -> Iterator[None]:
    """Keep W&B's copy of the table beside the run: by default it stays in the user's home after every run."""
    if os.environ.get("WANDB_DATA_DIR"):
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(Path(folder, "wandb"))
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]


def _cells(scores: Sequence[Score | Finding]) -> list[Any]:
    return [[getattr(score, column) for column in COLUMNS] for score in scores]


def _name(record: Record | Analysis) -> str:
    encoder = record.config["encoder"]
    twin = encoder.get("twin")
    what = f"{record.method} of {record.task}" if isinstance(record, Analysis) else record.task
    return " ".join([what, encoder["name"], *([twin["kind"], str(twin["seed"])] if twin else [])])


def _is_logged_in() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", DEFAULT_HOST)).hostname or ""
    with suppress(OSError, netrc.NetrcParseError):
        path = os.environ.get("NETRC") or str(Path.home() / ".netrc")
        return host in netrc.netrc(path).hosts
    return False
