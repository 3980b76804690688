"""The trained weights as a folder of the package: float16 safetensors, tokenizer, model card, checksums.

    python experiments/pretrain/release.py FOLDER [--to probes/weights/bert-12x128]

Reads results/pretrain/held_out.json, if it is there, for the loss on held-out text; nothing in a card is typed by hand.
"""

import argparse
import csv
import json
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from probes.cli.script import run_script
from probes.errors import ConfigError

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
SUMS, CARD = "SHA256SUMS", "README.md"
MOST_BYTES = 25_000_000
PLANNED = ("layers", "dim", "vocabulary", "steps", "pieces_in_step", "long", "short", "step_size", "seed")
# The text of the card, its numbers open.
TEMPLATE = Path(__file__).with_name("card.md")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of a training that has ended")
    parser.add_argument("--to", type=Path, default=Path("probes/weights/bert-12x128"))
    parser.add_argument("--held-out", type=Path, default=Path("results/pretrain/held_out.json"))
    options = parser.parse_args(arguments)
    release(options.folder, options.to, options.held_out)


def release(folder: Path, to: Path, held_out: Path) -> None:
    """Copy the last weights of a training and say what they are; raises ConfigError for one that has not ended."""
    final = folder / "final"
    if missing := [name for name in FILES if not (final / name).is_file()]:
        raise ConfigError(
            f"The weights of a training that has ended were expected in {final}, but {missing[0]} is not there. "
            f"Let the training end: the command that began it goes on."
        )
    size = sum((final / name).stat().st_size for name in FILES)
    if size > MOST_BYTES:
        raise ConfigError(
            f"Weights that come with the package should have at most {MOST_BYTES:,} bytes, but those in {final} have "
            f"{size:,}. Train with a smaller --dim, or keep them in a package of their own."
        )
    to.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(final / name, to / name)
    (to / CARD).write_text(write_card(to.name, folder, held_out), encoding="utf-8")
    (to / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in checksums(to).items()), encoding="utf-8")


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of weights and tokenizer."""
    return {name: sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


def last_row(path: Path) -> dict[str, float]:
    """The last step of a training: its number, the pieces read so far, the seconds it took."""
    with path.open(newline="", encoding="utf-8") as file:
        *_, row = csv.DictReader(file)
    return {name: float(row[name]) for name in ("step", "pieces", "seconds")}


def write_card(name: str, folder: Path, held_out: Path) -> str:
    """The model card: what it was trained on, how much, how well it predicts, and what it is not for."""
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    losses = json.loads(held_out.read_text(encoding="utf-8"))["rows"] if held_out.is_file() else []
    shown = [f"| {row['name']} | {row['nats']:.2f} [{row['low']:.2f}, {row['high']:.2f}] |" for row in losses]
    last = last_row(folder / "loss.csv")
    numbers = {
        "name": name,
        "heads": max(1, plan["dim"] // 32),
        "states": plan["layers"] + 1,
        "masked": 100 * plan["masked_share"],
        "long_share": 100 * plan["long_share"],
        "read": last["pieces"] / 1e6,
        "minutes": last["seconds"] / 60,
        "stages": describe_stages(plan),
        "corpus": len(np.load(folder / "pieces.npy", mmap_mode="r")) / 1e6,
        "losses": "\n".join(shown),
    }
    return TEMPLATE.read_text(encoding="utf-8").format(**{key: plan[key] for key in PLANNED}, **numbers)


def describe_stages(plan: Mapping[str, Any]) -> str:
    """How the encoder came to its blocks."""
    if not plan["growth"]:
        return f"All {plan['layers']} blocks were there from the first step"
    parts = (f"{steps:,} with {layers} blocks on {length} pieces" for layers, steps, length in plan["growth"])
    grown, whole = ", then ".join(parts), plan["steps"] - sum(steps for _, steps, _ in plan["growth"])
    return (
        f"Of the steps {grown}, then {whole:,} with {plan['layers']} (after Gong et al. 2019; blocks that are added "
        f"change nothing at first)"
    )


if __name__ == "__main__":
    run_script(main)
