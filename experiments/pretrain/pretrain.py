"""Pre-train a small BERT on open text: tokenizer, packed blocks, masked words; killed anywhere, it goes on.

    PROBES_DATA=... python experiments/pretrain/pretrain.py --out FOLDER [--steps 9800] [--dim 192] [--seed 0]

Everything that decides a weight stands in FOLDER/plan.json; other settings into the same folder are an error.
"""

import argparse
import json
import logging
import os
import warnings
import zipfile
from dataclasses import asdict
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from model import Keeper, Pretraining, grow, make_model
from pytorch_lightning.callbacks import ModelCheckpoint
from schedule import SHORT, Plan, Stage, Steps
from text import SPECIAL, Text, blocks_of, pack, read_text, train_tokenizer
from torch.utils.data import DataLoader, Subset
from transformers import BertForMaskedLM, BertTokenizerFast

from probes.cli.script import run_script
from probes.errors import ConfigError
from probes.track import mirror_training

TREEBANK = "ud-english-ewt/en_ewt-ud-train.conllu"
# Steps between two places from which a killed training goes on.
STEPS_IN_EPOCH = 200
PLAN = "plan.json"
# Of a text, with its two ends.
FEWEST_PIECES = 8


def main(arguments: list[str] | None = None) -> None:
    data = Path(os.environ.get("PROBES_DATA", ""))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of weights, losses and the plan")
    parser.add_argument("--text", type=Path, default=data / "text", help="folder of text files")
    parser.add_argument("--treebank", default=TREEBANK, help="CoNLL-U file of train, or '' for none")
    parser.add_argument("--steps", type=int, default=9_800)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument(
        "--grow", type=_growth, nargs="*", default=[], help="BLOCKS:STEPS[:LENGTH] of each stage before the whole"
    )
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--vocabulary", type=int, default=8_192)
    parser.add_argument("--pieces-in-step", type=int, default=8_192)
    parser.add_argument("--step-size", type=float, default=1e-3, help="the largest, after the rise")
    parser.add_argument("--masked-share", type=float, default=0.15, help="share of the pieces that are to be predicted")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epoch", type=int, default=STEPS_IN_EPOCH, help="steps between two resumable states")
    options = parser.parse_args(arguments)
    text = read_text(options.text, options.treebank or None)
    plan = Plan(
        options.steps,
        options.layers,
        tuple(options.grow),
        pieces_in_step=options.pieces_in_step,
        step_size=options.step_size,
        masked_share=options.masked_share,
        seed=options.seed,
    )
    _check_growth(plan)
    settings = {name: getattr(options, name) for name in ("dim", "vocabulary", "epoch")}
    described = json.loads(json.dumps({**asdict(plan), **settings, "text": text.hash}))
    options.out.mkdir(parents=True, exist_ok=True)
    _claim(options.out, described)
    train(options.out, plan, text, dim=options.dim, size=options.vocabulary, epoch=options.epoch)


def _growth(text: str) -> tuple[int, int, int]:
    numbers = text.split(":")
    if len(numbers) not in (2, 3) or not all(number.isdecimal() and int(number) for number in numbers):
        raise argparse.ArgumentTypeError(
            f"expected BLOCKS:STEPS or BLOCKS:STEPS:LENGTH, such as 3:5500:32, not {text!r}"
        )
    layers, steps, length = (*map(int, numbers), SHORT)[:3]
    return layers, steps, length


def _check_growth(plan: Plan) -> None:
    """Raises ConfigError for stages that cannot follow each other."""
    stages = plan.stages
    grows = all(after.layers % before.layers == 0 for before, after in pairwise(stages))
    are_read = all(FEWEST_PIECES <= stage.length <= plan.long for stage in stages)
    if not grows or not are_read or any(stage.first >= stage.end for stage in stages):
        given = " ".join(f"{layers}:{steps}:{length}" for layers, steps, length in plan.growth)
        raise ConfigError(
            f"--grow should name stages whose blocks divide those of the next one, up to --layers {plan.layers}, with "
            f"fewer steps in all than --steps {plan.steps} and texts of {FEWEST_PIECES} to {plan.long} pieces, but is "
            f"{given}. Give, for example, --grow 3:300 6:300:64."
        )


def _claim(folder: Path, described: dict[str, Any]) -> None:
    """Write the plan of a folder, or find the same one there."""
    path = folder / PLAN
    if not path.is_file():
        path.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    other = {name: (found.get(name), value) for name, value in described.items() if found.get(name) != value}
    if other:
        raise ConfigError(
            f"{path} should be the plan of this training, but differs in "
            f"{', '.join(f'{name} ({was!r}, now {now!r})' for name, (was, now) in other.items())}. "
            f"Give the same settings to go on, or another --out."
        )


