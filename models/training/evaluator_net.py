"""Torch network of the evaluator, as `models.evaluator.evaluator` computes it in numpy."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from models.evaluator.binning import Binning
from models.evaluator.evaluator import RANK
from models.evaluator.monotone import DEAL_SCALE, SLOPE_MIN
from models.evaluator.promotion import STATES


@dataclass(frozen=True, slots=True)
class EvaluatorTrainingConfig:
    """Hyperparameters of the evaluator's training; `mask_*` are the shares of rows with masked inputs."""

    n_bins: int = 8
    hidden: tuple[int, ...] = (128, 64)
    dropout: float = 0.1
    epochs: int = 5
    batch: int = 2048
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    mask_shopper: float = 0.08
    mask_product: float = 0.08
    mask_promotion: float = 0.15
    prior_precision: float = 25.0
    last_week: int = 40
    seed: int = 17


DEMO_CONFIG: Final = EvaluatorTrainingConfig(
    epochs=4, batch=1024, learning_rate=1.5e-3, weight_decay=0.2, mask_promotion=0.1
)
"""For the demo store's 1.2 million rows, chosen on its validation weeks."""


def config_for(n_rows: int) -> EvaluatorTrainingConfig:
    """Choose hyperparameters by the number of training rows: fewer rows get fewer bins and smaller layers."""
    if n_rows < 8_000:
        return EvaluatorTrainingConfig(
            n_bins=2, hidden=(8,), dropout=0.3, epochs=40, batch=256, learning_rate=3e-3, weight_decay=1.0
        )
    return EvaluatorTrainingConfig(
        n_bins=4, hidden=(32,), dropout=0.2, epochs=12, batch=512, learning_rate=2e-3, weight_decay=0.3
    )


class NetInputs(NamedTuple):
    """Inputs of a batch: encoded numeric inputs, states of shopper and product, indicators of promotions or None."""

    encoded: Tensor
    shopper: Tensor
    product: Tensor
    promotion: Tensor | None = None


class EvaluatorNet(nn.Module):
    """Torch version of the network in `models.evaluator.evaluator`."""

    def __init__(
        self, binning: Binning, config: EvaluatorTrainingConfig, dim: int, *, promotions: bool = False
    ) -> None:
        """Initialise for states of `dim` and inputs encoded by `binning`; `promotions` adds their effect to `phi`."""
        super().__init__()
        self.binning = binning
        self.shopper = nn.Linear(dim, RANK, bias=False)
        self.product = nn.Linear(dim, RANK, bias=False)
        for layer in (self.shopper, self.product):
            nn.init.normal_(layer.weight, std=1.0)
        sizes = (binning.width + 2 * RANK + 1, *config.hidden)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.drop = nn.Dropout(config.dropout)
        self.linear = nn.Linear(sizes[0], 1, bias=False)
        self.promotion = nn.Linear(sizes[-1] + 2, len(STATES), bias=False) if promotions else None
        width = sizes[-1] + 2 + int(promotions)
        self.purchase = nn.Linear(width, 3, bias=False)
        self.satisfaction = nn.Linear(width, 2, bias=False)
        with torch.no_grad():
            self.linear.weight.zero_()
            for head in (self.purchase, self.satisfaction):
                head.weight.mul_(0.1)
                head.weight[0, -2] = 1.0
            if self.promotion is not None:
                self.promotion.weight.zero_()
                self.purchase.weight[0, -3] = 1.0

    def body(self, encoded: Tensor, shopper: Tensor, product: Tensor, promotion: Tensor | None = None) -> Tensor:
        """Compute `phi` `(n, d)` from encoded numeric inputs, states and indicators of promotions `(n, 5)`."""
        content = self.product(product)
        cosine = (shopper * product).sum(1, keepdim=True)
        inputs = torch.cat([encoded, self.shopper(shopper) * content, content, cosine], 1)
        state = inputs
        for layer in self.layers:
            state = self.drop(nn.functional.silu(layer(state)))
        ends = torch.cat([self.linear(inputs), torch.ones(len(state), 1)], 1)
        if self.promotion is None or promotion is None:
            return torch.cat([state, ends], 1)
        effect = (self.promotion(torch.cat([state, ends], 1)) * promotion).sum(1, keepdim=True)
        return torch.cat([state, effect, ends], 1)

    def forward(self, inputs: NetInputs, log_ratio: Tensor) -> tuple[Tensor, Tensor]:
        """Compute purchase and satisfaction logits, `(n,)` each.

        Where nothing is known of a promotion, the price response is taken as it is known elsewhere: a row without
        promotions would teach it the effect of those that go with low prices.
        """
        phi = self.body(inputs.encoded, inputs.shopper, inputs.product, inputs.promotion)
        terms = self.purchase(phi)
        if inputs.promotion is not None:
            known = inputs.promotion.any(1, keepdim=True)
            terms = torch.cat([terms[:, :1], torch.where(known, terms[:, 1:], terms[:, 1:].detach())], 1)
        return _head_logit(terms, log_ratio), _head_logit(self.satisfaction(phi), log_ratio)


def _head_logit(terms: Tensor, log_ratio: Tensor) -> Tensor:
    slopes = SLOPE_MIN + nn.functional.softplus(terms[:, 1:])
    basis = torch.stack([-log_ratio, torch.tanh(-log_ratio / DEAL_SCALE)], 1)[:, : slopes.shape[1]]
    return terms[:, 0] + (slopes * basis).sum(1)
