"""Small stacks of several banks, and each of their probes fitted by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from probes.config import FitConfig
from probes.fit.bank import Bank, BankShape, BestProbes
from probes.fit.batch import RowBatches
from probes.fit.family import keep_all, make_family
from probes.fit.stack import fit_stack
from tests.fit.conftest import NUM_LABELS, all_rows, make_states, measure, planted_labels, random_labels

SIZES = {"train": 240, "dev": 80, "test": 200}
L2 = (1e-4, 1e-1)
BATCH_ROWS = 30

States = Mapping[str, np.ndarray]
Wanted = Mapping[str, torch.Tensor]


def make_problem(num_layers: int = 3) -> tuple[States, Wanted]:
    """States, and wanted [target, row]: one target is planted at layer 1, one is random."""
    states = make_states(SIZES, dims=6, layers=num_layers)
    targets = [planted_labels(states, noise=0.2), random_labels(SIZES)]
    return states, {split: torch.from_numpy(np.stack([one[split] for one in targets])) for split in SIZES}


def make_shape(config: FitConfig, num_layers: int) -> BankShape:
    """Every penalty with every target."""
    l2 = torch.tensor([value for value in L2 for _ in range(2)]).double().expand(num_layers, -1)
    step_size = torch.full(l2.shape, config.step_size[0], dtype=torch.float64)
    return BankShape(make_family(config), "class", NUM_LABELS, torch.tensor([0, 1] * 2), l2, step_size)


def take_probes(shape: BankShape, layers: slice, probes: Sequence[int]) -> BankShape:
    """The shape of a bank of these probes alone."""
    chosen = list(probes)
    return replace(
        shape,
        target_of=shape.target_of[chosen],
        l2=shape.l2[layers][:, chosen],
        step_size=shape.step_size[layers][:, chosen],
    )


def make_bank(states: States, wanted: Wanted, config: FitConfig, shape: BankShape, *, num_steps: int = 99) -> Bank:
    """A bank in float64 over all rows of train."""
    statistics = measure(states["train"], kind=config.features)
    return Bank(shape, wanted, statistics, config, num_steps=num_steps, seed=0, dtype=torch.float64)


class Watched(RowBatches):
    """Batches that remember which layers were read in each epoch."""

    def __iter__(self):
        # A generator: Lightning asks for an iterator once more than it reads.
        self.history = [*getattr(self, "history", []), list(self.layers)]
        yield from super().__iter__()


def fit_banks(
    states: States, wanted: Wanted, configs: Sequence[FitConfig], shapes: Sequence[BankShape]
) -> tuple[list[Bank], Watched]:
    """Fit one stack of a bank for each config; returns the banks and the batches of train."""
    scale = measure(states["train"]).scale
    train, dev = (
        Watched(all_rows(states[split]), scale, batch_rows=BATCH_ROWS, dtype=torch.float64, seed=seed)
        for split, seed in (("train", 1), ("dev", None))
    )
    epochs = configs[0].epochs
    banks = [
        make_bank(states, wanted, config, shape, num_steps=epochs * len(train))
        for config, shape in zip(configs, shapes, strict=True)
    ]
    fit_stack(banks, train, dev, epochs=epochs, seed=0)
    return banks, train


def answers_of(bank: Bank, result: BestProbes, states: States, layer: int, place: tuple[int, int]) -> torch.Tensor:
    """Classes [row] that one probe answers for the test features of a layer."""
    scale = measure(states["train"]).scale
    rows = torch.from_numpy(states["test"][layer : layer + 1]).double()
    features = (rows - scale.mean[layer]) * scale.inverse_std[layer]
    parameters = {name: value[place][None, None] for name, value in result.parameters.items()}
    return bank.shape.family.logits(parameters, features, keep_all)[0, 0].argmax(dim=0)
