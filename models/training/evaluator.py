"""Training of the evaluator on a purchase panel.

Case-control sampling is undone by the offset -log(rate) (Prentice & Pyke 1979), so the network's own logit is
calibrated to the unsampled rate. Shopper and product knowledge is masked at random, so that the network can price for
strangers and for new products. The last layers' posterior is a cluster-robust Laplace approximation, households being
the clusters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.encoder import DIM
from models.evaluator import EVIDENCE, INPUT_LIMIT, KEY_DIM, RANK, EvaluatorWeights
from models.features import FEATURES, SHOPPER_CATEGORY, SHOPPER_PRODUCT
from models.monotone import DEAL_SCALE, SLOPE_MIN, MonotoneHead

Floats = NDArray[np.float64]

NUMERIC: Final = len(FEATURES) + len(EVIDENCE) + 1
_PRODUCT_UNKNOWN: Final = (0.0, float(np.log(1e-6)), float(np.log(1e-3)), 0.0, 0.0, 0.0)
_SATISFACTION_LOSS: Final = 0.2


@dataclass(frozen=True, slots=True)
class EvaluatorTrainingConfig:
    """How the evaluator is trained. `mask_*` are the shares of rows whose knowledge is hidden."""

    hidden: tuple[int, ...] = (96, 32)
    epochs: int = 4
    batch: int = 1024
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    mask_shopper: float = 0.08
    mask_product: float = 0.08
    prior_precision: float = 25.0
    last_week: int = 40
    seed: int = 17


@dataclass(frozen=True, slots=True)
class EvaluatorData:
    """Training rows; arrays are `(n,)` unless said otherwise.

    Attributes:
        numeric: `(n, NUMERIC)` features, evidence, interest logit.
        shopper_row, product_row: Rows of the state matrices.
        shopper_states, product_states: `(_, 384)`; `stranger` `(384,)` is the state of an unknown shopper.
        log_ratio: log(price / reference). `rate` is the share of negatives kept in the row's stratum.
        returned: 1, 0, or nan when censored.
        cluster: Household of the row.
    """

    numeric: NDArray[np.float32]
    shopper_row: NDArray[np.int64]
    product_row: NDArray[np.int64]
    shopper_states: NDArray[np.float32]
    product_states: NDArray[np.float32]
    stranger: NDArray[np.float32]
    log_ratio: NDArray[np.float32]
    rate: NDArray[np.float32]
    bought: NDArray[np.float32]
    weight: NDArray[np.float32]
    returned: NDArray[np.float32]
    cluster: NDArray[np.int64]


class OutcomeNeighbours(Protocol):
    """An outcome memory as training sees it."""

    def evidence(self, keys: NDArray[np.float32]) -> NDArray[np.float32]:
        """Evidence features `(n, len(EVIDENCE))` of keys, from what was added so far."""
        ...

    def add(
        self,
        keys: NDArray[np.float32],
        bought: NDArray[np.float32],
        weight: NDArray[np.float32],
        ratio: NDArray[np.float32],
    ) -> None:
        """Remember outcomes."""
        ...


class EvaluatorNet(nn.Module):
    """The network behind `models.evaluator`, in torch for training."""

    def __init__(self, mean: Tensor, scale: Tensor, hidden: tuple[int, ...]) -> None:
        """Build for standardised inputs."""
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.mean: Tensor
        self.scale: Tensor
        self.shopper = nn.Linear(DIM, RANK, bias=False)
        self.product = nn.Linear(DIM, RANK, bias=False)
        for layer in (self.shopper, self.product):
            nn.init.normal_(layer.weight, std=1.0)
        sizes = (NUMERIC + 2 * RANK + 1, *hidden)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.purchase = nn.Linear(hidden[-1] + 1, 3, bias=False)
        self.satisfaction = nn.Linear(hidden[-1] + 1, 2, bias=False)
        with torch.no_grad():
            for head in (self.purchase, self.satisfaction):
                head.weight.mul_(0.1)

    def body(self, numeric: Tensor, shopper: Tensor, product: Tensor) -> Tensor:
        """`phi` `(n, hidden + 1)`."""
        content = self.product(product)
        cosine = (shopper * product).sum(1, keepdim=True)
        standard = ((numeric - self.mean) / self.scale).clamp(-INPUT_LIMIT, INPUT_LIMIT)
        state = torch.cat([standard, self.shopper(shopper) * content, content, cosine], 1)
        for layer in self.layers:
            state = nn.functional.silu(layer(state))
        return torch.cat([state, torch.ones(len(state), 1)], 1)

    def forward(self, numeric: Tensor, shopper: Tensor, product: Tensor, log_ratio: Tensor) -> tuple[Tensor, Tensor]:
        """Purchase and satisfaction logits `(n,)`."""
        phi = self.body(numeric, shopper, product)
        return _head_logit(self.purchase(phi), log_ratio), _head_logit(self.satisfaction(phi), log_ratio)


def _head_logit(terms: Tensor, log_ratio: Tensor) -> Tensor:
    slopes = SLOPE_MIN + nn.functional.softplus(terms[:, 1:])
    basis = torch.stack([-log_ratio, torch.tanh(-log_ratio / DEAL_SCALE)], 1)[:, : slopes.shape[1]]
    return terms[:, 0] + (slopes * basis).sum(1)


def key_projection(product_states: NDArray[np.float32]) -> Floats:
    """Principal directions `(384, KEY_DIM)` of product states, for the outcome memory's keys."""
    _, _, rows = np.linalg.svd(product_states - product_states.mean(0), full_matrices=False)
    signs = np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(1)])
    return np.asarray((rows * signs[:, None])[:KEY_DIM].T, np.float64)


