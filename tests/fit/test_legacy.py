"""The probe of a published system, as an experiment file has it, against a plain PyTorch loop."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from probes.config import FitConfig, read_experiment
from probes.fit.batch import order_blocks
from probes.fit.family import make_family
from probes.seed import stream_seed
from tests.fit.conftest import NUM_LABELS, fit_states, make_states, planted_labels

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
SIZES = {"train": 1280, "dev": 200, "test": 200}


def published(name: str = "legacy_jawahar2019") -> FitConfig:
    return read_experiment(EXPERIMENTS / f"{name}.yaml").expand()[0].fit


def plain_loop(states: dict, labels: dict, config: FitConfig, l2: float, layer: int) -> tuple[int, np.ndarray]:
    """Best epoch and its answers on test: Linear, Sigmoid, Linear under torch's Adam with its own weight decay."""
    dim = states["train"].shape[2]
    model = nn.Sequential(nn.Linear(dim, 50), nn.Sigmoid(), nn.Linear(50, NUM_LABELS))
    family, stream = make_family(config), torch.Generator().manual_seed(stream_seed(0, "fit.init", 0))
    places = {
        "weight_0": model[0].weight,
        "bias_0": model[0].bias,
        "weight_1": model[2].weight,
        "bias_1": model[2].bias,
    }
    for name, shape in family.shapes(dim, NUM_LABELS).items():
        places[name].data = family.start(name, shape, stream).reshape(places[name].shape)
    weights, biases = ([value for name, value in places.items() if name.startswith(kind)] for kind in ("w", "b"))
    groups = [{"params": weights, "weight_decay": l2}, {"params": biases, "weight_decay": 0.0}]
    optimizer = torch.optim.Adam(groups, lr=1e-3, betas=(0.9, 0.999))
    rows = {split: torch.from_numpy(part[layer]) for split, part in states.items()}
    wanted = torch.from_numpy(labels["train"])
    best = (-1.0, 0, np.empty(0))
    for epoch in range(4):
        for ranges in order_blocks(len(wanted), 64, stream_seed(0, "fit"), epoch):
            batch = torch.cat([torch.arange(start, stop) for start, stop in ranges])
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(rows["train"][batch]), wanted[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            dev, test = (model(rows[split]).argmax(dim=1).numpy() for split in ("dev", "test"))
        accuracy = float((dev == labels["dev"]).mean())
        if accuracy >= best[0]:
            best = (accuracy, epoch + 1, test)
    return best[1], best[2]


@pytest.mark.parametrize("l2", [1e-5, 1e-2])
def test_published_probe_equals_a_plain_loop(l2: float, tmp_path: Path) -> None:
    states = make_states(SIZES)
    labels, config = planted_labels(states), published().model_copy(update={"l2": (l2,)})
    probes = fit_states(tmp_path, states, labels, config=config)
    for layer in range(3):
        epoch, expected = plain_loop(states, labels, config, l2, layer)
        assert probes.epochs[layer, 0] == epoch
        answers = probes.predict(states["test"][layer], np.arange(SIZES["test"])[:, None], layer)[0]
        assert np.mean(answers == expected) >= 0.995


def test_published_probe_ends_after_four_epochs_and_the_meant_one_does_not(tmp_path: Path) -> None:
    states, meant = make_states(SIZES), published("legacy_jawahar2019_epochs")
    labels, quick = planted_labels(states), {"l2": (1e-5,), "epochs": 30}
    stopped = fit_states(tmp_path, states, labels, config=published().model_copy(update={"l2": (1e-5,)}))
    fitted = fit_states(tmp_path, states, labels, config=meant.model_copy(update=quick))
    assert stopped.epochs.max() <= 4 < fitted.epochs[1, 0]
    assert fitted.dev_accuracy[1, 0] > stopped.dev_accuracy[1, 0] + 0.02
    same = {"epochs", "patience"}
    assert published().model_dump(exclude=same) == meant.model_dump(exclude=same)
    assert (published().epochs, meant.epochs) == (4, 200)
