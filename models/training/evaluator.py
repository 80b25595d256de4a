"""Training of the evaluator on a purchase panel.

Case-control sampling is corrected by the offset -log(rate) (Prentice and Pyke 1979), so the network's logit is
calibrated to the unsampled rate. Shopper and product inputs are masked at random, so that the network can score unknown
shoppers and new products.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.arrays import Floats, principal_directions
from models.evaluator.binning import Binning
from models.evaluator.evaluator import EvaluatorWeights
from models.evaluator.evidence import EVIDENCE, KEY_DIM
from models.evaluator.monotone import MonotoneHead
from models.evaluator.promotion import Flags, promotion_states
from models.shopper.features import FEATURES, SHOPPER_CATEGORY, SHOPPER_PRODUCT
from models.shopper.item_affinity import FLOOR
from models.training.evaluator_net import EvaluatorNet, EvaluatorTrainingConfig, NetInputs

_PRODUCT_UNKNOWN: Final = (0.0, float(np.log(1e-6)), float(np.log(1e-3)), 0.0, 0.0, 0.0)
_SATISFACTION_LOSS: Final = 0.2
_BINNED_ROWS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class EvaluatorData:
    """Training rows; arrays are `(n,)` unless stated otherwise.

    Attributes:
        numeric: `(n, NUMERIC)` features, evidence, interest logit, log affinity.
        shopper_row, product_row: Rows of the state matrices.
        shopper_states, product_states: `(_, dim)`; `stranger` `(dim,)` is the state of an unknown shopper.
        log_ratio: log(price / reference). `rate`: share of negatives kept in the row's stratum.
        returned: 1, 0, or nan when censored.
        cluster: Household of the row.
        promotion: Flags of display and mailer, `(n, 2)`; None where promotions are not an input.
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
    promotion: Flags | None = None


def key_projection(product_states: NDArray[np.float32]) -> Floats:
    """Compute principal directions `(dim, KEY_DIM)` of product states, for the keys of the outcome memory."""
    return principal_directions(product_states - product_states.mean(0), KEY_DIM)


def _masked(
    data: EvaluatorData,
    rows: NDArray[np.int64],
    binning: Binning,
    config: EvaluatorTrainingConfig,
    rng: np.random.Generator,
) -> NetInputs:
    """Select the inputs of a batch, with random shoppers, products and promotions replaced by unknown ones."""
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
    numeric[hidden_shopper, -2] = data.numeric[:100_000, -2].mean()
    numeric[hidden_shopper | hidden_product, -1] = np.log(FLOOR)
    shopper = np.where(hidden_shopper[:, None], data.stranger, shopper)
    return NetInputs(
        torch.from_numpy(binning.encode(numeric)),
        torch.from_numpy(shopper.astype(np.float32)),
        torch.from_numpy(product),
        _masked_promotions(data, rows, config, rng),
    )


def _masked_promotions(
    data: EvaluatorData, rows: NDArray[np.int64], config: EvaluatorTrainingConfig, rng: np.random.Generator
) -> Tensor | None:
    """Indicators of promotions, unknown in a share of the rows: both flags, or one of them."""
    if data.promotion is None:
        return None
    flags = data.promotion[rows].copy()
    draw, share = rng.random(len(rows)), config.mask_promotion
    flags[draw < share] = 0.0
    for column in range(flags.shape[1]):
        low = share * (1 + column / 4)
        flags[(draw >= low) & (draw < low + share / 4), column] = 0.0
    return torch.from_numpy(promotion_states(flags))


def fit(
    data: EvaluatorData,
    rows: NDArray[np.int64],
    config: EvaluatorTrainingConfig,
    on_epoch: Callable[[int, float], None] | None = None,
) -> EvaluatorNet:
    """Train the network on the given rows.

    Args:
        data: Training data; `rows` are used.
        rows: Indices of the training rows.
        config: Hyperparameters.
        on_epoch: Called with epoch and mean training loss.
    """
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    net = _new_net(data, rows, config)
    learned = [one for one in net.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=config.learning_rate, weight_decay=config.weight_decay)
    steps = config.epochs * (1 + len(rows) // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=steps)
    for epoch in range(config.epochs):
        losses = []
        order = rng.permutation(rows)
        for first in range(0, len(order), config.batch):
            batch = order[first : first + config.batch]
            loss = _loss(net, data, batch, _masked(data, batch, net.binning, config, rng))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        if on_epoch is not None:
            on_epoch(epoch, float(np.mean(losses)))
    return net.eval()


def _new_net(data: EvaluatorData, rows: NDArray[np.int64], config: EvaluatorTrainingConfig) -> EvaluatorNet:
    some = rows[:: 1 + len(rows) // _BINNED_ROWS]
    binning = Binning.fit(data.numeric[some], config.n_bins)
    net = EvaluatorNet(binning, config, data.product_states.shape[1], promotions=data.promotion is not None)
    with torch.no_grad():
        net.purchase.weight[0, -1] = float(np.log(np.average(data.bought[rows], weights=data.weight[rows])))
        net.purchase.weight[1, -1] = 1.0
    return net


def _loss(net: EvaluatorNet, data: EvaluatorData, rows: NDArray[np.int64], inputs: NetInputs) -> Tensor:
    cross_entropy = nn.functional.binary_cross_entropy_with_logits
    log_ratio = torch.from_numpy(data.log_ratio[rows])
    purchase, satisfaction = net(inputs, log_ratio)
    offset = torch.from_numpy(np.log(data.rate[rows]))
    loss = cross_entropy(purchase - offset, torch.from_numpy(data.bought[rows]))
    seen = np.flatnonzero(~np.isnan(data.returned[rows]))
    if len(seen):
        returned = torch.from_numpy(data.returned[rows[seen]])
        loss = loss + _SATISFACTION_LOSS * cross_entropy(satisfaction[torch.from_numpy(seen)], returned)
    return loss


def to_weights(
    net: EvaluatorNet,
    covariances: tuple[Floats, Floats],
    projection: Floats,
    base_rate: float,
) -> EvaluatorWeights:
    """Convert the trained network to the evaluator's numpy weights."""

    def array(tensor: Tensor) -> Floats:
        return tensor.detach().numpy().astype(np.float64)

    layers = [layer for layer in net.layers if isinstance(layer, nn.Linear)]

    return EvaluatorWeights(
        binning=net.binning,
        shopper_projection=array(net.shopper.weight.T),
        product_projection=array(net.product.weight.T),
        linear=array(net.linear.weight[0]),
        hidden=tuple((array(layer.weight.T), array(layer.bias)) for layer in layers),
        purchase=MonotoneHead.from_posterior(array(net.purchase.weight), covariances[0]),
        satisfaction=MonotoneHead.from_posterior(array(net.satisfaction.weight), covariances[1]),
        key_projection=projection,
        base_rate=base_rate,
        promotion=None if net.promotion is None else array(net.promotion.weight.T),
    )
