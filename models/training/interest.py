"""Training of the interest head on purchases in a category within the next four weeks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.shopper.features import pair_features
from models.shopper.history import ShopperHistory
from models.shopper.interest import InterestHead, conditional_state
from models.shopper.weeks import WEEK_S

HORIZON_S: Final = 4 * WEEK_S
PER_STATE: Final = 12


@dataclass(slots=True)
class InterestRows:
    """Training rows collected while the panel is built: a few random categories per shopper state."""

    categories: Sequence[str]
    seed: int = 17
    state: list[int] = field(default_factory=list)
    household: list[int] = field(default_factory=list)
    category: list[int] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    pair: list[tuple[float, ...]] = field(default_factory=list)
    _rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        """Seed the sampling of categories."""
        self._rng = np.random.default_rng(self.seed)

    def observe(self, state: int, household: int, history: ShopperHistory, at_s: float) -> None:
        """Add `PER_STATE` categories, sampled independently of later purchases."""
        for choice in self._rng.choice(len(self.categories), size=PER_STATE, replace=False):
            self.state.append(state)
            self.household.append(household)
            self.category.append(int(choice))
            self.at_s.append(at_s)
            self.pair.append(pair_features(history.categories.get(self.categories[choice]), at_s))

    def labels(self, purchases: dict[tuple[int, str], NDArray[np.int64]]) -> NDArray[np.float32]:
        """Label rows 1 where the household bought in the category within the horizon, given times of purchase."""
        found = np.zeros(len(self.state), np.float32)
        for row, (household, category, at_s) in enumerate(zip(self.household, self.category, self.at_s, strict=True)):
            times = purchases.get((household, self.categories[category]))
            if times is not None:
                position = int(np.searchsorted(times, at_s))
                found[row] = float(position < len(times) and times[position] <= at_s + HORIZON_S)
        return found


@dataclass(frozen=True, slots=True)
class InterestData:
    """Arrays of one split: states `(n, dim)`, pair features `(n, len(PAIR_FEATURES))`, labels `(n,)`."""

    shopper: NDArray[np.float32]
    category: NDArray[np.float32]
    pair: NDArray[np.float32]
    label: NDArray[np.float32]


def train_interest(data: InterestData, *, epochs: int = 6, seed: int = 17) -> tuple[InterestHead, float]:
    """Fit by logistic regression with weight decay; returns the head and its training log loss.

    Every row is used twice, once without history features, so that the states alone are predictive for shoppers who
    have only the text of this session.
    """
    torch.manual_seed(seed)
    states = [conditional_state(data.shopper, data.category, pair) for pair in (data.pair, np.zeros_like(data.pair))]
    state = torch.from_numpy(np.concatenate(states))
    label = torch.from_numpy(np.concatenate([data.label, data.label]))
    layer = torch.nn.Linear(state.shape[1], 1)
    torch.nn.init.zeros_(layer.weight)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=3e-3, weight_decay=1e-2)
    loss_value = 0.0
    for epoch in range(epochs):
        order = torch.randperm(len(label))
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * (1 - epoch / epochs)
        for start in range(0, len(order), 4096):
            rows = order[start : start + 4096]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(layer(state[rows]).squeeze(1), label[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss_value = 0.95 * loss_value + 0.05 * float(loss.detach()) if start else float(loss.detach())
    weights = layer.weight.detach().numpy()[0].astype(np.float64)
    return InterestHead(weights, float(layer.bias.detach()[0])), loss_value
