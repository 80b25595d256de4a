"""Network beside the price logit: trained from the logit's own predictions, and used at the share that pays."""

from dataclasses import replace
from typing import Final

import numpy as np
import torch

from models.arrays import Floats
from models.evaluator.monotone import sigmoid
from models.progress import Progress
from models.training.evaluator import KnownTerms, fit
from models.training.evaluator_net import EvaluatorNet, EvaluatorTrainingConfig, InitialModel, ResidualNet
from models.training.own_assembly import AddedNetwork
from models.training.own_kinks import Ramps
from models.training.own_logit import SLOPE, PriceLogit
from models.training.own_rows import Rows, Split
from models.training.own_table import BLOCK, OwnTable, plainest_near_best

SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
_NEWTON: Final = 8
_SURE: Final = 2.0  # standard errors


def trained_network(
    table: OwnTable,
    split: Split,
    model: tuple[PriceLogit, Ramps],
    config: EvaluatorTrainingConfig,
    progress: Progress,
) -> AddedNetwork:
    """Train a network that starts at the model and is regularised towards it."""
    logit, ramps = model
    all_rows = np.arange(len(table.rows.at_s))
    known = _known_terms(table, all_rows, logit, ramps)
    weight = table.rows.data.weight
    data = replace(
        table.rows.data,
        known=known,
        mass=(weight / weight[split.train].mean()).astype(np.float32),
        log_ratio=table.rows.data.log_ratio - np.float32(table.center),
    )
    start = InitialModel(table.binning, logit.inputs)

    def on_epoch(epoch: int, loss: float) -> None:
        progress(f"train: network, epoch {epoch + 1}, loss {loss:.4f}", 0.3 + 0.6 * (epoch + 1) / config.epochs)

    def validation_loss(net: EvaluatorNet) -> float:
        level, slope = network_terms(net, table, split.validation)
        logits = with_network(table, split.validation, model, (level, slope))
        return float(np.average(table.losses(split.validation, logits), weights=table.rows.mass(split.validation)))

    net = fit(data, split.train, config, on_epoch, validation_loss, start)
    return added_network(net, table, split.train)


def added_network(net: EvaluatorNet, table: OwnTable, train: Rows) -> AddedNetwork:
    """Contributions of a network to the rows of a table, less their mean over the training rows."""
    weight = table.rows.data.weight[train]
    level, slope = network_terms(net, table, np.arange(len(table.rows.at_s)))
    means = tuple(float(np.average(part[train], weights=weight)) for part in (level, slope))
    return AddedNetwork(net, level - means[0], slope - means[1], (means[0], means[1]))


def no_network(table: OwnTable, logit: PriceLogit, config: EvaluatorTrainingConfig) -> AddedNetwork:
    """A network that adds nothing, for rows that are too few to train one."""
    nothing = np.zeros(len(table.rows.at_s))
    dim = table.rows.data.product_states.shape[1]
    net = ResidualNet(InitialModel(table.binning, logit.inputs), config, dim).eval()
    return AddedNetwork(net, nothing, nothing, (0.0, 0.0))


def _known_terms(table: OwnTable, rows: Rows, logit: PriceLogit, ramps: Ramps) -> KnownTerms:
    """Compute the logit's terms without the part of the inputs, which the network computes itself."""
    effects = table.rows.effects.values[rows]
    log_ratio = table.rows.data.log_ratio[rows].astype(np.float64) - table.center
    level = logit.base + effects @ logit.level
    slope = SLOPE + effects @ logit.slope
    rest = ramps.logits(log_ratio) + table.controls[rows] @ logit.controls + table.signals[rows] @ logit.signals
    rest = rest - logit.rival * table.over[rows]
    return KnownTerms(*(np.asarray(part, np.float32) for part in (level, slope, rest)))


def network_terms(net: EvaluatorNet, table: OwnTable, rows: Rows) -> tuple[Floats, Floats]:
    """Compute the network's contributions to level and slope, `(n,)` each."""
    data, parts = table.rows.data, []
    with torch.inference_mode():
        hidden = net.purchase.weight[:, :-2]
        for block in np.array_split(rows, 1 + len(rows) // BLOCK):
            phi = net.body(
                torch.from_numpy(net.binning.encode(np.asarray(data.numeric[block]))),
                torch.from_numpy(data.shopper_states[data.shopper_row[block]]),
                torch.from_numpy(data.product_states[data.product_row[block]]),
            )
            parts.append((phi[:, :-2] @ hidden.T).numpy().astype(np.float64))
    found = np.concatenate(parts)
    return found[:, 0], found[:, 1]


def with_network(
    table: OwnTable, rows: Rows, model: tuple[PriceLogit, Ramps], network: tuple[Floats, Floats]
) -> Floats:
    """Logits of rows, given the network's contributions to their level and slope."""
    logit, ramps = model
    selected = replace(table.of(rows, ramps), level=network[0], slope=network[1])
    return logit.logits(selected)


def chosen_share(
    table: OwnTable, split: Split, model: tuple[PriceLogit, Ramps], net: AddedNetwork
) -> tuple[float, dict[str, float]]:
    """Select the smallest share of the network within one standard error of the best."""
    rows = split.validation
    mass = table.rows.mass(rows)
    losses = [
        table.losses(rows, with_network(table, rows, model, (share * net.level[rows], share * net.slope[rows])))
        for share in SHARES
    ]
    means = [float(np.average(loss, weights=mass)) for loss in losses]
    best = plainest_near_best(losses, mass)
    named = {f"network, share {share:g}": mean for share, mean in zip(SHARES, means, strict=True)}
    return SHARES[best], named


def later_growth(table: OwnTable, rows: Rows, model: tuple[PriceLogit, Ramps], network: tuple[Floats, Floats]) -> float:
    """Logit by which predictions of later rows are surely too high, or too low if negative.

    Histories grow while a shop keeps its log, and a model that counts them predicts more the longer they are, whether
    demand grew or not. What it is off by on later rows, it will be off by on rows later than these.
    """
    level, slope = network
    logits = with_network(table, rows, model, (level[rows], slope[rows]))
    mass, bought = table.rows.mass(rows), table.rows.data.bought[rows]
    off = 0.0
    for _ in range(_NEWTON):
        p = sigmoid(logits - off)
        information = float(mass @ (p * (1 - p)))
        off += float(mass @ (p - bought)) / max(information, 1e-9)
    p = sigmoid(logits - off)
    _, shopper, size = np.unique(table.rows.data.cluster[rows], return_inverse=True, return_counts=True)
    alone = size[shopper] == 1  # a row of its own that stands for several offers counts as that many independent ones
    scores = np.bincount(shopper, (bought - p) * np.where(alone, np.sqrt(mass), mass))
    error = float(np.sqrt(scores @ scores)) / max(information, 1e-9)
    return float(np.sign(off)) * max(0.0, abs(off) - _SURE * error)