def _mask(
    data: EvaluatorData, rows: NDArray[np.int64], config: EvaluatorTrainingConfig, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs of a batch with some shoppers and some products made unknown."""
    numeric = data.numeric[rows].copy()
    shopper = data.shopper_states[data.shopper_row[rows]]
    product = data.product_states[data.product_row[rows]]
    hidden_shopper = rng.random(len(rows)) < config.mask_shopper
    hidden_product = rng.random(len(rows)) < config.mask_product
    pairs, categories = len(SHOPPER_PRODUCT), len(SHOPPER_CATEGORY)
    product_start = len(FEATURES) - len(_PRODUCT_UNKNOWN) - 1
    numeric[hidden_shopper, :product_start] = 0.0
    numeric[hidden_product, :pairs] = 0.0
    numeric[hidden_product, pairs + categories] = 0.0
    numeric[hidden_product, product_start : product_start + len(_PRODUCT_UNKNOWN)] = _PRODUCT_UNKNOWN
    numeric[hidden_shopper | hidden_product, len(FEATURES) : len(FEATURES) + len(EVIDENCE)] = 0.0
    numeric[hidden_shopper, -1] = data.numeric[:, -1].mean()
    shopper = np.where(hidden_shopper[:, None], data.stranger, shopper)
    return torch.from_numpy(numeric), torch.from_numpy(shopper.astype(np.float32)), torch.from_numpy(product)


def fit(
    data: EvaluatorData, config: EvaluatorTrainingConfig, on_epoch: Callable[[int, float], None] | None = None
) -> EvaluatorNet:
    """Train the network; `on_epoch` is told epoch and mean loss."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    scale = np.maximum(data.numeric.std(0), 1e-3)
    net = EvaluatorNet(torch.from_numpy(data.numeric.mean(0)), torch.from_numpy(scale), config.hidden)
    with torch.no_grad():
        net.purchase.weight[0, -1] = float(np.log(np.average(data.bought, weights=data.weight)))
        net.purchase.weight[1, -1] = 1.0
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    steps = config.epochs * (1 + len(data.bought) // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=steps)
    for epoch in range(config.epochs):
        losses = []
        order = rng.permutation(len(data.bought))
        for start in range(0, len(order), config.batch):
            rows = order[start : start + config.batch]
            loss = _loss(net, data, rows, _mask(data, rows, config, rng))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        if on_epoch is not None:
            on_epoch(epoch, float(np.mean(losses)))
    return net.eval()


def _loss(
    net: EvaluatorNet, data: EvaluatorData, rows: NDArray[np.int64], inputs: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    cross_entropy = nn.functional.binary_cross_entropy_with_logits
    purchase, satisfaction = net(*inputs, torch.from_numpy(data.log_ratio[rows]))
    offset = torch.from_numpy(np.log(data.rate[rows]))
    loss = cross_entropy(purchase - offset, torch.from_numpy(data.bought[rows]))
    seen = np.flatnonzero(~np.isnan(data.returned[rows]))
    if len(seen):
        returned = torch.from_numpy(data.returned[rows[seen]])
        loss = loss + _SATISFACTION_LOSS * cross_entropy(satisfaction[torch.from_numpy(seen)], returned)
    return loss


def posterior(net: EvaluatorNet, data: EvaluatorData, config: EvaluatorTrainingConfig) -> tuple[Floats, Floats]:
    """Cluster-robust covariances of the flattened purchase and satisfaction weights."""
    everything = np.arange(len(data.bought))
    blocks = [everything[start : start + 65536] for start in range(0, len(everything), 65536)]
    phi = np.concatenate([_phi(net, data, rows) for rows in blocks])
    returned = data.returned
    observed = ~np.isnan(returned)
    purchase = _robust(net.purchase, phi, data, (data.bought, np.log(data.rate), everything), config.prior_precision)
    satisfaction = _robust(
        net.satisfaction,
        phi[observed],
        data,
        (returned[observed], np.zeros(int(observed.sum()), np.float32), everything[observed]),
        config.prior_precision,
    )
    return purchase, satisfaction


def _phi(net: EvaluatorNet, data: EvaluatorData, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    with torch.inference_mode():
        phi = net.body(
            torch.from_numpy(data.numeric[rows]),
            torch.from_numpy(data.shopper_states[data.shopper_row[rows]]),
            torch.from_numpy(data.product_states[data.product_row[rows]]),
        )
    return np.asarray(phi.numpy(), np.float32)


def _robust(
    head: nn.Linear,
    phi: NDArray[np.float32],
    data: EvaluatorData,
    target: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]],
    prior_precision: float,
) -> Floats:
    """`H^-1 M H^-1` with `H` the Hessian plus prior and `M` the sum over clusters of outer products of scores."""
    label, offset, rows = target
    weights = head.weight.detach().numpy()
    terms = phi @ weights.T
    log_ratio = data.log_ratio[rows]
    basis = np.stack([-log_ratio, np.tanh(-log_ratio / DEAL_SCALE)], 1)[:, : terms.shape[1] - 1]
    gate = 1 / (1 + np.exp(-terms[:, 1:]))
    slopes = SLOPE_MIN + np.logaddexp(0, terms[:, 1:])
    logit = terms[:, 0] + (slopes * basis).sum(1) - offset
    probability = 1 / (1 + np.exp(-logit))
    factors = np.concatenate([np.ones((len(phi), 1)), gate * basis], 1).astype(np.float32)
    jacobian = (factors[:, :, None] * phi[:, None, :]).reshape(len(phi), -1)
    curvature = (probability * (1 - probability)).astype(np.float32)
    hessian = (jacobian * curvature[:, None]).T @ jacobian + prior_precision * np.eye(jacobian.shape[1])
    _, cluster = np.unique(data.cluster[rows], return_inverse=True)
    scores = np.zeros((int(cluster.max()) + 1, jacobian.shape[1]))
    order = np.argsort(cluster, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(cluster[order]) > 0])
    residual = ((probability - label)[order])[:, None] * jacobian[order]
    scores[:] = np.add.reduceat(residual, starts, axis=0)
    inverse = np.linalg.inv(hessian)
    return np.asarray(inverse @ (scores.T @ scores + prior_precision * np.eye(len(inverse))) @ inverse, np.float64)


def to_weights(
    net: EvaluatorNet,
    covariances: tuple[Floats, Floats],
    projection: Floats,
    base_rate: float,
) -> EvaluatorWeights:
    """The trained network as the evaluator's numpy weights."""

    def array(tensor: Tensor) -> Floats:
        return tensor.detach().numpy().astype(np.float64)

    layers = [layer for layer in net.layers if isinstance(layer, nn.Linear)]

    return EvaluatorWeights(
        feature_mean=array(net.mean),
        feature_scale=array(net.scale),
        shopper_projection=array(net.shopper.weight.T),
        product_projection=array(net.product.weight.T),
        hidden=tuple((array(layer.weight.T), array(layer.bias)) for layer in layers),
        purchase=MonotoneHead.from_posterior(array(net.purchase.weight), covariances[0]),
        satisfaction=MonotoneHead.from_posterior(array(net.satisfaction.weight), covariances[1]),
        key_projection=projection,
        base_rate=base_rate,
    )
