"""Choice of kinks for a price logit, and how surely their heights are known.

A kink asks for more evidence than the noise of few validation rows can give: ramps are taken where the training rows
support them by the Bayesian information criterion (Schwarz 1978) and the validation rows do not contradict. Where
prices were not set at random, what came with them (a display, say) makes kinks too: validation rows must confirm those.
"""

from typing import Final

import numpy as np

from models.arrays import Floats
from models.evaluator.monotone import SLOPE_MIN, ramp_basis, sigmoid
from models.training.own_kinks import NONE, Ramps, fit_ramps
from models.training.own_logit import PriceLogit, fit_logit
from models.training.own_rows import Rows, Split
from models.training.own_table import OwnTable, paired_gain

_CONTRADICTED: Final = -2.0  # standard errors of the gain on validation rows
_PRECISION: Final = 1e-3


def chosen_kinks(table: OwnTable, split: Split, logit: PriceLogit) -> tuple[Ramps, dict[str, float]]:
    """Fit ramps to the training rows; returns none unless the rows support them."""
    ramps = ramps_of(table, split.train, logit)
    if ramps is None:
        return NONE, {}
    again = fit_logit(table.of(split.train, ramps), table.rows.effects, logit)
    train, validation = (_losses(table, rows, (logit, again), ramps) for rows in (split.train, split.validation))
    mass = table.rows.mass(split.validation)
    support = float(table.rows.mass(split.train) @ (train[0] - train[1]))
    gain, error = paired_gain(validation[0], validation[1], mass)
    supported = support > 0.5 * len(ramps.heights) * np.log(len(split.train)) and gain > _CONTRADICTED * error
    supported = supported and not table.rows.doubt
    losses = {"with kinks": float(np.average(validation[1], weights=mass))}
    return (ramps if supported or gain > error else NONE), losses


def _losses(table: OwnTable, rows: Rows, models: tuple[PriceLogit, PriceLogit], ramps: Ramps) -> tuple[Floats, Floats]:
    """Losses of some rows without and with ramps, `(n,)` each."""
    without, within = table.of(rows), table.of(rows, ramps)
    return table.losses(rows, models[0].logits(without)), table.losses(rows, models[1].logits(within))


def ramps_of(table: OwnTable, rows: Rows, logit: PriceLogit, added: Floats | None = None) -> Ramps | None:
    """Fit ramps to some rows, given what trees add to the level; None where no ramp is found."""
    selected = table.of(rows, added=added)
    level, slope = logit.terms(selected)
    rest = selected.steps @ logit.steps + logit.rest(selected)
    known = (level + rest, slope, selected.log_ratio)
    found = fit_ramps(known, selected.bought, selected.mass, -table.center)
    return found if len(found.heights) else None


def ramp_covariance(table: OwnTable, rows: Rows, logit: PriceLogit, ramps: Ramps) -> Floats:
    """Covariance of the head's constants that ramps leave: level, slope and heights, `(2 + k, 2 + k)`.

    Level and slope of all rows move with the heights, as their posterior, given the heights, is kept elsewhere.
    """
    selected = table.of(rows, ramps)
    steep = -sigmoid(logit.terms(selected)[1]) * selected.log_ratio
    height = np.log(np.expm1(np.maximum(1e-6, ramps.heights - SLOPE_MIN)))
    design = np.column_stack(
        [np.ones(len(rows)), steep, ramp_basis(selected.log_ratio, ramps.places) * sigmoid(height)]
    )
    p = sigmoid(logit.logits(selected))
    information = (design * (selected.mass * p * (1 - p))[:, None]).T @ design + _PRECISION * np.eye(design.shape[1])
    own = np.linalg.inv(information)[2:, 2:]
    moves = np.concatenate([-np.linalg.solve(information[:2, :2], information[:2, 2:]), np.eye(len(height))])
    return np.asarray(moves @ own @ moves.T)