def train(folder: Path, plan: Plan, text: Text, *, dim: int, size: int, epoch: int) -> None:
    """All steps of a plan, from the last state that was kept."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    tokenizer = load_tokenizer(folder, text, size)
    stream = _stream(folder, tokenizer, text)
    blocks = {
        length: blocks_of(stream, length, tokenizer) for length in {plan.long, *(stage.length for stage in plan.stages)}
    }
    steps = Steps(plan, blocks, len(SPECIAL), tokenizer.mask_token_id, len(tokenizer))
    model = make_model(layers=plan.stages[0].layers, dim=dim, vocabulary=len(tokenizer), seed=plan.seed)
    begun = [stage for stage in plan.stages if _state(folder, stage).is_file()]
    described = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    run_id = sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
    path = folder / "loss.csv"
    if done := len(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else 0:
        # The service of a run that was killed may still hold its id.
        run_id = f"{run_id}-{done}"
    with mirror_training(run_id, folder.name, group="pretrain", config=described) as log:
        for stage in plan.stages:
            model = grow(model, layers=stage.layers, seed=plan.seed)
            if not begun or stage.first >= begun[-1].first:
                keeper = Keeper(folder, stage, tokenizer, log)
                _train_stage(model, plan, stage, steps, keeper, epoch)
    keeper.save(model, folder / "final")


def _train_stage(model: BertForMaskedLM, plan: Plan, stage: Stage, steps: Steps, keeper: Keeper, epoch: int) -> None:
    state = _state(keeper.folder, stage)
    states = ModelCheckpoint(
        state.parent, filename=state.stem, save_on_train_epoch_end=True, enable_version_counter=False
    )
    has_bfloat16 = torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        trainer = lightning.Trainer(
            accelerator="auto",
            devices=1,
            precision="bf16-mixed" if has_bfloat16 else "32-true",
            max_epochs=-(-(stage.end - stage.first) // epoch),
            reload_dataloaders_every_n_epochs=1,
            logger=False,
            callbacks=[states, keeper],
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        module = Pretraining(model, plan, stage.first)
        trainer.fit(module, datamodule=StepData(steps, stage, epoch), ckpt_path=_checked(state))


def _state(folder: Path, stage: Stage) -> Path:
    return folder / "state" / f"stage-{stage.number}.ckpt"


def _checked(path: Path) -> str | None:
    """The state from which a training goes on; raises ConfigError for one that is cut short."""
    if not path.is_file():
        return None
    if not zipfile.is_zipfile(path):
        raise ConfigError(
            f"{path} should be the state of a training, but is cut short ({path.stat().st_size} bytes). "
            f"Remove it to begin again from the first step."
        )
    return str(path)


class StepData(lightning.LightningDataModule):
    """The steps of each epoch of a stage."""

    def __init__(self, steps: Steps, stage: Stage, epoch: int) -> None:
        super().__init__()
        self.steps, self.stage, self.epoch = steps, stage, epoch

    def train_dataloader(self) -> DataLoader:
        assert self.trainer is not None
        first = self.stage.first + self.trainer.current_epoch * self.epoch
        chosen = range(first, min(first + self.epoch, self.stage.end))
        return DataLoader(Subset(self.steps, chosen), batch_size=None, generator=torch.Generator())


def load_tokenizer(folder: Path, text: Text, size: int) -> BertTokenizerFast:
    """The tokenizer of a folder, trained on the text if there is none yet."""
    place = folder / "tokenizer"
    if not (place / "tokenizer.json").is_file():
        train_tokenizer(text, size=size).save_pretrained(place)
    tokenizer = BertTokenizerFast.from_pretrained(place)
    if len(tokenizer) > size:
        raise ConfigError(
            f"The tokenizer in {place} should have at most {size} pieces, but has {len(tokenizer)}: it belongs to "
            f"another training. Remove the folder, or give --vocabulary {len(tokenizer)}."
        )
    return tokenizer


def _stream(folder: Path, tokenizer: BertTokenizerFast, text: Text) -> np.ndarray:
    path = folder / "pieces.npy"
    if not path.is_file():
        working = path.with_suffix(".part.npy")
        np.save(working, pack(tokenizer, text.train))
        working.replace(path)
    return np.load(path, mmap_mode="r")


if __name__ == "__main__":
    run_script(main)
