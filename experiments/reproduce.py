"""Every experiment, then scores, tables, figures, page and verdicts; what is done is not done again.

    PROBES_DATA=... python experiments/reproduce.py --encoder bert-base-uncased [--only NAME ...] [--dry-run]

An experiment that cannot be done with this encoder is left out, with the reason; the others go on. Wall times of all
calls are summed in results/reproduction/times-<encoder>.json. Benchmarks (`make bench`) want the machine alone, and
training the packaged BERT (pretrain/) takes an hour and a half: neither is done here.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from probes.cli.script import run_script
from probes.config import EncoderConfig, FitConfig
from probes.errors import ConfigError, list_names
from probes.fit.problem import arithmetic

HERE = Path(__file__).parent
# Run as they are: these name encoders of their own.
OWN_ENCODER = {"quickstart", "legacy_hewitt2019", "own_bert", "own_suite"}
# These want a masked-word head, a pooler, a cased BERT: an encoder may lack it.
MAY_LACK = {"likelihood", "sst2", "legacy_hewitt2019"}
# They run the encoder in bfloat16: where a processor only emulates it, hours for what else takes minutes.
IN_BFLOAT16 = {"multiverse_words_bfloat16", "multiverse_sentences_bfloat16"}
# How the command line says what it refuses; anything else is a failure.
REFUSAL = "probes: "
FOLDERS = (".", "pretrain", "reproduction", "multiverse", "planted")
DONE, LEFT_OUT, FAILED = "done", "left out", "failed"
VERDICTS = "reproduction/verdict.py"


@dataclass(frozen=True, slots=True)
class Job:
    """A command, and the name under which its time is kept."""

    name: str
    command: tuple[str, ...]
    takes_dry_run: bool = False


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="bert-base-uncased")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these experiments only, without what follows them")
    parser.add_argument("--dry-run", action="store_true", help="print what would be done and its disk, and do nothing")
    options = parser.parse_args(arguments)
    jobs = choose(list(plan(options.encoder, options.results)), options.only)
    if options.dry_run:
        return dry_run(jobs)
    times = read_times(options.results, options.encoder)
    for job in jobs:
        if job.name == VERDICTS:  # what it prints is the end
            print("\n".join(write_table([(one.name, times[one.name]) for one in jobs if one is not job])), flush=True)
        start = time.perf_counter()
        state, reason = FAILED, "interrupted"
        try:
            state, reason = carry_out(job)
        finally:
            spent = times.get(job.name, {}).get("seconds", 0.0) + time.perf_counter() - start
            times[job.name] = {"state": state, "seconds": round(spent, 3), **({"reason": reason} if reason else {})}
            write_times(options.results, options.encoder, times)
    if jobs[-1].name != VERDICTS:
        print("\n".join(write_table([(job.name, times[job.name]) for job in jobs])))
    return int(any(times[job.name]["state"] == FAILED for job in jobs))


def plan(encoder: str, results: Path) -> Iterator[Job]:
    """Every experiment of every folder, then the scripts that read their results."""
    probes = str(Path(sys.executable).with_name("probes"))
    where = ("--results", str(results))
    for folder in FOLDERS:
        for path in sorted((HERE / folder).glob("*.yaml")):
            is_free = folder != "planted" and path.stem not in OWN_ENCODER
            named = ("--set", f"encoder.name={encoder}") if is_free else ()
            yield Job(path.stem, (probes, "run", str(path), *named, *where), takes_dry_run=True)
    asked = ("--encoder", encoder)
    for script, more in (
        ("layer_norms.py", ()),
        ("planted/score.py", ()),
        ("multiverse/claims.py", asked),
        ("multiverse/resampling_unit.py", ()),
        ("reproduction/exact.py", ()),
        ("reproduction/compare.py", asked),
        ("report", ()),
        (VERDICTS, asked),
    ):
        command = (probes, script) if script == "report" else (sys.executable, str(HERE / script), *more)
        yield Job(script, (*command, *where))


def choose(jobs: list[Job], only: Sequence[str] | None) -> list[Job]:
    """The jobs with these names; raises ConfigError for a name that none has."""
    known = {job.name: job for job in jobs}
    for name in only or ():
        if name not in known:
            raise ConfigError(
                f"--only expects names of experiments, but came {name!r}. There are {list_names(name, known)}."
            )
    return [known[name] for name in only] if only else jobs


def dry_run(jobs: Sequence[Job]) -> int:
    """Print every command, and of experiments their runs and the disk of their caches."""
    states = []
    for job in jobs:
        print(shlex.join(job.command), flush=True)
        if job.takes_dry_run:
            states.append(subprocess.run([*job.command, "--dry-run"], check=False).returncode)
    return int(any(states))


def carry_out(job: Job) -> tuple[str, str]:
    """Run a command; what became of it, and the last line that it complained with."""
    print(f"== {job.name}", flush=True)
    if job.name in IN_BFLOAT16 and arithmetic(FitConfig()) != torch.bfloat16:
        return LEFT_OUT, "this machine only emulates bfloat16"
    last = ""
    with subprocess.Popen(job.command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            last = line.strip() or last
    if process.returncode == 0:
        return DONE, ""
    is_refused = job.name in MAY_LACK and last.startswith(REFUSAL)
    return (LEFT_OUT if is_refused else FAILED), last or f"exit code {process.returncode}"


def times_path(results: Path, encoder: str) -> Path:
    return results / "reproduction" / f"times-{EncoderConfig(name=encoder).slug}.json"


def read_times(results: Path, encoder: str) -> dict[str, dict[str, Any]]:
    path = times_path(results, encoder)
    return json.loads(path.read_text(encoding="utf-8"))["experiments"] if path.is_file() else {}


def write_times(results: Path, encoder: str, times: dict[str, dict[str, Any]]) -> None:
    path = times_path(results, encoder)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {"encoder": encoder, "cores": os.cpu_count(), "experiments": times}
    working = path.with_suffix(".part")
    working.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    working.replace(path)


def write_table(rows: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    yield "| experiment | state | minutes | reason |"
    yield "|---|---|---|---|"
    for name, row in rows:
        yield f"| {name} | {row['state']} | {row['seconds'] / 60:.1f} | {row.get('reason', '')} |"


if __name__ == "__main__":
    run_script(main)
