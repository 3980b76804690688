"""What a measurement needs beside its numbers: the machine, the command, and where the table goes."""

import json
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

OUT = Path("results/benchmarks")
UNITS = ("avx512f", "avx512_bf16", "amx_bf16")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory, threads and libraries."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    fields = dict(line.split("\t: ", 1) for line in lines if "\t: " in line)
    fields = {name.strip(): value for name, value in fields.items()}
    flags = fields.get("flags", "").split()
    return {
        "processor": fields.get("model name", platform.machine()),
        "cores": os.cpu_count(),
        "units": [unit for unit in UNITS if unit in flags],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")},
    }


def write_report(name: str, result: dict[str, Any], lines: Sequence[str]) -> None:
    """The JSON of a measurement, and its table for people; both name command and machine."""
    command = shlex.join(["python", *sys.argv])
    result = {"command": command, "machine": describe_machine(), **result}
    machine = result["machine"]
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    header = (
        f"`{command}` on {machine['cores']} cores of {machine['processor']} ({', '.join(machine['units'])}), "
        f"{machine['threads']} threads, torch {machine['versions']['torch']}."
    )
    text = "\n".join([header, "", *lines])
    (OUT / f"{name}.md").write_text(text + "\n")
    print(text)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A Markdown table."""
    lines = [list(map(str, row)) for row in (header, ["---"] * len(header), *rows)]
    return [f"| {' | '.join(line)} |" for line in lines]
