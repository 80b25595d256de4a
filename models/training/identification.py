"""Identification of the price response: by random prices, by changes of cost, or only by what was imported."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.training.identified_by import IdentifiedBy
from models.training.own_checks import OfferLog
from models.training.own_controls import SlopeEvidence

OBSERVED_DOUBT: Final = 0.25
"""Log-sd of a slope that is not identified by random prices: on the demo store, display and mailer moved it so far."""
_MOST_DOUBT: Final = 1.0
_MIN_KNOWN: Final = 0.5
_MAX_WEIGHT: Final = 20.0
_MIN_EFFECTIVE: Final = 0.2
_NEWTON: Final = 20


@dataclass(frozen=True, slots=True)
class Identification:
    """Verdict on an offer log.

    Attributes:
        doubt: Standard deviation of the logarithm of the slope, beyond what the rows' own noise leaves open.
        note: Warning for the merchant; None if nothing is wrong.
    """

    by: IdentifiedBy
    doubt: float
    note: str | None


def identification(offers: OfferLog, propensity: NDArray[np.float32]) -> Identification:
    """Tell what identifies the price response, using logged propensities.

    A model needs no propensities if its inputs include everything that prices were set on. This is tested: with
    outcomes weighted by the inverse propensity (clipped), prices are as if randomised, so the slope must not change.
    """
    known = np.isfinite(propensity) & (propensity > 0)
    share = float(known.mean())
    if share <= _MIN_KNOWN:
        return Identification(
            IdentifiedBy.IMPORTED_INPUTS,
            OBSERVED_DOUBT,
            f"only {share:.0%} of the outcomes have the propensity of their price: where prices followed demand (for "
            "example, discounts on popular days), the price response is confounded; intervals and confidence allow "
            f"for a slope that is {OBSERVED_DOUBT:.0%} off; remedy: exploration (PRICESMITH_EXPLORATION=cautious)",
        )
    inverse = 1.0 / propensity[known].astype(np.float64)
    weight = np.minimum(inverse / inverse.mean(), _MAX_WEIGHT)
    effective = float(weight.sum() ** 2 / (weight**2).sum() / len(weight))
    x, bought = offers.log_ratio[known].astype(np.float64), offers.bought[known].astype(np.float64)
    (plain, error), (random, wider) = (_price_slope(x, bought, w) for w in (np.ones_like(weight), weight))
    if abs(plain - random) > 2.0 * float(np.hypot(error, wider)):
        doubt = float(np.clip(abs(plain - random) / max(abs(random), 1e-3), OBSERVED_DOUBT, _MOST_DOUBT))
        return Identification(
            IdentifiedBy.CONFOUNDED,
            doubt,
            f"prices depended on demand: a logit in log price has slope {plain:.2f}, and {random:.2f} with outcomes "
            "weighted by 1/propensity; the fitted response is correct only if everything that prices were set on was "
            f"imported; intervals and confidence allow for a slope that is {doubt:.0%} off",
        )
    if effective < _MIN_EFFECTIVE:
        note = (
            f"propensities are uneven: weighted by their inverse, the effective sample size is {effective:.0%} of the "
            "outcomes; the response at prices that were rarely shown is uncertain"
        )
        return Identification(IdentifiedBy.RANDOM_PRICES, 0.0, note)
    return Identification(IdentifiedBy.RANDOM_PRICES, 0.0, None)


def with_evidence(found: Identification, evidence: SlopeEvidence) -> Identification:
    """Add what the training found: how much of the slope is identified by what."""
    shares = (
        f"of the price changes that the slope is fitted to, {evidence.random:.0%} were drawn at random, "
        f"{evidence.cost:.0%} followed changes of cost, and {evidence.inputs:.0%} are others"
    )
    if not evidence.corrected:
        others = ", which tell it only if everything that prices were set on was imported" if evidence.inputs else ""
        return replace(found, note="; ".join(filter(None, [found.note, shares + others])))
    by = IdentifiedBy.RANDOM_PRICES if evidence.random >= evidence.cost else IdentifiedBy.COST_CHANGES
    note = (
        "prices followed demand in ways that no input tells "
        f"({evidence.certainty:.1f} standard errors): the slope is that of a price set on purpose; {shares}; models "
        "that are not corrected may predict outcomes at such prices better, but not those of prices that are quoted"
    )
    return Identification(by, 0.0, note)


def _price_slope(log_ratio: Floats, bought: Floats, weight: Floats) -> tuple[float, float]:
    """Fit a weighted logit in log price; returns its slope, positive where demand falls, and robust standard error."""
    design = np.stack([np.ones(len(log_ratio)), -log_ratio], axis=1)
    beta = np.zeros(2)
    for _ in range(_NEWTON):
        p = 1 / (1 + np.exp(-(design @ beta)))
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        beta = beta + np.linalg.solve(hessian, design.T @ (weight * (bought - p)))
    scores = design * (weight * (bought - p))[:, None]
    inverse = np.linalg.inv(hessian)
    return float(beta[1]), float(np.sqrt((inverse @ (scores.T @ scores) @ inverse)[1, 1]))
