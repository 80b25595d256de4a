"""Kinked demand: ramps between neighbouring prices, added to a response that is linear in log price.

Demand may drop at a round price or at a remembered one. Ramp functions between the prices shown get non-negative
heights, selected by a lasso (Tibshirani 1996) with a penalty of two standard errors of each ramp's score, then refitted
with a penalty of a quarter. Validation outcomes decide whether ramps are used at all (`own_evaluator`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize

from models.arrays import Floats
from models.evaluator.monotone import SLOPE_MIN, ramp_basis, sigmoid, softplus

_MAX_RAMPS: Final = 12
_MIN_SHARE: Final = 0.01
_MIN_HEIGHT: Final = 0.03
_STEP: Final = 0.005
_NARROW: Final = 0.01
_THRESHOLD: Final = 2.0
_REFIT: Final = 0.25


@dataclass(frozen=True, slots=True)
class Ramps:
    """Ramp functions that are zero at a log ratio of 0: start and width `(k, 2)`, and heights `(k,)`."""

    places: Floats
    heights: Floats

    def logits(self, log_ratio: Floats) -> Floats:
        """Compute the sum of the ramps, `(n,)`, to be added to the logit."""
        return np.asarray(ramp_basis(log_ratio, self.places) @ self.heights)


NONE: Final = Ramps(np.zeros((0, 2)), np.zeros(0))


def fit_ramps(known: tuple[Floats, Floats, Floats], bought: Floats, mass: Floats, reference: float = 0.0) -> Ramps:
    """Fit ramps to some rows.

    Args:
        known: Level, slope before softplus, whose means are fitted again, and log ratio, `(n,)` each.
        bought: 1 for purchases, else 0.
        mass: Offers that each row stands for.
        reference: Log ratio of the reference price.
    """
    level, slope, log_ratio = known
    places = _places(log_ratio, mass, reference)
    if not len(places):
        return NONE
    basis = ramp_basis(log_ratio, places)
    p = sigmoid(level - (SLOPE_MIN + softplus(slope)) * log_ratio)
    noise = np.sqrt((mass * p * (1 - p)) @ basis**2)
    heights = _heights(known, (bought, mass), basis, _THRESHOLD * noise)
    kept = heights > _MIN_HEIGHT
    if not kept.any():
        return NONE
    heights = _heights(known, (bought, mass), basis[:, kept], _REFIT * noise[kept])
    return Ramps(places[kept], heights)


def _heights(
    known: tuple[Floats, Floats, Floats], labels: tuple[Floats, Floats], basis: Floats, penalty: Floats
) -> Floats:
    level, slope, log_ratio = known
    bought, mass = labels

    def loss(theta: Floats) -> tuple[float, Floats]:
        steeper = slope + theta[1]
        logit = level + theta[0] - (SLOPE_MIN + softplus(steeper)) * log_ratio + basis @ theta[2:]
        residual = mass * (sigmoid(logit) - bought)
        value = float((mass * np.logaddexp(0.0, np.where(bought > 0, -logit, logit))).sum() + penalty @ theta[2:])
        by_slope = -sigmoid(steeper) * log_ratio
        gradient = np.r_[residual.sum(), residual @ by_slope, basis.T @ residual + penalty]
        return value + 0.5 * float(theta[:2] @ theta[:2]), gradient + np.r_[theta[:2], np.zeros(len(penalty))]

    start = np.zeros(2 + basis.shape[1])
    bounds = [(-5.0, 5.0), (-12.0, 5.0), *[(0.0, 20.0)] * basis.shape[1]]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200})
    return np.asarray(found.x[2:], np.float64)


def _places(log_ratio: Floats, mass: Floats, reference: float) -> Floats:
    """Place ramps between the prices shown if they are few, else between quantiles; and just above the reference."""
    steps, where = np.unique(np.rint(log_ratio / _STEP), return_inverse=True)
    share = np.bincount(where, mass) / mass.sum()
    shown = steps[share >= _MIN_SHARE] * _STEP
    if len(shown) < 2 or share[share >= _MIN_SHARE].sum() < 0.8:
        shown = np.unique(np.quantile(log_ratio, np.linspace(0.02, 0.98, _MAX_RAMPS)))
    elif len(shown) > _MAX_RAMPS:
        shown = shown[np.unique(np.linspace(0, len(shown) - 1, _MAX_RAMPS).round().astype(int))]
    widths = np.diff(shown)
    places = np.stack([shown[:-1], widths], axis=1)[widths > _STEP / 2]
    just_above = np.asarray([[reference, _NARROW]])
    inside = bool(len(shown) >= 2 and shown[0] < reference < shown[-1])
    continuous = inside and not np.any(np.abs(shown - reference) < _STEP / 2)
    return np.concatenate([places, just_above]) if continuous else places
