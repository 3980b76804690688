"""What people fit a linear probe with today: one layer at a time, on standardised float32 features in memory."""

import logging
import warnings
from dataclasses import dataclass

import numpy as np
import pytorch_lightning as lightning
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

# scikit-learn's own default; most layers are not converged after it.
MAX_ITERATIONS = 100


@dataclass(frozen=True)
class Linear:
    """A fitted probe of standardised features: logits = features @ weights.T + bias."""

    weights: np.ndarray
    bias: np.ndarray


def standardise(states: np.ndarray) -> np.ndarray:
    """The notebook's way: a float32 copy with mean 0 and variance 1; a dimension that does not vary becomes 0."""
    values = np.asarray(states, dtype=np.float32)
    scaler = StandardScaler(copy=False).fit(values)
    # The last layer has a dimension of rounding noise, which the scaler would lift to unit variance.
    scaler.scale_ = np.where(
        scaler.scale_ < 1e-5 * np.sqrt(np.mean(scaler.var_ + scaler.mean_**2)), np.inf, scaler.scale_
    )
    return scaler.transform(values)


def fit_sklearn(features: np.ndarray, labels: np.ndarray, l2: float) -> Linear:
    """LogisticRegression with scikit-learn's default stopping rule; its C is 1 / (l2 N)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that the iterations were not enough, which is reported
        found = LogisticRegression(C=1 / (l2 * len(labels)), max_iter=MAX_ITERATIONS).fit(features, labels)
    return Linear(found.coef_, found.intercept_)


class Probe(lightning.LightningModule):
    """The usual LightningModule around a linear layer."""

    def __init__(self, num_features: int, num_labels: int, l2: float) -> None:
        super().__init__()
        self.linear, self.l2 = nn.Linear(num_features, num_labels), l2

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        loss = F.cross_entropy(self.linear(batch[0]), batch[1])
        return loss + self.l2 / 2 * self.linear.weight.square().sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def fit_lightning(features: np.ndarray, labels: np.ndarray, l2: float, epochs: int = 4) -> Linear:
    """One Trainer over DataLoader(TensorDataset), batches of 1,024, as many epochs as ours."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    data = TensorDataset(torch.from_numpy(features), torch.from_numpy(labels))
    module = Probe(features.shape[1], int(labels.max()) + 1, l2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, DataLoader(data, batch_size=1024, shuffle=True))
    return Linear(module.linear.weight.detach().numpy(), module.linear.bias.detach().numpy())


def fit_small_batches(features: np.ndarray, labels: np.ndarray, l2: float, epochs: int = 10) -> Linear:
    """The loop of NeuroX: batches of 32, Adam 1e-3, ten epochs, no dev."""
    states, wanted = torch.from_numpy(features), torch.from_numpy(labels)
    linear = nn.Linear(features.shape[1], int(labels.max()) + 1)
    optimizer = torch.optim.Adam(linear.parameters(), lr=1e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(states)).split(32):
            optimizer.zero_grad()
            loss = F.cross_entropy(linear(states[chosen]), wanted[chosen])
            (loss + l2 / 2 * linear.weight.square().sum()).backward()
            optimizer.step()
    return Linear(linear.weight.detach().numpy(), linear.bias.detach().numpy())
